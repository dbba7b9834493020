/**
 * Pointwise functions of two or three operands, tensors or numbers.
 *
 * Shape: the operands broadcast. DType: tensors and numbers promote together by PyTorch's rules; a whole JavaScript number
 * counts as an integer (`scalar(2, "floating")` says otherwise). Each op has an in-place form with a trailing underscore.
 *
 * Differs from PyTorch: dividing integers by zero gives 0 where PyTorch on the CPU throws `ZeroDivisionError` (that would
 * need a read of the values); dividing by a number that is 0 throws.
 *
 * @module
 */

import {
  complex128,
  type DType,
  type DTypeKind,
  float32,
  float64,
  getDefaultDtype,
  toComplex,
} from "../../base/dtype.ts";
import { ArgumentError, describe, DTypeError } from "../../base/errors.ts";
import { Scalar, type ScalarLike } from "../../base/scalar.ts";
import { autocasting, type AutocastRule, computesWide } from "../../autograd/autocast.ts";
import { Complex, polar as polarOf } from "../../expr/complex.ts";
import { type Expr, type Value, where, withDerivative } from "../../expr/expr.ts";
import { Tensor } from "../../tensor/tensor.ts";
import {
  alias,
  type Context,
  type Pointwise,
  pointwise,
  type PointwiseCall,
  type PointwiseFn,
  pointwiseFn,
} from "../core/define.ts";
import { OutArgs } from "../core/op.ts";
import { isHalf } from "../core/wide.ts";

/** The parameters of functions of two operands. */
export class OtherArgs extends OutArgs {
  constructor(
    /** The second operand; it broadcasts with the first. */
    public other: Tensor | ScalarLike,
  ) {
    super();
  }
}

/** A first operand that may be a number where the second is a tensor. */
export type Operand = Tensor | ScalarLike;

/** A pointwise op of two operands. */
export type BinaryFunction = Pointwise<typeof OtherArgs, Operand>;

/** The kinds of dtypes that an op takes. */
function only(name: string, ...kinds: DTypeKind[]): (dtype: DType) => void {
  return (dtype) => {
    if (!kinds.includes(dtype.kind)) throw new DTypeError(`${name}(): not defined for ${dtype}`);
  };
}

/** An op of two tensors, neither of them a number. */
function ofTensors(name: string, expr: (x: Value, y: Value) => Value, ...kinds: DTypeKind[]): BinaryFunction {
  const tensors = ["input", "other"];
  return pointwise(OtherArgs, { name, operands: ["other"], tensors, expr, check: only(name, ...kinds) });
}

function binaryFloat(
  name: string,
  expr: (x: Expr, y: Expr) => Value,
  tensors: readonly string[] = [],
  autocast?: AutocastRule,
): BinaryFunction {
  const check = only(name, "floating");
  return pointwise(OtherArgs, { name, operands: ["other"], tensors, compute: "float", expr, check, autocast });
}

/** Whether every operand of a call is of a kind. */
function everyOperand(call: PointwiseCall, ...kinds: DTypeKind[]): boolean {
  return call.operands.every((x) => x === null || kinds.includes(x instanceof Tensor ? x.dtype.kind : x.kind));
}

/** A multiplier must not be of a higher kind than the result. */
function checkMultiplier(name: string, parameter: string): (call: PointwiseCall) => void {
  return (call) => {
    const factor = call.numbers[0];
    if (factor.kind === "floating" && everyOperand(call, "bool", "integer")) {
      throw new DTypeError(`${name}(): ${parameter} must be an integer for integer tensors: ${describe(factor.value)}`);
    }
    if (factor.kind === "bool" && !everyOperand(call, "bool")) {
      throw new DTypeError(`${name}(): ${parameter} must be a number, not a bool, for tensors that are not bool`);
    }
  };
}

/** Integers divided by the number 0 have no value. */
function checkDivisor(name: string): (call: PointwiseCall) => void {
  return (call) => {
    const divisor = call.operands[1];
    if (divisor instanceof Scalar && Number(divisor.value) === 0 && everyOperand(call, "bool", "integer")) {
      throw new ArgumentError(`${name}(): integers cannot be divided by zero`);
    }
  };
}

