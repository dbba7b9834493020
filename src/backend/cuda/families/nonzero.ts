/**
 * Counting and listing what is not zero, on CUDA.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import { ShapeError, show } from "../../../base/errors.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { Arguments } from "../device/arguments.ts";
import { MAX_DIMS } from "../kernels/common.ts";
import { NONZERO_THREADS, nonzeroSource } from "../kernels/nonzero.ts";
import { addressOf, type CudaStream } from "../device/stream.ts";

/** Elements of a chunk at least; longer ones keep the number of chunks small. */
const CHUNK = 4096;
const MOST_CHUNKS = 4096;

/** Runs `use` with the positions at which each chunk's results begin, the total last. */
function withCounts(
  stream: CudaStream,
  x: Strided,
  use: (args: Arguments, chunks: number, launch: (name: string, blocks: number) => void) => void,
): void {
  const count = numelOf(x.shape);
  const length = Math.max(CHUNK, Math.ceil(count / MOST_CHUNKS)), chunks = Math.ceil(count / length);
  stream.withScratch((chunks + 1) * 8, (counts) => {
    const args = new Arguments(count, 0, length, chunks, counts);
    args.slots[1] = args.layout("nonzero", x.shape, [x], [x.strides]);
    const key = `nonzero ${x.dtype.name}`;
    const launch = (name: string, blocks: number) =>
      args.launch(stream, stream.kernel(key, name, () => nonzeroSource(x.dtype)), NONZERO_THREADS, blocks);
    launch("count", chunks);
    launch("prefix", 1);
    use(args, chunks, launch);
  });
}

/** How many elements are not zero; waits for the device. */
export const countNonzero: KernelOf<CudaStream, "countNonzero"> = (stream, x) =>
  // A fault of an earlier kernel, which the read throws, rejects the promise.
  new Promise((resolve) => {
    if (numelOf(x.shape) === 0) return resolve(0);
    withCounts(stream, x, (args, chunks) => {
      resolve(Number(new BigInt64Array(stream.read(args.slots[4] + chunks * 8, 8).buffer)[0]));
    });
  });

/** Coordinates of the elements that are not zero. */
export const nonzero: KernelOf<CudaStream, "nonzero"> = (stream, x, out) => {
  if (numelOf(x.shape) === 0 || numelOf(out.shape) === 0) return;
  if (x.shape.length > MAX_DIMS) {
    throw new ShapeError(`nonzero(): on CUDA at most ${MAX_DIMS} dimensions: ${show(x.shape)}`);
  }
  withCounts(stream, x, (args, chunks, launch) => {
    args.operand(1, addressOf(out));
    args.operand(2, 0, x.shape);
    [args.slots[5], args.slots[6], args.slots[7]] = [x.shape.length, out.strides[0], out.strides[1]];
    launch("list", chunks);
  });
};
