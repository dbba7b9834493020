/** The kernels of indexing.c against loops in JavaScript: every dtype and mode, layouts, and indices out of range. */

import { assertEquals, assertThrows } from "@std/assert";
import { type DType, int32, int64 } from "../../src/base/dtype.ts";
import { IndexError } from "../../src/base/errors.ts";
import type { ScatterMode } from "../../src/backend/backend.ts";
import { libraries, REAL, stream, Values } from "./arrays.ts";

const MODES: ScatterMode[] = ["set", "sum", "prod", "max", "min"];

function combine(mode: ScatterMode, dtype: DType, a: number, b: number): number {
  if (mode === "set") return b;
  if (mode === "max" || mode === "min") {
    if (Number.isNaN(a) || Number.isNaN(b)) return NaN;
    return mode === "max" ? Math.max(a, b) : Math.min(a, b);
  }
  const value = mode === "sum" ? a + b : a * b;
  return dtype.kind === "bool" ? Number(value !== 0) : value;
}

/** Small whole numbers, so that sums and products are exact in every dtype. */
function small(dtype: DType, n: number, random: () => number): number[] {
  return Array.from({ length: n }, () => Math.floor(random() * (dtype.kind === "bool" ? 2 : 3)));
}

function free(...all: Values[]): void {
  for (const v of all) v.free();
}

for (const [name, backend] of libraries()) {
  Deno.test(`gather and scatter (${name}): every dtype, mode, dimension and layout`, () => {
    const random = stream(3);
    for (const dtype of REAL) {
      for (const dim of [0, 1, 2]) {
        const shape = [3, 4, 5], part = [2, 3, 4];
        part[dim] = 6;
        const values = small(dtype, 60, random);
        const count = part[0] * part[1] * part[2];
        const positions = Array.from({ length: count }, () => Math.floor(random() * shape[dim]));
        const index = new Values(backend, part, dim === 1 ? int32 : int64, [1, 0, 2], 2).set(
          positions,
        );
        const target = (i: number): number => {
          const at = [Math.floor(i / (part[1] * part[2])), Math.floor(i / part[2]) % part[1], i % part[2]];
          at[dim] = positions[i];
          return (at[0] * 4 + at[1]) * 5 + at[2];
        };
        const x = new Values(backend, shape, dtype, [2, 1, 0]).set(values), out = new Values(backend, part, dtype);
        backend.gather("gather", x, dim, index, out);
        assertEquals(out.get(), Array.from({ length: count }, (_, i) => values[target(i)]), `${dtype.name} ${dim}`);
        for (const mode of MODES) {
          const added = small(dtype, count, random);
          const src = new Values(backend, part, dtype, [0, 2, 1]).set(added);
          const into = new Values(backend, shape, dtype, [1, 0, 2], 3).set(values);
          backend.scatter("scatter", into, dim, index, src, mode);
          const expected = [...values];
          added.forEach((v, i) => expected[target(i)] = combine(mode, dtype, expected[target(i)], v));
          assertEquals(into.get(), expected, `${dtype.name} ${dim} ${mode}`);
          free(src, into);
        }
        free(index, x, out);
      }
    }
  });

  Deno.test(`indexSelect and indexPut (${name}): every dtype and mode, with and without wrapping`, () => {
    const random = stream(4);
    for (const dtype of REAL) {
      for (const [dim, gap] of [[0, 1], [1, 1], [2, 2]]) {
        const shape = [3, 4, 5], part = [3, 4, 5];
        part[dim] = 4;
        const chosen = [2, -1, 0, 2].map((i) => i < 0 ? i + shape[dim] : i);
        const index = new Values(backend, [4], int64, [0], 2).set([2, -1, 0, 2]);
        const values = small(dtype, 60, random), count = part[0] * part[1] * part[2];
        const target = (i: number): number => {
          const at = [Math.floor(i / (part[1] * part[2])), Math.floor(i / part[2]) % part[1], i % part[2]];
          at[dim] = chosen[at[dim]];
          return (at[0] * 4 + at[1]) * 5 + at[2];
        };
        const x = new Values(backend, shape, dtype, [0, 1, 2], gap).set(values);
        const out = new Values(backend, part, dtype, [0, 1, 2], gap);
        backend.indexSelect("indexSelect", x, dim, index, out, true);
        assertEquals(out.get(), Array.from({ length: count }, (_, i) => values[target(i)]), `${dtype.name} ${dim}`);
        for (const mode of MODES) {
          const added = small(dtype, count, random);
          const src = new Values(backend, part, dtype).set(added), into = new Values(backend, shape, dtype).set(values);
          backend.indexPut("indexPut", into, dim, index, src, mode, true);
          const expected = [...values];
          added.forEach((v, i) => expected[target(i)] = combine(mode, dtype, expected[target(i)], v));
          assertEquals(into.get(), expected, `${dtype.name} ${dim} ${mode}`);
          free(src, into);
        }
        assertThrows(() => backend.indexSelect("embedding", x, dim, index, out, false), IndexError, "range: -1 along");
        free(index, x, out);
      }
    }
  });

  Deno.test(`an index out of range (${name}): an error that names op, index, dimension and size`, () => {
    const x = new Values(backend, [3], REAL[8]).set([1, 2, 3]), out = new Values(backend, [2], REAL[8]);
    for (const bad of [3, -1, 2 ** 40]) {
      const index = new Values(backend, [2], int64).set([0, bad]);
      const text = `gather(): index out of range: ${bad} along dimension 0 of size 3`;
      assertThrows(() => backend.gather("gather", x, 0, index, out), IndexError, text);
      assertThrows(() => backend.scatter("scatter", x, 0, index, out, "set"), IndexError, `range: ${bad}`);
      index.free();
    }
    free(x, out);
  });

  Deno.test(`countNonzero and nonzero (${name}): -0 is zero, NaN is not`, async () => {
    for (const dtype of REAL) {
      const zero = dtype.isFloatingPoint ? -0 : 0, one = dtype.isFloatingPoint ? NaN : 1;
      const x = new Values(backend, [2, 3], dtype, [1, 0], 2).set([0, one, 1, zero, 0, 1]);
      assertEquals(await backend.countNonzero(x), 3, dtype.name);
      const out = new Values(backend, [3, 2], int64, [1, 0]);
      backend.nonzero(x, out);
      assertEquals(out.get(), [0, 1, 0, 2, 1, 2], dtype.name);
      free(x, out);
    }
  });
}