/** The parameters of {@linkcode add} and {@linkcode sub}. */
export class AddArgs extends OtherArgs {
  /** Multiplies `other`. */
  alpha: ScalarLike = 1;
}

/**
 * input + alpha · other.
 *
 * @throws {DTypeError} if `alpha` has a fraction and the tensors are integers
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([1, 2, 3]);
 * assertEquals(await x.add(10).tolist(), [11, 12, 13]);
 * assertEquals(await torch.add(x, x, { alpha: 2 }).tolist(), [3, 6, 9]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.add.html
 */
export const add: Pointwise<typeof AddArgs, Operand> = pointwise(AddArgs, {
  name: "add",
  operands: ["other"],
  numbersAlone: true,
  validate: checkMultiplier("add", "alpha"),
  expr: (x: Value, y: Value, { numbers }: Context) => x.add(y.mul(numbers.alpha)),
});

const noBoolDifference = (dtype: DType): void => {
  if (dtype.kind === "bool") throw new DTypeError("sub(): not defined for bool; use logicalXor() or logicalNot()");
};

/** input - alpha · other. */
export const sub: Pointwise<typeof AddArgs, Operand> = pointwise(AddArgs, {
  name: "sub",
  operands: ["other"],
  numbersAlone: true,
  check: noBoolDifference,
  validate: checkMultiplier("sub", "alpha"),
  expr: (x: Value, y: Value, { numbers }: Context) => x.sub(y.mul(numbers.alpha)),
});
/** Same as {@linkcode sub}. */
export const subtract: Pointwise<typeof AddArgs, Operand> = alias("subtract", sub);

/** The parameters of {@linkcode rsub}. */
export class RsubArgs extends OutArgs {
  constructor(
    /** What is subtracted from. */
    public other: Tensor | ScalarLike,
    /** Multiplies the tensor. */
    public alpha: ScalarLike = 1,
  ) {
    super();
  }
}

/** other - alpha · input. */
export const rsub: Pointwise<typeof RsubArgs, Operand> = pointwise(RsubArgs, {
  name: "rsub",
  operands: ["other"],
  tensors: ["input"],
  check: noBoolDifference,
  validate: checkMultiplier("rsub", "alpha"),
  expr: (x: Value, y: Value, { numbers }: Context) => y.sub(x.mul(numbers.alpha)),
});

/** input · other. */
export const mul: BinaryFunction = pointwise(OtherArgs, {
  name: "mul",
  operands: ["other"],
  numbersAlone: true,
  expr: (x: Value, y: Value) => x.mul(y),
});
/** Same as {@linkcode mul}. */
export const multiply: BinaryFunction = alias("multiply", mul);

/** The parameters of {@linkcode div}. */
export class DivArgs extends OtherArgs {
  /**
   * `null`: true division, integers giving the default floating dtype; `"trunc"`: rounded toward 0; `"floor"`: rounded down;
   * both keep integers.
   */
  roundingMode: "trunc" | "floor" | null = null;
}

/**
 * input / other.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([7n, -7n]);
 * assertEquals(await x.div(2).tolist(), [3.5, -3.5]);
 * assertEquals(await x.div(2, { roundingMode: "floor" }).tolist(), [3, -4]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.div.html
 */
export const div: Pointwise<typeof DivArgs, Operand> = pointwise(DivArgs, {
  name: "div",
  operands: ["other"],
  numbersAlone: true,
  options: ["roundingMode"],
  compute: (dtype, { roundingMode }) => {
    if (roundingMode !== null && roundingMode !== "trunc" && roundingMode !== "floor") {
      throw new ArgumentError(`div(): roundingMode must be null, "trunc" or "floor": ${describe(roundingMode)}`);
    }
    return roundingMode === null || dtype.kind === "bool" ? trueDivision(dtype) : dtype;
  },
  validate: (call) => {
    if (call.options.roundingMode !== null) checkDivisor("div")(call);
  },
  expr: (x: Value, y: Value, { options }: Context) => {
    if (options.roundingMode === null) return x.div(y);
    return options.roundingMode === "trunc" ? x.truncDivide(y) : x.floorDivide(y);
  },
});
/** Same as {@linkcode div}. */
export const divide: Pointwise<typeof DivArgs, Operand> = alias("divide", div);

