/** The kernels of rows.c against softmax in float64: rows short and long, extreme values, gradients. */

import { assertEquals, fail } from "@std/assert";
import { type DType, float32, float64 } from "../../src/base/dtype.ts";
import { libraries, stream, Values } from "./arrays.ts";

function softmax(x: number[], log: boolean): number[] {
  const max = Math.max(...x);
  const sum = x.reduce((s, v) => s + Math.exp(v - max), 0);
  return x.map((v) => log ? v - max - Math.log(sum) : Math.exp(v - max) / sum);
}

/** Error allowed relative to the value, and in absolute terms: a few units in the last place. */
const TOLERANCE: Readonly<Record<string, number>> = { float32: 2 ** -20, float64: 2 ** -48 };

function assertClose(actual: number[], expected: number[], dtype: DType, what: string): void {
  const tolerance = TOLERANCE[dtype.name];
  actual.forEach((a, i) => {
    const e = expected[i];
    if (!(Math.abs(a - e) <= tolerance * (1 + Math.abs(e)))) fail(`${what} at ${i}: ${a}, expected ${e}`);
  });
}

for (const [name, backend] of libraries()) {
  Deno.test(`softmax rows (${name}): values and gradients of short and long rows`, () => {
    const random = stream(5);
    for (const dtype of [float32, float64]) {
      for (const [rows, n] of [[1, 1], [3, 7], [2, 64], [5, 1000], [1, 5000]]) {
        for (const log of [false, true]) {
          const round = dtype === float32 ? Math.fround : (v: number) => v;
          const make = () => Array.from({ length: rows * n }, () => round((random() - 0.5) * 20));
          const values = make(), upstream = make().map((v) => round(v / n));
          const x = new Values(backend, [rows, n], dtype).set(values), out = new Values(backend, [rows, n], dtype);
          const grad = new Values(backend, [rows, n], dtype).set(upstream), dx = new Values(backend, [rows, n], dtype);
          backend.softmax(x, log, out);
          backend.softmaxGrad(grad, out, log, dx);
          for (let r = 0; r < rows; r++) {
            const row = (v: number[]) => v.slice(r * n, (r + 1) * n);
            const what = `${dtype.name} [${rows}, ${n}]${log ? " log" : ""}`;
            const y = softmax(row(values), log), g = row(upstream);
            assertClose(row(out.get()), y, dtype, what);
            const dot = g.reduce((s, v, i) => s + (log ? v : v * y[i]), 0);
            assertClose(row(dx.get()), g.map((v, i) => log ? v - Math.exp(y[i]) * dot : y[i] * (v - dot)), dtype, what);
          }
          for (const v of [x, out, grad, dx]) v.free();
        }
      }
    }
  });

  Deno.test(`softmax rows (${name}): infinities and NaN as PyTorch has them`, () => {
    const inputs = [[-Infinity, 0, 0], [-Infinity, -Infinity, -Infinity], [NaN, 0, 1], [1e30, -1e30, 0]];
    const expected = [[0, 0.5, 0.5], [NaN, NaN, NaN], [NaN, NaN, NaN], [1, 0, 0]];
    for (const dtype of [float32, float64]) {
      const x = new Values(backend, [4, 3], dtype).set(inputs.flat()), out = new Values(backend, [4, 3], dtype);
      backend.softmax(x, false, out);
      assertEquals(out.get(), expected.flat());
      for (const v of [x, out]) v.free();
    }
  });
}
