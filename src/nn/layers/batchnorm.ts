/**
 * Batch and instance normalisation, with running statistics as buffers.
 *
 * @module
 */

import { type Args, call } from "../../base/call.ts";
import { int64 } from "../../base/dtype.ts";
import { ArgumentError, ShapeError, show } from "../../base/errors.ts";
import { withGrad } from "../../autograd/mode.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import {
  type Both,
  checkSizes,
  FactoryArgs,
  type Given,
  onesBuffer,
  onesParameter,
  type Where,
  zerosBuffer,
  zerosParameter,
} from "../module/factory.ts";
import * as F from "../functional.ts";
import { ones_, zeros_ } from "../init.ts";
import { Module } from "../module/module.ts";
import { python } from "../module/repr.ts";

/** The parameters of batch normalisation. */
export class BatchNormLayerArgs extends FactoryArgs {
  /** Whether the bias is learned. */
  bias = true;
  constructor(
    /** The number of channels C. */
    public numFeatures: number,
    /** The number ε that is added to the variance. */
    public eps = 1e-5,
    /** The weight of the latest batch in the running statistics; `null`: they are the mean of all batches. */
    public momentum: number | null = 0.1,
    /** Whether a weight (factor) and a bias (shift) per channel are learned. */
    public affine = true,
    /** Whether running mean and variance are tracked. */
    public trackRunningStats = true,
  ) {
    super();
  }
}

/** The parameters of instance normalisation. */
export class InstanceNormLayerArgs extends FactoryArgs {
  /** Whether the bias is learned. */
  bias = true;
  constructor(
    /** The number of channels C. */
    public numFeatures: number,
    /** The number ε that is added to the variance. */
    public eps = 1e-5,
    /** The weight of the latest batch in the running statistics; `null`: they are the mean of all batches. */
    public momentum: number | null = 0.1,
    /** Whether a weight (factor) and a bias (shift) per channel are learned. */
    public affine = false,
    /** Whether running mean and variance are tracked. */
    public trackRunningStats = false,
  ) {
    super();
  }
}

/** The option `affine` given by the arguments `A` of a layer whose default is `D`. */
export type Affine<A extends readonly unknown[], D> = Given<A, "affine", "3", D>;

/** The types of a layer's tensors, by its arguments `A` and the default `D` of `affine` and `trackRunningStats`. */
export interface NormTensors<A extends readonly unknown[], D extends boolean> {
  /** The type of the weight. */
  weight: Where<Affine<A, D>>;
  /** The type of the bias. */
  bias: Where<Both<Affine<A, D>, Given<A, "bias", "by name", true>>>;
  /** The type of the running statistics. */
  running: Where<Given<A, "trackRunningStats", "4", D>, Tensor>;
}

/** The base of batch and instance normalisation: parameters and running statistics. */
export abstract class NormBase<A extends readonly unknown[], D extends boolean> extends Module {
  /** The number of channels C. */
  readonly numFeatures: number;
  /** The number ε that is added to the variance. */
  readonly eps: number;
  /** The weight of the latest batch in the running statistics; `null`: they are the mean of all batches. */
  momentum: number | null;
  /** Whether a weight and a bias per channel are learned. */
  readonly affine: boolean;
  /** Whether running mean and variance are tracked. */
  trackRunningStats: boolean;
  /** The weight `(C)`: a factor per channel, or `null`. */
  weight: NormTensors<A, D>["weight"];
  /** The bias `(C)`: a shift per channel, or `null`. */
  bias: NormTensors<A, D>["bias"];
  /** The running mean per channel `(C)`, or `null`. */
  declare running_mean: NormTensors<A, D>["running"];
  /** The running variance per channel `(C)`, or `null`. */
  declare running_var: NormTensors<A, D>["running"];
  /** The number of batches seen (0-d, int64), or `null`. */
  declare num_batches_tracked: NormTensors<A, D>["running"];

