/**
 * Products of matrices and vectors: `matmul` and its special cases, and the `add…` forms.
 *
 * Shapes are brought to batches of matrices by views; the product, its gradients and the complex case are in
 * `matmul_core.ts`, contractions named by letters in `einsum.ts`, layers' products in `linear.ts`.
 *
 * @module
 */

import { type Op, op, OutArgs } from "./op.ts";
import { autocasted, autocasting } from "../autograd/autocast.ts";
import { type Args, signature } from "../base/args.ts";
import { DTypeError, ShapeError, show } from "../base/errors.ts";
import type { ScalarLike } from "../base/scalar.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { scope } from "../tensor/scope.ts";
import { writeOut } from "./define.ts";
import { runBiased } from "./epilogue.ts";
import { addProduct, checkDims, checkProduct, conjOf, matmulOf, product, type Scales, withDim } from "./matmul_core.ts";
import { expandTo, reshapeTo, transposeTo } from "./view_core.ts";

/** The option of ops that can write into a given tensor. */
export interface OutOption {
  /** Where to write the result. */
  out?: Tensor;
}

function finish(op: string, result: Tensor, out: Tensor | undefined): Tensor {
  return out === undefined ? result : writeOut(op, out, result);
}

/** The parameters of {@linkcode matmul}. */
export class MatmulArgs extends OutArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC other */
    public other: Tensor,
  ) {
    super();
  }
}

/**
 * The matrix product of two tensors.
 *
 * Vectors take part as a row (left) or a column (right) and lose that dimension again; more than two dimensions are
 * batches, which broadcast.
 *
 * Shape: `[…, m, k]` and `[…, k, n]` to `[…, m, n]`.
 *
 * DType: one for both, any but bool; integers accumulate modulo 2^64, float16 and bfloat16 in float32.
 *
 * @param input the left operand
 * @param other the right operand
 * @throws {ShapeError} if the inner dimensions differ or batches do not broadcast
 * @throws {DTypeError} if the dtypes differ
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const a = torch.tensor([[1, 2], [3, 4]]);
 * assertEquals(await a.matmul(torch.tensor([1, 1])).tolist(), [3, 7]);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
 */
export const matmul: Op<typeof MatmulArgs> = op(
  { name: "matmul", autocast: "lower" },
  MatmulArgs,
  (input, { other, out }) => {
    checkTensor("matmul", "input", input);
    checkTensor("matmul", "other", other);
    checkProduct("matmul", [input, other]);
    return finish("matmul", matmulOf("matmul", input, other), out);
  },
);

/** The parameters of {@linkcode mm}. */
export class MmArgs extends OutArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC mat2 */
    public mat2: Tensor,
  ) {
    super();
  }
}

/**
 * The product of two matrices, without broadcasting.
 *
 * @param input `[m, k]`
 * @param mat2 `[k, n]`
 * @throws {ShapeError} unless both have two dimensions that fit
 */
export const mm: Op<typeof MmArgs> = op({ name: "mm", autocast: "lower" }, MmArgs, (input, { mat2, out }) => {
  checkDims("mm", "input", input, 2);
  checkDims("mm", "mat2", mat2, 2);
  checkProduct("mm", [input, mat2]);
  return finish("mm", product("mm", input, mat2), out);
});

/** The parameters of {@linkcode bmm}. */
export class BmmArgs extends OutArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC mat2 */
    public mat2: Tensor,
  ) {
    super();
  }
}

/**
 * Products of corresponding matrices of two batches, without broadcasting.
 *
 * @param input `[b, m, k]`
 * @param mat2 `[b, k, n]`
 * @throws {ShapeError} unless both have three dimensions that fit
 */
export const bmm: Op<typeof BmmArgs> = op({ name: "bmm", autocast: "lower" }, BmmArgs, (input, { mat2, out }) => {
  checkBatches("bmm", input, mat2);
  checkProduct("bmm", [input, mat2]);
  return finish("bmm", product("bmm", input, mat2), out);
});

function checkBatches(op: string, a: Tensor, b: Tensor): void {
  checkDims(op, "the first batch", a, 3);
  checkDims(op, "the second batch", b, 3);
  if (a.shape[0] !== b.shape[0]) {
    throw new ShapeError(`${op}(): batch sizes differ: ${show(a.shape)} and ${show(b.shape)}`);
  }
}

