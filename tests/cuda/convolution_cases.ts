/**
 * Convolutions on CUDA in both memory formats, by cuDNN's graph API, its older functions and our own kernel: values and
 * strides as on the CPU. `deno run -A convolution_cases.ts GROUP` prints "agrees" or throws.
 *
 * With the test double, `CUDA_DOUBLE_DNN_LOG` names a file that it notes each convolution in, so that the way taken is
 * known.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { models } from "../../src/vision/mod.ts";
import { checkStrides, STRIDE_CASES } from "../ops/stride_cases.ts";
import { firstDifference } from "../support/close.ts";

type Tensor = torch.Tensor;
const F = torch.nn.functional;
const LOG = Deno.env.get("CUDA_DOUBLE_DNN_LOG");

/** The convolutions noted since the last call; `null` without a double. */
async function noted(): Promise<string[] | null> {
  if (LOG === undefined) return null;
  torch.cuda.synchronize();
  const lines = (await Deno.readTextFile(LOG).catch(() => "")).trimEnd().split("\n").filter((line) => line !== "");
  await Deno.writeTextFile(LOG, "");
  return lines;
}

function numbers(shape: readonly number[], dtype: torch.DType, seed: number): Tensor {
  torch.manualSeed(seed);
  return torch.randn([...shape]).to(dtype);
}

interface Case {
  readonly name: string;
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly bias?: boolean;
  readonly options?: { stride?: number; padding?: number; dilation?: number; groups?: number };
}

const CASES: readonly Case[] = [
  { name: "1-d", x: [2, 3, 11], weight: [4, 3, 3], bias: true, options: { dilation: 2 } },
  { name: "plain", x: [2, 4, 7, 6], weight: [5, 4, 3, 3], options: { padding: 1 } },
  { name: "bias", x: [2, 4, 7, 6], weight: [5, 4, 3, 3], bias: true, options: { stride: 2 } },
  { name: "1x1", x: [2, 8, 5, 5], weight: [4, 8, 1, 1] },
  { name: "1x1 of 1x1", x: [2, 8, 1, 1], weight: [4, 8, 1, 1], bias: true },
  { name: "groups", x: [2, 6, 7, 8], weight: [9, 2, 3, 2], bias: true, options: { groups: 3, padding: 1 } },
  { name: "depthwise", x: [1, 6, 7, 7], weight: [6, 1, 3, 3], options: { groups: 6, padding: 1 } },
  {
    name: "groups and dilation",
    x: [1, 4, 9, 9],
    weight: [4, 2, 3, 3],
    bias: true,
    options: { groups: 2, dilation: 2 },
  },
  { name: "3-d", x: [1, 3, 4, 5, 4], weight: [4, 3, 2, 2, 2], bias: true },
  {
    name: "3-d, groups and dilation",
    x: [1, 4, 5, 5, 4],
    weight: [4, 2, 2, 2, 2],
    bias: true,
    options: { groups: 2, dilation: 2 },
  },
];

/** Result and gradients by every operand. */
function train(device: string, c: Case, dtype: torch.DType, last: boolean): Tensor[] {
  const { x, weight, bias } = c;
  const laid = (t: Tensor) => {
    if (!last || t.ndim < 4) return t;
    return t.to({ memoryFormat: t.ndim === 4 ? torch.channelsLast : torch.channelsLast3d });
  };
  const leaves = [numbers(x, dtype, 1), numbers(weight, dtype, 2)].map(laid);
  if (bias) leaves.push(numbers([weight[0]], dtype, 3));
  for (const [i, leaf] of leaves.entries()) leaves[i] = leaf.to(device).requiresGrad_();
  const conv = [F.conv1d, F.conv2d, F.conv3d][x.length - 3];
  const out = conv(leaves[0], leaves[1], leaves[2] ?? null, c.options ?? {});
  out.backward(numbers(out.shape, dtype, 5).to(device));
  return [out.detach(), ...leaves.map((leaf) => leaf.grad!)];
}

