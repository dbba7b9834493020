/**
 * The pointwise vector machine against plain JavaScript: layouts, dtypes, several outputs, in-place, block boundaries.
 */

import { assert, assertAlmostEquals, assertEquals, fail } from "@std/assert";
import {
  bfloat16,
  bool,
  type DType,
  float16,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  uint8,
} from "../../src/base/dtype.ts";
import { philoxWord } from "../../src/base/philox.ts";
import { type Expr, input, linearIndex, scalar, where } from "../../src/expr/expr.ts";
import { Program } from "../../src/expr/program.ts";
import type { CpuBackend } from "../../src/backend/cpu/mod.ts";
import {
  bf16Bits,
  decode,
  empty,
  encode,
  get,
  programOf,
  put,
  release,
  testEach,
  type TestTensor,
  view,
} from "./support.ts";

const ADD = programOf([float32, float32], float32, ([a, b]) => a.add(b));

function iota(n: number, from = 0): number[] {
  return Array.from({ length: n }, (_, i) => from + i);
}

function run(
  backend: CpuBackend,
  program: Program,
  shape: number[],
  inputs: TestTensor[],
  scalars: (number | bigint)[],
  dtype: DType,
): number[] {
  const out = empty(backend, shape, dtype);
  backend.pointwise(program, shape, inputs, scalars, [out]);
  const values = get(backend, out);
  release(backend, out);
  return values;
}

testEach("contiguous operands of every length around a block", (backend) => {
  for (const n of [0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 1023, 1024, 1025, 2048, 4097]) {
    const a = put(backend, iota(n), float32), b = put(backend, iota(n, 5), float32);
    assertEquals(run(backend, ADD, [n], [a, b], [], float32), iota(n).map((i) => 2 * i + 5), `n = ${n}`);
    release(backend, a, b);
  }
});

testEach("a million elements use every thread and agree", (backend) => {
  const n = 1_000_003;
  const a = put(backend, iota(n), float32), b = put(backend, iota(n, 1), float32);
  const y = run(backend, ADD, [n], [a, b], [], float32);
  assert(y.every((v, i) => v === Math.fround(Math.fround(i) + Math.fround(i + 1))));
  release(backend, a, b);
});

/** Reads a strided view in JavaScript, broadcast to `shape`. */
function reference(data: number[], x: TestTensor, shape: number[]): number[] {
  const out: number[] = [];
  const lead = shape.length - x.shape.length;
  const walk = (d: number, at: number): void => {
    if (d === shape.length) {
      out.push(data[at]);
      return;
    }
    const own = d - lead;
    const step = own >= 0 && x.shape[own] === shape[d] ? x.strides[own] : 0;
    for (let i = 0; i < shape[d]; i++) walk(d + 1, at + i * step);
  };
  walk(0, x.offset);
  return out;
}

testEach("strided, permuted and broadcast operands", (backend) => {
  const data = iota(6000);
  const base = put(backend, data, float32);
  const layouts: [number[], TestTensor, TestTensor][] = [
    [[3, 4], view(base, [3, 4], [4, 1]), view(base, [4], [1])],
    [[3, 4], view(base, [3, 1], [1, 1]), view(base, [1, 4], [4, 1])],
    [[40, 50], view(base, [40, 50], [1, 40]), view(base, [40, 50], [50, 1])],
    [[5, 100], view(base, [5, 100], [1, 5], 7), view(base, [100], [3])],
    [[7, 3, 64], view(base, [7, 3, 64], [192, 64, 1]), view(base, [3, 1], [1, 1])],
    [[7, 64, 3], view(base, [7, 64, 3], [192, 1, 64]), view(base, [64, 1], [1, 1], 11)],
    [[2, 3, 4, 5], view(base, [2, 3, 4, 5], [60, 20, 5, 1]), view(base, [2, 1, 4, 1], [4, 1, 1, 1])],
    [[2, 3, 4, 5], view(base, [2, 3, 4, 5], [1, 2, 6, 24]), view(base, [5], [2], 3)],
    [[2000], view(base, [2000], [3]), view(base, [], [], 9)],
    [[70, 70], view(base, [70, 70], [0, 1]), view(base, [70, 70], [1, 0])],
    [[1, 1, 1], view(base, [1, 1, 1], [9, 9, 9], 4), view(base, [], [], 5)],
  ];
  for (const [shape, a, b] of layouts) {
    const want = reference(data, a, shape);
    const other = reference(data, b, shape);
    const got = run(backend, ADD, shape, [a, b], [], float32);
    assertEquals(got, want.map((v, i) => v + other[i]), `shape ${shape}, strides ${a.strides} and ${b.strides}`);
  }
  release(backend, base);
});

