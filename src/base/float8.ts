/**
 * The float8 formats in JavaScript: decoding by a table, encoding by rounding.
 *
 * Rounding is PyTorch's: to float32, then to nearest, ties to even. float8_e4m3fn has no infinities: what is too large
 * becomes ±448. float8_e5m2 is the upper half of a float16, with infinities.
 *
 * @module
 */

import type { DType } from "./dtype.ts";

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * The constants of a format, in terms of a float32's bits: where its mantissa ends, the difference of the exponents'
 * biases, and the limits of its ranges.
 */
interface Format {
  readonly shift: number;
  /** What is subtracted from a float32's bits to change the exponent's bias. */
  readonly rebias: number;
  /** Bits, as a float32, of the smallest normal value. */
  readonly leastNormal: number;
  /**
   * A power of two whose unit in the last place is the smallest subnormal value: adding it rounds to a multiple of that
   * value.
   */
  readonly aligner: number;
  /** Bits, as a float32, of the value that larger magnitudes become. */
  readonly most: number;
  readonly nan: number;
}

const E4M3FN: Format = {
  ...{ shift: 20, rebias: 0x3c000000, leastNormal: 0x3c800000 },
  ...{ aligner: 2 ** 14, most: 0x43e00000, nan: 0x7f },
};
const E5M2: Format = {
  ...{ shift: 21, rebias: 0x38000000, leastNormal: 0x38800000 },
  ...{ aligner: 2 ** 7, most: 0x47800000, nan: 0x7f },
};

function formatOf(dtype: DType): Format {
  return dtype.name === "float8_e4m3fn" ? E4M3FN : E5M2;
}

/** The byte of a number in a float8 format. */
export function toFloat8(value: number, dtype: DType): number {
  const { shift, rebias, leastNormal, aligner, most, nan } = formatOf(dtype);
  float[0] = value;
  const sign = (bits[0] >>> 24) & 0x80;
  const magnitude = bits[0] & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | nan;
  if (magnitude < leastNormal) {
    float[0] = Math.abs(value);
    float[0] += aligner;
    const rounded = bits[0];
    float[0] = aligner;
    return sign | (rounded - bits[0]);
  }
  const held = Math.min(magnitude, most) - rebias;
  return sign | ((held + (1 << (shift - 1)) - 1 + ((held >>> shift) & 1)) >>> shift);
}

function valueOf(byte: number, e4m3: boolean): number {
  const sign = byte & 0x80 ? -1 : 1, width = e4m3 ? 3 : 2, bias = e4m3 ? 7 : 15;
  const exponent = (byte & 0x7f) >> width, mantissa = byte & ((1 << width) - 1);
  if (e4m3 && (byte & 0x7f) === 0x7f) return NaN;
  if (!e4m3 && exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  const unit = 2 ** -width;
  return sign * (exponent === 0 ? mantissa * unit * 2 ** (1 - bias) : (1 + mantissa * unit) * 2 ** (exponent - bias));
}

const E4M3FN_VALUES = Float32Array.from({ length: 256 }, (_, byte) => valueOf(byte, true));
const E5M2_VALUES = Float32Array.from({ length: 256 }, (_, byte) => valueOf(byte, false));

/** The values of bytes in a float8 format. */
export function fromFloat8(bytes: Uint8Array, dtype: DType): Float32Array<ArrayBuffer> {
  const table = dtype.name === "float8_e4m3fn" ? E4M3FN_VALUES : E5M2_VALUES;
  const out = new Float32Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = table[bytes[i]];
  return out;
}
