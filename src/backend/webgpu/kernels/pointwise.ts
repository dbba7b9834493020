/**
 * Maps of scalar expressions on the GPU: a kernel is printed per program and layout.
 *
 * Dimensions are merged where every operand steps through them as one. A thread evaluates four neighbours of the last
 * dimension where the outputs have them next to each other: operands without gaps are then read and written as
 * `vec4<u32>`, which software adapters do in half the time and GPUs no slower. Anything else takes a thread per element.
 * On hardware, operands that are transposed against the output go through tiles (`transposed.ts`).
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import type { Program } from "../../../expr/program.ts";
import { wgslElement } from "../../../expr/wgsl.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { collapse, stridesIn } from "../../layout.ts";
import { endDoubt } from "../device/checks.ts";
import type { Gpu, GpuBlock } from "../device/gpu.ts";
import { groups1d, MAIN_1D, prelude } from "../text/kernel_text.ts";
import { checkDtype, load, offsets, Operands, ROUNDING, valueOf, word } from "../text/operands.ts";
import { pushScalars, scalarAccess, scalarWords } from "../text/scalars.ts";
import { tiledPointwise } from "./transposed.ts";

/** How an operand of the vector kernel is read: as vectors, as one element for all four, or as four with a step. */
const enum Read {
  Vector,
  Single,
  Stepped,
}

/** The layout of a call, after merging. */
interface Layout {
  readonly shape: readonly number[];
  /** Strides of the inputs, then of the outputs. */
  readonly strides: readonly (readonly number[])[];
}

/** Longer element functions are evaluated in a loop instead of four times in a row, which takes long to compile. */
const UNROLLED = 6000;

/** Evaluates a program at every element of `shape`. */
export const pointwise: KernelOf<Gpu, "pointwise"> = (gpu, program, shape, inputs, scalars, outputs) => {
  if (gpu.checks.any) endDoubt(outputs, inputs);
  if (flat(gpu, program, inputs, scalars, outputs)) return;
  const all = [...inputs, ...outputs];
  for (const x of all) checkDtype("pointwise", x.dtype);
  const layout = collapse(shape, all.map((x) => stridesIn(x, shape)));
  const count = layout.shape.reduce((a, b) => a * b, 1);
  if (count === 0) return;
  // What is transposed against the output goes through tiles.
  if (tiledPointwise(gpu, program, layout.shape, layout.strides, all, scalars)) return;
  const operands = new Operands();
  const slots = all.map((x) => operands.slot(x));
  const reads = vectorReads(layout, all, slots, inputs.length);
  if (reads === null) scalarKernel(gpu, program, layout, count, all, operands, slots, scalars);
  else vectorKernel(gpu, program, layout, count, all, operands, slots, reads, scalars);
};

/** What tells an operand of the quick way apart: its slot (up to 9), kind of buffer, and read; nine make an exact number. */
const VARIANTS = 40;
const flatWords: number[] = [];
const flatBlocks: GpuBlock[] = [];
const flatSlots: number[] = [];

/**
 * The quick way to the vector kernel for what most calls are: dense operands of one size and single elements. Does
 * nothing and gives false where a call is anything else.
 */
function flat(
  gpu: Gpu,
  program: Program,
  inputs: readonly Strided[],
  scalars: readonly (number | bigint)[],
  outputs: readonly Strided[],
): boolean {
  const total = inputs.length + outputs.length;
  if (total > 9) return false;
  const { shape } = outputs[0];
  let count = 1;
  for (let d = 0; d < shape.length; d++) count *= shape[d];
  if (count === 0) return false;
  flatBlocks.length = 0;
  const ragged = count % 4 !== 0;
  let variant = ragged ? 1 : 0;
  for (let k = 0; k < total; k++) {
    const x = k < inputs.length ? inputs[k] : outputs[k - inputs.length];
    if (!x.dense) return false;
    let size = 1;
    for (let d = 0; d < x.shape.length; d++) size *= x.shape[d];
    const vector = size === count && (x.offset & 3) === 0;
    if (!vector && (size !== 1 || k >= inputs.length)) return false;
    const block = x.storage.block as GpuBlock;
    let slot = 0;
    while (slot < flatBlocks.length && flatBlocks[slot].address !== block.address) slot++;
    if (slot === flatBlocks.length) flatBlocks.push(block);
    flatSlots[k] = slot;
    variant = variant * VARIANTS + slot * 4 + (block.half ? 2 : 0) + (vector ? 0 : 1);
  }
  let kernels = gpu.programs[program.id];
  if (kernels === undefined) gpu.programs[program.id] = kernels = new Map();
  const words = flatWords;
  words.length = 0;
  words.push(Math.ceil(count / 4), count);
  for (let k = 0; k < total; k++) {
    const x = k < inputs.length ? inputs[k] : outputs[k - inputs.length];
    const vector = (variant / VARIANTS ** (total - 1 - k) & 1) === 0;
    words.push(vector ? x.offset / 4 : x.offset);
  }
  const first = words.length;
  for (let i = 0; i < program.scalars.length; i++) scalarWords(program, scalars, i, words);
  let kernel = kernels.get(variant);
  if (kernel === undefined) {
    for (const x of [...inputs, ...outputs]) checkDtype("pointwise", x.dtype);
    const slots = flatSlots.slice(0, total);
    const reads = slots.map((_, k) => (variant / VARIANTS ** (total - 1 - k) & 1) === 0 ? Read.Vector : Read.Single);
    const vectors = flatBlocks.map((_, s) => slots.some((slot, k) => slot === s && reads[k] === Read.Vector));
    kernel = gpu.kernel(
      `pointwise ${program.id} flat ${slots.join()} ${reads.join("")} ${ragged}`,
      flatBlocks,
      () =>
        vectorCode({
          program,
          slots,
          reads,
          vectors,
          first,
          rank: 0,
          sizes: 0,
          places: slots.map((_, k) => 2 + k),
          ragged,
        }),
    );
    kernels.set(variant, kernel);
  }
  const [x, y, z] = groups1d(words[0]);
  gpu.run(kernel, flatBlocks, words, words.length, x, y, z);
  return true;
}

