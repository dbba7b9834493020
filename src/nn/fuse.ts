/**
 * Fusing batch normalisation into the layer before it.
 *
 * In evaluation mode batch normalisation multiplies and shifts each channel by constants, so a convolution or fully
 * connected layer with other weights gives the same output: W' = W · γ/√(var + ε), b' = (b − mean) · γ/√(var + ε) + β.
 *
 * @module
 */

import "../ops/attach.ts";
import { type Func, func } from "../base/call.ts";
import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { withGrad } from "../autograd/mode.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { BatchNorm } from "./layers/batchnorm.ts";
import { ConvBase, ConvTransposeNd } from "./layers/conv.ts";
import { Linear } from "./layers/linear.ts";
import { Parameter } from "./module/parameter.ts";

/** A layer of batch normalisation, whatever its options. */
// deno-lint-ignore no-explicit-any -- the options decide the types of the fields, and any options will do
export type AnyBatchNorm = BatchNorm<any>;

/** A convolution that has a bias, as fusing makes it. */
export type FusedConv = ConvBase<Parameter> & {
  /** The output of the convolution. */
  forward(input: Tensor): Tensor;
};

/** The parameters of {@linkcode fuseConvBnEval}. */
export class FuseConvBnEvalArgs {
  constructor(
    /** The convolution, in evaluation mode. */
    public conv: ConvBase,
    /** The batch normalisation behind it, in evaluation mode and with running statistics. */
    public bn: AnyBatchNorm,
    /** Whether the convolution is a transposed one. */
    public transpose = false,
  ) {}
}

/** The parameters of {@linkcode fuseLinearBnEval}. */
export class FuseLinearBnEvalArgs {
  constructor(
    /** The fully connected layer, in evaluation mode. */
    public linear: Linear,
    /** The batch normalisation behind it, in evaluation mode and with running statistics. */
    public bn: AnyBatchNorm,
  ) {}
}

/** The parameters of {@linkcode fuseConvBnWeights}. */
export class FuseConvBnWeightsArgs {
  constructor(
    /** The filters: `(outChannels, inChannels / groups, ...kernelSize)`, transposed with the first two exchanged. */
    public convW: Tensor,
    /** The convolution's bias `(outChannels)`, or `null`. */
    public convB: Tensor | null,
    /** The running mean `(outChannels)`. */
    public bnRm: Tensor,
    /** The running variance `(outChannels)`. */
    public bnRv: Tensor,
    /** The number ε that is added to the variance. */
    public bnEps: number,
    /** The factor γ per channel; `null`: 1. */
    public bnW: Tensor | null,
    /** The shift β per channel; `null`: 0. */
    public bnB: Tensor | null,
    /** Whether the convolution is a transposed one, whose output channels are the second dimension. */
    public transpose = false,
  ) {}
}

/** The parameters of {@linkcode fuseLinearBnWeights}. */
export class FuseLinearBnWeightsArgs {
  constructor(
    /** The weight `(outFeatures, inFeatures)`. */
    public linearW: Tensor,
    /** The layer's bias `(outFeatures)`, or `null`. */
    public linearB: Tensor | null,
    /** The running mean, `(outFeatures)` or `(1)`. */
    public bnRm: Tensor,
    /** The running variance, `(outFeatures)` or `(1)`. */
    public bnRv: Tensor,
    /** The number ε that is added to the variance. */
    public bnEps: number,
    /** The factor γ per feature; `null`: 1. */
    public bnW: Tensor | null,
    /** The shift β per feature; `null`: 0. */
    public bnB: Tensor | null,
  ) {}
}

/** What both kinds of layers have in common, with the dimension of the weight that counts its outputs. */
function fuse(op: string, o: Readonly<FuseLinearBnWeightsArgs>, dim: number): [Parameter, Parameter] {
  const { linearW: w, linearB: b, bnRm: mean, bnRv: variance, bnEps, bnW, bnB } = o;
  const named = { weight: w, "running mean": mean, "running variance": variance };
  for (const [name, x] of Object.entries(named)) checkTensor(op, `the ${name}`, x);
  const count = w.shape[dim];
  const perOutput = { bias: b, "running mean": mean, "running variance": variance, factor: bnW, shift: bnB };
  for (const [name, x] of Object.entries(perOutput)) {
    if (x === null) continue;
    checkTensor(op, `the ${name}`, x);
    // One value for all outputs: only a fully connected layer may have that, as in PyTorch.
    const single = dim === 0 && w.ndim === 2 && name !== "bias" && x.numel() === 1;
    if (x.ndim !== 1 || (x.shape[0] !== count && !single)) {
      throw new ShapeError(
        `${op}(): the ${name} must have one element per output of the weight (${count}): ${show(x.shape)}, weight ${
          show(w.shape)
        }`,
      );
    }
  }
  return withGrad(false, () => {
    const rstd = variance.add(bnEps).rsqrt();
    const factor = bnW === null ? rstd : rstd.mul(bnW);
    const shape = w.shape.map((_, i) => i === dim ? -1 : 1);
    const weight = w.mul(factor.reshape(shape)).to({ dtype: w.dtype });
    const centred = b === null ? mean.neg() : b.sub(mean);
    const scaled = centred.mul(factor);
    const bias = (bnB === null ? scaled : scaled.add(bnB)).to({ dtype: (b ?? w).dtype });
    return [
      new Parameter(weight, w.requiresGrad),
      new Parameter(bias.expand(count).contiguous(), b !== null && b.requiresGrad),
    ];
  });
}

