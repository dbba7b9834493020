/**
 * Tensors from nothing: constants, JavaScript values and raw bytes.
 *
 * JavaScript numbers carry no int/float mark, so `tensor([1, 2])` is of the default floating dtype; bigints make int64,
 * booleans bool, typed arrays their own.
 *
 * @module
 */

import { type Func, func, type Named, type SpreadArgs, spreadFunc } from "../../base/call.ts";
import { type Device, device as parseDevice } from "../../base/device.ts";
import {
  bfloat16,
  bool,
  type DataArray,
  type DType,
  DTYPES,
  float16,
  getDefaultDtype,
  int64,
  toComplex,
  uint8,
} from "../../base/dtype.ts";
import { rowOf } from "../../base/dtype_table.ts";
import { bytesOf } from "../../base/bytes.ts";
import { MOST_DIMS } from "../../base/checks.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { checkFits } from "../../base/limits.ts";
import { isScalar, Scalar, type ScalarLike } from "../../base/scalar.ts";
import { channelsLastStrides, checkFormat, type MemoryFormat } from "../../base/layout.ts";
import { checkSizes, contiguousStrides, isContiguous, numelOf, sameShape } from "../../base/shape.ts";
import { getDefaultDevice } from "../../backend/mod.ts";
import { checkDtype, emptyOn } from "../../tensor/create.ts";
import { encode } from "../../tensor/encode.ts";
import { emptyAs } from "../../tensor/layout.ts";
import { checkAlive, Tensor } from "../../tensor/tensor.ts";
import { fillWith } from "./convert.ts";
import { type Op, op, type SpreadOp, spreadOp } from "../core/op.ts";

/** What every creation op takes by name. */
export class TensorArgs {
  /** Element type; `null`: the default floating dtype, or what the values or the tensor to be like say. */
  dtype: DType | null = null;
  /** Where; `null`: the default device, or that of the tensor to be like. */
  device: string | Device | null = null;
  /** Whether operations on it are recorded. */
  requiresGrad = false;
  /** Accepted for PyTorch's sake: every tensor is strided. */
  layout: "torch.strided" | null = null;
  /** Accepted for PyTorch's sake: transfers are as asynchronous as the device allows. */
  pinMemory: boolean | null = null;
}

/** {@linkcode TensorArgs}, any of them. */
export type TensorOptions = Named<TensorArgs>;

/** The parameters of ops that make a tensor of a size. */
export class SizeArgs extends TensorArgs {
  constructor(
    /** The sizes, spread or as an array. */
    public size: readonly number[],
  ) {
    super();
  }
}

/** The parameters of {@linkcode empty}. */
export class EmptyArgs extends SizeArgs {
  /** The layout; `null`: row-major. */
  memoryFormat: MemoryFormat | null = null;
}

/** The parameters of ops that make a tensor like another. */
export class LikeArgs extends TensorArgs {
  /** The layout; `null`: that of the tensor to be like. */
  memoryFormat: MemoryFormat | null = null;
}

/** A function that makes a tensor of sizes, spread or in an array. */
export type SizedFunction<C extends typeof SizeArgs = typeof SizeArgs> = (...args: SpreadArgs<C>) => Tensor;

/** Marks a created tensor as its options say. */
function finish(x: Tensor, options: TensorOptions): Tensor {
  return options.requiresGrad ? x.requiresGrad_(true) : x;
}

/** The device that options name. */
export function deviceOf(options: TensorOptions): Device {
  return options.device ? parseDevice(options.device) : getDefaultDevice();
}

/** Throws unless sizes are those of a tensor. */
export function checkSizeList(op: string, _name: string, size: unknown): void {
  checkSizes(op, size as readonly number[]);
}

function make(op: string, size: readonly number[], options: TensorOptions, dtype?: DType): Tensor {
  return emptyOn(op, [...size], dtype ?? options.dtype ?? getDefaultDtype(), deviceOf(options));
}

/** Defines a function of sizes that fills with one value. */
function filled(name: string, value: number): SizedFunction {
  return spreadFunc(
    name,
    SizeArgs,
    (o) => finish(fillWith(name, make(name, o.size, o), value), o),
    checkSizeList,
  );
}

/**
 * An uninitialised tensor, row-major unless `memoryFormat` says otherwise.
 *
 * @throws {ShapeError} if the format is for another number of dimensions
 */
export const empty: SizedFunction<typeof EmptyArgs> = spreadFunc("empty", EmptyArgs, (o) => {
  const { size, memoryFormat } = o;
  const x = make("empty", size, o);
  if (memoryFormat === null || memoryFormat === "contiguous_format") return finish(x, o);
  checkFormat("empty", size, memoryFormat);
  if (memoryFormat === "preserve_format") {
    throw new ArgumentError("empty(): preserve_format says nothing here; use emptyLike()");
  }
  const strides = channelsLastStrides(size);
  return finish(new Tensor(x.storage, [...size], strides, 0, x.dtype, isContiguous(size, strides)), o);
}, checkSizeList);

