/**
 * `amp`: automatic mixed precision, gradient scaling, and custom functions under autocast.
 *
 * @see https://docs.pytorch.org/docs/stable/amp.html
 * @module
 */

import "../ops/attach.ts";
export { autocast, type AutocastOptions, isAutocastAvailable } from "../autograd/autocast.ts";
export { customBwd, customFwd, type CustomFwdOptions } from "./custom.ts";
export { GradScaler, type GradScalerOptions, type GradScalerState } from "./grad_scaler.ts";
