/**
 * Map-reductions, arg-reductions and scans against plain JavaScript, over layouts that take each of the kernel's ways.
 */

import { assert, assertEquals } from "@std/assert";
import { bool, type DType, float16, float32, float64, int32, int64, uint8 } from "../../src/base/dtype.ts";
import { contiguousStrides, numelOf } from "../../src/base/shape.ts";
import type { Combine, ScanKind } from "../../src/backend/backend.ts";
import type { CpuBackend } from "../../src/backend/cpu/mod.ts";
import { input, linearIndex } from "../../src/expr/expr.ts";
import { Program } from "../../src/expr/program.ts";
import { empty, get, programOf, put, release, testEach, type TestTensor, view } from "./support.ts";

/** Small integers of both signs, reproducible. */
function noise(n: number, seed = 1): number[] {
  let s = seed;
  return Array.from({ length: n }, () => {
    s = (Math.imul(s, 1103515245) + 12345) >>> 0;
    return (s >>> 16) % 17 - 8;
  });
}

const FOLD: Record<Combine, [number, (a: number, b: number) => number]> = {
  sum: [0, (a, b) => a + b],
  prod: [1, (a, b) => a * b],
  max: [-Infinity, (a, b) => Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.max(a, b)],
  min: [Infinity, (a, b) => Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.min(a, b)],
  any: [0, (a, b) => Number(a !== 0 || b !== 0)],
  all: [1, (a, b) => Number(a !== 0 && b !== 0)],
};

/** Reduces a view in JavaScript. */
function reference(data: number[], x: TestTensor, reduced: number[], combine: Combine): number[] {
  const kept = x.shape.map((_, d) => d).filter((d) => !reduced.includes(d));
  const shape = kept.map((d) => x.shape[d]);
  const steps = contiguousStrides(shape);
  const [start, fold] = FOLD[combine];
  const out = new Array<number>(numelOf(shape)).fill(start);
  const index = x.shape.map(() => 0);
  for (let i = numelOf(x.shape); i > 0; i--) {
    const at = index.reduce((s, v, d) => s + v * x.strides[d], x.offset);
    const to = kept.reduce((s, d, k) => s + index[d] * steps[k], 0);
    out[to] = fold(out[to], data[at]);
    for (let d = x.shape.length - 1; d >= 0 && ++index[d] === x.shape[d]; d--) index[d] = 0;
  }
  return out;
}

const IDENTITY = new Map<DType, Program>();

/** The program that gives each element as it is. */
function identity(dtype: DType): Program {
  let program = IDENTITY.get(dtype);
  if (!program) IDENTITY.set(dtype, program = programOf([dtype], dtype, ([x]) => x));
  return program;
}

function reduce(
  backend: CpuBackend,
  program: Program,
  combine: Combine,
  x: TestTensor,
  reduced: number[],
  dtype: DType,
): number[] {
  const out = empty(backend, x.shape.filter((_, d) => !reduced.includes(d)), dtype);
  backend.reduce(program, combine, x.shape, reduced, [x], [], [out]);
  const values = get(backend, out);
  release(backend, out);
  return values;
}

testEach("sums and extremes over every set of dimensions and layout", (backend) => {
  const data = noise(40_000);
  const base = put(backend, data, float32);
  const views = [
    view(base, [3000], [1]),
    view(base, [5, 7], [7, 1]),
    view(base, [300, 5], [5, 1]),
    view(base, [5, 300], [300, 1]),
    view(base, [2, 1500], [1500, 1]),
    view(base, [1500, 2], [2, 1]),
    view(base, [70, 90], [1, 70]),
    view(base, [4, 5, 6], [30, 6, 1]),
    view(base, [4, 50, 60], [3000, 60, 1], 17),
    view(base, [3, 70, 2, 5], [700, 10, 5, 1]),
    view(base, [10, 20, 30], [1, 300, 10]),
    view(base, [6, 2000], [0, 3]),
    view(base, [1, 1, 9], [9, 9, 2]),
  ];
  for (const x of views) {
    for (let set = 0; set < 1 << x.shape.length; set++) {
      const reduced = x.shape.map((_, d) => d).filter((d) => set >> d & 1);
      for (const combine of ["sum", "max", "min"] as const) {
        const got = reduce(backend, identity(float32), combine, x, reduced, float32);
        assertEquals(
          got,
          reference(data, x, reduced, combine),
          `${combine} of ${x.shape} / ${x.strides} over ${reduced}`,
        );
      }
    }
  }
  release(backend, base);
});

