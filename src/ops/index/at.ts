/**
 * Indexing: `x.at(0, slice(1, 3), null, index)` reads, `x.setAt(0, slice(1, 3), value)` writes; PyTorch's `x[…]`.
 *
 * Numbers, slices, `null` and `"..."` give a view. Integer tensors (or arrays) select positions, several of them together,
 * and are turned into one `indexSelect` over their dimensions merged. A boolean tensor selects where it is true.
 *
 * @module
 */

import { checkInPlace, recordInPlace } from "../../autograd/record.ts";
import { checkArray, MOST_DIMS } from "../../base/checks.ts";
import { bool as BOOL, int64 } from "../../base/dtype.ts";
import { ArgumentError, describe, DTypeError, IndexError, ShapeError, show } from "../../base/errors.ts";
import { hasFewOps, refusal } from "../../base/few_ops.ts";
import { isScalar, type ScalarLike } from "../../base/scalar.ts";
import { broadcastShapes, numelOf } from "../../base/shape.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, Tensor } from "../../tensor/tensor.ts";
import { mode } from "../../autograd/mode.ts";
import { where } from "../pointwise/compare.ts";
import { tensor, type TensorData } from "../create/creation.ts";
import { arange } from "../create/ranges.ts";
import { checkNoOverlap } from "../core/define.ts";
import { coordinates, inMode, rawIndexPut, rawIndexSelect } from "./index_core.ts";
import { asMethod, type IsMethod, type Op, op } from "../core/op.ts";
import { Slice } from "./slice.ts";
import { putSlices, selectSlices } from "./slices.ts";
import { expandTo, makeView, permuteTo, reshapeTo, selectAt, sliceAt } from "../core/view_core.ts";
import { beside } from "../core/kernel.ts";
import { type Refusal, refuseWhere } from "../core/values.ts";

/** Nested arrays of whole numbers or booleans, read as an index tensor. */
export type IndexArray = readonly (number | bigint | boolean | IndexArray)[];

/**
 * One part of an index: a position, a range (`":"` is all of a dimension), a new dimension (`null`), all remaining dimensions
 * (`"..."`), or an index tensor.
 */
export type Index = number | Slice | null | ":" | "..." | boolean | Tensor | IndexArray;

/** The view that the basic parts of an index make, and the index tensor of each of its dimensions. */
interface Plan {
  readonly view: Tensor;
  readonly advanced: readonly (Tensor | null)[];
}

/** How many dimensions of the tensor a part of the index uses up. */
function consumes(part: Index): number {
  if (part === null || part === "..." || typeof part === "boolean") return 0;
  return part instanceof Tensor && part.dtype === BOOL ? part.ndim : 1;
}

/** Parts with arrays made tensors and the ellipsis (or the missing end) spelled out. */
function expandParts(op: string, x: Tensor, parts: readonly Index[]): Exclude<Index, "..." | ":" | IndexArray>[] {
  const all = new Slice(null, null, null);
  const given = parts.map((p) => Array.isArray(p) ? indexTensor(op, x, p) : p === ":" ? all : p) as Exclude<
    Index,
    IndexArray | ":"
  >[];
  const used = given.reduce<number>((sum, p) => sum + consumes(p), 0);
  if (used > x.ndim) {
    throw new IndexError(`${op}(): too many indices: ${used} for a tensor of shape ${show(x.shape)}`);
  }
  const rest = new Array<Slice>(x.ndim - used).fill(all);
  const at = given.indexOf("...");
  if (at !== given.lastIndexOf("...")) throw new IndexError(`${op}(): an index can have a single "..."`);
  const out = at < 0 ? [...given, ...rest] : [...given.slice(0, at), ...rest, ...given.slice(at + 1)];
  return out as Exclude<Index, "..." | ":" | IndexArray>[];
}

function indexTensor(op: string, x: Tensor, values: IndexArray): Tensor {
  if (values.some((v: unknown) => v instanceof Slice || v instanceof Tensor || v === null || v === "...")) {
    throw new ArgumentError(
      `${op}(): the parts of an index are given one by one, not in an array: ${op}(0, slice(1, 3))`,
    );
  }
  return tensor(values as TensorData, { dtype: allBooleans(values) ? BOOL : int64, device: x.device });
}

