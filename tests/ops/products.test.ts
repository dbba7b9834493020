/** Products, convolutions and poolings: gradients of both orders against central differences, and errors in words. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const F = torch.nn.functional;
const { gradcheck, gradgradcheck } = torch.autograd;
const options = { dtype: torch.float64, requiresGrad: true };

type Case = [string, (...inputs: torch.Tensor[]) => torch.Tensor, number[][]];

const CASES: Case[] = [
  ["matmul", (a, b) => a.matmul(b), [[3, 4], [4, 2]]],
  ["matmul, batches that broadcast", (a, b) => a.matmul(b), [[2, 1, 2, 3], [3, 3, 2]]],
  ["matmul, one matrix for a batch", (a, b) => a.matmul(b), [[2, 2, 3], [3, 2]]],
  ["matmul, vectors", (a, b) => a.matmul(b), [[3], [3]]],
  ["matmul, transposed operands", (a, b) => a.mT.matmul(b.mT), [[3, 2], [4, 3]]],
  ["addmm", (x, a, b) => x.addmm(a, b, { beta: 0.5, alpha: 2 }), [[3], [2, 4], [4, 3]]],
  ["baddbmm", (x, a, b) => x.baddbmm(a, b, { beta: 0.5 }), [[2, 1], [2, 2, 3], [2, 3, 2]]],
  ["addbmm", (x, a, b) => x.addbmm(a, b), [[2, 2], [2, 2, 3], [2, 3, 2]]],
  ["addmv", (x, a, b) => x.addmv(a, b), [[2], [2, 3], [3]]],
  ["addr", (x, a, b) => x.addr(a, b, { alpha: 3 }), [[2, 3], [2], [3]]],
  ["linear", (x, w, b) => F.linear(x, w, b), [[2, 2, 3], [4, 3], [4]]],
  ["bilinear", (x, y, w) => F.bilinear(x, y, w), [[2, 3], [2, 2], [2, 3, 2]]],
  ["einsum", (a, b, c) => torch.einsum("bij,bjk,k->bi", a, b, c), [[2, 2, 3], [2, 3, 2], [2]]],
  ["tensordot", (a, b) => torch.tensordot(a, b, [[1], [0]]), [[2, 3, 2], [3, 2]]],
  ["chainMatmul", (a, b, c) => torch.chainMatmul(a, b, c), [[2, 3], [3, 4], [4, 2]]],
  ["conv1d", (x, w, b) => F.conv1d(x, w, b, 2, 1), [[2, 2, 6], [3, 2, 3], [3]]],
  ["conv2d", (x, w, b) => F.conv2d(x, w, b, 1, 1), [[1, 2, 3, 4], [2, 2, 3, 3], [2]]],
  ["conv2d, stride, dilation, groups", (x, w) => F.conv2d(x, w, null, [2, 1], [1, 2], [1, 2], 2), [
    [1, 2, 5, 4],
    [4, 1, 2, 2],
  ]],
  ["conv2d, depthwise", (x, w) => F.conv2d(x, w, null, 1, 1, 1, 3), [[2, 3, 3, 3], [3, 1, 3, 3]]],
  ["conv2d, same", (x, w) => F.conv2d(x, w, { padding: "same" }), [[1, 1, 3, 3], [1, 1, 2, 3]]],
  ["conv3d", (x, w) => F.conv3d(x, w), [[1, 1, 3, 2, 3], [2, 1, 2, 1, 2]]],
  ["convTranspose2d", (x, w, b) => F.convTranspose2d(x, w, b, { stride: 2, padding: 1, outputPadding: 1 }), [
    [1, 2, 2, 3],
    [2, 2, 3, 3],
    [2],
  ]],
  ["convTranspose1d, groups", (x, w) => F.convTranspose1d(x, w, { groups: 2, dilation: 2 }), [[1, 2, 3], [2, 2, 2]]],
  ["unfold", (x) => F.unfold(x, 2, { padding: 1, stride: 2 }), [[1, 2, 3, 4]]],
  ["fold", (x) => F.fold(x, [3, 3], 2), [[1, 8, 4]]],
  ["maxPool2d", (x) => F.maxPool2d(x, 3, 1, 1), [[1, 2, 4, 4]]],
  ["maxPool1d, dilation, ceil", (x) => F.maxPool1d(x, { kernelSize: 2, dilation: 2, ceilMode: true }), [[2, 7]]],
  ["maxPool3d", (x) => F.maxPool3d(x, 2), [[1, 1, 2, 4, 4]]],
  ["avgPool2d", (x) => F.avgPool2d(x, 3, 2, 1, true, false), [[1, 2, 4, 5]]],
  ["avgPool1d", (x) => F.avgPool1d(x, 2), [[1, 2, 6]]],
  ["adaptiveAvgPool2d", (x) => F.adaptiveAvgPool2d(x, [2, 3]), [[1, 2, 5, 4]]],
  ["adaptiveMaxPool2d", (x) => F.adaptiveMaxPool2d(x, [2, null]), [[1, 2, 5, 3]]],
  ["lpPool2d", (x) => F.lpPool2d(x.abs().add(0.1), 2, 2), [[1, 1, 4, 4]]],
];

for (const [name, run, shapes] of CASES) {
  Deno.test(`${name}: gradients of both orders agree with differences`, async () => {
    torch.manualSeed(5);
    const inputs = shapes.map((s) => torch.randn(s, options));
    assertEquals(await gradcheck(run, inputs), true);
    assertEquals(await gradgradcheck(run, inputs), true);
  });
}

Deno.test("complex products and convolutions: gradients agree with differences", async () => {
  torch.manualSeed(6);
  const complex = { dtype: torch.complex128, requiresGrad: true };
  await gradcheck((a, b) => a.matmul(b), [torch.randn([2, 3], complex), torch.randn([3, 2], complex)]);
  await gradcheck((x, a, b) => x.addmm(a, b, { alpha: torch.scalar([1, 2], "complex") }), [
    torch.randn([2, 2], complex),
    torch.randn([2, 3], complex),
    torch.randn([3, 2], complex),
  ]);
  await gradcheck((x, w) => F.conv1d(x, w), [torch.randn([1, 2, 4], complex), torch.randn([2, 2, 2], complex)]);
});

Deno.test("unfold and fold are each other's transpose, and fold of ones counts windows", async () => {
  const x = torch.arange(16, { dtype: torch.float32 }).reshape(1, 1, 4, 4);
  const columns = F.unfold(x, 2, { stride: 2 });
  assertEquals(columns.shape, [1, 4, 4]);
  assertEquals(await F.fold(columns, 4, 2, { stride: 2 }).tolist(), await x.tolist());
  const count = F.fold(F.unfold(torch.ones(1, 1, 3, 3), 2), 3, 2);
  assertEquals(await count.tolist(), [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]]);
});

Deno.test("maxUnpool2d puts values back; returnIndices gives them", async () => {
  const x = torch.tensor([[[[1, 5, 2, 0], [3, 4, 9, 7], [1, 1, 6, 2], [8, 1, 1, 1]]]]);
  const [values, indices] = F.maxPool2d(x, 2, { returnIndices: true });
  assertEquals(await values.tolist(), [[[[5, 9], [8, 6]]]]);
  assertEquals(await indices.tolist(), [[[[1, 6], [12, 10]]]]);
  const back = F.maxUnpool2d(values, indices, 2);
  assertEquals(await back.tolist(), [[[[0, 5, 0, 0], [0, 0, 9, 0], [0, 0, 6, 0], [8, 0, 0, 0]]]]);
});

Deno.test("integer means are divided towards zero", async () => {
  const x = torch.tensor([[[-3n, 0n, 49n, 0n]]]);
  assertEquals(await F.avgPool1d(x, 2).tolist(), [[[-1, 24]]]);
});

Deno.test("wrong operands are refused in words", async () => {
  const x = torch.ones(2, 3), w = torch.ones(1, 1, 2, 2);
  const image = torch.ones(1, 1, 3, 3);
  const cases: [() => unknown, new (...a: never[]) => Error, string][] = [
    [() => x.matmul(torch.ones(4, 5)), torch.ShapeError, "matmul(): inner dimensions differ: [2, 3] @ [4, 5] (3 != 4)"],
    [() => x.matmul(torch.tensor(1)), torch.ShapeError, "at least one dimension"],
    [() => x.matmul(x.double().mT), torch.DTypeError, "operands must have one dtype"],
    [() => x.bool().matmul(x.bool().mT), torch.DTypeError, "not defined for torch.bool"],
    [() => x.mm(torch.ones(3)), torch.ShapeError, "mm(): mat2 must have 2 dimensions"],
    [() => torch.ones(2, 2, 3).bmm(torch.ones(3, 3, 2)), torch.ShapeError, "bmm(): batch sizes differ"],
    [() => torch.ones(5).addmm(x, x.mT), torch.ShapeError, "shapes do not broadcast: [5] and [2, 2]"],
    [() => torch.einsum("ij,jk->il", x, x.mT), torch.ArgumentError, "output label is in no operand"],
    [() => torch.einsum("ij,kj->ik", x), torch.ArgumentError, "2 terms for 1 operands"],
    [() => torch.einsum("ij,jk", x, x), torch.ShapeError, "sizes of a shared dimension differ: 3 and 2"],
    [() => F.linear(x, torch.ones(2, 4)), torch.ShapeError, "the input's last size must be the weight's"],
    [() => F.conv2d(torch.ones(1, 2, 3, 3), w), torch.ShapeError, "the input must have 1 channels"],
    [() => F.conv2d(torch.ones(1, 1, 1, 3), w), torch.ShapeError, "the kernel is larger than the padded input"],
    [() => F.conv2d(image, w, { stride: 0 }), torch.ArgumentError, "stride must be positive"],
    [() => F.conv2d(image, w, { stride: 2, padding: "same" }), torch.ArgumentError, "needs a stride of 1"],
    [() => F.conv2d(image, w, torch.ones(2)), torch.ShapeError, "the bias must have shape [1]"],
    [() => F.conv2d(image, w.double()), torch.DTypeError, "the weight's dtype must be the input's"],
    [() => F.convTranspose2d(image, w, { outputPadding: 1 }), torch.ArgumentError, "outputPadding must be smaller"],
    [() => F.maxPool2d(image, 2, 2, 2), torch.ArgumentError, "padding must be at most half of the window"],
    [() => F.maxPool2d(image, 4), torch.ShapeError, "the window is larger than the padded input"],
    [() => F.avgPool2d(image, 2, { divisorOverride: 0 }), torch.ArgumentError, "divisorOverride must not be zero"],
    [() => F.adaptiveAvgPool2d(image, [1]), torch.ArgumentError, "outputSize must be a number or 2 of them"],
    [() => F.unfold(image, 5), torch.ShapeError, "the window is larger than the padded plane"],
    [() => F.fold(torch.ones(1, 4, 3), 3, 2), torch.ShapeError, "the input must be [N, C · 4, 4]"],
  ];
  for (const [run, type, message] of cases) assertThrows(run, type, message);
  await assertRejects(async () => {
    const a = torch.ones(2, 2);
    a.dispose();
    await a.matmul(torch.ones(2, 2)).read();
  }, torch.ReleasedError);
});
