/**
 * Collation: makes one batch of a list of samples.
 *
 * Samples may be tensors, numbers, texts, typed arrays, and arrays or plain objects of these, to any depth; the batch
 * has the same structure with a batch dimension in front of every tensor.
 *
 * @module
 */

import { type Args, call, isPlainObject, NoArgs } from "../base/call.ts";
import { type DataArray, int64 } from "../base/dtype.ts";
import { checkArray, MOST_DIMS } from "../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { sameShape } from "../base/shape.ts";
import { tensor } from "../ops/create/creation.ts";
import { stack } from "../ops/shape/join.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A typed array of numbers, as samples may hold them. */
export type NumericArray = DataArray;

/** The type of the batch that `defaultCollate` makes of samples of type `T`; `any` for samples of type `any`. */
// deno-lint-ignore no-explicit-any -- `0 extends 1 & T` holds for `any` alone, whose batch is as little known
export type Collated<T> = 0 extends 1 & T ? any : T extends Tensor | NumericArray | number | bigint | boolean ? Tensor
: T extends string ? string[]
: T extends readonly unknown[] ? { -readonly [K in keyof T]: Collated<T[K]> }
: T extends object ? { -readonly [K in keyof T]: Collated<T[K]> }
: unknown;

/** The type that `defaultConvert` makes of a sample of type `T`. */
export type Converted<T> = T extends NumericArray ? Tensor
  : T extends Tensor | number | bigint | boolean | string ? T
  : T extends readonly unknown[] | object ? { -readonly [K in keyof T]: Converted<T[K]> }
  : T;

const OP = "defaultCollate";
const collateArgs = call(OP, NoArgs);
const convertArgs = call("defaultConvert", NoArgs);

function isNumericArray(value: unknown): value is NumericArray {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/**
 * Makes a batch of samples.
 *
 * Tensors are stacked along a new dimension 0. Numbers become one tensor: of int64 where all of them are integers (class
 * labels), else of the default floating dtype; booleans become bool, bigints int64. Texts stay a list. Arrays and plain
 * objects are collated element by element.
 *
 * Differs from PyTorch: numbers with a fraction become float32 there float64. Whether numbers are labels or values is
 * told by the values, so a dataset of values that may all be whole should give tensors.
 *
 * @param batch at least one sample, all of the same structure
 * @throws {ArgumentError} if samples differ in structure or hold something else
 * @throws {ShapeError} if tensors differ in shape
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const [x, y] = defaultCollate([[torch.ones([2]), 3], [torch.zeros([2]), 4]]);
 * assertEquals(x.shape, [2, 2]);
 * assertEquals(await y.tolist(), [3, 4]);
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
 */
export function defaultCollate<T>(batch: readonly T[], ...args: Args<typeof NoArgs>): Collated<T> {
  collateArgs(args);
  checkArray(OP, "batch", batch);
  if (batch.length === 0) throw new ArgumentError(`${OP}(): the batch has no samples`);
  return collate(batch, "sample") as Collated<T>;
}

function collate(batch: readonly unknown[], path: string, depth = 0): unknown {
  // A sample may contain itself.
  if (depth > MOST_DIMS) throw new ArgumentError(`${OP}(): samples are nested too deep: more than ${MOST_DIMS} lists`);
  const first = batch[0];
  if (first instanceof Tensor) return stackTensors(all(batch, path, (v): v is Tensor => v instanceof Tensor), path);
  if (isNumericArray(first)) {
    return stackTensors(all(batch, path, isNumericArray).map((v) => tensor(v)), path);
  }
  switch (typeof first) {
    case "number": {
      const values = all(batch, path, (v) => typeof v === "number");
      return values.every(Number.isSafeInteger) ? tensor(values, { dtype: int64 }) : tensor(values);
    }
    case "bigint":
      return tensor(all(batch, path, (v) => typeof v === "bigint"));
    case "boolean":
      return tensor(all(batch, path, (v) => typeof v === "boolean"));
    case "string":
      return all(batch, path, (v) => typeof v === "string");
  }
  if (Array.isArray(first)) {
    const lists = all(batch, path, (v): v is unknown[] => Array.isArray(v));
    const odd = lists.find((list) => list.length !== first.length);
    if (odd) throw new ArgumentError(`${OP}(): ${path}: lists differ in length: ${first.length} and ${odd.length}`);
    return first.map((_, i) => collate(lists.map((list) => list[i]), `${path}[${i}]`, depth + 1));
  }
  if (isPlainObject(first)) {
    const objects = all(batch, path, isPlainObject);
    return Object.fromEntries(
      Object.keys(first).map((
        key,
      ) => [key, collate(objects.map((object) => object[key]), `${path}.${key}`, depth + 1)]),
    );
  }
  throw new ArgumentError(
    `${OP}(): ${path}: expected tensors, numbers, texts, arrays or plain objects: ${describe(first)}; ` +
      "give DataLoader a collateFn of your own",
  );
}

/** Returns `batch`; throws unless every element is of the same kind as the first. */
function all<T>(batch: readonly unknown[], path: string, is: (value: unknown) => value is T): T[] {
  const odd = batch.find((value) => !is(value));
  if (odd !== undefined || batch.includes(undefined)) {
    throw new ArgumentError(`${OP}(): ${path}: samples differ in kind: ${describe(batch[0])} and ${describe(odd)}`);
  }
  return batch as T[];
}

function stackTensors(tensors: readonly Tensor[], path: string): Tensor {
  const { shape } = tensors[0];
  const odd = tensors.find((t) => !sameShape(t.shape, shape));
  if (odd) {
    throw new ShapeError(
      `${OP}(): ${path}: tensors differ in shape: ${show(shape)} and ${show(odd.shape)}; ` +
        "pad them in the dataset, or give DataLoader a collateFn of your own",
    );
  }
  return stack(tensors);
}

/**
 * Converts typed arrays in a sample to tensors and leaves the rest as it is. A `DataLoader` without batches applies it.
 *
 * @see https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_convert
 */
export function defaultConvert<T>(sample: T, ...args: Args<typeof NoArgs>): Converted<T> {
  convertArgs(args);
  return convert(sample) as Converted<T>;
}

function convert(value: unknown, depth = 0): unknown {
  // A sample may contain itself.
  if (depth > MOST_DIMS) {
    throw new ArgumentError(`defaultConvert(): the sample is nested too deep: more than ${MOST_DIMS} lists`);
  }
  const inner = (item: unknown) => convert(item, depth + 1);
  if (isNumericArray(value)) return tensor(value);
  if (Array.isArray(value)) return value.map(inner);
  if (isPlainObject(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, inner(v)]));
  return value;
}
