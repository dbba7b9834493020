/**
 * NumPy's files: `.npy` (one array) and `.npz` (several by name), under the names of NumPy's functions.
 *
 * A `.npy` file is a short text (dtype, order, shape) and the elements. An `.npz` file is a zip archive of such files.
 *
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @module
 */

import "../ops/attach.ts";
import { type Args, call, isPlainObject, NoArgs } from "../base/call.ts";
import type { Device } from "../base/device.ts";
import { type DType, type DTypeName, DTYPES } from "../base/dtype.ts";
import { ArgumentError, describe, DTypeError, FormatError, show } from "../base/errors.ts";
import { numelOf } from "../base/shape.ts";
import { makeView } from "../ops/core/view_core.ts";
import { bytes as readBytesOf } from "../ops/create/convert.ts";
import { empty } from "../ops/create/creation.ts";
import { outsideScopes } from "../tensor/storage.ts";
import { checkAlive, checkTensor, type Tensor } from "../tensor/tensor.ts";
import { inMemory, type Origin, partsOf, type Slices, type Source, withSource } from "./files.ts";
import { fill, PART } from "./fill.ts";
import { writeBytes } from "./write.ts";
import { isZip, ZipArchive, type ZipFile, zipParts } from "./zip.ts";

/** The parameters of {@linkcode load}. */
export class LoadNumpyArgs {
  constructor(
    /** A path, a `file:`, `http:` or `https:` URL, or bytes. */
    public file: Source | ArrayBufferView | ArrayBuffer,
    /** The device of the tensors. */
    public device: string | Device = "cpu",
  ) {}
}

/** The parameters of {@linkcode save}. */
export class SaveNumpyArgs {
  constructor(
    /** The path of the file to write. */
    public file: string | URL,
    /** The values. */
    public arr: Tensor,
  ) {}
}

const loadArgs = call("numpy.load", LoadNumpyArgs);
const saveArgs = call("numpy.save", SaveNumpyArgs);
const savezArgs = call("numpy.savez", NoArgs);

/** NumPy's codes of element types, without the order of bytes. */
const CODES: Readonly<Record<string, string>> = {
  b1: "bool",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  f2: "float16",
  f4: "float32",
  f8: "float64",
  c8: "complex64",
  c16: "complex128",
};

const MAGIC = [0x93, ...new TextEncoder().encode("NUMPY")];
/** The bytes before the text: the magic number, the version, and the length of the text in 2 or 4 bytes. */
const SHORT_HEAD = 10, LONG_HEAD = 12;
/** The longest text that is read. */
const MOST_TEXT = 2 ** 16;
/** Where the elements begin: at a multiple of this. */
const ALIGNMENT = 64;

/** What the text of a file says. */
interface NpyHeader {
  readonly dtype: DType;
  readonly bigEndian: boolean;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  /** Where the elements begin. */
  readonly start: number;
}

/**
 * Reads what `numpy.save` or `numpy.savez` wrote: a tensor, or an object of tensors by name.
 *
 * Arrays in Fortran's order have its strides. Differs from NumPy: arrays of objects, texts and records are refused.
 *
 * @throws {FormatError} if the file is malformed
 * @throws {DTypeError} if its elements are no numbers
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { arange, io, type Tensor } from "../../mod.ts";
 *
 * const path = await Deno.makeTempFile({ suffix: ".npy" });
 * await io.numpy.save(path, arange(4));
 * assertEquals(await (await io.numpy.load<Tensor>(path)).tolist(), [0, 1, 2, 3]);
 * ```
 */
export async function load<T extends Tensor | Record<string, Tensor> = Tensor | Record<string, Tensor>>(
  ...args: Args<typeof LoadNumpyArgs>
): Promise<T> {
  const { file, device } = loadArgs(args);
  return await withSource("numpy.load", "file", file, (bytes, origin) => read(bytes, origin, device)) as T;
}

async function read(
  source: Slices,
  origin: Origin,
  device: string | Device,
): Promise<Tensor | Record<string, Tensor>> {
  if (!isZip(await source.read(0, Math.min(4, source.size)))) return await readArray(source, origin, device);
  const archive = await ZipArchive.open(source, origin), all: [string, Tensor][] = [];
  try {
    for (const entry of archive.entries.values()) {
      const own = { op: origin.op, file: `${JSON.stringify(entry.name)} in ${origin.file}` };
      const x = await readArray(inMemory(await archive.read(entry)), own, device);
      all.push([entry.name.replace(/\.npy$/, ""), x]);
    }
  } catch (error) {
    for (const [, x] of all) x.dispose();
    throw error;
  }
  return Object.fromEntries(all);
}

async function readArray(source: Slices, origin: Origin, device: string | Device): Promise<Tensor> {
  const { dtype, bigEndian, fortran, shape, start } = await headerOf(source, origin);
  const count = numelOf(shape), end = start + count * dtype.itemsize;
  if (!(end <= source.size)) {
    throw new FormatError(
      `${origin.op}(): ${origin.file} ends early: shape ${show(shape)} of ${dtype} needs ${end} bytes`,
    );
  }
  const vector = outsideScopes(() => empty([count], { dtype, device }));
  try {
    const short = () => new FormatError(`${origin.op}(): ${origin.file} became shorter while it was read`);
    await fill(vector, partsOf(source, start, end, PART, short), bigEndian);
  } catch (error) {
    vector.dispose();
    throw error;
  }
  const order = fortran ? shape.map((_, d) => d) : shape.map((_, d) => d).reverse(), strides = shape.map(() => 1);
  let step = 1;
  for (const d of order) {
    strides[d] = step;
    step *= Math.max(shape[d], 1);
  }
  return outsideScopes(() => makeView(vector, shape, strides));
}

