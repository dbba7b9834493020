/**
 * Joining and repeating tensors: cat, stack and their relatives, repeat, tile, meshgrid, kron.
 *
 * Only `cat` copies; the others are views around it. Rearranging a single tensor (roll, flip, tril, diag) is in
 * `arrange.ts`.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import type { Func, SpreadArgs } from "../../base/call.ts";
import { type DType, resultType } from "../../base/dtype.ts";
import { checkCount, checkIntegers } from "../../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { broadcastShapes, numelOf, wrapDim } from "../../base/shape.ts";
import { channelsLastStrides, prefersChannelsLast } from "../../base/layout.ts";
import { emptyLikeDevice, emptyWithStrides } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { arange } from "../create/ranges.ts";
import { searchsorted } from "../reduce/sort.ts";
import { neededValues } from "../core/values.ts";
import { writeOut } from "../core/define.ts";
import { checkOperands } from "../core/kernel.ts";
import { listFn, type ListParams, type Op, op, OutArgs, spreadFn, type SpreadOp, spreadOp } from "../core/op.ts";
import { expandTo, permuteTo, placed, reshapeTo, sliceAt } from "../core/view_core.ts";

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

/** The parameters of functions that join a list of tensors. */
export class StackArgs extends OutArgs {
  constructor(
    /** At least one. */
    public tensors: readonly Tensor[],
  ) {
    super();
  }
}

/** The parameters of {@linkcode cat} and {@linkcode stack}. */
export class CatArgs extends OutArgs {
  constructor(
    /** At least one. */
    public tensors: readonly Tensor[],
    /** The dimension along which they are joined. */
    public dim = 0,
  ) {
    super();
  }
}

/** The parameters of functions of several tensors, which may be spread. */
export class TensorsArgs {
  constructor(
    /** At least one, spread or as an array. */
    public tensors: readonly Tensor[],
  ) {}
}

/** A function that joins a list of tensors. */
export type JoinFunction<C extends ListParams = typeof StackArgs> = Func<C, Tensor>;

/**
 * Joins tensors along a dimension. Dtypes promote; empty 1-d tensors are skipped, as in PyTorch.
 *
 * Shape: all the same but for `dim`.
 *
 * @throws {ShapeError} if other dimensions differ
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.ones(2, 3);
 * assertEquals(torch.cat([x, x], 1).shape, [2, 6]);
 * ```
 */
export const cat: JoinFunction<typeof CatArgs> = joining("cat", catOf);

/** Another name of {@linkcode cat}. */
export const concat: JoinFunction<typeof CatArgs> = joining("concat", catOf);

/** Another name of {@linkcode cat}. */
export const concatenate: JoinFunction<typeof CatArgs> = joining("concatenate", catOf);

/** Defines a function along one dimension. */
function joining(
  name: string,
  join: (list: readonly Tensor[], dim: number) => Tensor,
): JoinFunction<typeof CatArgs> {
  return listFn(
    { name, autocast: { cpu: "promote" } },
    CatArgs,
    ({ tensors, dim, out }) => writeOut(name, out, join(tensors, dim)),
  );
}

function catOf(list: readonly Tensor[], dim: number): Tensor {
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
  return record("CatBackward0", result, list, [], (grad, _saved, needs) =>
    shapes.map((s, i) => {
      if (!needs[i]) return null;
      if (numelOf(s) === 0) return grad.newZeros(s, { dtype: dtypes[i] });
      return gradientAs(sliceAt(grad, d, starts[i], starts[i + 1]), dtypes[i]);
    }));
}

function checkJoins(x: Tensor, first: Tensor, d: number): number {
  const fits = x.ndim === first.ndim && x.shape.every((s, i) => i === d || s === first.shape[i]);
  if (!fits) {
    throw new ShapeError(`cat(): shapes must agree but for dimension ${d}: ${show(first.shape)} and ${show(x.shape)}`);
  }
  return x.shape[d];
}

/** Joins tensors of one shape along a new dimension, `dim`. */
export const stack: JoinFunction<typeof CatArgs> = joining("stack", stackOf);

function stackOf(list: readonly Tensor[], dim: number): Tensor {
  const d = wrapDim("stack", dim, list[0].ndim + 1);
  const { shape } = list[0];
  for (const x of list) {
    if (show(x.shape) !== show(shape)) {
      throw new ShapeError(`stack(): all tensors must have one shape: ${show(shape)} and ${show(x.shape)}`);
    }
  }
  return cat(list.map((x) => reshapeTo(x, [...shape.slice(0, d), 1, ...shape.slice(d)])), d);
}

