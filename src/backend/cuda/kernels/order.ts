/**
 * CUDA C of sorting and searching.
 *
 * Rows become 64-bit keys whose unsigned order is the wanted one, with 32-bit places, padded to a power of two, and pass
 * through a bitonic network: stretches of {@linkcode TILE} inside a block's shared memory, longer steps in global memory.
 * Places break ties, so the sort is stable.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { kernelSource, SORT_KEY } from "./common.ts";

/** Elements that a block sorts in shared memory. */
export const TILE = 1024;

/**
 * Kernel `fill`. Own slots: 0 rows × padded, 1 padded, 2 length, 3 dims, 4 step along the row, 5 keys, 6 places,
 * 7 whether to descend, 8 what is added to negative values. Operand: input `X`.
 */
export function fillSource(x: DType): string {
  return kernelSource(
    { X: x },
    `${SORT_KEY}
KERNEL(fill) {
  EACH(i, p.slots[0]) {
    const i64 row = i / p.slots[1], j = i % p.slots[1];
    u64 key = ~0ull;
    if (j < p.slots[2]) {
      X_value v = X_load((POINTER(const X_stored, 0) + offsetOf(p, row, (int)p.slots[3], 0))[j * p.slots[4]]);
      if (p.slots[8] != 0 && v < 0) v = (X_value)(v + (X_value)p.slots[8]);
      key = keyOf(v);
      if (p.slots[7]) key = ~key;
    }
    ((u64 *)p.slots[5])[i] = key;
    ((u32 *)p.slots[6])[i] = (u32)j;
  }
}
`,
  );
}

/**
 * Kernels `tile` (sorts each tile), `step` (one step of a longer network) and `merge` (the steps that fit a tile). Own
 * slots: 0 pairs, 1 padded, 2 size, 3 stride, 5 keys, 6 places.
 */
export function bitonicSource(): string {
  return kernelSource(
    {},
    `
__device__ __forceinline__ void exchange(u64 &ka, u64 &kb, u32 &ia, u32 &ib, bool up) {
  const bool after = ka > kb || (ka == kb && ia > ib);
  if (after == up) {
    const u64 k = ka;
    ka = kb;
    kb = k;
    const u32 i = ia;
    ia = ib;
    ib = i;
  }
}
/* Steps of the sizes from 'size' to 'last' on a tile in shared memory, strides at most half a tile. */
__device__ __forceinline__ void network(const Params &p, i64 size, i64 last, u64 *sk, u32 *si) {
  const i64 first = (i64)blockIdx.x * ${TILE};
  const int t = threadIdx.x;
  u64 *keys = (u64 *)p.slots[5] + first;
  u32 *places = (u32 *)p.slots[6] + first;
  for (int half = 0; half < 2; half++) {
    sk[t + half * ${TILE / 2}] = keys[t + half * ${TILE / 2}];
    si[t + half * ${TILE / 2}] = places[t + half * ${TILE / 2}];
  }
  __syncthreads();
  for (; size <= last; size *= 2) {
    for (int stride = (int)(size / 2 < ${TILE / 2} ? size / 2 : ${TILE / 2}); stride > 0; stride /= 2) {
      const int a = t / stride * stride * 2 + t % stride;
      const bool up = ((first + a) % p.slots[1] & size) == 0;
      exchange(sk[a], sk[a + stride], si[a], si[a + stride], up);
      __syncthreads();
    }
  }
  for (int half = 0; half < 2; half++) {
    keys[t + half * ${TILE / 2}] = sk[t + half * ${TILE / 2}];
    places[t + half * ${TILE / 2}] = si[t + half * ${TILE / 2}];
  }
}
KERNEL(tile) {
  __shared__ u64 sk[${TILE}];
  __shared__ u32 si[${TILE}];
  network(p, 2, p.slots[1] < ${TILE} ? p.slots[1] : ${TILE}, sk, si);
}
KERNEL(merge) {
  __shared__ u64 sk[${TILE}];
  __shared__ u32 si[${TILE}];
  network(p, p.slots[2], p.slots[2], sk, si);
}
KERNEL(step) {
  u64 *keys = (u64 *)p.slots[5];
  u32 *places = (u32 *)p.slots[6];
  const i64 stride = p.slots[3];
  EACH(i, p.slots[0]) {
    const i64 a = i / stride * stride * 2 + i % stride, b = a + stride;
    const bool up = (a % p.slots[1] & p.slots[2]) == 0;
    exchange(keys[a], keys[b], places[a], places[b], up);
  }
}
`,
  );
}

/**
 * Kernel `take`. Own slots: 0 rows × kept, 1 padded, 2 kept, 3 dims, 4 to 6 steps of the operands along the row, 7
 * places. Operands: input `X`, values, places.
 */
export function takeSource(x: DType): string {
  return kernelSource(
    { X: x },
    `
KERNEL(take) {
  const int n = (int)p.slots[3];
  EACH(i, p.slots[0]) {
    const i64 row = i / p.slots[2], j = i % p.slots[2];
    const i64 from = ((const u32 *)p.slots[7])[row * p.slots[1] + j];
    POINTER(X_stored, 1)[offsetOf(p, row, n, 1) + j * p.slots[5]] =
        POINTER(const X_stored, 0)[offsetOf(p, row, n, 0) + from * p.slots[4]];
    POINTER(i64, 2)[offsetOf(p, row, n, 2) + j * p.slots[6]] = from;
  }
}
`,
  );
}

/**
 * Kernel `search`, a thread per value. Own slots: 0 values, 1 length, 2 dims, 3 step along the sorted row, 4 whether to
 * the right of equals. Operands: sorted `X` (its strides over the values' dimensions), values `Y`, results.
 */
export function searchSource(x: DType, y: DType): string {
  return kernelSource(
    { X: x, Y: y },
    `${SORT_KEY}
KERNEL(search) {
  const int n = (int)p.slots[2];
  EACH(i, p.slots[0]) {
    const X_stored *row = POINTER(const X_stored, 0) + offsetOf(p, i, n, 0);
    const u64 v = keyOf(Y_load(POINTER(const Y_stored, 1)[offsetOf(p, i, n, 1)]));
    i64 low = 0, high = p.slots[1];
    while (low < high) {
      const i64 middle = (low + high) / 2;
      const u64 k = keyOf(X_load(row[middle * p.slots[3]]));
      if (k < v || (p.slots[4] && k == v)) low = middle + 1;
      else high = middle;
    }
    POINTER(i64, 2)[offsetOf(p, i, n, 2)] = low;
  }
}
`,
  );
}
