/**
 * `utils`: PyTorch's name for what stands beside the layers; `utils.data` loads data.
 *
 * @module
 */

import "../ops/attach.ts";
export * as data from "../data/mod.ts";
export * as metrics from "./metrics.ts";
