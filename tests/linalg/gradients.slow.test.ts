// Gradients of both orders of torch.linalg, against differences.
import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";

const { linalg } = torch;
type F = (a: torch.Tensor) => torch.Tensor;

const spd: F = (a) => a.matmul(a.mH).add(torch.eye(3, { dtype: torch.float64 }));
const sizes: F = (a) => a.dtype.isComplex ? a.mul(a.conj()).real : a.mul(a);
const square: Record<string, F> = {
  det: (a) => linalg.det(a),
  slogdet: (a) => linalg.slogdet(a).logabsdet,
  inv: (a) => linalg.inv(a),
  solve: (a) => linalg.solve(a, a.mT.narrow(-1, 0, 2)),
  solveRight: (a) => linalg.solve(a, a.narrow(-2, 0, 2), { left: false }),
  upper: (a) => linalg.solveTriangular(a, a.mT, { upper: true }),
  unit: (a) => linalg.solveTriangular(a, a.mT, { upper: false, unitriangular: true, left: false }),
  luFactor: (a) => linalg.luFactor(a).LU,
  luSolve: (a) => linalg.luSolve(linalg.luFactor(a).LU, linalg.luFactor(a.detach()).pivots, a.mT),
  cholesky: (a) => linalg.cholesky(spd(a)),
  qr: (a) => linalg.qr(a).Q.add(linalg.qr(a).R.mul(2)),
  eigh: (a) => sizes(linalg.eigh(spd(a)).eigenvectors),
  eigvalsh: (a) => linalg.eigvalsh(spd(a)),
  eigvals: (a) => linalg.eigvals(a).abs().sum(-1),
  eig: (a) => sizes(linalg.eig(a).eigenvectors).sum(-1),
  svdvals: (a) => linalg.svdvals(a),
  svd: (a) => sizes(linalg.svd(a, false).U),
  pinv: (a) => linalg.pinv(a),
  power: (a) => linalg.matrixPower(a, -3),
  spectral: (a) => linalg.matrixNorm(a, 2),
  cond: (a) => linalg.cond(a, 1),
};
const oblong: Record<string, F> = {
  luFactor: square.luFactor,
  qr: (a) => sizes(linalg.qr(a).Q.matmul(linalg.qr(a).Q.mH)).sum().add(sizes(linalg.qr(a).R).sum(-1)),
  svd: (a) =>
    sizes(linalg.svd(a, false).Vh).sum(-1).add(sizes(linalg.svd(a, false).U.mT).sum(-1)).add(linalg.svdvals(a)),
  pinv: square.pinv,
};

function random(shape: number[], dtype: torch.DType): torch.Tensor {
  return torch.randn(shape, { dtype, generator: new torch.Generator().manualSeed(5) }).requiresGrad_();
}

for (const dtype of [torch.float64, torch.complex128]) {
  for (const [name, f] of Object.entries(square)) {
    Deno.test(`${name}, ${dtype}`, async () => {
      const x = random([2, 3, 3], dtype);
      assertEquals(await torch.autograd.gradcheck(f, x), true);
      assertEquals(await torch.autograd.gradgradcheck(f, x), true);
    });
  }
  for (const [name, f] of Object.entries(oblong)) {
    for (const shape of [[4, 2], [2, 4]]) {
      Deno.test(`${name} of ${shape}, ${dtype}`, async () => {
        const x = random(shape, dtype);
        assertEquals(await torch.autograd.gradcheck(f, x), true);
        assertEquals(await torch.autograd.gradgradcheck(f, x), true);
      });
    }
  }
}

Deno.test("the determinant of singular matrices has gradients of both orders", async () => {
  const x = torch.tensor([[[1, 2, 3], [2, 4, 6], [1, 0, 1]], [[1, 2, 0], [0, 1, 1], [2, 0, 1]]], {
    dtype: torch.float64,
  });
  assertEquals(await torch.autograd.gradcheck((a) => linalg.det(a), x.requiresGrad_()), true);
  assertEquals(await torch.autograd.gradgradcheck((a) => linalg.det(a), x), true);
});