  /** Makes the layer `name` of parsed options. */
  constructor(name: string, o: Readonly<BatchNormLayerArgs>) {
    super();
    const { numFeatures, affine, trackRunningStats: track } = o;
    checkSizes(name, { numFeatures });
    this.numFeatures = numFeatures;
    this.eps = o.eps;
    this.momentum = o.momentum;
    this.affine = affine;
    this.trackRunningStats = track;
    this.weight = (affine ? onesParameter([numFeatures], o) : null) as typeof this.weight;
    this.bias = (affine && o.bias ? zerosParameter([numFeatures], o) : null) as typeof this.bias;
    this.registerBuffer("running_mean", track ? zerosBuffer([numFeatures], o) : null);
    this.registerBuffer("running_var", track ? onesBuffer([numFeatures], o) : null);
    const count = track ? zerosBuffer([], { device: o.device, dtype: int64 }) : null;
    this.registerBuffer("num_batches_tracked", count);
    // Checkpoints from before PyTorch 0.4.1 do not have the count.
    this.registerLoadStateDictPreHook((module, state, prefix) => {
      const own = module.num_batches_tracked;
      const key = `${prefix}num_batches_tracked`;
      if (own && !(key in state)) state[key] = own;
    });
  }

  /** Resets the running statistics: mean 0, variance 1, no batches seen. */
  resetRunningStats(): void {
    if (this.running_mean) zeros_(this.running_mean);
    if (this.running_var) ones_(this.running_var);
    if (this.num_batches_tracked) zeros_(this.num_batches_tracked);
  }

  /** Resets the running statistics, and the weight to 1 and the bias to 0. */
  resetParameters(): void {
    this.resetRunningStats();
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  override extraRepr(): string {
    return `${this.numFeatures}, eps=${python(this.eps)}, momentum=${python(this.momentum)}, ` +
      `affine=${python(this.affine)}, bias=${python(this.bias !== null)}, track_running_stats=${
        python(this.trackRunningStats)
      }`;
  }
}

/** The base of the batch normalisations. */
export abstract class BatchNorm<A extends readonly unknown[]> extends NormBase<A, true> {
  /** Throws unless the input has the number of dimensions of this layer. */
  protected abstract checkInputDim(input: Tensor): void;

  /** The normalised input, of the same shape. */
  override forward(input: Tensor): Tensor {
    this.checkInputDim(input);
    const count = this.num_batches_tracked;
    const tracking = this.training && this.trackRunningStats && count !== null;
    if (tracking) withGrad(false, () => count.add_(1));
    if (!tracking || this.momentum !== null) return this.normalise(input, this.momentum ?? 0);
    // The mean of all batches: the share of this one is 1 over their number, which only the device knows. So the running
    // statistics become this batch's, and are then moved back towards what they were.
    const kept = [this.running_mean, this.running_var].filter((t) => t !== null);
    const before = withGrad(false, () => kept.map((t) => t.clone()));
    const out = this.normalise(input, 1);
    withGrad(false, () => kept.forEach((t, i) => t.sub_(before[i]).div_(count).add_(before[i])));
    for (const t of before) t.dispose();
    return out;
  }

