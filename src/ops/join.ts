/**
 * Joining and repeating tensors: cat, stack and their relatives, repeat, tile, meshgrid, kron.
 *
 * Only `cat` copies; the others are views around it. Rearranging a single tensor (roll, flip, tril, diag) is in
 * `arrange.ts`.
 *
 * @module
 */

import { autocasted, autocasting } from "../autograd/autocast.ts";
import { record } from "../autograd/record.ts";
import { type Args, isPlainObject, signature } from "../base/args.ts";
import { type DType, resultType } from "../base/dtype.ts";
import { checkCount } from "../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { broadcastShapes, numelOf, wrapDim } from "../base/shape.ts";
import { channelsLastStrides, prefersChannelsLast } from "../base/layout.ts";
import { emptyLikeDevice, emptyWithStrides } from "../tensor/create.ts";
import { scope } from "../tensor/scope.ts";
import { checkTensor, Tensor } from "../tensor/tensor.ts";
import { arange } from "./ranges.ts";
import { writeOut } from "./define.ts";
import { checkOperands } from "./kernel.ts";
import { expandTo, permuteTo, placed, reshapeTo, type Sizes, sizesOf, sliceAt, unrecorded } from "./view_core.ts";

/** Several tensors, as an array or spread. */
export type TensorList = readonly [readonly Tensor[]] | readonly Tensor[];

/** Reads {@linkcode TensorList}, with options last if there are any. */
function listOf(op: string, args: readonly unknown[]): Tensor[] {
  const list = args.length === 1 && Array.isArray(args[0]) ? args[0] as unknown[] : args;
  for (const x of list) {
    if (!(x instanceof Tensor)) throw new ArgumentError(`${op}(): expected tensors: ${describe(x)}`);
  }
  return list as Tensor[];
}

function nonEmpty(op: string, tensors: readonly Tensor[]): readonly Tensor[] {
  if (!Array.isArray(tensors)) throw new ArgumentError(`${op}(): expected an array of tensors: ${describe(tensors)}`);
  if (tensors.length === 0) throw new ArgumentError(`${op}(): at least one tensor is needed: []`);
  return listOf(op, tensors);
}

/** The dtype that tensors promote to. */
function commonDtype(tensors: readonly Tensor[]): DType {
  return resultType(
    tensors.filter((x) => x.ndim > 0).map((x) => x.dtype),
    tensors.filter((x) => x.ndim === 0).map((x) => x.dtype),
    [],
  );
}

/** A gradient in the dtype of the tensor it belongs to. */
function gradientAs(grad: Tensor, dtype: DType): Tensor {
  if (grad.dtype === dtype) return grad;
  return (grad.dtype.isComplex && !dtype.isComplex ? grad.real : grad).to(dtype);
}

/** The parameters of {@linkcode cat}. */
export interface CatArgs {
  /** The dimension along which they are joined; default 0. */
  dim?: number;
  /** Where to write the result. */
  out?: Tensor;
}
const catArgs = signature<CatArgs>("cat", ["dim"], ["out"]);

/**
 * Joins tensors along a dimension. Dtypes promote; empty 1-d tensors are skipped, as in PyTorch.
 *
 * Shape: all the same but for `dim`.
 *
 * @param tensors at least one
 * @throws {ShapeError} if other dimensions differ
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.ones(2, 3);
 * assertEquals(torch.cat([x, x], 1).shape, [2, 6]);
 * ```
 */
export function cat(tensors: readonly Tensor[], ...args: Args<CatArgs, ["dim"]>): Tensor {
  if (autocasting.active) return autocasted({ cpu: "promote" }, cat, tensors, ...args);
  const { dim = 0, out } = catArgs(args);
  const list = nonEmpty("cat", tensors);
  checkOperands("cat", list);
  const joined = list.filter((x) => !(x.ndim === 1 && x.shape[0] === 0));
  const first = joined[0] ?? list[0];
  if (first.ndim === 0) throw new ShapeError("cat(): 0-d tensors cannot be joined; use stack()");
  const d = wrapDim("cat", dim, first.ndim);
  const shape = [...first.shape];
  for (const x of joined.slice(1)) shape[d] += checkJoins(x, first, d);
  const dtype = commonDtype(list);
  const result = joined.length > 0 && joined.every(prefersChannelsLast)
    ? emptyWithStrides("cat", shape, channelsLastStrides(shape), dtype, first)
    : emptyLikeDevice("cat", shape, dtype, first);
  const starts: number[] = [];
  let at = 0;
  unrecorded(() => {
    for (const x of list) {
      const size = x.ndim === first.ndim ? x.shape[d] : 0;
      starts.push(at);
      if (numelOf(x.shape) > 0) sliceAt(result, d, at, at + size).copy_(x);
      at += size;
    }
  });
  starts.push(at);
  const shapes = list.map((x) => x.shape), dtypes = list.map((x) => x.dtype);
  const joinedResult = record("CatBackward0", result, list, [], (grad, _saved, needs) =>
    shapes.map((s, i) => {
      if (!needs[i]) return null;
      if (numelOf(s) === 0) return grad.newZeros(s, { dtype: dtypes[i] });
      return gradientAs(sliceAt(grad, d, starts[i], starts[i + 1]), dtypes[i]);
    }));
  return out ? writeOut("cat", out, joinedResult) : joinedResult;
}

