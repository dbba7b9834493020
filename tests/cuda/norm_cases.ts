/**
 * Normalisations, reductions and scans on CUDA, as on the CPU: `deno run -A norm_cases.ts GROUP` prints "agrees" or throws.
 *
 * @module
 */

import { assert } from "@std/assert";
import * as torch from "../../mod.ts";
import { firstDifference } from "../support/close.ts";
import { assertNormsAgree } from "../support/norm_cases.ts";

type Tensor = torch.Tensor;

async function same(what: string, x: Tensor, f: (x: Tensor) => Tensor, limit = 1e-5): Promise<void> {
  const [ours, theirs] = [f(x.to("cuda")), f(x)];
  assert(String(ours.shape) === String(theirs.shape) && ours.dtype === theirs.dtype, what);
  const numbers = async (t: Tensor) => await t.double().contiguous().read() as Float64Array;
  const limits = { rtol: limit, atol: limit * Math.max(1, Math.sqrt(x.numel() / Math.max(1, theirs.numel()))) };
  const difference = firstDifference(await numbers(ours), await numbers(theirs), theirs.shape, limits);
  assert(difference === null, `${what}: ${difference}`);
}

/** Sums and extremes over every choice of dimensions: rows, columns, planes, aligned or not, split or not. */
async function reductions(): Promise<void> {
  const shapes: [number[], (number | number[])[]][] = [
    [[1], [0]],
    [[100000], [0]],
    [[70, 64], [0, 1, [0, 1]]],
    [[1000, 767], [0, 1]],
    [[30000, 4], [0, 1]],
    [[3, 30000], [0, 1]],
    [[600, 5], [0, 1]],
    [[8, 6, 7, 7], [[0, 2, 3], 1, [1, 2], [0, 3]]],
    [[8, 32, 16, 16], [[0, 2, 3], [0, 1], 2]],
    [[33, 31, 29], [1, [0, 2]]],
    [[0, 3], [0, 1]],
  ];
  const dtypes = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool];
  for (const [shape, dims] of shapes) {
    for (const dtype of shape.reduce((a, b) => a * b, 1) > 50000 ? [torch.float32, torch.bfloat16] : dtypes) {
      torch.manualSeed(5);
      const x = torch.randn(shape).mul(3).abs().to(dtype);
      const limit = { float16: 2e-3, bfloat16: 2e-2 }[dtype.name as string] ?? 1e-5;
      for (const dim of dims) {
        const what = `${dtype} [${shape}] over ${dim}`;
        await same(`sum, ${what}`, x, (x) => x.sum(dim), limit);
        if (dtype === torch.bool) await same(`all, ${what}`, x, (x) => x.all(dim));
        else if (x.numel() > 0) await same(`amax, ${what}`, x, (x) => x.amax(dim));
        if (dtype.isFloatingPoint) {
          await same(`mean of the transposed, ${what}`, x.transpose(0, -1), (x) => x.mean(dim), limit);
        }
      }
    }
  }
  const x = torch.randn(500, 64);
  await same("at an odd offset", x, (x) => x.flatten().narrow(0, 3, 400 * 64).view(400, 64).sum(0));
  await same("columns at an odd offset", x, (x) => x.narrow(1, 1, 61).sum(0));
  await same("several operands", x, (x) => x.std(0));
  await same("NaN", x.where(x.lt(2), NaN), (x) => x.amax(0));
}

const LENGTHS = [[3, 1], [5, 7], [6, 64], [4, 1000], [3, 4096], [2, 20000], [1, 70001], [1, 131072]];

/** Softmax of rows that stay in registers, in shared memory, and nowhere. */
async function softmaxes(): Promise<void> {
  for (const dtype of [torch.float32, torch.float16, torch.bfloat16, torch.float64]) {
    const limit = { float16: 2e-3, bfloat16: 2e-2 }[dtype.name as string] ?? 1e-5;
    for (const [rows, length] of LENGTHS) {
      if (dtype === torch.float64 && length > 5000) continue;
      torch.manualSeed(length);
      const x = torch.randn(rows, length).mul(3).to(dtype), g = torch.randn(rows, length).to(dtype);
      for (const op of ["softmax", "logSoftmax"] as const) {
        await same(`${op} of ${dtype} ${rows} x ${length}`, x, (x) => x[op](-1), limit);
        const gradient = (x: Tensor): Tensor => {
          const leaf = x.clone().detach().requiresGrad_();
          leaf[op](-1).backward(g.to(x.device));
          return leaf.grad!;
        };
        await same(`gradient of ${op} of ${dtype} ${rows} x ${length}`, x, gradient, 2 * limit);
      }
    }
  }
  const odd = torch.tensor([[1, NaN, 2], [-Infinity, -Infinity, -Infinity], [Infinity, 1, 2], [-Infinity, 1, 2]]);
  await same("numbers that are none", odd, (x) => x.softmax(-1));
  await same("rows at an odd offset", torch.randn(400), (x) => x.narrow(0, 1, 320).view(10, 32).softmax(-1));
}

/** Running sums, products and extremes of lines shorter and longer than a block takes, in one part and in several. */
async function scans(): Promise<void> {
  const shapes: [number[], number][] = [
    [[5], 0],
    [[4, 1000], 1],
    [[1000, 4], 0],
    [[7, 1024], 1],
    [[3, 2500], 1],
    [[30000], 0],
    [[20000, 2], 0],
  ];
  for (const [shape, dim] of shapes) {
    torch.manualSeed(2);
    const x = torch.randn(shape), holes = x.where(x.lt(3.2), NaN), whole = x.mul(4).to(torch.int64);
    const what = `of [${shape}] along ${dim}`;
    await same(`cumsum ${what}`, x, (x) => x.cumsum(dim));
    await same(`cumsum of doubles ${what}`, x.double(), (x) => x.cumsum(dim));
    await same(`cumsum of integers ${what}`, whole, (x) => x.cumsum(dim), 0);
    await same(`cumprod ${what}`, x.mul(0.01).add(1), (x) => x.cumprod(dim));
    await same(`logcumsumexp ${what}`, x, (x) => x.logcumsumexp(dim));
    for (const t of [holes, whole]) {
      await same(`cummax ${what}`, t, (x) => x.cummax(dim).values, 0);
      await same(`positions of cummin ${what}`, t, (x) => x.cummin(dim).indices, 0);
    }
  }
}

async function norms(...dtypes: torch.DType[]): Promise<void> {
  for (const dtype of dtypes) await assertNormsAgree("cuda", dtype, dtype === torch.float32 ? Infinity : 1000);
}

/** Rows that only some devices have the shared memory for. */
async function wide(): Promise<void> {
  for (const length of [20000, 30000, 50000]) {
    torch.manualSeed(length);
    const x = torch.randn(4, length);
    await same(`softmax of ${length}`, x, (x) => x.softmax(-1));
    await same(`layer norm of ${length}`, x, (x) => torch.nn.functional.layerNorm(x, [length]));
    await same(`gradients of ${length}`, x, (x) => {
      const leaf = x.clone().detach().requiresGrad_();
      torch.nn.functional.layerNorm(leaf, [length]).softmax(-1).square().sum().backward();
      return leaf.grad!;
    });
  }
}

const GROUPS: Record<string, () => Promise<void>> = {
  reductions,
  softmaxes,
  scans,
  wide,
  norms: () => norms(torch.float32, torch.float64),
  halves: () => norms(torch.float16, torch.bfloat16),
};

await GROUPS[Deno.args[0]]();
console.log("agrees");
