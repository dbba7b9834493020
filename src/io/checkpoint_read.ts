/**
 * PyTorch's checkpoint files as values whose tensors are still descriptions: which storage, where in it, which dtype.
 *
 * A checkpoint is a pickle and the bytes of storages. The pickle says what is saved, and names the storages; both lie in a
 * zip archive or, in files of before 2020, one after the other. {@linkcode readCheckpoint} reads the pickle and leaves the
 * storages where they are, so that only those that are wanted are read (`checkpoint.ts`).
 *
 * Of Python's names only those stand in the table below that PyTorch's own `weights_only` reader takes for data.
 *
 * @see https://docs.pytorch.org/docs/stable/notes/serialization.html
 * @module
 */

import { fromLatin1 } from "../base/bytes.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import { DType, DTYPES } from "../base/dtype.ts";
import { DTypeError, FormatError } from "../base/errors.ts";
import { type Builder, EndsEarly, itemsOf, newDictionary, type Permitted, unpickle } from "./unpickle.ts";
import { type Origin, partsOf, type Slices } from "./files.ts";
import { isZip, ZipArchive } from "./zip.ts";

/** A storage in the file. */
export class StorageSpec {
  /** Its name. */
  readonly key: string;
  /** The device that it was saved from, as PyTorch writes it. */
  readonly location: string;
  /** Its size in bytes, as the pickle claims. */
  readonly bytes: number;
  /** The dtype of its elements; `null` where each tensor says its own. */
  readonly dtype: DType | null;

  /** Describes a storage. */
  constructor(key: string, location: string, bytes: number, dtype: DType | null) {
    this.key = key;
    this.location = location;
    this.bytes = bytes;
    this.dtype = dtype;
  }
}

/** A tensor in the file. */
export class TensorSpec {
  /** The storage. */
  readonly storage: StorageSpec;
  /** The dtype. */
  readonly dtype: DType;
  /** The first element in the storage. */
  readonly offset: number;
  /** The size of each dimension. */
  readonly shape: readonly number[];
  /** The stride of each dimension. */
  readonly strides: readonly number[];
  /** Whether it required a gradient. */
  requiresGrad: boolean;
  /** Whether it is a parameter. */
  parameter = false;
  /** Whether its values are the conjugates, or the negatives, of those in the storage. */
  conjugate = false;
  negative = false;

  /** Describes a tensor. */
  constructor(
    storage: StorageSpec,
    dtype: DType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
    requiresGrad: boolean,
  ) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
    this.requiresGrad = requiresGrad;
  }
}

/** A checkpoint whose storages were not read yet. */
export interface Checkpoint {
  /** The value; {@linkcode TensorSpec} where it has tensors. */
  readonly value: unknown;
  /** Whether numbers in storages have their greatest byte first. */
  readonly bigEndian: boolean;
  /** The bytes of a storage, in parts of at most `most` bytes. */
  parts(storage: StorageSpec, most: number): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** The dtypes of PyTorch's storages with a type. */
const STORAGES: Readonly<Record<string, DType>> = {
  FloatStorage: DTYPES.float32,
  DoubleStorage: DTYPES.float64,
  HalfStorage: DTYPES.float16,
  BFloat16Storage: DTYPES.bfloat16,
  ByteStorage: DTYPES.uint8,
  CharStorage: DTYPES.int8,
  ShortStorage: DTYPES.int16,
  IntStorage: DTYPES.int32,
  LongStorage: DTYPES.int64,
  BoolStorage: DTYPES.bool,
  ComplexFloatStorage: DTYPES.complex64,
  ComplexDoubleStorage: DTYPES.complex128,
};

/** The name of the storage with a type of each dtype that has one. */
export const STORAGE_NAMES: ReadonlyMap<DType, string> = new Map(
  Object.entries(STORAGES).map(([name, dtype]) => [dtype, name]),
);

/** The other dtypes of PyTorch, which are refused by name where a tensor has one. */
const FOREIGN = /^(q?u?int(\d+)(x\d+)?|quint\dx\d|bits\w+|complex32|float\d+_\w+|uint\d+)$/;
/** The largest pickle: it holds no numbers of tensors. */
const MOST_PICKLE = 2 ** 30;
/** The most dimensions of a tensor. */
const MOST_DIMENSIONS = 64;
/** What old files begin with. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const OLD_VERSION = 1001;

/** The type of a storage: its dtype, or `null` where tensors say theirs. */
class StorageType {
  readonly dtype: DType | null;
  constructor(dtype: DType | null) {
    this.dtype = dtype;
  }
}

/** A dtype of PyTorch that Cresset lacks. */
class ForeignDtype {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Why a name of Python is refused, by its module. */
function remedyFor(name: string): string {
  if (/^numpy\b/.test(name)) {
    return "in Python, save it as a number (float(x)), a list (x.tolist()) or a tensor (torch.from_numpy(x))";
  }
  if (/^torch\.(nn\.modules|jit)\b|^__main__\./.test(name)) {
    return "in Python, save model.state_dict() instead of the model, and plain values instead of objects";
  }
  if (/^torch\._utils\._rebuild_(qtensor|sparse|nested)/.test(name)) {
    return "quantized, sparse and nested tensors cannot be read; save x.dequantize() or x.to_dense()";
  }
  return "only tensors, parameters, numbers, texts and plain containers are built, and nothing is executed";
}

/** What the pickle of a checkpoint may build, and the storages that it named. */
class Globals implements Permitted {
  readonly storages = new Map<string, StorageSpec>();
  readonly #origin: Origin;
  readonly #table: ReadonlyMap<string, unknown>;

