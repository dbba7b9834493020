/**
 * Random methods: in-place fills (`normal_`, `uniform_`, …) and samples whose probabilities are a tensor.
 *
 * Every function takes a tensor first and is a method too. Values come from `random_core.ts`; gradients of samples are
 * zero, as in PyTorch.
 *
 * @module
 */

import { type Op, op, OutArgs } from "../core/op.ts";
import { type DType, float32, float64, int64 } from "../../base/dtype.ts";
import { rowOf } from "../../base/dtype_table.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { hasFewOps, refusal } from "../../base/few_ops.ts";
import type { Generator } from "../../base/generator.ts";
import { broadcastShapes, sameShape } from "../../base/shape.ts";
import { checkInPlace, record, recordInPlace } from "../../autograd/record.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { checkAlive, checkTensor, Tensor } from "../../tensor/tensor.ts";
import { checkNoOverlap, writeOut } from "../core/define.ts";
import { hostValues, NO_REFUSAL, type Refusal, refuseWhere } from "../core/values.ts";
import { sliceAt } from "../core/view_core.ts";
import { byParts, drawKind, type Filling, fillRandom, generatorOf, integersBetween, wordsOf } from "./random_core.ts";

/** Fills `self` in place and records that its old value no longer matters. */
function fillInPlace(op: string, node: string, self: Tensor, generator: Generator, filling: Filling): Tensor {
  checkAlive(op, self);
  checkInPlace(op, self);
  checkNoOverlap(op, self);
  fillRandom(op, self, generator, filling);
  self.storage.version++;
  return recordInPlace(node, self, [self], [], (grad) => [grad.newZeros(grad.shape)]);
}

function needFloating(op: string, dtype: DType): void {
  if (!dtype.isFloatingPoint) throw new DTypeError(`${op}(): the tensor must be of a floating dtype: ${dtype}`);
}

function needAbove(op: string, name: string, value: number, bound: number, inclusive = false): void {
  if (inclusive ? value >= bound : value > bound) return;
  throw new ArgumentError(`${op}(): ${name} must be ${inclusive ? "at least" : "above"} ${bound}: ${describe(value)}`);
}

/** What every random method takes by name. */
export class GeneratorArgs {
  /** The stream to draw from; `null`: the default generator. */
  generator: Generator | null = null;
}

/** The parameters of {@linkcode normal_}. */
export class NormalFillArgs extends GeneratorArgs {
  constructor(
    /** The mean. */
    public mean = 0,
    /** The standard deviation. */
    public std = 1,
  ) {
    super();
  }
}

/**
 * Fills with normal values of the given mean and standard deviation.
 *
 * DType: floating; complex parts are independent with half the variance each, and the mean is real.
 * @throws {ArgumentError} if `std` is negative
 */
export const normal_: Op<typeof NormalFillArgs> = op("normal_", NormalFillArgs, (self, { mean, std, generator }) => {
  if (!self.dtype.isComplex) needFloating("normal_", self.dtype);
  needAbove("normal_", "std", std, 0, true);
  const kind = drawKind(self.dtype), words = wordsOf(kind);
  return fillInPlace("normal_", "NormalBackward0", self, generatorOf("normal_", generator), {
    words: (self.dtype.isComplex ? 4 : 2) * words,
    params: [mean, self.dtype.isComplex ? std * Math.SQRT1_2 : std],
    value: (draws, [m, s]) =>
      byParts(self.dtype, (part) => {
        const value = draws.normal(kind, part * 2 * words).mul(s);
        return part === 0 ? value.add(m) : value;
      }),
  });
});

/** The parameters of {@linkcode uniform_}. */
export class UniformArgs extends GeneratorArgs {
  constructor(
    /** The least value. */
    public from = 0,
    /** The end, which is left out. */
    public to = 1,
  ) {
    super();
  }
}

/**
 * Fills with values spread evenly over [`from`, `to`).
 *
 * @throws {ArgumentError} if `from` is above `to`
 */
