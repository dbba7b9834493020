/**
 * Fusion of `Linear` layers and activations that follow each other in a chain of modules: they are computed as one op
 * where the device has matrix products with activation epilogues, unless a hook, a subclass or an own `forward` could
 * see the difference.
 *
 * @module
 */

import type { FusedActivation } from "../../ops/core/epilogue.ts";
import { type ChainLayer, fusesChains, linearChain } from "../../ops/linalg/linear_chain.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { GELU, ReLU } from "./activation.ts";
import { Dropout } from "./dropout.ts";
import * as F from "../functional.ts";
import { Linear } from "./linear.ts";
import { CALLS_ONLY_FORWARD, type Module } from "../module/module.ts";

/** Whether a module is an instance of exactly this class, without hooks or an own `forward`. */
function plainly(module: Module | undefined, type: unknown): module is Module {
  return module !== undefined && module.constructor === type && module[CALLS_ONLY_FORWARD]();
}

function activationOf(module: Module | undefined): FusedActivation | null {
  if (plainly(module, ReLU)) return "relu";
  if (!plainly(module, GELU)) return null;
  return (module as GELU).approximate === "tanh" ? "geluTanh" : "gelu";
}

/** Whether a module returns its input unchanged: an identity, or dropout in evaluation mode. */
function idle(module: Module | undefined): boolean {
  return plainly(module, Dropout) && (!module.training || (module as Dropout).p === 0);
}

/**
 * Computes as many of `modules` from `start` on as one op can, and returns the result and their number; `null` where
 * one op can compute fewer than two.
 *
 * @param value the input of the module at `start`
 */
export function chained(modules: readonly Module[], start: number, value: unknown): readonly [Tensor, number] | null {
  if (!(value instanceof Tensor) || !fusesChains(value)) return null;
  const layers: ChainLayer[] = [];
  let at = start, activated = false;
  while (at < modules.length && plainly(modules[at], Linear)) {
    const { weight, bias } = modules[at] as Linear;
    const activation = activationOf(modules[at + 1]);
    layers.push({ weight, bias, activation });
    activated ||= activation !== null;
    at += activation === null ? 1 : 2;
    while (idle(modules[at])) at++;
  }
  return activated ? [linearChain(value, layers), at - start] : null;
}

/** The activations that transformer layers accept by name. */
export const NAMED_ACTIVATIONS: Readonly<Record<"relu" | "gelu", (x: Tensor) => Tensor>> = {
  relu: (x) => F.relu(x),
  gelu: (x) => F.gelu(x),
};

/** `second(dropout(activation(first(x))))`: the feed-forward part of a transformer layer. */
export function feedForward(
  x: Tensor,
  first: Linear,
  activation: (x: Tensor) => Tensor,
  dropout: Module,
  second: Linear,
): Tensor {
  const name = (["relu", "gelu"] as const).find((n) => NAMED_ACTIVATIONS[n] === activation);
  const drop = (hidden: Tensor) => (dropout as Dropout).call(hidden);
  if (name === undefined || !fusesChains(x) || !plainly(first, Linear)) {
    return second.call(drop(activation(first.call(x))));
  }
  const layer: ChainLayer = { weight: first.weight, bias: first.bias, activation: name };
  if (!idle(dropout) || !plainly(second, Linear)) return second.call(drop(linearChain(x, [layer])));
  return linearChain(x, [layer, { weight: second.weight, bias: second.bias, activation: null }]);
}
