/**
 * Activation functions: each entry is its formula.
 *
 * Shape: any, the result has the input's. DType: floating (complex where it says so). Functions whose symbolic derivative
 * would cancel or overflow state their own beside the formula. `inplace: true`, where PyTorch has it, is the form with a
 * trailing underscore.
 *
 * @module
 */

import { NoArgs, type Params } from "../../base/call.ts";
import type { DType } from "../../base/dtype.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { wrapDim } from "../../base/shape.ts";
import { Complex } from "../../expr/complex.ts";
import { type Expr, type Value, where, withDerivative } from "../../expr/expr.ts";
import { isFloat } from "../../expr/kind.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { type Pointwise, type PointwiseFn, pointwiseFn, type PointwiseSpec } from "../core/define.ts";
import { asMethod, type Fn, fn, type Op, op } from "../core/op.ts";
import { rand } from "../create/random.ts";

/** The parameters of activations that have nothing to choose but where the result goes, and of their layers. */
export class InplaceArgs {
  constructor(
    /** Whether the result is written into the input. */
    public inplace = false,
  ) {}
}

/** The parameters of functions with nothing to choose at all. */
export { NoArgs };

function onlyFloating(name: string): (dtype: DType) => void {
  return (dtype) => {
    if (dtype.kind !== "floating") throw new DTypeError(`${name}(): defined for floating tensors only: ${dtype}`);
  };
}

function floatingOrComplex(name: string): (dtype: DType) => void {
  return (dtype) => {
    if (dtype.kind !== "floating" && !dtype.isComplex) {
      throw new DTypeError(`${name}(): defined for floating and complex tensors only: ${dtype}`);
    }
  };
}

/** An activation: a pointwise op of floating tensors, unless its entry says otherwise. */
function activation<C extends Params>(params: C, spec: PointwiseSpec): PointwiseFn<C> {
  return pointwiseFn(params, { check: onlyFloating(spec.name), ...spec });
}

/** The constant 1 or 0 by a condition, as a derivative. */
function step(condition: Expr, x: Expr): Expr {
  return condition.where(x.like(1), 0);
}

/** The expression of {@linkcode relu}. */
export function reluFormula(x: Expr): Expr {
  const y = x.max(0);
  // Told from the output, so that backward needs nothing else.
  return !isFloat(x.kind) ? y : withDerivative(y, [{ by: x, is: step(y.le(0).logicalNot(), x) }]);
}

/**
 * max(x, 0).
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(await torch.relu(torch.tensor([-1, 0, 2])).tolist(), [0, 0, 2]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html
 */
export const relu: Pointwise<typeof InplaceArgs> = asMethod(activation(InplaceArgs, {
  name: "relu",
  check: (dtype) => {
    if (dtype.isComplex || dtype.kind === "bool") throw new DTypeError(`relu(): not defined for ${dtype}`);
  },
  expr: reluFormula,
}));

/** min(max(x, 0), 6). */
export const relu6: PointwiseFn<typeof InplaceArgs> = activation(InplaceArgs, {
  name: "relu6",
  check: (dtype) => {
    if (dtype.isComplex || dtype.kind === "bool") throw new DTypeError(`relu6(): not defined for ${dtype}`);
  },
  expr: (x: Expr) => between(x, x.like(0), x.like(6)),
});

/** The value limited to a range; the gradient is 0 at the edges too. */
function between(x: Expr, low: Expr, high: Expr): Expr {
  return where(x.le(low), low, where(x.ge(high), high, x));
}

/** The parameters of {@linkcode leakyRelu} and its layer. */
export class LeakyReluArgs {
  constructor(
    /** The slope of negative values. */
    public negativeSlope = 0.01,
    /** Whether the result is written into the input. */
    public inplace = false,
  ) {}
}

/** x where positive, else negativeSlope · x. */
export const leakyRelu: PointwiseFn<typeof LeakyReluArgs> = activation(LeakyReluArgs, {
  name: "leakyRelu",
  expr: (x: Expr, { numbers }) => where(x.gt(0), x, x.mul(numbers.negativeSlope)),
});

/** The parameters of {@linkcode elu}, {@linkcode celu} and their layers. */
export class AlphaArgs {
  constructor(
    /** The value that is approached at -∞, with the opposite sign. */
    public alpha = 1,
    /** Whether the result is written into the input. */
    public inplace = false,
  ) {}
}

/**
 * `right` · x where positive, else `left` · (e^z - 1), whose derivative there is `slope` · e^z.
 *
 * The derivative is stated, because that of `expm1` comes from its result, in which e^z of a very negative z is lost. As in
 * PyTorch, 0 has the first derivative of the left side and the second of the right.
 */
