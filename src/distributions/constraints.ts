/**
 * `torch.distributions.constraints`: the regions in which parameters and samples of distributions are valid.
 *
 * `constraint.check(value)` is a bool tensor that tells which events of `value` are valid; nothing is read by the host.
 * NaN is in no region but `square`, which looks at sizes only. A bound is a number or a tensor that broadcasts with the value.
 *
 * Differs from PyTorch: `dependent`, `positiveDefinite` and `positiveSemidefinite` do not exist yet.
 *
 * @module
 */

import "../ops/attach.ts";
import { type Func, func } from "../base/call.ts";
import { checkCount } from "../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { finfo } from "../base/limits.ts";
import { cat as catTensors, stack as stackTensors } from "../ops/shape/join.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkConstraint, Constraint, Region } from "./constraint.ts";

export { Constraint };

/** A bound of a region, of all elements or of each. */
export type Limit = Tensor | number;

function checkLimit(op: string, name: string, limit: unknown): void {
  if (limit instanceof Tensor || typeof limit === "number") return;
  throw new ArgumentError(`${op}(): ${name} must be a number or a Tensor: ${describe(limit)}`);
}

/** The parameters of the regions above a bound. */
export class LowerBoundArgs {
  constructor(
    /** The lower bound. */
    public lowerBound: Limit,
  ) {}
}

/** The parameters of the regions below a bound. */
export class UpperBoundArgs {
  constructor(
    /** The upper bound. */
    public upperBound: Limit,
  ) {}
}

/** The parameters of the regions between bounds. */
export class BoundsArgs {
  constructor(
    /** The lower bound. */
    public lowerBound: Limit,
    /** The upper bound. */
    public upperBound: Limit,
  ) {}
}

type Valid<O> = (value: Tensor, bounds: O) => Tensor;
type Kind = { eventDim?: number; isDiscrete?: boolean };

/** A function that makes a region of bounds. */
function bounded<C extends typeof LowerBoundArgs | typeof UpperBoundArgs | typeof BoundsArgs>(
  name: string,
  params: C,
  valid: Valid<Readonly<InstanceType<C>>>,
  kind: Kind = {},
): Func<C, Constraint> {
  return func(name, params, (bounds) => {
    const shown = Object.entries(bounds).map(([key, limit]) => {
      checkLimit(name, key, limit);
      return `${key}: ${limit instanceof Tensor ? `Tensor of shape ${show(limit.shape)}` : limit}`;
    });
    const region = `${name}(${shown.join(", ")})`;
    return new Region({ name: region, valid: (value) => valid(value, bounds), ...kind });
  });
}

const isInteger = (value: Tensor) => value.remainder(1).eq(0);
const isBit = (value: Tensor) => value.eq(0).logicalOr(value.eq(1));

/** `x > lowerBound`. */
export const greaterThan: Func<typeof LowerBoundArgs, Constraint> = bounded(
  "greaterThan",
  LowerBoundArgs,
  (x, { lowerBound }) => x.gt(lowerBound),
);

/** `x >= lowerBound`. */
export const greaterThanEq: Func<typeof LowerBoundArgs, Constraint> = bounded(
  "greaterThanEq",
  LowerBoundArgs,
  (x, { lowerBound }) => x.ge(lowerBound),
);

/** `x < upperBound`. */
export const lessThan: Func<typeof UpperBoundArgs, Constraint> = bounded(
  "lessThan",
  UpperBoundArgs,
  (x, { upperBound }) => x.lt(upperBound),
);

/** `lowerBound <= x <= upperBound`. */
export const interval: Func<typeof BoundsArgs, Constraint> = bounded(
  "interval",
  BoundsArgs,
  (x, { lowerBound, upperBound }) => x.ge(lowerBound).logicalAnd(x.le(upperBound)),
);

/** `lowerBound <= x < upperBound`. */
export const halfOpenInterval: Func<typeof BoundsArgs, Constraint> = bounded(
  "halfOpenInterval",
  BoundsArgs,
  (x, { lowerBound, upperBound }) => x.ge(lowerBound).logicalAnd(x.lt(upperBound)),
);

/** Integers from `lowerBound` to `upperBound`, both included. */
export const integerInterval: Func<typeof BoundsArgs, Constraint> = bounded(
  "integerInterval",
  BoundsArgs,
  (x, { lowerBound, upperBound }) => isInteger(x).logicalAnd(x.ge(lowerBound)).logicalAnd(x.le(upperBound)),
  { isDiscrete: true },
);

