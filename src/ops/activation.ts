/**
 * ActivationOp functions: each entry is its formula.
 *
 * Shape: any, the result has the input's. DType: floating (complex where it says so). Functions whose symbolic derivative
 * would cancel or overflow state their own beside the formula. `inplace: true`, where PyTorch has it, is the form with a
 * trailing underscore.
 *
 * @module
 */

import { autocasted, autocasting, type AutocastRule } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import type { DType } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../base/errors.ts";
import type { ScalarLike } from "../base/scalar.ts";
import { wrapDim } from "../base/shape.ts";
import { Complex } from "../expr/complex.ts";
import { type Expr, type Value, where, withDerivative } from "../expr/expr.ts";
import { scope } from "../tensor/scope.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { type Context, pointwise, type PointwiseCall, type PointwiseFunction } from "./define.ts";
import { rand } from "./random.ts";

/** A function of one tensor with options `O`, of which `K` may be given by position. */
export type ActivationOp<
  O = Record<never, never>,
  K extends readonly (keyof (O & { inplace?: boolean }))[] = ["inplace" & keyof (O & { inplace?: boolean })],
> = (input: Tensor, ...args: Args<O & { inplace?: boolean }, K>) => Tensor;

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

interface Entry {
  readonly name: string;
  readonly numbers?: Readonly<Record<string, number>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly check?: (dtype: DType) => void;
  readonly compute?: "float";
  readonly autocast?: AutocastRule;
  readonly validate?: (call: PointwiseCall) => void;
  // deno-lint-ignore no-explicit-any -- entries take real or any values
  readonly expr: (x: any, context: Context) => Value;
}

/** Defines an activation: a pointwise op that also takes `inplace`. */
// deno-lint-ignore no-explicit-any -- any parameter list may be a signature
function activation<F extends (input: Tensor, ...args: any[]) => Tensor>(entry: Entry): F & PointwiseFunction {
  const op = pointwise<(input: Tensor, ...args: unknown[]) => Tensor>({ check: onlyFloating(entry.name), ...entry });
  const names = [...Object.keys(entry.numbers ?? {}), ...Object.keys(entry.options ?? {})];
  const parse = signature<Record<string, unknown>>(entry.name, [...names, "inplace"]);
  const fn = (input: Tensor, ...args: unknown[]): Tensor => {
    if (args.length === 0) return op(input);
    const { inplace, ...rest } = parse(args);
    return inplace ? op.inPlace(input, rest) : op(input, rest);
  };
  Object.defineProperty(fn, "name", { value: entry.name });
  return Object.assign(fn, { inPlace: op.inPlace }) as unknown as F & PointwiseFunction;
}

/** The constant 1 or 0 by a condition, as a derivative. */
function step(condition: Expr, x: Expr): Expr {
  return condition.where(x.like(1), 0);
}

/** The expression of {@linkcode relu}. */
export function reluFormula(x: Expr): Expr {
  const y = x.max(0);
  // Told from the output, so that backward needs nothing else.
  return x.kind === "i64" ? y : withDerivative(y, [{ by: x, is: step(y.le(0).logicalNot(), x) }]);
}

/**
 * max(x, 0).
 *
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(await torch.relu(torch.tensor([-1, 0, 2])).tolist(), [0, 0, 2]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.relu.html
 */
export const relu: ActivationOp & PointwiseFunction = activation<ActivationOp>({
  name: "relu",
  check: (dtype) => {
    if (dtype.isComplex || dtype.kind === "bool") throw new DTypeError(`relu(): not defined for ${dtype}`);
  },
  expr: reluFormula,
});

