/**
 * CUDA C of fused attention over float32, exact: multiply-adds on tiles in shared memory, with the parameters, masks and
 * passes of the kernels for 16-bit floats (`attention.ts`).
 *
 * A block of 128 threads computes a tile of 32 or 64 rows and 32 columns of scores; a thread has every eighth column of 2 or
 * 4 rows, and of the result every eighth group of four. A tile's rows take four elements more than they hold, which is an
 * odd number of 16-byte words, so that eight threads read eight rows without conflicts.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { type AttentionKernel, attentionPrelude, type AttentionVariant, Operand, Slot } from "./attention.ts";
import { kernelSource } from "./common.ts";

const COLUMNS = 32;

/** Rows of a block's tile. */
export function wideRows(width: number): number {
  return width > 64 ? 32 : 64;
}

/** Bytes of shared memory of a block. */
export function wideShared(kernel: AttentionKernel, width: number): number {
  const rows = wideRows(width), line = width + 4, weights = rows * (COLUMNS + 4);
  const [sides, matrices] = kernel === "attention" ? [1, 1] : [2, 2];
  // The forward pass keeps its rows, and brings keys and values in turn.
  return 4 * (sides * (rows + COLUMNS) * line + matrices * weights);
}

const TILES = `
#define RT (ROWS / 16)
#define LINE (HD + 4)
#define SHORT (COLUMNS + 4)
/* 'count' rows from 'first' on into a tile, zeros beyond them. */
template <int COUNT> __device__ __forceinline__ void copyTile(float *tile, const float *from, i64 step, int first, int count, int width) {
  for (int e = (int)threadIdx.x; e < COUNT * HD; e += THREADS) {
    const int row = e / HD, d = e % HD;
    tile[row * LINE + d] = first + row < count && d < width ? from[(first + row) * step + d] : 0.0f;
  }
}
/* s[r][c] = the product of the thread's row r of one tile and column c of another. */
__device__ __forceinline__ void scoreTile(float (*s)[4], const float *left, const float *right, int tx, int ty) {
#pragma unroll
  for (int r = 0; r < RT; r++) s[r][0] = s[r][1] = s[r][2] = s[r][3] = 0;
#pragma unroll 4
  for (int d = 0; d < HD; d += 4) {
    float4 b[4];
#pragma unroll
    for (int c = 0; c < 4; c++) b[c] = *(const float4 *)(right + (tx + 8 * c) * LINE + d);
#pragma unroll
    for (int r = 0; r < RT; r++) {
      const float4 a = *(const float4 *)(left + (ty * RT + r) * LINE + d);
#pragma unroll
      for (int c = 0; c < 4; c++) s[r][c] += a.x * b[c].x + a.y * b[c].y + a.z * b[c].z + a.w * b[c].w;
    }
  }
}
/* sums += weights (in shared memory) times a tile. */
__device__ __forceinline__ void weighTile(float (*sums)[HD / 8], const float *weights, const float *right, int tx, int ty) {
#pragma unroll 2
  for (int k = 0; k < COLUMNS; k++) {
    float a[RT];
#pragma unroll
    for (int r = 0; r < RT; r++) a[r] = weights[(ty * RT + r) * SHORT + k];
#pragma unroll
    for (int j = 0; j < HD / 32; j++) {
      const float4 b = *(const float4 *)(right + k * LINE + j * 32 + tx * 4);
#pragma unroll
      for (int r = 0; r < RT; r++) {
        sums[r][4 * j] += a[r] * b.x;
        sums[r][4 * j + 1] += a[r] * b.y;
        sums[r][4 * j + 2] += a[r] * b.z;
        sums[r][4 * j + 3] += a[r] * b.w;
      }
    }
  }
}
__device__ __forceinline__ void storeRow(const float *sums, float factor, float *to, int width, int tx) {
#pragma unroll
  for (int e = 0; e < HD / 8; e++) {
    const int d = e / 4 * 32 + tx * 4 + e % 4;
    if (d < width) to[d] = sums[e] * factor;
  }
}
/* What every kernel begins with. */
#define BEGIN \\
  extern __shared__ __align__(16) float memory[]; \\
  const int t = (int)threadIdx.x, tx = t % 8, ty = t / 8; \\
  const int queries = (int)p.slots[${Slot.Queries}], keys = (int)p.slots[${Slot.Keys}], width = (int)p.slots[${Slot.Width}]; \\
  const int valueWidth = (int)p.slots[${Slot.ValueWidth}], tiles = (int)p.slots[${Slot.Tiles}]; \\
  const int heads = (int)p.slots[${Slot.Heads}], group = (int)p.slots[${Slot.Group}], parts = KEYS ? heads / group : heads; \\
  const bool causal = p.slots[${Slot.Causal}] != 0; \\
  const int tile = (int)(blockIdx.x % tiles), row0 = (KEYS ? tile : tiles - 1 - tile) * ROWS; \\
  const int batch = (int)(blockIdx.x / tiles) / parts, part = (int)(blockIdx.x / tiles) % parts, shared = KEYS ? part : part / group; \\
  const float scale = (float)__longlong_as_double(p.slots[${Slot.Scale}]), scale2 = scale * LOG2E;
#define HEAD_OF(T, k, h) (ADDRESS(T, k) + batch * STEP(k, 0) + (h) * STEP(k, 1))
`;

