/** `at` and `setAt` against PyTorch: random indices, their gradients, errors; and what only we have (promises of masks). */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertUserError } from "../support/assert.ts";

type Part = number | null | "..." | { slice: [number, number, number] } | {
  index?: number[];
  mask?: boolean[];
  shape: number[];
};

interface Case {
  shape: number[];
  order: number[];
  index: Part[];
  error?: string;
  read: number[];
  readShape: number[];
  readGrad: number[];
  valueShape?: number[];
  written: number[];
  baseGrad: number[];
  valueGrad: number[];
}

const cases: Case[] = JSON.parse(
  await Deno.readTextFile(new URL("../golden/indexing.json", import.meta.url)),
);

function indexOf(part: Part): torch.Index {
  if (part === null || typeof part !== "object") return part;
  if ("slice" in part) return torch.slice(...part.slice);
  const { index, mask, shape } = part;
  return mask
    ? torch.fromData(mask, shape, { dtype: torch.bool })
    : torch.fromData(index!, shape, { dtype: torch.int64 });
}

/** 1, 2, 3, … */
function counting(shape: readonly number[]): torch.Tensor {
  const n = shape.reduce((a, b) => a * b, 1);
  return torch.arange(1, n + 1, { dtype: torch.float64 }).reshape(shape);
}

async function values(x: torch.Tensor): Promise<number[]> {
  return Array.from(await x.read() as Float64Array, Number);
}

Deno.test("at: random indices read what PyTorch reads, with its gradient", async () => {
  for (const c of cases) {
    const what = JSON.stringify([c.shape, c.order, c.index]);
    const inverse = c.shape.map((_, d) => c.order.indexOf(d));
    const x = counting(c.order.map((d) => c.shape[d])).permute(inverse), index = c.index.map(indexOf);
    if (c.error) {
      await assertUserError(async () => await x.atMask(...index), Error, "");
      continue;
    }
    const read = await x.atMask(...index);
    assertEquals(read.shape, c.readShape, what);
    assertEquals(await values(read), c.read, what);
    const leaf = x.clone().requiresGrad_();
    const picked = await leaf.atMask(...index);
    picked.mul(counting(picked.shape)).sum().backward();
    assertEquals(await values(leaf.grad!), c.readGrad, what);
  }
});

Deno.test("setAt: random indices write what PyTorch writes, with its gradients", async () => {
  for (const c of cases) {
    if (c.valueShape === undefined) continue;
    const what = JSON.stringify([c.shape, c.order, c.index, c.valueShape]);
    const inverse = c.shape.map((_, d) => c.order.indexOf(d));
    const base = counting(c.order.map((d) => c.shape[d])).requiresGrad_();
    const value = counting(c.valueShape).neg().requiresGrad_();
    const x = base.clone().permute(inverse);
    x.setAt(...(c.index.length > 0 ? c.index.map(indexOf) : ["..." as const]), value);
    assertEquals(await values(x), c.written, what);
    x.mul(counting(x.shape)).sum().backward();
    assertEquals(await values(base.grad!), c.baseGrad, what);
    assertEquals(await values(value.grad!), c.valueGrad, what);
  }
});

Deno.test("at: basic indices are views that share memory", async () => {
  const x = torch.zeros(3, 4);
  x.at(1, torch.slice(1, 3)).fill_(5);
  assertEquals(await x.sum().item(), 10);
  const y = x.at();
  y.add_(1);
  assertEquals(await x.sum().item(), 22);
});

Deno.test("atMask gives a promise, also inside noGrad, which is remembered; at refuses masks", async () => {
  await assertUserError(() => torch.ones(2).at([true, false]), torch.ArgumentError, "use await x.atMask(mask)");
  const x = torch.tensor([1, -2, 3]).requiresGrad_();
  const promise: unknown = torch.noGrad(() => x.atMask(x.gt(0)));
  assert(promise instanceof Promise);
  const picked = await promise as torch.Tensor;
  assertEquals(await picked.tolist(), [1, 3]);
  assertEquals(picked.requiresGrad, false);
  assertEquals((await x.atMask(x.gt(0))).requiresGrad, true);
});

Deno.test("setAt: numbers, nested arrays, and values of another dtype are converted", async () => {
  const x = torch.zeros([2, 3], { dtype: torch.int64 });
  x.setAt(0, [1, 2, 3]).setAt(1, torch.slice(1), torch.tensor([4.7, 5.2])).setAt(1, 0, 9n);
  assertEquals(await x.tolist(), [[1, 2, 3], [9, 4, 5]]);
  x.setAt(x.gt(3), 0);
  assertEquals(await x.tolist(), [[1, 2, 3], [0, 0, 0]]);
  x.setAt([0, 1], [2, 2], [7, 8]);
  assertEquals(await x.tolist(), [[1, 2, 7], [0, 0, 8]]);
});

Deno.test("setAt: a source that overlaps the target is read before it is written", async () => {
  const x = torch.arange(5);
  x.setAt(torch.slice(1, 5), x.at(torch.slice(0, 4)));
  assertEquals(await x.tolist(), [0, 0, 1, 2, 3]);
  const y = torch.arange(4);
  y.setAt([3, 2, 1, 0], y);
  assertEquals(await y.tolist(), [3, 2, 1, 0]);
});

Deno.test("at and setAt: mistakes are named", async () => {
  const x = torch.arange(12).reshape(3, 4);
  await assertUserError(() => x.at(3), torch.IndexError, "index out of range: 3 along dimension 0 of size 3");
  await assertUserError(() => x.at([0, -4]), torch.IndexError, "index out of range: -4 along dimension 0 of size 3");
  await assertUserError(() => x.at([0, 1], [1, 4]), torch.IndexError, "4 along dimension 0 of size 4");
  await assertUserError(() => x.at(0, 0, 0), torch.IndexError, "too many indices: 3");
  await assertUserError(() => x.at("...", "..."), torch.IndexError, "single");
  await assertUserError(() => x.at(torch.tensor([0.5])), torch.DTypeError, "int64, int32 or bool: torch.float32");
  await assertUserError(() => x.at(torch.tensor([true])), torch.IndexError, "mask");
  await assertUserError(() => x.at(torch.slice(0, 2, 0)), torch.ShapeError, "step must be positive: 0");
  await assertUserError(() => x.setAt(0, [1, 2]), torch.ShapeError, "does not broadcast");
  await assertUserError(() => x.setAt([0, 1], torch.ones(5, 4)), torch.ShapeError, "does not broadcast");
  const leaf = torch.zeros(2).requiresGrad_();
  await assertUserError(() => leaf.setAt(0, 1), torch.AutogradError, "leaf");
});

Deno.test("take refuses to write where it reads, or several elements to one place", () => {
  const x = torch.arange(6, { dtype: torch.float32 }), index = torch.tensor([0, 5], { dtype: torch.int64 });
  for (const out of [x.narrow(0, 0, 2), torch.zeros(1).expand(2)]) {
    assertThrows(() => torch.take(x, index, { out }), Error, "memory");
  }
  assertThrows(() => torch.take(index, index.mul(0), { out: index }), torch.ArgumentError, "shares memory");
  assertEquals(torch.take(x, index, { out: torch.zeros(2) }).tolistSync(), [0, 5]);
});
