/**
 * Transforms of single samples, with torchvision's names: from a picture to a normalised tensor, with random changes in
 * between to train on more than there is.
 *
 * A transform is a function, or an object with `forward(sample)`. Pictures are changed on the host, pixel by pixel; these
 * transforms are meant for small ones.
 *
 * @see https://docs.pytorch.org/vision/stable/transforms.html
 * @module
 */

import "../ops/attach.ts";
import { type Args, call, NoArgs } from "../base/call.ts";
import { float32 } from "../base/dtype.ts";
import { checkArray, checkFunction } from "../base/checks.ts";
import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { fromBytes, tensor } from "../ops/create/creation.ts";
import { scope } from "../tensor/scope.ts";
import { checkTensor, type Tensor } from "../tensor/tensor.ts";
import { HostRandom } from "../data/random.ts";
import type { Image } from "./image.ts";

/** A transform of one sample into another: a function, or an object (a module too) with `forward`. */
export type Transform<A, B> = ((sample: A) => B) | { forward(sample: A): B };

/** The parameters of {@linkcode Normalize}. */
export class NormalizeImageArgs {
  constructor(
    /** The mean of each channel, which is subtracted. */
    public mean: readonly number[],
    /** The standard deviation of each channel, which is divided by; not 0. */
    public std: readonly number[],
  ) {}
}

const transformArgs = call("call", NoArgs);
const applyArgs = call("applyTransform", NoArgs);
const composeArgs = call("Compose", NoArgs);
const lambdaArgs = call("Lambda", NoArgs);
const toTensorArgs = call("ToTensor", NoArgs);
const normalizeArgs = call("Normalize", NormalizeImageArgs);

/** The base of transforms that are objects; as modules, they are called with `call`. */
export abstract class TransformBase<A, B> {
  /** Turns one sample into another; written by the subclass. */
  abstract forward(sample: A): B;

  /** Applies the transform; Python's `transform(sample)`. */
  call(sample: A, ...args: Args<typeof NoArgs>): B {
    transformArgs(args);
    return this.forward(sample);
  }
}

/** Throws unless a value is an {@linkcode Image} with as many bytes as its sizes say. */
function checkImage(op: string, image: Image): void {
  const sizes = [image?.width, image?.height, image?.channels];
  if (!ArrayBuffer.isView(image?.data) || !sizes.every(Number.isInteger)) {
    throw new ArgumentError(
      `${op}(): expected an image, { data, width, height, channels }: ${describe(image)}`,
    );
  }
}

/** Applies a transform of either form. */
export function applyTransform<A, B>(transform: Transform<A, B>, sample: A, ...args: Args<typeof NoArgs>): B {
  applyArgs(args);
  if (typeof transform === "function") return transform(sample);
  const can = typeof transform === "object" && transform !== null && typeof transform.forward === "function";
  if (!can) {
    throw new ArgumentError(
      `applyTransform(): a transform is a function or has forward(sample): ${describe(transform)}`,
    );
  }
  // Modules are called by call(), which runs their hooks.
  return "call" in transform ? (transform as TransformBase<A, B>).call(sample) : transform.forward(sample);
}

/**
 * The composition of several transforms, applied in order.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const twice = new Compose<number, number>([(x: number) => x + 1, (x: number) => x * 10]);
 * assertEquals(twice.call(2), 30);
 * ```
 */
export class Compose<A = Image, B = Tensor> extends TransformBase<A, B> {
  /** The transforms, in order. */
  readonly transforms: readonly Transform<never, unknown>[];

  /**
   * Chains transforms.
   *
   * @param transforms in order; each takes what the one before gives
   */
  constructor(
    transforms: readonly [...Transform<never, unknown>[], Transform<never, B>],
    ...args: Args<typeof NoArgs>
  ) {
    super();
    composeArgs(args);
    checkArray("Compose", "transforms", transforms);
    this.transforms = transforms;
  }

  /** Applies the transforms in order. */
  override forward(sample: A): B {
    let value: unknown = sample;
    for (const transform of this.transforms) value = applyTransform(transform, value as never);
    return value as B;
  }
}

/** A function as a transform. */
export class Lambda<A, B> extends TransformBase<A, B> {
  readonly #lambda: (sample: A) => B;

