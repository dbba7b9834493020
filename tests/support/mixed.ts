/**
 * Training in mixed precision on any device: a small convolutional network whose losses must follow the float32 ones.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";

const F = torch.nn.functional;

/** How a training is run. */
export interface MixedOptions {
  /** The dtype of the region; `null` for none. */
  dtype: torch.DType | null;
  /** Whether gradients are scaled. */
  scaler?: torch.amp.GradScaler;
  /** Steps. */
  steps?: number;
}

class Net extends torch.nn.Module {
  conv = new torch.nn.Conv2d(1, 4, 3, { padding: 1 });
  norm = new torch.nn.BatchNorm2d(4);
  hidden = new torch.nn.Linear(64, 32);
  layerNorm = new torch.nn.LayerNorm(32);
  head = new torch.nn.Linear(32, 5);

  override forward(x: torch.Tensor): torch.Tensor {
    const y = F.maxPool2d(F.relu(this.norm.call(this.conv.call(x)) as torch.Tensor), 2);
    const h = F.gelu(this.layerNorm.call(this.hidden.call(y.flatten(1))) as torch.Tensor);
    return this.head.call(h) as torch.Tensor;
  }
}

/** Losses of a training with a fixed seed; checks the dtypes on the way. */
export async function trainMixed(
  device: torch.DeviceType,
  { dtype, scaler, steps = 12 }: MixedOptions,
): Promise<number[]> {
  torch.manualSeed(1);
  const model = new Net();
  const x = torch.randn(16, 1, 8, 8), y = torch.randint(0, 5, [16]);
  model.to(device);
  const [input, target] = [x.to(device), y.to(device)];
  const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 0.01 });
  const losses: torch.Tensor[] = [];
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    const forward = () => {
      const out = model.call(input) as torch.Tensor;
      assertEquals(out.dtype, dtype ?? torch.float32);
      return F.crossEntropy(out, target);
    };
    const loss = dtype === null ? forward() : torch.autocast(device, { dtype }, forward);
    assertEquals(loss.dtype, torch.float32);
    (scaler ? scaler.scale(loss) : loss).backward();
    for (const p of model.parameters()) assertEquals(p.grad!.dtype, torch.float32);
    if (scaler) {
      scaler.step(optimizer);
      scaler.update();
    } else optimizer.step();
    losses.push(loss.detach());
  }
  return Array.from(await torch.stack(losses).read() as Float32Array);
}

/** Asserts that mixed precision learns as float32 does on a device, with bfloat16 and with float16 and a `GradScaler`. */
export async function assertMixedFollows(device: torch.DeviceType, steps = 12): Promise<void> {
  const exact = await trainMixed(device, { dtype: null, steps });
  assert(exact.at(-1)! < exact[0] / 2, `float32 does not learn: ${exact}`);
  const follows = (what: string, losses: number[], tolerance: number) => {
    losses.forEach((loss, i) => {
      assert(Math.abs(loss - exact[i]) <= tolerance * exact[0], `${what}, step ${i}: ${loss}, in float32 ${exact[i]}`);
    });
  };
  follows("bfloat16", await trainMixed(device, { dtype: torch.bfloat16, steps }), 0.03);
  const scaler = new torch.amp.GradScaler(device, { initScale: 1024, growthInterval: 4 });
  follows("float16", await trainMixed(device, { dtype: torch.float16, scaler, steps }), 0.01);
  assertEquals(await scaler.getScale(), 1024 * 2 ** Math.floor(steps / 4));
  // A scale that overflows float16 at once: steps are left out until it fits, and then the losses go on as before.
  const large = new torch.amp.GradScaler(device, { initScale: 2 ** 24 });
  const late = await trainMixed(device, { dtype: torch.float16, scaler: large, steps: steps + 8 });
  const skipped = late.findIndex((loss) => loss < late[0] * 0.9) - exact.findIndex((loss) => loss < exact[0] * 0.9);
  assert(skipped > 0, `no step was left out: ${late}`);
  assert(await large.getScale() < 2 ** 24);
  follows("float16 after skipped steps", late.slice(skipped, skipped + steps), 0.05);
}

/** Asserts that training in float16 with a `GradScaler` leaves no memory behind, scope by scope. */
export function assertMixedFlat(device: torch.DeviceType, steps = 20): void {
  const model = new torch.nn.Sequential(
    new torch.nn.Linear(16, 32),
    new torch.nn.ReLU(),
    new torch.nn.LayerNorm(32),
    new torch.nn.Linear(32, 4),
  );
  model.to(device);
  const x = torch.randn(8, 16, { device }), y = torch.randn(8, 4, { device });
  const optimizer = new torch.optim.AdamW(model.parameters(), { lr: 1e-3 });
  const scaler = new torch.amp.GradScaler(device, { initScale: 2 ** 20, growthInterval: 3 });
  const step = () =>
    torch.scope(() => {
      optimizer.zeroGrad();
      const forward = () => F.mseLoss(model.call(x) as torch.Tensor, y);
      scaler.scale(torch.autocast(device, { dtype: torch.float16 }, forward)).backward();
      scaler.step(optimizer);
      scaler.update();
    });
  // The first steps make states, and on the CPU may be left out.
  for (let i = 0; i < 12; i++) step();
  const { liveBlocks, allocatedBytes } = torch.memoryStats(device);
  for (let i = 0; i < steps; i++) step();
  const now = torch.memoryStats(device);
  assertEquals([now.liveBlocks, now.allocatedBytes], [liveBlocks, allocatedBytes]);
}
