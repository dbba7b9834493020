/** A worker that captures a graph on device 0 until it is told to end; see `double.ts`. */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { openCudaShim } from "../../ffi/cuda.ts";
import { DoubleDevice } from "../support/cuda_double/open.ts";

const device = new DoubleDevice(openCudaShim()!), { c } = device.shim;

self.addEventListener("message", () => {
  const graph = device.made(c.cresset_cuda_capture_end(0));
  device.check(c.cresset_cuda_graph_destroy(0, graph));
  postMessage("ended");
  self.close();
});

device.check(c.cresset_cuda_capture_begin(0));
postMessage("capturing");
