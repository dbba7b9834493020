/**
 * Boolean masks: maskedFill, maskedSelect, maskedScatter, nonzero, argwhere.
 *
 * How many elements a mask selects is known only when it is read, so what makes a tensor of that size returns a promise;
 * filling does not need to know.
 *
 * @module
 */

import { NoArgs } from "../../base/call.ts";
import { mode } from "../../autograd/mode.ts";
import { bool as BOOL, int64 } from "../../base/dtype.ts";
import { checkCount, checkIntegers } from "../../base/checks.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../../base/errors.ts";
import type { ScalarLike } from "../../base/scalar.ts";
import { fitted } from "../../base/limits.ts";
import { broadcastShapes, sameShape } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import { checkAlive, checkTensor, Tensor } from "../../tensor/tensor.ts";
import { where } from "../pointwise/compare.ts";
import { writeOut } from "../core/define.ts";
import { checkSameDtype, coordinates, inMode } from "./index_core.ts";
import { type Fn, fn, type MethodForm, type Op, op, OutArgs } from "../core/op.ts";
import { expandTo, reshapeTo, selectAt, sliceAt } from "../core/view_core.ts";

function checkMask(op: string, mask: Tensor): void {
  checkTensor(op, "mask", mask);
  if (mask.dtype !== BOOL) throw new DTypeError(`${op}(): the mask must be bool: ${mask.dtype}; use .bool()`);
}

/** The parameters of {@linkcode maskedFill}. */
export class MaskedFillArgs {
  constructor(
    /** Where to write; broadcasts with the tensor. */
    public mask: Tensor,
    /** A number or a 0-d tensor. */
    public value: ScalarLike | Tensor,
  ) {}
}

/**
 * `value` where the mask is true, the tensor elsewhere; row-major, whatever the layout of the tensor.
 *
 * @param input any tensor; broadcasts with the mask
 * @throws {DTypeError} if the mask is not bool, or a complex value is for a real tensor
 * @throws {ShapeError} if the value is a tensor that is not 0-d
 */
export const maskedFill: Op<typeof MaskedFillArgs> = op(
  "maskedFill",
  MaskedFillArgs,
  (input, args) => filled("maskedFill", input, args).contiguous(),
);

function filled(op: string, input: Tensor, { mask, value }: MaskedFillArgs): Tensor {
  checkMask(op, mask);
  if (!(value instanceof Tensor)) return where(mask, fitted(op, value, input.dtype), input);
  if (value.ndim !== 0) {
    throw new ShapeError(`${op}(): the value must be a number or a 0-d tensor: ${show(value.shape)}`);
  }
  if (value.dtype.isComplex && !input.dtype.isComplex) {
    throw new DTypeError(`${op}(): a complex value cannot be written into ${input.dtype}`);
  }
  return where(mask, value.to(input.dtype), input);
}

/** {@linkcode maskedFill} in place. */
export const maskedFill_: Op<typeof MaskedFillArgs> = op("maskedFill_", MaskedFillArgs, (self, args) => {
  const result = filled("maskedFill_", self, args);
  if (!sameShape(result.shape, self.shape)) {
    throw new ShapeError(
      `maskedFill_(): the mask must broadcast to the tensor: ${show(result.shape)} and ${show(self.shape)}`,
    );
  }
  return self.copy_(result);
});

/** A tensor whose elements say whether those of `x` are not zero; real, so that kernels take it. */
function realMask(x: Tensor): Tensor {
  return x.dtype.isComplex ? x.detach().ne(0) : x;
}

/** The parameters of {@linkcode nonzero}. */
export class NonzeroArgs {
  /** Whether the result is one vector of positions per dimension, not a matrix of rows. */
  asTuple = false;
}

/** How {@linkcode nonzero} is called, after the arguments `S`. */
export interface NonzeroCalls<S extends readonly unknown[]> {
  /** As rows of coordinates. */
  (...args: [...S, named?: { asTuple?: false }]): Promise<Tensor>;
  /** As one vector per dimension. */
  (...args: [...S, named: { asTuple: true }]): Promise<Tensor[]>;
}

/**
 * Where the elements are not zero: rows of coordinates (int64), in row-major order.
 *
 * Shape: `[count, ndim]`; with `asTuple`, `ndim` vectors of `count` (one for a 0-d tensor).
 *
 * Differs from PyTorch: it is a promise, because its size depends on values, which are read.
 *
 * @param input any tensor
 */
export const nonzero: NonzeroCalls<[input: Tensor]> & MethodForm<NonzeroCalls<[]>> = op("nonzero", NonzeroArgs, async (
  input,
  { asTuple },
) => {
  checkAlive("nonzero", input);
  const mask = realMask(asTuple && input.ndim === 0 ? reshapeTo(input.detach(), [1]) : input);
  const rows = coordinates(mask, await mask.storage.backend.countNonzero(mask));
  if (mask.storage !== input.storage) mask.dispose();
  if (!asTuple) return rows;
  return mask.shape.map((_, d) => selectAt(rows, 1, d));
}) as NonzeroCalls<[input: Tensor]> & MethodForm<NonzeroCalls<[]>>;

/** The same as {@linkcode nonzero} without options. */
export const argwhere: Op<typeof NoArgs, Promise<Tensor>> = op("argwhere", NoArgs, (input) => nonzero(input));

/** The parameters of {@linkcode nonzeroStatic}. */
export class NonzeroStaticArgs {
  /** How many rows the result has. */
  size: number | null = null;
  /** What missing rows hold. */
  fillValue: number = -1;
}

