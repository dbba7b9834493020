/** Float8 on the GPU: conversions bit by bit PyTorch's, and what may be done with it. */

import { assertFloat8Conversions, assertFloat8Use } from "../support/float8.ts";
import { assertScaledMm } from "../support/scaled_mm.ts";
import { GPU, gpuTest } from "./support.ts";

gpuTest("webgpu: float8 conversions are PyTorch's", () => assertFloat8Conversions(GPU));
gpuTest("webgpu: float8 tensors are moved, viewed and computed with", () => assertFloat8Use(GPU));
gpuTest("webgpu: scaledMm is PyTorch's", () => assertScaledMm(GPU));
