/**
 * The CUDA printer of reductions: the same element function as a pointwise kernel, its values combined.
 *
 * Parameters are those of `cuda.ts`, the dimensions ordered kept ones first: `numel` counts the results, `reduced` the
 * elements of each, `kept` the kept dimensions. Outputs' strides count over the kept dimensions. With a vector of several
 * elements, inputs are read so many at a time along the last dimension (`NAME_columns`: the last kept one): there they have a
 * step of one vector, or of 0, and the size and `reduced` (`NAME_columns`: `numel`) count vectors. Ways to spread the work:
 *
 * - `NAME_block`: a block per result and share, for long reductions along memory; block size a power of two, at most 512;
 * - `NAME_warp`: a warp per result, for shorter ones;
 * - `NAME_thread`: a thread per result and share, for the shortest, and for any strides;
 * - `NAME_columns`: across memory, blocks of 32 results or vectors side by side by 8 parts of a share.
 *
 * There are `gridDim.y = splits` shares of the reduced elements. With one, results are written at once; with several,
 * partial results go to `workspace` (8 bytes each, `[output][split][result]`), and `NAME_finish`, a thread per result, or
 * `NAME_gather`, a warp, combines them. Sums are therefore taken in a tree of lanes, threads and shares, and are the same in
 * every run.
 *
 * @module
 */

import type { Combine } from "../backend/backend.ts";
import type { DType } from "../base/dtype.ts";
import { C_TYPE, operandSlot, printElement, sizeSlot, storageType, store } from "./cuda.ts";
import { nodesOf } from "./graph.ts";
import { isFloat, type Kind, kindOf } from "./kind.ts";
import type { Program } from "./program.ts";

/** Threads that a block of `NAME_block` has at most, and those of the other kernels. */
export const CUDA_REDUCE_THREADS = 512;
/** Threads of a block of `NAME_warp`, `NAME_columns` and `NAME_gather`. */
export const CUDA_TEAM_THREADS = 256;
/** Results, or vectors of them, that a block of `NAME_columns` has side by side. */
export const CUDA_COLUMNS = 32;

/** `a` and `b` combined. */
export function combined(combine: Combine, kind: Kind, a: string, b: string): string {
  switch (combine) {
    case "sum":
      return kind === "i64" ? `(i64)((u64)${a} + (u64)${b})` : `${a} + ${b}`;
    case "prod":
      return kind === "i64" ? `(i64)((u64)${a} * (u64)${b})` : `${a} * ${b}`;
    case "max":
      return isFloat(kind) ? `(${a} > ${b} || ${a} != ${a} ? ${a} : ${b})` : `(${a} > ${b} ? ${a} : ${b})`;
    case "min":
      return isFloat(kind) ? `(${a} < ${b} || ${a} != ${a} ? ${a} : ${b})` : `(${a} < ${b} ? ${a} : ${b})`;
    case "any":
      return `(${C_TYPE[kind]})(${a} != 0 || ${b} != 0)`;
    case "all":
      return `(${C_TYPE[kind]})(${a} != 0 && ${b} != 0)`;
  }
}

/** What combines with every value to that value. */
export function neutral(combine: Combine, kind: Kind): string {
  const type = C_TYPE[kind];
  switch (combine) {
    case "sum":
    case "any":
      return `(${type})0`;
    case "prod":
    case "all":
      return `(${type})1`;
    case "max":
      return isFloat(kind) ? `-crInf<${type}>()` : kind === "bool" ? "false" : "(i64)0x8000000000000000ull";
    case "min":
      return isFloat(kind) ? `crInf<${type}>()` : kind === "bool" ? "true" : "(i64)0x7fffffffffffffffull";
  }
}

/** How a reduction's inputs are read. */
export interface CudaReadout {
  /** Elements read at a time. */
  readonly vector: number;
  /** The type of index arithmetic. */
  readonly index: "u32" | "u64";
}

/** The entry points of a reduction. */
export type CudaReduction = "block" | "warp" | "thread" | "columns" | "finish" | "gather";

const ALL: readonly CudaReduction[] = ["block", "warp", "thread", "columns", "finish", "gather"];
/** Nodes above which an expression is long: it is then evaluated for fewer elements at once. */
const LONG = 48;
/** Bytes of registers that a thread of `NAME_columns` may keep sums in. */
const SUMS = 128;

