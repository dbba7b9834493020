/*
 * Convolutions by cuDNN's graph API: a convolution, perhaps with a bias added to it, is described as a graph of operations,
 * heuristics rank the engines that can run it, and the first that fits (or, on request, the fastest of some) becomes the
 * plan of this problem.
 *
 * Making a plan takes milliseconds, so plans are kept for good: a graph that was captured may run their kernels. A plan
 * needs its engine's configuration; the descriptors of the graph are let go once it is made.
 */
#include "dnn.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 256, CANDIDATES = 128, MEASURED = 8, MEASURED_RUNS = 3, MAX_NOTES = 32, MAX_MADE = 12 };
/* A plan that needs more scratch memory than this is passed over. */
#define MAX_WORKSPACE ((int64_t)1 << 30)
/* The tensors of a graph. */
enum { UID_X = 'x', UID_W = 'w', UID_Y = 'y', UID_BIAS = 'b', UID_CONVOLVED = 'p' };

typedef cudnnBackendDescriptor_t Descriptor;

typedef struct Plan {
  struct Plan *next;
  Convolution problem;
  Descriptor plan, config; /* NULL: there is none */
  int64_t workspace_bytes;
} Plan;

/* The calling thread's: a plan belongs to the handle that it was made with. */
static _Thread_local Plan *plans[BUCKETS];

