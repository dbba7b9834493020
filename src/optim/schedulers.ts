/**
 * `optim.lrScheduler`: all learning-rate schedules.
 *
 * @module
 */

import "../ops/attach.ts";
export {
  ConstantLR,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  LRScheduler,
  MultiplicativeLR,
  MultiStepLR,
  PolynomialLR,
  StepLR,
} from "./lr_scheduler.ts";
export { ChainedScheduler, ReduceLROnPlateau, SequentialLR } from "./lr_scheduler_compose.ts";
export { CosineAnnealingLR, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR } from "./lr_scheduler_cyclic.ts";
