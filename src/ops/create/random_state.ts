/**
 * `random`: the state of the default generator, as tensors and for the length of a block.
 *
 * @see https://docs.pytorch.org/docs/stable/random.html
 * @module
 */

import { checkFunction } from "../../base/checks.ts";
import "../attach.ts";
import { type Args, call, type Func, func, NoArgs } from "../../base/call.ts";
import { uint8 } from "../../base/dtype.ts";
import { during, hold } from "../../base/during.ts";
import { DTypeError } from "../../base/errors.ts";
import { defaultGenerator, fork } from "../../base/generator.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { fromBytes } from "./creation.ts";

export { initialSeed, manualSeed, seed } from "../../base/generator.ts";

/** The parameters of {@linkcode setRngState}. */
export class SetRngStateArgs {
  constructor(
    /** A uint8 tensor that {@linkcode getRngState} gave. */
    public newState: Tensor,
  ) {}
}

/** The state of the default generator as a uint8 tensor. */
export const getRngState: Func<typeof NoArgs, Tensor> = func("getRngState", NoArgs, () => {
  const state = defaultGenerator.getState();
  return fromBytes(state, [state.byteLength], uint8, { device: "cpu" });
});

/**
 * Puts the default generator back to a state that {@linkcode getRngState} gave.
 *
 * @throws {FormatError} if the bytes are not such a state
 */
export const setRngState: Func<typeof SetRngStateArgs, void> = func("setRngState", SetRngStateArgs, ({ newState }) => {
  checkTensor("setRngState", "newState", newState);
  if (newState.dtype !== uint8) throw new DTypeError(`setRngState(): a state is a uint8 tensor: ${newState.dtype}`);
  defaultGenerator.setState(newState.readSync() as Uint8Array);
});

const forkRngArgs = call("forkRng", NoArgs);

/**
 * Lets random ops draw from a copy of the default generator until the handle is disposed: `using _ = forkRng()`.
 *
 * What else runs while the block waits at an `await` draws from the copy, too; a callback's is for its task alone.
 */
export function forkRng(): Disposable;
/** Lets random ops draw from a copy of the default generator while `fn` runs, until its promise settles if it gives one, for this task alone. */
export function forkRng<R>(fn: () => R, ...args: Args<typeof NoArgs>): R;
export function forkRng<R>(fn?: () => R, ...args: Args<typeof NoArgs>): R | Disposable {
  forkRngArgs(args);
  if (fn !== undefined) checkFunction("forkRng", "fn", fn);
  const changes = [fork(defaultGenerator)];
  return fn === undefined ? hold("forkRng", changes) : during(changes, fn);
}
