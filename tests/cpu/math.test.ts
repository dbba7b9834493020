/**
 * Accuracy of the elementary and special functions: float32 within 2 ulp over all exponents, float64 against mpmath.
 */

import { assert, fail } from "@std/assert";
import { float32, float64 } from "../../src/base/dtype.ts";
import type { CpuBackend } from "../../src/backend/cpu/mod.ts";
import type { Expr } from "../../src/expr/expr.ts";
import { Program } from "../../src/expr/program.ts";
import { input } from "../../src/expr/expr.ts";
import { empty, programOf, putBytes, release, testEach, ulp32, ulp64 } from "./support.ts";
import special from "../golden/special.json" with { type: "json" };

const COUNT = 1 << 17;

/** Floats of every sign and exponent, the mantissas spread, with the special values. */
function samples(): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(COUNT);
  // An odd step visits residues evenly, so every exponent gets the same number of samples.
  for (let i = 0; i < COUNT; i++) bits[i] = Math.imul(i, 32771) >>> 0;
  const x = new Float32Array(bits.buffer);
  x.set([0, -0, 1, -1, Infinity, -Infinity, NaN, 0.5, 2 ** -149, -(2 ** -149), 2 ** -126, 3.4028234663852886e38]);
  return x;
}

type Name = keyof Expr & string;
type Method = (this: Expr, other?: Expr) => Expr;

function unary(backend: CpuBackend, name: Name, x: Float32Array<ArrayBuffer>): Float32Array {
  const program = programOf([float32], float32, ([e]) => (e[name] as unknown as Method).call(e));
  const a = putBytes(backend, new Uint8Array(x.buffer), float32, [x.length]);
  const out = empty(backend, [x.length], float32);
  backend.pointwise(program, [x.length], [a], [], [out]);
  const y = new Float32Array(backend.readSync(out).buffer);
  release(backend, a, out);
  return y;
}

function unary64(backend: CpuBackend, name: Name, x: Float64Array<ArrayBuffer>): Float64Array {
  const program = programOf([float64], float64, ([e]) => (e[name] as unknown as Method).call(e));
  const a = putBytes(backend, new Uint8Array(x.buffer), float64, [x.length]);
  const out = empty(backend, [x.length], float64);
  backend.pointwise(program, [x.length], [a], [], [out]);
  const y = new Float64Array(backend.readSync(out).buffer);
  release(backend, a, out);
  return y;
}

/** JavaScript's own functions, where it has them; the others are compared with our float64, which mpmath checks. */
const REFERENCE: Record<string, (x: number) => number> = {
  ...{ exp: Math.exp, expm1: Math.expm1, log: Math.log, log2: Math.log2, log10: Math.log10, log1p: Math.log1p },
  ...{ sin: Math.sin, cos: Math.cos, tan: Math.tan, asin: Math.asin, acos: Math.acos, atan: Math.atan },
  ...{ sinh: Math.sinh, cosh: Math.cosh, tanh: Math.tanh, asinh: Math.asinh, acosh: Math.acosh, atanh: Math.atanh },
  exp2: (x) => 2 ** x,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
};
const BY_FLOAT64: Name[] = ["sigmoid", "erf", "erfc", "erfinv", "lgamma", "digamma", "trigamma"];

/** Rational functions near their limit, where a unit is half as large as the one above. */
const WIDER: Record<string, number> = { erf: 6, tanh: 6 };

testEach("float32 functions are within 2 ulp over the whole range", (backend) => {
  const x = samples();
  const wide = Float64Array.from(x);
  for (const name of [...Object.keys(REFERENCE), ...BY_FLOAT64] as Name[]) {
    const y = unary(backend, name, x);
    const exact = name in REFERENCE ? null : unary64(backend, name, wide), limit = WIDER[name] ?? 2;
    for (let i = 0; i < x.length; i++) {
      const want = exact ? exact[i] : REFERENCE[name](x[i]);
      const error = ulp32(y[i], want);
      // Not assert(): its message would be written for each of millions of values.
      if (!(error <= limit)) fail(`${name}(${x[i]}) = ${y[i]}, expected ${want}: ${error} ulp`);
    }
  }
});

