/**
 * Initial values of parameters, written in place without being recorded.
 *
 * @see https://docs.pytorch.org/docs/stable/nn.init.html
 * @module
 */

import "../ops/attach.ts";
import { noGrad } from "../autograd/mode.ts";
import { type Args, signature } from "../base/args.ts";
import { ArgumentError, ShapeError, show } from "../base/errors.ts";
import { randperm } from "../ops/random.ts";
import type { RandomOptions } from "../ops/random_core.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Which dimension a variance is preserved for: forward or backward. */
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
export interface UniformArgs extends RandomOptions {
  /** The lowest value; default 0. */
  a?: number;
  /** The bound above; default 1. */
  b?: number;
}

/** The parameters of {@linkcode normal_} after the tensor. */
export interface NormalArgs extends RandomOptions {
  /** The mean; default 0. */
  mean?: number;
  /** The standard deviation; default 1. */
  std?: number;
}

/** The parameters of {@linkcode truncNormal_} after the tensor. */
export interface TruncNormalArgs extends NormalArgs {
  /** The lowest value, not a number of standard deviations; default -2. */
  a?: number;
  /** The highest value; default 2. */
  b?: number;
}

/** The parameters of Glorot's initialisers after the tensor. */
export interface GainArgs extends RandomOptions {
  /** A factor of all values; default 1. */
  gain?: number;
}

/** The parameters of He's initialisers after the tensor. */
export interface KaimingArgs extends RandomOptions {
  /** The negative slope after the layer, for `"leaky_relu"`; default 0. */
  a?: number;
  /** Which fan; default `"fan_in"`. */
  mode?: FanMode;
  /** What follows the layer; default `"leaky_relu"`. */
  nonlinearity?: Nonlinearity;
}

/** The parameters of {@linkcode sparse_} after the tensor. */
export interface SparseArgs extends RandomOptions {
  /** The share of zeros in each column, 0 to 1. */
  sparsity: number;
  /** The standard deviation of the others; default 0.01. */
  std?: number;
}

const parseUniform = signature<UniformArgs>("uniform_", ["a", "b", "generator"]);
const parseNormal = signature<NormalArgs>("normal_", ["mean", "std", "generator"]);
const parseTruncNormal = signature<TruncNormalArgs>("truncNormal_", ["mean", "std", "a", "b", "generator"]);
const parseXavierUniform = signature<GainArgs>("xavierUniform_", ["gain", "generator"]);
const parseXavierNormal = signature<GainArgs>("xavierNormal_", ["gain", "generator"]);
const parseKaimingUniform = signature<KaimingArgs>("kaimingUniform_", ["a", "mode", "nonlinearity", "generator"]);
const parseKaimingNormal = signature<KaimingArgs>("kaimingNormal_", ["a", "mode", "nonlinearity", "generator"]);
const parseOrthogonal = signature<GainArgs>("orthogonal_", ["gain", "generator"]);
const parseSparse = signature<SparseArgs>("sparse_", ["sparsity", "std", "generator"], [], 1);

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
 * The factor by which a nonlinearity's weights are larger than those of a linear layer.
 *
 * @param nonlinearity PyTorch's name of it
 * @param param the negative slope of `"leaky_relu"`, 0.01 if missing
 * @throws {ArgumentError} if the name is unknown
 */
export function calculateGain(nonlinearity: Nonlinearity, param?: number | null): number {
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
      throw new ArgumentError(`calculateGain(): unknown nonlinearity: "${String(nonlinearity)}"`);
  }
}

function written(tensor: Tensor, write: (tensor: Tensor) => unknown): Tensor {
  noGrad(() => write(tensor));
  return tensor;
}

/**
 * Uniform values from `a` to `b`.
 *
 * @param tensor filled in place and returned
 */
export function uniform_(tensor: Tensor, ...args: Args<UniformArgs, ["a", "b", "generator"]>): Tensor {
  const { a = 0, b = 1, ...options } = parseUniform(args);
  return written(tensor, (t) => t.uniform_(a, b, options));
}

/**
 * Normal values.
 *
 * @param tensor filled in place and returned
 */
export function normal_(tensor: Tensor, ...args: Args<NormalArgs, ["mean", "std", "generator"]>): Tensor {
  const { mean = 0, std = 1, ...options } = parseNormal(args);
  return written(tensor, (t) => t.normal_(mean, std, options));
}

