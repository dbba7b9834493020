/**
 * The parameter block of a hand-written kernel, filled by name and written into the arena at the launch.
 *
 * @module
 */

import { ShapeError, show } from "../../../base/errors.ts";
import type { Strided } from "../../backend.ts";
import { collapse } from "../../layout.ts";
import { MAX_DIMS, operandAt, SIZES, SLOTS } from "../kernels/common.ts";
import { addressOf, type CudaStream, type Kernel } from "./stream.ts";

/** One call's parameters. */
export class Arguments {
  /** The slots. */
  readonly slots: number[] = new Array<number>(SLOTS).fill(0);
  /** Slots that hold doubles instead. */
  readonly doubles: [slot: number, value: number][] = [];

  /** Starts with the kernel's own numbers. */
  constructor(...own: number[]) {
    for (let i = 0; i < own.length; i++) this.slots[i] = own[i];
  }

  /** Sets operand `k` by its address and strides. */
  operand(k: number, address: number, strides: readonly number[] = []): void {
    const at = operandAt(k);
    this.slots[at] = address;
    for (let d = 0; d < strides.length; d++) this.slots[at + 1 + d] = strides[d];
  }

  /**
   * Sets the sizes and, with dimensions merged where all allow it, the operands from 0 on; gives how many dimensions
   * there are then.
   */
  layout(
    op: string,
    shape: readonly number[],
    operands: readonly Strided[],
    strides: readonly (readonly number[])[],
  ): number {
    const merged = collapse(shape, strides);
    if (merged.shape.length > MAX_DIMS) {
      throw new ShapeError(`${op}(): on CUDA at most ${MAX_DIMS} dimensions that cannot be merged: ${show(shape)}`);
    }
    merged.shape.forEach((size, d) => this.slots[SIZES + d] = size);
    operands.forEach((x, k) => this.operand(k, addressOf(x), merged.strides[k]));
    return merged.shape.length;
  }

  /** Launches a kernel with these parameters and `shared` bytes of dynamic shared memory. */
  launch(stream: CudaStream, kernel: Kernel, threads: number, x: number, y = 1, z = 1, shared = 0): void {
    const { slots } = this;
    for (let i = 0; i < SLOTS; i++) stream.putInteger(i, slots[i]);
    for (const [slot, value] of this.doubles) stream.args[slot] = value;
    stream.launch(kernel, SLOTS, threads, x, y, z, shared);
  }
}

/** Every dimension of `x` but `dim`. */
export function otherDims(x: Strided, dim: number): number[] {
  return x.shape.map((_, d) => d).filter((d) => d !== dim);
}

/** The entries of `list` at `dims`. */
export function pick<T>(list: readonly T[], dims: readonly number[]): T[] {
  return dims.map((d) => list[d]);
}
