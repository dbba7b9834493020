/**
 * Turns the encoded values of a manifest into the arguments of a call: tensors with their dtype, strides, identity
 * and `requiresGrad`, Python scalars with their kind, slices, ellipsis, dtypes, tuples.
 *
 * A {@linkcode Decoder} lives as long as one sample: the manifest names a tensor once and refers to it by id
 * afterwards, and aliased arguments must be the same object in the replay.
 *
 * @module
 */

import type { Golden, Json, Raw } from "./golden.ts";
import { camel } from "./names.ts";

/** What the replay needs of a tensor; the library's own class has more. */
export interface TensorLike {
  /** Sizes of the dimensions. */
  readonly shape: readonly number[];
  /** Element type. */
  readonly dtype: { readonly name: string };
  /** Whether gradients flow to it. */
  readonly requiresGrad: boolean;
  /** Where the elements live; views share it. */
  readonly storage: unknown;
  /** Strides in elements. */
  readonly strides: readonly number[];
  /** The values, row-major. */
  read(): Promise<Raw>;
}

/** The library, as the replay sees it: dotted paths resolve through plain property access. */
export type Api = Record<string, unknown>;

/** The functions of the library that decoding itself calls. */
interface Makers {
  fromData(data: Raw, shape: readonly number[], options: Record<string, unknown>): TensorLike;
  scalar(value: unknown, kind: string): unknown;
  slice(start: unknown, stop: unknown, step: unknown): unknown;
}

/** A tensor in a manifest. */
export interface TensorNode {
  $t: string;
  dtype: string;
  shape: number[];
  id?: number;
  rg?: boolean;
  stride?: number[];
}

/** The sample needs something that cannot be replayed here; it is skipped, with the reason. */
export class Unsupported extends Error {
  override name = "Unsupported";
}

/** Whether `node` is a tensor in a manifest. */
export function isTensorNode(node: Json): node is Json & TensorNode {
  return typeof node === "object" && node !== null && !Array.isArray(node) && typeof node.$t === "string";
}

/** The number of elements of a shape. */
export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** How a decoder makes things. */
export interface DecoderOptions {
  /** Where tensors are made. */
  device: string;
  /** Makes tensors of another dtype or layout than recorded (generic tests of ops). */
  adapt?: (node: TensorNode, data: Raw) => { node: TensorNode; data: Raw };
  /** Integer-valued Python floats become `torch.scalar(v, "floating")`: the op's result dtype depends on it. */
  typedFloats?: boolean;
  /** Python ints become `torch.scalar(v, "integer")`: the op would take a JavaScript number for a float. */
  typedIntegers?: boolean;
}

/** Decodes the arguments of one sample; remembers tensors by id. */
export class Decoder {
  /** Tensors made so far, by the manifest's id. */
  readonly tensors: Map<number, TensorLike> = new Map();
  readonly #golden: Golden;
  readonly #api: Api;
  readonly #options: DecoderOptions;
  /** Results of a program's steps, for `{"$v": n}`. */
  readonly results: unknown[] = [];

  /** A decoder for one sample of `golden`. */
  constructor(golden: Golden, api: Api, options: DecoderOptions) {
    this.#golden = golden;
    this.#api = api;
    this.#options = options;
  }

  /** A list of positional arguments. */
  list(nodes: Json): unknown[] {
    return (nodes as Json[]).map((node) => this.value(node));
  }

