/**
 * The CUDA printer: a program becomes the source of pointwise kernels.
 *
 * One parameter, a block of 8-byte slots passed by value, carries everything: `[numel, ndim, reduced, kept, splits,
 * workspace, shape × 8]` (the middle four for reductions, see `cuda_reduce.ts`), then per operand (inputs, then outputs)
 * `[address, strides × 8]` in elements, then the scalars (a double, or an integer) and, where
 * random words are read, the address of two words to add to the position and the key of their stream (see
 * `recording.ts`). Four entry points share one element
 * function: `NAME_dense` (every operand in row-major order or, with stride 0, one element; vectorised), `NAME_rows`
 * (vectorised along the last dimension, for broadcasts), `NAME_strided` (any strides, 32-bit index arithmetic) and
 * `NAME_large` (64-bit). The latter two count the element's index from `reduced` on: a part of more dimensions. A fifth,
 * for transposed operands, is printed by `cuda_tiled.ts`.
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import { type CudaColumn, rowOf } from "../base/dtype_table.ts";
import { DTypeError } from "../base/errors.ts";
import { CUDA_HELPERS, CUDA_TYPES } from "./cuda_prelude.ts";
import type { Expr } from "./expr.ts";
import { nodesOf } from "./graph.ts";
import { isFloat, isWhole, type Kind, kindOf } from "./kind.ts";
import { helpersOf, printBody } from "./print.ts";
import type { Program } from "./program.ts";
import { expandPowers } from "./simplify.ts";

/** Dimensions that the parameter block has room for. */
export const CUDA_MAX_DIMS = 8;

/** Slots before the shape. */
const HEADER = 6;

/** Where an operand's slots begin: its address, then its strides. */
export function operandSlot(operand: number): number {
  return HEADER + CUDA_MAX_DIMS + operand * (1 + CUDA_MAX_DIMS);
}

/** The slot of a dimension's size, as C writes it. */
export function sizeSlot(dim: string): string {
  return `p.slots[${HEADER} + ${dim}]`;
}

/** C types of register kinds. */
export const C_TYPE: Readonly<Record<Kind, string>> = {
  f32: "float",
  f64: "double",
  i64: "i64",
  u64: "u64",
  bool: "bool",
};

/** The table's column of a dtype. */
function columnOf(dtype: DType): CudaColumn {
  const { cuda } = rowOf(dtype);
  if (cuda === null) throw new DTypeError(`CUDA: complex values are pairs of real ones: ${dtype}`);
  return cuda;
}

/** The C type of a dtype in memory. */
export function storageType(dtype: DType): string {
  return columnOf(dtype).type;
}

/** A stored value in its register kind. */
export function load(dtype: DType, text: string): string {
  return columnOf(dtype).load.replace("$x", text);
}

/** A register's value as it is stored. */
export function store(dtype: DType, text: string): string {
  return columnOf(dtype).store.replace("$x", text);
}

/** A constant as C writes it. */
function literal(e: Expr): string {
  const type = C_TYPE[e.kind];
  if (typeof e.value === "boolean") return String(e.value);
  // The least i64 has no literal of its own.
  if (typeof e.value === "bigint") return `(${type})0x${BigInt.asUintN(64, e.value).toString(16)}ull`;
  const value = e.value!;
  if (Number.isNaN(value)) return `crNaN<${type}>()`;
  if (!Number.isFinite(value)) return `${value < 0 ? "-" : ""}crInf<${type}>()`;
  const digits = Object.is(value, -0) ? "-0.0" : String(value);
  return `(${type})${/[.e]/.test(digits) ? digits : digits + ".0"}`;
}

function cast(e: Expr, from: Kind, text: string): string {
  if (e.kind === "bool") return `${text} != 0`;
  // The conversion instruction saturates; what NaN gives is the device's affair, as in PyTorch.
  if (isWhole(e.kind) && isFloat(from)) {
    const convert = from === "f32" ? "__float2" : "__double2";
    if (e.kind === "i64") return `${convert}ll_rz(${text})`;
    // What is below 0 wraps around, as on the CPU.
    return `(${text} < 0 ? (u64)${convert}ll_rz(${text}) : ${convert}ull_rz(${text}))`;
  }
  return `(${C_TYPE[e.kind]})${text}`;
}

