/**
 * Random tensors from nothing: `rand`, `randn`, `randint`, `randperm`, `normal`.
 *
 * The same seed gives the same values on every device; see `random_core.ts` for how. Random methods (`normal_`,
 * `bernoulli`, …) are in `sampling.ts`.
 *
 * @module
 */

import { checkNames, isPlainObject } from "../base/args.ts";
import { device as parseDevice } from "../base/device.ts";
import { type DType, getDefaultDtype, int32, int64, promoteTypes } from "../base/dtype.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../base/errors.ts";
import { broadcastShapes, checkSizes } from "../base/shape.ts";
import { getDefaultDevice } from "../backend/mod.ts";
import { record } from "../autograd/record.ts";
import type { Expr } from "../expr/expr.ts";
import { emptyOn } from "../tensor/create.ts";
import { emptyAs } from "../tensor/layout.ts";
import { checkAlive, Tensor } from "../tensor/tensor.ts";
import { type LikeOptions, type SizeArgs, sizeArgs, type TensorOptions } from "./creation.ts";
import { writeOut } from "./define.ts";
import {
  byParts,
  drawKind,
  type Filling,
  fillRandom,
  generatorOf,
  integersBetween,
  type RandomOptions,
  wordsOf,
} from "./random_core.ts";
import { refuseWhere } from "./values.ts";

/** Options of random creation ops. */
export interface RandomTensorOptions extends TensorOptions, RandomOptions {
  /** A tensor to write the result into. */
  out?: Tensor;
}

/** What every random creation op takes by name; some also take sizes and the numbers of their distribution. */
const OPTION_NAMES: ReadonlySet<string> = new Set([
  "dtype",
  "device",
  "requiresGrad",
  "layout",
  "pinMemory",
  "generator",
  "out",
]);

const NAMES_OF: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    rand: ["size"],
    randn: ["size"],
    randint: ["low", "high", "size"],
    randintLike: ["low", "high", "memoryFormat"],
    normal: ["mean", "std", "size"],
    randLike: ["memoryFormat"],
    randnLike: ["memoryFormat"],
  }).map(([op, names]) => [op, new Set([...names, ...OPTION_NAMES])]),
);

/** Makes a tensor, draws it and finishes it as the options say. */
function drawn(
  op: string,
  size: readonly number[],
  dtype: DType,
  options: RandomTensorOptions & LikeOptions,
  filling: (dtype: DType) => Filling,
  like: Tensor | null = null,
): Tensor {
  checkNames(op, options, NAMES_OF.get(op.split(" ")[0]) ?? OPTION_NAMES);
  const device = options.device === undefined ? getDefaultDevice() : parseDevice(options.device);
  const x = like ? emptyAs(op, like, dtype, device, options.memoryFormat) : emptyOn(op, size, dtype, device);
  fillRandom(op, x, generatorOf(op, options.generator), filling(dtype));
  if (options.out) return writeOut(op, options.out, x);
  return options.requiresGrad ? x.requiresGrad_(true) : x;
}

/** The dtype asked for, which must be floating or complex. */
function floatingDtype(op: string, options: TensorOptions, fallback: DType): DType {
  const dtype = options.dtype ?? fallback;
  if (!dtype.isFloatingPoint && !dtype.isComplex) {
    throw new DTypeError(`${op}(): the dtype must be floating or complex: ${dtype}`);
  }
  return dtype;
}

function likeInput<O extends RandomTensorOptions>(input: Tensor, options: O): O {
  return { ...options, device: options.device ?? input.device };
}

function uniformFilling(dtype: DType): Filling {
  const words = wordsOf(drawKind(dtype));
  return {
    words: (dtype.isComplex ? 2 : 1) * words,
    value: (draws) => byParts(dtype, (part) => draws.uniform(dtype, part * words)),
  };
}

function normalFilling(dtype: DType): Filling {
  const kind = drawKind(dtype), words = 2 * wordsOf(kind);
  return {
    words: (dtype.isComplex ? 2 : 1) * words,
    value: (draws) =>
      byParts(dtype, (part) => {
        const value = draws.normal(kind, part * words);
        // A complex standard normal value has variance 1 in all.
        return dtype.isComplex ? value.mul(Math.SQRT1_2) : value;
      }),
  };
}

/**
 * Values spread evenly over [0, 1).
 *
 * @param args sizes, as an array or spread, then options
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * torch.manualSeed(0);
 * const a = torch.rand(2, 3);
 * torch.manualSeed(0);
 * const b = torch.rand([2, 3]);
 * assertEquals(await a.tolist(), await b.tolist());
 * ```
 */
export function rand(...args: SizeArgs<RandomTensorOptions>): Tensor {
  const [size, options] = sizeArgs<RandomTensorOptions>("rand", args);
  return drawn("rand", size, floatingDtype("rand", options, getDefaultDtype()), options, uniformFilling);
}