testEach("copies between layouts, transposed and by rows", (backend) => {
  const data = iota(120 * 130 + 3).map((i) => i % 120);
  const shapes: [number[], number[]][] = [
    [[130, 120], [1, 130]],
    [[17, 33], [1, 17]],
    [[4, 5], [1, 4]],
    [[3, 40, 50], [2000, 1, 40]],
    [[3, 50, 40], [50, 1, 150]],
    [[5, 6, 7, 8], [1, 280, 40, 5]],
    [[40, 30], [50, 1]],
    [[2, 40, 3, 20], [3600, 90, 30, 1]],
  ];
  for (const dtype of [uint8, int16, float32, float64]) {
    const base = put(backend, data, dtype);
    const copy = programOf([dtype], dtype, ([x]) => x);
    for (const [shape, strides] of shapes) {
      const x = view(base, shape, strides, 3);
      assertEquals(
        run(backend, copy, shape, [x], [], dtype),
        reference(data, x, shape),
        `${dtype} ${shape} ${strides}`,
      );
    }
    release(backend, base);
  }
});

testEach("results into strided and permuted memory", (backend) => {
  const a = put(backend, iota(24), float32, [4, 6]);
  const zero = put(backend, [0], float32, []);
  for (const [strides, size] of [[[1, 4], 24], [[12, 2], 48], [[6, 1], 24], [[1, 5], 29]] as [number[], number][]) {
    const memory = put(backend, new Array(size).fill(-1), float32);
    const out = view(memory, [4, 6], strides, 0);
    backend.pointwise(ADD, [4, 6], [a, zero], [], [out]);
    const all = get(backend, memory);
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 6; j++) assertEquals(all[i * strides[0] + j * strides[1]], i * 6 + j);
    }
    assertEquals(all.filter((v) => v === -1).length, size - 24, "nothing else was written");
    release(backend, memory);
  }
  release(backend, a, zero);
});

testEach("scalars of every kind, and constants, are uniform operands", (backend) => {
  const x = put(backend, [1, 2, 3], float32);
  const affine = programOf([float32], float32, ([a], [s, t]) => a.mul(s).add(t).sub(1), ["f32", "f32"]);
  assertEquals(run(backend, affine, [3], [x], [2, 0.5], float32), [1.5, 3.5, 5.5]);
  const big = programOf([int64], int64, ([a], [s]) => a.add(s), ["i64"]);
  const k = put(backend, [1, -1], int64);
  assertEquals(run(backend, big, [2], [k], [9007199254740992n], int64), [Number(9007199254740993n), 9007199254740991]);
  assertEquals(run(backend, big, [2], [k], [-5], int64), [-4, -6]);
  const chosen = programOf([float32], float32, ([a], [c]) => where(c, a, 0), ["bool"]);
  assertEquals(run(backend, chosen, [3], [x], [1], float32), [1, 2, 3]);
  assertEquals(run(backend, chosen, [3], [x], [0], float32), [0, 0, 0]);
  const filled = programOf([], float64, (_, [s]) => s.mul(2), ["f64"]);
  assertEquals(run(backend, filled, [5], [], [1.25], float64), new Array(5).fill(2.5));
  release(backend, x, k);
});

