/**
 * `deno run -A bench/cuda.ts`: times the CUDA backend and, where `python3` has PyTorch with CUDA, PyTorch on the same card,
 * and prints a markdown table (`--write FILE` appends it, `--small` is for the test double, `--seconds S` per reading).
 *
 * Both run in turn, workload by workload and round by round, and wait for the device at the end of a reading. Results are
 * compared with the CPU's by the tests; here only times count.
 *
 * @module
 */

import * as torch from "../mod.ts";
import type { Tensor } from "../mod.ts";

const { nn, optim } = torch;
const F = nn.functional;
const small = Deno.args.includes("--small");
/** Sizes are divided by this under the double. */
const scale = (n: number, by: number): number => small ? Math.max(2, n / by) : n;
const device = "cuda";

interface Workload {
  readonly name: string;
  readonly flops?: number;
  readonly bytes?: number;
  /** Makes the operands; the result runs once and gives what is dropped, if anything. */
  readonly prepare: () => () => Tensor | void;
}

const N = scale(1 << 26, 1 << 14), ROWS = scale(8192, 256), M = scale(8192, 256), M32 = scale(4096, 128);

function randn(shape: number[], dtype = torch.float32): Tensor {
  return torch.randn(shape, { device }).to(dtype);
}

function flat(f: (x: Tensor) => Tensor, dtype = torch.float32): Workload["prepare"] {
  return () => {
    const x = randn([N], dtype);
    return () => f(x);
  };
}

function rows(f: (x: Tensor) => Tensor, dtype = torch.float32): Workload["prepare"] {
  return () => {
    const x = randn([ROWS, ROWS], dtype);
    return () => f(x);
  };
}

function product(n: number, dtype: typeof torch.float32): Workload["prepare"] {
  return () => {
    const a = randn([n, n], dtype), b = randn([n, n], dtype);
    return () => a.matmul(b);
  };
}

function trained(net: torch.nn.Module, loss: () => Tensor): () => void {
  const optimizer = new optim.AdamW(net.parameters(), { lr: 1e-3 });
  return () => {
    optimizer.zeroGrad();
    const value = loss();
    value.backward();
    optimizer.step();
    value.dispose();
  };
}

