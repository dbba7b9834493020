/*
 * oneDNN, opened at run time (CRESSET_ONCE: compiled once, not per vector level). Its few functions are declared here,
 * so that building needs neither its headers nor its library, and both majors in use (2 and 3) work.
 *
 * Large float32 products go to dnnl_sgemm. Where the library is missing every function here says so by returning 0, and
 * the kernels of matmul.c and conv.c take over.
 */
#include "dense.h"

#ifndef __wasm__

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct {
  int major, minor, patch;
} Version;

static void *library;
static Version version;
static int32_t (*sgemm)(char ta, char tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                        const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
static pthread_once_t opened = PTHREAD_ONCE_INIT;
static int32_t enabled = 1;

static void open_library(void) {
  static const char *names[] = { "libdnnl.so.3", "libdnnl.so.2", "libdnnl.3.dylib", "libdnnl.2.dylib" };
  const char *own = getenv("CRESSET_ONEDNN");
  if (own) {
    if (own[0] == '\0' || strcmp(own, "0") == 0) return;
    library = dlopen(own, RTLD_NOW | RTLD_LOCAL);
  }
  for (size_t i = 0; !library && !own && i < sizeof names / sizeof *names; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  const Version *(*get_version)(void) = (const Version *(*)(void))dlsym(library, "dnnl_version");
  sgemm = (int32_t (*)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t,
                       float, float *, int64_t))dlsym(library, "dnnl_sgemm");
  if (get_version) version = *get_version();
  if (!get_version || version.major < 2 || version.major > 3) sgemm = NULL;
}

int32_t cresset_onednn_version(void) {
  pthread_once(&opened, open_library);
  return sgemm ? version.major * 10000 + version.minor * 100 + version.patch : 0;
}

int32_t cresset_set_onednn(int32_t on) {
  enabled = on;
  return CRESSET_OK;
}

/* A matrix that BLAS takes: 'N' with rows contiguous, 'T' with columns contiguous, 0 for neither. */
static char layout(isize rows, isize cols, isize rs, isize cs, int64_t *ld) {
  if ((cs == 1 || cols == 1) && (rs >= cols || rows == 1) && rs >= 0) {
    *ld = rows == 1 || rs < cols ? cols : rs;
    return 'N';
  }
  if ((rs == 1 || rows == 1) && (cs >= rows || cols == 1) && cs >= 0) {
    *ld = cols == 1 || cs < rows ? rows : cs;
    return 'T';
  }
  return 0;
}

int32_t cresset_onednn_sgemm(const Gemm *g) {
  if (!enabled || g->m < 16 || g->n < 16 || g->k < 16 || (double)g->m * g->n * g->k < ONEDNN_WORK) return 0;
  pthread_once(&opened, open_library);
  if (!sgemm || g->ccs != 1 || g->crs < g->n) return 0;
  int64_t lda, ldb;
  char ta = layout(g->m, g->k, g->ars, g->acs, &lda), tb = layout(g->k, g->n, g->brs, g->bcs, &ldb);
  if (!ta || !tb) return 0;
  return sgemm(ta, tb, g->m, g->n, g->k, (float)g->alpha, g->a, lda, g->b, ldb, (float)g->beta, g->c, g->crs) == 0;
}

int32_t cresset_onednn_conv(const OneDnnConv *v) {
  (void)v;
  return 0;
}

#endif
