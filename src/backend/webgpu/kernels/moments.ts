/**
 * Means and variances of groups on the GPU, in one reading.
 *
 * Every thread keeps a count, a mean and a sum of squared differences from it, and such triples are merged (Chan, Golub and
 * LeVeque, 1979): as exact as a second pass over the data, whatever the mean is. Groups are planes of `[outer, groups, run]`:
 * a workgroup takes a share of one; with a run of 1 they are columns, a thread's work each, in shares.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu, GpuBlock } from "../device/gpu.ts";
import { groups1d, lineGroups, MAIN_1D, MAX_GROUPS, prelude } from "../text/kernel_text.ts";
import { checkDtype, floatWord, Operands, ROUNDING, valueOf, word } from "../text/operands.ts";

/** Workgroups that keep a GPU busy, and the fewest accesses that a thread of a share has. */
const BUSY = 1024, SHARE = 8;
/** The most accesses of a thread, so that its merging stays exact and loops short. */
const MOST = 8192;
/** Shares that the last kernel adds one after the other. */
const MOST_SHARES = 256;

const MERGE = `/* Merges b into a: count, mean, sum of squared differences. */
fn merged(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
  if (b.x == 0.0) { return a; }
  let n = a.x + b.x;
  let share = b.x / n;
  let d = b.y - a.y;
  return vec3<f32>(n, a.y + d * share, a.z + b.z + d * d * a.x * share);
}
`;

/** How the work is spread: accesses are vectors of four where that is possible. */
interface Plan {
  readonly columns: boolean;
  readonly wide: boolean;
  /** Threads per group and share. */
  readonly threads: number;
  readonly shares: number;
}

function planOf(x: Strided, outer: number, groups: number, run: number): Plan | null {
  const columns = run === 1;
  const wide = !columns && run % 4 === 0 && x.offset % 4 === 0;
  const accesses = outer * run / (wide ? 4 : 1);
  const threads = columns ? 1 : 256;
  const busy = columns ? BUSY * 64 : BUSY;
  const wanted = Math.min(Math.ceil(busy / groups), Math.ceil(accesses / (threads * SHARE)), MOST_SHARES);
  const shares = Math.max(1, wanted, Math.ceil(accesses / (threads * MOST)));
  return shares > MOST_SHARES ? null : { columns, wide, threads, shares };
}

/** See `Backend.moments`. */
export const moments: KernelOf<Gpu, "moments"> = (gpu, x, mean, rstd, variance, eps, { groups, run }) => {
  checkDtype("moments", x.dtype);
  const outer = numelOf(x.shape) / (groups * run), plan = planOf(x, outer, groups, run);
  if (plan === null) return false;
  const { columns, wide, threads, shares } = plan, unit = wide ? 4 : 1;
  const partial = gpu.alloc(3 * shares * groups * 4);
  const operands = new Operands([shares * groups, groups, run / unit, outer, shares, x.offset / unit]);
  const slot = operands.slot(x), to = operands.blocks.push(partial) - 1;
  const all = columns ? "p(3u)" : "p(2u) * p(3u)";
  const element = (i: string): string => valueOf(x.dtype, `b${slot}[${i}]`);
  const read = columns
    ? `    let v = ${element("p(5u) + j * p(1u) + group_at")};
    m = merged(m, vec3<f32>(1.0, v, 0.0));
`
    : `    let outer = j / p(2u);
    let at = p(5u) + (outer * p(1u) + group_at) * p(2u) + (j - outer * p(2u));
${
      wide
        ? `    let v = bitcast<vec4<f32>>(b${slot}[at]);
    let own = 0.25 * ((v.x + v.y) + (v.z + v.w));
    let d = v - own;
    m = merged(m, vec3<f32>(4.0, own, dot(d, d)));
`
        : `    m = merged(m, vec3<f32>(1.0, ${element("at")}, 0.0));\n`
    }`;
  const tree = threads === 1 ? "" : `  shared_moments[local] = m;
  for (var s = ${threads / 2}u; s > 0u; s /= 2u) {
    workgroupBarrier();
    if (local < s) { shared_moments[local] = merged(shared_moments[local], shared_moments[local + s]); }
  }
  if (local != 0u) { return; }
  m = shared_moments[0];
`;
  const opening = threads === 1 ? MAIN_1D : `var<workgroup> shared_moments: array<vec3<f32>, ${threads}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
`;
  const first = threads === 1 ? "0u" : "local";
  gpu.dispatch(
    `moments ${columns} ${wide} ${threads} ${x.dtype.name}`,
    () =>
      `${prelude(2, [wide])}${MERGE}${opening}  let group_at = i % p(1u);
  let share = i / p(1u);
  let per = (${all} + p(4u) - 1u) / p(4u);
  let stop = min(${all}, (share + 1u) * per);
  var m = vec3<f32>();
  for (var j = share * per + ${first}; j < stop; j += ${threads}u) {
${read}  }
${tree}  b${to}[3u * i] = bitcast<u32>(m.x);
  b${to}[3u * i + 1u] = bitcast<u32>(m.y);
  b${to}[3u * i + 2u] = bitcast<u32>(m.z);
}`,
    operands.blocks,
    operands.parameters,
    threads === 1 ? groups1d(shares * groups) : lineGroups(shares * groups),
  );
  finish(gpu, partial, groups, shares, eps, [mean, rstd, ...(variance ? [variance] : [])]);
  gpu.free(partial);
  return true;
};

/** Merges the shares of each group, and writes mean, rstd and perhaps variance. */
function finish(
  gpu: Gpu,
  partial: GpuBlock,
  groups: number,
  shares: number,
  eps: number,
  outs: readonly Strided[],
): void {
  const operands = new Operands([groups, shares, floatWord(eps)]);
  operands.blocks.push(partial);
  const slots = outs.map((x) => operands.slot(x)), at = operands.push(...outs.map((x) => x.offset));
  const values = ["m.y", "1.0 / sqrt(variance + bitcast<f32>(p(2u)))", "variance"];
  const stores = outs.map((x, k) => `  b${slots[k]}[p(${at + k}u) + i] = ${word(x.dtype, values[k])};\n`);
  gpu.dispatch(
    `moments finish ${slots.join()}`,
    () =>
      `${prelude(operands.blocks.length)}${ROUNDING}${MERGE}${MAIN_1D}  var m = vec3<f32>();
  for (var s = 0u; s < p(1u); s++) {
    let at = 3u * (s * p(0u) + i);
    m = merged(m, vec3<f32>(bitcast<f32>(b0[at]), bitcast<f32>(b0[at + 1u]), bitcast<f32>(b0[at + 2u])));
  }
  let variance = m.z / m.x;
${stores.join("")}}`,
    operands.blocks,
    operands.parameters,
    groups1d(groups),
  );
}