/** Standard normal values; a complex one has variance 1 in all. */
export function randn(...args: SizeArgs<RandomTensorOptions>): Tensor {
  const [size, options] = sizeArgs<RandomTensorOptions>("randn", args);
  return drawn("randn", size, floatingDtype("randn", options, getDefaultDtype()), options, normalFilling);
}

/** {@linkcode rand} with the shape, dtype and device of `input`. */
export function randLike(input: Tensor, options: RandomTensorOptions & LikeOptions = {}): Tensor {
  checkAlive("randLike", input);
  const dtype = floatingDtype("randLike", options, input.dtype);
  return drawn("randLike", input.shape, dtype, likeInput(input, options), uniformFilling, input);
}

/** {@linkcode randn} with the shape, dtype and device of `input`. */
export function randnLike(input: Tensor, options: RandomTensorOptions & LikeOptions = {}): Tensor {
  checkAlive("randnLike", input);
  const dtype = floatingDtype("randnLike", options, input.dtype);
  return drawn("randnLike", input.shape, dtype, likeInput(input, options), normalFilling, input);
}

/** An integer bound. */
export type Bound = number | bigint;

/** The bounds of `(high, …)`, `(low, high, …)` or `{ low, high }`. */
function bounds(op: string, list: readonly unknown[], named: { low?: Bound; high?: Bound }): [Bound, Bound] {
  const given = list.length === 2 ? list : list.length === 1 ? [named.low ?? 0, list[0]] : [named.low ?? 0, named.high];
  for (const b of given) {
    if (typeof b !== "number" && typeof b !== "bigint") {
      throw new ArgumentError(`${op}(): bounds must be integers: ${describe(b)}`);
    }
  }
  return given as [Bound, Bound];
}

function integerDtype(op: string, dtype: DType): DType {
  if (dtype.isComplex) throw new DTypeError(`${op}(): not defined for ${dtype}`);
  return dtype;
}

/** The parameters of {@linkcode randint} by name. */
export interface RandintOptions extends RandomTensorOptions {
  /** The least value. @default {0} */
  low?: Bound;
  /** One above the greatest value. */
  high?: Bound;
  /** The sizes. */
  size?: readonly number[];
}

/** Integers from `low` (default 0) to `high - 1`, int64 unless `dtype` says otherwise. */
export function randint(
  ...args:
    | [high: Bound, size: readonly number[], options?: RandomTensorOptions]
    | [low: Bound, high: Bound, size: readonly number[], options?: RandomTensorOptions]
    | [high: Bound, options: RandintOptions]
    | [low: Bound, high: Bound, options: RandintOptions]
    | [options: RandintOptions]
): Tensor {
  const last = args[args.length - 1];
  const options: RandintOptions = isPlainObject(last) ? last : {};
  const rest: readonly unknown[] = isPlainObject(last) ? args.slice(0, -1) : args;
  const at = rest.findIndex((a) => Array.isArray(a));
  const size = at >= 0 ? (rest[at] as number[]) : options.size;
  if (!size) throw new ArgumentError("randint(): missing argument: size, an array of sizes");
  checkSizes("randint", size, 8);
  const [low, high] = bounds("randint", at >= 0 ? rest.slice(0, at) : rest, options);
  const dtype = integerDtype("randint", options.dtype ?? int64);
  return drawn("randint", [...size], dtype, options, () => integersBetween("randint", low, high));
}

/** {@linkcode randint} with the shape, dtype and device of `input`: `(input, high)` or `(input, low, high)`. */
export function randintLike(
  input: Tensor,
  ...args: [high: Bound, options?: RandomTensorOptions] | [low: Bound, high: Bound, options?: RandomTensorOptions] | [
    options: Omit<RandintOptions, "size">,
  ]
): Tensor {
  checkAlive("randintLike", input);
  const last = args[args.length - 1];
  const options: RandintOptions = isPlainObject(last) ? last : {};
  const [low, high] = bounds("randintLike", isPlainObject(last) ? args.slice(0, -1) : args, options);
  const dtype = integerDtype("randintLike", options.dtype ?? input.dtype);
  const filling = () => integersBetween("randintLike", low, high);
  return drawn("randintLike", input.shape, dtype, likeInput(input, options), filling, input);
}

/** The integers from 0 to `n - 1` in random order, int64 unless `dtype` says otherwise. */
export function randperm(n: number, options: RandomTensorOptions = {}): Tensor {
  if (!Number.isInteger(n) || n < 0) throw new ArgumentError(`randperm(): n must be a non-negative integer: ${n}`);
  checkNames("randperm", options, OPTION_NAMES);
  const dtype = integerDtype("randperm", options.dtype ?? int64);
  const device = options.device === undefined ? getDefaultDevice() : parseDevice(options.device);
  // The order of random keys of 31 bits, which every device has; the few that are equal keep their order.
  const keys = emptyOn("randperm", [n], int32, device);
  fillRandom("randperm", keys, generatorOf("randperm", options.generator), {
    words: 1,
    value: (draws) => draws.bits(31, 0),
  });
  const order = emptyOn("randperm", [n], int64, device);
  if (n > 0) keys.storage.backend.sort(keys, 0, false, keys, order);
  keys.dispose();
  const result = order.to(dtype);
  if (options.out) return writeOut("randperm", options.out, result);
  return options.requiresGrad ? result.requiresGrad_(true) : result;
}

