/**
 * Pooling kernels as recorded ops, and the geometry of their windows.
 *
 * Every pooling is a table of windows per dimension: evenly spaced ones and adaptive ones are the same op. A maximum
 * passes its gradient back by index; a mean spreads it over the window, and spreading's own gradient is the mean again.
 *
 * @module
 */

import { record, recordMany } from "../../autograd/record.ts";
import { float64, int64 } from "../../base/dtype.ts";
import { checkListed } from "../../base/checks.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../../base/errors.ts";
import type { PoolWindows } from "../../backend/backend.ts";
import { prefersChannelsLast } from "../../base/layout.ts";
import { emptyWithStrides } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { checkAtLeast, inFormat, lastFormat, perDimension, toChannelsLast } from "./conv_core.ts";
import { fromData } from "../create/creation.ts";
import { checkOperands } from "../core/kernel.ts";
import { reshapeTo } from "../core/view_core.ts";

/** One value for all dimensions, or one per dimension. */
export type Size = number | readonly number[];

/** Windows and the sizes they were made for. */
export interface Pooling {
  /** The windows. */
  readonly windows: PoolWindows;
  /** Spatial sizes of the output. */
  readonly out: readonly number[];
}

/** What evenly spaced windows are made of. */
export interface WindowOptions {
  /** Size of the window. */
  kernelSize: Size;
  /** Step of the window; its size if missing. */
  stride?: Size | null;
  /** Elements outside on both sides. @default {0} */
  padding?: Size;
  /** Step between the window's taps. @default {1} */
  dilation?: Size;
  /** Whether a window that starts inside but ends outside counts. @default {false} */
  ceilMode?: boolean;
}

/** Checked sizes of evenly spaced windows. */
export interface Grid {
  /** Size of the window. */
  readonly kernel: readonly number[];
  /** Step of the window. */
  readonly stride: readonly number[];
  /** Elements outside on both sides. */
  readonly padding: readonly number[];
  /** Step between taps. */
  readonly dilation: readonly number[];
}

/** The number of spatial sizes must fit the input: `[N, C, …]`, or `[C, …]` unbatched; only N may be 0. */
export function checkPoolInput(op: string, n: number, x: Tensor): void {
  checkTensor(op, "input", x);
  checkOperands(op, [x]);
  if (x.dtype.isComplex || x.dtype.kind === "bool") {
    throw new DTypeError(`${op}(): not defined for ${x.dtype}; convert with .to(dtype)`);
  }
  if ((x.ndim !== n + 1 && x.ndim !== n + 2) || x.shape.slice(x.ndim - n - 1).some((s) => s === 0)) {
    throw new ShapeError(
      `${op}(): the input must have ${n + 2} dimensions, or ${n + 1} unbatched, none but the batch empty: ${
        show(x.shape)
      }`,
    );
  }
}

/** Reads and checks the sizes of evenly spaced windows. */
export function gridOf(op: string, n: number, o: WindowOptions): Grid {
  const kernel = perDimension(op, "kernelSize", o.kernelSize, n);
  const given = o.stride === undefined || o.stride === null || (typeof o.stride !== "number" && o.stride.length === 0);
  const stride = given ? kernel : perDimension(op, "stride", o.stride as Size, n);
  const padding = perDimension(op, "padding", o.padding ?? 0, n);
  const dilation = perDimension(op, "dilation", o.dilation ?? 1, n);
  checkAtLeast(op, "kernelSize", kernel, 1);
  checkAtLeast(op, "stride", stride, 1);
  checkAtLeast(op, "padding", padding, 0);
  checkAtLeast(op, "dilation", dilation, 1);
  if (padding.some((p, d) => p > ((kernel[d] - 1) * dilation[d] + 1) / 2)) {
    throw new ArgumentError(
      `${op}(): padding must be at most half of the window: padding ${show(padding)}, kernelSize ${
        show(kernel)
      }, dilation ${show(dilation)}`,
    );
  }
  return { kernel, stride, padding, dilation };
}

/** Evenly spaced windows over spatial sizes. */
export function evenPooling(op: string, sizes: readonly number[], g: Grid, ceilMode: boolean): Pooling {
  const out = sizes.map((size, d) => {
    const span = size + 2 * g.padding[d] - g.dilation[d] * (g.kernel[d] - 1) - 1;
    let count = (ceilMode ? Math.ceil(span / g.stride[d]) : Math.floor(span / g.stride[d])) + 1;
    // A window must start inside the input or its left padding.
    if (ceilMode && (count - 1) * g.stride[d] >= size + g.padding[d]) count--;
    return count;
  });
  if (out.some((s) => s < 1)) {
    throw new ShapeError(
      `${op}(): the window is larger than the padded input: kernelSize ${show(g.kernel)}, input ${
        show(sizes)
      }, padding ${show(g.padding)}: the output would be ${show(out)}`,
    );
  }
  for (const count of out) checkListed(op, count);
  const starts = out.map((count, d) => Array.from({ length: count }, (_, i) => i * g.stride[d] - g.padding[d]));
  const ends = starts.map((list, d) => list.map((s) => s + g.dilation[d] * (g.kernel[d] - 1) + 1));
  return { windows: { starts, ends, dilation: g.dilation }, out };
}