#define TRY(call)                                                  \
  do {                                                             \
    cudnnStatus_t status_ = cudnn.call;                            \
    if (status_ != CUDNN_STATUS_SUCCESS) return dnn_failed(status_, #call); \
  } while (0)
#define CHECK(call)                                  \
  do {                                               \
    int32_t status_ = call;                          \
    if (status_ != CRESSET_CUDA_OK) return status_;  \
  } while (0)

/* Descriptors that live while a plan is made. */
typedef struct {
  Descriptor made[MAX_MADE];
  int count;
} Scratch;

static int32_t create(Scratch *scratch, int type, Descriptor *made) {
  TRY(cudnnBackendCreateDescriptor(type, made));
  scratch->made[scratch->count++] = *made;
  return CRESSET_CUDA_OK;
}

static int32_t set(Descriptor d, int attribute, int type, int64_t count, const void *values) {
  TRY(cudnnBackendSetAttribute(d, attribute, type, count, values));
  return CRESSET_CUDA_OK;
}

static int32_t finalize(Descriptor d) {
  TRY(cudnnBackendFinalize(d));
  return CRESSET_CUDA_OK;
}

/* The descriptor of a tensor; a virtual one exists only between two operations. */
static int32_t tensor(Scratch *scratch, const Convolution *c, const int64_t *sizes, int64_t uid, int type, int64_t alignment,
                      Descriptor *made) {
  int64_t strides[MAX_DIMS];
  int dims = c->rank + 2;
  uint8_t is_virtual = uid == UID_CONVOLVED;
  conv_strides(c, sizes, strides);
  CHECK(create(scratch, CUDNN_BACKEND_TENSOR_DESCRIPTOR, made));
  CHECK(set(*made, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type));
  CHECK(set(*made, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, dims, sizes));
  CHECK(set(*made, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, dims, strides));
  CHECK(set(*made, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &uid));
  CHECK(set(*made, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment));
  if (is_virtual) CHECK(set(*made, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual));
  return finalize(*made);
}

/* The descriptor of the convolution: stride, padding and dilation. */
static int32_t movement(Scratch *scratch, const Convolution *c, Descriptor *made) {
  int64_t rank = c->rank;
  int compute = conv_compute_type(c->dtype), mode = CUDNN_CROSS_CORRELATION;
  CHECK(create(scratch, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, made));
  CHECK(set(*made, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &rank));
  CHECK(set(*made, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &compute));
  CHECK(set(*made, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode));
  CHECK(set(*made, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, rank, c->padding));
  CHECK(set(*made, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, rank, c->padding));
  CHECK(set(*made, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, rank, c->dilation));
  CHECK(set(*made, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, rank, c->stride));
  return finalize(*made);
}

/* cuDNN's codes of the operation and of its attributes, by kind of convolution. */
static const struct {
  int type, x, w, y, movement, alpha, beta;
} OPERATIONS[] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

/* The operation of the convolution. Its factors α and β are floats whatever the dtype. */
static int32_t add_convolution(Scratch *scratch, const Convolution *c, Descriptor x, Descriptor w, Descriptor y, Descriptor *made) {
  float one = 1, zero = 0;
  Descriptor moves;
  CHECK(movement(scratch, c, &moves));
  CHECK(create(scratch, OPERATIONS[c->kind].type, made));
  CHECK(set(*made, OPERATIONS[c->kind].x, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &x));
  CHECK(set(*made, OPERATIONS[c->kind].w, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &w));
  CHECK(set(*made, OPERATIONS[c->kind].y, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &y));
  CHECK(set(*made, OPERATIONS[c->kind].movement, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &moves));
  CHECK(set(*made, OPERATIONS[c->kind].alpha, CUDNN_TYPE_FLOAT, 1, &one));
  CHECK(set(*made, OPERATIONS[c->kind].beta, CUDNN_TYPE_FLOAT, 1, &zero));
  return finalize(*made);
}

/* y = sum + bias, the bias broadcast along everything but the channels. */
static int32_t add_bias(Scratch *scratch, const Convolution *c, Descriptor sum, Descriptor y, Descriptor *made) {
  int mode = CUDNN_POINTWISE_ADD, compute = conv_compute_type(c->dtype);
  int64_t sizes[MAX_DIMS];
  Descriptor addition, bias;
  for (int d = 0; d < c->rank + 2; d++) sizes[d] = d == 1 ? c->y[1] : 1;
  CHECK(tensor(scratch, c, sizes, UID_BIAS, conv_data_type(c->dtype), c->alignment[3], &bias));
  CHECK(create(scratch, CUDNN_BACKEND_POINTWISE_DESCRIPTOR, &addition));
  CHECK(set(addition, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode));
  CHECK(set(addition, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &compute));
  CHECK(finalize(addition));
  CHECK(create(scratch, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, made));
  CHECK(set(*made, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &addition));
  CHECK(set(*made, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &sum));
  CHECK(set(*made, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &bias));
  CHECK(set(*made, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &y));
  return finalize(*made);
}

static int32_t graph_of(Device *device, Scratch *scratch, const Convolution *c, Descriptor *graph) {
  int type = conv_data_type(c->dtype);
  Descriptor x, w, y, sum, operations[2];
  int64_t count = c->bias ? 2 : 1;
  CHECK(tensor(scratch, c, c->x, UID_X, type, c->alignment[0], &x));
  CHECK(tensor(scratch, c, c->w, UID_W, type, c->alignment[1], &w));
  CHECK(tensor(scratch, c, c->y, UID_Y, type, c->alignment[2], &y));
  if (c->bias) {
    CHECK(tensor(scratch, c, c->y, UID_CONVOLVED, conv_compute_type(c->dtype), 16, &sum));
    CHECK(add_convolution(scratch, c, x, w, sum, &operations[0]));
    CHECK(add_bias(scratch, c, sum, y, &operations[1]));
  } else {
    CHECK(add_convolution(scratch, c, x, w, y, &operations[0]));
  }
  CHECK(create(scratch, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, graph));
  CHECK(set(*graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &device->dnn));
  CHECK(set(*graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, operations));
  return finalize(*graph);
}

/* Whether an engine computes with the requested precision and determinism. */
static int suits(const Convolution *c, Descriptor config) {
  Descriptor engine = NULL;
  int notes[MAX_NOTES];
  int64_t count = 0;
  int fits = 1;
  if (cudnn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) != CUDNN_STATUS_SUCCESS) return 0;
  if (cudnn.cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count,
                                     &engine) != CUDNN_STATUS_SUCCESS ||
      cudnn.cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, MAX_NOTES, &count,
                                     notes) != CUDNN_STATUS_SUCCESS) {
    count = 0;
    fits = 0;
  }
  for (int64_t i = 0; i < count && i < MAX_NOTES; i++) {
    if (notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC && (c->modes & CONV_DETERMINISTIC)) fits = 0;
    if (c->dtype != 8) continue;
    /* For float32, tensor cores or rounded operands mean TensorFloat-32. */
    if (notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && !(c->modes & CONV_TF32)) fits = 0;
    if (notes[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS && !(c->modes & CONV_TF32)) fits = 0;
  }
  cudnn.cudnnBackendDestroyDescriptor(engine);
  return fits;
}

