/**
 * Encoding: JavaScript values to the little-endian bytes that tensors hold, and back.
 *
 * JavaScript sees float16 and bfloat16 as float32, bools as bytes, complex values as interleaved pairs.
 *
 * @module
 */

import type { DataArray, DType } from "../base/dtype.ts";
import { fromFloat8, toFloat8 } from "../base/float8.ts";

const scratch = new DataView(new ArrayBuffer(4));

/** The bits of a number rounded to bfloat16, ties to even; NaN stays NaN. */
function toBfloat16Bits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** A typed array of zeros whose elements have the bytes of `dtype`. */
function storageArray(dtype: DType, length: number): ArrayBufferView<ArrayBuffer> & { [i: number]: number | bigint } {
  switch (dtype.name) {
    case "bool":
    case "uint8":
      return new Uint8Array(length);
    case "int8":
      return new Int8Array(length);
    case "int16":
      return new Int16Array(length);
    case "int32":
      return new Int32Array(length);
    case "int64":
      return new BigInt64Array(length);
    case "float16":
      return new Float16Array(length);
    case "bfloat16":
      return new Uint16Array(length);
    case "float8_e4m3fn":
    case "float8_e5m2":
      return new Uint8Array(length);
    case "float32":
    case "complex64":
      return new Float32Array(length);
    case "float64":
    case "complex128":
      return new Float64Array(length);
  }
}

/** The bytes of `values` as elements of `dtype`; complex dtypes take interleaved real and imaginary parts. */
export function encode(values: ArrayLike<number | bigint | boolean>, dtype: DType): Uint8Array<ArrayBuffer> {
  const n = values.length;
  const out = storageArray(dtype, n);
  if (dtype.name === "int64") {
    for (let i = 0; i < n; i++) {
      const v = values[i];
      out[i] = typeof v === "bigint" ? v : BigInt(Math.trunc(Number(v)));
    }
  } else if (dtype.name === "bool") { for (let i = 0; i < n; i++) out[i] = values[i] ? 1 : 0; }
  else if (dtype.name === "bfloat16") { for (let i = 0; i < n; i++) out[i] = toBfloat16Bits(Number(values[i])); }
  else if (dtype.isFloat8) { for (let i = 0; i < n; i++) out[i] = toFloat8(Number(values[i]), dtype); }
  else if (out instanceof Float32Array && values instanceof Float32Array) out.set(values);
  else for (let i = 0; i < n; i++) out[i] = Number(values[i]);
  return new Uint8Array(out.buffer);
}

/** The values of elements of `dtype`. */
export function decode(bytes: Uint8Array<ArrayBuffer>, dtype: DType): DataArray {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const { buffer, byteOffset, byteLength } = aligned;
  switch (dtype.name) {
    case "bool":
    case "uint8":
      return aligned;
    case "int8":
      return new Int8Array(buffer, byteOffset, byteLength);
    case "int16":
      return new Int16Array(buffer, byteOffset, byteLength / 2);
    case "int32":
      return new Int32Array(buffer, byteOffset, byteLength / 4);
    case "int64":
      return new BigInt64Array(buffer, byteOffset, byteLength / 8);
    case "float16":
      return Float32Array.from(new Float16Array(buffer, byteOffset, byteLength / 2));
    case "bfloat16": {
      const halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
      const out = new Float32Array(halves.length);
      const words = new Uint32Array(out.buffer);
      for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
      return out;
    }
    case "float8_e4m3fn":
    case "float8_e5m2":
      return fromFloat8(aligned, dtype);
    case "float32":
    case "complex64":
      return new Float32Array(buffer, byteOffset, byteLength / 4);
    case "float64":
    case "complex128":
      return new Float64Array(buffer, byteOffset, byteLength / 8);
  }
}

/** One element as a JavaScript value: a boolean for bool; for int64 a number where that is exact, else a bigint. */
export function elementOf(value: number | bigint, dtype: DType): number | bigint | boolean {
  if (dtype.name === "bool") return value !== 0;
  if (typeof value !== "bigint") return value;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