/** How many elements of its inputs a reduction reads at a time where they lie side by side. */
export function cudaReduceVector(program: Program): number {
  const sizes = program.inputs.map((dtype) => dtype.itemsize);
  if (sizes.length === 0) return 1;
  const sums = program.outputs.reduce((bytes, { dtype }) => bytes + (kindOf(dtype) === "f32" ? 4 : 8), 0);
  const long = nodesOf(program.outputs.map(({ expr }) => expr)).length > LONG;
  let vector = Math.min(8, 16 / Math.min(...sizes), 64 / Math.max(...sizes));
  while (vector > 1 && vector * sums > SUMS / (long ? 2 : 1)) vector /= 2;
  return vector;
}

/** What the parts of a reduction's text are made of. */
interface Parts {
  readonly program: Program;
  readonly combine: Combine;
  readonly kinds: readonly Kind[];
  readonly readout: CudaReadout;
  /** A line per output. */
  readonly each: (line: (k: number, type: string, kind: Kind) => string) => string;
}

/**
 * Prints the kernels of a reduction, see the module's text.
 *
 * @param program what to compute of each element; outputs are combined in the kinds of their dtypes
 * @param name prefix of the entry points
 * @param readout how inputs are read
 * @param entries which kernels
 */
export function printCudaReduce(
  program: Program,
  combine: Combine,
  name: string,
  readout: CudaReadout = { vector: 1, index: "u64" },
  entries: readonly CudaReduction[] = ALL,
): string {
  const kinds = program.outputs.map((o) => kindOf(o.dtype));
  const each: Parts["each"] = (line) => kinds.map((kind, k) => line(k, C_TYPE[kind], kind)).join("\n");
  const parts: Parts = { program, combine, kinds, readout, each };
  const kernels: Readonly<Record<CudaReduction, () => string>> = {
    block: () => blockKernel(parts, name),
    warp: () => warpKernel(parts, name),
    thread: () => threadKernel(parts, name),
    columns: () => columnsKernel(parts, name),
    finish: () => finishKernel(parts, name),
    gather: () => gatherKernel(parts, name),
  };
  const n = readout.vector;
  const types = `typedef ${readout.index} index_t;
template <typename T> struct alignas(sizeof(T) * ${n} < 16 ? sizeof(T) * ${n} : 16) Vector { T e[${n}]; };
`;
  const along = entries.some((e) => e === "block" || e === "warp" || e === "thread");
  const text = [types, combineText(parts), emitText(parts), along ? accumulateText(parts) : ""];
  return printElement(program, false) + text.join("") + entries.map((entry) => kernels[entry]()).join("");
}

/** `NAME(a, b)` for each output, and a value of another lane. */
function combineText({ combine, each }: Parts): string {
  const inline = "__device__ __forceinline__";
  return each((k, type, kind) => {
    const exchanged = kind === "bool" ? "(int)a" : "a";
    return `${inline} ${type} join${k}(${type} a, ${type} b) { return ${combined(combine, kind, "a", "b")}; }
${inline} ${type} warp${k}(${type} a) {
#pragma unroll
  for (int s = 16; s > 0; s /= 2) a = join${k}(a, (${type})__shfl_xor_sync(0xffffffffu, ${exchanged}, s));
  return a;
}`;
  }) + "\n";
}

function start({ combine, each }: Parts, suffix = ""): string {
  return each((k, type, kind) => `  ${type} a${k}${suffix} = ${neutral(combine, kind)};`);
}

/** The pointers of the inputs, and whether each is read as a vector along the dimension `last`. */
function pointers({ program, readout }: Parts, last: string): string {
  return program.inputs.map((dtype, i) => {
    const type = storageType(dtype);
    const flag = readout.vector > 1 ? `  const bool near${i} = p.slots[${operandSlot(i) + 1} + ${last}] != 0;\n` : "";
    return `  const ${type} *const in${i} = (const ${type} *)p.slots[${operandSlot(i)}];\n${flag}`;
  }).join("");
}

/** Statements that load the inputs at `o0`, `o1`, … . */
function loads({ program, readout }: Parts): string {
  const { vector } = readout;
  return program.inputs.map((dtype, i) => {
    const type = storageType(dtype);
    if (vector === 1) return `    const ${type} v${i} = in${i}[o${i}];\n`;
    return `    Vector<${type}> v${i};
    if (near${i}) v${i} = *(const Vector<${type}> *)(in${i} + o${i});
    else {
#pragma unroll
      for (int e = 0; e < ${vector}; e++) v${i}.e[e] = in${i}[o${i}];
    }
`;
  }).join("");
}

