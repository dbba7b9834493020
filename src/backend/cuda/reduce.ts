/**
 * Reductions of scalar expressions on CUDA, by the printed kernels of `src/expr/cuda_reduce.ts`.
 *
 * A reduction along memory is a block's work per result, one across memory a thread's, so that neighbouring threads read
 * neighbouring elements either way. Where there are too few results to fill the device, each is split into shares.
 *
 * @module
 */

import { ShapeError, show } from "../../base/errors.ts";
import { CUDA_MAX_DIMS, operandSlot, slotsOf } from "../../expr/cuda.ts";
import { CUDA_REDUCE_THREADS, printCudaReduce } from "../../expr/cuda_reduce.ts";
import type { Program } from "../../expr/program.ts";
import type { Combine, Strided } from "../backend.ts";
import { collapse, stridesIn } from "../layout.ts";
import { putScalars } from "./pointwise.ts";
import { addressOf, type CudaStream, THREADS } from "./stream.ts";

const SHAPE = 6;
/** The fewest elements that a block of a split reduction takes, and a thread. */
const BLOCK_SHARE = 8 * CUDA_REDUCE_THREADS;
const THREAD_SHARE = 64;
/** A line shorter than this is a thread's work even along memory. */
const SHORT = 32;
/** Blocks and threads per multiprocessor that keep it busy. */
const BUSY_BLOCKS = 4;
const BUSY_THREADS = 1024;
/** The most shares: the grid's limit in y. */
const MAX_SPLITS = 65535;

/** How the work of one reduction is spread. */
interface Plan {
  readonly byBlock: boolean;
  readonly splits: number;
}

/** Whether the dimension along which an input's elements are nearest is a reduced one. */
function alongMemory(outer: number[][], inner: number[][]): boolean {
  for (let k = 0; k < inner.length; k++) {
    const near = (list: number[]): number => Math.min(...list.filter((s) => s !== 0).map(Math.abs), Infinity);
    const kept = near(outer[k]), reduced = near(inner[k]);
    if (kept !== reduced) return reduced < kept;
  }
  return true;
}

function planOf(stream: CudaStream, results: number, length: number, along: boolean): Plan {
  const byBlock = along && length >= SHORT;
  const share = byBlock ? BLOCK_SHARE : THREAD_SHARE;
  const wanted = byBlock ? stream.processors * BUSY_BLOCKS / results : stream.processors * BUSY_THREADS / results;
  const splits = Math.max(1, Math.min(Math.ceil(wanted), Math.ceil(length / share), MAX_SPLITS));
  return { byBlock, splits };
}

/** The smallest power of two of threads, from a warp on, that covers `length` elements. */
function threadsFor(length: number): number {
  let threads = 32;
  while (threads < CUDA_REDUCE_THREADS && threads < length) threads *= 2;
  return threads;
}

/** Evaluates a program at every element of `shape` and combines the values over `reduced`. */
export function reduce(
  stream: CudaStream,
  program: Program,
  combine: Combine,
  shape: readonly number[],
  reduced: readonly number[],
  inputs: readonly Strided[],
  scalars: readonly (number | bigint)[],
  outputs: readonly Strided[],
): void {
  const kept = shape.map((_, d) => d).filter((d) => !reduced.includes(d));
  const strides = inputs.map((x) => stridesIn(x, shape));
  const outer = collapse(kept.map((d) => shape[d]), [
    ...strides.map((s) => kept.map((d) => s[d])),
    ...outputs.map((x) => x.strides.map((s, d) => x.shape[d] === 1 ? 0 : s)),
  ]);
  const inner = collapse(reduced.map((d) => shape[d]), strides.map((s) => reduced.map((d) => s[d])));
  const results = outer.shape.reduce((a, b) => a * b, 1), length = inner.shape.reduce((a, b) => a * b, 1);
  if (results === 0) return;
  const dims = outer.shape.length + inner.shape.length;
  if (dims > CUDA_MAX_DIMS) {
    throw new ShapeError(`reduce(): on CUDA at most ${CUDA_MAX_DIMS} dimensions that cannot be merged: ${show(shape)}`);
  }
  const plan = planOf(stream, results, length, alongMemory(outer.strides.slice(0, inputs.length), inner.strides));
  const key = `reduce ${program.id} ${combine}`;
  const kernel = (name: string) => stream.kernel(key, name, () => printCudaReduce(program, combine, "fold"));
  const main = kernel(plan.byBlock ? "fold_block" : "fold_thread");
  const finish = plan.splits > 1 ? kernel("fold_finish") : null;
  const slots = slotsOf(program);
  const put = (workspace: number): void => {
    const header = [results, dims, length, outer.shape.length, plan.splits, workspace];
    header.forEach((value, i) => stream.putInteger(i, value));
    [...outer.shape, ...inner.shape].forEach((size, d) => stream.putInteger(SHAPE + d, size));
    [...inputs, ...outputs].forEach((x, k) => {
      const at = operandSlot(k);
      stream.putInteger(at, addressOf(x));
      const own = k < inputs.length ? [...outer.strides[k], ...inner.strides[k]] : outer.strides[k];
      own.forEach((step, d) => stream.putInteger(at + 1 + d, step));
    });
    putScalars(stream, program, scalars);
  };
  const run = (workspace: number): void => {
    put(workspace);
    if (plan.byBlock) {
      const threads = threadsFor(Math.ceil(length / plan.splits));
      stream.launch(main, slots, threads, results, plan.splits);
    } else stream.launch(main, slots, THREADS, stream.blocks(results), plan.splits);
    if (finish === null) return;
    put(workspace);
    stream.launch(finish, slots, THREADS, stream.blocks(results));
  };
  if (finish === null) run(0);
  else stream.withScratch(outputs.length * plan.splits * results * 8, run);
}
