/**
 * What `nn.functional` does beyond PyTorch's recorded samples: fused kernels against their composed meaning, half
 * precision, gradients of gradients, errors, and properties of random functions.
 *
 * @module
 */

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { nn } = torch;
const F = nn.functional;
type Tensor = torch.Tensor;

async function assertClose(actual: Tensor, expected: Tensor, atol: number): Promise<void> {
  assertEquals(actual.shape, expected.shape);
  const error = await actual.detach().double().sub(expected.detach().double()).abs().max().item();
  assert(error <= atol, `error ${error} > ${atol}`);
}

function leaf(...shape: number[]): Tensor {
  return torch.randn(shape, { dtype: torch.float64, requiresGrad: true });
}

/** The gradient and the gradient of the gradient's sum of squares, by a scalar function. */
function derivatives(f: (x: Tensor) => Tensor, x: Tensor): [Tensor, Tensor] {
  const [g] = torch.autograd.grad(f(x), x, { createGraph: true });
  const [h] = torch.autograd.grad(g!.mul(g!).sum(), x);
  return [g!.detach(), h!];
}

Deno.test("fused forms equal their composed meaning, with first and second derivatives", async () => {
  const w = torch.randn(4, { dtype: torch.float64 }), b = torch.randn(4, { dtype: torch.float64 });
  const v = torch.randn(6, 4, { dtype: torch.float64 });
  const target = torch.rand(6, 4, { dtype: torch.float64 });
  const labels = torch.tensor([0n, 3n, 1n, 2n, 2n, 0n]);
  const composed: Record<string, [(x: Tensor) => Tensor, (x: Tensor) => Tensor]> = {
    softmax: [(x) => x.softmax(1), (x) => x.exp().div(x.exp().sum(1, true))],
    "softmax of another dimension": [(x) => x.softmax(0), (x) => x.exp().div(x.exp().sum(0, true))],
    logSoftmax: [(x) => x.logSoftmax(1), (x) => x.sub(x.exp().sum(1, true).log())],
    layerNorm: [
      (x) => F.layerNorm(x, 4, w, b, 0.1),
      (x) => {
        const d = x.sub(x.mean(1, true));
        return d.div(d.mul(d).mean(1, true).add(0.1).sqrt()).mul(w).add(b);
      },
    ],
    batchNorm: [
      (x) => F.batchNorm(x, null, null, w, b, true, 0.1, 0.1),
      (x) => {
        const d = x.sub(x.mean(0, true));
        return d.div(d.mul(d).mean(0, true).add(0.1).sqrt()).mul(w).add(b);
      },
    ],
    rmsNorm: [(x) => F.rmsNorm(x, [4], w, 0.1), (x) => x.div(x.mul(x).mean(1, true).add(0.1).sqrt()).mul(w)],
    mseLoss: [(x) => F.mseLoss(x, target), (x) => x.sub(target).pow(2).mean()],
    binaryCrossEntropyWithLogits: [
      (x) => F.binaryCrossEntropyWithLogits(x, target, { reduction: "sum" }),
      (x) => {
        const p = x.sigmoid();
        return target.mul(p.log()).add(target.neg().add(1).mul(p.neg().add(1).log())).neg().sum();
      },
    ],
    crossEntropy: [
      (x) => F.crossEntropy(x, labels),
      (x) => x.sub(x.exp().sum(1, true).log()).gather(1, labels.unsqueeze(1)).neg().mean(),
    ],
  };
  for (const [name, [fused, meaning]] of Object.entries(composed)) {
    const x = leaf(6, 4);
    const scalar = (f: (x: Tensor) => Tensor) => (x: Tensor) => {
      const y = f(x);
      return y.ndim === 0 ? y : y.mul(v).sum();
    };
    await assertClose(fused(x), meaning(x), 1e-12);
    const [g1, h1] = derivatives(scalar(fused), x);
    const [g2, h2] = derivatives(scalar(meaning), x);
    await assertClose(g1, g2, 1e-10).catch((error) => assert(false, `${name}: ${error.message}`));
    await assertClose(h1, h2, 1e-9).catch((error) => assert(false, `${name}, twice: ${error.message}`));
  }
});

