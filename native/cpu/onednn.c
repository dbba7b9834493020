/*
 * oneDNN, opened at run time (CRESSET_ONCE: compiled once, not per vector level). Its few functions are declared here,
 * so that building needs neither its headers nor its library, and both majors in use (2 and 3) work. Which file is
 * opened is decided in ffi/onednn.ts, under Deno's permissions: nothing is read from the environment or searched here.
 *
 * Large float32 products go to dnnl_sgemm, convolutions to primitives that are kept per geometry. Where the library is
 * missing, or our own kernel is faster, the functions here return 0, and matmul.c and conv.c take over.
 */
#include "dense.h"

#ifndef __wasm__

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "signals.h"

typedef struct {
  int major, minor, patch;
} Version;

static void *library;
static Version version;
static int32_t (*sgemm)(char ta, char tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                        const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
/* Sets the threads of the OpenMP runtime that oneDNN was linked with, where it has one. */
static void (*set_omp_threads)(int count);
static pthread_once_t opened = PTHREAD_ONCE_INIT;
static int32_t enabled = 1;

/* The full paths of files that may be opened on first use, each ended by a zero byte, the last by two. */
static char paths[8192];
static int patient;
static pthread_mutex_t paths_lock = PTHREAD_MUTEX_INITIALIZER;

int32_t cresset_onednn_paths(const uint8_t *list, int32_t bytes, int32_t spin) {
  if (bytes < 0 || (size_t)bytes + 2 > sizeof paths) return CRESSET_BAD_ARGUMENT;
  pthread_mutex_lock(&paths_lock);
  /* Deno's workers share this library: the first that may open oneDNN decides. */
  if (paths[0] == '\0') {
    memcpy(paths, list, (size_t)bytes);
    patient = spin;
  }
  pthread_mutex_unlock(&paths_lock);
  return CRESSET_OK;
}

static void open_library(void) {
  char copy[sizeof paths];
  pthread_mutex_lock(&paths_lock);
  memcpy(copy, paths, sizeof copy);
  int spin = patient;
  pthread_mutex_unlock(&paths_lock);
  /* OpenMP's threads spin for milliseconds after each call unless told otherwise before the runtime is loaded: on the
     very cores that our own pool wants for the next kernel. */
  if (copy[0] && !spin) {
    setenv("GOMP_SPINCOUNT", "1000", 0);
    setenv("KMP_BLOCKTIME", "0", 0);
  }
  for (const char *path = copy; !library && *path; path += strlen(path) + 1)
    if (*path == '/') library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
  const Version *(*get_version)(void) = (const Version *(*)(void))dlsym(library, "dnnl_version");
  sgemm = (int32_t (*)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t,
                       float, float *, int64_t))dlsym(library, "dnnl_sgemm");
  set_omp_threads = (void (*)(int))dlsym(library, "omp_set_num_threads");
  if (get_version) version = *get_version();
  if (!get_version || version.major < 2 || version.major > 3) sgemm = NULL;
}

/* oneDNN 2 runs its products on a stack of its own inside memory from malloc, and the frame of a signal that is handled
   there overwrites what lies below: the heap. So signals wait, or go to another thread, while the library has this one.
   Its OpenMP threads inherit the mask of the call that starts them. */
static void enter_library(sigset_t *before) { cresset_block_signals(before); }
static void leave_library(const sigset_t *before) { pthread_sigmask(SIG_SETMASK, before, NULL); }

int32_t cresset_onednn_version(void) {
  sigset_t before;
  enter_library(&before);
  pthread_once(&opened, open_library);
  leave_library(&before);
  return sgemm ? version.major * 10000 + version.minor * 100 + version.patch : 0;
}

int32_t cresset_set_onednn(int32_t on) {
  enabled = on;
  return CRESSET_OK;
}

/* The threads that the calling thread's next OpenMP region has. Products run on our own pool, a tile each, since handing
   over from one pool to the other costs more than most products; convolutions are left to oneDNN's. */
