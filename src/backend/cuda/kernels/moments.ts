/**
 * CUDA C of means and variances of groups, in one reading.
 *
 * Every thread keeps a count, a mean and a sum of squared differences from it, and such triples are merged (Chan, Golub and
 * LeVeque, 1979): as exact as a second pass over the data, whatever the mean is. Groups are planes of `[outer, groups, run]`;
 * with a run of 1 they are columns, and neighbouring threads take neighbouring columns.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { kernelSource } from "./common.ts";

/** Threads of a block. */
export const MOMENT_THREADS = 256;
/** Columns, or vectors of them, that a block has side by side. */
export const MOMENT_COLUMNS = 32;

/**
 * Kernels `planes` (a block per group and share), `columns` (blocks of columns, by share) and `finish` (a warp per group).
 * Own slots: 0 outer, 1 groups, 2 run, 3 shares, 4 workspace of `[share][group]` triples, 5 eps (a double). Addresses in
 * the slots of sizes: input `X`, mean, rstd, variance (or 0).
 *
 * @param vector elements per access: they divide the run, or the groups where the run is 1
 */
export function momentsSource(x: DType, vector: number): string {
  const height = MOMENT_THREADS / MOMENT_COLUMNS, warps = MOMENT_THREADS / 32;
  return kernelSource(
    { X: x },
    `#define VEC ${vector}
#define ADDRESS(T, k) ((T *)p.slots[SIZES + (k)])
typedef X_value V;
struct alignas(sizeof(X_stored) * VEC < 16 ? sizeof(X_stored) * VEC : 16) Pack { X_stored e[VEC]; };
struct Moments { V n, mean, squares; };
__device__ __forceinline__ void merge(Moments &a, const Moments &b) {
  if (b.n == 0) return;
  const V n = a.n + b.n, share = b.n / n, d = b.mean - a.mean;
  a.mean += d * share;
  a.squares += b.squares + d * d * a.n * share;
  a.n = n;
}
__device__ __forceinline__ Moments warp(Moments a) {
#pragma unroll
  for (int s = 16; s > 0; s /= 2) {
    Moments b;
    b.n = __shfl_down_sync(0xffffffffu, a.n, s);
    b.mean = __shfl_down_sync(0xffffffffu, a.mean, s);
    b.squares = __shfl_down_sync(0xffffffffu, a.squares, s);
    merge(a, b);
  }
  return a;
}
KERNEL(planes, ${MOMENT_THREADS}) {
  __shared__ Moments shared[${warps}];
  const i64 group = blockIdx.x, groups = p.slots[1], run = p.slots[2];
  const u32 packs = (u32)(run / VEC), all = (u32)p.slots[0] * packs;
  const u32 share = (all + gridDim.y - 1) / gridDim.y, first = blockIdx.y * share;
  const u32 end = all - first < share ? all : first + share;
  const X_stored *x = ADDRESS(const X_stored, 0) + group * run;
  Moments m = {0, 0, 0};
#pragma unroll 2
  for (u32 i = first + threadIdx.x; i < end; i += ${MOMENT_THREADS}) {
    const u32 outer = i / packs, at = i - outer * packs;
    const Pack a = *(const Pack *)(x + (i64)outer * groups * run + (i64)at * VEC);
    Moments b = {VEC, 0, 0};
#pragma unroll
    for (int e = 0; e < VEC; e++) b.mean += X_load(a.e[e]);
    b.mean /= VEC;
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      const V d = X_load(a.e[e]) - b.mean;
      b.squares += d * d;
    }
    merge(m, b);
  }
  m = warp(m);
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = m;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int i = 1; i < ${warps}; i++) merge(m, shared[i]);
  ((Moments *)p.slots[4])[blockIdx.y * groups + group] = m;
}
KERNEL(columns, ${MOMENT_THREADS}) {
  __shared__ Moments shared[${height}][${MOMENT_COLUMNS} * VEC];
  const i64 groups = p.slots[1], outer = p.slots[0];
  const int lane = threadIdx.x % ${MOMENT_COLUMNS}, row = threadIdx.x / ${MOMENT_COLUMNS};
  const i64 column = ((i64)blockIdx.x * ${MOMENT_COLUMNS} + lane) * VEC;
  const i64 share = (outer + gridDim.y - 1) / gridDim.y, first = blockIdx.y * share;
  const i64 end = outer < first + share ? outer : first + share;
  const X_stored *x = ADDRESS(const X_stored, 0) + (column < groups ? column : 0);
  V n = 0, mean[VEC], squares[VEC];
#pragma unroll
  for (int e = 0; e < VEC; e++) mean[e] = squares[e] = 0;
#pragma unroll 4
  for (i64 r = first + row; r < end; r += ${height}) {
    const Pack a = *(const Pack *)(x + r * groups);
    n += 1;
    const V share = 1 / n;
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      const V v = X_load(a.e[e]), d = v - mean[e];
      mean[e] += d * share;
      squares[e] += d * (v - mean[e]);
    }
  }
#pragma unroll
  for (int e = 0; e < VEC; e++) shared[row][lane * VEC + e] = {n, mean[e], squares[e]};
  __syncthreads();
  for (int c = threadIdx.x; c < ${MOMENT_COLUMNS} * VEC; c += ${MOMENT_THREADS}) {
    const i64 group = (i64)blockIdx.x * ${MOMENT_COLUMNS} * VEC + c;
    if (group >= groups) break;
    Moments m = shared[0][c];
    for (int i = 1; i < ${height}; i++) merge(m, shared[i][c]);
    ((Moments *)p.slots[4])[blockIdx.y * groups + group] = m;
  }
}
KERNEL(finish, ${MOMENT_THREADS}) {
  const i64 groups = p.slots[1], group = (i64)blockIdx.x * ${warps} + threadIdx.x / 32;
  if (group >= groups) return;
  Moments m = {0, 0, 0};
  for (i64 i = threadIdx.x % 32; i < p.slots[3]; i += 32) merge(m, ((const Moments *)p.slots[4])[i * groups + group]);
  m = warp(m);
  if (threadIdx.x % 32 > 0) return;
  const V variance = m.squares / m.n;
  ADDRESS(V, 1)[group] = m.mean;
  ADDRESS(V, 2)[group] = 1 / sqrt(variance + (V)__longlong_as_double(p.slots[5]));
  if (ADDRESS(V, 3)) ADDRESS(V, 3)[group] = variance;
}
`,
  );
}