  /**
   * Wraps a function.
   *
   * @param lambda the function
   */
  constructor(lambda: (sample: A) => B, ...args: Args<typeof NoArgs>) {
    super();
    lambdaArgs(args);
    checkFunction("Lambda", "lambda", lambda);
    this.#lambda = lambda;
  }

  /** Applies the function. */
  override forward(sample: A): B {
    return this.#lambda(sample);
  }
}

/**
 * A picture as a float32 tensor of shape (C, H, W) with values from 0 to 1.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import "../../mod.ts";
 *
 * const x = new ToTensor().call({ data: new Uint8Array([0, 255]), width: 2, height: 1, channels: 1 });
 * assertEquals(x.shape, [1, 1, 2]);
 * assertEquals(await x.tolist(), [[[0, 1]]]);
 * ```
 */
export class ToTensor extends TransformBase<Image, Tensor> {
  /** Makes the transform, which has no settings. */
  constructor(...args: Args<typeof NoArgs>) {
    super();
    toTensorArgs(args);
  }

  /** The float32 tensor `(C, H, W)` of a picture. */
  override forward(image: Image): Tensor {
    checkImage("ToTensor", image);
    const { data, width, height, channels } = image;
    const pixels = width * height;
    if (data.length !== pixels * channels) {
      throw new ShapeError(
        `ToTensor(): ${describe(height)} x ${describe(width)} x ${describe(channels)} values expected: ${data.length}`,
      );
    }
    const values = new Float32Array(data.length);
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < pixels; i++) values[c * pixels + i] = data[i * channels + c] / 255;
    }
    return fromBytes(new Uint8Array(values.buffer), [channels, height, width], float32);
  }
}

/**
 * `(x - mean) / std` for each channel of a tensor of shape (…, C, H, W).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const x = new Normalize([1], [2]).call(torch.full([1, 1, 2], 5));
 * assertEquals(await x.tolist(), [[[2, 2]]]);
 * ```
 */
export class Normalize extends TransformBase<Tensor, Tensor> {
  /** The mean of each channel. */
  readonly mean: readonly number[];
  /** The standard deviation of each channel. */
  readonly std: readonly number[];

  /** Makes the transform. */
  constructor(...args: Args<typeof NormalizeImageArgs>) {
    super();
    const { mean, std } = normalizeArgs(args);
    checkArray("Normalize", "mean", mean);
    checkArray("Normalize", "std", std);
    if (mean.length !== std.length || mean.length === 0) {
      throw new ArgumentError(`Normalize(): one mean and one std per channel: ${mean.length} and ${std.length} given`);
    }
    if (std.includes(0)) throw new ArgumentError(`Normalize(): a std is 0: ${show(std)}`);
    this.mean = mean;
    this.std = std;
  }

  /** Normalises a tensor into a new one. */
  override forward(x: Tensor): Tensor {
    checkTensor("Normalize", "input", x);
    const channels = x.shape[x.ndim - 3];
    if (x.ndim < 3 || (this.mean.length !== 1 && this.mean.length !== channels)) {
      throw new ShapeError(`Normalize(): ${this.mean.length} channels expected, as (…, C, H, W): ${show(x.shape)}`);
    }
    if (this.mean.length === 1) return scope(() => x.sub(this.mean[0]).div(this.std[0]));
    const column = (values: readonly number[]) => tensor(values.map((v) => [[v]]), { device: x.device });
    using mean = column(this.mean);
    using std = column(this.std);
    return scope(() => x.sub(mean).div(std));
  }
}

/** The parameters of {@linkcode RandomAffine}. */
export class RandomAffineArgs {
  /** The fill value of pixels from outside the picture. */
  fill = 0;

  constructor(
    /** The largest rotation, in degrees, or the range of rotations. */
    public degrees: number | readonly [number, number],
    /** The largest shift in each direction, as a part of the width and of the height; `null`: none. */
    public translate: readonly [number, number] | null = null,
    /** The range of the scale; `null`: 1. */
    public scale: readonly [number, number] | null = null,
    /** The largest shear along the rows, in degrees, or the range of shears; `null`: none. */
    public shear: number | readonly [number, number] | null = null,
  ) {}
}

const affineArgs = call("RandomAffine", RandomAffineArgs);

