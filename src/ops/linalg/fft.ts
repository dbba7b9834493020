/**
 * `fft`: discrete Fourier transforms, under the names of `torch.fft`.
 *
 * All are made of one complex transform along one dimension (`fft_core.ts`): several dimensions one after the other, real
 * input as complex numbers whose other half of the result is not kept, real output from that half and its mirror image.
 * These steps are recorded ops, so gradients of every order are those of PyTorch, also by real input.
 *
 * DType: float32, float64, complex64 and complex128; integers and bools compute in the default floating dtype.
 *
 * @see https://docs.pytorch.org/docs/stable/fft.html
 * @module
 */

import { checkIntegers } from "../../base/checks.ts";
import "../attach.ts";
import { type Func, func } from "../../base/call.ts";
import type { Device } from "../../base/device.ts";
import { type DType, float32, float64, getDefaultDtype, toComplex } from "../../base/dtype.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../../base/errors.ts";
import { wrapDim } from "../../base/shape.ts";
import { checkAlive, type Tensor } from "../../tensor/tensor.ts";
import { roll } from "../shape/arrange.ts";
import { transform } from "./fft_core.ts";
import { cat } from "../shape/join.ts";
import { type Fn, fn, scopedFn } from "../core/op.ts";
import { arange } from "../create/ranges.ts";

/** Which direction divides by n: the inverse (`"backward"`, the default), the forward one, or both by √n (`"ortho"`). */
export type FftNorm = "backward" | "ortho" | "forward";

/** The parameters of transforms along one dimension. */
export class FftArgs {
  constructor(
    /** The length: input is cut or padded with zeros. `null`: the input's; `2 · (size - 1)` where the output is real. */
    public n: number | null = null,
    /** The dimension. */
    public dim: number = -1,
    /** The normalisation; `null`: `"backward"`. */
    public norm: FftNorm | null = null,
  ) {}
}

/** The parameters of transforms along several dimensions. */
export class FftnArgs {
  constructor(
    /** The lengths along `dim`, -1 for the input's. */
    public s: readonly number[] | null = null,
    /** The dimensions; `null`: as many last ones as `s` has, else all. */
    public dim: readonly number[] | number | null = null,
    /** The normalisation; `null`: `"backward"`. */
    public norm: FftNorm | null = null,
  ) {}
}

/** The parameters of transforms along two dimensions. */
export class Fft2Args extends FftnArgs {
  constructor(
    s?: readonly number[] | null,
    /** The dimensions. */
    dim: readonly number[] | number = [-2, -1],
    norm?: FftNorm | null,
  ) {
    super(s, dim, norm);
  }
}

/** What a transform computes from and gives. */
type Kind = "complex" | "fromReal" | "toReal";

/** The factor of a transform of `n` numbers. */
function scaleOf(op: string, norm: FftNorm | null, inverse: boolean, n: number): number {
  switch (norm ?? "backward") {
    case "backward":
      return inverse ? 1 / n : 1;
    case "ortho":
      return 1 / Math.sqrt(n);
    case "forward":
      return inverse ? 1 : 1 / n;
    default:
      throw new ArgumentError(`${op}(): unknown norm: ${describe(norm)}; expected backward, ortho or forward`);
  }
}

/** The input in the dtype that is computed in; complex unless `real`. */
function promoted(op: string, x: Tensor, real: boolean): Tensor {
  checkAlive(op, x);
  if (real && x.dtype.isComplex) throw new DTypeError(`${op}(): a real tensor is needed: ${x.dtype}`);
  const dtype = x.dtype.kind === "integer" || x.dtype.kind === "bool" ? getDefaultDtype() : x.dtype;
  if (!dtype.isComplex && dtype !== float32 && dtype !== float64) {
    throw new DTypeError(`${op}(): a tensor of float32, float64 or complex numbers is needed: ${dtype}; use .float()`);
  }
  return x.to(real || dtype.isComplex ? dtype : toComplex(dtype));
}

function checkLength(op: string, n: unknown): asserts n is number {
  if (!Number.isInteger(n) || (n as number) < 1) {
    throw new ShapeError(`${op}(): a length must be a positive integer: ${describe(n)}`);
  }
}

