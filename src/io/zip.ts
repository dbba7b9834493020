/**
 * Zip archives of stored files, the container of PyTorch's checkpoints and of NumPy's `.npz`.
 *
 * An archive ends with a directory that says where each file lies, so single files are read without the others. Reading
 * takes stored and deflated files, and archives and files beyond 4 GiB (Zip64); writing stores. Every number of the
 * directory is checked against the size of the archive before it is used, and the checksum of a file after it was read.
 *
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 * @module
 */

import { FormatError } from "../base/errors.ts";
import { crc32, inflate } from "../base/platform.ts";
import { type Origin, partsOf, type Slices } from "./files.ts";

/** One file of an archive. */
export interface ZipEntry {
  /** Its path in the archive. */
  readonly name: string;
  /** Its size, and that of its bytes in the archive. */
  readonly size: number;
  readonly packed: number;
  readonly deflated: boolean;
  readonly checksum: number;
  /** Where its local header begins. */
  readonly header: number;
}

const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50, END_64 = 0x06064b50, LOCATOR_64 = 0x07064b50;
const END_BYTES = 22, LOCATOR_BYTES = 20, END_64_BYTES = 56, CENTRAL_BYTES = 46, LOCAL_BYTES = 30;
/** The longest comment after the directory. */
const MOST_COMMENT = 0xffff;
/** What stands where a number is in the Zip64 fields. */
const IN_ZIP64 = 0xffffffff;
/** The most files, and the longest directory, that are read. */
const MOST_ENTRIES = 1 << 20, MOST_DIRECTORY = 1 << 28;
/** The most that deflated files may grow by: deflate's own limit is 1032. */
const MOST_GROWTH = 1100;
/** The largest deflated file that is unpacked: large ones are stored. */
const MOST_UNPACKED = 2 ** 31 - 1;
const STORED = 0, DEFLATED = 8;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A number of 64 bits, as far as it is exact. */
function size64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

/** Whether bytes begin as an archive does. */
export function isZip(head: Uint8Array): boolean {
  return head.length >= 4 && viewOf(head).getUint32(0, true) === LOCAL;
}

/** An archive whose directory was read. */
export class ZipArchive {
  /** The files by name. */
  readonly entries: ReadonlyMap<string, ZipEntry>;
  readonly #source: Slices;
  readonly #origin: Origin;

  private constructor(source: Slices, origin: Origin, entries: ReadonlyMap<string, ZipEntry>) {
    this.#source = source;
    this.#origin = origin;
    this.entries = entries;
  }

  /**
   * Reads the directory of an archive.
   *
   * @throws {FormatError} if it is malformed
   */
  static async open(source: Slices, origin: Origin): Promise<ZipArchive> {
    const bad = (why: string) => new FormatError(`${origin.op}(): ${origin.file} is a broken zip archive: ${why}`);
    const { begin, end, count } = await directoryOf(source, bad);
    const entries = new Map<string, ZipEntry>();
    const bytes = await source.read(begin, end), view = viewOf(bytes);
    if (bytes.length !== end - begin) throw bad("its directory ends early");
    let at = 0;
    for (let i = 0; i < count; i++) {
      if (at + CENTRAL_BYTES > bytes.length || view.getUint32(at, true) !== CENTRAL) {
        throw bad(`its directory ends after ${i} of ${count} files`);
      }
      const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
      const next = at + CENTRAL_BYTES + nameBytes + extraBytes + commentBytes;
      if (next > bytes.length) throw bad("a name leaves its directory");
      const entry = entryOf(bytes.subarray(at, next), nameBytes, extraBytes, begin, bad);
      if (entries.has(entry.name)) throw bad(`it has two files ${JSON.stringify(entry.name)}`);
      entries.set(entry.name, entry);
      at = next;
    }
    return new ZipArchive(source, origin, entries);
  }

