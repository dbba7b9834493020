/**
 * CUDA C of fused attention on the tensor cores, over 16-bit floats or in TensorFloat-32: forward, and the gradients in two
 * passes, one by queries and one by keys and values, so that nothing is added atomically.
 *
 * As in FlashAttention-2: a block owns a tile of rows and walks over the other side's tiles, which arrive while the last
 * are computed with. A warp owns 16 or 32 whole rows, so the softmax needs four lanes only, and the weights go from the sums
 * of one product to the left operand of the next in registers.
 *
 * The floor is arithmetic: 4·L·S·E flops a head forward (half of it if causal), 14·L·S·E backward (the two passes
 * recompute the scores; one pass with atomics would take 10), over the tensor cores' `mma.sync` rate: 312 TFLOP/s on an
 * A100, about 620 on an H100, whose full 989 only `wgmma` reaches. `tests/cuda/nvrtc.test.ts` holds that the hot
 * kernels do not spill.
 *
 * Registers and shared memory, bfloat16 on sm_90: width 64, forward 212 and 36 KiB, by query 193 and 55, by key 251 and 55;
 * width 128, 240 and 51, 252 and 103, 222 and 69. So registers allow two blocks, eight warps, on a multiprocessor.
 *
 * @see Dao, "FlashAttention-2: faster attention with better parallelism and work partitioning" (2023)
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { kernelSource } from "./common.ts";
import { tensorCores } from "./tensor_cores.ts";

/** Slots of the attention kernels' parameters. */
export const enum Slot {
  Heads,
  /** Heads of the query per head of key and value. */
  Group,
  Queries,
  Keys,
  Width,
  ValueWidth,
  Causal,
  /** Tiles of rows. */
  Tiles,
  /** As a double. */
  Scale,
  /** As a double: the probability that a weight is kept. */
  Keep,
  Base,
  KeyLow,
  KeyHigh,
  /** Where a recorded graph keeps what is added to the random stream, or 0. */
  Random,
  /** Eight operands: address, then the steps of batch, head, row and column. */
  Operands = 16,
  LogSum = 56,
  Dots,
}

/** The operands' places. */
export const enum Operand {
  Query,
  Key,
  Value,
  Mask,
  /** The result, or its gradient. */
  Out,
  ByQuery,
  ByKey,
  ByValue,
}

/** The widths of heads that kernels exist for; others are padded with zeros. */
export const WIDTHS: readonly number[] = [32, 64, 96, 128];
/** Threads of a block. */
export const ATTENTION_THREADS = 128;

/** What a kernel is compiled for. */
export interface AttentionVariant {
  /** Of query, key, value and results. */
  readonly dtype: DType;
  /** One of {@linkcode WIDTHS}. */
  readonly width: number;
  /** The mask's dtype: bool, or numbers to add. */
  readonly mask: DType | null;
  /** Whether weights are dropped. */
  readonly dropout: boolean;
}

