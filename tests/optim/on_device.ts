/**
 * Optimizers whose numbers lie on a device go the way of those of the host: what `tests/optim` and `tests/cuda` share.
 *
 * @module
 */

import { assert } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import type { ParamsInput } from "../../src/optim/param_group.ts";

/** The options that make the difference. */
export interface Variant {
  /** A tensor, for rates that lie on the device. */
  lr?: number | Tensor;
  /** Step counts on the device. */
  capturable?: boolean;
}

/** How to make each optimizer; `lr` is 0.1. */
export const OPTIMIZERS: Readonly<Record<string, (params: ParamsInput, v: Variant) => Optimizer>> = {
  SGD: (params, v) => new torch.optim.SGD(params, { lr: 0.1, weightDecay: 0.01, ...v }),
  momentum: (params, v) => new torch.optim.SGD(params, { lr: 0.1, momentum: 0.9, dampening: 0.3, ...v }),
  Adam: (params, v) => new torch.optim.Adam(params, { lr: 0.1, amsgrad: true, weightDecay: 0.01, ...v }),
  AdamW: (params, v) => new torch.optim.AdamW(params, { lr: 0.1, ...v }),
  Adamax: (params, v) => new torch.optim.Adamax(params, { lr: 0.1, ...v }),
  NAdam: (params, v) => new torch.optim.NAdam(params, { lr: 0.1, decoupledWeightDecay: true, weightDecay: 0.1, ...v }),
  RAdam: (params, v) => new torch.optim.RAdam(params, { lr: 0.1, ...v }),
  RMSprop: (params, v) => new torch.optim.RMSprop(params, { lr: 0.1, momentum: 0.5, centered: true, ...v }),
  Adagrad: (params, v) => new torch.optim.Adagrad(params, { lr: 0.1, lrDecay: 0.1, ...v }),
  Adadelta: (params, v) => new torch.optim.Adadelta(params, { lr: 0.1, ...v }),
  Rprop: (params, v) => new torch.optim.Rprop(params, { lr: 0.1, ...v }),
  ASGD: (params, v) => new torch.optim.ASGD(params, { lr: 0.1, t0: 3, lambd: 0.01, ...v }),
};

/** Parameters of many shapes: none of a vector's length, one of several chunks, scalars, channels last, a view. */
export function parameters(device: string): Tensor[] {
  torch.manualSeed(11);
  const shapes = [[3, 5], [4096 + 17], [1], [], [2, 3, 4, 4], [7], [64, 64], [5]];
  const made = shapes.map((shape) => torch.randn(shape));
  made[4] = made[4].contiguous({ memoryFormat: "channels_last" });
  const view = torch.randn(12).to(device).narrow(0, 1, 10);
  return [...made.map((x) => x.to(device)), view].map((x) => x.requiresGrad_());
}

/** Gives parameters gradients: some none in some steps. */
export function setGradients(params: readonly Tensor[], step: number): void {
  params.forEach((p, i) => p.grad = i === 5 && step < 2 ? null : p.detach().mul(2).add(0.1 * (step + 1)).sin());
}

/** The values of tensors, in order. */
export async function valuesOf(tensors: readonly Tensor[]): Promise<number[]> {
  const all: number[] = [];
  for (const x of tensors) all.push(...await (await x.detach().cpu()).double().flatten().tolist() as number[]);
  return all;
}

/** Throws unless all numbers agree. */
export function assertNear(
  actual: readonly number[],
  expected: readonly number[],
  tolerance: number,
  what: string,
): void {
  assert(actual.length === expected.length, what);
  actual.forEach((v, i) => {
    const error = Math.abs(v - expected[i]);
    assert(error <= tolerance * (1 + Math.abs(expected[i])), `${what}: element ${i}: ${v} != ${expected[i]}`);
  });
}

/** Five steps with numbers of the host; the values after each. */
export async function pathOf(name: string, device: string, variant: Variant = {}): Promise<number[][]> {
  const params = parameters(device), optimizer = OPTIMIZERS[name](params, variant);
  const path: number[][] = [];
  for (let step = 0; step < 7; step++) {
    setGradients(params, step);
    optimizer.step();
    path.push(await valuesOf(params));
  }
  return path;
}
