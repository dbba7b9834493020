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
import { collapse, stridesIn } from "../layout.ts";
import { type Gpu, groups1d, lineGroups, MAIN_1D, MAX_GROUPS, prelude, WORKGROUP } from "./gpu.ts";
import { BF16, checkDtype, offsets, Operands, valueOf, wgslType, word } from "./operands.ts";
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

/** Elements that one thread adds up at most, so that the rounding of a float32 sum stays small. */
const RUN = 8192;

/** Into how many parts each line is split. */
function splitOf(lines: number, length: number, threads: number): number {
  const needed = Math.ceil(length / (RUN * threads));
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
  const threads = wide ? gpu.software ? 16 : WORKGROUP : 1;
  const chunks = splitOf(lines, length, threads), chunked = chunks > 1;
  const vectors = inVectors(program, inputs, outer.strides, inner, chunked ? [] : outputs);
  const unit = vectors ? 4 : 1;
  const reads = inputs.map((_, k) => vectors && inner.strides[k][0] === 1);
  const partial = chunked ? outputs.map(() => gpu.alloc(lines * chunks * 4)) : [];

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
  const outSlots = chunked
    ? partial.map((block) => operands.blocks.push(block) - 1)
    : outputs.map((x) => operands.slot(x));
  const types = outputs.map((x) => combineType(combine, x));
  const [outerDims, innerDims] = [outer.shape.length, inner.shape.length];
  const key = `reduce ${program.id} ${combine} ${outerDims} ${innerDims} ${threads} ${chunked} ${slots.join()} ` +
    `${outSlots.join()} ${reads.map(Number).join("")}`;
  const text: Text = {
    ...{ program, combine, types, threads, chunked, vectors, reads, slots, outSlots, places, outPlaces, first },
    ...{ outerSizes, innerSizes, outerDims, innerDims },
    buffers: operands.blocks.length,
  };
  const grid = wide ? lineGroups(lines * chunks) : groups1d(lines * chunks);
  gpu.dispatch(key, () => reduceCode(text), operands.blocks, operands.parameters, grid);
  if (!chunked) return;
  outputs.forEach((x, k) => finish(gpu, combine, types[k], partial[k], lines, chunks, outer, inputs.length + k, x));
  for (const block of partial) gpu.free(block);
}

/** What the text of a reduction depends on. */
interface Text {
  readonly program: Program;
  readonly combine: Combine;
  /** In which type each output is combined. */
  readonly types: readonly ("f32" | "i32" | "bool")[];
  /** Threads per line; 1 where a thread takes whole lines. */
  readonly threads: number;
  /** Whether lines are split, their parts' values going to buffers of their own. */
  readonly chunked: boolean;
  /** Whether lines are read as vectors, and which inputs then are. */
  readonly vectors: boolean;
  readonly reads: readonly boolean[];
  readonly slots: readonly number[];
  readonly outSlots: readonly number[];
  /** Parameters: operands' offsets, the first scalar, sizes. */
  readonly places: readonly number[];
  readonly outPlaces: readonly number[];
  readonly first: number;
  readonly outerSizes: number;
  readonly innerSizes: number;
  readonly outerDims: number;
  readonly innerDims: number;
  readonly buffers: number;
}

/** The loop's body: loads the inputs at `o0`, … and combines the element's value (of each lane of vectors) with the sums. */
function bodyOf(text: Text, bound: readonly boolean[], lanes: readonly string[]): { helpers: string; body: string } {
  const { program, combine, types, reads, slots, first } = text;
  const loads = slots.map((slot, k) => {
    const single = bound[slot] && !reads[k];
    return `  let x${k} = b${slot}[${single ? `o${k} >> 2u][o${k} & 3u` : `o${k}`}];\n`;
  }).join("");
  const elements = lanes.map((lane) =>
    wgslElement(program, {
      input: (i, dtype) => valueOf(dtype, reads[i] ? `x${i}.${lane}` : `x${i}`),
      ...scalarAccess(first),
      index: "0",
    })
  );
  const steps = elements.map(({ statements, results }, l) => {
    const sums = types.map((type, k) => {
      const acc = `acc${k}${lanes[l]}`, value = convert(results[k], wgslType(program.outputs[k].dtype), type);
      return `  ${acc} = ${combined(combine, type, acc, value)};\n`;
    });
    return `  {\n${statements}\n${sums.join("")}  }\n`;
  });
  return { helpers: elements[0].helpers, body: loads + steps.join("") };
}