/** A tensor of zeros. */
export const zeros: SizedFunction = filled("zeros", 0);

/** A tensor of ones. */
export const ones: SizedFunction = filled("ones", 1);

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

/** The parameters of {@linkcode full}. */
export class FullArgs extends TensorArgs {
  constructor(
    /** The sizes. */
    public size: readonly number[],
    /** The value of all elements. */
    public fillValue: ScalarLike | Tensor,
  ) {
    super();
  }
}

/**
 * A tensor filled with `fillValue`.
 *
 * Differs from PyTorch: an integer number gives the default floating dtype; pass a bigint or `dtype` for integers.
 */
export const full: Func<typeof FullArgs, Tensor> = func("full", FullArgs, (o) => {
  const { size, fillValue } = o;
  checkSizes("full", size);
  const x = make("full", size, o, o.dtype ?? (fillValue instanceof Tensor ? fillValue.dtype : valueDtype(fillValue)));
  if (!(fillValue instanceof Tensor)) return finish(fillWith("full", x, fillValue), o);
  if (fillValue.numel() !== 1) {
    throw new ShapeError(`full(): fillValue must have one element: shape ${show(fillValue.shape)}`);
  }
  return finish(x.copy_(fillValue.detach().reshape([])), o);
});

/** An uninitialised tensor of the shape and, unless options say otherwise, the dtype, device and layout of `input`. */
function makeLike(op: string, input: Tensor, { dtype, device, memoryFormat }: LikeArgs): Tensor {
  checkAlive(op, input);
  return emptyAs(
    op,
    input,
    dtype ?? input.dtype,
    device ? parseDevice(device) : input.device,
    memoryFormat ?? undefined,
  );
}

/** An uninitialised tensor of the shape, dtype, device and layout of `input`. */
export const emptyLike: Op<typeof LikeArgs> = op(
  "emptyLike",
  LikeArgs,
  (input, o) => finish(makeLike("emptyLike", input, o), o),
);

/** Zeros of the shape, dtype, device and layout of `input`. */
export const zerosLike: Op<typeof LikeArgs> = op(
  "zerosLike",
  LikeArgs,
  (input, o) => finish(fillWith("zerosLike", makeLike("zerosLike", input, o), 0), o),
);

/** Ones of the shape, dtype, device and layout of `input`. */
export const onesLike: Op<typeof LikeArgs> = op(
  "onesLike",
  LikeArgs,
  (input, o) => finish(fillWith("onesLike", makeLike("onesLike", input, o), 1), o),
);

/** The parameters of {@linkcode fullLike}. */
export class FullLikeArgs extends LikeArgs {
  constructor(
    /** The value of all elements. */
    public fillValue: ScalarLike,
  ) {
    super();
  }
}

/** A tensor of the shape, dtype, device and layout of `input`, filled with `fillValue`. */
export const fullLike: Op<typeof FullLikeArgs> = op(
  "fullLike",
  FullLikeArgs,
  (input, o) => finish(fillWith("fullLike", makeLike("fullLike", input, o), o.fillValue), o),
);

/** An uninitialised tensor of a size that is, unless options say otherwise, of the dtype and device of `input`. */
function makeNew(op: string, input: Tensor, size: readonly number[], o: TensorArgs): Tensor {
  checkSizes(op, size);
  return emptyOn(op, [...size], o.dtype ?? input.dtype, o.device ? parseDevice(o.device) : input.device);
}

/** The parameters of {@linkcode newFull}. */
export class NewFullArgs extends TensorArgs {
  constructor(
    /** The sizes. */
    public size: readonly number[],
    /** The value of all elements. */
    public fillValue: ScalarLike,
  ) {
    super();
  }
}

/** Uninitialised, of the dtype and device of `input`. */
export const newEmpty: SpreadOp<typeof SizeArgs> = spreadOp(
  "newEmpty",
  SizeArgs,
  (input, o) => finish(makeNew("newEmpty", input, o.size, o), o),
);

/** Zeros of the dtype and device of `input`. */
export const newZeros: SpreadOp<typeof SizeArgs> = spreadOp(
  "newZeros",
  SizeArgs,
  (input, o) => finish(fillWith("newZeros", makeNew("newZeros", input, o.size, o), 0), o),
);

/** Ones of the dtype and device of `input`. */
export const newOnes: SpreadOp<typeof SizeArgs> = spreadOp(
  "newOnes",
  SizeArgs,
  (input, o) => finish(fillWith("newOnes", makeNew("newOnes", input, o.size, o), 1), o),
);