export const uniform_: Op<typeof UniformArgs> = op("uniform_", UniformArgs, (self, { from, to, generator }) => {
  if (!self.dtype.isComplex) needFloating("uniform_", self.dtype);
  if (!(from <= to)) {
    throw new ArgumentError(`uniform_(): from must not be above to: ${describe(from)} > ${describe(to)}`);
  }
  if (!Number.isFinite(to - from)) throw new ArgumentError(`uniform_(): to - from must be finite: ${to - from}`);
  const words = wordsOf(drawKind(self.dtype));
  return fillInPlace("uniform_", "UniformBackward0", self, generatorOf("uniform_", generator), {
    words: (self.dtype.isComplex ? 2 : 1) * words,
    params: [from, to - from],
    value: (draws, [first, span]) =>
      byParts(self.dtype, (part) => {
        const value = draws.uniform(self.dtype, part * words).mul(span).add(first);
        // Rounding may reach the end, which is not included.
        return value.lt(first.add(span)).where(value, first);
      }),
  });
});

/** The parameters of {@linkcode exponential_}. */
export class ExponentialArgs extends GeneratorArgs {
  constructor(
    /** The rate. */
    public lambd = 1,
  ) {
    super();
  }
}

/** Fills with exponential values of rate `lambd`. */
export const exponential_: Op<typeof ExponentialArgs> = op(
  "exponential_",
  ExponentialArgs,
  (self, { lambd, generator }) => {
    needFloating("exponential_", self.dtype);
    needAbove("exponential_", "lambd", lambd, 0);
    const kind = drawKind(self.dtype);
    return fillInPlace("exponential_", "ExponentialBackward0", self, generatorOf("exponential_", generator), {
      words: wordsOf(kind),
      params: [1 / lambd],
      value: (draws, [scale]) => draws.exponential(kind).mul(scale),
    });
  },
);

/** The parameters of {@linkcode cauchy_}. */
export class CauchyArgs extends GeneratorArgs {
  constructor(
    /** The median. */
    public median = 0,
    /** The scale. */
    public sigma = 1,
  ) {
    super();
  }
}

/** Fills with Cauchy values of the given median and scale. */
export const cauchy_: Op<typeof CauchyArgs> = op("cauchy_", CauchyArgs, (self, { median, sigma, generator }) => {
  needFloating("cauchy_", self.dtype);
  needAbove("cauchy_", "sigma", sigma, 0);
  const kind = drawKind(self.dtype);
  return fillInPlace("cauchy_", "CauchyBackward0", self, generatorOf("cauchy_", generator), {
    words: wordsOf(kind),
    params: [median, sigma],
    value: (draws, [m, s]) => draws.open(kind).sub(0.5).mul(Math.PI).tan().mul(s).add(m),
  });
});

/** The parameters of {@linkcode logNormal_}. */
export class LogNormalArgs extends GeneratorArgs {
  constructor(
    /** The mean of the logarithm. */
    public mean = 1,
    /** The standard deviation of the logarithm. */
    public std = 2,
  ) {
    super();
  }
}

/** Fills with values whose logarithm is normal with the given mean and standard deviation. */
export const logNormal_: Op<typeof LogNormalArgs> = op(
  "logNormal_",
  LogNormalArgs,
  (self, { mean, std, generator }) => {
    needFloating("logNormal_", self.dtype);
    needAbove("logNormal_", "std", std, 0);
    const kind = drawKind(self.dtype);
    return fillInPlace("logNormal_", "LogNormalBackward0", self, generatorOf("logNormal_", generator), {
      words: 2 * wordsOf(kind),
      params: [mean, std],
      value: (draws, [m, s]) => draws.normal(kind).mul(s).add(m).exp(),
    });
  },
);

/** The parameters of {@linkcode geometric_}. */
export class GeometricArgs extends GeneratorArgs {
  constructor(
    /** The probability of success, in (0, 1). */
    public p: number,
  ) {
    super();
  }
}

