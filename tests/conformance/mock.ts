/**
 * A few lines that stand in for the library, so that the replay itself can be tested: tensors that only hold data.
 *
 * @module
 */

import type { Raw } from "./golden.ts";
import { type Api, count, type TensorLike } from "./values.ts";

/**
 * Lays row-major values out in a storage with the given strides (in elements), the way the original tensor had them:
 * the smallest storage that holds every element; elements that no index reaches are 0.
 */
export function scatterToStrides(data: Raw, shape: readonly number[], strides: readonly number[], width = 1): Raw {
  const size = count(shape) === 0 ? 0 : 1 + shape.reduce((end, n, d) => end + (n - 1) * strides[d], 0);
  const out = new (data.constructor as new (n: number) => Raw)(size * width);
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < count(shape); i++) {
    const at = index.reduce((offset, k, d) => offset + k * strides[d], 0);
    for (let w = 0; w < width; w++) out[at * width + w] = data[i * width + w];
    for (let d = shape.length - 1; d >= 0; d--) {
      if (++index[d] < shape[d]) break;
      index[d] = 0;
    }
  }
  return out;
}

/** A tensor that remembers what it was made from. */
export class MockTensor implements TensorLike {
  readonly shape: readonly number[];
  readonly dtype: { readonly name: string };
  readonly requiresGrad: boolean;
  readonly storage: unknown;
  readonly #data: Raw;
  readonly strides: readonly number[];

  constructor(data: Raw, shape: readonly number[], dtype: { name: string }, options: Record<string, unknown> = {}) {
    this.shape = shape;
    this.dtype = dtype;
    this.requiresGrad = options.requiresGrad === true;
    this.#data = data;
    this.strides = (options.strides as number[] | undefined) ?? contiguous(shape);
    this.storage = options.storage ?? data;
  }

  /** Row-major values, whatever the strides. */
  read(): Promise<Raw> {
    const width = this.dtype.name.startsWith("complex") ? 2 : 1;
    const out = new (this.#data.constructor as new (n: number) => Raw)(count(this.shape) * width);
    for (let i = 0; i < count(this.shape); i++) {
      let rest = i;
      let at = 0;
      for (let d = this.shape.length - 1; d >= 0; d--) {
        at += (rest % this.shape[d]) * this.strides[d];
        rest = Math.floor(rest / this.shape[d]);
      }
      for (let w = 0; w < width; w++) out[i * width + w] = this.#data[at * width + w];
    }
    return Promise.resolve(out);
  }
}

function contiguous(shape: readonly number[]): number[] {
  return shape.map((_, d) => count(shape.slice(d + 1)));
}

const DTYPES = [
  "bool",
  "uint8",
  "int8",
  "int16",
  "int32",
  "int64",
  "float16",
  "bfloat16",
  "float32",
  "float64",
  "complex64",
  "complex128",
];

/** A library with dtypes and makers, and whatever `extra` adds. */
export function mockApi(extra: Api = {}): Api {
  const dtypes = Object.fromEntries(DTYPES.map((name) => [name, { name }]));
  return {
    ...dtypes,
    fromData: (data: Raw, shape: number[], options: Record<string, unknown>) => {
      const dtype = options.dtype as { name: string };
      const strides = options.strides as number[] | undefined;
      const width = dtype.name.startsWith("complex") ? 2 : 1;
      return new MockTensor(strides ? scatterToStrides(data, shape, strides, width) : data, shape, dtype, options);
    },
    scalar: (value: unknown, kind: string) => ({ value, kind }),
    slice: (...bounds: unknown[]) => ({ bounds }),
    Tensor: MockTensor,
    ...extra,
  };
}
