/**
 * `optim`: optimizers, learning-rate schedules, and the averages of weights, which are modules.
 *
 * @module
 */

import "../ops/attach.ts";
export { Adafactor } from "./adafactor.ts";
export { Adam, AdamW } from "./adam.ts";
export { Adamax, NAdam, RAdam } from "./adam_family.ts";
export { LBFGS } from "./lbfgs.ts";
export { Muon } from "./muon.ts";
export * as lrScheduler from "./schedulers.ts";
export {
  type Closure,
  Optimizer,
  type OptimizerHook,
  type OptimizerState,
  type ParamState,
  type StateHook,
} from "./optimizer.ts";
export type { ParamGroup, ParamGroupInput, ParamsInput } from "./param_group.ts";
export { Adadelta, Adagrad, RMSprop } from "./rmsprop.ts";
export { ASGD, Rprop } from "./rprop.ts";
export { SGD } from "./sgd.ts";
export * as swaUtils from "./swa_utils.ts";