  /** Keyword arguments as an object with camelCase keys. */
  options(nodes: Json): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    for (const [key, node] of Object.entries(nodes as Record<string, Json>)) out[camel(key)] = this.value(node);
    return out;
  }

  /** Any value of the manifest. */
  value(node: Json): unknown {
    // PyTorch's samples name the device that they were recorded on.
    if (node === "cpu") return this.device;
    if (node === null || typeof node === "string" || typeof node === "boolean") return node;
    if (typeof node === "number") return this.#options.typedIntegers ? this.#makers.scalar(node, "integer") : node;
    if (Array.isArray(node)) return node.map((x) => this.#element(x));
    if (isTensorNode(node)) return this.tensor(node);
    if ("ref" in node) return this.#reference(node.ref as number);
    const [tag] = Object.keys(node);
    const read = READ[tag];
    if (!read) throw new Unsupported(`a value of kind ${tag}`);
    return read(this, node, tag);
  }

  /** Elements of lists are sizes, dims or indices: never typed scalars. */
  #element(node: Json): unknown {
    return typeof node === "number" ? node : this.value(node);
  }

  /** A tensor, made once per id. */
  tensor(recorded: TensorNode): TensorLike {
    const made = recorded.id === undefined ? undefined : this.tensors.get(recorded.id);
    if (made) return made;
    const raw = this.#golden.raw(recorded.$t);
    const { node, data } = this.#options.adapt?.(recorded, raw) ?? { node: recorded, data: raw };
    const tensor = this.#makers.fromData(data, node.shape, {
      dtype: this.path(node.dtype),
      device: this.#options.device,
      ...(node.stride ? { strides: node.stride } : {}),
      ...(node.rg ? { requiresGrad: true } : {}),
    });
    if (node.id !== undefined) this.tensors.set(node.id, tensor);
    return tensor;
  }

  /** What a dotted path names in the library, or `undefined`. */
  path(path: string): unknown {
    let at: unknown = this.#api;
    for (const name of path.split(".")) {
      if (at === null || (typeof at !== "object" && typeof at !== "function")) return undefined;
      at = (at as Record<string, unknown>)[name];
    }
    return at;
  }

  /** A Python float; its kind is marked where it counts for promotion and JavaScript's own reading would be wrong. */
  float(value: number): unknown {
    return this.#options.typedFloats && Number.isInteger(value) ? this.#makers.scalar(value, "floating") : value;
  }

  /** A complex scalar. */
  complex(re: number, im: number): unknown {
    return this.#makers.scalar([re, im], "complex");
  }

  /** A slice of an index expression. */
  slice(start: unknown, stop: unknown, step: unknown): unknown {
    return this.#makers.slice(start, stop, step);
  }

  /** The device that replaces the recorded one. */
  get device(): string {
    return this.#options.device;
  }

  #reference(id: number): TensorLike {
    const tensor = this.tensors.get(id);
    if (!tensor) throw new Error(`the manifest refers to tensor ${id} before it is defined`);
    return tensor;
  }

  get #makers(): Makers {
    return this.#api as unknown as Makers;
  }
}

type Node = { [key: string]: Json };

/** Python floats, infinities and NaN included. */
export function readFloat(node: Json): number {
  const value = (node as Node).$f;
  if (typeof value === "number") return value;
  return value === "inf" ? Infinity : value === "-inf" ? -Infinity : NaN;
}

/** A slice's bound: a number, `null`, or a 0-d tensor. */
function bound(decoder: Decoder, node: Json): unknown {
  return typeof node === "number" ? node : decoder.value(node);
}

/** PyTorch's `torch.nn.functional.gelu` lives in `torch._C._nn` as far as Python can tell. */
const FUNCTION_HOME: Record<string, string> = { "torch._C._nn.gelu": "nn.functional.gelu" };

/** A module given as an argument (the layer of a TransformerEncoder). */
function readModule(decoder: Decoder, node: Json): unknown {
  const { $module, kwargs } = node as { $module: string; kwargs?: Json };
  const Module = decoder.path($module) as (new (...args: unknown[]) => unknown) | undefined;
  if (!Module) throw new Unsupported(`no ${$module}`);
  return kwargs ? new Module(decoder.options(kwargs)) : new Module();
}

/** One reader per tag of the encoding. */
const READ: Record<string, (decoder: Decoder, node: Node, tag: string) => unknown> = {
  $f: (decoder, node) => decoder.float(readFloat(node)),
  $i: (_decoder, node) => BigInt(node.$i as string),
  $c: (decoder, node) => {
    const [re, im] = node.$c as Json[];
    return decoder.complex(readFloat(re), readFloat(im));
  },
  $tuple: (decoder, node) => (node.$tuple as Json[]).map((x) => typeof x === "number" ? x : decoder.value(x)),
  $size: (_decoder, node) => node.$size,
  $dict: (decoder, node) =>
    Object.fromEntries((node.$dict as [string, Json][]).map(([k, v]) => [camel(k), decoder.value(v)])),
  $slice: (decoder, node) => {
    const [start, stop, step] = (node.$slice as Json[]).map((x) => bound(decoder, x));
    return decoder.slice(start, stop, step);
  },
  $ellipsis: () => "...",
  $dtype: (decoder, node) => decoder.path(node.$dtype as string) ?? unknownDType(node.$dtype as string),
  $device: (decoder) => decoder.device,
  $layout: (decoder, node) => decoder.path(camel(node.$layout as string)) ?? node.$layout,
  $mf: (decoder, node) => decoder.path(camel(node.$mf as string)) ?? node.$mf,
  $named: (decoder, node) => (node.v as Json[]).map((x) => decoder.value(x)),
  $fn: (decoder, node) => {
    const path = FUNCTION_HOME[node.$fn as string] ?? (node.$fn as string).split(".").slice(1).map(camel).join(".");
    return decoder.path(path) ?? missing(path);
  },
  $module: readModule,
  $obj: (decoder, node) => decoder.options(node.fields),
  $v: (decoder, node) => decoder.results[node.$v as number],
};

function unknownDType(name: string): never {
  throw new Unsupported(`dtype ${name}`);
}

function missing(path: string): never {
  throw new Unsupported(`no torch.${path}`);
}