/** Windows that divide each size evenly into the given number of (overlapping) parts; `null` keeps a size. */
export function adaptivePooling(
  op: string,
  n: number,
  sizes: readonly number[],
  outputSize: number | null | readonly (number | null)[],
): Pooling {
  const list = Array.isArray(outputSize) ? outputSize as readonly (number | null)[] : null;
  if (list !== null && list.length !== n) {
    throw new ArgumentError(`${op}(): outputSize must be a number or ${n} of them: ${show(outputSize)}`);
  }
  const out = sizes.map((size, d) => (list === null ? outputSize as number | null : list[d]) ?? size);
  if (out.some((s) => !Number.isInteger(s) || s < 0)) {
    throw new ArgumentError(`${op}(): outputSize must hold non-negative integers: ${show(out)}`);
  }
  for (const count of out) checkListed(op, count);
  const starts = out.map((count, d) => Array.from({ length: count }, (_, i) => Math.floor(i * sizes[d] / count)));
  const ends = out.map((count, d) => Array.from({ length: count }, (_, i) => Math.ceil((i + 1) * sizes[d] / count)));
  return { windows: { starts, ends, dilation: sizes.map(() => 1) }, out };
}

/** Whether results are channels last, as those of images and volumes in batches are where the input asks for it. */
function wantsLast(x: Tensor, n: number): boolean {
  return x.ndim === n + 2 && prefersChannelsLast(x);
}

/** The largest value of each window and its index in the input's plane. */
export function maxPooling(op: string, x: Tensor, pooling: Pooling): [Tensor, Tensor] {
  const n = pooling.out.length, last = wantsLast(x, n);
  const shape = [...x.shape.slice(0, x.ndim - n), ...pooling.out];
  const { backend } = x.storage;
  let indices = x;
  const out = inFormat(op, last, [x], shape, ([form], y) => {
    // Like the result, not the input: what this function holds, the graph's node holds.
    indices = emptyWithStrides(op, shape, y.strides, int64, y);
    backend.maxPool(form, pooling.windows, y, indices);
  });
  if (last && !backend.channelsLast) indices = toChannelsLast(indices);
  const from = x.shape;
  recordMany(`MaxPool${n}DWithIndicesBackward0`, [out, indices], [x], [indices], ([grad], [at]) => [
    grad === null ? null : maxGradient(grad, at, pooling, from, last),
  ]);
  return [out, indices];
}

/** The gradient of {@linkcode maxPooling} by its input of shape `shape`. */
function maxGradient(grad: Tensor, at: Tensor, pooling: Pooling, shape: readonly number[], last: boolean): Tensor {
  const { backend } = grad.storage;
  const n = pooling.out.length;
  if (!backend.maxPoolGrad) {
    const scattered = scatterPlanes(grad, at, shape, n);
    return last ? scattered.contiguous({ memoryFormat: lastFormat(n + 2) }) : scattered;
  }
  const out = inFormat("maxPoolGrad", last, [grad, at], shape, ([g, indices], x) => {
    backend.maxPoolGrad!(g, indices, pooling.windows, x);
  });
  const name = `MaxPool${n}DWithIndicesBackwardBackward0`;
  return record(name, out, [grad], [at], (gg, [indices]) => [gatherPlanes(gg, indices, n)]);
}

/** The elements at indices into the planes of `x`: the gradient of the gradient. */
function gatherPlanes(x: Tensor, indices: Tensor, n: number): Tensor {
  const planes = product(x.shape.slice(0, -n)), size = product(x.shape.slice(-n));
  return scope(() => {
    const flat = reshapeTo(x, [planes, size]).gather(1, reshapeTo(indices, [planes, -1]));
    return reshapeTo(flat, indices.shape);
  });
}

/** Adds values to zeros of shape `shape` at indices into its planes. */
function scatterPlanes(values: Tensor, indices: Tensor, shape: readonly number[], n: number): Tensor {
  const planes = product(shape.slice(0, -n)), size = product(shape.slice(-n)), count = product(values.shape.slice(-n));
  return scope(() => {
    const flat = values.newZeros([planes, size]);
    flat.scatterAdd_(1, reshapeTo(indices, [planes, count]), reshapeTo(values, [planes, count]));
    return reshapeTo(flat, shape);
  });
}

/** The product of sizes. */
export function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

/** A tensor of the factors by which a mean multiplies the sum of each window, from the window's size. */
export function scaleTensor(
  op: string,
  x: Tensor,
  out: readonly number[],
  counts: readonly (readonly number[])[],
): Tensor {
  const total = product(out);
  checkListed(op, total);
  const values = x.dtype === float64 ? new Float64Array(total) : new Float32Array(total);
  for (let i = 0; i < total; i++) {
    let rest = i, count = 1;
    for (let d = out.length - 1; d >= 0; d--) {
      count *= counts[d][rest % out[d]];
      rest = Math.floor(rest / out[d]);
    }
    values[i] = 1 / count;
  }
  return fromData(values, [...out], { device: x.device });
}

/** The sum of each window times `scale`; every order of derivative alternates with {@linkcode spread}. */
export function meanPooling(op: string, x: Tensor, pooling: Pooling, scale: Tensor): Tensor {
  const n = pooling.out.length, last = wantsLast(x, n);
  const out = inFormat(op, last, [x], [...x.shape.slice(0, x.ndim - n), ...pooling.out], ([form], y) => {
    y.storage.backend.avgPool(form, pooling.windows, scale, y);
  });
  const from = x.shape;
  return record(`AvgPool${n}DBackward0`, out, [x], [scale], (grad, [s]) => [
    spread(op, grad, pooling, s, from, last),
  ]);
}

/** The gradient of {@linkcode meanPooling}. */
function spread(
  op: string,
  grad: Tensor,
  pooling: Pooling,
  scale: Tensor,
  shape: readonly number[],
  last: boolean,
): Tensor {
  const out = inFormat(op, last, [grad], shape, ([g], x) => {
    x.storage.backend.avgPoolGrad(g, pooling.windows, scale, x);
  });
  const name = `AvgPool${pooling.out.length}DBackwardBackward0`;
  return record(name, out, [grad], [scale], (gg, [s]) => [meanPooling(op, gg, pooling, s)]);
}
