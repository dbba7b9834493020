/**
 * The CUDA printer of reductions: the same element function as a pointwise kernel, its values combined.
 *
 * Parameters are those of `cuda.ts`, the dimensions ordered kept ones first: `numel` counts the results, `reduced` the
 * elements of each, `kept` the kept dimensions. Outputs' strides count over the kept dimensions. Two ways to spread the
 * work, both with `gridDim.y = splits` shares of the reduced elements:
 *
 * - `NAME_block`: a block per result and share, for long reductions along memory; block size a power of two, at most 512;
 * - `NAME_thread`: a thread per result and share, for reductions across memory, where neighbours read neighbours.
 *
 * With one split results are written at once; with several, partial results go to `workspace` (8 bytes each,
 * `[output][split][result]`) and `NAME_finish`, a thread per result, combines them. Sums are therefore taken in a tree of
 * lanes, threads and shares, and are the same in every run.
 *
 * @module
 */

import type { Combine } from "../backend/backend.ts";
import { C_TYPE, operandSlot, printElement, sizeSlot, storageType, store } from "./cuda.ts";
import { isFloat, type Kind, kindOf } from "./kind.ts";
import type { Program } from "./program.ts";

/** Threads that a block of `NAME_block` has at most. */
export const CUDA_REDUCE_THREADS = 512;