const FORWARD = `
extern "C" __global__ void __launch_bounds__(THREADS, 2) attention(const __grid_constant__ Params p) {
  BEGIN
  float *const tileQ = memory, *const tileK = tileQ + ROWS * LINE, *const weights = tileK + COLUMNS * LINE;
  const Head here = headOf(p, batch, part);
  copyTile<ROWS>(tileQ, HEAD_OF(const float, ${Operand.Query}, part), STEP(${Operand.Query}, 2), row0, queries, width);
  float sums[RT][HD / 8], top[RT], total[RT];
#pragma unroll
  for (int r = 0; r < RT; r++) {
    for (int e = 0; e < HD / 8; e++) sums[r][e] = 0;
    top[r] = -crInf<float>();
    total[r] = 0;
  }
  const int end = causal && row0 + ROWS < keys ? row0 + ROWS : keys;
  for (int column0 = 0; column0 < end; column0 += COLUMNS) {
    copyTile<COLUMNS>(tileK, HEAD_OF(const float, ${Operand.Key}, shared), STEP(${Operand.Key}, 2), column0, keys, width);
    __syncthreads();
    float s[RT][4];
    scoreTile(s, tileQ, tileK, tx, ty);
#pragma unroll
    for (int r = 0; r < RT; r++) {
      const int row = row0 + ty * RT + r;
      float high = top[r];
#pragma unroll
      for (int c = 0; c < 4; c++) {
        const int column = column0 + tx + 8 * c;
        const bool outside = column >= keys || row >= queries || (causal && column > row);
        s[r][c] = outside ? -crInf<float>() : masked(p, here, s[r][c] * scale2, row, column);
        high = fmaxf(high, s[r][c]);
      }
      for (int b = 1; b < 8; b *= 2) high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, b));
      const float base = high == -crInf<float>() ? 0.0f : high, fade = exp2f(top[r] - base);
      top[r] = high;
      total[r] *= fade;
#pragma unroll
      for (int c = 0; c < 4; c++) {
        float x = exp2f(s[r][c] - base);
        total[r] += x;
#if DROPOUT
        if (!kept(p, here, row, column0 + tx + 8 * c)) x = 0;
#endif
        weights[(ty * RT + r) * SHORT + tx + 8 * c] = x;
      }
      for (int e = 0; e < HD / 8; e++) sums[r][e] *= fade;
    }
    __syncthreads();
    copyTile<COLUMNS>(tileK, HEAD_OF(const float, ${Operand.Value}, shared), STEP(${Operand.Value}, 2), column0, keys, valueWidth);
    __syncthreads();
    weighTile(sums, weights, tileK, tx, ty);
    __syncthreads();
  }
  float *out = HEAD_OF(float, ${Operand.Out}, part), *logSum = (float *)p.slots[${Slot.LogSum}] + ((i64)batch * heads + part) * queries;
  const float keep = DROPOUT ? (float)__longlong_as_double(p.slots[${Slot.Keep}]) : 1.0f;
#pragma unroll
  for (int r = 0; r < RT; r++) {
    const int row = row0 + ty * RT + r;
    for (int b = 1; b < 8; b *= 2) total[r] += __shfl_xor_sync(0xffffffffu, total[r], b);
    if (row >= queries) continue;
    const float base = top[r] == -crInf<float>() ? 0.0f : top[r] / LOG2E;
    if (tx == 0) logSum[row] = total[r] == 0 ? crInf<float>() : base + logf(total[r]);
    storeRow(sums[r], total[r] == 0 ? 0.0f : 1 / (total[r] * keep), out + row * STEP(${Operand.Out}, 2), valueWidth, tx);
  }
}
`;

