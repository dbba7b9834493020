/** The kernels of conv.c (and oneDNN where it is) against plain loops: 1 to 3 dimensions, every geometry, all dtypes. */

import { fail } from "@std/assert";
import { bfloat16, type DType, float16, float32, float64 } from "../../src/base/dtype.ts";
import type { ConvGeometry } from "../../src/backend/backend.ts";
import type { CpuBackend } from "../../src/backend/cpu/mod.ts";
import { numelOf } from "../../src/base/shape.ts";
import { libraries, stream, Values } from "./arrays.ts";

interface Problem extends ConvGeometry {
  readonly x: number[];
  readonly w: number[];
  readonly y: number[];
}

/** Every (output, input, weight) triple of flat positions that a convolution multiplies. */
function* products(p: Problem): Generator<[number, number, number]> {
  const [n, c, ...size] = p.x, [o, cg, ...kernel] = p.w, out = p.y.slice(2), og = o / p.groups;
  const digits = (at: number, sizes: number[]) => {
    const list = new Array<number>(sizes.length);
    for (let d = sizes.length - 1; d >= 0; d--) {
      list[d] = at % sizes[d];
      at = Math.floor(at / sizes[d]);
    }
    return list;
  };
  for (let at = 0; at < numelOf(p.y); at++) {
    const channel = Math.floor(at / numelOf(out)) % o, image = Math.floor(at / numelOf(out) / o);
    const place = digits(at % numelOf(out), out);
    for (let k = 0; k < cg * numelOf(kernel); k++) {
      const tap = digits(k % numelOf(kernel), kernel), from = Math.floor(k / numelOf(kernel));
      let inside = 0, ok = image < n;
      place.forEach((v, d) => {
        const i = v * p.stride[d] - p.padding[d] + tap[d] * p.dilation[d];
        ok &&= i >= 0 && i < size[d];
        inside = inside * size[d] + i;
      });
      const plane = image * c + Math.floor(channel / og) * cg + from;
      if (ok) yield [at, plane * numelOf(size) + inside, channel * cg * numelOf(kernel) + k];
    }
  }
}

function check(what: string, got: number[], want: Float64Array, tolerance: number): void {
  want.forEach((w, i) => {
    if (!(Math.abs(got[i] - w) <= tolerance * (1 + Math.abs(w)))) fail(`${what} at ${i}: ${got[i]}, expected ${w}`);
  });
}

function checkAll(backend: CpuBackend, dtype: DType, p: Problem, random: () => number): void {
  const values = (shape: number[]) => Array.from({ length: numelOf(shape) }, () => Math.floor(random() * 9 - 4) / 4);
  const [xv, wv, yv, bv] = [values(p.x), values(p.w), values(p.y), values([p.w[0]])];
  const make = (shape: number[]) => new Values(backend, shape, dtype);
  const [x, w, y, b] = [make(p.x).set(xv), make(p.w).set(wv), make(p.y).set(yv), make([p.w[0]]).set(bv)];
  const [forward, input, weight] = [p.y, p.x, p.w].map((s) => new Float64Array(numelOf(s)));
  const plane = numelOf(p.y.slice(2));
  forward.forEach((_, i) => forward[i] = bv[Math.floor(i / plane) % p.w[0]]);
  for (const [at, from, k] of products(p)) {
    forward[at] += xv[from] * wv[k];
    input[from] += yv[at] * wv[k];
    weight[k] += yv[at] * xv[from];
  }
  const tolerance = { float16: 2e-3, bfloat16: 2e-2, float32: 2e-6 }[dtype.name as string] ?? 1e-13;
  const what = `${dtype.name} ${JSON.stringify(p)}`;
  const outs = [make(p.y), make(p.x), make(p.w)];
  for (const o of outs) o.set(new Array<number>(numelOf(o.shape)).fill(NaN));
  backend.conv(x, w, b, outs[0], p);
  check(`conv ${what}`, outs[0].get(), forward, tolerance);
  backend.convGradInput(y, w, outs[1], p);
  check(`convGradInput ${what}`, outs[1].get(), input, tolerance);
  backend.convGradWeight(y, x, outs[2], p);
  check(`convGradWeight ${what}`, outs[2].get(), weight, tolerance);
  for (const v of [x, w, y, b, ...outs]) v.free();
}

/** A random problem whose output is not empty. */
function problem(random: () => number, large: boolean): Problem {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  for (;;) {
    const nd = pick([1, 2, 2, 3]), groups = pick([1, 1, 2, 3]);
    const each = (list: number[]) => Array.from({ length: nd }, () => pick(list));
    const c = groups * pick(large ? [4, 8] : [1, 2, 3]), o = groups * pick(large ? [8, 16] : [1, 2, 5]);
    const size = each(large ? [9, 12] : [1, 4, 7]), kernel = each([1, 2, 3]), stride = each([1, 1, 2, 3]);
    const padding = each([0, 1, 2]), dilation = each([1, 1, 2]);
    const out = size.map((s, d) =>
      Math.floor((s + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1
    );
    const n = pick(large ? [2, 9] : [0, 1, 2, 4]);
    const p = {
      x: [n, c, ...size],
      w: [o, c / groups, ...kernel],
      y: [n, o, ...out],
      stride,
      padding,
      dilation,
      groups,
    };
    if (out.every((s) => s > 0) && numelOf(p.y) * numelOf(p.w.slice(1)) < 3e6) return p;
  }
}

for (const [name, backend] of libraries()) {
  Deno.test(`convolution (${name}): all three kernels agree with loops for small odd geometries`, () => {
    const random = stream(3);
    for (const dtype of [float32, float64, float16, bfloat16]) {
      for (let i = 0; i < 60; i++) checkAll(backend, dtype, problem(random, false), random);
    }
  });

  Deno.test(`convolution (${name}): all three kernels agree with loops where several tiles or oneDNN work`, () => {
    const random = stream(4);
    for (let i = 0; i < 12; i++) checkAll(backend, float32, problem(random, true), random);
  });

  Deno.test(`convolution (${name}): one channel per group (depthwise)`, () => {
    const random = stream(5);
    const base = { padding: [1, 1], dilation: [1, 1], groups: 6 };
    for (const [stride, size] of [[1, 9], [2, 5]]) {
      const p = { ...base, stride: [stride, stride], x: [2, 6, 9, 9], w: [6, 1, 3, 3], y: [2, 6, size, size] };
      for (const dtype of [float32, float64]) checkAll(backend, dtype, p, random);
    }
  });
}
