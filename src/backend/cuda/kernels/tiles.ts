/**
 * CUDA C of our own matrix products: what cuBLASLt and cuDNN lack (integers, odd strides), and all of it where they are
 * missing.
 *
 * One tiled kernel: a block of 256 threads computes a 64×64 tile of the output, each thread 4×4 of it, from tiles of both
 * operands in shared memory. What an element of an operand *is* comes from two functions, so strided products and
 * implicit-GEMM convolutions are the same kernel with other loaders.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { elementFunction } from "../../../expr/cuda.ts";
import type { Program } from "../../../expr/program.ts";
import { kernelSource } from "./common.ts";

/** Output rows and columns per block. */
export const TILE = 64;
/** Threads of a block. */
export const TILE_THREADS = 256;
const DEPTH = 16;

/** The kernel `name` around `loadA(p, batch, m, k)`, `loadB(p, batch, k, n)` and `put(p, batch, m, n, value)`; slots 0 to 2: rows, columns, depth. */
function tileKernel(name: string): string {
  return `
KERNEL(${name}) {
  __shared__ V ta[${DEPTH}][${TILE} + 1], tb[${DEPTH}][${TILE} + 1];
  const i64 rows = p.slots[0], columns = p.slots[1], depth = p.slots[2];
  /* All in the grid's x, since y ends at 65,535 batches. */
  const i64 across = (columns + ${TILE - 1}) / ${TILE}, tiles = across * ((rows + ${TILE - 1}) / ${TILE});
  const i64 batch = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const i64 m0 = tile / across * ${TILE}, n0 = tile % across * ${TILE};
  const int t = threadIdx.x, tm = t / 16 * 4, tn = t % 16 * 4;
  V sums[4][4];
#pragma unroll
  for (int r = 0; r < 4; r++) for (int c = 0; c < 4; c++) sums[r][c] = 0;
  for (i64 k0 = 0; k0 < depth; k0 += ${DEPTH}) {
    for (int e = t; e < ${TILE * DEPTH}; e += ${TILE_THREADS}) {
      const int ka = e % ${DEPTH}, ma = e / ${DEPTH}, nb = e % ${TILE}, kb = e / ${TILE};
      ta[ka][ma] = m0 + ma < rows && k0 + ka < depth ? loadA(p, batch, m0 + ma, k0 + ka) : (V)0;
      tb[kb][nb] = n0 + nb < columns && k0 + kb < depth ? loadB(p, batch, k0 + kb, n0 + nb) : (V)0;
    }
    __syncthreads();
    for (int k = 0; k < ${DEPTH}; k++) {
#pragma unroll
      for (int r = 0; r < 4; r++) {
#pragma unroll
        for (int c = 0; c < 4; c++) sums[r][c] += ta[k][tm + r] * tb[k][tn + c];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 4; r++) {
#pragma unroll
    for (int c = 0; c < 4; c++) {
      if (m0 + tm + r < rows && n0 + tn + c < columns) put(p, batch, m0 + tm + r, n0 + tn + c, sums[r][c]);
    }
  }
}
`;
}

/** The type that sums are taken in: integers and bools in 64 bits. */
const SUM_TYPE = "#if O_FLOAT\ntypedef O_value V;\n#else\ntypedef i64 V;\n#endif\n";

/** What stores `alpha · sum + beta · out`. */
const PUT_SCALED = `
__device__ __forceinline__ void put(const Params &p, i64 batch, i64 m, i64 n, V v) {
  O_stored *o = POINTER(O_stored, 2) + offsetOf(p, batch, (int)p.slots[3], 2) + m * p.slots[8] + n * p.slots[9];
  const double alpha = __longlong_as_double(p.slots[10]), beta = __longlong_as_double(p.slots[11]);
  V r = (V)alpha * v;
  /* With beta 0 the output is not read: it may hold NaN. */
  if (beta != 0) r += (V)beta * (V)O_load(*o);
  *o = O_store((O_value)r);
}
`;

/** What stores an epilogue's results, which are of the output's type; its operand is another matrix. */
function putEpilogue(program: Program): string {
  const operand = program.inputs.length > 1 ? ", POINTER(const O_stored, 3)[m * p.slots[12] + n * p.slots[13]]" : "";
  const kept = program.outputs.length > 1 ? ", POINTER(O_stored, 4)[m * p.slots[14] + n * p.slots[15]]" : "";
  return `${elementFunction(program, true)}
__device__ __forceinline__ void put(const Params &p, i64 batch, i64 m, i64 n, V v) {
  element(p, 0, v${operand}, POINTER(O_stored, 2)[m * p.slots[8] + n * p.slots[9]]${kept});
}
`;
}