/** Whether nested arrays hold booleans only; `tensor` refuses arrays that contain themselves. */
function allBooleans(value: unknown, depth = 0): boolean {
  if (!Array.isArray(value)) return typeof value === "boolean";
  return depth < MOST_DIMS && value.length > 0 && value.every((v) => allBooleans(v, depth + 1));
}

/** Applies numbers, slices and `null`, and lines up the index tensors with the dimensions that are left. */
function planIndex(op: string, x: Tensor, parts: readonly Index[]): Plan {
  let view = x, d = 0;
  const advanced: (Tensor | null)[] = [];
  for (const part of expandParts(op, x, parts)) {
    if (typeof part === "number") view = selectAt(view, d, part, op);
    else if (part instanceof Slice) {
      view = sliceAt(view, d++, part.start, part.stop, part.step ?? 1, op);
      advanced.push(null);
    } else if (part === null || typeof part === "boolean") {
      const shape = [...view.shape.slice(0, d), 1, ...view.shape.slice(d)];
      view = reshapeTo(view, shape, op);
      // `true` is a new dimension indexed by a mask of one element; `false` selects nothing of it.
      advanced.push(part === null ? null : tensor([part], { dtype: BOOL, device: x.device }));
      d++;
    } else if (part instanceof Tensor) {
      checkPart(op, part, view, d);
      // A mask is counted where it is.
      advanced.push(isMask(part) ? part : beside(part, x));
      for (let k = 1; k < consumes(part); k++) advanced.push(null);
      d += consumes(part);
    } else {
      throw new ArgumentError(
        `${op}(): an index is a number, slice(), ":", null, "...", a boolean, a Tensor or an array: ${describe(part)}`,
      );
    }
  }
  return { view, advanced };
}

function checkPart(op: string, part: Tensor, view: Tensor, d: number): void {
  if (part.dtype === BOOL) {
    const covered = view.shape.slice(d, d + part.ndim);
    if (show(covered) !== show(part.shape)) {
      throw new IndexError(
        `${op}(): the mask's shape must be that of what it indexes: ${show(part.shape)} and ${show(covered)}`,
      );
    }
    if (part.ndim === 0) throw new IndexError(`${op}(): a 0-d mask is given as a boolean`);
  } else if (part.dtype.name !== "int64" && part.dtype.name !== "int32") {
    throw new DTypeError(`${op}(): an index tensor must be int64, int32 or bool: ${part.dtype}`);
  }
}

function isMask(t: Tensor | null): t is Tensor {
  return t !== null && t.dtype === BOOL;
}

/** Masks replaced by the coordinates of their true elements in `view`, given how many there are. */
function withCoordinates(
  view: Tensor,
  advanced: readonly (Tensor | null)[],
  counts: readonly number[],
  checked?: readonly Refusal[],
): (Tensor | null)[] {
  const out = [...advanced];
  let n = 0;
  advanced.forEach((t, d) => {
    if (!isMask(t)) return;
    const found = coordinates(t, counts[n]), rows = beside(checked?.[n](found) ?? found, view);
    n++;
    for (let k = 0; k < t.ndim; k++) out[d + k] = selectAt(rows, 1, k);
  });
  return out;
}

/** Index tensors of several dimensions as one index of those dimensions merged. */
interface Merged {
  /** The merged dimension: where it is, of how many sizes it is the product. */
  readonly dim: number;
  /** The sizes that are merged. */
  readonly sizes: readonly number[];
  /** Positions in it, as a vector. */
  readonly index: Tensor;
  /** The common shape of the index tensors, which takes its place. */
  readonly shape: readonly number[];
  /** Dimensions that were apart, brought to the front in this order; else `null`. */
  readonly order: readonly number[] | null;
  /** For those, the place of the index's dimensions in the result. */
  readonly place: number;
}