function exponentialUnit(x: Expr, z: Expr, left: Expr | number, slope: Expr | number, right = 1): Expr {
  const value = where(x.gt(0), x.mul(right), z.expm1().mul(left));
  const partial = where(x.gt(0), x.like(right), where(x.lt(0), z.exp(), x.like(1)).mul(slope));
  return withDerivative(value, [{ by: x, is: partial }]);
}

/** x where positive, else alpha · (e^x - 1). */
export const elu: PointwiseFn<typeof AlphaArgs> = activation(AlphaArgs, {
  name: "elu",
  expr: (x: Expr, { numbers }) => exponentialUnit(x, x, numbers.alpha as Expr, numbers.alpha as Expr),
});

/** Fixed-point constants of SELU (Klambauer et al. 2017, https://arxiv.org/abs/1706.02515). */
const SELU_ALPHA = 1.6732632423543772848170429916717;
const SELU_SCALE = 1.0507009873554804934193349852946;

/** scale · (x where positive, else alpha · (e^x - 1)) with the constants that keep mean 0 and variance 1. */
export const selu: PointwiseFn<typeof InplaceArgs> = activation(InplaceArgs, {
  name: "selu",
  expr: (x: Expr) => exponentialUnit(x, x, SELU_ALPHA * SELU_SCALE, SELU_ALPHA * SELU_SCALE, SELU_SCALE),
});

/** max(0, x) + min(0, alpha · (e^(x / alpha) - 1)). */
export const celu: PointwiseFn<typeof AlphaArgs> = activation(AlphaArgs, {
  name: "celu",
  expr: (x: Expr, { numbers: { alpha } }) => exponentialUnit(x, x.div(alpha as Expr), alpha as Expr, 1),
});

/** The expression of {@linkcode gelu}, exact or by the approximation with tanh. */
export function geluFormula(x: Expr, tanh: boolean): Expr {
  if (!tanh) return x.mul(x.mul(Math.SQRT1_2).erf().add(1).mul(0.5));
  const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
  return x.mul(0.5).mul(inner.tanh().add(1));
}

/** The parameters of {@linkcode gelu} and its layer. */
export class GeluArgs {
  constructor(
    /** `"none"`, or `"tanh"` for the approximation by Hendrycks and Gimpel. */
    public approximate: "none" | "tanh" = "none",
  ) {}
}

/**
 * x · Φ(x), Φ being the distribution function of the standard normal distribution.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const y = torch.nn.functional.gelu(torch.tensor([0, 100]));
 * assertEquals(await y.tolist(), [0, 100]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.gelu.html
 */
export const gelu: PointwiseFn<typeof GeluArgs> = activation(GeluArgs, {
  name: "gelu",
  options: ["approximate"],
  expr: (x: Expr, { options: { approximate } }) => {
    if (approximate !== "tanh" && approximate !== "none") {
      throw new ArgumentError(`gelu(): approximate must be "none" or "tanh": ${describe(approximate)}`);
    }
    return geluFormula(x, approximate === "tanh");
  },
});

/** x · sigmoid(x); complex too. */
export const silu: PointwiseFn<typeof InplaceArgs> = activation(InplaceArgs, {
  name: "silu",
  check: floatingOrComplex("silu"),
  expr: (x: Value) => x.mul(x.sigmoid()),
});

/** log(1 + e^(βx)) / β, whose derivative is sigmoid(βx); x itself where βx > threshold. */
function softplusOf(x: Expr, beta: Expr | number, threshold: Expr | number): Expr {
  const z = x.mul(beta);
  const linear = z.gt(threshold);
  const value = where(linear, x, z.exp().log1p().div(beta));
  return withDerivative(value, [{ by: x, is: where(linear, x.like(1), z.sigmoid()) }]);
}

/** The parameters of {@linkcode softplus} and its layer. */
export class SoftplusArgs {
  constructor(
    /** The steepness. */
    public beta = 1,
    /** Where `beta · x` is above it the function is x. */
    public threshold = 20,
  ) {}
}

/**
 * log(1 + e^(beta · x)) / beta.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const y = torch.nn.functional.softplus(torch.tensor([-1000, 50]));
 * assertEquals(await y.tolist(), [0, 50]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softplus.html
 */
export const softplus: PointwiseFn<typeof SoftplusArgs> = activation(SoftplusArgs, {
  name: "softplus",
  autocast: { gpu: "float32" },
  expr: (x: Expr, { numbers: { beta, threshold } }) => softplusOf(x, beta as Expr, threshold as Expr),
});

/** x · tanh(softplus(x)). */
export const mish: PointwiseFn<typeof InplaceArgs> = activation(InplaceArgs, {
  name: "mish",
  expr: (x: Expr) => x.mul(softplusOf(x, 1, 20).tanh()),
});

