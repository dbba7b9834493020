/*
 * The PTX instructions of printed kernels as functions: outputs by reference, then inputs, in the order of the asm
 * statement. An instruction that is missing here fails to compile by its name.
 */

inline float cr_half_to_float(unsigned short half) {
  unsigned sign = (unsigned)(half & 0x8000) << 16, rest = half & 0x7fff;
  if (rest >= 0x7c00) return __uint_as_float(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  return __uint_as_float(sign | __float_as_uint(__uint_as_float(rest << 13) * 0x1p112f));
}
inline unsigned short cr_float_to_half(float value) {
  unsigned bits = __float_as_uint(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return 0x7fff;
  if (rest >= 0x477ff000) return (unsigned short)(sign | 0x7c00);
  if (rest < 0x38800000) return (unsigned short)(sign | (__float_as_uint(__uint_as_float(rest) + 0.5f) - 0x3f000000));
  return (unsigned short)(sign | (rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13);
}
inline float cr_bfloat_to_float(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }
inline unsigned short cr_float_to_bfloat(float value) {
  unsigned bits = __float_as_uint(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
  return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline void cr_ptx_cvt_f32_f16(float &y, unsigned short x) { y = cr_half_to_float(x); }
inline void cr_ptx_cvt_f32_bf16(float &y, unsigned short x) { y = cr_bfloat_to_float(x); }
inline void cr_ptx_cvt_rn_f16_f32(unsigned short &y, float x) { y = cr_float_to_half(x); }
inline void cr_ptx_cvt_rn_bf16_f32(unsigned short &y, float x) { y = cr_float_to_bfloat(x); }
/* The first source becomes the upper half. */
inline void cr_ptx_cvt_rn_f16x2_f32(unsigned &y, float high, float low) {
  y = (unsigned)cr_float_to_half(high) << 16 | cr_float_to_half(low);
}
inline void cr_ptx_cvt_rn_bf16x2_f32(unsigned &y, float high, float low) {
  y = (unsigned)cr_float_to_bfloat(high) << 16 | cr_float_to_bfloat(low);
}
inline void cr_ptx_cvt_rna_tf32_f32(unsigned &y, float x) { y = (__float_as_uint(x) + 0x1000) & 0xffffe000; }
inline void cr_ptx_ex2_approx_f32(float &y, float x) { y = exp2f(x); }
inline void cr_ptx_ex2_approx_ftz_f32(float &y, float x) { y = exp2f(x); }
inline void cr_ptx_lg2_approx_f32(float &y, float x) { y = log2f(x); }
inline void cr_ptx_lg2_approx_ftz_f32(float &y, float x) { y = log2f(x); }
inline void cr_ptx_rcp_approx_f32(float &y, float x) { y = 1 / x; }
inline void cr_ptx_rcp_approx_ftz_f32(float &y, float x) { y = 1 / x; }
inline void cr_ptx_rsqrt_approx_f32(float &y, float x) { y = rsqrtf(x); }
inline void cr_ptx_sqrt_approx_f32(float &y, float x) { y = sqrtf(x); }
inline void cr_ptx_tanh_approx_f32(float &y, float x) { y = tanhf(x); }

/*
 * Copies in the background: they happen when they are waited for, so that a missing wait shows. Four bytes or sixteen,
 * `bytes` of them from global memory (0: zeros, and the address is not looked at).
 */
struct CrCopy {
  unsigned to, size, bytes;
  const void *from;
};
CR_HIDDEN CrCopy cr_copies[1024][128];
CR_HIDDEN unsigned cr_copy_counts[1024];
inline unsigned cr_thread_index() { return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x; }
inline void cr_copy(unsigned to, const void *from, unsigned bytes, unsigned size) {
  unsigned index = cr_thread_index(), &count = cr_copy_counts[index];
  if (to % size != 0 || (bytes != 0 && (size_t)from % size != 0)) cr_thread->runtime->trap("cp.async at a misaligned address");
  if (to + size > CR_SHARED_BYTES) cr_thread->runtime->trap("cp.async behind shared memory");
  if (bytes != 0 && bytes != size) cr_thread->runtime->trap("cp.async of a part is not emulated");
  if (count == 128) cr_thread->runtime->trap("more than 128 copies of a thread that nobody waits for");
  cr_copies[index][count++] = {to, size, bytes, from};
}
inline void cr_ptx_cp_async_cg_shared_global(unsigned to, const void *from, unsigned bytes) { cr_copy(to, from, bytes, 16); }
inline void cr_ptx_cp_async_ca_shared_global(unsigned to, const void *from, unsigned bytes) { cr_copy(to, from, bytes, 4); }
inline void cr_ptx_cp_async_commit_group() {}
inline void cr_ptx_cp_async_wait_all() {
  unsigned index = cr_thread_index();
  for (unsigned i = 0; i < cr_copy_counts[index]; i++) {
    const CrCopy &copy = cr_copies[index][i];
    if (copy.bytes == 0) memset(cr_shared_memory + copy.to, 0, copy.size);
    else memcpy(cr_shared_memory + copy.to, copy.from, copy.size);
  }
  cr_copy_counts[index] = 0;
}

/* Four 8×8 matrices of halves: lane l brings the address of row l % 8 of matrix l / 8, and gets row l / 4, columns 2·(l%4) and the next. */
inline void cr_load_matrices(unsigned *r, unsigned address, bool transposed) {
  if (address % 16 != 0) cr_thread->runtime->trap("ldmatrix at a misaligned address");
  if (address + 16 > CR_SHARED_BYTES) cr_thread->runtime->trap("ldmatrix behind shared memory");
  CrLane mine = {};
  __builtin_memcpy(mine.words, cr_shared_memory + address, 16);
  const CrLane *lanes = cr_warp(0xffffffffu, mine);
  unsigned row = cr_thread->lane / 4, column = cr_thread->lane % 4 * 2;
  for (unsigned m = 0; m < 4; m++) {
    auto at = [&](unsigned i, unsigned j) { return (unsigned)(lanes[m * 8 + i].words[j / 4] >> j % 4 * 16 & 0xffff); };
    r[m] = transposed ? at(column, row) | at(column + 1, row) << 16 : at(row, column) | at(row, column + 1) << 16;
  }
}
#define CR_LDMATRIX(name, transposed)                                                                    \
  inline void name(unsigned &a, unsigned &b, unsigned &c, unsigned &d, unsigned address) {               \
    unsigned r[4];                                                                                       \
    cr_load_matrices(r, address, transposed);                                                            \
    a = r[0], b = r[1], c = r[2], d = r[3];                                                              \
  }
CR_LDMATRIX(cr_ptx_ldmatrix_sync_aligned_m8n8_x4_shared_b16, false)
CR_LDMATRIX(cr_ptx_ldmatrix_sync_aligned_m8n8_x4_trans_shared_b16, true)

/*
 * d = a · b + c on a warp: a 16×16 row-major, b 16×8 column-major, c and d 16×8. Lane l holds rows l/4 and l/4 + 8 of a
 * and d, column l/4 of b; within a row, the pairs of columns at 2·(l%4) and 8 further.
 */
template <float convert(unsigned short)>
inline void cr_mma_16816(float &d0, float &d1, float &d2, float &d3, unsigned a0, unsigned a1, unsigned a2, unsigned a3,
                         unsigned b0, unsigned b1, float c0, float c1, float c2, float c3) {
  CrLane mine;
  mine.words[0] = (unsigned long long)a1 << 32 | a0;
  mine.words[1] = (unsigned long long)a3 << 32 | a2;
  mine.words[2] = (unsigned long long)b1 << 32 | b0;
  mine.words[3] = 0;
  const CrLane *lanes = cr_warp(0xffffffffu, mine);
  auto part = [](unsigned long long word, unsigned k) { return convert((unsigned short)(word >> 16 * k)); };
  unsigned lane = cr_thread->lane, row = lane / 4, column = lane % 4 * 2;
  float d[4] = {c0, c1, c2, c3};
  for (unsigned i = 0; i < 4; i++) {
    unsigned lower = i / 2, n = column + i % 2;
    for (unsigned k = 0; k < 16; k++) {
      /* Registers: a0 (row, k < 8), a1 (row + 8, k < 8), a2 (row, k >= 8), a3 (row + 8, k >= 8). */
      const CrLane &from_a = lanes[row * 4 + k % 8 / 2], &from_b = lanes[n * 4 + k % 8 / 2];
      d[i] += part(from_a.words[k / 8], lower * 2 + k % 2) * part(from_b.words[2], k / 8 * 2 + k % 2);
    }
  }
  d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
}
#define CR_MMA(name, convert)                                                                                           \
  inline void name(float &d0, float &d1, float &d2, float &d3, unsigned a0, unsigned a1, unsigned a2, unsigned a3,      \
                   unsigned b0, unsigned b1, float c0, float c1, float c2, float c3) {                                 \
    cr_mma_16816<convert>(d0, d1, d2, d3, a0, a1, a2, a3, b0, b1, c0, c1, c2, c3);                                      \
  }                                                                                                                     \
  inline void name(float &d0, float &d1, float &d2, float &d3, unsigned a0, unsigned a1, unsigned a2, unsigned a3,      \
                   unsigned b0, unsigned b1) {                                                                          \
    cr_mma_16816<convert>(d0, d1, d2, d3, a0, a1, a2, a3, b0, b1, d0, d1, d2, d3);                                      \
  }
CR_MMA(cr_ptx_mma_sync_aligned_m16n8k16_row_col_f32_f16_f16_f32, cr_half_to_float)
CR_MMA(cr_ptx_mma_sync_aligned_m16n8k16_row_col_f32_bf16_bf16_f32, cr_bfloat_to_float)

/*
 * The same in TensorFloat-32: a 16×8, b 8×8. Lane l holds rows l/4 and l/4 + 8 of a in columns l%4 and 4 further, and column
 * l/4 of b in rows l%4 and 4 further. The lowest 13 bits of operands do not count.
 */
inline void cr_ptx_mma_sync_aligned_m16n8k8_row_col_f32_tf32_tf32_f32(float &d0, float &d1, float &d2, float &d3, unsigned a0,
                                                                      unsigned a1, unsigned a2, unsigned a3, unsigned b0,
                                                                      unsigned b1) {
  CrLane mine;
  mine.words[0] = (unsigned long long)a1 << 32 | a0;
  mine.words[1] = (unsigned long long)a3 << 32 | a2;
  mine.words[2] = (unsigned long long)b1 << 32 | b0;
  mine.words[3] = 0;
  const CrLane *lanes = cr_warp(0xffffffffu, mine);
  auto part = [](unsigned long long word, unsigned k) { return __uint_as_float((unsigned)(word >> 32 * k) & 0xffffe000u); };
  unsigned lane = cr_thread->lane, row = lane / 4, column = lane % 4 * 2;
  float d[4] = {d0, d1, d2, d3};
  for (unsigned i = 0; i < 4; i++) {
    unsigned lower = i / 2, n = column + i % 2;
    for (unsigned k = 0; k < 8; k++) {
      d[i] += part(lanes[row * 4 + k % 4].words[k / 4], lower) * part(lanes[n * 4 + k % 4].words[2], k / 4);
    }
  }
  d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
}
