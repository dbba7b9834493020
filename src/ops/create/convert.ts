/**
 * Copies and conversions: between dtypes, devices, memory layouts and JavaScript.
 *
 * @module
 */

import { call, isPlainObject, type Named, NoArgs } from "../../base/call.ts";
import { Device as DeviceClass, device as parseDevice } from "../../base/device.ts";
import type { Device } from "../../base/device.ts";
import {
  bfloat16 as BFLOAT16,
  bool as BOOL,
  complex128 as COMPLEX128,
  complex64 as COMPLEX64,
  type DataArray,
  DType,
  DTYPES,
  float16 as FLOAT16,
  float32 as FLOAT32,
  float64 as FLOAT64,
  int16 as INT16,
  int32 as INT32,
  int64 as INT64,
  int8 as INT8,
  isUnsigned,
  toReal,
  uint8 as UINT8,
} from "../../base/dtype.ts";
import { ArgumentError, awaitIt, describe, DeviceError, DTypeError, ShapeError, show } from "../../base/errors.ts";
import type { ScalarLike } from "../../base/scalar.ts";
import { channelsLastStrides, checkFormat, type MemoryFormat, prefersChannelsLast } from "../../base/layout.ts";
import { broadcastShapes, contiguousStrides, sameShape } from "../../base/shape.ts";
import { fitted } from "../../base/limits.ts";
import { unread } from "../../base/unread.ts";
import { backendOf } from "../../backend/mod.ts";
import type { Stream } from "../../cuda/streams.ts";
import { Complex } from "../../expr/complex.ts";
import type { Value } from "../../expr/expr.ts";
import { checkInPlace, record, recordInPlace } from "../../autograd/record.ts";
import { emptyOn, emptyWithStrides } from "../../tensor/create.ts";
import { decode, elementOf } from "../../tensor/encode.ts";
import { denseOrder, reordered } from "../../tensor/layout.ts";
import { yieldToFinalizers } from "../../tensor/pressure.ts";
import { checkAlive, checkTensor, Tensor } from "../../tensor/tensor.ts";
import { checkNoOverlap, overlaps } from "../core/define.ts";
import { Formula } from "../core/formula.ts";
import { applyKernel, type Kernel, movedTo, type Number64, partsOf, runInto } from "../core/kernel.ts";
import {
  type Fn,
  fn,
  type IsMethod,
  type MethodForm,
  type Op,
  op,
  overloaded,
  type SpreadOp,
  spreadOp,
} from "../core/op.ts";
import { sumTo } from "../core/sum_to.ts";
import { NO_REFUSAL, type Refusal, refuseWhere } from "../core/values.ts";

/** What is stored in the other dtype; as a truth value a complex number is true where either part is. */
const converted = new Formula<Value, [truth: boolean]>(
  "none",
  ([x], _numbers, truth) => truth && x instanceof Complex ? x.re.ne(0).logicalOr(x.im.ne(0)) : x,
);

/** The kernel that copies `x` to `to`. */
function identity(x: Tensor, to: { readonly dtype: DType }): Kernel {
  return converted.kernel([x], 0, to, to.dtype.kind === "bool");
}

function copyTo(op: string, x: Tensor, dtype: DType, format: MemoryFormat = "preserve_format"): Tensor {
  const node = dtype === x.dtype ? "CloneBackward0" : "ToCopyBackward0";
  const kernel = identity(x, { dtype });
  const a = { op, node, kernel, operands: [x], scalars: [], shape: x.shape };
  const checked = checkHeld(op, x, dtype);
  if (format === "preserve_format") return checked(applyKernel(a));
  const strides = format === "contiguous_format" ? contiguousStrides(x.shape) : channelsLastStrides(x.shape);
  const out = emptyWithStrides(op, x.shape, strides, dtype, x);
  runInto(a, out);
  checked(out);
  const from = x.dtype;
  return record(node, out, [x], [], (grad) => [grad.to(from)]);
}

