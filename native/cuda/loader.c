/*
 * Opening CUDA's libraries at run time.
 *
 * Each is opened from the full path that ffi/cuda.ts found under Deno's permissions; nothing is searched or read from the
 * environment here. A missing one is no error until something needs it.
 */
#define _GNU_SOURCE
#include "api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Driver driver;
Nvrtc nvrtc;
CublasLt cublaslt;
Cudnn cudnn;
Nccl nccl;
Cusolver cusolver;
Cufft cufft;
__thread double *arena;

static _Thread_local char error_text[4096];

void set_error(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error_text, sizeof error_text, format, arguments);
  va_end(arguments);
}

static int32_t copy_text(const char *text, uint8_t *target, int32_t size) {
  if (size <= 0) return 0;
  size_t length = strlen(text);
  if (length >= (size_t)size) length = (size_t)size - 1;
  memcpy(target, text, length);
  target[length] = 0;
  return (int32_t)length;
}

int32_t cresset_cuda_error(uint8_t *text, int32_t size) { return copy_text(error_text, text, size); }

int32_t cresset_cuda_abi(void) { return CRESSET_CUDA_ABI; }

int32_t cresset_cuda_set_arena(double *slots) {
  arena = slots;
  return CRESSET_CUDA_OK;
}

typedef struct {
  const char *name, *soname, *purpose; /* for messages */
  void *handle;
  char path[1024];
} Library;

static Library libraries[LIB_COUNT] = {
    {"the NVIDIA driver", "libcuda.so.1", "everything", NULL, ""},
    {"NVRTC", "libnvrtc.so.13", "kernels", NULL, ""},
    {"cuBLASLt", "libcublasLt.so.13", "matrix products", NULL, ""},
    {"cuDNN", "libcudnn.so.9", "convolutions", NULL, ""},
    {"cuSOLVER", "libcusolver.so.12", "decompositions", NULL, ""},
    {"cuFFT", "libcufft.so.12", "Fourier transforms", NULL, ""},
    {"NCCL", "libnccl.so.2", "several devices", NULL, ""},
};
static char searched[4096];
/* Held while a library is opened: workers may open the same one at once. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

/* Fills a table from a library; a missing symbol closes it, since an older version cannot serve. */
#define FILL(result, name, parameters)                                                     \
  table->name = (result(*) parameters)dlsym(library->handle, #name);                       \
  if (!table->name) {                                                                      \
    snprintf(library->path, sizeof library->path, "%s (lacks %s: too old)", library->soname, #name); \
    library->handle = NULL;                                                                \
    return;                                                                                \
  }
static void fill_driver(Library *library, Driver *table) { DRIVER_FUNCTIONS(FILL) }
static void fill_nvrtc(Library *library, Nvrtc *table) { NVRTC_FUNCTIONS(FILL) }
static void fill_cublaslt(Library *library, CublasLt *table) { CUBLASLT_FUNCTIONS(FILL) }
static void fill_cudnn(Library *library, Cudnn *table) { CUDNN_FUNCTIONS(FILL) }
static void fill_nccl(Library *library, Nccl *table) { NCCL_FUNCTIONS(FILL) }
static void fill_cufft(Library *library, Cufft *table) { CUFFT_FUNCTIONS(FILL) }
static void fill_cusolver(Library *library, Cusolver *table) { CUSOLVER_FUNCTIONS(FILL) }
#undef FILL

static void fill(int which) {
  Library *library = &libraries[which];
  if (which == LIB_DRIVER) fill_driver(library, &driver);
  else if (which == LIB_NVRTC) fill_nvrtc(library, &nvrtc);
  else if (which == LIB_CUBLASLT) fill_cublaslt(library, &cublaslt);
  else if (which == LIB_CUDNN) fill_cudnn(library, &cudnn);
  else if (which == LIB_NCCL) fill_nccl(library, &nccl);
  else if (which == LIB_CUSOLVER) fill_cusolver(library, &cusolver);
  else if (which == LIB_CUFFT) fill_cufft(library, &cufft);
}

static void open_library(int which, const char *path, const char *before) {
  Library *library = &libraries[which];
  for (const char *at = before; *at == '/'; at += strlen(at) + 1) dlopen(at, RTLD_NOW | RTLD_GLOBAL);
  library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library->handle) return;
  snprintf(library->path, sizeof library->path, "%s", path);
  fill(which);
}

int32_t cresset_cuda_open(int32_t which, const uint8_t *path, const uint8_t *before) {
  if (which < 0 || which >= LIB_COUNT || path[0] != '/') return 0;
  Library *library = &libraries[which];
  pthread_mutex_lock(&opening);
  if (!library->handle) open_library(which, (const char *)path, (const char *)before);
  pthread_mutex_unlock(&opening);
  return library->handle != NULL;
}

int32_t cresset_cuda_searched(const uint8_t *text) {
  snprintf(searched, sizeof searched, "%s", (const char *)text);
  return CRESSET_CUDA_OK;
}

int library_ready(int which) {
  Library *library = &libraries[which];
  if (library->handle) return 1;
  set_error("%s (%s) was not found, it is needed for %s; looked in %s", library->name, library->soname,
            library->purpose, searched);
  return 0;
}

int32_t cresset_cuda_library(int32_t which, uint8_t *text, int32_t size) {
  if (which < 0 || which >= LIB_COUNT) return 0;
  Library *library = &libraries[which];
  if (!library->handle) {
    char message[6144];
    snprintf(message, sizeof message, "%s: %s; looked in %s", library->soname,
             library->path[0] ? library->path : "not found", searched);
    copy_text(message, text, size);
    return 0;
  }
  copy_text(library->path, text, size);
  int major = 0, minor = 0;
  if (which == LIB_DRIVER && driver.cuDriverGetVersion(&major) == CUDA_SUCCESS) return major;
  if (which == LIB_NVRTC && nvrtc.nvrtcVersion(&major, &minor) == NVRTC_SUCCESS) return major * 1000 + minor * 10;
  if (which == LIB_CUBLASLT) return (int32_t)cublaslt.cublasLtGetVersion();
  if (which == LIB_CUDNN) return (int32_t)cudnn.cudnnGetVersion();
  if (which == LIB_NCCL && nccl.ncclGetVersion(&major) == ncclSuccess) return major;
  if (which == LIB_CUFFT && cufft.cufftGetVersion(&major) == CUFFT_SUCCESS) return major;
  if (which == LIB_CUSOLVER && cusolver.cusolverGetVersion(&major) == CUSOLVER_STATUS_SUCCESS) return major;
  return 1;
}