function trueDivision(dtype: DType): DType {
  return dtype.kind === "bool" || dtype.kind === "integer" ? getDefaultDtype() : dtype;
}

/** input / other, integers giving the default floating dtype. */
export const trueDivide: BinaryFunction = pointwise(OtherArgs, {
  name: "trueDivide",
  operands: ["other"],
  numbersAlone: true,
  compute: "float",
  expr: (x: Value, y: Value) => x.div(y),
});
/** other / input: Python's `other / input` with a number on the left; a method of tensors. */
export const rdiv: BinaryFunction = pointwise(OtherArgs, {
  name: "rdiv",
  operands: ["other"],
  tensors: ["input"],
  compute: "float",
  expr: (x: Value, y: Value) => y.div(x),
});
/** The quotient rounded down. */
export const floorDivide: BinaryFunction = pointwise(OtherArgs, {
  name: "floorDivide",
  operands: ["other"],
  validate: checkDivisor("floorDivide"),
  expr: (x: Value, y: Value) => x.floorDivide(y),
});
/** The remainder with the divisor's sign, as Python's `%`. */
export const remainder: BinaryFunction = pointwise(OtherArgs, {
  name: "remainder",
  operands: ["other"],
  check: only("remainder", "integer", "floating"),
  validate: checkDivisor("remainder"),
  expr: (x: Value, y: Value) => x.remainder(y),
});
/** The remainder with the dividend's sign, as C's `fmod`. */
export const fmod: BinaryFunction = pointwise(OtherArgs, {
  name: "fmod",
  operands: ["other"],
  tensors: ["input"],
  check: only("fmod", "integer", "floating"),
  validate: checkDivisor("fmod"),
  expr: (x: Value, y: Value) => x.fmod(y),
});

/** The parameters of {@linkcode pow} and {@linkcode floatPower}. */
export class PowArgs extends OutArgs {
  constructor(
    /** The power. */
    public exponent: Tensor | ScalarLike,
  ) {
    super();
  }
}

/** Exponents that need no logarithm. */
const SIMPLE_EXPONENTS = [0, 1, 2, 3, 4, 0.5, -0.5, -1, -2];

function checkExponent({ operands: [base, exponent] }: PointwiseCall): void {
  if (!(exponent instanceof Scalar) || exponent.kind !== "integer" || exponent.value >= 0) return;
  const kind = base instanceof Tensor ? base.dtype.kind : base!.kind;
  if (kind === "integer" || kind === "bool") {
    throw new ArgumentError(
      `pow(): integers to a negative integer power are no integers: ${exponent.value}; use to(torch.float32) first`,
    );
  }
}

/**
 * input to the power of exponent.
 *
 * @throws {RangeError} if integers are raised to a negative integer
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(await torch.tensor([1, 2, 3]).pow(2).tolist(), [1, 4, 9]);
 * assertEquals(await torch.pow(2, torch.tensor([0n, 10n])).tolist(), [1, 1024]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.pow.html
 */
export const pow: Pointwise<typeof PowArgs, Operand> = pointwise(PowArgs, {
  name: "pow",
  operands: ["exponent"],
  constants: { exponent: SIMPLE_EXPONENTS },
  autocast: { gpu: "float32" },
  validate: checkExponent,
  expr: (x: Value, y: Value) => x.pow(y),
});
/** input to the power of exponent, computed in float64 (complex128 where an operand is complex). */
export const floatPower: Pointwise<typeof PowArgs, Operand> = pointwise(PowArgs, {
  name: "floatPower",
  operands: ["exponent"],
  constants: { exponent: SIMPLE_EXPONENTS },
  compute: (dtype) => dtype.isComplex ? complex128 : float64,
  expr: (x: Value, y: Value) => x.pow(y),
});