const TOLERANCE: Readonly<Record<string, number>> = { float64: 1e-9, float32: 1e-4, float16: 2e-2, bfloat16: 1e-1 };

async function compare(dtypes: readonly torch.DType[]): Promise<void> {
  for (const c of CASES) {
    for (const dtype of dtypes) {
      for (const last of [false, true]) {
        const what = `${c.name} ${dtype}${last ? ", channels last" : ""}`;
        const [expected, actual] = ["cpu", "cuda"].map((device) => train(device, c, dtype, last));
        for (const [i, e] of expected.entries()) {
          const limit = TOLERANCE[dtype.name];
          const [a, b] = await Promise.all([actual[i], e].map((t) => t.double().read()));
          const difference = firstDifference(a as Float64Array, b as Float64Array, e.shape, {
            rtol: limit,
            atol: limit,
          });
          assert(difference === null, `${what}, result ${i}: ${difference}`);
          assertEquals(actual[i].strides, e.strides, `${what}, result ${i}`);
        }
      }
    }
  }
}

/** Everything as on the CPU, whichever way it goes. */
async function values(): Promise<void> {
  await compare([torch.float64, torch.float32, torch.bfloat16, torch.float16]);
}

/** The graph API's engines, its fallbacks, and what they depend on. */
async function ways(): Promise<void> {
  const x = numbers([2, 8, 6, 6], torch.bfloat16, 1).to("cuda"),
    w = numbers([8, 8, 3, 3], torch.bfloat16, 2).to("cuda");
  const b = numbers([8], torch.bfloat16, 3).to("cuda");
  const xl = x.to({ memoryFormat: torch.channelsLast });
  const ran = async (f: () => unknown, expected: readonly string[]) => {
    await noted();
    f();
    const lines = await noted();
    if (lines !== null) assertEquals(lines, expected);
  };
  await ran(() => F.conv2d(x, w), ["graph forward first plain"]);
  await ran(() => F.conv2d(xl, w), ["graph forward last tensor cores"]);
  await ran(() => F.conv2d(xl, w, b), ["graph forward last bias tensor cores"]);
  await ran(() => F.conv2d(x, w, b), ["graph forward first plain"]);
  await ran(() => F.conv2d(xl.float(), w.float()), ["graph forward last plain"]);
  torch.backends.cudnn.allowTf32 = true;
  await ran(() => F.conv2d(xl.float(), w.float()), ["graph forward last tensor cores"]);
  await ran(() => F.conv2d(xl.float(), w.float(), b.float()), ["graph forward last bias tensor cores"]);
  torch.backends.cudnn.allowTf32 = false;
  await ran(() => F.conv2d(x.double(), w.double(), b.double()), ["graph forward first plain"]);
  // An operand that starts between 16-byte boundaries has plans of its own.
  const odd = numbers([9 * 8 * 6 * 6 + 1], torch.bfloat16, 4).to("cuda").narrow(0, 1, 2 * 8 * 6 * 6);
  await ran(() => F.conv2d(odd.reshape(2, 6, 6, 8).permute(0, 3, 1, 2), w), ["graph forward last plain"]);
  // Atomic sums are refused where results must be the same in every run.
  const gradient = () => F.conv2d(x, w.detach().requiresGrad_()).sum().backward();
  await ran(gradient, ["graph forward first plain", "graph weight first atomics"]);
  torch.backends.cudnn.deterministic = true;
  await ran(gradient, ["graph forward first plain", "graph weight first plain"]);
  torch.backends.cudnn.deterministic = false;
  // No engine: the older functions. Not those either: our own kernel.
  const dilated = { groups: 2, dilation: 2 };
  await ran(() => F.conv2d(xl, w.narrow(1, 0, 4).contiguous(), b, dilated), ["older forward last 1"]);
  const volume = x.reshape(1, 8, 6, 6, 2), filter = w.narrow(1, 0, 4).reshape(8, 4, 3, 3, 1);
  await ran(() => F.conv3d(volume, filter, b, dilated), []);
  torch.backends.cudnn.enabled = false;
  await ran(() => F.conv2d(x, w), []);
  torch.backends.cudnn.enabled = true;
}

