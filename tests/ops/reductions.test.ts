/**
 * The gradients of reductions that follow from their expressions, of first and second order: over any dimensions, kept or
 * not, of size 1 or 0, real and complex.
 */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";

const REDUCTIONS: Record<string, (x: torch.Tensor, dim: number[] | null, keepdim: boolean) => torch.Tensor> = {
  sum: (x, dim, keepdim) => x.sum(dim, keepdim),
  mean: (x, dim, keepdim) => x.mean(dim, keepdim),
  nansum: (x, dim, keepdim) => x.nansum(dim, keepdim),
};

for (const [name, reduce] of Object.entries(REDUCTIONS)) {
  Deno.test(`${name}(): gradients of both orders`, async (t) => {
    torch.manualSeed(1);
    for (const dtype of [torch.float64, torch.complex128]) {
      if (name === "nansum" && dtype.isComplex) continue;
      for (const shape of [[2, 3, 4], [1, 3, 1], [2, 1, 3]]) {
        for (const dim of [null, [0], [0, 2], [1, 2], [1]]) {
          for (const keepdim of [false, true]) {
            await t.step(`${dtype} [${shape}] over ${dim} ${keepdim ? "kept" : ""}`, async () => {
              const x = torch.randn(shape, { dtype }).requiresGrad_();
              // Squared, so that the second derivative is not zero and the gradient that arrives is not constant.
              const f = (v: torch.Tensor) => reduce(v.mul(v), dim, keepdim).mul(reduce(v, dim, keepdim));
              assertEquals(await torch.autograd.gradcheck(f, [x]), true);
              assertEquals(await torch.autograd.gradgradcheck(f, [x]), true);
            });
          }
        }
      }
    }
  });

  Deno.test(`${name}(): gradients of nothing, of a number, and of another dtype`, async () => {
    const empty = torch.zeros(0, 3).requiresGrad_();
    reduce(empty, [0], false).sum().backward();
    assertEquals(empty.grad!.shape, [0, 3]);
    const number = torch.tensor(2).requiresGrad_();
    reduce(number, null, false).backward();
    assertEquals(await number.grad!.item(), 1);
    const half = torch.ones(300, { dtype: torch.bfloat16 }).requiresGrad_();
    reduce(half, null, false).backward();
    assertEquals(half.grad!.dtype, torch.bfloat16);
  });
}

Deno.test("the dtype that is asked for is that of the result, whatever it is", async () => {
  const { int8, int32, int64, float64, bfloat16, bool } = torch;
  const x = torch.ones([3], { dtype: int64 });
  for (const dtype of [int8, int32, int64, float64, bfloat16]) {
    for (const sum of [x.sum({ dtype }), x.nansum({ dtype })]) {
      assertEquals([sum.dtype, Number(await sum.item())], [dtype, 3]);
    }
  }
  assertEquals([x.sum({ dtype: bool }).dtype, await x.sum({ dtype: bool }).item()], [bool, true]);
  assertEquals([x.sum().dtype, x.mean({ dtype: float64 }).dtype], [int64, float64]);
});