function merge(op: string, view: Tensor, advanced: readonly (Tensor | null)[]): Merged {
  const dims = advanced.map((t, d) => t === null ? -1 : d).filter((d) => d >= 0);
  const indices = dims.map((d) => advanced[d]!), sizes = dims.map((d) => view.shape[d]);
  const shape = broadcastShapes(op, ...indices.map((t) => t.shape));
  const index = dims.length === 1 ? indices[0] : joinedIndex(op, view, indices, sizes);
  const rest = view.shape.map((_, d) => d).filter((d) => !dims.includes(d));
  const together = dims[dims.length - 1] - dims[0] === dims.length - 1;
  // As in PyTorch, 0-d index tensors count as numbers: they do not decide where the index's dimensions go.
  const before = dims.filter((d) => advanced[d]!.ndim > 0).map((d) => rest.filter((r) => r < d).length);
  return {
    dim: together ? dims[0] : 0,
    sizes,
    index: reshapeTo(expandTo(index, shape), [-1]),
    shape,
    order: together ? null : [...dims, ...rest],
    place: before.length > 0 && before.every((b) => b === before[0]) ? before[0] : 0,
  };
}

/** Positions in the merged dimensions. Reading each part from a table wraps negative indices and checks all of them. */
function joinedIndex(op: string, view: Tensor, indices: readonly Tensor[], sizes: readonly number[]): Tensor {
  let index: Tensor | null = null, step = 1;
  for (let k = sizes.length - 1; k >= 0; k--) {
    const table = arange(sizes[k], { device: view.device }).mul(step);
    const flat = reshapeTo(indices[k].to(int64), [-1]);
    const part = reshapeTo(rawIndexSelect(op, table, 0, flat, true), indices[k].shape);
    index = index === null ? part : index.add(part);
    step *= sizes[k];
  }
  return index!;
}

/** `view` with the indexed dimensions merged. */
function mergedView(view: Tensor, { order, dim, sizes }: Merged): Tensor {
  const lined = order === null ? view : permuteTo(view, order);
  if (sizes.length === 1) return lined;
  const { shape } = lined;
  return reshapeTo(lined, [...shape.slice(0, dim), numelOf(sizes), ...shape.slice(dim + sizes.length)]);
}

/** Undoes {@linkcode mergedView}. */
function apart(merged: Tensor, { order, dim, sizes }: Merged): Tensor {
  const { shape } = merged;
  const lined = reshapeTo(merged, [...shape.slice(0, dim), ...sizes, ...shape.slice(dim + 1)]);
  return order === null ? lined : permuteTo(lined, inverse(order));
}

/** Dimensions of a result that starts with those of the index, in the order that PyTorch gives them. */
function placeOrder(m: Merged, ndim: number): number[] {
  const k = m.shape.length;
  const all = Array.from({ length: ndim }, (_, d) => d);
  return [...all.slice(k, k + m.place), ...all.slice(0, k), ...all.slice(k + m.place)];
}

/** Reads at index tensors, with the gradient. */
function readMerged(op: string, view: Tensor, m: Merged): Tensor {
  const picked = selectSlices(op, mergedView(view, m), m.dim, m.index, true);
  const { shape } = picked;
  const out = reshapeTo(picked, [...shape.slice(0, m.dim), ...m.shape, ...shape.slice(m.dim + 1)]);
  return m.order === null ? out : permuteTo(out, placeOrder(m, out.ndim));
}

/**
 * The elements at an index, as Python's `x[…]`.
 *
 * Numbers, `slice(a, b, s)`, `null` (a new dimension) and `"..."` give a view; integer tensors or arrays a copy.
 *
 * Differs from PyTorch: a boolean tensor is refused, because the size of the result would depend on its values, which must
 * be read: write `await x.atMask(mask)`.
 *
 * @param input any tensor
 * @param index parts, one per dimension; missing ones mean all
 * @throws {IndexError} if a position is out of range
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.arange(12).reshape(3, 4);
 * assertEquals(await x.at(1).tolist(), [4, 5, 6, 7]);
 * assertEquals(await x.at("...", torch.slice(1, 3)).tolist(), [[1, 2], [5, 6], [9, 10]]);
 * assertEquals(await x.at([0, 2], [1, -1]).tolist(), [1, 11]);
 * assertEquals(await x.at("...", ":", -1).tolist(), [3, 7, 11]);
 * ```
 */
