/**
 * Tensors from nothing: constants, JavaScript values and raw bytes.
 *
 * JavaScript numbers carry no int/float mark, so `tensor([1, 2])` is of the default floating dtype; bigints make int64,
 * booleans bool, typed arrays their own.
 *
 * @module
 */

import { checkNames, isPlainObject } from "../base/args.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import {
  bfloat16,
  bool,
  type DataArray,
  type DType,
  float16,
  float32,
  float64,
  getDefaultDtype,
  int16,
  int32,
  int64,
  int8,
  toComplex,
  uint8,
} from "../base/dtype.ts";
import { bytesOf } from "../base/bytes.ts";
import { MOST_DIMS } from "../base/checks.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../base/errors.ts";
import { isScalar, Scalar, type ScalarLike } from "../base/scalar.ts";
import { channelsLastStrides, checkFormat, type MemoryFormat } from "../base/layout.ts";
import { checkSizes, contiguousStrides, isContiguous, numelOf, sameShape } from "../base/shape.ts";
import { getDefaultDevice } from "../backend/mod.ts";
import { checkDtype, emptyOn } from "../tensor/create.ts";
import { encode } from "../tensor/encode.ts";
import { emptyAs } from "../tensor/layout.ts";
import { checkAlive, Tensor } from "../tensor/tensor.ts";
import { fillWith } from "./convert.ts";

/** Options of every creation op. */
export interface TensorOptions {
  /** Element type; default: the default floating dtype, or what the values say. */
  dtype?: DType;
  /** Where; default: the default device, or that of the tensor to be like. */
  device?: string | Device;
  /** Whether to record operations on it. */
  requiresGrad?: boolean;
  /** Accepted for PyTorch's sake: every tensor is strided. */
  layout?: "torch.strided" | null;
  /** Accepted for PyTorch's sake: transfers are as asynchronous as the device allows. */
  pinMemory?: boolean | null;
}

/** Options of the ops that make a tensor like another. */
export interface LikeOptions extends TensorOptions {
  /** The layout; default: that of the tensor to be like. */
  memoryFormat?: MemoryFormat;
}

/** Marks a created tensor as its options say. */
function finish(x: Tensor, options: TensorOptions): Tensor {
  return options.requiresGrad ? x.requiresGrad_(true) : x;
}

function deviceOf(options: TensorOptions): Device {
  return options.device === undefined ? getDefaultDevice() : parseDevice(options.device);
}

/** Sizes as an array or spread over the arguments, then options. */
export type SizeArgs<O = TensorOptions> =
  | [size: readonly number[], options?: O]
  | [...size: number[]]
  | [...size: number[], options: O];

/** Splits {@linkcode SizeArgs}. */
export function sizeArgs<O extends object = TensorOptions>(op: string, args: readonly unknown[]): [number[], O] {
  const last = args[args.length - 1];
  const options = (isPlainObject(last) ? last : {}) as O & { size?: number[] };
  const rest = isPlainObject(last) ? args.slice(0, -1) : args;
  const size = (Array.isArray(rest[0]) ? rest[0] : rest.length === 0 && options.size ? options.size : rest) as number[];
  if (Array.isArray(rest[0]) && rest.length > 1) {
    throw new ArgumentError(`${op}(): sizes are given as one array or as numbers: ${rest.map(describe).join(", ")}`);
  }
  checkSizes(op, size, 16);
  return [[...size], options];
}

const OPTION_NAMES: ReadonlySet<string> = new Set(["dtype", "device", "requiresGrad", "layout", "pinMemory"]);
const LIKE_OPTION_NAMES: ReadonlySet<string> = new Set(["size", "memoryFormat", ...OPTION_NAMES]);
const SIZE_OPTION_NAMES: ReadonlySet<string> = new Set(["size", ...OPTION_NAMES]);

function make(
  op: string,
  size: readonly number[],
  options: TensorOptions,
  dtype = options.dtype ?? getDefaultDtype(),
): Tensor {
  checkNames(op, options, "size" in options ? SIZE_OPTION_NAMES : OPTION_NAMES);
  return emptyOn(op, size, dtype, deviceOf(options));
}