function checkJoins(x: Tensor, first: Tensor, d: number): number {
  const fits = x.ndim === first.ndim && x.shape.every((s, i) => i === d || s === first.shape[i]);
  if (!fits) {
    throw new ShapeError(`cat(): shapes must agree but for dimension ${d}: ${show(first.shape)} and ${show(x.shape)}`);
  }
  return x.shape[d];
}

/** Another name of {@linkcode cat}. */
export function concat(tensors: readonly Tensor[], ...args: Args<CatArgs, ["dim"]>): Tensor {
  return cat(tensors, ...args);
}

/** Another name of {@linkcode cat}. */
export function concatenate(tensors: readonly Tensor[], ...args: Args<CatArgs, ["dim"]>): Tensor {
  return cat(tensors, ...args);
}

const stackArgs = signature<CatArgs>("stack", ["dim"], ["out"]);

/**
 * Joins tensors of one shape along a new dimension.
 *
 * @param tensors at least one
 * @param args `dim`: where the new dimension goes; default 0
 */
export function stack(tensors: readonly Tensor[], ...args: Args<CatArgs, ["dim"]>): Tensor {
  if (autocasting.active) return autocasted({ cpu: "promote" }, stack, tensors, ...args);
  const { dim = 0, out } = stackArgs(args);
  const list = nonEmpty("stack", tensors);
  const d = wrapDim("stack", dim, list[0].ndim + 1);
  const { shape } = list[0];
  for (const x of list) {
    if (show(x.shape) !== show(shape)) {
      throw new ShapeError(`stack(): all tensors must have one shape: ${show(shape)} and ${show(x.shape)}`);
    }
  }
  return cat(list.map((x) => reshapeTo(x, [...shape.slice(0, d), 1, ...shape.slice(d)])), { dim: d, out });
}

/** Joins along dimension 1, or 0 for tensors of fewer than 2 dimensions. */
export function hstack(tensors: readonly Tensor[]): Tensor {
  const list = nonEmpty("hstack", tensors).map((x) => x.ndim === 0 ? reshapeTo(x, [1]) : x);
  return cat(list, list[0].ndim === 1 ? 0 : 1);
}

/** Joins rows: along dimension 0, where 1-d tensors are single rows. */
export function vstack(tensors: readonly Tensor[]): Tensor {
  return cat(nonEmpty("vstack", tensors).map((x) => x.ndim < 2 ? reshapeTo(x, [1, x.numel()]) : x), 0);
}

/** Another name of {@linkcode vstack}. */
export function rowStack(tensors: readonly Tensor[]): Tensor {
  return vstack(tensors);
}

/** Joins along dimension 2, where 1-d tensors become `[1, n, 1]` and matrices `[m, n, 1]`. */
export function dstack(tensors: readonly Tensor[]): Tensor {
  const raise = (x: Tensor) => {
    if (x.ndim >= 3) return x;
    return reshapeTo(x, x.ndim === 2 ? [...x.shape, 1] : [1, x.numel(), 1]);
  };
  return cat(nonEmpty("dstack", tensors).map(raise), 2);
}

/** Joins columns: along dimension 1, where tensors of fewer than 2 dimensions are single columns. */
export function columnStack(tensors: readonly Tensor[]): Tensor {
  return cat(nonEmpty("columnStack", tensors).map((x) => x.ndim < 2 ? reshapeTo(x, [x.numel(), 1]) : x), 1);
}

/**
 * The tensor repeated along each dimension; leading dimensions are added for extra counts.
 *
 * @param input any tensor
 * @param sizes how often, spread or as an array; at least one count per dimension
 */
export function repeat(input: Tensor, ...sizes: Sizes): Tensor {
  return repeatTo(input, sizesOf("repeat", sizes, "repeats"), "repeat");
}

