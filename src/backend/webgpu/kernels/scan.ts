/**
 * Running combinations and extreme positions along a dimension.
 *
 * A workgroup takes one line: blocks of 256 elements are scanned by subgroups, or in workgroup memory, and the last value is
 * carried on. Where lines are long and few they are split: a first kernel gives each part's total, a second what comes before
 * each part, and the third scans from there.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import { helpersOf } from "../../../expr/print.ts";
import { WGSL_HELPERS } from "../../../expr/wgsl_prelude.ts";
import type { ScanKind, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu } from "../device/gpu.ts";
import { groups1d, lineGroups, MAIN_1D, MAX_GROUPS, prelude, WORKGROUP } from "../text/kernel_text.ts";
import { checkDtype, load, offsets, Operands, ROUNDING, wgslType, word } from "../text/operands.ts";
import { SUBGROUP_BUILTINS } from "../text/subgroups.ts";

/** Elements that the identity of a scan stands for. */
function identity(kind: ScanKind, type: string): string {
  if (type === "i32") return { sum: "0", prod: "1", max: "-2147483647 - 1", min: "2147483647", logsumexp: "0" }[kind];
  // Infinity is not a WGSL literal.
  return {
    sum: "0.0",
    prod: "1.0",
    max: "bitcast<f32>(p(2u))",
    min: "-bitcast<f32>(p(2u))",
    logsumexp: "bitcast<f32>(p(2u))",
  }[kind];
}

const MINUS_INFINITY = 0xff800000;

/** WGSL `combine(a, ia, b, ib)`: `a` before `b`; sets the globals `rv`, `ri`. */
function combine(kind: ScanKind, type: string): string {
  const head = `var<private> rv: ${type}; var<private> ri: u32;
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn combine(a: ${type}, ia: u32, b: ${type}, ib: u32) {
`;
  if (kind === "sum" || kind === "prod") return `${head}  rv = a ${kind === "sum" ? "+" : "*"} b; ri = ib; }\n`;
  if (kind === "logsumexp") {
    // WGSL's own exp and log may be far off.
    const helpers = helpersOf("crExp crLog1p", WGSL_HELPERS);
    return `${helpers}${head}  ri = ib;
  if (is_nan(a) || is_nan(b)) { rv = a + b; return; }
  let top = max(a, b);
  if (abs(top) > 3.4e38) { rv = top; return; }
  rv = top + crLog1p(crExp(min(a, b) - top)); }\n`;
  }
  const later = kind === "max" ? "b >= a" : "b <= a";
  const nan = type === "f32" ? "is_nan(b) || (!is_nan(a) && (LATER))".replace("LATER", later) : later;
  // An empty side (position 0xffffffff) never wins.
  return `${head}  let take = ib != 0xffffffffu && (ia == 0xffffffffu || (${nan}));
  rv = select(a, b, take); ri = select(ia, ib, take); }\n`;
}

/** The steps of a scan in workgroup memory, one after the other rather than in a loop, whose trips are few. */
function steps(threads: number): string {
  let text = "";
  for (let s = 1; s < threads; s *= 2) {
    text += `    if (local >= ${s}u) { combine(sv[local - ${s}u], si[local - ${s}u], nv, ni); nv = rv; ni = ri; }
    workgroupBarrier();
    sv[local] = nv; si[local] = ni;
    workgroupBarrier();
`;
  }
  return text;
}

/** From how many lines across memory on, and up to which length, one thread looks for a line's extreme. */
const SERIAL_LINES = 256, SERIAL_LENGTH = 8192;
/** Lines up to this long are always scanned by one thread. */
const SHORT = 64;
/** Fewer lines than this are split, into parts of at least so many elements, at most so many of them. */
const FEW_LINES = 64, PART = 4096, MOST_PARTS = 512;

/** What a scan's kernels are made of. */
interface Scan {
  readonly kind: ScanKind;
  readonly type: "f32" | "i32";
  /** Statements that set the operands' places and an empty carry, for line `i`. */
  readonly start: string;
  /** The element at `j`. */
  readonly loaded: string;
  /** Statements that store `rv` and `ri` at `j`. */
  readonly store: string;
  /** Declarations, of `buffers` buffers; those of parts' totals and their positions come last. */
  readonly head: string;
  readonly buffers: number;
}