/**
 * Vectors of values that are not negative and sum to at most `upperBound`, which has the shape of the batch. Like
 * PyTorch's, it checks neither that the values are integers nor that the sum is reached.
 */
export const multinomial: Func<typeof UpperBoundArgs, Constraint> = bounded(
  "multinomial",
  UpperBoundArgs,
  (x, { upperBound }) => x.ge(0).all(-1).logicalAnd(x.sum(-1).le(upperBound)),
  { isDiscrete: true, eventDim: 1 },
);

function region(name: string, valid: (value: Tensor) => Tensor, kind: Kind = {}): Constraint {
  return new Region({ name, valid, ...kind });
}

/** Zero and one. */
export const boolean: Constraint = region("boolean", isBit, { isDiscrete: true });

/** Vectors of zeros and a single one. */
export const oneHot: Constraint = region(
  "oneHot",
  (x) => isBit(x).all(-1).logicalAnd(x.sum(-1).eq(1)),
  { isDiscrete: true, eventDim: 1 },
);

/** The integers 0, 1, 2, … */
export const nonnegativeInteger: Constraint = region(
  "nonnegativeInteger",
  (x) => isInteger(x).logicalAnd(x.ge(0)),
  { isDiscrete: true },
);

/** The integers 1, 2, 3, … */
export const positiveInteger: Constraint = region(
  "positiveInteger",
  (x) => isInteger(x).logicalAnd(x.ge(1)),
  { isDiscrete: true },
);

/** Real numbers and infinities: all but NaN. */
export const real: Constraint = region("real", (x) => x.eq(x));

/** `x > 0`. */
export const positive: Constraint = region("positive", (x) => x.gt(0));

/** `x >= 0`. */
export const nonnegative: Constraint = region("nonnegative", (x) => x.ge(0));

/** `0 <= x <= 1`. */
export const unitInterval: Constraint = region("unitInterval", (x) => x.ge(0).logicalAnd(x.le(1)));

/** Vectors of values that are not negative and sum to 1 within 1e-6. */
export const simplex: Constraint = region(
  "simplex",
  (x) => x.ge(0).all(-1).logicalAnd(x.sum(-1).sub(1).abs().lt(1e-6)),
  { eventDim: 1 },
);

const isLower = (x: Tensor) => x.tril().eq(x).all([-2, -1]);
const isLowerCholesky = (x: Tensor) => isLower(x).logicalAnd(x.diagonal(0, -2, -1).gt(0).all(-1));
const isSquare = (x: Tensor) => x.shape[x.ndim - 1] === x.shape[x.ndim - 2];
const allAre = (x: Tensor, valid: boolean) => x.gt(0).newFull(x.shape.slice(0, -2), valid);

/** Lower triangular matrices. */
export const lowerTriangular: Constraint = region("lowerTriangular", isLower, { eventDim: 2 });

/** Lower triangular matrices with a positive diagonal. */
export const lowerCholesky: Constraint = region("lowerCholesky", isLowerCholesky, { eventDim: 2 });

/** Lower triangular matrices with a positive diagonal whose rows have length 1: Cholesky factors of correlations. */
export const corrCholesky: Constraint = region(
  "corrCholesky",
  (x) => {
    // PyTorch's tolerance.
    const tolerance = finfo(x.dtype).eps * x.shape[x.ndim - 1] * 10;
    const lengths = x.detach().square().sum(-1).sqrt();
    return isLowerCholesky(x).logicalAnd(lengths.sub(1).abs().le(tolerance).all(-1));
  },
  { eventDim: 2 },
);

/** Square matrices. */
export const square: Constraint = region("square", (x) => allAre(x, isSquare(x)), { eventDim: 2 });

/** Square matrices that equal their transpose, within 1e-6 and a relative 1e-5. */
export const symmetric: Constraint = region(
  "symmetric",
  (x) => isSquare(x) ? x.isclose(x.transpose(-2, -1), { atol: 1e-6 }).all([-2, -1]) : allAre(x, false),
  { eventDim: 2 },
);

/** The parameters of {@linkcode independent}. */
export class IndependentArgs {
  constructor(
    /** The constraint of the parts. */
    public baseConstraint: Constraint,
    /** How many more dimensions become part of an event. */
    public reinterpretedBatchNdims: number,
  ) {}
}

