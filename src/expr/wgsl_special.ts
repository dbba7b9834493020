/**
 * The special functions of printed WGSL: erf and its family, gamma and its family, in float32.
 *
 * Part of {@linkcode ./wgsl_prelude.ts}, whose functions these use.
 *
 * @module
 */

import { EULER_MACLAURIN } from "./reference.ts";
import { literal, polynomial } from "./wgsl_text.ts";

/** Helper functions by name; each may use others. */
export const WGSL_SPECIAL: Readonly<Record<string, string>> = {
  // x P(x²)/Q(x²), minimax in the relative error up to 3.9, beyond which the result is 1: fewer operations than any form
  // with an exponential.
  crErf: `fn crErf(x: f32) -> f32 {
  let t = clamp(x, -3.9, 3.9);
  let s = t * t;
  let p = ${
    polynomial("s", [
      2.0704114008243447e-6,
      2.8456424649860685e-4,
      3.7165753197257122e-3,
      5.260180873958161e-2,
      0.18916036327886512,
      1.1283791670955126,
    ])
  };
  let q = ${
    polynomial("s", [
      3.8284434124939706e-5,
      1.1520602443128043e-3,
      1.4871046906988233e-2,
      0.11361009719059033,
      0.5009719768137878,
      1.0,
    ])
  };
  return select(clamp(t * p / q, -1.0, 1.0), x, crIsNan(x));
}`,
  crErfc: `fn crErfc(x: f32) -> f32 {
  if (crIsNan(x)) { return x; }
  let a = abs(x);
  if (a < 0.84375) {
    let z = x * x;
    if (x < 0.25) { return 1.0 - (x + x * crErfRatio(z)); }
    return 0.5 - ((x - 0.5) + x * crErfRatio(z));
  }
  if (a < 1.25) {
    let m = crErfMiddle(a - 1.0);
    return select(${literal(1 - 8.4506291151e-1)} - m, 1.0 + (8.4506291151e-1f + m), x < 0.0);
  }
  var tail = 0.0;
  if (a < 11.0) { tail = crErfcTail(a); }
  return select(tail, 2.0 - tail, x < 0.0);
}`,
  crErfRatio: `fn crErfRatio(z: f32) -> f32 {
  let r = ${polynomial("z", [-2.3763017452e-5, -5.7702702470e-3, -2.8481749818e-2, -3.2504209876e-1, 1.2837916613e-1])};
  let s = ${
    polynomial("z", [
      -3.9602282413e-6,
      1.3249473704e-4,
      5.0813062117e-3,
      6.5022252500e-2,
      3.9791721106e-1,
      1,
    ])
  };
  return r / s;
}`,
  crErfMiddle: `fn crErfMiddle(s: f32) -> f32 {
  let p = ${
    polynomial("s", [
      -2.1663755178e-3,
      3.5478305072e-2,
      -1.1089469492e-1,
      3.1834661961e-1,
      -3.7220788002e-1,
      4.1485610604e-1,
      -2.3621185683e-3,
    ])
  };
  let q = ${
    polynomial("s", [
      1.1984500103e-2,
      1.3637083583e-2,
      1.2617121637e-1,
      7.1828655899e-2,
      5.4039794207e-1,
      1.0642088205e-1,
      1,
    ])
  };
  return p / q;
}`,
  crErfcTail: `fn crErfcTail(a: f32) -> f32 {
  let s = 1.0 / (a * a);
  var r = 0.0;
  var q = 0.0;
  if (a < ${literal(1 / 0.35)}) {
    r = ${
    polynomial("s", [
      -9.8143291473e0,
      -8.1287437439e1,
      -1.8460508728e2,
      -1.6239666748e2,
      -6.2375331879e1,
      -1.0558626175e1,
      -6.9385856390e-1,
      -9.8649440333e-3,
    ])
  };
    q = ${
    polynomial("s", [
      -6.0424413532e-2,
      6.5702495575e0,
      1.0863500214e2,
      4.2900814819e2,
      6.4538726807e2,
      4.3456588745e2,
      1.3765776062e2,
      1.9651271820e1,
      1,
    ])
  };
  } else {
    r = ${
    polynomial("s", [
      -4.8351919556e2,
      -1.0250950928e3,
      -6.3756646729e2,
      -1.6063638306e2,
      -1.7757955551e1,
      -7.9928326607e-1,
      -9.8649431020e-3,
    ])
  };
    q = ${
    polynomial("s", [
      -2.2440952301e1,
      4.7452853394e2,
      2.5530502930e3,
      3.1998581543e3,
      1.5367296143e3,
      3.2579251099e2,
      3.0338060379e1,
      1,
    ])
  };
  }
  // e^(-a²) with a split, so that the square is exact.
  let high = bitcast<f32>(bitcast<u32>(a) & 0xffffe000u);
  return crExp(-high * high - 0.5625) * crExp((high - a) * (high + a) + r / q) / a;
}`,
  crErfinv: `fn crErfinv(x: f32) -> f32 {
  if (abs(x) > 1.0 || crIsNan(x)) { return crNaN(); }
  if (abs(x) == 1.0) { return crCopysign(crInf(), x); }
  var w = -crLog((1.0 - x) * (1.0 + x));
  if (w < 5.0) {
    w -= 2.5;
    return x * (${
    polynomial("w", [
      2.81022636e-8,
      3.43273939e-7,
      -3.5233877e-6,
      -4.39150654e-6,
      2.1858087e-4,
      -1.25372503e-3,
      -4.17768164e-3,
      2.46640727e-1,
      1.50140941,
    ])
  });
  }
  w = sqrt(w) - 3.0;
  return x * (${
    polynomial("w", [
      -2.00214257e-4,
      1.00950558e-4,
      1.34934322e-3,
      -3.67342844e-3,
      5.73950773e-3,
      -7.6224613e-3,
      9.43887047e-3,
      1.00167406,
      2.83297682,
    ])
  });
}`,
  crLgamma: `fn crLgamma(x: f32) -> f32 {
  if (crIsNan(x)) { return x; }
  if (crIsInf(x) || (x <= 0.0 && floor(x) == x)) { return crInf(); }
  var y = x;
  var start = 0.0;
  var sign = 1.0;
  if (x < 0.5) {
    start = crLog(${literal(Math.PI)} / abs(crSinPi(x)));
    y = 1.0 - x;
    sign = -1.0;
  }
  var shift = 1.0;
  for (var i = 0; i < 8 && y < 8.0; i++) {
    shift *= y;
    y += 1.0;
  }
  let r = 1.0 / (y * y);
  let series = (${polynomial("r", [1 / 1260, -1 / 360, 1 / 12])}) / y;
  let value = (y - 0.5) * crLog(y) - y + ${literal(Math.log(2 * Math.PI) / 2)} + series - crLog(shift);
  return start + sign * value;
}`,
  crSinPi: `fn crSinPi(x: f32) -> f32 {
  let n = round(x);
  let s = crSin(${literal(Math.PI)} * (x - n));
  return select(s, -s, floor(n * 0.5) != n * 0.5);
}`,
  crDigamma: `fn crDigamma(x: f32) -> f32 {
  if (x == 0.0) { return crCopysign(crInf(), -x); }
  if (crIsNan(x)) { return x; }
  var y = x;
  var result = 0.0;
  if (x < 0.0) {
    if (floor(x) == x) { return crNaN(); }
    result = -${literal(Math.PI)} / crTan(${literal(Math.PI)} * (x - round(x)));
    y = 1.0 - x;
  }
  var sum = 0.0;
  for (var i = 0; i < 8 && y < 8.0; i++) {
    sum += 1.0 / y;
    y += 1.0;
  }
  let r = 1.0 / (y * y);
  let series = r * (${polynomial("r", [1 / 252, -1 / 120, 1 / 12])});
  return result + (crLog(y) - 0.5 / y - series - sum);
}`,
  crTrigamma: `fn crTrigamma(x: f32) -> f32 {
  var y = x;
  var start = 0.0;
  var sign = 1.0;
  if (x < 0.5) {
    let s = crSinPi(x);
    start = ${literal(Math.PI ** 2)} / (s * s);
    y = 1.0 - x;
    sign = -1.0;
  }
  var sum = 0.0;
  for (var i = 0; i < 8 && y < 8.0; i++) {
    sum += 1.0 / (y * y);
    y += 1.0;
  }
  let r = 1.0 / (y * y);
  let series = ${polynomial("r", [1 / 42, -1 / 30, 1 / 6])};
  return start + sign * (sum + (1.0 + 0.5 / y + r * series) / y);
}`,
  crZeta: `fn crZeta(s: f32, q: f32) -> f32 {
  if (crIsNan(s) || crIsNan(q)) { return crNaN(); }
  if (s == 1.0) { return crInf(); }
  if (s < 1.0) { return crNaN(); }
  if (q <= 0.0) {
    if (floor(q) == q) { return crInf(); }
    if (floor(s) != s) { return crNaN(); }
  }
  var denominators = array<f32, 6>(${EULER_MACLAURIN.slice(0, 6).map(literal).join(", ")});
  var sum = 0.0;
  var a = q;
  for (var i = 0; i < 1024 && (i < 8 || a < 8.0); i++) {
    sum += crPow(a, -s);
    a += 1.0;
  }
  sum += crPow(a, 1.0 - s) / (s - 1.0) + 0.5 * crPow(a, -s);
  var term = s * crPow(a, -s - 1.0);
  for (var k = 0; k < 6; k++) {
    sum += term / denominators[k];
    term *= (s + f32(2 * k + 1)) * (s + f32(2 * k + 2)) / (a * a);
  }
  return sum;
}`,
};