/** A tensor's or a number's value in the formula of {@linkcode normal}. */
export type Moment = Tensor | number;

function checkMoments(mean: Moment, std: Moment): void {
  for (const m of [mean, std]) {
    if (m instanceof Tensor) {
      checkAlive("normal", m);
      if (!m.dtype.isFloatingPoint) {
        throw new DTypeError(`normal(): mean and std must be of a floating dtype: ${m.dtype}`);
      }
    } else if (typeof m !== "number") {
      throw new ArgumentError(`normal(): expected a Tensor or a number: ${describe(m)}`);
    }
  }
  if (std instanceof Tensor) {
    refuseWhere(std, (s) => s.lt(0), () => new ArgumentError("normal(): std must not be negative: it is in places"));
  } else if ((std as number) < 0) throw new ArgumentError(`normal(): std must not be negative: ${std}`);
}

/** Options of {@linkcode normal}. */
export interface NormalOptions extends RandomTensorOptions {
  /** The mean. @default {0} */
  mean?: Moment;
  /** The standard deviation. @default {1} */
  std?: Moment;
  /** The sizes, where neither is a tensor. */
  size?: readonly number[];
}

/**
 * Normal values with a mean and a standard deviation for each element (tensors, which broadcast), or for all (numbers,
 * with a size).
 *
 * @throws {ArgumentError} if a standard deviation is negative, or the size is missing
 */
export function normal(
  ...args:
    | [mean: Moment, std?: Moment, size?: readonly number[], options?: NormalOptions]
    | [mean: Moment, std: Moment, options: NormalOptions]
    | [mean: Moment, options: NormalOptions]
    | [options: NormalOptions]
): Tensor {
  const last = args[args.length - 1];
  const options: NormalOptions = isPlainObject(last) ? last : {};
  const rest = (isPlainObject(last) ? args.slice(0, -1) : args) as [Moment?, Moment?, (readonly number[])?];
  const [mean = options.mean ?? 0, std = options.std ?? 1, size = options.size] = rest;
  checkMoments(mean, std);
  const tensors = [mean, std].filter((m) => m instanceof Tensor);
  if (tensors.length === 0 && !size) {
    throw new ArgumentError("normal(): missing argument: size, since mean and std are numbers");
  }
  if (tensors.length > 0 && size) {
    throw new ShapeError(`normal(): the size ${show(size)} is given by the tensors; leave it out`);
  }
  if (size) checkSizes("normal", size, 16);
  const shape = size ? [...size] : broadcastShapes("normal", ...tensors.map((t) => t.shape));
  const dtype = tensors.length === 0
    ? floatingDtype("normal", options, getDefaultDtype())
    : tensors.map((t) => t.dtype).reduce(promoteTypes);
  const result = drawnNormal(shape, dtype, mean, std, tensors.length > 0 ? likeInput(tensors[0], options) : options);
  record(
    "NormalBackward0",
    result,
    [mean, std].map((m) => m instanceof Tensor ? m : null),
    [],
    (grad) => [mean, std].map((m) => m instanceof Tensor ? grad.newZeros(m.shape).to(m.dtype) : null),
  );
  return result;
}

function drawnNormal(
  shape: readonly number[],
  dtype: DType,
  mean: Moment,
  std: Moment,
  options: NormalOptions,
): Tensor {
  const kind = drawKind(dtype);
  const inputs: Tensor[] = [];
  const params: number[] = [];
  // Numbers come as parameters and tensors as inputs, in the order mean, std.
  const place = (m: Moment) => {
    const value = dtype.isComplex && m === std && typeof m === "number" ? m * Math.SQRT1_2 : m;
    const at = value instanceof Tensor ? inputs.push(value.detach()) - 1 : params.push(value) - 1;
    return (numbers: readonly Expr[], tensors: readonly Expr[]) =>
      value instanceof Tensor ? tensors[at].to(kind) : numbers[at];
  };
  const meanOf = place(mean), stdOf = place(std);
  const op = `normal${mean instanceof Tensor ? " mean" : ""}${std instanceof Tensor ? " std" : ""}`;
  const words = 2 * wordsOf(kind);
  return drawn(op, shape, dtype, options, () => ({
    words: (dtype.isComplex ? 2 : 1) * words,
    params,
    inputs,
    value: (draws, numbers, tensors) =>
      byParts(dtype, (part) => {
        const value = draws.normal(kind, part * words).mul(stdOf(numbers, tensors));
        return part === 0 ? value.add(meanOf(numbers, tensors)) : value;
      }),
  }));
}
