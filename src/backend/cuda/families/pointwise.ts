/**
 * Maps of scalar expressions on CUDA, by the printed kernels of `src/expr/cuda.ts`.
 *
 * A program has several kernels, each compiled when it is first launched. The usual call, whose operands are all dense or
 * single elements, writes its few slots straight into the arena. Others are brought to the same form where it can be done:
 * dimensions are ordered as the output lies (so channels-last tensors count as dense) and merged; what is broadcast along
 * whole rows still reads and writes vectors, and what is transposed against the output goes through tiles.
 *
 * @module
 */

import {
  CUDA_MAX_DIMS,
  cudaAlignment,
  cudaFactor,
  type CudaMap,
  cudaVector,
  operandSlot,
  printCuda,
  slotsOf,
} from "../../../expr/cuda.ts";
import { type CudaTiling, printCudaTiled, TILE_THREADS } from "../../../expr/cuda_tiled.ts";
import { operandsOf } from "../../../expr/graph.ts";
import type { Program } from "../../../expr/program.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { collapse, stridesIn } from "../../layout.ts";
import { addressOf, type CudaStream, type Kernel, THREADS } from "../device/stream.ts";
import { type Tiles, tilesOf } from "./transposed.ts";

/** Slots of the parameter block before the shape. */
const SHAPE = 6;
/** Above this many elements indices need 64 bits. */
const LARGE = 2 ** 31;

/** The kernels of a program on one device. */
export class CompiledProgram {
  readonly #stream: CudaStream;
  readonly #program: Program;
  /** Slots of the parameter block. */
  readonly slots: number;
  /** Whether anything follows the operands. */
  readonly hasScalars: boolean;
  /** Elements that a thread of a vectorised kernel handles at once. */
  readonly vector: number;
  /** Whether the elements' order of iteration is free: none reads its index. */
  readonly anyOrder: boolean;
  readonly #alignments: readonly number[];
  #dense: Kernel | null = null;
  readonly #others = new Map<string, Kernel>();

  /** Compiles nothing yet. */
  constructor(stream: CudaStream, program: Program) {
    this.#stream = stream;
    this.#program = program;
    this.slots = slotsOf(program);
    this.hasScalars = program.scalars.length > 0 || program.random;
    this.vector = cudaVector(program);
    this.anyOrder = !operandsOf(program.outputs.map(({ expr }) => expr)).index;
    const dtypes = [...program.inputs, ...program.outputs.map(({ dtype }) => dtype)];
    this.#alignments = dtypes.map((dtype) => cudaAlignment(this.vector, dtype));
  }

  #compile(name: CudaMap): Kernel {
    return this.#stream.kernel(
      `pointwise ${this.#program.id} ${name}`,
      `map_${name}`,
      () => printCuda(this.#program, "map", [name]),
    );
  }
  /** The kernel for dense operands. */
  get dense(): Kernel {
    return this.#dense ??= this.#compile("dense");
  }
  /** Another kernel. */
  kernel(name: CudaMap): Kernel {
    let kernel = this.#others.get(name);
    if (kernel === undefined) this.#others.set(name, kernel = this.#compile(name));
    return kernel;
  }
  /** The kernel for transposed operands. */
  tiled(tiling: CudaTiling): Kernel {
    const name = `tiled ${tiling.tile} ${tiling.staged.map(Number).join("")}`;
    let kernel = this.#others.get(name);
    if (kernel === undefined) {
      const source = (): string => printCudaTiled(this.#program, "map_tiled", tiling);
      kernel = this.#stream.kernel(`pointwise ${this.#program.id} ${name}`, "map_tiled", source);
      this.#others.set(name, kernel);
    }
    return kernel;
  }
  /** Whether vectors of operand `k` may begin at an address. */
  aligned(k: number, address: number): boolean {
    return address % this.#alignments[k] === 0;
  }
}

/** The slot of compiled programs of device 0; the CPU's backends count up from 0, WebGPU's is 1000. */
export const CUDA_ID = 2000;

/** The kernels of a program on a stream's device, the same ones in every call. */
export function compiledOf(stream: CudaStream, program: Program): CompiledProgram {
  return (program.compiled[CUDA_ID + stream.ordinal] ??= new CompiledProgram(stream, program)) as CompiledProgram;
}

/** Writes a program's scalars, and where its random words go on from, behind its operands. */
export function putScalars(
  stream: CudaStream,
  program: Program,
  scalars: readonly (number | bigint)[],
): void {
  const first = operandSlot(program.inputs.length + program.outputs.length);
  const kinds = program.scalars;
  for (let i = 0; i < kinds.length; i++) stream.putScalar(first + i, kinds[i], scalars[i]);
  if (program.random) stream.putInteger(first + kinds.length, stream.randomAddress);
}

/** Whether an operand of the dense kernel steps by elements (1) or repeats one (0); -1 if it does neither. */
function denseStep(compiled: CompiledProgram, k: number, x: Strided, count: number): number {
  let own = 1;
  for (let d = 0; d < x.shape.length; d++) own *= x.shape[d];
  if (own === count && x.dense) return compiled.aligned(k, addressOf(x)) ? 1 : -1;
  return own === 1 ? 0 : -1;
}

