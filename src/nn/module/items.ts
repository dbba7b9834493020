/**
 * The items of containers: checks, conversion to parameters, printing.
 *
 * @module
 */

import { ArgumentError, describe, isClass } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/** The remedy in an error message for a value that is no module. */
function remedy(value: unknown): string {
  if (typeof value !== "function") return "";
  if (!isClass(value)) {
    return "; a function is no module: use its layer, as new nn.ReLU() for relu, or a class of your own";
  }
  return value.prototype instanceof Module ? `; make one: new ${value.name}(…)` : "";
}

/**
 * Throws unless a value is a module.
 *
 * @param op the container, or its method
 * @param what the item, as the message names it
 */
export function checkModule<T extends Module>(op: string, what: string, value: T): T {
  if (value instanceof Module) return value;
  throw new ArgumentError(`${op}(): expected a Module as ${what}, got ${describe(value)}${remedy(value)}`);
}

/** Makes a parameter of a tensor; a parameter is returned as it is. */
export function asParameter(value: Tensor): Tensor {
  return value instanceof Parameter ? value : new Parameter(value);
}

/** The printed line of an item of a parameter container; `type` is the printed name of its dtype. */
export function describeItem(key: string | number, value: Tensor, type: string): string {
  const kind = value instanceof Parameter ? "Parameter" : "Tensor";
  const device = value.device.type === "cpu" ? "" : ` (${value.device})`;
  return `(${key}): ${kind} containing: [${type} of size ${value.shape.join("x")}${device}]`;
}

/** PyTorch indents the items of parameter containers twice. */
export function indented(lines: string): string {
  return lines === "" ? "" : lines.split("\n").map((line) => `  ${line}`).join("\n");
}
