/**
 * `utils`: PyTorch's namespace of tools beside the layers, such as `utils.data` and `utils.metrics`.
 *
 * @module
 */

import "../ops/attach.ts";
export * as data from "../data/mod.ts";
export * as metrics from "./metrics.ts";
export { sendToDevice, SendToDeviceArgs } from "./send.ts";
