/** Sorting, joining, masks and embedding: results with fields, mistakes in words, and no temporaries left behind. */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertAllclose, assertUserError } from "../support/assert.ts";

const F = torch.nn.functional;

Deno.test("sort, topk, median, mode: fields that are also an array", async () => {
  const x = torch.tensor([[3, 1, 2, 1], [NaN, 5, 4, 4]]);
  const [values, indices] = x.sort();
  assertEquals(await indices.tolist(), [[1, 3, 2, 0], [2, 3, 1, 0]]);
  assertEquals(await x.sort({ descending: true }).values.tolist(), [[3, 2, 1, 1], [NaN, 5, 4, 4]]);
  assertEquals(await values.at(0).tolist(), [1, 1, 2, 3]);
  assertEquals(await x.topk(2).values.tolist(), [[3, 2], [NaN, 5]]);
  assertEquals(await x.median(1).values.tolist(), [1, NaN]);
  assertEquals(await x.nanmedian(1).values.tolist(), [1, 4]);
  assertEquals(await x.mode(1).values.tolist(), [1, 4]);
});

Deno.test("unique: values, positions and counts, of elements and of slices", async () => {
  const x = torch.tensor([[1, 2], [0, 3], [1, 2]]);
  assertEquals(await (await x.unique()).tolist(), [0, 1, 2, 3]);
  const [rows, inverse, counts] = await x.unique({ dim: 0, returnInverse: true, returnCounts: true }) as torch.Tensor[];
  assertEquals(await rows.tolist(), [[0, 3], [1, 2]]);
  assertEquals(await inverse.tolist(), [1, 0, 1]);
  assertEquals(await counts.tolist(), [1, 2]);
  assertEquals(await (await torch.tensor([1, 1, 2, 1]).uniqueConsecutive()).tolist(), [1, 2, 1]);
  assertEquals((await torch.zeros(0).unique()).shape, [0]);
});

Deno.test("embedding: padding gets no gradient, long rows are scaled, rows must exist", async () => {
  const weight = torch.arange(6, { dtype: torch.float32 }).reshape(3, 2).requiresGrad_();
  const index = torch.tensor([[0n, 2n], [2n, 1n]]);
  F.embedding(index, weight, { paddingIdx: -1 }).sum().backward();
  assertEquals(await weight.grad!.tolist(), [[1, 1], [1, 1], [0, 0]]);
  const table = torch.tensor([[3, 4], [0.3, 0.4]]);
  await assertAllclose(F.embedding(torch.tensor([0n, 1n]), table, { maxNorm: 1 }), [[0.6, 0.8], [0.3, 0.4]]);
  await assertUserError(
    () => F.embedding(torch.tensor([3n]), weight),
    torch.IndexError,
    "3 along dimension 0 of size 3",
  );
  await assertUserError(() => F.embedding(torch.tensor([-1n]), weight), torch.IndexError, "-1 along dimension 0");
  await assertUserError(() => F.embedding(torch.tensor([0.5]), weight), torch.DTypeError, "torch.float32");
});

Deno.test("oneHot: at once with a number of classes, else a promise", async () => {
  const x = torch.tensor([0n, 2n]);
  assertEquals(await (F.oneHot(x, 3) as torch.Tensor).tolist(), [[1, 0, 0], [0, 0, 1]]);
  assertEquals((await F.oneHot(x)).shape, [2, 3]);
  await assertUserError(() => F.oneHot(x, 2), torch.IndexError, "2 along dimension 1 of size 2");
});

Deno.test("mistakes are named", async () => {
  const x = torch.ones(2, 3);
  await assertUserError(() => x.reshape(4), torch.ShapeError, "6 elements");
  await assertUserError(() => x.t().view(6), torch.ShapeError, "use reshape()");
  await assertUserError(() => x.expand(2, 4), torch.ShapeError, "[2, 3] to [2, 4] (dimension 1)");
  await assertUserError(() => x.permute(0, 0), torch.ArgumentError, "twice");
  await assertUserError(() => x.split([1, 2]), torch.ShapeError, "[1, 2] for 2");
  await assertUserError(() => torch.cat([x, torch.ones(3, 3)], 1), torch.ShapeError, "[2, 3] and [3, 3]");
  await assertUserError(() => torch.cat([]), torch.ArgumentError, "at least one");
  await assertUserError(() => torch.stack([x, x.t()]), torch.ShapeError, "one shape");
  await assertUserError(() => x.topk(4), torch.ShapeError, "4 along dimension 1 of size 3");
  await assertUserError(() => x.gather(0, torch.tensor([[0.5]])), torch.DTypeError, "torch.float32");
  await assertUserError(() => x.maskedFill(x, 0), torch.DTypeError, "use .bool()");
  await assertUserError(() => x.cfloat().sort(), torch.DTypeError, "order");
  await assertUserError(() => F.pad(x, [1]), torch.ShapeError, "pairs");
  await assertUserError(() => F.pad(torch.ones(1, 1, 3), [3, 0], "reflect"), torch.ShapeError, "does not fit");
});

Deno.test("gradients pass through the parts of a split together", async () => {
  const x = torch.arange(6, { dtype: torch.float32 }).requiresGrad_();
  const [a, , c] = x.chunk(3);
  a.mul(2).sum().add(c.sum()).backward();
  assertEquals(await x.grad!.tolist(), [2, 2, 0, 0, 1, 1]);
});

Deno.test("composed ops leave no temporaries", async () => {
  const x = torch.arange(24, { dtype: torch.float32 }).reshape(2, 3, 4), index = torch.tensor([1n, 0n]);
  const ops: Record<string, () => torch.Tensor | readonly torch.Tensor[]> = {
    tril: () => x.tril(),
    flip: () => x.flip(0, 2),
    roll: () => x.roll([1, 2], [0, 2]),
    rot90: () => torch.rot90(x),
    repeat: () => x.repeat(2, 1, 1),
    repeatInterleave: () => x.repeatInterleave(2, 1),
    pad: () => F.pad(x, [1, 1], "reflect"),
    kron: () => torch.kron(x, x),
    "at (one index)": () => x.at(index),
    "at (two indices)": () => x.at(index, index),
    "at (apart)": () => x.at(index, torch.slice(), index),
    setAt: () => x.clone().setAt(index, 1),
    scatterReduce: () => x.scatterReduce(0, x.long().mul(0), x, "mean"),
    maskedScatter: () => x.maskedScatter(x.gt(3), x),
    indexFill: () => x.indexFill(0, index, 2),
    median: () => x.median(),
    "median along": () => [...x.median(1)],
    mode: () => [...x.mode(2)],
    isin: () => torch.isin(x, torch.ones(2)),
    histc: () => x.histc({ bins: 4 }),
    nonzeroStatic: () => x.nonzeroStatic({ size: 5 }),
  };
  for (const [name, op] of Object.entries(ops)) {
    const before = torch.memoryStats().liveBlocks;
    const out = torch.scope(() => {
      const made = op();
      return Array.isArray(made) ? made as torch.Tensor[] : [made as torch.Tensor];
    });
    const blocks = new Set(out.map((t) => t.storage)).size;
    assertEquals(torch.memoryStats().liveBlocks - before, blocks, name);
    for (const t of out) t.dispose();
    // Without a scope of the caller's, the op itself lets go of what it made on the way.
    const alone = [op()].flat() as torch.Tensor[];
    const left = torch.memoryStats().liveBlocks - before - new Set(alone.map((t) => t.storage)).size;
    assert(left <= 2, `${name}: ${left} blocks more than its results`);
    for (const t of alone) t.dispose();
    await new Promise((resolve) => setTimeout(resolve));
  }
});
