/**
 * Fused attention on the GPU, forward and backward: blockwise, the matrix of weights never leaves workgroup memory.
 *
 * One skeleton (`attention_code.ts`) serves three kernels. A workgroup owns 64 rows (queries; keys, for the gradients by key
 * and value) and walks over tiles of 32 of the other side. Nothing is added atomically: the gradients take two passes.
 *
 * @see Dao, "FlashAttention-2: faster attention with better parallelism and work partitioning" (2023)
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import type { AttentionOperands, AttentionOptions, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { attentionCode, type AttentionPass, COLUMNS, type Layout, Place, ROWS, tripsOf } from "./attention_code.ts";
import type { Gpu } from "../device/gpu.ts";
import { MAX_TRIPS } from "../text/kernel_text.ts";
import { floatWord, Operands } from "../text/operands.ts";

/** The widest head that there are kernels for: a thread holds two rows' worth of it in registers. */
const WIDEST = 128;
/** Bytes of workgroup memory of a kernel. */
const MEMORY = 16384;
/** Buffers of the largest kernel: operands, two numbers per row, the gradient and two results; and a mask. */
const BUFFERS = 8;

function paddedWidth(width: number): number {
  return Math.ceil(width / 32) * 32;
}

/** Tiles of columns that one dispatch may walk over. */
function longest(pass: AttentionPass, width: number, dropout: boolean): number {
  return Math.floor(MAX_TRIPS / tripsOf(pass, width, dropout));
}

function widthOf({ query, value }: AttentionOperands): number {
  return paddedWidth(Math.max(query.shape[3], value.shape[3]));
}

/** Whether kernels exist for these operands; see `Backend.supportsAttention`. */
export const supportsAttention: KernelOf<Gpu, "supportsAttention"> = (gpu, operands) => {
  const { query, key, value, mask } = operands, { limits } = gpu.device;
  if (Math.max(query.shape[3], value.shape[3]) > WIDEST) return false;
  if (
    limits.maxComputeWorkgroupStorageSize < MEMORY || limits.maxStorageBuffersPerShaderStage < BUFFERS + (mask ? 1 : 0)
  ) return false;
  if (mask !== null && mask.dtype.kind !== "bool" && !mask.dtype.isFloatingPoint) return false;
  if (query.dtype.name === "float32") return true;
  // What takes several dispatches is added up in its result, for which halves are too coarse: those are widened first.
  const tiles = Math.ceil(Math.max(query.shape[2], key.shape[2]) / COLUMNS);
  return query.shape[1] === key.shape[1] && tiles <= longest("byKey", widthOf(operands), true);
};

/** Whether vectors of four elements of `x` are aligned. */
function inVectors(x: Strided): boolean {
  return x.shape[3] % 4 === 0 && x.offset % 4 === 0 &&
    [0, 1, 2].every((d) => x.shape[d] === 1 || x.strides[d] % 4 === 0);
}

/** One kernel's operands: their slots, and their places in the parameters. */
class Call {
  readonly operands = new Operands(new Array<number>(Place.Operands).fill(0));
  readonly layout: Layout;

