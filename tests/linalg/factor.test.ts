// Factorizations: residuals on random, graded, nearly defective, rank-deficient and Hilbert matrices, on both kernel libraries.
import { assert } from "@std/assert";
import * as torch from "../../mod.ts";

const { linalg } = torch;
type Matrix = torch.Tensor;

const generator = () => new torch.Generator().manualSeed(7);

/** Matrices of each kind, `[n, n]`. */
function matrices(n: number, dtype: torch.DType): Record<string, Matrix> {
  const random = torch.randn([n, n], { dtype, generator: generator() });
  const real = dtype === torch.float32 || dtype === torch.complex64 ? torch.float32 : torch.float64;
  const places = torch.arange(n, { dtype: torch.float64 });
  const grades = torch.pow(10, places.mul(-10 / n)).to(real);
  const jordan = torch.eye(n, { dtype: torch.float64 }).add(torch.eye(n, { dtype: torch.float64 }).roll(1, 1).triu(1));
  return {
    random,
    graded: random.mul(grades.unsqueeze(-1)).mul(grades),
    defective: jordan.to(dtype).add(random.mul(1e-10)),
    deficient: random.narrow(1, 0, Math.min(3, n)).matmul(random.narrow(0, 0, Math.min(3, n))),
    hilbert: places.unsqueeze(-1).add(places).add(1).reciprocal().to(dtype),
    zero: random.mul(0),
  };
}

/** ‖x‖ relative to eps · n · ‖a‖. */
async function backward(x: Matrix, a: Matrix): Promise<number> {
  const epsilon = a.dtype === torch.float32 || a.dtype === torch.complex64 ? 2 ** -23 : 2 ** -52;
  const error = await x.norm().item(), size = await a.norm().item();
  return error / (epsilon * a.shape[a.ndim - 1] * (size || 1));
}

async function small(x: Matrix, a: Matrix, what: string): Promise<void> {
  const error = await backward(x, a);
  assert(error <= 10, `${what}: ${error}`);
}

for (const dtype of [torch.float32, torch.float64, torch.complex64, torch.complex128]) {
  for (const n of [1, 4, 30]) {
    Deno.test(`residuals and orthogonality, ${dtype}, ${n}`, async () => {
      const eye = torch.eye(n, { dtype });
      for (const [kind, a] of Object.entries(matrices(n, dtype))) {
        const { P, L, U } = linalg.lu(a);
        await small(P.matmul(L).matmul(U).sub(a), a, `lu ${kind}`);
        for (const mode of ["reduced", "complete"] as const) {
          for (const x of [a, a.narrow(1, 0, Math.ceil(n / 2)), a.narrow(0, 0, Math.ceil(n / 2))]) {
            const { Q, R } = linalg.qr(x, mode);
            await small(Q.matmul(R).sub(x), a, `qr ${kind}`);
            await small(Q.mH.matmul(Q).sub(torch.eye(Q.shape[1], { dtype })), eye, `Q ${kind}`);
          }
        }
        for (const x of [a, a.narrow(1, 0, Math.ceil(n / 2)), a.narrow(0, 0, Math.ceil(n / 2))]) {
          const { U, S, Vh } = linalg.svd(x, false);
          await small(U.matmul(S.to(dtype).diagEmbed()).matmul(Vh).sub(x), a, `svd ${kind}`);
          await small(U.mH.matmul(U).sub(torch.eye(U.shape[1], { dtype })), eye, `svd U ${kind}`);
          await small(Vh.matmul(Vh.mH).sub(torch.eye(Vh.shape[0], { dtype })), eye, `svd V ${kind}`);
        }
        const h = a.add(a.mH);
        const [w, v] = linalg.eigh(h);
        await small(h.matmul(v).sub(v.mul(w)), h, `eigh ${kind}`);
        await small(v.mH.matmul(v).sub(eye), eye, `eigh V ${kind}`);
        const [z, x] = linalg.eig(a);
        const worst = a.to(x.dtype).matmul(x).sub(x.mul(z)).norm(2, 0).max();
        await small(worst, a, `eig ${kind}`);
        const positive = a.matmul(a.mH).add(eye);
        const c = linalg.cholesky(positive);
        await small(c.matmul(c.mH).sub(positive), positive, `cholesky ${kind}`);
      }
    });
  }
}

Deno.test("solve has a small residual", async () => {
  for (const dtype of [torch.float64, torch.complex64]) {
    const a = torch.randn([3, 1, 20, 20], { dtype, generator: generator() }), b = torch.randn([2, 20, 4], { dtype });
    const x = linalg.solve(a, b);
    assert(await backward(a.matmul(x).sub(b), a) < 10 * (await x.norm().item()));
    assert(await backward(linalg.solve(a.mT, b.mT.mT).sub(linalg.inv(a.mT).matmul(b)), a) < 1e4);
  }
});
