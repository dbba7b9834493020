/**
 * One training step of a ResNet-20 on CIFAR-sized input, and the memory it took; prints one JSON line.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import { BasicBlock } from "../models/models.ts";

const { nn } = torch;
const F = nn.functional;

const BATCH = 16;
const SIZE = 32;
const WIDTHS = [16, 32, 64];
const BLOCKS = 3;

/** He et al. 2015, for CIFAR: three stages of three basic blocks. */
class ResNet20 extends nn.Module {
  conv1 = new nn.Conv2d(3, WIDTHS[0], 3, { padding: 1, bias: false });
  bn1 = new nn.BatchNorm2d(WIDTHS[0]);
  layers = new nn.Sequential(...WIDTHS.flatMap((width, stage) =>
    Array.from({ length: BLOCKS }, (_, k) => {
      const first = k === 0 && stage > 0;
      return new BasicBlock(first ? WIDTHS[stage - 1] : width, width, first ? 2 : 1);
    })
  ));
  fc = new nn.Linear(WIDTHS[2], 10);

  forward(x: torch.Tensor): torch.Tensor {
    x = F.relu(this.bn1.call(this.conv1.call(x)));
    x = this.layers.call(x) as torch.Tensor;
    return this.fc.call(F.adaptiveAvgPool2d(x, 1).flatten(1));
  }
}

/**
 * Bytes of the activations that backward needs: a convolution needs its input, a batch norm its input, a ReLU its output,
 * which the next convolution shares.
 */
function savedActivations(): number {
  let bytes = BATCH * 3 * SIZE * SIZE * 4; // the batch, conv1's input
  for (const [stage, width] of WIDTHS.entries()) {
    const map = BATCH * width * (SIZE / 2 ** stage) ** 2 * 4;
    if (stage === 0) bytes += 2 * map; // conv1's output and the ReLU's
    bytes += BLOCKS * 4 * map; // conv1, ReLU, conv2 and the block's own ReLU
    if (stage > 0) bytes += map; // the shortcut's convolution
  }
  return bytes;
}

torch.manualSeed(0);
const net = new ResNet20();
const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.1, momentum: 0.9 });

/** One step on a fresh batch: bytes in use before, at most, and after it. */
function step(): { before: number; peak: number } {
  optimizer.zeroGrad();
  const before = torch.memoryStats().allocatedBytes;
  torch.resetPeakMemoryStats();
  torch.scope(() => {
    const x = torch.randn([BATCH, 3, SIZE, SIZE]);
    const y = torch.zeros([BATCH], { dtype: torch.int64 });
    F.crossEntropy(net.call(x), y).backward();
  });
  const peak = torch.memoryStats().peakAllocatedBytes;
  optimizer.step();
  return { before, peak };
}

step(); // Momentum and compiled programs exist from here on.
const { before, peak } = step();
console.log(JSON.stringify({ before, peak, saved: savedActivations() }));
