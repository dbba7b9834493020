/**
 * Upsampling layers, and layers that compute similarities and distances of vectors.
 *
 * @module
 */

import type { InterpolateMode } from "../../ops/nn/interpolate.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Size } from "../module/factory.ts";
import * as F from "../functional.ts";
import { type Layer, layer } from "../module/layer.ts";
import { float, python } from "../module/repr.ts";

/** The parameters of the upsampling layers with a fixed mode. */
export class FixedUpsampleArgs {
  constructor(
    /** The spatial sizes of the output. */
    public size: Size | null = null,
    /** Factors of the input's spatial sizes, in place of `size`. */
    public scaleFactor: Size | null = null,
  ) {}
}

/** The parameters of {@linkcode Upsample}. */
export class UpsampleArgs {
  constructor(
    /** The spatial sizes of the output. */
    public size: Size | null = null,
    /** Factors of the input's spatial sizes, in place of `size`. */
    public scaleFactor: Size | null = null,
    /** The interpolation mode. */
    public mode: InterpolateMode = "nearest",
    /** Whether the centres of the corner pixels of input and output are aligned, so that these keep their values. */
    public alignCorners: boolean | null = null,
    /** Whether the factor is computed again from the rounded output size. */
    public recomputeScaleFactor: boolean | null = null,
  ) {}
}

/** The printed options: the size or the factor, and the mode. */
function printed({ size, scaleFactor }: FixedUpsampleArgs, mode: InterpolateMode): string {
  if (scaleFactor === null) return `size=${python(size)}, mode=${python(mode)}`;
  const factor = typeof scaleFactor === "number" ? float(scaleFactor) : `(${scaleFactor.map(float).join(", ")})`;
  return `scale_factor=${factor}, mode=${python(mode)}`;
}

/** Upsampling: resizes the spatial dimensions of `(N, C, *)` by interpolation. */
export const Upsample: Layer<typeof UpsampleArgs> = layer({
  name: "Upsample",
  params: UpsampleArgs,
  call: ({ size, scaleFactor, mode, alignCorners, recomputeScaleFactor }, input: Tensor) =>
    F.interpolate(input, { size, scaleFactor, mode, alignCorners, recomputeScaleFactor }),
  repr: (o) => printed(o, o.mode),
});
export type Upsample = InstanceType<typeof Upsample>;

/** Defines an upsampling layer with a fixed mode. */
function upsampling(
  name: string,
  mode: InterpolateMode,
  alignCorners: boolean | null,
): Layer<typeof FixedUpsampleArgs> {
  return layer({
    name,
    params: FixedUpsampleArgs,
    call: ({ size, scaleFactor }, input: Tensor) => F.interpolate(input, { size, scaleFactor, mode, alignCorners }),
    repr: (o) => printed(o, mode),
  });
}

/** Nearest-neighbour upsampling of `(N, C, H, W)`. */
export const UpsamplingNearest2d: Layer<typeof FixedUpsampleArgs> = upsampling("UpsamplingNearest2d", "nearest", null);
export type UpsamplingNearest2d = InstanceType<typeof UpsamplingNearest2d>;

/** Bilinear upsampling of `(N, C, H, W)` with aligned corners. */
export const UpsamplingBilinear2d: Layer<typeof FixedUpsampleArgs> = upsampling(
  "UpsamplingBilinear2d",
  "bilinear",
  true,
);
export type UpsamplingBilinear2d = InstanceType<typeof UpsamplingBilinear2d>;

/** The parameters of {@linkcode CosineSimilarity}. */
export class CosineSimilarityLayerArgs {
  constructor(
    /** The dimension along which the vectors lie. */
    public dim = 1,
    /** The lower bound ε of the vectors' norms, against division by zero. */
    public eps = 1e-8,
  ) {}
}

/** Cosine similarity: the cosine of the angle between vectors. */
export const CosineSimilarity: Layer<typeof CosineSimilarityLayerArgs, [x1: Tensor, x2: Tensor]> = layer({
  name: "CosineSimilarity",
  params: CosineSimilarityLayerArgs,
  call: (o, x1: Tensor, x2: Tensor) => F.cosineSimilarity(x1, x2, o.dim, o.eps),
});
export type CosineSimilarity = InstanceType<typeof CosineSimilarity>;

/** The parameters of {@linkcode PairwiseDistance}. */
export class PairwiseDistanceLayerArgs {
  constructor(
    /** The exponent p of the norm. */
    public p = 2,
    /** The number ε that is added to the difference. */
    public eps = 1e-6,
    /** Whether the reduced last dimension is kept with size 1. */
    public keepdim = false,
  ) {}
}

/** Pairwise distance: the p-norm of the difference of vectors. */
export const PairwiseDistance: Layer<typeof PairwiseDistanceLayerArgs, [x1: Tensor, x2: Tensor]> = layer({
  name: "PairwiseDistance",
  params: PairwiseDistanceLayerArgs,
  call: (o, x1: Tensor, x2: Tensor) => F.pairwiseDistance(x1, x2, o.p, o.eps, o.keepdim),
});
export type PairwiseDistance = InstanceType<typeof PairwiseDistance>;
