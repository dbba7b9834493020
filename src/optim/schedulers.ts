/**
 * `optim.lrScheduler`: all learning-rate schedules.
 *
 * @module
 */

import "../ops/attach.ts";
export {
  ConstantLR,
  CosineAnnealingLR,
  ExponentialLR,
  LinearLR,
  MultiStepLR,
  PolynomialLR,
  StepLR,
} from "./lr_formulas.ts";
export { LambdaLR, LRScheduler, MultiplicativeLR, type SchedulerState } from "./lr_scheduler.ts";
export { ChainedScheduler, ReduceLROnPlateau, SequentialLR } from "./lr_scheduler_compose.ts";
export { CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR } from "./lr_scheduler_cyclic.ts";
