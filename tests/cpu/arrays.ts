/**
 * Strided arrays of every dtype in one kernel library's memory, for tests of the kernels themselves: written from plain
 * numbers (rounded to the dtype), read back as numbers, laid out in any order of dimensions with gaps between elements.
 *
 * @module
 */

import { type DType, DTYPES, isUnsigned } from "../../src/base/dtype.ts";
import { rowOf } from "../../src/base/dtype_table.ts";
import { contiguousStrides, isContiguous, numelOf } from "../../src/base/shape.ts";
import type { Strided } from "../../src/backend/backend.ts";
import { type KernelLibrary, loadNative, loadWasm } from "../../src/backend/cpu/lib.ts";
import { CpuBackend } from "../../src/backend/cpu/mod.ts";
import { decode, encode } from "../../src/tensor/encode.ts";

/** The dtypes that few ops take: they are copied, indexed and sorted. */
export const FEW: readonly DType[] = Object.values(DTYPES).filter((d) => rowOf(d).ops === "few");
/** The real dtypes that every kernel takes. */
export const REAL: readonly DType[] = Object.values(DTYPES).filter((d) =>
  !d.isComplex && !d.isFloat8 && !FEW.includes(d)
);

/** The libraries that are here, by name. */
export function libraries(): [string, CpuBackend][] {
  const native: KernelLibrary | null = loadNative();
  const found: [string, CpuBackend][] = [["wasm", new CpuBackend(loadWasm())]];
  if (native !== null) found.push(["native", new CpuBackend(native)]);
  return found;
}

/** A strided array and its values. */
export class Values implements Strided {
  readonly storage: { readonly block: { readonly address: number; readonly bytes: number } };
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly dtype: DType;
  readonly dense: boolean;
  readonly #backend: CpuBackend;
  readonly #span: Strided;

  /** Allocates; `order` gives the dimensions from the outermost in memory, `gap` the step of the innermost. */
  constructor(backend: CpuBackend, shape: readonly number[], dtype: DType, order?: readonly number[], gap = 1) {
    const dims = order ?? shape.map((_, d) => d);
    const strides = new Array<number>(shape.length);
    let step = gap;
    for (const d of [...dims].reverse()) {
      strides[d] = step;
      step *= Math.max(shape[d], 1);
    }
    this.offset = gap - 1;
    const span = Math.max(step, 1) + this.offset;
    this.storage = { block: backend.alloc(span, dtype) };
    this.shape = shape;
    this.strides = strides;
    this.dtype = dtype;
    this.dense = isContiguous(shape, strides);
    this.#backend = backend;
    this.#span = { storage: this.storage, offset: 0, shape: [span], strides: [1], dtype, dense: true };
  }

  /** Positions in memory of the elements in row-major order. */
  #places(): number[] {
    const strides = contiguousStrides(this.shape);
    return Array.from({ length: numelOf(this.shape) }, (_, i) => {
      let at = this.offset;
      this.shape.forEach((s, d) => at += (Math.floor(i / strides[d]) % s) * this.strides[d]);
      return at;
    });
  }

  /** Writes row-major values. */
  set(values: readonly (number | bigint)[]): this {
    const all = new Array<number | bigint>(this.#span.shape[0]).fill(0);
    this.#places().forEach((at, i) => all[at] = values[i]);
    this.#backend.write(this.#span, encode(all, this.dtype));
    return this;
  }

  /** Reads row-major values; 64-bit integers as numbers. */
  get(): number[] {
    const all = decode(this.#backend.readSync(this.#span), this.dtype);
    return this.#places().map((at) => Number(all[at]));
  }

  /** Returns the memory. */
  free(): void {
    this.#backend.free(this.storage.block);
  }
}

/** A repeatable stream of numbers in [0, 1). */
export function stream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values that `dtype` holds exactly, with ties; floats with NaN, infinities and both zeros. */
export function sample(dtype: DType, n: number, random: () => number): number[] {
  const special = [NaN, Infinity, -Infinity, 0, -0];
  return Array.from({ length: n }, () => {
    const whole = Math.floor(random() * 200) - 100;
    if (dtype.kind === "bool") return whole > 0 ? 1 : 0;
    if (isUnsigned(dtype)) return whole + 100;
    if (dtype.kind === "integer") return whole;
    return random() < 0.2 ? special[Math.floor(random() * special.length)] : whole / 4;
  });
}