  constructor(
    { query, key, value, mask }: AttentionOperands,
    { scale, causal, dropout }: AttentionOptions,
    matrices: Readonly<Record<string, Strided>>,
    rows: Readonly<Record<string, Strided>>,
  ) {
    const { operands } = this, { parameters } = operands;
    parameters[Place.Heads] = query.shape[1];
    parameters[Place.Group] = query.shape[1] / key.shape[1];
    parameters[Place.Queries] = query.shape[2];
    parameters[Place.Keys] = key.shape[2];
    parameters[Place.Width] = query.shape[3];
    parameters[Place.ValueWidth] = value.shape[3];
    parameters[Place.Causal] = causal ? 1 : 0;
    parameters[Place.Scale] = floatWord(scale);
    if (dropout !== null) {
      parameters[Place.Keep] = floatWord(dropout.keep);
      parameters[Place.Base] = dropout.base % 2 ** 32;
      parameters[Place.KeyLow] = Number(BigInt.asUintN(32, dropout.key));
      parameters[Place.KeyHigh] = Number(BigInt.asUintN(32, dropout.key >> 32n));
    }
    const all = { query, key, value, ...matrices };
    const slots = new Map(Object.entries(all).map(([name, x]) => [name, operands.slot(x)]));
    const scalars = [...Object.values(rows), ...(mask ? [mask] : [])].map((x) => operands.slot(x));
    const vectors = Object.values(all).every(inVectors) && !scalars.some((s) => [...slots.values()].includes(s));
    const unit = vectors ? 4 : 1;
    const places: Record<string, { slot: number; at: number; dtype: DType }> = {};
    for (const [name, x] of Object.entries(all)) {
      const steps = [0, 1, 2].map((d) => x.shape[d] === 1 ? 0 : x.strides[d] / unit);
      places[name] = { slot: slots.get(name)!, at: operands.push(x.offset / unit, ...steps), dtype: x.dtype };
    }
    for (const [name, x] of Object.entries(rows)) {
      places[name] = { slot: operands.slot(x), at: operands.push(x.offset), dtype: x.dtype };
    }
    if (mask !== null) {
      const at = operands.push(mask.offset, ...mask.strides);
      places.mask = { slot: operands.slot(mask), at, dtype: mask.dtype };
    }
    const width = paddedWidth(Math.max(query.shape[3], value.shape[3]));
    this.layout = { places, vectors, width, dropout: dropout !== null, buffers: operands.blocks.length };
  }

  /** Runs a pass over `rows` rows of `heads` heads, walking over `columns` columns from 0 on, `times` times. */
  run(gpu: Gpu, pass: AttentionPass, [batch, heads, rows]: readonly number[], columns: number, times: number): void {
    const { operands: { parameters, blocks }, layout } = this;
    const most = longest(pass, layout.width, layout.dropout) * COLUMNS;
    const used = Object.entries(layout.places).map(([name, { slot, dtype }]) => `${name}:${slot}:${dtype.name}`);
    const key = `attention ${pass} ${layout.width} ${layout.vectors} ${layout.dropout} ${used.join()}`;
    for (let turn = 0; turn < times; turn++) {
      for (let start = 0; start < columns; start += most) {
        parameters[Place.Start] = start;
        parameters[Place.End] = Math.min(columns, start + most);
        parameters[Place.Resume] = turn + start > 0 ? 1 : 0;
        parameters[Place.Turn] = turn;
        const grid = [Math.ceil(rows / ROWS), heads, batch] as const;
        gpu.dispatchGrid(key, () => attentionCode(pass, layout), blocks, parameters, Place.Grid, grid);
      }
    }
  }
}

/** Attention and the logarithm of each row's sum; see `Backend.attention`. */
export const attention: KernelOf<Gpu, "attention"> = (gpu, operands, options, out, logSum) => {
  const call = new Call(operands, options, { out }, { logSum });
  call.run(gpu, "forward", operands.query.shape, operands.key.shape[2], 1);
};

/** The gradients of {@linkcode attention}; see `Backend.attentionGrad`. */
export const attentionGrad: KernelOf<Gpu, "attentionGrad"> = (
  gpu,
  operands,
  options,
  logSum,
  grad,
  dots,
  byQuery,
  byKeyValue,
) => {
  const { query, key } = operands;
  if (byQuery !== null) {
    const call = new Call(operands, options, { grad, byQuery }, { logSum, dots });
    call.run(gpu, "byQuery", query.shape, key.shape[2], 1);
  }
  if (byKeyValue !== null) {
    const [byKey, byValue] = byKeyValue;
    const call = new Call(operands, options, { grad, byKey, byValue }, { logSum, dots });
    // Heads of the query that share a head of the key take turns.
    call.run(gpu, "byKey", key.shape, query.shape[2], query.shape[1] / key.shape[1]);
  }
};
