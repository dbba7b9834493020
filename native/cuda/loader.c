/*
 * Finding and opening CUDA's libraries at run time.
 *
 * Each library is looked for by its known sonames in the given folders (CUDA_PATH, pip wheels, … as the caller orders them),
 * then by the system's own search. A missing one is no error until something needs it.
 */
#define _GNU_SOURCE
#include "api.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
  const char *name;       /* for messages */
  const char *sonames[4]; /* newest first: for CUDA 13, for 12, any */
  const char *before;     /* a library that must be open first, with its symbols visible */
  const char *purpose;
  void *handle;
  char path[1024];
} Library;

static Library libraries[LIB_COUNT] = {
    {"the NVIDIA driver", {"libcuda.so.1", "libcuda.so"}, NULL, "everything", NULL, ""},
    /* NVRTC finds its builtins only among libraries that are loaded already when it lies outside the system's path. */
    {"NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}, "libnvrtc-builtins.so", "kernels", NULL, ""},
    {"cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"}, NULL, "matrix products", NULL, ""},
    {"cuDNN", {"libcudnn.so.9", "libcudnn.so"}, NULL, "convolutions", NULL, ""},
    {"cuSOLVER", {"libcusolver.so.12", "libcusolver.so.11", "libcusolver.so"}, NULL, "decompositions", NULL, ""},
    {"cuFFT", {"libcufft.so.12", "libcufft.so.11", "libcufft.so"}, NULL, "Fourier transforms", NULL, ""},
    {"NCCL", {"libnccl.so.2", "libnccl.so"}, NULL, "several devices", NULL, ""},
};
static char searched[2048];

/* The builtins of NVRTC lie beside it under a name with the full version, one of which fits. */
static void open_builtins(const char *folder, const char *prefix) {
  DIR *entries = opendir(folder);
  if (!entries) return;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    char path[2048];
    if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  }
  closedir(entries);
}

/* Opens a library by its names from `first` to `last`. */
static int try_open(Library *library, const char *folder, int first, int last) {
  for (int i = first; i <= last && library->sonames[i]; i++) {
    char path[1024];
    if (folder) snprintf(path, sizeof path, "%s/%s", folder, library->sonames[i]);
    else snprintf(path, sizeof path, "%s", library->sonames[i]);
    if (folder && library->before && access(path, F_OK) == 0) open_builtins(folder, library->before);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) continue;
    library->handle = handle;
    snprintf(library->path, sizeof library->path, "%s", path);
    return 1;
  }
  return 0;
}

/* Fills a table from a library; a missing symbol closes it, since an older version cannot serve. */
#define FILL(result, name, parameters)                                                     \
  table->name = (result(*) parameters)dlsym(library->handle, #name);                       \
  if (!table->name) {                                                                      \
    snprintf(library->path, sizeof library->path, "%s (lacks %s: too old)", library->sonames[0], #name); \
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

/* Looks for a library by its names from `first` to `last` in every folder, then where the system looks. */
static void find(int which, const uint8_t *folders, int32_t count, int first, int last) {
  Library *library = &libraries[which];
  const char *folder = (const char *)folders;
  for (int32_t i = 0; i < count && !library->handle; i++, folder += strlen(folder) + 1) {
    if (try_open(library, folder, first, last)) fill(which);
  }
  if (!library->handle && try_open(library, NULL, first, last)) fill(which);
}

int32_t cresset_cuda_open(const uint8_t *folders, int32_t count) {
  int32_t found = 0;
  size_t length = 0;
  const char *folder = (const char *)folders;
  for (int32_t i = 0; i < count; i++, folder += strlen(folder) + 1) {
    if (length + strlen(folder) + 3 < sizeof searched) {
      length += (size_t)snprintf(searched + length, sizeof searched - length, "%s%s", i ? ", " : "", folder);
    }
  }
  if (length + 24 < sizeof searched) snprintf(searched + length, sizeof searched - length, "%sthe system's path", length ? ", " : "");
  int version = 0;
  for (int which = 0; which < LIB_COUNT; which++) {
    /* What an older driver cannot run is only taken where there is nothing else. */
    int versioned = libraries[which].sonames[2] != NULL;
    if (versioned && version > 0 && version < 13000) find(which, folders, count, 1, 1);
    find(which, folders, count, 0, 3);
    if (libraries[which].handle) found |= 1 << which;
    if (which == LIB_DRIVER && libraries[which].handle) driver.cuDriverGetVersion(&version);
  }
  return found;
}

int library_ready(int which) {
  Library *library = &libraries[which];
  if (library->handle) return 1;
  set_error("%s (%s) was not found, it is needed for %s; looked in %s", library->name, library->sonames[0],
            library->purpose, searched);
  return 0;
}

int32_t cresset_cuda_library(int32_t which, uint8_t *text, int32_t size) {
  if (which < 0 || which >= LIB_COUNT) return 0;
  Library *library = &libraries[which];
  if (!library->handle) {
    char message[2400];
    snprintf(message, sizeof message, "%s: %s; looked in %s", library->sonames[0],
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