/** Filled with `fillValue`, of the dtype and device of `input`. */
export const newFull: Op<typeof NewFullArgs> = op(
  "newFull",
  NewFullArgs,
  (input, o) => finish(fillWith("newFull", makeNew("newFull", input, o.size, o), o.fillValue), o),
);

/** The parameters of functions that make a tensor of JavaScript values. */
export class DataArgs extends TensorArgs {
  constructor(
    /** A number, nested arrays of numbers, a typed array, or a tensor, whose history is left behind. */
    public data: TensorData | Tensor,
  ) {
    super();
  }
}

/** A tensor of JavaScript values, copied, on the device of `input` and of its dtype. */
export const newTensor: Op<typeof DataArgs> = op("newTensor", DataArgs, (input, { data, requiresGrad, ...given }) => {
  const dtype = given.dtype ?? input.dtype, device = given.device ?? input.device;
  if (!(data instanceof Tensor)) return tensor(data, { dtype, device, requiresGrad });
  return finish(data.detach().to({ dtype, device, copy: true }), { requiresGrad });
});

/** The parameters of {@linkcode emptyStrided}. */
export class EmptyStridedArgs extends TensorArgs {
  constructor(
    /** The sizes. */
    public size: readonly number[],
    /** The step of each dimension, in elements. */
    public stride: readonly number[],
  ) {
    super();
  }
}

/** A tensor of given strides over new memory, uninitialised. */
export const emptyStrided: Func<typeof EmptyStridedArgs, Tensor> = func("emptyStrided", EmptyStridedArgs, (o) => {
  const { size, stride } = o;
  checkSizes("emptyStrided", size);
  if (!Array.isArray(stride) || stride.length !== size.length || stride.some((s) => !Number.isInteger(s) || s < 0)) {
    throw new ShapeError(`emptyStrided(): strides must be as many non-negative integers as sizes: ${show(stride)}`);
  }
  const dtype = o.dtype ?? getDefaultDtype();
  const span = numelOf(size) === 0 ? 0 : 1 + size.reduce((sum, s, d) => sum + (s - 1) * stride[d], 0);
  const flat = make("emptyStrided", [span], o, dtype);
  return finish(new Tensor(flat.storage, [...size], [...stride], 0, dtype, isContiguous(size, stride)), o);
});

// ---------------------------------------------------------------- JavaScript values

/** Values that `tensor` takes: numbers, nested arrays of them, typed arrays. */
export type TensorData = ScalarLike | DataArray | Float16Array<ArrayBuffer> | readonly TensorData[];

/** The dtypes whose typed arrays hold values: those of bools, bfloat16, complex values and float8 hold bits or parts. */
const OF_ARRAYS: readonly DType[] = Object.values(DTYPES).filter(({ kind, name }) =>
  kind === "integer" || name === "float16" || name === "float32" || name === "float64"
);

