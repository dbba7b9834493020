/**
 * Simplification keeps values, and makes derivatives as short as hand-written ones.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { float32, float64, int64, int8, uint8 } from "../../src/base/dtype.ts";
import { vjp } from "../../src/expr/diff.ts";
import { applyPrimitive, evaluate } from "../../src/expr/evaluate.ts";
import { constant, type Expr, input, where } from "../../src/expr/expr.ts";
import { operandsOf, substitute } from "../../src/expr/graph.ts";
import { BINARY_TABLE, type BinaryName } from "../../src/expr/primitives.ts";
import { BINARY } from "./samples.ts";

const x = input(0, float32);
const y = input(1, float32);
const n = input(2, int64);

Deno.test("make() gives the same node for the same expression", () => {
  assertStrictEquals(x.mul(y), y.mul(x));
  assertStrictEquals(x.exp().add(1), x.exp().add(1));
  assert(constant(0, "f32") !== constant(-0, "f32"));
  assertStrictEquals(constant(NaN, "f32"), constant(NaN, "f32"));
});

Deno.test("simplify() drops what does nothing", () => {
  assertStrictEquals(x.mul(1), x);
  assertStrictEquals(x.add(0), x);
  assertStrictEquals(x.div(1), x);
  assertStrictEquals(x.neg().neg(), x);
  assertStrictEquals(x.sub(y.neg()), x.add(y));
  assertStrictEquals(x.add(y.neg()), x.sub(y));
  assertStrictEquals(x.pow(2), x.mul(x));
  assertStrictEquals(x.pow(0.5), x.sqrt());
  assertStrictEquals(n.mul(0), constant(0, "i64"));
  assertStrictEquals(where(constant(true, "bool"), x, y), x);
  assertStrictEquals(where(x.gt(0).logicalNot(), x, y), where(x.gt(0), y, x));
  assertStrictEquals(x.to("f64").to("f32"), x);
  assertStrictEquals(x.div(4), x.mul(0.25));
});

Deno.test("simplify() keeps NaN: x * 0 stays for floats", () => {
  assertEquals(evaluate([x.mul(0)], { inputs: [NaN] })[0], NaN);
  assertEquals(evaluate([x.sub(x)], { inputs: [Infinity] })[0], NaN);
});

/** Values that the rules look for. */
const CONSTANTS = [-2, -1, -0.5, 0, 0.5, 1, 2, 3, 4];

for (const name of BINARY) {
  if (!BINARY_TABLE[name].accepts.includes("f64")) continue;
  Deno.test(`simplify() keeps the values of ${name} with constants and repeats`, () => {
    const z = input(0, float64);
    const operands: [Expr, Expr][] = CONSTANTS.flatMap((c): [Expr, Expr][] => [
      [z, constant(c, "f64")],
      [constant(c, "f64"), z],
    ]);
    operands.push([z, z], [z.neg(), z], [z, z.neg()], [z.neg(), z.neg()]);
    for (const [a, b] of operands) {
      for (const at of [-3.5, -1, -0.25, 0.75, 1, 2, 10, Infinity, NaN]) {
        const args = evaluate([a, b], { inputs: [at] });
        const expected = applyPrimitive(name as BinaryName, "f64", args[0], args[1]);
        const actual = evaluate([a[name](b)], { inputs: [at] })[0];
        // Roots and products stand for powers: an ulp.
        if (Object.is(actual, -0) || Object.is(expected, -0)) assertEquals(Number(actual), 0, `${name}`);
        else if (Math.abs(Number(actual) - Number(expected)) > 1e-15 * Math.abs(Number(expected))) {
          assertEquals(actual, expected, `${name}(${a}, ${b}) at ${at}`);
        } else assertEquals(Number.isNaN(actual), Number.isNaN(expected), `${name}(${a}, ${b}) at ${at}`);
      }
    }
  });
}

Deno.test("constants fold with integer wrap and truncation", () => {
  assertEquals(constant(2n ** 62n, "i64").mul(4).value, 0n);
  assertEquals(constant(-7n, "i64").floorDivide(2).value, -4n);
  assertEquals(constant(-2.7, "f32").to("i64").value, -2n);
  assertEquals(constant(300n, "i64").wrap(uint8).value, 44n);
  assertEquals(constant(200n, "i64").wrap(int8).value, -56n);
});

Deno.test("derivatives are as short as by hand", () => {
  const g = input(3, float32);
  assertEquals(String(vjp([x.mul(y)], [g], [x])[0]), String(y.mul(g)));
  assertStrictEquals(vjp([x.pow(3)], [g], [x])[0], g.mul(x.pow(2).mul(3)));
  assertStrictEquals(vjp([where(x.gt(0), x, x.mul(0.01))], [g], [x])[0], where(x.gt(0), g, g.mul(0.01)));
});

Deno.test("substitute() replaces whole subexpressions, and graphs may be deep", () => {
  let e: Expr = x;
  for (let i = 0; i < 20000; i++) e = e.mul(y).sin();
  const [out] = substitute([e], new Map([[x, y]]));
  assertEquals(operandsOf([out]).inputs, [y]);
  assertStrictEquals(substitute([x.exp().mul(y)], new Map([[x.exp(), y]]))[0], y.mul(y));
});
