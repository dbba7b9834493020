/**
 * `Tensor`: shape, strides and offset over a {@linkcode Storage}, and what autograd knows about it.
 *
 * The class holds what needs its private state. Every operation is a free function of `src/ops`, attached here as a
 * method by `src/ops/methods.ts`; the interface below gives those methods their types.
 *
 * @module
 */

import { actsAsNumber, type Args, call, NoArgs } from "../base/call.ts";
import type { AutogradMeta } from "../autograd/meta.ts";
import type { Device } from "../base/device.ts";
import type { DType } from "../base/dtype.ts";
import { checkGeometry } from "../base/checks.ts";
import { ArgumentError, awaitIt, describe } from "../base/errors.ts";
import { isChannelsLast, type MemoryFormat } from "../base/layout.ts";
import { numelOf, wrapDim } from "../base/shape.ts";
import type { Strided } from "../backend/backend.ts";
import type { TensorAutograd } from "../autograd/tensor_autograd.ts";
import type { TensorMethods } from "../ops/methods.ts";
import { type Storage, throwReleased } from "./storage.ts";

/** The parameters of {@linkcode Tensor.size} and {@linkcode Tensor.stride}. */
export class SizeDimArgs {
  constructor(
    /** The dimension; `null`: all of them. */
    public dim: number | null = null,
  ) {}
}

/** The parameters of {@linkcode Tensor.isContiguous}. */
export class IsContiguousArgs {
  /** The order that is asked for: `channelsLast` for 4 dimensions, `channelsLast3d` for 5. */
  memoryFormat: MemoryFormat = "contiguous_format";
}

const sizeArgs = call("size", SizeDimArgs), strideArgs = call("stride", SizeDimArgs);
const isContiguousArgs = call("isContiguous", IsContiguousArgs);
const noArgs = {
  dim: call("dim", NoArgs),
  numel: call("numel", NoArgs),
  elementSize: call("elementSize", NoArgs),
  storageOffset: call("storageOffset", NoArgs),
  isFloatingPoint: call("isFloatingPoint", NoArgs),
  isComplex: call("isComplex", NoArgs),
  dispose: call("dispose", NoArgs),
};

/** A multi-dimensional array of one dtype on one device; see also the members of `TensorMethods`. */
export interface Tensor extends TensorMethods, TensorAutograd {}

/** A multi-dimensional array of one dtype on one device. */
export class Tensor implements Strided {
  /**
   * The memory, shared with views.
   *
   * @internal
   */
  readonly storage: Storage;
  /** Sizes. */
  readonly shape: readonly number[];
  /** Steps between neighbours in each dimension, in elements. */
  readonly strides: readonly number[];
  /** The first element's position in the storage, in elements. */
  readonly offset: number;
  /** Element type. */
  readonly dtype: DType;
  /** Whether elements lie in row-major order without gaps. */
  readonly dense: boolean;
  /**
   * Autograd's record of this tensor; `null` for one that never took part.
   *
   * @internal
   */
  meta: AutogradMeta | null = null;

  /**
   * Views `storage`; use the creation ops instead.
   *
   * @internal
   */
  constructor(
    storage: Storage,
    shape: readonly number[],
    strides: readonly number[],
    offset: number,
    dtype: DType,
    dense: boolean,
  ) {
    checkGeometry("Tensor", shape, strides, offset, storage.nbytes / dtype.itemsize);
    this.storage = storage;
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
    this.dtype = dtype;
    this.dense = dense;
  }

  /** Where the values are. */
  get device(): Device {
    return this.storage.device;
  }

  /** The number of dimensions. */
  get ndim(): number {
    return this.shape.length;
  }

  /** The number of dimensions. */
  dim(...args: Args<typeof NoArgs>): number {
    if (args.length > 0) noArgs.dim(args);
    return this.shape.length;
  }

  /** The sizes. */
  size(): readonly number[];
  /** The size of one dimension. */
  size(...args: Args<typeof SizeDimArgs>): number;
  size(...args: readonly unknown[]): readonly number[] | number {
    const { dim } = sizeArgs(args);
    return dim === null ? this.shape : this.shape[wrapDim("size", dim, this.ndim)];
  }

