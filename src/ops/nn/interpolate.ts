/**
 * `interpolate`: resizing by nearest, linear, cubic or area interpolation, one dimension after the other.
 *
 * Along one dimension every output element is a weighted sum of a few input elements (*taps*): one for nearest, two for
 * linear, four for cubic, more with anti-aliasing. Positions and weights are computed on the host with
 * PyTorch's rounding, so that the same pixels are chosen; the sums are one kernel per dimension.
 *
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { isHalf, roundedOnce } from "../core/wide.ts";
import { autocasted, autocasting } from "../../autograd/autocast.ts";
import { float64, uint8 } from "../../base/dtype.ts";
import { checkListed } from "../../base/checks.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { checkSizes } from "../../base/shape.ts";
import { checkRoom } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { fromData } from "../create/creation.ts";
import { expression, type ExpressionFunction } from "../core/expression.ts";
import { selectInOrder } from "../core/view_core.ts";
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from "./pool.ts";

/** How {@linkcode interpolate} finds values. */
export type InterpolateMode =
  | "nearest"
  | "nearest-exact"
  | "linear"
  | "bilinear"
  | "trilinear"
  | "bicubic"
  | "area";

/** The parameters of {@linkcode interpolate}. */
export class InterpolateArgs {
  constructor(
    /** Sizes of the output, one for all dimensions or one each. */
    public size: number | readonly number[] | null = null,
    /** Or factors of the input's sizes. */
    public scaleFactor: number | readonly number[] | null = null,
    /** How values are found. */
    public mode: InterpolateMode = "nearest",
    /** Whether the centres of corner pixels keep their values; for linear and cubic modes. */
    public alignCorners: boolean | null = null,
    /** Whether the factor is computed again from the sizes. */
    public recomputeScaleFactor: boolean | null = null,
    /** Whether shrinking averages over all pixels; for bilinear and bicubic. */
    public antialias = false,
  ) {}
}

/** Spatial dimensions that each mode works in. */
const DIMENSIONS: Readonly<Record<InterpolateMode, readonly number[]>> = {
  "nearest": [1, 2, 3],
  "nearest-exact": [1, 2, 3],
  "area": [1, 2, 3],
  "linear": [1],
  "bilinear": [2],
  "bicubic": [2],
  "trilinear": [3],
};

/** How positions and weights are rounded: float32 arithmetic, or none for float64. */
type Rounding = (x: number) => number;

/** For each output position the input positions and weights that make it. */
interface Taps {
  readonly index: number[][];
  readonly weight: number[][] | null;
}

/**
 * Resizes the dimensions behind the channels.
 *
 * Shape: `(N, C, L)`, `(N, C, H, W)` or `(N, C, D, H, W)`.
 *
 * @throws {ArgumentError} if sizes and factors are both given or both missing, or the mode does not fit
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../../mod.ts";
 *
 * const image = torch.tensor([[[[0, 1], [2, 3]]]]);
 * assertEquals(await interpolate(image, { scaleFactor: 2 }).at(0, 0, 0).tolist(), [0, 0, 1, 1]);
 * ```
 *
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
 */
export const interpolate: Fn<typeof InterpolateArgs> = fn("interpolate", InterpolateArgs, (input, o) => {
  const { mode } = o;
  if (autocasting.active && mode !== "area") return autocasted({ gpu: "float32" }, interpolate, input, { ...o });
  const dims = input.ndim - 2;
  checkMode(input, mode, o);
  const { sizes, factors } = target(input, dims, mode, o);
  if (sizes.some((s) => !Number.isInteger(s) || s <= 0)) {
    throw new ShapeError(`interpolate(): output sizes must be positive: ${show(sizes)}`);
  }
  if (input.shape.slice(1).includes(0)) {
    throw new ShapeError(`interpolate(): input sizes behind the batch must not be 0: ${show(input.shape)}`);
  }
  if (!input.dtype.isFloatingPoint && !mode.startsWith("nearest")) {
    if (input.dtype !== uint8) {
      throw new DTypeError(`interpolate(): mode "${mode}" takes floating and uint8 tensors: ${input.dtype}`);
    }
    return scope(() => interpolate(input.float(), { ...o }).round().clamp(0, 255).to(uint8));
  }
  checkRoom("interpolate", [...input.shape.slice(0, 2), ...sizes], input.dtype, input);
  if (isHalf(input.dtype) && !mode.startsWith("nearest") && mode !== "area") {
    return roundedOnce([input], (wide) => interpolate(wide, { ...o }));
  }
  if (mode === "area") return [adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d][dims - 1](input, sizes);
  return scope(() => {
    let x = input;
    sizes.forEach((size, d) => {
      const inSize = input.shape[d + 2];
      const geometry: Geometry = {
        inSize,
        outSize: size,
        factor: factors?.[d] ?? null,
        align: o.alignCorners ?? false,
        // Nearest positions are float32 whatever the dtype, as in PyTorch.
        round: input.dtype === float64 && !mode.startsWith("nearest") ? (x) => x : Math.fround,
      };
      const taps = o.antialias ? smoothTaps(geometry, mode) : tapsOf(geometry, mode);
      x = resample(x, d + 2, taps);
    });
    return x === input ? input.clone() : x;
  });
});