/** log(sigmoid(x)). */
export const logsigmoid: PointwiseFn<typeof NoArgs> = activation(NoArgs, {
  name: "logsigmoid",
  expr: (x: Expr) => withDerivative(x.min(0).sub(x.abs().neg().exp().log1p()), [{ by: x, is: x.neg().sigmoid() }]),
});

/** x / (1 + |x|). */
export const softsign: PointwiseFn<typeof NoArgs> = activation(NoArgs, {
  name: "softsign",
  compute: "float",
  check: floatingOrComplex("softsign"),
  expr: (value: Value) => {
    if (value instanceof Complex) return value.div(value.abs().add(1));
    const x = value as Expr;
    const denominator = x.abs().add(1);
    return withDerivative(x.div(denominator), [{ by: x, is: denominator.mul(denominator).reciprocal() }]);
  },
});

/** x - tanh(x). */
export const tanhshrink: PointwiseFn<typeof NoArgs> = activation(NoArgs, {
  name: "tanhshrink",
  compute: "float",
  check: floatingOrComplex("tanhshrink"),
  expr: (value: Value) => {
    if (value instanceof Complex) return value.sub(value.tanh());
    const x = value as Expr;
    const t = x.tanh();
    return withDerivative(x.sub(t), [{ by: x, is: t.mul(t) }]);
  },
});

/** The parameters of {@linkcode hardtanh} and its layer. */
export class HardtanhArgs {
  constructor(
    /** The least value. */
    public minVal: number = -1,
    /** The largest value. */
    public maxVal = 1,
    /** Whether the result is written into the input. */
    public inplace = false,
  ) {}
}

/** x limited to [minVal, maxVal]. */
export const hardtanh: PointwiseFn<typeof HardtanhArgs> = activation(HardtanhArgs, {
  name: "hardtanh",
  validate: ({ numbers: [low, high] }) => {
    if (low.value > high.value) {
      throw new ArgumentError(`hardtanh(): minVal must not exceed maxVal: ${low.value} > ${high.value}`);
    }
  },
  check: (dtype) => {
    if (dtype.isComplex || dtype.kind === "bool") throw new DTypeError(`hardtanh(): not defined for ${dtype}`);
  },
  expr: (x: Expr, { numbers }) => between(x, numbers.minVal as Expr, numbers.maxVal as Expr),
});

/** min(max(x + 3, 0), 6) / 6. */
export const hardsigmoid: PointwiseFn<typeof InplaceArgs> = activation(InplaceArgs, {
  name: "hardsigmoid",
  expr: (x: Expr) =>
    withDerivative(where(x.le(-3), 0, where(x.ge(3), 1, x.div(6).add(0.5))), [
      { by: x, is: where(x.abs().lt(3), x.like(1 / 6), 0) },
    ]),
});

/** x · min(max(x + 3, 0), 6) / 6. */
export const hardswish: PointwiseFn<typeof InplaceArgs> = activation(InplaceArgs, {
  name: "hardswish",
  expr: (x: Expr) => where(x.le(-3), 0, where(x.ge(3), x, x.mul(x.add(3)).div(6))),
});

/** The parameters of {@linkcode hardshrink}, {@linkcode softshrink} and their layers. */
export class ShrinkArgs {
  constructor(
    /** The distance from 0 within which values become 0. */
    public lambd = 0.5,
  ) {}
}

/** x outside of [-lambd, lambd], else 0. */
export const hardshrink: Pointwise<typeof ShrinkArgs> = asMethod(activation(ShrinkArgs, {
  name: "hardshrink",
  expr: (x: Expr, { numbers }) => where(x.abs().le(numbers.lambd as Expr), 0, x),
}));

/**
 * x moved toward 0 by lambd, 0 within.
 *
 * @throws {ArgumentError} if `lambd` is negative
 */
export const softshrink: PointwiseFn<typeof ShrinkArgs> = activation(ShrinkArgs, {
  name: "softshrink",
  validate: ({ numbers: [lambd] }) => {
    if (lambd.value < 0) throw new ArgumentError(`softshrink(): lambd must not be negative: ${describe(lambd.value)}`);
  },
  expr: (x: Expr, { numbers }) => {
    const lambd = numbers.lambd as Expr;
    // Between the bounds x · 0, so that NaN stays.
    const value = where(x.gt(lambd), x.sub(lambd), where(x.lt(lambd.neg()), x.add(lambd), x.mul(0)));
    return withDerivative(value, [{ by: x, is: step(x.abs().le(lambd).logicalNot(), x) }]);
  },
});