/**
 * An uninitialised tensor, row-major unless `memoryFormat` says otherwise.
 *
 * @throws {ShapeError} if the format is for another number of dimensions
 */
export function empty(...args: SizeArgs<LikeOptions>): Tensor {
  const [size, { memoryFormat, ...options }] = sizeArgs<LikeOptions>("empty", args);
  const x = make("empty", size, options);
  if (memoryFormat === undefined || memoryFormat === "contiguous_format") return finish(x, options);
  checkFormat("empty", size, memoryFormat);
  if (memoryFormat === "preserve_format") {
    throw new ArgumentError("empty(): preserve_format says nothing here; use emptyLike()");
  }
  const strides = channelsLastStrides(size);
  return finish(new Tensor(x.storage, size, strides, 0, x.dtype, isContiguous(size, strides)), options);
}

/** A tensor of zeros. */
export function zeros(...args: SizeArgs): Tensor {
  const [size, options] = sizeArgs("zeros", args);
  return finish(fillWith("zeros", make("zeros", size, options), 0), options);
}

/** A tensor of ones. */
export function ones(...args: SizeArgs): Tensor {
  const [size, options] = sizeArgs("ones", args);
  return finish(fillWith("ones", make("ones", size, options), 1), options);
}

/** The dtype of a tensor filled with one value: numbers are floats, bigints int64, booleans bool. */
function valueDtype(value: ScalarLike): DType {
  if (typeof value === "boolean") return bool;
  if (typeof value === "bigint") return int64;
  if (value instanceof Scalar) {
    if (value.kind === "complex") return toComplex(getDefaultDtype());
    return value.kind === "integer" ? int64 : value.kind === "bool" ? bool : getDefaultDtype();
  }
  return getDefaultDtype();
}

/**
 * A tensor filled with `fillValue`.
 *
 * Differs from PyTorch: an integer number gives the default floating dtype; pass a bigint or `dtype` for integers.
 */
export function full(size: readonly number[], fillValue: ScalarLike | Tensor, options: TensorOptions = {}): Tensor {
  checkSizes("full", size, 16);
  const x = make(
    "full",
    [...size],
    options,
    options.dtype ?? (fillValue instanceof Tensor ? fillValue.dtype : valueDtype(fillValue)),
  );
  if (!(fillValue instanceof Tensor)) return finish(fillWith("full", x, fillValue), options);
  if (fillValue.numel() !== 1) {
    throw new ShapeError(`full(): fillValue must have one element: shape ${show(fillValue.shape)}`);
  }
  return finish(x.copy_(fillValue.detach().reshape([])), options);
}

function likeOptions(op: string, input: Tensor, options: TensorOptions): TensorOptions {
  checkNames(op, options, "size" in options ? SIZE_OPTION_NAMES : OPTION_NAMES);
  return {
    dtype: options.dtype ?? input.dtype,
    device: options.device ?? input.device,
    requiresGrad: options.requiresGrad,
  };
}

/** An uninitialised tensor of the shape and, unless options say otherwise, the dtype, device and layout of `input`. */
function makeLike(op: string, input: Tensor, options: LikeOptions): Tensor {
  checkNames(op, options, LIKE_OPTION_NAMES);
  checkAlive(op, input);
  const device = options.device === undefined ? input.device : parseDevice(options.device);
  return emptyAs(op, input, options.dtype ?? input.dtype, device, options.memoryFormat);
}

/** An uninitialised tensor of the shape, dtype, device and layout of `input`. */
export function emptyLike(input: Tensor, options: LikeOptions = {}): Tensor {
  return finish(makeLike("emptyLike", input, options), options);
}

/** Zeros of the shape, dtype, device and layout of `input`. */
export function zerosLike(input: Tensor, options: LikeOptions = {}): Tensor {
  return finish(fillWith("zerosLike", makeLike("zerosLike", input, options), 0), options);
}

