/** The kernels of pool.c against plain loops: windows of every kind, ties, NaN, all dtypes. */

import { assertEquals, fail } from "@std/assert";
import { bool, float32, float64, int64 } from "../../src/base/dtype.ts";
import type { PoolWindows } from "../../src/backend/backend.ts";
import { numelOf } from "../../src/base/shape.ts";
import { libraries, REAL, sample, stream, Values } from "./arrays.ts";

/** The positions in the input's plane that each window holds, in order. */
function taps(windows: PoolWindows, size: number[]): number[][] {
  const out = windows.starts.map((s) => s.length);
  return Array.from({ length: numelOf(out) }, (_, at) => {
    let list = [0];
    const place = out.map((_, d) => Math.floor(at / numelOf(out.slice(d + 1))) % out[d]);
    size.forEach((n, d) => {
      const next: number[] = [];
      for (const t of list) {
        for (let i = windows.starts[d][place[d]]; i < windows.ends[d][place[d]]; i += windows.dilation[d]) {
          if (i >= 0 && i < n) next.push(t * n + i);
        }
      }
      list = next;
    });
    return list;
  });
}

/** Random windows over random sizes: evenly spaced, or adaptive. */
function windowsOf(random: () => number): [PoolWindows, number[]] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const nd = pick([1, 2, 2, 3]);
  const size: number[] = [], starts: number[][] = [], ends: number[][] = [], dilation: number[] = [];
  while (size.length < nd) {
    const n = pick([1, 4, 9, 14]);
    if (random() < 0.3) {
      const out = pick([1, 2, 3, 5]);
      starts.push(Array.from({ length: out }, (_, i) => Math.floor(i * n / out)));
      ends.push(Array.from({ length: out }, (_, i) => Math.ceil((i + 1) * n / out)));
      dilation.push(1);
    } else {
      const kernel = pick([1, 2, 3]), step = pick([1, 2, 3]), taps = pick([1, 1, 2]), pad = pick([0, kernel >> 1]);
      const out = Math.floor((n + 2 * pad - taps * (kernel - 1) - 1) / step) + 1;
      if (out < 1) continue;
      starts.push(Array.from({ length: out }, (_, i) => i * step - pad));
      ends.push(starts[starts.length - 1].map((s) => s + taps * (kernel - 1) + 1));
      dilation.push(taps);
    }
    size.push(n);
  }
  return [{ starts, ends, dilation }, size];
}

for (const [name, backend] of libraries()) {
  Deno.test(`maxPool (${name}): values and indices agree with loops, NaN wins, ties give the first`, () => {
    const random = stream(6);
    for (const dtype of REAL.filter((d) => d !== bool)) {
      for (let round = 0; round < 40; round++) {
        const [windows, size] = windowsOf(random);
        const lists = taps(windows, size), planes = 3;
        // Padding and dilation can leave a window without a tap, which has no largest value.
        if (lists.some((list) => list.length === 0)) continue;
        const shape = [planes, ...windows.starts.map((s) => s.length)];
        const values = sample(dtype, planes * numelOf(size), random);
        const x = new Values(backend, [planes, ...size], dtype).set(values);
        const out = new Values(backend, shape, dtype), indices = new Values(backend, shape, int64);
        backend.maxPool(x, windows, out, indices);
        const best: number[] = [], where: number[] = [];
        for (let p = 0; p < planes; p++) {
          for (const list of lists) {
            let at = -1;
            for (const t of list) {
              const v = values[p * numelOf(size) + t];
              if (at < 0 || v > values[p * numelOf(size) + at] || Number.isNaN(v)) at = t;
            }
            where.push(at);
            best.push(values[p * numelOf(size) + at]);
          }
        }
        const what = `${dtype.name} ${JSON.stringify(windows)} over ${size}`;
        assertEquals(indices.get(), where, what);
        assertEquals(out.get(), best, what);
        for (const v of [x, out, indices]) v.free();
      }
    }
  });

  Deno.test(`avgPool (${name}): sums times scale and their gradient agree with loops`, () => {
    const random = stream(7);
    for (const dtype of REAL.filter((d) => d.isFloatingPoint)) {
      for (let round = 0; round < 40; round++) {
        const [windows, size] = windowsOf(random);
        const lists = taps(windows, size), planes = 2, n = numelOf(size), m = lists.length;
        const out = windows.starts.map((s) => s.length);
        const quarter = (count: number) => Array.from({ length: count }, () => Math.floor(random() * 9 - 4) / 4);
        const [xv, gv, sv] = [quarter(planes * n), quarter(planes * m), quarter(m)];
        const x = new Values(backend, [planes, ...size], dtype).set(xv);
        const grad = new Values(backend, [planes, ...out], dtype).set(gv);
        const scale = new Values(backend, out, dtype === float64 ? float64 : float32).set(sv);
        const y = new Values(backend, [planes, ...out], dtype), dx = new Values(backend, [planes, ...size], dtype);
        backend.avgPool(x, windows, scale, y);
        backend.avgPoolGrad(grad, windows, scale, dx);
        const want = new Float64Array(planes * m), wantGrad = new Float64Array(planes * n);
        for (let at = 0; at < planes * m; at++) {
          const base = Math.floor(at / m) * n;
          for (const t of lists[at % m]) {
            want[at] += xv[base + t] * sv[at % m];
            wantGrad[base + t] += gv[at] * sv[at % m];
          }
        }
        const tolerance = { float16: 2e-3, bfloat16: 1e-2 }[dtype.name as string] ?? 1e-6;
        const close = (a: number, b: number) => Math.abs(a - b) <= tolerance * (1 + Math.abs(b));
        y.get().forEach((v, i) => {
          if (!(close(v, want[i]))) fail(`avgPool ${dtype.name} at ${i}: ${v}, expected ${want[i]}`);
        });
        dx.get().forEach((v, i) => {
          if (!(close(v, wantGrad[i]))) fail(`avgPoolGrad ${dtype.name} at ${i}: ${v}, expected ${wantGrad[i]}`);
        });
        for (const v of [x, grad, scale, y, dx]) v.free();
      }
    }
  });

  Deno.test(`pooling (${name}): a table of windows longer than the argument arena`, () => {
    const n = 6000, count = 2500;
    const starts = [Array.from({ length: count }, (_, i) => Math.floor(i * n / count))];
    const ends = [Array.from({ length: count }, (_, i) => Math.ceil((i + 1) * n / count))];
    const x = new Values(backend, [1, n], float32).set(Array.from({ length: n }, (_, i) => i));
    const out = new Values(backend, [1, count], float32), indices = new Values(backend, [1, count], int64);
    backend.maxPool(x, { starts, ends, dilation: [1] }, out, indices);
    assertEquals(out.get(), ends[0].map((e) => e - 1));
    for (const v of [x, out, indices]) v.free();
  });
}