/** The statements of the element function; its scalars begin at the slot `scalarsAt`. */
function body(program: Program, stored: boolean, scalarsAt: number): string {
  const outputs = expandPowers(program.outputs.map(({ expr, dtype }) => expr.to(kindOf(dtype))));
  const { statements, names } = printBody(outputs, {
    declare: (kind, name, text) => `  const ${C_TYPE[kind]} ${name} = ${text};`,
    column: (row) => row.cuda,
    fill: (text, kind) => text.replaceAll("$t", C_TYPE[kind]).replaceAll("@", kind === "f32" ? "f" : ""),
    input: (e) => load(e.dtype!, `in${e.index}`),
    scalar: (e) => {
      const slot = `p.slots[${scalarsAt + e.index}]`;
      return isWhole(e.kind) || e.kind === "bool"
        ? `(${C_TYPE[e.kind]})${slot}`
        : `(${C_TYPE[e.kind]})__longlong_as_double(${slot})`;
    },
    literal,
    index: () => "index",
    cast: (e, from, text) => cast(e, from, text),
    wrap: (dtype, text) => `(${storageType(dtype)})${text}`,
    where: (condition, a, b) => `${condition} ? ${a} : ${b}`,
  });
  const results = names.map((name, i) => `  out${i} = ${stored ? store(program.outputs[i].dtype, name) : name};`);
  const random = program.random
    ? [`  const i64 *random = (const i64 *)p.slots[${scalarsAt + program.scalars.length}];`]
    : [];
  // Each place that reads a word keeps the four that were computed together, which its neighbours read.
  let site = 0;
  const kept = statements.map((line) => line.replace(", random)", () => `, random, words[${site++}])`));
  return [...random, ...kept, ...results].join("\n");
}

/** Slots of a program's parameter block: with random words, the last is the address of what to add to them, or 0. */
export function slotsOf(program: Program): number {
  return operandSlot(program.inputs.length + program.outputs.length) + program.scalars.length +
    (program.random ? 1 : 0);
}

/** The places at which a program reads random words. */
function wordsOf(program: Program): number {
  return nodesOf(program.outputs.map(({ expr }) => expr)).filter((e) => e.op === "philox").length;
}

/** The declaration of a thread's random words, which are none yet. */
function declareWords(program: Program): string {
  const n = wordsOf(program);
  return n === 0 ? "" : `  crWords words[${n}];
#pragma unroll
  for (int i = 0; i < ${n}; i++) words[i].block = ~0ull;\n`;
}

/**
 * The function `element(p, index, inputs, &outputs)`, for kernels that bring its types and helpers themselves. Where
 * random words are read, `element(words, p, …)` keeps them from element to element.
 *
 * @param stored whether outputs are values as they are stored, or of their register kinds
 * @param scalarsAt the slot of the first scalar
 */
export function elementFunction(
  program: Program,
  stored: boolean,
  scalarsAt: number = operandSlot(program.inputs.length + program.outputs.length),
): string {
  const inputs = program.inputs.map((dtype, i) => `const ${storageType(dtype)} in${i}`);
  const outputs = program.outputs.map(({ dtype }, i) =>
    `${stored ? storageType(dtype) : C_TYPE[kindOf(dtype)]} &out${i}`
  );
  const parameters = ["const Params &p, i64 index", ...inputs, ...outputs].join(", ");
  const open = "__device__ __forceinline__ void element(";
  if (!program.random) return `${open}${parameters}) {\n${body(program, stored, scalarsAt)}\n}\n`;
  const names = ["words, p, index", ...inputs.map((_, i) => `in${i}`), ...outputs.map((_, i) => `out${i}`)].join(", ");
  return `${open}crWords *words, ${parameters}) {\n${body(program, stored, scalarsAt)}\n}
${open}${parameters}) {
${declareWords(program)}  element(${names});
}
`;
}

/** The parameter type, the helpers, and {@linkcode elementFunction}. */
export function printElement(program: Program, stored: boolean): string {
  const slots = slotsOf(program);
  const element = elementFunction(program, stored);
  const stores = stored ? "" : program.outputs.map(({ dtype }) => store(dtype, "x")).join();
  return CUDA_TYPES + helpersOf(element + stores, CUDA_HELPERS) + `struct Params { i64 slots[${slots}]; };\n` + element;
}

/** The entry points of a program's source. */
export type CudaMap = "dense" | "rows" | "strided" | "large";

/**
 * Prints kernels of a program.
 *
 * @param program what to compute
 * @param name prefix of the entry points
 * @param kernels which ones; each is compiled, so a caller asks for what it launches
 */