/** What all attention kernels share: parameters, masks and dropout. */
export function attentionPrelude({ width, mask, dropout }: AttentionVariant): string {
  return `
#define HD ${width}
#define THREADS ${ATTENTION_THREADS}
#define MASK ${mask === null ? 0 : mask.kind === "bool" ? 1 : 2}
#define DROPOUT ${dropout ? 1 : 0}
#define LOG2E 1.4426950408889634f
#define ADDRESS(T, k) ((T *)p.slots[${Slot.Operands} + 5 * (k)])
/* A step between rows fits 32 bits. */
#define ROW_STEP(k) ((int)STEP(k, 2))
#define STEP(k, d) p.slots[${Slot.Operands} + 5 * (k) + 1 + (d)]
/* What a block must know of its head of the query. */
struct Head {
  i64 mask, first;
};
__device__ __forceinline__ Head headOf(const Params &p, i64 batch, i64 head) {
  const i64 rows = batch * p.slots[${Slot.Heads}] + head;
  return {batch * STEP(${Operand.Mask}, 0) + head * STEP(${Operand.Mask}, 1),
          p.slots[${Slot.Base}] + rows * p.slots[${Slot.Queries}] * p.slots[${Slot.Keys}]};
}
/* The score of query i and key j in units of log2, or -inf: 's' times the scale, with the mask. */
__device__ __forceinline__ float masked(const Params &p, const Head &head, float s, int i, int j) {
#if MASK
  const i64 at = head.mask + i * STEP(${Operand.Mask}, 2) + j * STEP(${Operand.Mask}, 3);
#endif
#if MASK == 1
  if (!ADDRESS(const M_stored, ${Operand.Mask})[at]) return -crInf<float>();
#elif MASK == 2
  return s + (float)M_load(ADDRESS(const M_stored, ${Operand.Mask})[at]) * LOG2E;
#endif
  return s;
}
#if DROPOUT
/* Whether the weights of query i and keys j and j + 1 are kept, a bit each: a block of the stream has both, mostly. */
__device__ __forceinline__ u32 keptPair(const Params &p, const Head &head, int i, int j) {
  const i64 *random = (const i64 *)p.slots[${Slot.Random}];
  u64 word = (u64)(head.first + (i64)i * p.slots[${Slot.Keys}] + j), key = (u64)p.slots[${Slot.KeyHigh}] << 32 | (u64)p.slots[${Slot.KeyLow}];
  if (random) {
    word += (u64)random[0];
    key += (u64)random[1];
  }
  const float keep = (float)__longlong_as_double(p.slots[${Slot.Keep}]);
  u32 c0, c1, c2, c3;
  crPhiloxBlock(word >> 2, (i64)key, c0, c1, c2, c3);
  const u32 at = (u32)word & 3, first = at & 2 ? at & 1 ? c3 : c2 : at & 1 ? c1 : c0;
  u32 second = at == 0 ? c1 : at == 1 ? c2 : c3;
  if (at == 3) {
    u32 d1, d2, d3;
    crPhiloxBlock((word >> 2) + 1, (i64)key, second, d1, d2, d3);
  }
  return ((float)(first >> 8) * 0x1p-24f < keep ? 1 : 0) | ((float)(second >> 8) * 0x1p-24f < keep ? 2 : 0);
}
/* Whether the weight of query i and key j is kept. */
__device__ __forceinline__ bool kept(const Params &p, const Head &head, int i, int j) {
  const i64 word = head.first + (i64)i * p.slots[${Slot.Keys}] + j;
  const i64 key = (i64)((u64)p.slots[${Slot.KeyHigh}] << 32 | (u64)p.slots[${Slot.KeyLow}]);
  const u32 bits = (u32)crPhilox(word, key, (const i64 *)p.slots[${Slot.Random}]);
  return (float)(bits >> 8) * 0x1p-24f < (float)__longlong_as_double(p.slots[${Slot.Keep}]);
}
#endif
`;
}

/** The rows of a warp, in units of 16, and the tile's columns. */
export interface Tiling {
  /** 16-row fragments per warp. */
  readonly fragments: 1 | 2;
  /** Columns of a tile that is walked over. */
  readonly columns: number;
  /** Bytes of shared memory of a block. */
  readonly shared: number;
  /** Rows of a block. */
  readonly rows: number;
}

/** Which of the three kernels. */
export type AttentionKernel = "attention" | "byQuery" | "byKey";

/**
 * How a kernel is tiled on multiprocessors of `limit` bytes of shared memory, so that 255 registers a thread suffice and, but
 * for wide floats, two blocks fit.
 */
export function tilingOf(kernel: AttentionKernel, { dtype, width, dropout }: AttentionVariant, limit: number): Tiling {
  const columns = kernel === "attention" && width <= 64 && !dropout ? 64 : 32;
  const of = (fragments: 1 | 2): Tiling => {
    const rows = fragments * 16 * (ATTENTION_THREADS / 32), line = width * dtype.itemsize + 16;
    const tiles = kernel === "attention" ? rows + 2 * columns : 2 * rows + 4 * columns;
    const numbers = kernel === "attention" ? 0 : kernel === "byKey" ? 4 * columns : 2 * rows;
    return { fragments, columns, rows, shared: tiles * line + 4 * numbers };
  };
  // Where a thread's two results, or the random words, leave no room for twice 16 rows.
  const most = kernel === "byKey" ? (dropout ? 64 : 128) : dropout ? 128 : Infinity;
  const wide = of(2);
  return wide.shared > limit / 2 || width * dtype.itemsize > most ? of(1) : wide;
}