/** Where 64 bits are held in 32: refuses values that would change their sign, as uint32 to int64 and -1 to uint64 do. */
function checkHeld(op: string, x: Tensor, dtype: DType): Refusal {
  if (dtype === x.dtype || x.storage.backend.failWhere === undefined) return NO_REFUSAL;
  const from = isUnsigned(x.dtype), { kind, itemsize } = x.dtype;
  if (!dtype.isInteger || dtype.itemsize < 8 || from === isUnsigned(dtype) || (from && itemsize < 4)) return NO_REFUSAL;
  if (kind === "bool" || kind === "complex") return NO_REFUSAL;
  const error = () =>
    new DTypeError(
      `${op}(): a value does not fit the 32 bits in which ${x.device} holds ${dtype.name}; use await x.cpu()`,
    );
  return refuseWhere(x, (values) => from ? values.bitwiseAnd(2 ** 31).ne(0) : values.lt(0), error);
}

/** The parameters of {@linkcode to} by name. */
export class ToArgs {
  /** Target dtype; `null`: the tensor's own. */
  dtype: DType | null = null;
  /** Target device; `null`: the tensor's own. */
  device: string | Device | null = null;
  /** Whether to copy even when nothing changes. */
  copy = false;
  /** Accepted for PyTorch's sake: transfers are as asynchronous as the device allows. */
  nonBlocking = false;
  /** The layout of a copy. */
  memoryFormat: MemoryFormat = "preserve_format";
}

/** The arguments of {@linkcode to} by position: a dtype, a device, both in either order, or a tensor; then flags. */
export type ToList = readonly (DType | Device | string | Tensor | Named<ToArgs> | boolean | undefined)[];

const toArgs = call("to", ToArgs);

/** Reads {@linkcode ToList}. */
function readTo(args: ToList): ToArgs {
  const last = args[args.length - 1];
  const options: ToArgs = { ...toArgs(isPlainObject(last) ? [last] : []) };
  const flags: boolean[] = []; // nonBlocking, copy
  for (const a of args) {
    if (a === undefined || isPlainObject(a)) continue;
    if (a instanceof DType) options.dtype = a;
    else if (a instanceof Tensor) Object.assign(options, { dtype: a.dtype, device: a.device });
    else if (typeof a === "boolean") flags.push(a);
    else if (typeof a === "string" || a instanceof DeviceClass) options.device = deviceOrRemedy(a);
    else throw new ArgumentError(`to(): expected a dtype, a device or a Tensor: ${describe(a)}${awaitIt(a)}`);
  }
  if (flags.length > 2) throw new ArgumentError(`to(): too many flags: ${flags.join(", ")}; at most nonBlocking, copy`);
  options.copy ||= flags[1] ?? false;
  return options;
}

/** A device; the name of a dtype is told from one. */
function deviceOrRemedy(name: string | Device): string | Device {
  if (typeof name === "string" && dtypeNames.has(name)) {
    throw new ArgumentError(`to(): a dtype is no string here: ${describe(name)}; use torch.${name}`);
  }
  return name;
}

const dtypeNames: ReadonlySet<string> = new Set([
  ...Object.keys(DTYPES),
  ...["half", "float", "double", "int", "long", "short"],
]);

/**
 * The tensor with another dtype or on another device; itself where nothing changes.
 *
 * Accepts a dtype, a device, both in either order, another tensor to be like, or named arguments.
 *
 * On WebGPU: a move to another device is asynchronous, so write `await x.cpu()`; `to("cpu")` throws and says so, and so does
 * the gradient of a move from another device.
 *
 * @throws {DeviceError} if the tensor's device cannot be read at once
 */
export const to: ((input: Tensor, ...args: ToList) => Tensor) & IsMethod = overloaded(
  "to",
  (input: Tensor, ...args: ToList) => {
    checkAlive("to", input);
    const [first] = args;
    // The usual call, a dtype alone, is not parsed; composed ops ask for the one that they have.
    if (args.length === 1 && first instanceof DType) {
      return first === input.dtype ? input : copyTo("to", input, first, "preserve_format");
    }
    const { memoryFormat, copy, ...target } = readTo(args);
    const dtype = target.dtype ?? input.dtype;
    if (!(dtype instanceof DType)) {
      throw new ArgumentError(`to(): dtype must be a dtype such as float32: ${describe(dtype)}`);
    }
    const device = target.device ? parseDevice(target.device) : input.device;
    if (memoryFormat !== "preserve_format") checkFormat("to", input.shape, memoryFormat);
    let out = input;
    if (device !== input.device) {
      // What the other device lacks is converted before it is moved.
      if (dtype !== input.dtype && !backendOf(device).supports(input.dtype)) {
        out = copyTo(
          "to",
          out,
          dtype,
          memoryFormat,
        );
      }
      out = toDevice(out, device);
    }
    const wanted = memoryFormat === "preserve_format" || formatOf(out) === memoryFormat;
    if (dtype !== out.dtype || !wanted) return copyTo("to", out, dtype, memoryFormat);
    return out === input && copy ? copyTo("to", out, dtype, memoryFormat) : out;
  },
);