  #bad(entry: ZipEntry, why: string): FormatError {
    return new FormatError(
      `${this.#origin.op}(): ${this.#origin.file} is broken: ${JSON.stringify(entry.name)} ${why}`,
    );
  }

  /** Where the bytes of a file begin: after its local header, whose lengths may differ from the directory's. */
  async #dataOf(entry: ZipEntry): Promise<number> {
    const bytes = await this.#source.read(entry.header, Math.min(entry.header + LOCAL_BYTES, this.#source.size));
    if (bytes.length < LOCAL_BYTES || viewOf(bytes).getUint32(0, true) !== LOCAL) {
      throw this.#bad(entry, "has no header where the directory says");
    }
    const begin = entry.header + LOCAL_BYTES + viewOf(bytes).getUint16(26, true) + viewOf(bytes).getUint16(28, true);
    if (begin + entry.packed > this.#source.size) throw this.#bad(entry, "leaves the archive");
    return begin;
  }

  /** All bytes of a file. */
  async read(entry: ZipEntry): Promise<Uint8Array<ArrayBuffer>> {
    const out = new Uint8Array(entry.size);
    let at = 0;
    for await (const part of this.parts(entry, entry.size)) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  /** The bytes of a file in parts of at most `most` bytes where it is stored; its checksum is compared at the end. */
  async *parts(entry: ZipEntry, most: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const begin = await this.#dataOf(entry), end = begin + entry.packed;
    let checksum = 0;
    if (entry.deflated) {
      const bytes = await inflate(await this.#source.read(begin, end), entry.size);
      if (bytes === null) throw this.#bad(entry, `does not unpack to ${entry.size} bytes`);
      checksum = crc32(bytes, 0);
      yield bytes;
    } else {
      const short = () => this.#bad(entry, "became shorter while it was read");
      for await (const part of partsOf(this.#source, begin, end, most, short)) {
        checksum = crc32(part, checksum);
        yield part;
      }
    }
    if (checksum !== entry.checksum) throw this.#bad(entry, "was changed: its checksum is wrong");
  }
}

/** Where the directory lies, and how many files it lists. */
async function directoryOf(
  source: Slices,
  bad: (why: string) => FormatError,
): Promise<{ begin: number; end: number; count: number }> {
  const from = Math.max(0, source.size - END_BYTES - MOST_COMMENT - LOCATOR_BYTES);
  const tail = await source.read(from, source.size), view = viewOf(tail);
  let at = tail.length - END_BYTES;
  while (
    at >= 0 && !(view.getUint32(at, true) === END && at + END_BYTES + view.getUint16(at + 20, true) <= tail.length)
  ) at--;
  if (at < 0) throw bad("its directory is missing, so its end was cut off");
  let count = view.getUint16(at + 10, true),
    bytes = view.getUint32(at + 12, true),
    begin = view.getUint32(at + 16, true);
  let last = from + at;
  if (at >= LOCATOR_BYTES && view.getUint32(at - LOCATOR_BYTES, true) === LOCATOR_64) {
    last = size64(view, at - LOCATOR_BYTES + 8);
    if (last + END_64_BYTES > source.size) throw bad("its Zip64 directory leaves the archive");
    const wide = viewOf(await source.read(last, last + END_64_BYTES));
    if (wide.byteLength !== END_64_BYTES || wide.getUint32(0, true) !== END_64) {
      throw bad("its Zip64 directory is missing");
    }
    [count, bytes, begin] = [32, 40, 48].map((field) => size64(wide, field));
  }
  if (begin + bytes > last) throw bad("its directory leaves the archive");
  if (count > MOST_ENTRIES || bytes > MOST_DIRECTORY) throw bad(`${count} files in a directory of ${bytes} bytes`);
  return { begin, end: begin + bytes, count };
}

/** Reads one entry of the directory. */
function entryOf(
  bytes: Uint8Array,
  nameBytes: number,
  extraBytes: number,
  limit: number,
  bad: (why: string) => FormatError,
): ZipEntry {
  const view = viewOf(bytes);
  const name = new TextDecoder().decode(bytes.subarray(CENTRAL_BYTES, CENTRAL_BYTES + nameBytes));
  if (name.includes("\0") || /^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)/.test(name)) {
    throw bad(`a name leaves its folder: ${JSON.stringify(name)}`);
  }
  const method = view.getUint16(10, true);
  if (method !== STORED && method !== DEFLATED) throw bad(`${JSON.stringify(name)} is packed by method ${method}`);
  if (view.getUint16(8, true) & 1) throw bad(`${JSON.stringify(name)} is encrypted`);
  // What does not fit 32 bits stands in the Zip64 field, in this order.
  let [size, packed, header] = [24, 20, 42].map((field) => view.getUint32(field, true));
  const wide = wideNumbers(bytes.subarray(CENTRAL_BYTES + nameBytes, CENTRAL_BYTES + nameBytes + extraBytes));
  if (size === IN_ZIP64) size = wide.shift() ?? size;
  if (packed === IN_ZIP64) packed = wide.shift() ?? packed;
  if (header === IN_ZIP64) header = wide.shift() ?? header;
  const deflated = method === DEFLATED;
  if (header + LOCAL_BYTES + packed > limit) throw bad(`${JSON.stringify(name)} leaves the archive`);
  const possible = deflated ? size <= Math.min(packed * MOST_GROWTH, MOST_UNPACKED) : size === packed;
  if (!possible) throw bad(`${JSON.stringify(name)} claims ${size} bytes`);
  return { name, size, packed, deflated, checksum: view.getUint32(16, true), header };
}

/** The numbers of the Zip64 extra field. */
function wideNumbers(extra: Uint8Array): number[] {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length;) {
    const id = view.getUint16(at, true), length = view.getUint16(at + 2, true);
    if (id === 1 && at + 4 + length <= extra.length) {
      return Array.from({ length: Math.floor(length / 8) }, (_, i) => size64(view, at + 4 + 8 * i));
    }
    at += 4 + length;
  }
  return [];
}

