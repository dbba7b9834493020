/**
 * Gather, scatter and their relatives on CUDA; indices out of range are thrown at the next read.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { ScatterMode, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { Arguments, otherDims, pick } from "../device/arguments.ts";
import { gatherSource, scatterSource } from "../kernels/indexing.ts";
import { withSorted } from "./order.ts";
import { type CudaStream, THREADS } from "../device/stream.ts";

/** Sorting pays where a line has at least this many updates … */
const LONG = 64;
/** … and there are fewer lines than this per multiprocessor. */
const FEW_LINES = 1024;

function setFault(stream: CudaStream, args: Arguments, op: string, dim: number): void {
  const [word, id] = stream.fault(op);
  args.slots[12] = dim;
  args.slots[13] = id;
  args.slots[14] = word;
}

function read(
  stream: CudaStream,
  op: string,
  x: Strided,
  dim: number,
  index: Strided,
  indexStrides: readonly number[],
  out: Strided,
  wrap: boolean,
): void {
  const count = numelOf(out.shape);
  if (count === 0) return;
  const args = new Arguments(count, 0, x.shape[dim] ?? 1, x.strides[dim] ?? 0, wrap ? 1 : 0);
  const source = x.strides.map((s, d) => d === dim ? 0 : s);
  args.slots[1] = args.layout(op, out.shape, [x, out, index], [source, out.strides, indexStrides]);
  setFault(stream, args, op, dim);
  const key = `gather ${x.dtype.name} ${index.dtype.name}`;
  const kernel = stream.kernel(key, "gather", () => gatherSource(x.dtype, index.dtype));
  args.launch(stream, kernel, THREADS, stream.blocks(count));
}

/** `out[i][j] = x[i][index[i][j]]`; see `Backend.gather`. */
export const gather: KernelOf<CudaStream, "gather"> = (stream, op, x, dim, index, out) => {
  read(stream, op, x, dim, index, index.strides, out, false);
};

/** Slices of `x` chosen by `index`; see `Backend.indexSelect`. */
export const indexSelect: KernelOf<CudaStream, "indexSelect"> = (stream, op, x, dim, index, out, wrap) => {
  read(stream, op, x, dim, index, out.shape.map((_, d) => d === dim ? index.strides[0] ?? 0 : 0), out, wrap);
};

/** One scatter: lines of the output along `dim`, each with `count` updates. */
function write(
  stream: CudaStream,
  op: string,
  out: Strided,
  dim: number,
  index: Strided,
  src: Strided,
  mode: ScatterMode,
  wrap: boolean,
  shared: boolean,
): void {
  // A scatter's lines are the index's, which may have fewer than the output.
  const sizes = shared ? out.shape : index.shape, others = otherDims(out, dim), shape = pick(sizes, others);
  const lines = numelOf(shape), count = shared ? numelOf(index.shape) : index.shape[dim] ?? 1;
  if (lines === 0 || count === 0) return;
  const indexStrides = shared ? others.map(() => 0) : pick(index.strides, others);
  const size = out.shape[dim] ?? 1;
  const along = shared ? index.strides[0] ?? 0 : index.strides[dim] ?? 0;
  const args = new Arguments(lines, 0, size, out.strides[dim] ?? 0, src.strides[dim] ?? 0, along, count, wrap ? 1 : 0);
  const strides = [pick(out.strides, others), pick(src.strides, others), indexStrides];
  args.slots[1] = args.layout(op, shape, [out, src, index], strides);
  setFault(stream, args, op, dim);
  const key = `scatter ${mode} ${out.dtype.name} ${src.dtype.name} ${index.dtype.name}`;
  const source = () => scatterSource(mode, out.dtype, src.dtype, index.dtype);
  if (count < LONG || lines >= stream.processors * FEW_LINES) {
    return args.launch(stream, stream.kernel(key, "lines", source), THREADS, stream.blocks(lines));
  }
  const kernel = stream.kernel(key, "runs", source);
  withSorted(stream, index, shared ? 0 : dim, false, wrap ? size : 0, (sorted) => {
    args.slots[8] = sorted.keys;
    args.slots[9] = sorted.places;
    args.slots[10] = sorted.padded;
    args.slots[11] = shared ? 1 : 0;
    args.launch(stream, kernel, THREADS, stream.blocks(lines * count));
  });
}

/** `out[i][index[i][j]] (mode)= src[i][j]`; see `Backend.scatter`. */
export const scatter: KernelOf<CudaStream, "scatter"> = (stream, op, out, dim, index, src, mode) => {
  write(stream, op, out, dim, index, src, mode, false, false);
};

/** `out` at `index` (mode)= the slices of `src`; see `Backend.indexPut`. */
export const indexPut: KernelOf<CudaStream, "indexPut"> = (stream, op, out, dim, index, src, mode, wrap) => {
  write(stream, op, out, dim, index, src, mode, wrap, true);
};
