/**
 * What the indexing ops share: checks of index tensors, and the kernels applied to real or complex tensors.
 *
 * Complex tensors are indexed as real pairs with one more dimension, along which the index repeats.
 *
 * @module
 */

import type { ScatterMode, Strided } from "../../backend/backend.ts";
import { unrecorded, withGrad } from "../../autograd/mode.ts";
import { float32, int64, toReal } from "../../base/dtype.ts";
import { DTypeError, ShapeError, show } from "../../base/errors.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { checkOperands } from "../core/kernel.ts";
import { makeView } from "../core/view_core.ts";
import { isHalf } from "../core/wide.ts";

/** Checks an index tensor's dtype: int64 or int32 (any integer dtype where it is empty). */
export function checkIndexDtype(op: string, index: Tensor): void {
  checkTensor(op, "index", index);
  const { name, kind } = index.dtype;
  if (name === "int64" || name === "int32" || (kind === "integer" && index.numel() === 0)) return;
  throw new DTypeError(`${op}(): the index must be int64 or int32: ${index.dtype}; use .long()`);
}

/** Checks the index of gather and scatter: as many dimensions as `x`, and no larger than `limit` but along `dim`. */
export function checkIndexShape(op: string, index: Tensor, x: Tensor, dim: number, limit: readonly number[]): void {
  if (index.numel() === 0) return;
  if (Math.max(index.ndim, 1) !== Math.max(x.ndim, 1)) {
    throw new ShapeError(
      `${op}(): the index must have as many dimensions as the tensor: ${show(index.shape)} and ${show(x.shape)}`,
    );
  }
  for (let d = 0; d < index.ndim; d++) {
    if (d !== dim && index.shape[d] > (limit[d] ?? 1)) {
      throw new ShapeError(
        `${op}(): the index must not be larger than ${show(limit)} but along dimension ${dim}: ${show(index.shape)}`,
      );
    }
  }
}

/** Checks that two tensors have one dtype. */
export function checkSameDtype(op: string, x: Tensor, other: Tensor, name: string): void {
  checkTensor(op, name, other);
  if (x.dtype !== other.dtype) {
    throw new DTypeError(`${op}(): ${name} must have the tensor's dtype: ${other.dtype} and ${x.dtype}; use .to()`);
  }
}

/** Checks a 1-d (or 0-d) index of slices. */
export function checkSliceIndex(op: string, index: Tensor): void {
  checkIndexDtype(op, index);
  if (index.ndim > 1) throw new ShapeError(`${op}(): the index must be a vector: ${show(index.shape)}`);
}

/** A complex tensor as real pairs, without history; a real one as it is. */
function realPairs(x: Tensor): Tensor {
  if (!x.dtype.isComplex) return x;
  return makeView(x, [...x.shape, 2], [...x.strides.map((s) => 2 * s), 1], 2 * x.offset, toReal(x.dtype));
}

/** An index for real pairs of `x`. */
function pairIndex(index: Tensor, x: Tensor): Tensor {
  return x.dtype.isComplex ? makeView(index, [...index.shape, 2], [...index.strides, 0]) : index;
}

/** A tensor of 0 dimensions seen as a vector, so that kernels meet equal dimensions. */
function atLeastVector(x: Tensor): Tensor {
  return x.ndim > 0 ? x : makeView(x, [1], [1]);
}

/** What the kernels of slices take: at least one dimension, and real pairs. */
function sliceable(x: Tensor): Strided {
  return realPairs(atLeastVector(x));
}

/** `x` gathered along `dim`, without history. */
export function rawGather(op: string, x: Tensor, dim: number, index: Tensor): Tensor {
  checkOperands(op, [x, index]);
  const out = emptyLikeDevice(op, index.shape, x.dtype, x);
  if (out.numel() > 0) {
    const at = pairIndex(atLeastVector(index), x);
    out.storage.backend.gather(op, sliceable(x), dim, at, sliceable(out));
  }
  return out;
}

/**
 * Writes into `out`, without history, what `kernel` combines with it: halves in float32, because several updates may meet
 * at one place.
 */
function combineInto(
  out: Tensor,
  index: Tensor,
  src: Tensor,
  mode: ScatterMode,
  kernel: (out: Tensor, src: Tensor) => void,
): void {
  out.storage.version++;
  if (index.numel() === 0) return;
  if (!isHalf(out.dtype) || (mode !== "sum" && mode !== "prod")) return kernel(out, src);
  unrecorded(() =>
    scope(() => {
      const wide = out.to(float32);
      kernel(wide, src.to(float32));
      out.copy_(wide);
    })
  );
}

/** Scatters `src` into `out`, without history. */
export function rawScatter(op: string, out: Tensor, dim: number, index: Tensor, src: Tensor, mode: ScatterMode): void {
  checkOperands(op, [out, index, src]);
  combineInto(out, index, src, mode, (to, from) => {
    to.storage.backend.scatter(op, sliceable(to), dim, pairIndex(atLeastVector(index), to), sliceable(from), mode);
  });
}

/** Slices of `x` along `dim`, without history. */
export function rawIndexSelect(op: string, x: Tensor, dim: number, index: Tensor, wrap: boolean): Tensor {
  checkOperands(op, [x, index]);
  const shape = [...x.shape];
  if (x.ndim > 0) shape[dim] = index.numel();
  const out = emptyLikeDevice(op, shape, x.dtype, x);
  if (index.numel() > 0) out.storage.backend.indexSelect(op, sliceable(x), dim, index, sliceable(out), wrap);
  return out;
}

/** Writes slices of `src` into `out` along `dim`, without history. */
export function rawIndexPut(
  op: string,
  out: Tensor,
  dim: number,
  index: Tensor,
  src: Tensor,
  mode: ScatterMode,
  wrap: boolean,
): void {
  checkOperands(op, [out, index, src]);
  combineInto(out, index, src, mode, (to, from) => {
    to.storage.backend.indexPut(op, sliceable(to), dim, index, sliceable(from), mode, wrap);
  });
}

/** Throws for a complex tensor where values must be ordered. */
export function checkOrdered(op: string, x: Tensor): void {
  checkTensor(op, "input", x);
  if (x.dtype.isComplex) throw new DTypeError(`${op}(): complex numbers have no order: ${x.dtype}`);
}

/** Runs `fn` with the grad mode of the time when an asynchronous op was called. */
export function inMode<R>(gradEnabled: boolean, fn: () => R): R {
  return withGrad(gradEnabled, fn);
}

/** The coordinates of the `count` elements of `x` that are not zero. */
export function coordinates(x: Tensor, count: number): Tensor {
  const out = emptyLikeDevice("nonzero", [count, x.ndim], int64, x);
  if (out.numel() > 0) x.storage.backend.nonzero(x, out);
  return out;
}
