/**
 * How exact products on NVIDIA devices are: the switches of `torch.backends.cuda.matmul`, for all devices.
 *
 * @module
 */

import { type Func, func, NoArgs } from "../../../base/call.ts";
import { ArgumentError, describe } from "../../../base/errors.ts";

/** The switches of `backends.cuda.matmul`. */
export interface CudaMatmulSwitches {
  /**
   * Whether products of float32 may round their operands to TensorFloat-32, which is several times faster and keeps about
   * three digits. Off at first; `cuda.setAllowTf32` allows it on one device.
   */
  allowTf32: boolean;
  /** Whether a float16 product that is split along its depth may add the parts in 16 bits. On at first. */
  allowFp16ReducedPrecisionReduction: boolean;
  /** The same of bfloat16. */
  allowBf16ReducedPrecisionReduction: boolean;
}

/** What `backends.cuda` holds. */
export interface CudaSwitches {
  /** Switches of products. */
  readonly matmul: CudaMatmulSwitches;
}

/**
 * Switches of CUDA's products.
 *
 * @example
 * ```ts
 * import * as torch from "../../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * torch.backends.cuda.matmul.allowTf32 = true;
 * assertEquals(torch.getFloat32MatmulPrecision(), "high");
 * torch.setFloat32MatmulPrecision("highest");
 * assertEquals(torch.backends.cuda.matmul.allowTf32, false);
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/backends.html#torch-backends-cuda
 */
export const cuda: CudaSwitches = {
  matmul: {
    allowTf32: false,
    allowFp16ReducedPrecisionReduction: true,
    allowBf16ReducedPrecisionReduction: true,
  },
};

/** How exact float32 products are; see {@linkcode setFloat32MatmulPrecision}. */
export type Float32MatmulPrecision = "highest" | "high" | "medium";

/** The parameters of {@linkcode setFloat32MatmulPrecision}. */
export class MatmulPrecisionArgs {
  constructor(
    /** `"highest"` (at first), `"high"` or `"medium"`. */
    public precision: Float32MatmulPrecision,
  ) {}
}

/**
 * Sets how exact products of float32 are: `"highest"` computes in float32, `"high"` allows TensorFloat-32 on NVIDIA devices,
 * the same switch as `backends.cuda.matmul.allowTf32`. Other devices compute in float32 always.
 *
 * Differs from PyTorch: `"medium"` is `"high"`; there it allows bfloat16 on processors that have it.
 *
 * @throws {ArgumentError} if it is none of these
 * @see https://docs.pytorch.org/docs/stable/generated/torch.set_float32_matmul_precision.html
 */
export const setFloat32MatmulPrecision: Func<typeof MatmulPrecisionArgs, void> = func(
  "setFloat32MatmulPrecision",
  MatmulPrecisionArgs,
  ({ precision }) => {
    if (precision !== "highest" && precision !== "high" && precision !== "medium") {
      throw new ArgumentError(
        `setFloat32MatmulPrecision(): precision must be "highest", "high" or "medium": ${describe(precision)}`,
      );
    }
    cuda.matmul.allowTf32 = precision !== "highest";
  },
);

/** How exact products of float32 are: `"highest"`, or `"high"` where TensorFloat-32 is allowed. */
export const getFloat32MatmulPrecision: Func<typeof NoArgs, Float32MatmulPrecision> = func(
  "getFloat32MatmulPrecision",
  NoArgs,
  () => cuda.matmul.allowTf32 ? "high" : "highest",
);