export const at: ((input: Tensor, ...index: Index[]) => Tensor) & IsMethod = asMethod((input, ...index) => {
  checkTensor("at", "input", input);
  const { view, advanced } = planIndex("at", input, index);
  if (advanced.some(isMask)) {
    throw new ArgumentError(
      "at(): how many elements a mask selects must be read: use await x.atMask(mask), or where() or maskedFill()",
    );
  }
  return indexed("at", input, view, advanced);
});

/**
 * {@linkcode at} with boolean tensors or arrays among the parts: the elements where they are true.
 *
 * Differs from PyTorch: it is a promise, because the size of the result depends on values, which are read.
 *
 * @param input any tensor
 * @param index parts, one per dimension (a mask stands for as many as it has); missing ones mean all
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const x = torch.arange(12).reshape(3, 4);
 * assertEquals(await (await x.atMask(x.gt(9))).tolist(), [10, 11]);
 * ```
 */
export const atMask: ((input: Tensor, ...index: Index[]) => Promise<Tensor>) & IsMethod = asMethod(
  async (input, ...index) => {
    checkTensor("atMask", "input", input);
    const { view, advanced } = planIndex("atMask", input, index);
    const { gradEnabled } = mode;
    const counts = await Promise.all(advanced.filter(isMask).map((m) => m.storage.backend.countNonzero(m)));
    return inMode(gradEnabled, () => indexed("atMask", input, view, withCoordinates(view, advanced, counts)));
  },
);

/** What a planned index without masks selects. */
function indexed(op: string, input: Tensor, view: Tensor, advanced: readonly (Tensor | null)[]): Tensor {
  if (advanced.some((t) => t !== null)) return scope(() => readMerged(op, view, merge(op, view, advanced)));
  return view === input ? permuteTo(input, input.shape.map((_, d) => d)) : view;
}

/**
 * Masks replaced by coordinates, for writing. Where the device cannot wait, the other indices or the value say how many
 * elements the masks must select, and the device checks it.
 */
function resolveMasks(
  op: string,
  view: Tensor,
  advanced: readonly (Tensor | null)[],
  value: Tensor,
): (Tensor | null)[] {
  const masks = advanced.filter(isMask);
  if (masks.every((m) => m.storage.backend.readSync)) {
    return withCoordinates(view, advanced, masks.map((m) => Number(m.to(int64).sum().itemSync())));
  }
  const count = impliedCount(view, advanced, value);
  if (count === null) {
    throw new ArgumentError(
      `${op}(): on ${
        masks[0].device
      } the other indices or the value must say how many elements a mask selects, since ` +
        "counting is asynchronous; use where()",
    );
  }
  const error = () =>
    new ShapeError(`${op}(): a mask does not select the ${count} elements that the value or an index has`);
  const checked = masks.map((m) => refuseWhere(m, (bits) => bits.to(int64).sum().ne(count), error));
  return withCoordinates(view, advanced, masks.map(() => count), checked);
}

/** How many elements masks must select to fit the other indices, or the value; `null` if both broadcast. */
function impliedCount(view: Tensor, advanced: readonly (Tensor | null)[], value: Tensor): number | null {
  const others = advanced.filter((t): t is Tensor => t !== null && t.dtype !== BOOL).map((t) =>
    t.shape[t.ndim - 1] ?? 1
  );
  const known = others.find((size) => size !== 1);
  if (known !== undefined) return known;
  const d = advanced.findIndex(isMask), after = view.ndim - d - advanced[d]!.ndim;
  const size = others.length > 0 ? undefined : value.shape[value.ndim - after - 1];
  return size === undefined || size === 1 ? null : size;
}

/** The value to write, in the dtype of the tensor. */
function valueFor(x: Tensor, value: Tensor | ScalarLike | TensorData): Tensor {
  if (value instanceof Tensor) {
    const moved = value.ndim === 0 ? value.to(x.device) : value;
    return moved.dtype === x.dtype ? moved : moved.to(x.dtype);
  }
  return isScalar(value) ? x.newFull([], value) : tensor(value, { dtype: x.dtype, device: x.device });
}

