/**
 * safetensors files as state dicts: the functions of Python's `safetensors.torch`.
 *
 * `loadFile` and `saveFile` work on files, `load` and `save` on bytes, `safeOpen` reads single tensors of a large file.
 * The format itself, with its checks, is in `safetensors_format.ts`. Files written by PyTorch load as they are, and the
 * other way round.
 *
 * @see https://huggingface.co/docs/safetensors
 * @module
 */

import "../ops/attach.ts";
import { type Args, call, isPlainObject, NoArgs } from "../base/call.ts";
import type { Device } from "../base/device.ts";
import { bool, type DType, DTYPES } from "../base/dtype.ts";
import { rowOf } from "../base/dtype_table.ts";
import { ArgumentError, awaitIt, describe, DTypeError, FormatError } from "../base/errors.ts";
import { bytes as bytesOf } from "../ops/create/convert.ts";
import { bytesOf as plainBytes } from "../base/bytes.ts";
import { fromBytes } from "../ops/create/creation.ts";
import { Tensor } from "../tensor/tensor.ts";
import { FileSlices, localPath, readBytes, type Source } from "./files.ts";
import { shardsOf } from "./shards.ts";
import { writeBytes } from "./write.ts";
import {
  dataStartOf,
  type FormatDtype,
  type Header,
  type Origin,
  parseHeader,
  serializeHeader,
  type TensorEntry,
  type TensorInfo,
} from "./safetensors_format.ts";
import { widen, WIDENED } from "./widen.ts";

/** The dtypes by their names in files. */
const NAMED: ReadonlyMap<string, DType> = new Map(
  Object.values(DTYPES).flatMap((dtype) => {
    const { safetensors } = rowOf(dtype);
    return safetensors === null ? [] : [[safetensors, dtype]];
  }),
);

/** The options of all functions that read. */
export class LoadArgs {
  /**
   * Reads unsigned integers, which few ops take, as the next wider signed ones: U16 as int32, U32 and U64 as int64. Every
   * value is kept exactly; a U64 value above 2^63 - 1 is an error.
   */
  widen = false;
}

/** The parameters of {@linkcode loadFile}. */
export class LoadFileArgs extends LoadArgs {
  constructor(
    /** A path, or a `file:`, `http:` or `https:` URL. */
    public filename: Source,
    /** The device of the tensors. */
    public device: string | Device = "cpu",
  ) {
    super();
  }
}

/** The parameters of {@linkcode load}. */
export class LoadBytesArgs extends LoadArgs {
  constructor(
    /** The bytes, in a `Uint8Array`, another view of a buffer, or a buffer. */
    public data: ArrayBufferView | ArrayBuffer | SharedArrayBuffer,
    /** The device of the tensors. */
    public device: string | Device = "cpu",
  ) {
    super();
  }
}

/** The parameters of {@linkcode safeOpen}. */
export class SafeOpenArgs extends LoadArgs {
  constructor(
    /** The path, or a `file:` URL. */
    public filename: string | URL,
    /** The device of the tensors. */
    public device: string | Device = "cpu",
  ) {
    super();
  }
}

/** The parameters of {@linkcode SafetensorsFile.getTensor}. */
export class GetTensorArgs {
  constructor(
    /** The tensor's name. */
    public name: string,
  ) {}
}

/** The metadata of a file: text by key. */
export type Metadata = Readonly<Record<string, string>>;

/** The parameters of {@linkcode save} after the state dict. */
export class SaveArgs {
  constructor(
    /** The metadata: text by key; `null`: none. */
    public metadata: Metadata | null = null,
  ) {}
}

/** The parameters of {@linkcode saveFile} after the state dict. */
export class SaveFileArgs {
  constructor(
    /** The path of the file to write. */
    public filename: string | URL,
    /** The metadata: text by key; `null`: none. */
    public metadata: Metadata | null = null,
  ) {}
}

/** The options by which the tensors of a file are made. */
type LoadOptions = Pick<LoadFileArgs, "device" | "widen">;

const keysArgs = call("keys", NoArgs);
const metadataArgs = call("metadata", NoArgs);
const getTensorArgs = call("getTensor", GetTensorArgs);
const openArgs = call("safeOpen", SafeOpenArgs);
const loadFileArgs = call("loadFile", LoadFileArgs);
const loadArgs = call("load", LoadBytesArgs);
const saveArgs = call("save", SaveArgs);
const saveFileArgs = call("saveFile", SaveFileArgs);

/**
 * Moves metadata given by position into the named arguments. Both are an object at the end; they are told apart by
 * their values, which in metadata are all strings.
 *
 * @param place the index of the metadata among the arguments by position
 */
function withMetadata(args: readonly unknown[], place: number): readonly unknown[] {
  const last = args[place];
  if (args.length !== place + 1 || !isPlainObject(last)) return args;
  return Object.values(last).every((v) => typeof v === "string") ? [...args.slice(0, place), { metadata: last }] : args;
}

