/**
 * `cuda`: NVIDIA's devices under PyTorch's names. What needs tensors is here, the rest comes from `src/backend`.
 *
 * @see https://docs.pytorch.org/docs/stable/cuda.html
 * @module
 */

import "../ops/attach.ts";
import { defaultGenerator, type Generator, initialSeed, manualSeed, seed } from "../base/generator.ts";
import { deviceCount } from "../backend/cuda_api.ts";
import { device as useDevice } from "../backend/cuda_streams.ts";
import { getRngState, setRngState } from "../ops/random_state.ts";
import type { Tensor } from "../tensor/tensor.ts";

export * from "../backend/cuda_api.ts";
export {
  currentDevice,
  currentStream,
  defaultStream,
  device,
  Event,
  setDevice,
  setStream,
  Stream,
  stream,
} from "../backend/cuda_streams.ts";
export type { CudaDevice, EventOptions, StreamOptions } from "../backend/cuda_streams.ts";
export { CUDAGraph, graph, graphPoolHandle, isCurrentStreamCapturing } from "../backend/cuda_graphs.ts";
export type { GraphOptions, GraphPool } from "../backend/cuda_graphs.ts";
export * as comm from "./cuda_comm.ts";
export { makeGraphedCallables } from "./graphed_callables.ts";
export type { GraphedCallable, GraphedOptions } from "./graphed_callables.ts";
export * as nccl from "./cuda_nccl.ts";

// One generator serves all devices, so these are the default generator's functions under another name.
export { getRngState, initialSeed, manualSeed, seed, setRngState };

/** Seeds the default generator, which draws for every device. */
export function manualSeedAll(seed: number | bigint): Generator {
  return defaultGenerator.manualSeed(seed);
}

/** Seeds the default generator with a number that the system chose, and returns it. */
export function seedAll(): number {
  return seed();
}

/** The state of the default generator, once per device. */
export function getRngStateAll(): Tensor[] {
  return Array.from({ length: deviceCount() }, () => getRngState());
}

/** Puts the default generator back to a state that {@linkcode getRngStateAll} gave. */
export function setRngStateAll(newStates: readonly Tensor[]): void {
  for (const state of newStates) setRngState(state);
}

/** Lets `"cuda"` mean the device of a tensor until the scope ends; nothing happens for one on another kind of device. */
export function deviceOf(tensor: Tensor): Disposable {
  return tensor.device.type === "cuda" ? useDevice(tensor.device) : { [Symbol.dispose]: () => {} };
}