/** The parameters of {@linkcode mv}. */
export class MvArgs extends OutArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC vec */
    public vec: Tensor,
  ) {
    super();
  }
}

/**
 * The product of a matrix and a vector.
 *
 * @param input `[m, k]`
 * @param vec `[k]`
 */
export const mv: Op<typeof MvArgs> = op({ name: "mv", autocast: { gpu: "lower" } }, MvArgs, (input, { vec, out }) => {
  checkDims("mv", "input", input, 2);
  checkDims("mv", "vec", vec, 1);
  checkProduct("mv", [input, vec]);
  return finish("mv", matmulOf("mv", input, vec), out);
});

/** The parameters of {@linkcode dot}. */
export class DotArgs extends OutArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC tensor */
    public tensor: Tensor,
  ) {
    super();
  }
}

/**
 * The sum of products of two vectors, without conjugation.
 *
 * @param input `[n]`
 * @param tensor `[n]`
 */
export const dot: Op<typeof DotArgs> = op(
  { name: "dot", autocast: { gpu: "promote" } },
  DotArgs,
  (input, { tensor, out }) => {
    checkVectors("dot", input, tensor);
    return finish("dot", matmulOf("dot", input, tensor), out);
  },
);

/** The parameters of {@linkcode vdot}. */
export class VdotArgs extends OutArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC other */
    public other: Tensor,
  ) {
    super();
  }
}

/**
 * The sum of products of two vectors, the first one conjugated.
 *
 * @param input `[n]`
 * @param other `[n]`
 */
export const vdot: Op<typeof VdotArgs> = op(
  { name: "vdot", autocast: { gpu: "promote" } },
  VdotArgs,
  (input, { other, out }) => {
    checkVectors("vdot", input, other);
    return finish("vdot", matmulOf("vdot", conjOf(input), other), out);
  },
);

function checkVectors(op: string, a: Tensor, b: Tensor): void {
  checkDims(op, "input", a, 1);
  checkDims(op, "the second vector", b, 1);
  checkProduct(op, [a, b]);
  if (a.shape[0] !== b.shape[0]) {
    throw new ShapeError(`${op}(): vectors differ in length: ${a.shape[0]} and ${b.shape[0]}`);
  }
}

/** The parameters of {@linkcode outer}. */
export class OuterArgs extends OutArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC vec2 */
    public vec2: Tensor,
  ) {
    super();
  }
}

/**
 * The product of every element of one vector with every one of another.
 *
 * @param input `[n]`
 * @param vec2 `[m]`
 */
export const outer: Op<typeof OuterArgs> = op("outer", OuterArgs, (input, { vec2, out }) => {
  checkDims("outer", "input", input, 1);
  checkDims("outer", "vec2", vec2, 1);
  return finish("outer", withDim(input, 1).mul(vec2), out);
});

/** The parameters of {@linkcode ger}. */
export class GerArgs extends OutArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC vec2 */
    public vec2: Tensor,
  ) {
    super();
  }
}

/** Another name of {@linkcode outer}. */
export const ger: Op<typeof GerArgs> = op("ger", GerArgs, (input, { vec2, out }) => outer(input, vec2, options));

/** The parameters of {@linkcode inner}. */
export class InnerArgs extends OutArgs {
  /** Parameters that may go by position. */
  constructor(
    /** DOC other */
    public other: Tensor,
  ) {
    super();
  }
}

/**
 * Sums of products over the last dimensions of two tensors; a 0-d tensor multiplies everything.
 *
 * @param input `[…, n]`
 * @param other `[…, n]`
 */
export const inner: Op<typeof InnerArgs> = op("inner", InnerArgs, (input, { other, out }) => {
  if (autocasting.active) {
    const cpu = input.ndim > 1 || other.ndim > 1 ? "lower" : undefined;
    return autocasted({ cpu, gpu: "promote" }, inner, input, other, options);
  }
  checkTensor("inner", "input", input);
  checkTensor("inner", "other", other);
  checkProduct("inner", [input, other]);
  if (input.ndim === 0 || other.ndim === 0) return finish("inner", input.mul(other), out);
  const k = input.shape[input.ndim - 1];
  if (k !== other.shape[other.ndim - 1]) {
    throw new ShapeError(`inner(): last dimensions differ: ${show(input.shape)} and ${show(other.shape)}`);
  }
  const left = reshapeTo(input, [input.shape.slice(0, -1).reduce((x, y) => x * y, 1), k]);
  const right = reshapeTo(other, [other.shape.slice(0, -1).reduce((x, y) => x * y, 1), k]);
  const out = product("inner", left, transposeTo(right, 0, 1));
  return finish("inner", reshapeTo(out, [...input.shape.slice(0, -1), ...other.shape.slice(0, -1)]), out);
});