/** Reads the text of a `.npy` file: a dictionary of Python of three known keys. */
async function headerOf(source: Slices, { op, file }: Origin): Promise<NpyHeader> {
  const bad = (why: string) => new FormatError(`${op}(): ${file} is no array of NumPy: ${why}`);
  const head = await source.read(0, Math.min(LONG_HEAD, source.size));
  if (head.length < SHORT_HEAD || !MAGIC.every((byte, i) => head[i] === byte)) {
    throw bad(head.length === 0 ? "it is empty" : "it begins otherwise");
  }
  const version = head[6], view = new DataView(head.buffer);
  if (version < 1 || version > 3 || (version > 1 && head.length < LONG_HEAD)) {
    throw bad(`version ${version} of the format`);
  }
  const begin = version === 1 ? SHORT_HEAD : LONG_HEAD;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true), start = begin + length;
  if (length > MOST_TEXT || start > source.size) throw bad(`its text of ${length} bytes is cut off`);
  const text = new TextDecoder().decode(await source.read(begin, start));
  const fields = /^\{\s*'descr':\s*(.*?),\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([\d,\s]*)\),?\s*\}\s*$/s
    .exec(text);
  if (fields === null) throw bad(`its text is ${JSON.stringify(text.slice(0, 120))}`);
  const [, type, fortran, sizes] = fields, code = /^'([<>|=])([a-z]\d+)'$/.exec(type);
  const name = code === null ? undefined : CODES[code[2]];
  if (name === undefined || !Object.hasOwn(DTYPES, name)) {
    throw new DTypeError(
      `${op}(): ${file} has elements of type ${type}, which no tensor holds; in NumPy, convert them by arr.astype("float32")`,
    );
  }
  const shape = sizes.split(",").map((size) => size.trim()).filter((size) => size !== "").map(Number);
  if (!shape.every(Number.isSafeInteger) || shape.length > 64 || !Number.isSafeInteger(numelOf(shape) * 16)) {
    throw bad(`its shape is (${sizes.slice(0, 120)})`);
  }
  return { dtype: DTYPES[name as DTypeName], bigEndian: code![1] === ">", fortran: fortran === "True", shape, start };
}

/** The parts of a `.npy` file. */
async function npyParts(op: string, x: Tensor): Promise<Uint8Array[]> {
  checkAlive(op, x);
  const code = Object.entries(CODES).find(([, name]) => name === x.dtype.name)?.[0];
  if (code === undefined) throw new DTypeError(`${op}(): NumPy has no ${x.dtype}; convert it by .float()`);
  const order = x.dtype.itemsize === 1 ? "|" : "<",
    sizes = x.shape.length === 1 ? `${x.shape[0]},` : x.shape.join(", ");
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const padding = (ALIGNMENT - (SHORT_HEAD + text.length + 1) % ALIGNMENT) % ALIGNMENT;
  const line = `${text}${" ".repeat(padding)}\n`;
  const head = new Uint8Array([...MAGIC, 1, 0, line.length & 255, line.length >> 8, ...new TextEncoder().encode(line)]);
  return [head, await readBytesOf(x.detach())];
}

/**
 * Writes a tensor as a `.npy` file, as `numpy.save(file, arr)` does, row-major.
 *
 * @throws {DTypeError} if NumPy has no such dtype (bfloat16, float8)
 */
export async function save(...args: Args<typeof SaveNumpyArgs>): Promise<void> {
  const { file, arr } = saveArgs(args);
  checkTensor("numpy.save", "arr", arr);
  await writeBytes("numpy.save", file, await npyParts("numpy.save", arr));
}

/**
 * Writes tensors by name as an `.npz` file, as `numpy.savez(file, **arrays)` does.
 *
 * @param file the path of the file to write
 * @param arrays the tensors by name
 * @throws {DTypeError} if NumPy lacks the dtype of one (bfloat16, float8)
 */
export async function savez(
  file: string | URL,
  arrays: Readonly<Record<string, Tensor>>,
  ...args: Args<typeof NoArgs>
): Promise<void> {
  const op = "numpy.savez";
  savezArgs(args);
  if (!isPlainObject(arrays)) {
    throw new ArgumentError(`${op}(): arrays must be an object of tensors: ${describe(arrays)}`);
  }
  for (const [name, x] of Object.entries(arrays)) checkTensor(op, `arrays.${name}`, x);
  const files = async function* (): AsyncGenerator<ZipFile> {
    for (const [name, x] of Object.entries(arrays)) {
      const [head, elements] = await npyParts(op, x), bytes = new Uint8Array(head.length + elements.length);
      bytes.set(head);
      bytes.set(elements, head.length);
      yield { name: `${name}.npy`, bytes };
    }
  };
  await writeBytes(op, file, zipParts(files(), ALIGNMENT));
}
