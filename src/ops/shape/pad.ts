/**
 * Padding: `nn.functional.pad` with constants, reflection, replication or wrapping around.
 *
 * A constant pad writes the input into a filled tensor. The other modes read each padded position from an index along one
 * dimension at a time, so their gradients are those of `indexSelect`.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { type Fn, fn } from "../core/op.ts";
import { autocasted, autocasting } from "../../autograd/autocast.ts";
import { record } from "../../autograd/record.ts";
import { int64 } from "../../base/dtype.ts";
import { checkListed } from "../../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { hasFewOps, refusal } from "../../base/few_ops.ts";
import type { ScalarLike } from "../../base/scalar.ts";
import { channelsLastStrides, prefersChannelsLast } from "../../base/layout.ts";
import { checkRoom, emptyWithStrides } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkAlive, type Tensor } from "../../tensor/tensor.ts";
import { fillWith } from "../create/convert.ts";
import { fromData } from "../create/creation.ts";
import { selectInOrder, sliceAt } from "../core/view_core.ts";

/** How positions outside the input are filled. */
export type PadMode = "constant" | "reflect" | "replicate" | "circular";

/** The parameters of {@linkcode pad}. */
export class PadArgs {
  constructor(
    /** Sizes before and after, from the last dimension backwards: `[left, right, top, bottom, …]`; negative ones crop. */
    public pad: readonly number[],
    /** How positions outside are filled. */
    public mode: PadMode = "constant",
    /** The value of constant padding. */
    public value: ScalarLike | null = null,
  ) {}
}

/**
 * Pads (or crops) the last dimensions.
 *
 * @param input any tensor for `"constant"`; the other modes pad the last 1 to 3 dimensions of a 2-d to 5-d tensor
 * @throws {ShapeError} if the padding does not fit the shape
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
 */
export const pad: Fn<typeof PadArgs> = fn("pad", PadArgs, (input, { pad: sizes, mode, value }) => {
  checkAlive("pad", input);
  if (
    !Array.isArray(sizes) || sizes.length % 2 !== 0 || sizes.length > 2 * input.ndim || !sizes.every(Number.isInteger)
  ) {
    throw new ShapeError(
      `pad(): pairs of integers are needed, at most one per dimension: ${show(sizes)} for shape ${show(input.shape)}`,
    );
  }
  if (mode === "constant") return padConstant(input, sizes, value ?? 0);
  if (mode !== "reflect" && mode !== "replicate" && mode !== "circular") {
    throw new ArgumentError(
      `pad(): unknown mode: ${describe(mode)}; expected constant, reflect, replicate or circular`,
    );
  }
  if (value !== null && value !== 0) {
    throw new ArgumentError(`pad(): mode "${mode}" takes no value: ${describe(value)}`);
  }
  if (mode !== "circular" && hasFewOps(input.dtype)) throw refusal("pad", input.dtype);
  const padded = sizes.length / 2;
  const listed = mode === "replicate" || (mode === "reflect" && padded < 3);
  if (autocasting.active && listed) {
    return autocasted({ cpu: "float32" }, pad, input, sizes, mode, value);
  }
  if (padded < 1 || padded > 3 || (input.ndim !== padded + 1 && input.ndim !== padded + 2)) {
    throw new ShapeError(
      `pad(): mode "${mode}" pads the last n of n + 1 or n + 2 dimensions (n up to 3): ${show(sizes)} for shape ${
        show(input.shape)
      }`,
    );
  }
  return scope(() => {
    let out = input;
    for (let i = 0; i < padded; i++) out = padDim(out, input.ndim - 1 - i, sizes[2 * i], sizes[2 * i + 1], mode);
    return out === input ? input.clone() : out;
  });
});

function padConstant(x: Tensor, sizes: readonly number[], value: ScalarLike): Tensor {
  const shape = [...x.shape];
  const from = x.shape.map(() => 0), to = [...x.shape], at = x.shape.map(() => 0);
  for (let i = 0; i < sizes.length / 2; i++) {
    const d = x.ndim - 1 - i, before = sizes[2 * i], after = sizes[2 * i + 1];
    shape[d] += before + after;
    if (shape[d] < 0) {
      throw new ShapeError(
        `pad(): the result would have a negative size: ${show(x.shape)} padded by ${show(sizes)} (dimension ${d})`,
      );
    }
    from[d] = Math.max(-before, 0);
    to[d] = x.shape[d] - Math.max(-after, 0);
    at[d] = Math.max(before, 0);
  }
  const part = (t: Tensor, starts: readonly number[]) =>
    starts.reduce((view, start, d) => sliceAt(view, d, start, start + Math.max(to[d] - from[d], 0)), t);
  const out = unrecorded(() => {
    const filled = prefersChannelsLast(x)
      ? fillWith("pad", emptyWithStrides("pad", shape, channelsLastStrides(shape), x.dtype, x), value)
      : x.newFull(shape, value);
    const source = part(x, from);
    if (source.numel() > 0) part(filled, at).copy_(source);
    return filled;
  });
  const back = sizes.map((s) => -s);
  return record("ConstantPadNdBackward0", out, [x], [], (grad) => [padConstant(grad, back, 0)]);
}

function padDim(x: Tensor, d: number, before: number, after: number, mode: PadMode): Tensor {
  const size = x.shape[d];
  if (before === 0 && after === 0) return x;
  const total = size + before + after;
  const most = mode === "reflect" ? size - 1 : mode === "circular" ? size : Infinity;
  if (before > most || after > most || total < 0 || (size === 0 && total > 0)) {
    throw new ShapeError(
      `pad(): "${mode}" padding does not fit: [${before}, ${after}] for dimension ${d} of size ${size}`,
    );
  }
  checkRoom("pad", x.shape.map((s, i) => i === d ? total : s), x.dtype, x);
  checkListed("pad", total);
  const index = new Array<number>(total);
  // Wrapping goes around what negative padding leaves.
  const first = mode === "circular" ? Math.max(-before, 0) : 0;
  const left = mode === "circular" ? size - first - Math.max(-after, 0) : size;
  for (let i = 0; i < total; i++) index[i] = first + sourceOf(i - before - first, left, mode);
  return selectInOrder(x, d, fromData(index, [total], { dtype: int64, device: x.device }));
}

/** Which element of a dimension fills the position `p`, counted from the input's first element. */
function sourceOf(p: number, size: number, mode: PadMode): number {
  if (mode === "replicate") return Math.min(Math.max(p, 0), size - 1);
  if (mode === "circular") return ((p % size) + size) % size;
  if (p < 0) return -p;
  return p >= size ? 2 * (size - 1) - p : p;
}