const FORWARD = `
extern "C" __global__ void __launch_bounds__(THREADS, 2) attention(const __grid_constant__ Params p) {
  extern __shared__ __align__(16) unsigned char memory[];
  constexpr int ROWS = MT * 64;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, own = warp * MT * 16;
  const int queries = (int)p.slots[${Slot.Queries}], keys = (int)p.slots[${Slot.Keys}];
  const int width = (int)p.slots[${Slot.Width}], valueWidth = (int)p.slots[${Slot.ValueWidth}], tiles = (int)p.slots[${Slot.Tiles}];
  const bool causal = p.slots[${Slot.Causal}] != 0;
  /* The last rows of a causal head have most to do: they start first. */
  const int row0 = (tiles - 1 - (int)(blockIdx.x % tiles)) * ROWS;
  const int heads = (int)p.slots[${Slot.Heads}], batch = (int)(blockIdx.x / tiles) / heads, head = (int)(blockIdx.x / tiles) % heads;
  const int shared = head / (int)p.slots[${Slot.Group}];
  const Head here = headOf(p, batch, head);
  const E *q = ADDRESS(const E, ${Operand.Query}) + batch * STEP(${Operand.Query}, 0) + head * STEP(${Operand.Query}, 1);
  const E *k = ADDRESS(const E, ${Operand.Key}) + batch * STEP(${Operand.Key}, 0) + shared * STEP(${Operand.Key}, 1);
  const E *v = ADDRESS(const E, ${Operand.Value}) + batch * STEP(${Operand.Value}, 0) + shared * STEP(${Operand.Value}, 1);
  const u32 tileQ = sharedAddress(memory), tileK = tileQ + ROWS * STRIDE * BYTES, tileV = tileK + COLUMNS * STRIDE * BYTES;
  const float scale = (float)(__longlong_as_double(p.slots[${Slot.Scale}]) * LOG2E);
  const int end = causal && row0 + ROWS < keys ? row0 + ROWS : keys;
  float sums[MT][HD / 8][4], top[MT][2], total[MT][2];
#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int j = 0; j < HD / 8; j++) sums[m][j][0] = sums[m][j][1] = sums[m][j][2] = sums[m][j][3] = 0;
    top[m][0] = top[m][1] = -crInf<float>();
    total[m][0] = total[m][1] = 0;
  }
  int column0 = (end - 1) / COLUMNS * COLUMNS;
  copyTile<ROWS>(tileQ, q, ROW_STEP(${Operand.Query}), row0, queries, width);
  copyTile<COLUMNS>(tileK, k, ROW_STEP(${Operand.Key}), column0, keys, width);
  copiesIssued();
  for (; column0 >= 0; column0 -= COLUMNS) {
    /* The keys are there, and nobody reads the last values any more. */
    copiesArrived();
    __syncthreads();
    copyTile<COLUMNS>(tileV, v, ROW_STEP(${Operand.Value}), column0, keys, valueWidth);
    copiesIssued();
    float s[MT][COLUMNS / 8][4];
    scoreTile(s, tileQ, own, tileK, lane);
    copiesArrived();
    __syncthreads();
    if (column0 > 0) copyTile<COLUMNS>(tileK, k, ROW_STEP(${Operand.Key}), column0 - COLUMNS, keys, width);
    copiesIssued();
    const bool edge = column0 + COLUMNS > keys || (causal && column0 + COLUMNS > row0 + own);
#pragma unroll
    for (int m = 0; m < MT; m++) {
      const int i = row0 + own + m * 16 + lane / 4;
#pragma unroll
      for (int j = 0; j < COLUMNS / 8; j++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const int row = i + e / 2 * 8, column = column0 + j * 8 + lane % 4 * 2 + e % 2;
          if (MASK) s[m][j][e] *= scale;
          if ((edge && (column >= keys || (causal && column > row))) || (MASK && row >= queries)) s[m][j][e] = -crInf<float>();
          else if (MASK) s[m][j][e] = masked(p, here, s[m][j][e], row, column);
        }
      }
#pragma unroll
      for (int r = 0; r < 2; r++) {
        float high = top[m][r];
#pragma unroll
        for (int j = 0; j < COLUMNS / 8; j++) high = fmaxf(high, fmaxf(s[m][j][2 * r], s[m][j][2 * r + 1]));
        high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 1));
        high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, 2));
        /* A row that has seen nothing yet subtracts 0 from -inf. */
        const float factor = MASK ? 1.0f : scale, base = high == -crInf<float>() ? 0.0f : high * factor;
        const float fade = power2(top[m][r] * factor - base);
        top[m][r] = high;
        float sum = total[m][r] * fade;
#pragma unroll
        for (int j = 0; j < COLUMNS / 8; j++) {
#if DROPOUT
          const u32 stays = keptPair(p, here, i + r * 8, column0 + j * 8 + lane % 4 * 2);
#endif
#pragma unroll
          for (int c = 0; c < 2; c++) {
            float &x = s[m][j][2 * r + c];
            x = power2(x * factor - base);
            sum += x;
#if DROPOUT
            if (!(stays >> c & 1)) x = 0;
#endif
          }
        }
        total[m][r] = sum;
#pragma unroll
        for (int j = 0; j < HD / 8; j++) {
          sums[m][j][2 * r] *= fade;
          sums[m][j][2 * r + 1] *= fade;
        }
      }
    }
    weighTile(sums, s, tileV, lane);
  }
  float factors[MT][2];
  float *logSum = (float *)p.slots[${Slot.LogSum}] + ((i64)batch * heads + head) * queries;
  const float keep = DROPOUT ? (float)__longlong_as_double(p.slots[${Slot.Keep}]) : 1.0f;
#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int r = 0; r < 2; r++) {
      float sum = total[m][r];
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      factors[m][r] = sum == 0 ? 0.0f : 1 / (sum * keep);
      const int row = row0 + own + m * 16 + lane / 4 + r * 8;
      const float base = top[m][r] == -crInf<float>() ? 0.0f : top[m][r] * (MASK ? 1.0f : scale) / LOG2E;
      if (lane % 4 == 0 && row < queries) logSum[row] = sum == 0 ? crInf<float>() : base + logf(sum);
    }
  }
  E *out = ADDRESS(E, ${Operand.Out}) + batch * STEP(${Operand.Out}, 0) + head * STEP(${Operand.Out}, 1);
  storeRows<MT>(sums, factors, (E *)memory + own * STRIDE, out, ROW_STEP(${Operand.Out}), row0 + own, queries, valueWidth, lane);
}
`;