/** Checks the layers, and gives what the weights' function needs of them. */
function partsOf(op: string, layer: ConvBase | Linear, bn: AnyBatchNorm): FuseLinearBnWeightsArgs {
  if (!(bn instanceof BatchNorm)) throw new ArgumentError(`${op}(): bn must be a batch normalisation: ${describe(bn)}`);
  if (layer.training || bn.training) {
    throw new ArgumentError(`${op}(): both layers must be in evaluation mode; call eval() on them first`);
  }
  if (bn.running_mean === null || bn.running_var === null) {
    throw new ArgumentError(
      `${op}(): bn must have running statistics, but it was made with trackRunningStats: false`,
    );
  }
  return new FuseLinearBnWeightsArgs(
    layer.weight,
    layer.bias,
    bn.running_mean,
    bn.running_var,
    bn.eps,
    bn.weight,
    bn.bias,
  );
}

/**
 * The weight and bias of a convolution that does what it and the batch normalisation behind it do in evaluation mode.
 *
 * A bias that was not there before needs no gradient, as in PyTorch.
 *
 * Differs from PyTorch: transposed convolutions with groups are a `ShapeError`, where PyTorch may give wrong weights.
 *
 * @throws {ShapeError} if a tensor of the batch normalisation has not one element per output channel
 */
export const fuseConvBnWeights: Func<typeof FuseConvBnWeightsArgs, [Parameter, Parameter]> = func(
  "fuseConvBnWeights",
  FuseConvBnWeightsArgs,
  ({ convW, convB, bnRm, bnRv, bnEps, bnW, bnB, transpose }) => {
    checkTensor("fuseConvBnWeights", "convW", convW);
    if (convW.ndim < 3) {
      throw new ShapeError(`fuseConvBnWeights(): convW must have at least 3 dimensions: ${show(convW.shape)}`);
    }
    const o = new FuseLinearBnWeightsArgs(convW, convB, bnRm, bnRv, bnEps, bnW, bnB);
    return fuse("fuseConvBnWeights", o, transpose ? 1 : 0);
  },
);

/**
 * The weight and bias of a fully connected layer that does what it and the batch normalisation behind it do in evaluation
 * mode. A bias that was not there before needs no gradient, as in PyTorch.
 *
 * @throws {ShapeError} if a tensor of the batch normalisation has neither one element per output nor one alone
 */
export const fuseLinearBnWeights: Func<typeof FuseLinearBnWeightsArgs, [Parameter, Parameter]> = func(
  "fuseLinearBnWeights",
  FuseLinearBnWeightsArgs,
  (o) => {
    checkTensor("fuseLinearBnWeights", "linearW", o.linearW);
    if (o.linearW.ndim !== 2) {
      throw new ShapeError(`fuseLinearBnWeights(): linearW must have 2 dimensions: ${show(o.linearW.shape)}`);
    }
    return fuse("fuseLinearBnWeights", o, 0);
  },
);

/**
 * Makes one convolution of a convolution and the batch normalisation behind it, for inference. Neither is changed.
 *
 * Differs from PyTorch: `transpose` must say what the layer is, and transposed convolutions with groups are refused; PyTorch
 * may give wrong weights there.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const conv = new torch.nn.Conv2d(3, 8, 3).eval(), bn = new torch.nn.BatchNorm2d(8).eval();
 * const fused = fuseConvBnEval(conv, bn), x = torch.randn(2, 3, 8, 8);
 * assert(await torch.allclose(fused.forward(x), bn.call(conv.call(x)), { atol: 1e-5 }));
 * ```
 *
 * @throws {ArgumentError} if a layer is in training mode, or there are no running statistics
 */
export const fuseConvBnEval: Func<typeof FuseConvBnEvalArgs, FusedConv> = func(
  "fuseConvBnEval",
  FuseConvBnEvalArgs,
  ({ conv, bn, transpose }) => {
    const op = "fuseConvBnEval";
    if (!(conv instanceof ConvBase)) throw new ArgumentError(`${op}(): conv must be a convolution: ${describe(conv)}`);
    const o = partsOf(op, conv, bn), transposed = conv instanceof ConvTransposeNd;
    if (transpose !== transposed) {
      throw new ArgumentError(`${op}(): transpose must be ${transposed} for ${conv.constructor.name}: ${transpose}`);
    }
    if (transposed && conv.groups > 1) {
      throw new ArgumentError(`${op}(): a transposed convolution must have one group: ${conv.groups}`);
    }
    const fused = conv.clone() as unknown as FusedConv;
    [fused.weight, fused.bias] = fuse(op, o, transpose ? 1 : 0);
    return fused;
  },
);

/**
 * Makes one fully connected layer of such a layer and the batch normalisation behind it, for inference. Neither is changed.
 *
 * @throws {ArgumentError} if a layer is in training mode, or there are no running statistics
 * @throws {ShapeError} if the features of `bn` are neither those of the output nor one
 */
export const fuseLinearBnEval: Func<typeof FuseLinearBnEvalArgs, Linear<[number, number]>> = func(
  "fuseLinearBnEval",
  FuseLinearBnEvalArgs,
  ({ linear, bn }) => {
    const op = "fuseLinearBnEval";
    if (!(linear instanceof Linear)) throw new ArgumentError(`${op}(): linear must be a Linear: ${describe(linear)}`);
    const o = partsOf(op, linear, bn);
    const fused = linear.clone() as unknown as Linear<[number, number]>;
    [fused.weight, fused.bias] = fuse(op, o, 0);
    return fused;
  },
);