/** The call of the element function into `x0`, `x1`, … . */
function call({ program, kinds, readout }: Parts, index: string, at: string): string {
  const inputs = program.inputs.map((_, i) => `, v${i}${readout.vector > 1 ? ".e[e]" : ""}`).join("");
  return `element(p, (i64)(${index})${inputs}${kinds.map((_, k) => `, x${k}${at}`).join("")});`;
}

/** Statements that add the position `rest` in dimensions `first` (left out of the division) to `last` to every offset. */
function walk(
  inputs: readonly DType[],
  first: string,
  last: string,
  to: (i: number) => string,
  indent: string,
): string {
  const step = (at: string, d: string) =>
    inputs.map((_, i) => `${indent}  ${to(i)} += (i64)${at} * p.slots[${operandSlot(i) + 1} + ${d}];`).join("\n");
  return `${indent}for (int d = ${last} - 1; d > ${first}; d--) {
${indent}  const index_t size = (index_t)${sizeSlot("d")}, at = rest % size;
${indent}  rest /= size;
${step("at", "d")}
${indent}}
${indent}if (${last} > ${first}) {
${step("rest", first)}
${indent}}`;
}

/** `accumulate(p, o, split, first, step, sums…)`: the share `split` of result `o`, every `step`-th access from `first`. */
function accumulateText(parts: Parts): string {
  const { program, kinds, readout, each } = parts;
  const { vector } = readout;
  const lanes = vector === 1
    ? `${each((k, type) => `    ${type} x${k};`)}
    ${call(parts, "(i64)o * reduced + r", "")}
${each((k) => `    a${k} = join${k}(a${k}, x${k});`)}`
    : `${each((k, type) => `    ${type} x${k}[${vector}];`)}
#pragma unroll
    for (int e = 0; e < ${vector}; e++) ${call(parts, `((i64)o * reduced + r) * ${vector} + e`, "[e]")}
#pragma unroll
    for (int w = ${vector / 2}; w > 0; w /= 2) {
#pragma unroll
      for (int e = 0; e < w; e++) {
${each((k) => `        x${k}[e] = join${k}(x${k}[e], x${k}[e + w]);`)}
      }
    }
${each((k) => `    a${k} = join${k}(a${k}, x${k}[0]);`)}`;
  return `
__device__ __forceinline__ void accumulate(const Params &p, index_t o, i64 split, index_t first, index_t step${
    kinds.map((kind, k) => `, ${C_TYPE[kind]} &a${k}`).join("")
  }) {
  const int ndim = (int)p.slots[1], kept = (int)p.slots[3];
  const i64 reduced = p.slots[2], share = p.slots[4] == 1 ? reduced : (reduced + p.slots[4] - 1) / p.slots[4];
  const index_t end = (index_t)(reduced < (split + 1) * share ? reduced : (split + 1) * share);
${pointers(parts, "ndim - 1")}${program.inputs.map((_, i) => `  i64 base${i} = 0;`).join("\n")}
  index_t rest = o;
${walk(program.inputs, "0", "kept", (i) => `base${i}`, "  ")}
#pragma unroll 2
  for (index_t r = (index_t)(split * share) + first; r < end; r += step) {
${program.inputs.map((_, i) => `    i64 o${i} = base${i};`).join("\n")}
    rest = r;
${walk(program.inputs, "kept", "ndim", (i) => `o${i}`, "    ")}
${loads(parts)}${lanes}
  }
}
`;
}

