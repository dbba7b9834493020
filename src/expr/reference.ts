/**
 * Reference evaluation of what JavaScript's `Math` lacks, in float64.
 *
 * These fold constants and are what every target is tested against. They are written for clarity and accuracy (about
 * 1e-14 relative), not for speed: series and continued fractions instead of fitted polynomials.
 *
 * @module
 */

/** Half to even, as IEEE and PyTorch round. */
export function roundHalfEven(x: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x;
  const low = Math.floor(x);
  const rest = x - low;
  const rounded = rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

/** `x` with the sign of `y`, zeros' signs included. */
export function copysign(x: number, y: number): number {
  const negative = y < 0 || Object.is(y, -0);
  return negative ? -Math.abs(x) : Math.abs(x);
}

/** Remainder with the divisor's sign, as in Python. */
export function remainder(a: number, b: number): number {
  const r = a % b;
  return r !== 0 && (b < 0) !== (r < 0) ? r + b : r;
}

/** Floor of the quotient computed from the exact remainder, as Python and PyTorch do. */
export function floorDivide(a: number, b: number): number {
  if (b === 0) return a / b;
  const mod = a % b;
  let quotient = (a - mod) / b;
  if (mod !== 0 && (b < 0) !== (mod < 0)) quotient -= 1;
  if (quotient === 0) return copysign(0, a / b);
  const low = Math.floor(quotient);
  return quotient - low > 0.5 ? low + 1 : low;
}

const words = new DataView(new ArrayBuffer(8));

/** The next representable number from `a` towards `b`, in float32 or float64. */
export function nextafter(a: number, b: number, single: boolean): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return NaN;
  if (a === b) return b;
  const bits = single ? 32 : 64;
  const read = (): number => single ? words.getFloat32(0) : words.getFloat64(0);
  const write = (n: bigint): void => single ? words.setUint32(0, Number(n)) : words.setBigUint64(0, n);
  if (a === 0) {
    write(1n | (b < 0 ? 1n << BigInt(bits - 1) : 0n));
    return read();
  }
  if (single) words.setFloat32(0, a);
  else words.setFloat64(0, a);
  const own = single ? BigInt(words.getUint32(0)) : words.getBigUint64(0);
  write((b > a) === (a > 0) ? own + 1n : own - 1n);
  return read();
}

/** sin(pi x), exact at integers. */
function sinPi(x: number): number {
  const r = Math.abs(x) % 2;
  const folded = r > 1.5 ? r - 2 : r > 0.5 ? 1 - r : r;
  return Math.sign(x) * Math.sin(Math.PI * folded);
}

/** cos(pi x), exact at half-integers. */
function cosPi(x: number): number {
  return sinPi(x + 0.5 - 2 * Math.floor(x / 2));
}

/** exp(-x^2) with the square split, so that its rounding is not magnified. */
function expMinusSquare(x: number): number {
  const high = Math.round(x * 1024) / 1024;
  const low = x - high;
  return Math.exp(-high * high) * Math.exp(-low * (x + high));
}

/** The error function: 2/sqrt(pi) e^(-x²) Σ 2^n x^(2n+1) / (2n+1)!!, whose terms all have one sign. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) > 2.5) return Math.sign(x) * (1 - erfc(Math.abs(x)));
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * expMinusSquare(x) * sum;
}

/** 1 - erf(x), by a continued fraction where the difference would cancel. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < 1.5) return 1 - erf(x);
  if (x > 28) return 0;
  let fraction = x;
  for (let k = 200; k >= 1; k--) fraction = x + k / 2 / fraction;
  return expMinusSquare(x) / Math.sqrt(Math.PI) / fraction;
}

/** The inverse of erf: a starting value from the tail's logarithm, then Halley's iteration. */
export function erfinv(y: number): number {
  if (Number.isNaN(y) || Math.abs(y) > 1) return NaN;
  if (Math.abs(y) === 1) return y * Infinity;
  if (y === 0) return y;
  // Winitzki's approximation.
  const a = (8 * (Math.PI - 3)) / (3 * Math.PI * (4 - Math.PI));
  const log = Math.log1p(-y * y);
  const t = 2 / (Math.PI * a) + log / 2;
  let x = Math.sign(y) * Math.sqrt(Math.sqrt(t * t - log / a) - t);
  for (let i = 0; i < 4; i++) {
    const error = Math.abs(y) > 0.5 ? Math.sign(y) * (1 - Math.abs(y) - erfc(Math.abs(x))) : erf(x) - y;
    const step = error / ((2 / Math.sqrt(Math.PI)) * expMinusSquare(x));
    x -= step / (1 + x * step);
  }
  return x;
}

