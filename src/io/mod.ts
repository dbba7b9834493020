/**
 * `io`: file formats. `io.safetensors` has the functions of Python's `safetensors.torch`, `io.numpy` reads and
 * writes NumPy's, `io.idx` reads MNIST's files.
 *
 * @module
 */

import "../ops/attach.ts";
export * as idx from "./idx.ts";
export * as numpy from "./numpy.ts";
export * as safetensors from "./safetensors.ts";
export type { Source } from "./files.ts";
