/**
 * Replays PyTorch's `GradScaler` traces (`tests/golden/amp.json`) on any device.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";

/** One optimizer's trace: parameters, scale and tracker after each step. */
interface Trace {
  name: string;
  optimizer: "SGD";
  kwargs: Record<string, unknown>;
  rows: [number[], number[][], number, number][];
}

interface Golden {
  coefficients: string[];
  options: Record<string, number>;
  traces: Trace[];
}

const golden = JSON.parse(Deno.readTextFileSync(new URL("../golden/amp.json", import.meta.url))).scaler as Golden;

const camel = (name: string) => name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());
const camelKeys = (o: Record<string, unknown>) => Object.fromEntries(Object.entries(o).map(([k, v]) => [camel(k), v]));

function close(actual: readonly number[], expected: readonly number[], what: string): void {
  actual.forEach((v, i) => {
    assert(
      Math.abs(v - expected[i]) <= 2e-5 * Math.max(1, Math.abs(expected[i])),
      `${what}: ${actual}, PyTorch ${expected}`,
    );
  });
}

/**
 * Asserts that every optimizer goes PyTorch's way through gradients that are infinite, NaN and good.
 *
 * @param unscale whether `unscale_` is called explicitly
 * @param only names of optimizers; default: all
 */
export async function assertScalerTraces(device: string, unscale: boolean, only?: readonly string[]): Promise<void> {
  for (const { name, optimizer: cls, kwargs, rows } of golden.traces) {
    if (only && !only.includes(name)) continue;
    const p = torch.tensor([1, 2, 3]).to(device).requiresGrad_();
    const q = torch.tensor([[0.5, -0.5]]).to(device).requiresGrad_();
    const optimizer = new torch.optim[cls]([p, q], camelKeys(kwargs));
    const scaler = new torch.amp.GradScaler(device, camelKeys(golden.options));
    for (let step = 0; step < rows.length; step++) {
      const c = golden.coefficients[step];
      const factors = torch.tensor([1, c === "nan" ? NaN : Number(c.replace("inf", "Infinity")), 2]).to(device);
      optimizer.zeroGrad();
      scaler.scale(p.mul(factors).sum().add(q.mul(q).sum())).backward();
      if (unscale) scaler.unscale_(optimizer);
      scaler.step(optimizer);
      scaler.update();
      const [wantP, wantQ, scale, tracker] = rows[step];
      const what = `${name} on ${device}, step ${step} (coefficient ${c})`;
      const state = await scaler.stateDict();
      assertEquals([state.scale, state._growth_tracker], [scale, tracker], what);
      close(await (await p.detach().cpu()).tolist(), wantP, what);
      close((await (await q.detach().cpu()).tolist<number[][]>()).flat(), wantQ.flat(), what);
    }
  }
}
