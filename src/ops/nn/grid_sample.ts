/**
 * `affineGrid` and `gridSample`: images sampled at given places.
 *
 * A sample is a weighted sum of the pixels around its place. Pixels are gathered by index; weights are functions of the
 * place, from which the gradient of the grid comes.
 *
 * @see Jaderberg et al., "Spatial transformer networks" (2015)
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { checkIntegers, checkListed } from "../../base/checks.ts";
import { ArgumentError, ShapeError, show } from "../../base/errors.ts";
import { alias } from "../../autograd/node.ts";
import { record } from "../../autograd/record.ts";
import { constant, type Expr, where } from "../../expr/expr.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { fromData } from "../create/creation.ts";
import { expression } from "../core/expression.ts";
import { stack } from "../shape/join.ts";

/** The parameters of {@linkcode affineGrid}. */
export class AffineGridArgs {
  constructor(
    /** The size of the output: `(N, C, H, W)` or `(N, C, D, H, W)`. */
    public size: readonly number[],
    /** Whether ±1 are the centres of corner pixels, not their outer corners. */
    public alignCorners: boolean | null = null,
  ) {}
}

/** Evenly spaced places from -1 to 1. */
function places(count: number, align: boolean): number[] {
  checkListed("affineGrid", count);
  return Array.from({ length: count }, (_, i) => {
    if (align) return count > 1 ? (2 * i) / (count - 1) - 1 : 0;
    return (2 * i + 1) / count - 1;
  });
}

/**
 * A grid of places for {@linkcode gridSample}, from an affine map per image.
 *
 * @param theta `(N, 2, 3)`, or `(N, 3, 4)` for volumes
 * @throws {ShapeError} if map and size do not fit
 */
export const affineGrid: Fn<typeof AffineGridArgs> = fn(
  "affineGrid",
  AffineGridArgs,
  (theta, { size, alignCorners }) => {
    checkIntegers("affineGrid", "size", size);
    const dims = size.length - 2;
    const fits = (dims === 2 || dims === 3) && theta.ndim === 3 && theta.shape[0] === size[0] &&
      theta.shape[1] === dims && theta.shape[2] === dims + 1;
    if (!fits || size.some((s) => s <= 0)) {
      throw new ShapeError(
        `affineGrid(): expected theta (N, 2, 3) for size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, W): ${
          show(theta.shape)
        }, ${show(size)}`,
      );
    }
    const spatial = size.slice(2);
    return scope(() => {
      const place = { device: theta.device, dtype: theta.dtype };
      // x comes first: the last dimension of the image.
      const axes = spatial.map((count, d) => {
        const shape = spatial.map((_, k) => k === d ? count : 1);
        return fromData(places(count, alignCorners ?? false), shape, place).expand(spatial);
      }).reverse();
      const base = stack([...axes, axes[0].onesLike()], -1).reshape(1, -1, dims + 1); // (1, places, dims + 1)
      const wide = base.expand(size[0], base.shape[1], dims + 1);
      return wide.matmul(theta.transpose(1, 2)).reshape([size[0], ...spatial, dims]);
    });
  },
);

/** What lies outside of an image: nothing, its border, or its mirror image. */
export type Padding = "zeros" | "border" | "reflection";

/** The parameters of {@linkcode gridSample}. */
export class GridSampleArgs {
  constructor(
    /** Places from -1 to 1, `(N, Ho, Wo, 2)` or `(N, Do, Ho, Wo, 3)`; x first. */
    public grid: Tensor,
    /** How values are found. */
    public mode: "bilinear" | "nearest" | "bicubic" = "bilinear",
    /** What lies outside. */
    public paddingMode: Padding = "zeros",
    /** Whether ±1 are the centres of corner pixels, not their outer corners. */
    public alignCorners: boolean | null = null,
  ) {}
}

