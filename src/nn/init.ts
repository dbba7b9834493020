/**
 * Initial values of parameters, written in place without being recorded; each function returns its tensor.
 *
 * @see https://docs.pytorch.org/docs/stable/nn.init.html
 * @module
 */

import "../ops/attach.ts";
import { withGrad } from "../autograd/mode.ts";
import { type Func, func, NoArgs } from "../base/call.ts";
import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import type { Generator } from "../base/generator.ts";
import { type Fn, fn } from "../ops/core/op.ts";
import { randperm } from "../ops/create/random.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The pass whose variance the initial weights preserve: `"fan_in"` forward, `"fan_out"` backward. */
export type FanMode = "fan_in" | "fan_out";

/** Names that {@linkcode calculateGain} knows. */
export type Nonlinearity =
  | "linear"
  | "conv1d"
  | "conv2d"
  | "conv3d"
  | "conv_transpose1d"
  | "conv_transpose2d"
  | "conv_transpose3d"
  | "sigmoid"
  | "tanh"
  | "relu"
  | "leaky_relu"
  | "selu";

/** The parameters of {@linkcode uniform_} after the tensor. */
export class UniformInitArgs {
  constructor(
    /** The lower bound of the values. */
    public a = 0,
    /** The upper bound of the values, excluded. */
    public b = 1,
    /** The random number generator; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode normal_} after the tensor. */
export class NormalInitArgs {
  constructor(
    /** The mean. */
    public mean = 0,
    /** The standard deviation. */
    public std = 1,
    /** The random number generator; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode truncNormal_} after the tensor. */
export class TruncNormalInitArgs {
  constructor(
    /** The mean. */
    public mean = 0,
    /** The standard deviation. */
    public std = 1,
    /** The lower bound of the values (not a number of standard deviations). */
    public a: number = -2,
    /** The upper bound of the values. */
    public b = 2,
    /** The random number generator; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of Glorot's initialisers and of {@linkcode orthogonal_} after the tensor. */
export class GainArgs {
  constructor(
    /** The gain: a factor of the standard deviation, see {@linkcode calculateGain}. */
    public gain = 1,
    /** The random number generator; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of He's initialisers after the tensor. */
export class KaimingArgs {
  constructor(
    /** The negative slope of the activation that follows, for `"leaky_relu"`. */
    public a = 0,
    /** Whether the variance of the forward (`"fan_in"`) or of the backward pass (`"fan_out"`) is preserved. */
    public mode: FanMode = "fan_in",
    /** PyTorch's name of the activation that follows. */
    public nonlinearity: Nonlinearity = "leaky_relu",
    /** The random number generator; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode sparse_} after the tensor. */
export class SparseInitArgs {
  constructor(
    /** The fraction of zeros in each column, from 0 to 1. */
    public sparsity: number,
    /** The standard deviation of the values that are not zero. */
    public std = 0.01,
    /** The random number generator; `null`: the default one. */
    public generator: Generator | null = null,
  ) {}
}

/** The parameters of {@linkcode constant_} after the tensor. */
export class ConstantInitArgs {
  constructor(
    /** The value. */
    public val: number,
  ) {}
}

/** The parameters of {@linkcode dirac_} after the tensor. */
export class DiracArgs {
  constructor(
    /** The number of groups of the convolution. */
    public groups = 1,
  ) {}
}

/** The parameters of {@linkcode calculateGain}. */
export class GainOfArgs {
  constructor(
    /** PyTorch's name of the nonlinearity. */
    public nonlinearity: Nonlinearity,
    /** The negative slope of `"leaky_relu"`; `null`: 0.01. */
    public param: number | null = null,
  ) {}
}

const LINEAR: ReadonlySet<string> = new Set([
  "linear",
  "conv1d",
  "conv2d",
  "conv3d",
  "conv_transpose1d",
  "conv_transpose2d",
  "conv_transpose3d",
  "sigmoid",
]);

/**
 * The gain of a nonlinearity: the factor of the weights' standard deviation, compared with a linear layer.
 *
 * @throws {ArgumentError} if the name is unknown
 */
export const calculateGain: Func<typeof GainOfArgs, number> = func(
  "calculateGain",
  GainOfArgs,
  ({ nonlinearity, param }) => {
    if (param !== null && typeof param !== "number") {
      throw new ArgumentError(`calculateGain(): param must be a number: ${describe(param)}`);
    }
    if (LINEAR.has(nonlinearity)) return 1;
    switch (nonlinearity) {
      case "tanh":
        return 5 / 3;
      case "relu":
        return Math.sqrt(2);
      case "leaky_relu":
        return Math.sqrt(2 / (1 + (param ?? 0.01) ** 2));
      case "selu":
        return 3 / 4;
      default:
        throw new ArgumentError(`calculateGain(): unknown nonlinearity: ${describe(nonlinearity)}`);
    }
  },
);

function written(tensor: Tensor, write: (tensor: Tensor) => unknown): Tensor {
  withGrad(false, () => write(tensor));
  return tensor;
}

/** Fills with values from the uniform distribution over [`a`, `b`). */
export const uniform_: Fn<typeof UniformInitArgs> = fn("uniform_", UniformInitArgs, (tensor, { a, b, generator }) => {
  return written(tensor, (t) => t.uniform_(a, b, { generator }));
});

/** Fills with values from the normal distribution. */
export const normal_: Fn<typeof NormalInitArgs> = fn("normal_", NormalInitArgs, (tensor, { mean, std, generator }) => {
  return written(tensor, (t) => t.normal_(mean, std, { generator }));
});

/** Fills with values from the normal distribution truncated to [`a`, `b`]: its quantile function of uniform values. */
export const truncNormal_: Fn<typeof TruncNormalInitArgs> = fn(
  "truncNormal_",
  TruncNormalInitArgs,
  (tensor, { mean, std, a, b, generator }) => {
    const below = normalCdf((a - mean) / std);
    const above = normalCdf((b - mean) / std);
    return written(tensor, (t) => {
      t.uniform_(2 * below - 1, 2 * above - 1, { generator });
      t.erfinv_().mul_(std * Math.SQRT2).add_(mean).clamp_(a, b);
    });
  },
);

/** The standard normal distribution function, by the series of erf; 1e-15 for the few standard deviations used here. */
function normalCdf(x: number): number {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
  // Φ(x) = 1/2 + φ(x) · (x + x³/3 + x⁵/(3·5) + …)
  let term = x, sum = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

/** Fills with one value. */
export const constant_: Fn<typeof ConstantInitArgs> = fn(
  "constant_",
  ConstantInitArgs,
  (tensor, { val }) => written(tensor, (t) => t.fill_(val)),
);

/** Fills with ones. */
export const ones_: Fn<typeof NoArgs> = fn("ones_", NoArgs, (tensor) => constant_(tensor, 1));

/** Fills with zeros. */
export const zeros_: Fn<typeof NoArgs> = fn("zeros_", NoArgs, (tensor) => constant_(tensor, 0));

/**
 * Fills a matrix with the identity: ones on the diagonal, zeros elsewhere.
 *
 * @throws {ShapeError} if the tensor is not two-dimensional
 */
export const eye_: Fn<typeof NoArgs> = fn("eye_", NoArgs, (tensor) => {
  requireMatrix("eye_", tensor);
  return written(tensor, (t) => {
    t.zero_();
    t.diagonal().fill_(1);
  });
});

/**
 * Dirac initialisation: fills the weight of a convolution in 1, 2 or 3 dimensions with filters that copy their channel.
 *
 * @throws {ShapeError} if the tensor has other dimensions, or the groups do not divide its channels
 */
export const dirac_: Fn<typeof DiracArgs> = fn("dirac_", DiracArgs, (tensor, { groups }) => {
  if (tensor.ndim < 3 || tensor.ndim > 5) {
    throw new ShapeError(`dirac_(): expected a weight of 3, 4 or 5 dimensions: ${show(tensor.shape)}`);
  }
  if (tensor.shape[0] % groups !== 0) {
    throw new ShapeError(`dirac_(): dimension 0 must be divisible by groups: ${tensor.shape[0]} % ${describe(groups)}`);
  }
  const perGroup = tensor.shape[0] / groups;
  const channels = Math.min(perGroup, tensor.shape[1]);
  const centre = tensor.shape.slice(2).map((size) => Math.floor(size / 2));
  return written(tensor, (t) => {
    t.zero_();
    for (let g = 0; g < groups; g++) {
      for (let c = 0; c < channels; c++) t.setAt(g * perGroup + c, c, ...centre, 1);
    }
  });
});

/**
 * The fans of a weight: how many inputs an output is computed from, and how many outputs an input goes into.
 *
 * @throws {ShapeError} if the weight has fewer than two dimensions
 */
export const fanInAndFanOut: Fn<typeof NoArgs, [fanIn: number, fanOut: number]> = fn(
  "fanInAndFanOut",
  NoArgs,
  (tensor) => fans("fanInAndFanOut", tensor),
);

function fans(op: string, tensor: Tensor): [fanIn: number, fanOut: number] {
  if (tensor.ndim < 2) throw new ShapeError(`${op}(): at least 2 dimensions are needed: ${show(tensor.shape)}`);
  const receptive = tensor.shape.slice(2).reduce((product, size) => product * size, 1);
  return [tensor.shape[1] * receptive, tensor.shape[0] * receptive];
}

/**
 * Glorot (Xavier) initialisation: uniform values with variance `gain² · 2 / (fanIn + fanOut)`.
 *
 * @see https://proceedings.mlr.press/v9/glorot10a.html
 */
export const xavierUniform_: Fn<typeof GainArgs> = fn("xavierUniform_", GainArgs, (tensor, { gain, generator }) => {
  const [fanIn, fanOut] = fans("xavierUniform_", tensor);
  const bound = Math.sqrt(3) * gain * Math.sqrt(2 / (fanIn + fanOut));
  return uniform_(tensor, -bound, bound, { generator });
});

/**
 * Glorot (Xavier) initialisation: normal values with variance `gain² · 2 / (fanIn + fanOut)`.
 *
 * @see https://proceedings.mlr.press/v9/glorot10a.html
 */
export const xavierNormal_: Fn<typeof GainArgs> = fn("xavierNormal_", GainArgs, (tensor, { gain, generator }) => {
  const [fanIn, fanOut] = fans("xavierNormal_", tensor);
  return normal_(tensor, 0, gain * Math.sqrt(2 / (fanIn + fanOut)), { generator });
});

function kaimingStd(op: string, tensor: Tensor, { a, mode, nonlinearity }: Readonly<KaimingArgs>): number {
  if (mode !== "fan_in" && mode !== "fan_out") {
    throw new ArgumentError(`${op}(): mode must be "fan_in" or "fan_out": ${describe(mode)}`);
  }
  const fan = fans(op, tensor)[mode === "fan_in" ? 0 : 1];
  return calculateGain(nonlinearity, a) / Math.sqrt(fan);
}

/**
 * He (Kaiming) initialisation: uniform values with variance `gain² / fan`.
 *
 * @see https://arxiv.org/abs/1502.01852
 */
export const kaimingUniform_: Fn<typeof KaimingArgs> = fn("kaimingUniform_", KaimingArgs, (tensor, o) => {
  if (tensor.numel() === 0) return tensor;
  const bound = Math.sqrt(3) * kaimingStd("kaimingUniform_", tensor, o);
  return uniform_(tensor, -bound, bound, { generator: o.generator });
});

/**
 * He (Kaiming) initialisation: normal values with variance `gain² / fan`.
 *
 * @see https://arxiv.org/abs/1502.01852
 */
export const kaimingNormal_: Fn<typeof KaimingArgs> = fn("kaimingNormal_", KaimingArgs, (tensor, o) => {
  if (tensor.numel() === 0) return tensor;
  return normal_(tensor, 0, kaimingStd("kaimingNormal_", tensor, o), { generator: o.generator });
});

/**
 * Orthogonal initialisation: fills with a matrix whose rows or columns, whichever are fewer, are orthonormal, times
 * `gain`; further dimensions count as columns.
 *
 * It is the orthogonal factor of a QR decomposition of normal values, by Gram and Schmidt's process. The triangular
 * factor has a positive diagonal, so the result is uniformly distributed over all such matrices.
 *
 * @throws {ShapeError} if the tensor has fewer than two dimensions
 * @see https://arxiv.org/abs/1312.6120
 */
export const orthogonal_: Fn<typeof GainArgs> = fn("orthogonal_", GainArgs, (tensor, { gain, generator }) => {
  if (tensor.ndim < 2) {
    throw new ShapeError(`orthogonal_(): expected at least 2 dimensions: ${show(tensor.shape)}`);
  }
  if (tensor.numel() === 0) return tensor;
  const rows = tensor.shape[0], columns = tensor.numel() / rows;
  const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)];
  return written(tensor, (t) =>
    scope(() => {
      const basis = t.detach().newEmpty([short, long]).normal_(0, 1, { generator }); // one vector per row
      for (let k = 0; k < short; k++) {
        const vector = basis.select(0, k);
        const before = basis.narrow(0, 0, k);
        // A second orthogonalisation removes the rounding errors of the first.
        for (let pass = 0; pass < 2 && k > 0; pass++) vector.sub_(before.t().mv(before.mv(vector)));
        vector.div_(vector.norm());
      }
      t.copy_((rows < columns ? basis : basis.t()).reshape(t.shape)).mul_(gain);
    }));
});

/**
 * Sparse initialisation: normal values, of which a fraction of each column is set to zero.
 *
 * @throws {ShapeError} if the tensor is not two-dimensional
 */
export const sparse_: Fn<typeof SparseInitArgs> = fn(
  "sparse_",
  SparseInitArgs,
  (tensor, { sparsity, std, generator }) => {
    requireMatrix("sparse_", tensor);
    const [rows, columns] = tensor.shape;
    const zeros = Math.ceil(sparsity * rows);
    return written(tensor, (t) => {
      t.normal_(0, std, { generator });
      for (let column = 0; column < columns; column++) {
        const chosen = randperm(rows, { generator, device: tensor.device }).narrow(0, 0, zeros);
        t.select(1, column).indexFill_(0, chosen, 0);
      }
    });
  },
);

function requireMatrix(op: string, tensor: Tensor): void {
  if (tensor.ndim !== 2) throw new ShapeError(`${op}(): expected a matrix: ${show(tensor.shape)}`);
}
