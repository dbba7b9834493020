/**
 * CUDA C of normalisations over rows: each row is read once and written once, in both directions.
 *
 * The gradients of weight and bias are sums over rows, which the backward kernel takes along: its blocks walk over the rows,
 * every thread adds up what falls on the columns that it owns, and each block leaves one partial row; `columns` adds those
 * in a fixed order. Rows and how they are held: `rows.ts`.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { kernelSource } from "./common.ts";
import { type RowPlan, rowTools } from "./rows.ts";

/** Variants of the row kernels. */
export interface NormVariant {
  /** How a row is spread. */
  readonly plan: RowPlan;
  /** Whether the mean is subtracted. */
  readonly centred: boolean;
  /** Whether every column has its own factor; else one holds for a whole access. */
  readonly byColumn: boolean;
}

/** Threads of `columns`: 32 columns, and rows of partial sums side by side. */
export const COLUMN_THREADS = 256;

/** What the kernels of normalisations share: the dtypes' names and how factors are found. */
export function normTools({ plan, centred, byColumn }: NormVariant): string {
  return `${rowTools(plan)}
typedef X_value V;
#define CENTRED ${centred ? 1 : 0}
#define BY_COLUMN ${byColumn ? 1 : 0}
/* Operands are dense: their addresses alone lie where sizes and strides would. */
#define ADDRESS(T, k) ((T *)p.slots[SIZES + (k)])
/* The factors of an access: from 'at' on, or the one at 'at' for all. */
__device__ __forceinline__ Pack<V> factors(const W_stored *w, i64 at) {
  Pack<V> out;
#if BY_COLUMN
  const Pack<W_stored> a = *(const Pack<W_stored> *)(w + at);
  EACH_OF(e) out.e[e] = (V)W_load(a.e[e]);
#else
  const V v = (V)W_load(w[at]);
  EACH_OF(e) out.e[e] = v;
#endif
  return out;
}
/* Where a row's factors begin: they repeat after so many rows. */
__device__ __forceinline__ i64 firstFactor(const Params &p, i64 row) {
  return p.slots[2] == 1 ? 0 : (i64)((u32)row % (u32)p.slots[2]) * p.slots[3];
}
__device__ __forceinline__ V number(const Params &p, int slot) { return (V)__longlong_as_double(p.slots[slot]); }
`;
}

/**
 * Kernel `forward`. Own slots: 0 length of a row, 1 rows, 2 after how many rows factors repeat, 3 factors per row, 4
 * elements of a row that share a factor, 5 eps (a double). Operands: input `X`, weight and bias `W` (or 0), output `X`, mean, rstd, variance (or 0).
 */
export function normForwardSource(x: DType, w: DType, variant: NormVariant): string {
  return kernelSource(
    { X: x, W: w },
    `${normTools(variant)}
KERNEL(forward, THREADS) {
  __shared__ V shared[2][32];
  const i64 n = p.slots[0], row = (i64)blockIdx.x * TEAMS + threadIdx.x / TEAM;
  const int lane = threadIdx.x % TEAM;
  if (row >= p.slots[1]) return;
  const W_stored *w = ADDRESS(const W_stored, 1), *b = ADDRESS(const W_stored, 2);
  X_stored *out = ADDRESS(X_stored, 3) + row * n;
  Row<X_stored> xs;
  xs.stage(ADDRESS(const X_stored, 0) + row * n, n, lane, (Pack<X_stored> *)row_room);
  V mean = 0, sum = 0;
#if CENTRED
  EACH_PACK(k, j, n) {
    const Pack<X_stored> a = xs.get(k, j);
    EACH_OF(e) sum += X_load(a.e[e]);
  }
  mean = team<Add>(sum, shared[0]) / (V)n;
  sum = 0;
#endif
  EACH_PACK(k, j, n) {
    const Pack<X_stored> a = xs.get(k, j);
    EACH_OF(e) {
      const V d = X_load(a.e[e]) - mean;
      sum += d * d;
    }
  }
  const V variance = team<Add>(sum, shared[1]) / (V)n, rstd = 1 / sqrt(variance + number(p, 5));
  if (lane == 0) {
#if CENTRED
    ADDRESS(V, 4)[row] = mean;
#endif
    ADDRESS(V, 5)[row] = rstd;
    if (ADDRESS(V, 6)) ADDRESS(V, 6)[row] = variance;
  }
  const i64 base = firstFactor(p, row);
  const u32 run = (u32)p.slots[4];
  EACH_PACK(k, j, n) {
    const Pack<X_stored> a = xs.get(k, j);
    const i64 at = base + (BY_COLUMN ? (i64)j : (i64)((u32)j / run));
    Pack<V> v;
    EACH_OF(e) v.e[e] = (X_load(a.e[e]) - mean) * rstd;
    if (w) {
      const Pack<V> f = factors(w, at);
      EACH_OF(e) v.e[e] *= f.e[e];
    }
    if (b) {
      const Pack<V> f = factors(b, at);
      EACH_OF(e) v.e[e] += f.e[e];
    }
    Pack<X_stored> result;
    EACH_OF(e) result.e[e] = X_store(v.e[e]);
    *(Pack<X_stored> *)(out + j) = result;
  }
}
`,
  );
}

/**
 * Kernels `backward` and `columns`. Own slots as in {@linkcode normForwardSource}, and 5 the workspace of partial sums, 6
 * partial rows in it, 7 the reciprocal of the length (a double). Operands: gradient and input `X`, weight `W` (or 0), mean,
 * rstd, gradient by the input `X` (or 0), by weight and bias `W` (or 0).
 *
 * @param columns whether the sums for weight and bias are taken: rows in registers and a factor per column
 */
