/**
 * `vision`: datasets of pictures and transforms, with torchvision's names.
 *
 * @module
 */

export * as datasets from "./datasets.ts";
export * as transforms from "./transforms.ts";
export type { Image } from "./image.ts";