/** Fills with the number of trials up to the first success of probability `p`. */
export const geometric_: Op<typeof GeometricArgs> = op("geometric_", GeometricArgs, (self, { p, generator }) => {
  if (!(p > 0 && p < 1)) throw new ArgumentError(`geometric_(): p must be in (0, 1): ${describe(p)}`);
  if (self.dtype.isComplex) throw new DTypeError(`geometric_(): not defined for ${self.dtype}`);
  const kind = drawKind(self.dtype);
  return fillInPlace("geometric_", "GeometricBackward0", self, generatorOf("geometric_", generator), {
    words: wordsOf(kind),
    params: [1 / Math.log1p(-p)],
    value: (draws, [scale]) => draws.open(kind).log().mul(scale).ceil().max(1),
  });
});

/** The first integer that `random_` leaves out when no bound is given: beyond it not all are exact, or none exists. */
function integerLimit(dtype: DType): bigint {
  const { integer, float } = rowOf(dtype);
  if (float !== null) return 2n ** BigInt(float.fraction + 1) + 1n;
  if (integer === null) return 2n;
  return dtype.itemsize === 8 ? integer.max : integer.max + 1n;
}

/** The parameters of {@linkcode random_}. */
export class RandomFillArgs extends GeneratorArgs {
  constructor(
    /** The least value; alone, the end. */
    public from: number | bigint | null = null,
    /** The end, which is left out. */
    public to: number | bigint | null = null,
  ) {
    super();
  }
}

/**
 * Fills with integers: `random_()` from 0 to the dtype's limit, `random_(to)` below `to`, `random_(from, to)` from `from`
 * to `to - 1`.
 */
export const random_: Op<typeof RandomFillArgs> = op("random_", RandomFillArgs, (self, { from, to, generator }) => {
  if (self.dtype.isComplex) throw new DTypeError(`random_(): not defined for ${self.dtype}`);
  if (from === null && hasFewOps(self.dtype)) throw refusal("random_", self.dtype);
  const [low, high] = to !== null ? [from ?? 0, to] : [0, from ?? integerLimit(self.dtype)];
  const filling = integersBetween("random_", low, high);
  return fillInPlace("random_", "RandomBackward0", self, generatorOf("random_", generator), filling);
});

// ---------------------------------------------------------------- probabilities given as tensors

function checkProbabilities(op: string, p: Tensor): Refusal {
  const values = hostValues(p) as ArrayLike<number> | null;
  if (values === null) {
    const outside = (x: Tensor) => x.ge(0).logicalAnd(x.le(1)).logicalNot();
    return refuseWhere(p, outside, () => new ArgumentError(`${op}(): probabilities must be in [0, 1]`));
  }
  for (let i = 0; i < values.length; i++) {
    if (!(values[i] >= 0 && values[i] <= 1)) {
      throw new ArgumentError(`${op}(): probabilities must be in [0, 1]: ${values[i]}`);
    }
  }
  return NO_REFUSAL;
}

/** Zeros and ones in `out`, the latter with the probability that `p` (a tensor or a number) gives. */
function fillBernoulli(op: string, out: Tensor, p: Tensor | number, generator: Generator): Tensor {
  const given = p instanceof Tensor ? p.detach() : null;
  const dtype = (given ?? out).dtype === float64 ? float64 : float32;
  const kind = drawKind(dtype);
  return fillRandom(given ? op : `${op} number`, out, generator, {
    words: wordsOf(kind),
    params: given ? [] : [p as number],
    paramKind: kind,
    inputs: given ? [given] : [],
    value: (draws, [number], [tensor]) => draws.uniform(dtype).lt(tensor ?? number),
  });
}

/** The parameters of {@linkcode bernoulli}. */
export class BernoulliArgs extends OutArgs {
  /** The stream to draw from; `null`: the default generator. */
  generator: Generator | null = null;
  constructor(
    /** The probability of a one; `null`: each element of the tensor is that of its place. */
    public p: number | Tensor | null = null,
  ) {
    super();
  }
}

/**
 * Zeros and ones: each element of `input` is the probability of a one there, or `p` is where it is given.
 *
 * @throws {ArgumentError} if a probability is outside [0, 1]
 */
