/*
 * The graphs of native/cuda/dnn_graph.c given to the real cuDNN, without a device: since 9.8 it plans for a device that is
 * only described. Prints a line per convolution: what it is, and the scratch memory of its plan, or "none".
 *
 * Usage: cudnn_plans LIBRARY. Exit status 2: the library is too old, or could not be opened.
 */
#include "dnn_graph.c"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>

/* An H100, as cuDNN writes one down. */
static const char DEVICE[] =
    "{\"deviceName\":\"NVIDIA H100 80GB HBM3\",\"deviceVer\":900,\"driverVer\":13000,\"cudaDeviceId\":0,\"pciDeviceId\":0,"
    "\"multiProcessorCount\":132,\"smCountOrigin\":0,\"warpSize\":32,\"maxGridSize\":[2147483647,65535,65535],"
    "\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,\"maxRegistersPerSM\":65536,\"maxSharedMemoryPerBlock\":49152,"
    "\"maxSharedMemoryPerBlockOptin\":232448,\"reservedSharedMemoryPerBlock\":1024,\"maxCtasPerSM\":32,"
    "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"isTccDriver\":0,\"supportCoopLaunch\":1,"
    "\"totalGlobalMem\":85000000000,\"smClockRateKHz\":1980000,\"memClockRateKHz\":2619000,\"l2CacheSize\":52428800}";
enum { TYPE_CHAR = 24, DEVICE_DESCRIPTOR = 38, DEVICE_JSON = 2702, HEURISTICS_DEVICE = 204, PLAN_DEVICE = 407 };

Driver driver;
Cudnn cudnn;
__thread double *arena;
static Descriptor device_description;
static cudnnStatus_t (*set_attribute)(Descriptor, int, int, int64_t, const void *);

void set_error(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
}
Device *device_at(int32_t ordinal) { return (void)ordinal, NULL; }
int library_ready(int which) { return which; }
CUdeviceptr device_workspace(Device *device, size_t bytes) { return (void)device, (void)bytes, 0; }

/* The described device stands wherever a handle would. */
static cudnnStatus_t set_without_handle(Descriptor d, int attribute, int type, int64_t count, const void *values) {
  if (attribute == CUDNN_ATTR_OPERATIONGRAPH_HANDLE) return CUDNN_STATUS_SUCCESS;
  if (attribute == CUDNN_ATTR_EXECUTION_PLAN_HANDLE) {
    return set_attribute(d, PLAN_DEVICE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &device_description);
  }
  cudnnStatus_t status = set_attribute(d, attribute, type, count, values);
  if (status != CUDNN_STATUS_SUCCESS || attribute != CUDNN_ATTR_ENGINEHEUR_MODE) return status;
  return set_attribute(d, HEURISTICS_DEVICE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &device_description);
}

static int open_cudnn(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 0;
#define FILL(result, name, parameters) *(void **)&cudnn.name = dlsym(library, #name);
  CUDNN_FUNCTIONS(FILL)
  if (cudnn.cudnnGetVersion() < 90800) return 0;
  set_attribute = cudnn.cudnnBackendSetAttribute;
  cudnn.cudnnBackendSetAttribute = set_without_handle;
  return cudnn.cudnnBackendCreateDescriptor(DEVICE_DESCRIPTOR, &device_description) == CUDNN_STATUS_SUCCESS &&
         set_attribute(device_description, DEVICE_JSON, TYPE_CHAR, sizeof DEVICE, DEVICE) == CUDNN_STATUS_SUCCESS &&
         cudnn.cudnnBackendFinalize(device_description) == CUDNN_STATUS_SUCCESS;
}

typedef struct {
  const char *name;
  int64_t x[MAX_DIMS], w[MAX_DIMS], y[MAX_DIMS];
  int rank, groups, stride, padding, dilation;
} Shape;

static const Shape SHAPES[] = {
    {"3x3", {8, 64, 56, 56}, {64, 64, 3, 3}, {8, 64, 56, 56}, 2, 1, 1, 1, 1},
    {"stem", {8, 3, 224, 224}, {64, 3, 7, 7}, {8, 64, 112, 112}, 2, 1, 2, 3, 1},
    {"1x1", {8, 64, 56, 56}, {256, 64, 1, 1}, {8, 256, 56, 56}, 2, 1, 1, 0, 1},
    {"depthwise", {8, 32, 28, 28}, {32, 1, 3, 3}, {8, 32, 28, 28}, 2, 32, 1, 1, 1},
    {"grouped and dilated", {8, 32, 28, 28}, {32, 8, 3, 3}, {8, 32, 28, 28}, 2, 4, 1, 2, 2},
    {"odd", {3, 5, 17, 13}, {7, 5, 3, 3}, {3, 7, 17, 13}, 2, 1, 1, 1, 1},
    {"1-d", {2, 8, 1, 40}, {16, 8, 1, 5}, {2, 16, 1, 36}, 2, 1, 1, 0, 1},
    {"3-d", {2, 8, 9, 10, 6}, {16, 8, 3, 3, 3}, {2, 16, 9, 10, 6}, 3, 1, 1, 1, 1},
};

static void plan_for(const Shape *s, int dtype, int kind, int modes, int bias) {
  static const char *dtypes[] = {"float16", "bfloat16", "float32", "float64"}, *kinds[] = {"forward", "input", "weight"};
  Device device = {0};
  Plan plan;
  memset(&plan, 0, sizeof plan);
  Convolution *c = &plan.problem;
  c->dtype = dtype, c->kind = kind, c->modes = modes, c->bias = bias, c->rank = s->rank, c->groups = s->groups;
  for (int d = 0; d < MAX_DIMS; d++) c->x[d] = s->x[d], c->w[d] = s->w[d], c->y[d] = s->y[d];
  for (int d = 0; d < s->rank; d++) c->stride[d] = s->stride, c->padding[d] = s->padding, c->dilation[d] = s->dilation;
  if (s->y[2] == 1) c->padding[0] = 0;
  for (int i = 0; i < 3 + bias; i++) c->alignment[i] = 16;
  make_plan(&device, NULL, &plan);
  printf("%s %s %s %s%s%s: ", s->name, dtypes[dtype - 6], kinds[kind], modes & CONV_CHANNELS_LAST ? "last" : "first",
         modes & CONV_TF32 ? " tf32" : "", bias ? " bias" : "");
  if (plan.plan) printf("%lld\n", (long long)plan.workspace_bytes);
  else printf("none\n");
  release(&plan);
}

int main(int count, char **arguments) {
  if (count != 2 || !open_cudnn(arguments[1])) return 2;
  for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
    for (int dtype = 6; dtype <= 9; dtype++) {
      for (int modes = 0; modes < 4; modes++) {
        if ((modes & CONV_TF32) && dtype != 8) continue;
        for (int kind = FORWARD; kind <= BY_WEIGHT; kind++) plan_for(&SHAPES[i], dtype, kind, modes, 0);
        if (dtype < 8 || (modes & CONV_TF32)) plan_for(&SHAPES[i], dtype, FORWARD, modes, 1);
      }
    }
  }
  return 0;
}
