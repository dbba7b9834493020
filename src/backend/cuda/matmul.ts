/**
 * Matrix products on CUDA: cuBLASLt where it can take the operands as they lie, our own tiled kernel otherwise.
 *
 * cuBLASLt takes floating matrices with unit stride in one of their two dimensions and batches at equal distances. More
 * than one batch dimension is a call per position of the outer ones, as long as these are few.
 *
 * @module
 */

import type { DType } from "../../base/dtype.ts";
import { numelOf } from "../../base/shape.ts";
import type { Strided } from "../backend.ts";
import { collapse } from "../layout.ts";
import { Arguments } from "./arguments.ts";
import { matmulSource, TILE, TILE_THREADS } from "./kernels/tiles.ts";
import { addressOf, type CudaStream, Library } from "./stream.ts";

/** More calls of cuBLASLt than this for one product cost more than our own kernel. */
const MOST_CALLS = 64;
/** cuBLASLt's dimensions are 32-bit. */
const LARGEST = 2 ** 31 - 1;
/** What the library says where it has no algorithm: our kernel then takes the product. */
const NO_ALGORITHM = -5;

/** A matrix as cuBLASLt takes it: the step between its rows, or (transposed) columns. */
interface Matrix {
  readonly transposed: boolean;
  readonly leading: number;
}

/** How a matrix of these sizes and steps lies, or `null` where neither dimension has unit stride. */
function matrixOf(rows: number, columns: number, rowStep: number, columnStep: number): Matrix | null {
  if ((columnStep === 1 || columns === 1) && (rows === 1 || rowStep >= columns)) {
    return { transposed: false, leading: rows === 1 ? columns : rowStep };
  }
  if ((rowStep === 1 || rows === 1) && (columns === 1 || columnStep >= rows)) {
    return { transposed: true, leading: columns === 1 ? rows : columnStep };
  }
  return null;
}

/** `out = alpha · a @ b + beta · out`; see `Backend.matmul`. */
export function matmul(stream: CudaStream, a: Strided, b: Strided, out: Strided, alpha: number, beta: number): void {
  if (numelOf(out.shape) === 0) return;
  if (!byLibrary(stream, a, b, out, alpha, beta)) byTiles(stream, a, b, out, alpha, beta);
}

function supported(dtype: DType): boolean {
  return dtype.isFloatingPoint;
}

/** Whether cuBLASLt took the product. */
function byLibrary(
  stream: CudaStream,
  a: Strided,
  b: Strided,
  out: Strided,
  alpha: number,
  beta: number,
): boolean {
  if (!stream.has(Library.CublasLt) || !supported(out.dtype) || a.dtype !== out.dtype || b.dtype !== out.dtype) {
    return false;
  }
  const nb = out.shape.length - 2, m = out.shape[nb], n = out.shape[nb + 1], k = a.shape[nb + 1];
  if (k === 0 || Math.max(m, n, k) > LARGEST) return false;
  const mo = matrixOf(m, n, out.strides[nb], out.strides[nb + 1]);
  if (mo === null) return false;
  // A transposed output is the product of the transposed operands in the other order.
  if (mo.transposed) return byLibrary(stream, transposed(b), transposed(a), transposed(out), alpha, beta);
  const ma = matrixOf(m, k, a.strides[nb], a.strides[nb + 1]), mb = matrixOf(k, n, b.strides[nb], b.strides[nb + 1]);
  if (ma === null || mb === null) return false;
  const batch = collapse(out.shape.slice(0, nb), [a, b, out].map((x) => x.strides.slice(0, nb)));
  const outer = batch.shape.slice(0, -1), calls = numelOf(outer);
  if (calls > MOST_CALLS) return false;
  const last = batch.shape.length - 1;
  const inner = (x: number) => last < 0 ? 0 : batch.strides[x][last];
  for (let call = 0; call < calls; call++) {
    const offsets = [0, 0, 0];
    for (let d = outer.length - 1, rest = call; d >= 0; d--) {
      for (let x = 0; x < 3; x++) offsets[x] += rest % outer[d] * batch.strides[x][d];
      rest = Math.floor(rest / outer[d]);
    }
    const addresses = [a, b, out].map((x, i) => addressOf(x) + offsets[i] * x.dtype.itemsize);
    stream.args.set([
      ...addresses,
      m,
      n,
      k,
      ma.leading,
      mb.leading,
      mo.leading,
      ma.transposed ? 1 : 0,
      mb.transposed ? 1 : 0,
      last < 0 ? 1 : batch.shape[last],
      inner(0),
      inner(1),
      inner(2),
      alpha,
      beta,
      0,
      0,
    ]);
    const status = stream.shim.c.cresset_cuda_matmul(stream.ordinal, out.dtype.code, stream.allowTf32 ? 1 : 0);
    if (status === NO_ALGORITHM && call === 0 && stream.lastError().includes("has no algorithm")) return false;
    stream.check("matmul", status);
  }
  return true;
}

/** The view with its last two dimensions exchanged. */
function transposed(x: Strided): Strided {
  const last = x.shape.length - 1;
  const swap = (list: readonly number[]) => [...list.slice(0, last - 1), list[last], list[last - 1]];
  return {
    storage: x.storage,
    offset: x.offset,
    shape: swap(x.shape),
    strides: swap(x.strides),
    dtype: x.dtype,
    dense: false,
  };
}

/** Our own kernel: any strides, any dtype. */
function byTiles(stream: CudaStream, a: Strided, b: Strided, out: Strided, alpha: number, beta: number): void {
  const nb = out.shape.length - 2, m = out.shape[nb], n = out.shape[nb + 1];
  const args = new Arguments(m, n, a.shape[nb + 1]);
  const operands = [a, b, out];
  args.slots[3] = args.layout("matmul", out.shape.slice(0, nb), operands, operands.map((x) => x.strides.slice(0, nb)));
  operands.forEach((x, i) => [args.slots[4 + 2 * i], args.slots[5 + 2 * i]] = x.strides.slice(-2));
  args.doubles.push([10, alpha], [11, beta]);
  const key = `matmul ${a.dtype.name} ${b.dtype.name} ${out.dtype.name}`;
  const kernel = stream.kernel(key, "matmul", () => matmulSource(a.dtype, b.dtype, out.dtype));
  runTiles(args, stream, kernel, m, n, numelOf(out.shape.slice(0, nb)));
}

/** Launches a tile kernel: a block per tile and batch. */
export function runTiles(
  args: Arguments,
  stream: CudaStream,
  kernel: Parameters<Arguments["launch"]>[1],
  rows: number,
  columns: number,
  batches: number,
): void {
  args.launch(stream, kernel, TILE_THREADS, Math.ceil(rows / TILE) * Math.ceil(columns / TILE) * batches);
}