/**
 * Normal values, those outside `[a, b]` drawn again: the quantile function of uniform values between the bounds' ranks.
 *
 * @param tensor filled in place and returned
 */
export function truncNormal_(
  tensor: Tensor,
  ...args: Args<TruncNormalArgs, ["mean", "std", "a", "b", "generator"]>
): Tensor {
  const { mean = 0, std = 1, a = -2, b = 2, ...options } = parseTruncNormal(args);
  const below = normalCdf((a - mean) / std);
  const above = normalCdf((b - mean) / std);
  return written(tensor, (t) => {
    t.uniform_(2 * below - 1, 2 * above - 1, options);
    t.erfinv_().mul_(std * Math.SQRT2).add_(mean).clamp_(a, b);
  });
}

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
export function constant_(tensor: Tensor, val: number): Tensor {
  return written(tensor, (t) => t.fill_(val));
}

/** Fills with ones. */
export function ones_(tensor: Tensor): Tensor {
  return constant_(tensor, 1);
}

/** Fills with zeros. */
export function zeros_(tensor: Tensor): Tensor {
  return constant_(tensor, 0);
}

/**
 * Ones on the diagonal of a matrix, zeros elsewhere.
 *
 * @throws {ShapeError} if the tensor is not two-dimensional
 */
export function eye_(tensor: Tensor): Tensor {
  requireMatrix("eye_", tensor);
  return written(tensor, (t) => {
    t.zero_();
    t.diagonal().fill_(1);
  });
}

/**
 * Filters that pass their channel on unchanged.
 *
 * @param tensor the weight of a convolution in 1, 2 or 3 dimensions
 * @param groups each group of channels is passed on separately
 * @throws {ShapeError} if the tensor has other dimensions, or the groups do not divide its channels
 */
export function dirac_(tensor: Tensor, groups = 1): Tensor {
  if (tensor.ndim < 3 || tensor.ndim > 5) {
    throw new ShapeError(`dirac_(): expected a weight of 3, 4 or 5 dimensions: ${show(tensor.shape)}`);
  }
  if (tensor.shape[0] % groups !== 0) {
    throw new ShapeError(`dirac_(): dimension 0 must be divisible by groups: ${tensor.shape[0]} % ${groups}`);
  }
  const perGroup = tensor.shape[0] / groups;
  const channels = Math.min(perGroup, tensor.shape[1]);
  const centre = tensor.shape.slice(2).map((size) => Math.floor(size / 2));
  return written(tensor, (t) => {
    t.zero_();
    for (let g = 0; g < groups; g++) {
      for (let c = 0; c < channels; c++) t.setAt([g * perGroup + c, c, ...centre], 1);
    }
  });
}

/**
 * How many inputs feed an output of a weight, and how many outputs an input feeds.
 *
 * @throws {ShapeError} if the weight has fewer than two dimensions
 */
export function fanInAndFanOut(tensor: Tensor): [fanIn: number, fanOut: number] {
  if (tensor.ndim < 2) {
    throw new ShapeError(
      `fanInAndFanOut(): at least 2 dimensions are needed: ${show(tensor.shape)}`,
    );
  }
  const receptive = tensor.shape.slice(2).reduce((product, size) => product * size, 1);
  return [tensor.shape[1] * receptive, tensor.shape[0] * receptive];
}

/**
 * Glorot's initialisation: uniform with variance `gain² · 2 / (fanIn + fanOut)`.
 *
 * @see https://proceedings.mlr.press/v9/glorot10a.html
 */
export function xavierUniform_(tensor: Tensor, ...args: Args<GainArgs, ["gain", "generator"]>): Tensor {
  const { gain = 1, generator } = parseXavierUniform(args);
  const [fanIn, fanOut] = fanInAndFanOut(tensor);
  const bound = Math.sqrt(3) * gain * Math.sqrt(2 / (fanIn + fanOut));
  return uniform_(tensor, -bound, bound, { generator });
}

/**
 * Glorot's initialisation with normal values.
 *
 * @see https://proceedings.mlr.press/v9/glorot10a.html
 */
export function xavierNormal_(tensor: Tensor, ...args: Args<GainArgs, ["gain", "generator"]>): Tensor {
  const { gain = 1, generator } = parseXavierNormal(args);
  const [fanIn, fanOut] = fanInAndFanOut(tensor);
  return normal_(tensor, 0, gain * Math.sqrt(2 / (fanIn + fanOut)), { generator });
}

