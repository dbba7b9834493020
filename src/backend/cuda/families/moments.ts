/**
 * Means and variances of groups on CUDA, in one reading.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { KernelOf } from "../../bind.ts";
import { Arguments } from "../device/arguments.ts";
import { SIZES } from "../kernels/common.ts";
import { MOMENT_COLUMNS, MOMENT_THREADS, momentsSource } from "../kernels/moments.ts";
import { vectorOf } from "./rows.ts";
import { addressOf, type CudaStream } from "../device/stream.ts";

/** Blocks per multiprocessor that keep it busy. */
const BUSY = 8;
/** The fewest accesses of a thread that a share leaves. */
const SHARE = 8;
/** The most shares of a group. */
const MOST = 1024;
/** The planes kernel counts a group's accesses in 32 bits. */
const LARGE = 2 ** 31;

/** See `Backend.moments`. */
export const moments: KernelOf<CudaStream, "moments"> = (stream, x, mean, rstd, variance, eps, { groups, run }) => {
  const outer = numelOf(x.shape) / (groups * run), { dtype } = x;
  if (outer * run >= LARGE) return false;
  const columns = run === 1;
  const vector = vectorOf(columns ? groups : run, dtype.itemsize, [x]);
  const side = columns ? Math.ceil(groups / (MOMENT_COLUMNS * vector)) : groups;
  const height = columns ? MOMENT_THREADS / MOMENT_COLUMNS : MOMENT_THREADS;
  const accesses = columns ? outer : outer * run / vector;
  const wanted = Math.min(Math.ceil(stream.processors * BUSY / side), Math.ceil(accesses / (height * SHARE)), MOST);
  const shares = Math.max(1, wanted);
  const kernel = (name: string) =>
    stream.kernel(`moments ${dtype.name} ${vector}`, name, () => momentsSource(dtype, vector));
  const args = new Arguments(outer, groups, run, shares);
  args.doubles.push([5, eps]);
  [x, mean, rstd, variance].forEach((t, k) => args.slots[SIZES + k] = t === null ? 0 : addressOf(t));
  stream.withScratch(shares * groups * 3 * mean.dtype.itemsize, (workspace) => {
    args.slots[4] = workspace;
    args.launch(stream, kernel(columns ? "columns" : "planes"), MOMENT_THREADS, side, shares);
    args.launch(stream, kernel("finish"), MOMENT_THREADS, Math.ceil(groups / (MOMENT_THREADS / 32)));
  });
  return true;
};
