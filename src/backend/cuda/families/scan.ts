/**
 * Running combinations and extreme positions along a dimension, on CUDA.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { KernelOf } from "../../bind.ts";
import { Arguments, otherDims, pick } from "../device/arguments.ts";
import { argReduceSource, SCAN_THREADS, scanSource } from "../kernels/scan.ts";
import { type CudaStream, THREADS } from "../device/stream.ts";

/** Elements of a chunk, where lines are too few to fill the device. */
const CHUNK = 8192;

/** Running combination along `dim`; see `Backend.scan`. */
export const scan: KernelOf<CudaStream, "scan"> = (stream, kind, x, dim, out, indices) => {
  if (numelOf(x.shape) === 0) return;
  const others = otherDims(x, dim), shape = pick(x.shape, others);
  const lines = numelOf(shape), length = x.shape[dim] ?? 1;
  const chunks = lines < stream.processors ? Math.ceil(length / CHUNK) : 1;
  const operands = indices === null ? [x, out] : [x, out, indices];
  const args = new Arguments(lines, length, 0, chunks, chunks > 1 ? CHUNK : length);
  args.slots[2] = args.layout("scan", shape, operands, operands.map((t) => pick(t.strides, others)));
  operands.forEach((t, k) => args.slots[7 + k] = t.strides[dim] ?? 0);
  args.slots[10] = indices === null ? 0 : 1;
  const key = `scan ${kind} ${x.dtype.name} ${out.dtype.name}`;
  const kernel = (name: string) => stream.kernel(key, name, () => scanSource(kind, x.dtype, out.dtype));
  const run = kernel("run");
  if (chunks === 1) return args.launch(stream, run, SCAN_THREADS, lines);
  stream.withScratch(lines * chunks * 16, (scratch) => {
    args.slots[5] = scratch;
    args.slots[6] = scratch + lines * chunks * 8;
    args.launch(stream, kernel("totals"), SCAN_THREADS, lines * chunks);
    args.launch(stream, kernel("prefix"), THREADS, stream.blocks(lines));
    args.launch(stream, run, SCAN_THREADS, lines * chunks);
  });
};

/** Positions of the extreme value along `dim`; see `Backend.argReduce`. */
export const argReduce: KernelOf<CudaStream, "argReduce"> = (stream, kind, x, dim, indices, values) => {
  const others = otherDims(x, dim), shape = pick(x.shape, others);
  const lines = numelOf(shape), length = x.shape[dim] ?? 1;
  if (lines === 0) return;
  const operands = values === null ? [x, indices] : [x, indices, values];
  // Results lack the dimension, or have size 1 there.
  const strides = operands.map((t) => t.shape.length === x.shape.length ? pick(t.strides, others) : t.strides);
  const args = new Arguments(lines, length);
  args.slots[2] = args.layout(`arg${kind}`, shape, operands, strides);
  args.slots[7] = x.strides[dim] ?? 0;
  args.slots[10] = values === null ? 0 : 1;
  let threads = 32;
  while (threads < SCAN_THREADS && threads < length) threads *= 2;
  const kernel = stream.kernel(`arg${kind} ${x.dtype.name}`, "extreme", () => argReduceSource(kind, x.dtype));
  args.launch(stream, kernel, threads, lines);
};