/**
 * Kernel `matmul`: `out = alpha · a @ b + beta · out`. Own slots: 3 batch dims, 4 to 9 row and column steps of the
 * operands, 10 alpha and 11 beta as doubles. Operands over the batch: `A`, `B`, `O`.
 *
 * With an `epilogue`, `out = epilogue(a @ b)` for matrices: 12 and 13 steps of its operand (operand 3 of the block), 14 and
 * 15 of what it keeps (operand 4), all of the output's dtype.
 */
export function matmulSource(a: DType, b: DType, out: DType, epilogue: Program | null = null): string {
  return kernelSource(
    { A: a, B: b, O: out },
    `${SUM_TYPE}
__device__ __forceinline__ V loadA(const Params &p, i64 batch, i64 m, i64 k) {
  return (V)A_load(POINTER(const A_stored, 0)[offsetOf(p, batch, (int)p.slots[3], 0) + m * p.slots[4] + k * p.slots[5]]);
}
__device__ __forceinline__ V loadB(const Params &p, i64 batch, i64 k, i64 n) {
  return (V)B_load(POINTER(const B_stored, 1)[offsetOf(p, batch, (int)p.slots[3], 1) + k * p.slots[6] + n * p.slots[7]]);
}
${epilogue === null ? PUT_SCALED : putEpilogue(epilogue)}${tileKernel("matmul")}`,
  );
}

/**
 * How the convolution kernels find their numbers. Own slots: 3 spatial rank, 4 input and 5 output channels per group, 6
 * groups, 7 taps, 8 whether there is a bias, 9 elements of the input plane, 10 of the output plane, 11 whether channels
 * are innermost in memory. From the slot of the sizes on, three each of: input, output, kernel, stride, padding, dilation;
 * then the addresses of x, weight, y and bias.
 */
export const CONV_LISTS = 16;
/** The slot of the first address. */
export const CONV_POINTERS = CONV_LISTS + 18;

const CONV_GEOMETRY = `
#define INPUT(d) p.slots[${CONV_LISTS} + (d)]
#define OUTPUT(d) p.slots[${CONV_LISTS + 3} + (d)]
#define TAPS(d) p.slots[${CONV_LISTS + 6} + (d)]
#define STRIDE(d) p.slots[${CONV_LISTS + 9} + (d)]
#define PADDING(d) p.slots[${CONV_LISTS + 12} + (d)]
#define DILATION(d) p.slots[${CONV_LISTS + 15} + (d)]
#define DATA(i) ((X_stored *)p.slots[${CONV_POINTERS} + (i)])
#define IN p.slots[4]
#define OUT p.slots[5]
#define GROUPS p.slots[6]
#define COUNT p.slots[7]
#define IN_PLANE p.slots[9]
#define OUT_PLANE p.slots[10]
#define LAST p.slots[11]
typedef O_value V;
/* Where channel c of image n is at place \`at\`, in x, in y, and input channel i of output channel o at tap t in the weight. */
__device__ __forceinline__ i64 inX(const Params &p, i64 n, i64 c, i64 at) {
  const i64 channels = GROUPS * IN;
  return n * channels * IN_PLANE + (LAST ? at * channels + c : c * IN_PLANE + at);
}
__device__ __forceinline__ i64 inY(const Params &p, i64 n, i64 c, i64 at) {
  const i64 channels = GROUPS * OUT;
  return n * channels * OUT_PLANE + (LAST ? at * channels + c : c * OUT_PLANE + at);
}
__device__ __forceinline__ i64 inWeight(const Params &p, i64 o, i64 i, i64 t) {
  return o * IN * COUNT + (LAST ? t * IN + i : i * COUNT + t);
}
/* The element of channel c of image n in x at the input position that output position o meets at tap t, or 0. */
__device__ __forceinline__ V inputAt(const Params &p, i64 n, i64 c, i64 o, i64 t) {
  i64 at = 0, step = 1;
  for (int d = (int)p.slots[3] - 1; d >= 0; d--) {
    const i64 i = o % OUTPUT(d) * STRIDE(d) + t % TAPS(d) * DILATION(d) - PADDING(d);
    if (i < 0 || i >= INPUT(d)) return 0;
    at += i * step;
    step *= INPUT(d);
    o /= OUTPUT(d);
    t /= TAPS(d);
  }
  return X_load(DATA(0)[inX(p, n, c, at)]);
}
/* The element of y at the output position that input position i meets at tap t, or 0. */
__device__ __forceinline__ V outputAt(const Params &p, i64 n, i64 c, i64 i, i64 t) {
  i64 at = 0, step = 1;
  for (int d = (int)p.slots[3] - 1; d >= 0; d--) {
    const i64 s = i % INPUT(d) + PADDING(d) - t % TAPS(d) * DILATION(d);
    if (s < 0 || s % STRIDE(d) != 0 || s / STRIDE(d) >= OUTPUT(d)) return 0;
    at += s / STRIDE(d) * step;
    step *= OUTPUT(d);
    i /= INPUT(d);
    t /= TAPS(d);
  }
  return X_load(DATA(2)[inY(p, n, c, at)]);
}
`;