/** A place from -1 to 1 in pixels. */
function unnormalise(x: Expr, size: Expr, align: boolean): Expr {
  return align ? x.add(1).mul(size.sub(1)).mul(0.5) : x.add(1).mul(size).sub(1).mul(0.5);
}

/** Limited to the image; without gradient at and beyond its borders. */
function clip(x: Expr, size: Expr): Expr {
  const zero = constant(0, x.kind);
  return where(x.le(0), zero, where(x.ge(size.sub(1)), size.sub(1), x));
}

/** Mirrored into the image, at the centres of border pixels or at their outer edges. */
function reflect(x: Expr, size: Expr, align: boolean): Expr {
  const low = align ? constant(0, x.kind) : constant(-0.5, x.kind);
  const span = align ? size.sub(1) : size;
  const distance = x.sub(low).abs();
  const flips = distance.div(span).floor();
  const rest = distance.sub(flips.mul(span));
  const even = flips.mul(0.5).floor().mul(2).eq(flips);
  const folded = where(even, rest.add(low), span.sub(rest).add(low));
  return where(span.le(0), constant(0, x.kind), folded);
}

function inside(x: Expr, size: Expr, padding: Padding, align: boolean): Expr {
  if (padding === "zeros") return x;
  return clip(padding === "border" ? x : reflect(x, size, align), size);
}

/** Places in pixels, brought inside as the padding says. */
const positionOf = expression(
  "gridSample",
  ([x], [size], padding: Padding, align: boolean) => inside(unnormalise(x!, size, align), size, padding, align),
);

/** A whole pixel position as an index: brought inside (bicubic), then limited to the image. */
const indexOf = expression("gridSample", ([x], [size], padding: Padding, align: boolean) => {
  // A place that is not a number reads some pixel; its share is NaN.
  const at = inside(x!, size, padding, align).max(0).min(size.sub(1));
  return at.isnan().where(0, at);
});

/** 1 where a whole pixel position is in the image. */
const isInside = expression("gridSample", ([x], [size]) => {
  const one = constant(1, x!.kind);
  return x!.ge(0).logicalAnd(x!.lt(size)).where(one, 0);
});
// By side, not by the distance: on a pixel the distance has no slope, where PyTorch takes that to the right.
const linearShares = [
  expression("gridSample", ([x, whole]) => constant(1, x!.kind).sub(x!.sub(whole!))),
  expression("gridSample", ([x, whole]) => x!.sub(whole!).add(1)),
];

/** Keys' cubic kernel with PyTorch's parameter. */
const cubicShare = expression("gridSample", ([x, whole]) => {
  const a = -0.75;
  const d = x!.sub(whole!).abs();
  const near = d.mul(a + 2).sub(a + 3).mul(d).mul(d).add(1);
  const far = d.mul(a).sub(5 * a).mul(d).add(8 * a).mul(d).sub(4 * a);
  return d.le(1).where(near, far);
});

/** For one dimension: whole positions as indices, and the share of each pixel in every sample. */
interface Axis {
  readonly index: Tensor;
  readonly share: Tensor | null;
}

/** The pixels along one dimension that make a sample. */
function axisTaps(x: Tensor, size: number, mode: string, padding: Padding, align: boolean): Axis[] {
  const cubic = mode === "bicubic";
  const position = positionOf([x], [size], {}, cubic ? "zeros" : padding, align);
  const fixed = position.detach();
  const first = mode === "nearest" ? fixed.round() : fixed.floor();
  const offsets = mode === "nearest" ? [0] : cubic ? [-1, 0, 1, 2] : [0, 1];
  return offsets.map((k) => {
    const whole = first.add(k);
    const index = indexOf([whole], [size], {}, cubic ? padding : "zeros", align).long();
    const mask = padding === "zeros"
      ? isInside([whole], [size])
      : mode === "bilinear"
      ? isInside([whole], [size])
      : null;
    if (mode === "nearest") return { index, share: padding === "zeros" ? mask : null };
    const share = (cubic ? cubicShare : linearShares[k])([position, whole], []);
    return { index, share: mask ? share.mul(mask) : share };
  });
}

