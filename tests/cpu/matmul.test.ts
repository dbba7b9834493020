/** The kernels of matmul.c against plain loops: dtypes, shapes around block sizes, strides, batches, alpha and beta. */

import { assertEquals, fail } from "@std/assert";
import { bool, type DType, float32, int32, int64 } from "../../src/base/dtype.ts";
import { numelOf } from "../../src/base/shape.ts";
import type { CpuBackend } from "../../src/backend/cpu/mod.ts";
import { libraries, REAL, stream, Values } from "./arrays.ts";

type Random = () => number;

/** Values whose sums of products float32 holds nearly exactly. */
function numbers(dtype: DType, n: number, random: Random): number[] {
  const whole = () => Math.floor(random() * 9) - (dtype.name === "uint8" ? 0 : 4);
  return Array.from({ length: n }, () => dtype.isFloatingPoint ? whole() / 4 : whole());
}

/** What the kernel should give; `shape` is [batch, m, k, n]. */
function expected(
  [g, m, k, n]: number[],
  a: number[],
  b: number[],
  c: number[],
  alpha: number,
  beta: number,
): number[] {
  return Array.from({ length: g * m * n }, (_, at) => {
    const batch = Math.floor(at / (m * n)), i = Math.floor(at / n) % m, j = at % n;
    let sum = 0;
    for (let p = 0; p < k; p++) sum += a[(batch * m + i) * k + p] * b[(batch * k + p) * n + j];
    return alpha * sum + (beta === 0 ? 0 : beta * c[at]);
  });
}

function wrap(dtype: DType, value: number): number {
  return dtype.isFloatingPoint ? value : Number(
    dtype.name === "uint8" ? BigInt.asUintN(8, BigInt(value)) : BigInt.asIntN(dtype.itemsize * 8, BigInt(value)),
  );
}

function checkOne(
  backend: CpuBackend,
  dtype: DType,
  sizes: number[],
  orders: number[][],
  [alpha, beta]: number[],
  random: Random,
): void {
  const [g, m, k, n] = sizes;
  const shapes = [[g, m, k], [g, k, n], [g, m, n]];
  const [av, bv, cv] = shapes.map((s) => numbers(dtype, numelOf(s), random));
  const gaps = [1, 2, 1];
  const [a, b, c] = shapes.map((s, i) => new Values(backend, s, dtype, orders[i], gaps[i]));
  a.set(av);
  b.set(bv);
  // With beta 0 the output is not read: what it held must not show.
  c.set(beta === 0 && dtype.isFloatingPoint ? cv.map(() => NaN) : cv);
  backend.matmul(a, b, c, alpha, beta);
  const want = expected(sizes, av, bv, cv, alpha, beta), got = c.get();
  const tolerance = { float16: 1e-2, bfloat16: 5e-2, float32: 1e-5 }[dtype.name as string] ?? 0;
  want.forEach((w, i) => {
    const close = Math.abs(got[i] - wrap(dtype, w)) <= tolerance * (1 + Math.abs(w));
    if (!close) fail(`${dtype.name} [${sizes}] orders ${JSON.stringify(orders)} at ${i}: ${got[i]}, expected ${w}`);
  });
  for (const v of [a, b, c]) v.free();
}

const ORDERS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 1, 0]];

for (const [name, backend] of libraries()) {
  Deno.test(`matmul (${name}): agrees with loops for every dtype, layout and factor`, () => {
    const random = stream(1);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
    for (const dtype of REAL.filter((d) => d !== bool)) {
      for (let round = 0; round < 60; round++) {
        const sizes = [
          pick([1, 2, 3]),
          pick([1, 2, 5, 6, 7, 13, 30]),
          pick([0, 1, 3, 8, 33]),
          pick([1, 2, 8, 9, 17, 40]),
        ];
        const orders = [pick(ORDERS), pick(ORDERS), pick(ORDERS)];
        checkOne(backend, dtype, sizes, orders, [pick([1, 2]), pick([0, 0, 1, 3])], random);
      }
    }
  });

  Deno.test(`matmul (${name}): agrees with loops where products span several blocks`, () => {
    const random = stream(2);
    for (const dtype of [float32, int64]) {
      for (const sizes of [[1, 80, 520, 40], [1, 1, 700, 90], [1, 90, 700, 1], [1, 7, 30, 1100], [1, 260, 3, 30]]) {
        for (const orders of [[ORDERS[0], ORDERS[0], ORDERS[0]], [ORDERS[1], ORDERS[1], ORDERS[1]]]) {
          checkOne(backend, dtype, sizes, orders, [1, 1], random);
        }
      }
    }
  });

  Deno.test(`matmul (${name}): repeats operands with stride 0, and wraps integers`, () => {
    const a = new Values(backend, [2, 2], int32).set([2 ** 30, 1, 2 ** 20, 3]);
    const b = new Values(backend, [2, 1], int32).set([4, 7]);
    const repeated = { ...strided(b), shape: [3, 2, 1], strides: [0, 1, 1] };
    const batch = { ...strided(a), shape: [3, 2, 2], strides: [0, 2, 1] };
    const out = new Values(backend, [3, 2, 1], int32);
    backend.matmul(batch, repeated, out, 1, 0);
    assertEquals(out.get(), [7, 2 ** 22 + 21, 7, 2 ** 22 + 21, 7, 2 ** 22 + 21]);
  });

  Deno.test(`matmul (${name}): spreads NaN and infinity as arithmetic does`, () => {
    const a = new Values(backend, [2, 3], float32).set([NaN, 1, 1, Infinity, 0, 1]);
    const b = new Values(backend, [3, 2], float32).set([1, 0, 1, 1, 1, 1]);
    const out = new Values(backend, [2, 2], float32);
    backend.matmul(a, b, out, 1, 0);
    assertEquals(out.get(), [NaN, NaN, Infinity, NaN]);
  });
}

/** The plain fields of a view, to change some. */
function strided(x: Values) {
  return { storage: x.storage, offset: x.offset, shape: x.shape, strides: x.strides, dtype: x.dtype, dense: false };
}
