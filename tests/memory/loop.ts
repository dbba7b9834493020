/**
 * The program whose memory the tests watch: a training loop without a single annotation, in a process of its own so that
 * its RSS is its own. Prints one JSON line: samples of bytes in use and RSS taken at every `await`.
 *
 * `deno run -A loop.ts STEPS AWAIT_EVERY` (0: never).
 *
 * @module
 */

import * as torch from "../../mod.ts";

const { nn } = torch;

/** A convolution, a normalisation and a linear layer: each family of saved tensor appears. */
class Net extends nn.Module {
  conv = new nn.Conv2d(1, 4, 3, { padding: 1 });
  norm = new nn.BatchNorm2d(4);
  fc = new nn.Linear(4 * 4 * 4, 10);

  forward(x: torch.Tensor): torch.Tensor {
    x = nn.functional.relu(this.norm.call(this.conv.call(x)));
    x = nn.functional.maxPool2d(x, 2);
    return this.fc.call(x.flatten(1));
  }
}

/** What one `await` saw. */
export interface Sample {
  step: number;
  allocatedBytes: number;
  liveBlocks: number;
  rss: number;
}

const [steps, awaitEvery] = Deno.args.map(Number);
torch.manualSeed(0);
const net = new Net();
const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.01, momentum: 0.9 });
const x = torch.randn([4, 1, 8, 8]);
const y = torch.tensor([0n, 1n, 2n, 3n]);
const samples: Sample[] = [];

/** Records what is in use now. */
function sample(step: number): void {
  const { allocatedBytes, liveBlocks } = torch.memoryStats();
  samples.push({ step, allocatedBytes, liveBlocks, rss: Deno.memoryUsage().rss });
}

let loss: torch.Tensor | undefined;
for (let step = 0; step < steps; step++) {
  optimizer.zeroGrad();
  loss = nn.functional.crossEntropy(net.call(x), y);
  loss.backward();
  optimizer.step();
  if (step === 10) sample(step); // Everything that stays (momentum, compiled programs) exists by now.
  if (awaitEvery > 0 && step % awaitEvery === awaitEvery - 1) {
    await loss.item();
    sample(step);
  }
}
sample(steps - 1);
console.log(JSON.stringify({ kernels: torch.info().kernels, loss: await loss!.item(), samples }));