function typedArrayDtype(data: ArrayBufferView): DType | null {
  if (data instanceof Uint8ClampedArray) return uint8;
  const lacksHalves = typeof Float16Array === "undefined";
  const holds = (dtype: DType) => !(lacksHalves && dtype.name === "float16") && data instanceof rowOf(dtype).array();
  return OF_ARRAYS.find(holds) ?? null;
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
 * @throws {ShapeError} if nested arrays are ragged
 *
 * Differs from PyTorch: numbers are floats, whether or not they are whole; bigints make int64.
 */
export const tensor: Func<typeof DataArgs, Tensor> = func("tensor", DataArgs, (o) => tensorOf("tensor", o.data, o));

/** A tensor of JavaScript values, or a copy of a tensor. */
function tensorOf(op: string, data: TensorData | Tensor, options: TensorOptions): Tensor {
  if (data instanceof Tensor) {
    const { dtype, device } = data;
    return finish(
      data.detach().to({ dtype: options.dtype ?? dtype, device: options.device ?? device, copy: true }),
      options,
    );
  }
  if (ArrayBuffer.isView(data)) {
    const own = typedArrayDtype(data);
    if (own === null) throw new DTypeError(`${op}(): unsupported typed array: ${describe(data)}`);
    const bytes = bytesOf(op, "the data", data);
    const x = fromBytes(bytes, [bytes.length / own.itemsize], own, { device: options.device });
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
  checkValues(op, values, dtype);
  const x = make(op, gathered.shape, options, dtype);
  x.storage.backend.write(x, encode(values, dtype));
  return finish(x, options);
}

/** Throws unless all values are numbers, and finite ones where the dtype is an integer one. */
function checkValues(op: string, values: ArrayLike<unknown>, dtype: DType): void {
  const integer = dtype.kind === "integer", array = ArrayBuffer.isView(values);
  if (array && !integer) return;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (typeof v === "number" || typeof v === "bigint") {
      // The numbers of a typed array are converted, which wraps around, as NumPy's are.
      if (integer && (!array || !Number.isFinite(Number(v)))) checkFits(op, v, dtype);
    } else if (typeof v !== "boolean") {
      throw new ArgumentError(`${op}(): a value must be a number: ${describe(v)} at position ${i}`);
    }
  }
}

/** The parameters of {@linkcode scalarTensor}. */
export class ScalarTensorArgs extends TensorArgs {
  constructor(
    /** The value. */
    public value: ScalarLike,
  ) {
    super();
  }
}

/** A 0-d tensor. */
export const scalarTensor: Func<typeof ScalarTensorArgs, Tensor> = func(
  "scalarTensor",
  ScalarTensorArgs,
  (o) => tensorOf("scalarTensor", o.value, { ...o, dtype: o.dtype ?? getDefaultDtype() }),
);

/** A tensor as it is (converted where the options ask), or a new one of JavaScript values. */
export const asTensor: Func<typeof DataArgs, Tensor> = func("asTensor", DataArgs, (o) => {
  const { data, dtype, device } = o;
  if (!(data instanceof Tensor)) return tensorOf("asTensor", data, o);
  return data.to({ dtype: dtype ?? data.dtype, device: device ?? data.device });
});

/** The parameters of {@linkcode fromData}. */
export class FromDataArgs extends TensorArgs {
  /** Strides of the result; `null`: row-major. */
  strides: readonly number[] | null = null;
  constructor(
    /** Row-major values; complex dtypes take interleaved pairs, halves floats or a Uint16Array of raw bits. */
    public data: ArrayLike<number | bigint | boolean>,
    /** The sizes. */
    public shape: readonly number[],
  ) {
    super();
  }
}

/** A tensor of given shape over a copy of a flat array. */
export const fromData: Func<typeof FromDataArgs, Tensor> = func("fromData", FromDataArgs, (options) => {
  const { data, shape } = options;
  checkSizes("fromData", shape);
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
  if (strides === null || sameShape(strides, contiguousStrides(shape))) {
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
});

/** The parameters of {@linkcode fromBytes}. */
export class FromBytesArgs {
  /** Where; `null`: the default device. */
  device: string | Device | null = null;
  /** Whether operations on it are recorded. */
  requiresGrad = false;
  constructor(
    /** Row-major elements of `dtype`, in a `Uint8Array`, another view of a buffer, or a buffer. */
    public bytes: ArrayBufferView | ArrayBuffer | SharedArrayBuffer,
    /** The sizes. */
    public shape: readonly number[],
    /** Element type. */
    public dtype: DType,
  ) {}
}

/**
 * A tensor over a copy of raw little-endian bytes.
 *
 * @throws {ArgumentError} if the buffer is detached, or no buffer
 * @throws {ShapeError} if the bytes are not as many as the shape needs
 */
export const fromBytes: Func<typeof FromBytesArgs, Tensor> = func("fromBytes", FromBytesArgs, (options) => {
  const { bytes, shape, dtype } = options;
  checkSizes("fromBytes", shape);
  const given = bytesOf("fromBytes", "bytes", bytes);
  checkDtype("fromBytes", dtype);
  if (given.length !== numelOf(shape) * dtype.itemsize) {
    throw new ShapeError(
      `fromBytes(): shape ${show(shape)} of ${dtype} needs ${
        numelOf(shape) * dtype.itemsize
      } bytes: ${given.length} given`,
    );
  }
  const x = make("fromBytes", shape, options, dtype);
  x.storage.backend.write(x, given);
  return finish(x, options);
});

/** The parameters of {@linkcode fromNumpy}. */
export class FromNumpyArgs {
  constructor(
    /** A typed array, whose kind gives the dtype. */
    public ndarray: DataArray | Float16Array<ArrayBuffer>,
  ) {}
}

/**
 * A 1-d tensor over a copy of a typed array, which stands for NumPy's arrays: the reverse of `await x.numpy()`.
 *
 * Differs from PyTorch: the values are copied, and the array has no shape; add `.reshape(…)`.
 *
 * @throws {ArgumentError} if the value is no typed array
 * @throws {DTypeError} if there is no dtype of the array's kind
 */
export const fromNumpy: Func<typeof FromNumpyArgs, Tensor> = func("fromNumpy", FromNumpyArgs, ({ ndarray }) => {
  if (!ArrayBuffer.isView(ndarray) || ndarray as ArrayBufferView instanceof DataView) {
    throw new ArgumentError(
      `fromNumpy(): ndarray must be a typed array such as Float32Array: ${describe(ndarray)}; use torch.tensor(…)`,
    );
  }
  return tensorOf("fromNumpy", ndarray, {});
});
