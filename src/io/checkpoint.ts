/**
 * PyTorch's checkpoints: `torch.save` and `torch.load`, the files that end in `.pt` and `.pth`.
 *
 * What one writes the other reads: state dicts, optimizers' and schedules' states, and the numbers, texts, lists and objects
 * around them. Reading builds data and nothing else, as PyTorch's `weights_only=True` does. Tensors that shared memory
 * share it again.
 *
 * @see https://docs.pytorch.org/docs/stable/generated/torch.load.html
 * @module
 */

import "../ops/attach.ts";
import { withGrad } from "../autograd/mode.ts";
import { latin1Of } from "../base/bytes.ts";
import { type Args, call } from "../base/call.ts";
import { checkArray } from "../base/checks.ts";
import { Device, device as parseDevice } from "../base/device.ts";
import { DType } from "../base/dtype.ts";
import { ArgumentError, describe, DeviceError, FormatError, nameCall } from "../base/errors.ts";
import { Parameter } from "../nn/module/parameter.ts";
import { makeView } from "../ops/core/view_core.ts";
import { bytes as readBytesOf } from "../ops/create/convert.ts";
import { empty } from "../ops/create/creation.ts";
import { yieldToFinalizers } from "../tensor/pressure.ts";
import { outsideScopes, type Storage } from "../tensor/storage.ts";
import { checkAlive, Tensor } from "../tensor/tensor.ts";
import { type Checkpoint, readCheckpoint, STORAGE_NAMES, type StorageSpec, TensorSpec } from "./checkpoint_read.ts";
import { fill, PART } from "./fill.ts";
import { type Origin, type Source, withSource } from "./files.ts";
import { pickle, PickleCall, PickleName, PickleOutside, PickleTuple } from "./pickle.ts";
import { writeBytes } from "./write.ts";
import { type ZipFile, zipParts } from "./zip.ts";

/**
 * Where tensors go: a device for all, a device for each that they were saved from (`{ "cuda:0": "cpu" }`), or a function
 * from the one to the other, whose `null` means the device that they were saved from.
 */
export type MapLocation =
  | string
  | Device
  | Readonly<Record<string, string | Device>>
  | ((location: string) => string | Device | null);

/** The parameters of {@linkcode load}. */
export class LoadCheckpointArgs {
  /** Always true: files that need Python's objects are refused. */
  weightsOnly = true;
  /**
   * Which tensors are read, by their place (`"model.fc.weight"`): those whose place is this text, is in this list, or makes
   * this function true. The others are left out of objects, and `null` in lists. `null`: all.
   */
  only: string | readonly string[] | ((place: string) => boolean) | null = null;
  constructor(
    /** A path, a `file:`, `http:` or `https:` URL, or bytes. */
    public f: Source | ArrayBufferView | ArrayBuffer,
    /** Where tensors go; `null`: to the devices that they were saved from. */
    public mapLocation: MapLocation | null = null,
  ) {}
}

/** The parameters of {@linkcode save} after the value. */
export class SaveCheckpointArgs {
  constructor(
    /** The path of the file to write, or a stream that takes its bytes and is closed at the end. */
    public f: string | URL | WritableStream<Uint8Array>,
  ) {}
}

const loadArgs = call("load", LoadCheckpointArgs);
const saveArgs = call("save", SaveCheckpointArgs);

/** Where the bytes of a storage begin in the file, as PyTorch aligns them. */
const ALIGNMENT = 64;

/**
 * Reads what `torch.save` wrote, here or in Python: `.pt` files of any age.
 *
 * Dictionaries become objects, or a `Map` where a key is neither a text nor a whole number; tuples and lists become arrays,
 * whole numbers beyond 2^53 bigints. A large file needs little more memory than its tensors; `only` reads some of them.
 *
 * Differs from PyTorch: it is a promise. Whatever is no data is refused, there is no `weightsOnly: false`. A function as
 * `mapLocation` gives a device. `only` stands for `mmap`. What was changed in the file after it was written is found by its
 * checksum.
 *
 * @throws {FormatError} if the file is no checkpoint, is damaged, or holds something other than data
 * @throws {DeviceError} if a tensor's device is not here: give `mapLocation: "cpu"`
 * @throws {DTypeError} if it holds an element type that Cresset lacks
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const path = await Deno.makeTempFile({ suffix: ".pt" });
 * const model = new torch.nn.Linear(2, 1);
 * await torch.save({ epoch: 3, model: model.stateDict() }, path);
 *
 * const { epoch, model: state } = await torch.load<{ epoch: number; model: Record<string, torch.Tensor> }>(path);
 * model.loadStateDict(state);
 * assertEquals(epoch, 3);
 * ```
 */
