/*
 * `libcudnn`: the graph API as far as convolutions need it, strictly.
 *
 * A descriptor is a bag of attributes. Each kind lists what it takes; a wrong type or count, a missing attribute, a
 * descriptor that is not finalized, one that was destroyed, and pointers that are less aligned than they were said to be
 * are refused. Engines differ in what they take and in their notes, not in what they compute.
 */
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "convolution.h"

namespace {

enum { REQUIRED = 1, OPTIONAL = 0 };

/* An attribute: its type and how many elements it has (at most DNN_MAX_DIMS where `many`). */
struct Attribute {
  int type, required;
  bool many;
};

using Schema = std::map<int, Attribute>;

const std::map<int, Schema> SCHEMAS = {
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR,
     {{CUDNN_ATTR_TENSOR_DATA_TYPE, {CUDNN_TYPE_DATA_TYPE, REQUIRED, false}},
      {CUDNN_ATTR_TENSOR_DIMENSIONS, {CUDNN_TYPE_INT64, REQUIRED, true}},
      {CUDNN_ATTR_TENSOR_STRIDES, {CUDNN_TYPE_INT64, REQUIRED, true}},
      {CUDNN_ATTR_TENSOR_UNIQUE_ID, {CUDNN_TYPE_INT64, REQUIRED, false}},
      {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {CUDNN_TYPE_INT64, REQUIRED, false}},
      {CUDNN_ATTR_TENSOR_IS_VIRTUAL, {CUDNN_TYPE_BOOLEAN, OPTIONAL, false}}}},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
     {{CUDNN_ATTR_CONVOLUTION_COMP_TYPE, {CUDNN_TYPE_DATA_TYPE, REQUIRED, false}},
      {CUDNN_ATTR_CONVOLUTION_CONV_MODE, {CUDNN_TYPE_CONVOLUTION_MODE, REQUIRED, false}},
      {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {CUDNN_TYPE_INT64, REQUIRED, false}},
      {CUDNN_ATTR_CONVOLUTION_DILATIONS, {CUDNN_TYPE_INT64, REQUIRED, true}},
      {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, {CUDNN_TYPE_INT64, REQUIRED, true}},
      {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, {CUDNN_TYPE_INT64, REQUIRED, true}},
      {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, {CUDNN_TYPE_INT64, REQUIRED, true}}}},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     {{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, {CUDNN_TYPE_FLOAT, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, {CUDNN_TYPE_FLOAT, REQUIRED, false}}}},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, {CUDNN_TYPE_FLOAT, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, {CUDNN_TYPE_FLOAT, REQUIRED, false}}}},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, {CUDNN_TYPE_FLOAT, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, {CUDNN_TYPE_FLOAT, REQUIRED, false}}}},
    {CUDNN_BACKEND_POINTWISE_DESCRIPTOR,
     {{CUDNN_ATTR_POINTWISE_MODE, {CUDNN_TYPE_POINTWISE_MODE, REQUIRED, false}},
      {CUDNN_ATTR_POINTWISE_MATH_PREC, {CUDNN_TYPE_DATA_TYPE, REQUIRED, false}}}},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
     {{CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}}}},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
     {{CUDNN_ATTR_OPERATIONGRAPH_HANDLE, {CUDNN_TYPE_HANDLE, REQUIRED, false}},
      {CUDNN_ATTR_OPERATIONGRAPH_OPS, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, true}}}},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR,
     {{CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}},
      {CUDNN_ATTR_ENGINEHEUR_MODE, {CUDNN_TYPE_HEUR_MODE, REQUIRED, false}}}},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
     {{CUDNN_ATTR_EXECUTION_PLAN_HANDLE, {CUDNN_TYPE_HANDLE, REQUIRED, false}},
      {CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, {CUDNN_TYPE_BACKEND_DESCRIPTOR, REQUIRED, false}}}},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
     {{CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, {CUDNN_TYPE_INT64, REQUIRED, true}},
      {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, {CUDNN_TYPE_VOID_PTR, REQUIRED, true}},
      {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, {CUDNN_TYPE_VOID_PTR, REQUIRED, false}}}},
    /* Filled by the library. */
    {CUDNN_BACKEND_ENGINE_DESCRIPTOR, {}},
    {CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, {}},
};

/* One way to compute; see `engines_of`. */
struct Engine {
  const char *name;
  std::vector<int> notes;
  int64_t workspace;
  bool runs; /* an engine may be recommended and yet not run here */
};