/** How the vector kernel reads each operand, or `null` if it cannot serve the call. */
function vectorReads(
  { shape, strides }: Layout,
  all: readonly Strided[],
  slots: readonly number[],
  inputs: number,
): Read[] | null {
  const rank = shape.length, last = rank - 1;
  // The last vector of a line may be cut short only if there is one line.
  if (rank === 0 || (rank > 1 && shape[last] % 4 !== 0)) return null;
  const reads: Read[] = [];
  for (let k = 0; k < all.length; k++) {
    const s = strides[k];
    const aligned = s[last] === 1 && all[k].offset % 4 === 0 && s.every((step, d) => d === last || step % 4 === 0);
    if (!aligned && k >= inputs) return null;
    reads.push(aligned ? Read.Vector : s[last] === 0 ? Read.Single : Read.Stepped);
  }
  // A buffer is bound once: as vectors wherever one operand in it is read so, and then no other may step through it.
  const conflict = slots.some((slot, k) =>
    reads[k] === Read.Stepped && slots.some((other, j) => other === slot && reads[j] === Read.Vector)
  );
  return conflict ? null : reads;
}

function vectorKernel(
  gpu: Gpu,
  program: Program,
  { shape, strides }: Layout,
  count: number,
  all: readonly Strided[],
  operands: Operands,
  slots: readonly number[],
  reads: readonly Read[],
  scalars: readonly (number | bigint)[],
): void {
  const last = shape.length - 1, ragged = shape[last] % 4 !== 0;
  const threads = count / shape[last] * Math.ceil(shape[last] / 4);
  operands.push(threads, count);
  // In vectors: the last dimension's size, and strides and offsets of operands read as vectors.
  const sizes = operands.push(...shape.slice(0, last), Math.ceil(shape[last] / 4));
  const places = all.map((x, k) => {
    const unit = reads[k] === Read.Vector ? 4 : 1;
    const outer = strides[k].slice(0, last).map((s) => s / unit);
    return operands.push(
      x.offset / unit,
      ...outer,
      reads[k] === Read.Stepped ? 4 * strides[k][last] : strides[k][last],
    );
  });
  const first = pushScalars(operands, program, scalars);
  const vectors = operands.blocks.map((_, s) => slots.some((slot, k) => slot === s && reads[k] === Read.Vector));
  gpu.dispatch(
    `pointwise ${program.id} vec ${shape.length} ${slots.join()} ${reads.join("")} ${ragged}`,
    () => vectorCode({ program, slots, reads, vectors, first, rank: shape.length, sizes, places, ragged }),
    operands.blocks,
    operands.parameters,
    groups1d(threads),
  );
}

/** What the text of a vector kernel depends on. */
interface VectorText {
  readonly program: Program;
  /** Slot and read of each operand. */
  readonly slots: readonly number[];
  readonly reads: readonly Read[];
  /** Which slots are bound as vectors. */
  readonly vectors: readonly boolean[];
  /** Parameters: the first scalar, the first size, each operand's offset; with rank 0, operands have no strides. */
  readonly first: number;
  readonly rank: number;
  readonly sizes: number;
  readonly places: readonly number[];
  /** Whether the last vector is cut short. */
  readonly ragged: boolean;
}

