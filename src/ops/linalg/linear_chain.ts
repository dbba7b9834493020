/**
 * Linear layers with activations between them as one node of the graph, for devices whose products have epilogues.
 *
 * Forward, each layer is one kernel: product, bias, activation. Backward, the product that gives a hidden layer's gradient
 * also takes the activation's derivative and, where the device can, sums the bias's gradient. A gradient that is itself
 * differentiated is computed by the composed ops instead, from the same saved tensors.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { autocasted, autocasting } from "../../autograd/autocast.ts";
import { record, recording } from "../../autograd/record.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Activated, ACTIVATIONS, DERIVATIVES, type FusedActivation } from "../core/epilogue.ts";
import { runActivated, runActivatedGradient, runLinear, runWeightGradient } from "../core/epilogue.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { linear } from "./linear.ts";
import { product, runProduct } from "./matmul_core.ts";
import { sumTo } from "../core/sum_to.ts";
import { reshapeTo, transposeTo } from "../core/view_core.ts";

/** A layer of a {@linkcode linearChain}. */
export interface ChainLayer {
  /** `[out, in]`. */
  readonly weight: Tensor;
  /** `[out]`. */
  readonly bias: Tensor | null;
  /** What follows the sum. */
  readonly activation: FusedActivation | null;
}

/** Whether the device of a tensor computes a chain in fewer kernels than its layers one by one. */
export function fusesChains(input: Tensor): boolean {
  return input.storage.backend.matmulEpilogue !== undefined;
}

/** Whether a chain may be one node: dense real layers of one dtype that fit, on a device that fuses. */
function fusable(input: Tensor, layers: readonly ChainLayer[]): boolean {
  const { backend } = input.storage;
  if (backend.matmulEpilogue === undefined || input.storage.released) return false;
  if (!input.dtype.isFloatingPoint || input.dtype.isFloat8) return false;
  if (input.ndim < 1 || input.numel() === 0 || !layers.some((l) => l.activation !== null)) return false;
  let size = input.shape[input.ndim - 1];
  for (const { weight, bias } of layers) {
    for (const x of [weight, bias]) {
      if (x !== null && (x.dtype !== input.dtype || x.storage.backend !== backend || x.storage.released)) return false;
    }
    if (weight.ndim !== 2 || weight.shape[1] !== size || weight.numel() === 0) return false;
    size = weight.shape[0];
    if (bias !== null && (bias.ndim !== 1 || bias.shape[0] !== size)) return false;
  }
  return true;
}

function composed(input: Tensor, layers: readonly ChainLayer[]): Tensor {
  let x = input;
  for (const { weight, bias, activation } of layers) {
    x = linear(x, weight, bias);
    if (activation !== null) x = ACTIVATIONS[activation](x);
  }
  return x;
}

/**
 * `fₙ(… f₁(input @ w₁ᵀ + b₁) … @ wₙᵀ + bₙ)`: {@linkcode linear} and activations in turn, with their numbers and errors.
 *
 * @param input `[…, in]`
 */
export function linearChain(input: Tensor, layers: readonly ChainLayer[]): Tensor {
  if (autocasting.active) {
    const tensors = layers.flatMap(({ weight, bias }) => [weight, bias]);
    const again = (x: Tensor, ...cast: (Tensor | null)[]) =>
      linearChain(x, layers.map((l, i) => ({ ...l, weight: cast[2 * i]!, bias: cast[2 * i + 1] })));
    return autocasted("lower", again, input, ...tensors);
  }
  if (!fusable(input, layers)) return composed(input, layers);
  const lead = input.shape.slice(0, -1), k = input.shape[input.ndim - 1];
  const rows = input.ndim === 2 ? input : reshapeTo(input, [lead.reduce((x, y) => x * y, 1), k]);
  const out = chainOf(rows, layers);
  return input.ndim === 2 ? out : reshapeTo(out, [...lead, out.shape[1]]);
}

