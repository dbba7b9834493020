/**
 * Comparisons, logic, bits, selection and clamping.
 *
 * Shape: operands broadcast. DType: comparisons and logic give bool; the rest keeps the promoted dtype. Each pointwise op
 * has an in-place form with a trailing underscore.
 *
 * @module
 */

import { type DType, getDefaultDtype } from "../../base/dtype.ts";
import { ArgumentError, describe, DTypeError } from "../../base/errors.ts";
import type { ScalarLike } from "../../base/scalar.ts";
import { sameShape } from "../../base/shape.ts";
import { unread } from "../../base/unread.ts";
import { Complex } from "../../expr/complex.ts";
import { constant, type Expr, type Value, where as select, withDerivative } from "../../expr/expr.ts";
import { isFloat, kindOf } from "../../expr/kind.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { type BinaryFunction, OtherArgs } from "./binary.ts";
import { alias, type Context, type Pointwise, pointwise, type PointwiseFn, pointwiseFn } from "../core/define.ts";
import { OutArgs } from "../core/op.ts";
import { type Op, op } from "../core/op.ts";

function binary(
  name: string,
  expr: (x: Value, y: Value) => Value,
  check?: (dtype: DType) => void,
  tensors: readonly string[] = [],
): BinaryFunction {
  return pointwise(OtherArgs, { name, operands: ["other"], tensors, expr, check });
}

function comparison(name: string, expr: (x: Value, y: Value) => Value): BinaryFunction {
  return binary(name, expr, undefined, ["input"]);
}

function logic(name: string, expr: (x: Value, y: Value) => Value): BinaryFunction {
  return binary(name, expr, undefined, ["input", "other"]);
}

/**
 * Whether the elements are equal.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * assertEquals(await torch.tensor([1, 2, 3]).eq(2).tolist(), [false, true, false]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.eq.html
 */
export const eq: BinaryFunction = comparison("eq", (x, y) => x.eq(y));
/** Whether the elements differ. */
export const ne: BinaryFunction = comparison("ne", (x, y) => x.ne(y));
/** Same as {@linkcode ne}. */
export const notEqual: BinaryFunction = alias("notEqual", ne);
/** Whether input < other. */
export const lt: BinaryFunction = comparison("lt", (x, y) => x.lt(y));
/** Same as {@linkcode lt}. */
export const less: BinaryFunction = alias("less", lt);
/** Whether input ≤ other. */
export const le: BinaryFunction = comparison("le", (x, y) => x.le(y));
/** Same as {@linkcode le}. */
export const lessEqual: BinaryFunction = alias("lessEqual", le);
/** Whether input > other. */
export const gt: BinaryFunction = comparison("gt", (x, y) => x.gt(y));
/** Same as {@linkcode gt}. */
export const greater: BinaryFunction = alias("greater", gt);
/** Whether input ≥ other. */
export const ge: BinaryFunction = comparison("ge", (x, y) => x.ge(y));
/** Same as {@linkcode ge}. */
export const greaterEqual: BinaryFunction = alias("greaterEqual", ge);

/** The parameters of {@linkcode isclose} and {@linkcode allclose}. */
export class CloseArgs {
  constructor(
    /** The tensor to compare with. */
    public other: Tensor,
    /** Relative tolerance. */
    public rtol = 1e-5,
    /** Absolute tolerance. */
    public atol = 1e-8,
    /** Whether NaN is close to NaN. */
    public equalNan = false,
  ) {}
}

/**
 * Whether |input - other| ≤ atol + rtol · |other|, or both are the same.
 *
 * @throws {ArgumentError} if a tolerance is negative
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([1, 2]);
 * assertEquals(await x.isclose(torch.tensor([1.000001, 2.1])).tolist(), [true, false]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.isclose.html
 */
