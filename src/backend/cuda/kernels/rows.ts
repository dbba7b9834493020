/**
 * CUDA C of kernels over contiguous rows: how a row is held, and softmax with its gradient.
 *
 * A team of threads (a warp, or a block) takes a row and reads it once, 16 bytes at a time where rows are aligned: a row
 * stays in registers if it fits, else in shared memory, and only the longest are read again. Sums go by shuffles and, over
 * warps, shared memory. Values are computed in float, or double for float64.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { COMBINERS, kernelSource } from "./common.ts";

/** How rows are spread over threads; a part of a kernel's source. */
export interface RowPlan {
  /** Elements per access. */
  readonly vector: number;
  /** Accesses per thread and row, where rows are held in registers. */
  readonly items: number;
  /** Threads per row: a power of two from 32 on. */
  readonly team: number;
  /** Threads per block, a multiple of `team`; more than one team only where rows are held in registers. */
  readonly threads: number;
  /** Where a row stays after it was read. */
  readonly keep: "registers" | "shared" | "global";
}

const STRUCT: Readonly<Record<RowPlan["keep"], string>> = {
  registers: `template <typename T> struct Row {
  Pack<T> own[ITEMS];
  __device__ __forceinline__ void stage(const T *p, i64 n, int lane, Pack<T> *) {
    EACH_PACK(k, j, n) own[k] = *(const Pack<T> *)(p + j);
  }
  __device__ __forceinline__ Pack<T> get(int k, i64) const { return own[k]; }
};`,
  shared: `template <typename T> struct Row {
  Pack<T> *own;
  /* Four reads at once; a thread later reads only what it wrote. */
  __device__ __forceinline__ void stage(const T *p, i64 n, int lane, Pack<T> *room) {
    own = room;
    const i64 packs = n / VEC;
    for (i64 k = lane; k < packs; k += 4 * TEAM) {
      Pack<T> a[4];
#pragma unroll
      for (int u = 0; u < 4; u++) if (k + u * TEAM < packs) a[u] = ((const Pack<T> *)p)[k + u * TEAM];
#pragma unroll
      for (int u = 0; u < 4; u++) if (k + u * TEAM < packs) own[k + u * TEAM] = a[u];
    }
  }
  __device__ __forceinline__ Pack<T> get(i64 k, i64) const { return own[k]; }
};`,
  global: `template <typename T> struct Row {
  const T *own;
  __device__ __forceinline__ void stage(const T *p, i64, int, Pack<T> *) { own = p; }
  __device__ __forceinline__ Pack<T> get(i64, i64 j) const { return *(const Pack<T> *)(own + j); }
};`,
};

/** C text of a plan: `Pack`, `Row`, `EACH_PACK`, and `team<Op>(value, shared)`, which combines a value over a row's threads. */
export function rowTools(plan: RowPlan): string {
  const each = plan.keep === "registers"
    ? `_Pragma("unroll") for (int k = 0, j = lane * VEC; k < ITEMS; k++, j += TEAM * VEC) if (j < n)`
    : `for (i64 k = lane, j = lane * VEC; j < n; k += TEAM, j += TEAM * VEC)`;
  return `${COMBINERS}
#define VEC ${plan.vector}
#define ITEMS ${plan.items}
#define TEAM ${plan.team}
#define THREADS ${plan.threads}
#define TEAMS (THREADS / TEAM)
#define WARPS (TEAM / 32)
#define REGISTERS ${plan.keep === "registers" ? 1 : 0}
#define EACH_PACK(k, j, n) ${each}
#define EACH_OF(e) _Pragma("unroll") for (int e = 0; e < VEC; e++)
template <typename T> struct alignas(sizeof(T) * VEC < 16 ? sizeof(T) * VEC : 16) Pack { T e[VEC]; };
${STRUCT[plan.keep]}
struct Add { template <typename V> static __device__ __forceinline__ V of(V a, V b) { return a + b; } };
struct Larger { template <typename V> static __device__ __forceinline__ V of(V a, V b) { return larger(a, b); } };
/* A value of each thread of a team combined, in all of them; 'shared' holds one per warp of the block. */
template <typename Op, typename V> __device__ __forceinline__ V team(V v, V *shared) {
#pragma unroll
  for (int s = 16; s > 0; s /= 2) v = Op::of(v, __shfl_xor_sync(0xffffffffu, v, s));
#if TEAM > 32
  const int warp = threadIdx.x / 32;
  if (threadIdx.x % 32 == 0) shared[warp] = v;
  __syncthreads();
  v = shared[warp / WARPS * WARPS + threadIdx.x % WARPS];
#pragma unroll
  for (int s = WARPS / 2; s > 0; s /= 2) v = Op::of(v, __shfl_xor_sync(0xffffffffu, v, s));
#endif
  return v;
}
extern __shared__ uint4 row_room[];
`;
}

