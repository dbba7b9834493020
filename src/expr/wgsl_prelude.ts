/**
 * Helper functions of printed WGSL: float32 math of known accuracy, and what WGSL lacks.
 *
 * WGSL allows its own `exp`, `log`, `sin`, `pow`, … large errors and lets a driver assume that NaN and infinity do not
 * exist, so the functions here are built from additions, multiplications and bit operations: coefficients of Cephes
 * (S. Moshier, single precision) and FreeBSD's msun (erf), M. Giles' erfinv, and N. Juffa's argument reduction. NaN is
 * told by its bits. Loops are short: a software driver stops loops of 65,536 trips silently.
 *
 * @module
 */

import { literal, polynomial } from "./wgsl_text.ts";
import { WGSL_SPECIAL } from "./wgsl_special.ts";

const LN2_HIGH = 0.693359375;
const LN2_LOW = Math.LN2 - LN2_HIGH;

const basics: Record<string, string> = {
  // Through a variable, since a constant expression may not be infinite or NaN.
  crInf: `var<private> cr_inf_bits: u32 = 0x7f800000u;
fn crInf() -> f32 { return bitcast<f32>(cr_inf_bits); }`,
  crNaN: `var<private> cr_nan_bits: u32 = 0x7fc00000u;
fn crNaN() -> f32 { return bitcast<f32>(cr_nan_bits); }`,
  crIsNan: `fn crIsNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }`,
  crIsInf: `fn crIsInf(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u; }`,
  crIsFinite: `fn crIsFinite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u; }`,
  crCopysign: `fn crCopysign(x: f32, y: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | (bitcast<u32>(y) & 0x80000000u));
}`,
  crMin: `fn crMin(a: f32, b: f32) -> f32 { return select(b, a, a < b || crIsNan(a)); }`,
  crMax: `fn crMax(a: f32, b: f32) -> f32 { return select(b, a, a > b || crIsNan(a)); }`,
  crFmin: `fn crFmin(a: f32, b: f32) -> f32 { return select(b, a, a < b || crIsNan(b)); }`,
  crFmax: `fn crFmax(a: f32, b: f32) -> f32 { return select(b, a, a > b || crIsNan(b)); }`,
  crFmod: `fn crFmod(a: f32, b: f32) -> f32 {
  if (!crIsFinite(a) || crIsNan(b) || b == 0.0) { return crNaN(); }
  let y = abs(b);
  var x = abs(a);
  if (x < y || crIsInf(b)) { return a; }
  // Long division: the remainder stays exact, 22 bits of quotient a step.
  for (var i = 0; i < 16 && x >= y; i++) {
    let e = max(crExponent(x) - crExponent(y) - 22, 0);
    let scaled = crScale(y, e);
    x = crReduce(x, scaled);
  }
  return crCopysign(x, a);
}`,
  crExponent: `fn crExponent(x: f32) -> i32 { return i32((bitcast<u32>(x) >> 23u) & 0xffu); }`,
  crReduce: `fn crReduce(x: f32, y: f32) -> f32 {
  let q = trunc(x / y);
  let p = crTwoProduct(q, y);
  var r = (x - p.x) - p.y;
  if (r < 0.0) { r += y; }
  if (r >= y) { r -= y; }
  return r;
}`,
  // a·b as a rounded product and its error, by splitting: fma may not be fused.
  crTwoProduct: `fn crTwoProduct(a: f32, b: f32) -> vec2<f32> {
  let p = a * b;
  let ah = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
  let bh = bitcast<f32>(bitcast<u32>(b) & 0xfffff000u);
  let al = a - ah;
  let bl = b - bh;
  return vec2<f32>(p, ((ah * bh - p) + ah * bl + al * bh) + al * bl);
}`,
  crRemainder: `fn crRemainder(a: f32, b: f32) -> f32 {
  let r = crFmod(a, b);
  return select(r, r + b, r != 0.0 && (b < 0.0) != (r < 0.0));
}`,
  crFloorDivide: `fn crFloorDivide(a: f32, b: f32) -> f32 {
  if (b == 0.0) { return a / b; }
  let m = crFmod(a, b);
  var q = (a - m) / b;
  if (m != 0.0 && (b < 0.0) != (m < 0.0)) { q -= 1.0; }
  if (q == 0.0) { return crCopysign(0.0, a / b); }
  let low = floor(q);
  return select(low, low + 1.0, q - low > 0.5);
}`,
  crTruncDivideInt: `fn crTruncDivideInt(a: i32, b: i32) -> i32 {
  if (b == 0) { return 0; }
  if (b == -1) { return -a; }
  return a / b;
}`,
  crFmodInt: `fn crFmodInt(a: i32, b: i32) -> i32 {
  if (b == 0 || b == -1) { return 0; }
  return a % b;
}`,
  crFloorDivideInt: `fn crFloorDivideInt(a: i32, b: i32) -> i32 {
  let r = crFmodInt(a, b);
  return crTruncDivideInt(a, b) - select(0, 1, r != 0 && (r < 0) != (b < 0));
}`,
  crRemainderInt: `fn crRemainderInt(a: i32, b: i32) -> i32 {
  let r = crFmodInt(a, b);
  return select(r, r + b, r != 0 && (r < 0) != (b < 0));
}`,
  crPowInt: `fn crPowInt(a: i32, b: i32) -> i32 {
  if (b < 0) { return select(select(0, select(1, -1, (b & 1) != 0), a == -1), 1, a == 1); }
  var result = 1;
  var base = a;
  for (var n = u32(b); n != 0u; n >>= 1u) {
    if ((n & 1u) != 0u) { result *= base; }
    base *= base;
  }
  return result;
}`,
  crGcd: `fn crGcd(x: i32, y: i32) -> i32 {
  var a = x;
  var b = y;
  while (b != 0) {
    let r = crFmodInt(a, b);
    a = b;
    b = r;
  }
  return abs(a);
}`,
  crMulHigh: `fn crMulHigh(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu;
  let ah = a >> 16u;
  let bl = b & 0xffffu;
  let bh = b >> 16u;
  let low = al * bl;
  let m1 = ah * bl + (low >> 16u);
  let m2 = al * bh + (m1 & 0xffffu);
  return ah * bh + (m1 >> 16u) + (m2 >> 16u);
}`,
  crPhilox: `fn crPhilox(counter: i32, key: i32, key_high: i32) -> i32 {
  var c = vec4<u32>(bitcast<u32>(counter) >> 2u, 0u, 0u, 0u);
  var k0 = bitcast<u32>(key);
  var k1 = bitcast<u32>(key_high);
  for (var round = 0; round < 10; round++) {
    c = vec4<u32>(
      crMulHigh(0xcd9e8d57u, c.z) ^ c.y ^ k0,
      0xcd9e8d57u * c.z,
      crMulHigh(0xd2511f53u, c.x) ^ c.w ^ k1,
      0xd2511f53u * c.x,
    );
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return bitcast<i32>(c[counter & 3]);
}`,
  crNextafter: `fn crNextafter(a: f32, b: f32) -> f32 {
  if (crIsNan(a) || crIsNan(b)) { return crNaN(); }
  if (a == b) { return b; }
  if (a == 0.0) { return bitcast<f32>(1u | select(0u, 0x80000000u, b < 0.0)); }
  let bits = bitcast<u32>(a);
  return bitcast<f32>(select(bits - 1u, bits + 1u, (b > a) == (a > 0.0)));
}`,
};

