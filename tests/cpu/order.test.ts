/** The kernels of order.c against sorting in JavaScript: every dtype, layouts, ties, NaN. */

import { assertEquals } from "@std/assert";
import { float32, float64, int64 } from "../../src/base/dtype.ts";
import { FEW, libraries, REAL, sample, stream, Values } from "./arrays.ts";

/** PyTorch's order: NaN is the largest. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  if (Number.isNaN(b)) return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Positions that sort the rows of `x` (stable), `shape` being [outer, n, inner]. */
function sortedPositions(x: number[], [outer, n, inner]: number[], descending: boolean): number[] {
  const out = new Array<number>(x.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (k: number) => (o * n + k) * inner + i;
      const order = Array.from({ length: n }, (_, k) => k);
      order.sort((a, b) => (descending ? -1 : 1) * compare(x[at(a)], x[at(b)]) || a - b);
      order.forEach((k, place) => out[at(place)] = k);
    }
  }
  return out;
}

for (const [name, backend] of libraries()) {
  Deno.test(`sort (${name}): agrees with a stable sort for every dtype, size and layout`, () => {
    const random = stream(1);
    for (const dtype of [...REAL, ...FEW]) {
      for (const shape of [[1, 5, 1], [2, 40, 3], [3, 300, 2], [1, 2000, 1], [2, 1, 2]]) {
        for (const descending of [false, true]) {
          const values = sample(dtype, shape[0] * shape[1] * shape[2], random);
          const x = new Values(backend, shape, dtype, [2, 0, 1], 2).set(values);
          const sorted = new Values(backend, shape, dtype, [1, 2, 0]), indices = new Values(backend, shape, int64);
          backend.sort(x, 1, descending, sorted, indices);
          const expected = sortedPositions(values, shape, descending);
          const what = `${dtype.name} [${shape}] ${descending ? "descending" : "ascending"}`;
          assertEquals(indices.get(), expected, what);
          const [, n, inner] = shape;
          const gathered = expected.map((k, p) => values[(Math.floor(p / (n * inner)) * n + k) * inner + (p % inner)]);
          assertEquals(sorted.get(), gathered, what);
          for (const v of [x, sorted, indices]) v.free();
        }
      }
    }
  });

  Deno.test(`topk (${name}): gives the first of the sorted order, few or many`, () => {
    const random = stream(2);
    for (const dtype of [...REAL, ...FEW]) {
      for (const [n, k] of [[5, 5], [100, 3], [1000, 7], [1000, 400], [10, 0]]) {
        const values = sample(dtype, 2 * n, random);
        const x = new Values(backend, [2, n], dtype).set(values);
        const top = new Values(backend, [2, k], dtype), indices = new Values(backend, [2, k], int64);
        for (const largest of [true, false]) {
          backend.topk(x, 1, largest, top, indices);
          const expected = sortedPositions(values, [2, n, 1], largest);
          assertEquals(
            indices.get(),
            [...expected.slice(0, k), ...expected.slice(n, n + k)],
            `${dtype.name} ${n} ${k}`,
          );
        }
        for (const v of [x, top, indices]) v.free();
      }
    }
  });

  Deno.test(`searchsorted (${name}): left and right, one row or many`, () => {
    for (const dtype of REAL.filter((d) => d.kind !== "bool")) {
      const row = [1, 3, 3, 3, 7], wanted = [0, 1, 3, 4, 8, 7];
      const sorted = new Values(backend, [2, 5], dtype, [1, 0]).set([...row, ...row.map((v) => v + 1)]);
      const one = new Values(backend, [5], dtype).set(row);
      const values = new Values(backend, [2, 6], dtype).set([...wanted, ...wanted]);
      const out = new Values(backend, [2, 6], int64);
      backend.searchsorted(sorted, values, false, out);
      assertEquals(out.get(), [0, 0, 1, 4, 5, 4, 0, 0, 1, 1, 4, 4]);
      backend.searchsorted(one, values, true, out);
      assertEquals(out.get(), [0, 1, 4, 4, 5, 5, 0, 1, 4, 4, 5, 5]);
      for (const v of [sorted, one, values, out]) v.free();
    }
  });

  Deno.test(`searchsorted (${name}): NaN goes to the end`, () => {
    for (const dtype of [float32, float64]) {
      const sorted = new Values(backend, [3], dtype).set([1, 2, NaN]);
      const values = new Values(backend, [2], dtype).set([NaN, 1.5]), out = new Values(backend, [2], int64);
      backend.searchsorted(sorted, values, false, out);
      assertEquals(out.get(), [3, 1]);
      for (const v of [sorted, values, out]) v.free();
    }
  });
}
