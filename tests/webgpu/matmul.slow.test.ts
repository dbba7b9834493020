/**
 * Products on the GPU: every kernel by every way of reading its operands, plans, and linear layers with what they end in.
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Ending } from "../../src/backend/webgpu/products/finish.ts";
import { multiply } from "../../src/backend/webgpu/products/matmul.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/mod.ts";
import { type Plan, planOf } from "../../src/backend/webgpu/products/plans.ts";

import {
  asked,
  chainsAgree,
  chainsAutocast,
  chainsBehave,
  chainsRelease,
  layoutsAgree,
  linearAgrees,
  transformersAgree,
} from "../support/fused_linear.ts";
import { assertSame, GPU, gpuTest } from "./support.ts";

type T = torch.Tensor;

function backend(): WebGpuBackend {
  return torch.zeros(1, { device: GPU }).storage.backend as WebGpuBackend;
}

const PLAIN: Ending = { alpha: 1, beta: 0, epilogue: null, turned: false };

/** The product by a plan, compared with the CPU's. */
async function agrees(
  plan: Plan,
  a: T,
  b: T,
  { view = (x: T) => x, other = (x: T) => x, result = (x: T) => x, ending = PLAIN } = {},
): Promise<void> {
  const { gpu } = backend(), wide = (x: T) => x.dtype.isFloatingPoint ? x.float() : x;
  const expected = wide(view(a)).matmul(wide(other(b)));
  torch.manualSeed(5);
  const start = torch.randn([600, 600]).mul(8).round().to(a.dtype);
  // The view of a larger tensor that the result goes to; the rest must stay.
  const whole = start.to(GPU);
  const into = (x: T) => {
    const size = expected.numel();
    return result(x.flatten().narrow(0, 8, 2 * size)).narrow(0, 0, size).view(expected.shape);
  };
  const out = result === IDENTITY ? into(whole) : result(whole);
  const before = result === IDENTITY ? into(start) : result(start);
  multiply(gpu, view(a.to(GPU)), other(b.to(GPU)), out, ending, plan);
  const scaled = ending.beta === 0 ? expected : expected.mul(ending.alpha).add(wide(before).mul(ending.beta));
  const copy = start.clone();
  (result === IDENTITY ? into(copy) : result(copy)).copy_(scaled.to(a.dtype));
  await assertSame(whole, copy, `${JSON.stringify(plan)} ${a.dtype}`, a.dtype === torch.float32 ? 1e-5 : 1e-2);
}

const IDENTITY = (x: T): T => x;

function values(...shape: number[]): T {
  return torch.randn(shape);
}

gpuTest("tiles of every size read operands however they lie", async (t) => {
  torch.manualSeed(1);
  const result = IDENTITY;
  for (const kernel of [32, 64, 128] as const) {
    await t.step(`${kernel}`, async () => {
      const plan = { kernel, parts: 1 };
      const transposed = (x: T) => x.transpose(-1, -2);
      await agrees(plan, values(132, 72), values(72, 140), { result });
      await agrees(plan, values(72, 132), values(140, 72), { view: transposed, other: transposed, result });
      await agrees(plan, values(67, 45), values(45, 33), { result });
      await agrees(plan, values(45, 132), values(45, 140), { view: transposed, result });
      const odd = (x: T) => x.narrow(1, 1, 44);
      await agrees(plan, values(36, 46), values(46, 44), { view: odd, other: (x) => x.narrow(0, 2, 44), result });
      await agrees({ ...plan, twice: false }, values(132, 72), values(72, 140), { result });
      await agrees({ kernel, parts: 3 }, values(40, 300), values(300, 36), { result });
    });
  }
});

gpuTest("a product may be in batches, scaled, added, of any dtype, into any view", async () => {
  torch.manualSeed(2);
  const result = IDENTITY;
  for (const parts of [1, 2]) {
    const plan = { kernel: 32, parts } as const;
    const some = (x: T) => x.unsqueeze(1).expand(2, 3, 9, 40);
    await agrees(plan, values(2, 9, 40), values(3, 40, 12), {
      view: some,
      other: (x) => x.expand(2, 3, 40, 12),
      result,
    });
    await agrees(plan, values(20, 36), values(36, 24), { ending: { ...PLAIN, alpha: 0.5, beta: 2 }, result });
    await agrees(plan, values(20, 36), values(36, 24), { result: (x) => x.narrow(0, 3, 24).narrow(1, 5, 20).t() });
    await agrees(plan, values(20, 36), values(36, 24), { result: (x) => x.narrow(0, 3, 20).narrow(1, 5, 24) });
    const whole = (...shape: number[]) => torch.randint(-9, 9, shape);
    await agrees(plan, whole(20, 36), whole(36, 23), { ending: { ...PLAIN, alpha: 3, beta: 1 }, result });
    for (const dtype of [torch.float16, torch.bfloat16]) {
      await agrees(plan, values(20, 36).to(dtype), values(36, 24).to(dtype), { result });
    }
  }
});