Deno.test("half precision: sums of losses and statistics do not overflow or go coarse", async () => {
  const x = torch.full([100000], 3).half();
  assertAlmostEquals(await F.mseLoss(x, x.mul(0)).float().item(), 9, 0.01);
  const y = torch.randn(4, 1000).add(100).half();
  const out = F.layerNorm(y, 1000);
  assertEquals(out.dtype, torch.float16);
  assertAlmostEquals(await out.float().std().item(), 1, 0.02);
  assertAlmostEquals(await y.softmax(1).float().sum().item(), 4, 0.02);
});

Deno.test("crossEntropy: ignored targets, bad class numbers, shapes and dtypes", async () => {
  const x = torch.tensor([[0, 0], [-Infinity, 0]], { requiresGrad: true });
  const loss = F.crossEntropy(x, torch.tensor([1n, -100n]));
  assertAlmostEquals(await loss.item(), Math.LN2, 1e-6);
  assertThrows(
    () => F.crossEntropy(x, torch.tensor([2n, 0n])),
    torch.IndexError,
    "crossEntropy(): index out of range: 2",
  );
  assertThrows(() => F.crossEntropy(x, torch.tensor([0n])), torch.ShapeError, "target's shape");
  assertThrows(() => F.crossEntropy(x, torch.tensor([0, 1])), torch.DTypeError, "class numbers");
  assertThrows(
    () => F.crossEntropy(x, torch.tensor([0n, 1n]), { reduction: "avg" as "mean" }),
    torch.ArgumentError,
    "not a valid value for reduction",
  );
  assertEquals(await F.crossEntropy(x, torch.tensor([-100n, -100n])).isnan().item<boolean>(), true);
});

Deno.test("losses of nothing are 0 as sums and NaN as means", async () => {
  const empty = torch.zeros(0, 3);
  assertEquals(await F.mseLoss(empty, empty, { reduction: "sum" }).item(), 0);
  assert(Number.isNaN(await F.mseLoss(empty, empty).item()));
});

Deno.test("scaledDotProductAttention: causal and masked attention see only what they may", async () => {
  const [q, k, v] = [1, 2, 3].map(() => torch.randn(2, 3, 5, 4));
  const causal = F.scaledDotProductAttention(q, k, v, { isCausal: true });
  await assertClose(causal.at("...", 0, torch.slice(0, 4)), v.at("...", 0, torch.slice(0, 4)), 1e-6);
  const mask = torch.ones(5, 5).tril().bool();
  await assertClose(F.scaledDotProductAttention(q, k, v, mask), causal, 1e-6);
  const nothing = F.scaledDotProductAttention(q.requiresGrad_(), k, v, torch.zeros(5, 5).bool());
  assertEquals(await nothing.detach().abs().max().item(), 0);
  nothing.sum().backward();
  assertEquals(await q.grad!.abs().max().item(), 0);
  assertThrows(
    () => F.scaledDotProductAttention(q, k, v, mask, 0, true),
    torch.ArgumentError,
    "either attnMask or isCausal",
  );
});

Deno.test("interpolate: sizes, factors and errors", async () => {
  const x = torch.arange(4).float().reshape(1, 1, 2, 2);
  assertEquals(await F.interpolate(x, { scaleFactor: 2 }).at(0, 0, 0).tolist(), [0, 0, 1, 1]);
  assertEquals(F.interpolate(x, [3, 5], { mode: "bilinear" }).shape, [1, 1, 3, 5]);
  const corners = F.interpolate(x, { size: 3, mode: "bilinear", alignCorners: true });
  assertEquals(await corners.at(0, 0).tolist(), [[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]]);
  assertThrows(() => F.interpolate(x), torch.ArgumentError, "exactly one of size and scaleFactor");
  assertThrows(() => F.interpolate(x, 3, { mode: "linear" }), torch.ArgumentError, "4D input");
  assertThrows(() => F.interpolate(x, 3, { alignCorners: true }), torch.ArgumentError, "align_corners");
  assertThrows(() => F.interpolate(x, 0), torch.ShapeError, "must be positive");
});