function checkMetadata(op: string, metadata: unknown): void {
  if (metadata === null || isPlainObject(metadata)) return;
  throw new ArgumentError(`${op}(): metadata must be an object of texts, or null: ${describe(metadata)}`);
}

/** Makes a tensor of an entry of the file and its bytes. */
function makeTensor(origin: Origin, entry: TensorEntry, bytes: Uint8Array<ArrayBuffer>, options: LoadOptions): Tensor {
  const { op, file } = origin;
  const { device } = options;
  if (bytes.length !== entry.end - entry.begin) {
    throw new FormatError(`${op}(): ${file} became shorter while it was read: tensor "${entry.name}"`);
  }
  const dtype = NAMED.get(entry.dtype);
  if (dtype === undefined) {
    throw new DTypeError(`${op}(): tensor "${entry.name}" of ${file} has the unsupported dtype ${entry.dtype}`);
  }
  if (options.widen && entry.dtype in WIDENED) {
    const wide = widen(op, entry.name, entry.dtype, bytes);
    return fromBytes(new Uint8Array(wide.values.buffer), entry.shape, wide.dtype, { device });
  }
  if (dtype === bool && bytes.some((b) => b > 1)) {
    throw new FormatError(`${op}(): tensor "${entry.name}" of ${file} is BOOL and holds bytes other than 0 and 1`);
  }
  return fromBytes(bytes, entry.shape, dtype, { device });
}

/** An open safetensors file; made by {@linkcode safeOpen}. */
export class SafetensorsFile implements Disposable {
  readonly #file: FileSlices;
  readonly #header: Header;
  readonly #origin: Origin;
  readonly #options: LoadOptions;
  readonly #entries: ReadonlyMap<string, TensorEntry>;

  /** Use {@linkcode safeOpen}. */
  constructor(file: FileSlices, header: Header, origin: Origin, options: LoadOptions) {
    this.#file = file;
    this.#header = header;
    this.#origin = origin;
    this.#options = options;
    this.#entries = new Map(header.entries.map((entry) => [entry.name, entry]));
  }

