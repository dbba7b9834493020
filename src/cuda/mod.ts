/**
 * `cuda`: NVIDIA devices, streams, graphs and random number state, under PyTorch's names.
 *
 * @see https://docs.pytorch.org/docs/stable/cuda.html
 * @module
 */

import { checkArray } from "../base/checks.ts";
import "../ops/attach.ts";
import { type Args, call, type Func, func, NoArgs } from "../base/call.ts";
import { defaultGenerator, type Generator, initialSeed, manualSeed, seed, SeedArgs } from "../base/generator.ts";
import { deviceCount } from "./device.ts";
import { device as useDevice } from "./streams.ts";
import { getRngState, setRngState } from "../ops/create/random_state.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";

export * from "./device.ts";
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
} from "./streams.ts";
export type { CudaDevice, EventArgs, StreamArgs } from "./streams.ts";
export { CUDAGraph, graph, graphPoolHandle, isCurrentStreamCapturing } from "./graphs.ts";
export type { GraphArgs, GraphPool } from "./graphs.ts";
export * as comm from "./comm.ts";
export { makeGraphedCallables } from "./graphed_callables.ts";
export type { GraphedCallable, GraphedCallablesArgs } from "./graphed_callables.ts";
export * as nccl from "./nccl.ts";

// One generator serves all devices, so these are the functions of the default generator.
export { getRngState, initialSeed, manualSeed, seed, setRngState };

/** The parameters of {@linkcode setRngStateAll}. */
export class SetRngStateAllArgs {
  constructor(
    /** The states that {@linkcode getRngStateAll} returned, one per device. */
    public newStates: readonly Tensor[],
  ) {}
}

/** Seeds the default generator, which draws for every device. */
export const manualSeedAll: Func<typeof SeedArgs, Generator> = func(
  "manualSeedAll",
  SeedArgs,
  ({ seed }) => defaultGenerator.manualSeed(seed),
);

/** Seeds the default generator with a number that the system chose, and returns it. */
export const seedAll: Func<typeof NoArgs, number> = func("seedAll", NoArgs, () => seed());

/** The state of the default generator, once per device. */
export const getRngStateAll: Func<typeof NoArgs, Tensor[]> = func(
  "getRngStateAll",
  NoArgs,
  () => Array.from({ length: deviceCount() }, () => getRngState()),
);

/** Restores the state of the default generator that {@linkcode getRngStateAll} returned. */
export const setRngStateAll: Func<typeof SetRngStateAllArgs, void> = func(
  "setRngStateAll",
  SetRngStateAllArgs,
  ({ newStates }) => {
    checkArray("setRngStateAll", "newStates", newStates);
    for (const state of newStates) setRngState(state);
  },
);

const deviceOfArgs = call("deviceOf", NoArgs);

/**
 * Makes the device of a tensor the current CUDA device until the handle is disposed (`using _ = deviceOf(x)`); does
 * nothing for tensors that are not on a CUDA device.
 */
export function deviceOf(tensor: Tensor, ...args: Args<typeof NoArgs>): Disposable {
  deviceOfArgs(args);
  checkTensor("deviceOf", "tensor", tensor);
  return tensor.device.type === "cuda" ? useDevice(tensor.device) : { [Symbol.dispose]: () => {} };
}
