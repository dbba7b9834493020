/**
 * `backends`: switches of the libraries that devices compute with, under PyTorch's names.
 *
 * @module
 */

export { cudnn, type CudnnSwitches } from "./cuda/device/cudnn.ts";
export { cuda, type CudaMatmulSwitches, type CudaSwitches } from "./cuda/device/cublas.ts";
