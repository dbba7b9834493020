/**
 * CUDA C of counting and listing what is not zero.
 *
 * Each block counts a chunk; one thread turns the counts into positions; then each block lists its chunk, its threads
 * finding their places by a scan in shared memory. The order is row-major.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { kernelSource } from "./common.ts";

/** Threads of a block. */
export const NONZERO_THREADS = 256;

/**
 * Kernels `count`, `prefix` and `list`. Own slots: 0 elements, 1 merged dims, 2 chunk length, 3 chunks, 4 counts (one
 * more than chunks: the total is last), 5 dims of the coordinates, 6 and 7 strides of the output. Operand 0: input `X`.
 * Operand 2 holds the unmerged sizes as strides.
 */
export function nonzeroSource(x: DType): string {
  return kernelSource(
    { X: x },
    `
__device__ __forceinline__ bool at(const Params &p, i64 i) {
  return X_load(POINTER(const X_stored, 0)[offsetOf(p, i, (int)p.slots[1], 0)]) != 0;
}
KERNEL(count) {
  __shared__ i64 sums[${NONZERO_THREADS}];
  const int t = threadIdx.x;
  const i64 first = blockIdx.x * p.slots[2], bound = first + p.slots[2];
  const i64 end = bound < p.slots[0] ? bound : p.slots[0];
  i64 sum = 0;
  for (i64 i = first + t; i < end; i += ${NONZERO_THREADS}) sum += at(p, i);
  sums[t] = sum;
  __syncthreads();
  for (int s = ${NONZERO_THREADS / 2}; s > 0; s /= 2) {
    if (t < s) sums[t] += sums[t + s];
    __syncthreads();
  }
  if (t == 0) ((i64 *)p.slots[4])[blockIdx.x] = sums[0];
}
KERNEL(prefix) {
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    i64 *counts = (i64 *)p.slots[4], sum = 0;
    for (i64 c = 0; c < p.slots[3]; c++) {
      const i64 here = counts[c];
      counts[c] = sum;
      sum += here;
    }
    counts[p.slots[3]] = sum;
  }
}
KERNEL(list) {
  __shared__ int places[${NONZERO_THREADS}];
  const int t = threadIdx.x;
  const i64 first = blockIdx.x * p.slots[2], bound = first + p.slots[2];
  const i64 end = bound < p.slots[0] ? bound : p.slots[0];
  i64 row = ((const i64 *)p.slots[4])[blockIdx.x];
  for (i64 start = first; start < end; start += ${NONZERO_THREADS}) {
    const i64 i = start + t;
    const bool here = i < end && at(p, i);
    places[t] = here;
    __syncthreads();
    for (int s = 1; s < ${NONZERO_THREADS}; s *= 2) {
      const int before = t >= s ? places[t - s] : 0;
      __syncthreads();
      places[t] += before;
      __syncthreads();
    }
    if (here) {
      i64 *out = POINTER(i64, 1) + (row + places[t] - 1) * p.slots[6], rest = i;
      for (int d = (int)p.slots[5] - 1; d >= 0; d--) {
        const i64 size = p.slots[AT(2) + 1 + d];
        out[d * p.slots[7]] = rest % size;
        rest /= size;
      }
    }
    row += places[${NONZERO_THREADS - 1}];
    __syncthreads();
  }
}
`,
  );
}