/** log |gamma(x)|: Stirling's series after shifting, reflection below 0. */
export function lgamma(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (!Number.isFinite(x)) return Infinity;
  if (x <= 0 && Number.isInteger(x)) return Infinity;
  if (x < 0) return Math.log(Math.PI / Math.abs(sinPi(x))) - lgamma(1 - x);
  // Absolute accuracy near the zeros at 1 and 2: the shifts are multiplied, so that one logarithm is subtracted.
  let shift = 1;
  while (x < 12) shift *= x++;
  const r = 1 / (x * x);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - (r * 691) / 360360))))) / x;
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series - Math.log(shift);
}

/** The derivative of log gamma. */
export function digamma(x: number): number {
  if (x === 0) return Object.is(x, -0) ? Infinity : -Infinity;
  if (Number.isNaN(x) || x === -Infinity || (x < 0 && Number.isInteger(x))) return NaN;
  if (x < 0) return digamma(1 - x) - (Math.PI * cosPi(x)) / sinPi(x);
  let sum = 0;
  while (x < 12) sum -= 1 / x++;
  const r = 1 / (x * x);
  const series = r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - (r * 691) / 32760)))));
  return sum + Math.log(x) - 0.5 / x - series;
}

/** The derivative of digamma. */
export function trigamma(x: number): number {
  if (Number.isNaN(x) || x === -Infinity) return NaN;
  if (x < 0.5) return (Math.PI / sinPi(x)) ** 2 - trigamma(1 - x);
  let sum = 0;
  while (x < 12) sum += 1 / x ** 2, x++;
  const r = 1 / (x * x);
  const series = 1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * (5 / 66 - (r * 691) / 2730))));
  return sum + (1 + 0.5 / x + r * series) / x;
}

/** (2k)! / B(2k) for k = 1, 2, …: the denominators of Euler and Maclaurin's formula. */
export const EULER_MACLAURIN: readonly number[] = [
  12,
  -720,
  30240,
  -1209600,
  47900160,
  -1307674368000 / 691,
  74724249600,
  -10670622842880000 / 3617,
  5109094217170944000 / 43867,
  -802857662698291200000 / 174611,
];

/** Hurwitz's zeta function Σ (q + n)^-s, by Euler and Maclaurin's formula. */
export function zeta(s: number, q: number): number {
  if (Number.isNaN(s) || Number.isNaN(q)) return NaN;
  if (s === 1) return Infinity;
  if (s < 1) return NaN;
  if (q <= 0) {
    if (Number.isInteger(q)) return Infinity;
    if (!Number.isInteger(s)) return NaN;
  }
  let sum = 0;
  let a = q;
  for (let i = 0; i < 12 || a < 12; i++, a++) sum += a ** -s;
  sum += a ** (1 - s) / (s - 1) + 0.5 * a ** -s;
  let term = s * a ** (-s - 1);
  for (let k = 0; k < EULER_MACLAURIN.length; k++) {
    sum += term / EULER_MACLAURIN[k];
    term *= ((s + 2 * k + 1) * (s + 2 * k + 2)) / (a * a);
  }
  return sum;
}

/** The greatest common divisor, never negative but for its wrap at -2^63. */
export function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

/** Quotient rounded down; 0 where the divisor is 0, which ops check before. */
export function floorDivideInt(a: bigint, b: bigint): bigint {
  if (b === 0n) return 0n;
  const q = a / b;
  return a % b !== 0n && (a < 0n) !== (b < 0n) ? q - 1n : q;
}

/** Remainder with the divisor's sign; 0 where the divisor is 0. */
export function remainderInt(a: bigint, b: bigint): bigint {
  if (b === 0n) return 0n;
  const r = a % b;
  return r !== 0n && (r < 0n) !== (b < 0n) ? r + b : r;
}

/** Integer power modulo 2^64; a negative exponent gives the truncated reciprocal, 0 for base 0, as in PyTorch. */
export function powInt(a: bigint, b: bigint): bigint {
  if (b < 0n) return a === 1n ? 1n : a === -1n ? (b % 2n === 0n ? 1n : -1n) : 0n;
  let result = 1n;
  for (let base = a, n = b; n > 0n; n >>= 1n) {
    if (n & 1n) result = BigInt.asIntN(64, result * base);
    base = BigInt.asIntN(64, base * base);
  }
  return result;
}
