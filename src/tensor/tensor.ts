/**
 * `Tensor`: shape, strides and offset over a {@linkcode Storage}, and what autograd knows about it.
 *
 * The class holds the geometry, the storage and the autograd record. Every operation is a free function of `src/ops`,
 * attached here as a method by `src/ops/methods.ts`; the interface below gives those methods their types.
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
    /** The dimension, negative from the end; `null`: all of them, as a list. */
    public dim: number | null = null,
  ) {}
}

/** The parameters of {@linkcode Tensor.isContiguous}. */
export class IsContiguousArgs {
  /** The memory format to test for: row-major, `channelsLast` (4 dimensions) or `channelsLast3d` (5 dimensions). */
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

/** The members of {@linkcode Tensor} that other layers attach: its operations and its autograd state. */
export interface Tensor extends TensorMethods, TensorAutograd {}

/**
 * Replaces the memory of `target` by that of `source`; the tensor object stays the same. `module.to()` needs this, because
 * an optimizer may already hold the parameters.
 */
export let setData: (target: Tensor, source: Tensor) => void;

/** A multi-dimensional array whose elements have one dtype and lie on one device. */
export class Tensor implements Strided {
  /**
   * The memory, shared with views.
   *
   * @internal
   */
  readonly storage: Storage;
  #shape: readonly number[];
  #strides: readonly number[];
  #offset: number;
  #dtype: DType;
  /** Whether the tensor is contiguous: elements lie in row-major order without gaps. */
  readonly dense: boolean;
  /**
   * Autograd's record of this tensor; `null` for a tensor that never took part in a graph.
   *
   * @internal
   */
  meta: AutogradMeta | null = null;

  static {
    setData = (target, source) => {
      const own = target as { -readonly [K in "storage" | "dense"]: Tensor[K] };
      own.storage = source.storage;
      own.dense = source.dense;
      target.#shape = source.#shape;
      target.#strides = source.#strides;
      target.#offset = source.#offset;
      target.#dtype = source.#dtype;
    };
  }

  /**
   * Views `storage`, and no element beyond it; use the creation ops instead.
   *
   * @param op the call that errors name; `null` where the geometry is known to fit, as that of new memory
   * @internal
   */
  constructor(
    storage: Storage,
    shape: readonly number[],
    strides: readonly number[],
    offset: number,
    dtype: DType,
    dense: boolean,
    op: string | null = "Tensor",
  ) {
    if (op !== null) checkGeometry(op, shape, strides, offset, storage.nbytes / dtype.itemsize);
    this.storage = storage;
    this.#shape = shape;
    this.#strides = strides;
    this.#offset = offset;
    this.#dtype = dtype;
    this.dense = dense;
  }

  /** The size of each dimension; `[]` for a 0-d tensor. */
  get shape(): readonly number[] {
    return this.#shape;
  }

  /** The stride of each dimension: how far apart neighbours along it lie in the storage, in elements. */
  get strides(): readonly number[] {
    return this.#strides;
  }

  /** The storage offset: the position of the first element in the storage, in elements. */
  get offset(): number {
    return this.#offset;
  }

  /** The type of the elements. */
  get dtype(): DType {
    return this.#dtype;
  }

  /** The device that holds the values. */
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

  /** The size of each dimension: the shape. */
  size(): readonly number[];
  /** The size of one dimension. */
  size(...args: Args<typeof SizeDimArgs>): number;
  size(...args: readonly unknown[]): readonly number[] | number {
    const { dim } = sizeArgs(args);
    return dim === null ? this.shape : this.shape[wrapDim("size", dim, this.ndim)];
  }

  /** The stride of each dimension, in elements. */
  stride(): readonly number[];
  /** The stride of one dimension, in elements. */
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

  /** The size of one element in bytes. */
  get itemsize(): number {
    return this.dtype.itemsize;
  }

  /** The size of one element in bytes. */
  elementSize(...args: Args<typeof NoArgs>): number {
    if (args.length > 0) noArgs.elementSize(args);
    return this.dtype.itemsize;
  }

  /** The size of all elements in bytes: `numel()` times `itemsize`; a view may span more of its storage. */
  get nbytes(): number {
    return this.numel() * this.dtype.itemsize;
  }

  /** Whether elements lie without gaps in the order of `memoryFormat`: row-major unless another one is named. */
  isContiguous(...args: Args<typeof IsContiguousArgs>): boolean {
    if (args.length === 0) return this.dense;
    const { memoryFormat: format } = isContiguousArgs(args);
    if (format !== "channels_last" && format !== "channels_last_3d") return this.dense;
    return this.shape.length === (format === "channels_last" ? 4 : 5) && isChannelsLast(this);
  }

  /** The storage offset: the position of the first element in the storage, in elements. */
  storageOffset(...args: Args<typeof NoArgs>): number {
    if (args.length > 0) noArgs.storageOffset(args);
    return this.offset;
  }

  /**
   * The version of the memory: how many in-place writes it has seen, which autograd compares to find modified tensors.
   */
  get _version(): number {
    return this.storage.version;
  }

  /** Whether the dtype is a real floating-point one. */
  isFloatingPoint(...args: Args<typeof NoArgs>): boolean {
    if (args.length > 0) noArgs.isFloatingPoint(args);
    return this.dtype.isFloatingPoint;
  }

  /** Whether the dtype is complex. */
  isComplex(...args: Args<typeof NoArgs>): boolean {
    if (args.length > 0) noArgs.isComplex(args);
    return this.dtype.isComplex;
  }

  /** Whether the memory was released: returned to the allocator's pool. */
  get isReleased(): boolean {
    return this.storage.released;
  }

  /** Releases the memory to the allocator's pool now; every tensor that shares it becomes unusable. */
  dispose(...args: Args<typeof NoArgs>): void {
    if (args.length > 0) noArgs.dispose(args);
    this.storage.release();
  }

  /** Releases the memory at the end of the block that declares the tensor with `using x = …`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

actsAsNumber(Tensor);

/** What describes a tensor, and what to write instead of an assignment to it. */
const FIXED = {
  shape: "reshape(…) gives a tensor of another shape",
  strides: "asStrided(…) gives a view with other strides",
  offset: "asStrided(…) gives a view with another offset",
  dtype: "to(dtype) gives a tensor of another dtype",
  device: "to(device) gives a tensor on another device",
};

for (const [name, remedy] of Object.entries(FIXED)) {
  Object.defineProperty(Tensor.prototype, name, {
    ...Object.getOwnPropertyDescriptor(Tensor.prototype, name),
    set: () => {
      throw new ArgumentError(`${name}(): a tensor's ${name} cannot be assigned; ${remedy}`);
    },
  });
}

/** Throws unless a value is a tensor. */
export function checkTensor(op: string, name: string, value: unknown): asserts value is Tensor {
  if (value instanceof Tensor) return;
  throw new ArgumentError(`${op}(): ${name} must be a Tensor: ${describe(value)}${tensorRemedy(value)}`);
}

/**
 * The remedy in an error message for a value given in place of a tensor; `""` where no tensor can be made of the value.
 */
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

/** Throws unless a value is a tensor whose memory has not been released. */
export function checkAlive(op: string, x: Tensor): void {
  checkTensor(op, "input", x);
  if (x.storage.released) throwReleased(op, x.storage);
}

/**
 * A strided real view of the real (`part` 0) or imaginary (`part` 1) parts of a complex tensor; `real` is their dtype.
 */
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
