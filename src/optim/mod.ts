/**
 * `optim`: optimizers and learning-rate schedules.
 *
 * @module
 */

export { Adafactor } from "./adafactor.ts";
export { Adam, AdamW } from "./adam.ts";
export { Adamax, NAdam, RAdam } from "./adam_family.ts";
export { LBFGS } from "./lbfgs.ts";
export { Muon } from "./muon.ts";
export * as lrScheduler from "./schedulers.ts";
export { Optimizer, type OptimizerState } from "./optimizer.ts";
export type { ParamGroup } from "./param_group.ts";
export { Adadelta, Adagrad, RMSprop } from "./rmsprop.ts";
export { ASGD, Rprop } from "./rprop.ts";
export { SGD } from "./sgd.ts";
export * as swaUtils from "./swa_utils.ts";

// Types that the signatures above name; kept by tests/support/public_types.ts.
export type { SchedulerState } from "./lr_scheduler.ts";
export type { Closure, ParamGroupInput, ParamState, StateHook } from "./optimizer.ts";
export type { Scalars } from "./scalars.ts";