/** The format that a tensor's strides ask for. */
function formatOf(x: Tensor): MemoryFormat {
  if (!prefersChannelsLast(x)) return "contiguous_format";
  return x.ndim === 4 ? "channels_last" : "channels_last_3d";
}

/** Whether a tensor can be copied to a device without waiting for a read. */
export function copiesAtOnce(x: Tensor, device: Device): boolean {
  const { backend } = x.storage, target = backendOf(device);
  return backend === target || backend.readSync !== undefined || target.copiesFrom?.(backend) === true;
}

function toDevice(x: Tensor, device: Device): Tensor {
  const source = x.storage.backend, target = backendOf(device);
  if (target.copiesFrom?.(source)) {
    return moved(x, device, (dense) => target.copyFrom!(source, inMemoryOrder("to", x), dense));
  }
  if (!source.readSync) {
    throw new DeviceError(`to(): values on ${x.device} are read asynchronously; use await x.cpu()`);
  }
  return uploaded(x, source.readSync(inMemoryOrder("to", x)), device);
}

/** The elements in an order that can be copied as bytes: that of memory where it has no gaps, else row-major. */
function inMemoryOrder(op: string, x: Tensor): Tensor {
  checkAlive(op, x);
  const order = denseOrder(x);
  return order === null ? contiguous(x.detach()) : reordered(x, order);
}

/** A tensor of the values of `x`, given as bytes of {@linkcode inMemoryOrder}, on another device. */
function uploaded(x: Tensor, values: Uint8Array, device: Device): Tensor {
  return moved(x, device, (dense) => dense.storage.backend.write(dense, values));
}

/** A tensor of the values of `x` on another device, where `fill` writes them in the order of {@linkcode inMemoryOrder}. */
function moved(x: Tensor, device: Device, fill: (dense: Tensor) => void): Tensor {
  const order = denseOrder(x);
  const { shape } = order === null ? x : reordered(x, order);
  const dense = emptyOn("to", shape, x.dtype, device);
  fill(dense);
  // The steps of sizes of 1 say which format a tensor that is in both is meant to be in.
  const same = x.dense || order !== null;
  const out = same ? new Tensor(dense.storage, x.shape, x.strides, 0, x.dtype, x.dense) : dense;
  const from = x.device;
  return record("ToCopyBackward0", out, [x], [], (grad) => [grad.to(from)]);
}

/** The parameters of {@linkcode clone} and the casts. */
export class CloneArgs {
  /** The layout of the copy. */
  memoryFormat: MemoryFormat = "preserve_format";
}

/** The parameters of {@linkcode contiguous}. */
export class ContiguousArgs {
  /** The layout asked for. */
  memoryFormat: MemoryFormat = "contiguous_format";
}

/**
 * A copy in new memory, laid out as `input` is (without its gaps), or as `memoryFormat` says.
 *
 * @throws {ShapeError} if the format is for another number of dimensions
 */
export const clone: Op<typeof CloneArgs> = op("clone", CloneArgs, (input, { memoryFormat }) => {
  checkFormat("clone", input.shape, memoryFormat);
  return copyTo("clone", input, input.dtype, memoryFormat);
});

/**
 * The tensor in row-major memory, or as `memoryFormat` says: itself, or a copy.
 *
 * @throws {ShapeError} if the format is for another number of dimensions
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const x = torch.randn(2, 3, 4, 5).contiguous({ memoryFormat: torch.channelsLast });
 * assertEquals(x.stride(), [60, 1, 15, 3]);
 * assertEquals(x.mul(2).isContiguous({ memoryFormat: torch.channelsLast }), true);
 * ```
 */
export const contiguous: Op<typeof ContiguousArgs> = op("contiguous", ContiguousArgs, (input, { memoryFormat }) => {
  checkAlive("contiguous", input);
  // The usual call costs nothing.
  if (memoryFormat === "contiguous_format" && input.dense) return input;
  if (memoryFormat === "preserve_format") {
    throw new ArgumentError("contiguous(): preserve_format says nothing here; use clone()");
  }
  checkFormat("contiguous", input.shape, memoryFormat);
  if (input.isContiguous({ memoryFormat })) return input;
  return copyTo("contiguous", input, input.dtype, memoryFormat);
});