/** Joins along dimension 1, or 0 for tensors of fewer than 2 dimensions. */
export const hstack: JoinFunction = listFn("hstack", StackArgs, ({ tensors, out }) => {
  const list = tensors.map((x) => x.ndim === 0 ? reshapeTo(x, [1]) : x);
  return cat(list, { dim: list[0].ndim === 1 ? 0 : 1, out });
});

/** Joins rows: along dimension 0, where 1-d tensors are single rows. */
export const vstack: JoinFunction = listFn("vstack", StackArgs, joinRows);

/** Another name of {@linkcode vstack}. */
export const rowStack: JoinFunction = listFn("rowStack", StackArgs, joinRows);

function joinRows({ tensors, out }: StackArgs): Tensor {
  return cat(tensors.map((x) => x.ndim < 2 ? reshapeTo(x, [1, x.numel()]) : x), { out });
}

/** Joins along dimension 2, where 1-d tensors become `[1, n, 1]` and matrices `[m, n, 1]`. */
export const dstack: JoinFunction = listFn("dstack", StackArgs, ({ tensors, out }) => {
  const raise = (x: Tensor) => {
    if (x.ndim >= 3) return x;
    return reshapeTo(x, x.ndim === 2 ? [...x.shape, 1] : [1, x.numel(), 1]);
  };
  return cat(tensors.map(raise), { dim: 2, out });
});

/** Joins columns: along dimension 1, where tensors of fewer than 2 dimensions are single columns. */
export const columnStack: JoinFunction = listFn(
  "columnStack",
  StackArgs,
  ({ tensors, out }) => cat(tensors.map((x) => x.ndim < 2 ? reshapeTo(x, [x.numel(), 1]) : x), { dim: 1, out }),
);

/** The parameters of {@linkcode repeat}. */
export class RepeatArgs {
  constructor(
    /** How often, spread or as an array; at least one count per dimension. */
    public repeats: readonly number[],
  ) {}
}

/** The tensor repeated along each dimension; leading dimensions are added for extra counts. */
export const repeat: SpreadOp<typeof RepeatArgs> = spreadOp(
  "repeat",
  RepeatArgs,
  (input, { repeats }) => repeatTo(input, repeats, "repeat"),
);

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

/** The parameters of {@linkcode tile}. */
export class TileArgs {
  constructor(
    /** How often, spread or as an array. */
    public dims: readonly number[],
  ) {}
}

/** The tensor repeated; unlike {@linkcode repeat}, missing counts are 1. */
export const tile: SpreadOp<typeof TileArgs> = spreadOp("tile", TileArgs, (input, { dims: counts }) => {
  const lead = new Array<number>(Math.max(input.ndim - counts.length, 0)).fill(1);
  return repeatTo(input, [...lead, ...counts], "tile");
});

/** The parameters of {@linkcode repeatInterleave}. */
export class RepeatInterleaveArgs {
  /** The size of the result along `dim`; where it is given, the counts need not be read. */
  outputSize: number | null = null;
  constructor(
    /** How often each element is repeated: one number, or an integer tensor of one count per slice. */
    public repeats: number | Tensor,
    /** The dimension; `null`: the flattened tensor. */
    public dim: number | null = null,
  ) {}
}

/**
 * Each element (or slice along `dim`) repeated in place.
 *
 * On WebGPU: counts that were computed there must come with `outputSize` (`await repeats.sum().item()`), since the size of
 * the result depends on them; those that came from the host are known.
 *
 * @param input any tensor
 */
export const repeatInterleave: Op<typeof RepeatInterleaveArgs> = op(
  "repeatInterleave",
  RepeatInterleaveArgs,
  (input, { repeats, dim, outputSize }) => {
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
    // Slice number i is repeated where the running total first exceeds the position.
    const take = (total: number) =>
      scope(() => {
        const ends = expandTo(reshapeTo(repeats.long(), [-1]), [shape[d]]).cumsum(0);
        return source.indexSelect(d, searchsorted(ends, arange(total, { device: input.device }), { right: true }));
      });
    if (outputSize !== null) {
      checkCount("repeatInterleave", "outputSize", outputSize, 0);
      return take(outputSize);
    }
    if (shape[d] === 0) return take(0);
    const counts = neededValues("repeatInterleave", "repeats", repeats);
    return take(counts.reduce((a, b) => a + b, 0) * (counts.length === 1 ? shape[d] : 1));
  },
);

