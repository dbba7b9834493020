/**
 * The one comparison of numbers in the tests: where two flat arrays differ by more than a tolerance, it names the
 * first index, both values, the error, the tolerance and how many elements differ. NaN equals NaN; infinities are
 * compared exactly.
 *
 * @module
 */

/** Numbers as a tensor's `data()` or a golden file gives them. */
export type Numbers = ArrayLike<number> | ArrayLike<bigint>;

/** What {@linkcode firstDifference} allows: `|a - b| <= atol + rtol * |b|`. */
export interface Closeness {
  /** Fraction of the expected value. */
  rtol: number;
  /** Absolute part. */
  atol: number;
}

/** The position of the flat index `i` in `shape`, as `[1, 2]`. */
export function position(i: number, shape: readonly number[]): string {
  const at: number[] = [];
  for (let d = shape.length - 1; d >= 0; d--) {
    at.unshift(i % shape[d]);
    i = Math.floor(i / shape[d]);
  }
  return `[${at.join(", ")}]`;
}

/** Whether one pair of numbers agrees. */
function agrees(a: number, b: number, { rtol, atol }: Closeness): boolean {
  if (Number.isNaN(b)) return Number.isNaN(a);
  if (!Number.isFinite(b)) return a === b;
  return Math.abs(a - b) <= atol + rtol * Math.abs(b);
}

/** Describes the first difference between `actual` and `expected`, or gives `null`. */
export function firstDifference(
  actual: Numbers,
  expected: Numbers,
  shape: readonly number[],
  tolerance: Closeness,
): string | null {
  if (actual.length !== expected.length) return `${actual.length} elements, expected ${expected.length}`;
  let first = -1;
  let count = 0;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i];
    const b = expected[i];
    // Integers above 2^53 are equal or not: a conversion to number could hide a difference.
    const same = typeof a === "bigint" && typeof b === "bigint" ? a === b : agrees(Number(a), Number(b), tolerance);
    if (same) continue;
    if (first < 0) first = i;
    count++;
    const error = Math.abs(Number(a) - Number(b));
    if (!(error <= worst)) worst = error;
  }
  if (first < 0) return null;
  const error = Math.abs(Number(actual[first]) - Number(expected[first]));
  return `at ${position(first, shape)}: ${actual[first]}, expected ${expected[first]} (error ${
    error.toPrecision(3)
  }, ` +
    `rtol ${tolerance.rtol.toPrecision(2)}, atol ${tolerance.atol.toPrecision(2)}); ` +
    `${count} of ${expected.length} differ, worst ${worst.toPrecision(3)}`;
}

/** As {@linkcode firstDifference} for interleaved complex pairs, measuring the modulus of the difference. */
export function firstComplexDifference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  shape: readonly number[],
  tolerance: Closeness,
): string | null {
  if (actual.length !== expected.length) return `${actual.length / 2} elements, expected ${expected.length / 2}`;
  for (let i = 0; i < expected.length; i += 2) {
    const [ar, ai, br, bi] = [actual[i], actual[i + 1], expected[i], expected[i + 1]];
    const error = Math.hypot(ar - br, ai - bi);
    const limit = tolerance.atol + tolerance.rtol * Math.hypot(br, bi);
    const finite = Number.isFinite(br) && Number.isFinite(bi);
    const same = finite ? error <= limit : agrees(ar, br, tolerance) && agrees(ai, bi, tolerance);
    if (!same) {
      return `at ${position(i / 2, shape)}: ${ar}+${ai}i, expected ${br}+${bi}i (error ${error.toPrecision(3)}, ` +
        `limit ${limit.toPrecision(3)})`;
    }
  }
  return null;
}

/** The value of IEEE half-precision bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

/** The value of bfloat16 bits: the upper half of a float32. */
export function bfloat16ToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** The bits of the bfloat16 that is nearest to a number, ties to even. */
export function numberToBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Values of `dtype` held as raw bits (float16, bfloat16) become numbers; everything else passes through. */
export function widen(data: Numbers, dtype: string): Numbers {
  if (!(data instanceof Uint16Array)) return data;
  if (dtype === "float16") return Float64Array.from(data, halfToNumber);
  if (dtype === "bfloat16") return Float64Array.from(data, bfloat16ToNumber);
  return data;
}