function chainOf(x: Tensor, layers: readonly ChainLayer[]): Tensor {
  const inputs = [x, ...layers.flatMap(({ weight, bias }) => [weight, bias])];
  const keep = recording(inputs), done: Activated[] = [];
  let current = x;
  layers.forEach(({ weight, bias, activation }) => {
    const from = current;
    if (activation === null) {
      current = emptyLikeDevice("linear", [x.shape[0], weight.shape[0]], x.dtype, x);
      runLinear(from, weight, bias, current);
      done.push({ out: current, at: null, mask: null });
    } else done.push(runActivated(from, weight, bias, activation, keep));
    current = done[done.length - 1].out;
    if (!keep && from !== x) from.dispose();
  });
  if (!keep) return current;
  const activations = layers.map((l) => l.activation);
  const saved: Tensor[] = [];
  // One list of places, for what a layer may lack as for what it has.
  const place = (t: Tensor | null) => t === null ? -1 : saved.push(t) - 1;
  const places = layers.map(({ weight, bias }, l) => ({
    weight: place(weight),
    bias: place(bias),
    out: place(done[l].out),
    at: place(done[l].at === done[l].out ? null : done[l].at),
    mask: place(done[l].mask),
  }));
  const first = place(x);
  return record("LinearChainBackward0", current, inputs, saved, (grad, kept, needs) => {
    const take = (at: number) => at < 0 ? null : kept[at];
    const chain: Chain = {
      x: kept[first],
      layers: places.map((p, l) => ({
        ...{ weight: kept[p.weight], bias: take(p.bias), activation: activations[l] },
        done: { out: kept[p.out], at: take(p.at) ?? kept[p.out], mask: take(p.mask) },
      })),
      needs,
    };
    return recording([grad, ...kept]) ? composedGradients(grad, chain) : gradients(grad, chain);
  });
}

/** What backward has of a chain. */
interface Chain {
  readonly x: Tensor;
  readonly layers: readonly (ChainLayer & { readonly done: Activated })[];
  /** Which gradients are needed: of the input, then of each weight and bias. */
  readonly needs: readonly boolean[];
}

/** The gradients of the input and of every weight and bias, by the device's fused products. */
function gradients(grad: Tensor, { x, layers, needs }: Chain): (Tensor | null)[] {
  const results: (Tensor | null)[] = needs.map(() => null), last = layers.length - 1;
  const top = layers[last];
  const own = top.activation === null
    ? null
    : unrecorded(() => DERIVATIVES[top.activation!]([top.done.at, grad], [], { dtype: grad.dtype }));
  let current = own ?? grad;
  // Nothing below the lowest tensor that wants a gradient is computed.
  const lowest = needs[0] ? -1 : Math.floor((needs.indexOf(true) - 1) / 2);
  for (let l = last; l >= 0 && l >= lowest; l--) {
    const from = l === 0 ? x : layers[l - 1].done.out, weightAt = 1 + 2 * l, biasAt = weightAt + 1;
    if (needs[weightAt]) {
      const made = runWeightGradient(current, from, needs[biasAt] && results[biasAt] === null);
      results[weightAt] = made.weight;
      results[biasAt] ??= made.bias;
    } else if (needs[biasAt] && results[biasAt] === null) results[biasAt] = sumTo(current, [current.shape[1]]);
    if (l - 1 < lowest) break;
    const below = current;
    if (l === 0) {
      current = emptyLikeDevice("linear", x.shape, x.dtype, x);
      runProduct(below, layers[0].weight, current, 1, 0);
      results[0] = current;
    } else if (layers[l - 1].activation === null) {
      current = emptyLikeDevice("linear", from.shape, x.dtype, x);
      runProduct(below, layers[l].weight, current, 1, 0);
    } else {
      const { activation, done } = layers[l - 1];
      const made = runActivatedGradient(below, layers[l].weight, activation!, done, needs[biasAt - 2]);
      current = made.grad;
      results[biasAt - 2] = made.sums;
    }
    if (below !== grad) below.dispose();
  }
  return results;
}

/** The gradients by differentiable ops: the forward pass is computed again, as a function of the saved tensors. */
function composedGradients(grad: Tensor, { x, layers, needs }: Chain): (Tensor | null)[] {
  const results: (Tensor | null)[] = needs.map(() => null), inputs: Tensor[] = [], sums: Tensor[] = [];
  let current = x;
  for (const { weight, bias, activation } of layers) {
    inputs.push(current);
    sums.push(linear(current, weight, bias));
    current = activation === null ? sums[sums.length - 1] : ACTIVATIONS[activation](sums[sums.length - 1]);
  }
  let g = grad;
  for (let l = layers.length - 1; l >= 0; l--) {
    const { weight, activation } = layers[l];
    if (activation !== null) g = DERIVATIVES[activation]([sums[l], g], [], { dtype: g.dtype });
    if (needs[1 + 2 * l]) results[1 + 2 * l] = product("linear", transposeTo(g, 0, 1), inputs[l]);
    if (needs[2 + 2 * l]) results[2 + 2 * l] = sumTo(g, [g.shape[1]]);
    if (l > 0 || needs[0]) g = product("linear", g, weight);
  }
  if (needs[0]) results[0] = g;
  return results;
}