/** Ones of the shape, dtype, device and layout of `input`. */
export function onesLike(input: Tensor, options: LikeOptions = {}): Tensor {
  return finish(fillWith("onesLike", makeLike("onesLike", input, options), 1), options);
}

/** A tensor of the shape, dtype, device and layout of `input`, filled with `fillValue`. */
export function fullLike(input: Tensor, fillValue: ScalarLike, options: LikeOptions = {}): Tensor {
  return finish(fillWith("fullLike", makeLike("fullLike", input, options), fillValue), options);
}

/** Uninitialised, of the dtype and device of `input`. */
export function newEmpty(input: Tensor, ...args: SizeArgs): Tensor {
  const [size, options] = sizeArgs("newEmpty", args);
  return finish(make("newEmpty", size, likeOptions("newEmpty", input, options)), options);
}

/** Zeros of the dtype and device of `input`. */
export function newZeros(input: Tensor, ...args: SizeArgs): Tensor {
  const [size, options] = sizeArgs("newZeros", args);
  return finish(fillWith("newZeros", make("newZeros", size, likeOptions("newZeros", input, options)), 0), options);
}

/** Ones of the dtype and device of `input`. */
export function newOnes(input: Tensor, ...args: SizeArgs): Tensor {
  const [size, options] = sizeArgs("newOnes", args);
  return finish(fillWith("newOnes", make("newOnes", size, likeOptions("newOnes", input, options)), 1), options);
}

/** Filled with `fillValue`, of the dtype and device of `input`. */
export function newFull(
  input: Tensor,
  size: readonly number[],
  fillValue: ScalarLike,
  options: TensorOptions = {},
): Tensor {
  checkSizes("newFull", size, 16);
  return finish(
    fillWith("newFull", make("newFull", [...size], likeOptions("newFull", input, options)), fillValue),
    options,
  );
}

/**
 * A tensor of JavaScript values, copied, on the device of `input` and of its dtype.
 *
 * @param data a number, nested arrays of numbers, a typed array, or a tensor, whose history is left behind
 */
export function newTensor(input: Tensor, data: TensorData | Tensor, options: TensorOptions = {}): Tensor {
  const wanted = likeOptions("newTensor", input, options);
  if (!(data instanceof Tensor)) return tensor(data, wanted);
  return finish(data.detach().to({ dtype: wanted.dtype, device: wanted.device, copy: true }), options);
}

/** A tensor of given strides over new memory, uninitialised. */
export function emptyStrided(size: readonly number[], stride: readonly number[], options: TensorOptions = {}): Tensor {
  checkSizes("emptyStrided", size, 16);
  if (stride.length !== size.length || stride.some((s) => !Number.isInteger(s) || s < 0)) {
    throw new ShapeError(`emptyStrided(): strides must be as many non-negative integers as sizes: ${show(stride)}`);
  }
  const dtype = options.dtype ?? getDefaultDtype();
  const span = numelOf(size) === 0 ? 0 : 1 + size.reduce((sum, s, d) => sum + (s - 1) * stride[d], 0);
  const flat = make("emptyStrided", [span], options, dtype);
  return finish(
    new Tensor(flat.storage, [...size], [...stride], 0, dtype, isContiguous(size, stride)),
    options,
  );
}

// ---------------------------------------------------------------- JavaScript values

/** Values that `tensor` takes: numbers, nested arrays of them, typed arrays. */
export type TensorData = ScalarLike | DataArray | Float16Array<ArrayBuffer> | readonly TensorData[];

function typedArrayDtype(data: ArrayBufferView): DType | null {
  if (data instanceof Float32Array) return float32;
  if (data instanceof Float64Array) return float64;
  if (data instanceof Int32Array) return int32;
  if (data instanceof BigInt64Array) return int64;
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return uint8;
  if (data instanceof Int8Array) return int8;
  if (data instanceof Int16Array) return int16;
  if (typeof Float16Array !== "undefined" && data instanceof Float16Array) return float16;
  return null;
}

interface Gathered {
  readonly shape: number[];
  readonly values: (number | bigint | boolean | Scalar)[];
}

