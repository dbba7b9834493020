/**
 * Dropout layers: the functions of the same names, in training mode only.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional.ts";
import { Module } from "./module.ts";
import { python } from "./repr.ts";

/** What dropout layers take. */
export interface DropoutLayerOptions {
  /** The probability that an element (or channel) is dropped. @default {0.5} */
  p?: number;
  /** Whether the result is written into the input. @default {false} */
  inplace?: boolean;
}
const dropoutArgs = signature<DropoutLayerOptions>("Dropout", ["p", "inplace"]);

/** What the dropout layers share. */
export abstract class DropoutBase extends Module {
  /** The probability that an element (or channel) is dropped. */
  readonly p: number;
  /** Whether the result is written into the input. */
  readonly inplace: boolean;

  /** Takes `p, inplace`. */
  constructor(...args: Args<DropoutLayerOptions, ["p", "inplace"]>) {
    super();
    const { p = 0.5, inplace = false } = dropoutArgs(args);
    if (!(p >= 0 && p <= 1)) {
      throw new ArgumentError(`${this._name()}(): p must be between 0 and 1: ${p}`);
    }
    this.p = p;
    this.inplace = inplace;
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `p=${python(this.p)}, inplace=${python(this.inplace)}`;
  }
}

/**
 * Zeroes elements at random and scales the others by `1 / (1 - p)`.
 *
 * @see https://arxiv.org/abs/1207.0580
 */
export class Dropout extends DropoutBase {
  /** The input with elements dropped; the input itself in evaluation mode. */
  override forward(input: Tensor): Tensor {
    return F.dropout(input, this.p, this.training, this.inplace);
  }
}

/** Zeroes channels of `(N, C, L)` or `(C, L)` at random. */
export class Dropout1d extends DropoutBase {
  /** The input with channels dropped; the input itself in evaluation mode. */
  override forward(input: Tensor): Tensor {
    return F.dropout1d(input, this.p, this.training, this.inplace);
  }
}

/** Zeroes channels of `(N, C, H, W)` or `(C, H, W)` at random. */
export class Dropout2d extends DropoutBase {
  /** The input with channels dropped; the input itself in evaluation mode. */
  override forward(input: Tensor): Tensor {
    return F.dropout2d(input, this.p, this.training, this.inplace);
  }
}

/** Zeroes channels of `(N, C, D, H, W)` or `(C, D, H, W)` at random. */
export class Dropout3d extends DropoutBase {
  /** The input with channels dropped; the input itself in evaluation mode. */
  override forward(input: Tensor): Tensor {
    return F.dropout3d(input, this.p, this.training, this.inplace);
  }
}

/**
 * Dropout that keeps mean and variance, for self-normalising networks.
 *
 * @see https://arxiv.org/abs/1706.02515
 */
export class AlphaDropout extends DropoutBase {
  /** The input with elements dropped; the input itself in evaluation mode. */
  override forward(input: Tensor): Tensor {
    return F.alphaDropout(input, this.p, this.training, this.inplace);
  }
}

/** {@linkcode AlphaDropout} of whole channels. */
export class FeatureAlphaDropout extends DropoutBase {
  /** The input with channels dropped; the input itself in evaluation mode. */
  override forward(input: Tensor): Tensor {
    return F.featureAlphaDropout(input, this.p, this.training, this.inplace);
  }
}
