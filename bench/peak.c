/* Multiply-adds per second of this machine: vectors of the widest kind, nothing but FMA, on several threads. */
#include <pthread.h>
#include <time.h>

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
typedef float vec __attribute__((vector_size(LANES * 4)));
/* More than latency x ports, and with the two operands no more than AVX2's 16 registers. */
#define ACCUMULATORS 12
#define TURNS 2000000

static void *work(void *result) {
  vec acc[ACCUMULATORS], x, y;
  for (int l = 0; l < LANES; l++) x[l] = 0.999f, y[l] = 0.001f;
  for (int i = 0; i < ACCUMULATORS; i++) acc[i] = y * (float)i;
  for (int t = 0; t < TURNS; t++) {
#pragma GCC unroll 12
    for (int i = 0; i < ACCUMULATORS; i++) acc[i] = acc[i] * x + y;
  }
  vec sum = acc[0];
  for (int i = 1; i < ACCUMULATORS; i++) sum += acc[i];
  *(float *)result = sum[0];
  return 0;
}

double peak_flops(int threads) {
  pthread_t ids[256];
  float results[256];
  struct timespec a, b;
  if (threads > 256) threads = 256;
  clock_gettime(CLOCK_MONOTONIC, &a);
  for (int i = 1; i < threads; i++) pthread_create(&ids[i], 0, work, &results[i]);
  work(&results[0]);
  for (int i = 1; i < threads; i++) pthread_join(ids[i], 0);
  clock_gettime(CLOCK_MONOTONIC, &b);
  double seconds = (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) * 1e-9;
  return 2.0 * LANES * ACCUMULATORS * TURNS * threads / seconds;
}