/** min(max(x, 0), 6). */
export const relu6: ActivationOp & PointwiseFunction = activation<ActivationOp>({
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

/** The type of {@linkcode leakyRelu}. */
export type LeakyReluOp = ActivationOp<{ negativeSlope?: number }, ["negativeSlope", "inplace"]>;

/**
 * x where positive, else negativeSlope · x.
 *
 * @param negativeSlope default 0.01
 */
export const leakyRelu: LeakyReluOp & PointwiseFunction = activation<LeakyReluOp>({
  name: "leakyRelu",
  numbers: { negativeSlope: 0.01 },
  expr: (x: Expr, { numbers }) => where(x.gt(0), x, x.mul(numbers.negativeSlope)),
});

/** The type of {@linkcode elu} and {@linkcode celu}. */
export type AlphaOp = ActivationOp<{ alpha?: number }, ["alpha", "inplace"]>;

/**
 * x where positive, else alpha · (e^x - 1).
 *
 * @param alpha default 1
 */
export const elu: AlphaOp & PointwiseFunction = activation<AlphaOp>({
  name: "elu",
  numbers: { alpha: 1 },
  expr: (x: Expr, { numbers }) => where(x.gt(0), x, x.expm1().mul(numbers.alpha)),
});

/** Fixed-point constants of SELU (Klambauer et al. 2017, https://arxiv.org/abs/1706.02515). */
const SELU_ALPHA = 1.6732632423543772848170429916717;
const SELU_SCALE = 1.0507009873554804934193349852946;

/** scale · (x where positive, else alpha · (e^x - 1)) with the constants that keep mean 0 and variance 1. */
export const selu: ActivationOp & PointwiseFunction = activation<ActivationOp>({
  name: "selu",
  expr: (x: Expr) => where(x.gt(0), x.mul(SELU_SCALE), x.expm1().mul(SELU_ALPHA * SELU_SCALE)),
});

/**
 * max(0, x) + min(0, alpha · (e^(x / alpha) - 1)).
 *
 * @param alpha default 1
 */
export const celu: AlphaOp & PointwiseFunction = activation<AlphaOp>({
  name: "celu",
  numbers: { alpha: 1 },
  expr: (x: Expr, { numbers: { alpha } }) => where(x.gt(0), x, x.div(alpha as Expr).expm1().mul(alpha)),
});

/** The expression of {@linkcode gelu}, exact or by the approximation with tanh. */
export function geluFormula(x: Expr, tanh: boolean): Expr {
  if (!tanh) return x.mul(x.mul(Math.SQRT1_2).erf().add(1).mul(0.5));
  const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
  return x.mul(0.5).mul(inner.tanh().add(1));
}

/** The type of {@linkcode gelu}. */
export type GeluOp = ActivationOp<{ approximate?: "none" | "tanh" }, ["approximate", "inplace"]>;

/**
 * x · Φ(x), Φ being the distribution function of the standard normal distribution.
 *
 * @param approximate `"none"` (default) or `"tanh"`, Hendrycks and Gimpel's approximation
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const y = torch.nn.functional.gelu(torch.tensor([0, 100]));
 * assertEquals(await y.tolist(), [0, 100]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.gelu.html
 */
export const gelu: GeluOp & PointwiseFunction = activation<GeluOp>({
  name: "gelu",
  options: { approximate: "none" },
  expr: (x: Expr, { options: { approximate } }) => {
    if (approximate !== "tanh" && approximate !== "none") {
      throw new ArgumentError(`gelu(): approximate must be "none" or "tanh": ${String(approximate)}`);
    }
    return geluFormula(x, approximate === "tanh");
  },
});

/** x · sigmoid(x); complex too. */
export const silu: ActivationOp & PointwiseFunction = activation<ActivationOp>({
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

/** The type of {@linkcode softplus}. */
export type SoftplusOp = (
  input: Tensor,
  ...args: Args<{ beta?: number; threshold?: number }, ["beta", "threshold"]>
) => Tensor;

/**
 * log(1 + e^(beta · x)) / beta.
 *
 * @param beta default 1
 * @param threshold where beta · x is above it the function is x, default 20
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const y = torch.nn.functional.softplus(torch.tensor([-1000, 50]));
 * assertEquals(await y.tolist(), [0, 50]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softplus.html
 */
export const softplus: SoftplusOp & PointwiseFunction = activation<SoftplusOp>({
  name: "softplus",
  numbers: { beta: 1, threshold: 20 },
  autocast: { gpu: "float32" },
  expr: (x: Expr, { numbers: { beta, threshold } }) => softplusOf(x, beta as Expr, threshold as Expr),
});

/** x · tanh(softplus(x)). */
export const mish: ActivationOp & PointwiseFunction = activation<ActivationOp>({
  name: "mish",
  expr: (x: Expr) => x.mul(softplusOf(x, 1, 20).tanh()),
});

/** log(sigmoid(x)). */
export const logsigmoid: ((input: Tensor) => Tensor) & PointwiseFunction = activation<(input: Tensor) => Tensor>({
  name: "logsigmoid",
  expr: (x: Expr) => withDerivative(x.min(0).sub(x.abs().neg().exp().log1p()), [{ by: x, is: x.neg().sigmoid() }]),
});

/** x / (1 + |x|). */
export const softsign: ((input: Tensor) => Tensor) & PointwiseFunction = activation<(input: Tensor) => Tensor>({
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
export const tanhshrink: ((input: Tensor) => Tensor) & PointwiseFunction = activation<(input: Tensor) => Tensor>({
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

/** The type of {@linkcode hardtanh}. */
export type HardtanhOp = ActivationOp<{ minVal?: number; maxVal?: number }, ["minVal", "maxVal", "inplace"]>;

/**
 * x limited to [minVal, maxVal].
 *
 * @param minVal default -1
 * @param maxVal default 1
 */
export const hardtanh: HardtanhOp & PointwiseFunction = activation<HardtanhOp>({
  name: "hardtanh",
  numbers: { minVal: -1, maxVal: 1 },
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
export const hardsigmoid: ActivationOp & PointwiseFunction = activation<ActivationOp>({
  name: "hardsigmoid",
  expr: (x: Expr) => where(x.le(-3), 0, where(x.ge(3), 1, x.div(6).add(0.5))),
});

/** x · min(max(x + 3, 0), 6) / 6. */
export const hardswish: ActivationOp & PointwiseFunction = activation<ActivationOp>({
  name: "hardswish",
  expr: (x: Expr) => where(x.le(-3), 0, where(x.ge(3), x, x.mul(x.add(3)).div(6))),
});

/** The type of {@linkcode hardshrink} and {@linkcode softshrink}. */
export type ShrinkOp = (input: Tensor, ...args: Args<{ lambd?: number }, ["lambd"]>) => Tensor;

/**
 * x outside of [-lambd, lambd], else 0.
 *
 * @param lambd default 0.5
 */
export const hardshrink: ShrinkOp & PointwiseFunction = activation<ShrinkOp>({
  name: "hardshrink",
  numbers: { lambd: 0.5 },
  expr: (x: Expr, { numbers }) => where(x.abs().le(numbers.lambd as Expr), 0, x),
});

const shrink = activation<ShrinkOp>({
  name: "softshrink",
  numbers: { lambd: 0.5 },
  expr: (x: Expr, { numbers }) => {
    const lambd = numbers.lambd as Expr;
    // Between the bounds x · 0, so that NaN stays.
    return where(x.gt(lambd), x.sub(lambd), where(x.lt(lambd.neg()), x.add(lambd), x.mul(0)));
  },
});
const parseShrink = signature<{ lambd?: number }>("softshrink", ["lambd"]);

/**
 * x moved toward 0 by lambd, 0 within.
 *
 * @param lambd not negative, default 0.5
 */
export const softshrink: ShrinkOp = (input, ...args): Tensor => {
  const { lambd = 0.5 } = parseShrink(args);
  if (lambd < 0) throw new ArgumentError(`softshrink(): lambd must not be negative: ${lambd}`);
  return shrink(input, lambd);
};

/** The type of {@linkcode threshold}. */
export type ThresholdOp = ActivationOp<{ threshold: number; value: number }, ["threshold", "value", "inplace"]>;

/**
 * x where above threshold, else value.
 *
 * @param threshold the limit
 * @param value what takes the place
 */
export const threshold: ThresholdOp & PointwiseFunction = activation<ThresholdOp>({
  name: "threshold",
  numbers: { threshold: 0, value: 0 },
  check: (dtype) => {
    if (dtype.isComplex || dtype.kind === "bool") throw new DTypeError(`threshold(): not defined for ${dtype}`);
  },
  expr: (x: Expr, { numbers }) => where(x.le(numbers.threshold as Expr), numbers.value as Expr, x),
});

const slope = pointwise<(input: Tensor, weight: Tensor) => Tensor>({
  name: "prelu",
  operands: ["input", "weight"],
  check: onlyFloating("prelu"),
  validate: ({ operands: [x, weight] }) => {
    const [a, b] = [x as Tensor, weight as Tensor];
    if (a.dtype !== b.dtype) throw new DTypeError(`prelu(): the dtypes differ: ${a.dtype} and ${b.dtype}`);
  },
  expr: (x: Expr, weight: Expr) => where(x.gt(0), x, x.mul(weight)),
});

const parsePrelu = signature<{ weight: Tensor }>("prelu", ["weight"], [], 1);

/**
 * x where positive, else weight · x.
 *
 * @param weight one slope, or one per channel (dimension 1 of the input)
 * @throws {ShapeError} if there is another number of slopes
 */
export function prelu(input: Tensor, ...args: Args<{ weight: Tensor }, ["weight"]>): Tensor {
  if (autocasting.active) return autocasted("lower", prelu, input, ...args);
  const { weight } = parsePrelu(args);
  checkTensor("prelu", "input", input);
  checkTensor("prelu", "weight", weight);
  const channels = input.ndim >= 2 ? input.shape[1] : 1;
  if (weight.ndim > 1) throw new ShapeError(`prelu(): weight must have at most 1 dimension: ${show(weight.shape)}`);
  if (weight.numel() === 1) return slope(input, input.ndim === 0 ? weight.reshape([]) : weight);
  if (input.ndim === 0 || weight.numel() !== channels) {
    throw new ShapeError(`prelu(): weight needs 1 or ${channels} elements: ${weight.numel()}`);
  }
  return scope(() => slope(input, weight.reshape([channels, ...input.shape.slice(2).map(() => 1)])));
}

const parseRrelu = signature<{ lower?: number; upper?: number; training?: boolean; inplace?: boolean }>(
  "rrelu",
  ["lower", "upper", "training", "inplace"],
);

/**
 * Leaky ReLU with slopes drawn uniformly from [lower, upper] while training, their mean otherwise.
 *
 * @param lower default 1/8
 * @param upper default 1/3
 * @param training whether to draw, default false
 */
export function rrelu(
  input: Tensor,
  ...args: Args<
    { lower?: number; upper?: number; training?: boolean; inplace?: boolean },
    ["lower", "upper", "training", "inplace"]
  >
): Tensor {
  const { lower = 1 / 8, upper = 1 / 3, training = false, inplace = false } = parseRrelu(args);
  if (lower > upper) throw new ArgumentError(`rrelu(): lower must not exceed upper: ${lower} > ${upper}`);
  if (!training) return leakyRelu(input, (lower + upper) / 2, inplace);
  return scope(() => {
    const slopes = rand([...input.shape], { dtype: input.dtype, device: input.device }).mul(upper - lower).add(lower);
    const out = slope(input, slopes);
    return inplace ? input.copy_(out) : out;
  });
}

const gate = pointwise<(input: Tensor, gate: Tensor) => Tensor>({
  name: "glu",
  operands: ["input", "gate"],
  check: onlyFloating("glu"),
  expr: (x: Expr, y: Expr) => x.mul(y.sigmoid()),
});
const parseGlu = signature<{ dim?: number }>("glu", ["dim"]);

/**
 * The first half along `dim` times the sigmoid of the second.
 *
 * @param dim default -1
 * @throws {ShapeError} if the size there is odd
 */
export function glu(input: Tensor, ...args: Args<{ dim?: number }, ["dim"]>): Tensor {
  const { dim = -1 } = parseGlu(args);
  if (input.ndim === 0) throw new ShapeError("glu(): not defined for 0-d tensors");
  const d = wrapDim("glu", dim, input.ndim);
  const size = input.shape[d];
  if (size % 2 !== 0) throw new ShapeError(`glu(): the size of dimension ${d} must be even: ${size}`);
  return gate(input.narrow(d, 0, size / 2), input.narrow(d, size / 2, size / 2));
}

/** Numbers as activations take them. */
export type { ScalarLike };