/** Dimension `d` cut, or padded with zeros, to `n`. */
function resized(x: Tensor, d: number, n: number): Tensor {
  const size = x.shape[d];
  if (size === n) return x;
  if (size > n) return x.narrow(d, 0, n);
  const shape = [...x.shape];
  shape[d] = n - size;
  return cat([x, x.newZeros(shape)], d);
}

/** Complex numbers, of as many as the input has. */
function complexStep(op: string, x: Tensor, d: number, n: number, inverse: boolean, norm: FftNorm | null): Tensor {
  checkLength(op, n);
  return transform(resized(x, d, n), d, inverse, scaleOf(op, norm, inverse, n));
}

/** The first half of the transform of real numbers. */
function fromRealStep(op: string, x: Tensor, d: number, n: number, inverse: boolean, norm: FftNorm | null): Tensor {
  const whole = complexStep(op, resized(x, d, n).to(toComplex(x.dtype)), d, n, inverse, norm);
  return whole.narrow(d, 0, Math.floor(n / 2) + 1).contiguous();
}

/** `n` real numbers from the first half of their transform: the second is its mirror image. */
function toRealStep(op: string, x: Tensor, d: number, n: number, inverse: boolean, norm: FftNorm | null): Tensor {
  checkLength(op, n);
  const half = resized(x, d, Math.floor(n / 2) + 1), mirrored = n - half.shape[d];
  const whole = mirrored > 0 ? cat([half, half.narrow(d, 1, mirrored).flip(d).conj()], d) : half.narrow(d, 0, n);
  return transform(whole, d, inverse, scaleOf(op, norm, inverse, n)).real.contiguous();
}

/** Makes a transform along one dimension. */
function along(op: string, kind: Kind, inverse: boolean): Fn<typeof FftArgs> {
  const step = kind === "complex" ? complexStep : kind === "fromReal" ? fromRealStep : toRealStep;
  return scopedFn(op, FftArgs, (input, { n, dim, norm }) => {
    const x = promoted(op, input, kind === "fromReal");
    if (x.ndim === 0) throw new ShapeError(`${op}(): a 0-d tensor has no dimension to transform`);
    const d = wrapDim(op, dim, x.ndim);
    const length = n ?? (kind === "toReal" ? 2 * (x.shape[d] - 1) : x.shape[d]);
    checkLength(op, length);
    return step(op, x, d, length, inverse, norm);
  });
}

/** The dimensions of a transform along several, and their lengths (`null` for the input's). */
function dimensions(op: string, x: Tensor, { s, dim }: Readonly<FftnArgs>): [number[], number[]] {
  const given = typeof dim === "number" ? [dim] : dim;
  if (s !== null && !Array.isArray(s)) throw new ArgumentError(`${op}(): s must be a list of lengths: ${describe(s)}`);
  if (given !== null) checkIntegers(op, "dim", given);
  if (given !== null && s !== null && given.length !== s.length) {
    throw new ShapeError(`${op}(): s and dim must have the same length: ${show(s)} and ${show(given)}`);
  }
  if (s !== null && s.length > x.ndim) {
    throw new ShapeError(`${op}(): more lengths than dimensions: ${show(s)} for shape ${show(x.shape)}`);
  }
  const count = s?.length ?? x.ndim;
  const dims = given?.map((d) => wrapDim(op, d, x.ndim)) ?? Array.from({ length: count }, (_, i) => x.ndim - count + i);
  if (new Set(dims).size !== dims.length) throw new ShapeError(`${op}(): dimensions must differ: ${show(given!)}`);
  return [dims, dims.map((d, i) => s === null || s[i] === -1 ? x.shape[d] : s[i])];
}

