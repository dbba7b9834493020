/**
 * Tensors over new memory, uninitialised: what every op allocates its result with.
 *
 * @module
 */

import type { Device } from "../base/device.ts";
import { DType, float32, float64 } from "../base/dtype.ts";
import { ArgumentError, describe, DTypeError, OutOfMemoryError, show } from "../base/errors.ts";
import { checkFewResults, hasFewOps } from "../base/few_ops.ts";
import { contiguousStrides, countElements, isContiguous } from "../base/shape.ts";
import type { Backend, Block } from "../backend/backend.ts";
import { backendOf } from "../backend/mod.ts";
import { Storage } from "./storage.ts";
import { Tensor } from "./tensor.ts";

/** An uninitialised contiguous tensor on the device of `like`, the usual case inside ops. */
export function emptyLikeDevice(op: string, shape: readonly number[], dtype: DType, like: Tensor): Tensor {
  return allocate(op, shape, dtype, like.storage.backend, like.storage.device);
}

/** An uninitialised tensor with the given strides, which must leave no gaps. */
export function emptyWithStrides(
  op: string,
  shape: readonly number[],
  strides: readonly number[],
  dtype: DType,
  like: Tensor,
): Tensor {
  const { storage } = emptyLikeDevice(op, shape, dtype, like);
  return new Tensor(storage, shape, strides, 0, dtype, isContiguous(shape, strides));
}

/** Throws unless a value is a dtype. */
export function checkDtype(op: string, dtype: unknown): asserts dtype is DType {
  if (!(dtype instanceof DType)) {
    throw new ArgumentError(`${op}(): dtype must be a dtype such as float32: ${describe(dtype)}`);
  }
}

/** An uninitialised contiguous tensor on a device. */
export function emptyOn(op: string, shape: readonly number[], dtype: DType, device: Device): Tensor {
  checkDtype(op, dtype);
  return allocate(op, shape, dtype, backendOf(device), device);
}

/**
 * The widest floating dtype of a tensor's device: float64, or float32 where the device has no float64. Integers are
 * exact in it up to 2^53 or 2^24.
 */
export function widestFloat(x: Tensor): DType {
  return x.storage.backend.supports(float64) ? float64 : float32;
}

/**
 * Checks a result's size without making it, for ops that compute much on the host first.
 *
 * @throws {OutOfMemoryError} if the device could not hold it
 * @throws {ShapeError} if its elements cannot be counted
 */
export function checkRoom(op: string, shape: readonly number[], dtype: DType, like: Tensor): void {
  roomFor(op, shape, dtype, like.storage.backend, like.storage.device);
}

/** The number of elements of a result; throws where it is too large to be counted exactly or for the device. */
function roomFor(op: string, shape: readonly number[], dtype: DType, backend: Backend, device: Device): number {
  const elements = countElements(op, shape), bytes = elements * dtype.itemsize;
  if (bytes > backend.maxBytes) throw tooLarge(op, shape, dtype, bytes, device, backend.maxBytes);
  return elements;
}

/** Allocates the storage of a contiguous tensor; every op's result is made here. */
function allocate(op: string, shape: readonly number[], dtype: DType, backend: Backend, device: Device): Tensor {
  if (hasFewOps(dtype)) checkFewResults(op, dtype);
  const elements = roomFor(op, shape, dtype, backend, device), bytes = elements * dtype.itemsize;
  let block: Block;
  try {
    block = backend.alloc(elements, dtype);
  } catch (error) {
    if (error instanceof DTypeError) {
      throw new DTypeError(error.message.replace(/^alloc\(\)/, `${op}()`), { cause: error });
    }
    if (!(error instanceof OutOfMemoryError)) throw error;
    const detail = error.message.replace(/^alloc\(\): /, "");
    throw new OutOfMemoryError(`${op}(): ${detail} (for ${show(shape)} of ${dtype.name})`, { cause: error });
  }
  const storage = new Storage(block, backend, device, bytes, op);
  return new Tensor(storage, shape, contiguousStrides(shape), 0, dtype, true, null);
}

function tooLarge(
  op: string,
  shape: readonly number[],
  dtype: DType,
  bytes: number,
  device: Device,
  limit: number,
): OutOfMemoryError {
  return new OutOfMemoryError(
    `${op}(): the tensor is larger than the device's memory: ${show(shape)} of ${dtype.name} takes ${bytes} bytes, ` +
      `${device} has ${limit} at most; make it in parts, or of a smaller dtype`,
  );
}