  constructor(origin: Origin) {
    this.#origin = origin;
    const tensor: Builder = (storage, offset, size, stride, grad, _hooks, extra) =>
      this.#tensor(storage, null, offset, size, stride, grad, extra);
    const typed: Builder = (storage, offset, size, stride, grad, _hooks, dtype, extra) =>
      this.#tensor(storage, dtype, offset, size, stride, grad, extra);
    this.#table = new Map<string, unknown>([
      ["torch._utils._rebuild_tensor", tensor],
      ["torch._utils._rebuild_tensor_v2", tensor],
      ["torch._utils._rebuild_tensor_v3", typed],
      ["torch._utils._rebuild_parameter", (data: unknown, grad: unknown) => this.#parameter(data, grad)],
      ["torch._utils._rebuild_parameter_with_state", (data: unknown, grad: unknown) => this.#parameter(data, grad)],
      ["torch.nn.parameter.Parameter", (data: unknown, grad: unknown) => this.#parameter(data, grad ?? true)],
      [
        "torch._tensor._rebuild_from_type_v2",
        (made: unknown, _type: unknown, args: unknown) => this.#rebuilt(made, args),
      ],
      ["torch.Tensor", (data: unknown) => data],
      ["torch.storage.UntypedStorage", new StorageType(null)],
      ["torch.Size", (items: unknown) => items],
      ["torch.device", (type: unknown, index?: unknown) => this.#device(type, index)],
      ["collections.OrderedDict", newDictionary],
      ["collections.Counter", newDictionary],
      ["_codecs.encode", (text: unknown, encoding: unknown) => this.#encoded(text, encoding)],
      ...["__builtin__", "builtins"].flatMap((module) =>
        [
          [`${module}.set`, (items: unknown) => new Set(itemsOf(items) ?? [])],
          [`${module}.bytearray`, (bytes: unknown) => bytes ?? new Uint8Array()],
        ] as const
      ),
    ]);
  }

  find(module: string, name: string): unknown {
    const full = `${module}.${name}`, known = this.#table.get(full);
    if (known !== undefined) return known;
    if (!/^torch(\.cuda)?$/.test(module)) return undefined;
    if (Object.hasOwn(STORAGES, name)) return new StorageType(STORAGES[name]);
    if (Object.hasOwn(DTYPES, name)) return DTYPES[name as keyof typeof DTYPES];
    return FOREIGN.test(name) ? new ForeignDtype(name) : undefined;
  }

  refuse(name: string): Error {
    const { op, file } = this.#origin;
    return new FormatError(`${op}(): ${file} asks for Python's ${name}, which is refused: ${remedyFor(name)}`);
  }

  broken(why: string): FormatError {
    return new FormatError(`${this.#origin.op}(): ${this.#origin.file} is no sound checkpoint: ${why}`);
  }

  load(id: unknown): StorageSpec {
    const [kind, type, key, location, count, view] = itemsOf(id) ?? [];
    if (kind === "module") throw this.refuse("torch.nn.modules (a model)");
    const sound = kind === "storage" && type instanceof StorageType && typeof key === "string" &&
      typeof location === "string" && typeof count === "number" && count >= 0;
    if (!sound) throw this.broken("a storage is not described as one");
    if (view !== undefined && view !== null) throw this.broken("a storage is a view, as in PyTorch of before 2017");
    const bytes = count * (type.dtype?.itemsize ?? 1), known = this.storages.get(key);
    if (known !== undefined && (known.bytes !== bytes || known.location !== location)) {
      throw this.broken(`storage ${key} is described in two ways`);
    }
    const spec = known ?? new StorageSpec(key, location, bytes, type.dtype);
    this.storages.set(key, spec);
    return spec;
  }

  #sizes(name: string, value: unknown): readonly number[] {
    const items = itemsOf(value);
    const sound = items !== null && items.length <= MOST_DIMENSIONS &&
      items.every((n) => typeof n === "number" && Number.isSafeInteger(n) && n >= 0);
    if (!sound) throw this.broken(`a tensor's ${name} is no list of sizes`);
    return items as readonly number[];
  }

  #tensor(
    storage: unknown,
    dtype: unknown,
    offset: unknown,
    size: unknown,
    stride: unknown,
    grad: unknown,
    extra: unknown,
  ): TensorSpec {
    if (!(storage instanceof StorageSpec)) throw this.broken("a tensor has no storage");
    const own = dtype ?? storage.dtype;
    if (own instanceof ForeignDtype) {
      throw new DTypeError(
        `${this.#origin.op}(): ${this.#origin.file} has a tensor of ${own.name}, which Cresset lacks`,
      );
    }
    if (!(own instanceof DType)) throw this.broken("a tensor has no dtype");
    const type = own;
    if (typeof offset !== "number" || !Number.isSafeInteger(offset) || offset < 0) {
      throw this.broken("a tensor's offset");
    }
    const shape = this.#sizes("size", size), strides = this.#sizes("stride", stride);
    if (shape.length !== strides.length) throw this.broken(`${shape.length} sizes and ${strides.length} strides`);
    const last = shape.reduce((sum, n, d) => sum + (n - 1) * strides[d], offset);
    if (!shape.includes(0) && !((last + 1) * type.itemsize <= storage.bytes)) {
      throw this.broken(`a tensor leaves storage ${storage.key}, which has ${storage.bytes} bytes`);
    }
    const spec = new TensorSpec(storage, type, offset, shape, strides, grad === true);
    [spec.conjugate, spec.negative] = ["conj", "neg"].map((name) => this.#flag(extra, name));
    return spec;
  }

  /** Whether a tensor's metadata, a dictionary, has a flag. */
  #flag(extra: unknown, name: string): boolean {
    const { items } = (extra ?? {}) as { items?: unknown };
    return items instanceof Map && items.get(name) === true;
  }

  #parameter(data: unknown, grad: unknown): TensorSpec {
    if (!(data instanceof TensorSpec)) throw this.broken("a parameter has no tensor");
    data.parameter = true;
    data.requiresGrad = grad === true;
    return data;
  }