function gather(data: TensorData, depth: number, out: Gathered): void {
  if (isScalar(data)) {
    if (depth !== out.shape.length) throw ragged(out.shape);
    out.values.push(data);
    return;
  }
  if ((data as unknown) instanceof Tensor) {
    throw new ArgumentError(
      `tensor(): cannot be made from ${describe(data)}; use clone() for a copy, stack() for a list of tensors`,
    );
  }
  if (!Array.isArray(data) && (!ArrayBuffer.isView(data) || data instanceof DataView)) {
    throw new ArgumentError(
      `tensor(): cannot be made from ${describe(data)}; pass numbers, nested arrays or typed arrays`,
    );
  }
  if (depth === MOST_DIMS) {
    throw new ShapeError(`tensor(): arrays are nested deeper than ${MOST_DIMS} levels, or contain themselves`);
  }
  const list = data as ArrayLike<TensorData>;
  if (depth === out.shape.length) {
    if (out.values.length > 0) throw ragged(out.shape);
    out.shape.push(list.length);
  } else if (out.shape[depth] !== list.length) throw ragged(out.shape);
  for (let i = 0; i < list.length; i++) gather(list[i], depth + 1, out);
}

function ragged(shape: readonly number[]): ShapeError {
  return new ShapeError(`tensor(): nested arrays must have equal lengths at each depth: expected ${show(shape)}`);
}

function inferDtype(values: Gathered["values"]): DType {
  let sawBool = false, sawBigint = false, sawNumber = false;
  for (const v of values) {
    if (v instanceof Scalar) {
      if (v.kind === "complex") return toComplex(getDefaultDtype());
      if (v.kind === "integer") sawBigint = true;
      else sawNumber = true;
    } else if (typeof v === "boolean") sawBool = true;
    else if (typeof v === "bigint") sawBigint = true;
    else sawNumber = true;
  }
  if (sawNumber) return getDefaultDtype();
  return sawBigint ? int64 : sawBool ? bool : getDefaultDtype();
}

/** The number that an element is stored as. */
function plain(v: number | bigint | boolean | Scalar): number | bigint | boolean {
  return v instanceof Scalar ? v.value : v;
}

/**
 * A tensor of JavaScript values, copied.
 *
 * @param data a number, nested arrays of numbers, or a typed array
 * @throws {ShapeError} if nested arrays are ragged
 *
 * Differs from PyTorch: numbers are floats, whether or not they are whole; bigints make int64.
 */
export function tensor(data: TensorData, options: TensorOptions = {}): Tensor {
  if (ArrayBuffer.isView(data)) {
    const own = typedArrayDtype(data);
    if (own === null) throw new DTypeError(`tensor(): unsupported typed array: ${describe(data)}`);
    const bytes = bytesOf("tensor", "the data", data);
    const x = fromBytes(bytes, [bytes.length / own.itemsize], own, { ...options, dtype: own, requiresGrad: false });
    return finish(options.dtype && options.dtype !== own ? x.to(options.dtype) : x, options);
  }
  const gathered: Gathered = { shape: [], values: [] };
  gather(data, 0, gathered);
  const dtype = options.dtype ?? inferDtype(gathered.values);
  const values: (number | bigint | boolean)[] = [];
  for (const v of gathered.values) {
    values.push(plain(v));
    if (dtype.isComplex) values.push(v instanceof Scalar ? v.imag : 0);
  }
  checkValues("tensor", values, dtype);
  const x = make("tensor", gathered.shape, options, dtype);
  x.storage.backend.write(x, encode(values, dtype));
  return finish(x, options);
}

/** Throws unless all values are numbers, and finite ones where the dtype is an integer one. */
function checkValues(op: string, values: ArrayLike<unknown>, dtype: DType): void {
  const integer = dtype.kind === "integer";
  if (ArrayBuffer.isView(values) && !integer) return;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (typeof v === "number") {
      if (integer && !Number.isFinite(v)) throw new ArgumentError(`${op}(): ${dtype} cannot hold ${v}`);
    } else if (typeof v !== "boolean" && typeof v !== "bigint") {
      throw new ArgumentError(`${op}(): a value must be a number: ${describe(v)} at position ${i}`);
    }
  }
}