/** `benchmark` runs several plans once, and then the one that it kept. */
async function benchmark(): Promise<void> {
  torch.backends.cudnn.benchmark = true;
  const x = numbers([2, 8, 6, 6], torch.float16, 1).to("cuda").to({ memoryFormat: torch.channelsLast });
  const w = numbers([8, 8, 3, 3], torch.float16, 2).to("cuda");
  const first = F.conv2d(x, w);
  const lines = await noted();
  if (lines !== null) {
    assert(lines.length > 4 && new Set(lines).size === 2, lines.join("\n"));
  }
  const second = F.conv2d(x, w);
  assertEquals((await noted())?.length ?? 1, 1);
  assertEquals(await second.read(), await first.read());
  await compare([torch.float32, torch.bfloat16]);
  torch.backends.cudnn.benchmark = false;
  assert(torch.backends.cudnn.isAvailable() && torch.backends.cudnn.version()! >= 90000);
}

/** Where a plan's scratch memory does not fit, cached memory is given back, and then our own kernel convolves. */
async function full(): Promise<void> {
  const shape = [1, 2, 4, 4, 4],
    volume = numbers(shape, torch.float32, 1),
    filter = numbers([2, 2, 2, 2, 2], torch.float32, 2);
  const [expected, actual] = ["cpu", "cuda"].map((device) => F.conv3d(volume.to(device), filter.to(device)));
  const [a, b] = [await actual.read(), await expected.read()] as Float32Array[];
  assertEquals(firstDifference(a, b, expected.shape, { rtol: 1e-5, atol: 1e-5 }), null);
  assertEquals((await noted())?.length ?? 0, 0);
}

/** Plans are made outside of graphs, and run in them. */
async function graphs(): Promise<void> {
  const x = numbers([1, 4, 5, 5], torch.float32, 1).to("cuda"), w = numbers([4, 4, 3, 3], torch.float32, 2).to("cuda");
  const graph = new torch.cuda.CUDAGraph();
  assertThrows(() => torch.cuda.graph(graph, () => F.conv2d(x, w)), torch.NativeError, "run it once before the graph");
  const expected = await F.conv2d(x, w).read();
  const again = new torch.cuda.CUDAGraph();
  let out: Tensor | null = null;
  torch.cuda.graph(again, () => void (out = F.conv2d(x, w)));
  again.replay();
  assertEquals(await out!.read(), expected);
}

/** A hundred training steps of a small network hold device memory flat. */
async function memory(): Promise<void> {
  const { nn } = torch;
  const model = new nn.Sequential(
    new nn.Conv2d(3, 8, 3, { padding: 1 }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(8, 4, 3),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
  ).to({ device: "cuda", memoryFormat: torch.channelsLast });
  const x = numbers([2, 3, 10, 10], torch.float32, 1).to("cuda").to({ memoryFormat: torch.channelsLast });
  const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  let after = 0;
  for (let step = 0; step < 100; step++) {
    const loss = torch.scope(() => (model.call(x) as Tensor).square().mean());
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    loss.dispose();
    if (step % 10 === 9) await new Promise((resolve) => setTimeout(resolve));
    if (step === 20) after = torch.cuda.memoryAllocated();
  }
  assertEquals(torch.cuda.memoryAllocated(), after);
  for (const p of model.parameters()) {
    if (p.ndim === 4) assertEquals(p.grad!.strides, p.strides);
  }
}

/** A training step of a small residual network in channels last and bfloat16: close to the CPU's. */
async function resnet(): Promise<void> {
  const { ResNet, Bottleneck } = models;
  const losses: number[][] = [];
  for (const device of ["cpu", "cuda"]) {
    torch.manualSeed(3);
    const model = new ResNet(Bottleneck, [1, 1, 1, 1], { numClasses: 4, widthPerGroup: 16 });
    model.to({ device, memoryFormat: torch.channelsLast });
    const x = numbers([4, 3, 32, 32], torch.float32, 1).to(device).to({ memoryFormat: torch.channelsLast });
    const target = torch.tensor([0n, 1n, 2n, 3n]).to(device);
    const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.001, momentum: 0.9 });
    const seen: number[] = [];
    for (let step = 0; step < 3; step++) {
      const loss = torch.autocast(device as "cpu", { dtype: torch.bfloat16 }, () => {
        const features = model.maxpool.call(model.relu.call(model.bn1.call(model.conv1.call(x))));
        assert(features.isContiguous({ memoryFormat: torch.channelsLast }), "the stem keeps the format");
        return F.crossEntropy(model.call(x), target);
      });
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      seen.push(await loss.item());
    }
    for (const [name, p] of model.namedParameters()) {
      if (p.ndim === 4) assert(p.grad!.isContiguous({ memoryFormat: torch.channelsLast }), name);
    }
    losses.push(seen);
  }
  const lines = await noted();
  if (lines !== null) {
    assert(lines.every((line) => / last (bias )?(tensor cores|atomics)/.test(line)), lines.join("\n"));
  }
  for (const [i, loss] of losses[0].entries()) assert(Math.abs(losses[1][i] - loss) < 0.1, JSON.stringify(losses));
}

