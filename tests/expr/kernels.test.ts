/**
 * Every primitive on the CPU's kernels against the reference, in all register kinds, blocks and a tail of one element.
 *
 * The accuracy of float32 functions over their whole range is held in `tests/cpu/math.test.ts`; here the question is
 * whether each opcode computes what the table says, on edges, NaN and infinities too.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import type { DType } from "../../src/base/dtype.ts";
import { applyPrimitive } from "../../src/expr/evaluate.ts";
import { type Expr, input } from "../../src/expr/expr.ts";
import { isFloat, type Kind, type Scalar } from "../../src/expr/kind.ts";
import { BINARY_TABLE, type PrimitiveName, UNARY_TABLE } from "../../src/expr/primitives.ts";
import { applyKernel, Kernel } from "../../src/ops/core/kernel.ts";
import { BINARY, binaryPoints, UNARY, unaryPoints } from "./samples.ts";

const DTYPE: Readonly<Record<Kind, DType>> = {
  f32: torch.float32,
  f64: torch.float64,
  i64: torch.int64,
  u64: torch.uint64,
  bool: torch.bool,
};

function column(values: readonly Scalar[], kind: Kind): torch.Tensor {
  const data = kind === "u64"
    ? BigUint64Array.from(values as bigint[])
    : kind === "i64"
    ? BigInt64Array.from(values as bigint[])
    : kind === "bool"
    ? Uint8Array.from(values.map(Number))
    : Float64Array.from(values.map(Number));
  return torch.fromData(data, [values.length], { dtype: !isFloat(kind) ? undefined : torch.float64 })
    .to(DTYPE[kind]);
}

async function run(e: Expr, columns: readonly torch.Tensor[], kind: Kind): Promise<Scalar[]> {
  const kernel = new Kernel(columns.map(() => DTYPE[kind]), [], [e], DTYPE[e.kind]);
  const out = applyKernel({ op: "test", node: "", kernel, operands: columns, scalars: [], shape: columns[0].shape });
  return [...await out.read()].map((v) => e.kind === "bool" ? Boolean(v) : v);
}

/** Relative error in units of the kind's precision; the second number is absolute, for functions with zeros. */
const LOOSE: { readonly [K in PrimitiveName]?: readonly [number, number] } = {
  // Near its zeros only the absolute error is small: the reference itself ends there.
  lgamma: [8, 4],
  digamma: [8, 8],
  trigamma: [40, 4],
  zeta: [16, 0],
  erfc: [32, 0],
  erfinv: [16, 0],
  pow: [8, 0],
};

function assertAgrees(
  name: PrimitiveName,
  kind: Kind,
  args: readonly Scalar[],
  actual: Scalar,
  expected: Scalar,
): void {
  const what = `${name}(${args.join(", ")}) on ${kind}: ${actual}, expected ${expected}`;
  if (typeof expected !== "number") return assertEquals(actual, expected, what);
  if (Number.isNaN(expected)) return assert(Number.isNaN(actual), what);
  if (!Number.isFinite(expected) || actual === expected) return assertEquals(actual, expected, what);
  const [relative, absolute] = LOOSE[name] ?? [6, 0];
  const epsilon = kind === "f32" ? 2 ** -23 : 2 ** -52;
  // Results below the normal range may be flushed to zero.
  const tiny = kind === "f32" ? 2 ** -126 : 2 ** -1022;
  // In float64 the reference's own series cancel as much.
  const own = kind === "f64" ? 8 : 1;
  const limit = Math.max(epsilon * (relative * Math.abs(expected) + own * absolute), tiny);
  assert(Math.abs(Number(actual) - expected) <= limit, what);
}

for (const name of [...UNARY, ...BINARY] as PrimitiveName[]) {
  const unary = name in UNARY_TABLE;
  const { accepts } = unary ? UNARY_TABLE[name as "neg"] : BINARY_TABLE[name as "add"];
  for (const kind of accepts) {
    Deno.test(`the CPU kernel of ${name} on ${kind} agrees with the reference`, async () => {
      const base: Scalar[][] = unary
        ? unaryPoints(name as "neg", kind).map((v) => [v])
        : binaryPoints(name as "add", kind);
      // More than one block, and a tail that is no multiple of any vector.
      const points = Array.from({ length: Math.max(base.length, 1025) }, (_, i) => base[i % base.length]);
      const columns = (unary ? [0] : [0, 1]).map((k) => column(points.map((p) => p[k]), kind));
      const x = input(0, DTYPE[kind]), y = input(1, DTYPE[kind]);
      const values = await run(unary ? x[name as "neg"]() : x[name as "add"](y), columns, kind);
      values.forEach((value, i) => {
        const args = kind === "f32" ? points[i].map((v) => Math.fround(Number(v))) : points[i];
        assertAgrees(name, kind, args, value, applyPrimitive(name, kind, args[0], args[1]));
      });
    });
  }
}