/** Events of more dimensions, which are valid where all their parts are. */
export const independent: Func<typeof IndependentArgs, Constraint> = func("independent", IndependentArgs, (o) => {
  const { baseConstraint: base, reinterpretedBatchNdims: n } = o;
  checkConstraint("independent", "baseConstraint", base);
  checkCount("independent", "reinterpretedBatchNdims", n, 0);
  const dims = Array.from({ length: n }, (_, i) => i - n);
  const name = `independent(${base}, ${n})`;
  const { isDiscrete } = base, eventDim = base.eventDim + n;
  return region(name, (x) => n === 0 ? base.check(x) : base.check(x).all(dims), { isDiscrete, eventDim });
});

/** Vectors without NaN. */
export const realVector: Constraint = independent(real, 1);

/** The parameters of {@linkcode stack}. */
export class StackConstraintArgs {
  constructor(
    /** The constraint of each part. */
    public cseq: readonly Constraint[],
    /** The dimension along which the parts lie. */
    public dim = 0,
  ) {}
}

/** The parameters of {@linkcode cat}. */
export class CatConstraintArgs extends StackConstraintArgs {
  constructor(
    cseq: readonly Constraint[],
    dim = 0,
    /** The size of each part; `null`: 1 each. */
    public lengths: readonly number[] | null = null,
  ) {
    super(cseq, dim);
  }
}

function checkParts(op: string, { cseq, dim }: StackConstraintArgs): void {
  if (!Array.isArray(cseq) || cseq.length === 0) {
    throw new ArgumentError(`${op}(): cseq must be an array of one constraint or more: ${describe(cseq)}`);
  }
  cseq.forEach((c, i) => checkConstraint(op, `cseq[${i}]`, c));
  if (!Number.isInteger(dim)) throw new ArgumentError(`${op}(): dim must be an integer: ${describe(dim)}`);
}

/** Throws unless a value has exactly as many entries along a dimension as there are constraints for. */
function checkExtent(op: string, value: Tensor, dim: number, expected: number): void {
  if (value.shape.at(dim) === expected) return;
  throw new ShapeError(
    `${op}: a value must have ${expected} entries along dimension ${dim}: ${show(value.shape)}`,
  );
}

function joined(name: string, cseq: readonly Constraint[], eventDim: number, valid: (x: Tensor) => Tensor): Constraint {
  return region(`${name}(${cseq.join(", ")})`, valid, { isDiscrete: cseq.some((c) => c.isDiscrete), eventDim });
}

/**
 * A constraint for each of the parts, of sizes `lengths`, that `torch.cat` along `dim` would join; `dim` counts within
 * the batch.
 *
 * Differs from PyTorch: a value that has more entries along `dim` than `lengths` adds up to is refused, not cut off.
 */
export const cat: Func<typeof CatConstraintArgs, Constraint> = func("cat", CatConstraintArgs, (o) => {
  checkParts("cat", o);
  const cseq = [...o.cseq], { dim } = o, lengths = o.lengths ? [...o.lengths] : cseq.map(() => 1);
  if (lengths.length !== cseq.length) {
    throw new ArgumentError(`cat(): lengths must be one per constraint, ${cseq.length}: ${show(lengths)}`);
  }
  lengths.forEach((n, i) => checkCount("cat", `lengths[${i}]`, n, 0));
  return joined("cat", cseq, Math.max(...cseq.map((c) => c.eventDim)), (x) => {
    checkExtent("cat", x, dim, lengths.reduce((a, b) => a + b, 0));
    let start = 0;
    const checks = cseq.map((c, i) => c.check(x.narrow(dim, (start += lengths[i]) - lengths[i], lengths[i])));
    return catTensors(checks, dim);
  });
});

/**
 * A constraint for each of the parts that `torch.stack` along `dim` would join.
 *
 * Differs from PyTorch: a value that has another number of parts than there are constraints is refused, not cut off.
 */
export const stack: Func<typeof StackConstraintArgs, Constraint> = func("stack", StackConstraintArgs, (o) => {
  checkParts("stack", o);
  const cseq = [...o.cseq], { dim } = o, events = Math.max(...cseq.map((c) => c.eventDim));
  return joined("stack", cseq, dim + events < 0 ? events + 1 : events, (x) => {
    checkExtent("stack", x, dim, cseq.length);
    return stackTensors(cseq.map((c, i) => c.check(x.select(dim, i))), dim);
  });
});
