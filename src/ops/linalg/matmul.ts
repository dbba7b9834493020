/**
 * Products of matrices and vectors: `matmul` and its special cases, and the `add…` forms.
 *
 * Shapes are brought to batches of matrices by views; the product, its gradients and the complex case are in
 * `matmul_core.ts`, contractions named by letters in `einsum.ts`, layers' products in `linear.ts`.
 *
 * @module
 */

import { type Op, op, OutArgs } from "../core/op.ts";
import { autocasted, autocasting } from "../../autograd/autocast.ts";
import type { Params } from "../../base/call.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../../base/errors.ts";
import type { ScalarLike } from "../../base/scalar.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { writeOut } from "../core/define.ts";
import { runBiased } from "../core/epilogue.ts";
import { addProduct, checkDims, checkProduct, conjOf, matmulOf, product, withDim } from "./matmul_core.ts";
import { expandTo, reshapeTo, transposeTo } from "../core/view_core.ts";
import { roundedOnce } from "../core/wide.ts";

/** The parameters of {@linkcode matmul}, {@linkcode vdot} and {@linkcode inner}. */
export class MatmulArgs extends OutArgs {
  constructor(
    /** The right operand. */
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
 * @throws {ShapeError} if the inner dimensions differ or batches do not broadcast
 * @throws {DTypeError} if the dtypes differ
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
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
    checkTensor("matmul", "other", other);
    checkProduct("matmul", [input, other]);
    return writeOut("matmul", out, matmulOf("matmul", input, other));
  },
);

/** The parameters of {@linkcode mm} and {@linkcode bmm}. */
export class MmArgs extends OutArgs {
  constructor(
    /** The right matrix, or batch of matrices. */
    public mat2: Tensor,
  ) {
    super();
  }
}

/**
 * The product of two matrices, without broadcasting.
 *
 * @param input `[m, k]`; the other matrix is `[k, n]`
 * @throws {ShapeError} unless both have two dimensions that fit
 */
export const mm: Op<typeof MmArgs> = op({ name: "mm", autocast: "lower" }, MmArgs, (input, { mat2, out }) => {
  checkDims("mm", "input", input, 2);
  checkDims("mm", "mat2", mat2, 2);
  checkProduct("mm", [input, mat2]);
  return writeOut("mm", out, product("mm", input, mat2));
});

/**
 * Products of corresponding matrices of two batches, without broadcasting.
 *
 * @param input `[b, m, k]`; the other batch is `[b, k, n]`
 * @throws {ShapeError} unless both have three dimensions that fit
 */