static void use_threads(int32_t count) {
  static _Thread_local int32_t current = 0;
  if (current == count || !set_omp_threads) return;
  set_omp_threads(count);
  current = count;
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
  if (g->ccs != 1 || g->crs < g->n) return 0;
  int64_t lda, ldb;
  char ta = layout(g->m, g->k, g->ars, g->acs, &lda), tb = layout(g->k, g->n, g->brs, g->bcs, &ldb);
  if (!ta || !tb) return 0;
  sigset_t before;
  enter_library(&before);
  pthread_once(&opened, open_library);
  int done = 0;
  if (sgemm) {
    use_threads(1);
    done = sgemm(ta, tb, g->m, g->n, g->k, (float)g->alpha, g->a, lda, g->b, ldb, (float)g->beta, g->c, g->crs) == 0;
  }
  leave_library(&before);
  return done;
}

/* ---- convolution ---- */

enum { CONV_FORWARD, CONV_INPUT, CONV_WEIGHT };
enum { F32 = 3, ANY_FORMAT = 1, CPU_ENGINE = 1, IN_ORDER = 1, FORWARD_TRAINING = 64, CONVOLUTION_DIRECT = 1 };
/* Queries for memory descriptors, and argument numbers of primitives. */
enum { Q_SRC = 129, Q_DIFF_SRC, Q_WEIGHTS, Q_DIFF_WEIGHTS, Q_DST, Q_DIFF_DST };
enum { ARG_SRC = 1, ARG_DST = 17, ARG_WEIGHTS = 33, ARG_BIAS = 41 };
enum { ARG_DIFF_SRC = 129, ARG_DIFF_DST = 145, ARG_DIFF_WEIGHTS = 161 };

typedef struct {
  int argument;
  void *memory;
} Argument;

typedef const int64_t *Dims;

/* The functions used. Descriptors are opaque: pointers in version 3, structs that we reserve room for in version 2. */
static struct {
  int32_t (*engine_create)(void **engine, int kind, size_t index);
  int32_t (*stream_create)(void **stream, void *engine, unsigned flags);
  int32_t (*stream_wait)(void *stream);
  int32_t (*memory_create)(void **memory, const void *md, void *engine, void *handle);
  int32_t (*memory_set)(void *memory, void *handle);
  int32_t (*memory_destroy)(void *memory);
  size_t (*md_size)(const void *md);
  int (*md_equal)(const void *a, const void *b);
  const void *(*pd_query_md)(const void *pd, int what, int index);
  int32_t (*pd_destroy)(void *pd);
  int32_t (*primitive_create)(void **primitive, const void *pd);
  int32_t (*primitive_destroy)(void *primitive);
  int32_t (*execute)(const void *primitive, void *stream, int n, const Argument *arguments);
  int32_t (*reorder_create)(void **pd, const void *from, void *e0, const void *to, void *e1, const void *attributes);
  /* version 2 */
  int32_t (*md_init_strides)(void *md, int n, Dims dims, int type, Dims strides);
  int32_t (*md_init_tag)(void *md, int n, Dims dims, int type, int tag);
  int32_t (*forward_init)(void *d, int kind, int algorithm, const void *x, const void *w, const void *b, const void *y,
                          Dims strides, Dims dilation, Dims left, Dims right);
  int32_t (*input_init)(void *d, int algorithm, const void *x, const void *w, const void *y, Dims strides,
                        Dims dilation, Dims left, Dims right);
  int32_t (*weight_init)(void *d, int algorithm, const void *x, const void *w, const void *b, const void *y,
                         Dims strides, Dims dilation, Dims left, Dims right);
  int32_t (*pd_create)(void **pd, const void *d, const void *attributes, void *engine, const void *hint);
  /* version 3 */
  int32_t (*md_create_strides)(void **md, int n, Dims dims, int type, Dims strides);
  int32_t (*md_create_tag)(void **md, int n, Dims dims, int type, int tag);
  int32_t (*md_destroy)(void *md);
  int32_t (*forward_create)(void **pd, void *engine, int kind, int algorithm, const void *x, const void *w,
                            const void *b, const void *y, Dims strides, Dims dilation, Dims left, Dims right,
                            const void *attributes);
  int32_t (*input_create)(void **pd, void *engine, int algorithm, const void *x, const void *w, const void *y,
                          Dims strides, Dims dilation, Dims left, Dims right, const void *hint, const void *attributes);
  int32_t (*weight_create)(void **pd, void *engine, int algorithm, const void *x, const void *w, const void *b,
                           const void *y, Dims strides, Dims dilation, Dims left, Dims right, const void *hint,
                           const void *attributes);
} dnnl;

