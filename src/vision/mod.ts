/**
 * `vision`: datasets of pictures, models and transforms, with torchvision's names.
 *
 * @module
 */

import "../ops/attach.ts";
export * as datasets from "./datasets.ts";
export * as models from "./models/mod.ts";
export * as transforms from "./transforms.ts";
export type { Image } from "./image.ts";
