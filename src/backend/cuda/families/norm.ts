/**
 * Normalisations of rows on CUDA, by the kernels of `kernels/norm.ts`; other groups and very long rows go by `moments.ts`.
 *
 * @module
 */

import { float32 } from "../../../base/dtype.ts";
import { numelOf } from "../../../base/shape.ts";
import type { NormGroups, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { Arguments } from "../device/arguments.ts";
import { SIZES } from "../kernels/common.ts";
import { COLUMN_THREADS, normBackwardSource, normForwardSource, type NormVariant } from "../kernels/norm.ts";
import { planBytes, planKey, rowPlan, vectorOf } from "./rows.ts";
import { addressOf, type CudaStream } from "../device/stream.ts";

/** Values of a row that a thread of the forward kernel holds, and of each of the two rows of the backward kernel. */
const FORWARD_VALUES = 32, BACKWARD_VALUES = 16;
/** Values that the threads of a multiprocessor hold together in the backward kernel, where each block leaves a partial row. */
const HELD = 32;
/** Rows that a block of it takes at least. */
const BLOCK_ROWS = 4;
/** Threads of it, where a row needs fewer. */
const BACKWARD_THREADS = 256;

/** How factors lie in rows. */
interface Factors {
  /** Whether each column has its own. */
  readonly byColumn: boolean;
  /** Factors per row, and after how many rows they repeat. */
  readonly perRow: number;
  readonly period: number;
}

function factorsOf({ run, factors, factorRun }: NormGroups): Factors {
  const perRow = run / factorRun;
  return { byColumn: factorRun === 1 && run > 1, perRow, period: factors / perRow };
}

/** Elements per access such that all of one take the same factor, or one each. */
function vectorFor(
  groups: NormGroups,
  itemsize: number,
  operands: readonly (Strided | null)[],
  affine: boolean,
): number {
  const vector = vectorOf(groups.run, itemsize, operands.filter((t) => t !== null));
  return affine && groups.factorRun !== 1 && groups.factorRun % vector !== 0 ? 1 : vector;
}

function isRows(x: Strided, groups: NormGroups): boolean {
  return groups.groups * groups.run === numelOf(x.shape);
}

/** Writes operands' addresses, 0 for those that are missing. */
function setOperands(args: Arguments, operands: readonly (Strided | null)[]): void {
  operands.forEach((t, k) => args.slots[SIZES + k] = t === null ? 0 : addressOf(t));
}

/** See `Backend.norm`. */
export const norm: KernelOf<CudaStream, "norm"> = (stream, x, weight, bias, out, statistics, variance, eps, groups) => {
  if (!isRows(x, groups)) return false;
  const { run: length, groups: rows, factorRun } = groups, { itemsize } = x.dtype;
  const affine = weight !== null || bias !== null;
  const vector = vectorFor(groups, itemsize, [x, weight, bias, out], affine);
  const values = itemsize === 8 ? FORWARD_VALUES / 2 : FORWARD_VALUES;
  const plan = rowPlan(length, itemsize, vector, 1, values, stream.sharedBytes);
  // Few and long rows are split over several blocks by `moments`.
  if (plan.keep !== "registers" && rows < stream.processors) return false;
  const { byColumn, perRow, period } = factorsOf(groups);
  const variant: NormVariant = { plan, centred: statistics.mean !== null, byColumn: affine && byColumn };
  const w = weight?.dtype ?? bias?.dtype ?? float32;
  const key = `norm ${x.dtype.name} ${w.name} ${planKey(plan)} ${variant.centred} ${variant.byColumn}`;
  const kernel = stream.kernel(key, "forward", () => normForwardSource(x.dtype, w, variant));
  const args = new Arguments(length, rows, affine ? period : 1, perRow, factorRun);
  args.doubles.push([5, eps]);
  setOperands(args, [x, weight, bias, out, statistics.mean, statistics.rstd, variance]);
  const blocks = Math.ceil(rows / (plan.threads / plan.team));
  args.launch(stream, kernel, plan.threads, blocks, 1, 1, planBytes(plan, length, itemsize, 1));
  return true;
};

/** See `Backend.normGrad`. */
export const normGrad: KernelOf<CudaStream, "normGrad"> = (
  stream,
  grad,
  x,
  weight,
  statistics,
  gradX,
  gradWeight,
  gradBias,
  groups,
) => {
  if (!isRows(x, groups)) return false;
  const { run: length, groups: rows, factorRun } = groups, { itemsize } = x.dtype;
  const { byColumn, perRow, period } = factorsOf(groups);
  const columns = gradWeight !== null || gradBias !== null;
  const vector = vectorFor(groups, itemsize, [grad, x, weight, gradX], weight !== null || columns);
  const values = itemsize === 8 ? BACKWARD_VALUES / 2 : BACKWARD_VALUES;
  const found = rowPlan(length, itemsize, vector, 2, values, stream.sharedBytes);
  if (found.keep !== "registers" && rows < stream.processors) return false;
  if (columns && (found.keep !== "registers" || !byColumn || period !== 1)) return false;
  // Several rows per block, and so fewer partial rows to add up.
  const plan = found.keep === "registers" ? { ...found, threads: Math.max(found.team, BACKWARD_THREADS) } : found;
  const variant: NormVariant = {
    plan,
    centred: statistics.mean !== null,
    byColumn: byColumn && (weight !== null || columns),
  };
  const w = (weight ?? gradWeight ?? gradBias)?.dtype ?? float32;
  const key = `normGrad ${x.dtype.name} ${w.name} ${planKey(plan)} ${variant.centred} ${variant.byColumn} ${columns}`;
  const kernel = (name: string) => stream.kernel(key, name, () => normBackwardSource(x.dtype, w, variant, columns));
  const teams = plan.threads / plan.team;
  const wanted = Math.ceil(rows / (columns ? teams * BLOCK_ROWS : teams));
  const blocks = columns
    ? Math.min(wanted, stream.processors * Math.floor(HELD / Math.max(4, plan.items * vector)))
    : wanted;
  const args = new Arguments(length, rows, weight === null ? 1 : period, perRow, factorRun, 0, blocks);
  args.doubles.push([7, 1 / length]);
  setOperands(args, [grad, x, weight, statistics.mean, statistics.rstd, gradX, gradWeight, gradBias]);
  const backward = kernel("backward");
  const bytes = planBytes(plan, length, itemsize, 2);
  if (!columns) {
    args.launch(stream, backward, plan.threads, blocks, 1, 1, bytes);
    return true;
  }
  const sums = kernel("columns");
  stream.withScratch(2 * blocks * length * statistics.rstd.dtype.itemsize, (scratch) => {
    args.slots[5] = scratch;
    args.launch(stream, backward, plan.threads, blocks);
    args.launch(stream, sums, COLUMN_THREADS, Math.ceil(length / 32));
  });
  return true;
};
