/**
 * CUDA C of softmax over contiguous rows, and its gradient.
 *
 * A block takes a row: its threads keep partial results, which warps combine by shuffles and the block through shared
 * memory. Values are computed in float, or double for float64.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { COMBINERS, kernelSource } from "./common.ts";

/** Threads of a block at most. */
export const ROW_THREADS = 512;

/**
 * Kernels `softmax` and `gradient`. Own slots: 0 length of a row, 1 whether it is the logarithm. Operands: input
 * (`gradient`: of the output) `X`, output `Y`, and for `gradient` the result `X`.
 */
export function softmaxSource(x: DType, y: DType): string {
  return kernelSource(
    { X: x, Y: y },
    `${COMBINERS}
typedef Y_value V;
/* Every thread's value combined, in every thread. */
template <bool MAXIMUM> __device__ __forceinline__ V combine(V v, V *shared) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  for (int s = 16; s > 0; s /= 2) {
    const V other = __shfl_xor_sync(0xffffffffu, v, s);
    v = MAXIMUM ? larger(v, other) : v + other;
  }
  if (lane == 0) shared[warp] = v;
  __syncthreads();
  v = shared[0];
  for (int w = 1; w < warps; w++) v = MAXIMUM ? larger(v, shared[w]) : v + shared[w];
  __syncthreads();
  return v;
}
KERNEL(softmax) {
  __shared__ V shared[32];
  const i64 n = p.slots[0];
  const X_stored *x = POINTER(const X_stored, 0) + blockIdx.x * n;
  Y_stored *y = POINTER(Y_stored, 1) + blockIdx.x * n;
  V top = -crInf<V>(), sum = 0;
  for (i64 j = threadIdx.x; j < n; j += blockDim.x) top = larger(top, (V)X_load(x[j]));
  top = combine<true>(top, shared);
  for (i64 j = threadIdx.x; j < n; j += blockDim.x) sum += exp((V)X_load(x[j]) - top);
  sum = combine<false>(sum, shared);
  if (p.slots[1]) {
    const V base = top + log(sum);
    for (i64 j = threadIdx.x; j < n; j += blockDim.x) y[j] = Y_store((V)X_load(x[j]) - base);
  } else {
    const V scale = 1 / sum;
    for (i64 j = threadIdx.x; j < n; j += blockDim.x) y[j] = Y_store(exp((V)X_load(x[j]) - top) * scale);
  }
}
KERNEL(gradient) {
  __shared__ V shared[32];
  const i64 n = p.slots[0];
  const X_stored *g = POINTER(const X_stored, 0) + blockIdx.x * n;
  const Y_stored *y = POINTER(const Y_stored, 1) + blockIdx.x * n;
  X_stored *out = POINTER(X_stored, 2) + blockIdx.x * n;
  V sum = 0;
  for (i64 j = threadIdx.x; j < n; j += blockDim.x) {
    sum += p.slots[1] ? (V)X_load(g[j]) : (V)X_load(g[j]) * Y_load(y[j]);
  }
  sum = combine<false>(sum, shared);
  for (i64 j = threadIdx.x; j < n; j += blockDim.x) {
    const V grad = X_load(g[j]), value = Y_load(y[j]);
    out[j] = X_store(p.slots[1] ? grad - exp(value) * sum : value * (grad - sum));
  }
}
`,
  );
}
