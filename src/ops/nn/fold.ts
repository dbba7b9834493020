/**
 * `nn.functional.unfold` and `fold`: sliding windows as columns, and columns added back; functions only.
 *
 * Unfolding is a copy of one strided view, folding one strided addition per tap of the window; each is the other's
 * gradient.
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { type Fn, fn } from "../core/op.ts";
import { record } from "../../autograd/record.ts";
import { ShapeError, show } from "../../base/errors.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { checkAtLeast, perDimension } from "./conv_core.ts";
import { checkOperands } from "../core/kernel.ts";
import { makeView, reshapeTo } from "../core/view_core.ts";

/** One value for both dimensions, or one for each. */
export type WindowSize = number | readonly number[];

/** The parameters of {@linkcode unfold} and its layer. */
export class UnfoldArgs {
  constructor(
    /** Size of the window. */
    public kernelSize: WindowSize,
    /** Step between the window's taps. */
    public dilation: WindowSize = 1,
    /** Zeros on both sides. */
    public padding: WindowSize = 0,
    /** Step of the window. */
    public stride: WindowSize = 1,
  ) {}
}

/** The parameters of {@linkcode fold} and its layer. */
export class FoldArgs extends UnfoldArgs {
  constructor(
    /** Height and width of the result. */
    public outputSize: WindowSize,
    kernelSize: WindowSize,
    dilation: WindowSize = 1,
    padding: WindowSize = 0,
    stride: WindowSize = 1,
  ) {
    super(kernelSize, dilation, padding, stride);
  }
}

/** Checked windows over a plane. */
interface Windows {
  readonly kernel: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly number[];
  readonly stride: readonly number[];
  /** The plane's height and width. */
  readonly plane: readonly number[];
  /** How many windows there are in each direction. */
  readonly count: readonly number[];
}

