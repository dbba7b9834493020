/**
 * Maps of scalar expressions on the CPU: compiles programs once and passes operands through the argument arena.
 *
 * The usual call, whose operands are all contiguous or single elements, is one dimension long and builds no array.
 *
 * @module
 */

import { ArgumentError, describe } from "../../base/errors.ts";
import type { Strided } from "../backend.ts";
import type { KernelOf } from "../bind.ts";
import { ofProgram } from "./operands.ts";
import { KIND_CODE } from "../../expr/kind.ts";
import { printCpu } from "../../expr/cpu.ts";
import type { Program } from "../../expr/program.ts";
import { fail, type KernelLibrary, writeInteger } from "./lib.ts";

/** A program in kernel memory. */
class CompiledProgram {
  /** Its address. */
  readonly address: number;
  /** Kind codes of the scalars. */
  readonly scalarKinds: readonly number[];

  /** Prints `program` and copies it to kernel memory, where it stays. */
  constructor(lib: KernelLibrary, program: Program) {
    const words = printCpu(program);
    this.address = storeOf(lib).add(lib, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
    this.scalarKinds = program.scalars.map((kind) => KIND_CODE[kind]);
  }
}

/** Kernel memory for programs, which live as long as the process. */
class ProgramStore {
  #at = 0;
  #left = 0;

  /** Copies a program: its address. */
  add(lib: KernelLibrary, bytes: Uint8Array): number {
    const size = Math.ceil(bytes.length / 8) * 8;
    if (size > this.#left) {
      this.#left = Math.max(size, 64 * 1024);
      this.#at = lib.k.cresset_alloc_segment(this.#left);
      if (this.#at === 0) fail("compile", -4);
    }
    const address = this.#at;
    this.#at += size;
    this.#left -= size;
    lib.write(address, bytes);
    return address;
  }
}

const stores = new WeakMap<KernelLibrary, ProgramStore>();

function storeOf(lib: KernelLibrary): ProgramStore {
  let store = stores.get(lib);
  if (store === undefined) stores.set(lib, store = new ProgramStore());
  return store;
}

/** A program as the library's machine runs it, the same one in every call. */
export function compiledOf(lib: KernelLibrary, program: Program): CompiledProgram {
  return (program.compiled[lib.id] ??= new CompiledProgram(lib, program)) as CompiledProgram;
}

const KIND_I64 = KIND_CODE.i64;
const KIND_U64 = KIND_CODE.u64;
const KIND_BOOL = KIND_CODE.bool;

/**
 * Writes the scalars into the arena from slot `at`.
 *
 * Anything but a number is refused: to convert an object may run the user's code, and that other kernels, which write the
 * arena in the middle of this call.
 */
export function putScalars(
  lib: KernelLibrary,
  at: number,
  kinds: readonly number[],
  scalars: readonly (number | bigint)[],
): void {
  const args = lib.args;
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i];
    if (typeof scalars[i] === "object" || typeof scalars[i] === "function") {
      throw new ArgumentError(`pointwise(): expected a number: ${describe(scalars[i])}`);
    }
    if (kind === KIND_I64 || kind === KIND_U64) writeInteger(lib, at + i, scalars[i]);
    else if (kind === KIND_BOOL) writeInteger(lib, at + i, scalars[i] ? 1 : 0);
    else args[at + i] = Number(scalars[i]);
  }
}

/** Writes an operand's address and strides, viewed in `ndim` dimensions of sizes `shape`; returns the next slot. */
function putOperand(args: Float64Array, at: number, x: Strided, shape: readonly number[], ndim: number): number {
  args[at++] = x.storage.block.address + x.offset * x.dtype.itemsize;
  const own = x.shape;
  const lead = ndim - own.length;
  for (let d = 0; d < lead; d++) args[at++] = 0;
  for (let d = 0; d < own.length; d++) args[at++] = own[d] === shape[lead + d] ? x.strides[d] : 0;
  return at;
}

/** The step of an operand in a one-dimensional iteration of `count` elements: 1, 0, or -1 if it has none. */
function flatStep(x: Strided, count: number): number {
  const shape = x.shape;
  let n = 1;
  for (let d = 0; d < shape.length; d++) n *= shape[d];
  return n === count && x.dense ? 1 : n === 1 ? 0 : -1;
}

/** Evaluates a program at every element of `shape`. */
export const pointwise: KernelOf<KernelLibrary, "pointwise"> = (lib, program, shape, inputs, scalars, outputs) => {
  ofProgram("pointwise", program, inputs, outputs);
  const compiled = compiledOf(lib, program);
  let count = 1;
  for (let d = 0; d < shape.length; d++) count *= shape[d];
  if (count === 0) return;
  const args = lib.arena();
  let ndim = 1;
  let at = 1;
  args[0] = count;
  const total = inputs.length + outputs.length;
  for (let i = 0; i < total; i++) {
    const x = i < inputs.length ? inputs[i] : outputs[i - inputs.length];
    const step = flatStep(x, count);
    if (step < 0) {
      ndim = -1;
      break;
    }
    args[at] = x.storage.block.address + x.offset * x.dtype.itemsize;
    args[at + 1] = step;
    at += 2;
  }
  if (ndim < 0) {
    ndim = shape.length;
    at = ndim;
    for (let d = 0; d < ndim; d++) args[d] = shape[d];
    for (let i = 0; i < inputs.length; i++) at = putOperand(args, at, inputs[i], shape, ndim);
    for (let i = 0; i < outputs.length; i++) at = putOperand(args, at, outputs[i], shape, ndim);
  }
  if (scalars.length > 0) putScalars(lib, at, compiled.scalarKinds, scalars);
  const status = lib.k.cresset_pointwise(compiled.address, ndim);
  if (status !== 0) fail("pointwise", status);
};
