/**
 * `optim`: optimizers and learning-rate schedules, and the averages of weights, which are modules.
 *
 * @module
 */

import "../ops/attach.ts";
export * from "../optim/mod.ts";
export * as swaUtils from "./swa_utils.ts";
