/**
 * Between the bytes of a dtype and the 32-bit words that a GPU holds for it.
 *
 * @module
 */

import { type DType, isUnsigned } from "../../../base/dtype.ts";
import { rowOf } from "../../../base/dtype_table.ts";
import { DTypeError } from "../../../base/errors.ts";
import { fromFloat8, toFloat8 } from "../../../base/float8.ts";

type Words = Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** The words of elements given as little-endian bytes. */
export function toWords(bytes: Uint8Array, dtype: DType): Words {
  const own = bytes.byteOffset % 8 === 0 && bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
  const buffer = own.buffer as ArrayBuffer;
  const count = own.byteLength / dtype.itemsize;
  const row = rowOf(dtype);
  if (row.wgsl === null) throw new DTypeError(`write(): WebGPU has no ${dtype}; use float32, or await x.cpu()`);
  switch (dtype.name) {
    case "bfloat16":
      return Uint32Array.from(new Uint16Array(buffer, own.byteOffset, count), (half) => (half << 16) >>> 0);
    case "float8_e4m3fn":
    case "float8_e5m2":
      return new Uint32Array(fromFloat8(own, dtype).buffer);
  }
  // Parts of 32 bits are words already.
  const { BYTES_PER_ELEMENT: bytesEach } = row.array();
  if (bytesEach === 4) return new Uint32Array(buffer.slice(own.byteOffset, own.byteOffset + own.byteLength));
  const values = new (row.array())(buffer, own.byteOffset, count);
  if (bytesEach === 8) return narrow(values as BigInt64Array, dtype);
  return dtype.isFloatingPoint
    ? new Uint32Array(Float32Array.from(values as Float16Array).buffer)
    : Int32Array.from(values as Int16Array);
}

function narrow(values: BigInt64Array, dtype: DType): Words {
  const unsigned = isUnsigned(dtype);
  const out = new (unsigned ? Uint32Array : Int32Array)(values.length);
  for (let i = 0; i < values.length; i++) {
    out[i] = Number(values[i]);
    if (BigInt(out[i]) !== values[i]) {
      throw new DTypeError(
        `write(): WebGPU holds ${dtype.name} in 32 bits: ${values[i]} does not fit; use await x.cpu()`,
      );
    }
  }
  return out;
}

/** The little-endian bytes of elements held as words. */
export function fromWords(words: ArrayBuffer, dtype: DType): Uint8Array<ArrayBuffer> {
  switch (dtype.name) {
    case "float16":
      return new Uint8Array(Float16Array.from(new Float32Array(words)).buffer);
    case "bfloat16":
      return new Uint8Array(Uint16Array.from(new Uint32Array(words), (w) => w >>> 16).buffer);
    case "float8_e4m3fn":
    case "float8_e5m2":
      return Uint8Array.from(new Float32Array(words), (value) => toFloat8(value, dtype));
  }
  const Memory = rowOf(dtype).array(), each = Memory.BYTES_PER_ELEMENT;
  if (each === 4) return new Uint8Array(words);
  const read = isUnsigned(dtype) ? new Uint32Array(words) : new Int32Array(words);
  const out: { [i: number]: number | bigint } & ArrayBufferView<ArrayBuffer> = new Memory(read.length);
  for (let i = 0; i < read.length; i++) out[i] = each === 8 ? BigInt(read[i]) : read[i];
  return new Uint8Array(out.buffer);
}