testEach("float32 pow is within 2 ulp and has C's special cases", (backend) => {
  const bases = samples().subarray(0, 4096);
  const exponents = [0, 1, 2, 3, -1, 0.5, -0.5, 7.25, 1e-3, -33.3, Infinity, -Infinity, NaN, 1e10, 16777217];
  const program = programOf([float32, float32], float32, ([a, b]) => a.pow(b));
  for (const p of exponents) {
    const exponent = Math.fround(p);
    const a = putBytes(backend, new Uint8Array(bases.slice().buffer), float32, [bases.length]);
    const b = putBytes(backend, new Uint8Array(Float32Array.of(exponent).buffer), float32, [1]);
    const out = empty(backend, [bases.length], float32);
    backend.pointwise(program, [bases.length], [a, b], [], [out]);
    const y = new Float32Array(backend.readSync(out).buffer);
    bases.forEach((x, i) => {
      const one = x === 1 || (x === -1 && Math.abs(exponent) === Infinity);
      const want = one ? 1 : x ** exponent;
      const error = ulp32(y[i], want);
      if (!(error <= 2)) fail(`pow(${x}, ${exponent}) = ${y[i]}, expected ${want}: ${error} ulp`);
    });
    release(backend, a, b, out);
  }
});

/** Allowed errors, in ulp; the libraries' own functions are 1 to 2 ulp. */
const LIMITS: Record<string, number> = {
  ...{ exp: 1.5, log: 1.5, expm1: 2, log1p: 2, tanh: 2.5, sigmoid: 3, erf: 2, erfc: 3 },
  ...{ erfinv: 6, lgamma: 4, digamma: 8, trigamma: 12 },
};

testEach("float64 functions agree with mpmath", (backend) => {
  for (const [name, limit] of Object.entries(LIMITS)) {
    const rows = (special as unknown as Record<string, [number, number][]>)[name];
    const y = unary64(backend, name as Name, Float64Array.from(rows, (r) => r[0]));
    rows.forEach(([x, want], i) => {
      const error = ulp64(y[i], want);
      // Near their zeros lgamma and digamma of negative numbers are differences of larger terms.
      const cancels = (name === "lgamma" || name === "digamma") && Math.abs(y[i] - want) < 4e-15;
      if (!(error <= limit || cancels)) fail(`${name}(${x}) = ${y[i]}, expected ${want}: ${error} ulp`);
    });
  }
});

testEach("float64 functions have the right limits", (backend) => {
  const cases: [Name, number, number][] = [
    ["exp", Infinity, Infinity],
    ["exp", -Infinity, 0],
    ["exp", -746, 0],
    ["exp", 710, Infinity],
    ["exp", -745.1332191019411, 5e-324],
    ["log", 0, -Infinity],
    ["log", -1, NaN],
    ["log", Infinity, Infinity],
    ["log", 5e-324, Math.log(5e-324)],
    ["erfinv", 1, Infinity],
    ["erfinv", -1, -Infinity],
    ["erfinv", 1.5, NaN],
    ["erfinv", 0, 0],
    ["lgamma", 0, Infinity],
    ["lgamma", -3, Infinity],
    ["lgamma", Infinity, Infinity],
    ["lgamma", -Infinity, Infinity],
    ["digamma", 0, -Infinity],
    ["digamma", -0, Infinity],
    ["digamma", -2, NaN],
    ["digamma", Infinity, Infinity],
    ["trigamma", 0, Infinity],
    ["trigamma", -1, Infinity],
    ["trigamma", Infinity, 0],
  ];
  for (const [name, x, want] of cases) {
    const [y] = unary64(backend, name, Float64Array.of(x));
    assert(Object.is(y, want) || y === want, `${name}(${x}) = ${y}, expected ${want}`);
    assert(Number.isNaN(unary64(backend, name, Float64Array.of(NaN))[0]), `${name}(NaN)`);
  }
});

testEach("the Hurwitz zeta function agrees with mpmath", (backend) => {
  const rows = special.zeta as unknown as [number, number, number][];
  const program = new Program([float64, float64], [], [
    { expr: input(0, float64).zeta(input(1, float64)), dtype: float64 },
  ]);
  const column = (k: number) => new Uint8Array(Float64Array.from(rows, (r) => r[k]).buffer);
  const s = putBytes(backend, column(0), float64, [rows.length]);
  const q = putBytes(backend, column(1), float64, [rows.length]);
  const out = empty(backend, [rows.length], float64);
  backend.pointwise(program, [rows.length], [s, q], [], [out]);
  const y = new Float64Array(backend.readSync(out).buffer);
  rows.forEach(([a, b, want], i) => assert(ulp64(y[i], want) <= 16, `zeta(${a}, ${b}) = ${y[i]}, expected ${want}`));
  release(backend, s, q, out);
});
