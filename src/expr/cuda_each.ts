/**
 * The CUDA printer for many small tensors: one launch evaluates a program over several groups of operands.
 *
 * The parameter block is `[groups, workspace, chunks, outputs of a reduction, scalars]`, then per group `[end, numel,
 * addresses]`: the elements of all groups are cut into chunks, a block each, and `end` counts the chunks up to the group's
 * last. An output that is the same view as an input shares its address. Three entry points: `NAME_map` writes each
 * group's outputs; `NAME_partial` combines each chunk's values into `workspace` (8 bytes each, `[output][chunk]`), and
 * `NAME_finish`, a block per group, those of its chunks.
 *
 * @module
 */

import type { Combine } from "../backend/backend.ts";
import { C_TYPE, cudaVector, elementFunction, storageType, store, vectorType } from "./cuda.ts";
import { CUDA_HELPERS, CUDA_TYPES } from "./cuda_prelude.ts";
import { combined, neutral } from "./cuda_reduce.ts";
import { type Kind, kindOf } from "./kind.ts";
import { helpersOf } from "./print.ts";
import type { Program } from "./program.ts";

/** Elements of a chunk; a whole number of vectors. */
export const EACH_CHUNK = 4096;
/** Threads of a block. */
export const EACH_THREADS = 256;
/** Slots of the parameter block: what fits into 4 KiB. */
export const EACH_SLOTS = 512;

const HEADER = 3;

/** How the operands of the groups lie; the same for all. */
export interface EachLayout {
  /** Whether an input is one element, which all of the group's read. */
  readonly single: readonly boolean[];
  /** Which input an output is the same view as; -1: none. */
  readonly shared: readonly number[];
}

/** Where things are in the parameter block. */
export interface EachSlots {
  /** Results of a reduction. */
  readonly outputs: number;
  /** The first scalar. */
  readonly scalars: number;
  /** The first group. */
  readonly groups: number;
  /** Slots of a group. */
  readonly each: number;
  /** The most groups. */
  readonly most: number;
}

/** Where things are in the parameter block of a map, or of a reduction. */
export function eachSlots(program: Program, layout: EachLayout, reduces: boolean): EachSlots {
  const scalars = HEADER + (reduces ? program.outputs.length : 0);
  const groups = scalars + program.scalars.length;
  const own = reduces ? 0 : layout.shared.filter((input) => input < 0).length;
  const each = 2 + program.inputs.length + own;
  return { outputs: HEADER, scalars, groups, each, most: Math.floor((EACH_SLOTS - groups) / each) };
}

function prelude(program: Program, layout: EachLayout, reduces: boolean): string {
  const slots = eachSlots(program, layout, reduces);
  const element = elementFunction(program, !reduces, slots.scalars);
  const stores = reduces ? program.outputs.map(({ dtype }) => store(dtype, "x")).join() : "";
  const types = CUDA_TYPES + helpersOf(element + stores, CUDA_HELPERS) +
    `struct Params { i64 slots[${EACH_SLOTS}]; };\n`;
  return `${types}${vectorType(program)}${element}
/* The first slot of the group that owns a chunk. */
__device__ __forceinline__ int groupOf(const Params &p, i64 chunk) {
  int low = 0, high = (int)p.slots[0] - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (chunk < p.slots[${slots.groups} + middle * ${slots.each}]) high = middle;
    else low = middle + 1;
  }
  return ${slots.groups} + low * ${slots.each};
}
/* The chunks before a group's. */
__device__ __forceinline__ i64 chunksBefore(const Params &p, int group) {
  return group > ${slots.groups} ? p.slots[group - ${slots.each}] : 0;
}
`;
}

/** The loop over a chunk: vectors loaded, `element` called for each of their elements, the rest one by one. */
function loop(
  program: Program,
  layout: EachLayout,
  outputs: (k: number) => string,
  whole: string,
  one: string,
): string {
  const n = cudaVector(program);
  const types = program.inputs.map(storageType);
  const pointers = types.map((type, i) => {
    const written = layout.shared.includes(i) ? "" : "const ";
    return `  ${written}${type} *const a${i} = (${written}${type} *)p.slots[group + ${2 + i}];\n`;
  });
  const singles = types.map((type, i) => layout.single[i] ? `  const ${type} s${i} = a${i}[0];\n` : "");
  const loads = types.map((type, i) =>
    layout.single[i] ? "" : `    const Vector<${type}> v${i} = *(const Vector<${type}> *)(a${i} + at);\n`
  );
  const call = (input: (i: number) => string): string =>
    `element(${["p", "index", ...types.map((_, i) => layout.single[i] ? `s${i}` : input(i))].join(", ")}, ${
      program.outputs.map((_, k) => outputs(k)).join(", ")
    });`;
  return `  const int group = groupOf(p, blockIdx.x);
  const i64 begin = ((i64)blockIdx.x - chunksBefore(p, group)) * ${EACH_CHUNK}, numel = p.slots[group + 1];
  const i64 end = begin + ${EACH_CHUNK} < numel ? begin + ${EACH_CHUNK} : numel;
${pointers.join("")}${singles.join("")}OUTPUT_POINTERS  i64 at = begin + threadIdx.x * ${n};
  for (; at + ${n} <= end; at += ${EACH_THREADS * n}) {
${loads.join("")}OUTPUT_VECTORS#pragma unroll
    for (int k = 0; k < ${n}; k++) {
      const i64 index = at + k;
      ${call((i) => `v${i}.e[k]`)}
${whole}    }
OUTPUT_STORES  }
#pragma unroll 1
  for (i64 index = at; index < end; index++) {
    ${call((i) => `a${i}[index]`)}
${one}  }
`;
}

