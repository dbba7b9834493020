/**
 * Checks of arguments that know what a tensor is; what needs no tensor stands in `src/base`.
 *
 * @module
 */

import { ArgumentError } from "../base/errors.ts";
import { describe } from "../base/scalar.ts";
import { Tensor } from "./tensor.ts";

/** Throws unless the parameter `name` of `op` is a tensor; gives it back. */
export function checkTensor(op: string, name: string, value: unknown): Tensor {
  if (value instanceof Tensor) return value;
  const list = Array.isArray(value) || ArrayBuffer.isView(value);
  const remedy = value instanceof Promise ? "; await it first" : list ? "; make one of it: torch.tensor(…)" : "";
  throw new ArgumentError(`${op}(): ${name} must be a Tensor: ${describe(value)}${remedy}`);
}
