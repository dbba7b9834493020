/**
 * `optim`: optimizers, learning-rate schedules, and averages of weights.
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

// Types that the signatures above name; kept by tests/support/public_types.ts.
export type { AdafactorArgs } from "./adafactor.ts";
export type { AdamArgs, AdamWArgs } from "./adam.ts";
export type { AdamaxArgs, NAdamArgs, RAdamArgs, RAdamFlags } from "./adam_family.ts";
export type { LBFGSArgs } from "./lbfgs.ts";
export type {
  ConstantLRArgs,
  CosineAnnealingLRArgs,
  ExponentialLRArgs,
  LinearLRArgs,
  MultiStepLRArgs,
  PolynomialLRArgs,
  StepLRArgs,
} from "./lr_formulas.ts";
export type { LambdaSchedule, Schedule, ScheduleOf, SchedulerStepArgs } from "./lr_scheduler.ts";
export type { PlateauStepArgs } from "./lr_scheduler_compose.ts";
export type { MuonAdjustment, MuonArgs } from "./muon.ts";
export type { OptimizerHookArgs } from "./optimizer.ts";
export type { GroupFields, GroupNotes, GroupOptions, OptimizerArgs, Unstored } from "./param_group.ts";
export type { PointwiseOptimizer, PointwiseOptions, Rule, RuleSpec, UpdateScalar } from "./pointwise.ts";
export type { AdadeltaArgs, AdagradArgs, RMSpropArgs, RMSpropFlags } from "./rmsprop.ts";
export type { ASGDArgs, RpropArgs } from "./rprop.ts";
export type { Num, ScalarFormula, Scalars } from "./scalars.ts";
export type { SGDArgs, SGDFlags } from "./sgd.ts";
export type { Decay, Flags, UpdateFormula, UpdateOperands, Variants } from "./variants.ts";