/** The parameters of {@linkcode threshold} and its layer. */
export class ThresholdArgs {
  constructor(
    /** The limit. */
    public threshold: number,
    /** What takes the place of values that are not above it. */
    public value: number,
    /** Whether the result is written into the input. */
    public inplace = false,
  ) {}
}

/** x where above threshold, else value. */
export const threshold: PointwiseFn<typeof ThresholdArgs> = activation(ThresholdArgs, {
  name: "threshold",
  check: (dtype) => {
    if (dtype.isComplex || dtype.kind === "bool") throw new DTypeError(`threshold(): not defined for ${dtype}`);
  },
  expr: (x: Expr, { numbers }) => where(x.le(numbers.threshold as Expr), numbers.value as Expr, x),
});

/** The parameters of {@linkcode prelu}. */
export class PreluArgs {
  constructor(
    /** One slope, or one per channel (dimension 1 of the input). */
    public weight: Tensor,
  ) {}
}

const slope = pointwiseFn(PreluArgs, {
  name: "prelu",
  operands: ["weight"],
  check: onlyFloating("prelu"),
  validate: ({ operands: [x, weight] }) => {
    const [a, b] = [x as Tensor, weight as Tensor];
    if (a.dtype !== b.dtype) throw new DTypeError(`prelu(): the dtypes differ: ${a.dtype} and ${b.dtype}`);
  },
  expr: (x: Expr, weight: Expr) => where(x.gt(0), x, x.mul(weight)),
});

/**
 * x where positive, else weight · x.
 *
 * @throws {ShapeError} if there are neither 1 nor as many slopes as channels
 */
export const prelu: Op<typeof PreluArgs> = op({ name: "prelu", autocast: "lower" }, PreluArgs, (input, { weight }) => {
  checkTensor("prelu", "weight", weight);
  const channels = input.ndim >= 2 ? input.shape[1] : 1;
  if (weight.ndim > 1) throw new ShapeError(`prelu(): weight must have at most 1 dimension: ${show(weight.shape)}`);
  if (weight.numel() === 1) return slope(input, input.ndim === 0 ? weight.reshape([]) : weight);
  if (input.ndim === 0 || weight.numel() !== channels) {
    throw new ShapeError(`prelu(): weight needs 1 or ${channels} elements: ${weight.numel()}`);
  }
  return scope(() => slope(input, weight.reshape([channels, ...input.shape.slice(2).map(() => 1)])));
});

/** The parameters of {@linkcode rrelu}. */
export class RreluArgs {
  constructor(
    /** The least slope. */
    public lower: number = 1 / 8,
    /** The largest slope. */
    public upper: number = 1 / 3,
    /** Whether slopes are drawn. */
    public training = false,
    /** Whether the result is written into the input. */
    public inplace = false,
  ) {}
}

/** Leaky ReLU with slopes drawn uniformly from [lower, upper] while training, their mean otherwise. */
export const rrelu: Fn<typeof RreluArgs> = fn("rrelu", RreluArgs, (input, { lower, upper, training, inplace }) => {
  if (!(typeof lower === "number" && typeof upper === "number" && lower <= upper)) {
    throw new ArgumentError(`rrelu(): lower must not exceed upper: ${describe(lower)} > ${describe(upper)}`);
  }
  if (!training) return leakyRelu(input, (lower + upper) / 2, inplace);
  return scope(() => {
    const slopes = rand([...input.shape], { dtype: input.dtype, device: input.device }).mul(upper - lower).add(lower);
    const out = slope(input, slopes);
    return inplace ? input.copy_(out) : out;
  });
});

class GateArgs {
  constructor(public gate: Tensor) {}
}

const gate = pointwiseFn(GateArgs, {
  name: "glu",
  operands: ["gate"],
  check: onlyFloating("glu"),
  expr: (x: Expr, y: Expr) => x.mul(y.sigmoid()),
});
/** The parameters of {@linkcode glu} and its layer. */
export class GluArgs {
  constructor(
    /** The dimension that is halved. */
    public dim: number = -1,
  ) {}
}

/**
 * The first half along `dim` times the sigmoid of the second.
 *
 * @throws {ShapeError} if the size there is odd
 */
export const glu: Fn<typeof GluArgs> = fn("glu", GluArgs, (input, { dim }) => {
  if (input.ndim === 0) throw new ShapeError("glu(): not defined for 0-d tensors");
  const d = wrapDim("glu", dim, input.ndim);
  const size = input.shape[d];
  if (size % 2 !== 0) throw new ShapeError(`glu(): the size of dimension ${d} must be even: ${describe(size)}`);
  return gate(input.narrow(d, 0, size / 2), input.narrow(d, size / 2, size / 2));
});