export const bernoulli: Op<typeof BernoulliArgs> = op("bernoulli", BernoulliArgs, (input, { p, generator, out }) => {
  checkAlive("bernoulli", input);
  needFloating("bernoulli", input.dtype);
  if (out !== null) {
    checkTensor("bernoulli", "out", out);
    checkNoOverlap("bernoulli", out);
  }
  const checked = checkChance("bernoulli", p ?? input);
  const result = emptyLikeDevice("bernoulli", input.shape, input.dtype, input);
  fillBernoulli("bernoulli", result, p ?? input, generatorOf("bernoulli", generator));
  record("BernoulliBackward0", checked(result), [input], [], (grad) => [grad.newZeros(grad.shape)]);
  return writeOut("bernoulli", out, result);
});

function checkChance(op: string, p: number | Tensor): Refusal {
  if (p instanceof Tensor) {
    checkAlive(op, p);
    needFloating(op, p.dtype);
    return checkProbabilities(op, p);
  }
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${op}(): p must be in [0, 1]: ${describe(p)}`);
  return NO_REFUSAL;
}

/** The parameters of {@linkcode bernoulli_}. */
export class BernoulliFillArgs extends GeneratorArgs {
  constructor(
    /** The probability of a one; a tensor gives one per element. */
    public p: number | Tensor = 0.5,
  ) {
    super();
  }
}

/** Fills with zeros and ones, the latter with probability `p`. */
export const bernoulli_: Op<typeof BernoulliFillArgs> = op(
  "bernoulli_",
  BernoulliFillArgs,
  (self, { p, generator }) => {
    checkAlive("bernoulli_", self);
    if (self.dtype.isComplex) throw new DTypeError(`bernoulli_(): not defined for ${self.dtype}`);
    const checked = checkChance("bernoulli_", p);
    if (p instanceof Tensor && !sameShape(broadcastShapes("bernoulli_", p.shape, self.shape), self.shape)) {
      throw new ShapeError(`bernoulli_(): p of shape ${show(p.shape)} does not broadcast to ${show(self.shape)}`);
    }
    checkInPlace("bernoulli_", self);
    checkNoOverlap("bernoulli_", self);
    fillBernoulli("bernoulli_", self, p, generatorOf("bernoulli_", generator));
    checked(self);
    self.storage.version++;
    return recordInPlace("BernoulliBackward0", self, [self], [], (grad) => [grad.newZeros(grad.shape)]);
  },
);

/** The parameters of {@linkcode multinomial}. */
export class MultinomialArgs extends OutArgs {
  /** The stream to draw from; `null`: the default generator. */
  generator: Generator | null = null;
  constructor(
    /** How many indices to draw per row. */
    public numSamples: number,
    /** Whether an index may come again. */
    public replacement = false,
  ) {
    super();
  }
}

function checkWeights(input: Tensor, numSamples: number, replacement: boolean): Refusal {
  needFloating("multinomial", input.dtype);
  if (input.ndim < 1 || input.ndim > 2) {
    throw new ShapeError(`multinomial(): the weights must have 1 or 2 dimensions: ${show(input.shape)}`);
  }
  if (!Number.isInteger(numSamples) || numSamples <= 0) {
    throw new ArgumentError(`multinomial(): numSamples must be a positive integer: ${describe(numSamples)}`);
  }
  const categories = input.shape[input.ndim - 1];
  if (!replacement && numSamples > categories) {
    throw new ArgumentError(
      `multinomial(): more samples than categories: ${numSamples} of ${categories}; pass replacement: true`,
    );
  }
  const values = hostValues(input) as ArrayLike<number> | null;
  if (values === null) {
    const unfit = (x: Tensor) => x.ge(0).logicalAnd(x.lt(Infinity)).logicalNot();
    const empty = (x: Tensor) => x.sum(-1).eq(0);
    const fit = refuseWhere(
      input,
      unfit,
      () => new ArgumentError("multinomial(): weights must be finite and not negative"),
    );
    const full = refuseWhere(input, empty, () => new ArgumentError("multinomial(): the weights of a row sum to zero"));
    return (result) => full(fit(result));
  }
  for (let i = 0, sum = 0; i < values.length; i++) {
    if (!(values[i] >= 0 && values[i] < Infinity)) {
      throw new ArgumentError(`multinomial(): weights must be finite and not negative: ${values[i]}`);
    }
    sum = (i % categories === 0 ? 0 : sum) + values[i];
    if (i % categories === categories - 1 && sum === 0) {
      throw new ArgumentError(`multinomial(): the weights of a row sum to zero: row ${Math.floor(i / categories)}`);
    }
  }
  return NO_REFUSAL;
}

/**
 * Indices drawn from each row with the weights that the row holds (they need not sum to one).
 *
 * On WebGPU: weights that were computed there are checked there, and reads of the result throw; so it is with `bernoulli`,
 * `normal` and every other check of values.
 *
 * Shape: `[categories]` or `[rows, categories]` gives `[numSamples]` or `[rows, numSamples]`, int64.
 * @param input the weights: finite, not negative, not all zero in a row
 * @throws {ArgumentError} if the weights or the number of samples do not allow it
 */
export const multinomial: Op<typeof MultinomialArgs> = op(
  "multinomial",
  MultinomialArgs,
  (input, { numSamples, replacement, generator, out }) => {
    checkAlive("multinomial", input);
    const checked = checkWeights(input, numSamples, replacement);
    if (out && out.dtype !== int64) throw new DTypeError(`multinomial(): out must be int64: ${out.dtype}`);
    const draw = replacement ? drawWithReplacement : drawWithoutReplacement;
    const result = draw(input.detach(), numSamples, generatorOf("multinomial", generator));
    return writeOut("multinomial", out, checked(result));
  },
);

/** The dtype that weights are compared in. */
function weightDtype(input: Tensor): DType {
  return input.dtype === float64 ? float64 : float32;
}

/** The categories whose weight over an exponential draw is largest: as if drawn one after the other. */
function drawWithoutReplacement(input: Tensor, numSamples: number, generator: Generator): Tensor {
  const dtype = weightDtype(input);
  const kind = drawKind(dtype);
  const last = input.ndim - 1;
  const races = emptyLikeDevice("multinomial", input.shape, dtype, input);
  fillRandom("multinomial", races, generator, {
    words: wordsOf(kind),
    inputs: [input],
    value: (draws, _, [weight]) => weight.to(kind).div(draws.exponential(kind)),
  });
  const shape = [...input.shape.slice(0, last), numSamples];
  const values = emptyLikeDevice("multinomial", shape, dtype, input);
  const indices = emptyLikeDevice("multinomial", shape, int64, input);
  races.storage.backend.topk(races, last, true, values, indices);
  races.dispose();
  values.dispose();
  return indices;
}

/** Where uniform draws fall among the running sums of the weights. */
function drawWithReplacement(input: Tensor, numSamples: number, generator: Generator): Tensor {
  const dtype = weightDtype(input);
  const kind = drawKind(dtype);
  const last = input.ndim - 1;
  const { backend } = input.storage;
  const weights = input.to(dtype);
  const sums = emptyLikeDevice("multinomial", input.shape, dtype, input);
  backend.scan("sum", weights, last, sums, null);
  const shape = [...input.shape.slice(0, last), numSamples];
  const draws = emptyLikeDevice("multinomial", shape, dtype, input);
  fillRandom("multinomial replacement", draws, generator, {
    words: wordsOf(kind),
    inputs: [sliceAt(sums, last, -1, null)],
    // Kept below the total even where the product rounds up, so that the index exists and its weight is not zero.
    value: (d, _, [total]) => d.uniform(dtype).mul(total).mul(kind === "f64" ? 1 - 2 ** -52 : 1 - 2 ** -22),
  });
  const indices = emptyLikeDevice("multinomial", shape, int64, input);
  backend.searchsorted(sums, draws, true, indices);
  for (const temporary of [sums, draws]) temporary.dispose();
  if (weights !== input) weights.dispose();
  return indices;
}
