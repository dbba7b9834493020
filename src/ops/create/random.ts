/**
 * Random tensors from nothing: `rand`, `randn`, `randint`, `randperm`, `normal`.
 *
 * The same seed gives the same values on every device; see `random_core.ts` for how. Random methods (`normal_`,
 * `bernoulli`, …) are in `sampling.ts`.
 *
 * @module
 */

import {
  type Args,
  call,
  type Func,
  func,
  isPlainObject,
  type Named,
  type SpreadArgs,
  spreadFunc,
} from "../../base/call.ts";
import { checkCount } from "../../base/checks.ts";
import type { Generator } from "../../base/generator.ts";
import type { MemoryFormat } from "../../base/layout.ts";
import { type DType, getDefaultDtype, int32, int64, promoteTypes } from "../../base/dtype.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { checkFewResults, hasFewOps } from "../../base/few_ops.ts";
import { broadcastShapes, checkSizes } from "../../base/shape.ts";
import { record } from "../../autograd/record.ts";
import type { Expr } from "../../expr/expr.ts";
import { emptyOn } from "../../tensor/create.ts";
import { emptyAs } from "../../tensor/layout.ts";
import { checkAlive, Tensor } from "../../tensor/tensor.ts";
import { checkSizeList, deviceOf, TensorArgs, type TensorOptions } from "./creation.ts";
import { writeOut } from "../core/define.ts";
import { type Fn, fn } from "../core/op.ts";
import { byParts, drawKind, type Filling, fillRandom, generatorOf, integersBetween, wordsOf } from "./random_core.ts";
import { NO_REFUSAL, type Refusal, refuseWhere } from "../core/values.ts";

/** What every random creation op takes by name. */
export class RandomArgs extends TensorArgs {
  /** The stream to draw from; `null`: the default generator. */
  generator: Generator | null = null;
  /** Where the result goes. */
  out: Tensor | null = null;
}

/** The parameters of {@linkcode rand} and {@linkcode randn}. */
export class RandArgs extends RandomArgs {
  constructor(
    /** The sizes, spread or as an array. */
    public size: readonly number[],
  ) {
    super();
  }
}

/** The parameters of {@linkcode randLike} and {@linkcode randnLike}. */
export class RandLikeArgs extends RandomArgs {
  /** The layout; `null`: that of the tensor to be like. */
  memoryFormat: MemoryFormat | null = null;
}

