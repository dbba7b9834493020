/**
 * Printed WGSL: every primitive compiled, run, and compared with the reference.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { bool, type DType, float32, float64, int32, int64, uint32 } from "../../src/base/dtype.ts";
import { DTypeError } from "../../src/base/errors.ts";
import { philoxWord } from "../../src/base/philox.ts";
import { applyPrimitive } from "../../src/expr/evaluate.ts";
import { constant, type Expr, input, linearIndex, scalar, where } from "../../src/expr/expr.ts";
import type { Kind, Scalar } from "../../src/expr/kind.ts";
import { BINARY_TABLE, type PrimitiveName, UNARY_TABLE } from "../../src/expr/primitives.ts";
import { Program } from "../../src/expr/program.ts";
import { printWgsl } from "../../src/expr/wgsl.ts";
import { runShader, testDevice } from "../support/webgpu.ts";
import { BINARY, binaryPoints, UNARY, unaryPoints } from "./samples.ts";

const device = await testDevice();

const DTYPE: Readonly<Record<Kind, DType>> = { f32: float32, f64: float64, i64: int32, u64: uint32, bool };

/** Values as 32-bit words. */
function pack(values: readonly Scalar[], kind: Kind): Uint32Array<ArrayBuffer> {
  if (kind === "f32") return new Uint32Array(new Float32Array(values.map(Number)).buffer);
  return new Uint32Array(new Int32Array(values.map((v) => Number(BigInt.asIntN(32, BigInt(v))))).buffer);
}

function unpack(words: Uint32Array, kind: Kind): Scalar[] {
  if (kind === "f32") return [...new Float32Array(words.buffer)];
  if (kind === "bool") return [...words].map((w) => w !== 0);
  return [...(kind === "u64" ? words : new Int32Array(words.buffer))].map(BigInt);
}

/** Runs one expression over columns of operands. */
async function run(e: Expr, kinds: readonly Kind[], columns: readonly Scalar[][], scalars: readonly bigint[] = []) {
  const count = columns[0]?.length ?? 100;
  const inputs = kinds.map((k) => DTYPE[k]);
  const program = new Program(inputs, scalars.map(() => "i64"), [{ expr: e, dtype: DTYPE[e.kind] }]);
  const words = [count, ...scalars.flatMap((s) => [Number(s & 0xffffffffn), Number((s >> 32n) & 0xffffffffn)])];
  const parameters = new Uint32Array(Math.ceil(words.length / 4) * 4);
  parameters.set(words);
  const packed = columns.map((column, i) => pack(column, kinds[i]));
  const [out] = await runShader(device!, printWgsl(program), parameters, packed, 1, count);
  return unpack(out, e.kind);
}

/** Functions whose float32 error is more than a few units in the last place near their zeros: absolute error. */
const ABSOLUTE: { readonly [K in PrimitiveName]?: number } = {
  lgamma: 3e-6,
  digamma: 2e-6,
  trigamma: 1e-6,
  tan: 1e-6,
  sin: 1e-7,
  cos: 1e-7,
  log2: 1e-7,
  log10: 1e-7,
  remainder: 1e-6,
  fmod: 1e-6,
};
const RELATIVE: { readonly [K in PrimitiveName]?: number } = { trigamma: 3e-5, zeta: 2e-6, digamma: 3e-6, tan: 1e-6 };

/** The points that a device without denormals, and whose division may be off by an ulp, can be held to. */
function isOrdinary(name: PrimitiveName, args: readonly Scalar[], expected: Scalar): boolean {
  const tiny = (v: Scalar): boolean => typeof v === "number" && v !== 0 && Math.abs(v) < 2 ** -125;
  if ([...args, expected].some(tiny)) return name === "nextafter" && !tiny(args[0]) && !tiny(expected);
  if (name === "nextafter") return args[0] !== 0;
  // The quotient is rounded before its integer part is taken: beyond 2^22 nothing can be said.
  if (["fmod", "remainder", "floorDivide", "truncDivide"].includes(name) && typeof args[0] === "number") {
    const quotient = Math.abs(Number(args[0]) / Number(args[1]));
    return !(quotient > 1e5 && Number.isFinite(quotient));
  }
  return true;
}