export function normBackwardSource(x: DType, w: DType, variant: NormVariant, columns: boolean): string {
  return kernelSource(
    { X: x, W: w },
    `${normTools(variant)}
#define COLUMNS ${columns ? 1 : 0}
KERNEL(backward, THREADS) {
  __shared__ V shared[2][2][32];
  const i64 n = p.slots[0], rows = p.slots[1];
  const int lane = threadIdx.x % TEAM, own = threadIdx.x / TEAM;
  const W_stored *w = ADDRESS(const W_stored, 2);
  X_stored *out = ADDRESS(X_stored, 5);
  const V scale = number(p, 7);
  const u32 run = (u32)p.slots[4];
#if COLUMNS
  V weights[ITEMS * VEC], biases[ITEMS * VEC];
#pragma unroll
  for (int i = 0; i < ITEMS * VEC; i++) weights[i] = biases[i] = 0;
#endif
  int turn = 0;
  /* All of a block's teams take as many turns, since they meet at barriers. */
  for (i64 first = (i64)blockIdx.x * TEAMS; first < rows; first += (i64)gridDim.x * TEAMS, turn ^= 1) {
    const i64 row = first + own;
    const bool inside = row < rows;
    const i64 known = inside ? row : rows - 1, from = known * n, base = firstFactor(p, known);
    Row<X_stored> gs, xs;
    gs.stage(ADDRESS(const X_stored, 0) + from, n, lane, (Pack<X_stored> *)row_room);
    xs.stage(ADDRESS(const X_stored, 1) + from, n, lane, (Pack<X_stored> *)row_room + n / VEC);
    const V mean = CENTRED ? ADDRESS(const V, 3)[known] : 0, rstd = ADDRESS(const V, 4)[known];
    V total = 0, product = 0;
    EACH_PACK(k, j, n) {
      const Pack<X_stored> g = gs.get(k, j), a = xs.get(k, j);
      Pack<V> f;
      EACH_OF(e) f.e[e] = 1;
      if (w) f = factors(w, base + (BY_COLUMN ? (i64)j : (i64)((u32)j / run)));
      EACH_OF(e) {
        const V grad = X_load(g.e[e]), unit = (X_load(a.e[e]) - mean) * rstd;
        total += grad * f.e[e];
        product += grad * f.e[e] * unit;
#if COLUMNS
        if (inside) {
          weights[k * VEC + e] += grad * unit;
          biases[k * VEC + e] += grad;
        }
#endif
      }
    }
    if (out == 0) continue;
    total = CENTRED ? team<Add>(total, shared[turn][0]) * scale : 0;
    product = team<Add>(product, shared[turn][1]) * scale;
    EACH_PACK(k, j, n) {
      const Pack<X_stored> g = gs.get(k, j), a = xs.get(k, j);
      Pack<V> f;
      EACH_OF(e) f.e[e] = 1;
      if (w) f = factors(w, base + (BY_COLUMN ? (i64)j : (i64)((u32)j / run)));
      Pack<X_stored> result;
      EACH_OF(e) {
        const V unit = (X_load(a.e[e]) - mean) * rstd;
        result.e[e] = X_store((X_load(g.e[e]) * f.e[e] - total - unit * product) * rstd);
      }
      if (inside) *(Pack<X_stored> *)(out + from + j) = result;
    }
  }
#if COLUMNS
  V *partial = (V *)p.slots[5] + (i64)blockIdx.x * n, *partial_bias = partial + (i64)gridDim.x * n;
#if TEAMS > 1
  /* The teams' sums one after the other, so that the order is always the same. */
  __shared__ V columns[2][TEAM * ITEMS * VEC];
  for (int t = 0; t < TEAMS; t++) {
    if (own == t) {
      EACH_PACK(k, j, n) EACH_OF(e) {
        columns[0][j + e] = weights[k * VEC + e] + (t > 0 ? columns[0][j + e] : 0);
        columns[1][j + e] = biases[k * VEC + e] + (t > 0 ? columns[1][j + e] : 0);
      }
    }
    __syncthreads();
  }
  for (int j = threadIdx.x; j < n; j += THREADS) {
    partial[j] = columns[0][j];
    partial_bias[j] = columns[1][j];
  }
#else
  EACH_PACK(k, j, n) EACH_OF(e) {
    partial[j + e] = weights[k * VEC + e];
    partial_bias[j + e] = biases[k * VEC + e];
  }
#endif
#endif
}
KERNEL(columns, ${COLUMN_THREADS}) {
  __shared__ V sums[2][${COLUMN_THREADS / 32}][32];
  const i64 n = p.slots[0], parts = p.slots[6], column = (i64)blockIdx.x * 32 + threadIdx.x % 32;
  const int first = threadIdx.x / 32;
  const V *partial = (const V *)p.slots[5];
  V weight = 0, bias = 0;
  if (column < n) {
#pragma unroll 4
    for (i64 i = first; i < parts; i += ${COLUMN_THREADS / 32}) {
      weight += partial[i * n + column];
      bias += partial[(parts + i) * n + column];
    }
  }
  sums[0][first][threadIdx.x % 32] = weight;
  sums[1][first][threadIdx.x % 32] = bias;
  __syncthreads();
  if (first > 0 || column >= n) return;
  for (int i = 1; i < ${COLUMN_THREADS / 32}; i++) {
    weight += sums[0][i][threadIdx.x];
    bias += sums[1][i][threadIdx.x];
  }
  if (ADDRESS(W_stored, 6)) ADDRESS(W_stored, 6)[column] = W_store((W_value)weight);
  if (ADDRESS(W_stored, 7)) ADDRESS(W_stored, 7)[column] = W_store((W_value)bias);
}
`,
  );
}
