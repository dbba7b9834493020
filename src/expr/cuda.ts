/**
 * The CUDA printer: a program becomes the source of pointwise kernels.
 *
 * One parameter, a block of 8-byte slots passed by value, carries everything: `[numel, ndim, reduced, kept, splits,
 * workspace, shape × 8]` (the middle four for reductions, see `cuda_reduce.ts`), then per operand (inputs, then outputs)
 * `[address, strides × 8]` in elements, then the scalars (a double, or an integer). Three entry points share one element function:
 * `NAME_dense` (every operand in row-major order or, with stride 0, one element; vectorised), `NAME_strided` (32-bit
 * index arithmetic) and `NAME_large` (64-bit).
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import { CUDA_HELPERS, CUDA_TYPES } from "./cuda_prelude.ts";
import type { Expr } from "./expr.ts";
import { type Kind, kindOf } from "./kind.ts";
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

/** Elements that a thread of the dense kernel handles. */
export const CUDA_VECTOR = 4;

/** C types of register kinds. */
export const C_TYPE: Readonly<Record<Kind, string>> = { f32: "float", f64: "double", i64: "i64", bool: "bool" };

/** The C type of a dtype in memory. */
export function storageType(dtype: DType): string {
  switch (dtype.name) {
    case "bool":
    case "uint8":
      return "unsigned char";
    case "int8":
      return "signed char";
    case "int16":
      return "short";
    case "int32":
      return "int";
    case "float16":
    case "bfloat16":
      return "u16";
    default:
      return C_TYPE[kindOf(dtype)];
  }
}

/** A stored value in its register kind. */
export function load(dtype: DType, text: string): string {
  if (dtype.name === "float16") return `crFromHalf(${text})`;
  if (dtype.name === "bfloat16") return `crFromBfloat(${text})`;
  return dtype.name === "bool" ? `${text} != 0` : `(${C_TYPE[kindOf(dtype)]})${text}`;
}

/** A register's value as it is stored. */
export function store(dtype: DType, text: string): string {
  if (dtype.name === "float16") return `crToHalf(${text})`;
  if (dtype.name === "bfloat16") return `crToBfloat(${text})`;
  return `(${storageType(dtype)})${text}`;
}

/** A constant as C writes it. */
function literal(e: Expr): string {
  const type = C_TYPE[e.kind];
  if (typeof e.value === "boolean") return String(e.value);
  // The least i64 has no literal of its own.
  if (typeof e.value === "bigint") return `(i64)0x${BigInt.asUintN(64, e.value).toString(16)}ull`;
  const value = e.value!;
  if (Number.isNaN(value)) return `crNaN<${type}>()`;
  if (!Number.isFinite(value)) return `${value < 0 ? "-" : ""}crInf<${type}>()`;
  const digits = Object.is(value, -0) ? "-0.0" : String(value);
  return `(${type})${/[.e]/.test(digits) ? digits : digits + ".0"}`;
}

function cast(e: Expr, from: Kind, text: string): string {
  if (e.kind === "bool") return `${text} != 0`;
  // The conversion instruction saturates; what NaN gives is the device's affair, as in PyTorch.
  if (e.kind === "i64" && from !== "bool") return from === "f32" ? `__float2ll_rz(${text})` : `__double2ll_rz(${text})`;
  return `(${C_TYPE[e.kind]})${text}`;
}

/** The statements of the element function. */
function body(program: Program, stored: boolean): string {
  const outputs = expandPowers(program.outputs.map(({ expr, dtype }) => expr.to(kindOf(dtype))));
  const scalarsAt = operandSlot(program.inputs.length + outputs.length);
  const { statements, names } = printBody(outputs, {
    declare: (kind, name, text) => `  const ${C_TYPE[kind]} ${name} = ${text};`,
    column: (row) => row.cuda,
    fill: (text, kind) => text.replaceAll("$t", C_TYPE[kind]).replaceAll("@", kind === "f32" ? "f" : ""),
    input: (e) => load(e.dtype!, `in${e.index}`),
    scalar: (e) => {
      const slot = `p.slots[${scalarsAt + e.index}]`;
      return e.kind === "i64" || e.kind === "bool"
        ? `(${C_TYPE[e.kind]})${slot}`
        : `(${C_TYPE[e.kind]})__longlong_as_double(${slot})`;
    },
    literal,
    index: () => "index",
    cast: (e, from, text) => cast(e, from, text),
    wrap: (dtype, text) => `(i64)(${storageType(dtype)})${text}`,
    where: (condition, a, b) => `${condition} ? ${a} : ${b}`,
  });
  const results = names.map((name, i) => `  out${i} = ${stored ? store(program.outputs[i].dtype, name) : name};`);
  return [...statements, ...results].join("\n");
}