  /** Calls the batch normalisation with the statistics that the mode (training or evaluation) uses and updates. */
  private normalise(input: Tensor, momentum: number): Tensor {
    const useBatch = this.training || (this.running_mean === null && this.running_var === null);
    const keepsStats = !this.training || this.trackRunningStats;
    return F.batchNorm(
      input,
      keepsStats ? this.running_mean : null,
      keepsStats ? this.running_var : null,
      this.weight,
      this.bias,
      useBatch,
      momentum,
      this.eps,
    );
  }
}

function expectDims(op: string, input: Tensor, ...dims: number[]): void {
  checkTensor(op, "input", input);
  if (dims.includes(input.ndim)) return;
  const names = dims.map((d) => `${d}D`).join(" or ");
  throw new ShapeError(`${op}(): expected a ${names} input: ${show(input.shape)}`);
}

const batch1dArgs = call("BatchNorm1d", BatchNormLayerArgs);
const batch2dArgs = call("BatchNorm2d", BatchNormLayerArgs);
const batch3dArgs = call("BatchNorm3d", BatchNormLayerArgs);

/**
 * Batch normalisation over `(N, C)` or `(N, C, L)`.
 *
 * @see https://arxiv.org/abs/1502.03167
 */
export class BatchNorm1d<A extends Args<typeof BatchNormLayerArgs> = Args<typeof BatchNormLayerArgs>>
  extends BatchNorm<A> {
  constructor(...args: A) {
    super("BatchNorm1d", batch1dArgs(args));
  }

  protected override checkInputDim(input: Tensor): void {
    expectDims(this._name(), input, 2, 3);
  }
}

/**
 * Batch normalisation over `(N, C, H, W)`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const bn = new torch.nn.BatchNorm2d(3);
 * bn.call(torch.randn(8, 3, 4, 4));
 * assertEquals(await bn.num_batches_tracked.item(), 1);
 * ```
 *
 * @see https://arxiv.org/abs/1502.03167
 */
export class BatchNorm2d<A extends Args<typeof BatchNormLayerArgs> = Args<typeof BatchNormLayerArgs>>
  extends BatchNorm<A> {
  constructor(...args: A) {
    super("BatchNorm2d", batch2dArgs(args));
  }

  protected override checkInputDim(input: Tensor): void {
    expectDims(this._name(), input, 4);
  }
}

/**
 * Batch normalisation over `(N, C, D, H, W)`.
 *
 * @see https://arxiv.org/abs/1502.03167
 */
export class BatchNorm3d<A extends Args<typeof BatchNormLayerArgs> = Args<typeof BatchNormLayerArgs>>
  extends BatchNorm<A> {
  constructor(...args: A) {
    super("BatchNorm3d", batch3dArgs(args));
  }

  protected override checkInputDim(input: Tensor): void {
    expectDims(this._name(), input, 5);
  }
}

/** The base of the instance normalisations. */
export abstract class InstanceNorm<A extends readonly unknown[]> extends NormBase<A, false> {
  /** The number of spatial dimensions. */
  protected abstract readonly spatial: number;

  /** The normalised input, of the same shape. */
  override forward(input: Tensor): Tensor {
    const single = this.spatial + 1;
    expectDims(this._name(), input, single, single + 1);
    const features = input.shape[input.ndim - single];
    if (this.affine && features !== this.numFeatures) {
      throw new ArgumentError(
        `${this._name()}(): expected input's size at dim=${input.ndim - single} to match num_features ` +
          `(${this.numFeatures}), but got: ${features}`,
      );
    }
    if (input.ndim === single) return this.normalise(input.unsqueeze(0)).squeeze(0);
    return this.normalise(input);
  }

  /** Normalises a checked input. */
  private normalise(input: Tensor): Tensor {
    const useInputStats = this.training || !this.trackRunningStats;
    const { running_mean, running_var, weight, bias, momentum, eps } = this;
    return F.instanceNorm(input, running_mean, running_var, weight, bias, useInputStats, momentum ?? 0, eps);
  }
}

const instance1dArgs = call("InstanceNorm1d", InstanceNormLayerArgs);
const instance2dArgs = call("InstanceNorm2d", InstanceNormLayerArgs);
const instance3dArgs = call("InstanceNorm3d", InstanceNormLayerArgs);

/**
 * Instance normalisation over `(N, C, L)` or `(C, L)`.
 *
 * @see https://arxiv.org/abs/1607.08022
 */
export class InstanceNorm1d<A extends Args<typeof InstanceNormLayerArgs> = Args<typeof InstanceNormLayerArgs>>
  extends InstanceNorm<A> {
  protected override readonly spatial = 1;

  constructor(...args: A) {
    super("InstanceNorm1d", instance1dArgs(args));
  }
}

/**
 * Instance normalisation over `(N, C, H, W)` or `(C, H, W)`.
 *
 * @see https://arxiv.org/abs/1607.08022
 */
export class InstanceNorm2d<A extends Args<typeof InstanceNormLayerArgs> = Args<typeof InstanceNormLayerArgs>>
  extends InstanceNorm<A> {
  protected override readonly spatial = 2;

  constructor(...args: A) {
    super("InstanceNorm2d", instance2dArgs(args));
  }
}

/**
 * Instance normalisation over `(N, C, D, H, W)` or `(C, D, H, W)`.
 *
 * @see https://arxiv.org/abs/1607.08022
 */
export class InstanceNorm3d<A extends Args<typeof InstanceNormLayerArgs> = Args<typeof InstanceNormLayerArgs>>
  extends InstanceNorm<A> {
  protected override readonly spatial = 3;

  constructor(...args: A) {
    super("InstanceNorm3d", instance3dArgs(args));
  }
}