static void *engine, *stream;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static int ready;

static int find(void *slot, const char *name) {
  void *symbol = dlsym(library, name);
  memcpy(slot, &symbol, sizeof symbol);
  return symbol != NULL;
}

static void prepare(void) {
  pthread_once(&opened, open_library);
  if (!sgemm) return;
  int ok = find(&dnnl.engine_create, "dnnl_engine_create") & find(&dnnl.stream_create, "dnnl_stream_create") &
           find(&dnnl.stream_wait, "dnnl_stream_wait") & find(&dnnl.memory_create, "dnnl_memory_create") &
           find(&dnnl.memory_set, "dnnl_memory_set_data_handle") & find(&dnnl.memory_destroy, "dnnl_memory_destroy") &
           find(&dnnl.md_size, "dnnl_memory_desc_get_size") & find(&dnnl.md_equal, "dnnl_memory_desc_equal") &
           find(&dnnl.pd_query_md, "dnnl_primitive_desc_query_md") &
           find(&dnnl.pd_destroy, "dnnl_primitive_desc_destroy") &
           find(&dnnl.primitive_create, "dnnl_primitive_create") &
           find(&dnnl.primitive_destroy, "dnnl_primitive_destroy") & find(&dnnl.execute, "dnnl_primitive_execute") &
           find(&dnnl.reorder_create, "dnnl_reorder_primitive_desc_create");
  if (version.major == 2) {
    ok &= find(&dnnl.md_init_strides, "dnnl_memory_desc_init_by_strides") &
          find(&dnnl.md_init_tag, "dnnl_memory_desc_init_by_tag") &
          find(&dnnl.forward_init, "dnnl_dilated_convolution_forward_desc_init") &
          find(&dnnl.input_init, "dnnl_dilated_convolution_backward_data_desc_init") &
          find(&dnnl.weight_init, "dnnl_dilated_convolution_backward_weights_desc_init") &
          find(&dnnl.pd_create, "dnnl_primitive_desc_create");
  } else {
    ok &= find(&dnnl.md_create_strides, "dnnl_memory_desc_create_with_strides") &
          find(&dnnl.md_create_tag, "dnnl_memory_desc_create_with_tag") &
          find(&dnnl.md_destroy, "dnnl_memory_desc_destroy") &
          find(&dnnl.forward_create, "dnnl_convolution_forward_primitive_desc_create") &
          find(&dnnl.input_create, "dnnl_convolution_backward_data_primitive_desc_create") &
          find(&dnnl.weight_create, "dnnl_convolution_backward_weights_primitive_desc_create");
  }
  ready = ok && dnnl.engine_create(&engine, CPU_ENGINE, 0) == 0 && dnnl.stream_create(&stream, engine, IN_ORDER) == 0;
}

/* A memory descriptor: version 2 writes it into `room`, version 3 allocates. */
typedef struct {
  void *md;
  _Alignas(64) char room[2048];
} Descriptor;

