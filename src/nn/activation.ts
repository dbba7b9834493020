/**
 * Activations as layers: each holds the options of the function of the same name and nothing else.
 *
 * @module
 */

import { type Args, signature } from "../base/args.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { constantParameter, type FactoryOptions } from "./factory.ts";
import * as F from "./functional.ts";
import { Module } from "./module.ts";
import type { Parameter } from "./parameter.ts";
import { float, python } from "./repr.ts";

/** What activations with nothing else to choose take. */
export interface InplaceOptions {
  /** Whether the result is written into the input. @default {false} */
  inplace?: boolean;
}

const inplaceArgs = signature<InplaceOptions>("activation", ["inplace"]);

/** An activation that may write into its input. */
export abstract class InplaceActivation extends Module {
  /** Whether the result is written into the input. */
  readonly inplace: boolean;

  /** Takes the options of the layer. */
  constructor(inplace: boolean | undefined) {
    super();
    this.inplace = inplace ?? false;
  }

  /** Printed behind other options. */
  protected get inplaceRepr(): string {
    return this.inplace ? ", inplace=True" : "";
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return this.inplace ? "inplace=True" : "";
  }
}

/** `max(x, 0)`. */
export class ReLU extends InplaceActivation {
  /** Takes `inplace`. */
  constructor(...args: Args<InplaceOptions, ["inplace"]>) {
    super(inplaceArgs(args).inplace);
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.relu(input, this.inplace);
  }
}

/**
 * Self-normalising: a scaled ELU with the constants that keep mean 0 and variance 1.
 *
 * @see https://arxiv.org/abs/1706.02515
 */
export class SELU extends InplaceActivation {
  /** Takes `inplace`. */
  constructor(...args: Args<InplaceOptions, ["inplace"]>) {
    super(inplaceArgs(args).inplace);
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.selu(input, this.inplace);
  }
}

/** `x · sigmoid(x)`. */
export class SiLU extends InplaceActivation {
  /** Takes `inplace`. */
  constructor(...args: Args<InplaceOptions, ["inplace"]>) {
    super(inplaceArgs(args).inplace);
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.silu(input, this.inplace);
  }
}

/** `x · tanh(softplus(x))`. */
export class Mish extends InplaceActivation {
  /** Takes `inplace`. */
  constructor(...args: Args<InplaceOptions, ["inplace"]>) {
    super(inplaceArgs(args).inplace);
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.mish(input, this.inplace);
  }
}

/** `x / 6 + 1 / 2`, limited to [0, 1]. */
export class Hardsigmoid extends InplaceActivation {
  /** Takes `inplace`. */
  constructor(...args: Args<InplaceOptions, ["inplace"]>) {
    super(inplaceArgs(args).inplace);
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.hardsigmoid(input, this.inplace);
  }
}

/** `x · hardsigmoid(x)`. */
export class Hardswish extends InplaceActivation {
  /** Takes `inplace`. */
  constructor(...args: Args<InplaceOptions, ["inplace"]>) {
    super(inplaceArgs(args).inplace);
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.hardswish(input, this.inplace);
  }
}

/** `1 / (1 + e^-x)`. */
export class Sigmoid extends Module {
  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.sigmoid(input);
  }
}

/** The hyperbolic tangent. */
export class Tanh extends Module {
  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.tanh(input);
  }
}

/** `x / (1 + |x|)`. */
export class Softsign extends Module {
  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.softsign(input);
  }
}

/** `x - tanh(x)`. */
export class Tanhshrink extends Module {
  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.tanhshrink(input);
  }
}

/** The logarithm of the sigmoid. */
export class LogSigmoid extends Module {
  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.logsigmoid(input);
  }
}

/** `x` limited to [0, 6]. */
export class ReLU6 extends InplaceActivation {
  /** Takes `inplace`. */
  constructor(...args: Args<InplaceOptions, ["inplace"]>) {
    super(inplaceArgs(args).inplace);
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.relu6(input, this.inplace);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return this.inplace ? "inplace=True" : "";
  }
}

/** What {@linkcode Hardtanh} takes. */
export interface HardtanhOptions extends InplaceOptions {
  /** Lowest value. @default {-1} */
  minVal?: number;
  /** Highest value. @default {1} */
  maxVal?: number;
}
const hardtanhArgs = signature<HardtanhOptions>("Hardtanh", ["minVal", "maxVal", "inplace"]);

/** `x` limited to [minVal, maxVal]. */
export class Hardtanh extends InplaceActivation {
  /** Lowest value. */
  readonly minVal: number;
  /** Highest value. */
  readonly maxVal: number;