const exponentials: Record<string, string> = {
  // Twice, so that results near both ends of the range are reached without overflow between.
  crScale: `fn crScale(x: f32, n: i32) -> f32 {
  let first = clamp(n / 2, -126, 127);
  let second = clamp(n - first, -126, 127);
  return x * bitcast<f32>(u32(first + 127) << 23u) * bitcast<f32>(u32(second + 127) << 23u);
}`,
  /** (e^r - 1 - r) / r² for |r| ≤ ln 2 / 2. */
  crExpSeries: `fn crExpSeries(r: f32) -> f32 {
  return ${
    polynomial("r", [
      1.987569150e-4,
      1.3981999507e-3,
      8.3334519073e-3,
      4.1665795894e-2,
      1.6666665459e-1,
      5.0000001201e-1,
    ])
  };
}`,
  // Without branches, of which an adapter that runs several elements in step takes both sides.
  crExp: `fn crExp(x: f32) -> f32 {
  let y = clamp(x, -104.0, 89.0);
  let n = round(y * ${literal(Math.LOG2E)});
  let r = (y - n * ${literal(LN2_HIGH)}) - n * ${literal(LN2_LOW)};
  // Twice, so that results near both ends of the range are reached without overflow between.
  let first = i32(n) >> 1u;
  let scale = bitcast<f32>((first + 127) << 23u);
  let rest = bitcast<f32>((i32(n) - first + 127) << 23u);
  return select((r * r * crExpSeries(r) + r + 1.0) * scale * rest, x, crIsNan(x));
}`,
  crExp2: `fn crExp2(x: f32) -> f32 {
  if (crIsNan(x)) { return x; }
  if (x >= 128.0) { return crInf(); }
  if (x < -150.0) { return 0.0; }
  let n = round(x);
  let r = (x - n) * ${literal(Math.LN2)};
  return crScale(r * r * crExpSeries(r) + r + 1.0, i32(n));
}`,
  crExpm1: `fn crExpm1(x: f32) -> f32 {
  if (abs(x) < 0.3465) { return x * x * crExpSeries(x) + x; }
  return crExp(x) - 1.0;
}`,
  /** log(1 + f) - f for 1 + f between √½ and √2. */
  crLogSeries: `fn crLogSeries(f: f32) -> f32 {
  let z = f * f;
  let y = (${
    polynomial("f", [
      7.0376836292e-2,
      -1.1514610310e-1,
      1.1676998740e-1,
      -1.2420140846e-1,
      1.4249322787e-1,
      -1.6668057665e-1,
      2.0000714765e-1,
      -2.4999993993e-1,
      3.3333331174e-1,
    ])
  }) * f * z;
  return y - 0.5 * z;
}`,
  /** x = (1 + f) · 2^e as vec2(f, e), for x positive and finite. */
  crLogSplit: `fn crLogSplit(x: f32) -> vec2<f32> {
  let tiny = x < 1.17549435e-38;
  let y = select(x, x * 8388608.0, tiny);
  let bits = bitcast<u32>(y) - 0x3f3504f3u;
  let e = bitcast<i32>(bits) >> 23u;
  let m = bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u);
  return vec2<f32>(m - 1.0, f32(e) - select(0.0, 23.0, tiny));
}`,
  /** Whether log is an end of the line or NaN, and which. */
  crLogEnd: `fn crLogEnd(x: f32) -> f32 {
  if (x == 0.0) { return -crInf(); }
  return select(x, crNaN(), x < 0.0);
}`,
  crLog: `fn crLog(x: f32) -> f32 {
  if (!(x > 0.0) || !crIsFinite(x)) { return crLogEnd(x); }
  let s = crLogSplit(x);
  return s.x + (crLogSeries(s.x) + s.y * ${literal(LN2_LOW)}) + s.y * ${literal(LN2_HIGH)};
}`,
  crLog2: `fn crLog2(x: f32) -> f32 {
  if (!(x > 0.0) || !crIsFinite(x)) { return crLogEnd(x); }
  let s = crLogSplit(x);
  return (s.x + crLogSeries(s.x)) * ${literal(Math.LOG2E)} + s.y;
}`,
  crLog10: `fn crLog10(x: f32) -> f32 {
  if (!(x > 0.0) || !crIsFinite(x)) { return crLogEnd(x); }
  let s = crLogSplit(x);
  return (s.x + crLogSeries(s.x)) * ${literal(Math.LOG10E)} + s.y * ${literal(Math.log10(2))};
}`,
  crLog1p: `fn crLog1p(x: f32) -> f32 {
  if (x > -0.2928 && x < 0.4142) { return x + crLogSeries(x); }
  return crLog(1.0 + x);
}`,
  /** log₂ x as a sum of two floats, for crPow: twice the usual digits. */
  crLog2Pair: `fn crLog2Pair(x: f32) -> vec2<f32> {
  let split = crLogSplit(x);
  let f = split.x;
  // With s = f / (2 + f): log(1 + f) = 2s + 2s³/3 + …, and s itself in two parts.
  let g = 2.0 + f;
  let g_low = f - (g - 2.0);
  let s = f / g;
  let p = crTwoProduct(s, g);
  let s_low = (((f - p.x) - p.y) - s * g_low) / g;
  let z = s * s;
  let tail = 2.0 * (s_low + s * z * (${polynomial("z", [1 / 11, 1 / 9, 1 / 7, 1 / 5, 1 / 3])}));
  let high = crTwoProduct(2.0 * s, ${literal(Math.fround(Math.LOG2E))});
  let low = high.y + 2.0 * s * ${literal(Math.LOG2E - Math.fround(Math.LOG2E))} + tail * ${literal(Math.LOG2E)};
  let sum = split.y + high.x;
  let rest = select((split.y - sum) + high.x, (high.x - sum) + split.y, abs(split.y) < abs(high.x));
  return vec2<f32>(sum, rest + low);
}`,
  crPow: `fn crPow(a: f32, b: f32) -> f32 {
  if (b == 0.0 || a == 1.0) { return 1.0; }
  if (crIsNan(a) || crIsNan(b)) { return crNaN(); }
  let whole = crIsInf(b) || floor(b) == b;
  let odd = whole && abs(b) < 16777216.0 && floor(b * 0.5) != b * 0.5;
  let x = abs(a);
  if (crIsInf(b)) {
    if (x == 1.0) { return 1.0; }
    return select(0.0, crInf(), (x > 1.0) == (b > 0.0));
  }
  if (x == 0.0 || crIsInf(x)) {
    let size = select(0.0, crInf(), (x > 0.0) == (b > 0.0));
    return select(size, crCopysign(size, a), odd);
  }
  if (a < 0.0 && !whole) { return crNaN(); }
  let l = crLog2Pair(x);
  let p = crTwoProduct(b, l.x);
  var result = 0.0;
  if (p.x > 129.0) { result = crInf(); }
  else if (p.x > -151.0) {
    let n = round(p.x);
    let r = ((p.x - n) + (p.y + b * l.y)) * ${literal(Math.LN2)};
    result = crScale(r * r * crExpSeries(r) + r + 1.0, i32(n));
  }
  return select(result, -result, odd && a < 0.0);
}`,
  crHypot: `fn crHypot(a: f32, b: f32) -> f32 {
  if (crIsInf(a) || crIsInf(b)) { return crInf(); }
  if (crIsNan(a) || crIsNan(b)) { return crNaN(); }
  let big = max(abs(a), abs(b));
  let small = min(abs(a), abs(b));
  if (big == 0.0) { return 0.0; }
  let r = small / big;
  return big * sqrt(1.0 + r * r);
}`,
};

