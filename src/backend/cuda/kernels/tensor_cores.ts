/**
 * CUDA C around the tensor cores, for kernels over 16-bit floats, and over float32 rounded to TensorFloat-32: products of
 * fragments, their loads from shared memory, and copies into it that run beside the computation.
 *
 * A fragment is 32 bytes deep, 16 halves or 8 floats, so the same loads bring both. A row of a tile takes 16 bytes more than
 * its elements, an odd number of 16-byte words, so that the eight rows that one load reads lie in different banks.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";

const HALVES = (type: string): string => `
typedef u16 E;
/* d += a b, 16x16 by 16x8. Lane l holds rows l/4 and l/4 + 8 of d, columns 2 (l%4) and the next. */
__device__ __forceinline__ void multiply(float *d, const u32 *a, u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.${type}.${type}.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ __forceinline__ void rounded(u32 *) {}
__device__ __forceinline__ u32 pair(float low, float high) {
  u32 both;
  asm("cvt.rn.${type}x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
}
__device__ __forceinline__ void put2(E *to, float low, float high) { *(u32 *)to = pair(low, high); }
`;

const FLOATS = `
typedef float E;
/* d += a b, 16x8 by 8x8. Lane l holds rows l/4 and l/4 + 8 of d, columns 2 (l%4) and the next. */
__device__ __forceinline__ void multiply(float *d, const u32 *a, u32 b0, u32 b1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ __forceinline__ u32 tf32(float x) {
  u32 y;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ void rounded(u32 *r) {
#pragma unroll
  for (int i = 0; i < 4; i++) r[i] = tf32(__uint_as_float(r[i]));
}
__device__ __forceinline__ void put2(E *to, float low, float high) { *(float2 *)to = make_float2(low, high); }
`;

/** Functions over fragments of `dtype`; `HD` and `THREADS` must be defined. */
export function tensorCores(dtype: DType): string {
  const own = dtype.name === "float32" ? FLOATS : HALVES(dtype.name === "float16" ? "f16" : "bf16");
  return `${own}
/* Elements of 16 bytes, and of a tile's row. */
#define UNIT (16 / (int)sizeof(E))
#define STRIDE (HD + UNIT)
#define BYTES (int)sizeof(E)
__device__ __forceinline__ u32 sharedAddress(const void *at) { return (u32)__cvta_generic_to_shared(at); }
/* 16 bytes from global to shared memory, in the background; zeros where not 'inside'. */
__device__ __forceinline__ void copy16(u32 to, const void *from, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" : : "r"(to), "l"(from), "r"(inside ? 16 : 0) : "memory");
}
__device__ __forceinline__ void copy4(u32 to, const void *from, bool inside) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" : : "r"(to), "l"(from), "r"(inside ? 4 : 0) : "memory");
}
__device__ __forceinline__ void copiesIssued() { asm volatile("cp.async.commit_group;" : : : "memory"); }
/* Waits for this thread's copies; a barrier must follow. */
__device__ __forceinline__ void copiesArrived() { asm volatile("cp.async.wait_all;" : : : "memory"); }
/* Four 8x8 matrices, whose rows' addresses the lanes bring, eight for each. */
__device__ __forceinline__ void load4(u32 *r, u32 from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(from) : "memory");
}
__device__ __forceinline__ void load4Transposed(u32 *r, u32 from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(from) : "memory");
}
__device__ __forceinline__ float power2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/* The lane's address for loading a left operand: rows from 'row', depth from 'depth'. */
__device__ __forceinline__ u32 leftAt(u32 tile, int row, int depth, int lane) {
  return tile + ((row + lane % 16) * STRIDE + depth + lane / 16 * UNIT) * BYTES;
}
/* Of a right operand whose columns are the tile's rows: two fragments of 8 columns. */
__device__ __forceinline__ u32 rightAt(u32 tile, int column, int depth, int lane) {
  return tile + ((column + lane / 16 * 8 + lane % 8) * STRIDE + depth + lane / 8 % 2 * UNIT) * BYTES;
}
/* Of a right operand whose depth is the tile's rows: two fragments of 8 columns, for load4Transposed (halves only). */
__device__ __forceinline__ u32 downAt(u32 tile, int depth, int column, int lane) {
  return tile + ((depth + lane / 8 % 2 * 8 + lane % 8) * STRIDE + column + lane / 16 * 8) * 2;
}
/* Issues the copies of ROWS rows from 'first' on, of 'count' with 'width' elements each, into a tile; zeros beyond them. */
template <int ROWS> __device__ __forceinline__ void copyTile(u32 tile, const E *from, int step, int first, int count, int width) {
  /* Of a power of 2 of threads per row, those beyond its end rest: then each keeps its column, and steps by whole rows. */
  constexpr int ACROSS = (HD > 64 ? 128 : HD) / UNIT, LINES = THREADS / ACROSS;
  const int chunk = threadIdx.x % ACROSS * UNIT;
  int row = (int)threadIdx.x / ACROSS;
  const E *at = from + (i64)(first + row) * step + chunk;
  u32 to = tile + (row * STRIDE + chunk) * BYTES;
  if (HD % 64 == 0 || HD == 32 || chunk < HD) {
#pragma unroll
    for (int n = 0; n < ROWS; n += LINES, at += LINES * step, to += LINES * STRIDE * BYTES) {
      copy16(to, at, first + row + n < count && chunk < width);
    }
  }
}
/* Writes a warp's 16 MT rows of sums, times a factor per row, through its own part of a tile, in runs of 16 bytes. */
template <int MT> __device__ __forceinline__ void storeRows(float (*sums)[HD / 8][4], const float (*factors)[2], E *tile, E *to,
                                                            int step, int first, int count, int width, int lane) {
  __syncwarp();
#pragma unroll
  for (int m = 0; m < MT; m++) {
#pragma unroll
    for (int j = 0; j < HD / 8; j++) {
      E *at = tile + (m * 16 + lane / 4) * STRIDE + j * 8 + lane % 4 * 2;
      put2(at, sums[m][j][0] * factors[m][0], sums[m][j][1] * factors[m][0]);
      put2(at + 8 * STRIDE, sums[m][j][2] * factors[m][1], sums[m][j][3] * factors[m][1]);
    }
  }
  __syncwarp();
#pragma unroll
  for (int n = 0; n < MT * 16 * (HD / UNIT) / 32; n++) {
    const int e = n * 32 + lane, row = e / (HD / UNIT), chunk = e % (HD / UNIT) * UNIT;
    if (first + row < count && chunk < width) {
      *(uint4 *)(to + (i64)(first + row) * step + chunk) = *(const uint4 *)(tile + row * STRIDE + chunk);
    }
  }
}
`;
}