  #rebuilt(made: unknown, args: unknown): unknown {
    const items = itemsOf(args);
    if (typeof made !== "function" || items === null) throw this.broken("a tensor is not described as one");
    return (made as Builder)(...items);
  }

  #device(type: unknown, index: unknown): Device {
    try {
      return parseDevice(typeof index === "number" ? `${type}:${index}` : String(type));
    } catch {
      throw this.broken(`there is no device ${JSON.stringify(String(type))}`);
    }
  }

  /** How version 2 of the format writes bytes: as a text of their codes. */
  #encoded(text: unknown, encoding: unknown): Uint8Array {
    if (typeof text !== "string" || encoding !== "latin1") throw this.broken("bytes in an unknown encoding");
    return fromLatin1(text);
  }
}

/**
 * Reads the pickle of a checkpoint.
 *
 * @throws {FormatError} if the file is no checkpoint, or holds something that is refused
 */
export async function readCheckpoint(source: Slices, origin: Origin): Promise<Checkpoint> {
  const head = await source.read(0, Math.min(64, source.size));
  if (isZip(head)) return await readArchive(source, origin);
  if (head[0] === 0x80) return await readOld(source, origin);
  const { op, file } = origin;
  const what = source.size === 0
    ? "it is empty"
    : head[8] === 0x7b
    ? "it looks like safetensors: read it by io.safetensors.loadFile()"
    : `it begins with ${JSON.stringify(new TextDecoder("latin1").decode(head.subarray(0, 16)))}`;
  throw new FormatError(`${op}(): ${file} is no checkpoint of PyTorch: ${what}`);
}