const Engine TENSOR_CORES = {"tensor cores", {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}, 0, true};
const Engine HALF_CORES = {"tensor cores", {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 0, true};
const Engine ATOMICS = {"atomics", {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, 4096, true};
const Engine ABSENT = {"absent", {}, 0, false};
const Engine GREEDY = {"greedy", {}, (int64_t)1 << 40, true};
const Engine LARGE = {"large", {}, (int64_t)96 << 20, true};
const Engine PLAIN = {"plain", {}, 2048, true};

/* What a graph computes, and which tensors it needs. */
struct Graph {
  ConvolutionJob job;
  int64_t uid[4] = {}, alignment[4] = {}; /* of x, w, y, bias */
};

struct Descriptor {
  int type = -1;
  bool final = false;
  std::map<int, std::vector<uint8_t>> values;
  Graph graph;                  /* of a graph and of what is made from it */
  const Engine *engine = nullptr; /* of an engine, a configuration, a plan */
  Descriptor *config = nullptr;   /* of a plan */

  bool has(int attribute) const { return values.count(attribute) != 0; }
  template <typename T>
  T get(int attribute, size_t i = 0) const {
    T value;
    memcpy(&value, values.at(attribute).data() + i * sizeof(T), sizeof value);
    return value;
  }
  template <typename T>
  size_t count(int attribute) const {
    return values.at(attribute).size() / sizeof(T);
  }
  Descriptor *at(int attribute, size_t i = 0) const { return get<Descriptor *>(attribute, i); }
};

std::set<Descriptor *> live;

bool is(Descriptor *d, int type) { return live.count(d) && d->type == type && d->final; }

size_t element_size(int type) {
  switch (type) {
    case CUDNN_TYPE_BOOLEAN: return 1;
    case CUDNN_TYPE_DATA_TYPE:
    case CUDNN_TYPE_FLOAT:
    case CUDNN_TYPE_CONVOLUTION_MODE:
    case CUDNN_TYPE_HEUR_MODE:
    case CUDNN_TYPE_POINTWISE_MODE: return 4;
    default: return 8;
  }
}

bool positive(const Descriptor &d, int attribute, int64_t least) {
  for (size_t i = 0; i < d.count<int64_t>(attribute); i++) {
    if (d.get<int64_t>(attribute, i) < least) return false;
  }
  return true;
}

bool check_tensor(const Descriptor &d) {
  int type = d.get<int>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  int64_t alignment = d.get<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  return dnn_known_type(type) && alignment > 0 && alignment % (int64_t)dnn_size_of(type) == 0 &&
         d.count<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS) == d.count<int64_t>(CUDNN_ATTR_TENSOR_STRIDES) &&
         positive(d, CUDNN_ATTR_TENSOR_DIMENSIONS, 1) && positive(d, CUDNN_ATTR_TENSOR_STRIDES, 1);
}

bool check_movement(const Descriptor &d) {
  size_t rank = (size_t)d.get<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS);
  for (int a : {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS,
                CUDNN_ATTR_CONVOLUTION_POST_PADDINGS}) {
    if (d.count<int64_t>(a) != rank) return false;
  }
  return d.get<int>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) == CUDNN_CROSS_CORRELATION && positive(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, 1) &&
         positive(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 1) && positive(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0) &&
         d.values.at(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS) == d.values.at(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS);
}

Layout layout_of(const Descriptor &d) {
  Layout layout;
  layout.type = d.get<int>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  layout.rank = (int)d.count<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  for (int i = 0; i < layout.rank; i++) {
    layout.sizes[i] = d.get<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, (size_t)i);
    layout.strides[i] = d.get<int64_t>(CUDNN_ATTR_TENSOR_STRIDES, (size_t)i);
  }
  return layout;
}

Movement movement_of(const Descriptor &d, int groups) {
  Movement m;
  m.rank = (int)d.get<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS);
  m.compute = d.get<int>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE);
  m.groups = groups;
  for (int i = 0; i < m.rank; i++) {
    m.pad[i] = d.get<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, (size_t)i);
    m.stride[i] = d.get<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, (size_t)i);
    m.dilation[i] = d.get<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS, (size_t)i);
  }
  return m;
}

