/** Hostile numbers: no call runs for minutes or takes all memory because a count is large; it ends or is refused by name. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { nn } = torch;
const F = nn.functional;
const x = torch.arange(8, { dtype: torch.float32 });
const image = torch.ones([1, 1, 4]);

const REFUSED: Record<string, () => unknown> = {
  "mvlgamma(): p is a million": () => torch.mvlgamma(x, 1e6),
  "combinations(): 50 of 100": () => torch.combinations(torch.arange(100), 50),
  "combinations(): repeated without end": () => torch.combinations(torch.arange(1), 2 ** 50, true),
  "trilIndices(): rows without end": () => torch.trilIndices(2 ** 50, 2),
  "triuIndices(): a square without end": () => torch.triuIndices(2 ** 40, 2 ** 40),
  "triuIndices(): the offset is NaN": () => torch.triuIndices(2, 2, NaN),
  "tensorSplit(): sections": () => x.tensorSplit(2 ** 31),
  "tensorSplit(): the sections are NaN": () => x.tensorSplit(NaN),
  "chunk(): parts of nothing": () => torch.ones([0]).chunk(2 ** 31),
  "split(): parts of an expanded tensor": () => torch.ones([1]).expand(2 ** 40).split(1),
  "unbind(): slices of an expanded tensor": () => torch.ones([1]).expand(2 ** 40).unbind(),
  "oneHot(): classes": () => F.oneHot(torch.tensor([1n]), 2 ** 50),
  "histc(): bins": () => torch.histc(x, 2 ** 50),
  "adaptiveAvgPool1d(): outputs": () => F.adaptiveAvgPool1d(image, 2 ** 50),
  "interpolate(): a factor": () => F.interpolate(image, { scaleFactor: 1e15 }),
  "interpolate(): the factor is NaN": () => F.interpolate(image, { scaleFactor: NaN }),
  "pad(): replicated without end": () => F.pad(image, [2 ** 40, 0], "replicate"),
  "repeatInterleave(): the output's size": () => x.repeatInterleave(torch.tensor([1n]), { outputSize: 2.5 }),
  "GRU(): layers": () => new nn.GRU(0, 2, 1e308),
  "LSTM(): layers": () => new nn.LSTM(1, 2, 2 ** 40),
  "TransformerEncoder(): layers": () =>
    new nn.TransformerEncoder(new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 4 }), 2 ** 40),
};

for (const [name, call] of Object.entries(REFUSED)) {
  Deno.test(`a hostile number is refused by name: ${name}`, () => {
    const start = performance.now();
    assertThrows(call, Error, name.slice(0, name.indexOf(":")));
    assertEquals(performance.now() - start < 2000, true);
  });
}

Deno.test("polygamma of an order whose factorial is infinite ends, as in PyTorch", async () => {
  const one = torch.ones([1], { dtype: torch.float64 });
  assertEquals(await torch.polygamma(2 ** 53 - 1, one).tolist(), [Infinity]);
  assertEquals(await torch.polygamma(2, one).mul(1e9).round().tolist(), [-2404113806]);
});

Deno.test("bincount and oneHot refuse a value that no memory holds", async () => {
  const huge = torch.tensor([2n ** 62n]);
  await assertRejects(() => torch.bincount(huge), torch.ShapeError, "bincount()");
  await assertRejects(async () => await F.oneHot(huge, {}), torch.ShapeError, "oneHot()");
});

Deno.test("combinations and triangles are what they were", async () => {
  const three = torch.arange(3);
  assertEquals(await torch.combinations(three, 2).tolist(), [[0, 1], [0, 2], [1, 2]]);
  assertEquals(await torch.combinations(three, 2, true).tolist(), [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]]);
  assertEquals(await torch.combinations(three, 3).tolist(), [[0, 1, 2]]);
  assertEquals(torch.combinations(three, 50).shape, [0, 50]);
  assertEquals(torch.combinations(torch.arange(30), 50).shape, [0, 50]);
  assertEquals(torch.combinations(torch.arange(0), 2, true).shape, [0, 2]);
  assertEquals(await torch.trilIndices(3, 2, 1).tolist(), [[0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1]]);
  assertEquals(await torch.trilIndices(3, 3, -1).tolist(), [[1, 2, 2], [0, 0, 1]]);
  assertEquals(await torch.triuIndices(3, 3, 1).tolist(), [[0, 0, 1], [1, 2, 2]]);
  assertEquals(await torch.triuIndices(2, 2, -1).tolist(), [[0, 0, 1, 1], [0, 1, 0, 1]]);
  assertEquals(await torch.triuIndices(2 ** 50, 2).tolist(), [[0, 0, 1], [0, 1, 1]]);
  assertEquals(torch.trilIndices(0, 0).shape, [2, 0]);
});

Deno.test("what is no tensor, where one belongs, is refused by the op's name", () => {
  const wrong = (v: unknown) => v as never;
  for (const value of [undefined, null, 5, "x", {}, [], Symbol("x"), 2n ** 70n, () => 1, Object.create(null)]) {
    for (const name of ["sort", "mean", "reshape", "conjPhysical", "isComplex", "unbind"] as const) {
      assertThrows(() => (torch[name] as (x: unknown) => unknown)(value), torch.ArgumentError, `${name}(`);
    }
    assertThrows(() => x.kron(wrong(value)), torch.ArgumentError, "kron()");
    assertThrows(() => x.gather(0, wrong(value)), torch.ArgumentError, "gather()");
  }
  assertThrows(() => x.add(x, { out: wrong(5) }), torch.ArgumentError, "add(): out must be a Tensor: 5");
  assertThrows(() => x.exp({ out: wrong(Symbol("o")) }), torch.ArgumentError, "exp(): out must be a Tensor: Symbol(o)");
});
