/** Singular values on the GPU: the matrix comes back from its parts, and the values are the CPU's. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import * as torch from "../../mod.ts";
import { svdOf } from "../../src/ops/linalg/svd.ts";
import { assertSame, gpuTest } from "./support.ts";

const device = "webgpu";

gpuTest("matrices of every shape are decomposed", async (t) => {
  torch.manualSeed(1);
  for (const shape of [[3, 3], [5, 2], [2, 5], [1, 4], [4, 1], [2, 3, 6, 4], [40, 33], [30, 70], [0, 3], [2, 0, 0]]) {
    await t.step(`[${shape}]`, async () => {
      const x = torch.randn(shape), expected = svdOf("test", x);
      const { u, s, vh } = svdOf("test", x.to(device));
      await assertSame(s, expected.s, "values", 2e-6);
      if (x.numel() === 0) return;
      await assertSame(u.mul(s.unsqueeze(-2)).matmul(vh), x, "product", 5e-6);
      await assertSame(u.mT.matmul(u), torch.eye(u.shape.at(-1)!).expand(u.mT.matmul(u).shape), "left", 2e-6);
      await assertSame(vh.matmul(vh.mT), torch.eye(vh.shape.at(-2)!).expand(vh.matmul(vh.mT).shape), "right", 2e-6);
    });
  }
});

gpuTest("the nuclear norm has the CPU's gradient, and zero where the matrix is", async () => {
  torch.manualSeed(2);
  const x = torch.randn([3, 4, 5]);
  const results = ["cpu", device].map((where) => {
    const leaf = x.clone().to(where).requiresGrad_();
    const norm = leaf.norm("nuc", [0, 2]);
    norm.sum().backward();
    return [norm.detach(), leaf.grad!];
  });
  await assertSame(results[1][0], results[0][0], "norm", 2e-6);
  await assertSame(results[1][1], results[0][1], "gradient", 1e-5);
  const zero = torch.zeros([3, 2], { device }).requiresGrad_();
  zero.norm("nuc").backward();
  assertEquals(await zero.grad!.tolist(), [[0, 0], [0, 0], [0, 0]]);
});

gpuTest("elements that are not finite are refused when the result is read", async () => {
  const norm = torch.tensor([[1, NaN], [0, 1]], { device }).norm("nuc");
  const error = await assertRejects(() => norm.item(), torch.ArgumentError);
  assert(error.message.includes("norm()") && error.message.includes("not finite"), error.message);
});
