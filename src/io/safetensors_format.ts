/**
 * The safetensors format as pure functions over bytes: parsing and checking a header, and writing one.
 *
 * A file is eight bytes (the header's length, little-endian), a JSON header that gives every tensor's dtype, shape and
 * place, and the values, back to back. Files may be malicious, so everything in a header is checked: the tensors must
 * cover the data exactly, without overlap or gap, and no name may occur twice. This file knows no tensors and no file
 * system; `safetensors.ts` does.
 *
 * @see https://github.com/huggingface/safetensors#format
 * @module
 */

import { ArgumentError, describe, FormatError, show } from "../base/errors.ts";

/** Bits per element of each element type that the format defines. */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** The name of an element type in a header. */
export type FormatDtype = keyof typeof BITS;

/** Element types in the format's own order; files hold the last first, so that values stay aligned. */
const ORDER: readonly string[] = Object.keys(BITS);

/** The reference implementation's limit on the header's length. */
const MAX_HEADER_BYTES = 100_000_000;

/** What a header says of a tensor, except where its values are. */
export interface TensorInfo {
  /** The name: a key of the state dict. */
  readonly name: string;
  /** The type of the elements. */
  readonly dtype: FormatDtype;
  /** The shape. */
  readonly shape: readonly number[];
}

/** The entry of one tensor in a header. */
export interface TensorEntry extends TensorInfo {
  /** The first byte, counted from the start of the data. */
  readonly begin: number;
  /** One past the last byte. */
  readonly end: number;
}

/** A checked header. */
export interface Header {
  /** The tensors, in the order in which their values lie. */
  readonly entries: readonly TensorEntry[];
  /** The metadata: text by key; `null` where there is none. */
  readonly metadata: Readonly<Record<string, string>> | null;
  /** The offset of the data in the file, in bytes. */
  readonly dataStart: number;
}

/** The public function and the file, for error messages. */
export interface Origin {
  /** The public function. */
  readonly op: string;
  /** The file, quoted, or "the bytes". */
  readonly file: string;
}

function bad(origin: Origin, rule: string): FormatError {
  return new FormatError(`${origin.op}(): ${origin.file} is not a sound safetensors file: ${rule}`);
}

/**
 * The offset of the data in the file: 8 plus the header's length.
 *
 * @param start the first eight bytes of the file, or all of a shorter one
 * @param fileBytes the size of the file
 * @throws {FormatError} if the file is too short for its header
 */
export function dataStartOf(start: Uint8Array, fileBytes: number, origin: Origin): number {
  if (fileBytes < 8 || start.length < 8) {
    throw bad(origin, `it has ${fileBytes} bytes, and the header's length alone takes 8`);
  }
  if (start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4) {
    throw bad(
      origin,
      "it is a zip archive, which torch.save writes (.pt, .pth); read it by torch.load()",
    );
  }
  if (start[0] === 0x80 && start[1] >= 2 && start[1] <= 5 && (start[2] === 0x8a || start[2] === 0x95)) {
    throw bad(
      origin,
      "it is a pickle, which older versions of torch.save write (.pt, .pth); read it by torch.load()",
    );
  }
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw bad(origin, `its header would have ${length} bytes; at most ${MAX_HEADER_BYTES} are allowed`);
  }
  if (8 + Number(length) > fileBytes) {
    throw bad(origin, `its header would have ${length} bytes, and the file has ${fileBytes - 8} after the length`);
  }
  return 8 + Number(length);
}

/**
 * Reads and checks a header.
 *
 * @param start the file's bytes, at least up to the end of the header
 * @param fileBytes the size of the file
 * @throws {FormatError} if anything in the header is wrong or does not fit the file
 */
export function parseHeader(start: Uint8Array, fileBytes: number, origin: Origin): Header {
  const dataStart = dataStartOf(start, fileBytes, origin);
  if (start.length < dataStart) throw bad(origin, `the file ends inside the header`);
  const root = parseJson(start.subarray(8, dataStart), origin);
  const metadata = readMetadata(root["__metadata__"], origin);
  const entries: TensorEntry[] = [];
  for (const [name, value] of Object.entries(root)) {
    if (name !== "__metadata__") entries.push(readEntry(name, value, origin));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(entries, fileBytes - dataStart, origin);
  return { entries, metadata, dataStart };
}

type JsonObject = Record<string, unknown>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The header's JSON object. `JSON.parse` makes even `__proto__` an ordinary key. */
function parseJson(bytes: Uint8Array, origin: Origin): JsonObject {
  if (bytes[0] !== 0x7b) throw bad(origin, `its header does not start with "{"`);
  let root: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    root = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(bad(origin, `its header is not JSON: ${(cause as Error).message}`).message, { cause });
  }
  if (!isObject(root)) throw bad(origin, `its header is not a JSON object`);
  const twice = duplicateKey(text);
  if (twice !== null) throw bad(origin, `the name ${quote(twice)} appears twice`);
  return root;
}

/**
 * The first key that occurs twice in one object of a *valid* JSON text. `JSON.parse` would keep the last one silently,
 * and another reader the first: a way to show two programs different weights.
 */