/** Prints `NAME_map`. */
export function printCudaEach(program: Program, layout: EachLayout, name: string): string {
  const types = program.outputs.map(({ dtype }) => storageType(dtype));
  let own = 2 + program.inputs.length;
  const addresses = layout.shared.map((input) => input >= 0 ? `a${input}` : `(${"TYPE"} *)p.slots[group + ${own++}]`);
  const pointers = types.map((type, k) => `  ${type} *const w${k} = ${addresses[k].replace("TYPE", type)};\n`);
  const text = loop(
    program,
    layout,
    (k) => `x${k}`,
    types.map((_, k) => `      y${k}.e[k] = x${k};\n`).join(""),
    types.map((_, k) => `    w${k}[index] = x${k};\n`).join(""),
  )
    .replace("OUTPUT_POINTERS", pointers.join("") + types.map((type, k) => `  ${type} x${k};\n`).join(""))
    .replace("OUTPUT_VECTORS", types.map((type, k) => `    Vector<${type}> y${k};\n`).join(""))
    .replace("OUTPUT_STORES", types.map((type, k) => `    *(Vector<${type}> *)(w${k} + at) = y${k};\n`).join(""));
  return `${prelude(program, layout, false)}
extern "C" __global__ void __launch_bounds__(${EACH_THREADS}) ${name}_map(const __grid_constant__ Params p) {
${text}}
`;
}

/** Prints `NAME_partial` and `NAME_finish`. */
export function printCudaEachReduce(program: Program, layout: EachLayout, combine: Combine, name: string): string {
  const kinds = program.outputs.map(({ dtype }) => kindOf(dtype));
  const slots = eachSlots(program, layout, true);
  const each = (line: (k: number, type: string, kind: Kind) => string): string =>
    kinds.map((kind, k) => line(k, C_TYPE[kind], kind)).join("");
  const merge = each((k, _type, kind) => `      b${k} = ${combined(combine, kind, `b${k}`, `x${k}`)};\n`);
  const start = each((k, type, kind) => `  ${type} b${k} = ${neutral(combine, kind)}, x${k};\n`);
  const tree = `${each((k) => `  t${k}[threadIdx.x] = b${k};\n`)}  __syncthreads();
  for (u32 width = ${EACH_THREADS / 2}; width > 0; width /= 2) {
    if (threadIdx.x < width) {
${
    each((k, _type, kind) =>
      `      t${k}[threadIdx.x] = ${combined(combine, kind, `t${k}[threadIdx.x]`, `t${k}[threadIdx.x + width]`)};\n`
    )
  }    }
    __syncthreads();
  }
`;
  const shared = each((k, type) => `  __shared__ ${type} t${k}[${EACH_THREADS}];\n`);
  const partial = (k: number, type: string, chunk: string): string =>
    `((${type} *)p.slots[1])[${k} * p.slots[2] + ${chunk}]`;
  const wide = (type: string): string => type === "bool" || type === "float" ? `Wide<${type}>` : type;
  const text = loop(program, layout, (k) => `x${k}`, merge, merge)
    .replace("OUTPUT_POINTERS", start).replace("OUTPUT_VECTORS", "").replace("OUTPUT_STORES", "");
  return `${prelude(program, layout, true)}
template <typename T> struct alignas(8) Wide { T value; };
extern "C" __global__ void __launch_bounds__(${EACH_THREADS}) ${name}_partial(const __grid_constant__ Params p) {
${shared}${text}${tree}  if (threadIdx.x == 0) {
${each((k, type) => `    ${partial(k, wide(type), "blockIdx.x")} = {t${k}[0]};\n`)}  }
}
extern "C" __global__ void __launch_bounds__(${EACH_THREADS}) ${name}_finish(const __grid_constant__ Params p) {
${shared}  const int group = ${slots.groups} + blockIdx.x * ${slots.each};
${start}  for (i64 chunk = chunksBefore(p, group) + threadIdx.x; chunk < p.slots[group]; chunk += ${EACH_THREADS}) {
${
    each((k, type) => `      x${k} = ${partial(k, wide(type), "chunk")}${wide(type) === type ? "" : ".value"};\n`)
  }${merge}  }
${tree}  if (threadIdx.x == 0) {
${
    each((k) => {
      const { dtype } = program.outputs[k];
      return `    ((${storageType(dtype)} *)p.slots[${slots.outputs + k}])[blockIdx.x] = ${
        store(dtype, `t${k}[0]`)
      };\n`;
    })
  }  }
}
`;
}
