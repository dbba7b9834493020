/**
 * Tensor types by PyTorch's older names: `x.type()` says one, `x.type("torch.LongTensor")` converts to one, and
 * `LongTensor([1, 2])` makes a tensor of one.
 *
 * @module
 */

import { type Args, call, isPlainObject, type SpreadArgs, spreadCall } from "../base/call.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import {
  bfloat16,
  bool,
  DType,
  DTYPES,
  float16,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  uint8,
} from "../base/dtype.ts";
import { rowOf } from "../base/dtype_table.ts";
import { ArgumentError, describe, DTypeError } from "../base/errors.ts";
import { nearestName } from "../base/spelling.ts";
import { checkAlive, Tensor } from "../tensor/tensor.ts";
import { to } from "./create/convert.ts";
import { checkSizeList, empty, tensor, type TensorData } from "./create/creation.ts";
import { asMethod, type MethodForm } from "./core/op.ts";

/** The name of the type of tensors of a dtype on a kind of device. */
function typeName(dtype: DType, device: string): string {
  return `torch.${device === "cpu" ? "" : `${device}.`}${rowOf(dtype).tensorType}Tensor`;
}

/** Every name of a type on the CPU, and its dtype. */
const NAMES: ReadonlyMap<string, DType> = new Map(
  Object.values(DTYPES).map((dtype) => [typeName(dtype, "cpu"), dtype]),
);

/** The parameters of {@linkcode type}. */
export class TypeArgs {
  constructor(
    /**
     * What the tensor becomes: a dtype, a name such as `"torch.LongTensor"` (with the device too,
     * `"torch.cuda.LongTensor"`), or what makes tensors of the type, as {@linkcode LongTensor}; `null`: the type is asked for.
     */
    public dtype: DType | string | TensorType | null = null,
    /** Accepted for PyTorch's sake: transfers are as asynchronous as the device allows. */
    public nonBlocking = false,
  ) {}
}

/** What `x.type(…)` takes; `S` is what comes before it. */
export interface TypeCalls<S extends readonly unknown[]> {
  /** The name of the tensor's type, as `"torch.FloatTensor"`. */
  (...args: S): string;
  /** The tensor as another type. */
  (...args: [...S, ...Args<typeof TypeArgs>]): Tensor;
}

const typeArgs = call("type", TypeArgs);

/** The dtype of a type's name, and the device that it says. */
function typeOfName(name: string): { dtype: DType; device: Device } {
  const [, place, word] = /^torch\.(?:(cuda|webgpu)\.)?(\w+)$/.exec(name) ?? [];
  const dtype = NAMES.get(`torch.${word}`);
  if (dtype !== undefined) return { dtype, device: parseDevice(place ?? "cpu") };
  const near = nearestName(name, [...NAMES.keys()]) ?? [...NAMES].find(([, d]) => d.name === name)?.[0];
  throw new ArgumentError(
    `type(): invalid type: ${describe(name)}; ${
      near ? `did you mean "${near}"?` : 'use a dtype as torch.float32, or a name as "torch.FloatTensor"'
    }`,
  );
}

/**
 * Without arguments the name of the tensor's type, as PyTorch spells it: `"torch.FloatTensor"`, `"torch.cuda.LongTensor"`.
 * With one the tensor as that type: itself where nothing changes. A name says the device too; a dtype leaves it.
 *
 * @throws {ArgumentError} if there is no such type
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const x = torch.ones(2);
 * assertEquals(x.type(), "torch.FloatTensor");
 * assertEquals(x.type(torch.int64).dtype, torch.int64);
 * assertEquals(x.type("torch.BoolTensor").dtype, torch.bool);
 * ```
 */
export const type: TypeCalls<[input: Tensor]> & MethodForm<TypeCalls<[]>> = asMethod(
  ((input: Tensor, ...args: readonly unknown[]): Tensor | string => {
    checkAlive("type", input);
    const { dtype } = typeArgs(args);
    if (dtype === null) return typeName(input.dtype, input.device.type);
    if (dtype instanceof DType) return to(input, dtype);
    if (typeof dtype === "string") {
      const wanted = typeOfName(dtype);
      return to(input, wanted.device.type === input.device.type ? wanted.dtype : wanted);
    }
    if (typeof dtype === "function" && dtype.dtype instanceof DType) return to(input, dtype.dtype);
    throw new ArgumentError(
      `type(): dtype must be a dtype such as torch.float32, or a type's name: ${describe(dtype)}`,
    );
  }) as TypeCalls<[input: Tensor]>,
);