/* The attributes of x, w, y, movement, alpha and beta, by direction. */
const int OPERANDS[3][6] = {
    {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

int direction_of(int type) {
  switch (type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR: return FORWARD;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR: return BY_INPUT;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR: return BY_WEIGHT;
    default: return -1;
  }
}

bool check_convolution(Descriptor &d) {
  int direction = direction_of(d.type);
  Descriptor *parts[4];
  for (int i = 0; i < 4; i++) {
    parts[i] = d.at(OPERANDS[direction][i]);
    if (!is(parts[i], i < 3 ? CUDNN_BACKEND_TENSOR_DESCRIPTOR : CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)) return false;
    if (i == 3) break;
    d.graph.uid[i] = parts[i]->get<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    d.graph.alignment[i] = parts[i]->get<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  }
  ConvolutionJob &job = d.graph.job;
  job.direction = (Direction)direction;
  job.x = layout_of(*parts[0]);
  job.w = layout_of(*parts[1]);
  job.y = layout_of(*parts[2]);
  if (job.w.rank < 3 || job.w.sizes[1] == 0 || job.x.sizes[1] % job.w.sizes[1] != 0) return false;
  job.m = movement_of(*parts[3], (int)(job.x.sizes[1] / job.w.sizes[1]));
  job.alpha = d.get<float>(OPERANDS[direction][4]);
  job.beta = d.get<float>(OPERANDS[direction][5]);
  return dnn_fits(job.x, job.w, job.m, job.y);
}

bool check_pointwise(const Descriptor &d) {
  if (!is(d.at(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR), CUDNN_BACKEND_POINTWISE_DESCRIPTOR)) return false;
  for (int a : {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, CUDNN_ATTR_OPERATION_POINTWISE_YDESC}) {
    if (!is(d.at(a), CUDNN_BACKEND_TENSOR_DESCRIPTOR)) return false;
  }
  Layout x = layout_of(*d.at(CUDNN_ATTR_OPERATION_POINTWISE_XDESC)), b = layout_of(*d.at(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
  Layout y = layout_of(*d.at(CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
  if (x.rank != b.rank || x.rank != y.rank) return false;
  for (int i = 0; i < x.rank; i++) {
    if (x.sizes[i] != y.sizes[i] || (b.sizes[i] != 1 && b.sizes[i] != x.sizes[i])) return false;
  }
  return true;
}

bool is_virtual(const Descriptor &tensor) {
  return tensor.has(CUDNN_ATTR_TENSOR_IS_VIRTUAL) && tensor.get<uint8_t>(CUDNN_ATTR_TENSOR_IS_VIRTUAL);
}

/* A graph is a convolution, or a forward one whose virtual result a bias is added to. */
cudnnStatus_t check_graph(Descriptor &d) {
  size_t count = d.count<Descriptor *>(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  Descriptor *first = d.at(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  if (!live.count(first) || !first->final || direction_of(first->type) < 0) return DNN_BAD_PARAM;
  d.graph = first->graph;
  ConvolutionJob &job = d.graph.job;
  Descriptor *result = first->at(OPERANDS[job.direction][2]);
  if (count == 1) return is_virtual(*result) ? DNN_BAD_PARAM : cudnnStatus_t(CUDNN_STATUS_SUCCESS);
  Descriptor *second = d.at(CUDNN_ATTR_OPERATIONGRAPH_OPS, 1);
  if (count != 2 || job.direction != FORWARD || !is(second, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)) return DNN_NOT_SUPPORTED;
  Descriptor *bias = second->at(CUDNN_ATTR_OPERATION_POINTWISE_BDESC), *y = second->at(CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
  if (second->at(CUDNN_ATTR_OPERATION_POINTWISE_XDESC) != result || !is_virtual(*result) || is_virtual(*y)) return DNN_BAD_PARAM;
  Layout b = layout_of(*bias);
  for (int i = 0; i < b.rank; i++) {
    if (b.sizes[i] != (i == 1 ? job.y.sizes[1] : 1)) return DNN_NOT_SUPPORTED;
  }
  job.y = layout_of(*y);
  d.graph.uid[2] = y->get<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
  d.graph.alignment[2] = y->get<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  d.graph.uid[3] = bias->get<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
  d.graph.alignment[3] = bias->get<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  return CUDNN_STATUS_SUCCESS;
}

/*
 * The engines that a heuristic recommends. Tensor cores take channels last and aligned tensors, and add a bias; the plain
 * engine takes float64 only as a fallback; volumes begin with one that needs much memory; grouped and dilated
 * convolutions together have none.
 */
std::vector<const Engine *> engines_of(const Graph &graph, int mode) {
  const ConvolutionJob &job = graph.job;
  const int type = job.x.type;
  const bool fallback = mode == CUDNN_HEUR_MODE_FALLBACK, last = job.x.strides[1] == 1, bias = graph.uid[3] != 0;
  const bool aligned = *std::min_element(graph.alignment, graph.alignment + 3) >= 16;
  if (job.m.groups > 1 && job.m.dilation[0] > 1) return {};
  std::vector<const Engine *> engines;
  if (!fallback) engines.push_back(&ABSENT);
  if (!fallback && last && aligned && type != CUDNN_DATA_DOUBLE) {
    engines.push_back(type == CUDNN_DATA_FLOAT ? &TENSOR_CORES : &HALF_CORES);
  }
  if (bias) return engines;
  if (!fallback) engines.push_back(&GREEDY);
  if (!fallback && job.m.rank == 3) engines.push_back(&LARGE);
  if (!fallback && job.direction == BY_WEIGHT && type != CUDNN_DATA_DOUBLE) engines.push_back(&ATOMICS);
  if (fallback || type != CUDNN_DATA_DOUBLE) engines.push_back(&PLAIN);
  return engines;
}

cudnnStatus_t check(Descriptor &d) {
  for (const auto &[attribute, rule] : SCHEMAS.at(d.type)) {
    if (rule.required && !d.has(attribute)) return DNN_BAD_PARAM;
  }
  bool good = true;
  switch (d.type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR: good = check_tensor(d); break;
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR: good = check_movement(d); break;
    case CUDNN_BACKEND_POINTWISE_DESCRIPTOR: good = d.get<int>(CUDNN_ATTR_POINTWISE_MODE) == CUDNN_POINTWISE_ADD; break;
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR: good = check_pointwise(d); break;
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR: return check_graph(d);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      good = is(d.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH), CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
      if (good) d.graph = d.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)->graph;
      break;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR: {
      Descriptor *config = d.at(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
      if (!is(config, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)) return DNN_BAD_PARAM;
      if (!config->engine->runs) return DNN_NOT_SUPPORTED;
      d.config = config;
      d.engine = config->engine;
      d.graph = config->graph;
      break;
    }
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
      good = d.count<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS) == d.count<void *>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
      break;
    case CUDNN_BACKEND_ENGINE_DESCRIPTOR:
    case CUDNN_BACKEND_ENGINECFG_DESCRIPTOR: return DNN_NOT_SUPPORTED; /* made by the library only, here */
    default: good = check_convolution(d);
  }
  return good ? cudnnStatus_t(CUDNN_STATUS_SUCCESS) : cudnnStatus_t(DNN_BAD_PARAM);
}

/* Fills the caller's empty descriptors with configurations. */
cudnnStatus_t heuristics(const Descriptor &d, int64_t wanted, int64_t *count, void *values) {
  std::vector<const Engine *> engines = engines_of(d.graph, d.get<int>(CUDNN_ATTR_ENGINEHEUR_MODE));
  if (!values || wanted == 0) {
    *count = (int64_t)engines.size();
    return CUDNN_STATUS_SUCCESS;
  }
  *count = std::min(wanted, (int64_t)engines.size());
  for (int64_t i = 0; i < *count; i++) {
    Descriptor *config = static_cast<Descriptor **>(values)[i];
    if (!live.count(config) || config->type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR || config->final) return DNN_BAD_PARAM;
    config->engine = engines[(size_t)i];
    config->graph = d.graph;
    config->final = true;
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t notes(const Engine &engine, int64_t wanted, int64_t *count, void *values) {
  *count = std::min(wanted, (int64_t)engine.notes.size());
  memcpy(values, engine.notes.data(), (size_t)*count * sizeof(int));
  return CUDNN_STATUS_SUCCESS;
}

/* The address of a tensor of the graph, 0 if it is missing or less aligned than was said. */
void *address_of(const Descriptor &pack, const Graph &graph, int i) {
  for (size_t k = 0; k < pack.count<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS); k++) {
    if (pack.get<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, k) != graph.uid[i]) continue;
    void *address = pack.get<void *>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, k);
    return (uintptr_t)address % (uintptr_t)graph.alignment[i] == 0 ? address : nullptr;
  }
  return nullptr;
}

}  // namespace

EXPORT cudnnStatus_t cudnnBackendCreateDescriptor(int type, cudnnBackendDescriptor_t *made) {
  if (!made) return DNN_BAD_PARAM;
  if (!SCHEMAS.count(type)) return DNN_NOT_SUPPORTED;
  Descriptor *d = new Descriptor();
  d->type = type;
  live.insert(d);
  *made = d;
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t desc) {
  Descriptor *d = static_cast<Descriptor *>(desc);
  if (!live.erase(d)) return DNN_BAD_PARAM;
  delete d;
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t desc, int attribute, int type, int64_t count,
                                              const void *values) {
  Descriptor *d = static_cast<Descriptor *>(desc);
  if (!live.count(d) || d->final || !values) return DNN_BAD_PARAM;
  const Schema &schema = SCHEMAS.at(d->type);
  auto rule = schema.find(attribute);
  if (rule == schema.end()) return DNN_NOT_SUPPORTED;
  if (rule->second.type != type || count < 1 || count > (rule->second.many ? DNN_MAX_DIMS : 1)) return DNN_BAD_PARAM;
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    for (int64_t i = 0; i < count; i++) {
      Descriptor *part = static_cast<Descriptor *const *>(values)[i];
      if (!live.count(part) || !part->final) return DNN_BAD_PARAM;
    }
  }
  const uint8_t *bytes = static_cast<const uint8_t *>(values);
  d->values[attribute] = std::vector<uint8_t>(bytes, bytes + (size_t)count * element_size(type));
  return CUDNN_STATUS_SUCCESS;
}

EXPORT cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t desc) {
  Descriptor *d = static_cast<Descriptor *>(desc);
  if (!live.count(d) || d->final) return DNN_BAD_PARAM;
  cudnnStatus_t status = check(*d);
  d->final = status == CUDNN_STATUS_SUCCESS;
  return status;
}

EXPORT cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t desc, int attribute, int type, int64_t wanted,
                                              int64_t *count, void *values) {
  Descriptor *d = static_cast<Descriptor *>(desc);
  if (!live.count(d) || !count) return DNN_BAD_PARAM;
  if (!d->final) return DNN_NOT_INITIALIZED;
  if (attribute == CUDNN_ATTR_ENGINEHEUR_RESULTS && d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
    return type == CUDNN_TYPE_BACKEND_DESCRIPTOR ? heuristics(*d, wanted, count, values) : cudnnStatus_t(DNN_BAD_PARAM);
  }
  if (!values || wanted < 1) return DNN_BAD_PARAM;
  if (attribute == CUDNN_ATTR_ENGINECFG_ENGINE && d->type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR) {
    Descriptor *engine = *static_cast<Descriptor **>(values);
    if (!live.count(engine) || engine->type != CUDNN_BACKEND_ENGINE_DESCRIPTOR || engine->final) return DNN_BAD_PARAM;
    engine->engine = d->engine;
    engine->final = true;
    *count = 1;
    return CUDNN_STATUS_SUCCESS;
  }
  if (attribute == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE && d->type == CUDNN_BACKEND_ENGINE_DESCRIPTOR) {
    return type == CUDNN_TYPE_NUMERICAL_NOTE ? notes(*d->engine, wanted, count, values) : cudnnStatus_t(DNN_BAD_PARAM);
  }
  if (attribute == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE && d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    if (type != CUDNN_TYPE_INT64) return DNN_BAD_PARAM;
    *static_cast<int64_t *>(values) = d->engine->workspace;
    *count = 1;
    return CUDNN_STATUS_SUCCESS;
  }
  return DNN_NOT_SUPPORTED;
}

EXPORT cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
  Descriptor *p = static_cast<Descriptor *>(plan), *v = static_cast<Descriptor *>(pack);
  if (!handle || !is(p, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) || !is(v, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)) return DNN_BAD_PARAM;
  if (!live.count(p->config) || p->get<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE) != handle) return DNN_BAD_PARAM;
  const bool bias = p->graph.uid[3] != 0;
  if (v->count<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS) != (bias ? 4u : 3u)) return DNN_BAD_PARAM;
  void *addresses[4] = {};
  for (int i = 0; i < (bias ? 4 : 3); i++) {
    addresses[i] = address_of(*v, p->graph, i);
    if (!addresses[i]) return DNN_BAD_PARAM;
  }
  if (p->engine->workspace > 0 && !owns(v->get<void *>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE), (size_t)p->engine->workspace)) return DNN_BAD_PARAM;
  ConvolutionJob job = p->graph.job;
  job.x_data = addresses[0];
  job.w_data = addresses[1];
  job.y_data = addresses[2];
  job.bias = addresses[3];
  if (!job.owned()) return DNN_BAD_PARAM;
  dnn_log("graph", job, p->engine->name);
  return enqueue(handle->stream, job) ? cudnnStatus_t(CUDNN_STATUS_SUCCESS) : cudnnStatus_t(DNN_EXECUTION_FAILED);
}