/**
 * The larger; NaN if either is. Ties share the gradient.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(await torch.tensor([1, NaN, 3]).maximum(torch.tensor([2, 2, 2])).tolist(), [2, NaN, 3]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.maximum.html
 */
export const maximum: BinaryFunction = ofTensors("maximum", (x, y) => x.max(y), "bool", "integer", "floating");
/** The smaller; NaN if either is. Ties share the gradient. */
export const minimum: BinaryFunction = ofTensors("minimum", (x, y) => x.min(y), "bool", "integer", "floating");
/** The larger, the other one where one is NaN. */
export const fmax: BinaryFunction = ofTensors("fmax", (x, y) => x.fmax(y), "bool", "integer", "floating");
/** The smaller, the other one where one is NaN. */
export const fmin: BinaryFunction = ofTensors("fmin", (x, y) => x.fmin(y), "bool", "integer", "floating");

/** The angle of the point (other, input), in (-π, π]. */
export const atan2: BinaryFunction = binaryFloat("atan2", (x, y) => x.atan2(y), ["input", "other"], { gpu: "promote" });
/** Same as {@linkcode atan2}. */
export const arctan2: BinaryFunction = alias("arctan2", atan2);
/** √(input² + other²), without overflow between. */
export const hypot: BinaryFunction = ofTensors("hypot", (x, y) => x.hypot(y), "floating");
/** The magnitude of input with the sign of other, zeros' signs included. */
export const copysign: BinaryFunction = binaryFloat("copysign", (x, y) => x.copysign(y), ["input"]);
/** The next representable value from input towards other. */
export const nextafter: BinaryFunction = pointwise(OtherArgs, {
  name: "nextafter",
  operands: ["other"],
  check: (dtype) => {
    if (dtype.kind !== "floating" || isHalf(dtype)) {
      throw new DTypeError(`nextafter(): not defined for ${dtype}; use float32 or float64`);
    }
  },
  expr: (x: Expr, y: Expr) => x.nextafter(y),
});

/** log(e^x + e^y), without overflow between. */
export const logaddexp: BinaryFunction = pointwise(OtherArgs, {
  name: "logaddexp",
  operands: ["other"],
  check: only("logaddexp", "floating", "complex"),
  expr: (x: Value, y: Value) =>
    x instanceof Complex ? complexLogaddexp(x, y as Complex) : realLogaddexp(x as Expr, y as Expr),
});

function realLogaddexp(x: Expr, y: Expr): Expr {
  const sum = x.max(y).add(x.sub(y).abs().neg().exp().log1p());
  const value = x.eq(y).logicalAnd(x.isinf()).where(x, sum);
  return withDerivative(value, [{ by: x, is: x.sub(y).sigmoid() }, { by: y, is: y.sub(x).sigmoid() }]);
}

function complexLogaddexp(x: Complex, y: Complex): Value {
  const first = x.re.ge(y.re);
  const high = where(first, x, y), low = where(first, y, x);
  return high.add(low.sub(high).exp().log1p());
}

/** log₂(2^x + 2^y), without overflow between. */
export const logaddexp2: BinaryFunction = pointwise(OtherArgs, {
  name: "logaddexp2",
  operands: ["other"],
  check: only("logaddexp2", "floating"),
  expr: (x: Expr, y: Expr) => {
    const sum = x.max(y).add(x.sub(y).abs().neg().exp2().log1p().mul(1 / Math.LN2));
    const value = x.eq(y).logicalAnd(x.isinf()).where(x, sum);
    const weight = (d: Expr): Expr => d.neg().exp2().add(1).reciprocal();
    return withDerivative(value, [{ by: x, is: weight(x.sub(y)) }, { by: y, is: weight(y.sub(x)) }]);
  },
});

/** x · f(y), 0 where x is 0 whatever f(y), NaN where y is. */
function timesLog(x: Expr, y: Expr, log: (y: Expr) => Expr, border: number, slope: Expr): Expr {
  const value = y.isnan().where(NaN, x.eq(0).where(0, x.mul(log(y))));
  const flat = x.eq(0).logicalAnd(y.le(border));
  return withDerivative(value, [{ by: x, is: flat.where(0, log(y)) }, { by: y, is: x.div(slope) }]);
}

