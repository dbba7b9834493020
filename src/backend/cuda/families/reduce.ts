/**
 * Reductions of scalar expressions on CUDA, by the printed kernels of `src/expr/cuda_reduce.ts`.
 *
 * A reduction along memory is a block's work per result (a warp's, a thread's where it is short), one across memory that of
 * blocks whose threads lie along the results, so that neighbouring threads read neighbouring elements either way, 16 bytes
 * each where they are aligned. Where there are too few results to fill the device, each is split into shares.
 *
 * @module
 */

import { ShapeError, show } from "../../../base/errors.ts";
import { CUDA_MAX_DIMS, cudaAlignment, operandSlot, slotsOf } from "../../../expr/cuda.ts";
import {
  CUDA_COLUMNS,
  CUDA_REDUCE_THREADS,
  CUDA_TEAM_THREADS,
  cudaReduceVector,
  type CudaReduction,
  printCudaReduce,
} from "../../../expr/cuda_reduce.ts";
import type { Program } from "../../../expr/program.ts";
import type { Combine, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { collapse, stridesIn } from "../../layout.ts";
import { putScalars } from "./pointwise.ts";
import { addressOf, type CudaStream, type Kernel, THREADS } from "../device/stream.ts";

const SHAPE = 6;
/** The fewest accesses of each thread of a split reduction. */
const SHARE = 8;
/** Up to how many accesses a line is one thread's work, and a warp's, where there are results enough. */
const THREAD_LINE = 4, WARP_LINE = 512;
/** Blocks per multiprocessor that keep it busy: of 512 threads, and of 256. */
const BUSY_BLOCKS = 4, BUSY_TEAMS = 8;
/** Fewer results side by side than this leave too many threads of a column kernel idle. */
const FEW_COLUMNS = 8;
/** The most shares: the grid's limit in y. */
const MAX_SPLITS = 65535;
/** More shares than this are combined by a warp. */
const MANY_SPLITS = 16;
/** From here on indices need 64 bits. */
const LARGE = 2 ** 31;

/** Kept or reduced dimensions, merged: sizes, and every operand's strides. */
interface Dims {
  readonly shape: number[];
  readonly strides: number[][];
}

/** How the work of one reduction is spread. */
interface Plan {
  readonly kernel: CudaReduction;
  /** Elements per access. */
  readonly vector: number;
  readonly splits: number;
  readonly threads: number;
  /** Blocks in x. */
  readonly blocks: number;
}

/** Whether the dimension along which an input's elements are nearest is a reduced one. */
function alongMemory(count: number, outer: Dims, inner: Dims): boolean {
  for (let k = 0; k < count; k++) {
    const near = (list: number[]): number => Math.min(...list.filter((s) => s !== 0).map(Math.abs), Infinity);
    const kept = near(outer.strides[k]), reduced = near(inner.strides[k]);
    if (kept !== reduced) return reduced < kept;
  }
  return true;
}

/** Elements per access along the last dimension of `near`: a vector's where every input allows it, else one. */
function vectorOf(program: Program, inputs: readonly Strided[], near: Dims, far: Dims): number {
  const vector = cudaReduceVector(program), last = near.shape.length - 1;
  if (last < 0 || near.shape[last] % vector !== 0) return 1;
  let any = false;
  for (let k = 0; k < inputs.length; k++) {
    const step = near.strides[k][last], x = inputs[k];
    if (step === 0) continue;
    const bytes = cudaAlignment(vector, x.dtype), { itemsize } = x.dtype;
    const steps = [...near.strides[k].slice(0, last), ...far.strides[k]];
    if (step !== 1 || addressOf(x) % bytes !== 0 || steps.some((s) => s * itemsize % bytes !== 0)) return 1;
    any = true;
  }
  return any ? vector : 1;
}

/** The smallest power of two of threads, from a warp on, that covers `count` accesses. */
function threadsFor(count: number): number {
  let threads = 32;
  while (threads < CUDA_REDUCE_THREADS && threads < count) threads *= 2;
  return threads;
}

/** As many shares as fill the device with `wanted` of them, none smaller than `share` accesses. */
function splitsOf(wanted: number, accesses: number, share: number): number {
  return Math.max(1, Math.min(Math.ceil(wanted), Math.ceil(accesses / share), MAX_SPLITS));
}

function planOf(stream: CudaStream, program: Program, inputs: readonly Strided[], outer: Dims, inner: Dims): Plan {
  const results = outer.shape.reduce((a, b) => a * b, 1), length = inner.shape.reduce((a, b) => a * b, 1);
  const { processors } = stream;
  if (!alongMemory(inputs.length, outer, inner)) {
    const vector = vectorOf(program, inputs, outer, inner), columns = results / vector;
    if (columns >= FEW_COLUMNS || length < THREAD_LINE) {
      const blocks = Math.ceil(columns / CUDA_COLUMNS), height = CUDA_TEAM_THREADS / CUDA_COLUMNS;
      const splits = splitsOf(processors * BUSY_TEAMS / blocks, length, SHARE * height);
      return { kernel: "columns", vector, splits, threads: CUDA_TEAM_THREADS, blocks };
    }
  }
  const vector = vectorOf(program, inputs, inner, outer), accesses = length / vector;
  if (accesses <= THREAD_LINE || length === 0) {
    return { kernel: "thread", vector, splits: 1, threads: THREADS, blocks: stream.blocks(results) };
  }
  if (accesses <= WARP_LINE && results >= processors * CUDA_TEAM_THREADS / 32) {
    const blocks = Math.ceil(results / (CUDA_TEAM_THREADS / 32));
    return { kernel: "warp", vector, splits: 1, threads: CUDA_TEAM_THREADS, blocks };
  }
  const splits = splitsOf(processors * BUSY_BLOCKS / results, accesses, SHARE * CUDA_REDUCE_THREADS);
  return { kernel: "block", vector, splits, threads: threadsFor(Math.ceil(accesses / splits)), blocks: results };
}

/** The sizes and strides of dimensions of which the last is counted in vectors. */
function inVectors({ shape, strides }: Dims, vector: number): Dims {
  const last = shape.length - 1;
  if (vector === 1 || last < 0) return { shape, strides };
  return {
    shape: shape.map((s, d) => d === last ? s / vector : s),
    strides: strides.map((own) => own.map((s, d) => d === last ? s * vector : s)),
  };
}

/** One launch of a prepared reduction. */
interface Launch {
  readonly kernel: Kernel;
  readonly threads: number;
  readonly blocks: number;
  readonly splits: number;
  /** What the parameter block holds besides addresses and scalars: slots and their values. */
  readonly slots: readonly number[];
  readonly values: readonly number[];
}

/** A reduction of operands that lie in one way: everything but where they are. */
interface Prepared {
  readonly combine: Combine;
  readonly shape: readonly number[];
  readonly reduced: readonly number[];
  /** Strides of inputs, then outputs. */
  readonly strides: readonly (readonly number[])[];
  /** Shapes of inputs. */
  readonly shapes: readonly (readonly number[])[];
  /** By how many bytes the inputs' addresses miss a multiple of an access. */
  readonly offsets: readonly number[];
  readonly launches: readonly Launch[];
  /** Bytes of workspace. */
  readonly scratch: number;
}

/** The widest access, in bytes. */
const ACCESS = 16;
/** How many reductions of one program are kept: the shapes of one training step. */
const KEPT = 16;
const WORKSPACE_SLOT = 5;

const prepared = new WeakMap<CudaStream, WeakMap<Program, Prepared[]>>();

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function serves(
  p: Prepared,
  combine: Combine,
  shape: readonly number[],
  reduced: readonly number[],
  inputs: readonly Strided[],
  outputs: readonly Strided[],
): boolean {
  if (p.combine !== combine || !sameNumbers(p.shape, shape) || !sameNumbers(p.reduced, reduced)) return false;
  const count = inputs.length;
  for (let k = 0; k < count; k++) {
    // The same strides mean another thing where another dimension is broadcast.
    if (!sameNumbers(p.strides[k], inputs[k].strides) || !sameNumbers(p.shapes[k], inputs[k].shape)) return false;
    if (p.offsets[k] !== addressOf(inputs[k]) % ACCESS) return false;
  }
  for (let k = 0; k < outputs.length; k++) if (!sameNumbers(p.strides[count + k], outputs[k].strides)) return false;
  return true;
}

/** Chooses kernels and fills in parameter blocks; there are none where there is nothing to compute. */
function prepare(
  stream: CudaStream,
  program: Program,
  combine: Combine,
  shape: readonly number[],
  reduced: readonly number[],
  inputs: readonly Strided[],
  outputs: readonly Strided[],
): Prepared {
  const kept = shape.map((_, d) => d).filter((d) => !reduced.includes(d));
  const strides = inputs.map((x) => stridesIn(x, shape));
  const outer = collapse(kept.map((d) => shape[d]), [
    ...strides.map((s) => kept.map((d) => s[d])),
    ...outputs.map((x) => x.strides.map((s, d) => x.shape[d] === 1 ? 0 : s)),
  ]);
  const inner = collapse(reduced.map((d) => shape[d]), strides.map((s) => reduced.map((d) => s[d])));
  const results = outer.shape.reduce((a, b) => a * b, 1), length = inner.shape.reduce((a, b) => a * b, 1);
  const common = {
    ...{ combine, shape: [...shape], reduced: [...reduced] },
    strides: [...inputs, ...outputs].map((x) => [...x.strides]),
    shapes: inputs.map((x) => [...x.shape]),
    offsets: inputs.map((x) => addressOf(x) % ACCESS),
  };
  if (results === 0) return { ...common, launches: [], scratch: 0 };
  const dims = outer.shape.length + inner.shape.length;
  if (dims > CUDA_MAX_DIMS) {
    throw new ShapeError(`reduce(): on CUDA at most ${CUDA_MAX_DIMS} dimensions that cannot be merged: ${show(shape)}`);
  }
  const plan = planOf(stream, program, inputs, outer, inner);
  const across = plan.kernel === "columns", { splits } = plan;
  const index = results < LARGE && length < LARGE ? "u32" : "u64";
  const launch = (entry: CudaReduction, vector: number, threads: number, blocks: number, splits: number): Launch => {
    const kernel = stream.kernel(
      `reduce ${program.id} ${combine} ${entry} ${vector} ${index}`,
      `fold_${entry}`,
      () => printCudaReduce(program, combine, "fold", { vector, index }, [entry]),
    );
    const kept = across ? inVectors(outer, vector) : outer, rest = across ? inner : inVectors(inner, vector);
    const own = across ? results / vector : results, share = across ? length : length / vector;
    const slots = [0, 1, 2, 3, 4], values = [own, dims, share, outer.shape.length, plan.splits];
    const put = (slot: number, list: readonly number[]): void => {
      list.forEach((value, i) => {
        slots.push(slot + i);
        values.push(value);
      });
    };
    put(SHAPE, [...kept.shape, ...rest.shape]);
    for (let k = 0; k < inputs.length + outputs.length; k++) {
      // Results are single elements whatever inputs are read as.
      put(operandSlot(k) + 1, k < inputs.length ? [...kept.strides[k], ...rest.strides[k]] : outer.strides[k]);
    }
    return { kernel, threads, blocks, splits, slots, values };
  };
  const launches = [launch(plan.kernel, plan.vector, plan.threads, plan.blocks, splits)];
  if (splits > MANY_SPLITS) {
    launches.push(launch("gather", 1, CUDA_TEAM_THREADS, Math.ceil(results / (CUDA_TEAM_THREADS / 32)), 1));
  } else if (splits > 1) launches.push(launch("finish", 1, THREADS, stream.blocks(results), 1));
  return { ...common, launches, scratch: splits > 1 ? outputs.length * splits * results * 8 : 0 };
}

/** Evaluates a program at every element of `shape` and combines the values over `reduced`. */
export const reduce: KernelOf<CudaStream, "reduce"> = (
  stream,
  program,
  combine,
  shape,
  reduced,
  inputs,
  scalars,
  outputs,
) => {
  let ofStream = prepared.get(stream);
  if (ofStream === undefined) prepared.set(stream, ofStream = new WeakMap());
  let known = ofStream.get(program);
  if (known === undefined) ofStream.set(program, known = []);
  let found: Prepared | null = null;
  for (let i = 0; i < known.length && found === null; i++) {
    if (serves(known[i], combine, shape, reduced, inputs, outputs)) found = known[i];
  }
  if (found === null) {
    found = prepare(stream, program, combine, shape, reduced, inputs, outputs);
    known.unshift(found);
    if (known.length > KEPT) known.pop();
  }
  if (found.scratch === 0) run(stream, program, found, inputs, scalars, outputs, 0);
  else {
    const plan = found;
    stream.withScratch(plan.scratch, (workspace) => run(stream, program, plan, inputs, scalars, outputs, workspace));
  }
};

function run(
  stream: CudaStream,
  program: Program,
  { launches }: Prepared,
  inputs: readonly Strided[],
  scalars: readonly (number | bigint)[],
  outputs: readonly Strided[],
  workspace: number,
): void {
  for (let l = 0; l < launches.length; l++) {
    const { kernel, slots, values, threads, blocks, splits } = launches[l];
    for (let i = 0; i < slots.length; i++) stream.putInteger(slots[i], values[i]);
    stream.putInteger(WORKSPACE_SLOT, workspace);
    for (let k = 0; k < inputs.length; k++) stream.putInteger(operandSlot(k), addressOf(inputs[k]));
    for (let k = 0; k < outputs.length; k++) stream.putInteger(operandSlot(inputs.length + k), addressOf(outputs[k]));
    putScalars(stream, program, scalars);
    stream.launch(kernel, slotsOf(program), threads, blocks, splits);
  }
}
