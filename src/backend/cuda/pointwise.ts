/**
 * Maps of scalar expressions on CUDA, by the printed kernels of `src/expr/cuda.ts`.
 *
 * A program is one module with three kernels, which is compiled on the first call. The usual call, whose operands are all
 * dense or single elements, writes its few slots straight into the arena.
 *
 * @module
 */

import { CUDA_MAX_DIMS, CUDA_VECTOR, operandSlot, printCuda } from "../../expr/cuda.ts";
import type { Program } from "../../expr/program.ts";
import type { Strided } from "../backend.ts";
import { collapse, stridesIn } from "../layout.ts";
import { addressOf, type CudaStream, type Kernel, THREADS } from "./stream.ts";

/** Slots of the parameter block before the shape. */
const SHAPE = 6;
/** Above this many elements indices need 64 bits. */
const LARGE = 2 ** 31;

/** The kernels of a program on one device. */
export class CompiledProgram {
  readonly #stream: CudaStream;
  readonly #program: Program;
  readonly #source: string;
  /** Slots of the parameter block. */
  readonly slots: number;
  #dense: Kernel | null = null;
  #strided: Kernel | null = null;
  #large: Kernel | null = null;

  /** Compiles nothing yet. */
  constructor(stream: CudaStream, program: Program) {
    this.#stream = stream;
    this.#program = program;
    this.#source = printCuda(program, "map");
    this.slots = operandSlot(program.inputs.length + program.outputs.length) + program.scalars.length;
  }

  #kernel(name: string): Kernel {
    return this.#stream.kernel(`pointwise ${this.#program.id}`, name, () => this.#source);
  }
  /** The kernel for dense operands. */
  get dense(): Kernel {
    return this.#dense ??= this.#kernel("map_dense");
  }
  /** The kernel for any strides. */
  get strided(): Kernel {
    return this.#strided ??= this.#kernel("map_strided");
  }
  /** The same with 64-bit indices. */
  get large(): Kernel {
    return this.#large ??= this.#kernel("map_large");
  }
}

/** Writes a program's scalars behind its operands. */
export function putScalars(
  stream: CudaStream,
  program: Program,
  scalars: readonly (number | bigint)[],
): void {
  const first = operandSlot(program.inputs.length + program.outputs.length);
  const kinds = program.scalars;
  for (let i = 0; i < kinds.length; i++) stream.putScalar(first + i, kinds[i], scalars[i]);
}

/** Whether an operand of the dense kernel steps by elements (1) or repeats one (0); -1 if it does neither. */
function denseStep(x: Strided, count: number): number {
  let own = 1;
  for (let d = 0; d < x.shape.length; d++) own *= x.shape[d];
  if (own === count && x.dense) return addressOf(x) % (CUDA_VECTOR * x.dtype.itemsize) === 0 ? 1 : -1;
  return own === 1 ? 0 : -1;
}

/** Evaluates a compiled program at every element of `shape`. */
export function pointwise(
  stream: CudaStream,
  compiled: CompiledProgram,
  program: Program,
  shape: readonly number[],
  inputs: readonly Strided[],
  scalars: readonly (number | bigint)[],
  outputs: readonly Strided[],
): void {
  let count = 1;
  for (let d = 0; d < shape.length; d++) count *= shape[d];
  if (count === 0) return;
  const total = inputs.length + outputs.length;
  const dense = compiled.dense;
  for (let k = 0; k < total; k++) {
    const x = k < inputs.length ? inputs[k] : outputs[k - inputs.length];
    const step = denseStep(x, count);
    // An output of one element is written, so it counts as stepping.
    if (step < 0) return stridedCall(stream, compiled, program, shape, inputs, scalars, outputs);
    const at = operandSlot(k);
    stream.putInteger(at, addressOf(x));
    stream.putInteger(at + 1, step);
  }
  stream.putInteger(0, count);
  if (scalars.length > 0) putScalars(stream, program, scalars);
  stream.launch(dense, compiled.slots, THREADS, stream.blocks(Math.ceil(count / CUDA_VECTOR)));
}

function stridedCall(
  stream: CudaStream,
  compiled: CompiledProgram,
  program: Program,
  shape: readonly number[],
  inputs: readonly Strided[],
  scalars: readonly (number | bigint)[],
  outputs: readonly Strided[],
): void {
  const all = [...inputs, ...outputs];
  const merged = collapse(shape, all.map((x) => stridesIn(x, shape)));
  const addresses = all.map(addressOf), sizes = all.map((x) => x.dtype.itemsize);
  const outer = Math.max(0, merged.shape.length - CUDA_MAX_DIMS);
  const inner = merged.shape.slice(outer);
  const count = inner.reduce((a, b) => a * b, 1);
  const steps = merged.shape.slice(0, outer).reduce((a, b) => a * b, 1);
  const kernel = count < LARGE ? compiled.strided : compiled.large;
  // More dimensions than the block has room for: a launch for each position of the outermost.
  for (let step = 0; step < steps; step++) {
    stream.putInteger(0, count);
    stream.putInteger(1, inner.length);
    inner.forEach((size, d) => stream.putInteger(SHAPE + d, size));
    for (let k = 0; k < all.length; k++) {
      let offset = 0;
      for (let d = outer - 1, rest = step; d >= 0; d--) {
        offset += rest % merged.shape[d] * merged.strides[k][d];
        rest = Math.floor(rest / merged.shape[d]);
      }
      const at = operandSlot(k);
      stream.putInteger(at, addresses[k] + offset * sizes[k]);
      inner.forEach((_, d) => stream.putInteger(at + 1 + d, merged.strides[k][outer + d]));
    }
    if (scalars.length > 0) putScalars(stream, program, scalars);
    stream.launch(kernel, compiled.slots, THREADS, stream.blocks(count));
  }
}
