/**
 * A training step of a GPT-2-like network waits for nothing: it reads no value and is submitted in few, full batches.
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { webGpuBackend } from "../../src/backend/webgpu/mod.ts";
import { gpuTest } from "./support.ts";

const { nn, optim } = torch;
const { functional: F } = nn;

/** Sizes of GPT-2, made small. */
const VOCABULARY = 96, CONTEXT = 32, WIDTH = 48, HEADS = 3, LAYERS = 3, BATCH = 4;

class Attention extends nn.Module {
  c_attn = new nn.Linear(WIDTH, 3 * WIDTH);
  c_proj = new nn.Linear(WIDTH, WIDTH);

  override forward(x: torch.Tensor): torch.Tensor {
    const [B, T, C] = x.shape;
    const heads = (t: torch.Tensor) => t.view(B, T, HEADS, C / HEADS).transpose(1, 2); // (B, heads, T, headDim)
    const [q, k, v] = this.c_attn.call(x).split(WIDTH, 2).map(heads);
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true, dropoutP: this.training ? 0.1 : 0 });
    return this.c_proj.call(y.transpose(1, 2).contiguous().view(B, T, C));
  }
}

class Layer extends nn.Module {
  ln_1 = new nn.LayerNorm(WIDTH);
  attn = new Attention();
  ln_2 = new nn.LayerNorm(WIDTH);
  mlp = new nn.Sequential(
    new nn.Linear(WIDTH, 4 * WIDTH),
    new nn.GELU("tanh"),
    new nn.Linear(4 * WIDTH, WIDTH),
    new nn.Dropout(0.1),
  );

  override forward(x: torch.Tensor): torch.Tensor {
    x = x.add(this.attn.call(this.ln_1.call(x)));
    return x.add(this.mlp.call(this.ln_2.call(x)));
  }
}

class Gpt extends nn.Module {
  wte = new nn.Embedding(VOCABULARY, WIDTH);
  wpe = new nn.Embedding(CONTEXT, WIDTH);
  h = new nn.ModuleList(Array.from({ length: LAYERS }, () => new Layer()));
  ln_f = new nn.LayerNorm(WIDTH);

  override forward(tokens: torch.Tensor, targets: torch.Tensor): torch.Tensor {
    const positions = torch.arange(tokens.shape[1], { device: tokens.device });
    let x = this.wte.call(tokens).add(this.wpe.call(positions)); // (B, T, C)
    for (const layer of this.h) x = (layer as Layer).call(x);
    const logits = F.linear(this.ln_f.call(x), this.wte.weight); // (B, T, vocabulary)
    return F.crossEntropy(logits.view(-1, VOCABULARY), targets.reshape(-1));
  }
}

/** A model with its optimizer and one step on given tokens. */
function training(device: string): (tokens: torch.Tensor) => torch.Tensor {
  torch.manualSeed(1);
  const model = new Gpt().to(device);
  const optimizer = new optim.AdamW(model.parameters(), { lr: 3e-3, weightDecay: 0.1 });
  const scheduler = new optim.lrScheduler.CosineAnnealingLR(optimizer, 100);
  return (tokens) => {
    const loss = model.call(tokens.narrow(1, 0, CONTEXT), tokens.narrow(1, 1, CONTEXT));
    optimizer.zeroGrad();
    loss.backward();
    nn.utils.clipGradNorm_(model.parameters(), 1);
    optimizer.step();
    scheduler.step();
    return loss.detach();
  };
}

function tokensOf(device: string): torch.Tensor {
  torch.manualSeed(2);
  return torch.randint(0, VOCABULARY, [BATCH, CONTEXT + 1]).to(device);
}

gpuTest("a GPT-2-like training step reads nothing and submits only full batches", async () => {
  const { gpu } = webGpuBackend(torch.device("webgpu"));
  const step = training("webgpu"), tokens = tokensOf("webgpu");
  for (let i = 0; i < 2; i++) step(tokens);
  await tokens.sum().item();
  const counts = { reads: 0, submits: 0, dispatches: 0 };
  const read = gpu.read.bind(gpu), run = gpu.run.bind(gpu), { queue } = gpu.device, submit = queue.submit.bind(queue);
  gpu.read = (...args) => (counts.reads++, read(...args));
  gpu.run = (...args) => (counts.dispatches++, run(...args));
  queue.submit = (buffers) => (counts.submits++, submit(buffers));
  try {
    step(tokens);
    step(tokens);
  } finally {
    Object.assign(gpu, { read, run });
    queue.submit = submit;
  }
  console.log(`${counts.dispatches / 2} dispatches and ${counts.submits / 2} submissions a step`);
  assertEquals(counts.reads, 0);
  // What is queued before the first step's end is at most one batch more.
  assert(counts.submits <= Math.ceil(counts.dispatches / 256), JSON.stringify(counts));
});

gpuTest("its losses are the CPU's", async () => {
  const losses: number[][] = [];
  for (const device of ["cpu", "webgpu"]) {
    const step = training(device), tokens = tokensOf(device);
    losses.push(await Promise.all(Array.from({ length: 8 }, () => step(tokens).item())));
  }
  const [expected, actual] = losses;
  actual.forEach((loss, i) => assert(Math.abs(loss - expected[i]) < 2e-3, `step ${i}: ${loss}, not ${expected[i]}`));
  assert(actual[7] < actual[0], `the loss does not fall: ${actual}`);
});
