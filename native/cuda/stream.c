/*
 * Streams, events and graphs.
 *
 * A device has one current stream, on which everything is issued. A graph records what is issued to it: launches with
 * their parameters, and copies, whose bytes the graph keeps.
 */
#include "api.h"

#include <stdlib.h>

#define TRY(call)                                        \
  do {                                                   \
    int32_t status_ = driver_status(driver.call, #call); \
    if (status_ != CRESSET_CUDA_OK) return status_;      \
  } while (0)

#define DEVICE(ordinal)                \
  Device *device = device_at(ordinal); \
  if (!device) return CRESSET_CUDA_NO_DEVICE

static Stream *stream_of(Device *device, double handle) {
  return handle == 0 ? &device->first : (Stream *)(uintptr_t)handle;
}

static CUevent event_of(double handle) { return (CUevent)(uintptr_t)handle; }

/* Refuses a call that would wait while a graph is captured; the capture continues. */
static int32_t refuse(const Device *device, const char *what) {
  if (!device->capturing) return CRESSET_CUDA_OK;
  set_error("%s while a graph is captured", what);
  return CRESSET_CUDA_ARGUMENT;
}

double cresset_cuda_stream(int32_t ordinal, int32_t priority) {
  Device *device = device_at(ordinal);
  Stream *stream = device ? calloc(1, sizeof *stream) : NULL;
  if (!stream) return 0;
  CUresult result = driver.cuStreamCreateWithPriority(&stream->handle, CU_STREAM_NON_BLOCKING, priority);
  if (driver_status(result, "cuStreamCreateWithPriority") == CRESSET_CUDA_OK) return (double)(uintptr_t)stream;
  free(stream);
  return 0;
}

int32_t cresset_cuda_stream_use(int32_t ordinal, double stream) {
  DEVICE(ordinal);
  device->current = stream_of(device, stream);
  device->stream = device->current->handle;
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_stream_wait(int32_t ordinal, double stream, double event) {
  DEVICE(ordinal);
  TRY(cuStreamWaitEvent(stream_of(device, stream)->handle, event_of(event), 0));
  return CRESSET_CUDA_OK;
}

static int32_t finished(CUresult result, const char *call) {
  if (result == CUDA_ERROR_NOT_READY) return 0;
  int32_t status = driver_status(result, call);
  return status == CRESSET_CUDA_OK ? 1 : status;
}

int32_t cresset_cuda_stream_query(int32_t ordinal, double stream) {
  DEVICE(ordinal);
  int32_t status = refuse(device, "a stream cannot be asked");
  return status ? status : finished(driver.cuStreamQuery(stream_of(device, stream)->handle), "cuStreamQuery");
}

int32_t cresset_cuda_stream_synchronize(int32_t ordinal, double stream) {
  DEVICE(ordinal);
  int32_t status = refuse(device, "a stream cannot be waited for");
  if (status) return status;
  TRY(cuStreamSynchronize(stream_of(device, stream)->handle));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_synchronize(int32_t ordinal) {
  DEVICE(ordinal);
  int32_t status = refuse(device, "a device cannot be waited for");
  if (status) return status;
  TRY(cuCtxSynchronize());
  return CRESSET_CUDA_OK;
}

double cresset_cuda_event(int32_t ordinal, int32_t timing) {
  CUevent event;
  if (!device_at(ordinal)) return 0;
  CUresult result = driver.cuEventCreate(&event, timing ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING);
  if (driver_status(result, "cuEventCreate") != CRESSET_CUDA_OK) return 0;
  return (double)(uintptr_t)event;
}

int32_t cresset_cuda_event_record(int32_t ordinal, double stream, double event) {
  DEVICE(ordinal);
  TRY(cuEventRecord(event_of(event), stream_of(device, stream)->handle));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_event_query(int32_t ordinal, double event) {
  DEVICE(ordinal);
  int32_t status = refuse(device, "an event cannot be asked");
  return status ? status : finished(driver.cuEventQuery(event_of(event)), "cuEventQuery");
}

int32_t cresset_cuda_event_synchronize(int32_t ordinal, double event) {
  DEVICE(ordinal);
  int32_t status = refuse(device, "an event cannot be waited for");
  if (status) return status;
  TRY(cuEventSynchronize(event_of(event)));
  return CRESSET_CUDA_OK;
}

double cresset_cuda_event_elapsed(double from, double to) {
  float milliseconds = 0;
  CUevent first = event_of(from), second = event_of(to);
  if (driver_status(driver.cuEventSynchronize(second), "cuEventSynchronize") != CRESSET_CUDA_OK) return -1;
  if (driver_status(driver.cuEventElapsedTime(&milliseconds, first, second), "cuEventElapsedTime")) return -1;
  return milliseconds;
}

int32_t cresset_cuda_event_destroy(double event) {
  TRY(cuEventDestroy_v2(event_of(event)));
  return CRESSET_CUDA_OK;
}

static void free_graph(Graph *graph) {
  for (Pinned *pinned = graph->pinned, *next; pinned; pinned = next) {
    next = pinned->next;
    driver.cuMemFreeHost(pinned);
  }
  for (Workspace *workspace = graph->workspaces, *next; workspace; workspace = next) {
    next = workspace->next;
    driver.cuMemFree_v2(workspace->address);
    free(workspace);
  }
  free(graph);
}

int32_t cresset_cuda_capture_begin(int32_t ordinal) {
  DEVICE(ordinal);
  int32_t status = refuse(device, "no other graph can be begun");
  if (status) return status;
  Graph *graph = calloc(1, sizeof *graph);
  if (!graph) return CRESSET_CUDA_ARGUMENT;
  status = driver_status(driver.cuStreamBeginCapture_v2(device->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                         "cuStreamBeginCapture");
  if (status == CRESSET_CUDA_OK) device->capturing = graph;
  else free(graph);
  return status;
}

double cresset_cuda_capture_end(int32_t ordinal) {
  Device *device = device_at(ordinal);
  CUgraph recorded = NULL;
  if (!device) return 0;
  Graph *graph = device->capturing;
  if (!graph) {
    set_error("no graph is captured");
    return 0;
  }
  device->capturing = NULL;
  int32_t status = driver_status(driver.cuStreamEndCapture(device->stream, &recorded), "cuStreamEndCapture");
  if (status == CRESSET_CUDA_OK) {
    status = driver_status(driver.cuGraphInstantiateWithFlags(&graph->exec, recorded, 0), "cuGraphInstantiate");
    driver.cuGraphDestroy(recorded);
  }
  if (status == CRESSET_CUDA_OK) return (double)(uintptr_t)graph;
  free_graph(graph);
  return 0;
}

int32_t cresset_cuda_graph_launch(int32_t ordinal, double graph) {
  DEVICE(ordinal);
  int32_t status = refuse(device, "a graph cannot be replayed");
  if (status) return status;
  TRY(cuGraphLaunch(((Graph *)(uintptr_t)graph)->exec, device->stream));
  return CRESSET_CUDA_OK;
}

int32_t cresset_cuda_graph_destroy(int32_t ordinal, double handle) {
  DEVICE(ordinal);
  int32_t status = refuse(device, "a graph cannot be destroyed");
  if (status) return status;
  Graph *graph = (Graph *)(uintptr_t)handle;
  /* Copies of the graph may still read the pinned memory, so wait. A fault is reported elsewhere; the memory is freed
     in any case. */
  driver.cuCtxSynchronize();
  status = driver_status(driver.cuGraphExecDestroy(graph->exec), "cuGraphExecDestroy");
  free_graph(graph);
  return status;
}