static int describe(Descriptor *d, int n, Dims dims, int plain) {
  int64_t strides[6];
  int64_t step = 1;
  for (int i = n - 1; i >= 0; i--) {
    strides[i] = step;
    step *= dims[i];
  }
  if (version.major == 2) {
    d->md = d->room;
    return (plain ? dnnl.md_init_strides(d->md, n, dims, F32, strides)
                  : dnnl.md_init_tag(d->md, n, dims, F32, ANY_FORMAT)) == 0;
  }
  return (plain ? dnnl.md_create_strides(&d->md, n, dims, F32, strides)
                : dnnl.md_create_tag(&d->md, n, dims, F32, ANY_FORMAT)) == 0;
}

static void forget(Descriptor *d) {
  if (version.major == 3 && d->md) dnnl.md_destroy(d->md);
}

/* One operand of a cached convolution: our contiguous memory, and the library's own layout where that differs. */
typedef struct {
  int argument, written;
  void *user, *own, *reorder;
  size_t bytes;
} Operand;

/* A cached convolution. */
typedef struct {
  int64_t key[24];
  int state; /* 0 empty, 1 usable, 2 refused by the library */
  void *primitive;
  Operand operand[4];
  int operands;
} Kept;

#define KEPT 192
static Kept kept[KEPT];
static int next_kept;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int reorder(void **primitive, const void *from, const void *to) {
  void *pd;
  if (dnnl.reorder_create(&pd, from, engine, to, engine, NULL) != 0) return 0;
  int ok = dnnl.primitive_create(primitive, pd) == 0;
  dnnl.pd_destroy(pd);
  return ok;
}

static int add_operand(Kept *k, int argument, int written, const Descriptor *plain, const void *wanted) {
  Operand *o = &k->operand[k->operands++];
  *o = (Operand){ .argument = argument, .written = written };
  if (dnnl.memory_create(&o->user, plain->md, engine, NULL) != 0) return 0;
  if (dnnl.md_equal(plain->md, wanted)) return 1;
  o->bytes = (dnnl.md_size(wanted) + 63) / 64 * 64;
  if (dnnl.memory_create(&o->own, wanted, engine, NULL) != 0) return 0;
  return written ? reorder(&o->reorder, wanted, plain->md) : reorder(&o->reorder, plain->md, wanted);
}

static int create(void **pd, int kind, const void *x, const void *w, const void *b, const void *y,
                  const int64_t (*g)[3], const void *hint) {
  if (version.major == 3) {
    if (kind == CONV_FORWARD)
      return dnnl.forward_create(pd, engine, FORWARD_TRAINING, CONVOLUTION_DIRECT, x, w, b, y, g[0], g[1], g[2], g[3],
                                 NULL) == 0;
    if (kind == CONV_INPUT)
      return dnnl.input_create(pd, engine, CONVOLUTION_DIRECT, x, w, y, g[0], g[1], g[2], g[3], hint, NULL) == 0;
    return dnnl.weight_create(pd, engine, CONVOLUTION_DIRECT, x, w, NULL, y, g[0], g[1], g[2], g[3], hint, NULL) == 0;
  }
  static _Alignas(64) char operation[16384];
  int32_t status = kind == CONV_FORWARD
      ? dnnl.forward_init(operation, FORWARD_TRAINING, CONVOLUTION_DIRECT, x, w, b, y, g[0], g[1], g[2], g[3])
      : kind == CONV_INPUT ? dnnl.input_init(operation, CONVOLUTION_DIRECT, x, w, y, g[0], g[1], g[2], g[3])
                           : dnnl.weight_init(operation, CONVOLUTION_DIRECT, x, w, NULL, y, g[0], g[1], g[2], g[3]);
  return status == 0 && dnnl.pd_create(pd, operation, NULL, engine, hint) == 0;
}