export async function load<T = unknown>(...args: Args<typeof LoadCheckpointArgs>): Promise<T> {
  const { f, mapLocation, weightsOnly, only } = loadArgs(args);
  if (weightsOnly !== true) {
    throw new ArgumentError("load(): weightsOnly must be true: objects of Python cannot be built, nor code executed");
  }
  const wanted = wantedBy(only), placed = placeBy(mapLocation);
  return await withSource("load", "f", f, async (bytes, origin) => {
    return await build(await readCheckpoint(bytes, origin), origin, wanted, placed) as T;
  });
}

function wantedBy(only: LoadCheckpointArgs["only"]): (place: string) => boolean {
  if (only === null) return () => true;
  if (typeof only === "function") return only;
  if (typeof only !== "string") checkArray("load", "only", only);
  const places = new Set(typeof only === "string" ? [only] : only);
  for (const place of places) {
    if (typeof place !== "string") throw new ArgumentError(`load(): only must hold texts: ${describe(place)}`);
  }
  return (place) => places.has(place);
}

/** The device for each location of the file. */
function placeBy(map: MapLocation | null): (location: string) => Device {
  const chosen = (device: unknown, location: string): Device => {
    const target = device ?? location;
    return target instanceof Device ? target : parseDevice(target as string);
  };
  if (map === null) return (location) => parseDevice(location);
  if (typeof map === "function") return (location) => chosen(map(location), location);
  if (typeof map === "string" || map instanceof Device) {
    const device = chosen(map, "cpu");
    return () => device;
  }
  if (typeof map !== "object") throw new ArgumentError(`load(): mapLocation must be a device: ${describe(map)}`);
  return (location) => chosen(Object.hasOwn(map, location) ? map[location] : null, location);
}

/** Reads the storages of a checkpoint as they are needed. */
class Loader {
  readonly #checkpoint: Checkpoint;
  readonly #origin: Origin;
  readonly #placed: (location: string) => Device;
  readonly #bases = new Map<string, Tensor>();
  readonly #tensors = new Map<TensorSpec, Tensor>();

  constructor(checkpoint: Checkpoint, origin: Origin, placed: (location: string) => Device) {
    this.#checkpoint = checkpoint;
    this.#origin = origin;
    this.#placed = placed;
  }

  /** The tensor that a description stands for: one for every place that it stands at. */
  async tensor(spec: TensorSpec): Promise<Tensor> {
    let x = this.#tensors.get(spec);
    if (x === undefined) {
      const base = await this.#base(spec.storage, spec.dtype);
      this.#tensors.set(spec, x = withGrad(false, () => outsideScopes(() => this.#make(spec, base))));
    }
    return x;
  }

  #make(spec: TensorSpec, base: Tensor): Tensor {
    let x = makeView(base, spec.shape, spec.strides, spec.offset, spec.dtype, this.#origin.op);
    // Cresset keeps no lazy conjugates and negatives: the values are computed.
    if (spec.conjugate) x = x.conj();
    if (spec.negative) x = x.neg();
    const grad = spec.requiresGrad && (spec.dtype.isFloatingPoint || spec.dtype.isComplex);
    if (spec.parameter) return new Parameter(x, { requiresGrad: grad });
    return grad ? x.requiresGrad_() : x;
  }

