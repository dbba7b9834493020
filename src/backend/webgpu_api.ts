/**
 * `webgpu`: the GPU through Deno's built-in WebGPU.
 *
 * @module
 */

export { webGpuIsAvailable as isAvailable } from "./mod.ts";
