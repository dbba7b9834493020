/**
 * Trains while its parent sends signals: counts them in listeners, and saves a checkpoint when SIGUSR2 asks it to stop.
 *
 * Prints "ready" once it trains, and at the end "saved", whether all results were finite, and the counts. The argument is
 * the checkpoint's path.
 *
 * @module
 */

import * as torch from "../../mod.ts";

const { nn, optim } = torch;
const F = nn.functional;

const path = Deno.args[0];
const counts = { SIGTERM: 0, SIGINT: 0, SIGUSR1: 0 };
for (const name of Object.keys(counts) as (keyof typeof counts)[]) {
  Deno.addSignalListener(name, () => counts[name]++);
}
let stopping = false;
Deno.addSignalListener("SIGUSR2", () => stopping = true);

torch.manualSeed(0);
const model = new nn.Sequential(
  new nn.Conv2d(4, 16, 3, { padding: 1 }),
  new nn.ReLU(),
  new nn.Flatten(),
  new nn.Linear(16 * 16 * 16, 192),
  new nn.ReLU(),
  new nn.Linear(192, 64),
);
const optimizer = new optim.SGD(model.parameters(), { lr: 1e-3 });
const x = torch.randn([64, 4, 16, 16]), y = torch.randn([64, 64]);
const a = torch.randn([256, 256]);
let finite = true;
for (let step = 0; !stopping; step++) {
  optimizer.zeroGrad();
  const loss = F.mseLoss(model.call(x), y);
  loss.backward();
  optimizer.step();
  using product = a.matmul(a);
  finite &&= Number.isFinite(await product.sum().item());
  if (step === 3) console.log("ready");
  // Listeners run between macrotasks.
  await new Promise((resolve) => setTimeout(resolve, 0));
}
await torch.io.safetensors.saveFile(model.stateDict(), path);
console.log(`saved ${finite ? "finite" : "broken"} ${JSON.stringify(counts)}`);