/** `a` and `b` combined. */
function combined(combine: Combine, kind: Kind, a: string, b: string): string {
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
function neutral(combine: Combine, kind: Kind): string {
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

/** Prints the kernels of a reduction, see the module's text. */
export function printCudaReduce(program: Program, combine: Combine, name: string): string {
  const kinds = program.outputs.map((o) => kindOf(o.dtype));
  const inputs = program.inputs.length;
  const each = (line: (k: number, type: string, kind: Kind) => string): string =>
    kinds.map((kind, k) => line(k, C_TYPE[kind], kind)).join("\n");
  const merge = (k: number, kind: Kind, b: string): string => `a${k} = ${combined(combine, kind, `a${k}`, b)};`;

  const accumulate = `
/* The share 'split' of result 'o', every 'step'-th element from 'first'. */
__device__ __forceinline__ void accumulate(const Params &p, i64 o, i64 split, i64 first, i64 step${
    kinds.map((kind, k) => `, ${C_TYPE[kind]} &a${k}`).join("")
  }) {
  const int ndim = (int)p.slots[1], kept = (int)p.slots[3];
  const i64 reduced = p.slots[2], share = (reduced + p.slots[4] - 1) / p.slots[4];
  const i64 end = reduced < (split + 1) * share ? reduced : (split + 1) * share;
${lines(program.inputs, (i) => `  i64 base${i} = 0;`)}
  i64 rest = o;
  for (int d = kept - 1; d >= 0; d--) {
    const i64 size = ${sizeSlot("d")}, at = rest % size;
    rest /= size;
${lines(program.inputs, (i) => `    base${i} += at * p.slots[${operandSlot(i) + 1} + d];`)}
  }
  for (i64 r = split * share + first; r < end; r += step) {
${lines(program.inputs, (i) => `    i64 o${i} = base${i};`)}
    rest = r;
    for (int d = ndim - 1; d >= kept; d--) {
      const i64 size = ${sizeSlot("d")}, at = rest % size;
      rest /= size;
${lines(program.inputs, (i) => `      o${i} += at * p.slots[${operandSlot(i) + 1} + d];`)}
    }
${each((k, type) => `    ${type} x${k};`)}
    element(p, o * reduced + r${
    program.inputs.map((dtype, i) => `, ((const ${storageType(dtype)} *)p.slots[${operandSlot(i)}])[o${i}]`).join("")
  }${kinds.map((_, k) => `, x${k}`).join("")});
${each((k, _type, kind) => `    ${merge(k, kind, `x${k}`)}`)}
  }
}
`;
  const finish = `
/* Writes the final values of result 'o'. */
__device__ __forceinline__ void finish(const Params &p, i64 o${
    kinds.map((kind, k) => `, ${C_TYPE[kind]} a${k}`).join("")
  }) {
${each((k) => `  i64 o${k} = 0;`)}
  i64 rest = o;
  for (int d = (int)p.slots[3] - 1; d >= 0; d--) {
    const i64 size = ${sizeSlot("d")}, at = rest % size;
    rest /= size;
${each((k) => `    o${k} += at * p.slots[${operandSlot(inputs + k) + 1} + d];`)}
  }
${
    each((k) => {
      const { dtype } = program.outputs[k];
      return `  ((${storageType(dtype)} *)p.slots[${operandSlot(inputs + k)}])[o${k}] = ${store(dtype, `a${k}`)};`;
    })
  }
}
/* Writes a share's values: the results themselves where there is one share. */
__device__ __forceinline__ void emit(const Params &p, i64 o, i64 split${
    kinds.map((kind, k) => `, ${C_TYPE[kind]} a${k}`).join("")
  }) {
  if (p.slots[4] == 1) {
    finish(p, o${kinds.map((_, k) => `, a${k}`).join("")});
    return;
  }
${
    each((k, type) =>
      `  *(${type} *)((char *)p.slots[5] + 8 * (((i64)${k} * p.slots[4] + split) * p.slots[0] + o)) = a${k};`
    )
  }
}
`;
  const start = each((k, type, kind) => `  ${type} a${k} = ${neutral(combine, kind)};`);
  const accumulators = kinds.map((_, k) => `, a${k}`).join("");
  const kernels = `
extern "C" __global__ void ${name}_block(const __grid_constant__ Params p) {
${each((k, type) => `  __shared__ ${type} s${k}[${CUDA_REDUCE_THREADS}];`)}
  const i64 o = blockIdx.x, split = blockIdx.y;
${start}
  accumulate(p, o, split, threadIdx.x, blockDim.x${accumulators});
${each((k) => `  s${k}[threadIdx.x] = a${k};`)}
  __syncthreads();
  for (u32 width = blockDim.x / 2; width > 0; width /= 2) {
    if (threadIdx.x < width) {
${
    each((k, _type, kind) =>
      `      s${k}[threadIdx.x] = ${combined(combine, kind, `s${k}[threadIdx.x]`, `s${k}[threadIdx.x + width]`)};`
    )
  }
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) emit(p, o, split${kinds.map((_, k) => `, s${k}[0]`).join("")});
}
extern "C" __global__ void ${name}_thread(const __grid_constant__ Params p) {
  const i64 split = blockIdx.y;
  for (i64 o = (i64)blockIdx.x * blockDim.x + threadIdx.x; o < p.slots[0]; o += (i64)gridDim.x * blockDim.x) {
${start}
    accumulate(p, o, split, 0, 1${accumulators});
    emit(p, o, split${accumulators});
  }
}
extern "C" __global__ void ${name}_finish(const __grid_constant__ Params p) {
  for (i64 o = (i64)blockIdx.x * blockDim.x + threadIdx.x; o < p.slots[0]; o += (i64)gridDim.x * blockDim.x) {
${start}
    for (i64 split = 0; split < p.slots[4]; split++) {
${
    each((k, type, kind) => {
      const partial =
        `*(const ${type} *)((const char *)p.slots[5] + 8 * (((i64)${k} * p.slots[4] + split) * p.slots[0] + o))`;
      return `      const ${type} x${k} = ${partial};\n      ${merge(k, kind, `x${k}`)}`;
    })
  }
    }
    finish(p, o${accumulators});
  }
}
`;
  return printElement(program, false) + accumulate + finish + kernels;
}

/** One line per operand. */
function lines(operands: readonly unknown[], line: (i: number) => string): string {
  return operands.map((_, i) => line(i)).join("\n");
}