function interleaveEvenly(x: Tensor, d: number, repeats: number): Tensor {
  if (!Number.isInteger(repeats) || repeats < 0) {
    throw new ShapeError(`repeatInterleave(): repeats must not be negative: ${describe(repeats)}`);
  }
  if (x.ndim === 0) return reshapeTo(expandTo(x, [repeats]).clone(), [repeats]);
  const before = x.shape.slice(0, d + 1), after = x.shape.slice(d + 1);
  const apart = reshapeTo(x, [...before, 1, ...after]);
  const out = expandTo(apart, [...before, repeats, ...after]).clone();
  return reshapeTo(out, [...x.shape.slice(0, d), x.shape[d] * repeats, ...after]);
}

/** Tensors broadcast to their common shape, as views. */
export const broadcastTensors: (...args: SpreadArgs<typeof TensorsArgs, Tensor>) => Tensor[] = spreadFn(
  "broadcastTensors",
  TensorsArgs,
  ({ tensors }) => {
    const shape = broadcastShapes("broadcastTensors", ...tensors.map((x) => x.shape));
    return tensors.map((x) => expandTo(x, shape, "broadcastTensors"));
  },
);

/** The shape that all `shapes` broadcast to. */
function commonShape(...shapes: readonly (number | readonly number[])[]): number[] {
  const lists = shapes.map((s) => typeof s === "number" ? [s] : s);
  for (const list of lists) checkIntegers("broadcastShapes", "a shape", list);
  return broadcastShapes("broadcastShapes", ...lists);
}
export { commonShape as broadcastShapes };

/** The parameters of {@linkcode meshgrid}. */
export class MeshgridArgs extends TensorsArgs {
  /** `"ij"`: the first tensor varies along dimension 0; `"xy"`: along dimension 1. */
  indexing: "ij" | "xy" = "ij";
}

/**
 * Coordinate grids: each 1-d tensor (0-d ones count as such) varies along its own dimension. The results are views.
 *
 * @throws {ShapeError} if a tensor has more dimensions
 */
export const meshgrid: (...args: SpreadArgs<typeof MeshgridArgs, Tensor>) => Tensor[] = spreadFn(
  "meshgrid",
  MeshgridArgs,
  gridsOf,
);

function gridsOf({ tensors: list, indexing }: MeshgridArgs): Tensor[] {
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
export const cartesianProd: (...args: SpreadArgs<typeof TensorsArgs, Tensor>) => Tensor = spreadFn(
  "cartesianProd",
  TensorsArgs,
  ({ tensors }) => product(tensors),
);

function product(list: readonly Tensor[]): Tensor {
  for (const x of list) {
    if (x.ndim !== 1) throw new ShapeError(`cartesianProd(): tensors must be 1-d: ${show(x.shape)}`);
  }
  if (list.length === 1) return permuteTo(list[0], [0]);
  return stack(meshgrid([...list]).map((g) => reshapeTo(g, [-1])), 1);
}

/** A matrix with the given matrices on its diagonal; tensors of fewer than 2 dimensions are rows. */
export const blockDiag: (...args: SpreadArgs<typeof TensorsArgs, Tensor>) => Tensor = spreadFn(
  "blockDiag",
  TensorsArgs,
  ({ tensors }) => diagonalBlocks(tensors),
);

function diagonalBlocks(list: readonly Tensor[]): Tensor {
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

/** The parameters of {@linkcode kron}. */
export class KronArgs {
  constructor(
    /** The second factor. */
    public other: Tensor,
  ) {}
}

/** The Kronecker product: each element of `input` times the whole of `other`. */
export const kron: Op<typeof KronArgs> = op("kron", KronArgs, (input, { other }) => {
  checkTensor("kron", "other", other);
  const ndim = Math.max(input.ndim, other.ndim);
  const a = [...new Array<number>(ndim - input.ndim).fill(1), ...input.shape];
  const b = [...new Array<number>(ndim - other.ndim).fill(1), ...other.shape];
  const product = reshapeTo(input, a.flatMap((s) => [s, 1])).mul(reshapeTo(other, b.flatMap((s) => [1, s])));
  return reshapeTo(product, a.map((s, i) => s * b[i]));
});