/** The arguments of {@linkcode addmm}. */
export type AddmmArgs = Args<Scales & { mat1: Tensor; mat2: Tensor }, ["mat1", "mat2"]>;
const addmmArgs = signature<Scales & { mat1: Tensor; mat2: Tensor }>("addmm", ["mat1", "mat2"], [
  "beta",
  "alpha",
  "out",
], 2);

/**
 * `beta · input + alpha · mat1 @ mat2`; with `beta` 0 the input is not read.
 *
 * @param input broadcasts to `[m, n]`
 * @param args `mat1` `[m, k]`, `mat2` `[k, n]`, and by name `beta`, `alpha`
 */
export function addmm(input: Tensor, ...args: AddmmArgs): Tensor {
  if (autocasting.active) return autocasted("lower", addmm, input, ...args);
  const { mat1, mat2, ...scales } = addmmArgs(args);
  checkTensor("addmm", "input", input);
  checkDims("addmm", "mat1", mat1, 2);
  checkDims("addmm", "mat2", mat2, 2);
  return finish("addmm", addProduct("addmm", "AddmmBackward0", input, mat1, mat2, scales, runBiased), scales.out);
}

/** {@linkcode addmm} written into `self`. */
export function addmm_(self: Tensor, ...args: AddmmArgs): Tensor {
  return self.copy_(addmm(self, ...args));
}

/** The arguments of {@linkcode addmv}. */
export type AddmvArgs = Args<Scales & { mat: Tensor; vec: Tensor }, ["mat", "vec"]>;
const addmvArgs = signature<Scales & { mat: Tensor; vec: Tensor }>(
  "addmv",
  ["mat", "vec"],
  ["beta", "alpha", "out"],
  2,
);

/**
 * `beta · input + alpha · mat @ vec`.
 *
 * @param input broadcasts to `[m]`
 * @param args `mat` `[m, k]`, `vec` `[k]`, and by name `beta`, `alpha`
 */
export function addmv(input: Tensor, ...args: AddmvArgs): Tensor {
  if (autocasting.active) return autocasted({ gpu: "lower" }, addmv, input, ...args);
  const { mat, vec, ...scales } = addmvArgs(args);
  checkTensor("addmv", "input", input);
  checkDims("addmv", "mat", mat, 2);
  checkDims("addmv", "vec", vec, 1);
  if (input.ndim > 1) throw new ShapeError(`addmv(): the input must have at most 1 dimension: ${show(input.shape)}`);
  const column = input.ndim === 0 ? input : withDim(input, 1);
  const out = addProduct("addmv", "AddmvBackward0", column, mat, withDim(vec, 1), scales);
  return finish("addmv", reshapeTo(out, [mat.shape[0]]), scales.out);
}

/** {@linkcode addmv} written into `self`. */
export function addmv_(self: Tensor, ...args: AddmvArgs): Tensor {
  return self.copy_(addmv(self, ...args));
}

/** The arguments of {@linkcode baddbmm} and {@linkcode addbmm}. */
export type BatchArgs = Args<Scales & { batch1: Tensor; batch2: Tensor }, ["batch1", "batch2"]>;
const batchArgs = (op: string) =>
  signature<Scales & { batch1: Tensor; batch2: Tensor }>(op, ["batch1", "batch2"], ["beta", "alpha", "out"], 2);
const baddbmmArgs = batchArgs("baddbmm");
const addbmmArgs = batchArgs("addbmm");

/**
 * `beta · input + alpha · batch1 @ batch2`, matrix by matrix.
 *
 * @param input broadcasts to `[b, m, n]`
 * @param args `batch1` `[b, m, k]`, `batch2` `[b, k, n]`, and by name `beta`, `alpha`
 */