/**
 * Rotates, shifts, scales and shears a picture by random amounts, with bilinear interpolation.
 *
 * The seed comes from the default generator when the first picture is transformed.
 *
 * Differs from PyTorch: interpolation is bilinear (there: nearest by default), for pictures of few pixels.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const image = { data: new Uint8Array([1, 2, 3, 4]), width: 2, height: 2, channels: 1 };
 * assertEquals(new RandomAffine(0).call(image).data, image.data);
 * ```
 */
export class RandomAffine extends TransformBase<Image, Image> {
  readonly #degrees: readonly [number, number];
  readonly #translate: readonly [number, number];
  readonly #scale: readonly [number, number];
  readonly #shear: readonly [number, number];
  readonly #fill: number;
  #random: HostRandom | null = null;

  /**
   * Makes the transform with the ranges that its parameters are drawn from.
   *
   * @throws {ArgumentError} if a range is not one
   */
  constructor(...args: Args<typeof RandomAffineArgs>) {
    super();
    const { degrees, translate, scale, shear, fill } = affineArgs(args);
    this.#degrees = range("degrees", degrees);
    if (translate !== null) checkArray("RandomAffine", "translate", translate);
    this.#translate = translate ?? [0, 0];
    this.#scale = range("scale", scale ?? [1, 1]);
    this.#shear = range("shear", shear ?? 0);
    this.#fill = fill;
    if (!this.#translate.every((t) => t >= 0 && t <= 1)) {
      throw new ArgumentError(`RandomAffine(): translate must be two numbers from 0 to 1: ${show(this.#translate)}`);
    }
    if (this.#scale[0] <= 0) throw new ArgumentError(`RandomAffine(): scale must be positive: ${show(this.#scale)}`);
  }

  /** Transforms a picture into a new one of the same size. */
  override forward(image: Image): Image {
    checkImage("RandomAffine", image);
    const random = this.#random ??= HostRandom.from("transforms", null);
    const between = ([low, high]: readonly [number, number]) => low + random.uniform() * (high - low);
    const angle = between(this.#degrees) * Math.PI / 180;
    const scale = between(this.#scale);
    const shear = Math.tan(between(this.#shear) * Math.PI / 180);
    const [tx, ty] = this.#translate;
    const dx = between([-tx, tx]) * image.width;
    const dy = between([-ty, ty]) * image.height;
    // The inverse map, from pixels of the result to pixels of the picture: inverse shear, scale and rotation about the
    // centre, after the inverse shift.
    const cos = Math.cos(angle) / scale, sin = Math.sin(angle) / scale;
    const matrix = [cos - shear * sin, sin + shear * cos, -sin, cos] as const;
    return resample(image, matrix, [dx, dy], this.#fill);
  }
}

function range(name: string, value: number | readonly [number, number]): readonly [number, number] {
  const [low, high] = typeof value === "number" ? [-value, value] : Array.isArray(value) ? value : [NaN, NaN];
  if (typeof low !== "number" || typeof high !== "number" || !(low <= high)) {
    throw new ArgumentError(`RandomAffine(): ${name} must be a number or a range: ${show(value)}`);
  }
  return [low, high];
}

/**
 * Resamples a picture: pixel p of the result, relative to the centre, is the picture's value at `matrix` · (p - shift).
 */
function resample(
  { data, width, height, channels }: Image,
  [a, b, c, d]: readonly [number, number, number, number],
  [dx, dy]: readonly [number, number],
  fill: number,
): Image {
  const out = new Uint8Array(data.length);
  const cx = (width - 1) / 2, cy = (height - 1) / 2;
  const at = (x: number, y: number, channel: number) =>
    x < 0 || y < 0 || x >= width || y >= height ? fill : data[(y * width + x) * channels + channel];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const px = column - cx - dx, py = row - cy - dy;
      const x = a * px + b * py + cx, y = c * px + d * py + cy;
      const x0 = Math.floor(x), y0 = Math.floor(y);
      const fx = x - x0, fy = y - y0;
      for (let k = 0; k < channels; k++) {
        const upper = at(x0, y0, k) * (1 - fx) + at(x0 + 1, y0, k) * fx;
        const lower = at(x0, y0 + 1, k) * (1 - fx) + at(x0 + 1, y0 + 1, k) * fx;
        out[(row * width + column) * channels + k] = Math.round(upper * (1 - fy) + lower * fy);
      }
    }
  }
  return { data: out, width, height, channels };
}