/**
 * Scans blocks of a line from `begin` to `stop` by a workgroup, from a carried value on; leaves the last one in the carry.
 * With subgroups the order of elements is that of subgroups and of the threads in them, which need not be `local`'s.
 */
function blocks({ kind, type, loaded, store }: Scan, subgroups: boolean, writing: boolean): string {
  const empty = identity(kind, type);
  const write = writing ? `    if (j < stop) {\n    ${store}\n    }\n` : "";
  const opening = (place: string): string =>
    `  for (var block = begin; block < stop; block += ${WORKGROUP}u) {
    let j = block + ${place};
    var v: ${type} = ${empty};
    var at = 0xffffffffu;
    if (j < stop) { v = ${loaded}; at = j; }
    var nv = v; var ni = at;
`;
  if (!subgroups) {
    return `${opening("local")}    sv[local] = v; si[local] = at;
    workgroupBarrier();
${steps(WORKGROUP)}    combine(carry, carried, sv[local], si[local]);
${write}    let last = min(${WORKGROUP}u, stop - block) - 1u;
    combine(carry, carried, sv[last], si[last]);
    carry = rv; carried = ri;
    workgroupBarrier();
  }
`;
  }
  return `${opening("sg_id * sg_size + sg_lane")}    for (var d = 1u; d < sg_size; d *= 2u) {
      let ov = subgroupShuffleUp(nv, d);
      let oi = subgroupShuffleUp(ni, d);
      if (sg_lane >= d) { combine(ov, oi, nv, ni); nv = rv; ni = ri; }
    }
    if (sg_lane == sg_size - 1u) { sv[sg_id] = nv; si[sg_id] = ni; }
    workgroupBarrier();
    // Empty elements behind the end change neither value nor position.
    var before = carry; var before_at = carried;
    for (var s = 0u; s < sg_count; s++) {
      if (s == sg_id) { before = carry; before_at = carried; }
      combine(carry, carried, sv[s], si[s]);
      carry = rv; carried = ri;
    }
    combine(before, before_at, nv, ni);
${write}    workgroupBarrier();
  }
`;
}

/** The entry point of a kernel of which a workgroup takes a part of a line. */
function partKernel(gpu: Gpu, s: Scan, mode: "whole" | "totals" | "run"): string {
  const subgroups = gpu.subgroups;
  const builtins = subgroups ? SUBGROUP_BUILTINS : "";
  const [values, places] = [s.buffers - 2, s.buffers - 1];
  const from = mode === "run" ? `  carry = bitcast<${s.type}>(b${values}[part]); carried = b${places}[part];\n` : "";
  const to = mode === "totals"
    ? `  if (local == 0u) { b${values}[part] = bitcast<u32>(carry); b${places}[part] = carried; }\n`
    : "";
  return `${s.head}var<workgroup> sv: array<${s.type}, ${WORKGROUP}>;
var<workgroup> si: array<u32, ${WORKGROUP}>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32${builtins}) {
  let part = group.y * ${MAX_GROUPS}u + group.x;
  if (part >= p(0u) * p(3u)) { return; }
  let i = part / p(3u);
  let begin = (part % p(3u)) * p(4u);
  let stop = min(p(1u), begin + p(4u));
${s.start}${from}${blocks(s, subgroups, mode !== "totals")}${to}}`;
}

/** A thread per line: parts' totals become what comes before each part. */
function prefixKernel({ kind, type, head, buffers }: Scan): string {
  const [values, places] = [buffers - 2, buffers - 1];
  return `${head}${MAIN_1D}  var carry: ${type} = ${identity(kind, type)};
  var carried = 0xffffffffu;
  for (var c = 0u; c < p(3u); c++) {
    let part = i * p(3u) + c;
    let v = bitcast<${type}>(b${values}[part]);
    let at = b${places}[part];
    b${values}[part] = bitcast<u32>(carry); b${places}[part] = carried;
    combine(carry, carried, v, at);
    carry = rv; carried = ri;
  }
}`;
}

