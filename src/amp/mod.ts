/**
 * `amp`: automatic mixed precision, gradient scaling, and custom functions under autocast.
 *
 * @see https://docs.pytorch.org/docs/stable/amp.html
 * @module
 */

import "../ops/attach.ts";
export { autocast, type AutocastOptions, isAutocastAvailable } from "../autograd/autocast.ts";
export { customBwd, CustomBwdArgs, customFwd, CustomFwdArgs } from "./custom.ts";
export { GradScaler, GradScalerArgs, type GradScalerState } from "./grad_scaler.ts";

// Types that the signatures above name; kept by tests/support/public_types.ts.
export type { FactorArgs, IntervalArgs, UnscaleArgs, UpdateArgs } from "./grad_scaler.ts";
