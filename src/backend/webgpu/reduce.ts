/**
 * Reductions of scalar expressions on the GPU.
 *
 * Long lines are a workgroup's work each, short ones a thread's; very long ones are split over several workgroups whose
 * results a second kernel combines. Lines without gaps are read four words at a time.
 *
 * @module
 */

import type { Program } from "../../expr/program.ts";
import { wgslElement } from "../../expr/wgsl.ts";
import type { Combine, Strided } from "../backend.ts";
import { type Gpu, groups1d, lineGroups, MAIN_1D, MAX_GROUPS, MAX_TRIPS, prelude, WORKGROUP } from "./gpu.ts";
import { BF16, checkDtype, collapse, offsets, Operands, stridesIn, valueOf, wgslType, word } from "./operands.ts";
import { pushScalars, scalarAccess } from "./pointwise.ts";

/** The value that a combination starts from; parameter 3 holds infinity. */
function identity(combine: Combine, type: string): string {
  if (type === "bool") return combine === "any" ? "false" : "true";
  if (combine === "sum") return type === "f32" ? "0.0" : "0";
  if (combine === "prod") return type === "f32" ? "1.0" : "1";
  if (type === "i32") return combine === "max" ? "(-2147483647 - 1)" : "2147483647";
  return combine === "max" ? "-bitcast<f32>(p(3u))" : "bitcast<f32>(p(3u))";
}

function combined(combine: Combine, type: string, a: string, b: string): string {
  switch (combine) {
    case "sum":
      return `${a} + ${b}`;
    case "prod":
      return `${a} * ${b}`;
    case "any":
      return `${a} || ${b}`;
    case "all":
      return `${a} && ${b}`;
    case "max":
    case "min":
      return type === "f32" ? `nan_${combine}(${a}, ${b})` : `${combine}(${a}, ${b})`;
  }
}

const NAN_MINMAX = `fn nan_bits(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn nan_max(a: f32, b: f32) -> f32 { if (nan_bits(a)) { return a; } if (nan_bits(b)) { return b; } return max(a, b); }
fn nan_min(a: f32, b: f32) -> f32 { if (nan_bits(a)) { return a; } if (nan_bits(b)) { return b; } return min(a, b); }
`;

const INFINITY = 0x7f800000;
/** Reductions of at least this many elements with few results are split over several workgroups. */
const SPLIT_FROM = 1 << 15;
/** The fewest elements that one workgroup then takes, and about how many workgroups there are. */
const SPLIT = 1 << 13;
const PARTS = 1024;

/** The type that values of an output are combined in: truth for `any` and `all`, numbers otherwise. */
function combineType(combine: Combine, x: Strided): "f32" | "i32" | "bool" {
  if (combine === "any" || combine === "all") return "bool";
  const type = wgslType(x.dtype);
  return type === "bool" ? "i32" : type;
}

/** A value as the type it is combined in, and back. */
function convert(text: string, from: string, to: string): string {
  if (from === to) return text;
  if (to === "bool") return `(${text} != ${from === "f32" ? "0.0" : "0"})`;
  return `${to}(${text})`;
}

/** Whether lines are read as vectors: each operand has its elements side by side, or one for the line; all aligned. */
function inVectors(
  program: Program,
  inputs: readonly Strided[],
  outer: readonly (readonly number[])[],
  inner: { shape: number[]; strides: number[][] },
  outputs: readonly Strided[],
): boolean {
  if (inner.shape.length !== 1 || inner.shape[0] % 4 !== 0 || program.outputs.length > 2) return false;
  let any = false;
  for (let k = 0; k < inputs.length; k++) {
    const step = inner.strides[k][0], x = inputs[k];
    if (step === 0) continue;
    if (step !== 1 || x.offset % 4 !== 0 || outer[k].some((s) => s % 4 !== 0)) return false;
    // A buffer is bound once, as one type, and results are single words.
    if (outputs.some((out) => out.storage.block.address === x.storage.block.address)) return false;
    any = true;
  }
  return any;
}

/** Into how many parts each line is split. */
function splitOf(lines: number, length: number, threads: number): number {
  const needed = Math.ceil(length / (MAX_TRIPS * threads));
  if (length < SPLIT_FROM || lines >= 64) return Math.max(1, needed);
  return Math.max(needed, Math.min(Math.ceil(length / SPLIT), Math.ceil(PARTS / lines)));
}