/** The parameters of {@linkcode copy_}. */
export class CopyArgs {
  constructor(
    /** The values, which broadcast. */
    public src: Tensor | ScalarLike,
    /** Accepted for PyTorch's sake: transfers are as asynchronous as the device allows. */
    public nonBlocking = false,
  ) {}
}

/** Writes the values of `src`, broadcast and converted, into `self`. */
export const copy_: Op<typeof CopyArgs> = op("copy_", CopyArgs, (self, { src }) => {
  if (!(src instanceof Tensor)) return fill_(self, src);
  checkAlive("copy_", self);
  checkAlive("copy_", src);
  checkInPlace("copy_", self);
  checkNoOverlap("copy_", self);
  if (!sameShape(broadcastShapes("copy_", src.shape, self.shape), self.shape)) {
    throw new ShapeError(`copy_(): shape ${show(src.shape)} does not broadcast to ${show(self.shape)}`);
  }
  const here = src.device === self.device ? src : movedTo(src.detach(), self, self.dtype);
  const source = overlaps(here, self) ? clone(here.detach()) : here;
  const kernel = identity(source, self);
  const checked = checkHeld("copy_", source, self.dtype);
  runInto({ op: "copy_", node: "", kernel, operands: [source], scalars: [], shape: self.shape }, self);
  checked(self);
  self.storage.version++;
  const { shape, dtype } = src;
  return recordInPlace("CopyBackwards", self, [self, src], [], (grad, _saved, needs) => [
    needs[0] ? grad.newZeros(grad.shape) : null,
    needs[1] ? sumTo(realIfNeeded(grad, dtype), shape).to(dtype) : null,
  ]);
});

/** A gradient for a real tensor that was written into a complex one is the real part. */
function realIfNeeded(grad: Tensor, dtype: DType): Tensor {
  return grad.dtype.isComplex && !dtype.isComplex ? grad.to(toReal(grad.dtype)) : grad;
}

const filled = new Formula<Value>("none", (_, [re, im]) => im === undefined ? re : new Complex(re, im));

/** Writes one number everywhere, without autograd: what creation ops and `fill_` share. */
export function fillWith(op: string, x: Tensor, value: ScalarLike): Tensor {
  const s = fitted(op, value, x.dtype);
  const scalars: Number64[] = x.dtype.isComplex ? [s.value, s.imag] : [s.value];
  runInto({ op, node: "", kernel: filled.kernel([], partsOf(x.dtype), x), operands: [], scalars, shape: x.shape }, x);
  return x;
}

/** The parameters of {@linkcode fill_}. */
export class FillArgs {
  constructor(
    /** A number or a 0-d tensor. */
    public value: ScalarLike | Tensor,
  ) {}
}

/** Writes `value` (a number, or a 0-d tensor) into every element. */
export const fill_: Op<typeof FillArgs> = op("fill_", FillArgs, (self, { value }) => {
  checkAlive("fill_", self);
  if (value instanceof Tensor) {
    if (value.ndim !== 0) throw new ShapeError(`fill_(): the value must be 0-d: ${show(value.shape)}`);
    return copy_(self, value);
  }
  checkInPlace("fill_", self);
  fillWith("fill_", self, value);
  self.storage.version++;
  return recordInPlace("FillBackward0", self, [self], [], (grad) => [grad.newZeros(grad.shape)]);
});

/** Writes zeros. */
export const zero_: Op<typeof NoArgs> = op("zero_", NoArgs, (self) => fill_(self, 0));

/** A copy filled with `value`. */
export const fill: Fn<typeof FillArgs> = fn("fill", FillArgs, (input, { value }) => fill_(clone(input), value));

/** The parameters of {@linkcode typeAs}. */
export class TypeAsArgs {
  constructor(
    /** The tensor to be like. */
    public other: Tensor,
  ) {}
}

/** The tensor of another tensor's dtype. */
export const typeAs: Op<typeof TypeAsArgs> = op("typeAs", TypeAsArgs, (input, { other }) => {
  checkTensor("typeAs", "other", other);
  return to(input, { dtype: other.dtype, device: other.device });
});

type Cast = Op<typeof CloneArgs>;

function cast(name: string, dtype: DType): Cast {
  return op(name, CloneArgs, (input, { memoryFormat }) => to(input, { dtype, memoryFormat }));
}