/** Combines the sums of a workgroup's threads into those of the first, with which the others end. */
function treeOf({ combine, types, threads }: Text): string {
  if (threads === 1) return "";
  const each = (line: (type: string, k: number) => string) => types.map(line).join("");
  return `${each((_, k) => `  shared${k}[local] = acc${k};\n`)}  for (var s = ${threads / 2}u; s > 0u; s /= 2u) {
    workgroupBarrier();
    if (local < s) {
${
    each((type, k) =>
      `      shared${k}[local] = ${combined(combine, type, `shared${k}[local]`, `shared${k}[local + s]`)};\n`
    )
  }    }
  }
  if (local != 0u) { return; }
${each((_, k) => `  acc${k} = shared${k}[0];\n`)}`;
}

/** The kernel: `line` is the line's number, `chunk` its part's. */
function reduceCode(text: Text): string {
  const { program, combine, types, threads, chunked, vectors, places, outPlaces, outSlots } = text;
  const bound = Array.from(
    { length: text.buffers },
    (_, s) => text.slots.some((slot, k) => slot === s && text.reads[k]),
  );
  const lanes = vectors ? ["x", "y", "z", "w"] : [""];
  const { helpers, body } = bodyOf(text, bound, lanes);
  const names = places.map((at, k) => [`o${k}`, at] as const);
  const outNames = chunked ? [] : outPlaces.map((at, k) => [`out${k}`, at] as const);
  const bases = [...names, ...outNames].map(([n, at]) => [`base_${n}`, at] as const);
  const together = !vectors ? "" : types.map((type, k) => {
    const [x, y, z, w] = lanes.map((lane) => `acc${k}${lane}`);
    const pair = (a: string, b: string) => `(${combined(combine, type, a, b)})`;
    return `  var acc${k} = ${pair(pair(x, y), pair(z, w))};\n`;
  }).join("");
  const store = types.map((type, k) => {
    const { dtype } = program.outputs[k];
    if (!chunked) {
      return `  b${outSlots[k]}[base_out${k}] = ${word(dtype, convert(`acc${k}`, type, wgslType(dtype)))};\n`;
    }
    const bits = type === "bool" ? `select(0u, 1u, acc${k})` : `bitcast<u32>(acc${k})`;
    return `  b${outSlots[k]}[line * p(2u) + chunk] = ${bits};\n`;
  }).join("");
  const opening = threads === 1
    ? MAIN_1D
    : `${
      types.map((type, k) => `var<workgroup> shared${k}: array<${type}, ${threads}>;\n`).join("")
    }@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
`;
  return `${prelude(text.buffers, bound)}${BF16}${NAN_MINMAX}${helpers}${opening}
  let line = i / p(2u);
  let chunk = i % p(2u);
  let per = (p(1u) + p(2u) - 1u) / p(2u);
  let stop = min(p(1u), (chunk + 1u) * per);
${bases.map(([n, at]) => `  var ${n} = p(${at}u);\n`).join("")}
${text.outerDims > 0 ? offsets("line", [text.outerSizes, text.outerDims], bases) : ""}
${
    lanes.flatMap((lane) => types.map((type, k) => `  var acc${k}${lane}: ${type} = ${identity(combine, type)};\n`))
      .join("")
  }
  for (var j = chunk * per + ${threads === 1 ? "0u" : "local"}; j < stop; j += ${threads}u) {
${names.map(([n]) => `  var ${n} = base_${n};\n`).join("")}
${text.innerDims > 0 ? offsets("j", [text.innerSizes, text.innerDims], names, 1 + text.outerDims) : ""}${body}  }
${together}${treeOf(text)}${store}}`;
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