/** Evaluates a program at every element of `shape` and combines the values over `reduced`. */
export function reduce(
  gpu: Gpu,
  program: Program,
  combine: Combine,
  shape: readonly number[],
  reduced: readonly number[],
  inputs: readonly Strided[],
  scalars: readonly (number | bigint)[],
  outputs: readonly Strided[],
): void {
  for (const x of [...inputs, ...outputs]) checkDtype("reduce", x.dtype);
  const kept = shape.map((_, d) => d).filter((d) => !reduced.includes(d));
  const keptShape = kept.map((d) => shape[d]), reducedShape = reduced.map((d) => shape[d]);
  const lines = keptShape.reduce((a, b) => a * b, 1), length = reducedShape.reduce((a, b) => a * b, 1);
  if (lines === 0) return;
  const strides = inputs.map((x) => stridesIn(x, shape));
  const outer = collapse(keptShape, [...strides.map((s) => kept.map((d) => s[d])), ...outputs.map((x) => x.strides)]);
  const inner = collapse(reducedShape, strides.map((s) => reduced.map((d) => s[d])));
  // Short lines are one thread's work each; long ones a workgroup's, which software runs best when it is small.
  const wide = length >= 64 && !(gpu.software && lines >= 512);
  const threads = gpu.software ? 16 : WORKGROUP;
  const chunks = splitOf(lines, length, wide ? threads : 1);
  const vectors = inVectors(program, inputs, outer.strides, inner, chunks > 1 ? [] : outputs);
  const unit = vectors ? 4 : 1;
  const reads = inputs.map((_, k) => vectors && inner.strides[k][0] === 1);
  const partial = chunks > 1 ? outputs.map(() => gpu.alloc(lines * chunks * 4)) : [];

  // Where lines are read as vectors, lengths and such operands' offsets and strides count vectors.
  const operands = new Operands([lines * chunks, length / unit, chunks, INFINITY]);
  const outerSizes = operands.push(...outer.shape);
  const innerSizes = operands.push(...inner.shape.map((s) => s / unit));
  const places = inputs.map((x, k) => {
    const by = reads[k] ? 4 : 1;
    return operands.push(x.offset / by, ...outer.strides[k].map((s) => s / by), ...inner.strides[k]);
  });
  const outPlaces = outputs.map((x, k) => operands.push(x.offset, ...outer.strides[inputs.length + k]));
  const first = pushScalars(operands, program, scalars);
  const slots = inputs.map((x) => operands.slot(x));
  const outSlots = chunks > 1
    ? partial.map((block) => operands.blocks.push(block) - 1)
    : outputs.map((x) => operands.slot(x));
  const [no, ni] = [outer.shape.length, inner.shape.length];
  const types = outputs.map((x) => combineType(combine, x));
  const key = `reduce ${program.id} ${combine} ${no} ${ni} ${wide} ${threads} ${
    chunks > 1
  } ${slots.join()} ${outSlots.join()} ${reads.map(Number).join("")}`;
  gpu.dispatch(
    key,
    () => {
      const bound = operands.blocks.map((_, s) => slots.some((slot, k) => slot === s && reads[k]));
      const lanes = vectors ? ["x", "y", "z", "w"] : [""];
      const elementAt = (lane: string) =>
        wgslElement(program, {
          input: (i, dtype) => valueOf(dtype, reads[i] ? `x${i}.${lane}` : `x${i}`),
          ...scalarAccess(first),
          index: "0",
        });
      const element = elementAt(lanes[0]);
      const loads = inputs.map((_, k) => {
        const single = bound[slots[k]] && !reads[k];
        return `  let x${k} = b${slots[k]}[${single ? `o${k} >> 2u][o${k} & 3u` : `o${k}`}];`;
      }).join("\n");
      const names = inputs.map((_, k) => [`o${k}`, places[k]] as const);
      const outNames = chunks > 1 ? [] : outputs.map((_, k) => [`out${k}`, outPlaces[k]] as const);
      const values = outputs.map((x, k) => convert(element.results[k], wgslType(x.dtype), types[k]));
      const start = wide ? "local" : "0u", by = wide ? `${threads}u` : "1u";
      const store = outputs.map((x, k) => {
        const value = chunks > 1
          ? types[k] === "bool" ? `select(0u, 1u, acc${k})` : `bitcast<u32>(acc${k})`
          : word(x.dtype, convert(`acc${k}`, types[k], wgslType(x.dtype)));
        return `  b${outSlots[k]}[${chunks > 1 ? "line * p(2u) + chunk" : `out${k}`}] = ${value};`;
      }).join("\n");
      const opening = wide
        ? `${types.map((t, k) => `var<workgroup> shared${k}: array<${t}, ${threads}>;`).join("\n")}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
`
        : MAIN_1D;
      const tree = !wide ? "" : `${types.map((_, k) => `  shared${k}[local] = acc${k};`).join("\n")}
  for (var s = ${threads / 2}u; s > 0u; s /= 2u) {
    workgroupBarrier();
    if (local < s) {
${
        types.map((t, k) =>
          `      shared${k}[local] = ${combined(combine, t, `shared${k}[local]`, `shared${k}[local + s]`)};`
        ).join("\n")
      }
    }
  }
  if (local != 0u) { return; }
${types.map((_, k) => `  acc${k} = shared${k}[0];`).join("\n")}
`;
      const body = lanes.map((lane) =>
        `  {\n${elementAt(lane).statements}\n${
          types.map((t, k) => `  acc${k}${lane} = ${combined(combine, t, `acc${k}${lane}`, values[k])};`).join("\n")
        }\n  }`
      ).join("\n");
      const together = !vectors ? "" : types.map((t, k) => {
        const [x, y, z, w] = lanes.map((lane) => `acc${k}${lane}`);
        const pair = (a: string, b: string) => `(${combined(combine, t, a, b)})`;
        return `  var acc${k} = ${pair(pair(x, y), pair(z, w))};`;
      }).join("\n");
      return `${prelude(operands.blocks.length, bound)}${BF16}${NAN_MINMAX}${element.helpers}${opening}
  let line = i / p(2u);
  let chunk = i % p(2u);
  let per = (p(1u) + p(2u) - 1u) / p(2u);
  let stop = min(p(1u), (chunk + 1u) * per);
${[...names, ...outNames].map(([n, at]) => `  var base_${n} = p(${at}u);`).join("\n")}
${no > 0 ? offsets("line", [outerSizes, no], [...names, ...outNames].map(([n, at]) => [`base_${n}`, at] as const)) : ""}
${outNames.map(([n]) => `  let ${n} = base_${n};`).join("\n")}
${lanes.flatMap((lane) => types.map((t, k) => `  var acc${k}${lane}: ${t} = ${identity(combine, t)};`)).join("\n")}
  for (var j = chunk * per + ${start}; j < stop; j += ${by}) {
${names.map(([n]) => `  var ${n} = base_${n};`).join("\n")}
${ni > 0 ? offsets("j", [innerSizes, ni], names, 1 + no) : ""}${loads}
${body}
  }
${together}
${tree}${store}
}`;
    },
    operands.blocks,
    operands.parameters,
    wide ? lineGroups(lines * chunks) : groups1d(lines * chunks),
  );
  if (chunks > 1) {
    outputs.forEach((x, k) => finish(gpu, combine, types[k], partial[k], lines, chunks, outer, inputs.length + k, x));
    for (const block of partial) gpu.free(block);
  }
}

