/**
 * What losses as modules share: a reduction, and for some a weight.
 *
 * @module
 */

import type { Reduction } from "../ops/loss_core.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** What losses with nothing else to choose take. */
export interface LossModuleOptions {
  /** Deprecated: `false` means `"sum"`. */
  sizeAverage?: boolean | null;
  /** Deprecated: `false` means `"none"`. */
  reduce?: boolean | null;
  /** How the elements' losses become the result. @default {"mean"} */
  reduction?: Reduction;
}

/** What losses with a weight take. */
export interface WeightedLossModuleOptions extends LossModuleOptions {
  /** Factor of each element's or class's loss. */
  weight?: Tensor | null;
}

/** The deprecated and the current positional options of a reduction. */
export type Standard = ["sizeAverage", "reduce", "reduction"];

/** The reduction that options ask for, the deprecated ones included. */
export function reductionOf<R extends string>(
  o: Omit<LossModuleOptions, "reduction"> & { reduction?: R },
): R | Reduction {
  if (typeof o.sizeAverage !== "boolean" && typeof o.reduce !== "boolean") return o.reduction ?? "mean";
  if (o.reduce === false) return "none";
  return o.sizeAverage === false ? "sum" : "mean";
}

/** A loss with a reduction. */
export abstract class LossModule extends Module {
  /** How the elements' losses become the result. */
  reduction: Reduction;

  /** Takes the options of the layer. */
  constructor(o: LossModuleOptions) {
    super();
    this.reduction = reductionOf(o);
  }
}

/** A loss with a weight, which is a buffer. */
export abstract class WeightedLossModule extends LossModule {
  /** Factor of each element's or class's loss, or `null`. */
  declare weight: Tensor | null;

  /** Takes the options of the layer. */
  constructor(o: WeightedLossModuleOptions) {
    super(o);
    this.registerBuffer("weight", o.weight ?? null);
  }
}