/** {@linkcode nonzero} cut or filled up to `size` rows, so that the shape depends on no values. */
export const nonzeroStatic: Op<typeof NonzeroStaticArgs> = op(
  "nonzeroStatic",
  NonzeroStaticArgs,
  (input, { size, fillValue }) => {
    if (size === null) throw new ArgumentError('nonzeroStatic(): missing argument: "size"');
    checkCount("nonzeroStatic", "size", size, 0);
    return scope(() => firstCoordinates(input, size, fillValue));
  },
);

function firstCoordinates(x: Tensor, size: number, fillValue: number): Tensor {
  const flat = reshapeTo(realMask(x).detach().ne(0), [-1]);
  const n = flat.shape[0];
  if (n === 0 || size === 0) return x.newFull([size, x.ndim], fillValue, { dtype: int64, requiresGrad: false });
  // Elements that are not zero sort to the front, in their order.
  const order = flat.to(int64).argsort(0, true, { stable: true });
  const taken = Math.min(size, n);
  const positions = sliceAt(order, 0, 0, taken);
  const found = reshapeTo(flat.gather(0, positions), [-1, 1]);
  const columns = x.shape.map((s, d) => {
    const step = x.shape.slice(d + 1).reduce((a, b) => a * b, 1);
    return positions.floorDivide(step).remainder(s);
  });
  const out = x.newFull([size, x.ndim], fillValue, { dtype: int64, requiresGrad: false });
  columns.forEach((column, d) => {
    sliceAt(selectAt(out, 1, d), 0, 0, taken).copy_(where(reshapeTo(found, [-1]), column, fillValue));
  });
  return out;
}

/** The parameters of {@linkcode maskedSelect}. */
export class MaskedSelectArgs extends OutArgs {
  constructor(
    /** Which elements; broadcasts with the tensor. */
    public mask: Tensor,
  ) {
    super();
  }
}

/**
 * The elements where the mask is true, as a vector.
 *
 * Differs from PyTorch: it is a promise, because its size depends on values, which are read.
 */
export const maskedSelect: Op<typeof MaskedSelectArgs, Promise<Tensor>> = op("maskedSelect", MaskedSelectArgs, async (
  input,
  { mask, out },
) => {
  checkMask("maskedSelect", mask);
  if (out && (out.storage === input.storage || out.storage === mask.storage)) {
    throw new ArgumentError("maskedSelect(): out shares memory with an input; clone() one of them");
  }
  const { gradEnabled } = mode;
  const shape = broadcastShapes("maskedSelect", input.shape, mask.shape);
  // A mask that broadcasts is copied; the copy must outlive the read.
  const flatMask = reshapeTo(expandTo(mask, shape), [-1]);
  const count = await flatMask.storage.backend.countNonzero(flatMask);
  const result = scope(() =>
    inMode(gradEnabled, () => {
      const index = reshapeTo(coordinates(flatMask, count), [-1]);
      const result = reshapeTo(expandTo(input, shape), [-1]).indexSelect(0, index);
      return writeOut("maskedSelect", out, result);
    })
  );
  if (flatMask.storage !== mask.storage) flatMask.dispose();
  return result;
});

/** The parameters of {@linkcode maskedScatter}. */
export class MaskedScatterArgs {
  constructor(
    /** Where to write; broadcasts with the tensor. */
    public mask: Tensor,
    /** The values, in row-major order; at least as many as the mask selects. */
    public source: Tensor,
  ) {}
}

/**
 * The values of `source`, in order, where the mask is true; the tensor elsewhere.
 *
 * Differs from PyTorch: where `source` has too few values its last one is repeated, since counting would need a read.
 *
 * @param input any tensor; broadcasts with the mask
 */
export const maskedScatter: Op<typeof MaskedScatterArgs> = op(
  "maskedScatter",
  MaskedScatterArgs,
  (input, { mask, source }) => {
    checkMask("maskedScatter", mask);
    checkSameDtype("maskedScatter", input, source, "source");
    const shape = broadcastShapes("maskedScatter", input.shape, mask.shape);
    const selected = reshapeTo(expandTo(mask, shape), [-1]);
    if (source.numel() === 0 || selected.numel() === 0) return expandTo(input, shape).clone();
    return scope(() => {
      // The n-th selected place reads value n.
      const rank = selected.to(int64).cumsum(0).sub(1).clamp(0, source.numel() - 1);
      const values = reshapeTo(reshapeTo(source, [-1]).indexSelect(0, rank), shape);
      return where(mask, values, input);
    });
  },
);

/** {@linkcode maskedScatter} in place. */
export const maskedScatter_: Op<typeof MaskedScatterArgs> = op(
  "maskedScatter_",
  MaskedScatterArgs,
  (self, args) => scope(() => self.copy_(maskedScatter(self, args.mask, args.source))),
);

/** The parameters of {@linkcode unravelIndex}. */
export class UnravelIndexArgs {
  constructor(
    /** The shape that the positions are in. */
    public shape: number | readonly number[],
  ) {}
}

/** Coordinates of positions in a flattened tensor of the given shape, one tensor per dimension. */
export const unravelIndex: Fn<typeof UnravelIndexArgs, Tensor[]> = fn(
  "unravelIndex",
  UnravelIndexArgs,
  (input, { shape }) => {
    if (input.dtype.kind !== "integer") {
      throw new DTypeError(`unravelIndex(): positions must be integers: ${input.dtype}`);
    }
    const sizes = typeof shape === "number" ? [shape] : shape;
    checkIntegers("unravelIndex", "shape", sizes);
    const at = input.long();
    return sizes.map((s, d) => at.floorDivide(sizes.slice(d + 1).reduce((a, b) => a * b, 1)).remainder(s));
  },
);