/** Evaluates a program at every element of `shape`. */
export const pointwise: KernelOf<CudaStream, "pointwise"> = (stream, program, shape, inputs, scalars, outputs) => {
  const compiled = compiledOf(stream, program);
  let count = 1;
  for (let d = 0; d < shape.length; d++) count *= shape[d];
  if (count === 0) return;
  const total = inputs.length + outputs.length;
  for (let k = 0; k < total; k++) {
    const x = k < inputs.length ? inputs[k] : outputs[k - inputs.length];
    const step = denseStep(compiled, k, x, count);
    // An output of one element is written, so it counts as stepping.
    if (step < 0) return stridedCall(stream, compiled, program, shape, inputs, scalars, outputs);
    const at = operandSlot(k);
    stream.putInteger(at, addressOf(x));
    stream.putInteger(at + 1, step);
  }
  stream.putInteger(0, count);
  if (compiled.hasScalars) putScalars(stream, program, scalars);
  stream.launch(compiled.dense, compiled.slots, THREADS, stream.blocks(Math.ceil(count / compiled.vector)));
};

/** Dimensions in the order in which the first output lies in memory, outermost first. */
function inMemoryOrder(shape: readonly number[], strides: readonly number[]): number[] {
  return shape.map((_, d) => d).sort((a, b) => Math.abs(strides[b]) - Math.abs(strides[a]));
}

/** What is launched: a kernel, the merged dimensions, and what each operand's strides are in them. */
interface Iteration {
  readonly kernel: CudaMap | Tiles;
  readonly shape: number[];
  readonly strides: number[][];
}

/** Whether every operand steps through memory, or stands still, in the last dimension, and vectors are aligned. */
function takesVectors(
  compiled: CompiledProgram,
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  all: readonly Strided[],
  inputs: number,
): boolean {
  const last = shape.length - 1;
  return all.every((x, k) => {
    const step = strides[k][last];
    if (step === 0) return k < inputs;
    const { itemsize } = x.dtype;
    const rest = strides[k].slice(0, last).every((s) => compiled.aligned(k, Math.abs(s) * itemsize));
    return step === 1 && rest && compiled.aligned(k, addressOf(x));
  });
}

/** The best kernel for operands of any strides. */
function iterationOf(
  compiled: CompiledProgram,
  shape: readonly number[],
  all: readonly Strided[],
  inputs: number,
): Iteration {
  let sizes: readonly number[] = shape, strides = all.map((x) => stridesIn(x, shape));
  if (compiled.anyOrder) {
    const order = inMemoryOrder(shape, strides[inputs]);
    sizes = order.map((d) => shape[d]);
    strides = strides.map((list) => order.map((d) => list[d]));
  }
  const merged = collapse(sizes, strides), last = merged.shape.length - 1;
  const count = merged.shape.reduce((a, b) => a * b, 1), { vector } = compiled;
  if (last >= 0 && last < CUDA_MAX_DIMS && takesVectors(compiled, merged.shape, merged.strides, all, inputs)) {
    if (last === 0) return { kernel: "dense", ...merged };
    // At least two vectors in a row: the kernel divides by their number.
    if (count < LARGE && merged.shape[last] % vector === 0 && merged.shape[last] > vector) {
      merged.shape[last] /= vector;
      for (const list of merged.strides) list[last] *= vector;
      return { kernel: "rows", ...merged };
    }
  }
  const tiles = tilesOf(merged.shape, merged.strides, all.map((x) => x.dtype), inputs, compiled.anyOrder);
  if (tiles !== null && tiles.shape.length <= CUDA_MAX_DIMS) {
    return { kernel: tiles, shape: tiles.shape, strides: tiles.strides };
  }
  return { kernel: count < LARGE ? "strided" : "large", ...merged };
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
  const merged = iterationOf(compiled, shape, all, inputs.length);
  const addresses = all.map(addressOf), sizes = all.map((x) => x.dtype.itemsize);
  const outer = Math.max(0, merged.shape.length - CUDA_MAX_DIMS);
  const inner = merged.shape.slice(outer);
  const count = inner.reduce((a, b) => a * b, 1);
  const steps = merged.shape.slice(0, outer).reduce((a, b) => a * b, 1);
  const tiles = typeof merged.kernel === "string" ? null : merged.kernel;
  const kernel = typeof merged.kernel !== "string"
    ? compiled.tiled(merged.kernel)
    : merged.kernel === "dense"
    ? compiled.dense
    : compiled.kernel(merged.kernel);
  const factors = merged.kernel === "rows" || merged.kernel === "strided";
  const threads = merged.kernel === "dense" ? Math.ceil(count / compiled.vector) : count;
  // More dimensions than the block has room for: a launch for each position of the outermost.
  for (let step = 0; step < steps; step++) {
    stream.putInteger(0, tiles?.count ?? count);
    stream.putInteger(1, inner.length);
    stream.putInteger(2, step * count);
    inner.forEach((size, d) =>
      stream.putHalves(SHAPE + d, size, factors && size > 1 ? cudaFactor(size) : size / 2 ** 32)
    );
    for (let k = 0; k < all.length; k++) {
      let offset = 0;
      for (let d = outer - 1, rest = step; d >= 0; d--) {
        offset += rest % merged.shape[d] * merged.strides[k][d];
        rest = Math.floor(rest / merged.shape[d]);
      }
      const at = operandSlot(k);
      stream.putInteger(at, addresses[k] + offset * sizes[k]);
      // Where nothing is left to step through, the kernel still reads the first.
      stream.putInteger(at + 1, 0);
      inner.forEach((_, d) => stream.putInteger(at + 1 + d, merged.strides[k][outer + d]));
    }
    if (compiled.hasScalars) putScalars(stream, program, scalars);
    if (tiles === null) stream.launch(kernel, compiled.slots, THREADS, stream.blocks(threads));
    else stream.launch(kernel, compiled.slots, TILE_THREADS, stream.blocks(tiles.count, 1));
  }
}