function repeatTo(x: Tensor, counts: readonly number[], op: string): Tensor {
  if (counts.length < x.ndim) {
    throw new ShapeError(`${op}(): fewer counts than dimensions: ${show(counts)} for shape ${show(x.shape)}`);
  }
  if (counts.some((c) => c < 0)) throw new ShapeError(`${op}(): counts must not be negative: ${show(counts)}`);
  const lead = new Array<number>(counts.length - x.ndim).fill(1);
  const shape = [...lead, ...x.shape];
  // (1, s0, 1, s1, …) → (r0, s0, r1, s1, …) → (r0·s0, r1·s1, …)
  const apart = reshapeTo(x, shape.flatMap((s) => [1, s]));
  const expanded = expandTo(apart, shape.flatMap((s, i) => [counts[i], s]));
  return reshapeTo(expanded.clone(), shape.map((s, i) => s * counts[i]));
}

/**
 * The tensor repeated; unlike {@linkcode repeat}, missing counts are 1.
 *
 * @param input any tensor
 * @param dims counts, spread or as an array
 */
export function tile(input: Tensor, ...dims: Sizes): Tensor {
  const counts = sizesOf("tile", dims, "dims");
  const lead = new Array<number>(Math.max(input.ndim - counts.length, 0)).fill(1);
  return repeatTo(input, [...lead, ...counts], "tile");
}

/** The parameters of {@linkcode repeatInterleave}. */
export interface RepeatInterleaveArgs {
  /** How often each element is repeated: one number, or an integer tensor of one count per slice. */
  repeats: number | Tensor;
  /** The dimension; default: the flattened tensor. */
  dim?: number | null;
  /** The size of the result along `dim`, where it is known; the result is then given at once. */
  outputSize?: number | null;
}
const repeatInterleaveArgs = signature<RepeatInterleaveArgs>("repeatInterleave", ["repeats", "dim"], ["outputSize"], 1);

/**
 * Each element (or slice along `dim`) repeated in place.
 *
 * @param input any tensor
 * @returns a promise where `repeats` is a tensor and `outputSize` is not given: the shape depends on values
 */
export function repeatInterleave(
  input: Tensor,
  repeats: number,
  options?: { dim?: number | null; outputSize?: number },
): Tensor;
/** The same with the dimension by position. */
export function repeatInterleave(input: Tensor, repeats: number, dim?: number | null): Tensor;
/** The same with counts that may be a tensor. */
export function repeatInterleave(
  input: Tensor,
  ...args: Args<RepeatInterleaveArgs, ["repeats", "dim"]>
): Tensor | Promise<Tensor>;
export function repeatInterleave(
  input: Tensor,
  ...args: unknown[]
): Tensor | Promise<Tensor> {
  const { repeats, dim = null, outputSize = null } = repeatInterleaveArgs(args);
  const source = dim === null ? reshapeTo(input, [-1]) : input;
  const d = wrapDim("repeatInterleave", dim ?? 0, source.ndim);
  if (typeof repeats === "number") return interleaveEvenly(source, d, repeats);
  const { shape } = source;
  checkTensor("repeatInterleave", "repeats", repeats);
  if (repeats.ndim > 1 || repeats.dtype.kind !== "integer") {
    throw new ArgumentError(
      `repeatInterleave(): repeats must be a 0-d or 1-d integer tensor: ${repeats.dtype} of shape ${
        show(repeats.shape)
      }`,
    );
  }
  if (repeats.numel() !== 1 && repeats.numel() !== shape[d]) {
    throw new ShapeError(
      `repeatInterleave(): one count per slice is needed: ${repeats.numel()} for dimension ${d} of size ${shape[d]}`,
    );
  }
  const ends = expandTo(reshapeTo(repeats.long(), [-1]), [shape[d]]).cumsum(0);
  // Slice number i is repeated where the running total first exceeds the position.
  const take = (total: number) =>
    scope(() => source.indexSelect(d, ends.searchsorted(arange(total, { device: input.device }), { right: true })));
  if (outputSize !== null) {
    checkCount("repeatInterleave", "outputSize", outputSize, 0);
    return take(outputSize);
  }
  if (shape[d] === 0) return take(0);
  return ends.select(0, -1).item().then((total) => take(total as number));
}

function interleaveEvenly(x: Tensor, d: number, repeats: number): Tensor {
  if (!Number.isInteger(repeats) || repeats < 0) {
    throw new ShapeError(`repeatInterleave(): repeats must not be negative: ${repeats}`);
  }
  if (x.ndim === 0) return reshapeTo(expandTo(x, [repeats]).clone(), [repeats]);
  const before = x.shape.slice(0, d + 1), after = x.shape.slice(d + 1);
  const apart = reshapeTo(x, [...before, 1, ...after]);
  const out = expandTo(apart, [...before, repeats, ...after]).clone();
  return reshapeTo(out, [...x.shape.slice(0, d), x.shape[d] * repeats, ...after]);
}