gpuTest("few rows or columns: the other operand is read once", async () => {
  torch.manualSeed(3);
  const result = IDENTITY;
  for (const parts of [1, 3]) {
    const plan = { kernel: "vector", parts } as const;
    await agrees(plan, values(1, 1000), values(1000, 37), { result });
    await agrees(plan, values(1, 1000), values(37, 1000), { other: (x) => x.t(), result });
    await agrees(plan, values(70, 500), values(500, 4), { result });
    await agrees(plan, values(2, 3, 90), values(2, 90, 50), { result, ending: { ...PLAIN, alpha: 2, beta: 1 } });
    await agrees(plan, values(1, 5000), values(5000, 1), { result });
    await agrees(plan, values(3, 2), values(2, 3), { result });
  }
});

gpuTest("operands and results may be views of one buffer", async () => {
  const check = async (into: (x: T) => T, from: (x: T) => T) => {
    torch.manualSeed(4);
    const x = torch.randn(96, 40), y = x.to(GPU);
    const weight = torch.randn(40, 40);
    torch.mm(from(y), weight.to(GPU), { out: into(y) });
    torch.mm(from(x).clone(), weight, { out: into(x) });
    await assertSame(y, x, "out", 1e-5);
  };
  await check((x) => x.narrow(0, 48, 40), (x) => x.narrow(0, 0, 40));
  const { matmul } = backend();
  assert(matmul !== undefined);
  torch.manualSeed(4);
  const x = torch.randn(96, 41), y = x.to(GPU);
  const [left, right, out] = [[0, 0, 20, 16], [20, 0, 16, 12], [40, 3, 20, 12]].map(([r, c, h, w]) => (t: T) =>
    t.narrow(0, r, h).narrow(1, c, w)
  );
  backend().matmul(left(y), right(y), out(y), 1, 0);
  out(x).copy_(left(x).matmul(right(x)));
  await assertSame(y, x, "out", 1e-5);
});

gpuTest("linear layers end in bias and activation", async () => {
  await layoutsAgree(GPU, [torch.float32, torch.float16, torch.bfloat16]);
  await linearAgrees(GPU, [torch.float32, torch.bfloat16]);
  // Large tiles take a software adapter long to compile.
  await chainsAgree(GPU, [torch.float32], [[5, 7, 9, 6], [40, 8, 16, 8]]);
  await chainsBehave(GPU);
  await transformersAgree(GPU);
  chainsRelease(GPU);
  await chainsAutocast(GPU);
  const net = new torch.nn.Sequential(new torch.nn.Linear(8, 6), new torch.nn.GELU(), new torch.nn.Linear(6, 4))
    .to(GPU);
  const took = asked(GPU, () => net.call(torch.randn(5, 8).to(GPU)).backward(torch.ones([5, 4], { device: GPU })));
  assertEquals([took.gelu, took.bias, took.geluGrad], [true, true, true]);
});

gpuTest("convolutions by tiles of every size, and in parts", async () => {
  torch.manualSeed(6);
  for (const [x, w] of [[[2, 8, 40, 40], [40, 8, 3, 3]], [[4, 4, 64, 64], [72, 4, 3, 3]]]) {
    const results: T[][] = [];
    const [input, weight, bias] = [torch.randn(x), torch.randn(w), torch.randn(w[0])];
    const grad = torch.randn(x[0], w[0], x[2], x[3]);
    for (const device of [GPU, "cpu"]) {
      const leaves = [input, weight, bias].map((t) => t.to(device).detach().clone().requiresGrad_());
      const out = torch.nn.functional.conv2d(leaves[0], leaves[1], leaves[2], { padding: 1 });
      out.backward(grad.to(device));
      results.push([out.detach(), ...leaves.map((l) => l.grad!)]);
    }
    for (const [i, t] of results[0].entries()) await assertSame(t, results[1][i], `conv ${w}, ${i}`, 1e-5);
  }
});

gpuTest("products deeper than a loop of WGSL are split", async () => {
  const depth = 280_000;
  const a = torch.ones(9, depth), b = torch.ones(depth, 8);
  const out = a.to(GPU).matmul(b.to(GPU));
  await assertSame(out, torch.full([9, 8], depth), "out", 0);
  const linear = torch.nn.functional.linear(a.to(GPU), b.t().to(GPU), torch.ones(8).to(GPU));
  await assertSame(linear, torch.full([9, 8], depth + 1), "with a bias", 0);
});

Deno.test("webgpu: plans fill a GPU, and split only what is deep", () => {
  assertEquals(planOf(4096, 4096, 4096, 1), { kernel: 128, parts: 1 });
  assertEquals(planOf(2048, 2048, 2048, 1), { kernel: 128, parts: 1 });
  assertEquals(planOf(1024, 1024, 1024, 1), { kernel: 64, parts: 1 });
  assertEquals(planOf(128, 128, 8192, 1), { kernel: 64, parts: 32 });
  assertEquals(planOf(64, 10, 128, 1), { kernel: 32, parts: 1 });
  assertEquals(planOf(20, 30, 64, 8), { kernel: 32, parts: 1 });
  assertEquals(planOf(1, 4096, 4096, 1), { kernel: "vector", parts: 1 });
  assertEquals(planOf(1, 1, 1_000_000, 1), { kernel: "vector", parts: 256 });
  // No part is deeper than a loop may be.
  assertEquals(planOf(4096, 4096, 300_000, 1).parts, 2);
});