  /** Takes `minVal, maxVal, inplace`. */
  constructor(...args: Args<HardtanhOptions, ["minVal", "maxVal", "inplace"]>) {
    const o = hardtanhArgs(args);
    super(o.inplace);
    this.minVal = o.minVal ?? -1;
    this.maxVal = o.maxVal ?? 1;
    if (!(this.maxVal > this.minVal)) {
      throw new ArgumentError(`Hardtanh(): maxVal must be above minVal: ${this.maxVal} <= ${this.minVal}`);
    }
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.hardtanh(input, this.minVal, this.maxVal, this.inplace);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `min_val=${float(this.minVal)}, max_val=${float(this.maxVal)}${this.inplaceRepr}`;
  }
}

/** What {@linkcode LeakyReLU} takes. */
export interface LeakyReLUOptions extends InplaceOptions {
  /** Slope below 0. @default {0.01} */
  negativeSlope?: number;
}
const leakyReLUArgs = signature<LeakyReLUOptions>("LeakyReLU", ["negativeSlope", "inplace"]);

/** `x` above 0, `negativeSlope · x` below. */
export class LeakyReLU extends InplaceActivation {
  /** Slope below 0. */
  readonly negativeSlope: number;

  /** Takes `negativeSlope, inplace`. */
  constructor(...args: Args<LeakyReLUOptions, ["negativeSlope", "inplace"]>) {
    const o = leakyReLUArgs(args);
    super(o.inplace);
    this.negativeSlope = o.negativeSlope ?? 0.01;
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.leakyRelu(input, this.negativeSlope, this.inplace);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `negative_slope=${python(this.negativeSlope)}${this.inplaceRepr}`;
  }
}

/** What {@linkcode ELU} and {@linkcode CELU} take. */
export interface ELUOptions extends InplaceOptions {
  /** Minus the limit at -∞. @default {1} */
  alpha?: number;
}
const eluArgs = signature<ELUOptions>("ELU", ["alpha", "inplace"]);

/** `x` above 0, `alpha · (e^x - 1)` below. */
export class ELU extends InplaceActivation {
  /** Minus the limit at -∞. */
  readonly alpha: number;

  /** Takes `alpha, inplace`. */
  constructor(...args: Args<ELUOptions, ["alpha", "inplace"]>) {
    const o = eluArgs(args);
    super(o.inplace);
    this.alpha = o.alpha ?? 1;
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.elu(input, this.alpha, this.inplace);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `alpha=${float(this.alpha)}${this.inplaceRepr}`;
  }
}

/** `max(0, x) + min(0, alpha · (e^(x / alpha) - 1))`. */
export class CELU extends InplaceActivation {
  /** Minus the limit at -∞. */
  readonly alpha: number;

  /** Takes `alpha, inplace`. */
  constructor(...args: Args<ELUOptions, ["alpha", "inplace"]>) {
    const o = eluArgs(args);
    super(o.inplace);
    this.alpha = o.alpha ?? 1;
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.celu(input, this.alpha, this.inplace);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `alpha=${float(this.alpha)}${this.inplaceRepr}`;
  }
}

/** What {@linkcode GELU} takes. */
export interface GELUOptions {
  /** `"tanh"` for the approximation. @default {"none"} */
  approximate?: "none" | "tanh";
}
const geluArgs = signature<GELUOptions>("GELU", ["approximate"]);

/** `x · Φ(x)`, Φ being the normal distribution function. */
export class GELU extends Module {
  /** `"none"` or `"tanh"`. */
  readonly approximate: "none" | "tanh";

  /** Takes `approximate`. */
  constructor(...args: Args<GELUOptions, ["approximate"]>) {
    super();
    this.approximate = geluArgs(args).approximate ?? "none";
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.gelu(input, { approximate: this.approximate });
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `approximate=${python(this.approximate)}`;
  }
}

/** What {@linkcode Softplus} takes. */
export interface SoftplusOptions {
  /** Sharpness. @default {1} */
  beta?: number;
  /** Where `beta · x` is above it the function is `x`. @default {20} */
  threshold?: number;
}
const softplusArgs = signature<SoftplusOptions>("Softplus", ["beta", "threshold"]);

/** `log(1 + e^(beta · x)) / beta`. */
export class Softplus extends Module {
  /** Sharpness. */
  readonly beta: number;
  /** Where `beta · x` is above it the function is `x`. */
  readonly threshold: number;

  /** Takes `beta, threshold`. */
  constructor(...args: Args<SoftplusOptions, ["beta", "threshold"]>) {
    super();
    const o = softplusArgs(args);
    this.beta = o.beta ?? 1;
    this.threshold = o.threshold ?? 20;
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.softplus(input, this.beta, this.threshold);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `beta=${float(this.beta)}, threshold=${float(this.threshold)}`;
  }
}

/** What {@linkcode Hardshrink} and {@linkcode Softshrink} take. */
export interface ShrinkOptions {
  /** Where 0 begins. @default {0.5} */
  lambd?: number;
}
const shrinkArgs = signature<ShrinkOptions>("Shrink", ["lambd"]);