/** Makes a tensor, draws it and finishes it as the options say. */
function drawn(
  op: string,
  size: readonly number[],
  dtype: DType,
  options: Named<RandLikeArgs>,
  filling: (dtype: DType) => Filling,
  like: Tensor | null = null,
): Tensor {
  const device = deviceOf(options);
  const x = like
    ? emptyAs(op, like, dtype, device, options.memoryFormat ?? undefined)
    : emptyOn(op, size, dtype, device);
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

/** Options with the device of `input` where they name none. */
function likeInput<O extends Named<RandomArgs>>(input: Tensor, options: O): O {
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
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * torch.manualSeed(0);
 * const a = torch.rand(2, 3);
 * torch.manualSeed(0);
 * const b = torch.rand([2, 3]);
 * assertEquals(await a.tolist(), await b.tolist());
 * ```
 */
export const rand: (...args: SpreadArgs<typeof RandArgs>) => Tensor = spreadFunc(
  "rand",
  RandArgs,
  (o) => drawn("rand", [...o.size], floatingDtype("rand", o, getDefaultDtype()), o, uniformFilling),
  checkSizeList,
);

/** Standard normal values; a complex one has variance 1 in all. */
export const randn: (...args: SpreadArgs<typeof RandArgs>) => Tensor = spreadFunc(
  "randn",
  RandArgs,
  (o) => drawn("randn", [...o.size], floatingDtype("randn", o, getDefaultDtype()), o, normalFilling),
  checkSizeList,
);

/** {@linkcode rand} with the shape, dtype and device of `input`. */
export const randLike: Fn<typeof RandLikeArgs> = fn("randLike", RandLikeArgs, (input, o) => {
  checkAlive("randLike", input);
  const dtype = floatingDtype("randLike", o, input.dtype);
  return drawn("randLike", input.shape, dtype, likeInput(input, o), uniformFilling, input);
});

/** {@linkcode randn} with the shape, dtype and device of `input`. */
export const randnLike: Fn<typeof RandLikeArgs> = fn("randnLike", RandLikeArgs, (input, o) => {
  checkAlive("randnLike", input);
  const dtype = floatingDtype("randnLike", o, input.dtype);
  return drawn("randnLike", input.shape, dtype, likeInput(input, o), normalFilling, input);
});

/** An integer bound. */
export type Bound = number | bigint;

function checkBounds(op: string, ...bounds: readonly unknown[]): void {
  for (const b of bounds) {
    if (typeof b !== "number" && typeof b !== "bigint") {
      throw new ArgumentError(`${op}(): bounds must be integers: ${describe(b)}`);
    }
  }
}

function integerDtype(op: string, dtype: DType): DType {
  if (dtype.isComplex) throw new DTypeError(`${op}(): not defined for ${dtype}`);
  if (hasFewOps(dtype)) checkFewResults(op, dtype);
  return dtype;
}

/** The parameters of {@linkcode randint} without a lower bound by position. */
export class RandintArgs extends RandomArgs {
  /** The least value. */
  low: Bound = 0;
  constructor(
    /** One above the greatest value. */
    public high: Bound,
    /** The sizes. */
    public size: readonly number[],
  ) {
    super();
  }
}

/** The parameters of {@linkcode randint} with both bounds by position. */
export class RandintLowArgs extends RandomArgs {
  constructor(
    /** The least value. */
    public low: Bound,
    /** One above the greatest value. */
    public high: Bound,
    /** The sizes. */
    public size: readonly number[],
  ) {
    super();
  }
}

const randintArgs = call("randint", RandintArgs), randintLowArgs = call("randint", RandintLowArgs);

/** Whether a call of {@linkcode randint} begins with two bounds. */
function hasLow(args: readonly unknown[]): boolean {
  return args.length > 1 && !Array.isArray(args[1]) && !isPlainObject(args[1]);
}

/**
 * Integers from `low` (0 if not given) to `high - 1`, int64 unless `dtype` says otherwise: `randint(high, size)` or
 * `randint(low, high, size)`.
 */
export function randint(...args: Args<typeof RandintArgs> | Args<typeof RandintLowArgs>): Tensor {
  const options = hasLow(args) ? randintLowArgs(args) : randintArgs(args);
  const { low, high, size } = options;
  checkSizes("randint", size);
  checkBounds("randint", low, high);
  const dtype = integerDtype("randint", options.dtype ?? int64);
  return drawn("randint", [...size], dtype, options, () => integersBetween("randint", low, high));
}

/** The parameters of {@linkcode randintLike} without a lower bound by position. */
export class RandintLikeArgs extends RandLikeArgs {
  /** The least value. */
  low: Bound = 0;
  constructor(
    /** One above the greatest value. */
    public high: Bound,
  ) {
    super();
  }
}

/** The parameters of {@linkcode randintLike} with both bounds by position. */
export class RandintLikeLowArgs extends RandLikeArgs {
  constructor(
    /** The least value. */
    public low: Bound,
    /** One above the greatest value. */
    public high: Bound,
  ) {
    super();
  }
}

const randintLikeArgs = call("randintLike", RandintLikeArgs);
const randintLikeLowArgs = call("randintLike", RandintLikeLowArgs);

/** {@linkcode randint} with the shape, dtype and device of `input`: `(input, high)` or `(input, low, high)`. */
export function randintLike(
  input: Tensor,
  ...args: Args<typeof RandintLikeArgs> | Args<typeof RandintLikeLowArgs>
): Tensor {
  checkAlive("randintLike", input);
  const options = hasLow(args) ? randintLikeLowArgs(args) : randintLikeArgs(args);
  const { low, high } = options;
  checkBounds("randintLike", low, high);
  const dtype = integerDtype("randintLike", options.dtype ?? input.dtype);
  const filling = () => integersBetween("randintLike", low, high);
  return drawn("randintLike", input.shape, dtype, likeInput(input, options), filling, input);
}

/** The parameters of {@linkcode randperm}. */
export class RandpermArgs extends RandomArgs {
  constructor(
    /** How many integers. */
    public n: number,
  ) {
    super();
  }
}

/** The integers from 0 to `n - 1` in random order, int64 unless `dtype` says otherwise. */
export const randperm: Func<typeof RandpermArgs, Tensor> = func("randperm", RandpermArgs, (options) => {
  const { n } = options;
  checkCount("randperm", "n", n, 0);
  const dtype = integerDtype("randperm", options.dtype ?? int64);
  const device = deviceOf(options);
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
});

/** A tensor's or a number's value in the formula of {@linkcode normal}. */
export type Moment = Tensor | number;

function checkMoments(mean: Moment, std: Moment): Refusal {
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
    const error = () => new ArgumentError("normal(): std must not be negative: it is in places");
    return refuseWhere(std, (s) => s.lt(0), error);
  }
  if (std < 0) throw new ArgumentError(`normal(): std must not be negative: ${describe(std)}`);
  return NO_REFUSAL;
}

/** The parameters of {@linkcode normal}. */
export class NormalArgs extends RandomArgs {
  constructor(
    /** The mean, of all elements or of each. */
    public mean: Moment = 0,
    /** The standard deviation, of all elements or of each. */
    public std: Moment = 1,
    /** The sizes, where neither is a tensor. */
    public size: readonly number[] | null = null,
  ) {
    super();
  }
}

/**
 * Normal values with a mean and a standard deviation for each element (tensors, which broadcast), or for all (numbers,
 * with a size).
 *
 * @throws {ArgumentError} if a standard deviation is negative, or the size is missing
 */
export const normal: Func<typeof NormalArgs, Tensor> = func("normal", NormalArgs, (options) => {
  const { mean, std, size } = options;
  const checked = checkMoments(mean, std);
  const tensors = [mean, std].filter((m) => m instanceof Tensor);
  if (tensors.length === 0 && !size) {
    throw new ArgumentError("normal(): missing argument: size, since mean and std are numbers");
  }
  if (tensors.length > 0 && size) {
    throw new ShapeError(`normal(): the size ${show(size)} is given by the tensors; leave it out`);
  }
  if (size) checkSizes("normal", size);
  const shape = size ? [...size] : broadcastShapes("normal", ...tensors.map((t) => t.shape));
  const dtype = tensors.length === 0
    ? floatingDtype("normal", options, getDefaultDtype())
    : tensors.map((t) => t.dtype).reduce((a, b) => promoteTypes(a, b));
  const result = drawnNormal(shape, dtype, mean, std, tensors.length > 0 ? likeInput(tensors[0], options) : options);
  record(
    "NormalBackward0",
    checked(result),
    [mean, std].map((m) => m instanceof Tensor ? m : null),
    [],
    (grad) => [mean, std].map((m) => m instanceof Tensor ? grad.newZeros(m.shape).to(m.dtype) : null),
  );
  return result;
});

function drawnNormal(
  shape: readonly number[],
  dtype: DType,
  mean: Moment,
  std: Moment,
  options: NormalArgs,
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
