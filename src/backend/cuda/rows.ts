/**
 * Softmax over contiguous rows on CUDA.
 *
 * @module
 */

import { numelOf } from "../../base/shape.ts";
import type { Strided } from "../backend.ts";
import { Arguments } from "./arguments.ts";
import { ROW_THREADS, softmaxSource } from "./kernels/rows.ts";
import { addressOf, type CudaStream } from "./stream.ts";

function run(
  stream: CudaStream,
  name: "softmax" | "gradient",
  x: Strided,
  y: Strided,
  log: boolean,
  more: Strided | null,
): void {
  const length = x.shape[x.shape.length - 1] ?? 1, count = numelOf(x.shape);
  if (count === 0) return;
  const args = new Arguments(length, log ? 1 : 0);
  [x, y, ...(more ? [more] : [])].forEach((t, k) => args.operand(k, addressOf(t)));
  let threads = 32;
  while (threads < ROW_THREADS && threads * 4 < length) threads *= 2;
  const key = `softmax ${x.dtype.name} ${y.dtype.name}`;
  args.launch(stream, stream.kernel(key, name, () => softmaxSource(x.dtype, y.dtype)), threads, count / length);
}

/** Softmax of each row, or its logarithm; see `Backend.softmax`. */
export function softmax(stream: CudaStream, x: Strided, log: boolean, out: Strided): void {
  run(stream, "softmax", x, out, log, null);
}

/** The gradient of softmax from its output; see `Backend.softmaxGrad`. */
export function softmaxGrad(stream: CudaStream, grad: Strided, output: Strided, log: boolean, out: Strided): void {
  run(stream, "gradient", grad, output, log, out);
}