/** As float32. */
export const float: Cast = cast("float", FLOAT32);
/** As float64. */
export const double: Cast = cast("double", FLOAT64);
/** As float16. */
export const half: Cast = cast("half", FLOAT16);
/** As bfloat16. */
export const bfloat16: Cast = cast("bfloat16", BFLOAT16);
/** As int32. */
export const int: Cast = cast("int", INT32);
/** As int64. */
export const long: Cast = cast("long", INT64);
/** As int16. */
export const short: Cast = cast("short", INT16);
/** As int8. */
export const char: Cast = cast("char", INT8);
/** As uint8. */
export const byte: Cast = cast("byte", UINT8);
/** As bool: whether the value is not zero. */
export const bool: Cast = cast("bool", BOOL);
/** As complex64. */
export const cfloat: Cast = cast("cfloat", COMPLEX64);
/** As complex128. */
export const cdouble: Cast = cast("cdouble", COMPLEX128);

/**
 * The tensor on the CPU.
 *
 * Differs from PyTorch: it is a promise, because some devices (WebGPU) are read asynchronously.
 */
export const cpu: Op<typeof NoArgs, Promise<Tensor>> = op("cpu", NoArgs, async (input) => {
  if (input.device.type === "cpu") return input;
  const values = await input.storage.backend.read(inMemoryOrder("cpu", input));
  await yieldToFinalizers(input.storage.backend);
  return uploaded(input, values, parseDevice("cpu"));
});

/** The parameters of {@linkcode cuda}. */
export class CudaArgs {
  constructor(
    /** The device, or its number. */
    public device: number | string | Device = 0,
  ) {}
}

/** On a CUDA device. */
export const cuda: Op<typeof CudaArgs> = op(
  "cuda",
  CudaArgs,
  (input, { device }) => to(input, typeof device === "number" ? `cuda:${device}` : device),
);

/** The parameters of {@linkcode recordStream}. */
export class RecordStreamArgs {
  constructor(
    /** The stream that uses it. */
    public stream: Stream,
  ) {}
}

/**
 * Says that work of another stream uses the tensor: its memory, once released, is used again only after what was issued
 * to `stream` until then. Without meaning on devices without streams.
 *
 * @throws {DeviceError} if the stream is another device's
 */
export const recordStream: Op<typeof RecordStreamArgs, void> = op(
  "recordStream",
  RecordStreamArgs,
  (input, { stream }) => {
    checkAlive("recordStream", input);
    const { device, storage } = input;
    storage.backend.recordStream?.(device, storage.block, stream);
  },
);

// ---------------------------------------------------------------- reading values

function denseView(op: string, x: Tensor): Tensor {
  checkAlive(op, x);
  return x.dense ? x : contiguous(x.detach());
}

/** The raw little-endian bytes of the elements, row-major. */
export const bytes: Op<typeof NoArgs, Promise<Uint8Array<ArrayBuffer>>> = op(
  "bytes",
  NoArgs,
  (input) => unread("bytes", readBytes(input)),
);

async function readBytes(input: Tensor): Promise<Uint8Array<ArrayBuffer>> {
  const x = denseView("bytes", input);
  const out = await x.storage.backend.read(x);
  await yieldToFinalizers(x.storage.backend);
  return out;
}

/**
 * The values as a typed array, row-major: halves as float32, bools as bytes, complex values as pairs.
 *
 * A promise, because some devices (WebGPU) are read asynchronously.
 */
export const read: Op<typeof NoArgs, Promise<DataArray>> = op(
  "read",
  NoArgs,
  (input) => unread("read", readArray(input)),
);

/** The same as {@linkcode read}, by PyTorch's name: a typed array stands for NumPy's, without its shape. */
export const numpy: Op<typeof NoArgs, Promise<DataArray>> = op(
  "numpy",
  NoArgs,
  (input) => unread("numpy", readArray(input)),
);

async function readArray(input: Tensor): Promise<DataArray> {
  return decode(await readBytes(input), input.dtype);
}

/**
 * {@linkcode read} at once, where the device can wait.
 *
 * On WebGPU: throws; nothing there can be read at once (`itemSync`, `tolistSync` neither).
 */
export const readSync: Op<typeof NoArgs, DataArray> = op("readSync", NoArgs, (input) => {
  const x = denseView("readSync", input);
  const { backend } = x.storage;
  if (!backend.readSync) {
    throw new DeviceError(`readSync(): ${x.device} is read asynchronously; use await x.read()`);
  }
  return decode(backend.readSync(x), x.dtype);
});