function assertAgrees(name: PrimitiveName, args: readonly Scalar[], actual: Scalar, expected: Scalar): void {
  const what = `${name}(${args.join(", ")}): ${actual}, expected ${expected}`;
  if (typeof expected !== "number") {
    // What left 32 bits is not held there.
    if (typeof expected !== "bigint" || BigInt.asIntN(32, expected) === expected) assertEquals(actual, expected, what);
    return;
  }
  if (Number.isNaN(expected)) return assert(Number.isNaN(actual), what);
  if (!Number.isFinite(expected) || actual === expected) return assertEquals(actual, expected, what);
  const limit = (ABSOLUTE[name] ?? 0) + (RELATIVE[name] ?? 5e-7) * Math.abs(expected);
  assert(Math.abs(Number(actual) - expected) <= limit, what);
}

for (const name of [...UNARY, ...BINARY]) {
  const { accepts } = name in UNARY_TABLE
    ? UNARY_TABLE[name as never] as typeof UNARY_TABLE.neg
    : BINARY_TABLE[name as never];
  for (const kind of accepts) {
    if (kind === "f64" || name === "philox") continue;
    Deno.test({
      name: `printWgsl() of ${name} on ${kind} agrees with the reference`,
      ignore: device === null,
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        const unary = name in UNARY_TABLE;
        const points: Scalar[][] = unary
          ? unaryPoints(name as typeof UNARY[number], kind).map((v) => [v])
          : binaryPoints(name as typeof BINARY[number], kind);
        const columns = [0, 1].slice(0, unary ? 1 : 2).map((i) => points.map((p) => p[i]));
        const x = input(0, DTYPE[kind]), y = input(1, DTYPE[kind]);
        const e = unary ? x[name as typeof UNARY[number]]() : x[name as typeof BINARY[number]](y);
        const values = await run(e, columns.map(() => kind), columns);
        values.forEach((value, i) => {
          const args = kind === "f32" ? points[i].map((v) => Math.fround(Number(v))) : points[i];
          const expected = applyPrimitive(name, kind, args[0], args[1]);
          if (isOrdinary(name, args, expected)) assertAgrees(name, args, value, expected);
        });
      },
    });
  }
}

Deno.test({
  name: "printWgsl() of philox gives the words of every device, from a 64-bit key",
  ignore: device === null,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const key = 0x123456789abcdefn;
    const values = await run(linearIndex().philox(scalar(0, "i64")).add(constant(0, "i64")), [], [], [key]);
    values.forEach((v, i) => assertEquals(Number(BigInt.asUintN(32, v as bigint)), philoxWord(i, key)));
  },
});

Deno.test({
  name: "printWgsl() prints casts, wraps, selections and constants that WGSL cannot spell",
  ignore: device === null,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const x = input(0, float32);
    const column = [-3.7, -0, 0, 0.5, 2.9, NaN, 1e9];
    assertEquals(await run(x.to("i64"), ["f32"], [column]), [-3n, 0n, 0n, 0n, 2n, 0n, 1000000000n]);
    assertEquals(await run(x.to("bool"), ["f32"], [column]), [true, false, false, true, true, true, true]);
    const special = where(x.isnan(), Infinity, where(x.lt(0), NaN, where(x.gt(5), -Infinity, 1e-20)));
    assertEquals(await run(special, ["f32"], [column]), [
      NaN,
      ...[0, 0, 0, 0].map(() => Math.fround(1e-20)),
      Infinity,
      -Infinity,
    ]);
    assertEquals(await run(x.to("i64").wrap(int64).add(-(2n ** 31n)).to("f32"), ["f32"], [[5]]), [
      Math.fround(5 - 2 ** 31),
    ]);
  },
});

Deno.test("printWgsl() refuses float64 and integers beyond 32 bits with the remedy", () => {
  const print = (e: Expr, dtype: DType) => printWgsl(new Program([dtype], [], [{ expr: e, dtype }]));
  assertThrows(() => print(input(0, float64).exp(), float64), DTypeError, "await x.cpu()");
  assertThrows(() => print(input(0, int64).add(2n ** 40n), int64), DTypeError, "await x.cpu()");
});