  /** The names of the tensors, in the order in which they lie in the file. */
  keys(...args: Args<typeof NoArgs>): string[] {
    keysArgs(args);
    return [...this.#entries.keys()];
  }

  /** The metadata of the file; `null` where it has none. */
  metadata(...args: Args<typeof NoArgs>): Record<string, string> | null {
    metadataArgs(args);
    const { metadata } = this.#header;
    return metadata === null ? null : { ...metadata };
  }

  /**
   * Reads one tensor.
   *
   * @throws {ArgumentError} if the file has no tensor of that name
   */
  async getTensor(...args: Args<typeof GetTensorArgs>): Promise<Tensor> {
    const { name } = getTensorArgs(args);
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      throw new ArgumentError(`getTensor(): ${this.#origin.file} has no tensor of that name: ${JSON.stringify(name)}`);
    }
    const { dataStart } = this.#header;
    const bytes = await this.#file.read(dataStart + entry.begin, dataStart + entry.end);
    return makeTensor(this.#origin, entry, bytes, this.#options);
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

async function openFile(op: string, path: string | URL, options: LoadOptions): Promise<SafetensorsFile> {
  const origin: Origin = { op, file: `"${path}"` };
  const file = await FileSlices.open(op, path);
  try {
    const start = await file.read(0, Math.min(8, file.size));
    const head = await file.read(0, dataStartOf(start, file.size, origin));
    return new SafetensorsFile(file, parseHeader(head, file.size, origin), origin, options);
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Opens a file to read single tensors of it.
 *
 * @throws {FormatError} if the file is malformed
 */
export async function safeOpen(...args: Args<typeof SafeOpenArgs>): Promise<SafetensorsFile> {
  const options = openArgs(args);
  return await openFile("safeOpen", options.filename, options);
}

/**
 * Reads a state dict from a file, or from a URL: a safetensors file, the index of a checkpoint in several files
 * (`model.safetensors.index.json`), or a folder that holds either.
 *
 * @throws {FormatError} if the file is malformed
 * @throws {DTypeError} if it holds an element type that Cresset lacks
 */
export async function loadFile(...args: Args<typeof LoadFileArgs>): Promise<Record<string, Tensor>> {
  const op = "loadFile";
  const options = loadFileArgs(args), { filename } = options;
  const all: Record<string, Tensor>[] = [];
  try {
    for (const [file, names] of await shardsOf(op, filename)) all.push(await loadOne(op, file, names, options));
  } catch (error) {
    for (const dict of all) for (const tensor of Object.values(dict)) tensor.dispose();
    throw error;
  }
  return all.length === 1 ? all[0] : Object.fromEntries(all.flatMap((dict) => Object.entries(dict)));
}

/** The tensors of one file: those of the given names, or all. */
async function loadOne(
  op: string,
  source: Source,
  names: readonly string[] | null,
  options: LoadOptions,
): Promise<Record<string, Tensor>> {
  const path = localPath(op, source), origin: Origin = { op, file: `"${source}"` };
  if (path !== null) {
    using file = await openFile(op, path, options);
    return await collect(names ?? file.keys(), (name) => file.getTensor(name));
  }
  const dict = loadBytes(origin, await readBytes(op, source), options);
  if (names === null) return dict;
  return await collect(names, (name) => {
    if (!Object.hasOwn(dict, name)) {
      throw new FormatError(`${op}(): ${origin.file} has no tensor ${JSON.stringify(name)}`);
    }
    return Promise.resolve(dict[name]);
  });
}

/** A state dict of tensors made one by one; if one fails, those made before are released. */
async function collect(
  keys: Iterable<string>,
  make: (name: string) => Promise<Tensor>,
): Promise<Record<string, Tensor>> {
  const out: [string, Tensor][] = [];
  try {
    for (const name of keys) out.push([name, await make(name)]);
  } catch (error) {
    for (const [, tensor] of out) tensor.dispose();
    throw error;
  }
  // Object.fromEntries, not assignment, because a tensor may be named __proto__.
  return Object.fromEntries(out);
}

/**
 * Reads a state dict from the bytes of a file.
 *
 * @throws {FormatError} if the bytes are malformed
 * @throws {DTypeError} if they hold an element type that Cresset lacks
 */
export function load(...args: Args<typeof LoadBytesArgs>): Record<string, Tensor> {
  const options = loadArgs(args);
  return loadBytes({ op: "load", file: "the data" }, plainBytes("load", "data", options.data), options);
}

function loadBytes(origin: Origin, data: Uint8Array, options: LoadOptions): Record<string, Tensor> {
  const { entries, dataStart } = parseHeader(data, data.length, origin);
  const out: [string, Tensor][] = [];
  try {
    for (const entry of entries) {
      const bytes = data.slice(dataStart + entry.begin, dataStart + entry.end);
      out.push([entry.name, makeTensor(origin, entry, bytes, options)]);
    }
  } catch (error) {
    for (const [, tensor] of out) tensor.dispose();
    throw error;
  }
  return Object.fromEntries(out);
}

interface Part extends TensorInfo {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The parts of a file in order. All reads start before the first one is awaited, so the values are those of one moment.
 */
async function encode(
  op: string,
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> | null,
): Promise<Uint8Array[]> {
  checkMetadata(op, metadata);
  if (!isPlainObject(tensors)) {
    throw new ArgumentError(
      `${op}(): expected a state dict: ${describe(tensors)}${
        awaitIt(tensors) || "; of a module, give module.stateDict()"
      }`,
    );
  }
  const items = Object.entries(tensors).map(([name, tensor]) => {
    if (!(tensor instanceof Tensor)) {
      throw new ArgumentError(`${op}(): ${JSON.stringify(name)} must be a Tensor: ${describe(tensor)}`);
    }
    const dtype = rowOf(tensor.dtype).safetensors as FormatDtype | null;
    if (dtype === null) {
      throw new DTypeError(
        `${op}(): safetensors has no ${tensor.dtype}: ${JSON.stringify(name)}; convert it with to()`,
      );
    }
    return { name, dtype, shape: tensor.shape };
  });
  serializeHeader(op, items, metadata);
  const parts = await Promise.all(
    items.map(async (item): Promise<Part> => ({ ...item, bytes: await bytesOf(tensors[item.name].detach()) })),
  );
  const { header, order } = serializeHeader(op, parts, metadata);
  return [header, ...order.map((part) => part.bytes)];
}

/**
 * Encodes a state dict as the bytes of a safetensors file.
 *
 * @param tensors the state dict
 * @throws {DTypeError} if the format lacks a tensor's dtype
 */
export async function save(
  tensors: Readonly<Record<string, Tensor>>,
  ...args: Args<typeof SaveArgs>
): Promise<Uint8Array<ArrayBuffer>> {
  const { metadata } = saveArgs(withMetadata(args, 0));
  const parts = await encode("save", tensors, metadata);
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/**
 * Writes a state dict to a file, atomically: a failure leaves the previous file.
 *
 * Differs from PyTorch: tensors that share memory, or are not contiguous, are written as copies instead of refused.
 *
 * @param tensors the state dict
 * @throws {DTypeError} if the format lacks a tensor's dtype
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const path = await Deno.makeTempFile();
 * await saveFile({ weight: torch.ones([2]) }, path, { format: "pt" });
 * const { weight } = await loadFile(path);
 * assertEquals(await weight.tolist(), [1, 1]);
 * await Deno.remove(path);
 * ```
 */
export async function saveFile(
  tensors: Readonly<Record<string, Tensor>>,
  ...args: Args<typeof SaveFileArgs>
): Promise<void> {
  const { filename, metadata } = saveFileArgs(withMetadata(args, 1));
  await writeBytes("saveFile", filename, await encode("saveFile", tensors, metadata));
}
