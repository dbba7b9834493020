// The decomposition behind the nuclear norm: factors, order, gradients of both orders, and what it refuses.
import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { svdOf } from "../../src/ops/linalg/svd.ts";

async function difference(a: torch.Tensor, b: torch.Tensor): Promise<number> {
  return a.numel() === 0 ? 0 : await a.sub(b).abs().max().item();
}

for (const shape of [[5, 3], [3, 5], [4, 4], [2, 6, 3], [1, 1], [0, 3], [3, 0]]) {
  Deno.test(`svd of ${shape.join("x")} gives orthonormal factors, largest value first`, async () => {
    const x = torch.randn(shape, { dtype: torch.float64 });
    const { u, s, vh } = svdOf("svd", x);
    const k = s.shape[s.ndim - 1];
    const eye = torch.eye(k, { dtype: torch.float64 });
    assertEquals(await difference(u.matmul(s.diagEmbed()).matmul(vh), x) < 1e-12, true);
    assertEquals(await difference(u.mT.matmul(u), eye.expand([...s.shape.slice(0, -1), k, k])) < 1e-12, true);
    assertEquals(await difference(vh.matmul(vh.mT), eye.expand([...s.shape.slice(0, -1), k, k])) < 1e-12, true);
    if (k > 1) assertEquals(await s.narrow(-1, 1, k - 1).le(s.narrow(-1, 0, k - 1)).all().item<boolean>(), true);
  });
}

Deno.test("svd of a matrix of rank 1 completes the left vectors", async () => {
  const x = torch.ones([4, 3], { dtype: torch.float64 });
  const { u, s } = svdOf("svd", x);
  assertEquals(await difference(u.mT.matmul(u), torch.eye(3, { dtype: torch.float64 })) < 1e-12, true);
  assertEquals(Math.abs(await s.at(0).item() - Math.sqrt(12)) < 1e-12, true);
});

Deno.test("svd and the nuclear norm have the gradients of differences, of both orders", async () => {
  for (const shape of [[4, 3], [3, 4]]) {
    const x = torch.randn(shape, { dtype: torch.float64, generator: new torch.Generator().manualSeed(3) })
      .requiresGrad_();
    // Signs of the vectors are free, so functions of them that do not depend on the sign are checked.
    assertEquals(
      await torch.autograd.gradcheck((a) => {
        const { u, s, vh } = svdOf("svd", a);
        return u.mul(u).sum(-2).add(vh.mul(vh).mT.mul(0.5).sum(-2)).add(s).add(u.pow(4).sum(-2)).add(vh.pow(4).sum(-1));
      }, x),
      true,
    );
    assertEquals(await torch.autograd.gradcheck((a) => torch.norm(a, "nuc"), x), true);
    assertEquals(await torch.autograd.gradgradcheck((a) => torch.norm(a, "nuc"), x), true);
  }
});

Deno.test("norm(nuc) reduces two dimensions and keeps them on request", () => {
  const x = torch.randn([2, 3, 4]);
  assertEquals(torch.norm(x, "nuc", [0, 2]).shape, [3]);
  assertEquals(torch.norm(x, "nuc", [0, 2], true).shape, [1, 3, 1]);
  assertThrows(() => torch.norm(x, "nuc"), torch.ShapeError, "over two dimensions");
  assertThrows(() => torch.norm(torch.tensor([[NaN, 1]]), "nuc"), torch.ArgumentError, "not finite");
  assertThrows(
    () => torch.norm(torch.ones([2, 2], { dtype: torch.float16 }), "nuc"),
    torch.DTypeError,
    "float32 or float64",
  );
});