/** The product of scores. */
const SCORES = `
/* s = the warp's rows of one tile times the rows of another. */
__device__ __forceinline__ void scoreTile(float (*s)[COLUMNS / 8][4], u32 left, int own, u32 right, int lane) {
#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int j = 0; j < COLUMNS / 8; j++) s[m][j][0] = s[m][j][1] = s[m][j][2] = s[m][j][3] = 0;
  }
#pragma unroll 2
  for (int d = 0; d < HD; d += 2 * UNIT) {
    u32 a[MT][4];
#pragma unroll
    for (int m = 0; m < MT; m++) {
      load4(a[m], leftAt(left, own + m * 16, d, lane));
      rounded(a[m]);
    }
#pragma unroll
    for (int j = 0; j < COLUMNS / 8; j += 2) {
      u32 b[4];
      load4(b, rightAt(right, j * 8, d, lane));
      rounded(b);
#pragma unroll
      for (int m = 0; m < MT; m++) {
        multiply(s[m][j], a[m], b[0], b[1]);
        multiply(s[m][j + 1], a[m], b[2], b[3]);
      }
    }
  }
}
`;

/** The product by weights, of halves. */
const WEIGH_HALVES = `
/* sums += weights, rounded, times a tile: a product's sums lie as the next one's left operand. */
__device__ __forceinline__ void weighTile(float (*sums)[HD / 8][4], float (*weights)[COLUMNS / 8][4], u32 right, int lane) {
#pragma unroll
  for (int c = 0; c < COLUMNS / 8; c += 2) {
    u32 a[MT][4];
#pragma unroll
    for (int m = 0; m < MT; m++) {
#pragma unroll
      for (int h = 0; h < 4; h++) a[m][h] = pair(weights[m][c + h / 2][h % 2 * 2], weights[m][c + h / 2][h % 2 * 2 + 1]);
    }
#pragma unroll
    for (int j = 0; j < HD / 8; j += 2) {
      u32 b[4];
      load4Transposed(b, downAt(right, c * 8, j * 8, lane));
#pragma unroll
      for (int m = 0; m < MT; m++) {
        multiply(sums[m][j], a[m], b[0], b[1]);
        multiply(sums[m][j + 1], a[m], b[2], b[3]);
      }
    }
  }
}
`;

