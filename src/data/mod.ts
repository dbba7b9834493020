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
  RandomSplitArgs,
  Subset,
  SubsetArgs,
  TensorDataset,
} from "./dataset.ts";
export {
  BatchSampler,
  BatchSamplerArgs,
  RandomSampler,
  RandomSamplerArgs,
  Sampler,
  SequentialSampler,
  type Sized,
  SubsetRandomSampler,
  SubsetRandomSamplerArgs,
  WeightedRandomSampler,
  WeightedRandomSamplerArgs,
} from "./sampler.ts";
export { type Collated, type Converted, defaultCollate, defaultConvert, type NumericArray } from "./collate.ts";
export { type AnyDataset, DataLoader, DataLoaderArgs, type Order } from "./dataloader.ts";