/** `x` outside of [-lambd, lambd], else 0. */
export class Hardshrink extends Module {
  /** Where 0 begins. */
  readonly lambd: number;

  /** Takes `lambd`. */
  constructor(...args: Args<ShrinkOptions, ["lambd"]>) {
    super();
    this.lambd = shrinkArgs(args).lambd ?? 0.5;
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.hardshrink(input, this.lambd);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return python(this.lambd);
  }
}

/** `x` moved toward 0 by `lambd`, 0 within. */
export class Softshrink extends Module {
  /** Where 0 begins. */
  readonly lambd: number;

  /** Takes `lambd`. */
  constructor(...args: Args<ShrinkOptions, ["lambd"]>) {
    super();
    this.lambd = shrinkArgs(args).lambd ?? 0.5;
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.softshrink(input, this.lambd);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return python(this.lambd);
  }
}

/** What {@linkcode Threshold} takes. */
export interface ThresholdOptions extends InplaceOptions {
  /** The limit. */
  threshold: number;
  /** What takes the place of values up to the limit. */
  value: number;
}
const thresholdArgs = signature<ThresholdOptions>("Threshold", ["threshold", "value", "inplace"], [], 2);

/** `x` above `threshold`, else `value`. */
export class Threshold extends InplaceActivation {
  /** The limit. */
  readonly threshold: number;
  /** What takes the place of values up to the limit. */
  readonly value: number;

  /** Takes `threshold, value, inplace`. */
  constructor(...args: Args<ThresholdOptions, ["threshold", "value", "inplace"]>) {
    const o = thresholdArgs(args);
    super(o.inplace);
    this.threshold = o.threshold;
    this.value = o.value;
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.threshold(input, this.threshold, this.value, this.inplace);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `threshold=${python(this.threshold)}, value=${python(this.value)}${this.inplaceRepr}`;
  }
}

/** What {@linkcode PReLU} takes. */
export interface PReLUOptions extends FactoryOptions {
  /** How many slopes are learned: 1, or one per channel. @default {1} */
  numParameters?: number;
  /** Their initial value. @default {0.25} */
  init?: number;
}
const preluArgs = signature<PReLUOptions>("PReLU", ["numParameters", "init"], ["device", "dtype"]);

/** `x` above 0, a learned multiple of it below. */
export class PReLU extends Module {
  /** How many slopes are learned. */
  readonly numParameters: number;
  /** Their initial value. */
  readonly init: number;
  /** The slopes. */
  weight: Parameter;

  /** Takes `numParameters, init`. */
  constructor(...args: Args<PReLUOptions, ["numParameters", "init"]>) {
    super();
    const o = preluArgs(args);
    this.numParameters = o.numParameters ?? 1;
    this.init = o.init ?? 0.25;
    this.weight = constantParameter([this.numParameters], this.init, o);
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.prelu(input, this.weight);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `num_parameters=${this.numParameters}`;
  }
}

/** What {@linkcode RReLU} takes. */
export interface RReLUOptions extends InplaceOptions {
  /** Lowest slope. @default {1 / 8} */
  lower?: number;
  /** Highest slope. @default {1 / 3} */
  upper?: number;
}
const rreluArgs = signature<RReLUOptions>("RReLU", ["lower", "upper", "inplace"]);

/** `x` above 0; below, times a slope drawn from [lower, upper] in training and their mean otherwise. */
export class RReLU extends InplaceActivation {
  /** Lowest slope. */
  readonly lower: number;
  /** Highest slope. */
  readonly upper: number;

  /** Takes `lower, upper, inplace`. */
  constructor(...args: Args<RReLUOptions, ["lower", "upper", "inplace"]>) {
    const o = rreluArgs(args);
    super(o.inplace);
    this.lower = o.lower ?? 1 / 8;
    this.upper = o.upper ?? 1 / 3;
  }

  /** The activated input. */
  override forward(input: Tensor): Tensor {
    return F.rrelu(input, this.lower, this.upper, this.training, this.inplace);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `lower=${python(this.lower)}, upper=${python(this.upper)}${this.inplaceRepr}`;
  }
}

/** What {@linkcode GLU} takes. */
export interface GLUOptions {
  /** The dimension that is halved. @default {-1} */
  dim?: number;
}
const gluArgs = signature<GLUOptions>("GLU", ["dim"]);

/** The first half along a dimension times the sigmoid of the second. */
export class GLU extends Module {
  /** The dimension that is halved. */
  readonly dim: number;

  /** Takes `dim`. */
  constructor(...args: Args<GLUOptions, ["dim"]>) {
    super();
    this.dim = gluArgs(args).dim ?? -1;
  }

  /** The gated input. */
  override forward(input: Tensor): Tensor {
    return F.glu(input, this.dim);
  }

  /** What stands in the parentheses when the module is printed. */
  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}
