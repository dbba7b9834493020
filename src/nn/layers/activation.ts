/**
 * Activation layers: each stores the options of the function of the same name and calls it.
 *
 * @module
 */

import { type Args, call, NoArgs } from "../../base/call.ts";
import { ArgumentError, describe } from "../../base/errors.ts";
import {
  AlphaArgs,
  GeluArgs,
  GluArgs,
  HardtanhArgs,
  InplaceArgs,
  LeakyReluArgs,
  ShrinkArgs,
  SoftplusArgs,
  ThresholdArgs,
} from "../../ops/pointwise/activation.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { constantParameter, FactoryArgs } from "../module/factory.ts";
import * as F from "../functional.ts";
import { type Layer, layer, shown } from "../module/layer.ts";
import { Module } from "../module/module.ts";
import type { Parameter } from "../module/parameter.ts";
import { float, python } from "../module/repr.ts";

/** The printed options of an activation: `before`, then `inplace=True` where the layer writes into its input. */
function printed(before: string, { inplace }: InplaceArgs): string {
  return [before, inplace ? "inplace=True" : ""].filter((part) => part !== "").join(", ");
}

/** Defines an activation whose only option is `inplace`. */
function simple(name: string, activate: (input: Tensor, inplace: boolean) => Tensor): Layer<typeof InplaceArgs> {
  return layer({
    name,
    params: InplaceArgs,
    call: (o, input: Tensor) => activate(input, o.inplace),
    repr: (o) => printed("", o),
  });
}

/** Defines an activation without options. */
function plain(name: string, activate: (input: Tensor) => Tensor): Layer<typeof NoArgs> {
  return layer({ name, params: NoArgs, call: (_, input: Tensor) => activate(input) });
}

/** Rectified linear unit: `max(x, 0)`. */
export const ReLU: Layer<typeof InplaceArgs> = simple("ReLU", F.relu);
export type ReLU = InstanceType<typeof ReLU>;

/**
 * Scaled exponential linear unit: an ELU with the constants that keep mean 0 and variance 1 from layer to layer
 * (https://arxiv.org/abs/1706.02515).
 */
export const SELU: Layer<typeof InplaceArgs> = simple("SELU", F.selu);
export type SELU = InstanceType<typeof SELU>;

/** Sigmoid linear unit (swish): `x · sigmoid(x)`. */
export const SiLU: Layer<typeof InplaceArgs> = simple("SiLU", F.silu);
export type SiLU = InstanceType<typeof SiLU>;

/** `x · tanh(softplus(x))`. */
export const Mish: Layer<typeof InplaceArgs> = simple("Mish", F.mish);
export type Mish = InstanceType<typeof Mish>;

/** `x / 6 + 1 / 2`, limited to [0, 1]. */
export const Hardsigmoid: Layer<typeof InplaceArgs> = simple("Hardsigmoid", F.hardsigmoid);
export type Hardsigmoid = InstanceType<typeof Hardsigmoid>;

/** `x · hardsigmoid(x)`. */
export const Hardswish: Layer<typeof InplaceArgs> = simple("Hardswish", F.hardswish);
export type Hardswish = InstanceType<typeof Hardswish>;

/** `x` limited to [0, 6]. */
export const ReLU6: Layer<typeof InplaceArgs> = simple("ReLU6", F.relu6);
export type ReLU6 = InstanceType<typeof ReLU6>;

/** Logistic sigmoid: `1 / (1 + e^-x)`. */
export const Sigmoid: Layer<typeof NoArgs> = plain("Sigmoid", F.sigmoid);
export type Sigmoid = InstanceType<typeof Sigmoid>;

/** The hyperbolic tangent. */
export const Tanh: Layer<typeof NoArgs> = plain("Tanh", F.tanh);
export type Tanh = InstanceType<typeof Tanh>;

/** `x / (1 + |x|)`. */
export const Softsign: Layer<typeof NoArgs> = plain("Softsign", F.softsign);
export type Softsign = InstanceType<typeof Softsign>;

/** `x - tanh(x)`. */
export const Tanhshrink: Layer<typeof NoArgs> = plain("Tanhshrink", F.tanhshrink);
export type Tanhshrink = InstanceType<typeof Tanhshrink>;

/** The logarithm of the sigmoid. */
export const LogSigmoid: Layer<typeof NoArgs> = plain("LogSigmoid", F.logsigmoid);
export type LogSigmoid = InstanceType<typeof LogSigmoid>;

/** `x` limited to [minVal, maxVal]. */
export const Hardtanh: Layer<typeof HardtanhArgs> = layer({
  name: "Hardtanh",
  params: HardtanhArgs,
  init: ({ minVal, maxVal }) => {
    if (!(maxVal > minVal)) {
      throw new ArgumentError(`Hardtanh(): maxVal must be above minVal: ${describe(maxVal)} <= ${describe(minVal)}`);
    }
  },
  call: (o, input: Tensor) => F.hardtanh(input, o.minVal, o.maxVal, o.inplace),
  repr: (o) => printed(`min_val=${float(o.minVal)}, max_val=${float(o.maxVal)}`, o),
});
export type Hardtanh = InstanceType<typeof Hardtanh>;

/** Leaky rectified linear unit: `x` above 0, `negativeSlope · x` below. */
export const LeakyReLU: Layer<typeof LeakyReluArgs> = layer({
  name: "LeakyReLU",
  params: LeakyReluArgs,
  call: (o, input: Tensor) => F.leakyRelu(input, o.negativeSlope, o.inplace),
  repr: (o) => printed(shown(o, "negativeSlope"), o),
});
export type LeakyReLU = InstanceType<typeof LeakyReLU>;