function duplicateKey(text: string): string | null {
  const open: Set<string>[] = [];
  let pending = "";
  for (let i = 0; i < text.length; i++) {
    const sign = text[i];
    if (sign === '"') {
      const start = i++;
      // A loop: a regular expression would need stack for every escape.
      while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      pending = text.slice(start, i + 1);
    } else if (sign === "{") open.push(new Set());
    else if (sign === "}") open.pop();
    else if (sign === ":") {
      const key = JSON.parse(pending) as string, keys = open[open.length - 1];
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}

function quote(name: string): string {
  const text = JSON.stringify(name);
  return text.length > 80 ? `${text.slice(0, 77)}…"` : text;
}

function readMetadata(value: unknown, origin: Origin): Record<string, string> | null {
  if (value === undefined) return null;
  if (!isObject(value)) throw bad(origin, `"__metadata__" is not an object of texts`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw bad(origin, `the metadata ${quote(key)} is not a text`);
  }
  return value as Record<string, string>;
}

/** A value as a list of non-negative safe integers, or `null` where it is none. */
function asSizes(value: unknown): number[] | null {
  if (!Array.isArray(value)) return null;
  return value.every((v) => typeof v === "number" && Number.isSafeInteger(v) && v >= 0) ? value : null;
}

function readEntry(name: string, value: unknown, origin: Origin): TensorEntry {
  const what = `tensor ${quote(name)}`;
  if (!name.isWellFormed()) throw bad(origin, `the name ${quote(name)} is not valid Unicode`);
  if (!isObject(value)) throw bad(origin, `${what} is not described by an object`);
  const { dtype, shape: sizes, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(BITS, dtype)) {
    throw bad(origin, `${what} has the unknown dtype ${JSON.stringify(dtype) ?? "(none)"}`);
  }
  const shape = asSizes(sizes);
  if (shape === null) throw bad(origin, `${what} has no valid shape: ${JSON.stringify(sizes) ?? "(none)"}`);
  const range = asSizes(offsets);
  if (range === null || range.length !== 2 || range[0] > range[1]) {
    throw bad(origin, `${what} has no valid data_offsets: ${JSON.stringify(offsets) ?? "(none)"}`);
  }
  const [begin, end] = range;
  const bytes = byteLength(dtype as FormatDtype, shape);
  if (bytes !== end - begin) {
    throw bad(origin, `${what} (${dtype}, ${show(shape)}) needs ${bytes} bytes and has ${end - begin}`);
  }
  return { name, dtype: dtype as FormatDtype, shape, begin, end };
}

/**
 * The size of a tensor in bytes. It may be inexact above 2^53, or fractional, but then it never equals the length of a
 * range of the file.
 */
export function byteLength(dtype: FormatDtype, shape: readonly number[]): number {
  let bits: number = BITS[dtype];
  for (const size of shape) bits *= size;
  return bits / 8;
}

function checkCoverage(entries: readonly TensorEntry[], dataBytes: number, origin: Origin): void {
  let at = 0;
  for (const { name, begin, end } of entries) {
    const what = `tensor ${quote(name)}`;
    if (begin < at) throw bad(origin, `${what} starts at byte ${begin} of the data, inside the tensor before it`);
    if (begin > at) throw bad(origin, `${what} starts at byte ${begin} of the data and leaves a hole after byte ${at}`);
    if (end > dataBytes) throw bad(origin, `${what} ends at byte ${end} of the data, which has ${dataBytes}`);
    at = end;
  }
  if (at !== dataBytes) throw bad(origin, `${dataBytes - at} bytes after the last tensor belong to none`);
}

/**
 * The length and header of a file, and the order in which the values must follow.
 *
 * The order and the spelling are the reference implementation's, so both write the same bytes.
 *
 * @throws {ArgumentError} if a name or the metadata cannot be written
 */
export function serializeHeader<T extends TensorInfo>(
  op: string,
  items: Iterable<T>,
  metadata: Readonly<Record<string, string>> | null = null,
): { header: Uint8Array<ArrayBuffer>; order: T[] } {
  const order = [...items].sort((a, b) => {
    const rank = ORDER.indexOf(b.dtype) - ORDER.indexOf(a.dtype);
    return rank || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  });
  const fields: string[] = [];
  if (metadata !== null) fields.push(`"__metadata__":${metadataJson(op, metadata)}`);
  let at = 0;
  for (const { name, dtype, shape } of order) {
    if (name === "__metadata__" || !name.isWellFormed()) {
      throw new ArgumentError(`${op}(): a tensor cannot have this name: ${quote(name)}`);
    }
    const end = at + byteLength(dtype, shape);
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [at, end] })}`);
    at = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > MAX_HEADER_BYTES) {
    throw new ArgumentError(`${op}(): the header would have ${padded} bytes; at most ${MAX_HEADER_BYTES} are allowed`);
  }
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return { header, order };
}

function metadataJson(op: string, metadata: Readonly<Record<string, string>>): string {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== "string" || !value.isWellFormed() || !key.isWellFormed()) {
      throw new ArgumentError(`${op}(): metadata must be texts: ${quote(key)}: ${describe(value)}`);
    }
  }
  return JSON.stringify(metadata);
}