/** Tensors broadcast to their common shape, as views. */
export function broadcastTensors(...tensors: TensorList): Tensor[] {
  const list = listOf("broadcastTensors", tensors);
  const shape = broadcastShapes("broadcastTensors", ...list.map((x) => x.shape));
  return list.map((x) => expandTo(x, shape, "broadcastTensors"));
}

/** The shape that all `shapes` broadcast to. */
function commonShape(...shapes: readonly (number | readonly number[])[]): number[] {
  return broadcastShapes("broadcastShapes", ...shapes.map((s) => typeof s === "number" ? [s] : s));
}
export { commonShape as broadcastShapes };

/** Options of {@linkcode meshgrid}. */
export interface MeshgridOptions {
  /** `"ij"`: the first tensor varies along dimension 0; `"xy"`: along dimension 1. Default `"ij"`. */
  indexing?: "ij" | "xy";
}

/**
 * Coordinate grids: each 1-d tensor varies along its own dimension. The results are views.
 *
 * @param tensors 0-d or 1-d, spread or as an array, then options
 */
export function meshgrid(
  ...tensors: [...Tensor[], MeshgridOptions] | [readonly Tensor[], MeshgridOptions?] | Tensor[]
): Tensor[] {
  const last = tensors[tensors.length - 1];
  const options = isPlainObject(last) ? last as MeshgridOptions : {};
  const list = nonEmpty(
    "meshgrid",
    listOf("meshgrid", isPlainObject(last) ? tensors.slice(0, -1) : tensors.filter((x) => x !== undefined)),
  );
  const { indexing = "ij" } = options;
  if (indexing !== "ij" && indexing !== "xy") {
    throw new ArgumentError(`meshgrid(): indexing must be "ij" or "xy": ${describe(indexing)}`);
  }
  for (const x of list) {
    if (x.ndim > 1) throw new ShapeError(`meshgrid(): tensors must be 0-d or 1-d: ${show(x.shape)}`);
    if (x.dtype !== list[0].dtype) {
      throw new ArgumentError(`meshgrid(): tensors must have one dtype: ${list[0].dtype} and ${x.dtype}`);
    }
  }
  const shape = list.map((x) => x.numel());
  const grids = list.map((x, i) => expandTo(reshapeTo(x, shape.map((s, k) => k === i ? s : 1)), shape));
  if (indexing === "ij" || list.length < 2) return grids;
  const order = shape.map((_, i) => i < 2 ? 1 - i : i);
  return grids.map((g) => permuteTo(g, order));
}

/** Every combination of one element from each 1-d tensor, as rows; a single tensor is returned as it is. */
export function cartesianProd(...tensors: TensorList): Tensor {
  const list = nonEmpty("cartesianProd", listOf("cartesianProd", tensors));
  for (const x of list) {
    if (x.ndim !== 1) throw new ShapeError(`cartesianProd(): tensors must be 1-d: ${show(x.shape)}`);
  }
  if (list.length === 1) return permuteTo(list[0], [0]);
  return stack(meshgrid(list).map((g) => reshapeTo(g, [-1])), 1);
}

/** A matrix with the given matrices on its diagonal; tensors of fewer than 2 dimensions are rows. */
export function blockDiag(...tensors: TensorList): Tensor {
  const list = listOf("blockDiag", tensors);
  if (list.length === 0) throw new ArgumentError("blockDiag(): at least one tensor is needed: []");
  const blocks = list.map((x) => {
    if (x.ndim > 2) throw new ShapeError(`blockDiag(): tensors must have at most 2 dimensions: ${show(x.shape)}`);
    return x.ndim === 2 ? x : reshapeTo(x, [1, x.numel()]);
  });
  const dtype = commonDtype(list);
  const width = blocks.reduce((sum, b) => sum + b.shape[1], 0);
  let at = 0;
  const rows = blocks.map((b) => {
    const start = at;
    at += b.shape[1];
    const shape = [b.shape[0], width];
    return placed("SliceBackwardBackward0", b.to(dtype), shape, (t) => sliceAt(t, 1, start, start + b.shape[1]));
  });
  return cat(rows, 0);
}

/** The Kronecker product: each element of `input` times the whole of `other`. */
export function kron(input: Tensor, other: Tensor): Tensor {
  checkTensor("kron", "input", input);
  checkTensor("kron", "other", other);
  const ndim = Math.max(input.ndim, other.ndim);
  const a = [...new Array<number>(ndim - input.ndim).fill(1), ...input.shape];
  const b = [...new Array<number>(ndim - other.ndim).fill(1), ...other.shape];
  const product = reshapeTo(input, a.flatMap((s) => [s, 1])).mul(reshapeTo(other, b.flatMap((s) => [1, s])));
  return reshapeTo(product, a.map((s, i) => s * b[i]));
}