/** Exponential linear unit: `x` above 0, `alpha · (e^x - 1)` below. */
export const ELU: Layer<typeof AlphaArgs> = layer({
  name: "ELU",
  params: AlphaArgs,
  call: (o, input: Tensor) => F.elu(input, o.alpha, o.inplace),
  repr: (o) => printed(`alpha=${float(o.alpha)}`, o),
});
export type ELU = InstanceType<typeof ELU>;

/** Continuously differentiable exponential linear unit: `max(0, x) + min(0, alpha · (e^(x / alpha) - 1))`. */
export const CELU: Layer<typeof AlphaArgs> = layer({
  name: "CELU",
  params: AlphaArgs,
  call: (o, input: Tensor) => F.celu(input, o.alpha, o.inplace),
  repr: (o) => printed(`alpha=${float(o.alpha)}`, o),
});
export type CELU = InstanceType<typeof CELU>;

/** Gaussian error linear unit: `x · Φ(x)`, where Φ is the normal distribution function. */
export const GELU: Layer<typeof GeluArgs> = layer({
  name: "GELU",
  params: GeluArgs,
  call: (o, input: Tensor) => F.gelu(input, o.approximate),
  repr: (o) => shown(o, "approximate"),
});
export type GELU = InstanceType<typeof GELU>;

/** Smooth rectified linear unit: `log(1 + e^(beta · x)) / beta`. */
export const Softplus: Layer<typeof SoftplusArgs> = layer({
  name: "Softplus",
  params: SoftplusArgs,
  call: (o, input: Tensor) => F.softplus(input, o.beta, o.threshold),
  repr: (o) => `beta=${float(o.beta)}, threshold=${float(o.threshold)}`,
});
export type Softplus = InstanceType<typeof Softplus>;

/** Hard shrinkage: `x` outside of [-lambd, lambd], else 0. */
export const Hardshrink: Layer<typeof ShrinkArgs> = layer({
  name: "Hardshrink",
  params: ShrinkArgs,
  call: (o, input: Tensor) => F.hardshrink(input, o.lambd),
  repr: (o) => python(o.lambd),
});
export type Hardshrink = InstanceType<typeof Hardshrink>;

/** Soft shrinkage: `x` moved toward 0 by `lambd`; 0 for `x` in [-lambd, lambd]. */
export const Softshrink: Layer<typeof ShrinkArgs> = layer({
  name: "Softshrink",
  params: ShrinkArgs,
  call: (o, input: Tensor) => F.softshrink(input, o.lambd),
  repr: (o) => python(o.lambd),
});
export type Softshrink = InstanceType<typeof Softshrink>;

/** `x` above `threshold`, else `value`. */
export const Threshold: Layer<typeof ThresholdArgs> = layer({
  name: "Threshold",
  params: ThresholdArgs,
  call: (o, input: Tensor) => F.threshold(input, o.threshold, o.value, o.inplace),
  repr: (o) => printed(shown(o, "threshold", "value"), o),
});
export type Threshold = InstanceType<typeof Threshold>;

/** The parameters of {@linkcode RReLU}. */
export class RReLUArgs {
  constructor(
    /** The lower bound of the slopes. */
    public lower: number = 1 / 8,
    /** The upper bound of the slopes. */
    public upper: number = 1 / 3,
    /** Whether the result is written into the input. */
    public inplace = false,
  ) {}
}

/**
 * Randomised leaky rectified linear unit: `x` above 0; below, `x` times a slope drawn from [lower, upper] in training,
 * times the mean of the two bounds otherwise.
 */
export const RReLU: Layer<typeof RReLUArgs> = layer({
  name: "RReLU",
  params: RReLUArgs,
  call: (o, input: Tensor) => F.rrelu(input, o.lower, o.upper, o.training, o.inplace),
  repr: (o) => printed(shown(o, "lower", "upper"), o),
});
export type RReLU = InstanceType<typeof RReLU>;

/** Gated linear unit: the first half of the input along a dimension times the sigmoid of the second half. */
export const GLU: Layer<typeof GluArgs> = layer({
  name: "GLU",
  params: GluArgs,
  call: (o, input: Tensor) => F.glu(input, o.dim),
  repr: (o) => shown(o, "dim"),
});
export type GLU = InstanceType<typeof GLU>;

/** The parameters of {@linkcode PReLU}. */
export class PReLUArgs extends FactoryArgs {
  constructor(
    /** The number of learned slopes: 1, or the number of channels. */
    public numParameters = 1,
    /** The initial value of the slopes. */
    public init = 0.25,
  ) {
    super();
  }
}

const preluArgs = call("PReLU", PReLUArgs);

/** Parametric rectified linear unit: `x` above 0, a learned slope times `x` below. */
export class PReLU extends Module {
  /** The number of learned slopes. */
  readonly numParameters: number;
  /** The initial value of the slopes. */
  readonly init: number;
  /** The slopes `(numParameters)`. */
  weight: Parameter;

  constructor(...args: Args<typeof PReLUArgs>) {
    super();
    const o = preluArgs(args);
    this.numParameters = o.numParameters;
    this.init = o.init;
    this.weight = constantParameter([o.numParameters], o.init, o);
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.prelu(input, this.weight);
  }

  override extraRepr(): string {
    return `num_parameters=${this.numParameters}`;
  }
}