export function printCuda(
  program: Program,
  name: string,
  kernels: readonly CudaMap[] = ["dense", "rows", "strided", "large"],
): string {
  const printed: Readonly<Record<CudaMap, () => string>> = {
    dense: () => dense(program, `${name}_dense`),
    rows: () => rows(program, `${name}_rows`),
    strided: () => strided(program, `${name}_strided`, "u32"),
    large: () => strided(program, `${name}_large`, "u64"),
  };
  const vectors = kernels.includes("dense") || kernels.includes("rows") ? vectorType(program) : "";
  return printElement(program, true) + vectors + kernels.map((kernel) => printed[kernel]()).join("");
}

/**
 * How many elements a thread of the vectorised kernels handles at once: 16 bytes of the narrowest operand, as far as the
 * widest one does not take more than four such loads; fewer for long expressions, which would run out of registers.
 */
export function cudaVector(program: Program): number {
  const sizes = [...program.inputs, ...program.outputs.map(({ dtype }) => dtype)].map((dtype) => dtype.itemsize);
  const widest = Math.max(...sizes), most = Math.min(16 / Math.min(...sizes), 64 / widest);
  return isLong(program) ? Math.min(most, Math.max(2, 16 / widest)) : most;
}

/** Nodes above which an expression is long. */
const LONG = 48;

/** Whether several elements at once would run out of registers. */
export function isLong(program: Program): boolean {
  return nodesOf(program.outputs.map(({ expr }) => expr)).length > LONG;
}

/** The bytes that an operand of a vectorised kernel must be aligned to. */
export function cudaAlignment(vector: number, dtype: DType): number {
  return Math.min(16, vector * dtype.itemsize);
}

/** The type of {@linkcode cudaVector} elements. */
export function vectorType(program: Program): string {
  const n = cudaVector(program);
  return `template <typename T> struct alignas(sizeof(T) * ${n} < 16 ? sizeof(T) * ${n} : 16) Vector { T e[${n}]; };\n`;
}

/** The parts that vectorised kernels share: pointers, loads of `where(i)`, a call per element from `first`, stores. */
function vectorised(program: Program, where: (i: number) => string, single: (i: number) => string, first: string): {
  readonly pointers: string;
  readonly call: (at: (i: number) => string) => string;
  readonly block: string;
} {
  const n = cudaVector(program);
  const dtypes = [...program.inputs, ...program.outputs.map((o) => o.dtype)];
  const inputs = program.inputs.length;
  const types = dtypes.map(storageType);
  const pointers = types.map((type, i) => {
    const mark = i < inputs ? "const " : "";
    return `  ${mark}${type} *const a${i} = (${mark}${type} *)p.slots[${operandSlot(i)}];\n`;
  });
  const call = (at: (i: number) => string): string =>
    `element(${[...(program.random ? ["words"] : []), "p", "index", ...types.map((_, i) => at(i))].join(", ")});`;
  const loads = types.map((type, i) =>
    i < inputs
      ? `    Vector<${type}> v${i};
    if (s${i}) v${i} = *(const Vector<${type}> *)(a${i} + ${where(i)});
    else {
      const ${type} one = a${i}[${single(i)}];
#pragma unroll
      for (int k = 0; k < ${n}; k++) v${i}.e[k] = one;
    }\n`
      : `    Vector<${type}> v${i};\n`
  );
  const stores = types.map((type, i) => i < inputs ? "" : `    *(Vector<${type}> *)(a${i} + ${where(i)}) = v${i};\n`);
  const block = `${loads.join("")}#pragma unroll
    for (int k = 0; k < ${n}; k++) {
      const i64 index = ${first} + k;
      ${call((i) => `v${i}.e[k]`)}
    }
${stores.join("")}`;
  return { pointers: pointers.join("") + declareWords(program), call, block };
}

/** A kernel that reads and writes vectors; the last elements one by one. */
function dense(program: Program, name: string): string {
  const n = cudaVector(program), inputs = program.inputs.length;
  const { pointers, call, block } = vectorised(program, () => "at", () => "0", "at");
  const steps = program.inputs.map((_, i) => `  const bool s${i} = p.slots[${operandSlot(i) + 1}] != 0;\n`);
  return `extern "C" __global__ void ${name}(const __grid_constant__ Params p) {
${pointers}${steps.join("")}  const i64 numel = p.slots[0], step = (i64)gridDim.x * blockDim.x * ${n};
  i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * ${n};
  for (; at + ${n} <= numel; at += step) {
${block}  }
#pragma unroll 1
  for (i64 index = at; index < numel; index++) ${call((i) => i < inputs ? `a${i}[s${i} ? index : 0]` : `a${i}[index]`)}
}
`;
}

