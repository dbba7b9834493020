/**
 * The IDX format of MNIST as a pure function over bytes: magic number, sizes, big-endian values; gzipped or not.
 *
 * The header says exactly how many bytes follow, so a truncated file, a longer one and a gzip stream that unpacks to
 * more than it should are all detected before they take much memory.
 *
 * @see http://yann.lecun.com/exdb/mnist/ (at the end of the page)
 * @module
 */

import { type DType, DTYPES } from "../base/dtype.ts";
import { rowOf } from "../base/dtype_table.ts";
import { FormatError, show } from "../base/errors.ts";

/** The array of an IDX file. */
export interface IdxArray {
  /** The type of the elements. */
  readonly dtype: DType;
  /** The shape. */
  readonly shape: readonly number[];
  /** The values, row-major, as little-endian bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The dtypes by the third byte of the magic number. */
const TYPES: ReadonlyMap<number, DType> = new Map(
  Object.values(DTYPES).flatMap((dtype) => {
    const { idx } = rowOf(dtype);
    return idx === null ? [] : [[idx, dtype]];
  }),
);

function bad(op: string, file: string, rule: string, cause?: unknown): FormatError {
  return new FormatError(`${op}(): ${file} is not a sound IDX file: ${rule}`, { cause });
}

interface IdxHeader {
  dtype: DType;
  shape: number[];
  dataStart: number;
  /** Bytes of the whole file. */
  total: number;
}

/** The header, or `null` while `bytes` holds only a part of it. */
function parseHeader(op: string, file: string, bytes: Uint8Array): IdxHeader | null {
  if (bytes.length < 4) return null;
  const dtype = TYPES.get(bytes[2]);
  if (bytes[0] !== 0 || bytes[1] !== 0 || dtype === undefined) {
    const magic = [...bytes.subarray(0, 4)].map((b) => b.toString(16).padStart(2, "0")).join(" ");
    throw bad(op, file, `it starts with the bytes ${magic}; expected 00 00, a type (08, 09, 0b to 0e) and a count`);
  }
  const dataStart = 4 + 4 * bytes[3];
  if (bytes.length < dataStart) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, dataStart);
  const shape = Array.from({ length: bytes[3] }, (_, i) => view.getUint32(4 + 4 * i));
  const total = dataStart + shape.reduce((n, size) => n * size, dtype.itemsize);
  if (!Number.isSafeInteger(total)) throw bad(op, file, `its sizes are too large: ${show(shape)}`);
  return { dtype, shape, dataStart, total };
}

/** Reverses the byte order of each element, in place. */
function swapBytes(bytes: Uint8Array, itemsize: number): void {
  for (let at = 0; itemsize > 1 && at < bytes.length; at += itemsize) bytes.subarray(at, at + itemsize).reverse();
}

/**
 * Parses the bytes of an IDX file, gzipped or not.
 *
 * @param op the public function, for error messages
 * @param file the name of the file, for error messages
 * @throws {FormatError} if the bytes are not exactly one IDX array
 */
export async function parseIdx(op: string, file: string, bytes: Uint8Array<ArrayBuffer>): Promise<IdxArray> {
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? await gunzip(op, file, bytes) : bytes;
  const header = parseHeader(op, file, plain);
  if (header === null) throw bad(op, file, `it ends inside its header, after ${plain.length} bytes`);
  const { dtype, shape, dataStart, total } = header;
  if (plain.length !== total) {
    const have = plain.length > total ? "more" : `${plain.length - dataStart}`;
    throw bad(
      op,
      file,
      `its header promises ${show(shape)} of ${dtype.name}, ${total - dataStart} bytes; it has ${have}`,
    );
  }
  const data = plain.slice(dataStart);
  swapBytes(data, dtype.itemsize);
  return { dtype, shape, bytes: data };
}

/** Unpacks a gzip stream, and stops where it has given more than its IDX header promises. */
async function gunzip(op: string, file: string, packed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  let limit = Infinity;
  try {
    for await (const part of new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))) {
      parts.push(part);
      length += part.length;
      if (limit === Infinity) limit = parseHeader(op, file, parts.length === 1 ? part : concat(parts))?.total ?? limit;
      if (length > limit) break;
    }
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw bad(op, file, `its gzip stream is damaged or cut short: ${(cause as Error).message}`, cause);
  }
  return concat(parts);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