/** `value` broadcast as `where` needs it, if one mask covers the first dimensions and each value is for all it selects. */
function asWhere(view: Tensor, advanced: readonly (Tensor | null)[], value: Tensor): Tensor | null {
  const d = advanced.findIndex(isMask);
  const mask = advanced[d]!;
  if (advanced.some((t, k) => t !== null && k !== d)) return null;
  const after = view.ndim - d - mask.ndim;
  // Its dimensions count from the end: those after the mask's, the one that counts true elements, those before.
  if (value.ndim > after && (value.shape[value.ndim - after - 1] !== 1 || value.ndim > after + 1 + d)) return null;
  if (value.ndim <= after) return value;
  const lead = value.shape.slice(0, value.ndim - after - 1), tail = value.shape.slice(value.ndim - after);
  return reshapeTo(value, [...lead, ...new Array<number>(mask.ndim).fill(1), ...tail]);
}

/** The arguments of {@linkcode setAt}: the parts of an index as of {@linkcode at}, then the value. */
export type SetAtList = readonly [...index: Index[], value: Tensor | ScalarLike | TensorData];

/**
 * Writes a value at an index, as Python's `x[…] = value`: `x.setAt(0, slice(1, 3), value)`. The value, a tensor, a number or
 * nested arrays, broadcasts and is converted.
 *
 * On WebGPU: at a mask, the value must broadcast to the tensor, or the value or another index must have one element for each
 * that the mask selects: counting them is asynchronous. Reads of a tensor that was written with another number throw.
 *
 * @param self the tensor to write to
 * @returns the tensor
 */
export const setAt: ((self: Tensor, ...args: SetAtList) => Tensor) & IsMethod = asMethod((self, ...args) => {
  checkTensor("setAt", "input", self);
  if (args.length < 2) {
    throw new ArgumentError("setAt(): an index and a value are needed: setAt(0, slice(1, 3), value)");
  }
  const parts = args.slice(0, -1) as Index[], value = args[args.length - 1] as Tensor | ScalarLike | TensorData;
  const { view, advanced } = planIndex("setAt", self, parts);
  return scope(() => {
    const source = valueFor(self, value);
    checkInPlace("setAt", view);
    if (advanced.every((t) => t === null)) view.copy_(fitting("setAt", source, view.shape));
    else if (hasFewOps(self.dtype)) throw refusal("setAt", self.dtype);
    else write("setAt", view, advanced, source, false);
    return self;
  });
});

/** Leading dimensions of size 1 beyond `ndim` are dropped, as PyTorch does when it assigns. */
function trimmed(x: Tensor, ndim: number): Tensor {
  let extra = 0;
  while (x.ndim - extra > ndim && x.shape[extra] === 1) extra++;
  return extra > 0 ? reshapeTo(x, x.shape.slice(extra)) : x;
}

/** Writes (or adds) at index tensors and masks, in place. */
function write(op: string, view: Tensor, advanced: readonly (Tensor | null)[], source: Tensor, add: boolean): Tensor {
  if (!advanced.some(isMask)) return writeMerged(op, view, merge(op, view, advanced), source, add);
  const spread = asWhere(view, advanced, source);
  if (spread !== null) {
    const d = advanced.findIndex(isMask), mask = beside(advanced[d]!, view);
    const full = reshapeTo(mask, [...mask.shape, ...new Array<number>(view.ndim - d - mask.ndim).fill(1)]);
    return view.copy_(where(full, add ? view.add(spread) : spread, view));
  }
  return writeMerged(op, view, merge(op, view, resolveMasks(op, view, advanced, source)), source, add);
}