/**
 * Rows, columns and depth of the three products, per group of channels: forward, output channels × (image, output
 * position), over (input channel, tap); by the input, input channels × (image, input position), over (output channel,
 * tap); by the weight, output channels × (input channel, tap), over (image, output position).
 */
const CONV_FUNCTIONS = {
  forward: `
__device__ __forceinline__ V loadA(const Params &p, i64 g, i64 m, i64 k) {
  return X_load(DATA(1)[inWeight(p, g * OUT + m, k / COUNT, k % COUNT)]);
}
__device__ __forceinline__ V loadB(const Params &p, i64 g, i64 k, i64 n) {
  return inputAt(p, n / OUT_PLANE, g * IN + k / COUNT, n % OUT_PLANE, k % COUNT);
}
__device__ __forceinline__ void put(const Params &p, i64 g, i64 m, i64 n, V v) {
  if (p.slots[8]) v += X_load(DATA(3)[g * OUT + m]);
  DATA(2)[inY(p, n / OUT_PLANE, g * OUT + m, n % OUT_PLANE)] = X_store(v);
}
`,
  byInput: `
__device__ __forceinline__ V loadA(const Params &p, i64 g, i64 m, i64 k) {
  return X_load(DATA(1)[inWeight(p, g * OUT + k / COUNT, m, k % COUNT)]);
}
__device__ __forceinline__ V loadB(const Params &p, i64 g, i64 k, i64 n) {
  return outputAt(p, n / IN_PLANE, g * OUT + k / COUNT, n % IN_PLANE, k % COUNT);
}
__device__ __forceinline__ void put(const Params &p, i64 g, i64 m, i64 n, V v) {
  DATA(0)[inX(p, n / IN_PLANE, g * IN + m, n % IN_PLANE)] = X_store(v);
}
`,
  byWeight: `
__device__ __forceinline__ V loadA(const Params &p, i64 g, i64 m, i64 k) {
  return X_load(DATA(2)[inY(p, k / OUT_PLANE, g * OUT + m, k % OUT_PLANE)]);
}
__device__ __forceinline__ V loadB(const Params &p, i64 g, i64 k, i64 n) {
  return inputAt(p, k / OUT_PLANE, g * IN + n / COUNT, k % OUT_PLANE, n % COUNT);
}
__device__ __forceinline__ void put(const Params &p, i64 g, i64 m, i64 n, V v) {
  DATA(1)[inWeight(p, g * OUT + m, n / COUNT, n % COUNT)] = X_store(v);
}
`,
} as const;

/** Which of the three products. */
export type ConvKind = keyof typeof CONV_FUNCTIONS;

/** Kernel `conv` of one of the three products, all operands of one dtype. */
export function convSource(kind: ConvKind, dtype: DType): string {
  return kernelSource({ X: dtype, O: dtype }, CONV_GEOMETRY + CONV_FUNCTIONS[kind] + tileKernel("conv"));
}

/** Kernel `bias`: adds one value per channel in place. Own slots: 0 elements, 1 step of a channel, 2 channels. Operands: output, bias. */
export function biasSource(dtype: DType): string {
  return kernelSource(
    { X: dtype },
    `
KERNEL(bias) {
  X_stored *y = POINTER(X_stored, 0);
  const X_stored *b = POINTER(const X_stored, 1);
  EACH(i, p.slots[0]) y[i] = X_store(X_load(y[i]) + X_load(b[i / p.slots[1] % p.slots[2]]));
}
`,
  );
}