const TWO_OVER_PI = ["0u", "0x28be60dbu", "0x9391054au", "0x7f09d5f4u", "0x7d4d3770u", "0x36d8a566u", "0x4f10e410u"];

const circular: Record<string, string> = {
  /** The remainder of x by π/2 and the quadrant, x finite. */
  crTrigReduce: `fn crTrigReduce(x: f32) -> vec2<f32> {
  if (abs(x) < 8192.0) {
    let n = round(x * ${literal(2 / Math.PI)});
    return vec2<f32>(((x - n * 1.5703125f) - n * 4.837512969970703125e-4f) - n * 7.54978995489188216e-8f, n % 4.0);
  }
  return crTrigReduceLarge(x);
}`,
  crTrigReduceLarge: `fn crTrigReduceLarge(x: f32) -> vec2<f32> {
  var table = array<u32, ${TWO_OVER_PI.length}>(${TWO_OVER_PI.join(", ")});
  let bits = bitcast<u32>(x);
  let mantissa = (bits << 8u) | 0x80000000u;
  let e = ((bits >> 23u) & 0xffu) - 126u;
  let i = e >> 5u;
  let s = e & 31u;
  var high = table[i];
  var mid = table[i + 1u];
  var low = table[i + 2u];
  if (s != 0u) {
    high = (high << s) | (mid >> (32u - s));
    mid = (mid << s) | (low >> (32u - s));
    low = (low << s) | (table[min(i + 3u, ${TWO_OVER_PI.length - 1}u)] >> (32u - s));
  }
  // mantissa · 2/π in 2.62 fixed point.
  let carry = crMulHigh(mantissa, low);
  let middle = mantissa * mid;
  let p_low = middle + carry;
  var p_high = crMulHigh(mantissa, mid) + select(0u, 1u, p_low < middle) + mantissa * high;
  var q = p_high >> 30u;
  p_high &= 0x3fffffffu;
  var signed_high = bitcast<i32>(p_high);
  if ((p_high & 0x20000000u) != 0u) {
    signed_high -= 0x40000000;
    q += 1u;
  }
  let fraction = f32(signed_high) * 4294967296.0 + f32(p_low);
  let r = fraction * ${literal((Math.PI / 2) * 2 ** -62)};
  return select(vec2<f32>(r, f32(q & 3u)), vec2<f32>(-r, f32((4u - (q & 3u)) & 3u)), x < 0.0);
}`,
  crSinSeries: `fn crSinSeries(r: f32) -> f32 {
  let z = r * r;
  return (${polynomial("z", [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])}) * z * r + r;
}`,
  crCosSeries: `fn crCosSeries(r: f32) -> f32 {
  let z = r * r;
  return (${
    polynomial("z", [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2])
  }) * z * z - 0.5 * z + 1.0;
}`,
  crSin: `fn crSin(x: f32) -> f32 {
  if (!crIsFinite(x)) { return crNaN(); }
  let t = crTrigReduce(x);
  let q = i32(t.y) & 3;
  let y = select(crSinSeries(t.x), crCosSeries(t.x), (q & 1) != 0);
  return select(y, -y, q >= 2);
}`,
  crCos: `fn crCos(x: f32) -> f32 {
  if (!crIsFinite(x)) { return crNaN(); }
  let t = crTrigReduce(x);
  let q = (i32(t.y) + 1) & 3;
  let y = select(crSinSeries(t.x), crCosSeries(t.x), (q & 1) != 0);
  return select(y, -y, q >= 2);
}`,
  crTan: `fn crTan(x: f32) -> f32 {
  if (!crIsFinite(x)) { return crNaN(); }
  let t = crTrigReduce(x);
  let s = crSinSeries(t.x);
  let c = crCosSeries(t.x);
  return select(s / c, -c / s, (i32(t.y) & 1) != 0);
}`,
  crAsinSeries: `fn crAsinSeries(x: f32) -> f32 {
  let z = x * x;
  return (${
    polynomial("z", [4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1])
  }) * z * x + x;
}`,
  crAsin: `fn crAsin(x: f32) -> f32 {
  let a = abs(x);
  if (a <= 0.5) { return crAsinSeries(x); }
  if (a > 1.0 || crIsNan(x)) { return crNaN(); }
  return crCopysign(${literal(Math.PI / 2)} - 2.0 * crAsinSeries(sqrt(0.5 * (1.0 - a))), x);
}`,
  crAcos: `fn crAcos(x: f32) -> f32 {
  if (x > 0.5) { return 2.0 * crAsin(sqrt(0.5 * (1.0 - x))); }
  if (x < -0.5) { return ${literal(Math.PI)} - 2.0 * crAsin(sqrt(0.5 * (1.0 + x))); }
  return ${literal(Math.PI / 2)} - crAsin(x);
}`,
  crAtan: `fn crAtan(x: f32) -> f32 {
  if (crIsNan(x)) { return x; }
  var a = abs(x);
  var start = 0.0;
  if (a > ${literal(Math.tan((3 * Math.PI) / 8))}) {
    start = ${literal(Math.PI / 2)};
    a = -1.0 / a;
  } else if (a > ${literal(Math.tan(Math.PI / 8))}) {
    start = ${literal(Math.PI / 4)};
    a = (a - 1.0) / (a + 1.0);
  }
  let z = a * a;
  let y = start + (${
    polynomial("z", [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1])
  }) * z * a + a;
  return crCopysign(y, x);
}`,
  crAtan2: `fn crAtan2(y: f32, x: f32) -> f32 {
  if (crIsNan(x) || crIsNan(y)) { return crNaN(); }
  let left = (bitcast<u32>(x) & 0x80000000u) != 0u;
  let a = abs(y);
  let b = abs(x);
  var angle = 0.0;
  if (crIsInf(a) && crIsInf(b)) { angle = ${literal(Math.PI / 4)}; }
  else if (a > b) { angle = ${literal(Math.PI / 2)} - crAtan(b / a); }
  else if (a > 0.0) { angle = crAtan(a / b); }
  return crCopysign(select(angle, ${literal(Math.PI)} - angle, left), y);
}`,
  crSinh: `fn crSinh(x: f32) -> f32 {
  let a = abs(x);
  if (a < 1.0) {
    let z = x * x;
    return (${polynomial("z", [2.03721912945e-4, 8.33028376239e-3, 1.66667160211e-1])}) * z * x + x;
  }
  let e = crExp(0.5 * a);
  return crCopysign(0.5 * e * e - 0.5 / e / e, x);
}`,
  crCosh: `fn crCosh(x: f32) -> f32 {
  let e = crExp(0.5 * abs(x));
  return 0.5 * e * e + 0.5 / e / e;
}`,
  // x P(x²)/Q(x²), minimax in the relative error up to 8.2, near enough to where the result is 1.
  crTanh: `fn crTanh(x: f32) -> f32 {
  let t = clamp(x, -8.2, 8.2);
  let s = t * t;
  let p = ${
    polynomial("s", [1.4903305833773096e-8, 2.1683259002247542e-5, 3.559531798216442e-3, 0.1343454153466691, 1.0])
  };
  let q = ${
    polynomial("s", [8.396453258472021e-7, 3.391054948537339e-4, 2.6119190912805044e-2, 0.4676786979017709, 1.0])
  };
  if (abs(x) > 9.02) { return sign(x); }
  return select(clamp(t * p / q, -1.0, 1.0), x, crIsNan(x));
}`,
  crAsinh: `fn crAsinh(x: f32) -> f32 {
  let a = abs(x);
  if (a > 1e9) { return crCopysign(crLog(a) + ${literal(Math.LN2)}, x); }
  let z = a * a;
  return crCopysign(crLog1p(a + z / (1.0 + sqrt(1.0 + z))), x);
}`,
  crAcosh: `fn crAcosh(x: f32) -> f32 {
  if (x < 1.0) { return crNaN(); }
  if (x > 1e9) { return crLog(x) + ${literal(Math.LN2)}; }
  let t = x - 1.0;
  return crLog1p(t + sqrt(2.0 * t + t * t));
}`,
  crAtanh: `fn crAtanh(x: f32) -> f32 {
  let a = abs(x);
  return crCopysign(0.5 * crLog1p(2.0 * a / (1.0 - a)), x);
}`,
};

/** Helper functions by name; each may use others. */
export const WGSL_HELPERS: Readonly<Record<string, string>> = {
  ...basics,
  ...exponentials,
  ...circular,
  ...WGSL_SPECIAL,
};