/** One value as JavaScript holds it; complex ones as `[re, im]`. */
export type Element = number | bigint | boolean | [number, number];

function single(x: Tensor, values: DataArray): Element {
  if (x.dtype.isComplex) return [Number(values[0]), Number(values[1])];
  return elementOf(values[0], x.dtype);
}

function checkSingle(op: string, x: Tensor): void {
  if (x.numel() !== 1) {
    throw new ShapeError(
      `${op}(): only a tensor of one element has a single value: shape ${show(x.shape)}; use tolist()`,
    );
  }
}

/**
 * The value of a single-element tensor. Numbers beyond 2^53 in int64 come as bigints, complex values as `[re, im]`.
 *
 * Differs from PyTorch: it is a promise, because some devices (WebGPU) are read asynchronously. Used as a number or a text
 * without `await`, it throws.
 */
export const item:
  & (<T extends Element = number>(input: Tensor) => Promise<T>)
  & MethodForm<<T extends Element = number>() => Promise<T>> = op(
    "item",
    NoArgs,
    (input) => unread("item", readSingle(input)),
  ) as
    & (<T extends Element = number>(input: Tensor) => Promise<T>)
    & MethodForm<<T extends Element = number>() => Promise<T>>;

async function readSingle(input: Tensor): Promise<Element> {
  checkSingle("item", input);
  return single(input, await readArray(input));
}

/** {@linkcode item} at once, where the device can wait. */
export const itemSync:
  & (<T extends Element = number>(input: Tensor) => T)
  & MethodForm<<T extends Element = number>() => T> = op(
    "itemSync",
    NoArgs,
    (input) => {
      checkSingle("itemSync", input);
      return single(input, readSync(input));
    },
  ) as (<T extends Element = number>(input: Tensor) => T) & MethodForm<<T extends Element = number>() => T>;

/** Nested arrays of values. */
export type Nested = Element | Nested[];

function nest(x: Tensor, values: DataArray): Nested {
  const strides = contiguousStrides(x.shape);
  const build = (dim: number, at: number): Nested => {
    if (dim === x.ndim) {
      if (x.dtype.isComplex) return [Number(values[2 * at]), Number(values[2 * at + 1])] as [number, number];
      return elementOf(values[at], x.dtype);
    }
    return Array.from({ length: x.shape[dim] }, (_, i) => build(dim + 1, at + i * strides[dim]));
  };
  return build(0, 0);
}

/**
 * The values as nested arrays; a 0-d tensor gives its value.
 *
 * Differs from PyTorch: it is a promise, because some devices (WebGPU) are read asynchronously.
 */
export const tolist: (<T = Nested>(input: Tensor) => Promise<T>) & MethodForm<<T = Nested>() => Promise<T>> = op(
  "tolist",
  NoArgs,
  (input) => unread("tolist", readArray(input).then((values) => nest(input, values))),
) as (<T = Nested>(input: Tensor) => Promise<T>) & MethodForm<<T = Nested>() => Promise<T>>;

/** {@linkcode tolist} at once, where the device can wait. */
export const tolistSync: (<T = Nested>(input: Tensor) => T) & MethodForm<<T = Nested>() => T> = op(
  "tolistSync",
  NoArgs,
  (input) => nest(input, readSync(input)),
) as (<T = Nested>(input: Tensor) => T) & MethodForm<<T = Nested>() => T>;

/** The parameters of {@linkcode sumToSize}. */
export class SumToSizeArgs {
  constructor(
    /** The sizes, spread or as an array. */
    public size: readonly number[],
  ) {}
}

/**
 * Sums `input` to a shape that broadcasts to its own: the reverse of broadcasting.
 *
 * @throws {ShapeError} if the shape does not broadcast to that of `input`
 */
export const sumToSize: SpreadOp<typeof SumToSizeArgs> = spreadOp(
  "sumToSize",
  SumToSizeArgs,
  (input, { size: target }) => {
    const lead = input.ndim - target.length;
    if (lead < 0 || !target.every((n, d) => n === 1 || n === input.shape[lead + d])) {
      throw new ShapeError(`sumToSize(): shape ${show(input.shape)} does not reduce to ${show(target)}`);
    }
    return sumTo(input, target);
  },
);
