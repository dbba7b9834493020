/**
 * Running combinations and extreme positions along a dimension.
 *
 * A workgroup takes one line: blocks of 256 elements are scanned in workgroup memory, and the last value is carried on.
 *
 * @module
 */

import { numelOf } from "../../base/shape.ts";
import { helpersOf } from "../../expr/print.ts";
import { WGSL_HELPERS } from "../../expr/wgsl_prelude.ts";
import type { ScanKind, Strided } from "../backend.ts";
import { type Gpu, groups1d, lineGroups, MAIN_1D, MAX_GROUPS, prelude, WORKGROUP } from "./gpu.ts";
import { BF16, checkDtype, load, offsets, Operands, wgslType, word } from "./operands.ts";

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

/** From how many lines on, and up to which length, one thread scans a line on a software adapter. */
const SERIAL_LINES = 256;
const SERIAL_LENGTH = 8192;
/** Lines up to this long are always scanned by one thread. */
const SHORT = 64;

/** Running combination along `dim`. */
export function scan(gpu: Gpu, kind: ScanKind, x: Strided, dim: number, out: Strided, indices: Strided | null): void {
  for (const t of [x, out]) checkDtype("scan", t.dtype);
  if (numelOf(x.shape) === 0) return;
  const rank = x.shape.length;
  const others = x.shape.map((_, d) => d).filter((d) => d !== dim);
  const shape = others.map((d) => x.shape[d]);
  const lines = numelOf(shape);
  const operands = new Operands([lines, rank === 0 ? 1 : x.shape[dim], MINUS_INFINITY]);
  const sizes = operands.push(...shape);
  const views = [x, out, ...(indices ? [indices] : [])];
  const places = views.map((t) => operands.push(t.offset, t.strides[dim] ?? 0, ...others.map((d) => t.strides[d])));
  const slots = views.map((t) => operands.slot(t));
  const type = wgslType(out.dtype) === "f32" ? "f32" : "i32";
  const names = ["ox", "oo", "oi"].slice(0, views.length);
  // Short lines are a thread's work each; where they are many, a software adapter does longer ones so, too.
  const length = x.shape[dim] ?? 1;
  const serial = length <= SHORT || gpu.software && lines >= SERIAL_LINES && length <= SERIAL_LENGTH;
  const key = `scan ${kind} ${x.dtype.name} ${out.dtype.name} ${shape.length} ${
    slots.join("")
  } ${views.length} ${serial}`;
  const start = `${names.map((n, k) => `  var ${n} = p(${places[k]}u);`).join("\n")}
${offsets("i", [sizes, shape.length], names.map((n, k) => [n, places[k]] as const), 2)}
  var carry: ${type} = ${identity(kind, type)};
  var carried = 0xffffffffu;
`;
  const loaded = `${type}(${load(slots[0], x.dtype, `ox + j * p(${places[0] + 1}u)`)})`;
  const store = `b${slots[1]}[oo + j * p(${places[1] + 1}u)] = ${
    word(out.dtype, out.dtype.kind === "bool" ? "(rv != 0)" : "rv")
  };
${indices ? `    b${slots[2]}[oi + j * p(${places[2] + 1}u)] = ri;` : ""}`;
  const head = `${prelude(operands.blocks.length)}${BF16}${combine(kind, type)}`;
  if (serial) {
    const code = () =>
      `${head}${MAIN_1D}${start}  for (var j = 0u; j < p(1u); j++) {
    combine(carry, carried, ${loaded}, j);
    carry = rv; carried = ri;
    ${store}
  }
}`;
    return gpu.dispatch(key, code, operands.blocks, operands.parameters, groups1d(lines));
  }
  gpu.dispatch(
    key,
    () =>
      `${head}
var<workgroup> sv: array<${type}, ${WORKGROUP}>;
var<workgroup> si: array<u32, ${WORKGROUP}>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
${start}  for (var start = 0u; start < p(1u); start += ${WORKGROUP}u) {
    let j = start + local;
    var v: ${type} = ${identity(kind, type)};
    var at = 0xffffffffu;
    if (j < p(1u)) { v = ${loaded}; at = j; }
    sv[local] = v; si[local] = at;
    workgroupBarrier();
    var nv = v; var ni = at;
${steps(WORKGROUP)}    combine(carry, carried, sv[local], si[local]);
    if (j < p(1u)) {
    ${store}
    }
    let last = min(${WORKGROUP}u, p(1u) - start) - 1u;
    combine(carry, carried, sv[last], si[last]);
    carry = rv; carried = ri;
    workgroupBarrier();
  }
}`,
    operands.blocks,
    operands.parameters,
    lineGroups(lines),
  );
}

/** Positions of the extreme value along `dim`, the first on ties, NaN first. */
export function argReduce(
  gpu: Gpu,
  kind: "max" | "min",
  x: Strided,
  dim: number,
  indices: Strided,
  values: Strided | null,
): void {
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
  const key = `arg${kind} ${x.dtype.name} ${shape.length} ${slots.join("")} ${outs.length} ${values?.dtype.name}`;
  gpu.dispatch(
    key,
    () =>
      `${prelude(operands.blocks.length)}${BF16}
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn wins(a: ${type}, ia: u32, b: ${type}, ib: u32) -> bool {
  if (ib == 0xffffffffu) { return false; }
  if (ia == 0xffffffffu) { return true; }
  if (${wins}) { return true; }
  let same = a == b${type === "f32" ? " || (is_nan(a) && is_nan(b))" : ""};
  return same && ib < ia;
}
var<workgroup> sv: array<${type}, ${WORKGROUP}>;
var<workgroup> si: array<u32, ${WORKGROUP}>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
  var ox = p(${px}u);
${names.map((n, k) => `  var ${n} = p(${places[k]}u);`).join("\n")}
${offsets("i", [sizes, shape.length], names.map((n, k) => [n, places[k]] as const))}
${shape.map((_, d) => `  ox += c_i_${d} * p(${px + 2 + d}u);`).join("\n")}
  var v: ${type}; var at = 0xffffffffu;
  // Four to a trip, since trips are few.
  for (var j = local; j < p(1u); j += ${4 * WORKGROUP}u) {
${
        [0, 1, 2, 3].map((k) =>
          `    { let i = min(j + ${k * WORKGROUP}u, p(1u) - 1u);
    let e = ${type}(${load(slots[0], x.dtype, `ox + i * p(${px + 1}u)`)});
    if (wins(v, at, e, i)) { v = e; at = i; } }
`
        ).join("")
      }  }
  sv[local] = v; si[local] = at;
  for (var s = ${WORKGROUP / 2}u; s > 0u; s /= 2u) {
    workgroupBarrier();
    if (local < s && wins(sv[local], si[local], sv[local + s], si[local + s])) {
      sv[local] = sv[local + s]; si[local] = si[local + s];
    }
  }
  if (local == 0u) {
    b${slots[1]}[o0] = si[0];
${
        values
          ? `    b${slots[2]}[o1] = ${
            word(values.dtype, wgslType(values.dtype) === "bool" ? "(sv[0] != 0)" : "sv[0]")
          };`
          : ""
      }
  }
}`,
    operands.blocks,
    operands.parameters,
    lineGroups(lines),
  );
}
