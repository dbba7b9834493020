/**
 * Reductions of scalar expressions on the GPU.
 *
 * Along memory, long lines are a workgroup's work each and short ones a thread's; across memory (a sum over rows, say) a
 * thread takes a line, or four neighbours, so that threads side by side read side by side. Lines that are too long or too few
 * are split, and a second kernel combines the parts. Where elements lie next to each other, four are read at a time.
 *
 * @module
 */

import { DTypeError } from "../../../base/errors.ts";
import type { Program } from "../../../expr/program.ts";
import { wgslElement } from "../../../expr/wgsl.ts";
import type { Combine, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { collapse, stridesIn } from "../../layout.ts";
import type { Gpu } from "../device/gpu.ts";
import { groups1d, lineGroups, MAIN_1D, MAX_GROUPS, prelude, WORKGROUP } from "../text/kernel_text.ts";
import { checkDtype, offsets, Operands, ROUNDING, valueOf, wgslType, word } from "../text/operands.ts";
import { pushScalars, scalarAccess } from "../text/scalars.ts";
import { combination, type Combined } from "../text/subgroups.ts";

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
/** Threads that keep a GPU busy; the fewest elements that a thread of a split line takes. */
const BUSY = 1 << 16;
const SHARE = 16;
/** Lines, or vectors of them, that a workgroup across memory has side by side at most. */
const TILE = 32;
/** Parts of a line from which on several threads combine them. */
const MANY_PARTS = 16;
/** Elements that one thread adds up at most, so that the rounding of a float32 sum stays small. */
const RUN = 8192;
/** Lines shorter than this are a thread's work. */
const SHORT = 64;

/** The type that values of an output are combined in: truth for `any` and `all`, numbers otherwise. */
function combineType(combine: Combine, x: Strided): "f32" | "i32" | "bool" {
  if (combine === "any" || combine === "all") return "bool";
  const type = wgslType(x.dtype);
  if (type === "u32") throw new DTypeError(`${combine}(): no reduction gives ${x.dtype} on WebGPU`);
  return type === "bool" ? "i32" : type;
}

/** A value as the type it is combined in, and back. */
function convert(text: string, from: string, to: string): string {
  if (from === to) return text;
  if (to === "bool") return `(${text} != ${from === "f32" ? "0.0" : "0"})`;
  return `${to}(${text})`;
}

/** Kept or reduced dimensions, merged: sizes, and the strides of every operand. */
interface Dims {
  readonly shape: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/**
 * Which inputs are read as vectors along the last dimension of `near`: those whose elements lie side by side there. Others
 * must repeat one. `null` where that cannot be.
 */
function vectorReads(
  program: Program,
  inputs: readonly Strided[],
  near: Dims,
  far: Dims,
  outputs: readonly Strided[],
): boolean[] | null {
  const last = near.shape.length - 1;
  if (last < 0 || near.shape[last] % 4 !== 0 || program.outputs.length > 2) return null;
  const reads: boolean[] = [];
  for (let k = 0; k < inputs.length; k++) {
    const step = near.strides[k][last], x = inputs[k];
    reads.push(step === 1);
    if (step === 0) continue;
    const steps = [x.offset, ...near.strides[k].slice(0, last), ...far.strides[k]];
    if (step !== 1 || steps.some((s) => s % 4 !== 0)) return null;
    // A buffer is bound once, as one type, and results are single words.
    if (outputs.some((out) => out.storage.block.address === x.storage.block.address)) return null;
  }
  return reads.includes(true) ? reads : null;
}

/** Whether the dimension in which an input's elements are nearest is a reduced one. */
function alongMemory(count: number, outer: Dims, inner: Dims): boolean {
  for (let k = 0; k < count; k++) {
    const near = (list: readonly number[]): number => Math.min(...list.filter((s) => s !== 0).map(Math.abs), Infinity);
    const kept = near(outer.strides[k]), reduced = near(inner.strides[k]);
    if (kept !== reduced) return reduced < kept;
  }
  return true;
}

/** How a reduction is spread. */
interface Plan {
  /** Whether a thread takes neighbouring lines, or as many as a vector has. */
  readonly across: boolean;
  /** Which inputs are read as vectors; `null` if none. */
  readonly reads: readonly boolean[] | null;
  /** Threads per line of a workgroup; across memory, where they are several, `WORKGROUP / threads` lines have one. */
  readonly threads: number;
  /** Into how many parts each line is split. */
  readonly chunks: number;
}

function planOf(
  program: Program,
  inputs: readonly Strided[],
  outer: Dims,
  inner: Dims,
  outputs: readonly Strided[],
): Plan {
  const lines = outer.shape.reduce((a, b) => a * b, 1), length = inner.shape.reduce((a, b) => a * b, 1);
  const across = lines > 1 && !alongMemory(inputs.length, outer, inner);
  if (across) {
    const reads = vectorReads(program, inputs, outer, inner, outputs);
    const own = lines / (reads ? 4 : 1);
    let threads = 1;
    while (threads < WORKGROUP && WORKGROUP / threads > Math.min(TILE, own)) threads *= 2;
    const wanted = Math.min(Math.ceil(BUSY / (own * threads)), Math.ceil(length / (SHARE * threads)));
    return { across, reads, threads, chunks: Math.max(1, wanted, Math.ceil(length / (RUN * threads))) };
  }
  // Short lines are one thread's work each; long ones a workgroup's.
  const wide = length >= SHORT;
  let threads = wide ? 32 : 1;
  while (wide && threads < WORKGROUP && threads * 8 < length) threads *= 2;
  const needed = Math.max(1, Math.ceil(length / (RUN * threads)));
  const few = length >= SPLIT_FROM && lines < 64;
  const chunks = few ? Math.max(needed, Math.min(Math.ceil(length / SPLIT), Math.ceil(PARTS / lines))) : needed;
  return { across, reads: vectorReads(program, inputs, inner, outer, chunks > 1 ? [] : outputs), threads, chunks };
}

/** Evaluates a program at every element of `shape` and combines the values over `reduced`. */
export const reduce: KernelOf<Gpu, "reduce"> = (gpu, program, combine, shape, reduced, inputs, scalars, outputs) => {
  for (const x of [...inputs, ...outputs]) checkDtype("reduce", x.dtype);
  const kept = shape.map((_, d) => d).filter((d) => !reduced.includes(d));
  const keptShape = kept.map((d) => shape[d]), reducedShape = reduced.map((d) => shape[d]);
  const lines = keptShape.reduce((a, b) => a * b, 1), length = reducedShape.reduce((a, b) => a * b, 1);
  if (lines === 0) return;
  const strides = inputs.map((x) => stridesIn(x, shape));
  const outer = collapse(keptShape, [...strides.map((s) => kept.map((d) => s[d])), ...outputs.map((x) => x.strides)]);
  const inner = collapse(reducedShape, strides.map((s) => reduced.map((d) => s[d])));
  const plan = planOf(program, inputs, outer, inner, outputs);
  const { across, reads, threads, chunks } = plan;
  const chunked = chunks > 1, unit = reads ? 4 : 1;
  const partial = chunked ? outputs.map(() => gpu.alloc(lines * chunks * 4)) : [];

  // What is read as vectors is counted in them: the last size of the dimensions that they lie along, offsets and strides.
  const own = across ? lines / unit : lines;
  const tiles = Math.ceil(own * threads / WORKGROUP);
  const groups = across && threads > 1 ? tiles * chunks : own * chunks;
  const operands = new Operands([groups, across ? length : length / unit, chunks, INFINITY, own, lines, tiles]);
  const counted = (sizes: readonly number[], vectors: boolean): number[] =>
    sizes.map((s, d) => vectors && d === sizes.length - 1 ? s / unit : s);
  const outerSizes = operands.push(...counted(outer.shape, across));
  const innerSizes = operands.push(...counted(inner.shape, !across));
  const places = inputs.map((x, k) => {
    const by = reads?.[k] ? 4 : 1;
    const scaled = (steps: readonly number[], vectors: boolean): number[] =>
      steps.map((s, d) => vectors && d === steps.length - 1 ? s : s / by);
    return operands.push(x.offset / by, ...scaled(outer.strides[k], across), ...scaled(inner.strides[k], !across));
  });
  const outPlaces = outputs.map((x, k) => {
    const steps = outer.strides[inputs.length + k], last = steps.length - 1;
    return operands.push(x.offset, ...steps.map((s, d) => across && d === last ? s * unit : s), steps[last] ?? 0);
  });
  const first = pushScalars(operands, program, scalars);
  const slots = inputs.map((x) => operands.slot(x));
  const outSlots = chunked
    ? partial.map((block) => operands.blocks.push(block) - 1)
    : outputs.map((x) => operands.slot(x));
  const types = outputs.map((x) => combineType(combine, x));
  const [outerDims, innerDims] = [outer.shape.length, inner.shape.length];
  const layout = `${across ? "across" : "along"} ${reads?.map(Number).join("") ?? ""}`;
  const key = `reduce ${program.id} ${combine} ${outerDims} ${innerDims} ${threads} ${chunked} ${gpu.subgroups} ` +
    `${slots.join()} ${outSlots.join()} ${layout}`;
  const text: Text = {
    ...{ program, combine, types, threads, chunked, across, slots, outSlots, places, outPlaces, first },
    ...{ outerSizes, innerSizes, outerDims, innerDims },
    vectors: reads !== null,
    reads: reads ?? inputs.map(() => false),
    buffers: operands.blocks.length,
  };
  const grid = threads === 1 ? groups1d(groups) : lineGroups(groups);
  gpu.dispatch(key, () => reduceCode(gpu, text), operands.blocks, operands.parameters, grid);
  if (!chunked) return;
  outputs.forEach((x, k) => finish(gpu, combine, types[k], partial[k], lines, chunks, outer, inputs.length + k, x));
  for (const block of partial) gpu.free(block);
};

/** What the text of a reduction depends on. */
interface Text {
  readonly program: Program;
  readonly combine: Combine;
  /** In which type each output is combined. */
  readonly types: readonly ("f32" | "i32" | "bool")[];
  /** Threads per line of a workgroup; 1 where a thread takes whole lines, or parts. */
  readonly threads: number;
  /** Whether lines are split, their parts' values going to buffers of their own. */
  readonly chunked: boolean;
  /** Whether neighbouring threads take neighbouring lines. */
  readonly across: boolean;
  /** Whether elements are read as vectors (of a line, or of four lines across memory), and which inputs then are. */
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

/** The subgroup functions that combine as `combine` does; of floats' extremes there is none, since NaN must win. */
function builtinOf(combine: Combine, type: string): Combined["builtin"] {
  switch (combine) {
    case "sum":
      return "subgroupAdd";
    case "prod":
      return "subgroupMul";
    case "any":
      return "subgroupAny";
    case "all":
      return "subgroupAll";
    case "max":
      return type === "f32" ? undefined : "subgroupMax";
    case "min":
      return type === "f32" ? undefined : "subgroupMin";
  }
}

/** Statements that store the value `acc` of output `k` of a line: the result, or a part of it. */
function storeOf(
  { program, types, chunked, outPlaces, outSlots, outerDims }: Text,
  k: number,
  lane: number,
  acc: string,
) {
  const type = types[k], { dtype } = program.outputs[k];
  if (!chunked) {
    const at = lane === 0 ? "" : ` + ${lane}u * p(${outPlaces[k] + 1 + outerDims}u)`;
    return `  b${outSlots[k]}[base_out${k}${at}] = ${word(dtype, convert(acc, type, wgslType(dtype)))};\n`;
  }
  const bits = type === "bool" ? `select(0u, 1u, ${acc})` : `bitcast<u32>(${acc})`;
  return `  b${outSlots[k]}[chunk * p(5u) + line${lane === 0 ? "" : ` + ${lane}u`}] = ${bits};\n`;
}

/** Combines the values of the threads of a tile that have the same line, in the first of them. */
function tileOf(
  { combine, types, threads }: Pick<Text, "combine" | "types" | "threads">,
  lanes: readonly string[],
): { declarations: string; code: string } {
  const width = WORKGROUP / threads;
  const each = (line: (name: string, type: string) => string): string =>
    lanes.flatMap((lane) => types.map((type, k) => line(`${k}${lane}`, type))).join("");
  return {
    declarations: each((name, type) => `var<workgroup> shared${name}: array<${type}, ${WORKGROUP}>;\n`),
    code: `${each((name) => `  shared${name}[local] = acc${name};\n`)}  for (var s = ${threads / 2}u; s > 0u; s /= 2u) {
    workgroupBarrier();
    if (own < s) {
${
      each((name, type) => {
        const at = (place: string): string => `shared${name}[${place}]`;
        return `      ${at("local")} = ${combined(combine, type, at("local"), at(`local + s * ${width}u`))};\n`;
      })
    }    }
  }
  if (own != 0u || !inside) { return; }
${each((name) => `  acc${name} = shared${name}[local];\n`)}`,
  };
}

/** What follows the loop: the threads' and lanes' values combined, where they are of one line, and stored. */
function endOf(
  gpu: Gpu,
  text: Text,
  lanes: readonly string[],
): { declarations: string; builtins: string; code: string } {
  const { combine, types, across, threads } = text;
  if (across) {
    const line = lanes.length > 1 ? "  line *= 4u;\n" : "";
    const stores = lanes.map((lane, l) => types.map((_, k) => storeOf(text, k, l, `acc${k}${lane}`)).join(""));
    const tile = threads > 1 ? tileOf(text, lanes) : { declarations: "", code: "" };
    return { ...tile, builtins: "", code: tile.code + line + stores.join("") };
  }
  const together = lanes.length === 1 ? "" : types.map((type, k) => {
    const [x, y, z, w] = lanes.map((lane) => `acc${k}${lane}`);
    const pair = (a: string, b: string) => `(${combined(combine, type, a, b)})`;
    return `  var acc${k} = ${pair(pair(x, y), pair(z, w))};\n`;
  }).join("");
  const { declarations, builtins, statements } = combination(
    gpu,
    threads,
    "shared",
    types.map((type, k) => ({
      name: `acc${k}`,
      type,
      of: (a, b) => combined(combine, type, a, b),
      builtin: builtinOf(combine, type),
    })),
  );
  const stores = types.map((_, k) => storeOf(text, k, 0, `acc${k}`)).join("");
  const leader = threads === 1 ? "" : "  if (local != 0u) { return; }\n";
  return { declarations, builtins, code: together + statements + leader + stores };
}

/** The kernel: `line` is the number of the line (across memory: of the vector of lines), `chunk` its part's. */
function reduceCode(gpu: Gpu, text: Text): string {
  const { combine, types, threads, chunked, across, vectors, places, outPlaces } = text;
  const bound = Array.from(
    { length: text.buffers },
    (_, s) => text.slots.some((slot, k) => slot === s && text.reads[k]),
  );
  const lanes = vectors ? ["x", "y", "z", "w"] : [""];
  const { helpers, body } = bodyOf(text, bound, lanes);
  const names = places.map((at, k) => [`o${k}`, at] as const);
  const outNames = chunked ? [] : outPlaces.map((at, k) => [`out${k}`, at] as const);
  const bases = [...names, ...outNames].map(([n, at]) => [`base_${n}`, at] as const);
  const end = endOf(gpu, text, lanes);
  const opening = threads === 1 ? MAIN_1D : `@compute @workgroup_size(${across ? WORKGROUP : threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32${end.builtins}) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
`;
  const width = WORKGROUP / threads;
  let place = `  var line = ${across ? "i % p(4u)" : "i / p(2u)"};
  let chunk = ${across ? "i / p(4u)" : "i % p(2u)"};
`;
  if (across && threads > 1) {
    place = `  let inside = (i % p(6u)) * ${width}u + local % ${width}u < p(4u);
  var line = min((i % p(6u)) * ${width}u + local % ${width}u, p(4u) - 1u);
  let own = local / ${width}u;
  let chunk = i / p(6u);
`;
  }
  const start = threads === 1 ? "0u" : across ? "own" : "local";
  return `${prelude(text.buffers, bound)}${ROUNDING}${NAN_MINMAX}${helpers}${end.declarations}${opening}
${place}  let per = (p(1u) + p(2u) - 1u) / p(2u);
  let stop = min(p(1u), (chunk + 1u) * per);
${bases.map(([n, at]) => `  var ${n} = p(${at}u);\n`).join("")}
${text.outerDims > 0 ? offsets("line", [text.outerSizes, text.outerDims], bases) : ""}
${
    lanes.flatMap((lane) => types.map((type, k) => `  var acc${k}${lane}: ${type} = ${identity(combine, type)};\n`))
      .join("")
  }
  for (var j = chunk * per + ${start}; j < stop; j += ${threads}u) {
${names.map(([n]) => `  var ${n} = base_${n};\n`).join("")}
${text.innerDims > 0 ? offsets("j", [text.innerSizes, text.innerDims], names, 1 + text.outerDims) : ""}${body}  }
${end.code}}`;
}

/** Combines the chunks' values of each line: a thread does, or a tile's threads where there are many. */
function finish(
  gpu: Gpu,
  combine: Combine,
  type: "f32" | "i32" | "bool",
  partial: ReturnType<Gpu["alloc"]>,
  lines: number,
  chunks: number,
  outer: Dims,
  which: number,
  x: Strided,
): void {
  const tiled = chunks >= MANY_PARTS;
  const threads = tiled ? WORKGROUP / TILE : 1, groups = Math.ceil(lines / TILE);
  const operands = new Operands([tiled ? groups : lines, chunks, lines, INFINITY]);
  const sizes = operands.push(...outer.shape);
  const at = operands.push(x.offset, ...outer.strides[which]);
  operands.blocks.push(partial);
  const slot = operands.slot(x);
  const rank = outer.shape.length;
  const value = "b0[j * p(2u) + line]";
  const loaded = type === "bool" ? `(${value} != 0u)` : `bitcast<${type}>(${value})`;
  const tile = tileOf({ combine, types: [type], threads }, [""]);
  gpu.dispatch(
    `reduceFinish ${combine} ${type} ${x.dtype.name} ${rank} ${tiled}`,
    () => {
      const opening = tiled
        ? `${tile.declarations}@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let i = group.y * ${MAX_GROUPS}u + group.x;
  if (i >= p(0u)) { return; }
  let inside = i * ${TILE}u + local % ${TILE}u < p(2u);
  let line = min(i * ${TILE}u + local % ${TILE}u, p(2u) - 1u);
  let own = local / ${TILE}u;
`
        : `${MAIN_1D}  let line = i;\n  let own = 0u;\n`;
      return `${prelude(2)}${ROUNDING}${NAN_MINMAX}${opening}
  var acc0: ${type} = ${identity(combine, type)};
  for (var j = own; j < p(1u); j += ${threads}u) { acc0 = ${combined(combine, type, "acc0", loaded)}; }
${tiled ? tile.code : ""}  var o = p(${at}u);
${rank > 0 ? offsets("line", [sizes, rank], [["o", at]]) : ""}
  b${slot}[o] = ${word(x.dtype, convert("acc0", type, wgslType(x.dtype)))};
}`;
    },
    operands.blocks,
    operands.parameters,
    tiled ? lineGroups(groups) : groups1d(lines),
  );
}
