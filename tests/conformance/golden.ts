/**
 * Reads the files of PyTorch's recorded results: a `.safetensors` container (plain, or gzipped as committed in
 * `tests/golden`) whose `__metadata__.manifest` is a JSON document that refers to the tensors by key.
 *
 * This is not the library's own safetensors reader: the tests must not depend on the code that they test. The value
 * encoding inside a manifest is documented at the top of `dump_opinfo.py`; `values.ts` decodes it.
 *
 * @module
 */

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A typed array as stored: raw bits for float16 and bfloat16, bytes for bool, interleaved pairs for complex. */
export type Raw =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

type RawConstructor = new (buffer: ArrayBuffer, offset: number, length: number) => Raw;

/** The typed array that holds each stored element type. */
const RAW: Record<string, [RawConstructor, number]> = {
  F64: [Float64Array, 8],
  F32: [Float32Array, 4],
  F16: [Uint16Array, 2],
  BF16: [Uint16Array, 2],
  I64: [BigInt64Array, 8],
  U64: [BigUint64Array, 8],
  I32: [Int32Array, 4],
  U32: [Uint32Array, 4],
  I16: [Int16Array, 2],
  U16: [Uint16Array, 2],
  I8: [Int8Array, 1],
  U8: [Uint8Array, 1],
  BOOL: [Uint8Array, 1],
};

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** One opened file: its manifest and its tensors by key. */
export class Golden {
  /** The parsed `__metadata__.manifest`, or an empty object where the file carries none. */
  readonly manifest: { [key: string]: Json };
  readonly #entries: Record<string, Entry>;
  readonly #data: ArrayBuffer;

  /** Parses the bytes of a safetensors file. */
  constructor(bytes: Uint8Array) {
    const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
    const { __metadata__: metadata, ...entries } = header;
    this.manifest = metadata?.manifest ? JSON.parse(metadata.manifest) : {};
    this.#entries = entries;
    // A copy, so that every tensor's offset is aligned whatever the header's length was.
    this.#data = bytes.slice(8 + headerBytes).buffer;
  }

  /** The keys of all stored tensors. */
  keys(): string[] {
    return Object.keys(this.#entries);
  }

  /** The stored shape of `key` (complex tensors have a trailing dimension of 2). */
  shape(key: string): number[] {
    return this.#entry(key).shape;
  }

  /** The stored element type of `key`, as safetensors spells it. */
  dtype(key: string): string {
    return this.#entry(key).dtype;
  }

  /** The elements of `key`, as stored. */
  raw(key: string): Raw {
    const { dtype, data_offsets: [begin, end] } = this.#entry(key);
    const [constructor, size] = RAW[dtype];
    return new constructor(this.#data, begin, (end - begin) / size);
  }

  #entry(key: string): Entry {
    const entry = this.#entries[key];
    if (!entry) throw new Error(`the golden file has no tensor "${key}"`);
    return entry;
  }
}

/** Reads `path`; a name ending in `.gz` is decompressed on the way. */
export async function readGolden(path: string | URL): Promise<Golden> {
  const bytes = await Deno.readFile(path);
  return new Golden(String(path).endsWith(".gz") ? await gunzip(bytes) : bytes);
}

/** Decompresses gzip data. */
export async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).bytes();
}

/** Compresses data as gzip. */
export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();
}