/* The configurations that a heuristic recommends, best first: how many. They are the caller's to destroy. */
static int64_t recommended(Descriptor graph, int mode, Descriptor *configs, int64_t wanted) {
  Descriptor heuristics = NULL;
  int64_t count = 0, made = 0, found = 0;
  if (cudnn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristics) != CUDNN_STATUS_SUCCESS) return 0;
  if (!set(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph) &&
      !set(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode) && !finalize(heuristics) &&
      cudnn.cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count,
                                     NULL) == CUDNN_STATUS_SUCCESS) {
    if (count > wanted) count = wanted;
    while (made < count &&
           cudnn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configs[made]) == CUDNN_STATUS_SUCCESS) {
      made++;
    }
    if (made == 0 || cudnn.cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                                    made, &found, configs) != CUDNN_STATUS_SUCCESS) {
      found = 0;
    }
    if (found > made) found = made;
    for (int64_t i = found; i < made; i++) cudnn.cudnnBackendDestroyDescriptor(configs[i]);
  }
  cudnn.cudnnBackendDestroyDescriptor(heuristics);
  return found;
}

/* The plan of a configuration; NULL where the engine cannot run here or needs too much memory. */
static Descriptor plan_of(Device *device, Descriptor config, int64_t *workspace_bytes) {
  Descriptor plan = NULL;
  int64_t count = 0;
  if (cudnn.cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan) != CUDNN_STATUS_SUCCESS) return NULL;
  if (!set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &device->dnn) &&
      !set(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config) && !finalize(plan) &&
      cudnn.cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count,
                                     workspace_bytes) == CUDNN_STATUS_SUCCESS &&
      *workspace_bytes <= MAX_WORKSPACE) {
    return plan;
  }
  cudnn.cudnnBackendDestroyDescriptor(plan);
  return NULL;
}

static int32_t fill_pack(Descriptor pack, const Convolution *c, const ConvOperands *operands, void *workspace) {
  int64_t uids[] = {UID_X, UID_W, UID_Y, UID_BIAS};
  void *addresses[] = {operands->x, operands->w, operands->y, operands->bias};
  int64_t count = c->bias ? 4 : 3;
  CHECK(set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, uids));
  CHECK(set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, addresses));
  CHECK(set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace));
  return finalize(pack);
}

static int32_t execute(Device *device, const Convolution *c, const ConvOperands *operands, Descriptor plan, int64_t bytes) {
  Descriptor pack = NULL;
  CUdeviceptr workspace = bytes > 0 ? device_workspace(device, (size_t)bytes) : 0;
  if (bytes > 0 && !workspace) return CRESSET_CUDA_MEMORY;
  TRY(cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack));
  int32_t status = fill_pack(pack, c, operands, (void *)workspace);
  if (!status) {
    cudnnStatus_t result = cudnn.cudnnBackendExecute(device->dnn, plan, pack);
    if (result != CUDNN_STATUS_SUCCESS) status = dnn_failed(result, "cudnnBackendExecute");
  }
  cudnn.cudnnBackendDestroyDescriptor(pack);
  return status;
}

/* Milliseconds of some runs after a first one, or a negative number where the plan fails. */
static float measure(Device *device, const Convolution *c, const ConvOperands *operands, const Plan *candidate, CUevent from,
                     CUevent to) {
  float milliseconds = -1;
  for (int i = 0; i <= MEASURED_RUNS; i++) {
    if (i == 1 && driver.cuEventRecord(from, device->stream) != CUDA_SUCCESS) return -1;
    if (execute(device, c, operands, candidate->plan, candidate->workspace_bytes)) return -1;
  }
  if (driver.cuEventRecord(to, device->stream) != CUDA_SUCCESS || driver.cuEventSynchronize(to) != CUDA_SUCCESS) return -1;
  return driver.cuEventElapsedTime(&milliseconds, from, to) == CUDA_SUCCESS ? milliseconds : -1;
}