testEach("the linear index counts in row-major order through permuted results", (backend) => {
  const index = new Program([], [], [{ expr: linearIndex(), dtype: int64 }]);
  const out = empty(backend, [3, 4], int64);
  const transposed = view(out, [4, 3], [1, 4]);
  backend.pointwise(index, [4, 3], [], [], [transposed]);
  assertEquals(get(backend, out), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
  assertEquals(run(backend, index, [5, 500], [], [], int64), iota(2500));
  assertEquals(run(backend, index, [], [], [], int64), [0]);
  release(backend, out);
});

testEach("loads and stores of every dtype, converting as C does", (backend) => {
  const values = [0, 1, 2, 3, 100, 127];
  const types = [bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64];
  for (const from of types) {
    const a = put(backend, values, from);
    const loaded = decode(encode(values, from) as Uint8Array<ArrayBuffer>, from);
    for (const to of types) {
      const program = programOf([from], to, ([x]) => x);
      const want = loaded.map((v) => to === bool ? Number(v !== 0) : v);
      assertEquals(run(backend, program, [6], [a], [], to), want, `${from} to ${to}`);
    }
    release(backend, a);
  }
  const floats = put(backend, [-1.7, 2.9, -0.2, 300.5], float32);
  assertEquals(run(backend, programOf([float32], int32, ([x]) => x), [4], [floats], [], int32), [-1, 2, 0, 300]);
  assertEquals(run(backend, programOf([float32], uint8, ([x]) => x), [4], [floats], [], uint8), [255, 2, 0, 44]);
  assertEquals(run(backend, programOf([float32], bool, ([x]) => x), [4], [floats], [], bool), [1, 1, 1, 1]);
  release(backend, floats);
});

testEach("halves round to nearest even, with subnormals, infinities and NaN", (backend) => {
  const values: number[] = [
    0,
    -0,
    65504,
    65519.99,
    65520,
    1e9,
    -1e9,
    Infinity,
    NaN,
    6e-8,
    2.98e-8,
    2.9802322387695312e-8,
    1e-20,
  ];
  for (let e = -26; e < 17; e++) {
    for (const m of [1, 1.00048828125, 1.000732421875, 1.0009765625, 1.3333333, 1.99999]) {
      values.push(m * 2 ** e, -m * 2 ** e);
    }
  }
  const x = put(backend, values, float32);
  const exact = values.map(Math.fround);
  const halves = run(backend, programOf([float32], float16, ([a]) => a), [values.length], [x], [], float16);
  halves.forEach((h, i) => assert(Object.is(h, Math.f16round(exact[i])), `${exact[i]} to float16: ${h}`));
  const brains = run(backend, programOf([float32], bfloat16, ([a]) => a), [values.length], [x], [], bfloat16);
  brains.forEach((b, i) => {
    const want = decode(new Uint8Array(Uint16Array.of(bf16Bits(exact[i])).buffer), bfloat16)[0];
    if (!(Object.is(b, want))) fail(`${exact[i]} to bfloat16: ${b}, expected ${want}`);
  });
  release(backend, x);
});

testEach("every half loads as its value", (backend) => {
  const bits = Uint16Array.from(iota(65536));
  const x = empty(backend, [65536], float16);
  backend.write(x, new Uint8Array(bits.buffer));
  const y = run(backend, programOf([float16], float32, ([a]) => a), [65536], [x], [], float32);
  const want = new Float16Array(bits.buffer);
  y.forEach((v, i) => assert(Object.is(v, want[i]), `half ${i}: ${v}, expected ${want[i]}`));
  release(backend, x);
});

testEach("several outputs in place, each read by the others", (backend) => {
  // A rotation written over its own operands: outputs must not be stored before the other has read them.
  const a = input(0, float32), b = input(1, float32);
  const rotate = new Program([float32, float32], [], [
    { expr: a.sub(b), dtype: float32 },
    { expr: a.add(b), dtype: float32 },
  ]);
  const swap = new Program([float32, float32], [], [{ expr: b, dtype: float32 }, { expr: a, dtype: float32 }]);
  const first = new Program([float32, float32], [], [{ expr: b, dtype: float32 }, { expr: b.exp(), dtype: float32 }]);
  for (const n of [5, 3000]) {
    const x = put(backend, iota(n), float32), y = put(backend, iota(n, 10), float32);
    backend.pointwise(rotate, [n], [x, y], [], [x, y]);
    assertEquals(get(backend, x), new Array(n).fill(-10));
    assertEquals(get(backend, y), iota(n).map((i) => 2 * i + 10));
    backend.pointwise(swap, [n], [x, y], [], [x, y]);
    assertEquals(get(backend, y), new Array(n).fill(-10));
    assertEquals(get(backend, x), iota(n).map((i) => 2 * i + 10));
    backend.pointwise(first, [n], [x, y], [], [x, y]);
    assertEquals(get(backend, x), new Array(n).fill(-10));
    assertAlmostEquals(get(backend, y)[0], Math.exp(-10), 1e-10);
    release(backend, x, y);
  }
});

testEach("two outputs of one value, and outputs of several dtypes", (backend) => {
  const e = input(0, float32).mul(3);
  const program = new Program([float32], [], [
    { expr: e, dtype: float32 },
    { expr: e, dtype: float32 },
    { expr: e, dtype: int32 },
    { expr: e.gt(5), dtype: bool },
    { expr: input(0, float32), dtype: float64 },
  ]);
  const x = put(backend, [1, 2, 3], float32);
  const outs = [float32, float32, int32, bool, float64].map((d) => empty(backend, [3], d));
  backend.pointwise(program, [3], [x], [], outs);
  assertEquals(outs.map((o) => get(backend, o)), [[3, 6, 9], [3, 6, 9], [3, 6, 9], [0, 1, 1], [1, 2, 3]]);
  release(backend, x, ...outs);
});

testEach("integer edge cases do not trap", (backend) => {
  const min = -9223372036854775808n;
  const binary = (build: (a: Expr, b: Expr) => Expr, a: bigint, b: bigint): bigint => {
    const program = programOf([int64, int64], int64, ([x, y]) => build(x, y));
    const x = empty(backend, [1], int64), y = empty(backend, [1], int64), out = empty(backend, [1], int64);
    backend.write(x, new Uint8Array(BigInt64Array.of(a).buffer));
    backend.write(y, new Uint8Array(BigInt64Array.of(b).buffer));
    backend.pointwise(program, [1], [x, y], [], [out]);
    const [value] = new BigInt64Array(backend.readSync(out).buffer);
    release(backend, x, y, out);
    return value;
  };
  assertEquals(binary((a, b) => a.truncDivide(b), 7n, 0n), 0n);
  assertEquals(binary((a, b) => a.remainder(b), 7n, 0n), 0n);
  assertEquals(binary((a, b) => a.floorDivide(b), min, -1n), min);
  assertEquals(binary((a, b) => a.remainder(b), min, -1n), 0n);
  assertEquals(binary((a, b) => a.floorDivide(b), -7n, 2n), -4n);
  assertEquals(binary((a, b) => a.remainder(b), -7n, 2n), 1n);
  assertEquals(binary((a, b) => a.fmod(b), -7n, 2n), -1n);
  assertEquals(binary((a, b) => a.shiftLeft(b), 1n, 64n), 0n);
  assertEquals(binary((a, b) => a.shiftLeft(b), 1n, -1n), 0n);
  assertEquals(binary((a, b) => a.shiftRight(b), -8n, 100n), -1n);
  assertEquals(binary((a, b) => a.shiftRight(b), -8n, 1n), -4n);
  assertEquals(binary((a, b) => a.mul(b), 3037000500n, 3037000500n), BigInt.asIntN(64, 3037000500n ** 2n));
  assertEquals(binary((a, b) => a.pow(b), 3n, 39n), 3n ** 39n);
  assertEquals(binary((a, b) => a.pow(b), -1n, -3n), -1n);
  assertEquals(binary((a, b) => a.pow(b), 2n, -1n), 0n);
  assertEquals(binary((a) => a.neg(), min, 0n), min);
  assertEquals(binary((a) => a.abs(), min, 0n), min);
});

testEach("minimum and maximum propagate NaN, fmin and fmax avoid it", (backend) => {
  const a = put(backend, [1, NaN, 3, NaN], float32), b = put(backend, [2, 2, NaN, NaN], float32);
  const of = (build: (x: Expr, y: Expr) => Expr) =>
    run(backend, programOf([float32, float32], float32, ([x, y]) => build(x, y)), [4], [a, b], [], float32);
  assertEquals(of((x, y) => x.min(y)), [1, NaN, NaN, NaN]);
  assertEquals(of((x, y) => x.max(y)), [2, NaN, NaN, NaN]);
  assertEquals(of((x, y) => x.fmin(y)), [1, 2, 3, NaN]);
  assertEquals(of((x, y) => x.fmax(y)), [2, 2, 3, NaN]);
  release(backend, a, b);
});

testEach("float remainders have the sign of PyTorch", (backend) => {
  const xs = [7, -7, 7, -7, 5.5, 0, 1e10, 3], ys = [3, 3, -3, -3, 0.25, 5, 3, 0];
  const a = put(backend, xs, float32), b = put(backend, ys, float32);
  const of = (build: (x: Expr, y: Expr) => Expr) =>
    run(backend, programOf([float32, float32], float32, ([x, y]) => build(x, y)), [8], [a, b], [], float32);
  assertEquals(of((x, y) => x.remainder(y)), [1, 2, -2, -1, 0, 0, 1, NaN]);
  assertEquals(of((x, y) => x.fmod(y)), [1, -1, 1, -1, 0, 0, 1, NaN]);
  assertEquals(of((x, y) => x.floorDivide(y)), [2, -3, -3, 2, 22, 0, Math.fround(3333333333), Infinity]);
  release(backend, a, b);
});

testEach("Philox words are those of the reference, in runs, in fours and in any order", (backend) => {
  const seed = 0x123456789abcdefn;
  const words = programOf([int64], int64, ([c], [key]) => c.philox(key), ["i64"]);
  for (const counters of [iota(300, 3), iota(300).map((i) => 4 * i + 2), [5, 1, 1000000, 7, 8, 9, 10, 11, 12, 3]]) {
    const x = put(backend, counters, int64);
    const y = run(backend, words, [counters.length], [x], [seed], int64);
    assertEquals(y, counters.map((c) => philoxWord(c, seed)));
    release(backend, x);
  }
  const generated = programOf([], int64, (_, [key, from]) => linearIndex().add(from).philox(key), ["i64", "i64"]);
  assertEquals(
    run(backend, generated, [70], [], [seed, 2n ** 40n], int64),
    iota(70, 2 ** 40).map((c) => philoxWord(c, seed)),
  );
});

testEach("a long chain of operations within the registers", (backend) => {
  let e: Expr = input(0, float32);
  for (let i = 0; i < 200; i++) e = e.mul(scalar(0, "f32")).add(input(1, float32));
  const program = new Program([float32, float32], ["f32"], [{ expr: e, dtype: float32 }]);
  const x = put(backend, iota(1500), float32), y = put(backend, iota(1500), float32);
  const got = run(backend, program, [1500], [x, y], [0.5], float32);
  got.forEach((v, i) => assertAlmostEquals(v, 2 * i, 1e-3));
  release(backend, x, y);
});
