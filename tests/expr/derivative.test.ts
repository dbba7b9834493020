/**
 * Every primitive's derivative against central differences, and the conventions where a limit would not decide.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { float64, int64 } from "../../src/base/dtype.ts";
import { DTypeError } from "../../src/base/errors.ts";
import { vjp } from "../../src/expr/diff.ts";
import { evaluate } from "../../src/expr/evaluate.ts";
import { constant, type Expr, input, where, withDerivative } from "../../src/expr/expr.ts";
import { substitute } from "../../src/expr/graph.ts";
import { BINARY_TABLE, type BinaryName, UNARY_TABLE, type UnaryName } from "../../src/expr/primitives.ts";
import { BINARY, sequence, UNARY } from "./samples.ts";

const x = input(0, float64);
const y = input(1, float64);
const one = constant(1, "f64");

/** Points inside of a primitive's domain, away from its jumps. */
function domain(name: UnaryName | BinaryName): [number, number] {
  switch (name) {
    case "log":
    case "log2":
    case "log10":
    case "sqrt":
    case "rsqrt":
    case "pow":
    case "lgamma":
    case "digamma":
    case "trigamma":
    case "reciprocal":
      return [0.3, 5];
    case "tan":
      return [-1.3, 1.3];
    case "log1p":
      return [-0.8, 4];
    case "acosh":
      return [1.2, 4];
    case "asin":
    case "acos":
    case "atanh":
    case "erfinv":
      return [-0.9, 0.9];
    default:
      return [-3, 3];
  }
}

function value(e: Expr, a: number, b: number): number {
  return Number(evaluate([e], { inputs: [a, b] })[0]);
}

/** Fifth-order central difference. */
function slope(f: (v: number) => number, at: number): number {
  const h = 1e-3;
  return (8 * (f(at + h) - f(at - h)) - (f(at + 2 * h) - f(at - 2 * h))) / (12 * h);
}

function assertClose(actual: number, expected: number, what: string): void {
  assert(
    Math.abs(actual - expected) <= 1e-7 * Math.max(1, Math.abs(expected)),
    `${what}: ${actual}, expected ${expected}`,
  );
}

for (const name of UNARY) {
  if (!UNARY_TABLE[name].accepts.includes("f64") || UNARY_TABLE[name].result === "bool") continue;
  Deno.test(`vjp() of ${name} agrees with central differences`, () => {
    const f = x[name]();
    const [g] = vjp([f], [one], [x]);
    const [low, high] = domain(name);
    const next = sequence(11);
    for (let i = 0; i < 60; i++) {
      const at = low + (high - low) * next();
      const isStep = UNARY_TABLE[name].grad === null || name === "abs";
      if (isStep && Math.abs(at * 2 - Math.round(at * 2)) < 0.01) continue;
      assertClose(value(g, at, 0), slope((v) => value(f, v, 0), at), `${name}'(${at})`);
    }
  });
}

for (const name of BINARY) {
  const row = BINARY_TABLE[name];
  if (!row.accepts.includes("f64") || row.result === "bool" || name === "zeta" || name === "nextafter") continue;
  Deno.test(`vjp() of ${name} agrees with central differences`, () => {
    const f = x[name](y);
    const [gx, gy] = vjp([f], [one], [x, y]);
    const [low, high] = domain(name);
    const next = sequence(13);
    for (let i = 0; i < 100; i++) {
      const [a, b] = [low + (high - low) * next(), low + (high - low) * next()];
      const q = a / b;
      // Away from jumps: of quotients at integers, of signs at 0, of extrema at ties.
      if (Math.abs(a - b) < 0.02 || Math.abs(q - Math.round(q)) < 0.03 || Math.min(Math.abs(a), Math.abs(b)) < 0.15) {
        continue;
      }
      assertClose(value(gx, a, b), slope((v) => value(f, v, b), a), `d${name}/da(${a}, ${b})`);
      assertClose(value(gy, a, b), slope((v) => value(f, a, v), b), `d${name}/db(${a}, ${b})`);
    }
  });
}

Deno.test("vjp() of zeta differentiates by its second operand and refuses the first", () => {
  const f = constant(3, "f64").zeta(x);
  const [g] = vjp([f], [one], [x]);
  assertClose(value(g, 1.7, 0), slope((v) => value(f, v, 0), 1.7), "zeta'");
  let error: unknown = null;
  try {
    vjp([x.zeta(2)], [one], [x]);
  } catch (e) {
    error = e;
  }
  assert(error instanceof DTypeError && error.message.includes("zeta()"));
});

Deno.test("vjp() keeps PyTorch's conventions at ties, kinks and zeros", () => {
  const at = (f: Expr, a: number, b = 0) => vjp([f], [one], [x, y]).map((g) => value(g, a, b));
  assertEquals(at(x.abs(), 0)[0], 0);
  assertEquals(at(x.max(y), 2, 2), [0.5, 0.5]);
  assertEquals(at(x.min(y), 2, 2), [0.5, 0.5]);
  assertEquals(at(x.fmax(y), NaN, 1), [0, 1]);
  assertEquals(at(x.max(y), NaN, 1), [1, 1]);
  assertEquals(at(x.pow(y), 0, 0), [0, 0]);
  assertEquals(at(x.sqrt(), 0)[0], Infinity);
  assertEquals(at(x.sign(), 3)[0], 0);
  assertEquals(at(x.atan2(y), 0, 0), [0, -0]);
});

Deno.test("vjp() lets no branch that was not taken turn a zero into NaN", () => {
  const safe = where(x.gt(0), x.log(), x);
  assertEquals(value(vjp([safe], [one], [x])[0], -2, 0), 1);
  assertEquals(value(vjp([safe], [one], [x])[0], 0, 0), 1);
  const nested = where(x.eq(0), 0, x.sin().div(x).mul(x.rsqrt()));
  assertEquals(value(vjp([nested], [one], [x])[0], 0, 0), 0);
});

Deno.test("vjp() of vjp() is the second derivative", () => {
  const f = x.mul(x).mul(x).sin();
  const [g] = vjp([f], [one], [x]);
  const [h] = vjp([g], [one], [x]);
  for (const a of [-1.2, 0.4, 0.9]) assertClose(value(h, a, 0), slope((v) => value(g, v, 0), a), "second derivative");
});

Deno.test("vjp() differentiates by subexpressions, through casts of floats and not through integers", () => {
  const e = x.exp();
  assertEquals(String(vjp([e.mul(e)], [one], [e])[0]), String(e.mul(2)));
  assertEquals(vjp([x.to("i64").to("f64").mul(x)], [one], [x])[0], x.to("i64").to("f64"));
  assertEquals(vjp([input(0, int64).to("f64")], [one], [x])[0].is(0), true);
});

Deno.test("withDerivative() is used by vjp() and follows substitute()", () => {
  const f = withDerivative(x.mul(1e3).exp().log1p(), [{ by: x, is: x.mul(7) }]);
  assertEquals(value(vjp([f], [one], [x])[0], 2, 0), 14);
  const [moved] = substitute([f.add(1)], new Map([[x, y]]));
  assertEquals(value(vjp([moved], [one], [y])[0], 0, 3), 21);
});
