/**
 * Evenly spaced numbers, and the identity matrix: tensors computed from each element's index.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { type Args, call, type Func, func, isPlainObject } from "../../base/call.ts";
import { type DType, float32, float64, getDefaultDtype, int64, toComplex, toReal } from "../../base/dtype.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { checkFewResults, hasFewOps } from "../../base/few_ops.ts";
import { Scalar, type ScalarLike, toScalar } from "../../base/scalar.ts";
import { checkSizes } from "../../base/shape.ts";
import { backendOf } from "../../backend/mod.ts";
import { type Expr, linearIndex } from "../../expr/expr.ts";
import { scope } from "../../tensor/scope.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { pow } from "../pointwise/binary.ts";
import { empty, tensor, TensorArgs, type TensorOptions } from "./creation.ts";
import { Formula } from "../core/formula.ts";
import { generate } from "../core/fused.ts";

/** The parameters of {@linkcode arange}. */
export class ArangeArgs extends TensorArgs {
  constructor(
    /** The first number; alone, the end. */
    public start: ScalarLike = 0,
    /** Where to stop; left out. */
    public end: ScalarLike | null = null,
    /** The distance between neighbours. */
    public step: ScalarLike = 1,
  ) {
    super();
  }
}

const arangeArgs = call("arange", ArangeArgs);

/**
 * Numbers from `start` to `end` (left out) by `step`: `arange(end)`, `arange(start, end)`, `arange(start, end, step)`.
 *
 * Integer arguments give int64, others the default floating dtype.
 */
export function arange(...args: Args<typeof ArangeArgs>): Tensor {
  const parsed = arangeArgs(args);
  const alone = parsed.end === null;
  // A start by name is no end.
  if (alone && (args.length === 0 || isPlainObject(args[0]))) {
    throw new ArgumentError('arange(): missing argument: "end"');
  }
  const { step } = parsed, start = alone ? 0 : parsed.start, end = alone ? parsed.start : parsed.end!;
  const bounds = [start, end, step].map((v) => {
    const s = toScalar("arange", v);
    if (s.kind === "complex" || Number.isNaN(Number(s.value))) {
      throw new ArgumentError(`arange(): start, end and step must be numbers: ${describe(v)}`);
    }
    return s;
  });
  const dtype = parsed.dtype ?? (bounds.every((s) => s.kind === "integer") ? int64 : getDefaultDtype());
  if (hasFewOps(dtype)) checkFewResults("arange", dtype);
  const whole = dtype.kind === "integer";
  const [first, last, by] = bounds.map((s) => Number(s.value));
  if (by === 0) throw new ArgumentError("arange(): step must not be zero");
  if (!Number.isFinite(first) || !Number.isFinite(last)) {
    throw new ArgumentError(`arange(): bounds must be finite: ${describe(first)} to ${describe(last)}`);
  }
  if ((last - first) / by < 0) {
    throw new ArgumentError(
      `arange(): bounds do not fit the step: ${describe(first)} to ${describe(last)} by ${describe(by)}`,
    );
  }
  const size = [Math.ceil((last - first) / by)];
  checkSizes("arange", size);
  const x = empty(size, { dtype, device: parsed.device });
  // As in PyTorch, numbers are counted as they are given, and made of integers where the dtype is an integer one.
  const [from, each] = whole ? [Math.trunc(first), Math.trunc(by)] : [first, by];
  generate(ramp, x, [from, each]);
  return parsed.requiresGrad ? x.requiresGrad_() : x;
}

const ramp = new Formula<Expr>("none", (_, [from, step]) => from.add(step.mul(linearIndex())));

/** A bound of a range as a 0-d tensor. */
function boundOf(op: string, v: ScalarLike | Tensor, dtype: DType, options: TensorOptions): Tensor {
  if (!(v instanceof Tensor)) return tensor(v, { dtype, device: options.device });
  if (v.ndim !== 0) throw new ShapeError(`${op}(): bounds must be numbers or 0-d tensors: ${show(v.shape)}`);
  return v.detach().to({ dtype, device: options.device });
}

function isComplex(v: ScalarLike | Tensor): boolean {
  return v instanceof Tensor ? v.dtype.isComplex : v instanceof Scalar && v.kind === "complex";
}