/* Builds the primitive of a geometry; returns whether the library takes it. */
static int build(Kept *k, const OneDnnConv *v) {
  /* Two spatial dimensions unless there is depth. */
  int first = v->in[0] == 1 && v->out[0] == 1 && v->kernel[0] == 1 ? 1 : 0, n = 3 - first, grouped = v->groups > 1;
  int64_t x[5] = { v->n, v->c }, y[5] = { v->n, v->o }, b[1] = { v->o }, w[6], g[4][3];
  int at = 0;
  if (grouped) w[at++] = v->groups;
  w[at++] = v->o / v->groups;
  w[at++] = v->c / v->groups;
  for (int i = 0; i < n; i++) {
    int d = first + i;
    x[2 + i] = v->in[d];
    y[2 + i] = v->out[d];
    w[at + i] = v->kernel[d];
    g[0][i] = v->stride[d];
    g[1][i] = v->dilation[d] - 1;
    g[2][i] = v->padding[d];
    /* The padding after the input that the last window needs; negative where some input is unused. */
    g[3][i] = (v->out[d] - 1) * v->stride[d] + (v->kernel[d] - 1) * v->dilation[d] + 1 - v->in[d] - v->padding[d];
  }
  static Descriptor any[3], plain[4];
  int wdims = n + 2 + grouped;
  if (!describe(&any[0], n + 2, x, 0) || !describe(&any[1], wdims, w, 0) || !describe(&any[2], n + 2, y, 0)) return 0;
  if (!describe(&plain[0], n + 2, x, 1) || !describe(&plain[1], wdims, w, 1) || !describe(&plain[2], n + 2, y, 1))
    return 0;
  if (!describe(&plain[3], 1, b, 1)) return 0;
  const void *bias = v->bias ? plain[3].md : NULL;
  void *forward = NULL, *pd = NULL;
  int ok = create(&forward, CONV_FORWARD, any[0].md, any[1].md, bias, any[2].md, (const int64_t(*)[3])g, NULL);
  if (ok && v->kind == CONV_FORWARD) pd = forward;
  else if (ok) ok = create(&pd, v->kind, any[0].md, any[1].md, NULL, any[2].md, (const int64_t(*)[3])g, forward);
  if (ok) ok = dnnl.primitive_create(&k->primitive, pd) == 0;
#define WANTED(what) dnnl.pd_query_md(pd, what, 0)
  if (ok && v->kind == CONV_FORWARD) {
    ok = add_operand(k, ARG_SRC, 0, &plain[0], WANTED(Q_SRC)) &&
         add_operand(k, ARG_WEIGHTS, 0, &plain[1], WANTED(Q_WEIGHTS)) &&
         add_operand(k, ARG_DST, 1, &plain[2], WANTED(Q_DST)) &&
         (!v->bias || add_operand(k, ARG_BIAS, 0, &plain[3], plain[3].md));
  } else if (ok && v->kind == CONV_INPUT) {
    ok = add_operand(k, ARG_DIFF_SRC, 1, &plain[0], WANTED(Q_DIFF_SRC)) &&
         add_operand(k, ARG_WEIGHTS, 0, &plain[1], WANTED(Q_WEIGHTS)) &&
         add_operand(k, ARG_DIFF_DST, 0, &plain[2], WANTED(Q_DIFF_DST));
  } else if (ok) {
    ok = add_operand(k, ARG_SRC, 0, &plain[0], WANTED(Q_SRC)) &&
         add_operand(k, ARG_DIFF_WEIGHTS, 1, &plain[1], WANTED(Q_DIFF_WEIGHTS)) &&
         add_operand(k, ARG_DIFF_DST, 0, &plain[2], WANTED(Q_DIFF_DST));
  }
#undef WANTED
  if (pd && pd != forward) dnnl.pd_destroy(pd);
  if (forward) dnnl.pd_destroy(forward);
  for (int i = 0; i < 3; i++) forget(&any[i]);
  for (int i = 0; i < 4; i++) forget(&plain[i]);
  return ok;
}

static void drop(Kept *k) {
  for (int i = 0; i < k->operands; i++) {
    Operand *o = &k->operand[i];
    if (o->user) dnnl.memory_destroy(o->user);
    if (o->own) dnnl.memory_destroy(o->own);
    if (o->reorder) dnnl.primitive_destroy(o->reorder);
  }
  if (k->primitive) dnnl.primitive_destroy(k->primitive);
  memset(k, 0, sizeof *k);
}

