/*
 * Philox 4x32-10. One block of the cipher yields four words, so runs of consecutive counters (the normal case: a
 * random tensor) compute each block once, sixteen blocks at a time in vector lanes.
 */
#include "philox.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

#define M0 0xd2511f53u
#define M1 0xcd9e8d57u
#define W0 0x9e3779b9u
#define W1 0xbb67ae85u
#define LANES 16

#if defined(__wasm_simd128__)

/* The four words of each of LANES consecutive blocks: four 32-bit lanes at a time, whose 64-bit products are two
   instructions (compilers make of the plain loop below full 64-bit multiplications, three times slower). */
static void blocks(uint32_t out[4][LANES], uint64_t first, uint64_t key) {
  const v128_t m0 = wasm_u32x4_splat(M0), m1 = wasm_u32x4_splat(M1);
  for (int i = 0; i < LANES; i += 4) {
    uint64_t n = first + (uint64_t)i;
    v128_t c0 = wasm_u32x4_make((uint32_t)n, (uint32_t)(n + 1), (uint32_t)(n + 2), (uint32_t)(n + 3));
    v128_t c1 = wasm_u32x4_make((uint32_t)(n >> 32), (uint32_t)((n + 1) >> 32), (uint32_t)((n + 2) >> 32),
                                (uint32_t)((n + 3) >> 32));
    v128_t c2 = wasm_u32x4_splat(0), c3 = c2;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
      v128_t p0 = wasm_u64x2_extmul_low_u32x4(c0, m0), q0 = wasm_u64x2_extmul_high_u32x4(c0, m0);
      v128_t p1 = wasm_u64x2_extmul_low_u32x4(c2, m1), q1 = wasm_u64x2_extmul_high_u32x4(c2, m1);
      c0 = wasm_v128_xor(wasm_v128_xor(wasm_i32x4_shuffle(p1, q1, 1, 3, 5, 7), c1), wasm_u32x4_splat(k0));
      c2 = wasm_v128_xor(wasm_v128_xor(wasm_i32x4_shuffle(p0, q0, 1, 3, 5, 7), c3), wasm_u32x4_splat(k1));
      c1 = wasm_i32x4_shuffle(p1, q1, 0, 2, 4, 6);
      c3 = wasm_i32x4_shuffle(p0, q0, 0, 2, 4, 6);
      k0 += W0;
      k1 += W1;
    }
    wasm_v128_store(out[0] + i, c0);
    wasm_v128_store(out[1] + i, c1);
    wasm_v128_store(out[2] + i, c2);
    wasm_v128_store(out[3] + i, c3);
  }
}

#else

/* The four words of each of LANES consecutive blocks. */
static void blocks(uint32_t out[4][LANES], uint64_t first, uint64_t key) {
  uint64_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
  for (int i = 0; i < LANES; i++) {
    uint64_t counter = first + (uint64_t)i;
    c0[i] = counter & 0xffffffffu;
    c1[i] = counter >> 32;
    c2[i] = 0;
    c3[i] = 0;
  }
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < LANES; i++) {
      uint64_t p0 = (uint64_t)M0 * (c0[i] & 0xffffffffu), p1 = (uint64_t)M1 * (c2[i] & 0xffffffffu);
      c0[i] = (p1 >> 32) ^ c1[i] ^ k0;
      c2[i] = (p0 >> 32) ^ c3[i] ^ k1;
      c1[i] = p1 & 0xffffffffu;
      c3[i] = p0 & 0xffffffffu;
    }
    k0 += W0;
    k1 += W1;
  }
  for (int i = 0; i < LANES; i++) {
    out[0][i] = (uint32_t)c0[i];
    out[1][i] = (uint32_t)c1[i];
    out[2][i] = (uint32_t)c2[i];
    out[3][i] = (uint32_t)c3[i];
  }
}

#endif

static uint32_t word(uint64_t index, uint64_t key) {
  uint64_t counter = index / 4;
  uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = 0, c3 = 0;
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)M0 * c0, p1 = (uint64_t)M1 * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += W0;
    k1 += W1;
  }
  uint32_t words[4] = {c0, c1, c2, c3};
  return words[index % 4];
}

/* Whether all n counters are `step` apart. */
static int32_t is_run(const int64_t *counter, int64_t n, int64_t step) {
  int64_t off = 0;
  for (int64_t i = 1; i < n; i++) off |= (int64_t)((uint64_t)counter[i] - (uint64_t)counter[i - 1] - (uint64_t)step);
  return off == 0;
}

/* How many counters from `counter[0]` on are `step` apart. */
static int64_t run_length(const int64_t *counter, int64_t n, int64_t step) {
  if (is_run(counter, n, step)) return n;
  int64_t i = 1;
  while (i < n && counter[i] == (int64_t)((uint64_t)counter[i - 1] + (uint64_t)step)) i++;
  return i;
}

void cresset_philox(int64_t *d, const int64_t *counter, int64_t cs, const int64_t *key, int64_t ks, int64_t n) {
  int64_t i = 0;
  uint32_t words[4][LANES];
  while (i < n) {
    int64_t run = ks != 0 || cs == 0 ? 1 : run_length(counter + i, n - i, 1);
    int64_t quads = ks != 0 || cs == 0 || run > 1 ? 0 : run_length(counter + i, n - i, 4);
    uint64_t k = (uint64_t)key[i * ks];
    uint64_t first = (uint64_t)counter[i * cs];
    if (run >= 4) {
      int64_t end = i + run;
      while (i < end) {
        uint64_t block = first / 4;
        blocks(words, block, k);
        if (first % 4 == 0 && end - i >= 4 * LANES) {
          for (int lane = 0; lane < LANES; lane++) {
            for (int w = 0; w < 4; w++) d[i + 4 * lane + w] = words[w][lane];
          }
          i += 4 * LANES;
          first += 4 * LANES;
          continue;
        }
        for (int64_t at = (int64_t)(first % 4); at < 4 * LANES && i < end; at++, i++, first++) d[i] = words[at & 3][at >> 2];
      }
    } else if (quads >= 4) {
      /* Four draws per element (a counter that steps by 4) take one lane of each block. */
      int64_t end = i + quads;
      while (i < end) {
        int64_t lanes = end - i < LANES ? end - i : LANES;
        blocks(words, first / 4, k);
        for (int64_t lane = 0; lane < lanes; lane++) d[i + lane] = words[first & 3][lane];
        i += lanes;
        first += 4 * (uint64_t)lanes;
      }
    } else {
      d[i] = word(first, k);
      i++;
    }
  }
}
