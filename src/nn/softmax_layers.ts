/**
 * Softmax and its relatives as layers.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ShapeError, show } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional.ts";
import { Module } from "./module.ts";
import { python } from "./repr.ts";

/** What softmax layers take. */
export interface SoftmaxOptions {
  /** The dimension that sums to 1; chosen by PyTorch's old rule if missing. */
  dim?: number | null;
}
const softmaxArgs = signature<SoftmaxOptions>("Softmax", ["dim"]);

/** `e^x / Σ e^x` along a dimension. */
export class Softmax extends Module {
  /** The dimension that sums to 1. */
  readonly dim: number | null;

  /** Takes `dim`. */
  constructor(...args: Args<SoftmaxOptions, ["dim"]>) {
    super();
    this.dim = softmaxArgs(args).dim ?? null;
  }

  /** The probabilities. */
  override forward(input: Tensor): Tensor {
    return F.softmax(input, this.dim);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `dim=${python(this.dim)}`;
  }
}

/** The logarithm of softmax along a dimension. */
export class LogSoftmax extends Module {
  /** The dimension that sums to 1. */
  readonly dim: number | null;

  /** Takes `dim`. */
  constructor(...args: Args<SoftmaxOptions, ["dim"]>) {
    super();
    this.dim = softmaxArgs(args).dim ?? null;
  }

  /** The logarithms of the probabilities. */
  override forward(input: Tensor): Tensor {
    return F.logSoftmax(input, this.dim);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `dim=${python(this.dim)}`;
  }
}

/** Softmax of `-x` along a dimension. */
export class Softmin extends Module {
  /** The dimension that sums to 1. */
  readonly dim: number | null;

  /** Takes `dim`. */
  constructor(...args: Args<SoftmaxOptions, ["dim"]>) {
    super();
    this.dim = softmaxArgs(args).dim ?? null;
  }

  /** The probabilities. */
  override forward(input: Tensor): Tensor {
    return F.softmin(input, this.dim);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `dim=${python(this.dim)}`;
  }
}

/** Softmax over the channels of `(N, C, H, W)` or `(C, H, W)`. */
export class Softmax2d extends Module {
  /** The probabilities. */
  override forward(input: Tensor): Tensor {
    if (input.ndim !== 3 && input.ndim !== 4) {
      throw new ShapeError(`Softmax2d(): expected 3 or 4 dimensions: ${show(input.shape)}`);
    }
    return F.softmax(input, -3);
  }
}
