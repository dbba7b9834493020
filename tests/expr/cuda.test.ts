/**
 * Printed CUDA C: every primitive, dtype and conversion compiled by NVRTC, where it can be found.
 *
 * Compiled together per architecture, since NVRTC's start is what costs; the machine code is run by the CUDA tests.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { bfloat16, bool, type DType, DTYPES, float16, float32, float64, int64, uint64 } from "../../src/base/dtype.ts";
import { printCuda } from "../../src/expr/cuda.ts";
import { printCudaReduce } from "../../src/expr/cuda_reduce.ts";
import { constant, type Expr, input, linearIndex, scalar, where } from "../../src/expr/expr.ts";
import { type Kind, kindOf } from "../../src/expr/kind.ts";
import { BINARY_TABLE, UNARY_TABLE } from "../../src/expr/primitives.ts";
import { Program } from "../../src/expr/program.ts";
import { compileCuda, type CudaSource } from "../support/nvrtc.ts";
import { BINARY, UNARY } from "./samples.ts";

const DTYPE: Readonly<Record<Kind, DType>> = { f32: float32, f64: float64, i64: int64, u64: uint64, bool };
const REAL = Object.values(DTYPES).filter((d) => !d.isComplex);

function source(
  name: string,
  inputs: readonly DType[],
  scalars: readonly Kind[],
  outputs: readonly (readonly [Expr, DType])[],
): CudaSource {
  const program = new Program(inputs, scalars, outputs.map(([expr, dtype]) => ({ expr, dtype })));
  // One element function serves all entry points; which one is compiled matters to the vectors of long expressions.
  return { name, code: printCuda(program, name, outputs.length > 4 ? ["strided"] : undefined) };
}

/** All primitives, a dozen to a kernel: NVRTC's time is mostly per kernel. */
function primitives(): CudaSource[] {
  const sources: CudaSource[] = [];
  for (const kind of ["f32", "f64", "i64", "u64", "bool"] as const) {
    const d = DTYPE[kind];
    const x = input(0, d), y = input(1, d);
    const unary = UNARY.filter((name) => UNARY_TABLE[name].accepts.includes(kind)).map((name) => x[name]());
    const binary = BINARY.filter((name) => BINARY_TABLE[name].accepts.includes(kind)).map((name) => x[name](y));
    const all = [...unary, ...binary];
    for (let i = 0; i < all.length; i += 12) {
      const outputs = all.slice(i, i + 12).map((e) => [e, DTYPE[e.kind]] as const);
      sources.push(source(`${kind}_${i}`, [d, d], [], outputs));
    }
  }
  return sources;
}

/** Kernels for every dtype in and out, casts, wraps, scalars and constants. */
function conversions(): CudaSource[] {
  const sources = REAL.map((from) =>
    source(`from_${from.name}`, [from], [], REAL.map((to) => [input(0, from).to(kindOf(to)), to] as const))
  );
  const x = input(0, float32);
  const scalars = (["f32", "f64", "i64", "u64", "bool"] as const).map((k, i) => scalar(i, k));
  const sum = scalars.reduce((a: Expr, s) => a.add(s.to("f64")), linearIndex().to("f64"));
  const odd = where(x.isnan(), -Infinity, where(x.lt(0), NaN, where(x.gt(1), -0, 1e-30)));
  const n = input(1, int64);
  sources.push(source("scalars", [float32, int64], ["f32", "f64", "i64", "u64", "bool"], [
    [sum.add(x), float64],
    [odd, float32],
    [n.add(constant(-(2n ** 63n), "i64")), int64],
    ...REAL.filter((d) => d.isInteger).map((d) => [n.wrap(d), d] as const),
  ]));
  sources.push(source("nothing_read", [], [], [[linearIndex().philox(7).to("f32"), float32]]));
  return sources;
}

/** Reductions of every kind by every combination. */
function reductions(): CudaSource[] {
  return (["sum", "prod", "max", "min", "any", "all"] as const).flatMap((combine) =>
    [[float32, float32], [float16, bfloat16], [float64, float64], [int64, int64], [bool, bool]].map(([from, to], i) => {
      const e = input(0, from).mul(input(1, from).where(2, 3)).to(kindOf(to));
      const program = new Program([from, from], [], [{ expr: e, dtype: to }, { expr: e.abs(), dtype: to }]);
      return { name: `${combine}_${i}`, code: printCudaReduce(program, combine, `reduce_${i}`) };
    })
  );
}

for (const architecture of ["sm_80", "sm_90", "sm_100"]) {
  Deno.test(`printCuda() compiles for ${architecture}: every primitive on every kind, every conversion and reduction`, async () => {
    // What the architectures' assemblers may differ in are the instructions of primitives and conversions.
    const folds = reductions().filter((_, i) => architecture === "sm_80" || i % 7 === 0);
    const failures = await compileCuda([...primitives(), ...conversions(), ...folds], architecture);
    if (failures !== null) assertEquals(failures, []);
  });
}

Deno.test("printCuda() takes only the helpers that a program names", () => {
  const { code } = source("plain", [float32], [], [[input(0, float32).exp(), float32]]);
  assert(!code.includes("crZeta") && !code.includes("crPhilox"));
});