testEach("every combination of dtype and operation", (backend) => {
  const values = noise(900).map((v) => v === 0 ? 1 : v % 3);
  for (const dtype of [float32, float64, int64]) {
    const x = view(put(backend, values, dtype), [30, 30], [30, 1]);
    const wide = view(x, [30, 30], [1, 30]);
    for (const combine of ["sum", "prod", "max", "min"] as const) {
      for (const [t, reduced] of [[x, [1]], [x, [0]], [wide, [0]], [x, [0, 1]]] as [TestTensor, number[]][]) {
        const got = reduce(backend, identity(dtype), combine, t, reduced, dtype);
        const want = reference(values, t, reduced, combine).map((v) =>
          dtype === float32 ? Math.fround(v) : dtype === int64 ? Number(BigInt.asIntN(64, BigInt(v))) : v
        );
        if (dtype === int64 && combine === "prod") continue; // products beyond 2^53 are compared below
        assertEquals(got, want, `${combine} of ${dtype} over ${reduced}`);
      }
    }
    const truth = programOf([dtype], bool, ([e]) => e.gt(0));
    for (const combine of ["any", "all"] as const) {
      const want = reference(values.map((v) => Number(v > 0)), x, [0], combine);
      assertEquals(reduce(backend, truth, combine, x, [0], bool), want);
      assertEquals(reduce(backend, truth, combine, wide, [1], bool), want);
    }
    release(backend, x);
  }
  const three = put(backend, new Array(39).fill(3), int64);
  const out = empty(backend, [], int64);
  backend.reduce(identity(int64), "prod", [39], [0], [three], [], [out]);
  assertEquals(new BigInt64Array(backend.readSync(out).buffer)[0], 3n ** 39n);
  release(backend, three, out);
});

testEach("NaN wins in extremes, wherever it is", (backend) => {
  for (const n of [1, 5, 100, 5000]) {
    for (const at of [0, n >> 1, n - 1]) {
      const values = noise(n);
      values[at] = NaN;
      const x = put(backend, values, float32);
      assertEquals(reduce(backend, identity(float32), "max", x, [0], float32), [NaN]);
      assertEquals(reduce(backend, identity(float32), "min", x, [0], float32), [NaN]);
      release(backend, x);
    }
  }
});

testEach("empty reductions give the identity", (backend) => {
  const x = empty(backend, [3, 0], float32);
  assertEquals(reduce(backend, identity(float32), "sum", x, [1], float32), [0, 0, 0]);
  assertEquals(reduce(backend, identity(float32), "prod", x, [0, 1], float32), [1]);
  assertEquals(reduce(backend, identity(float32), "sum", x, [0], float32), []);
  release(backend, x);
});

testEach("long float32 sums lose nothing, on one thread or several", (backend) => {
  const n = 3_000_000;
  const values = new Array<number>(n).fill(0.1);
  const x = put(backend, values, float32);
  const exact = Math.fround(0.1) * n;
  const [total] = reduce(backend, identity(float32), "sum", x, [0], float32);
  assert(Math.abs(total - exact) <= exact * 2 ** -24, `${total}, expected ${exact}`);
  const columns = view(x, [30000, 100], [100, 1]);
  for (const v of reduce(backend, identity(float32), "sum", columns, [0], float32)) {
    assert(Math.abs(v - Math.fround(0.1) * 30000) < 3000 * 2 ** -24, `${v}`);
  }
  const before = backend.lib.k.cresset_get_threads();
  backend.lib.k.cresset_set_threads(1);
  assertEquals(reduce(backend, identity(float32), "sum", x, [0], float32), [total], "the order is the same");
  backend.lib.k.cresset_set_threads(before);
  release(backend, x);
});

testEach("the expression is evaluated at every element, operands broadcast", (backend) => {
  const values = noise(1200), center = noise(30, 7);
  const x = put(backend, values, float32, [40, 30]), m = put(backend, center, float32, [30]);
  const square = programOf([float32, float32], float64, ([a, b]) => a.sub(b).mul(a.sub(b)).to("f64"));
  for (const reduced of [[0], [1], [0, 1]]) {
    const out = empty(backend, [40, 30].filter((_, d) => !reduced.includes(d)), float64);
    backend.reduce(square, "sum", [40, 30], reduced, [x, m], [], [out]);
    const squares = values.map((v, i) => (v - center[i % 30]) ** 2);
    assertEquals(get(backend, out), reference(squares, view(x, [40, 30], [30, 1]), reduced, "sum"));
    release(backend, out);
  }
  release(backend, x, m);
});

testEach("several outputs, conversions and the linear index", (backend) => {
  const x = put(backend, noise(600), float16, [20, 30]);
  const e = input(0, float16);
  const program = new Program([float16], [], [
    { expr: e, dtype: float16 },
    { expr: e.mul(e), dtype: float32 },
    { expr: linearIndex(), dtype: int64 },
    { expr: e.eq(0), dtype: int32 },
  ]);
  const values = get(backend, x);
  const derived = [values, values.map((v) => v * v), values.map((_, i) => i), values.map((v) => Number(v === 0))];
  for (const reduced of [[0], [1], [0, 1]]) {
    const shape = [20, 30].filter((_, d) => !reduced.includes(d));
    const outs = [float16, float32, int64, int32].map((d) => empty(backend, shape, d));
    backend.reduce(program, "sum", [20, 30], reduced, [x], [], outs);
    outs.forEach((o, i) => {
      assertEquals(get(backend, o), reference(derived[i], view(x, [20, 30], [30, 1]), reduced, "sum"), `output ${i}`);
    });
    release(backend, ...outs);
  }
  release(backend, x);
});