/** Makes a transform along several dimensions. */
function over<C extends typeof FftnArgs | typeof Fft2Args>(op: string, kind: Kind, inverse: boolean, params: C): Fn<C> {
  return scopedFn(op, params, (input, options) => {
    const { norm } = options;
    let x = promoted(op, input, kind === "fromReal");
    const [dims, lengths] = dimensions(op, x, options);
    scaleOf(op, norm, inverse, 1);
    if (kind === "complex") {
      for (let i = dims.length - 1; i >= 0; i--) x = complexStep(op, x, dims[i], lengths[i], inverse, norm);
      return x;
    }
    const end = dims.length - 1;
    if (end < 0) throw new ShapeError(`${op}(): at least one dimension is needed`);
    if (kind === "fromReal") x = fromRealStep(op, x, dims[end], lengths[end], inverse, norm);
    for (let i = end - 1; i >= 0; i--) x = complexStep(op, x, dims[i], lengths[i], inverse, norm);
    if (kind === "fromReal") return x;
    const whole = options.s?.[end] ?? -1;
    return toRealStep(op, x, dims[end], whole === -1 ? 2 * (x.shape[dims[end]] - 1) : whole, inverse, norm);
  });
}

/**
 * The discrete Fourier transform along a dimension: `X[k] = Σ x[j] e^(-2πi jk/n)`.
 *
 * Shape: any of at least 1 dimension, to the same with `n` along `dim`. DType: to complex.
 *
 * Differs from PyTorch: float16 is refused on every device.
 *
 * @param input real or complex
 * @throws {ShapeError} if the length is not positive
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { fft, tensor } from "../../../mod.ts";
 *
 * const x = fft.fft(tensor([0, 1, 0, 0]));
 * assertEquals(await x.real.tolist(), [1, 0, -1, 0]);
 * assertEquals(await fft.ifft(x).real.tolist(), [0, 1, 0, 0]);
 * ```
 */
export const fft: Fn<typeof FftArgs> = along("fft", "complex", false);
/** The inverse of {@linkcode fft}. */
export const ifft: Fn<typeof FftArgs> = along("ifft", "complex", true);
/** The first `n / 2 + 1` numbers of the transform of real input: the others are their conjugates. */
export const rfft: Fn<typeof FftArgs> = along("rfft", "fromReal", false);
/** The inverse of {@linkcode rfft}; give `n` where it is odd. */
export const irfft: Fn<typeof FftArgs> = along("irfft", "toReal", true);
/** The transform, which is real, of input that is Hermitian in time: its first half is given. */
export const hfft: Fn<typeof FftArgs> = along("hfft", "toReal", false);
/** The inverse of {@linkcode hfft}. */
export const ihfft: Fn<typeof FftArgs> = along("ihfft", "fromReal", true);

/** {@linkcode fft} along two dimensions, by default the last. */
export const fft2: Fn<typeof Fft2Args> = over("fft2", "complex", false, Fft2Args);
/** The inverse of {@linkcode fft2}. */
export const ifft2: Fn<typeof Fft2Args> = over("ifft2", "complex", true, Fft2Args);
/** {@linkcode fft2} of real input: half of the last dimension. */
export const rfft2: Fn<typeof Fft2Args> = over("rfft2", "fromReal", false, Fft2Args);
/** The inverse of {@linkcode rfft2}; give `s` where its last length is odd. */
export const irfft2: Fn<typeof Fft2Args> = over("irfft2", "toReal", true, Fft2Args);
/** {@linkcode hfft} along two dimensions, by default the last. */
export const hfft2: Fn<typeof Fft2Args> = over("hfft2", "toReal", false, Fft2Args);
/** The inverse of {@linkcode hfft2}. */
export const ihfft2: Fn<typeof Fft2Args> = over("ihfft2", "fromReal", true, Fft2Args);

/** {@linkcode fft} along several dimensions, by default all. */
export const fftn: Fn<typeof FftnArgs> = over("fftn", "complex", false, FftnArgs);
/** The inverse of {@linkcode fftn}. */
export const ifftn: Fn<typeof FftnArgs> = over("ifftn", "complex", true, FftnArgs);
/** {@linkcode fftn} of real input: half of the last dimension. */
export const rfftn: Fn<typeof FftnArgs> = over("rfftn", "fromReal", false, FftnArgs);
/** The inverse of {@linkcode rfftn}; give `s` where its last length is odd. */
export const irfftn: Fn<typeof FftnArgs> = over("irfftn", "toReal", true, FftnArgs);
/** {@linkcode hfft} along several dimensions, by default all. */
export const hfftn: Fn<typeof FftnArgs> = over("hfftn", "toReal", false, FftnArgs);
/** The inverse of {@linkcode hfftn}. */
export const ihfftn: Fn<typeof FftnArgs> = over("ihfftn", "fromReal", true, FftnArgs);

