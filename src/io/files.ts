/**
 * Reading of files, whole or in parts, from a path, a `file:` URL or an `http(s):` URL.
 *
 * A failure keeps Deno's own error class (`Deno.errors.NotFound`, …) and says what to do. Writing is in `write.ts`.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { type OpenFile, openFile, readFile, systemError } from "../base/platform.ts";

/** The source of bytes: a path, or a `file:`, `http:` or `https:` URL. */
export type Source = string | URL;

/** Who reads, and what: for messages. */
export interface Origin {
  /** The public function. */
  readonly op: string;
  /** The file, in quotes. */
  readonly file: string;
}

const REMEDIES: Readonly<Record<string, string>> = {
  NotFound: "no such file or folder",
  PermissionDenied: "the system denies access; check the owner and the mode of the file and its folder",
  NotCapable: "Deno was not given the permission; add --allow-read or --allow-write for its folder",
  NotADirectory: "a part of the path is not a folder",
  IsADirectory: "the path is a folder",
  ReadOnlyFileSystem: "the file system is read-only",
  AlreadyExists: "the path is taken",
};

/** Rewords an error of the system in the library's form; its class stays the same. */
export function explain(op: string, action: string, path: string, cause: unknown): Error {
  if (!(cause instanceof Error)) throw cause;
  const reason = REMEDIES[cause.name] ?? cause.message;
  const message = `${op}(): cannot ${action}: "${path}"; ${reason}`;
  // A TypeError means that the path itself is invalid: it is empty or has a zero byte.
  return cause instanceof TypeError
    ? new ArgumentError(message, { cause })
    : systemError(cause.name, message, { cause });
}

/** The path of a source on this machine, or `null` where it is on a server. */
export function localPath(op: string, source: Source): string | URL | null {
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw new ArgumentError(`${op}(): expected a path or a URL: ${describe(source)}`);
  }
  if (source instanceof URL) return source.protocol === "file:" ? source : null;
  if (/^https?:\/\//.test(source)) return null;
  return source.startsWith("file://") ? new URL(source) : source;
}

/**
 * All the bytes of a file, or of the response to a URL.
 *
 * @param op the public function, for error messages
 */
export async function readBytes(op: string, source: Source): Promise<Uint8Array<ArrayBuffer>> {
  const path = localPath(op, source);
  try {
    if (path !== null) return await readFile(path);
    const response = await fetch(source);
    if (!response.ok) {
      await response.body?.cancel();
      const name = response.status === 404 ? "NotFound" : "Http";
      throw systemError(name, `the server answered ${response.status} ${response.statusText}`);
    }
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw explain(op, "read", String(source), cause);
  }
}

/** Bytes that can be read in parts: an open file, or bytes in memory. */
export interface Slices {
  /** How many there are. */
  readonly size: number;
  /** The bytes from `begin` to `end`; fewer where the file has become shorter. */
  read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Bytes in memory; every read is a copy. */
export function inMemory(bytes: Uint8Array<ArrayBuffer>): Slices {
  return { size: bytes.length, read: (begin, end) => Promise.resolve(bytes.slice(begin, end)) };
}

/**
 * The bytes from `begin` to `end` in parts of at most `most`.
 *
 * @param short the error if the file has become shorter
 */
export async function* partsOf(
  source: Slices,
  begin: number,
  end: number,
  most: number,
  short: () => Error,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = begin; at < end; at += most) {
    const to = Math.min(at + most, end), part = await source.read(at, to);
    if (part.length !== to - at) throw short();
    yield part;
  }
}

/**
 * Calls `read` with the bytes of a file, of a response or of memory; a file is open until then.
 *
 * @param name the argument's name, for messages
 */
export async function withSource<T>(
  op: string,
  name: string,
  source: Source | ArrayBufferLike | ArrayBufferView,
  read: (bytes: Slices, origin: Origin) => Promise<T>,
): Promise<T> {
  if (typeof source !== "string" && !(source instanceof URL)) {
    return await read(inMemory(bytesOf(op, name, source)), { op, file: "the data" });
  }
  const path = localPath(op, source), origin = { op, file: `"${source}"` };
  if (path === null) return await read(inMemory(await readBytes(op, source)), origin);
  using file = await FileSlices.open(op, path);
  return await read(file, origin);
}

/** A file opened for reading some of its bytes. */
export class FileSlices implements Slices, Disposable {
  /** The size of the file in bytes when it was opened. */
  readonly size: number;
  readonly #file: OpenFile;
  readonly #op: string;
  readonly #path: string;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(op: string, path: string, file: OpenFile, size: number) {
    this.#op = op;
    this.#path = path;
    this.#file = file;
    this.size = size;
  }

  /** Opens the file at `path`. */
  static async open(op: string, path: string | URL): Promise<FileSlices> {
    if (typeof path !== "string" && !(path instanceof URL)) {
      throw new ArgumentError(`${op}(): the file must be a path or a URL: ${describe(path)}`);
    }
    let file: OpenFile | null = null;
    try {
      file = await openFile(path, "read");
      const { isDirectory, size } = await file.stat();
      if (isDirectory) throw systemError("IsADirectory", "a folder");
      return new FileSlices(op, String(path), file, size);
    } catch (cause) {
      file?.close();
      throw explain(op, "read", String(path), cause);
    }
  }

  /** The bytes from `begin` to `end`; fewer where the file has become shorter. */
  read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    // One read after another: they share the file's position, so concurrent reads would mix their bytes.
    const result = this.#last.then(() => this.#readNow(begin, end));
    this.#last = result.catch(() => {});
    return result;
  }

  async #readNow(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    try {
      const bytes = new Uint8Array(end - begin);
      await this.#file.seek(begin);
      let filled = 0;
      while (filled < bytes.length) {
        const n = await this.#file.read(bytes.subarray(filled));
        if (n === null) break;
        filled += n;
      }
      return bytes.subarray(0, filled);
    } catch (cause) {
      throw explain(this.#op, "read", this.#path, cause);
    }
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.close();
  }
}
