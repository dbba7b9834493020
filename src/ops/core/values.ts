/**
 * What an op needs to know of a tensor's values: arguments that decide shapes, and checks.
 *
 * A device that can wait is read. One that cannot (WebGPU) still knows small tensors that came from the host as they are;
 * of others it checks values on the device, and reads of the op's result throw the error.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import type { DataArray } from "../../base/dtype.ts";
import { DeviceError } from "../../base/errors.ts";
import { decode } from "../../tensor/encode.ts";
import { scope } from "../../tensor/scope.ts";
import { checkAlive, type Tensor } from "../../tensor/tensor.ts";

/** Whether the device of `x` can be waited for. */
export function readsAtOnce(x: Tensor): boolean {
  return x.storage.backend.readSync !== undefined;
}

/** The values of `x`, row-major, if they can be had at once. */
export function hostValues(x: Tensor): DataArray | null {
  const { backend, version } = x.storage;
  if (backend.readSync) {
    const dense = x.dense ? x : x.detach().contiguous();
    return decode(backend.readSync(dense), x.dtype);
  }
  const bytes = version === 0 ? backend.known?.(x) : null;
  return bytes ? decode(bytes, x.dtype) : null;
}

/**
 * The values of an argument that decides shapes, as numbers.
 *
 * @param what names the argument
 * @throws {DeviceError} if the device cannot give them at once
 */
export function neededValues(op: string, what: string, x: Tensor): number[] {
  checkAlive(op, x);
  const values = hostValues(x);
  if (values !== null) return Array.from(values as ArrayLike<number | bigint>, Number);
  throw new DeviceError(
    `${op}(): ${what} was computed on ${x.device}, which is read asynchronously, and the result's shape depends on it; ` +
      "pass await x.cpu(), or the number from await x.item()",
  );
}

/** Makes a tensor depend on a check: reading it throws the error, if there is one. Returns the tensor. */
export type Refusal = (result: Tensor) => Tensor;

/** Where no check is needed. */
export const NO_REFUSAL: Refusal = (result) => result;

/**
 * Throws `error` if any element of `bad()` is true: at once where the device can wait, else at reads of what the function
 * that is returned is given, the op's result, and of what is computed from it.
 */
export function refuseWhere(x: Tensor, bad: (x: Tensor) => Tensor, error: () => Error): Refusal {
  const { backend } = x.storage;
  return unrecorded(() =>
    scope(() => {
      const found = bad(x.detach()).any();
      if (backend.readSync) {
        if (backend.readSync(found)[0] !== 0) throw error();
        return NO_REFUSAL;
      }
      const spoil = backend.failWhere?.(found, error());
      return (result: Tensor) => {
        spoil?.(result);
        return result;
      };
    })
  );
}
