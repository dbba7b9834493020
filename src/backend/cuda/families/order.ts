/**
 * Sorting, selecting and searching on CUDA.
 *
 * @module
 */

import { ShapeError } from "../../../base/errors.ts";
import { numelOf } from "../../../base/shape.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { Arguments, otherDims, pick } from "../device/arguments.ts";
import { bitonicSource, fillSource, searchSource, takeSource, TILE } from "../kernels/order.ts";
import { type CudaStream, THREADS } from "../device/stream.ts";

/** Rows of sorted keys and the places that they came from; see {@linkcode withSorted}. */
export interface Sorted {
  /** Address of the 64-bit keys. */
  readonly keys: number;
  /** Address of the 32-bit places. */
  readonly places: number;
  /** Elements from one row to the next. */
  readonly padded: number;
  /** How many rows. */
  readonly rows: number;
}

/**
 * Sorts the rows of `x` along `dim`, and runs `use` with the result.
 *
 * @param wrap what is added to negative values before the sort
 */
export function withSorted(
  stream: CudaStream,
  x: Strided,
  dim: number,
  descending: boolean,
  wrap: number,
  use: (sorted: Sorted) => void,
): void {
  const others = otherDims(x, dim), shape = pick(x.shape, others);
  const rows = numelOf(shape), length = x.shape[dim] ?? 1;
  if (length > 2 ** 31) throw new ShapeError(`sort(): on CUDA a row has at most 2147483648 elements: ${length}`);
  const padded = 2 ** Math.ceil(Math.log2(Math.max(length, 2)));
  // Whole tiles, so that no kernel has to look where the rows end.
  const total = Math.ceil(rows * padded / TILE) * TILE;
  stream.withScratch(total * 12, (keys) => {
    const places = keys + total * 8;
    const fill = new Arguments(
      rows * padded,
      padded,
      length,
      0,
      x.strides[dim] ?? 0,
      keys,
      places,
      descending ? 1 : 0,
      wrap,
    );
    fill.slots[3] = fill.layout("sort", shape, [x], [pick(x.strides, others)]);
    const kernel = stream.kernel(`sort ${x.dtype.name}`, "fill", () => fillSource(x.dtype));
    fill.launch(stream, kernel, THREADS, stream.blocks(rows * padded));
    bitonic(stream, total, padded, keys, places);
    use({ keys, places, padded, rows });
  });
}

function bitonic(stream: CudaStream, total: number, padded: number, keys: number, places: number): void {
  const args = new Arguments(total / 2, padded, 0, 0, 0, keys, places);
  const kernel = (name: string) => stream.kernel("sort network", name, bitonicSource);
  args.launch(stream, kernel("tile"), TILE / 2, total / TILE);
  for (let size = 2 * TILE; size <= padded; size *= 2) {
    args.slots[2] = size;
    for (let stride = size / 2; stride >= TILE; stride /= 2) {
      args.slots[3] = stride;
      args.launch(stream, kernel("step"), THREADS, stream.blocks(total / 2));
    }
    args.launch(stream, kernel("merge"), TILE / 2, total / TILE);
  }
}

function select(
  stream: CudaStream,
  x: Strided,
  dim: number,
  descending: boolean,
  values: Strided,
  indices: Strided,
): void {
  if (numelOf(values.shape) === 0) return;
  const kept = values.shape[dim] ?? 1;
  withSorted(stream, x, dim, descending, 0, ({ places, padded, rows }) => {
    const others = otherDims(x, dim), operands = [x, values, indices];
    const args = new Arguments(rows * kept, padded, kept);
    args.slots[3] = args.layout("sort", pick(x.shape, others), operands, operands.map((t) => pick(t.strides, others)));
    operands.forEach((t, k) => args.slots[4 + k] = t.strides[dim] ?? 0);
    args.slots[7] = places;
    const kernel = stream.kernel(`sort ${x.dtype.name} take`, "take", () => takeSource(x.dtype));
    args.launch(stream, kernel, THREADS, stream.blocks(rows * kept));
  });
}

/** Stable sort along `dim`; see `Backend.sort`. */
export const sort: KernelOf<CudaStream, "sort"> = (stream, x, dim, descending, values, indices) => {
  select(stream, x, dim, descending, values, indices);
};

/** The extreme values along `dim`, sorted; see `Backend.topk`. */
export const topk: KernelOf<CudaStream, "topk"> = (stream, x, dim, largest, values, indices) => {
  select(stream, x, dim, largest, values, indices);
};

/** Positions in the last dimension of `sorted` where `values` belong; see `Backend.searchsorted`. */
export const searchsorted: KernelOf<CudaStream, "searchsorted"> = (stream, sorted, values, right, out) => {
  const count = numelOf(out.shape);
  if (count === 0) return;
  const rank = values.shape.length, last = sorted.shape.length - 1;
  // One row may serve all values: its leading steps are then 0.
  const rows = values.shape.map((_, d) => {
    const own = d - (rank - 1 - last);
    return d < rank - 1 && own >= 0 ? sorted.strides[own] : 0;
  });
  const args = new Arguments(count, sorted.shape[last], 0, sorted.strides[last], right ? 1 : 0);
  args.slots[2] = args.layout("searchsorted", values.shape, [sorted, values, out], [rows, values.strides, out.strides]);
  const key = `searchsorted ${sorted.dtype.name} ${values.dtype.name}`;
  const kernel = stream.kernel(key, "search", () => searchSource(sorted.dtype, values.dtype));
  args.launch(stream, kernel, THREADS, stream.blocks(count));
};