function mlp(): () => void {
  const layers = [
    new nn.Linear(784, 128),
    new nn.ReLU(),
    new nn.Linear(128, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  ];
  const net = new nn.Sequential(...layers).to(device);
  const x = randn([64, 784]), y = torch.randint(0, 10, [64], { device });
  return trained(net, () => F.crossEntropy(net.call(x), y));
}

const LAYER = { batch: scale(8, 4), length: scale(512, 64), width: scale(768, 12), heads: small ? 4 : 12 };

function transformer(dtype: typeof torch.float32): () => () => void {
  return () => {
    const { batch, length, width, heads } = LAYER;
    const options = { dimFeedforward: 4 * width, dropout: 0, activation: "gelu", batchFirst: true } as const;
    const net = new nn.TransformerEncoderLayer(width, heads, options).to(device).to(dtype);
    const x = randn([batch, length, width], dtype);
    return trained(net, () => net.call(x).float().square().mean());
  };
}

/** Causal attention and its gradients. */
function attention(shape: readonly number[]): () => () => void {
  return () => {
    const [q, k, v] = [1, 2, 3].map(() => randn([...shape], torch.bfloat16).requiresGrad_());
    return () => {
      for (const x of [q, k, v]) x.grad = null;
      const y = F.scaledDotProductAttention(q, k, v, { isCausal: true });
      y.backward(y.detach());
      y.dispose();
    };
  };
}

/** Those of the forward pass and, by convention, 2.5 times as many backward; causal attention needs half. */
function attentionFlops([batch, heads, length, width]: readonly number[]): number {
  return 3.5 * 2 * batch * heads * length * length * width;
}

const GPT2 = small ? [1, 2, 64, 64] : [8, 12, 1024, 64], LONG = small ? [1, 1, 96, 128] : [2, 16, 8192, 128];

function conv(dtype: typeof torch.float32): () => () => void {
  return () => {
    const images = scale(64, 32), size = scale(56, 8);
    const x = randn([images, 64, size, size], dtype).requiresGrad_(), w = randn([64, 64, 3, 3], dtype).requiresGrad_();
    return () => {
      x.grad = null;
      w.grad = null;
      const y = F.conv2d(x, w, { padding: 1 });
      y.backward(y.detach());
      y.dispose();
    };
  };
}

const CONV_FLOPS = 3 * 2 * 64 * 64 * 56 * 56 * 64 * 9;
const WORKLOADS: readonly Workload[] = [
  {
    name: "add 16",
    prepare: () => {
      const x = randn([16]);
      return () => x.add(x);
    },
  },
  { name: "copy 64M float32", bytes: N * 8, prepare: flat((x) => x.clone()) },
  { name: "add 64M float32", bytes: N * 8, prepare: flat((x) => x.add(1)) },
  { name: "gelu 64M bfloat16", bytes: N * 4, prepare: flat((x) => F.gelu(x), torch.bfloat16) },
  { name: "sum 64M float32", bytes: N * 4, prepare: flat((x) => x.sum()) },
  { name: "sum of columns 8192 float32", bytes: ROWS * ROWS * 4, prepare: rows((x) => x.sum(0)) },
  { name: "softmax 8192 float32", bytes: ROWS * ROWS * 8, prepare: rows((x) => x.softmax(-1)) },
  { name: "layerNorm 8192 float32", bytes: ROWS * ROWS * 8, prepare: rows((x) => F.layerNorm(x, [ROWS])) },
  { name: "cumsum 64M float32", bytes: N * 8, prepare: flat((x) => x.cumsum(0)) },
  { name: "sort 64M float32", prepare: flat((x) => x.sort().values) },
  { name: "matmul 4096 float32", flops: 2 * M32 ** 3, prepare: product(M32, torch.float32) },
  { name: "matmul 8192 bfloat16", flops: 2 * M ** 3, prepare: product(M, torch.bfloat16) },
  { name: "conv 64x64x56x56 3x3 float32, both ways", flops: CONV_FLOPS, prepare: conv(torch.float32) },
  { name: "conv 64x64x56x56 3x3 bfloat16, both ways", flops: CONV_FLOPS, prepare: conv(torch.bfloat16) },
  { name: "MLP step, batch 64", prepare: mlp },
  { name: "attention 8x12x1024x64 bfloat16, causal, both ways", flops: attentionFlops(GPT2), prepare: attention(GPT2) },
  {
    name: "attention 2x16x8192x128 bfloat16, causal, both ways",
    flops: attentionFlops(LONG),
    prepare: attention(LONG),
  },
  { name: "transformer layer step float32", prepare: transformer(torch.float32) },
  { name: "transformer layer step bfloat16", prepare: transformer(torch.bfloat16) },
];

/** Seconds of `runs` runs and the wait for them. */
async function time(run: () => Tensor | void, runs: number): Promise<number> {
  // Finalizers run only between macrotasks.
  await new Promise((resolve) => setTimeout(resolve, 0));
  const start = performance.now();
  for (let i = 0; i < runs; i++) run()?.dispose();
  torch.cuda.synchronize();
  return (performance.now() - start) / 1000;
}

/** PyTorch in a process of its own, over lines of JSON; `null` and why where it cannot be had. */
class PyTorch {
  #process: Deno.ChildProcess;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #lines: ReadableStreamDefaultReader<string>;
  #pending = "";

  constructor() {
    const script = new URL("cuda_torch.py", import.meta.url).pathname;
    const args = [script, ...(small ? ["--small"] : [])];
    this.#process = new Deno.Command("python3", { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Asks and waits. */
  async ask(question: Record<string, unknown>): Promise<Record<string, unknown>> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(question) + "\n"));
    while (!this.#pending.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("python3 ended");
      this.#pending += value;
    }
    const end = this.#pending.indexOf("\n"), line = this.#pending.slice(0, end);
    this.#pending = this.#pending.slice(end + 1);
    return JSON.parse(line);
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#process.status;
  }
}