export const isclose: Pointwise<typeof CloseArgs> = pointwise(CloseArgs, {
  name: "isclose",
  operands: ["other"],
  options: ["rtol", "atol", "equalNan"],
  validate: ({ operands: [x, y], options }) => {
    if ((options.rtol as number) < 0 || (options.atol as number) < 0) {
      throw new ArgumentError(
        `isclose(): tolerances must not be negative: rtol ${describe(options.rtol)}, atol ${describe(options.atol)}`,
      );
    }
    const [a, b] = [x as Tensor, y as Tensor];
    if (a.dtype !== b.dtype) throw new DTypeError(`isclose(): the dtypes differ: ${a.dtype} and ${b.dtype}`);
  },
  expr: (x: Value, y: Value, { options }: Context) => {
    // A difference of unsigned integers would wrap around.
    const kind = x.kind === "bool" ? "i64" : x.kind === "u64" ? kindOf(getDefaultDtype()) : x.kind;
    const [a, b] = [x.to(kind), y.to(kind)];
    let close = x.eq(y) as Expr;
    if (options.equalNan) close = close.logicalOr((a.isnan() as Expr).logicalAnd(b.isnan() as Expr));
    if (options.rtol === 0 && options.atol === 0) return close;
    const difference = a.sub(b).abs() as Expr;
    const allowed = (b.abs() as Expr).mul(options.rtol as number).abs().add(options.atol as number);
    return close.logicalOr(difference.isfinite().logicalAnd(difference.le(allowed)));
  },
});

/** Whether every truth value of a tensor holds. */
async function every(x: Tensor): Promise<boolean> {
  const values = await x.read();
  return values.every((v: number | bigint) => Boolean(v));
}

/**
 * Whether all elements are close, see {@linkcode isclose}.
 *
 * Differs from PyTorch: it is a promise, because the values are read. A condition needs `await`; without it, it always holds.
 *
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([1, NaN]);
 * assertEquals(await torch.allclose(x, x), false);
 * assertEquals(await torch.allclose(x, x, { equalNan: true }), true);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.allclose.html
 */
export const allclose: Op<typeof CloseArgs, Promise<boolean>> = op(
  "allclose",
  CloseArgs,
  (input, { other, rtol, atol, equalNan }) => {
    checkTensor("allclose", "other", other);
    return unread("allclose", everyOne(isclose(input.detach(), other.detach(), rtol, atol, equalNan)));
  },
);

/** Whether all of a temporary tensor's elements are true. */
async function everyOne(x: Tensor): Promise<boolean> {
  const result = await every(x);
  x.dispose();
  return result;
}

/** The parameters of {@linkcode equal}. */
export class EqualArgs {
  constructor(
    /** The tensor to compare with. */
    public other: Tensor,
  ) {}
}

/**
 * Whether two tensors have the same shape and elements.
 *
 * Differs from PyTorch: it is a promise, because the values are read. A condition needs `await`; without it, it always holds.
 */
export const equal: Op<typeof EqualArgs, Promise<boolean>> = op(
  "equal",
  EqualArgs,
  (input, { other }) => {
    checkTensor("equal", "other", other);
    if (!sameShape(input.shape, other.shape)) return unread("equal", Promise.resolve(false));
    return unread("equal", everyOne(eq(input.detach(), other.detach())));
  },
);

/** Whether both are true (not 0). */
export const logicalAnd: BinaryFunction = logic("logicalAnd", (x, y) => x.logicalAnd(y));
/** Whether either is true (not 0). */
export const logicalOr: BinaryFunction = logic("logicalOr", (x, y) => x.logicalOr(y));
/** Whether exactly one is true (not 0). */
export const logicalXor: BinaryFunction = logic("logicalXor", (x, y) => x.logicalXor(y));
/** Whether the element is 0. */
export const logicalNot: Pointwise = pointwise(OutArgs, { name: "logicalNot", expr: (x: Value) => x.logicalNot() });

function noFloat(name: string): (dtype: DType) => void {
  return (dtype) => {
    if (dtype.kind === "floating" || dtype.kind === "complex") {
      throw new DTypeError(`${name}(): defined for integers and bools only: ${dtype}`);
    }
  };
}