/**
 * The function `element(p, index, inputs, &outputs)`, for kernels that bring its types and helpers themselves.
 *
 * @param stored whether outputs are values as they are stored, or of their register kinds
 */
export function elementFunction(program: Program, stored: boolean): string {
  const inputs = program.inputs.map((dtype, i) => `const ${storageType(dtype)} in${i}`);
  const outputs = program.outputs.map(({ dtype }, i) =>
    `${stored ? storageType(dtype) : C_TYPE[kindOf(dtype)]} &out${i}`
  );
  return `__device__ __forceinline__ void element(${["const Params &p, i64 index", ...inputs, ...outputs].join(", ")}) {
${body(program, stored)}
}
`;
}

/** The parameter type, the helpers, and {@linkcode elementFunction}. */
export function printElement(program: Program, stored: boolean): string {
  const slots = operandSlot(program.inputs.length + program.outputs.length) + program.scalars.length;
  const element = elementFunction(program, stored);
  const stores = stored ? "" : program.outputs.map(({ dtype }) => store(dtype, "x")).join();
  return CUDA_TYPES + helpersOf(element + stores, CUDA_HELPERS) + `struct Params { i64 slots[${slots}]; };\n` + element;
}

/**
 * Prints the kernels of a program.
 *
 * @param program what to compute
 * @param name prefix of the entry points
 */
export function printCuda(program: Program, name: string): string {
  const kernels = [
    dense(program, name),
    strided(program, `${name}_strided`, "u32"),
    strided(program, `${name}_large`, "u64"),
  ];
  return printElement(program, true) + kernels.join("");
}

/** A kernel that reads and writes vectors; the last elements one by one. */
function dense(program: Program, name: string): string {
  const dtypes = [...program.inputs, ...program.outputs.map((o) => o.dtype)];
  const inputs = program.inputs.length;
  const types = dtypes.map(storageType);
  const pointers = types.map((type, i) => {
    const mark = i < inputs ? "const " : "";
    return `  ${mark}${type} *a${i} = (${mark}${type} *)p.slots[${operandSlot(i)}];
  const bool s${i} = p.slots[${operandSlot(i) + 1}] != 0;`;
  });
  const call = (at: (i: number) => string): string =>
    `element(p, index, ${types.map((_, i) => at(i)).join(", ")});`.replace(", )", ")");
  const vectors = types.map((type, i) =>
    i < inputs
      ? `    Vector<${type}> v${i};
    if (s${i}) v${i} = *(const Vector<${type}> *)(a${i} + at);
    else for (int k = 0; k < ${CUDA_VECTOR}; k++) v${i}.e[k] = a${i}[0];`
      : `    Vector<${type}> v${i};`
  );
  const writes = types.map((type, i) => i < inputs ? "" : `    *(Vector<${type}> *)(a${i} + at) = v${i};`).filter(
    Boolean,
  );
  return `template <typename T> struct alignas(sizeof(T) * ${CUDA_VECTOR}) Vector { T e[${CUDA_VECTOR}]; };
extern "C" __global__ void ${name}_dense(const __grid_constant__ Params p) {
${pointers.join("\n")}
  const i64 numel = p.slots[0], step = (i64)gridDim.x * blockDim.x * ${CUDA_VECTOR};
  i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) * ${CUDA_VECTOR};
  for (; at + ${CUDA_VECTOR} <= numel; at += step) {
${vectors.join("\n")}
#pragma unroll
    for (int k = 0; k < ${CUDA_VECTOR}; k++) {
      const i64 index = at + k;
      ${call((i) => `v${i}.e[k]`)}
    }
${writes.join("\n")}
  }
  if (at < numel) {
    for (i64 index = at; index < numel; index++) ${
    call((i) => i < inputs ? `a${i}[s${i} ? index : 0]` : `a${i}[index]`)
  }
  }
}
`;
}

/** A kernel over any strides, with index arithmetic in the unsigned type `type`. */
function strided(program: Program, name: string, type: string): string {
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
    ${type} rest = (${type})index;
    ${dtypes.map((_, i) => `i64 o${i} = 0;`).join(" ")}
    for (int d = ndim - 1; d >= 0; d--) {
      const ${type} size = (${type})${sizeSlot("d")}, at = rest % size;
      rest /= size;
      ${dtypes.map((_, i) => `o${i} += (i64)at * p.slots[${operandSlot(i) + 1} + d];`).join("\n      ")}
    }
    element(p, index, ${operands.join(", ")});
  }
}
`;
}