Deno.test("gumbelSoftmax: hard draws are one-hot and have gradients", async () => {
  const logits = torch.zeros(200, 3, { requiresGrad: true });
  const hard = F.gumbelSoftmax(logits, 1, true);
  assertAlmostEquals(await hard.max().item(), 1, 1e-6);
  assertAlmostEquals(await hard.sum().item(), 200, 1e-3);
  hard.at(torch.slice(null), 0).sum().backward();
  assert(await logits.grad!.abs().sum().item() > 0);
});

Deno.test("nn.utils: gradient clipping and parameters as a vector", async () => {
  const a = new nn.Parameter(torch.zeros(2)), b = new nn.Parameter(torch.zeros(1));
  const set = () => {
    a.grad = torch.tensor([3, 0]);
    b.grad = torch.tensor([4]);
  };
  set();
  assertAlmostEquals(await nn.utils.clipGradNorm_([a, b], 1).item(), 5, 1e-6);
  assertAlmostEquals((await a.grad!.tolist<number[]>())[0], 0.6, 1e-5);
  set();
  assertAlmostEquals(await nn.utils.clipGradNorm_([a, b], 10, Infinity).item(), 4, 1e-6);
  assertEquals(await a.grad!.tolist(), [3, 0]);
  nn.utils.clipGradValue_([a, b], 2);
  assertEquals(await b.grad!.tolist(), [2]);
  a.grad = torch.tensor([NaN, 0]);
  assertThrows(() => nn.utils.clipGradNorm_([a, b], 1, 2, true), torch.ArgumentError, "not finite");
  nn.utils.vectorToParameters(torch.tensor([1, 2, 3]), [a, b]);
  assertEquals(await nn.utils.parametersToVector([a, b]).tolist(), [1, 2, 3]);
  assertThrows(() => nn.utils.vectorToParameters(torch.ones(2), [a, b]), torch.ShapeError, "too short");
});

Deno.test("scaledDotProductAttention names itself when sizes do not fit", () => {
  const [a, b, c] = [torch.ones(1, 3, 4), torch.ones(1, 5, 4), torch.ones(1, 3, 6)];
  assertThrows(
    () => F.scaledDotProductAttention(a, c, a),
    torch.ShapeError,
    "scaledDotProductAttention(): query and key must be equally wide: [1, 3, 4] and [1, 3, 6]",
  );
  assertThrows(
    () => F.scaledDotProductAttention(a, a, b),
    torch.ShapeError,
    "scaledDotProductAttention(): key and value must be equally long: [1, 3, 4] and [1, 5, 4]",
  );
});

Deno.test("binaryCrossEntropy refuses what is no probability, NaN included", () => {
  const target = torch.tensor([1, 0]);
  for (const bad of [1.5, -0.1, NaN]) {
    assertThrows(() => F.binaryCrossEntropy(torch.tensor([0.5, bad]), target), torch.ArgumentError, "between 0 and 1");
  }
});

Deno.test("losses take the target by name, PyTorch's old reductions in their places, and say what is wrong", () => {
  const x = torch.randn(4, 3), y = torch.tensor([0n, 1n, 2n, 0n]);
  assertEquals(F.crossEntropy(x, { target: y, reduction: "none" }).shape, [4]);
  assertEquals(F.mseLoss(x, x, null, false).shape, [4, 3]);
  assertEquals(F.poissonNllLoss(x, x, true, false, null, 1e-8, null, "none").shape, [4, 3]);
  assertThrows(() => F.crossEntropy(y, x), torch.DTypeError, "input and target are swapped");
  assertThrows(() => F.crossEntropy(x, [0, 1] as never), torch.ArgumentError, "target must be a Tensor");
  assertThrows(() => F.nllLoss(x, y, { weight: [1, 1, 1] as never }), torch.ArgumentError, "weight must be a Tensor");
});

Deno.test("products take operands by name; in-place forms refuse out", () => {
  const x = torch.ones(4, 3), square = torch.ones(4, 4);
  assertEquals(torch.matmul(x, { other: x.t() }).shape, [4, 4]);
  assertEquals(torch.einsum("ij,kj->ik", { operands: [x, x] }).shape, [4, 4]);
  assertEquals(torch.chainMatmul(x, x.t(), { out: torch.zeros(4, 4) }).shape, [4, 4]);
  assertThrows(() => square.addmm_(x, x.t(), { out: square }), torch.ArgumentError, "addmm_()");
});