/**
 * Kernels `softmax` and `gradient`. Own slots: 0 length of a row, 1 whether it is the logarithm, 2 rows. Operands: input
 * (`gradient`: of the output) and output, and for `gradient` the result, all of dtype `X`.
 */
export function softmaxSource(x: DType, plan: RowPlan): string {
  return kernelSource(
    { X: x },
    `${rowTools(plan)}
typedef X_value V;
KERNEL(softmax, THREADS) {
  __shared__ V shared[2][32];
  const i64 n = p.slots[0], row = (i64)blockIdx.x * TEAMS + threadIdx.x / TEAM;
  const int lane = threadIdx.x % TEAM;
  if (row >= p.slots[2]) return;
  const X_stored *x = POINTER(const X_stored, 0) + row * n;
  X_stored *y = POINTER(X_stored, 1) + row * n;
  Row<X_stored> xs;
  xs.stage(x, n, lane, (Pack<X_stored> *)row_room);
  V top = -crInf<V>(), sum = 0;
  EACH_PACK(k, j, n) {
    const Pack<X_stored> a = xs.get(k, j);
    EACH_OF(e) top = larger(top, (V)X_load(a.e[e]));
  }
  top = team<Larger>(top, shared[0]);
#if REGISTERS
  V powers[ITEMS * VEC];
#endif
  EACH_PACK(k, j, n) {
    const Pack<X_stored> a = xs.get(k, j);
    EACH_OF(e) {
      const V power = exp((V)X_load(a.e[e]) - top);
#if REGISTERS
      powers[k * VEC + e] = power;
#endif
      sum += power;
    }
  }
  sum = team<Add>(sum, shared[1]);
  const bool logarithm = p.slots[1] != 0;
  const V scale = logarithm ? top + log(sum) : 1 / sum;
  EACH_PACK(k, j, n) {
    const Pack<X_stored> a = xs.get(k, j);
    Pack<X_stored> out;
    EACH_OF(e) {
      const V v = X_load(a.e[e]);
#if REGISTERS
      out.e[e] = X_store(logarithm ? v - scale : powers[k * VEC + e] * scale);
#else
      out.e[e] = X_store(logarithm ? v - scale : exp(v - top) * scale);
#endif
    }
    *(Pack<X_stored> *)(y + j) = out;
  }
}
KERNEL(gradient, THREADS) {
  __shared__ V shared[32];
  const i64 n = p.slots[0], row = (i64)blockIdx.x * TEAMS + threadIdx.x / TEAM;
  const int lane = threadIdx.x % TEAM;
  if (row >= p.slots[2]) return;
  X_stored *out = POINTER(X_stored, 2) + row * n;
  const bool logarithm = p.slots[1] != 0;
  Row<X_stored> gs, ys;
  gs.stage(POINTER(const X_stored, 0) + row * n, n, lane, (Pack<X_stored> *)row_room);
  ys.stage(POINTER(const X_stored, 1) + row * n, n, lane, (Pack<X_stored> *)row_room + n / VEC);
  V sum = 0;
  EACH_PACK(k, j, n) {
    const Pack<X_stored> g = gs.get(k, j), y = ys.get(k, j);
    EACH_OF(e) sum += logarithm ? (V)X_load(g.e[e]) : (V)X_load(g.e[e]) * (V)X_load(y.e[e]);
  }
  sum = team<Add>(sum, shared);
  EACH_PACK(k, j, n) {
    const Pack<X_stored> g = gs.get(k, j), y = ys.get(k, j);
    Pack<X_stored> result;
    EACH_OF(e) {
      const V grad = X_load(g.e[e]), value = X_load(y.e[e]);
      result.e[e] = X_store(logarithm ? grad - exp(value) * sum : value * (grad - sum));
    }
    *(Pack<X_stored> *)(out + j) = result;
  }
}
`,
  );
}
