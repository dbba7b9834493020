/**
 * The common part of losses as modules: the reduction, with PyTorch's deprecated options.
 *
 * @module
 */

import type { Params } from "../../base/call.ts";
import { ArgumentError, describe } from "../../base/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Layer, layer, type LayerSpec, type Writable } from "../module/layer.ts";

/** The arguments of a call of most losses. */
export type LossInputs = [input: Tensor, target: Tensor];

/** The options of a loss's reduction: `reduction`, and PyTorch's deprecated ones. */
interface Reduced {
  reduction: string;
  sizeAverage?: boolean | null;
  reduce?: boolean | null;
}

/** Sets `reduction` by the deprecated options, where they are given. */
function reduceAs(o: Reduced): void {
  if (typeof o.sizeAverage !== "boolean" && typeof o.reduce !== "boolean") return;
  o.reduction = o.reduce === false ? "none" : o.sizeAverage === false ? "sum" : "mean";
}

/** Defines the class of a loss: a {@linkcode layer} with a reduction, whose `weight`, if any, is a buffer. */
export function loss<C extends Params, A extends readonly unknown[] = LossInputs>(
  spec: Omit<LayerSpec<C, A>, "repr">,
): Layer<C, A> {
  return layer<C, A>({
    ...spec,
    init: (o) => {
      reduceAs(o as unknown as Reduced);
      spec.init?.(o);
    },
  });
}

/** Throws unless a margin is positive. */
export function checkMargin(name: string, { margin }: Writable<{ margin: number }>): void {
  if (!(margin > 0)) {
    throw new ArgumentError(`${name}(): expected margin to be greater than 0, got ${describe(margin)}`);
  }
}