export function baddbmm(input: Tensor, ...args: BatchArgs): Tensor {
  if (autocasting.active) return autocasted("lower", baddbmm, input, ...args);
  const { batch1, batch2, ...scales } = baddbmmArgs(args);
  checkTensor("baddbmm", "input", input);
  checkBatches("baddbmm", batch1, batch2);
  return finish("baddbmm", addProduct("baddbmm", "BaddbmmBackward0", input, batch1, batch2, scales), scales.out);
}

/** {@linkcode baddbmm} written into `self`. */
export function baddbmm_(self: Tensor, ...args: BatchArgs): Tensor {
  return self.copy_(baddbmm(self, ...args));
}

/**
 * `beta · input + alpha · Σ batch1[i] @ batch2[i]`.
 *
 * @param input broadcasts to `[m, n]`
 * @param args `batch1` `[b, m, k]`, `batch2` `[b, k, n]`, and by name `beta`, `alpha`
 */
export function addbmm(input: Tensor, ...args: BatchArgs): Tensor {
  if (autocasting.active) return autocasted("lower", addbmm, input, ...args);
  const { batch1, batch2, ...scales } = addbmmArgs(args);
  checkTensor("addbmm", "input", input);
  checkBatches("addbmm", batch1, batch2);
  const [b, m, k] = batch1.shape, n = batch2.shape[2];
  if (k !== batch2.shape[1]) return product("addbmm", batch1, batch2);
  // The sum over the batch is part of the inner dimension: [m, b·k] @ [b·k, n].
  const left = reshapeTo(transposeTo(batch1, 0, 1), [m, b * k]), right = reshapeTo(batch2, [b * k, n]);
  return finish("addbmm", addProduct("addbmm", "AddbmmBackward0", input, left, right, scales), scales.out);
}

/** {@linkcode addbmm} written into `self`. */
export function addbmm_(self: Tensor, ...args: BatchArgs): Tensor {
  return self.copy_(addbmm(self, ...args));
}

/** The arguments of {@linkcode addr}. */
export type AddrArgs = Args<Scales & { vec1: Tensor; vec2: Tensor }, ["vec1", "vec2"]>;
const addrArgs = signature<Scales & { vec1: Tensor; vec2: Tensor }>(
  "addr",
  ["vec1", "vec2"],
  ["beta", "alpha", "out"],
  2,
);

/**
 * `beta · input + alpha · vec1 ⊗ vec2`; for bool `or` and `and`.
 *
 * @param input broadcasts to `[n, m]`
 * @param args `vec1` `[n]`, `vec2` `[m]`, and by name `beta`, `alpha`
 */
export function addr(input: Tensor, ...args: AddrArgs): Tensor {
  if (autocasting.active) return autocasted({ gpu: "lower" }, addr, input, ...args);
  const { vec1, vec2, beta = 1, alpha = 1, out } = addrArgs(args);
  checkTensor("addr", "input", input);
  checkDims("addr", "vec1", vec1, 1);
  checkDims("addr", "vec2", vec2, 1);
  const shape = [vec1.shape[0], vec2.shape[0]];
  const wide = expandTo(input, shape, "addr");
  const whole = (x: Tensor) => x.dtype.kind === "integer" || x.dtype.kind === "bool";
  if (whole(input) && whole(vec1) && whole(vec2) && !(isWhole(beta) && isWhole(alpha))) {
    throw new DTypeError(
      `addr(): beta and alpha must be integers for ${input.dtype}: ${String(beta)}, ${String(alpha)}`,
    );
  }
  const result = scope(() => {
    const grid = withDim(vec1, 1).mul(vec2);
    const dtype = grid.dtype;
    const scaled = alpha === 1 ? grid : grid.mul(alpha).to(dtype);
    if (beta === 0) return scaled;
    const added = beta === 1 ? wide : wide.mul(beta).to(input.dtype);
    return scaled.add(added);
  });
  return finish("addr", result, out);
}

/** {@linkcode addr} written into `self`. */
export function addr_(self: Tensor, ...args: AddrArgs): Tensor {
  return self.copy_(addr(self, ...args));
}

function isWhole(x: ScalarLike): boolean {
  return typeof x === "number" ? Number.isInteger(x) : typeof x === "object" ? x.kind === "integer" : true;
}