  /** All elements of a storage, as one vector. */
  async #base(storage: StorageSpec, dtype: DType): Promise<Tensor> {
    const key = `${dtype.name} ${storage.key}`, known = this.#bases.get(key);
    if (known !== undefined) return known;
    if (storage.bytes % dtype.itemsize !== 0) {
      throw new FormatError(
        `${this.#origin.op}(): ${this.#origin.file} is no sound checkpoint: storage ${storage.key} has ${storage.bytes} bytes`,
      );
    }
    const base = outsideScopes(() => this.#allocate(storage, dtype));
    try {
      await fill(base, this.#checkpoint.parts(storage, PART), this.#checkpoint.bigEndian);
    } catch (error) {
      base.dispose();
      throw error;
    }
    this.#bases.set(key, base);
    return base;
  }

  #allocate({ bytes, location }: StorageSpec, dtype: DType): Tensor {
    try {
      return empty([bytes / dtype.itemsize], { dtype, device: this.#placed(location) });
    } catch (error) {
      if (!(error instanceof DeviceError)) throw nameCall("load", error);
      throw new DeviceError(
        `load(): tensors saved from "${location}" cannot go there; give mapLocation: "cpu": ${error.message}`,
        { cause: error },
      );
    }
  }

  /** Lets the collector run, as every read does. */
  async yield(): Promise<void> {
    for (const backend of new Set([...this.#bases.values()].map((x) => x.storage.backend))) {
      await yieldToFinalizers(backend);
    }
  }

  /** Releases what was made, for a failure. */
  dispose(): void {
    for (const base of this.#bases.values()) base.dispose();
  }
}

/** The value of a checkpoint with its tensors. */
async function build(
  checkpoint: Checkpoint,
  origin: Origin,
  wanted: (place: string) => boolean,
  placed: (location: string) => Device,
): Promise<unknown> {
  const loader = new Loader(checkpoint, origin, placed);
  try {
    const value = await withTensors(checkpoint.value, loader, wanted);
    await loader.yield();
    return value;
  } catch (error) {
    loader.dispose();
    throw error;
  }
}

/** Puts tensors in the places of their descriptions, at any depth. */
async function withTensors(value: unknown, loader: Loader, wanted: (place: string) => boolean): Promise<unknown> {
  const seen = new Set<object>();
  // Containers to look into, with their places: a list, because values may be nested deeper than calls.
  const left: [container: object, place: string][] = [];
  const made = async (item: unknown, place: string): Promise<unknown> => {
    if (item instanceof TensorSpec) return wanted(place) ? await loader.tensor(item) : undefined;
    const container = Array.isArray(item) || item instanceof Map || item instanceof Set ||
      (typeof item === "object" && item !== null && Object.getPrototypeOf(item) === Object.prototype);
    if (container && !seen.has(item)) {
      seen.add(item);
      left.push([item, place]);
    }
    return item;
  };
  const result = await made(value, "");
  for (let next = left.pop(); next !== undefined; next = left.pop()) await replaceItems(...next, made);
  return result ?? null;
}

/** Replaces the items of one container. */
async function replaceItems(
  container: object,
  place: string,
  made: (item: unknown, place: string) => Promise<unknown>,
): Promise<void> {
  const at = (key: unknown) => place === "" ? String(key) : `${place}.${String(key)}`;
  if (Array.isArray(container)) {
    for (let i = 0; i < container.length; i++) container[i] = await made(container[i], at(i)) ?? null;
  } else if (container instanceof Map) {
    for (const [key, item] of container) {
      const now = await made(item, at(key));
      if (now === undefined) container.delete(key);
      else if (now !== item) container.set(key, now);
    }
  } else if (container instanceof Set) {
    for (const item of [...container]) {
      const now = await made(item, place);
      if (now === item) continue;
      container.delete(item);
      if (now !== undefined) container.add(now);
    }
  } else {
    const object = container as Record<string, unknown>;
    for (const key of Object.keys(object)) {
      const now = await made(object[key], at(key));
      if (now === undefined) delete object[key];
      else if (now !== object[key]) Object.defineProperty(object, key, { ...FIELD, value: now });
    }
  }
}

/** An ordinary field; a name may be `__proto__`. */
const FIELD = { enumerable: true, writable: true, configurable: true };

/**
 * Writes a value as a checkpoint that PyTorch reads, also with `weights_only=True`.
 *
 * Objects and maps become dictionaries, arrays lists, whole numbers `int`, other numbers `float`, sets `set`, a `Uint8Array`
 * `bytes`, dtypes and devices theirs. Tensors that share memory share it in the file. The state of an optimizer (an object
 * with `state` and `param_groups`) gets the whole numbers as keys that PyTorch's has. Until the file is complete the previous
 * one stays.
 *
 * Differs from PyTorch: it is a promise, and the values must not change until it resolves. Modules are refused: save
 * `model.stateDict()`. Tensors on WebGPU are written as tensors of the CPU.
 *
 * @param value what is saved
 * @throws {ArgumentError} if the value holds anything else, with its place
 */
export async function save(value: unknown, ...args: Args<typeof SaveCheckpointArgs>): Promise<void> {
  const { f } = saveArgs(args);
  const storages = new Storages(), data = pickle("save", value, { reduce: (x) => storages.reduce(x), whole });
  const parts = zipParts(storages.files(data), ALIGNMENT);
  if (!(f instanceof WritableStream)) return await writeBytes("save", f, parts);
  const writer = f.getWriter();
  try {
    for await (const part of parts) await writer.write(part);
    await writer.close();
  } catch (error) {
    await writer.abort(error).catch(() => {});
    throw error;
  }
}

/** Whether the keys of an object are whole numbers: those of the state in an optimizer's state dict. */
function whole(object: object, parent: object | null): boolean {
  return parent !== null && "param_groups" in parent && "state" in parent && parent.state === object;
}

/** The storages of what is saved, by the order in which they were met. */
class Storages {
  readonly #list: Tensor[] = [];
  readonly #keys = new Map<Storage, Map<DType, number>>();

  /** What a value that is no plain one is in Python; `undefined` if it is nothing. */
  reduce(value: object): unknown {
    if (value instanceof Parameter) {
      return new PickleCall(REBUILD_PARAMETER, this.#tensor(value), value.requiresGrad, new PickleCall(ORDERED_DICT));
    }
    if (value instanceof Tensor) return this.#tensor(value);
    if (value instanceof DType) return new PickleName("torch", value.name);
    if (value instanceof Device) return new PickleCall(new PickleName("torch", "device"), locationOf(value));
    if (value instanceof Uint8Array) {
      return new PickleCall(new PickleName("_codecs", "encode"), latin1Of(value), "latin1");
    }
    return undefined;
  }

  #tensor(x: Tensor): PickleCall {
    checkAlive("save", x);
    const { dtype, shape, strides, offset } = x, name = STORAGE_NAMES.get(dtype);
    const [key, count] = this.#keyOf(x);
    const type = name === undefined ? new PickleName("torch.storage", "UntypedStorage") : new PickleName("torch", name);
    const units = name === undefined ? count * dtype.itemsize : count;
    const storage = new PickleOutside(new PickleTuple("storage", type, String(key), locationOf(x.device), units));
    const place = [storage, offset, new PickleTuple(...shape), new PickleTuple(...strides)] as const;
    const rest = [!(x instanceof Parameter) && x.requiresGrad, new PickleCall(ORDERED_DICT)] as const;
    return name === undefined
      ? new PickleCall(REBUILD_TYPED, ...place, ...rest, new PickleName("torch", dtype.name))
      : new PickleCall(REBUILD, ...place, ...rest);
  }

  /** The number of a tensor's storage, and how many elements it has. */
  #keyOf(x: Tensor): [key: number, count: number] {
    const count = Math.floor(x.storage.nbytes / x.dtype.itemsize);
    let keys = this.#keys.get(x.storage);
    if (keys === undefined) this.#keys.set(x.storage, keys = new Map());
    let key = keys.get(x.dtype);
    if (key === undefined) {
      key = this.#list.push(outsideScopes(() => makeView(x, [count], [1], 0))) - 1;
      keys.set(x.dtype, key);
    }
    return [key, count];
  }

  /** The files of the archive. */
  async *files(data: Uint8Array): AsyncGenerator<ZipFile> {
    const text = (value: string) => new TextEncoder().encode(value);
    yield { name: "archive/data.pkl", bytes: data };
    yield { name: "archive/byteorder", bytes: text("little") };
    for (const [key, x] of this.#list.entries()) yield { name: `archive/data/${key}`, bytes: await readBytesOf(x) };
    yield { name: "archive/version", bytes: text("3\n") };
  }
}

const REBUILD = new PickleName("torch._utils", "_rebuild_tensor_v2");
const REBUILD_TYPED = new PickleName("torch._utils", "_rebuild_tensor_v3");
const REBUILD_PARAMETER = new PickleName("torch._utils", "_rebuild_parameter");
const ORDERED_DICT = new PickleName("collections", "OrderedDict");

/** A device as PyTorch writes it; what it does not know is the CPU's. */
function locationOf(device: Device): string {
  return device.type === "cuda" ? `cuda:${device.index ?? 0}` : "cpu";
}
