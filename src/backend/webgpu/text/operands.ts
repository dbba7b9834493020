/**
 * Operands of a WGSL kernel: which buffer each is in, how its elements are loaded and stored, and where they lie.
 *
 * Every element is one 32-bit word to a kernel, whatever its dtype: halves are float32 values rounded when stored, int64 is
 * held in 32 bits (checked on upload), bools are 0 or 1. (Where the adapter has `shader-f16`, float16 takes two bytes in
 * memory all the same: `halves.ts` rewrites the kernels that see such a buffer.) A buffer is bound once, however many operands are views of it, since
 * WebGPU forbids binding a written buffer twice.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { rowOf, type WgslColumn } from "../../../base/dtype_table.ts";
import { DTypeError } from "../../../base/errors.ts";
import type { Strided } from "../../backend.ts";
import type { GpuBlock } from "../device/gpu.ts";

/** WGSL types that elements are loaded as. */
export type WgslType = WgslColumn["type"];

/** The table's column of a dtype that the device can hold. */
function columnOf(dtype: DType): WgslColumn {
  const { wgsl } = rowOf(dtype);
  if (wgsl === null) throw new DTypeError(`WebGPU has no ${dtype}; use float32, or await x.cpu()`);
  return wgsl;
}

/** The WGSL type of a dtype's elements. */
export function wgslType(dtype: DType): WgslType {
  return columnOf(dtype).type;
}

/** Throws for dtypes that the device cannot hold. */
export function checkDtype(op: string, dtype: DType): void {
  if (rowOf(dtype).wgsl === null) {
    throw new DTypeError(
      `${op}(): WebGPU has no ${dtype}; use ${dtype.isComplex ? "complex64" : "float32"}, or await x.cpu()`,
    );
  }
}

/** The value of a word (a WGSL expression) that holds an element of `dtype`. */
export function valueOf(dtype: DType, bits: string): string {
  const type = wgslType(dtype);
  return type === "bool" ? `(${bits} != 0u)` : `bitcast<${type}>(${bits})`;
}

/** The expression that loads the element at `offset` (a WGSL expression). */
export function load(slot: number, dtype: DType, offset: string): string {
  return valueOf(dtype, `b${slot}[${offset}]`);
}

/** The word that holds `value` (a WGSL expression of the dtype's type) as an element of `dtype`. */
export function word(dtype: DType, value: string): string {
  return columnOf(dtype).word.replace("$x", value);
}

/** What {@linkcode word} calls: rounding a float32 to bfloat16 and float8, ties to even, NaN kept. */
export const ROUNDING = `fn float8_word(v: f32, shift: u32, most: u32, units: f32, least_normal: u32) -> u32 {
  let sign = bitcast<u32>(v) & 0x80000000u;
  let size = bitcast<u32>(v) & 0x7fffffffu;
  if (size > 0x7f800000u) { return sign | 0x7fc00000u; }
  if (size < least_normal) { return sign | bitcast<u32>(round(bitcast<f32>(size) * units) / units); }
  let held = min(size, most);
  let rounded = (held + (1u << (shift - 1u)) - 1u + ((held >> shift) & 1u)) & ~((1u << shift) - 1u);
  return sign | select(rounded, 0x7f800000u, rounded >= 0x47800000u);
}
fn bf16_word(v: f32) -> u32 {
  let bits = bitcast<u32>(v);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0x7fc00000u; }
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u;
}
`;

/** The element type that sums of `dtype` are computed in. */
export function sumType(dtype: DType): "f32" | "i32" {
  return wgslType(dtype) === "f32" ? "f32" : "i32";
}

const scratch = new Float32Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** A float32's bits. */
export function floatWord(value: number): number {
  scratch[0] = value;
  return scratchWords[0];
}

/** The buffers of a kernel, each once, and the parameters of its operands. */
export class Operands {
  /** The buffers, by slot. */
  readonly blocks: GpuBlock[] = [];
  /** Parameter words. */
  readonly parameters: number[];

  /** Starts with the kernel's own parameters. */
  constructor(parameters: readonly number[] = []) {
    this.parameters = [...parameters];
  }

  /** The slot of an operand's buffer. */
  slot(x: Strided): number {
    return this.slotOf(x.storage.block as GpuBlock);
  }

  /** The slot of a buffer. */
  slotOf(block: GpuBlock): number {
    const at = this.blocks.findIndex((b) => b.address === block.address);
    return at >= 0 ? at : this.blocks.push(block) - 1;
  }

  /** Adds words; returns the index of the first. */
  push(...words: number[]): number {
    const at = this.parameters.length;
    for (const w of words) this.parameters.push(w >>> 0);
    return at;
  }

  /** Adds an operand's offset and strides in an iteration of `ndim` dimensions; returns where they start. */
  place(x: Strided, shape: readonly number[]): number {
    const lead = shape.length - x.shape.length;
    const at = this.push(x.offset);
    for (let d = 0; d < shape.length; d++) {
      this.push(d >= lead && x.shape[d - lead] === shape[d] ? x.strides[d - lead] : 0);
    }
    return at;
  }
}

/**
 * Statements that turn a row-major index into offsets.
 *
 * @param index the variable holding the index
 * @param sizes parameter number of the first size, and how many there are
 * @param operands name and parameter number (of the offset; strides follow from `strides`) of each operand
 * @param strides position of the first stride behind the operand's offset
 */
export function offsets(
  index: string,
  sizes: readonly [number, number],
  operands: readonly (readonly [string, number])[],
  strides = 1,
): string {
  const [first, count] = sizes;
  let text = `  var rest_${index} = ${index};\n`;
  for (let d = count - 1; d >= 0; d--) {
    const last = d === 0;
    text += last
      ? `  let c_${index}_${d} = rest_${index};\n`
      : `  let c_${index}_${d} = rest_${index} % p(${first + d}u); rest_${index} /= p(${first + d}u);\n`;
    for (const [name, at] of operands) text += `  ${name} += c_${index}_${d} * p(${at + strides + d}u);\n`;
  }
  return text;
}