function vectorCode({ program, slots, reads, vectors, first, rank, sizes, places, ragged }: VectorText): string {
  const inputs = program.inputs.length;
  const names = slots.map((_, k) => [`o${k}`, places[k]] as const);
  const single = (k: number, at: string): string =>
    vectors[slots[k]] ? `b${slots[k]}[(${at}) >> 2u][(${at}) & 3u]` : `b${slots[k]}[${at}]`;
  let loads = "";
  program.inputs.forEach((_, k) => {
    if (reads[k] === Read.Vector) loads += `  let x${k} = b${slots[k]}[o${k}];\n`;
    else if (reads[k] === Read.Single) loads += `  let x${k} = ${single(k, `o${k}`)};\n`;
    else {
      // `min` keeps the cut-short end of a line inside the operand.
      const step = `p(${places[k] + rank}u) / 4u`;
      const terms = [0, 1, 2, 3].map((c) => `b${slots[k]}[o${k} + min(${c}u, spare) * (${step})]`);
      loads += `  let x${k} = vec4<u32>(${terms.join(", ")});\n`;
    }
  });
  const bits = (k: number, c: string): string => reads[k] === Read.Single ? `x${k}` : `x${k}${c}`;
  const element = (c: string, index: string) =>
    wgslElement(program, {
      input: (k, dtype) => valueOf(dtype, bits(k, c)),
      ...scalarAccess(first),
      index,
    });
  const body = element("[c]", "i32(4u * i + c)");
  const results = program.outputs.map(({ dtype }, k) => (c: string) =>
    `    r${k}${c} = ${word(dtype, body.results[k])};`
  );
  let steps: string;
  if (body.helpers.length + 4 * body.statements.length > UNROLLED) {
    steps = `  for (var c = 0u; c < 4u; c++) {\n${body.statements}\n${results.map((r) => r("[c]")).join("\n")}\n  }\n`;
  } else {
    steps = [..."xyzw"].map((c, at) =>
      `  {\n${element(`.${c}`, `i32(4u * i + ${at}u)`).statements}\n${results.map((r) => r(`.${c}`)).join("\n")}\n  }\n`
    ).join("");
  }
  const whole: string[] = [], parts: string[] = [];
  program.outputs.forEach((_, k) => {
    const target = `b${slots[inputs + k]}[o${inputs + k}]`;
    whole.push(`  ${target} = r${k};`);
    for (const [at, c] of [..."xyz"].entries()) parts.push(`  if (spare >= ${at}u) { ${target}.${c} = r${k}.${c}; }`);
  });
  const stores = ragged
    ? `  if (spare == 3u) {\n${whole.join("\n")}\n  } else {\n${parts.join("\n")}\n  }`
    : whole.join("\n");
  return `${prelude(vectors.length, vectors)}${ROUNDING}${body.helpers}${MAIN_1D}
  let spare = ${ragged ? "min(p(1u) - 4u * i - 1u, 3u)" : "3u"};
${names.map(([n, at]) => `  var ${n} = p(${at}u);`).join("\n")}
${
    rank > 0
      ? offsets("i", [sizes, rank], names)
      : names.filter((_, k) => reads[k] === Read.Vector).map(([n]) => `  ${n} += i;\n`).join("")
  }${loads}${program.outputs.map((_, k) => `  var r${k}: vec4<u32>;\n`).join("")}${steps}${stores}
}`;
}

function scalarKernel(
  gpu: Gpu,
  program: Program,
  { shape, strides }: Layout,
  count: number,
  all: readonly Strided[],
  operands: Operands,
  slots: readonly number[],
  scalars: readonly (number | bigint)[],
): void {
  const rank = shape.length;
  operands.push(count);
  const sizes = operands.push(...shape);
  const places = all.map((x, k) => operands.push(x.offset, ...strides[k]));
  const first = pushScalars(operands, program, scalars);
  gpu.dispatch(
    `pointwise ${program.id} ${rank} ${slots.join()}`,
    () => {
      const element = wgslElement(program, {
        input: (k: number, dtype: DType) => load(slots[k], dtype, `o${k}`),
        ...scalarAccess(first),
        index: "i32(i)",
      });
      const names = all.map((_, k) => [`o${k}`, places[k]] as const);
      const stores = program.outputs.map(({ dtype }, k) => {
        const at = program.inputs.length + k;
        return `  b${slots[at]}[o${at}] = ${word(dtype, element.results[k])};`;
      });
      return `${prelude(operands.blocks.length)}${ROUNDING}${element.helpers}${MAIN_1D}
${names.map(([n, at]) => `  var ${n} = p(${at}u);`).join("\n")}
${rank > 0 ? offsets("i", [sizes, rank], names) : ""}${element.statements}
${stores.join("\n")}
}`;
    },
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
}
