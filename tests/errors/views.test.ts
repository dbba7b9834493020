/** Views: no argument makes one that reaches beyond its storage, and in-place writes through any view have their gradient. */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const x = torch.arange(8) as unknown as Record<string, (...args: unknown[]) => torch.Tensor>;
const wrong = (v: unknown) => v as never;

const REFUSED: Record<string, () => unknown> = {
  "asStrided(): strides are NaN": () => x.asStrided([2], [NaN]),
  "asStrided(): the offset is NaN": () => x.asStrided([2], [1], NaN),
  "asStrided(): the offset is a fraction": () => x.asStrided([2], [1], 0.5),
  "asStrided(): sizes are negative": () => x.asStrided([-2, -2], [1, 1]),
  "asStrided(): sizes and strides are text": () => x.asStrided(["2"], ["1"]),
  "asStrided(): a list has holes": () => x.asStrided(new Array(1), [1]),
  "asStrided(): the stride is beyond what is exact": () => x.asStrided([2], [2 ** 60]),
  "asStrided(): the last element is outside": () => x.asStrided([2], [1], 7),
  "at(): a bound is a fraction": () => x.at(torch.slice(0.5, 3)),
  "at(): a bound is NaN": () => x.at(torch.slice(NaN, 3)),
  "at(): a bound is text": () => x.at(torch.slice(wrong("1"), 3)),
  "at(): the step is a fraction": () => x.at(torch.slice(0, 3, 1.5)),
  "at(): a position is a fraction": () => x.at(1.5),
  "select(): the index is NaN": () => x.select(0, NaN),
  "narrow(): the length is a fraction": () => x.narrow(0, 0, 1.5),
  "diagonal(): the offset is a fraction": () => x.reshape(2, 4).diagonal(0.5),
  "diagonal(): the offset is NaN": () => x.reshape(2, 4).diagonal(NaN),
  "unfold(): the step is NaN": () => x.unfold(0, 2, NaN),
  "unfold(): the size is negative": () => x.unfold(0, -2, 1),
  "unflatten(): a size is a fraction": () => x.unflatten(0, [2.5, 4]),
  "expand(): a size is a fraction": () => torch.ones([1]).expand(2.5),
  "expand(): a size is beyond what is exact": () => torch.ones([1]).expand(2 ** 60),
  "expandAs(): the other is no tensor": () => x.expandAs({ shape: [NaN] }),
  "permute(): a dimension is a fraction": () => x.permute(0.5),
  "movedim(): a dimension is NaN": () => x.movedim(NaN, 0),
  "movedim(): a dimension is text": () => x.movedim("0", 0),
  "squeeze(): a dimension is a fraction": () => x.squeeze(0.5),
  "flip(): a dimension is a fraction": () => x.flip([0.5]),
  "roll(): a shift is a fraction": () => x.roll(0.5),
  "roll(): a shift is NaN": () => x.roll(NaN),
  "split(): a size is a fraction": () => x.split([0.5, 7.5]),
  "tensorSplit(): a cut is a fraction": () => x.tensorSplit([0.5]),
};

for (const [name, call] of Object.entries(REFUSED)) {
  Deno.test(`a view is refused by name: ${name}`, () => {
    assertThrows(call, Error, name.slice(0, name.indexOf(":")));
  });
}

Deno.test("a view's lists are its own: changing the caller's afterwards changes nothing", () => {
  const size = [2, 2], stride = [2, 1];
  const view = x.asStrided(size, stride);
  size[0] = 1e9;
  stride[0] = 1e9;
  assertEquals([view.shape, view.strides], [[2, 2], [2, 1]]);
});

Deno.test("a write through a view of another dtype has its gradient in the base", async () => {
  const a = torch.ones([2], { requiresGrad: true });
  const b = a.mul(1);
  torch.viewAsComplex(b).mul_(3);
  b.sum().backward();
  assertEquals(await a.grad!.tolist(), [3, 3]);

  const c = torch.ones([2], { requiresGrad: true, dtype: torch.complex64 });
  const d = c.mul(1);
  torch.viewAsReal(d).at("...", 0).mul_(3);
  torch.viewAsReal(d).sum().backward();
  assertEquals(await torch.viewAsReal(c.grad!).tolist(), [[3, 1], [3, 1]]);
});

Deno.test("a view of another dtype follows a write to its base", async () => {
  const a = torch.ones([2, 2], { requiresGrad: true });
  const b = a.mul(1);
  const pairs = torch.viewAsComplex(b);
  b.mul_(3);
  torch.viewAsReal(pairs).sum().backward();
  assertEquals(await a.grad!.tolist(), [[3, 3], [3, 3]]);
});

Deno.test("a write through complex values has second derivatives", async () => {
  const a = torch.tensor([1, 2, 3, 4], { requiresGrad: true });
  const b = a.mul(a);
  torch.viewAsComplex(b.reshape(2, 2)).mul_(3);
  const [g] = torch.autograd.grad(b.pow(2).sum(), [a], { createGraph: true });
  const [h] = torch.autograd.grad(g!.sum(), [a]);
  assertEquals(await g!.tolist(), [36, 288, 972, 2304]);
  assertEquals(await h!.tolist(), [108, 432, 972, 1728]);
});

Deno.test("a write through a view of a base that is not row-major goes to the right elements", async () => {
  const a = torch.ones([2, 3], { requiresGrad: true });
  const b = a.t().mul(1);
  assertEquals(b.strides, [1, 3]);
  b.at(0).mul_(3);
  b.sum().backward();
  assertEquals(await a.grad!.tolist(), [[3, 1, 1], [3, 1, 1]]);

  const c = torch.ones([2, 3], { requiresGrad: true });
  const d = c.t().mul(1), row = d.at(0);
  d.mul_(3);
  row.sum().backward();
  assertEquals(await c.grad!.tolist(), [[3, 0, 0], [3, 0, 0]]);
});

Deno.test("a write through pairs that begin at an odd element of the storage has its gradient", async () => {
  const w = torch.ones([4], { requiresGrad: true });
  const base = torch.ones([5]).at(torch.slice(1, 5)).detach();
  base.mul_(w);
  torch.viewAsComplex(base.at(torch.slice(1, 3)).reshape(1, 2)).mul_(3);
  base.sum().backward();
  assertEquals(await w.grad!.tolist(), [1, 3, 3, 1]);
});

Deno.test("the same bytes as another dtype are no part of the graph, as in PyTorch", async () => {
  const a = torch.ones([2], { requiresGrad: true });
  const b = a.mul(1), bits = b.view(torch.int32);
  bits.add_(1);
  b.sum().backward();
  assertEquals(bits.requiresGrad, false);
  assertEquals(await a.grad!.tolist(), [1, 1]);
});
