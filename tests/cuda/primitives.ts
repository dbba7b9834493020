/**
 * Every primitive, cast and wrap as printed for CUDA, run on the double against the reference evaluator.
 *
 * The double's mathematics is the host's, so this is about the printed text; a card's own functions are compared by the
 * conformance run there.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { bool, type DType, DTYPES, float32, float64, int64, uint64 } from "../../src/base/dtype.ts";
import { operandSlot, printCuda } from "../../src/expr/cuda.ts";
import { evaluate } from "../../src/expr/evaluate.ts";
import { type Expr, input, linearIndex, scalar } from "../../src/expr/expr.ts";
import { isFloat, type Kind, kindOf, type Scalar } from "../../src/expr/kind.ts";
import { BINARY_TABLE, UNARY_TABLE } from "../../src/expr/primitives.ts";
import { Program } from "../../src/expr/program.ts";
import { BINARY, binaryPoints, UNARY, unaryPoints } from "../expr/samples.ts";
import { openCudaDouble } from "../support/cuda_double/open.ts";

const { device, shim } = await openCudaDouble();
const DTYPE: Readonly<Record<Kind, DType>> = { f32: float32, f64: float64, i64: int64, u64: uint64, bool };

/** One primitive and where it is tried. */
interface Case {
  readonly name: string;
  readonly expr: Expr;
  readonly points: readonly (readonly Scalar[])[];
}

function cases(kind: Kind): Case[] {
  const x = input(0, DTYPE[kind]), y = input(1, DTYPE[kind]);
  return [
    ...UNARY.filter((name) => UNARY_TABLE[name].accepts.includes(kind)).map((name) => ({
      name,
      expr: x[name](),
      points: unaryPoints(name, kind).map((a) => [a, a]),
    })),
    ...BINARY.filter((name) => BINARY_TABLE[name].accepts.includes(kind)).map((name) => ({
      name,
      expr: x[name](y),
      points: binaryPoints(name, kind),
    })),
  ];
}

/** Values as they lie in memory. */
function stored(kind: Kind, values: readonly Scalar[]): ArrayBufferView<ArrayBuffer> {
  if (kind === "f32") return new Float32Array(values.map(Number));
  if (kind === "f64") return new Float64Array(values.map(Number));
  if (kind === "u64") return new BigUint64Array(values.map(BigInt));
  return kind === "i64" ? new BigInt64Array(values.map(BigInt)) : new Uint8Array(values.map(Number));
}

/** What lies at an address. */
function loaded(kind: Kind, address: number, n: number): Scalar[] {
  if (kind === "f32") return [...device.read(address, new Float32Array(n))];
  if (kind === "f64") return [...device.read(address, new Float64Array(n))];
  if (kind === "i64") return [...device.read(address, new BigInt64Array(n))];
  if (kind === "u64") return [...device.read(address, new BigUint64Array(n))];
  return [...device.read(address, new Uint8Array(n))].map((v) => v !== 0);
}

function slotsOf(numel: number, addresses: readonly number[]): number[] {
  const slots = new Array<number>(operandSlot(addresses.length)).fill(0);
  [numel, 1].forEach((value, i) => slots[i] = value);
  slots[6] = numel;
  addresses.forEach((address, i) => {
    slots[operandSlot(i)] = address;
    slots[operandSlot(i) + 1] = 1;
  });
  return slots;
}

/** Runs the kernel of a program over the points; gives output `which`. */
function run(
  kernel: number,
  program: Program,
  kinds: readonly Kind[],
  points: Case["points"],
  results: readonly Kind[],
  which: number,
): Scalar[] {
  const n = points.length;
  const inputs = kinds.map((kind, i) => device.put(stored(kind, points.map((p) => p[i]))));
  const outputs = results.map(() => device.alloc(n * 8));
  // Where random words are read, the last slot is 0: nothing is added to their position.
  device.launch(kernel, 1, 64, [...slotsOf(n, [...inputs, ...outputs]), ...(program.random ? [0] : [])]);
  const values = loaded(results[which], outputs[which], n);
  [...inputs, ...outputs].forEach((address) => device.free(address));
  return values;
}

/** Functions that are sums of terms which cancel near their zeros. */
const SUMS: ReadonlySet<string> = new Set(["lgamma", "digamma", "trigamma"]);

/** A few units of rounding; subnormal results may be flushed. */
function close(name: string, actual: Scalar, expected: Scalar, kind: Kind): boolean {
  if (typeof expected !== "number" || typeof actual !== "number") return actual === expected;
  if (Number.isNaN(expected) || !Number.isFinite(expected)) return Object.is(actual, expected);
  const [unit, least] = kind === "f32" ? [2 ** -23, 2 ** -126] : [2 ** -46, 2 ** -1022];
  return Math.abs(actual - expected) <= 16 * unit * Math.abs(expected) + (SUMS.has(name) ? 8 * unit : least);
}

for (const kind of ["f32", "f64", "i64", "u64", "bool"] as const) {
  Deno.test(`every printed primitive of ${kind} gives the reference's values`, () => {
    const all = cases(kind), wrong: string[] = [];
    for (let i = 0; i < all.length; i += 16) {
      const chunk = all.slice(i, i + 16);
      const results = chunk.map(({ expr }) => expr.kind);
      const outputs = chunk.map(({ expr }) => ({ expr, dtype: DTYPE[expr.kind] }));
      const program = new Program([DTYPE[kind], DTYPE[kind]], [], outputs);
      const kernel = device.kernel(device.module(printCuda(program, "p")), "p_strided");
      chunk.forEach(({ name, expr, points }, which) => {
        const values = run(kernel, program, [kind, kind], points, results, which);
        points.forEach((point, at) => {
          const expected = evaluate([expr], { inputs: point })[0];
          if (!close(name, values[at], expected, kind)) {
            wrong.push(`${name}(${point}): ${values[at]}, expected ${expected}`);
          }
        });
      });
    }
    assertEquals(wrong, []);
  });
}

Deno.test("casts, wraps, run-time scalars and the index", () => {
  const x = input(0, float64);
  const casts = (["f32", "i64", "u64", "bool", "f64"] as const).map((kind) => x.to(kind));
  const wraps = Object.values(DTYPES).filter((d) => d.isInteger).map((d) => x.to("i64").wrap(d));
  const sum = linearIndex().mul(2).add(scalar(0, "i64")).to("f64").add(scalar(1, "f64"));
  const exprs = [...casts, ...wraps, sum];
  const program = new Program([float64], ["i64", "f64"], exprs.map((expr) => ({ expr, dtype: DTYPE[expr.kind] })));
  const kernel = device.kernel(device.module(printCuda(program, "c")), "c_large");
  const points = [0, -0.5, 1.9, -1.9, 255, 256, -129, 40000, 3e9, -7e12];
  const inputs = device.put(new Float64Array(points)), outputs = exprs.map(() => device.alloc(points.length * 8));
  const slots = [...slotsOf(points.length, [inputs, ...outputs]), -5];
  slots.forEach((value, i) => shim.words[i] = BigInt(value));
  shim.args[slots.length] = 0.25;
  device.check(shim.c.cresset_cuda_launch(0, kernel, 1, 1, 1, 64, 0, slots.length + 1));
  exprs.forEach((expr, i) => {
    const expected = points.map((value, index) =>
      evaluate([expr], { inputs: [value], scalars: [-5n, 0.25], index })[0]
    );
    assertEquals(loaded(expr.kind, outputs[i], points.length), expected, expr.op);
  });
  assert(exprs.every((e) => isFloat(e.kind) || kindOf(DTYPE[e.kind]) === e.kind));
});