/** The parameters of tensor types such as {@linkcode LongTensor}, given values. */
export class TypedDataArgs {
  /** Where; `null`: the default device. */
  device: string | Device | null = null;
  constructor(
    /** Nested arrays of numbers, a typed array, or a tensor of this dtype. */
    public data: TensorData | Tensor,
  ) {}
}

/** The parameters of tensor types such as {@linkcode LongTensor}, given sizes. */
export class TypedSizeArgs {
  /** Where; `null`: the default device. */
  device: string | Device | null = null;
  constructor(
    /** The sizes, spread; none make an empty tensor. */
    public size: readonly number[] = [0],
  ) {}
}

/** What makes tensors of one dtype, called with or without `new`. */
export interface TensorType {
  /** A tensor of values; of numbers that are not in an array, an uninitialised tensor of these sizes. */
  (...args: SpreadArgs<typeof TypedSizeArgs> | Args<typeof TypedDataArgs>): Tensor;
  /** The same tensors, called with `new`. */
  new (...args: SpreadArgs<typeof TypedSizeArgs> | Args<typeof TypedDataArgs>): Tensor;
  /** The dtype of the tensors. */
  readonly dtype: DType;
}

/** Defines a tensor type. */
function tensorType(dtype: DType): TensorType {
  const name = `${rowOf(dtype).tensorType}Tensor`;
  const parseData = call(name, TypedDataArgs), parseSizes = spreadCall(name, TypedSizeArgs, checkSizeList);
  // Not an arrow: `new` calls it, too, and takes the tensor that it returns.
  const made = function (...args: readonly unknown[]): Tensor {
    const [first] = args;
    if (args.length === 0 || typeof first === "number" || (isPlainObject(first) && !("data" in first))) {
      const { size, device } = parseSizes(args);
      return empty(size.length === 0 ? [0] : size, { dtype, device });
    }
    const { data, device } = parseData(args);
    if (!isData(data)) {
      throw new ArgumentError(`${name}(): expected sizes, an array of values or a Tensor: ${describe(data)}`);
    }
    if (!(data instanceof Tensor)) return tensor(data, { dtype, device });
    if (data.dtype === dtype) return device === null ? data.detach() : to(data.detach(), { device });
    throw new DTypeError(`${name}(): expected a tensor of ${dtype}: ${data.dtype}; convert it with .to(${dtype})`);
  };
  Object.defineProperty(made, "name", { value: name });
  return Object.assign(made, { dtype }) as unknown as TensorType;
}

/** Whether a value holds values: what PyTorch calls a sequence, or a tensor. */
function isData(value: unknown): boolean {
  return Array.isArray(value) || ArrayBuffer.isView(value) || value instanceof Tensor;
}

/**
 * Makes float32 tensors: `FloatTensor([1, 2])` of values, `FloatTensor(2, 3)` of sizes, uninitialised.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * assertEquals(await torch.LongTensor([1, 2]).tolist(), [1, 2]);
 * assertEquals(torch.FloatTensor(2, 3).shape, [2, 3]);
 * assertEquals(new torch.BoolTensor([1, 0]).dtype, torch.bool);
 * ```
 */
export const FloatTensor: TensorType = tensorType(float32);
/** Makes float64 tensors; see {@linkcode FloatTensor}. */
export const DoubleTensor: TensorType = tensorType(float64);
/** Makes float16 tensors; see {@linkcode FloatTensor}. */
export const HalfTensor: TensorType = tensorType(float16);
/** Makes bfloat16 tensors; see {@linkcode FloatTensor}. */
export const BFloat16Tensor: TensorType = tensorType(bfloat16);
/** Makes int32 tensors; see {@linkcode FloatTensor}. */
export const IntTensor: TensorType = tensorType(int32);
/** Makes int64 tensors; see {@linkcode FloatTensor}. */
export const LongTensor: TensorType = tensorType(int64);
/** Makes int16 tensors; see {@linkcode FloatTensor}. */
export const ShortTensor: TensorType = tensorType(int16);
/** Makes int8 tensors; see {@linkcode FloatTensor}. */
export const CharTensor: TensorType = tensorType(int8);
/** Makes uint8 tensors; see {@linkcode FloatTensor}. */
export const ByteTensor: TensorType = tensorType(uint8);
/** Makes bool tensors; see {@linkcode FloatTensor}. */
export const BoolTensor: TensorType = tensorType(bool);