static void release(Plan *candidate) {
  if (candidate->plan) cudnn.cudnnBackendDestroyDescriptor(candidate->plan);
  if (candidate->config) cudnn.cudnnBackendDestroyDescriptor(candidate->config);
  candidate->plan = candidate->config = NULL;
}

/* The index of the fastest candidate; where nothing can be timed, the heuristics' first choice. */
static int fastest(Device *device, const Convolution *c, const ConvOperands *operands, const Plan *candidates, int count) {
  CUevent from = NULL, to = NULL;
  int best = 0;
  if (driver.cuEventCreate(&from, CU_EVENT_DEFAULT) == CUDA_SUCCESS && driver.cuEventCreate(&to, CU_EVENT_DEFAULT) == CUDA_SUCCESS) {
    float least = -1;
    for (int i = 0; i < count; i++) {
      float time = measure(device, c, operands, &candidates[i], from, to);
      if (time >= 0 && (least < 0 || time < least)) least = time, best = i;
    }
  }
  if (from) driver.cuEventDestroy_v2(from);
  if (to) driver.cuEventDestroy_v2(to);
  return best;
}

/* Fills `plan` with the best of the configurations; those that are not taken are destroyed. */
static void choose(Device *device, const ConvOperands *operands, Descriptor *configs, int64_t found, Plan *plan) {
  const Convolution *c = &plan->problem;
  Plan candidates[MEASURED];
  int count = 0, wanted = c->modes & CONV_MEASURE ? MEASURED : 1;
  for (int64_t i = 0; i < found; i++) {
    Plan *candidate = &candidates[count < wanted ? count : 0];
    Descriptor made = NULL;
    int64_t bytes = 0;
    if (count < wanted && suits(c, configs[i])) made = plan_of(device, configs[i], &bytes);
    if (!made) {
      cudnn.cudnnBackendDestroyDescriptor(configs[i]);
      continue;
    }
    *candidate = (Plan){.plan = made, .config = configs[i], .workspace_bytes = bytes};
    count++;
  }
  if (count == 0) return;
  int best = count > 1 ? fastest(device, c, operands, candidates, count) : 0;
  plan->plan = candidates[best].plan;
  plan->config = candidates[best].config;
  plan->workspace_bytes = candidates[best].workspace_bytes;
  for (int i = 0; i < count; i++) {
    if (i != best) release(&candidates[i]);
  }
}

static void make_plan(Device *device, const ConvOperands *operands, Plan *plan) {
  static const int modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
  Scratch scratch = {.count = 0};
  Descriptor graph = NULL, configs[CANDIDATES];
  if (graph_of(device, &scratch, &plan->problem, &graph) == CRESSET_CUDA_OK) {
    for (size_t i = 0; i < sizeof modes / sizeof *modes && !plan->plan; i++) {
      choose(device, operands, configs, recommended(graph, modes[i], configs, CANDIDATES), plan);
    }
  }
  while (scratch.count > 0) cudnn.cudnnBackendDestroyDescriptor(scratch.made[--scratch.count]);
}

static uint32_t hash(const Convolution *c) {
  const unsigned char *bytes = (const unsigned char *)c;
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < sizeof *c; i++) h = (h ^ bytes[i]) * 16777619u;
  return h;
}

int32_t conv_by_graph(Device *device, const Convolution *c, const ConvOperands *operands) {
  Plan **bucket = &plans[hash(c) % BUCKETS], *plan = *bucket;
  while (plan && memcmp(&plan->problem, c, sizeof *c) != 0) plan = plan->next;
  if (!plan) {
    if (device->capturing) {
      set_error("a convolution of a new shape cannot be captured: run it once before the graph");
      return CRESSET_CUDA_FAULT;
    }
    plan = calloc(1, sizeof *plan);
    if (!plan) return CRESSET_CUDA_MEMORY;
    plan->problem = *c;
    make_plan(device, operands, plan);
    plan->next = *bucket;
    *bucket = plan;
  }
  if (!plan->plan) {
    set_error("cuDNN has no plan for this convolution");
    return CRESSET_CUDA_UNSUPPORTED;
  }
  return execute(device, c, operands, plan->plan, plan->workspace_bytes);
}