/** Evenly spaced numbers in the widest dtype that the device has for them; the upper half counts down from `end`. */
function spaced(op: string, options: LinspaceArgs): [Tensor, DType] {
  const { start, end, steps } = options;
  if (!Number.isInteger(steps) || steps < 0) {
    throw new ArgumentError(`${op}(): steps must be a non-negative integer: ${describe(steps)}`);
  }
  checkSizes(op, [steps]);
  const complex = isComplex(start) || isComplex(end) || (options.dtype?.isComplex ?? false);
  const dtype = options.dtype ?? (complex ? toComplex(getDefaultDtype()) : getDefaultDtype());
  if (hasFewOps(dtype)) checkFewResults(op, dtype);
  const given = start instanceof Tensor ? start : end instanceof Tensor ? end : null;
  const device = options.device ?? given?.device;
  const probe = empty([0], { device });
  const real = backendOf(probe.device).supports(float64) ? float64 : float32;
  const wide = complex ? toComplex(real) : real;
  // As in PyTorch, the bounds of an integer range are converted to integers first.
  const bound = (v: ScalarLike | Tensor) => {
    const x = boundOf(op, v, wide, { device });
    return dtype.kind === "integer" ? x.trunc() : x;
  };
  const a = bound(start), b = bound(end);
  const i = arange(steps, { dtype: toReal(wide), device });
  const step = b.sub(a).div(Math.max(steps - 1, 1));
  const down = b.sub(step.mul(i.neg().add(steps - 1)));
  return [a.add(step.mul(i)).where(i.lt(steps / 2), down), dtype];
}

/** The parameters of {@linkcode linspace}. */
export class LinspaceArgs extends TensorArgs {
  constructor(
    /** The first number. */
    public start: ScalarLike | Tensor,
    /** The last number. */
    public end: ScalarLike | Tensor,
    /** How many. */
    public steps: number,
  ) {
    super();
  }
}

/** `steps` numbers from `start` to `end`, both included, evenly spaced. */
export const linspace: Func<typeof LinspaceArgs, Tensor> = func("linspace", LinspaceArgs, (options) => {
  const x = unrecorded(() =>
    scope(() => {
      const [values, dtype] = spaced("linspace", options);
      return values.to(dtype);
    })
  );
  return options.requiresGrad ? x.requiresGrad_() : x;
});

/** The parameters of {@linkcode logspace}. */
export class LogspaceArgs extends TensorArgs {
  constructor(
    /** The first exponent. */
    public start: ScalarLike | Tensor,
    /** The last exponent. */
    public end: ScalarLike | Tensor,
    /** How many numbers. */
    public steps: number,
    /** What the exponents are applied to. */
    public base = 10,
  ) {
    super();
  }
}

/** `steps` numbers from `base ** start` to `base ** end`, evenly spaced in their exponent. */
export const logspace: Func<typeof LogspaceArgs, Tensor> = func("logspace", LogspaceArgs, (options) => {
  const x = unrecorded(() =>
    scope(() => {
      const [exponents, dtype] = spaced("logspace", options);
      return pow(options.base, exponents).to(dtype);
    })
  );
  return options.requiresGrad ? x.requiresGrad_() : x;
});

/** The parameters of {@linkcode eye}. */
export class EyeArgs extends TensorArgs {
  constructor(
    /** How many rows. */
    public n: number,
    /** How many columns; `null`: as many as rows. */
    public m: number | null = null,
  ) {
    super();
  }
}

/** Row and column are the quotient and the remainder of the index. */
const diagonal = new Formula<Expr>(
  "none",
  (_, [columns]) => linearIndex().remainder(columns).eq(linearIndex().floorDivide(columns)),
);

/** The identity matrix of `n` rows and `m` columns. */
export const eye: Func<typeof EyeArgs, Tensor> = func("eye", EyeArgs, (options) => {
  const { n } = options, m = options.m ?? n;
  checkSizes("eye", [n, m]);
  const x = empty([n, m], { dtype: options.dtype, device: options.device });
  if (hasFewOps(x.dtype)) checkFewResults("eye", x.dtype);
  generate(diagonal, x, [m], ["i64"]);
  return options.requiresGrad ? x.requiresGrad_() : x;
});