/** input · log(other), 0 where input is 0. */
export const xlogy: BinaryFunction = binaryFloat("xlogy", (x, y) => timesLog(x, y, (z) => z.log(), 0, y));
/** input · log(1 + other), 0 where input is 0. */
export const xlog1py: PointwiseFn<typeof OtherArgs, Operand> = pointwiseFn(OtherArgs, {
  name: "xlog1py",
  operands: ["other"],
  compute: "float",
  check: only("xlog1py", "floating"),
  expr: (x: Expr, y: Expr) => timesLog(x, y, (z) => z.log1p(), -1, y.add(1)),
});

/** The parameters of {@linkcode heaviside}. */
export class HeavisideArgs extends OutArgs {
  constructor(
    /** The result where input is 0. */
    public values: Tensor,
  ) {
    super();
  }
}

/** 0 where input is negative, values where it is 0, 1 where it is positive. */
export const heaviside: Pointwise<typeof HeavisideArgs> = pointwise(HeavisideArgs, {
  name: "heaviside",
  operands: ["values"],
  tensors: ["input", "values"],
  check: only("heaviside", "bool", "integer", "floating"),
  validate: ({ operands: [x, y] }) => {
    if (x instanceof Tensor && y instanceof Tensor && x.dtype !== y.dtype) {
      throw new DTypeError(`heaviside(): the dtypes differ: ${x.dtype} and ${y.dtype}`);
    }
  },
  expr: (x: Expr, y: Expr) => x.eq(0).where(y, x.gt(0).to(x.kind)),
});

/** The greatest common divisor, never negative. */
export const gcd: BinaryFunction = ofTensors("gcd", (x, y) => x.gcd(y), "integer");
/** The least common multiple, never negative. */
export const lcm: BinaryFunction = ofTensors("lcm", (x, y) => {
  const divisor = (x as Expr).gcd(y as Expr);
  return divisor.eq(0).where(0, (x as Expr).truncDivide(divisor).mul(y as Expr).abs());
}, "integer");
/** input · 2^other. */
export const ldexp: BinaryFunction = pointwise(OtherArgs, {
  name: "ldexp",
  operands: ["other"],
  tensors: ["input", "other"],
  compute: "float",
  expr: (x: Value, y: Value) => x.mul(y.exp2()),
});

/** The parameters of {@linkcode lerp}. */
export class LerpArgs extends OutArgs {
  constructor(
    /** Where weight 1 leads. */
    public end: Tensor,
    /** The part of the way. */
    public weight: Tensor | ScalarLike,
  ) {
    super();
  }
}

/**
 * input + weight · (end - input), exact at both ends.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const [a, b] = [torch.tensor([0, 10]), torch.tensor([10, 20])];
 * assertEquals(await torch.lerp(a, b, 0.25).tolist(), [2.5, 12.5]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.lerp.html
 */
export const lerp: Pointwise<typeof LerpArgs> = pointwise(LerpArgs, {
  name: "lerp",
  operands: ["end", "weight"],
  tensors: ["input", "end"],
  check: only("lerp", "floating", "complex"),
  validate: ({ operands: [x, end, weight] }) => {
    for (const other of [end, weight]) {
      if (x instanceof Tensor && other instanceof Tensor && other.dtype !== x.dtype) {
        throw new DTypeError(`lerp(): the dtypes differ: ${x.dtype} and ${other.dtype}`);
      }
    }
  },
  expr: (x: Value, end: Value, weight: Value) => {
    const difference = end.sub(x);
    const rest = weight.neg().add(1);
    const low = weight.abs().lt(0.5) as Expr;
    if (x instanceof Complex) {
      return where(low, x.add(weight.mul(difference)), end.sub(difference.mul(rest)));
    }
    const value = where(low, x.add(weight.mul(difference)), end.sub(difference.mul(rest))) as Expr;
    return withDerivative(value, [
      { by: x as Expr, is: rest as Expr },
      { by: end as Expr, is: weight as Expr },
      { by: weight as Expr, is: difference as Expr },
    ]);
  },
});

