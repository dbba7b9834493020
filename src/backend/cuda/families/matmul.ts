/**
 * Matrix products on CUDA: cuBLASLt where it can take the operands as they lie, our own tiled kernel otherwise; both with
 * epilogues.
 *
 * cuBLASLt takes floating matrices with unit stride in one of their two dimensions and batches at equal distances. More
 * than one batch dimension is a call per position of the outer ones, as long as these are few.
 *
 * @module
 */

import { bfloat16, type DType, float16, float32, float64 } from "../../../base/dtype.ts";
import { numelOf } from "../../../base/shape.ts";
import type { Epilogue, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { cuda as switches } from "../device/cublas.ts";
import { collapse } from "../../layout.ts";
import { Arguments } from "../device/arguments.ts";
import { operandAt } from "../kernels/common.ts";
import { matmulSource, TILE, TILE_THREADS } from "../kernels/tiles.ts";
import { withDense } from "./pack.ts";
import { addressOf, type CudaStream, Library } from "../device/stream.ts";

/** More calls of cuBLASLt than this for one product cost more than our own kernel. */
const MOST_CALLS = 64;
/** Products of at least this many multiplications are worth a copy of an operand that cuBLASLt does not take as it lies. */
const WORTH_COPYING = 2 ** 20;
/** cuBLASLt's dimensions are 32-bit. */
const LARGEST = 2 ** 31 - 1;
/** The shim's status where the library has no kernel for a product: ours then takes it. */
const UNSUPPORTED = -7;

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

/** What the shim calls epilogues (`native/cuda/cresset_cuda.h`). */
const enum Code {
  None,
  Bias,
  Relu,
  Gelu = 4,
  ReluKept = 6,
  GeluKept = 8,
  ReluGrad = 10,
  GeluGrad = 12,
  RowSums = 14,
}

/** An epilogue as cuBLASLt takes it: `bias` and `aux` are addresses, or 0. */
interface LibraryEpilogue {
  readonly code: number;
  readonly bias: number;
  readonly aux: number;
  /** The step between the rows of `aux`: in elements, or in bits for relu's mask. */
  readonly auxStep: number;
}
const PLAIN: LibraryEpilogue = { code: Code.None, bias: 0, aux: 0, auxStep: 0 };

/** `out = alpha · a @ b + beta · out`; see `Backend.matmul`. */
export const matmul: KernelOf<CudaStream, "matmul"> = (stream, a, b, out, alpha, beta) => {
  if (numelOf(out.shape) === 0) return;
  const done = withRows(stream, a, b, out, (a, b) => byLibrary(stream, a, b, out, alpha, beta));
  if (!done) byTiles(stream, a, b, out, alpha, beta);
};

/**
 * Runs `use` with operands as the library takes them: where one has unit stride in neither dimension (a gradient that was
 * expanded, say) and the product is large, a copy costs less than our own kernel.
 */
function withRows(
  stream: CudaStream,
  a: Strided,
  b: Strided,
  out: Strided,
  use: (a: Strided, b: Strided) => boolean,
): boolean {
  const { dtype } = out, nb = out.shape.length - 2;
  if (!stream.has(Library.CublasLt) || !dtype.isFloatingPoint || a.dtype !== dtype || b.dtype !== dtype) {
    return use(a, b);
  }
  if (numelOf(out.shape) * a.shape[nb + 1] < WORTH_COPYING) return use(a, b);
  const lies = (x: Strided) => matrixOf(x.shape[nb], x.shape[nb + 1], x.strides[nb], x.strides[nb + 1]) !== null;
  if (!lies(a)) return withDense(stream, a, (dense) => withRows(stream, dense, b, out, use));
  if (!lies(b)) return withDense(stream, b, (dense) => use(a, dense));
  return use(a, b);
}

/**
 * `out = epilogue(a @ b)`; see `Backend.matmulEpilogue`. What cuBLASLt can multiply but not finish is left to the caller,
 * whose next kernel costs less than our own product.
 */
export const matmulEpilogue: KernelOf<CudaStream, "matmulEpilogue"> = (stream, a, b, out, epilogue) => {
  if (numelOf(out.shape) === 0) return false;
  return withRows(stream, a, b, out, (a, b) => finished(stream, a, b, out, epilogue));
};

function finished(stream: CudaStream, a: Strided, b: Strided, out: Strided, epilogue: Epilogue): boolean {
  if (libraryLayouts(stream, a, b, out) !== null) {
    const known = libraryEpilogue(out, epilogue);
    return known !== null && byLibrary(stream, a, b, out, 1, 0, known);
  }
  if (epilogue.columnSums !== null || [a, b, epilogue.operand].some((x) => x !== null && x.dtype !== out.dtype)) {
    return false;
  }
  epilogueByTiles(stream, a, b, out, epilogue);
  return true;
}

/** `out = a @ b` and the sums of `a`'s rows; see `Backend.matmulRowSums`. */
export const matmulRowSums: KernelOf<CudaStream, "matmulRowSums"> = (stream, a, b, out, sums) => {
  if (numelOf(out.shape) === 0 || out.dtype === float64 || !sums.dense || sums.dtype !== out.dtype) return false;
  const epilogue = { code: Code.RowSums, bias: addressOf(sums), aux: 0, auxStep: 0 };
  return withRows(stream, a, b, out, (a, b) => byLibrary(stream, a, b, out, 1, 0, epilogue));
};

/** The first devices with float8 tensor cores. */
const FLOAT8_CAPABILITY = 89;
/** Where float8 operands begin and how long their rows are: in vectors of this many bytes. */
const FLOAT8_VECTOR = 16;
/** The shim's mode of quick sums. */
const FAST_SUMS = 8;

/** `out = (a · scales) @ b + bias` of float8 matrices, by cuBLASLt; see `Backend.scaledMatmul`. */
export const scaledMatmul: KernelOf<CudaStream, "scaledMatmul"> = (stream, a, b, out, s) => {
  const [m, n] = out.shape, k = a.shape[1];
  if (stream.capability < FLOAT8_CAPABILITY || !stream.has(Library.CublasLt) || m === 0) return false;
  if ([k, n, a.strides[0], b.strides[1]].some((size) => size % FLOAT8_VECTOR !== 0 || size === 0)) return false;
  // Rows of a, columns of b and rows of the result are what lies together.
  if (a.strides[1] !== 1 || b.strides[0] !== 1 || !out.dense || out.dtype.itemsize === 8) return false;
  const addresses = [a, b, out].map(addressOf);
  if (addresses.some((address) => address % FLOAT8_VECTOR !== 0) || Math.max(m, n, k) > LARGEST) return false;
  const at = (x: Strided | null) => x === null ? 0 : addressOf(x);
  stream.args.set([...addresses, m, n, k, a.strides[0], b.strides[1], n, at(s.a), at(s.b), at(s.bias)]);
  const modes = modesOf(stream, out.dtype) + (s.fastSums ? FAST_SUMS : 0);
  const { c } = stream.shim;
  const status = c.cresset_cuda_scaled_matmul(stream.ordinal, a.dtype.code, b.dtype.code, out.dtype.code, modes);
  if (status === UNSUPPORTED) return false;
  stream.check("scaledMm", status);
  return true;
};

/** Bytes of a row of relu's mask: a bit per element, in multiples of 128 bits. */
export const reluMaskBytes: KernelOf<CudaStream, "reluMaskBytes"> = (_stream, columns) => Math.ceil(columns / 128) * 16;

/** How cuBLASLt is told of an epilogue; `null` where it does not know it. */
function libraryEpilogue(out: Strided, e: Epilogue): LibraryEpilogue | null {
  const [, n] = out.shape, { name, operand, kept, columnSums, mask } = e;
  const derivative = name === "reluGrad" || name === "geluTanhGrad";
  // The library's gelu is the approximation.
  if (name === "gelu" || name === "geluGrad" || (name === "reluGrad" && mask === null)) return null;
  if (derivative) {
    if (columnSums !== null && (!columnSums.dense || columnSums.dtype !== out.dtype)) return null;
    const aux = name === "reluGrad" ? maskOf(mask!) : matrixAux(operand!, out);
    if (aux === null) return null;
    const code = (name === "reluGrad" ? Code.ReluGrad : Code.GeluGrad) + (columnSums === null ? 0 : 1);
    return { code, bias: columnSums === null ? 0 : addressOf(columnSums), ...aux };
  }
  if (columnSums !== null) return null;
  if (
    operand !== null && (operand.dtype !== out.dtype || (n > 1 && operand.strides[1] !== 1) || operand.strides[0] !== 0)
  ) {
    return null;
  }
  const bias = operand === null ? 0 : addressOf(operand), biased = operand === null ? 0 : 1;
  if (name === "bias") return kept === null && bias !== 0 ? { code: Code.Bias, bias, aux: 0, auxStep: 0 } : null;
  if (name === "relu") {
    if (kept !== null) return null;
    if (mask === null) return { code: Code.Relu + biased, bias, aux: 0, auxStep: 0 };
    return { code: Code.ReluKept + biased, bias, ...maskOf(mask) };
  }
  if (kept === null) return { code: Code.Gelu + biased, bias, aux: 0, auxStep: 0 };
  const aux = matrixAux(kept, out);
  return aux === null ? null : { code: Code.GeluKept + biased, bias, ...aux };
}

function maskOf(mask: Strided): Pick<LibraryEpilogue, "aux" | "auxStep"> {
  return { aux: addressOf(mask), auxStep: mask.shape[1] * 8 };
}

/** A matrix beside the output as the library reads or writes it, in rows of whole vectors. */
function matrixAux(x: Strided, out: Strided): Pick<LibraryEpilogue, "aux" | "auxStep"> | null {
  const [step, unit] = x.strides;
  if (x.dtype !== out.dtype || unit !== 1 || step % 8 !== 0 || step < out.shape[1] || addressOf(x) % 16 !== 0) {
    return null;
  }
  return { aux: addressOf(x), auxStep: step };
}

/** How cuBLASLt sees the operands and the output of a product; `null` where it does not take them as they lie. */
function libraryLayouts(
  stream: CudaStream,
  a: Strided,
  b: Strided,
  out: Strided,
): readonly [Matrix, Matrix, Matrix] | null {
  const { dtype } = out;
  if (!stream.has(Library.CublasLt) || !dtype.isFloatingPoint || a.dtype !== dtype || b.dtype !== dtype) return null;
  const nb = out.shape.length - 2, m = out.shape[nb], n = out.shape[nb + 1], k = a.shape[nb + 1];
  if (k === 0 || Math.max(m, n, k) > LARGEST) return null;
  const ma = matrixOf(m, k, a.strides[nb], a.strides[nb + 1]), mb = matrixOf(k, n, b.strides[nb], b.strides[nb + 1]);
  const mo = matrixOf(m, n, out.strides[nb], out.strides[nb + 1]);
  return ma === null || mb === null || mo === null ? null : [ma, mb, mo];
}

/** Whether cuBLASLt took the product. */
function byLibrary(
  stream: CudaStream,
  a: Strided,
  b: Strided,
  out: Strided,
  alpha: number,
  beta: number,
  epilogue: LibraryEpilogue = PLAIN,
): boolean {
  const layouts = libraryLayouts(stream, a, b, out);
  if (layouts === null) return false;
  const [ma, mb, mo] = layouts;
  // A transposed output is the product of the transposed operands in the other order; an epilogue knows rows from columns.
  if (mo.transposed) {
    return epilogue === PLAIN && byLibrary(stream, transposed(b), transposed(a), transposed(out), alpha, beta);
  }
  const nb = out.shape.length - 2, m = out.shape[nb], n = out.shape[nb + 1], k = a.shape[nb + 1];
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
      epilogue.bias,
      epilogue.code,
      epilogue.aux,
      epilogue.auxStep,
    ]);
    const status = stream.shim.c.cresset_cuda_matmul(stream.ordinal, out.dtype.code, modesOf(stream, out.dtype));
    // What later calls lack the alignment for is all done again, unless it would be added twice.
    if (status === UNSUPPORTED && (call === 0 || beta === 0)) return false;
    stream.check("matmul", status);
  }
  return true;
}