function checkMode(input: Tensor, mode: InterpolateMode, o: Readonly<InterpolateArgs>): void {
  const possible = DIMENSIONS[mode];
  if (possible === undefined) {
    throw new ArgumentError(
      `interpolate(): unknown mode: "${String(mode)}"; use ${Object.keys(DIMENSIONS).join(", ")}`,
    );
  }
  if (!possible.includes(input.ndim - 2)) {
    throw new ArgumentError(
      `interpolate(): got ${input.ndim}D input, but ${mode} mode needs ${
        possible.map((d) => `${d + 2}D`).join(" or ")
      }`,
    );
  }
  const smooth = mode.includes("linear") || mode === "bicubic";
  if (!smooth && o.alignCorners !== null) {
    throw new ArgumentError(
      "interpolate(): align_corners option can only be set with the interpolating modes: " +
        "linear | bilinear | bicubic | trilinear",
    );
  }
  if (o.antialias && mode !== "bilinear" && mode !== "bicubic") {
    throw new ArgumentError(`interpolate(): antialias is possible with bilinear and bicubic only: "${mode}"`);
  }
}

function target(
  input: Tensor,
  dims: number,
  mode: InterpolateMode,
  o: Readonly<InterpolateArgs>,
): { sizes: readonly number[]; factors: readonly number[] | null } {
  const { size, scaleFactor: factor } = o;
  if ((size === null) === (factor === null)) {
    throw new ArgumentError("interpolate(): give exactly one of size and scaleFactor");
  }
  const each = (value: number | readonly number[]) =>
    typeof value === "number" ? Array.from({ length: dims }, () => value) : value;
  const list = each((size ?? factor)!);
  if (list.length !== dims) {
    throw new ShapeError(
      `interpolate(): input and ${size === null ? "scaleFactor" : "size"} must have the same number of spatial ` +
        `dimensions: ${show(input.shape.slice(2))} and ${show(list)}`,
    );
  }
  if (size !== null) {
    if (o.recomputeScaleFactor) {
      throw new ArgumentError("interpolate(): recompute_scale_factor is not meaningful with an explicit size");
    }
    checkSizes("interpolate", list);
    for (const s of list) checkListed("interpolate", s);
    return { sizes: list, factors: null };
  }
  const sizes = list.map((f, d) => Math.floor(input.shape[d + 2] * f));
  checkSizes("interpolate", sizes);
  for (const s of sizes) checkListed("interpolate", s);
  return { sizes, factors: o.recomputeScaleFactor || mode === "area" ? null : list };
}

/** What positions along one dimension depend on. */
interface Geometry {
  readonly inSize: number;
  readonly outSize: number;
  readonly factor: number | null;
  readonly align: boolean;
  readonly round: Rounding;
}