/**
 * A kernel that reads and writes vectors along the last dimension, which holds a whole number of them: an operand's step
 * there is a vector's elements, or 0 where it is broadcast. `numel` and the last size count vectors.
 */
function rows(program: Program, name: string): string {
  const n = cudaVector(program);
  const { pointers, block } = vectorised(program, (i) => `o${i}`, (i) => `o${i}`, `(i64)vector * ${n}`);
  const last = program.inputs.map((_, i) => `  const bool s${i} = p.slots[${operandSlot(i) + 1} + ndim - 1] != 0;\n`);
  const count = program.inputs.length + program.outputs.length;
  return `extern "C" __global__ void ${name}(const __grid_constant__ Params p) {
  const u32 numel = (u32)p.slots[0], step = gridDim.x * blockDim.x;
  const int ndim = (int)p.slots[1];
${pointers}${last.join("")}  for (u32 vector = blockIdx.x * blockDim.x + threadIdx.x; vector < numel; vector += step) {
${offsets(count, "vector")}${block}  }
}
`;
}

/** Statements that turn a 32-bit index into offsets; sizes carry the factor of the division by them in their upper half. */
function offsets(count: number, index: string): string {
  const each = (line: (i: number) => string): string => Array.from({ length: count }, (_, i) => line(i)).join("");
  return `    u32 rest = ${index};
${each((i) => `    i64 o${i} = 0;\n`)}    for (int d = ndim - 1; d > 0; d--) {
      const u64 both = (u64)${sizeSlot("d")};
      const u32 size = (u32)both, next = __umulhi(rest, (u32)(both >> 32)) >> (31 - __clz((int)(size - 1)));
      const u32 at = rest - next * size;
      rest = next;
${each((i) => `      o${i} += (i64)at * p.slots[${operandSlot(i) + 1} + d];\n`)}    }
${each((i) => `    o${i} += (i64)rest * p.slots[${operandSlot(i) + 1}];\n`)}`;
}

/** The same for 64-bit indices, by division. */
function largeOffsets(count: number): string {
  const each = (line: (i: number) => string): string => Array.from({ length: count }, (_, i) => line(i)).join("");
  return `    u64 rest = (u64)index;
${each((i) => `    i64 o${i} = 0;\n`)}    for (int d = ndim - 1; d >= 0; d--) {
      const u64 size = (u64)${sizeSlot("d")}, at = rest % size;
      rest /= size;
${each((i) => `      o${i} += (i64)at * p.slots[${operandSlot(i) + 1} + d];\n`)}    }
`;
}

/** A kernel over any strides, with index arithmetic in the unsigned type `type`. */
function strided(program: Program, name: string, type: "u32" | "u64"): string {
  const dtypes = [...program.inputs, ...program.outputs.map((o) => o.dtype)];
  const inputs = program.inputs.length;
  const operands = dtypes.map((dtype, i) => {
    const mark = i < inputs ? "const " : "";
    return `((${mark}${storageType(dtype)} *)p.slots[${operandSlot(i)}])[o${i}]`;
  });
  return `extern "C" __global__ void ${name}(const __grid_constant__ Params p) {
  const i64 numel = p.slots[0];
  const int ndim = (int)p.slots[1];
  for (i64 index = (i64)blockIdx.x * blockDim.x + threadIdx.x; index < numel; index += (i64)gridDim.x * blockDim.x) {
${type === "u32" ? offsets(dtypes.length, "(u32)index") : largeOffsets(dtypes.length)}    element(${
    ["p", "index + p.slots[2]", ...operands].join(", ")
  });
  }
}
`;
}

/** The upper half of a size's slot: with it a 31-bit number is divided by `size` (at least 2) in two instructions. */
export function cudaFactor(size: number): number {
  const bits = 32 - Math.clz32(size - 1);
  // In doubles the quotient is exact enough for its floor up to 2^20.
  if (size <= 1 << 20) return Math.floor(2 ** (31 + bits) / size) + 1;
  return Number((1n << BigInt(31 + bits)) / BigInt(size)) + 1;
}