  /** The steps between neighbours, in elements. */
  stride(): readonly number[];
  /** The step of one dimension, in elements. */
  stride(...args: Args<typeof SizeDimArgs>): number;
  stride(...args: readonly unknown[]): readonly number[] | number {
    const { dim } = strideArgs(args);
    return dim === null ? this.strides : this.strides[wrapDim("stride", dim, this.ndim)];
  }

  /** The number of elements. */
  numel(...args: Args<typeof NoArgs>): number {
    if (args.length > 0) noArgs.numel(args);
    return numelOf(this.shape);
  }

  /** The bytes of one element. */
  get itemsize(): number {
    return this.dtype.itemsize;
  }

  /** The bytes of one element. */
  elementSize(...args: Args<typeof NoArgs>): number {
    if (args.length > 0) noArgs.elementSize(args);
    return this.dtype.itemsize;
  }

  /** The bytes of all elements. */
  get nbytes(): number {
    return this.numel() * this.dtype.itemsize;
  }

  /**
   * Whether elements lie without gaps in row-major order, or in that of `memoryFormat`.
   */
  isContiguous(...args: Args<typeof IsContiguousArgs>): boolean {
    if (args.length === 0) return this.dense;
    const { memoryFormat: format } = isContiguousArgs(args);
    if (format !== "channels_last" && format !== "channels_last_3d") return this.dense;
    return this.shape.length === (format === "channels_last" ? 4 : 5) && isChannelsLast(this);
  }

  /** The position of the first element in the storage, in elements. */
  storageOffset(...args: Args<typeof NoArgs>): number {
    if (args.length > 0) noArgs.storageOffset(args);
    return this.offset;
  }

  /** How many times the memory was written in place, as autograd counts it. */
  get _version(): number {
    return this.storage.version;
  }

  /** Whether the dtype is floating (not complex). */
  isFloatingPoint(...args: Args<typeof NoArgs>): boolean {
    if (args.length > 0) noArgs.isFloatingPoint(args);
    return this.dtype.isFloatingPoint;
  }

  /** Whether the dtype is complex. */
  isComplex(...args: Args<typeof NoArgs>): boolean {
    if (args.length > 0) noArgs.isComplex(args);
    return this.dtype.isComplex;
  }

  /** Whether the memory was returned to the pool. */
  get isReleased(): boolean {
    return this.storage.released;
  }

  /** Returns the memory to the pool now; every tensor that shares it becomes unusable. */
  dispose(...args: Args<typeof NoArgs>): void {
    if (args.length > 0) noArgs.dispose(args);
    this.storage.release();
  }

  /** `using x = …` disposes at the end of the block. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

actsAsNumber(Tensor);

/** Throws unless a value is a tensor. */
export function checkTensor(op: string, name: string, value: unknown): asserts value is Tensor {
  if (value instanceof Tensor) return;
  throw new ArgumentError(`${op}(): ${name} must be a Tensor: ${describe(value)}${tensorRemedy(value)}`);
}

/** The remedy for values that were given in place of a tensor; nothing for what cannot become one. */
export function tensorRemedy(value: unknown): string {
  const values = Array.isArray(value) || ArrayBuffer.isView(value) || typeof value === "number";
  return values ? "; make one of it: torch.tensor(…)" : awaitIt(value);
}

/** Throws unless a value is an array of tensors. */
export function checkTensors(op: string, name: string, values: unknown): asserts values is readonly Tensor[] {
  if (!Array.isArray(values)) {
    const remedy = values instanceof Tensor ? "; write [a, b]" : awaitIt(values);
    throw new ArgumentError(`${op}(): ${name} must be an array of Tensors: ${describe(values)}${remedy}`);
  }
  for (let i = 0; i < values.length; i++) checkTensor(op, `${name}[${i}]`, values[i]);
}

/** Throws unless a value is a tensor, whose memory is alive. */
export function checkAlive(op: string, x: Tensor): void {
  checkTensor(op, "input", x);
  if (x.storage.released) throwReleased(op, x.storage);
}

/** One part of a complex tensor as a strided real one; a real tensor is its own real part. */
export function partView(x: Tensor, part: 0 | 1, real: DType): Strided {
  return {
    storage: x.storage,
    shape: x.shape,
    strides: x.strides.map((s) => s * 2),
    offset: x.offset * 2 + part,
    dtype: real,
    dense: false,
  };
}
