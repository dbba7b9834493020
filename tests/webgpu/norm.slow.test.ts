/** Normalisations, softmax, reductions and scans on the GPU against the CPU, with and without subgroups. */

import * as torch from "../../mod.ts";
import { webGpuBackend } from "../../src/backend/webgpu/mod.ts";
import { assertNormsAgree } from "../support/norm_cases.ts";
import { assertSame, GPU, gpuTest } from "./support.ts";

/** Runs `body` with kernels that use subgroups, where the adapter has them, or with those that do not. */
async function withKernels(subgroups: boolean, body: () => Promise<void>): Promise<void> {
  const { gpu } = webGpuBackend(torch.device(GPU));
  const before = { subgroups: gpu.subgroups };
  Object.assign(gpu, { subgroups: subgroups && before.subgroups });
  try {
    await body();
  } finally {
    Object.assign(gpu, before);
  }
}

const SETS = [
  ["subgroups", true],
  ["workgroup memory", false],
] as const;

for (const [name, subgroups] of SETS) {
  gpuTest(`norms agree, by kernels for ${name}`, () =>
    withKernels(subgroups, async () => {
      await assertNormsAgree(GPU, torch.float32);
      if (subgroups) { for (const dtype of [torch.float16, torch.bfloat16]) await assertNormsAgree(GPU, dtype, 1000); }
    }));

  gpuTest(`softmax of all lengths agrees, by kernels for ${name}`, () =>
    withKernels(subgroups, async () => {
      for (const [rows, length] of [[3, 1], [5, 63], [6, 64], [4, 1000], [600, 65], [2, 3001], [3, 4096], [1, 70001]]) {
        torch.manualSeed(length);
        const x = torch.randn(rows, length).mul(3), g = torch.randn(rows, length);
        for (const op of ["softmax", "logSoftmax"] as const) {
          const [ours, theirs] = [GPU, "cpu"].map((device) => {
            const leaf = x.clone().to(device).detach().requiresGrad_();
            const y = leaf[op](-1);
            y.backward(g.to(device));
            return [y.detach(), leaf.grad!];
          });
          await assertSame(ours[0], theirs[0], `${op} of ${rows} x ${length}`, 3e-6);
          await assertSame(ours[1], theirs[1], `gradient of ${op} of ${rows} x ${length}`, 2e-5);
        }
      }
      const odd = torch.tensor([[1, NaN, 2], [-Infinity, -Infinity, -Infinity], [Infinity, 1, 2], [-Infinity, 1, 2]]);
      await assertSame(odd.to(GPU).softmax(-1), odd.softmax(-1), "softmax of numbers that are none");
    }));

  gpuTest(
    `reductions along and across memory agree, by kernels for ${name}`,
    () =>
      withKernels(subgroups, async () => {
        const shapes: [number[], (number | number[])[]][] = [
          [[5], [0]],
          [[70, 64], [0, 1, [0, 1]]],
          [[1000, 767], [0, 1]],
          [[40000, 4], [0, 1]],
          [[3, 40000], [0, 1]],
          [[8, 6, 7, 7], [[0, 2, 3], 1, [1, 2]]],
          [[8, 32, 16, 16], [[0, 2, 3], [0, 1], 2]],
          [[33, 31, 29], [1, [0, 2]]],
          [[3, 0], [0, 1]],
        ];
        for (const [shape, dims] of shapes) {
          torch.manualSeed(5);
          const x = torch.randn(shape), holes = x.where(x.lt(2.5), NaN), whole = x.mul(9).to(torch.int64);
          for (const dim of dims) {
            const what = `of [${shape}] over ${dim}`;
            await assertSame(x.to(GPU).sum(dim), x.sum(dim), `sum ${what}`, 2e-5);
            await assertSame(whole.to(GPU).sum(dim), whole.sum(dim), `sum of integers ${what}`, 0);
            await assertSame(whole.to(GPU).gt(0).all(dim), whole.gt(0).all(dim), `all ${what}`, 0);
            if (x.numel() > 0) await assertSame(holes.to(GPU).amax(dim), holes.amax(dim), `amax ${what}`, 0);
          }
        }
      }),
  );

  gpuTest(
    `scans and positions of extremes agree, by kernels for ${name}`,
    () =>
      withKernels(subgroups, async () => {
        const shapes: [number[], number][] = [
          [[5], 0],
          [[300], 0],
          [[4, 1000], 1],
          [[1000, 4], 0],
          [[70, 70], 1],
          [[300, 300], 0],
          [[3, 20000], 1],
          [[20000, 3], 0],
          [[70000], 0],
        ];
        for (const [shape, dim] of shapes) {
          torch.manualSeed(2);
          const x = torch.randn(shape), holes = x.where(x.lt(3.4), NaN), whole = x.mul(4).to(torch.int64);
          const what = `of [${shape}] along ${dim}`;
          const near = x.mul(0.01).add(1);
          await assertSame(x.to(GPU).cumsum(dim), x.cumsum(dim), `cumsum ${what}`, 3e-5);
          await assertSame(whole.to(GPU).cumsum(dim), whole.cumsum(dim), `cumsum of integers ${what}`, 0);
          await assertSame(near.to(GPU).cumprod(dim), near.cumprod(dim), `cumprod ${what}`, 1e-3);
          await assertSame(x.to(GPU).logcumsumexp(dim), x.logcumsumexp(dim), `logcumsumexp ${what}`, 3e-5);
          for (const t of [holes, whole]) {
            const [ours, theirs] = [t.to(GPU).cummax(dim), t.cummax(dim)];
            await assertSame(ours.values, theirs.values, `cummax ${what}`, 0);
            await assertSame(ours.indices, theirs.indices, `positions of cummax ${what}`, 0);
            await assertSame(t.to(GPU).argmax(dim), t.argmax(dim), `argmax ${what}`, 0);
            await assertSame(t.to(GPU).min(dim).values, t.min(dim).values, `min ${what}`, 0);
          }
        }
      }),
  );
}