function windowsOf(op: string, o: Readonly<UnfoldArgs>, plane: readonly number[]): Windows {
  const kernel = perDimension(op, "kernelSize", o.kernelSize, 2), stride = perDimension(op, "stride", o.stride, 2);
  const dilation = perDimension(op, "dilation", o.dilation, 2);
  const padding = perDimension(op, "padding", o.padding, 2);
  checkAtLeast(op, "kernelSize", kernel, 1);
  checkAtLeast(op, "dilation", dilation, 1);
  checkAtLeast(op, "padding", padding, 0);
  checkAtLeast(op, "stride", stride, 1);
  const count = plane.map((n, d) =>
    Math.floor((n + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1
  );
  if (count.some((c) => c < 1)) {
    throw new ShapeError(
      `${op}(): the window is larger than the padded plane: kernelSize ${show(kernel)}, dilation ${
        show(dilation)
      }, padding ${show(padding)}, plane ${show(plane)}`,
    );
  }
  return { kernel, dilation, padding, stride, plane, count };
}

/** All windows of a dense padded `[N, C, H, W]` tensor: a view `[N, C, kh, kw, rows, columns]`. */
function windowView(x: Tensor, w: Windows): Tensor {
  const [n, c] = x.shape, [sn, sc, sh, sw] = x.strides;
  return makeView(x, [n, c, ...w.kernel, ...w.count], [
    sn,
    sc,
    sh * w.dilation[0],
    sw * w.dilation[1],
    sh * w.stride[0],
    sw * w.stride[1],
  ]);
}

/** Zeros of the padded plane. */
function paddedZeros(like: Tensor, n: number, c: number, w: Windows): Tensor {
  return like.newZeros([n, c, w.plane[0] + 2 * w.padding[0], w.plane[1] + 2 * w.padding[1]]);
}

/** The part of a padded plane that is not padding. */
function inside(x: Tensor, w: Windows): Tensor {
  const [n, c] = x.shape, [sn, sc, sh, sw] = x.strides;
  return makeView(x, [n, c, ...w.plane], [sn, sc, sh, sw], x.offset + w.padding[0] * sh + w.padding[1] * sw);
}

/** `[N, C, H, W]` to `[N, C · taps, windows]`. */
function toColumns(x: Tensor, w: Windows): Tensor {
  const [n, c] = x.shape;
  const shape = [n, c * w.kernel[0] * w.kernel[1], w.count[0] * w.count[1]];
  const out = emptyLikeDevice("unfold", shape, x.dtype, x);
  unrecorded(() =>
    scope(() => {
      const padded = paddedZeros(x, n, c, w);
      inside(padded, w).copy_(x.detach());
      reshapeTo(out, [n, c, ...w.kernel, ...w.count]).copy_(windowView(padded, w));
    })
  );
  return record("Im2ColBackward0", out, [x], [], (grad) => [fromColumns(grad, c, w)]);
}

/** `[N, C · taps, windows]` to `[N, C, H, W]`, adding where windows overlap. */
function fromColumns(columns: Tensor, c: number, w: Windows): Tensor {
  const n = columns.shape[0];
  const out = emptyLikeDevice("fold", [n, c, ...w.plane], columns.dtype, columns);
  unrecorded(() =>
    scope(() => {
      const padded = paddedZeros(columns, n, c, w), view = windowView(padded, w);
      const taps = reshapeTo(columns.detach(), [n, c, ...w.kernel, ...w.count]);
      for (let i = 0; i < w.kernel[0]; i++) {
        for (let j = 0; j < w.kernel[1]; j++) tapOf(view, i, j).add_(tapOf(taps, i, j));
      }
      out.copy_(inside(padded, w));
    })
  );
  return record("Col2ImBackward0", out, [columns], [], (grad) => [toColumns(grad, w)]);
}

/** One tap of all windows. */
function tapOf(x: Tensor, i: number, j: number): Tensor {
  const [n, c, , , rows, columns] = x.shape, [sn, sc, si, sj, sr, sw] = x.strides;
  return makeView(x, [n, c, rows, columns], [sn, sc, sr, sw], x.offset + i * si + j * sj);
}

/**
 * The sliding windows of images as columns.
 *
 * Shape: `[N, C, H, W]` or `[C, H, W]` to `[N, C · kernel taps, windows]`.
 *
 * @param input the images
 * @throws {ShapeError} if the window is larger than the padded image
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.unfold.html
 */
export const unfold: Fn<typeof UnfoldArgs> = fn("unfold", UnfoldArgs, (input, options) => {
  checkOperands("unfold", [input]);
  if ((input.ndim !== 3 && input.ndim !== 4) || input.shape.slice(-3).some((s) => s === 0)) {
    throw new ShapeError(`unfold(): the input must be [N, C, H, W] or [C, H, W]: ${show(input.shape)}`);
  }
  const w = windowsOf("unfold", options, input.shape.slice(-2));
  if (input.ndim === 4) return toColumns(input, w);
  const out = toColumns(reshapeTo(input, [1, ...input.shape]), w);
  return reshapeTo(out, out.shape.slice(1));
});

/**
 * Images from the columns of {@linkcode unfold}; values of overlapping windows are added.
 *
 * Shape: `[N, C · kernel taps, windows]` or without `N` to `[N, C, H, W]`.
 *
 * @param input the columns
 * @throws {ShapeError} if the columns do not fit the windows
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.fold.html
 */
export const fold: Fn<typeof FoldArgs> = fn("fold", FoldArgs, (input, o) => {
  checkOperands("fold", [input]);
  const w = windowsOf("fold", o, perDimension("fold", "outputSize", o.outputSize, 2));
  const taps = w.kernel[0] * w.kernel[1], windows = w.count[0] * w.count[1];
  const [rows, columns] = input.shape.slice(-2);
  if ((input.ndim !== 2 && input.ndim !== 3) || rows === 0 || rows % taps !== 0 || columns !== windows) {
    throw new ShapeError(
      `fold(): the input must be [N, C · ${taps}, ${windows}] for these windows: ${show(input.shape)}`,
    );
  }
  if (input.ndim === 3) return fromColumns(input, rows / taps, w);
  const out = fromColumns(reshapeTo(input, [1, ...input.shape]), rows / taps, w);
  return reshapeTo(out, out.shape.slice(1));
});