/* The cached convolution of a geometry, built on first use; it replaces the oldest one where the cache is full. */
static Kept *keep(const OneDnnConv *v) {
  int64_t key[24] = { v->kind, v->n, v->c, v->o, v->groups, v->bias != NULL };
  for (int d = 0; d < 3; d++) {
    int64_t *at = key + 6 + 6 * d;
    at[0] = v->in[d];
    at[1] = v->kernel[d];
    at[2] = v->out[d];
    at[3] = v->stride[d];
    at[4] = v->padding[d];
    at[5] = v->dilation[d];
  }
  for (int i = 0; i < KEPT; i++)
    if (kept[i].state && memcmp(kept[i].key, key, sizeof key) == 0) return &kept[i];
  Kept *k = &kept[next_kept];
  next_kept = (next_kept + 1) % KEPT;
  drop(k);
  memcpy(k->key, key, sizeof key);
  k->state = build(k, v) ? 1 : 2;
  return k;
}

static int run(const Kept *k, const OneDnnConv *v) {
  size_t bytes = 64;
  for (int i = 0; i < k->operands; i++) bytes += k->operand[i].bytes;
  char *scratch = bytes > 64 ? cresset_scratch(SCRATCH_OUTER, (int64_t)bytes) : NULL;
  if (bytes > 64 && !scratch) return 0;
  void *data[4] = { v->x, v->weight, v->y, (void *)v->bias };
  Argument arguments[4];
  int ok = 1;
  for (int i = 0; i < k->operands; i++) {
    const Operand *o = &k->operand[i];
    ok &= dnnl.memory_set(o->user, data[i]) == 0;
    arguments[i] = (Argument){ o->argument, o->own ? o->own : o->user };
    if (!o->own) continue;
    ok &= dnnl.memory_set(o->own, scratch) == 0;
    scratch += o->bytes;
    Argument move[2] = { { ARG_SRC, o->user }, { ARG_DST, o->own } };
    if (ok && !o->written) ok &= dnnl.execute(o->reorder, stream, 2, move) == 0;
  }
  ok = ok && dnnl.execute(k->primitive, stream, k->operands, arguments) == 0;
  for (int i = 0; ok && i < k->operands; i++) {
    const Operand *o = &k->operand[i];
    Argument move[2] = { { ARG_SRC, o->own }, { ARG_DST, o->user } };
    if (o->own && o->written) ok &= dnnl.execute(o->reorder, stream, 2, move) == 0;
  }
  return ok && dnnl.stream_wait(stream) == 0;
}

/* Whether oneDNN is faster than conv.c, as measured on AVX-512 (see bench/): not with few input channels, for which it
   has no blocked layout. */
static int worthwhile(const OneDnnConv *v) {
  isize cg = v->c / v->groups;
  double positions = (double)v->n, work = (double)v->o * cg;
  for (int d = 0; d < 3; d++) {
    positions *= (double)v->out[d];
    work *= (double)v->kernel[d];
  }
  if (work * positions < ONEDNN_WORK || (v->kind == CONV_WEIGHT && positions < 512)) return 0;
  if (cg == 1) return v->groups > 1 && v->o == v->groups;
  return v->kind == CONV_INPUT ? cg >= 8 : cg >= 3;
}

int32_t cresset_onednn_conv(const OneDnnConv *v) {
  if (!enabled || !worthwhile(v)) return 0;
  sigset_t before;
  enter_library(&before);
  pthread_once(&prepared, prepare);
  int done = 0;
  if (ready) {
    pthread_mutex_lock(&lock);
    use_threads(cresset_get_threads());
    Kept *k = keep(v);
    done = k->state == 1 && run(k, v);
    pthread_mutex_unlock(&lock);
  }
  leave_library(&before);
  return done;
}

#endif
