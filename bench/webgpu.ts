/**
 * `deno run -A bench/webgpu.ts`: checks, then times the WebGPU backend on the workloads that the WebGPU libraries for
 * JavaScript were measured with, and prints a table.
 *
 * Each result is first compared with the CPU's. Timings are medians over rounds that visit every workload in turn, so that
 * a busy moment of the machine touches all alike; a round ends when the GPU has finished. `--only REGEX`, `--rounds N`.
 *
 * @module
 */

import * as torch from "../mod.ts";

const { nn, optim } = torch;
const F = nn.functional;

interface Workload {
  /** What is timed. */
  readonly name: string;
  /** Floating-point operations of a run, for GFLOP/s; 0 where bytes matter. */
  readonly flops: number;
  /** Bytes read and written at least, for GB/s. */
  readonly bytes: number;
  /** Prepares the operands on a device: returns what runs once and gives a tensor to check and to wait for. */
  readonly prepare: (device: torch.Device) => () => torch.Tensor;
  /** The largest difference from the CPU, relative to the largest value, that is right. */
  readonly tolerance: number;
}

function mlp(device: torch.Device): () => torch.Tensor {
  torch.manualSeed(0);
  const model = new nn.Sequential(
    new nn.Linear(784, 128),
    new nn.ReLU(),
    new nn.Linear(128, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  ).to(device);
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
  const x = torch.randn(64, 784).to(device), y = torch.randint(0, 10, [64]).to(device);
  return () => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.call(x), y);
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
}

function conv(device: torch.Device): () => torch.Tensor {
  torch.manualSeed(0);
  const x = torch.randn(8, 32, 56, 56).to(device).requiresGrad_();
  const w = torch.randn(64, 32, 3, 3).to(device).requiresGrad_();
  return () => {
    x.grad = null;
    w.grad = null;
    const y = F.conv2d(x, w, { padding: 1 });
    y.backward(y.detach());
    y.dispose();
    return w.grad!.add(x.grad!.sum());
  };
}

const HEADS = [1, 12, 512, 64];

/** Causal attention of GPT-2's heads and its gradients. */
function attention(device: torch.Device): () => torch.Tensor {
  torch.manualSeed(0);
  const [q, k, v] = [1, 2, 3].map(() => torch.randn(HEADS).to(device).requiresGrad_());
  return () => {
    for (const x of [q, k, v]) x.grad = null;
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true });
    y.backward(y.detach());
    y.dispose();
    return q.grad!.add(k.grad!).add(v.grad!);
  };
}

const FLAT = 1 << 24;
const SMALL = 250;

function flat(f: (x: torch.Tensor) => torch.Tensor, dtype = torch.float32): Workload["prepare"] {
  return (device) => {
    torch.manualSeed(0);
    const x = torch.randn(FLAT).to(dtype).to(device);
    return () => f(x);
  };
}

/** Many small ops: what a call costs, whatever it computes. */
function small(device: torch.Device): () => torch.Tensor {
  const x = torch.ones([16]).to(device), y = torch.ones([16]).to(device);
  return () => {
    const sum = x.add(y);
    for (let i = 1; i < SMALL; i++) sum.add_(y);
    return sum;
  };
}

function product(n: number, transposed = false, dtype = torch.float32): Workload["prepare"] {
  return (device) => {
    torch.manualSeed(0);
    const [a, b] = [1, 2].map(() => torch.randn(n, n).to(dtype).to(device));
    return () => a.matmul(transposed ? b.t() : b);
  };
}

/** A norm of `x` with factors and shifts, and its gradients by all three, of which the factors' is given. */
function normBothWays(
  device: torch.Device,
  shape: number[],
  factors: number,
  norm: (x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) => torch.Tensor,
): () => torch.Tensor {
  torch.manualSeed(0);
  const [x, w, b] = [shape, [factors], [factors]].map((s) => torch.randn(s).to(device).requiresGrad_());
  return () => {
    x.grad = w.grad = b.grad = null;
    const y = norm(x, w, b);
    y.backward(y.detach());
    y.dispose();
    return w.grad!.add(x.grad!.sum());
  };
}

function layerNorm(device: torch.Device): () => torch.Tensor {
  return normBothWays(device, [8192, 768], 768, (x, w, b) => F.layerNorm(x, 768, w, b));
}

function batchNorm(device: torch.Device): () => torch.Tensor {
  return normBothWays(device, [8, 64, 56, 56], 64, (x, w, b) => F.batchNorm(x, null, null, w, b, true));
}