const POOLS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  "maxPool2d": (x) => F.maxPool2d(x, 3, { stride: 2, padding: 1 }),
  "maxPool2d, dilated": (x) => F.maxPool2d(x, [2, 3], { stride: 1, dilation: 2, padding: 1, ceilMode: true }),
  "adaptiveMaxPool2d": (x) => F.adaptiveMaxPool2d(x, [3, 4]),
  "avgPool2d": (x) => F.avgPool2d(x, 3, { stride: 2, padding: 1, countIncludePad: false }),
  "adaptiveAvgPool2d": (x) => F.adaptiveAvgPool2d(x, [3, 1]),
  "global": (x) => F.adaptiveAvgPool2d(x, 1),
  "maxPool3d": (x) => F.maxPool3d(x.unsqueeze(2).expand(-1, -1, 2, -1, -1), 2),
};

/** Poolings in both formats, with gradients of both orders. */
async function pools(): Promise<void> {
  for (const [name, pool] of Object.entries(POOLS)) {
    for (const dtype of [torch.float64, torch.float16]) {
      for (const last of [false, true]) {
        const results = ["cpu", "cuda"].map((device) => {
          const x = numbers([2, 3, 8, 7], dtype, 1);
          const leaf = (last ? x.to({ memoryFormat: torch.channelsLast }) : x).to(device).requiresGrad_();
          const out = pool(leaf);
          const [grad] = torch.autograd.grad(out, [leaf], {
            gradOutputs: [numbers(out.shape, dtype, 2).to(device).mul(leaf.sum())],
            createGraph: true,
          });
          grad!.mul(numbers([2, 3, 8, 7], dtype, 3).to(device)).sum().backward();
          return [out.detach(), grad!.detach(), leaf.grad!];
        });
        for (const [i, expected] of results[0].entries()) {
          const limit = dtype === torch.float64 ? 1e-9 : 0.1, what = `${name} ${dtype} ${last}, result ${i}`;
          const [a, b] = await Promise.all([results[1][i], expected].map((t) => t.double().read()));
          const limits = { rtol: limit, atol: limit };
          const difference = firstDifference(a as Float64Array, b as Float64Array, expected.shape, limits);
          assert(difference === null, `${what}: ${difference}`);
          assertEquals(results[1][i].strides, expected.strides, what);
        }
      }
    }
  }
}

/** Results of all ops are laid out as PyTorch lays them out. */
async function strides(): Promise<void> {
  for (const name of STRIDE_CASES) await checkStrides(name, "cuda", 1e-4);
}

const GROUPS: Record<string, () => Promise<void>> = {
  values,
  ways,
  benchmark,
  graphs,
  memory,
  resnet,
  pools,
  strides,
  full,
};

for (const group of Deno.args) await GROUPS[group]();
console.log("agrees");