async function readArchive(source: Slices, origin: Origin): Promise<Checkpoint> {
  const archive = await ZipArchive.open(source, origin), globals = new Globals(origin);
  const data = [...archive.entries.keys()].find((name) => /^[^/]*\/data\.pkl$|^data\.pkl$/.test(name));
  if (data === undefined) throw globals.broken("the archive has no data.pkl");
  const folder = data.slice(0, -"data.pkl".length), entry = archive.entries.get(data)!;
  if (archive.entries.has(`${folder}constants.pkl`)) {
    throw globals.broken("it is a TorchScript program; in Python, save model.state_dict() by torch.save");
  }
  if (entry.size > MOST_PICKLE) throw globals.broken(`its pickle has ${entry.size} bytes`);
  const { value } = unpickle(await archive.read(entry), globals);
  const order = archive.entries.get(`${folder}byteorder`);
  for (const { key, bytes } of globals.storages.values()) {
    const stored = archive.entries.get(`${folder}data/${key}`);
    if (stored === undefined) throw globals.broken(`storage ${key} is missing`);
    if (stored.size !== bytes) throw globals.broken(`storage ${key} has ${stored.size} bytes for ${bytes}`);
  }
  const bigEndian = order !== undefined && new TextDecoder().decode(await archive.read(order)) === "big";
  return {
    value,
    bigEndian,
    parts: ({ key }, most) => archive.parts(archive.entries.get(`${folder}data/${key}`)!, most),
  };
}

/** How much of an old file is read at first: its pickles are at the beginning, and their length is known at their end. */
const OLD_HEAD = 2 ** 22;

/** Reads a file of five pickles (magic number, version, machine, value, names of storages) and the storages after them. */
async function readOld(source: Slices, origin: Origin): Promise<Checkpoint> {
  for (let most = OLD_HEAD;; most *= 8) {
    const globals = new Globals(origin), bytes = await source.read(0, Math.min(source.size, most));
    try {
      return await readPickles(source, bytes, globals);
    } catch (error) {
      if (!(error instanceof EndsEarly) || bytes.length === source.size || most >= MOST_PICKLE) throw error;
    }
  }
}

async function readPickles(source: Slices, bytes: Uint8Array, globals: Globals): Promise<Checkpoint> {
  let at = 0;
  const next = (): unknown => {
    const { value, end } = unpickle(bytes, globals, at);
    at = end;
    return value;
  };
  if (next() !== MAGIC) throw globals.broken("it is a pickle, but not of torch.save");
  const version = next();
  if (version !== OLD_VERSION) throw globals.broken(`version ${String(version)} of the old format`);
  const machine = next() as { little_endian?: unknown } | null;
  const bigEndian = machine?.little_endian === false;
  const value = next(), keys = next();
  if (!Array.isArray(keys)) throw globals.broken("the names of its storages are missing");
  const places = await placesOf(source, at, keys, globals, bigEndian);
  return {
    value,
    bigEndian,
    parts({ key, bytes }, most) {
      const begin = places.get(key)!, short = () => globals.broken(`storage ${key} became shorter while it was read`);
      return partsOf(source, begin, begin + bytes, most, short);
    },
  };
}

/** Where the storages of an old file lie: each after its number of elements. */
async function placesOf(
  source: Slices,
  from: number,
  keys: readonly unknown[],
  globals: Globals,
  bigEndian: boolean,
): Promise<ReadonlyMap<string, number>> {
  const places = new Map<string, number>();
  let at = from;
  for (const key of keys) {
    const spec = globals.storages.get(key as string);
    if (spec === undefined) throw globals.broken(`storage ${String(key)} belongs to no tensor`);
    const count = await source.read(at, Math.min(at + 8, source.size));
    if (count.length < 8 || at + 8 + spec.bytes > source.size) throw globals.broken(`storage ${spec.key} is cut off`);
    const claimed = Number(new DataView(count.buffer, count.byteOffset).getBigInt64(0, !bigEndian));
    if (claimed * (spec.dtype?.itemsize ?? 1) !== spec.bytes) {
      throw globals.broken(`storage ${spec.key} has ${claimed} elements for ${spec.bytes} bytes`);
    }
    places.set(spec.key, at + 8);
    at += 8 + spec.bytes;
  }
  const missing = [...globals.storages.keys()].find((key) => !places.has(key));
  if (missing !== undefined) throw globals.broken(`storage ${missing} is missing`);
  return places;
}