/** Combines the chunks' values of each line. */
function finish(
  gpu: Gpu,
  combine: Combine,
  type: "f32" | "i32" | "bool",
  partial: ReturnType<Gpu["alloc"]>,
  lines: number,
  chunks: number,
  outer: { shape: number[]; strides: number[][] },
  which: number,
  x: Strided,
): void {
  const operands = new Operands([lines, chunks, 0, INFINITY]);
  const sizes = operands.push(...outer.shape);
  const at = operands.push(x.offset, ...outer.strides[which]);
  operands.blocks.push(partial);
  const slot = operands.slot(x);
  const rank = outer.shape.length;
  const value = "b0[i * p(1u) + j]";
  const loaded = type === "bool" ? `(${value} != 0u)` : `bitcast<${type}>(${value})`;
  gpu.dispatch(
    `reduceFinish ${combine} ${type} ${x.dtype.name} ${rank}`,
    () =>
      `${prelude(2)}${BF16}${NAN_MINMAX}${MAIN_1D}
  var o = p(${at}u);
${rank > 0 ? offsets("i", [sizes, rank], [["o", at]]) : ""}
  var acc: ${type} = ${identity(combine, type)};
  for (var j = 0u; j < p(1u); j++) { acc = ${combined(combine, type, "acc", loaded)}; }
  b${slot}[o] = ${word(x.dtype, convert("acc", type, wgslType(x.dtype)))};
}`,
    operands.blocks,
    operands.parameters,
    groups1d(lines),
  );
}
