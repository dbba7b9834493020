/**
 * Ops of several tensors with operands of mixed dtypes: each promotes or refuses by name, and no kernel is handed an
 * operand of another dtype than it was chosen for.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { cpuBackend } from "../../src/backend/cpu/mod.ts";

const F = torch.nn.functional;
const DTYPES = [
  torch.float32,
  torch.float64,
  torch.int64,
  torch.int32,
  torch.uint8,
  torch.bool,
  torch.float16,
  torch.complex64,
];

/** Ones and twos, in turn. */
function made(shape: readonly number[], dtype: torch.DType): torch.Tensor {
  return torch.arange(shape.reduce((a, b) => a * b, 1)).remainder(2).add(1).reshape([...shape]).to(dtype);
}

type Call = (a: torch.DType, b: torch.DType) => torch.Tensor | Promise<torch.Tensor>;
const positions = torch.tensor([0n, 1n]), mask = torch.tensor([true, false, true]);
const CALLS: Record<string, Call> = {
  "einsum, an operand summed first": (a, b) => torch.einsum("ik,j->ij", made([2, 3], a), made([2], b)),
  "einsum, a product": (a, b) => torch.einsum("ik,kj->ij", made([2, 3], a), made([3, 2], b)),
  "einsum, three operands": (a, b) => torch.einsum("ij,jk,kl->i", made([2, 3], a), made([3, 2], b), made([2, 2], a)),
  dot: (a, b) => torch.dot(made([3], a), made([3], b)),
  outer: (a, b) => torch.outer(made([3], a), made([3], b)),
  kron: (a, b) => torch.kron(made([2], a), made([2], b)),
  matmul: (a, b) => torch.matmul(made([2, 3], a), made([3], b)),
  tensordot: (a, b) => torch.tensordot(made([2, 1], a), made([3, 2], b), 1),
  addmm: (a, b) => torch.addmm(made([2, 2], a), made([2, 3], b), made([3, 2], b)),
  addbmm: (a, b) => torch.addbmm(made([2, 2], a), made([1, 2, 3], b), made([1, 3, 2], b)),
  addr: (a, b) => torch.addr(made([2, 2], a), made([2], b), made([2], b)),
  bilinear: (a, b) => F.bilinear(made([2, 3], a), made([2, 2], b), made([4, 3, 2], a)),
  linear: (a, b) => F.linear(made([2, 3], a), made([4, 3], a), made([4], b)),
  conv1d: (a, b) => F.conv1d(made([1, 1, 4], a), made([1, 1, 2], b)),
  lerp: (a, b) => torch.lerp(made([3], a), made([3], a), made([3], b)),
  where: (a, b) => torch.where(mask, made([3], a), made([3], b)),
  cat: (a, b) => torch.cat([made([3], a), made([3], b)]),
  stack: (a, b) => torch.stack([made([3], a), made([3], b)]),
  blockDiag: (a, b) => torch.blockDiag(made([2, 2], a), made([1, 2], b)),
  gather: (a, b) => torch.gather(made([3], a), 0, made([2], b)),
  scatter: (a, b) => torch.scatter(made([3], a), 0, positions, made([2], b)),
  scatterReduce: (a, b) => torch.scatterReduce(made([3], a), 0, positions, made([2], b), "sum"),
  indexAdd: (a, b) => torch.indexAdd(made([3], a), 0, positions, made([2], b)),
  indexCopy: (a, b) => torch.indexCopy(made([3], a), 0, positions, made([2], b)),
  indexPut: (a, b) => torch.indexPut(made([3], a), [positions], made([2], b)),
  indexSelect: (a, b) => torch.indexSelect(made([3], a), 0, made([2], b)),
  take: (a, b) => torch.take(made([3], a), made([2], b)),
  maskedScatter: (a, b) => torch.maskedScatter(made([3], a), mask, made([3], b)),
  searchsorted: (a, b) => torch.searchsorted(made([2], a), made([3], b)),
  isin: (a, b) => torch.isin(made([3], a), made([2], b)),
  bincount: (a, b) => torch.bincount(made([3], a), made([3], b)),
  embedding: (a, b) => F.embedding(made([2], b), made([3, 2], a)),
  layerNorm: (a, b) => F.layerNorm(made([2, 3], a), [3], made([3], b)),
  batchNorm: (a, b) => F.batchNorm(made([2, 3], a), made([3], b), made([3], b)),
  nllLoss: (a, b) => F.nllLoss(made([2, 3], a), made([2], b)),
  crossEntropy: (a, b) => F.crossEntropy(made([2, 3], a), positions, made([3], b)),
  scaledDotProductAttention: (a, b) =>
    F.scaledDotProductAttention(made([1, 2, 4], a), made([1, 2, 4], b), made([1, 2, 4], a)),
  gridSample: (a, b) => F.gridSample(made([1, 1, 2, 2], a), made([1, 2, 2, 2], b), { alignCorners: true }),
};

for (const [name, call] of Object.entries(CALLS)) {
  Deno.test(`mixed dtypes are promoted or refused by name: ${name}`, async () => {
    let taken = 0;
    for (const a of DTYPES) {
      for (const b of DTYPES) {
        try {
          await call(a, b);
          taken++;
        } catch (error) {
          assert(
            error instanceof Error && ["DTypeError", "ArgumentError", "ShapeError", "IndexError"].includes(error.name),
            `${a} and ${b}: ${error}`,
          );
          assert(!/fault of the library/.test(String(error)), `${a} and ${b}: ${error}`);
        }
      }
    }
    assert(taken > 0, "no combination of dtypes was taken");
  });
}

Deno.test("an operand that einsum sums before the product is promoted with the other, as in PyTorch", async () => {
  for (const dtype of [torch.int32, torch.uint8]) {
    const out = torch.einsum("ik,j->ij", made([2, 3], dtype), made([2], dtype));
    assertEquals([out.dtype.name, await out.tolist()], ["int64", [[4, 8], [5, 10]]]);
    const vector = torch.tensor([2n, 2n]).to(dtype);
    const twos = torch.einsum("ik,j->ij", torch.ones([2, 3], { dtype }), vector);
    assertEquals(await twos.tolist(), [[6, 6], [6, 6]]);
  }
});

Deno.test("a kernel refuses an operand of another dtype than it was chosen for", () => {
  const backend = cpuBackend();
  const a = torch.ones([2, 2]), b = torch.ones([2, 2], { dtype: torch.float64 }), out = torch.empty([2, 2]);
  assertThrows(() => backend.matmul(a, b, out, 1, 0), torch.DTypeError, "fault of the library");
  assertThrows(() => backend.matmul(a, torch.ones([3, 2]), out, 1, 0), torch.ShapeError, "fault of the library");
  assertThrows(() => backend.gather("gather", a, 0, a, out), torch.DTypeError, "fault of the library");
});