/** The parameters of {@linkcode addcmul} and {@linkcode addcdiv}. */
export class AddcArgs extends OutArgs {
  /** Multiplies the product or quotient. */
  value: ScalarLike = 1;
  constructor(
    /** The first factor, or the dividend. */
    public tensor1: Tensor | ScalarLike,
    /** The second factor, or the divisor. */
    public tensor2: Tensor | ScalarLike,
  ) {
    super();
  }
}

/**
 * input + value · tensor1 · tensor2.
 */
export const addcmul: Pointwise<typeof AddcArgs> = pointwise(AddcArgs, {
  name: "addcmul",
  operands: ["tensor1", "tensor2"],
  autocast: { gpu: "promote" },
  validate: checkMultiplier("addcmul", "value"),
  expr: (x: Value, a: Value, b: Value, { numbers }: Context) => x.add(a.mul(numbers.value).mul(b)),
});
/**
 * input + value · tensor1 / tensor2.
 *
 * @throws {DTypeError} for integer tensors, whose quotient is no integer
 */
export const addcdiv: Pointwise<typeof AddcArgs> = pointwise(AddcArgs, {
  name: "addcdiv",
  operands: ["tensor1", "tensor2"],
  autocast: { gpu: "promote" },
  check: only("addcdiv", "floating", "complex"),
  expr: (x: Value, a: Value, b: Value, { numbers }: Context) => x.add(a.mul(numbers.value).div(b)),
});

/** Checks two parts of a complex number: floating, of one dtype that has a complex one, perhaps by autocast's rule. */
function complexParts(name: string, autocast?: AutocastRule): (call: PointwiseCall) => void {
  return ({ operands: [x, y], out }) => {
    const [a, b] = [x as Tensor, y as Tensor];
    const widened = autocast !== undefined && out === null && autocasting.active && computesWide(autocast, [a, b]);
    const wide = (dtype: DType) => widened && dtype.itemsize === 2 ? float32 : dtype;
    if (wide(a.dtype) !== wide(b.dtype) || wide(a.dtype).itemsize === 2) {
      throw new DTypeError(`${name}(): both must be float32 or both float64: ${a.dtype} and ${b.dtype}`);
    }
    if (out !== null && out.dtype !== toComplex(a.dtype)) {
      throw new DTypeError(`${name}(): out must be ${toComplex(a.dtype)}: ${out.dtype}`);
    }
  };
}

/** The parameters of {@linkcode complex} after the real parts. */
export class ComplexArgs extends OutArgs {
  constructor(
    /** The imaginary parts, of the same dtype. */
    public imag: Tensor,
  ) {
    super();
  }
}

/**
 * Complex numbers of real and imaginary parts.
 *
 * @param real float32 (giving complex64) or float64 (complex128)
 */
export const complex: PointwiseFn<typeof ComplexArgs> = pointwiseFn(ComplexArgs, {
  name: "complex",
  input: "real",
  operands: ["imag"],
  tensors: ["real", "imag"],
  check: only("complex", "floating"),
  validate: complexParts("complex"),
  expr: (re: Expr, im: Expr) => new Complex(re, im),
});

/** The parameters of {@linkcode polar} after the moduli. */
export class PolarArgs extends OutArgs {
  constructor(
    /** The angles in radians, of the same dtype. */
    public angle: Tensor,
  ) {
    super();
  }
}

/**
 * Complex numbers of modulus `abs` and angle `angle`.
 *
 * @param abs float32 (giving complex64) or float64 (complex128)
 */
export const polar: PointwiseFn<typeof PolarArgs> = pointwiseFn(PolarArgs, {
  name: "polar",
  input: "abs",
  operands: ["angle"],
  tensors: ["abs", "angle"],
  autocast: { cpu: "float32" },
  check: only("polar", "floating"),
  validate: complexParts("polar", { cpu: "float32" }),
  expr: (r: Expr, theta: Expr) => polarOf(r, theta),
});