/** Running combination along `dim`. */
export const scan: KernelOf<Gpu, "scan"> = (gpu, kind, x, dim, out, indices) => {
  for (const t of [x, out]) checkDtype("scan", t.dtype);
  if (numelOf(x.shape) === 0) return;
  const rank = x.shape.length, length = x.shape[dim] ?? 1;
  const others = x.shape.map((_, d) => d).filter((d) => d !== dim);
  const shape = others.map((d) => x.shape[d]);
  const lines = numelOf(shape);
  // Short lines are a thread's work each.
  const serial = length <= SHORT;
  const split = !serial && lines < FEW_LINES && length > PART;
  const part = split ? Math.max(PART, Math.ceil(length / MOST_PARTS)) : length, parts = Math.ceil(length / part);
  const operands = new Operands([lines, rank === 0 ? 1 : length, MINUS_INFINITY, parts, part]);
  const sizes = operands.push(...shape);
  const views = [x, out, ...(indices ? [indices] : [])];
  const places = views.map((t) => operands.push(t.offset, t.strides[dim] ?? 0, ...others.map((d) => t.strides[d])));
  const slots = views.map((t) => operands.slot(t));
  const totals = parts > 1 ? [0, 1].map(() => gpu.alloc(4 * lines * parts)) : [];
  operands.blocks.push(...totals);
  const type = wgslType(out.dtype) === "f32" ? "f32" : "i32";
  const names = ["ox", "oo", "oi"].slice(0, views.length);
  const buffers = operands.blocks.length;
  const text = (): Scan => ({
    ...{ kind, type, buffers },
    start: `${names.map((n, k) => `  var ${n} = p(${places[k]}u);`).join("\n")}
${offsets("i", [sizes, shape.length], names.map((n, k) => [n, places[k]] as const), 2)}
  var carry: ${type} = ${identity(kind, type)};
  var carried = 0xffffffffu;
`,
    loaded: `${type}(${load(slots[0], x.dtype, `ox + j * p(${places[0] + 1}u)`)})`,
    store: `b${slots[1]}[oo + j * p(${places[1] + 1}u)] = ${
      word(out.dtype, out.dtype.kind === "bool" ? "(rv != 0)" : "rv")
    };
${indices ? `    b${slots[2]}[oi + j * p(${places[2] + 1}u)] = ri;` : ""}`,
    head: `${prelude(buffers)}${ROUNDING}${combine(kind, type)}`,
  });
  const dispatch = (mode: string, code: () => string, groups: [number, number, number]): void =>
    gpu.dispatch(
      `scan ${mode} ${kind} ${x.dtype.name} ${out.dtype.name} ${shape.length} ${slots.join("")} ${views.length} ` +
        `${gpu.subgroups}`,
      code,
      operands.blocks,
      operands.parameters,
      groups,
    );
  if (serial) {
    const code = (): string => {
      const { head, start, loaded, store } = text();
      return `${head}${MAIN_1D}${start}  for (var j = 0u; j < p(1u); j++) {
    combine(carry, carried, ${loaded}, j);
    carry = rv; carried = ri;
    ${store}
  }
}`;
    };
    return dispatch("serial", code, groups1d(lines));
  }
  const all = lineGroups(lines * parts);
  if (parts === 1) return dispatch("whole", () => partKernel(gpu, text(), "whole"), all);
  dispatch("totals", () => partKernel(gpu, text(), "totals"), all);
  dispatch("prefix", () => prefixKernel(text()), groups1d(lines));
  dispatch("run", () => partKernel(gpu, text(), "run"), all);
  for (const block of totals) gpu.free(block);
};

