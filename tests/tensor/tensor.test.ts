/** What a tensor says about itself, and iteration over it. */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertUserError } from "../support/assert.ts";

Deno.test("Tensor: sizes, strides and counts", () => {
  const x = torch.zeros(2, 3, 4).transpose(0, 2);
  assertEquals([x.size(), x.size(0), x.size(-1)], [[4, 3, 2], 4, 2]);
  assertEquals([x.stride(), x.stride(0)], [[1, 4, 12], 1]);
  assertEquals([x.dim(), x.ndim, x.numel(), x.itemsize, x.elementSize(), x.nbytes], [3, 3, 24, 4, 4, 96]);
  assertEquals([x.isContiguous(), x.contiguous().isContiguous()], [false, true]);
  assertThrows(() => x.size(3), torch.IndexError, "size(): dimension out of range: 3");
});

Deno.test("Tensor: iteration gives the slices along the first dimension", async () => {
  const x = torch.tensor([[1, 2], [3, 4]]);
  const rows: unknown[] = [];
  for (const row of x) rows.push(await row.tolist());
  assertEquals(rows, [[1, 2], [3, 4]]);
  const [first, second] = x;
  first.add_(10);
  assertEquals(await x.tolist(), [[11, 12], [3, 4]]);
  assertEquals(second.shape, [2]);
  assertThrows(() => [...torch.tensor(1)], torch.ShapeError, "0-d");
});

Deno.test("Tensor: console.log shows it as PyTorch does", () => {
  assertEquals(Deno.inspect(torch.tensor([1.5, 2])), "tensor([1.5000, 2.0000])");
  assertEquals(Deno.inspect(torch.ones([2], { dtype: torch.float64 })), "tensor([1., 1.], dtype=torch.float64)");
  const y = torch.ones(2).requiresGrad_(true).add(1);
  assertEquals(Deno.inspect(y), "tensor([2., 2.], grad_fn=<AddBackward0>)");
});

Deno.test("Tensor: as text, as JSON, and not as a number", async () => {
  const x = torch.tensor([[1, 2.5], [3, NaN]]);
  assertEquals(await x.repr(), String(x));
  assertEquals(`${torch.tensor(1)}`, "tensor(1.)");
  assertEquals(JSON.stringify({ x, n: torch.tensor(3n) }), '{"x":[[1,2.5],[3,null]],"n":3}');
  await assertUserError(() => Number(torch.tensor(1)), torch.ArgumentError, "not a number, as");
  await assertUserError(() => torch.tensor(1) < torch.tensor(2), torch.ArgumentError, "a.lt(b)");
  await assertUserError(() => torch.tensor(1) as never + torch.tensor(2), torch.ArgumentError, "use a.add(b)");
  await assertUserError(() => torch.tensor(1) as unknown == 1, torch.ArgumentError, "a.eq(b)");
});

Deno.test("newTensor() copies values to the dtype of a tensor", async () => {
  const x = torch.zeros(1, { dtype: torch.float64 });
  assertEquals(x.newTensor([1, 2]).dtype, torch.float64);
  const y = torch.ones(2, { requiresGrad: true });
  const copy = x.newTensor(y);
  assertEquals([copy.dtype, copy.requiresGrad, await copy.tolist()], [torch.float64, false, [1, 1]]);
  assertEquals(y.newTensor(y, { requiresGrad: true }).isLeaf, true);
  await assertUserError(() => torch.tensor([y] as never), torch.ArgumentError, "stack()");
});

Deno.test("complex() takes its parts as they are, infinities included", async () => {
  const z = torch.complex(torch.tensor([1, -0]), torch.tensor([Infinity, 2]));
  assertEquals(await z.tolist(), [[1, Infinity], [-0, 2]]);
  const re = torch.ones(2, { requiresGrad: true });
  torch.viewAsReal(torch.complex(re, torch.ones(2))).mul(torch.tensor([2, 3])).sum().backward();
  assertEquals(await re.grad!.tolist(), [2, 2]);
  await assertUserError(() => torch.complex(re, torch.ones(2).double()), torch.DTypeError, "both");
});

Deno.test("rdiv() divides a number by a tensor", async () => {
  const x = torch.tensor([2, 4], { requiresGrad: true });
  const y = x.rdiv(8);
  assertEquals(await y.tolist(), [4, 2]);
  y.sum().backward();
  assertEquals(await x.grad!.tolist(), [-2, -0.5]);
  assertEquals(torch.tensor([2n]).rdiv(1).dtype, torch.float32);
});