/** `finish` writes results, `emit` those or partial ones. */
function emitText({ program, kinds, each }: Parts): string {
  const inputs = program.inputs.length;
  const values = kinds.map((kind, k) => `, ${C_TYPE[kind]} a${k}`).join("");
  return `
/* Writes the final values of result 'o'; the last kept size counts vectors of 'vector' results. */
__device__ __forceinline__ void finish(const Params &p, i64 o, i64 vector${values}) {
${each((k) => `  i64 o${k} = 0;`)}
  i64 rest = o;
  const int kept = (int)p.slots[3];
  for (int d = kept - 1; d > 0; d--) {
    const i64 size = d == kept - 1 ? ${sizeSlot("d")} * vector : ${sizeSlot("d")}, at = rest % size;
    rest /= size;
${each((k) => `    o${k} += at * p.slots[${operandSlot(inputs + k) + 1} + d];`)}
  }
  if (kept > 0) {
${each((k) => `    o${k} += rest * p.slots[${operandSlot(inputs + k) + 1}];`)}
  }
${
    each((k) => {
      const { dtype } = program.outputs[k];
      return `  ((${storageType(dtype)} *)p.slots[${operandSlot(inputs + k)}])[o${k}] = ${store(dtype, `a${k}`)};`;
    })
  }
}
/* Writes a share's values: the results themselves where there is one share. */
__device__ __forceinline__ void emit(const Params &p, i64 o, i64 split, i64 vector${values}) {
  if (p.slots[4] == 1) {
    finish(p, o, vector${kinds.map((_, k) => `, a${k}`).join("")});
    return;
  }
  const i64 results = p.slots[0] * vector;
${
    each((k, type) =>
      `  *(${type} *)((char *)p.slots[5] + 8 * (((i64)${k} * p.slots[4] + split) * results + o)) = a${k};`
    )
  }
}
`;
}

function accumulators({ kinds }: Parts): string {
  return kinds.map((_, k) => `, a${k}`).join("");
}

function blockKernel(parts: Parts, name: string): string {
  const { combine, each } = parts;
  return `
extern "C" __global__ void __launch_bounds__(${CUDA_REDUCE_THREADS}) ${name}_block(const __grid_constant__ Params p) {
${each((k, type) => `  __shared__ ${type} s${k}[32];`)}
  const i64 o = blockIdx.x, split = blockIdx.y;
${start(parts)}
  accumulate(p, (index_t)o, split, threadIdx.x, blockDim.x${accumulators(parts)});
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
${each((k) => `  a${k} = warp${k}(a${k});`)}
  if (lane == 0) {
${each((k) => `    s${k}[warp] = a${k};`)}
  }
  __syncthreads();
  if (warp > 0) return;
  const bool filled = lane < blockDim.x / 32;
${each((k, _type, kind) => `  a${k} = warp${k}(filled ? s${k}[lane] : ${neutral(combine, kind)});`)}
  if (lane == 0) emit(p, o, split, 1${accumulators(parts)});
}
`;
}

function warpKernel(parts: Parts, name: string): string {
  const { each } = parts;
  return `
extern "C" __global__ void __launch_bounds__(${CUDA_TEAM_THREADS}) ${name}_warp(const __grid_constant__ Params p) {
  const i64 o = (i64)blockIdx.x * ${CUDA_TEAM_THREADS / 32} + threadIdx.x / 32;
  if (o >= p.slots[0]) return;
${start(parts)}
  accumulate(p, (index_t)o, 0, threadIdx.x % 32, 32${accumulators(parts)});
${each((k) => `  a${k} = warp${k}(a${k});`)}
  if (threadIdx.x % 32 == 0) emit(p, o, 0, 1${accumulators(parts)});
}
`;
}

function threadKernel(parts: Parts, name: string): string {
  return `
extern "C" __global__ void __launch_bounds__(${CUDA_TEAM_THREADS}) ${name}_thread(const __grid_constant__ Params p) {
  const i64 split = blockIdx.y;
  for (i64 o = (i64)blockIdx.x * blockDim.x + threadIdx.x; o < p.slots[0]; o += (i64)gridDim.x * blockDim.x) {
${start(parts)}
    accumulate(p, (index_t)o, split, 0, 1${accumulators(parts)});
    emit(p, o, split, 1${accumulators(parts)});
  }
}
`;
}

