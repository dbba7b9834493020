/**
 * Fully connected layers: `Linear`, `Bilinear`, and `Identity`, which returns its input.
 *
 * @module
 */

import { type Args, call } from "../../base/call.ts";
import { ArgumentError } from "../../base/errors.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { type BiasOf, checkSizes, emptyParameter, FactoryArgs } from "../module/factory.ts";
import * as F from "../functional.ts";
import { fanInAndFanOut, kaimingUniform_, uniform_ } from "../init.ts";
import { Module } from "../module/module.ts";
import type { Parameter } from "../module/parameter.ts";
import { python } from "../module/repr.ts";

/** Returns its input; any arguments of the constructor are ignored. */
export class Identity extends Module {
  /** Ignores its arguments, so that it can replace any layer. */
  constructor(..._args: unknown[]) {
    super();
  }

  /** The input. */
  override forward(input: Tensor): Tensor {
    return input;
  }
}

/** The parameters of {@linkcode Linear}. */
export class LinearLayerArgs extends FactoryArgs {
  constructor(
    /** The number of input features: the size of the input's last dimension. */
    public inFeatures: number,
    /** The number of output features: the size of the output's last dimension. */
    public outFeatures: number,
    /** Whether a learned bias is added. */
    public bias = true,
  ) {
    super();
  }
}

const linearArgs = call("Linear", LinearLayerArgs);

/**
 * Fully connected layer: `y = x Wᵀ + b`.
 *
 * Shape: `(*, inFeatures)` to `(*, outFeatures)`. Weights start uniform in ±1/√inFeatures.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const layer = new torch.nn.Linear(20, 30);
 * assertEquals(layer.call(torch.randn(128, 20)).shape, [128, 30]);
 * assertEquals(layer.toString(), "Linear(in_features=20, out_features=30, bias=True)");
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
 */
export class Linear<A extends Args<typeof LinearLayerArgs> = Args<typeof LinearLayerArgs>> extends Module {
  /** The number of input features: the size of the input's last dimension. */
  readonly inFeatures: number;
  /** The number of output features: the size of the output's last dimension. */
  readonly outFeatures: number;
  /** The weight W, `(outFeatures, inFeatures)`. */
  weight: Parameter;
  /** The bias b, `(outFeatures)`, or `null`. */
  bias: BiasOf<A, "2">;

  constructor(...args: A) {
    super();
    const o = linearArgs(args);
    const { inFeatures, outFeatures } = o;
    checkSizes("Linear", { inFeatures, outFeatures });
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = emptyParameter([outFeatures, inFeatures], o);
    this.bias = (o.bias ? emptyParameter([outFeatures], o) : null) as BiasOf<A, "2">;
    this.resetParameters();
  }

  /** Draws new weights and biases, uniform in ±1/√(number of input features). */
  resetParameters(): void {
    // With a = √5 the bound is 1/√fanIn.
    kaimingUniform_(this.weight, Math.sqrt(5));
    if (this.bias === null) return;
    const [fanIn] = fanInAndFanOut(this.weight);
    const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
    uniform_(this.bias, -bound, bound);
  }

  /** The output `(*, outFeatures)`: the product of the input and the transposed weight, plus the bias. */
  override forward(input: Tensor): Tensor {
    checkTensor("Linear", "input", input);
    return F.linear(input, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${python(this.bias !== null)}`;
  }
}

/** The parameters of {@linkcode Bilinear}. */
export class BilinearLayerArgs extends FactoryArgs {
  constructor(
    /** The number of features of the first input: the size of its last dimension. */
    public in1Features: number,
    /** The number of features of the second input: the size of its last dimension. */
    public in2Features: number,
    /** The number of output features: the size of the output's last dimension. */
    public outFeatures: number,
    /** Whether a learned bias is added. */
    public bias = true,
  ) {
    super();
  }
}

const bilinearArgs = call("Bilinear", BilinearLayerArgs);

/**
 * Bilinear layer: `y = x₁ᵀ A x₂ + b`.
 *
 * Shape: `(*, in1Features)` and `(*, in2Features)` to `(*, outFeatures)`.
 */
export class Bilinear<A extends Args<typeof BilinearLayerArgs> = Args<typeof BilinearLayerArgs>> extends Module {
  /** The number of features of the first input: the size of its last dimension. */
  readonly in1Features: number;
  /** The number of features of the second input: the size of its last dimension. */
  readonly in2Features: number;
  /** The number of output features: the size of the output's last dimension. */
  readonly outFeatures: number;
  /** The weight A, `(outFeatures, in1Features, in2Features)`. */
  weight: Parameter;
  /** The bias b, `(outFeatures)`, or `null`. */
  bias: BiasOf<A, "3">;

  constructor(...args: A) {
    super();
    const o = bilinearArgs(args);
    const { in1Features, in2Features, outFeatures } = o;
    checkSizes("Bilinear", { in1Features, in2Features, outFeatures });
    if (in1Features === 0) throw new ArgumentError("Bilinear(): in1Features must be positive: 0");
    this.in1Features = in1Features;
    this.in2Features = in2Features;
    this.outFeatures = outFeatures;
    this.weight = emptyParameter([outFeatures, in1Features, in2Features], o);
    this.bias = (o.bias ? emptyParameter([outFeatures], o) : null) as BiasOf<A, "3">;
    this.resetParameters();
  }

  /** Draws new weights and biases, uniform in ±1/√(number of input features). */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.in1Features);
    uniform_(this.weight, -bound, bound);
    if (this.bias !== null) uniform_(this.bias, -bound, bound);
  }

  /** The output `(*, outFeatures)`: the bilinear form of both inputs, plus the bias. */
  override forward(input1: Tensor, input2: Tensor): Tensor {
    return F.bilinear(input1, input2, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `in1_features=${this.in1Features}, in2_features=${this.in2Features}, out_features=${this.outFeatures}, ` +
      `bias=${python(this.bias !== null)}`;
  }
}
