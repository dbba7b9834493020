/**
 * Fused attention on CUDA: our own kernels, on the tensor cores for the 16-bit floats (and for float32
 * where TensorFloat-32 is allowed), by multiply-adds for exact float32.
 *
 * Nothing is copied or padded: kernels take the strides of batch, head and position, and fill what a head lacks of their
 * width with zeros as it is loaded.
 *
 * @module
 */

import type { AttentionOperands, AttentionOptions, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { cuda as switches } from "../device/cublas.ts";
import { Arguments } from "../device/arguments.ts";
import {
  ATTENTION_THREADS,
  type AttentionKernel,
  attentionSource,
  type AttentionVariant,
  Operand,
  Slot,
  tilingOf,
  WIDTHS,
} from "../kernels/attention.ts";
import { wideAttentionSource, wideRows, wideShared } from "../kernels/attention_wide.ts";
import { addressOf, type CudaStream } from "../device/stream.ts";

/** The first devices with asynchronous copies and bfloat16 products. */
const FIRST_CAPABILITY = 80;
/** Sizes are 32-bit numbers in the kernels, and so are steps between rows, times the rows that are copied at once. */
const LARGEST = 2 ** 31 - 1, LARGEST_STEP = 2 ** 25;

/** Whether kernels exist for these operands; see `Backend.supportsAttention`. */
export const supportsAttention: KernelOf<CudaStream, "supportsAttention"> = (stream, { query, key, value, mask }) => {
  if (stream.capability < FIRST_CAPABILITY) return false;
  const { dtype } = query, half = dtype.itemsize === 2;
  const widths = [query.shape[3], value.shape[3]];
  if (Math.max(...widths) > WIDTHS[WIDTHS.length - 1]) return false;
  // Rows of whole 16-byte words.
  if (dtype.name !== "float32" && !(half && widths.every((w) => w % 8 === 0))) return false;
  const [batch, heads, rows] = query.shape, blocks = batch * heads * Math.ceil(rows / 32);
  const steps = [query, key, value].map((x) => x.strides[2]);
  return [blocks, rows, key.shape[2]].every((n) => n <= LARGEST) && steps.every((n) => n <= LARGEST_STEP) &&
    (mask === null || mask.dtype.itemsize <= 4);
};

/** The parameters that all three kernels share. */
function argumentsOf(
  stream: CudaStream,
  { query, key, value, mask }: AttentionOperands,
  { scale, causal, dropout }: AttentionOptions,
  out: Strided,
  logSum: Strided,
): Arguments {
  const [, heads, queries, width] = query.shape;
  const args = new Arguments(heads, heads / key.shape[1], queries, key.shape[2], width, value.shape[3], causal ? 1 : 0);
  args.doubles.push([Slot.Scale, scale]);
  if (dropout !== null) {
    args.doubles.push([Slot.Keep, dropout.keep]);
    args.slots[Slot.Base] = dropout.base;
    args.slots[Slot.KeyLow] = Number(BigInt.asUintN(32, dropout.key));
    args.slots[Slot.Random] = stream.randomAddress;
    args.slots[Slot.KeyHigh] = Number(BigInt.asUintN(32, dropout.key >> 32n));
  }
  place(args, Operand.Query, query);
  place(args, Operand.Key, key);
  place(args, Operand.Value, value);
  if (mask !== null) place(args, Operand.Mask, mask);
  place(args, Operand.Out, out);
  args.slots[Slot.LogSum] = addressOf(logSum);
  return args;
}

function place(args: Arguments, operand: Operand, x: Strided): void {
  const at = Slot.Operands + 5 * operand;
  args.slots[at] = addressOf(x);
  for (let d = 0; d < 4; d++) args.slots[at + 1 + d] = x.strides[d];
}

/** Launches one of the kernels over the rows of `heads` heads per batch. */
function launch(
  stream: CudaStream,
  kernel: AttentionKernel,
  args: Arguments,
  { query, value, mask }: AttentionOperands,
  dropout: boolean,
  rows: Strided,
): void {
  const widest = Math.max(query.shape[3], value.shape[3]);
  const width = WIDTHS.find((w) => w >= widest)!;
  const variant: AttentionVariant = { dtype: query.dtype, width, mask: mask?.dtype ?? null, dropout };
  const limit = stream.sharedBytes, tiling = tilingOf(kernel, variant, limit);
  const allowed = stream.allowTf32 || switches.matmul.allowTf32;
  const rounded = allowed && tiling.shared <= limit && query.shape[3] % 4 === 0 && value.shape[3] % 4 === 0;
  const exact = query.dtype.itemsize === 4 && !rounded;
  const key = `${kernel} ${exact ? "exact" : query.dtype.name} ${width} ${mask?.dtype.name ?? "unmasked"} ${
    dropout ? "dropout" : "kept"
  }`;
  const name = kernel === "attention" ? "attention" : "gradient";
  const source = () => exact ? wideAttentionSource(kernel, variant) : attentionSource(kernel, variant, tiling);
  const code = stream.kernel(key, name, source);
  const [batch, heads, count] = rows.shape, tiles = Math.ceil(count / (exact ? wideRows(width) : tiling.rows));
  args.slots[Slot.Tiles] = tiles;
  args.launch(
    stream,
    code,
    ATTENTION_THREADS,
    tiles * heads * batch,
    1,
    1,
    exact ? wideShared(kernel, width) : tiling.shared,
  );
}

/** Attention and the logarithm of each row's sum; see `Backend.attention`. */
export const attention: KernelOf<CudaStream, "attention"> = (stream, operands, options, out, logSum) => {
  const args = argumentsOf(stream, operands, options, out, logSum);
  launch(stream, "attention", args, operands, options.dropout !== null, operands.query);
};

/** The gradients of {@linkcode attention}; see `Backend.attentionGrad`. */
export const attentionGrad: KernelOf<CudaStream, "attentionGrad"> = (
  stream,
  operands,
  options,
  logSum,
  grad,
  dots,
  byQuery,
  byKeyValue,
) => {
  const args = argumentsOf(stream, operands, options, grad, logSum), dropped = options.dropout !== null;
  args.slots[Slot.Dots] = addressOf(dots);
  if (byQuery !== null) {
    place(args, Operand.ByQuery, byQuery);
    launch(stream, "byQuery", args, operands, dropped, operands.query);
  }
  if (byKeyValue !== null) {
    place(args, Operand.ByKey, byKeyValue[0]);
    place(args, Operand.ByValue, byKeyValue[1]);
    launch(stream, "byKey", args, operands, dropped, operands.key);
  }
};
