/**
 * What losses as modules share: a reduction, an input and a target.
 *
 * @module
 */

import type { Params } from "../base/call.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Layer, layer, type LayerSpec, type Writable } from "./layer.ts";

/** What most losses are called with. */
export type LossInputs = [input: Tensor, target: Tensor];

/** How a loss is reduced, in the words of today and of PyTorch's past. */
interface Reduced {
  reduction: string;
  sizeAverage?: boolean | null;
  reduce?: boolean | null;
}

/** Brings the deprecated options into `reduction`. */
function reduceAs(o: Reduced): void {
  if (typeof o.sizeAverage !== "boolean" && typeof o.reduce !== "boolean") return;
  o.reduction = o.reduce === false ? "none" : o.sizeAverage === false ? "sum" : "mean";
}

/** Makes the class of a loss: a {@linkcode layer} with a reduction, whose `weight`, if any, is a buffer. */
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
