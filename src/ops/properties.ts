/**
 * What PyTorch gives as properties of a tensor (`T`, `mT`, `H`, `mH`, `real`, `imag`) and as iteration over it.
 *
 * @module
 */

import { DTypeError, ShapeError, show } from "../base/errors.ts";
import { sameShape } from "../base/shape.ts";
import { checkTensor, Tensor } from "../tensor/tensor.ts";
import { NoArgs } from "../base/call.ts";
import { type Fn, fn } from "./core/op.ts";
import { viewAsReal } from "./shape/shape.ts";
import { permuteTo, selectAt, transposeTo } from "./core/view_core.ts";

/** Properties of `Tensor` that are computed by ops. */
export interface TensorProperties {
  /** All dimensions reversed. */
  readonly T: Tensor;
  /** The last two dimensions swapped. */
  readonly mT: Tensor;
  /** The conjugate transpose of a matrix. Differs from PyTorch: a complex result is a copy. */
  readonly H: Tensor;
  /** The last two dimensions swapped and conjugated. Differs from PyTorch: a complex result is a copy. */
  readonly mH: Tensor;
  /** The real part: a view; a real tensor is its own. */
  readonly real: Tensor;
  /** The imaginary part of a complex tensor: a view. */
  readonly imag: Tensor;
  /**
   * The tensor without its history, sharing memory: what PyTorch's scripts write to. Assigning puts another tensor's values
   * in place, as `x.data.copy_(other)`; its shape must be the same.
   */
  get data(): Tensor;
  /** Writes the values of another tensor of the same shape, as `x.data.copy_(value)`. */
  set data(value: Tensor);
  /** The size of the first dimension, as Python's `len(x)`. */
  readonly length: number;
  /** The slices along the first dimension, as views: `for (const row of x)`. */
  [Symbol.iterator](): Iterator<Tensor>;
}

function T(x: Tensor): Tensor {
  return permuteTo(x, x.shape.map((_, i) => x.ndim - 1 - i), "T");
}

function mT(x: Tensor, name = "mT"): Tensor {
  if (x.ndim < 2) throw new ShapeError(`${name}(): at least 2 dimensions are needed: ${show(x.shape)}`);
  return transposeTo(x, -2, -1, name);
}

function H(x: Tensor): Tensor {
  if (x.ndim !== 2 && x.ndim !== 0) throw new ShapeError(`H(): a matrix is needed: ${show(x.shape)}`);
  const out = x.ndim === 0 ? x : transposeTo(x, 0, 1, "H");
  return x.dtype.isComplex ? out.conj() : out;
}

function mH(x: Tensor): Tensor {
  const out = mT(x, "mH");
  return x.dtype.isComplex ? out.conj() : out;
}

/** The real part: a view; a real tensor is returned as it is. */
export const real: Fn<typeof NoArgs> = fn(
  "real",
  NoArgs,
  (input) => input.dtype.isComplex ? selectAt(viewAsReal(input), -1, 0, "real") : input,
);

/** The imaginary part of a complex tensor: a view. */
export const imag: Fn<typeof NoArgs> = fn("imag", NoArgs, (input) => {
  if (!input.dtype.isComplex) throw new DTypeError(`imag(): a complex tensor is needed: ${input.dtype}`);
  return selectAt(viewAsReal(input), -1, 1, "imag");
});

for (const [name, get] of Object.entries({ T, mT, H, mH, real, imag })) {
  Object.defineProperty(Tensor.prototype, name, {
    get(this: Tensor) {
      return get(this);
    },
    configurable: true,
  });
}

Object.defineProperty(Tensor.prototype, "data", {
  get(this: Tensor) {
    return this.detach();
  },
  set(this: Tensor, value: Tensor) {
    checkTensor("data", "value", value);
    if (!sameShape(value.shape, this.shape)) {
      throw new ShapeError(`data(): a tensor's shape is fixed: ${show(value.shape)} for ${show(this.shape)}`);
    }
    this.detach().copy_(value.detach());
  },
  configurable: true,
});

Object.defineProperty(Tensor.prototype, "length", {
  get(this: Tensor) {
    if (this.ndim === 0) throw new ShapeError("length(): a 0-d tensor has no length");
    return this.shape[0];
  },
  configurable: true,
});

function* slices(x: Tensor): Generator<Tensor> {
  if (x.ndim === 0) throw new ShapeError("Tensor(): a 0-d tensor cannot be iterated over; use item()");
  for (let i = 0; i < x.shape[0]; i++) yield selectAt(x, 0, i, "select");
}

Object.defineProperty(Tensor.prototype, Symbol.iterator, {
  value(this: Tensor) {
    return slices(this);
  },
  configurable: true,
});
