/**
 * `webgpu`: the GPU through Deno's built-in WebGPU.
 *
 * @module
 */

export {
  webGpuDeviceCount as deviceCount,
  webGpuDeviceName as getDeviceName,
  webGpuIsAvailable as isAvailable,
} from "./mod.ts";
