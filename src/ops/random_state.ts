/**
 * `random`: the state of the default generator, as tensors and for the length of a block.
 *
 * @see https://docs.pytorch.org/docs/stable/random.html
 * @module
 */

import "./attach.ts";
import { uint8 } from "../base/dtype.ts";
import { during } from "../base/during.ts";
import { DTypeError } from "../base/errors.ts";
import { defaultGenerator } from "../base/generator.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { fromBytes } from "./creation.ts";

export { initialSeed, manualSeed, seed } from "../base/generator.ts";

/** The state of the default generator as a uint8 tensor. */
export function getRngState(): Tensor {
  const state = defaultGenerator.getState();
  return fromBytes(state, [state.byteLength], uint8, { device: "cpu" });
}

/**
 * Puts the default generator back to a state that {@linkcode getRngState} gave.
 *
 * @throws {FormatError} if the bytes are not such a state
 */
export function setRngState(newState: Tensor): void {
  if (newState.dtype !== uint8) throw new DTypeError(`setRngState(): a state is a uint8 tensor: ${newState.dtype}`);
  defaultGenerator.setState(newState.dataSync() as Uint8Array);
}

/** Puts the default generator back afterwards: `using _ = forkRng()`. */
export function forkRng(): Disposable;
/** Runs `fn` and puts the default generator back as it was before. */
export function forkRng<R>(fn: () => R): R;
export function forkRng<R>(fn?: () => R): R | Disposable {
  const state = defaultGenerator.getState();
  return during(() => void defaultGenerator.setState(state), fn);
}