/**
 * Samples images at the places of a grid.
 *
 * Shape: `(N, C, H, W)` and `(N, Ho, Wo, 2)` to `(N, C, Ho, Wo)`; volumes likewise.
 *
 * @param input the images
 * @throws {ShapeError} if image and grid do not fit
 * @throws {ArgumentError} if a mode is unknown
 */
export const gridSample: Fn<typeof GridSampleArgs> = fn(
  { name: "gridSample", autocast: { cpu: "float32", gpu: "promote" }, roundsOnce: true },
  GridSampleArgs,
  (input, o) => {
    const { grid, mode, paddingMode } = o;
    const align = o.alignCorners ?? false;
    checkTensor("gridSample", "grid", grid);
    check(input, grid, mode, paddingMode);
    const spatial = input.shape.slice(2);
    return scope(() => {
      const [n, channels] = input.shape;
      const out = grid.shape.slice(1, -1);
      const count = out.reduce((product, size) => product * size, 1);
      // Dimension d of the image is coordinate dims - 1 - d of the grid.
      const axes = spatial.map((size, d) => {
        const x = grid.select(-1, spatial.length - 1 - d).reshape(n, count);
        return axisTaps(x, size, mode, paddingMode, align);
      });
      const pixels = input.reshape(n, channels, -1);
      let total: Tensor | null = null;
      for (const taps of combinations(axes)) {
        const index = taps.reduce<Tensor | null>(
          (at, tap, d) => at ? at.mul(spatial[d]).add(tap.index) : tap.index,
          null,
        )!;
        const share = taps.reduce<Tensor | null>((s, tap) => s && tap.share ? s.mul(tap.share) : s ?? tap.share, null);
        const value = pixels.gather(2, index.unsqueeze(1).expand(n, channels, count));
        const part = share ? value.mul(share.unsqueeze(1)) : value;
        total = total ? total.add(part) : part;
      }
      const result = total!.reshape([n, channels, ...out]);
      if (mode !== "nearest") return result;
      // The nearest pixel does not depend smoothly on the place: its gradient is zero, but there is one.
      return record("GridSamplerBackward0", alias(result), [result, grid], [grid], (g, [at]) => [g, at.zerosLike()]);
    });
  },
);

/** One tap per dimension, in every combination. */
function combinations(axes: readonly Axis[][]): Axis[][] {
  return axes.reduce<Axis[][]>((lists, taps) => lists.flatMap((list) => taps.map((tap) => [...list, tap])), [[]]);
}

function check(input: Tensor, grid: Tensor, mode: string, padding: string): void {
  if (!["bilinear", "nearest", "bicubic"].includes(mode)) {
    throw new ArgumentError(
      `gridSample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '${mode}'`,
    );
  }
  if (!["zeros", "border", "reflection"].includes(padding)) {
    throw new ArgumentError(
      `gridSample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '${padding}'`,
    );
  }
  const dims = input.ndim - 2;
  if ((dims !== 2 && dims !== 3) || grid.ndim !== input.ndim || grid.shape[0] !== input.shape[0]) {
    throw new ShapeError(
      `gridSample(): expected 4D or 5D input and grid with the same batch: ${show(input.shape)}, ${show(grid.shape)}`,
    );
  }
  if (grid.shape[grid.ndim - 1] !== dims) {
    throw new ShapeError(`gridSample(): expected grid to have size ${dims} in last dimension: ${show(grid.shape)}`);
  }
  if (input.shape.slice(2).includes(0)) {
    throw new ShapeError(`gridSample(): expected non-empty spatial dimensions: ${show(input.shape)}`);
  }
  if (mode === "bicubic" && dims !== 2) throw new ArgumentError("gridSample(): bicubic interpolation needs 4D input");
}
