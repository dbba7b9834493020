/**
 * Cresset as a contestant of bench/webgpu_peers.ts.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import { CONV, FLAT, labels, MLP, NAMES, numbers, SIDE } from "./inputs.js";

const F = torch.nn.functional;
const device = await torch.openDevice("webgpu");

/** What runs. */
export const info = `Cresset on ${torch.info(device).kernels}`;

function put(values, ...shape) {
  return torch.tensor(values).view(...shape).to(device);
}

function mlp() {
  const layers = [];
  for (let i = 0; i < 3; i++) {
    const [from, to] = MLP.sizes.slice(i, i + 2);
    const layer = new torch.nn.Linear(from, to);
    torch.noGrad(() => {
      layer.weight.copy_(torch.tensor(numbers(from * to, i, from ** -0.5)).view(from, to).t());
      layer.bias.zero_();
    });
    layers.push(layer, ...(i < 2 ? [new torch.nn.ReLU()] : []));
  }
  const model = new torch.nn.Sequential(...layers).to(device);
  const optimizer = new torch.optim.Adam(model.parameters(), { lr: MLP.learningRate });
  const x = put(numbers(MLP.batch * MLP.sizes[0], 9), MLP.batch, MLP.sizes[0]), y = put(labels(), MLP.batch).long();
  return () => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.call(x), y);
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
}

function conv() {
  const { n, c, o, size, kernel } = CONV;
  const x = put(numbers(n * c * size * size, 1), n, c, size, size).requiresGrad_();
  const w = put(numbers(o * c * kernel * kernel, 2), o, c, kernel, kernel).requiresGrad_();
  return () => {
    x.grad = null;
    w.grad = null;
    const y = F.conv2d(x, w, { padding: 1 });
    y.backward(y.detach());
    y.dispose();
    return w.grad;
  };
}

/** Workload by name: prepares the operands and gives what runs once. */
export const workloads = {
  [NAMES[0]]: () => {
    const a = put(numbers(SIDE * SIDE, 1), SIDE, SIDE), b = put(numbers(SIDE * SIDE, 2), SIDE, SIDE);
    return () => a.matmul(b);
  },
  [NAMES[1]]: () => {
    const x = put(numbers(FLAT, 1), FLAT);
    return () => F.gelu(x);
  },
  [NAMES[2]]: mlp,
  [NAMES[3]]: conv,
};

/** Gives a result back. */
export function release(result) {
  result.dispose();
}

/** Waits for a result: its first number. */
export async function first(result) {
  using one = result.flatten().select(0, 0);
  return Number(await one.item());
}
