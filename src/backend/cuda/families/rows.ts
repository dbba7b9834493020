/**
 * Kernels over contiguous rows on CUDA: how a row is spread over threads, and softmax.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { Arguments } from "../device/arguments.ts";
import { type RowPlan, softmaxSource } from "../kernels/rows.ts";
import { addressOf, type CudaStream } from "../device/stream.ts";

/** Bytes of an access. */
const ACCESS = 16;
/** Accesses of a row that a thread should have before a row is given more threads. */
const WANTED = 4;
/** Threads of the largest team that holds its row in registers. */
const MOST_THREADS = 512;
/** Threads per block of rows that are a warp's work; larger teams are blocks. */
const FEW_THREADS = 128;
/** Bytes of shared memory that rows leave for sums. */
const SUMS = 4 * 1024;
/** Rows up to this many bytes in shared memory leave room for several blocks, which then need fewer threads. */
const SEVERAL = 64 * 1024;

/** Elements per access of a dtype: 16 bytes of them where every row and operand is aligned so, else one. */
export function vectorOf(length: number, itemsize: number, operands: readonly Strided[]): number {
  const vector = Math.max(1, ACCESS / itemsize);
  if (length % vector !== 0) return 1;
  for (const x of operands) if (addressOf(x) % ACCESS !== 0) return 1;
  return vector;
}

/**
 * How rows of `length` elements are spread over threads.
 *
 * @param vector elements per access
 * @param operands how many rows a team holds at once
 * @param values values of each that a thread may hold in registers
 * @param room bytes of shared memory that a block may have
 */
export function rowPlan(
  length: number,
  itemsize: number,
  vector: number,
  operands: number,
  values: number,
  room: number,
): RowPlan {
  const packs = length / vector, most = Math.floor(values / vector);
  let team = 32;
  while (team < MOST_THREADS && packs > team * Math.min(most, vector === 1 ? 2 * WANTED : WANTED)) team *= 2;
  const items = Math.ceil(packs / team);
  if (items <= most) return { vector, items, team, threads: team === 32 ? FEW_THREADS : team, keep: "registers" };
  const bytes = length * itemsize * operands;
  const threads = bytes <= SEVERAL ? MOST_THREADS : 2 * MOST_THREADS;
  return { vector, items: 1, team: threads, threads, keep: bytes <= room - SUMS ? "shared" : "global" };
}

/** The part of a kernel's key that names a plan. */
export function planKey({ vector, items, team, threads, keep }: RowPlan): string {
  return `${keep} ${vector}x${items} ${team}/${threads}`;
}

/** Dynamic shared memory of a plan. */
export function planBytes(plan: RowPlan, length: number, itemsize: number, operands: number): number {
  return plan.keep === "shared" ? length * itemsize * operands : 0;
}

/** Values of rows that a thread holds in registers: of one row in softmax, of two in its gradient; of float64 half as many. */
const VALUES = 32;

function run(stream: CudaStream, name: "softmax" | "gradient", operands: readonly Strided[], log: boolean): void {
  const [{ shape, dtype }] = operands;
  const length = shape[shape.length - 1] ?? 1, count = numelOf(shape);
  if (count === 0) return;
  const rows = count / length, { itemsize } = dtype;
  const held = name === "softmax" ? 1 : 2;
  const values = VALUES / held / (itemsize === 8 ? 2 : 1);
  const plan = rowPlan(length, itemsize, vectorOf(length, itemsize, operands), held, values, stream.sharedBytes);
  const args = new Arguments(length, log ? 1 : 0, rows);
  operands.forEach((t, k) => args.operand(k, addressOf(t)));
  const kernel = stream.kernel(`softmax ${dtype.name} ${planKey(plan)}`, name, () => softmaxSource(dtype, plan));
  const blocks = Math.ceil(rows / (plan.threads / plan.team));
  args.launch(stream, kernel, plan.threads, blocks, 1, 1, planBytes(plan, length, itemsize, held));
}

/** Softmax of each row, or its logarithm; see `Backend.softmax`. */
export const softmax: KernelOf<CudaStream, "softmax"> = (stream, x, log, out) => {
  run(stream, "softmax", [x, out], log);
};

/** The gradient of softmax from its output; see `Backend.softmaxGrad`. */
export const softmaxGrad: KernelOf<CudaStream, "softmaxGrad"> = (stream, grad, output, log, out) => {
  run(stream, "gradient", [grad, output, out], log);
};