/** The switches that the choice of an algorithm depends on. */
function modesOf(stream: CudaStream, dtype: DType): number {
  const { allowTf32, allowFp16ReducedPrecisionReduction, allowBf16ReducedPrecisionReduction } = switches.matmul;
  const tf32 = dtype === float32 && (allowTf32 || stream.allowTf32);
  const full = (dtype === float16 && !allowFp16ReducedPrecisionReduction) ||
    (dtype === bfloat16 && !allowBf16ReducedPrecisionReduction);
  return (tf32 ? 1 : 0) + (full ? 2 : 0) + (stream.measureProducts ? 4 : 0);
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

/** The same with an epilogue, for matrices. */
function epilogueByTiles(stream: CudaStream, a: Strided, b: Strided, out: Strided, epilogue: Epilogue): void {
  const [m, n] = out.shape, { program, operand, kept, name } = epilogue;
  const args = new Arguments(m, n, a.shape[1]);
  args.slots[3] = args.layout("matmul", [], [a, b, out], [[], [], []]);
  [a, b, out].forEach((x, i) => [args.slots[4 + 2 * i], args.slots[5 + 2 * i]] = x.strides);
  [operand, kept].forEach((x, i) => {
    if (x === null) return;
    args.slots[operandAt(3 + i)] = addressOf(x);
    [args.slots[12 + 2 * i], args.slots[13 + 2 * i]] = x.strides;
  });
  const key = `matmul ${name} ${out.dtype.name} ${operand !== null} ${kept !== null}`;
  const kernel = stream.kernel(key, "matmul", () => matmulSource(out.dtype, out.dtype, out.dtype, program));
  runTiles(args, stream, kernel, m, n, 1);
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