export const bmm: Op<typeof MmArgs> = op({ name: "bmm", autocast: "lower" }, MmArgs, (input, { mat2, out }) => {
  checkBatches("bmm", input, mat2);
  checkProduct("bmm", [input, mat2]);
  return writeOut("bmm", out, product("bmm", input, mat2));
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
  constructor(
    /** The vector, `[k]`. */
    public vec: Tensor,
  ) {
    super();
  }
}

/**
 * The product of a matrix and a vector.
 *
 * @param input `[m, k]`
 */
export const mv: Op<typeof MvArgs> = op({ name: "mv", autocast: { gpu: "lower" } }, MvArgs, (input, { vec, out }) => {
  checkDims("mv", "input", input, 2);
  checkDims("mv", "vec", vec, 1);
  checkProduct("mv", [input, vec]);
  return writeOut("mv", out, matmulOf("mv", input, vec));
});

/** The parameters of {@linkcode dot}. */
export class DotArgs extends OutArgs {
  constructor(
    /** The other vector, `[n]`. */
    public tensor: Tensor,
  ) {
    super();
  }
}

/**
 * The sum of products of two vectors, without conjugation.
 *
 * @param input `[n]`
 */
export const dot: Op<typeof DotArgs> = op(
  { name: "dot", autocast: { gpu: "promote" } },
  DotArgs,
  (input, { tensor, out }) => {
    checkVectors("dot", input, tensor);
    return writeOut("dot", out, matmulOf("dot", input, tensor));
  },
);

/**
 * The sum of products of two vectors, the first one conjugated.
 *
 * @param input `[n]`
 */
export const vdot: Op<typeof MatmulArgs> = op(
  { name: "vdot", autocast: { gpu: "promote" } },
  MatmulArgs,
  (input, { other, out }) => {
    checkVectors("vdot", input, other);
    return writeOut("vdot", out, matmulOf("vdot", conjOf(input), other));
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

/** The parameters of {@linkcode outer} and {@linkcode ger}. */
export class OuterArgs extends OutArgs {
  constructor(
    /** The other vector, `[m]`. */
    public vec2: Tensor,
  ) {
    super();
  }
}

/**
 * The product of every element of one vector with every one of another.
 *
 * @param input `[n]`
 */
export const outer: Op<typeof OuterArgs> = op(
  "outer",
  OuterArgs,
  (input, { vec2, out }) => outerOf("outer", input, vec2, out),
);

function outerOf(op: string, input: Tensor, vec2: Tensor, out: Tensor | null): Tensor {
  checkDims(op, "input", input, 1);
  checkDims(op, "vec2", vec2, 1);
  return writeOut(op, out, withDim(input, 1).mul(vec2));
}

/** Another name of {@linkcode outer}. */
export const ger: Op<typeof OuterArgs> = op(
  "ger",
  OuterArgs,
  (input, { vec2, out }) => outerOf("ger", input, vec2, out),
);

/**
 * Sums of products over the last dimensions of two tensors; a 0-d tensor multiplies everything.
 *
 * @param input `[…, n]`; the other tensor too
 */
export const inner: Op<typeof MatmulArgs> = op("inner", MatmulArgs, (input, { other, out }) => {
  checkTensor("inner", "other", other);
  if (autocasting.active && out === null) {
    const cpu = input.ndim > 1 || other.ndim > 1 ? "lower" : undefined;
    return autocasted({ cpu, gpu: "promote" }, inner, input, other);
  }
  checkProduct("inner", [input, other]);
  if (input.ndim === 0 || other.ndim === 0) return writeOut("inner", out, input.mul(other));
  const k = input.shape[input.ndim - 1];
  if (k !== other.shape[other.ndim - 1]) {
    throw new ShapeError(`inner(): last dimensions differ: ${show(input.shape)} and ${show(other.shape)}`);
  }
  const left = reshapeTo(input, [input.shape.slice(0, -1).reduce((x, y) => x * y, 1), k]);
  const right = reshapeTo(other, [other.shape.slice(0, -1).reduce((x, y) => x * y, 1), k]);
  const result = product("inner", left, transposeTo(right, 0, 1));
  return writeOut("inner", out, reshapeTo(result, [...input.shape.slice(0, -1), ...other.shape.slice(0, -1)]));
});

/** The parameters of the `add…` products that go by name. */
export class ScaledArgs extends OutArgs {
  /** Factor of the input; with 0 it is not read. */
  beta: ScalarLike = 1;
  /** Factor of the product. */
  alpha: ScalarLike = 1;
}

/** The form of an `add…` product that writes its result into the tensor. */
function inPlaceOf<C extends Params>(name: string, params: C, form: Op<C>): Op<C> {
  const plain = form as unknown as (input: Tensor, named: object) => Tensor;
  return op(name, params, (self, o) => {
    const { out, ...named } = o as unknown as ScaledArgs;
    if (out !== null) throw new ArgumentError(`${name}(): unknown argument: "out"; the result goes into the tensor`);
    return self.copy_(plain(self, named));
  });
}

/** The parameters of {@linkcode addmm}. */
export class AddmmArgs extends ScaledArgs {
  constructor(
    /** `[m, k]`. */
    public mat1: Tensor,
    /** `[k, n]`. */
    public mat2: Tensor,
  ) {
    super();
  }
}

/**
 * `beta · input + alpha · mat1 @ mat2`; with `beta` 0 the input is not read.
 *
 * @param input broadcasts to `[m, n]`
 */
export const addmm: Op<typeof AddmmArgs> = op({ name: "addmm", autocast: "lower" }, AddmmArgs, (input, o) => {
  const { mat1, mat2 } = o;
  checkDims("addmm", "mat1", mat1, 2);
  checkDims("addmm", "mat2", mat2, 2);
  return writeOut("addmm", o.out, addProduct("addmm", "AddmmBackward0", input, mat1, mat2, o, runBiased));
});

/** {@linkcode addmm} written into the tensor. */
export const addmm_: Op<typeof AddmmArgs> = inPlaceOf("addmm_", AddmmArgs, addmm);

/** The parameters of {@linkcode addmv}. */
export class AddmvArgs extends ScaledArgs {
  constructor(
    /** `[m, k]`. */
    public mat: Tensor,
    /** `[k]`. */
    public vec: Tensor,
  ) {
    super();
  }
}

/**
 * `beta · input + alpha · mat @ vec`.
 *
 * @param input broadcasts to `[m]`
 */
export const addmv: Op<typeof AddmvArgs> = op({ name: "addmv", autocast: { gpu: "lower" } }, AddmvArgs, (input, o) => {
  const { mat, vec } = o;
  checkDims("addmv", "mat", mat, 2);
  checkDims("addmv", "vec", vec, 1);
  if (input.ndim > 1) throw new ShapeError(`addmv(): the input must have at most 1 dimension: ${show(input.shape)}`);
  const column = input.ndim === 0 ? input : withDim(input, 1);
  const result = addProduct("addmv", "AddmvBackward0", column, mat, withDim(vec, 1), o);
  return writeOut("addmv", o.out, reshapeTo(result, [mat.shape[0]]));
});

/** {@linkcode addmv} written into the tensor. */
export const addmv_: Op<typeof AddmvArgs> = inPlaceOf("addmv_", AddmvArgs, addmv);

/** The parameters of {@linkcode baddbmm} and {@linkcode addbmm}. */
export class BaddbmmArgs extends ScaledArgs {
  constructor(
    /** `[b, m, k]`. */
    public batch1: Tensor,
    /** `[b, k, n]`. */
    public batch2: Tensor,
  ) {
    super();
  }
}

/**
 * `beta · input + alpha · batch1 @ batch2`, matrix by matrix.
 *
 * @param input broadcasts to `[b, m, n]`
 */
export const baddbmm: Op<typeof BaddbmmArgs> = op({ name: "baddbmm", autocast: "lower" }, BaddbmmArgs, (input, o) => {
  checkBatches("baddbmm", o.batch1, o.batch2);
  return writeOut("baddbmm", o.out, addProduct("baddbmm", "BaddbmmBackward0", input, o.batch1, o.batch2, o));
});

/** {@linkcode baddbmm} written into the tensor. */
export const baddbmm_: Op<typeof BaddbmmArgs> = inPlaceOf("baddbmm_", BaddbmmArgs, baddbmm);

/**
 * `beta · input + alpha · Σ batch1[i] @ batch2[i]`.
 *
 * @param input broadcasts to `[m, n]`
 */
export const addbmm: Op<typeof BaddbmmArgs> = op({ name: "addbmm", autocast: "lower" }, BaddbmmArgs, (input, o) => {
  const { batch1, batch2 } = o;
  checkBatches("addbmm", batch1, batch2);
  const [b, m, k] = batch1.shape, n = batch2.shape[2];
  if (k !== batch2.shape[1]) return product("addbmm", batch1, batch2);
  // The sum over the batch is part of the inner dimension: [m, b·k] @ [b·k, n].
  const left = reshapeTo(transposeTo(batch1, 0, 1), [m, b * k]), right = reshapeTo(batch2, [b * k, n]);
  return writeOut("addbmm", o.out, addProduct("addbmm", "AddbmmBackward0", input, left, right, o));
});

/** {@linkcode addbmm} written into the tensor. */
export const addbmm_: Op<typeof BaddbmmArgs> = inPlaceOf("addbmm_", BaddbmmArgs, addbmm);

/** The parameters of {@linkcode addr}. */
export class AddrArgs extends ScaledArgs {
  constructor(
    /** `[n]`. */
    public vec1: Tensor,
    /** `[m]`. */
    public vec2: Tensor,
  ) {
    super();
  }
}

/**
 * `beta · input + alpha · vec1 ⊗ vec2`; for bool `or` and `and`.
 *
 * @param input broadcasts to `[n, m]`
 */
export const addr: Op<typeof AddrArgs> = op({ name: "addr", autocast: { gpu: "lower" } }, AddrArgs, (input, o) => {
  const { vec1, vec2, beta, alpha, out } = o;
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
  const result = roundedOnce([wide, vec1, vec2], (wide, vec1, vec2) => {
    const grid = withDim(vec1, 1).mul(vec2);
    const scaled = alpha === 1 ? grid : grid.mul(alpha).to(grid.dtype);
    if (beta === 0) return scaled;
    const added = beta === 1 ? wide : wide.mul(beta).to(wide.dtype);
    return scaled.add(added);
  });
  return writeOut("addr", out, result);
});

/** {@linkcode addr} written into the tensor. */
export const addr_: Op<typeof AddrArgs> = inPlaceOf("addr_", AddrArgs, addr);

function isWhole(x: ScalarLike): boolean {
  return typeof x === "number" ? Number.isInteger(x) : typeof x === "object" ? x.kind === "integer" : true;
}
