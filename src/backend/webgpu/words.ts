/**
 * Between the bytes of a dtype and the 32-bit words that a GPU holds for it.
 *
 * @module
 */

import type { DType } from "../../base/dtype.ts";
import { DTypeError } from "../../base/errors.ts";
import { fromFloat8, toFloat8 } from "../../base/float8.ts";

type Words = Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** The words of elements given as little-endian bytes. */
export function toWords(bytes: Uint8Array, dtype: DType): Words {
  const own = bytes.byteOffset % 8 === 0 && bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
  const buffer = own.buffer as ArrayBuffer;
  const count = own.byteLength / dtype.itemsize;
  switch (dtype.name) {
    case "bool":
    case "uint8":
      return Int32Array.from(own);
    case "int8":
      return Int32Array.from(new Int8Array(buffer, own.byteOffset, count));
    case "int16":
      return Int32Array.from(new Int16Array(buffer, own.byteOffset, count));
    case "int64":
      return narrow(new BigInt64Array(buffer, own.byteOffset, count));
    case "float16":
      return new Uint32Array(Float32Array.from(new Float16Array(buffer, own.byteOffset, count)).buffer);
    case "bfloat16":
      return Uint32Array.from(new Uint16Array(buffer, own.byteOffset, count), (half) => (half << 16) >>> 0);
    case "float8_e4m3fn":
    case "float8_e5m2":
      return new Uint32Array(fromFloat8(own, dtype).buffer);
    case "int32":
    case "float32":
    case "complex64":
      return new Uint32Array(buffer.slice(own.byteOffset, own.byteOffset + own.byteLength));
    case "float64":
    case "complex128":
      throw new DTypeError(`write(): WebGPU has no ${dtype}; use float32, or await x.cpu()`);
  }
}

function narrow(values: BigInt64Array): Int32Array<ArrayBuffer> {
  const out = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    if (BigInt.asIntN(32, values[i]) !== values[i]) {
      throw new DTypeError(`write(): WebGPU holds int64 in 32 bits: ${values[i]} does not fit; use await x.cpu()`);
    }
    out[i] = Number(values[i]);
  }
  return out;
}

/** The little-endian bytes of elements held as words. */
export function fromWords(words: ArrayBuffer, dtype: DType): Uint8Array<ArrayBuffer> {
  switch (dtype.name) {
    case "bool":
    case "uint8":
      return Uint8Array.from(new Uint32Array(words));
    case "int8":
      return new Uint8Array(Int8Array.from(new Int32Array(words)).buffer);
    case "int16":
      return new Uint8Array(Int16Array.from(new Int32Array(words)).buffer);
    case "int64":
      return new Uint8Array(
        BigInt64Array.from(new Int32Array(words) as unknown as Iterable<bigint>, (v) => BigInt(v)).buffer,
      );
    case "float16":
      return new Uint8Array(Float16Array.from(new Float32Array(words)).buffer);
    case "bfloat16":
      return new Uint8Array(Uint16Array.from(new Uint32Array(words), (w) => w >>> 16).buffer);
    case "float8_e4m3fn":
    case "float8_e5m2":
      return Uint8Array.from(new Float32Array(words), (value) => toFloat8(value, dtype));
    default:
      return new Uint8Array(words);
  }
}
