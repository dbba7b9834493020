/**
 * `utils.data`: datasets, samplers and the `DataLoader`.
 *
 * @see https://docs.pytorch.org/docs/stable/data.html
 * @module
 */

import "../ops/attach.ts";
export {
  ChainDataset,
  ConcatDataset,
  Dataset,
  type Indexable,
  IterableDataset,
  type MapStyle,
  randomSplit,
  Subset,
  TensorDataset,
} from "./dataset.ts";
export {
  BatchSampler,
  RandomSampler,
  type RandomSamplerOptions,
  Sampler,
  SequentialSampler,
  type Sized,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from "./sampler.ts";
export { type Collated, type Converted, defaultCollate, defaultConvert, type NumericArray } from "./collate.ts";
export { type AnyDataset, DataLoader, type DataLoaderOptions, type Order } from "./dataloader.ts";

// Types that the signatures above name; kept by tests/support/public_types.ts.
export type { SeedOptions } from "./sampler.ts";