function columnsKernel(parts: Parts, name: string): string {
  const { program, combine, readout, each } = parts;
  const { vector } = readout, height = CUDA_TEAM_THREADS / CUDA_COLUMNS;
  const over = `#pragma unroll\n  for (int e = 0; e < ${vector}; e++)`;
  const at = vector === 1 ? "" : "[e]", e = vector === 1 ? "0" : "e";
  const lanes = vector === 1 ? "" : `#pragma unroll\n    for (int e = 0; e < ${vector}; e++) `;
  return `
extern "C" __global__ void __launch_bounds__(${CUDA_TEAM_THREADS}) ${name}_columns(const __grid_constant__ Params p) {
${each((k, type) => `  __shared__ ${type} s${k}[${height}][${CUDA_COLUMNS * vector}];`)}
  const int ndim = (int)p.slots[1], kept = (int)p.slots[3];
  const int lane = threadIdx.x % ${CUDA_COLUMNS}, row = threadIdx.x / ${CUDA_COLUMNS};
  const i64 column = (i64)blockIdx.x * ${CUDA_COLUMNS} + lane, split = blockIdx.y;
  const bool inside = column < p.slots[0];
  const i64 reduced = p.slots[2], share = (reduced + p.slots[4] - 1) / p.slots[4];
  const index_t end = (index_t)(reduced < (split + 1) * share ? reduced : (split + 1) * share);
${pointers(parts, "kept - 1")}${program.inputs.map((_, i) => `  i64 base${i} = 0;`).join("\n")}
  index_t rest = (index_t)(inside ? column : 0);
${walk(program.inputs, "0", "kept", (i) => `base${i}`, "  ")}
${each((k, type, kind) => `  ${type} a${k}[${vector}];\n  ${over} a${k}[e] = ${neutral(combine, kind)};`)}
#pragma unroll 4
  for (index_t r = (index_t)(split * share) + row; r < end; r += ${height}) {
${program.inputs.map((_, i) => `    i64 o${i} = base${i};`).join("\n")}
    rest = r;
${walk(program.inputs, "kept", "ndim", (i) => `o${i}`, "    ")}
${loads(parts)}${each((k, type) => `    ${type} x${k}${vector === 1 ? "" : `[${vector}]`};`)}
${lanes || "    "}${call(parts, `(column * ${vector} + ${e}) * reduced + r`, at)}
${each((k) => `${lanes || "    "}a${k}[${e}] = join${k}(a${k}[${e}], x${k}${at});`)}
  }
${each((k) => `  ${over} s${k}[row][lane * ${vector} + e] = a${k}[e];`)}
  __syncthreads();
  /* A thread per result now, the parts in their order. */
  const i64 results = p.slots[0] * ${vector};
  for (int c = threadIdx.x; c < ${CUDA_COLUMNS * vector}; c += ${CUDA_TEAM_THREADS}) {
    const i64 o = (i64)blockIdx.x * ${CUDA_COLUMNS * vector} + c;
    if (o >= results) break;
${each((k, type) => `    ${type} b${k} = s${k}[0][c];`)}
    for (int i = 1; i < ${height}; i++) {
${each((k) => `      b${k} = join${k}(b${k}, s${k}[i][c]);`)}
    }
    emit(p, o, split, ${vector}${parts.kinds.map((_, k) => `, b${k}`).join("")});
  }
}
`;
}

/** The partial value of output `k`. */
function partial(k: number, type: string): string {
  return `*(const ${type} *)((const char *)p.slots[5] + 8 * (((i64)${k} * p.slots[4] + split) * p.slots[0] + o))`;
}

function finishKernel(parts: Parts, name: string): string {
  const { each } = parts;
  return `
extern "C" __global__ void ${name}_finish(const __grid_constant__ Params p) {
  for (i64 o = (i64)blockIdx.x * blockDim.x + threadIdx.x; o < p.slots[0]; o += (i64)gridDim.x * blockDim.x) {
${start(parts)}
#pragma unroll 4
    for (i64 split = 0; split < p.slots[4]; split++) {
${each((k, type) => `      a${k} = join${k}(a${k}, ${partial(k, type)});`)}
    }
    finish(p, o, 1${accumulators(parts)});
  }
}
`;
}

function gatherKernel(parts: Parts, name: string): string {
  const { each } = parts;
  return `
extern "C" __global__ void __launch_bounds__(${CUDA_TEAM_THREADS}) ${name}_gather(const __grid_constant__ Params p) {
  const i64 o = (i64)blockIdx.x * ${CUDA_TEAM_THREADS / 32} + threadIdx.x / 32;
  if (o >= p.slots[0]) return;
${start(parts)}
  for (i64 split = threadIdx.x % 32; split < p.slots[4]; split += 32) {
${each((k, type) => `    a${k} = join${k}(a${k}, ${partial(k, type)});`)}
  }
${each((k) => `  a${k} = warp${k}(a${k});`)}
  if (threadIdx.x % 32 == 0) finish(p, o, 1${accumulators(parts)});
}
`;
}