function writeMerged(op: string, view: Tensor, m: Merged, source: Tensor, add: boolean): Tensor {
  checkInPlace(op, view);
  checkNoOverlap(op, view);
  const target = mergedView(makeView(view, view.shape, view.strides), m);
  const values = mergedValues(op, source, m, target.shape);
  rawIndexPut(
    op,
    target,
    m.dim,
    m.index,
    values.storage === view.storage ? values.clone() : values,
    add ? "sum" : "set",
    true,
  );
  if (target.storage !== view.storage) {
    // The layout has no view with the indexed dimensions merged: a copy was written, and is brought back.
    makeView(view, view.shape, view.strides).copy_(apart(target, m));
  }
  const { dim, sizes, shape, order, place } = m;
  return recordInPlace("IndexPutBackward0", view, [view, values], [m.index], (grad, [index], needs) => {
    const saved = { dim, sizes, index, shape, order, place };
    const merged = mergedView(grad, saved);
    return [
      !needs[0] ? null : add ? grad : apart(cleared(merged, dim, index), saved),
      needs[1] ? selectSlices("at", merged, dim, index, true) : null,
    ];
  });
}

/** The value to write, broadcast, with the dimensions that the merged view has. */
function mergedValues(op: string, source: Tensor, m: Merged, target: readonly number[]): Tensor {
  const before = target.slice(0, m.dim), after = target.slice(m.dim + 1);
  const lined = [...before, numelOf(m.shape), ...after];
  if (m.order === null) {
    const shape = [...before, ...m.shape, ...after];
    return reshapeTo(expandTo(fitting(op, source, shape), shape), lined);
  }
  const shape = [...after.slice(0, m.place), ...m.shape, ...after.slice(m.place)];
  const value = expandTo(fitting(op, source, shape), shape);
  return reshapeTo(permuteTo(value, inverse(placeOrder(m, shape.length))), lined);
}

/** `grad` with zeros where the index points. */
function cleared(grad: Tensor, dim: number, index: Tensor): Tensor {
  const shape = grad.shape.map((s, d) => d === dim ? index.numel() : s);
  return putSlices("indexPut", grad, dim, index, expandTo(grad.newZeros([]), shape), false, true);
}

function inverse(order: readonly number[]): number[] {
  const out = new Array<number>(order.length);
  order.forEach((d, i) => out[d] = i);
  return out;
}

/** A value without extra leading dimensions, checked to broadcast to `shape`. */
function fitting(op: string, source: Tensor, shape: readonly number[]): Tensor {
  const value = trimmed(source, shape.length);
  const lead = shape.length - value.ndim;
  if (lead < 0 || value.shape.some((s, d) => s !== 1 && s !== shape[lead + d])) {
    throw new ShapeError(
      `${op}(): the value does not broadcast to what is indexed: ${show(source.shape)} to ${show(shape)}`,
    );
  }
  return value;
}

/** The parameters of {@linkcode indexPut}. */
export class IndexPutArgs {
  constructor(
    /** One integer or boolean tensor per dimension; missing ones mean all. */
    public indices: readonly (Tensor | null)[],
    /** The values; they broadcast. */
    public values: Tensor,
    /** Add instead of writing; a position may then occur several times. */
    public accumulate = false,
  ) {}
}

/** Writes (or adds) values at positions given by tensors, in a copy. */
export const indexPut: Op<typeof IndexPutArgs> = op(
  { name: "indexPut", autocast: { gpu: "promote" } },
  IndexPutArgs,
  (input, given) => scope(() => putInto("indexPut", input.clone(), given)),
);

/** {@linkcode indexPut} in place. */
export const indexPut_: Op<typeof IndexPutArgs> = op(
  "indexPut_",
  IndexPutArgs,
  (self, given) => scope(() => putInto("indexPut_", self, given)),
);

function putInto(op: string, self: Tensor, { indices, values, accumulate }: IndexPutArgs): Tensor {
  checkArray(op, "indices", indices);
  checkTensor(op, "values", values);
  if (values.dtype !== self.dtype) {
    throw new DTypeError(`${op}(): values must have the tensor's dtype: ${values.dtype} and ${self.dtype}; use .to()`);
  }
  const parts = indices.map((t) => t ?? new Slice(null, null, null));
  const { view, advanced } = planIndex(op, self, parts);
  if (advanced.every((t) => t === null)) {
    if (accumulate) view.add_(values);
    else view.copy_(values);
    return self;
  }
  write(op, view, advanced, values, accumulate);
  return self;
}