/** Positions of the extreme value along `dim`, the first on ties, NaN first. */
export const argReduce: KernelOf<Gpu, "argReduce"> = (gpu, kind, x, dim, indices, values) => {
  checkDtype(`arg${kind}`, x.dtype);
  const rank = x.shape.length;
  const others = x.shape.map((_, d) => d).filter((d) => d !== dim);
  const shape = others.map((d) => x.shape[d]);
  const lines = numelOf(shape);
  if (lines === 0) return;
  const operands = new Operands([lines, rank === 0 ? 1 : x.shape[dim], MINUS_INFINITY]);
  const sizes = operands.push(...shape);
  const place = (t: Strided) =>
    operands.push(t.offset, ...(t.shape.length === shape.length ? t.strides : others.map((d) => t.strides[d])));
  const px = operands.push(x.offset, x.strides[dim] ?? 0, ...others.map((d) => x.strides[d]));
  const outs = [indices, ...(values ? [values] : [])];
  const places = outs.map(place);
  const slots = [x, ...outs].map((t) => operands.slot(t));
  const type = wgslType(x.dtype) === "f32" ? "f32" : "i32";
  const better = kind === "max" ? "b > a" : "b < a";
  const wins = type === "f32" ? `(is_nan(b) && !is_nan(a)) || (!is_nan(a) && ${better})` : better;
  const names = ["o0", "o1"].slice(0, outs.length);
  // Short lines, and lines across memory where they are many, are a thread's work each: neighbours then read neighbours.
  const length = x.shape[dim] ?? 1, step = x.strides[dim] ?? 0;
  const serial = length <= SHORT || step !== 1 && lines >= SERIAL_LINES && length <= SERIAL_LENGTH;
  const code = (): string => {
    const element = (j: string): string => `${type}(${load(slots[0], x.dtype, `ox + ${j} * p(${px + 1}u)`)})`;
    const start = `  var ox = p(${px}u);
${names.map((n, k) => `  var ${n} = p(${places[k]}u);`).join("\n")}
${offsets("i", [sizes, shape.length], names.map((n, k) => [n, places[k]] as const))}
${shape.map((_, d) => `  ox += c_i_${d} * p(${px + 2 + d}u);`).join("\n")}
  var v: ${type}; var at = 0xffffffffu;
`;
    const value = values && word(values.dtype, wgslType(values.dtype) === "bool" ? "(v != 0)" : "v");
    const store = `  b${slots[1]}[o0] = at;\n${value === null ? "" : `  b${slots[2]}[o1] = ${value};\n`}`;
    const head = `${prelude(operands.blocks.length)}${ROUNDING}
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn wins(a: ${type}, ia: u32, b: ${type}, ib: u32) -> bool {
  if (ib == 0xffffffffu) { return false; }
  if (ia == 0xffffffffu) { return true; }
  if (${wins}) { return true; }
  let same = a == b${type === "f32" ? " || (is_nan(a) && is_nan(b))" : ""};
  return same && ib < ia;
};
`;
    if (serial) {
      return `${head}${MAIN_1D}${start}  for (var j = 0u; j < p(1u); j++) {
    let e = ${element("j")};
    if (wins(v, at, e, j)) { v = e; at = j; }
  }
${store}}`;
    }
    const four = [0, 1, 2, 3].map((k) =>
      `    { let i = min(j + ${k * WORKGROUP}u, p(1u) - 1u);
    let e = ${element("i")};
    if (wins(v, at, e, i)) { v = e; at = i; } }
`
    );
    return `${head}var<workgroup> sv: array<${type}, ${WORKGROUP}>;
var<workgroup> si: array<u32, ${WORKGROUP}>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
${start}  // Four to a trip, since trips are few.
  for (var j = local; j < p(1u); j += ${4 * WORKGROUP}u) {
${four.join("")}  }
  sv[local] = v; si[local] = at;
  for (var s = ${WORKGROUP / 2}u; s > 0u; s /= 2u) {
    workgroupBarrier();
    if (local < s && wins(sv[local], si[local], sv[local + s], si[local + s])) {
      sv[local] = sv[local + s]; si[local] = si[local + s];
    }
  }
  if (local != 0u) { return; }
  v = sv[0]; at = si[0];
${store}}`;
  };
  gpu.dispatch(
    `arg${kind} ${x.dtype.name} ${shape.length} ${slots.join("")} ${outs.length} ${values?.dtype.name} ${serial}`,
    code,
    operands.blocks,
    operands.parameters,
    serial ? groups1d(lines) : lineGroups(lines),
  );
};