/** A file to be stored. */
export interface ZipFile {
  /** Its path in the archive. */
  readonly name: string;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/** The beginning of 1980, the first date that the format knows: archives of equal files are equal. */
const DATE = 33;

/** Writes numbers of 16, 32 or 64 bits one after another. */
function fields(...list: readonly (readonly [bits: 16 | 32 | 64, value: number])[]): Uint8Array {
  const out = new Uint8Array(list.reduce((sum, [bits]) => sum + bits / 8, 0)), view = viewOf(out);
  let at = 0;
  for (const [bits, value] of list) {
    if (bits === 16) view.setUint16(at, value, true);
    else if (bits === 32) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += bits / 8;
  }
  return out;
}

/** The fields that the local header and the directory share. */
function common(size: number, checksum: number, nameBytes: number, extraBytes: number): Uint8Array {
  const sizes = [[32, size], [32, size], [16, nameBytes], [16, extraBytes]] as const;
  return fields([16, 45], [16, 0x0800], [16, STORED], [16, 0], [16, DATE], [32, checksum], ...sizes);
}

/**
 * The bytes of an archive that stores files, part by part.
 *
 * @param files taken one after another, so that only one is in memory
 * @param align where the bytes of each file begin: at a multiple of this
 */
export async function* zipParts(
  files: Iterable<ZipFile> | AsyncIterable<ZipFile>,
  align: number,
): AsyncGenerator<Uint8Array> {
  const directory: Uint8Array[] = [];
  let at = 0, count = 0;
  for await (const { name, bytes } of files) {
    const label = new TextEncoder().encode(name), checksum = crc32(bytes, 0), size = bytes.length;
    const wide = size >= IN_ZIP64 ? fields([16, 1], [16, 16], [64, size], [64, size]) : new Uint8Array();
    // An extra field of zeros fills up to the alignment, as PyTorch's does.
    const start = at + LOCAL_BYTES + label.length + wide.length + 4, fill = (align - start % align) % align;
    const extra = [wide, fields([16, 0x4246], [16, fill]), new Uint8Array(fill)];
    const shown = Math.min(size, IN_ZIP64);
    yield fields([32, LOCAL]);
    yield common(shown, checksum, label.length, wide.length + 4 + fill);
    yield label;
    yield* extra;
    yield bytes;
    const far = at >= IN_ZIP64 || size >= IN_ZIP64;
    const own = far ? fields([16, 1], [16, 24], [64, size], [64, size], [64, at]) : new Uint8Array();
    const said = far ? IN_ZIP64 : size;
    directory.push(
      fields([32, CENTRAL], [16, 45]),
      common(said, checksum, label.length, own.length),
      fields([16, 0], [16, 0], [16, 0], [32, 0], [32, far ? IN_ZIP64 : at]),
      label,
      own,
    );
    at = start + fill + size;
    count++;
  }
  yield* directory;
  const bytes = directory.reduce((sum, part) => sum + part.length, 0), end = at + bytes;
  if (end >= IN_ZIP64 || count >= 0xffff) {
    yield fields([32, END_64], [64, 44], [16, 45], [16, 45], [32, 0], [32, 0], [64, count], [64, count], [64, bytes], [
      64,
      at,
    ]);
    yield fields([32, LOCATOR_64], [32, 0], [64, end], [32, 1]);
  }
  const [few, short, near] = [Math.min(count, 0xffff), Math.min(bytes, IN_ZIP64), Math.min(at, IN_ZIP64)];
  yield fields([32, END], [16, 0], [16, 0], [16, few], [16, few], [32, short], [32, near], [16, 0]);
}
