/**
 * Whole training steps as workloads: zero the gradients, forward, backward, Adam.
 *
 * Where the other workloads time one kernel, these time what a user waits for, small models included, in which the cost
 * of a call decides. Before a step is timed its gradient is checked: moving the parameters along it must change the
 * loss by its squared length. The same models, by the same names, are in `torch_contestant.py`.
 *
 * @module
 */

import * as torch from "../mod.ts";
import type { Tensor } from "../mod.ts";
import type { Prepared, Workload } from "./workloads.ts";

const { nn, optim } = torch;
const { functional: F } = nn;

type Model = torch.nn.Module & { forward(x: Tensor): Tensor };

/** Throws unless the loss changes along its gradient as it should, to first order. */
async function checkGradient(model: Model, loss: () => Tensor): Promise<void> {
  model.zeroGrad();
  loss().backward();
  const directions = [...model.parameters()].map((p) => ({ p, grad: p.grad!.detach().clone() }));
  let squares = 0;
  for (const { grad } of directions) squares += await grad.square().sum().item();
  // A step of this length changes the loss by about 0.02, far from the noise of float32 and nearly linear.
  const step = 0.01 / squares;
  const shifted = async (by: number) => {
    using _ = torch.noGrad();
    for (const { p, grad } of directions) p.add_(grad, { alpha: by });
    return await loss().item();
  };
  const ahead = await shifted(step), behind = await shifted(-2 * step);
  await shifted(step);
  const slope = (ahead - behind) / (2 * step);
  model.zeroGrad();
  if (!(Math.abs(slope - squares) <= 0.05 * squares)) {
    throw new Error(`the gradient is wrong: the loss has slope ${slope} along it, expected ${squares}`);
  }
}

/** One row: a model, its input, and classes to tell. */
function training(name: string, make: () => { model: Model; x: Tensor; classes: Tensor }): Workload {
  const prepare = (): Prepared => {
    torch.manualSeed(0);
    const { model, x, classes } = make();
    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
    const lossOf = () => F.crossEntropy(model.call(x) as Tensor, classes);
    return {
      run() {
        optimizer.zeroGrad();
        const y = model.call(x) as Tensor;
        const loss = F.crossEntropy(y, classes);
        loss.backward();
        optimizer.step();
        // The benchmark never awaits, so the collector would not run.
        y.dispose();
        loss.dispose();
      },
      check: () => checkGradient(model, lossOf),
    };
  };
  return { name, prepare };
}

/** Linear layers with ReLU between them. */
function mlp(...sizes: number[]): Model {
  const layers = sizes.slice(1).flatMap((size, i) => [new nn.Linear(sizes[i], size), new nn.ReLU()]);
  return new nn.Sequential(...layers.slice(0, -1));
}

/** 3x3 convolution, batch norm, ReLU. */
function convUnit(inputs: number, outputs: number, stride = 1): Model {
  return new nn.Sequential(
    new nn.Conv2d(inputs, outputs, 3, { stride, padding: 1, bias: false }),
    new nn.BatchNorm2d(outputs),
    new nn.ReLU(),
  );
}

class Residual extends nn.Module {
  constructor(readonly inner: Model) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return x.add(this.inner.call(x) as Tensor);
  }
}

/** Two units around which the input is added. */
function residualUnit(channels: number): Model {
  return new Residual(new nn.Sequential(convUnit(channels, channels), convUnit(channels, channels)));
}

/** Pre-norm transformer layers over embedded bytes. */
class ByteTransformer extends nn.Module {
  embedding = new nn.Embedding(256, 128);
  layers = new nn.Sequential(
    ...[0, 1].map(() => new nn.TransformerEncoderLayer(128, 4, 512, 0, { batchFirst: true, normFirst: true })),
  );
  head = new nn.Linear(128, 256);

  override forward(x: Tensor): Tensor {
    const y = this.layers.call(this.embedding.call(x)) as Tensor;
    return this.head.call(y).reshape(-1, 256);
  }
}

/** The training steps. */
export const TRAINING: readonly Workload[] = [
  training("train MLP 16-32-4, batch 8", () => ({
    model: mlp(16, 32, 4),
    x: torch.randn([8, 16]),
    classes: torch.randint(0, 4, [8]),
  })),
  training("train MLP 784-128-128-10, batch 64", () => ({
    model: mlp(784, 128, 128, 10),
    x: torch.randn([64, 784]),
    classes: torch.randint(0, 10, [64]),
  })),
  training("train convolutions on 8×8, batch 32", () => ({
    model: new nn.Sequential(
      convUnit(1, 32),
      convUnit(32, 64),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      mlp(1024, 128, 10),
    ),
    x: torch.randn([32, 1, 8, 8]),
    classes: torch.randint(0, 10, [32]),
  })),
  training("train residual network on 32×32, batch 16", () => ({
    model: new nn.Sequential(
      convUnit(3, 16),
      residualUnit(16),
      convUnit(16, 32, 2),
      residualUnit(32),
      new nn.AdaptiveAvgPool2d(1),
      new nn.Flatten(),
      new nn.Linear(32, 10),
    ),
    x: torch.randn([16, 3, 32, 32]),
    classes: torch.randint(0, 10, [16]),
  })),
  training("train transformer 2×128, 4×64 tokens", () => ({
    model: new ByteTransformer(),
    x: torch.randint(0, 256, [4, 64]),
    classes: torch.randint(0, 256, [256]),
  })),
];