async function startPyTorch(): Promise<{ peer: PyTorch | null; info: string }> {
  try {
    const peer = new PyTorch();
    const { info, error } = await peer.ask({ workload: "info" });
    if (info) return { peer, info: `PyTorch: ${info}` };
    await peer.stop();
    return { peer: null, info: `skipped: PyTorch (${error})` };
  } catch (error) {
    return { peer: null, info: `skipped: PyTorch (${(error as Error).message})` };
  }
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1];
}

function cell(w: Workload, seconds: number): string {
  if (!(seconds > 0)) return "";
  const text = seconds < 1e-3 ? `${(seconds * 1e6).toFixed(2)} µs` : `${(seconds * 1e3).toFixed(2)} ms`;
  if (w.flops) return `${text} · ${(w.flops / seconds / 1e12).toFixed(1)} TFLOP/s`;
  return w.bytes ? `${text} · ${(w.bytes / seconds / 1e9).toFixed(0)} GB/s` : text;
}

/** One row: both sides' medians over the rounds; a failure is a cell, too. */
async function measure(w: Workload, peer: PyTorch | null, seconds: number): Promise<string[]> {
  const ours: number[] = [], theirs: number[] = [];
  let failure = "";
  try {
    const run = w.prepare();
    await time(run, 2); // compiles, fills caches
    let runs = 1;
    while (await time(run, runs) < seconds / 4 && runs < 1 << 20) runs *= 2;
    for (let round = 0; round < 5; round++) {
      ours.push(await time(run, runs) / runs);
      const reply = peer === null ? {} : await peer.ask({ workload: w.name, seconds });
      if (typeof reply.seconds === "number") theirs.push(reply.seconds);
    }
  } catch (error) {
    failure = `failed: ${(error as Error).message.slice(0, 200)}`;
  }
  await torch.collectGarbage();
  torch.cuda.emptyCache();
  const mine = ours.length > 0 ? median(ours) : 0, other = theirs.length > 0 ? median(theirs) : 0;
  const ratio = mine > 0 && other > 0 ? `${(100 * other / mine).toFixed(0)} %` : "";
  return [w.name, failure || cell(w, mine), cell(w, other), ratio];
}

async function main(): Promise<void> {
  const option = (name: string): string | undefined => {
    const at = Deno.args.indexOf(name);
    return at < 0 ? undefined : Deno.args[at + 1];
  };
  const seconds = Number(option("--seconds") ?? (small ? 0.02 : 0.2)), only = new RegExp(option("--only") ?? "");
  const budget = performance.now() + 1000 * Number(option("--budget") ?? 240);
  const { peer, info } = await startPyTorch();
  const lines = [
    `- ${torch.cuda.getDeviceName()}, sm_${torch.cuda.getDeviceCapability().join("")}, Deno ${Deno.version.deno}`,
    `- ${info}`,
    "- medians of 5 alternating rounds; the last column is our speed in percent of PyTorch's",
    ...(small ? ["- SMALL SIZES: these are no measurements"] : []),
    "",
    "| workload | Cresset | PyTorch | speed |",
    "| --- | --- | --- | --- |",
  ];
  console.log(lines.join("\n"));
  for (const w of WORKLOADS.filter((w) => only.test(w.name))) {
    const row = performance.now() > budget
      ? [w.name, "skipped: no time left", "", ""]
      : await measure(w, peer, seconds);
    lines.push(`| ${row.join(" | ")} |`);
    console.log(lines[lines.length - 1]);
  }
  await peer?.stop();
  const file = option("--write");
  if (file !== undefined) await Deno.writeTextFile(file, lines.join("\n") + "\n", { append: true });
}

if (import.meta.main) await main();
