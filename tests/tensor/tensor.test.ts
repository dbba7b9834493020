/** What a tensor says about itself, and iteration over it. */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

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
