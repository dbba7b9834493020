/**
 * CUDA C of running combinations and of positions of extreme values.
 *
 * A block scans a chunk of a line, 1,024 elements at a time (four per thread, by shuffles in a warp, over the warps through
 * shared memory), and carries the last value on. Lines of several chunks take three kernels: each chunk's total, the totals of the chunks before, and the scan that starts from them. Sums, products
 * and log-sum-exps of floats are carried in double, as on the CPU.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { isFloat, kindOf } from "../../../expr/kind.ts";
import type { ScanKind } from "../../backend.ts";
import { COMBINERS, kernelSource } from "./common.ts";

/** Threads of a block. */
export const SCAN_THREADS = 256;
/** Elements that a thread of a scan takes at a time. */
const ITEMS = 4;

function startOf(kind: ScanKind, float: boolean): string {
  switch (kind) {
    case "sum":
      return "0";
    case "prod":
      return "1";
    case "max":
      return float ? "-crInf<A>()" : "(A)0x8000000000000000ull";
    case "min":
      return float ? "crInf<A>()" : "(A)0x7fffffffffffffffull";
    case "logsumexp":
      return "-crInf<A>()";
  }
}

/** The body of `join(a, ia, b, ib)`: the value and place of `a` followed by `b`, into `a` and `ia`. */
function joinOf(kind: ScanKind, float: boolean): string {
  switch (kind) {
    case "sum":
      return float ? "a += b;" : "a = (A)((u64)a + (u64)b);";
    case "prod":
      return float ? "a *= b;" : "a = (A)((u64)a * (u64)b);";
    case "logsumexp":
      return `if (isNaN(a) || isNaN(b)) { a = a + b; return; }
  const A top = a > b ? a : b, low = a > b ? b : a;
  a = top == low && (top == crInf<A>() || top == -crInf<A>()) ? top : top + log1p(exp(low - top));`;
    case "max":
    case "min":
      // The latest of equals, and of NaNs; an empty side (place -1) never wins.
      return `const bool take = ib >= 0 && (ia < 0 || isNaN(b) || (!isNaN(a) && ${
        kind === "max" ? "b >= a" : "b <= a"
      }));
  if (take) { a = b; ia = ib; }`;
  }
}

/**
 * Kernels `totals`, `prefix`, `run`. Own slots: 0 lines, 1 length, 2 dims of a line's position, 3 chunks, 4 chunk length,
 * 5 chunk totals, 6 their places, 7 steps along the line of operands 0, 1 and 2 (7, 8, 9), 10 whether places are written.
 * Operands: input `X`, output `Y`, places.
 */