/** Input elements per output element. */
function stepOf({ inSize, outSize, factor, align, round }: Geometry): number {
  if (align) return outSize > 1 ? round((inSize - 1) / (outSize - 1)) : 0;
  return factor !== null && factor > 0 ? round(1 / factor) : round(inSize / outSize);
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function tapsOf(geometry: Geometry, mode: InterpolateMode): Taps {
  const { inSize, outSize, align, round } = geometry;
  const last = inSize - 1;
  const step = stepOf(geometry);
  const clamp = (i: number) => Math.min(Math.max(i, 0), last);
  if (mode === "nearest") {
    const source = (i: number) => {
      if (outSize === inSize) return i;
      return outSize === 2 * inSize ? i >> 1 : Math.floor(round(i * step));
    };
    return { index: [range(outSize).map((i) => clamp(source(i)))], weight: null };
  }
  if (mode === "nearest-exact") {
    return { index: [range(outSize).map((i) => clamp(Math.floor(round(round(i + 0.5) * step))))], weight: null };
  }
  const position = (i: number) => align ? round(step * i) : round(round(step * (i + 0.5)) - 0.5);
  if (mode === "bicubic") return cubicTaps(range(outSize).map(position), clamp, round);
  const places = range(outSize).map((i) => Math.max(position(i), 0));
  const first = places.map((p) => Math.min(Math.floor(p), last));
  const share = places.map((p, i) => Math.min(Math.max(round(p - first[i]), 0), 1));
  return {
    index: [first, first.map((i) => Math.min(i + 1, last))],
    weight: [share.map((s) => round(1 - s)), share],
  };
}

/** Keys' cubic convolution kernel within one element, and between one and two. */
function cubicNear(x: number, a: number): number {
  return ((a + 2) * x - (a + 3)) * x * x + 1;
}
function cubicFar(x: number, a: number): number {
  return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

function cubicTaps(places: readonly number[], clamp: (i: number) => number, round: Rounding): Taps {
  // PyTorch's and OpenCV's choice; -0.5 with anti-aliasing, as in Pillow.
  const a = -0.75;
  const first = places.map(Math.floor);
  const shares = places.map((p, i) => round(p - first[i]));
  return {
    index: [-1, 0, 1, 2].map((k) => first.map((i) => clamp(i + k))),
    weight: [
      shares.map((t) => cubicFar(t + 1, a)),
      shares.map((t) => cubicNear(t, a)),
      shares.map((t) => cubicNear(1 - t, a)),
      shares.map((t) => cubicFar(2 - t, a)),
    ],
  };
}

/** Taps of a filter that is as wide as the output's pixels, when these are larger. */
function smoothTaps(geometry: Geometry, mode: InterpolateMode): Taps {
  const { inSize, outSize } = geometry;
  const step = stepOf(geometry);
  const cubic = mode === "bicubic";
  const filter = (distance: number) => {
    const x = Math.abs(distance);
    if (!cubic) return x < 1 ? 1 - x : 0;
    return x < 1 ? cubicNear(x, -0.5) : x < 2 ? cubicFar(x, -0.5) : 0;
  };
  const support = (cubic ? 2 : 1) * Math.max(step, 1);
  const shrink = step >= 1 ? 1 / step : 1;
  const rows = range(outSize).map((i) => {
    const centre = step * (i + 0.5);
    const from = Math.max(Math.trunc(centre - support + 0.5), 0);
    const to = Math.min(Math.trunc(centre + support + 0.5), inSize);
    const weights = range(to - from).map((k) => filter((k + from - centre + 0.5) * shrink));
    const total = weights.reduce((sum, w) => sum + w, 0);
    return { from, weights: weights.map((w) => total === 0 ? w : w / total) };
  });
  const count = Math.max(...rows.map((row) => row.weights.length));
  return {
    index: range(count).map((k) => rows.map((row) => Math.min(row.from + k, inSize - 1))),
    weight: range(count).map((k) => rows.map((row) => row.weights[k] ?? 0)),
  };
}

const sums = new Map<number, ExpressionFunction>();

/** `Σ x_k w_k` of `count` pairs, in one kernel. */
function weightedSum(count: number): ExpressionFunction {
  let sum = sums.get(count);
  if (sum === undefined) {
    sum = expression("interpolate", (elements) => {
      let total = elements[0]!.mul(elements[1]!);
      for (let k = 1; k < count; k++) total = total.add(elements[2 * k]!.mul(elements[2 * k + 1]!));
      return total;
    });
    sums.set(count, sum);
  }
  return sum;
}

// So many pairs per kernel keep its registers few; only anti-aliasing has more taps.
const PAIRS = 4;

function resample(x: Tensor, dim: number, { index, weight }: Taps): Tensor {
  const { device } = x;
  const picked = index.map((list) => {
    const at = fromData(BigInt64Array.from(list, BigInt), [list.length], { device });
    return selectInOrder(x, dim, at);
  });
  if (weight === null) return picked[0];
  const shape = x.shape.map((_, d) => d === dim ? index[0].length : 1);
  const factors = weight.map((list) => fromData(Float64Array.from(list), shape, { device, dtype: x.dtype }));
  let total: Tensor | null = null;
  for (let k = 0; k < picked.length; k += PAIRS) {
    const count = Math.min(PAIRS, picked.length - k);
    const operands = range(count).flatMap((i) => [picked[k + i], factors[k + i]]);
    const part = weightedSum(count)(operands, []);
    total = total === null ? part : total.add(part);
  }
  return total!;
}