/** The bits that both have; of bools whether both hold. */
export const bitwiseAnd: BinaryFunction = binary("bitwiseAnd", (x, y) => x.bitwiseAnd(y), noFloat("bitwiseAnd"));
/** The bits that either has. */
export const bitwiseOr: BinaryFunction = binary("bitwiseOr", (x, y) => x.bitwiseOr(y), noFloat("bitwiseOr"));
/** The bits that exactly one has. */
export const bitwiseXor: BinaryFunction = binary("bitwiseXor", (x, y) => x.bitwiseXor(y), noFloat("bitwiseXor"));
/** Every bit turned; of bools the opposite. */
export const bitwiseNot: Pointwise = pointwise(OutArgs, {
  name: "bitwiseNot",
  check: noFloat("bitwiseNot"),
  expr: (x: Value) => x.bitwiseNot(),
});

function shift(name: string, expr: (x: Value, y: Value) => Value): BinaryFunction {
  return binary(name, expr, (dtype) => {
    if (!dtype.isInteger) throw new DTypeError(`${name}(): defined for integers only: ${dtype}`);
  });
}

/** input · 2^other, bits that leave the dtype being lost. */
export const bitwiseLeftShift: BinaryFunction = shift("bitwiseLeftShift", (x, y) => x.shiftLeft(y));
/** input / 2^other rounded down. */
export const bitwiseRightShift: BinaryFunction = shift("bitwiseRightShift", (x, y) => x.shiftRight(y));

function predicate(name: string, expr: (x: Value) => Value, check?: (dtype: DType) => void): Pointwise {
  return pointwise(OutArgs, { name, expr, check });
}

function noComplex(name: string): (dtype: DType) => void {
  return (dtype) => {
    if (dtype.isComplex) throw new DTypeError(`${name}(): not defined for complex tensors: ${dtype}`);
  };
}

/** Whether the element is NaN. */
export const isnan: Pointwise = predicate("isnan", (x) => x.isnan());
/** Whether the element is infinite. */
export const isinf: Pointwise = predicate("isinf", (x) => x.isinf());
/** Whether the element is neither infinite nor NaN. */
export const isfinite: Pointwise = predicate("isfinite", (x) => x.isfinite());
/** Whether the element is +∞. */
export const isposinf: Pointwise = predicate("isposinf", (x) => (x as Expr).eq(Infinity), noComplex("isposinf"));
/** Whether the element is -∞. */
export const isneginf: Pointwise = predicate("isneginf", (x) => (x as Expr).eq(-Infinity), noComplex("isneginf"));
/** Whether the imaginary part is 0. */
export const isreal: Pointwise = predicate(
  "isreal",
  (x) => x instanceof Complex ? x.im.eq(0) : constant(true, "bool"),
);
/** Whether the sign bit is set: of -0 too. */
export const signbit: Pointwise = predicate("signbit", (x) => {
  if (x.kind === "bool") return constant(false, "bool");
  if (x.kind === "u64") return constant(false, "bool");
  return x.kind === "i64" ? x.lt(0) : constant(1, x.kind).copysign(x as Expr).lt(0);
}, noComplex("signbit"));

/** The parameters of {@linkcode where}. */
export class WhereArgs extends OutArgs {
  constructor(
    /** The elements where the condition holds. */
    public input: Tensor | ScalarLike,
    /** The elements where it does not. */
    public other: Tensor | ScalarLike,
  ) {
    super();
  }
}

const choose = pointwiseFn(WhereArgs, {
  name: "where",
  input: "condition",
  operands: ["input", "other"],
  raw: ["condition"],
  tensors: ["condition"],
  validate: ({ operands: [condition] }) => {
    const { dtype } = condition as Tensor;
    if (dtype.kind !== "bool" && dtype.name !== "uint8") {
      throw new DTypeError(`where(): the condition must be a bool tensor: ${dtype}; use condition.ne(0)`);
    }
  },
  expr: (condition: Expr, x: Value, y: Value) => select(condition.to("bool"), x, y),
});

