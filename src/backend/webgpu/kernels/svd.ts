/**
 * Singular value decomposition on the GPU by one-sided Jacobi rotations.
 *
 * Pairs of columns are rotated until all are orthogonal: then their lengths are the singular values, the columns divided by
 * them the left vectors, and the product of the rotations the right ones. A round of a tournament meets every column once, so
 * its pairs are independent: a dispatch is a round, a workgroup a pair. As nothing is read, the number of sweeps is fixed;
 * float32 is orthogonal after eight or so. The left vector of a singular value of exactly zero is zero.
 *
 * @module
 */

import { ArgumentError } from "../../../base/errors.ts";
import { numelOf } from "../../../base/shape.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu, GpuBlock } from "../device/gpu.ts";
import { gridGroup, groups1d, MAIN_1D, MAX_GROUPS, prelude, reportFault } from "../text/kernel_text.ts";
import { Operands } from "../text/operands.ts";

/** Rounds of every column with every other. */
const SWEEPS = 12;
/** Threads of a pair. */
const THREADS = 64;

/** What all kernels are given: sizes of the tall matrix (`tall` ≥ `k`), and whether `x` is its transpose. */
interface Sizes {
  readonly batches: number;
  readonly rows: number;
  readonly columns: number;
  readonly tall: number;
  readonly k: number;
  readonly wide: boolean;
}