export function scanSource(kind: ScanKind, x: DType, y: DType): string {
  const extreme = kind === "max" || kind === "min";
  const float = isFloat(kindOf(y));
  const type = !float ? "i64" : extreme ? "Y_value" : "double";
  return kernelSource(
    { X: x, Y: y },
    `${COMBINERS}
typedef ${type} A;
__device__ __forceinline__ void join(A &a, i64 &ia, A b, i64 ib) {
  ${joinOf(kind, float)}
}
/* Scans a chunk from a carried value; writes elements where 'writing'; leaves the last value in the carry. */
__device__ __forceinline__ void chunkOf(const Params &p, i64 line, i64 chunk, A *sv, i64 *si, A &carry, i64 &carried, bool writing) {
  const int n = (int)p.slots[2], t = threadIdx.x, lane = t % 32, warp = t / 32;
  const X_stored *x = POINTER(const X_stored, 0) + offsetOf(p, line, n, 0);
  Y_stored *y = POINTER(Y_stored, 1) + offsetOf(p, line, n, 1);
  i64 *places = p.slots[10] ? POINTER(i64, 2) + offsetOf(p, line, n, 2) : 0;
  const i64 first = chunk * p.slots[4], bound = first + p.slots[4], end = bound < p.slots[1] ? bound : p.slots[1];
  for (i64 start = first; start < end; start += ${SCAN_THREADS * ITEMS}) {
    A v[${ITEMS}];
    i64 at[${ITEMS}];
#pragma unroll
    for (int k = 0; k < ${ITEMS}; k++) {
      const i64 j = start + t * ${ITEMS} + k;
      v[k] = ${startOf(kind, float)};
      at[k] = -1;
      if (j < end) {
        v[k] = (A)X_load(x[j * p.slots[7]]);
        at[k] = j;
      }
    }
    /* Within the thread, the warp, the block: what a place holds becomes what comes before it and itself. */
#pragma unroll
    for (int k = 1; k < ${ITEMS}; k++) {
      A a = v[k - 1];
      i64 ia = at[k - 1];
      join(a, ia, v[k], at[k]);
      v[k] = a;
      at[k] = ia;
    }
    A all = v[${ITEMS - 1}];
    i64 all_at = at[${ITEMS - 1}];
#pragma unroll
    for (int s = 1; s < 32; s *= 2) {
      A a = __shfl_up_sync(0xffffffffu, all, s);
      i64 ia = __shfl_up_sync(0xffffffffu, all_at, s);
      if (lane >= s) {
        join(a, ia, all, all_at);
        all = a;
        all_at = ia;
      }
    }
    if (lane == 31) {
      sv[warp] = all;
      si[warp] = all_at;
    }
    const A left = __shfl_up_sync(0xffffffffu, all, 1);
    const i64 left_at = __shfl_up_sync(0xffffffffu, all_at, 1);
    __syncthreads();
    A before = carry;
    i64 before_at = carried;
    for (int w = 0; w < ${SCAN_THREADS / 32}; w++) {
      if (w == warp) {
        before = carry;
        before_at = carried;
      }
      join(carry, carried, sv[w], si[w]);
    }
    if (lane > 0) join(before, before_at, left, left_at);
    if (writing) {
#pragma unroll
      for (int k = 0; k < ${ITEMS}; k++) {
        const i64 j = start + t * ${ITEMS} + k;
        if (j >= end) break;
        A a = before;
        i64 ia = before_at;
        join(a, ia, v[k], at[k]);
        y[j * p.slots[8]] = Y_store((Y_value)a);
        if (places) places[j * p.slots[9]] = ia;
      }
    }
    __syncthreads();
  }
}
KERNEL(totals, ${SCAN_THREADS}) {
  __shared__ A sv[${SCAN_THREADS / 32}];
  __shared__ i64 si[${SCAN_THREADS / 32}];
  const i64 line = blockIdx.x / p.slots[3], chunk = blockIdx.x % p.slots[3];
  A carry = ${startOf(kind, float)};
  i64 carried = -1;
  chunkOf(p, line, chunk, sv, si, carry, carried, false);
  if (threadIdx.x == 0) {
    ((A *)p.slots[5])[blockIdx.x] = carry;
    ((i64 *)p.slots[6])[blockIdx.x] = carried;
  }
}
KERNEL(prefix) {
  EACH(line, p.slots[0]) {
    A *values = (A *)p.slots[5] + line * p.slots[3];
    i64 *places = (i64 *)p.slots[6] + line * p.slots[3];
    A carry = ${startOf(kind, float)};
    i64 carried = -1;
    for (i64 c = 0; c < p.slots[3]; c++) {
      const A v = values[c];
      const i64 at = places[c];
      values[c] = carry;
      places[c] = carried;
      join(carry, carried, v, at);
    }
  }
}
KERNEL(run, ${SCAN_THREADS}) {
  __shared__ A sv[${SCAN_THREADS / 32}];
  __shared__ i64 si[${SCAN_THREADS / 32}];
  const i64 line = blockIdx.x / p.slots[3], chunk = blockIdx.x % p.slots[3];
  A carry = ${startOf(kind, float)};
  i64 carried = -1;
  if (p.slots[5]) {
    carry = ((A *)p.slots[5])[blockIdx.x];
    carried = ((i64 *)p.slots[6])[blockIdx.x];
  }
  chunkOf(p, line, chunk, sv, si, carry, carried, true);
}
`,
  );
}

/**
 * Kernel `extreme`, a block per line. Own slots: 0 lines, 1 length, 2 dims, 7 step of the input along the line, 10
 * whether values are written. Operands: input `X`, places, values.
 */
export function argReduceSource(kind: "max" | "min", x: DType): string {
  return kernelSource(
    { X: x },
    `${COMBINERS}
typedef X_value V;
/* Whether b at ib comes before a at ia: greater (or less), NaN above all, the first of equals. */
__device__ __forceinline__ bool wins(V a, i64 ia, V b, i64 ib) {
  if (ib < 0) return false;
  if (ia < 0) return true;
  if (isNaN(a) || isNaN(b)) return isNaN(b) && (!isNaN(a) || ib < ia);
  return ${kind === "max" ? "b > a" : "b < a"} || (a == b && ib < ia);
}
KERNEL(extreme) {
  __shared__ V sv[${SCAN_THREADS}];
  __shared__ i64 si[${SCAN_THREADS}];
  const int n = (int)p.slots[2], t = threadIdx.x;
  const i64 line = blockIdx.x;
  const X_stored *x = POINTER(const X_stored, 0) + offsetOf(p, line, n, 0);
  V v = 0;
  i64 at = -1;
  for (i64 j = t; j < p.slots[1]; j += blockDim.x) {
    const V e = X_load(x[j * p.slots[7]]);
    if (wins(v, at, e, j)) {
      v = e;
      at = j;
    }
  }
  sv[t] = v;
  si[t] = at;
  __syncthreads();
  for (int s = blockDim.x / 2; s > 0; s /= 2) {
    if (t < s && wins(sv[t], si[t], sv[t + s], si[t + s])) {
      sv[t] = sv[t + s];
      si[t] = si[t + s];
    }
    __syncthreads();
  }
  if (t == 0) {
    POINTER(i64, 1)[offsetOf(p, line, n, 1)] = si[0];
    if (p.slots[10]) POINTER(X_stored, 2)[offsetOf(p, line, n, 2)] = X_store(sv[0]);
  }
}
`,
  );
}