const BACKWARD = `
extern "C" __global__ void __launch_bounds__(THREADS, 2) gradient(const __grid_constant__ Params p) {
  BEGIN
  float *const left = memory, *const left2 = left + ROWS * LINE, *const right = left2 + ROWS * LINE, *const right2 = right + COLUMNS * LINE;
  float *const weights = right2 + COLUMNS * LINE, *const changes = weights + ROWS * SHORT;
  const int rows = KEYS ? keys : queries, columns = KEYS ? queries : keys;
  const float inverse = DROPOUT ? (float)(1 / __longlong_as_double(p.slots[${Slot.Keep}])) : 1.0f;
  const int from = KEYS && causal ? row0 / COLUMNS * COLUMNS : 0, end = !KEYS && causal && row0 + ROWS < keys ? row0 + ROWS : columns;
  const int first = KEYS ? ${Operand.Key} : ${Operand.Query}, second = KEYS ? ${Operand.Value} : ${Operand.Out};
  const int third = KEYS ? ${Operand.Query} : ${Operand.Key}, fourth = KEYS ? ${Operand.Out} : ${Operand.Value};
  copyTile<ROWS>(left, HEAD_OF(const float, first, part), STEP(first, 2), row0, rows, width);
  copyTile<ROWS>(left2, HEAD_OF(const float, second, part), STEP(second, 2), row0, rows, valueWidth);
  float sums[RT][HD / 8], sums2[RT][HD / 8];
#pragma unroll
  for (int r = 0; r < RT; r++) {
    for (int e = 0; e < HD / 8; e++) sums[r][e] = sums2[r][e] = 0;
  }
  for (int n = 0; n < (KEYS ? group : 1); n++) {
    const int head = KEYS ? part * group + n : part, other = KEYS ? head : shared;
    const Head here = headOf(p, batch, head);
    const i64 line = ((i64)batch * heads + head) * queries;
    const float *logs = (const float *)p.slots[${Slot.LogSum}] + line, *dots = (const float *)p.slots[${Slot.Dots}] + line;
    for (int column0 = from; column0 < end; column0 += COLUMNS) {
      __syncthreads();
      copyTile<COLUMNS>(right, HEAD_OF(const float, third, other), STEP(third, 2), column0, columns, width);
      copyTile<COLUMNS>(right2, HEAD_OF(const float, fourth, other), STEP(fourth, 2), column0, columns, valueWidth);
      __syncthreads();
      float s[RT][4], ds[RT][4];
      scoreTile(s, left, right, tx, ty);
      scoreTile(ds, left2, right2, tx, ty);
#pragma unroll
      for (int r = 0; r < RT; r++) {
        const int row = row0 + ty * RT + r;
#pragma unroll
        for (int c = 0; c < 4; c++) {
          const int column = column0 + tx + 8 * c, i = KEYS ? column : row, j = KEYS ? row : column;
          const int place = (ty * RT + r) * SHORT + tx + 8 * c;
          float weight = 0, change = 0;
          if (i < queries && j < keys && !(causal && j > i)) {
            float share = 1;
#if DROPOUT
            share = kept(p, here, i, j) ? inverse : 0.0f;
#endif
            const float w = exp2f(masked(p, here, s[r][c] * scale2, i, j) - logs[i] * LOG2E);
            weight = w * share;
            change = w * (ds[r][c] * share - dots[i]);
          }
          weights[place] = weight;
          changes[place] = change;
        }
      }
      __syncthreads();
      weighTile(sums, changes, right, tx, ty);
#if KEYS
      weighTile(sums2, weights, right2, tx, ty);
#endif
    }
  }
#pragma unroll
  for (int r = 0; r < RT; r++) {
    const int row = row0 + ty * RT + r;
    if (row >= rows) continue;
#if KEYS
    storeRow(sums[r], scale, HEAD_OF(float, ${Operand.ByKey}, part) + row * STEP(${Operand.ByKey}, 2), width, tx);
    storeRow(sums2[r], 1.0f, HEAD_OF(float, ${Operand.ByValue}, part) + row * STEP(${Operand.ByValue}, 2), valueWidth, tx);
#else
    storeRow(sums[r], scale, HEAD_OF(float, ${Operand.ByQuery}, part) + row * STEP(${Operand.ByQuery}, 2), width, tx);
#endif
  }
}
`;

/** The source of one of the kernels; its entry point is `attention` or `gradient`. */
export function wideAttentionSource(kernel: AttentionKernel, variant: AttentionVariant): string {
  const defines = `
#define ROWS ${wideRows(variant.width)}
#define COLUMNS ${COLUMNS}
#define KEYS ${kernel === "byKey" ? 1 : 0}
`;
  const types: Record<string, DType> = variant.mask === null ? {} : { M: variant.mask };
  return kernelSource(
    types,
    attentionPrelude(variant) + defines + TILES + (kernel === "attention" ? FORWARD : BACKWARD),
  );
}