/** `x` as columns one after the other (`b1`), and identities (`b2`). */
function load(gpu: Gpu, op: string, x: Strided, a: GpuBlock, v: GpuBlock, s: Sizes): void {
  const { batches, rows, columns, tall, k, wide } = s;
  const count = batches * k * (tall + k);
  const error = () => new ArgumentError(`${op}(): the matrix holds elements that are not finite`);
  const [reports, word] = gpu.checks.begin(`svd ${op}`, error);
  const operands = new Operands([count, rows, columns, tall, k, x.offset, word]);
  operands.slot(x);
  operands.blocks.push(a, v, reports);
  gpu.dispatch(
    `svd load ${wide}`,
    () =>
      `${prelude(4)}${MAIN_1D}  let each = p(4u) * (p(3u) + p(4u));
  let batch = i / each;
  let c = (i % each) / (p(3u) + p(4u));
  let r = i % (p(3u) + p(4u));
  if (r >= p(3u)) {
    b2[(batch * p(4u) + c) * p(4u) + r - p(3u)] = bitcast<u32>(select(0.0, 1.0, r - p(3u) == c));
    return;
  }
  let bits = b0[p(5u) + batch * p(1u) * p(2u) + ${wide ? "c * p(2u) + r" : "r * p(2u) + c"}];
  if ((bits & 0x7f800000u) == 0x7f800000u) { ${reportFault(3, 6, "0u", "0u")} }
  b1[(batch * p(4u) + c) * p(3u) + r] = bits;
}`,
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
}

/** Sums `name` over the workgroup. */
function total(name: string): string {
  return `  sums[local] = ${name};
  workgroupBarrier();
  for (var step = ${THREADS / 2}u; step > 0u; step /= 2u) {
    if (local < step) { sums[local] += sums[local + step]; }
    workgroupBarrier();
  }
  ${name} = sums[0];
  workgroupBarrier();
`;
}

/** Makes the pairs of one round orthogonal. */
function rotate(gpu: Gpu, a: GpuBlock, v: GpuBlock, { batches, tall, k }: Sizes, round: number): void {
  const even = k + k % 2;
  const rotation = (buffer: number, length: number) =>
    `  for (var r = local; r < p(${length}u); r += ${THREADS}u) {
    let left = bitcast<f32>(b${buffer}[(first + low) * p(${length}u) + r]);
    let right = bitcast<f32>(b${buffer}[(first + high) * p(${length}u) + r]);
    b${buffer}[(first + low) * p(${length}u) + r] = bitcast<u32>(left - s * (right + tau * left));
    b${buffer}[(first + high) * p(${length}u) + r] = bitcast<u32>(right + s * (left - tau * right));
  }
`;
  gpu.dispatchGrid(
    "svd rotate",
    () =>
      `${prelude(2)}var<workgroup> sums: array<f32, ${THREADS}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) part: vec3<u32>, @builtin(local_invocation_index) local: u32) {
${gridGroup(4)}  let others = p(2u) - 1u;
  let low = select((p(3u) + group.x) % others, others, group.x == 0u);
  let high = (p(3u) + others - group.x) % others;
  let first = group.y * p(1u);
  if (low >= p(1u) || high >= p(1u)) { return; }
  var alpha = 0.0; var beta = 0.0; var gamma = 0.0;
  for (var r = local; r < p(0u); r += ${THREADS}u) {
    let left = bitcast<f32>(b0[(first + low) * p(0u) + r]);
    let right = bitcast<f32>(b0[(first + high) * p(0u) + r]);
    alpha += left * left; beta += right * right; gamma += left * right;
  }
${total("alpha")}${total("beta")}${total("gamma")}  if (abs(gamma) <= 1e-7 * sqrt(alpha) * sqrt(beta)) { return; }
  let zeta = (beta - alpha) / (2.0 * gamma);
  let t = select(-1.0, 1.0, zeta >= 0.0) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
  let c = 1.0 / sqrt(1.0 + t * t);
  let s = c * t;
  // As corrections, so that many small rotations round little (Rutishauser).
  let tau = s / (1.0 + c);
${rotation(0, 0)}${rotation(1, 1)}}`,
    [a, v],
    [tall, k, even, round, 0, 0, 0],
    4,
    [even / 2, batches, 1],
  );
}

/** Lengths of the columns. */
function measure(gpu: Gpu, a: GpuBlock, lengths: GpuBlock, { batches, tall, k }: Sizes): void {
  gpu.dispatch(
    "svd measure",
    () =>
      `${prelude(2)}var<workgroup> sums: array<f32, ${THREADS}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
  var square = 0.0;
  for (var r = local; r < p(1u); r += ${THREADS}u) {
    let e = bitcast<f32>(b0[i * p(1u) + r]);
    square += e * e;
  }
${total("square")}  if (local == 0u) { b1[i] = bitcast<u32>(sqrt(square)); }
}`,
    [a, lengths],
    [batches * k, tall],
    [Math.min(batches * k, MAX_GROUPS), Math.ceil(batches * k / MAX_GROUPS), 1],
  );
}

/** Writes columns where their length ranks, divided by it. */
function store(
  gpu: Gpu,
  [a, v, lengths]: readonly GpuBlock[],
  u: Strided,
  s: Strided,
  vh: Strided,
  { batches, rows, columns, tall, k, wide }: Sizes,
): void {
  const operands = new Operands([batches * k, rows, columns, tall, k, u.offset, s.offset, vh.offset]);
  operands.blocks.push(a, v, lengths);
  const [bu, bs, bv] = [u, s, vh].map((x) => operands.slot(x));
  // The transpose of a wide matrix is tall, with the two sides exchanged.
  const left = `b${bu}[p(5u) + batch * p(1u) * p(4u) + r * p(4u) + rank]`;
  const right = `b${bv}[p(7u) + batch * p(4u) * p(2u) + rank * p(2u) + r]`;
  gpu.dispatch(
    `svd store ${wide}`,
    () =>
      `${prelude(operands.blocks.length)}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
  let batch = i / p(4u);
  let length = bitcast<f32>(b2[i]);
  var rank = 0u;
  for (var j = batch * p(4u); j < (batch + 1u) * p(4u); j++) {
    let other = bitcast<f32>(b2[j]);
    if (other > length || (other == length && j < i)) { rank++; }
  }
  if (local == 0u) { b${bs}[p(6u) + batch * p(4u) + rank] = b2[i]; }
  let scale = select(0.0, 1.0 / length, length > 0.0);
  for (var r = local; r < p(3u); r += ${THREADS}u) {
    ${wide ? right : left} = bitcast<u32>(bitcast<f32>(b0[i * p(3u) + r]) * scale);
  }
  for (var r = local; r < p(4u); r += ${THREADS}u) { ${wide ? left : right} = b1[i * p(4u) + r]; }
}`,
    operands.blocks,
    operands.parameters,
    [Math.min(batches * k, MAX_GROUPS), Math.ceil(batches * k / MAX_GROUPS), 1],
  );
}

/** The thin decomposition of dense float32 matrices; elements that are not finite are an error at reads of the results. */
export const svd: KernelOf<Gpu, "svd"> = (gpu, op, x, u, s, vh) => {
  const [rows, columns] = x.shape.slice(-2), batches = numelOf(x.shape.slice(0, -2));
  const wide = columns > rows, tall = Math.max(rows, columns), k = Math.min(rows, columns);
  if (batches * k === 0) return true;
  const sizes: Sizes = { batches, rows, columns, tall, k, wide };
  const blocks = [tall * k, k * k, k].map((n) => gpu.alloc(4 * batches * n));
  const [a, v, lengths] = blocks;
  load(gpu, op, x, a, v, sizes);
  const rounds = k > 1 ? k + k % 2 - 1 : 0;
  for (let i = 0; i < SWEEPS * rounds; i++) rotate(gpu, a, v, sizes, i % rounds);
  measure(gpu, a, lengths, sizes);
  store(gpu, blocks, u, s, vh, sizes);
  for (const block of blocks) gpu.free(block);
  return true;
};