function kaimingStd(op: string, tensor: Tensor, args: KaimingArgs): number {
  const { a = 0, mode = "fan_in", nonlinearity = "leaky_relu" } = args;
  if (mode !== "fan_in" && mode !== "fan_out") {
    throw new ArgumentError(`${op}(): mode must be "fan_in" or "fan_out": "${String(mode)}"`);
  }
  const fan = fanInAndFanOut(tensor)[mode === "fan_in" ? 0 : 1];
  return calculateGain(nonlinearity, a) / Math.sqrt(fan);
}

/**
 * He's initialisation: uniform with variance `gain² / fan`.
 *
 * @see https://arxiv.org/abs/1502.01852
 */
export function kaimingUniform_(
  tensor: Tensor,
  ...args: Args<KaimingArgs, ["a", "mode", "nonlinearity", "generator"]>
): Tensor {
  const options = parseKaimingUniform(args);
  if (tensor.numel() === 0) return tensor;
  const bound = Math.sqrt(3) * kaimingStd("kaimingUniform_", tensor, options);
  return uniform_(tensor, -bound, bound, { generator: options.generator });
}

/**
 * He's initialisation with normal values.
 *
 * @see https://arxiv.org/abs/1502.01852
 */
export function kaimingNormal_(
  tensor: Tensor,
  ...args: Args<KaimingArgs, ["a", "mode", "nonlinearity", "generator"]>
): Tensor {
  const options = parseKaimingNormal(args);
  if (tensor.numel() === 0) return tensor;
  return normal_(tensor, 0, kaimingStd("kaimingNormal_", tensor, options), { generator: options.generator });
}

/**
 * A matrix with orthonormal rows or columns, whichever are fewer; further dimensions count as columns.
 *
 * Gram and Schmidt's process on normal values, whose triangular factor has a positive diagonal: the result is uniform
 * among all such matrices.
 *
 * @throws {ShapeError} if the tensor has fewer than two dimensions
 * @see https://arxiv.org/abs/1312.6120
 */
export function orthogonal_(tensor: Tensor, ...args: Args<GainArgs, ["gain", "generator"]>): Tensor {
  const { gain = 1, ...options } = parseOrthogonal(args);
  if (tensor.ndim < 2) {
    throw new ShapeError(`orthogonal_(): expected at least 2 dimensions: ${show(tensor.shape)}`);
  }
  if (tensor.numel() === 0) return tensor;
  const rows = tensor.shape[0], columns = tensor.numel() / rows;
  const [long, short] = [Math.max(rows, columns), Math.min(rows, columns)];
  return written(tensor, (t) =>
    scope(() => {
      const basis = t.detach().newEmpty([short, long]).normal_(0, 1, options); // one vector per row
      for (let k = 0; k < short; k++) {
        const vector = basis.select(0, k);
        const before = basis.narrow(0, 0, k);
        // The second pass takes out what rounding left of the first.
        for (let pass = 0; pass < 2 && k > 0; pass++) vector.sub_(before.t().mv(before.mv(vector)));
        vector.div_(vector.norm());
      }
      t.copy_((rows < columns ? basis : basis.t()).reshape(t.shape)).mul_(gain);
    }));
}

/**
 * Normal values with a share of each column set to zero.
 *
 * @throws {ShapeError} if the tensor is not two-dimensional
 */
export function sparse_(tensor: Tensor, ...args: Args<SparseArgs, ["sparsity", "std", "generator"]>): Tensor {
  const { sparsity, std = 0.01, ...options } = parseSparse(args);
  requireMatrix("sparse_", tensor);
  const [rows, columns] = tensor.shape;
  const zeros = Math.ceil(sparsity * rows);
  return written(tensor, (t) => {
    t.normal_(0, std, options);
    for (let column = 0; column < columns; column++) {
      const chosen = randperm(rows, { ...options, device: tensor.device }).narrow(0, 0, zeros);
      t.select(1, column).indexFill_(0, chosen, 0);
    }
  });
}

function requireMatrix(op: string, tensor: Tensor): void {
  if (tensor.ndim !== 2) throw new ShapeError(`${op}(): expected a matrix: ${show(tensor.shape)}`);
}