/** The same of floats: a lane's two neighbouring columns are taken as the depths 4 apart that it has in a left operand. */
const WEIGH_FLOATS = `
__device__ __forceinline__ void weighTile(float (*sums)[HD / 8][4], float (*weights)[COLUMNS / 8][4], u32 right, int lane) {
  extern __shared__ __align__(16) unsigned char memory[];
  const float *at = (const float *)(memory + (right - sharedAddress(memory))) + lane % 4 * 2 * STRIDE + lane / 4;
#pragma unroll
  for (int c = 0; c < COLUMNS / 8; c++) {
    u32 a[MT][4];
#pragma unroll
    for (int m = 0; m < MT; m++) {
#pragma unroll
      for (int h = 0; h < 4; h++) a[m][h] = tf32(weights[m][c][h % 2 * 2 + h / 2]);
    }
#pragma unroll
    for (int j = 0; j < HD / 8; j++) {
      const u32 b0 = tf32(at[c * 8 * STRIDE + j * 8]), b1 = tf32(at[(c * 8 + 1) * STRIDE + j * 8]);
#pragma unroll
      for (int m = 0; m < MT; m++) multiply(sums[m][j], a[m], b0, b1);
    }
  }
}
`;

/**
 * The gradients: rows are queries (`KEYS` 0) or keys (1), and the tiles that are walked over are the other side's, twice
 * buffered. With P the weights and D the rows' dots, the scores' gradient is P ∘ (grad · valueᵀ − D); by query it multiplies
 * the keys, and transposed, by key, the queries.
 */
