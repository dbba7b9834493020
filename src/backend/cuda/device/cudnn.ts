/**
 * What cuDNN may do: the switches of `torch.backends.cudnn`, for all devices.
 *
 * @module
 */

import { type Func, func, NoArgs } from "../../../base/call.ts";
import { environment } from "../../../base/platform.ts";
import { cudaShim, Library } from "./stream.ts";

/** The switches of {@linkcode cudnn}. */
export interface CudnnSwitches {
  /** Whether convolutions use cuDNN at all; our own kernels otherwise, which are slower. */
  enabled: boolean;
  /**
   * Whether a convolution of a shape not met before is measured with several plans and the fastest kept, instead of the one
   * that heuristics expect to be. Off at first; `CRESSET_CUDA_BENCHMARK=1` in the environment turns it on. The first
   * convolution of a shape then takes some thirty times as long, and results may differ in the last digits between runs.
   */
  benchmark: boolean;
  /** Whether only plans that give the same result in every run are used. Off at first. */
  deterministic: boolean;
  /**
   * Whether convolutions of float32 may round their operands to TensorFloat-32, as `cuda.setAllowTf32` allows it too.
   *
   * Differs from PyTorch: off at first.
   */
  allowTf32: boolean;
  /** Whether cuDNN was found. */
  readonly isAvailable: Func<typeof NoArgs, boolean>;
  /** cuDNN's version, such as 91500 for 9.15.0; `null` where it was not found. */
  readonly version: Func<typeof NoArgs, number | null>;
}

function found(): boolean {
  try {
    return (cudaShim().found >> Library.Cudnn & 1) === 1;
  } catch {
    return false;
  }
}

/**
 * Switches of cuDNN, which computes convolutions on NVIDIA devices.
 *
 * @example
 * ```ts
 * import * as torch from "../../../../mod.ts";
 *
 * torch.backends.cudnn.benchmark = true;
 * if (!torch.backends.cudnn.isAvailable()) console.log("convolutions run on our own kernels");
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/backends.html#torch-backends-cudnn
 */
export const cudnn: CudnnSwitches = {
  enabled: true,
  benchmark: environment("CRESSET_CUDA_BENCHMARK") === "1",
  deterministic: false,
  allowTf32: false,
  isAvailable: func("isAvailable", NoArgs, found),
  version: func(
    "version",
    NoArgs,
    () => found() ? cudaShim().c.cresset_cuda_library(Library.Cudnn, new Uint8Array(1), 1) : null,
  ),
};
