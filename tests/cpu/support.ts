/**
 * What the kernel tests share: the backends under test (WebAssembly, and native code at every vector level that this
 * machine has), tensors on them, and references.
 *
 * @module
 */

import type { DType } from "../../src/base/dtype.ts";
import { contiguousStrides, isContiguous, numelOf } from "../../src/base/shape.ts";
import type { Block, Strided } from "../../src/backend/backend.ts";
import { loadNative, loadWasm } from "../../src/backend/cpu/lib.ts";
import { CpuBackend } from "../../src/backend/cpu/mod.ts";
import { type Expr, input, scalar, type Value } from "../../src/expr/expr.ts";
import type { Kind } from "../../src/expr/kind.ts";
import { Program } from "../../src/expr/program.ts";

/** A backend and how to call it in test names. */
export interface Subject {
  name: string;
  backend: CpuBackend;
  /** Selects the vector level. */
  use(): void;
}

function subjects(): Subject[] {
  const out: Subject[] = [{ name: "wasm", backend: new CpuBackend(loadWasm()), use: () => {} }];
  const native = loadNative();
  if (native === null) {
    console.log("the native library is not built here (deno task native): only wasm runs");
    return out;
  }
  const backend = new CpuBackend(native);
  const best = native.k.cresset_level();
  for (let level = Math.min(best, 1); level <= best; level++) {
    out.push({ name: `native level ${level}`, backend, use: () => void native.k.cresset_set_level(level) });
  }
  return out;
}

/** Every backend that can run here. */
export const SUBJECTS: Subject[] = subjects();

/** Registers a test per backend. */
export function testEach(name: string, fn: (backend: CpuBackend) => void): void {
  for (const subject of SUBJECTS) {
    Deno.test(`${name} [${subject.name}]`, () => {
      subject.use();
      fn(subject.backend);
    });
  }
}

/** A strided tensor of the tests. */
export interface TestTensor extends Strided {
  storage: { block: Block };
}

const f16Bits = (values: readonly number[]): Uint8Array => new Uint8Array(Float16Array.from(values).buffer);

/** The nearest bfloat16's bits, ties to even. */
export function bf16Bits(value: number): number {
  const u = new Uint32Array(Float32Array.of(value).buffer)[0];
  if (Number.isNaN(value)) return 0x7fc0;
  return ((u + 0x7fff + ((u >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Values as the bytes of a dtype. */
export function encode(values: readonly number[], dtype: DType): Uint8Array {
  switch (dtype.name) {
    case "bool":
      return Uint8Array.from(values, (v) => v ? 1 : 0);
    case "uint8":
      return Uint8Array.from(values);
    case "int8":
      return new Uint8Array(Int8Array.from(values).buffer);
    case "int16":
      return new Uint8Array(Int16Array.from(values).buffer);
    case "int32":
      return new Uint8Array(Int32Array.from(values).buffer);
    case "int64":
      return new Uint8Array(BigInt64Array.from(values, (v) => BigInt(v)).buffer);
    case "float16":
      return f16Bits(values);
    case "bfloat16":
      return new Uint8Array(Uint16Array.from(values, bf16Bits).buffer);
    case "float32":
      return new Uint8Array(Float32Array.from(values).buffer);
    case "float64":
      return new Uint8Array(Float64Array.from(values).buffer);
  }
  throw new Error(`no such dtype here: ${dtype}`);
}

/** Bytes of a dtype as numbers. */
export function decode(bytes: Uint8Array<ArrayBuffer>, dtype: DType): number[] {
  const { buffer } = bytes;
  switch (dtype.name) {
    case "bool":
    case "uint8":
      return [...bytes];
    case "int8":
      return [...new Int8Array(buffer)];
    case "int16":
      return [...new Int16Array(buffer)];
    case "int32":
      return [...new Int32Array(buffer)];
    case "int64":
      return [...new BigInt64Array(buffer)].map(Number);
    case "float16":
      return [...new Float16Array(buffer)];
    case "bfloat16":
      return [...new Float32Array(Uint32Array.from(new Uint16Array(buffer), (v) => v << 16).buffer)];
    case "float32":
      return [...new Float32Array(buffer)];
    case "float64":
      return [...new Float64Array(buffer)];
  }
  throw new Error(`no such dtype here: ${dtype}`);
}

/** A dense tensor holding `values`. */
export function put(
  backend: CpuBackend,
  values: readonly number[],
  dtype: DType,
  shape: number[] = [values.length],
): TestTensor {
  return putBytes(backend, encode(values, dtype), dtype, shape);
}

/** A dense tensor holding `bytes`. */
export function putBytes(backend: CpuBackend, bytes: Uint8Array, dtype: DType, shape: number[]): TestTensor {
  const x = empty(backend, shape, dtype);
  backend.write(x, bytes);
  return x;
}

/** An uninitialised dense tensor. */
export function empty(backend: CpuBackend, shape: number[], dtype: DType): TestTensor {
  const block = backend.alloc(numelOf(shape), dtype);
  return { storage: { block }, offset: 0, shape, strides: contiguousStrides(shape), dtype, dense: true };
}

/** Another view of a tensor's memory. */
export function view(x: TestTensor, shape: number[], strides: number[], offset = x.offset): TestTensor {
  return { storage: x.storage, offset, shape, strides, dtype: x.dtype, dense: isContiguous(shape, strides) };
}

/** The values of a dense tensor. */
export function get(backend: CpuBackend, x: TestTensor): number[] {
  return decode(backend.readSync(x), x.dtype);
}

/** Returns tensors' memory. */
export function release(backend: CpuBackend, ...tensors: TestTensor[]): void {
  for (const x of tensors) backend.free(x.storage.block);
}

/** A program of one output, its operands as values of their own kinds. */
export function programOf(
  inputs: readonly DType[],
  output: DType,
  build: (inputs: Expr[], scalars: Expr[]) => Value,
  scalars: readonly Kind[] = [],
): Program {
  const expr = build(inputs.map((d, i) => input(i, d)), scalars.map((k, i) => scalar(i, k))) as Expr;
  return new Program(inputs, scalars, [{ expr, dtype: output }]);
}

/** Error of `got` in units in the last place of the float32 nearest to `want`. */
export function ulp32(got: number, want: number): number {
  const nearest = Math.fround(want);
  if (Number.isNaN(want) || Number.isNaN(got)) return Number.isNaN(want) && Number.isNaN(got) ? 0 : Infinity;
  if (!Number.isFinite(nearest) || !Number.isFinite(got)) {
    // One ulp beyond the largest float rounds to infinity: allow either there.
    return nearest === got || Math.abs(Math.abs(want) - 2 ** 128) < 2 ** 105 ? 0 : Infinity;
  }
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(want) || 1e-300)), -126);
  return Math.abs(got - want) / 2 ** (exponent - 23);
}

/** The same for float64, `want` being exact to its last bit. */
export function ulp64(got: number, want: number): number {
  if (got === want || (Number.isNaN(got) && Number.isNaN(want))) return 0;
  if (!Number.isFinite(got) || !Number.isFinite(want)) return Infinity;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(want) || 2 ** -1022)), -1022);
  return Math.abs(got - want) / 2 ** Math.max(exponent - 52, -1074);
}