const CONV_FLOPS = 3 * 2 * 8 * 64 * 56 * 56 * 32 * 9;
const WORKLOADS: readonly Workload[] = [
  { name: "matmul 1024", flops: 2 * 1024 ** 3, bytes: 0, prepare: product(1024), tolerance: 1e-5 },
  { name: "matmul 1024, b transposed", flops: 2 * 1024 ** 3, bytes: 0, prepare: product(1024, true), tolerance: 1e-5 },
  {
    name: "matmul 1024, float16",
    flops: 2 * 1024 ** 3,
    bytes: 0,
    prepare: product(1024, false, torch.float16),
    tolerance: 2e-3,
  },
  { name: `${SMALL} adds of 16 elements`, flops: 0, bytes: 0, prepare: small, tolerance: 0 },
  { name: "add 16M", flops: 0, bytes: FLAT * 8, prepare: flat((x) => x.add(x)), tolerance: 0 },
  { name: "add 16M, float16", flops: 0, bytes: FLAT * 4, prepare: flat((x) => x.add(x), torch.float16), tolerance: 0 },
  { name: "gelu 16M", flops: 0, bytes: FLAT * 8, prepare: flat((x) => F.gelu(x)), tolerance: 1e-6 },
  {
    name: "gelu 16M, float16",
    flops: 0,
    bytes: FLAT * 4,
    prepare: flat((x) => F.gelu(x), torch.float16),
    tolerance: 1e-3,
  },
  { name: "sum 16M", flops: 0, bytes: FLAT * 4, prepare: flat((x) => x.sum()), tolerance: 1e-4 },
  {
    name: "softmax 4096 x 4096",
    flops: 0,
    bytes: FLAT * 8,
    prepare: flat((x) => x.view(4096, 4096).softmax(-1)),
    tolerance: 1e-5,
  },
  {
    name: "sum over dim 0 of 4096 x 4096",
    flops: 0,
    bytes: FLAT * 4,
    prepare: flat((x) => x.view(4096, 4096).sum(0)),
    tolerance: 1e-5,
  },
  {
    name: "layer norm 4096 x 4096",
    flops: 0,
    bytes: FLAT * 8,
    prepare: flat((x) => F.layerNorm(x.view(4096, 4096), 4096)),
    tolerance: 1e-5,
  },
  { name: "layer norm 8192 x 768, both ways", flops: 0, bytes: 8192 * 768 * 20, prepare: layerNorm, tolerance: 1e-4 },
  {
    name: "batch norm N8 C64 56x56, both ways",
    flops: 0,
    bytes: 8 * 64 * 56 * 56 * 32,
    prepare: batchNorm,
    tolerance: 1e-4,
  },
  { name: "MLP step 784-128-128-10, batch 64, Adam", flops: 0, bytes: 0, prepare: mlp, tolerance: 1e-5 },
  {
    name: "conv N8 C32->64 56x56 3x3, both ways",
    flops: CONV_FLOPS,
    bytes: 0,
    prepare: conv,
    tolerance: 1e-4,
  },
  {
    name: "attention 12 heads 512 x 64, causal, both ways",
    // By convention those of one pass backward, 2.5 times the forward ones.
    flops: 3.5 * 2 * 12 * 512 * 512 * 64,
    bytes: 0,
    prepare: attention,
    tolerance: 1e-4,
  },
];

/** The largest difference relative to the largest value. */
async function difference(ours: torch.Tensor, theirs: torch.Tensor): Promise<number> {
  const [a, b] = [await ours.read() as Float32Array, await theirs.read() as Float32Array];
  let worst = 0, largest = Number.MIN_VALUE;
  for (let i = 0; i < a.length; i++) {
    worst = Math.max(worst, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return worst / largest;
}

function option(name: string, fallback: string): string {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? fallback : Deno.args[at + 1];
}

/** Milliseconds of `times` runs and of the read that waits for the last, per run. */
async function time(run: () => torch.Tensor, times: number): Promise<number> {
  const start = performance.now();
  for (let i = 1; i < times; i++) run().dispose();
  using last = run();
  using one = last.flatten().select(0, 0);
  await one.item();
  return (performance.now() - start) / times;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

async function main(): Promise<void> {
  const device = await torch.openDevice("webgpu");
  console.log(`webgpu: ${torch.info(device).kernels}`);
  const only = new RegExp(option("only", "")), rounds = Number(option("rounds", "5"));
  const chosen = WORKLOADS.filter((w) => only.test(w.name));
  const runs: (() => torch.Tensor)[] = [];
  for (const w of chosen) {
    const run = w.prepare(device);
    const wrong = await difference(run(), w.prepare(torch.device("cpu"))());
    if (!(wrong <= w.tolerance)) throw new Error(`${w.name}: differs from the CPU by ${wrong} of the largest value`);
    runs.push(run);
  }
  const times = chosen.map((): number[] => []);
  const repeats: number[] = [];
  for (const run of runs) repeats.push(Math.max(1, Math.min(50, Math.ceil(200 / await time(run, 1)))));
  for (let r = 0; r < rounds; r++) {
    for (let i = 0; i < chosen.length; i++) times[i].push(await time(runs[i], repeats[i]));
  }
  chosen.forEach((w, i) => {
    const ms = median(times[i]);
    const rate = w.flops > 0
      ? `${(w.flops / ms / 1e6).toFixed(1)} GFLOP/s`
      : w.bytes > 0
      ? `${(w.bytes / ms / 1e6).toFixed(1)} GB/s`
      : "";
    console.log(`${w.name.padEnd(42)} ${ms.toFixed(2).padStart(9)} ms  ${rate}`);
  });
}

if (import.meta.main) await main();