gpuTest("statistics are of the groups, not of a dimension that has as many elements", async () => {
  torch.manualSeed(3);
  const x = torch.randn(4, 5, 4).transpose(1, 2), weight = torch.randn(4, 5);
  // No kernel takes factors of two dtypes, so the composed form asks for the statistics.
  const bias = torch.randn(4, 5).half();
  const norm = (device: string) => {
    return torch.nn.functional.layerNorm(x.to(device), [4, 5], weight.to(device), bias.to(device));
  };
  await assertSame(norm(GPU), norm("cpu"), "layer norm", 1e-5);
});

gpuTest("gradients by columns take factors that are not aligned", () =>
  withKernels(true, async () => {
    torch.manualSeed(4);
    const x = torch.randn(6, 4096), factors = torch.randn(4097), shifts = torch.randn(4096);
    const [ours, theirs] = [GPU, "cpu"].map((device) => {
      const leaves = [x.to(device), factors.to(device).narrow(0, 1, 4096), shifts.to(device)]
        .map((t) => t.detach().requiresGrad_());
      torch.nn.functional.layerNorm(leaves[0], 4096, leaves[1], leaves[2]).pow(2).sum().backward();
      return leaves.map((leaf) => leaf.grad!);
    });
    for (let i = 0; i < 3; i++) await assertSame(ours[i], theirs[i], `gradient ${i}`, 1e-4);
  }));

gpuTest("BatchNorm keeps the mean of all batches without reading their number", async () => {
  const layers = [GPU, "cpu"].map((device) => new torch.nn.BatchNorm1d(3, { momentum: null, device }));
  for (const seed of [1, 2, 3]) {
    torch.manualSeed(seed);
    const x = torch.randn(7, 3).add(seed);
    for (const layer of layers) layer.call(x.to(layer.weight!.device));
  }
  await assertSame(layers[0].running_mean!, layers[1].running_mean!, "running means", 1e-5);
  await assertSame(layers[0].running_var!, layers[1].running_var!, "running variances", 1e-5);
});