testEach("arg-reductions find the first extreme, NaN before all", (backend) => {
  const data = noise(6000);
  const base = put(backend, data, float32);
  const views = [
    view(base, [7], [1]),
    view(base, [3, 1000], [1000, 1]),
    view(base, [1000, 3], [3, 1]),
    view(base, [5, 6, 7], [42, 7, 1]),
    view(base, [600, 10], [1, 600]),
  ];
  for (const x of views) {
    for (let dim = 0; dim < x.shape.length; dim++) {
      for (const kind of ["max", "min"] as const) {
        const shape = x.shape.filter((_, d) => d !== dim);
        const indices = empty(backend, shape, int64), values = empty(backend, shape, float32);
        backend.argReduce(kind, x, dim, indices, values);
        const best = reference(data, x, [dim], kind);
        assertEquals(get(backend, values), best);
        const places = get(backend, indices);
        // The first place along the dimension that holds the value.
        const steps = contiguousStrides(shape);
        const keptStrides = x.strides.filter((_, d) => d !== dim);
        places.forEach((place, i) => {
          const at = shape.reduce((s, size, d) => s + Math.floor(i / steps[d]) % size * keptStrides[d], x.offset);
          let first = 0;
          while (data[at + first * x.strides[dim]] !== best[i]) first++;
          assertEquals(place, first, `${kind} of ${x.shape} along ${dim}`);
        });
        release(backend, indices, values);
      }
    }
  }
  const nan = put(backend, [1, NaN, 9, NaN], float32);
  const at = empty(backend, [], int64);
  backend.argReduce("max", nan, 0, at, null);
  assertEquals(get(backend, at), [1]);
  const bytes = put(backend, [3, 250, 250, 1], uint8);
  backend.argReduce("max", bytes, 0, at, null);
  assertEquals(get(backend, at), [1]);
  release(backend, base, nan, bytes, at);
});

function scanReference(values: number[], kind: ScanKind): number[] {
  let total = 0;
  return values.map((v, i) => {
    if (i === 0) return total = v;
    if (kind === "sum") total += v;
    else if (kind === "prod") total *= v;
    else if (kind === "max") total = Math.max(total, v);
    else if (kind === "min") total = Math.min(total, v);
    else total = Math.log(Math.exp(total) + Math.exp(v));
    return total;
  });
}

testEach("scans along contiguous and strided dimensions", (backend) => {
  for (const n of [1, 7, 1500]) {
    const values = noise(n * 3).map((v) => v / 8);
    const x = put(backend, values, float64, [3, n]);
    const transposed = view(put(backend, values, float64), [n, 3], [3, 1]);
    for (const kind of ["sum", "max", "min", "logsumexp", "prod"] as const) {
      const out = empty(backend, [3, n], float64), indices = empty(backend, [3, n], int64);
      backend.scan(kind, x, 1, out, kind === "max" || kind === "min" ? indices : null);
      const got = get(backend, out);
      for (let r = 0; r < 3; r++) {
        const row = values.slice(r * n, r * n + n), want = scanReference(row, kind);
        want.forEach((v, i) => assert(Math.abs(got[r * n + i] - v) <= 1e-9 * (1 + Math.abs(v)), `${kind} ${n}`));
        if (kind === "max" || kind === "min") {
          get(backend, indices).slice(r * n, r * n + n).forEach((place, i) => {
            assertEquals(place, row.lastIndexOf(want[i], i));
          });
        }
      }
      release(backend, out, indices);
    }
    const out = empty(backend, [n, 3], float64);
    backend.scan("sum", transposed, 0, out, null);
    const got = get(backend, out);
    for (let c = 0; c < 3; c++) {
      scanReference(values.filter((_, i) => i % 3 === c), "sum").forEach((v, i) => {
        assert(Math.abs(got[i * 3 + c] - v) < 1e-9);
      });
    }
    release(backend, x, transposed, out);
  }
});

testEach("scans convert integers and bools to the result's dtype", (backend) => {
  const x = put(backend, [1, 0, 1, 1], bool), out = empty(backend, [4], int64);
  backend.scan("sum", x, 0, out, null);
  assertEquals(get(backend, out), [1, 1, 2, 3]);
  const y = put(backend, [2, -3, 4], int32), products = empty(backend, [3], int64);
  backend.scan("prod", y, 0, products, null);
  assertEquals(get(backend, products), [2, -6, -24]);
  const z = put(backend, [1, NaN, 3], float32), values = empty(backend, [3], float32);
  const indices = empty(backend, [3], int64);
  backend.scan("max", z, 0, values, indices);
  assertEquals(get(backend, values), [1, NaN, NaN]);
  assertEquals(get(backend, indices), [0, 1, 1]);
  release(backend, x, out, y, products, z, values, indices);
});
