/**
 * `autograd`: gradients as functions, grad modes, custom functions and checks.
 *
 * @module
 */

export { backward, BackwardOfArgs, grad, GradArgs } from "./tensor_autograd.ts";
export { detectAnomaly, enableGrad, inferenceMode, noGrad, setDetectAnomaly, setGradEnabled } from "./mode.ts";
export { Function, type FunctionClass, FunctionCtx } from "./function.ts";
export { type CheckedFunction, gradcheck, GradcheckArgs, gradgradcheck, GradgradcheckArgs } from "./gradcheck.ts";
export { Node } from "./node.ts";

// Types that the signatures above name; kept by tests/support/public_types.ts.
export type {
  AutocastArgs,
  AutocastAvailableArgs,
  DeviceTypeArgs,
  IsAutocastEnabledArgs,
  SetAutocastCacheArgs,
  SetAutocastDtypeArgs,
  SetAutocastEnabledArgs,
} from "./autocast.ts";
export type { SetMaterializeGradsArgs } from "./function.ts";
export type { GradHook } from "./meta.ts";
export type { ModeFunction, SetDetectAnomalyArgs, SetGradEnabledArgs } from "./mode.ts";
export type { HookArgs, NodeHook, NodePreHook, RemovableHandle, SavedTensor } from "./node.ts";
export type {
  BackwardArgs,
  GradList,
  PostAccumulateGradHook,
  RequiresGradArgs,
  TensorAutograd,
  Unused,
  UnusedLists,
} from "./tensor_autograd.ts";
