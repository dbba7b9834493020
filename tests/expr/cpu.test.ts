/**
 * Byte programs: their layout, register allocation, and values when walked.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { bool, type DType, float16, float32, float64, int64, uint64, uint8 } from "../../src/base/dtype.ts";
import { Complex } from "../../src/expr/complex.ts";
import { MAX_REGISTERS, OPCODES, printCpu } from "../../src/expr/cpu.ts";
import { vjp } from "../../src/expr/diff.ts";
import { evaluate } from "../../src/expr/evaluate.ts";
import { constant, type Expr, input, linearIndex, scalar, where } from "../../src/expr/expr.ts";
import { type Kind, kindOf, type Scalar } from "../../src/expr/kind.ts";
import { BINARY_TABLE, UNARY_TABLE } from "../../src/expr/primitives.ts";
import { Program } from "../../src/expr/program.ts";
import { declaredKinds, runProgram } from "./machine.ts";
import { BINARY, binaryPoints, UNARY, unaryPoints } from "./samples.ts";

const DTYPE: Readonly<Record<Kind, DType>> = { f32: float32, f64: float64, i64: int64, u64: uint64, bool };
const x = input(0, float32);
const y = input(1, float32);

function print(outputs: readonly Expr[], inputs: readonly DType[] = [float32, float32], scalars: readonly Kind[] = []) {
  return printCpu(new Program(inputs, scalars, outputs.map((expr) => ({ expr, dtype: DTYPE[expr.kind] }))));
}

function same(actual: Scalar, expected: Scalar, what: string): void {
  assert(Object.is(actual, expected), `${what}: ${actual}, expected ${expected}`);
}

Deno.test("printCpu() lays a program out as native/cpu reads it", () => {
  const words = printCpu(new Program([float32, uint8], ["f64"], [{ expr: x.add(2), dtype: float16 }]));
  assertEquals([...words.subarray(0, 6)], [2, 1, 1, 2, 3, 1]);
  assertEquals(declaredKinds(words), { inputs: ["f32", "i64"], scalars: ["f64"] });
  assertEquals([words[9], words.length % 2], [float16.code, 0]);
  assertEquals(OPCODES.slice(0, 10).join(), "load,scalar,const,index,castF32,castF64,castI64,castBool,castU64,wrap");
});

Deno.test("printCpu() of every primitive gives the reference's values", () => {
  for (const name of UNARY) {
    for (const kind of UNARY_TABLE[name].accepts) {
      const e = input(0, DTYPE[kind])[name]();
      const words = print([e], [DTYPE[kind]]);
      for (const a of unaryPoints(name, kind)) {
        same(runProgram(words, [a]).outputs[0], evaluate([e], { inputs: [a] })[0], `${name}(${a})`);
      }
    }
  }
  for (const name of BINARY) {
    for (const kind of BINARY_TABLE[name].accepts) {
      const e = input(0, DTYPE[kind])[name](input(1, DTYPE[kind]));
      const words = print([e], [DTYPE[kind], DTYPE[kind]]);
      for (const args of binaryPoints(name, kind)) {
        same(runProgram(words, args).outputs[0], evaluate([e], { inputs: args })[0], `${name}(${args})`);
      }
    }
  }
});

Deno.test("printCpu() of scalars, indices, casts, wraps and several outputs", () => {
  const s = scalar(0, "i64");
  const outputs = [
    where(x.gt(y), s.to("f32"), linearIndex().to("f32")),
    input(2, int64).add(300).wrap(uint8),
    x.lt(y),
    x,
  ];
  const words = print(outputs, [float32, float32, int64], ["i64"]);
  assertEquals(runProgram(words, [1, 2, 5n], [9n], 4).outputs, [4, 49n, true, 1]);
  assertEquals(runProgram(words, [3, 2, 5n], [9n], 4).outputs, [9, 49n, false, 3]);
});

Deno.test("printCpu() converts an output to its dtype's kind and prints powers as products", () => {
  const words = printCpu(new Program([float32], [], [{ expr: x.pow(3), dtype: int64 }]));
  const codes = Array.from({ length: words[4] }, (_, i) => OPCODES[words[words.length - 6 * (words[4] - i)]]);
  assertEquals(codes.sort(), ["castI64", "load", "mul", "mul"]);
  assertEquals(runProgram(words, [2.5]).outputs, [15n]);
});

Deno.test("printCpu() reuses registers: a chain needs two, a balanced sum few", () => {
  let chain: Expr = x;
  for (let i = 0; i < 5000; i++) chain = chain.mul(y).sin();
  assertEquals(print([chain])[3], 2);
  const inputs = Array.from({ length: 64 }, (_, i) => input(i, float32));
  let level: Expr[] = inputs;
  while (level.length > 1) level = level.flatMap((e, i) => i % 2 === 0 ? [e.add(level[i + 1])] : []);
  const words = print(level, inputs.map(() => float32));
  assert(words[3] <= 7, `${words[3]} registers`);
  assertEquals(runProgram(words, inputs.map((_, i) => i)).outputs, [2016]);
});

Deno.test("printCpu() holds outputs to the end, also when one is an operand of another", () => {
  const a = x.add(y), b = a.mul(a), c = b.sub(a);
  assertEquals(runProgram(print([a, b, c]), [2, 3]).outputs, [5, 25, 20]);
  assertEquals(runProgram(print([a, a]), [2, 3]).outputs, [5, 5]);
});

Deno.test("printCpu() gives gradients of complex functions room in the registers", () => {
  const z = new Complex(input(0, float64), input(1, float64));
  for (
    const name of ["asin", "acos", "asinh", "acosh", "atan", "tanh", "sqrt", "pow", "div", "log1p", "sigmoid"] as const
  ) {
    const value = (name === "pow" || name === "div"
      ? z[name](new Complex(input(2, float64), input(3, float64)))
      : z[name]()) as Complex;
    const seeds = [constant(0.7, "f64"), constant(-0.4, "f64")];
    const grads = vjp([value.re, value.im], seeds, [z.re, z.im]);
    const words = print([value.re, value.im, ...grads], [float64, float64, float64, float64]);
    assert(words[3] <= MAX_REGISTERS / 2, `${name}: ${words[3]} registers`);
    const at = [0.3, -0.8, 1.5, 0.25];
    assertEquals(runProgram(words, at).outputs, evaluate([value.re, value.im, ...grads], { inputs: at }));
  }
});

Deno.test("printCpu() refuses a program that needs too many registers", () => {
  const inputs = Array.from({ length: 70 }, (_, i) => input(i, float32));
  const sum = inputs.reduce((a, b) => a.add(b));
  const outputs = inputs.map((e) => e.mul(sum));
  assertThrows(() => print(outputs, inputs.map((e) => e.dtype!)), RangeError, "registers");
  assertEquals(kindOf(float16), "f32");
});
