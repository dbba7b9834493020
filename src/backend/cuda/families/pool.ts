/**
 * Pooling on CUDA over windows given by tables, which are copied to the device once per geometry.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { PoolWindows, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { Arguments } from "../device/arguments.ts";
import { avgPoolSource, maxPoolGradSource, maxPoolSource, POOL_LISTS, POOL_POINTERS } from "../kernels/pool.ts";
import { addressOf, type CudaStream, type Kernel, THREADS } from "../device/stream.ts";

const tables = new WeakMap<CudaStream, Map<string, number>>();

/** Runs `use` with the address of a table with these entries, the same one for the same entries. */
function withTable(stream: CudaStream, entries: readonly number[], use: (address: number) => void): void {
  let known = tables.get(stream);
  if (known === undefined) tables.set(stream, known = new Map());
  // What one stream wrote another would have to wait for.
  const key = `${stream.current} ${entries.join()}`;
  let address = known.get(key);
  if (address === undefined) {
    const bytes = new Uint8Array(Int32Array.from(entries).buffer);
    // A graph only writes it when it is replayed, and into memory that goes with the graph.
    if (stream.recording !== null) {
      return stream.withScratch(bytes.length, (scratch) => {
        stream.write(scratch, bytes);
        use(scratch);
      });
    }
    address = stream.allocator.alloc(bytes.length).address;
    stream.write(address, bytes);
    known.set(key, address);
  }
  use(address);
}

/** The list with ones (or what is given) in front, three entries long. */
function padded<T>(list: readonly T[], front: T): T[] {
  return [...new Array<T>(3 - list.length).fill(front), ...list];
}

function run(
  stream: CudaStream,
  kernel: Kernel,
  count: number,
  input: readonly number[],
  output: readonly number[],
  dilation: readonly number[],
  first: readonly (readonly number[])[],
  last: readonly (readonly number[])[],
  operands: readonly Strided[],
): void {
  const entries: number[] = [], firsts: number[] = [], lasts: number[] = [];
  const starts = padded(first, [0]), ends = padded(last, [1]);
  for (let d = 0; d < 3; d++) {
    firsts.push(entries.length);
    entries.push(...starts[d]);
    lasts.push(entries.length);
    entries.push(...ends[d]);
  }
  // Where sizes of 1 leave both formats open, they are the same memory.
  const innermost = operands.some((x) => x.shape.length > dilation.length && !x.dense);
  const channels = innermost ? operands[0].shape[1] : 0;
  const args = new Arguments(count, dilation.length, 0, channels);
  const lists = [padded(input, 1), padded(output, 1), padded(dilation, 1), firsts, lasts];
  lists.forEach((list, i) => list.forEach((value, d) => args.slots[POOL_LISTS + 3 * i + d] = value));
  operands.forEach((x, i) => args.slots[POOL_POINTERS + i] = addressOf(x));
  withTable(stream, entries, (address) => {
    args.slots[2] = address;
    args.launch(stream, kernel, THREADS, stream.blocks(count));
  });
}

/** The sizes of the spatial dimensions. */
function spatial(x: Strided, windows: PoolWindows): readonly number[] {
  return x.shape.slice(x.shape.length - windows.dilation.length);
}

/** The largest value of each window and its place; see `Backend.maxPool`. */
export const maxPool: KernelOf<CudaStream, "maxPool"> = (stream, x, windows, out, indices) => {
  const count = numelOf(out.shape);
  if (count === 0) return;
  const { starts, ends, dilation } = windows;
  const kernel = stream.kernel(`maxPool ${x.dtype.name}`, "maxPool", () => maxPoolSource(x.dtype));
  const sizes = [spatial(x, windows), spatial(out, windows)] as const;
  run(stream, kernel, count, ...sizes, dilation, starts, ends, [x, out, indices]);
};

function average(stream: CudaStream, name: string, x: Strided, scale: Strided): Kernel {
  return stream.kernel(`avgPool ${x.dtype.name} ${scale.dtype.name}`, name, () => avgPoolSource(x.dtype, scale.dtype));
}

/** The sum of each window times the scale of its position; see `Backend.avgPool`. */
export const avgPool: KernelOf<CudaStream, "avgPool"> = (stream, x, windows, scale, out) => {
  const count = numelOf(out.shape);
  if (count === 0) return;
  const { starts, ends, dilation } = windows;
  const sizes = [spatial(x, windows), spatial(out, windows)] as const;
  run(stream, average(stream, "avgPool", x, scale), count, ...sizes, dilation, starts, ends, [x, scale, out]);
};

/** For each input position of one dimension, the first window that holds it and one past the last. */
function inverse(starts: readonly number[], ends: readonly number[], size: number): [number[], number[]] {
  const first = new Array<number>(size).fill(0), last = new Array<number>(size).fill(0);
  for (let i = 0; i < size; i++) {
    let low = starts.length, high = 0;
    for (let o = 0; o < starts.length; o++) {
      if (starts[o] <= i && i < ends[o]) {
        low = Math.min(low, o);
        high = Math.max(high, o + 1);
      }
    }
    first[i] = Math.min(low, high);
    last[i] = high;
  }
  return [first, last];
}

/** Runs the kernel of a gradient over the input's positions. */
function runGrad(stream: CudaStream, kernel: Kernel, operands: readonly Strided[], windows: PoolWindows): void {
  const [grad, , out] = operands;
  const input = spatial(out, windows);
  const ranges = windows.starts.map((s, d) => inverse(s, windows.ends[d], input[d]));
  const [first, last] = [ranges.map((r) => r[0]), ranges.map((r) => r[1])];
  run(stream, kernel, numelOf(out.shape), input, spatial(grad, windows), windows.dilation, first, last, operands);
}

/** The gradient of {@linkcode maxPool} by its input; see `Backend.maxPoolGrad`. */
export const maxPoolGrad: KernelOf<CudaStream, "maxPoolGrad"> = (stream, grad, indices, windows, out) => {
  if (numelOf(out.shape) === 0) return;
  const { dtype } = grad;
  const kernel = stream.kernel(`maxPoolGrad ${dtype.name}`, "maxPoolGrad", () => maxPoolGradSource(dtype));
  runGrad(stream, kernel, [grad, indices, out], windows);
};

/** The gradient of {@linkcode avgPool} by its input; see `Backend.avgPoolGrad`. */
export const avgPoolGrad: KernelOf<CudaStream, "avgPoolGrad"> = (stream, grad, windows, scale, out) => {
  if (numelOf(out.shape) === 0) return;
  runGrad(stream, average(stream, "avgPoolGrad", grad, scale), [grad, scale, out], windows);
};
