/**
 * `autograd`: gradients as functions, grad modes and custom functions.
 *
 * @module
 */

export { backward, grad } from "./tensor_autograd.ts";
export { detectAnomaly, setDetectAnomaly } from "./mode.ts";
export { Node } from "./node.ts";