const BACKWARD = `
extern "C" __global__ void __launch_bounds__(THREADS, 2) gradient(const __grid_constant__ Params p) {
  extern __shared__ __align__(16) unsigned char memory[];
  constexpr int ROWS = MT * 64, TILE = COLUMNS * STRIDE * BYTES, HALF = 2 * TILE + (KEYS ? 2 * COLUMNS * 4 : 0);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, own = warp * MT * 16;
  const int queries = (int)p.slots[${Slot.Queries}], keys = (int)p.slots[${Slot.Keys}];
  const int width = (int)p.slots[${Slot.Width}], valueWidth = (int)p.slots[${Slot.ValueWidth}], tiles = (int)p.slots[${Slot.Tiles}];
  const bool causal = p.slots[${Slot.Causal}] != 0;
  const int group = (int)p.slots[${Slot.Group}], heads = (int)p.slots[${Slot.Heads}];
  /* The rows with most to do start first: the last queries, the first keys. */
  const int tile = (int)(blockIdx.x % tiles), row0 = (KEYS ? tile : tiles - 1 - tile) * ROWS;
  const int parts = KEYS ? heads / group : heads, batch = (int)(blockIdx.x / tiles) / parts, part = (int)(blockIdx.x / tiles) % parts;
  const int shared = KEYS ? part : part / group;
  const int rows = KEYS ? keys : queries, columns = KEYS ? queries : keys;
  const E *k = ADDRESS(const E, ${Operand.Key}) + batch * STEP(${Operand.Key}, 0) + shared * STEP(${Operand.Key}, 1);
  const E *v = ADDRESS(const E, ${Operand.Value}) + batch * STEP(${Operand.Value}, 0) + shared * STEP(${Operand.Value}, 1);
  const u32 left = sharedAddress(memory), left2 = left + ROWS * STRIDE * BYTES, right = left2 + ROWS * STRIDE * BYTES;
  const float scale = (float)__longlong_as_double(p.slots[${Slot.Scale}]), scale2 = scale * LOG2E;
  const float inverse = DROPOUT ? (float)(1 / __longlong_as_double(p.slots[${Slot.Keep}])) : 1.0f;
  const int from = KEYS && causal ? row0 / COLUMNS * COLUMNS : 0, end = !KEYS && causal && row0 + ROWS < keys ? row0 + ROWS : columns;
  auto fetch = [&](u32 to, int head, int column0) {
    if (KEYS) {
      const E *q = ADDRESS(const E, ${Operand.Query}) + batch * STEP(${Operand.Query}, 0) + head * STEP(${Operand.Query}, 1);
      const E *g = ADDRESS(const E, ${Operand.Out}) + batch * STEP(${Operand.Out}, 0) + head * STEP(${Operand.Out}, 1);
      copyTile<COLUMNS>(to, q, ROW_STEP(${Operand.Query}), column0, queries, width);
      copyTile<COLUMNS>(to + TILE, g, ROW_STEP(${Operand.Out}), column0, queries, valueWidth);
      if (threadIdx.x < 2 * COLUMNS) {
        const int column = column0 + (int)threadIdx.x % COLUMNS;
        const float *source = (const float *)p.slots[threadIdx.x < COLUMNS ? ${Slot.LogSum} : ${Slot.Dots}];
        copy4(to + 2 * TILE + threadIdx.x * 4, source + ((i64)batch * heads + head) * queries + column, column < queries);
      }
    } else {
      copyTile<COLUMNS>(to, k, ROW_STEP(${Operand.Key}), column0, keys, width);
      copyTile<COLUMNS>(to + TILE, v, ROW_STEP(${Operand.Value}), column0, keys, valueWidth);
    }
    copiesIssued();
  };
#if !KEYS
  /* The rows' logarithms and dots; read again for every tile, which spares registers. */
  float *const rowLogs = (float *)(memory + 2 * ROWS * STRIDE * BYTES + 2 * HALF), *const rowDots = rowLogs + ROWS;
  for (int r = (int)threadIdx.x; r < ROWS; r += THREADS) {
    const bool inside = row0 + r < queries;
    const i64 at = ((i64)batch * heads + part) * queries + row0 + r;
    rowLogs[r] = inside ? ((const float *)p.slots[${Slot.LogSum}])[at] * LOG2E : 0.0f;
    rowDots[r] = inside ? ((const float *)p.slots[${Slot.Dots}])[at] : 0.0f;
  }
#endif
  if (KEYS) {
    copyTile<ROWS>(left, k, ROW_STEP(${Operand.Key}), row0, keys, width);
    copyTile<ROWS>(left2, v, ROW_STEP(${Operand.Value}), row0, keys, valueWidth);
  } else {
    copyTile<ROWS>(left, ADDRESS(const E, ${Operand.Query}) + batch * STEP(${Operand.Query}, 0) + part * STEP(${Operand.Query}, 1),
                   ROW_STEP(${Operand.Query}), row0, queries, width);
    copyTile<ROWS>(left2, ADDRESS(const E, ${Operand.Out}) + batch * STEP(${Operand.Out}, 0) + part * STEP(${Operand.Out}, 1),
                   ROW_STEP(${Operand.Out}), row0, queries, valueWidth);
  }
  int column0 = from, head = KEYS ? shared * group : part;
  const int lastHead = KEYS ? head + group - 1 : part;
  u32 now = 0;
  if (from < end) fetch(right, head, column0);
  float sums[MT][HD / 8][4];
#if KEYS
  float sums2[MT][HD / 8][4];
#endif
#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int j = 0; j < HD / 8; j++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        sums[m][j][e] = 0;
#if KEYS
        sums2[m][j][e] = 0;
#endif
      }
    }
  }
  while (from < end && head <= lastHead) {
    copiesArrived();
    __syncthreads();
    int next = column0 + COLUMNS, nextHead = head;
    if (next >= end) {
      next = from;
      nextHead++;
    }
    if (nextHead <= lastHead) fetch(right + (HALF - now), nextHead, next);
    const u32 tileA = right + now, tileB = tileA + TILE;
    const float *line = (const float *)(memory + 2 * ROWS * STRIDE * BYTES + now + 2 * TILE);
    const Head here = headOf(p, batch, head);
    float s[MT][COLUMNS / 8][4], ds[MT][COLUMNS / 8][4];
    scoreTile(s, left, own, tileA, lane);
    scoreTile(ds, left2, own, tileB, lane);
    const bool edge = column0 + COLUMNS > columns || row0 + ROWS > rows ||
                      (causal && (KEYS ? column0 < row0 + own + MT * 16 : column0 + COLUMNS > row0 + own));
#pragma unroll
    for (int m = 0; m < MT; m++) {
#pragma unroll
      for (int j = 0; j < COLUMNS / 8; j++) {
#if DROPOUT && !KEYS
        u32 stays = 0;
#pragma unroll
        for (int r = 0; r < 2; r++) {
          const int near = row0 + own + m * 16 + lane / 4 + r * 8;
          stays |= keptPair(p, here, near, column0 + j * 8 + lane % 4 * 2) << 2 * r;
        }
#endif
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const int mine = own + m * 16 + lane / 4 + e / 2 * 8, near = j * 8 + lane % 4 * 2 + e % 2;
          const int row = row0 + mine, column = column0 + near;
#if KEYS
          const float log = line[near] * LOG2E, dot = line[COLUMNS + near];
#else
          const float log = rowLogs[mine], dot = rowDots[mine];
#endif
          const bool outside = edge && (row >= rows || column >= columns || (causal && (KEYS ? row > column : column > row)));
          float z = s[m][j][e] * scale2;
#if MASK
          if (row < rows && column < columns) z = masked(p, here, z, KEYS ? column : row, KEYS ? row : column);
#endif
          const float weight = outside ? 0.0f : power2(z - log);
#if DROPOUT
#if KEYS
          const bool stay = kept(p, here, column, row);
#else
          const bool stay = stays >> e & 1;
#endif
          const float share = stay ? inverse : 0.0f;
#else
          const float share = 1.0f;
#endif
          s[m][j][e] = weight * share;
          ds[m][j][e] = weight * (ds[m][j][e] * share - dot);
        }
      }
    }
#if KEYS
    weighTile(sums2, s, tileB, lane);
#endif
    weighTile(sums, ds, tileA, lane);
    now = HALF - now;
    column0 = next;
    head = nextHead;
  }
  /* Without tiles to walk over the rows' tiles may still be on their way. */
  copiesArrived();
  __syncthreads();
  float factors[MT][2];
#pragma unroll
  for (int m = 0; m < MT; m++) factors[m][0] = factors[m][1] = scale;
  const int first = row0 + own;
#if KEYS
  E *byKey = ADDRESS(E, ${Operand.ByKey}) + batch * STEP(${Operand.ByKey}, 0) + part * STEP(${Operand.ByKey}, 1);
  E *byValue = ADDRESS(E, ${Operand.ByValue}) + batch * STEP(${Operand.ByValue}, 0) + part * STEP(${Operand.ByValue}, 1);
  storeRows<MT>(sums, factors, (E *)memory + own * STRIDE, byKey, ROW_STEP(${Operand.ByKey}), first, keys, width, lane);
#pragma unroll
  for (int m = 0; m < MT; m++) factors[m][0] = factors[m][1] = 1.0f;
  storeRows<MT>(sums2, factors, (E *)memory + (ROWS + own) * STRIDE, byValue, ROW_STEP(${Operand.ByValue}), first, keys, valueWidth, lane);
#else
  E *byQuery = ADDRESS(E, ${Operand.ByQuery}) + batch * STEP(${Operand.ByQuery}, 0) + part * STEP(${Operand.ByQuery}, 1);
  storeRows<MT>(sums, factors, (E *)memory + own * STRIDE, byQuery, ROW_STEP(${Operand.ByQuery}), first, queries, width, lane);
#endif
}
`;

/** The source of one of the kernels; its entry point is `attention` or `gradient`. */
export function attentionSource(kernel: AttentionKernel, variant: AttentionVariant, tiling: Tiling): string {
  const defines = `
#define MT ${tiling.fragments}
#define COLUMNS ${tiling.columns}
#define KEYS ${kernel === "byKey" ? 1 : 0}
`;
  const types: Record<string, DType> = variant.mask === null ? {} : { M: variant.mask };
  const weigh = variant.dtype.itemsize === 4 ? WEIGH_FLOATS : WEIGH_HALVES;
  const body = kernel === "attention" ? FORWARD : BACKWARD;
  return kernelSource(types, attentionPrelude(variant) + tensorCores(variant.dtype) + defines + SCORES + weigh + body);
}