/** A 0-d tensor. */
export function scalarTensor(value: ScalarLike, options: TensorOptions = {}): Tensor {
  return tensor(value, { ...options, dtype: options.dtype ?? getDefaultDtype() });
}

/** A tensor as it is (converted where the options ask), or a new one of JavaScript values. */
export function asTensor(data: TensorData | Tensor, options: TensorOptions = {}): Tensor {
  if (!(data instanceof Tensor)) return tensor(data, options);
  return data.to({ dtype: options.dtype ?? data.dtype, device: options.device ?? data.device });
}

/** Options of {@linkcode fromData}. */
export interface FromDataOptions extends TensorOptions {
  /** Strides of the result; default row-major. */
  strides?: readonly number[];
}

/**
 * A tensor of given shape over a copy of a flat array.
 *
 * @param data row-major values; complex dtypes take interleaved pairs, halves floats or a Uint16Array of raw bits
 */
export function fromData(
  data: ArrayLike<number | bigint | boolean>,
  shape: readonly number[],
  options: FromDataOptions = {},
): Tensor {
  checkSizes("fromData", shape, 16);
  if (!Array.isArray(data) && (!ArrayBuffer.isView(data) || data instanceof DataView)) {
    throw new ArgumentError(`fromData(): the data must be an array or a typed array: ${describe(data)}`);
  }
  const dtype = options.dtype ?? (ArrayBuffer.isView(data) ? typedArrayDtype(data) : null) ?? getDefaultDtype();
  const expected = numelOf(shape) * (dtype.isComplex ? 2 : 1);
  if (data.length !== expected) {
    throw new ShapeError(`fromData(): shape ${show(shape)} of ${dtype} needs ${expected} values: ${data.length} given`);
  }
  const raw = data instanceof Uint16Array && (dtype === float16 || dtype === bfloat16);
  if (!raw) checkValues("fromData", data, dtype);
  const bytes = raw ? bytesOf("fromData", "the data", data) : encode(data, dtype);
  const { strides } = options;
  if (strides === undefined || sameShape(strides, contiguousStrides(shape))) {
    return finish(fromBytes(bytes, shape, dtype, { device: options.device }), options);
  }
  const out = emptyStrided(shape, strides, { dtype, device: options.device });
  const { itemsize } = dtype, memory = new Uint8Array(out.storage.nbytes);
  for (let i = 0; i < numelOf(shape); i++) {
    let at = 0;
    for (let d = shape.length - 1, rest = i; d >= 0; rest = Math.floor(rest / shape[d--])) {
      at += rest % shape[d] * strides[d];
    }
    memory.set(bytes.subarray(i * itemsize, (i + 1) * itemsize), at * itemsize);
  }
  const span = memory.length / itemsize;
  out.storage.backend.write(new Tensor(out.storage, [span], [1], 0, dtype, true), memory);
  return finish(out, options);
}

/**
 * A tensor over a copy of raw little-endian bytes.
 *
 * @param bytes row-major elements of `dtype`, in a `Uint8Array`, another view of a buffer, or a buffer
 * @throws {ArgumentError} if the buffer is detached, or no buffer
 * @throws {ShapeError} if the bytes are not as many as the shape needs
 */
export function fromBytes(
  bytes: ArrayBufferView | ArrayBuffer | SharedArrayBuffer,
  shape: readonly number[],
  dtype: DType,
  options: TensorOptions = {},
): Tensor {
  checkSizes("fromBytes", shape, 16);
  const given = bytesOf("fromBytes", "bytes", bytes);
  checkDtype("fromBytes", dtype);
  if (given.length !== numelOf(shape) * dtype.itemsize) {
    throw new ShapeError(
      `fromBytes(): shape ${show(shape)} of ${dtype} needs ${
        numelOf(shape) * dtype.itemsize
      } bytes: ${given.length} given`,
    );
  }
  const x = make("fromBytes", [...shape], options, dtype);
  x.storage.backend.write(x, given);
  return finish(x, options);
}
