/**
 * Functions that do what the fuzzer looks for, in the place of the library when its own test asks whether it notices.
 *
 * @module
 */

import * as torch from "../../mod.ts";

/** Each planted fault by the kind of finding that it must become. */
export const FAULTS = {
  /** Ends the process by a signal: reads from an address that no process has. */
  crash: (): number => new Deno.UnsafePointerView(Deno.UnsafePointer.create(8n)!).getInt8(),
  /** Never comes back. */
  hang: (): never => {
    for (;;);
  },
  /** Never settles. */
  wait: (): Promise<never> => new Promise(() => {}),
  /** What a missing check gives. */
  unnamed: (): unknown => (undefined as unknown as { shape: unknown }).shape,
  /** An error of the right class whose message does not say which call failed. */
  nameless: (): never => {
    throw new torch.ShapeError("sizes differ");
  },
  /** An error that names another op. */
  misnamed: (): never => {
    throw new torch.ShapeError("reshape(): sizes differ: [2] and [3]");
  },
  /** What a user may expect of any function. */
  named: (): never => {
    throw new torch.ShapeError("named(): sizes differ: [2] and [3]");
  },
  /** A result that reaches past its memory. */
  invalid: (): torch.Tensor => {
    const x = torch.ones([2]);
    Object.defineProperty(x, "shape", { value: [5] });
    return x;
  },
  /** Nothing wrong. */
  fine: (): torch.Tensor => torch.ones([2]),
};
