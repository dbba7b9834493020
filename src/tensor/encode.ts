/**
 * Encoding: JavaScript values to the little-endian bytes that tensors hold, and back.
 *
 * JavaScript sees float16 and bfloat16 as float32, bools as bytes, complex values as interleaved pairs.
 *
 * @module
 */

import type { DataArray, DType } from "../base/dtype.ts";
import { rowOf } from "../base/dtype_table.ts";
import { fromFloat8, toFloat8 } from "../base/float8.ts";

const scratch = new DataView(new ArrayBuffer(4));

/** The bits of a number rounded to bfloat16, ties to even; NaN stays NaN. */
function toBfloat16Bits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The bytes of `values` as elements of `dtype`; complex dtypes take interleaved real and imaginary parts. */
export function encode(values: ArrayLike<number | bigint | boolean>, dtype: DType): Uint8Array<ArrayBuffer> {
  const n = values.length;
  const Memory = rowOf(dtype).array(),
    out: { [i: number]: number | bigint } & ArrayBufferView<ArrayBuffer> = new Memory(n);
  if (dtype.isInteger && dtype.itemsize === 8) {
    for (let i = 0; i < n; i++) {
      const v = values[i];
      out[i] = typeof v === "bigint" ? v : BigInt(Math.trunc(Number(v)));
    }
  } else if (dtype.kind === "bool") { for (let i = 0; i < n; i++) out[i] = values[i] ? 1 : 0; }
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
  const Memory = rowOf(dtype).array();
  const values = new Memory(buffer, byteOffset, byteLength / Memory.BYTES_PER_ELEMENT);
  switch (dtype.name) {
    case "float16":
      return Float32Array.from(values as Float16Array);
    case "bfloat16": {
      const out = new Float32Array(values.length), words = new Uint32Array(out.buffer);
      for (let i = 0; i < values.length; i++) words[i] = (values as Uint16Array)[i] << 16;
      return out;
    }
    case "float8_e4m3fn":
    case "float8_e5m2":
      return fromFloat8(aligned, dtype);
    default:
      return values as DataArray;
  }
}

/** One element as a JavaScript value: a boolean for bool; for 64-bit integers a number where that is exact, else a bigint. */
export function elementOf(value: number | bigint, dtype: DType): number | bigint | boolean {
  if (dtype.kind === "bool") return value !== 0;
  if (typeof value !== "bigint") return value;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