/**
 * Elements of `input` where `condition` holds, else those of `other`.
 *
 * @param condition a bool tensor
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([-1, 0, 2]);
 * assertEquals(await torch.where(x.gt(0), x, 0).tolist(), [0, 0, 2]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.where.html
 */
export const where: PointwiseFn<typeof WhereArgs> = choose;

/** The parameters of {@linkcode clamp}. */
export class ClampArgs extends OutArgs {
  constructor(
    /** The lower bound. */
    public min: Tensor | ScalarLike | null = null,
    /** The upper bound. */
    public max: Tensor | ScalarLike | null = null,
  ) {
    super();
  }
}

/** The value between bounds; the gradient passes where the value is within them, edges included. */
function clamped(x: Expr, low: Expr | null, high: Expr | null): Expr {
  const raised = low === null ? x : select(x.lt(low).logicalOr(isUnordered(low)), low, x);
  return high === null ? raised : select(raised.gt(high).logicalOr(isUnordered(high)), high, raised);
}

/** Between two numbers: two instructions, and a derivative that says the same. */
function clampedByNumbers(x: Expr, low: Expr, high: Expr): Expr {
  const inside = x.ge(low).logicalAnd(x.le(high));
  return withDerivative(x.max(low).min(high), [{ by: x, is: inside.where(constant(1, x.kind), 0) }]);
}

function isUnordered(x: Expr): Expr {
  return !isFloat(x.kind) ? constant(false, "bool") : x.isnan();
}

/**
 * The elements limited to the range from `min` to `max`, where given; NaN stays. Where `min` > `max` the result is `max`.
 *
 * @throws {ArgumentError} if neither bound is given
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.tensor([-2, 0.5, 3]);
 * assertEquals(await x.clamp(-1, 1).tolist(), [-1, 0.5, 1]);
 * assertEquals(await x.clamp({ min: 0 }).tolist(), [0, 0.5, 3]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.clamp.html
 */
export const clamp: Pointwise<typeof ClampArgs> = pointwise(ClampArgs, {
  name: "clamp",
  operands: ["min", "max"],
  check: (dtype) => {
    if (dtype.isComplex || dtype.kind === "bool") throw new DTypeError(`clamp(): not defined for ${dtype}`);
  },
  validate: ({ operands: [, min, max] }) => {
    if (min === null && max === null) throw new ArgumentError("clamp(): at least one of min and max must be given");
  },
  expr: (x: Expr, low: Expr | null, high: Expr | null) =>
    low?.op === "scalar" && high?.op === "scalar" && isFloat(x.kind)
      ? clampedByNumbers(x, low, high)
      : clamped(x, low, high),
});
/** Same as {@linkcode clamp}. */
export const clip: Pointwise<typeof ClampArgs> = alias("clip", clamp);

/** The parameters of {@linkcode clampMin}. */
export class ClampMinArgs extends OutArgs {
  constructor(
    /** The lower bound. */
    public min: Tensor | ScalarLike,
  ) {
    super();
  }
}

/** The elements, at least `min`. */
export const clampMin: Pointwise<typeof ClampMinArgs> = pointwise(ClampMinArgs, {
  name: "clampMin",
  operands: ["min"],
  tensors: ["input"],
  check: noComplex("clampMin"),
  expr: (x: Expr, low: Expr) => clamped(x, low, null),
});
/** The parameters of {@linkcode clampMax}. */
export class ClampMaxArgs extends OutArgs {
  constructor(
    /** The upper bound. */
    public max: Tensor | ScalarLike,
  ) {
    super();
  }
}

/** The elements, at most `max`. */
export const clampMax: Pointwise<typeof ClampMaxArgs> = pointwise(ClampMaxArgs, {
  name: "clampMax",
  operands: ["max"],
  tensors: ["input"],
  check: noComplex("clampMax"),
  expr: (x: Expr, high: Expr) => clamped(x, null, high),
});
