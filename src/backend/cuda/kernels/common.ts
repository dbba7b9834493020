/**
 * What the hand-written kernels share: their parameter block, typed loads and stores, and how they find elements.
 *
 * A family is written once in terms of type names (`X`, `Y`, …); {@linkcode kernelSource} binds each to a dtype, giving
 * `X_stored` (in memory), `X_value` (in registers), `X_load` and `X_store`. All take the same block of {@linkcode SLOTS}
 * slots: 16 numbers of the kernel's own, the sizes of up to 8 dimensions, then per operand its address and 8 strides.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { C_TYPE, load, storageType, store } from "../../../expr/cuda.ts";
import { CUDA_HELPERS, CUDA_TYPES } from "../../../expr/cuda_prelude.ts";
import { isFloat, kindOf } from "../../../expr/kind.ts";
import { helpersOf } from "../../../expr/print.ts";

/** Slots of the parameter block. */
export const SLOTS = 64;
/** The slot of the first size. */
export const SIZES = 16;
/** Dimensions that there is room for. */
export const MAX_DIMS = 8;

/** The slot of an operand's address; its strides follow. */
export function operandAt(operand: number): number {
  return SIZES + MAX_DIMS + operand * (1 + MAX_DIMS);
}

const INDEXING = `
#define SIZES ${SIZES}
#define AT(k) (${SIZES + MAX_DIMS} + ${1 + MAX_DIMS} * (k))
#define POINTER(T, k) ((T *)p.slots[AT(k)])
/* For every index below 'count', the grid striding. */
#define EACH(i, count) \\
  for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += (i64)gridDim.x * blockDim.x)
/* The offset in operand k of the row-major position 'at' in the first 'n' sizes. */
__device__ __forceinline__ i64 offsetOf(const Params &p, i64 at, int n, int k) {
  i64 offset = 0;
  for (int d = n - 1; d >= 0; d--) {
    const i64 size = p.slots[SIZES + d];
    offset += at % size * p.slots[AT(k) + 1 + d];
    at /= size;
  }
  return offset;
}
`;

/** Declares the names that code uses for a dtype. */
function declare(name: string, dtype: DType): string {
  const value = C_TYPE[kindOf(dtype)], stored = storageType(dtype);
  return `typedef ${stored} ${name}_stored;
typedef ${value} ${name}_value;
#define ${name}_FLOAT ${isFloat(kindOf(dtype)) ? 1 : 0}
#define ${name}_BOOL ${dtype.kind === "bool" ? 1 : 0}
__device__ __forceinline__ ${name}_value ${name}_load(${name}_stored x) { return ${load(dtype, "x")}; }
__device__ __forceinline__ ${name}_stored ${name}_store(${name}_value x) { return ${store(dtype, "x")}; }
`;
}

/**
 * The whole source of a family's kernels for some dtypes; `KERNEL(name)` opens an entry point, `KERNEL(name, threads)` one
 * of blocks of at most so many threads, which bounds its registers.
 */
export function kernelSource(types: Readonly<Record<string, DType>>, code: string): string {
  const declared = Object.entries(types).map(([name, dtype]) => declare(name, dtype)).join("");
  const entry = (_: string, name: string, threads: string | undefined) => {
    const bound = threads === undefined ? "" : `__launch_bounds__(${threads}) `;
    return `extern "C" __global__ void ${bound}${name}(const __grid_constant__ Params p)`;
  };
  const text = declared + INDEXING + code.replace(/^KERNEL\((\w+)(?:, (\w+))?\)/gm, entry);
  const parameters = `struct Params { i64 slots[${SLOTS}]; };\n`;
  return CUDA_TYPES + parameters + helpersOf(text, CUDA_HELPERS) + text;
}

/** C text that combines a value `b` into `a`, as a scatter or a scan does; `T` is a declared type name. */
export const COMBINERS = `
template <typename T> __device__ __forceinline__ bool isNaN(T x) { return x != x; }
template <typename T> __device__ __forceinline__ T larger(T a, T b) { return isNaN(a) || a > b ? a : b; }
template <typename T> __device__ __forceinline__ T smaller(T a, T b) { return isNaN(a) || a < b ? a : b; }
`;

/** C text of the order of sorting: a key whose unsigned order is that of values, NaN last. */
export const SORT_KEY = `
__device__ __forceinline__ u64 keyOf(double x) {
  if (x != x) return ~0ull;
  const u64 bits = x == 0 ? 0 : (u64)__double_as_longlong(x);
  return bits >> 63 ? ~bits : bits | 1ull << 63;
}
__device__ __forceinline__ u64 keyOf(float x) { return keyOf((double)x); }
__device__ __forceinline__ u64 keyOf(i64 x) { return (u64)x ^ 1ull << 63; }
__device__ __forceinline__ u64 keyOf(u64 x) { return x; }
__device__ __forceinline__ u64 keyOf(bool x) { return x; }
`;

/** C text that reports a bad index: the fault word is `[op, index, size, dimension]`; the first report stays. */
export const FAULT = `
__device__ __forceinline__ void report(const Params &p, i64 id, i64 index, i64 size, i64 dim) {
  u64 *word = (u64 *)p.slots[14];
  if (atomicCAS(word, 0ull, (u64)id) == 0) {
    word[1] = (u64)index;
    word[2] = (u64)size;
    word[3] = (u64)dim;
  }
}
`;