/** The parameters of {@linkcode fftfreq} and {@linkcode rfftfreq}. */
export class FftFreqArgs {
  /** The result's dtype, a floating or complex one; `null`: the default dtype. */
  dtype: DType | null = null;
  /** Where; `null`: the default device. */
  device: string | Device | null = null;
  /** Whether to record operations on it. */
  requiresGrad = false;
  /** Accepted for PyTorch's sake: every tensor is strided. */
  layout: "torch.strided" | null = null;
  /** Accepted for PyTorch's sake: transfers are as asynchronous as the device allows. */
  pinMemory = false;
  constructor(
    /** The length of the transform. */
    public n: number,
    /** The time between samples. */
    public d = 1,
  ) {}
}

/** Consecutive integers divided by `n · d`. */
function frequencies(op: string, ranges: (n: number) => [number, number][], args: Readonly<FftFreqArgs>): Tensor {
  const { n, d, device, requiresGrad } = args, dtype = args.dtype ?? getDefaultDtype();
  if (!Number.isInteger(n) || n < 0) {
    throw new ArgumentError(`${op}(): a length must be a non-negative integer: ${describe(n)}`);
  }
  if (typeof d !== "number") throw new ArgumentError(`${op}(): d must be a number: ${describe(d)}`);
  if (!dtype.isFloatingPoint && !dtype.isComplex) throw new DTypeError(`${op}(): a floating dtype is needed: ${dtype}`);
  const real = dtype.isComplex || dtype.itemsize < 4 ? float32 : dtype;
  const place = { dtype: real, ...(device === null ? {} : { device }) };
  const out = cat(ranges(n).map(([start, end]) => arange(start, end, place))).mul(1 / (n * d)).to(dtype);
  return requiresGrad ? out.requiresGrad_() : out;
}

/**
 * The frequencies of {@linkcode fft}'s numbers: `[0, 1, …, -2, -1] / (n d)`.
 *
 * @throws {DTypeError} if the dtype is not floating
 */
export const fftfreq: Func<typeof FftFreqArgs, Tensor> = func(
  "fftfreq",
  FftFreqArgs,
  (args) => frequencies("fftfreq", (n) => [[0, Math.ceil(n / 2)], [-Math.floor(n / 2), 0]], args),
);

/**
 * The frequencies of {@linkcode rfft}'s numbers: `[0, 1, …, n / 2] / (n d)`.
 *
 * @throws {DTypeError} if the dtype is not floating
 */
export const rfftfreq: Func<typeof FftFreqArgs, Tensor> = func(
  "rfftfreq",
  FftFreqArgs,
  (args) => frequencies("rfftfreq", (n) => [[0, Math.floor(n / 2) + 1]], args),
);

/** The parameters of {@linkcode fftshift} and {@linkcode ifftshift}. */
export class FftShiftArgs {
  constructor(
    /** The dimensions; `null`: all. */
    public dim: readonly number[] | number | null = null,
  ) {}
}

/** Defines a roll of every dimension by a part of its size. */
function shift(op: string, by: (size: number) => number): Fn<typeof FftShiftArgs> {
  return fn(op, FftShiftArgs, (input, { dim }) => {
    const all = Array.from({ length: input.ndim }, (_, i) => i);
    const dims = typeof dim === "number" ? [dim] : dim ?? all;
    checkIntegers(op, "dim", dims);
    if (dims.length === 0) return input.clone();
    return roll(input, dims.map((d) => by(input.shape[wrapDim(op, d, input.ndim)])), dims);
  });
}

/** Moves the number of frequency zero to the middle. */
export const fftshift: Fn<typeof FftShiftArgs> = shift("fftshift", (size) => Math.floor(size / 2));

/** The inverse of {@linkcode fftshift}. */
export const ifftshift: Fn<typeof FftShiftArgs> = shift("ifftshift", (size) => Math.ceil(size / 2));
