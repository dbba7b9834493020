/**
 * The platform: the only file of `src` that names Deno or Node.
 *
 * Deno offers everything that is used here. Where another platform lacks something, the function returns `undefined` or
 * `null`, or throws an error that names what would be needed; nothing fails while modules are loaded. `ffi/` opens
 * native libraries, which only Deno can.
 *
 * @module
 */

/** Deno's API, or `undefined` on other platforms. */
const deno = (globalThis as { Deno?: typeof Deno }).Deno;

interface Modules {
  "node:async_hooks": { AsyncLocalStorage: new <T>() => ContextStorage<T> };
  "node:crypto": { createHash(name: string): { update(part: string | Uint8Array): unknown; digest(): Uint8Array } };
  "node:timers": { setImmediate(fn: () => void): unknown };
  "node:v8": { setFlagsFromString(flag: string): void };
  "node:vm": { runInNewContext(code: string): unknown };
  "node:zlib": { crc32(bytes: Uint8Array, value: number): number };
}

/** A built-in module that Deno and Node share, or `undefined` where there is none (in a browser). */
function builtin<K extends keyof Modules>(name: K): Modules[K] | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  return process?.getBuiltinModule?.(name) as Modules[K] | undefined;
}

// ---------------------------------------------------------------- asynchronous context

/** Asynchronous context: a value that follows a task across `await`, timers and promises (`AsyncLocalStorage`). */
export interface ContextStorage<T> {
  /** Calls `fn`; in it, and in what it starts, `getStore` gives `store`. */
  run<R>(store: T, fn: () => R): R;
  /** The value of the running task. */
  getStore(): T | undefined;
}

/** A new {@linkcode ContextStorage}, or `null` where the platform has none. */
export function contextStorage<T>(): ContextStorage<T> | null {
  const module = builtin("node:async_hooks");
  return module === undefined ? null : new module.AsyncLocalStorage<T>();
}

// ---------------------------------------------------------------- turns and memory

let immediate: ((fn: () => void) => unknown) | null = null;

function findImmediate(): (fn: () => void) => unknown {
  const own = (globalThis as { setImmediate?: (fn: () => void) => unknown }).setImmediate;
  return own ?? builtin("node:timers")?.setImmediate ?? ((fn) => setTimeout(fn, 0));
}

/** Waits for one macrotask, in which finalizers and other waiting tasks run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void (immediate ??= findImmediate())(resolve));
}

let collect: (() => void) | null | undefined;

/** Makes the garbage collector run now, where the platform allows that. */
export function collectNow(): void {
  if (collect === undefined) {
    builtin("node:v8")?.setFlagsFromString("--expose-gc");
    collect = (builtin("node:vm")?.runInNewContext("gc") ?? null) as (() => void) | null;
  }
  collect?.();
}

// ---------------------------------------------------------------- checksums and compression

let checksums: readonly number[] | null = null;

/** The table of the CRC-32 of each byte. */
function checksumTable(): readonly number[] {
  return checksums ??= Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n >>> 0;
  });
}

/** The CRC-32 of bytes that come after those of which `before` is the CRC-32. */
export function crc32(bytes: Uint8Array, before: number): number {
  const native = builtin("node:zlib")?.crc32;
  if (native !== undefined) return native(bytes, before);
  const table = checksumTable();
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** What deflated bytes unpack to; `null` where that is not `size` bytes. */
export async function inflate(bytes: Uint8Array<ArrayBuffer>, size: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const out = new Uint8Array(size);
  let at = 0;
  try {
    for await (const part of new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))) {
      if (at + part.length > size) return null;
      out.set(part, at);
      at += part.length;
    }
  } catch {
    return null;
  }
  return at === size ? out : null;
}

// ---------------------------------------------------------------- permissions, environment, machine

/** Whether the process may do something without asking. */
export function granted(descriptor: Deno.PermissionDescriptor): boolean {
  try {
    return deno !== undefined && deno.permissions.querySync(descriptor).state === "granted";
  } catch {
    return false;
  }
}

/** An environment variable, or `undefined` where it is unset or may not be read. */
export function environment(name: string): string | undefined {
  return granted({ name: "env", variable: name }) ? deno!.env.get(name) : undefined;
}

/** The processor's architecture: `"x86_64"`, `"aarch64"`, or `""` where the platform does not say. */
export function processor(): string {
  return deno?.build.arch ?? "";
}

/** Whether native libraries can be opened here. */
export function hasNative(): boolean {
  return typeof deno?.dlopen === "function";
}

/** Requests a WebGPU adapter; `null` where there is no WebGPU or no GPU. */
export async function gpuAdapter(wish: GPURequestAdapterOptions): Promise<GPUAdapter | null> {
  return await globalThis.navigator?.gpu?.requestAdapter(wish) ?? null;
}

/** The key of the method by which `console.log` shows an object. */
export const inspectKey: unique symbol = Symbol.for("Deno.customInspect") as never;

/** The keys of that method in Deno and in Node. */
export const inspectKeys: readonly symbol[] = [inspectKey, Symbol.for("nodejs.util.inspect.custom")];

// ---------------------------------------------------------------- errors of the system

/** The names of the system's errors that the library tells apart. */
export type SystemErrorName = "NotFound" | "Http" | "IsADirectory" | "NotCapable" | "TimedOut";

/** An error of the system's class of that name (`Deno.errors.NotFound`); a plain one with the name where there is none. */
export function systemError(name: string, message: string, options?: ErrorOptions): Error {
  const classes = deno?.errors as Record<string, new (message: string, options?: ErrorOptions) => Error> | undefined;
  const Class = classes !== undefined && Object.hasOwn(classes, name) ? classes[name] : undefined;
  if (Class !== undefined) return new Class(message, options);
  const error = new Error(message, options);
  error.name = name;
  return error;
}

/** Whether an error is one of the system's of these names. */
export function isSystemError(error: unknown, ...names: SystemErrorName[]): boolean {
  return error instanceof Error && (names as string[]).includes(error.name);
}

// ---------------------------------------------------------------- files

/** An open file. */
export interface OpenFile extends Disposable {
  /** Reads at most `into.length` bytes and returns their number; `null` at the end of the file. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes` and returns their number. */
  write(bytes: Uint8Array): Promise<number>;
  /** Sets the position, in bytes from the beginning. */
  seek(position: number): Promise<void>;
  /** The size in bytes, whether it is a folder, and how many names it has; `null` where the system does not count them. */
  stat(): Promise<{ size: number; isDirectory: boolean; nlink: number | null }>;
  /** Flushes what was written to the disk (`fsync`). */
  sync(): Promise<void>;
  /** Locks the file until it is closed or the process ends; `false` where another process has it. */
  tryLock(): Promise<boolean>;
  /** Closes the file. */
  close(): void;
}

function disk(): typeof Deno {
  if (deno === undefined) throw systemError("NotSupported", "this platform has no files; give a URL or bytes");
  return deno;
}

/** All the bytes of a file. */
export async function readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  return await disk().readFile(path);
}

/** How a file is opened: to read, to write over what exists, or as a new one, which others may read or only its owner. */
export type OpenMode = "read" | "write" | "create" | "createPrivate";

/** Opens a file. */
export async function openFile(path: string | URL, mode: OpenMode): Promise<OpenFile> {
  const { SeekMode, open } = disk(), createNew = mode === "create" || mode === "createPrivate";
  const permissions = mode === "createPrivate" ? { mode: 0o600 } : {};
  const file = await open(path, { read: mode === "read", write: mode !== "read", createNew, ...permissions });
  const close = () => file.close();
  return {
    read: (into) => file.read(into),
    write: (bytes) => file.write(bytes),
    seek: async (position) => void await file.seek(position, SeekMode.Start),
    stat: () => file.stat(),
    sync: () => file.sync(),
    tryLock: () => file.tryLock(true),
    close,
    [Symbol.dispose]: close,
  };
}

/** What the system says of a file, of a symbolic link itself where `path` is one; `null` where there is none. */
export interface FileFacts {
  /** Whether it is a regular file, a folder or a symbolic link; a device or a pipe is none of them. */
  readonly kind: "file" | "folder" | "link" | "other";
  /** The permission bits; `null` where the system has none. */
  readonly mode: number | null;
  /** The owner; `null` where the system has none. */
  readonly uid: number | null;
  /** The group; `null` where the system has none. */
  readonly gid: number | null;
}

/** {@linkcode FileFacts} of a path. */
export async function fileFacts(path: string | URL): Promise<FileFacts | null> {
  try {
    const { isFile, isDirectory, isSymlink, mode, uid, gid } = await disk().lstat(path);
    const kind = isFile ? "file" : isDirectory ? "folder" : isSymlink ? "link" : "other";
    return { kind, mode: mode === null ? null : mode & 0o7777, uid, gid };
  } catch (error) {
    if (isSystemError(error, "NotFound")) return null;
    throw error;
  }
}

/** What a symbolic link says. */
export async function readLink(path: string): Promise<string> {
  return await disk().readLink(path);
}

/** Gives a file the mode, owner and group of another, as far as the system allows. */
export async function takeFacts(path: string, { mode, uid, gid }: FileFacts): Promise<void> {
  const { chmod, chown } = disk();
  // The owner first: changing it may clear bits of the mode. Only the superuser may give files away.
  if (uid !== null) await chown(path, uid, gid).catch(() => {});
  if (mode !== null) await chmod(path, mode).catch(() => {});
}

/** The names in a folder. */
export async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of disk().readDir(folder)) names.push(name);
  return names;
}

/** Waits until the disk has the names of a folder, on systems that let a folder be opened. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    using handle = await disk().open(folder, { read: true });
    await handle.sync();
  } catch {
    // Windows opens no folders, and reading may not be permitted: the file itself is on the disk.
  }
}

/** The path of a file without symbolic links. */
export async function realPath(path: string | URL): Promise<string> {
  return await disk().realPath(path);
}

/** Renames a file, replacing one that has the new name. */
export async function rename(from: string, to: string): Promise<void> {
  await disk().rename(from, to);
}

/** Removes a file. */
export async function remove(path: string): Promise<void> {
  await disk().remove(path);
}

/** The path of a `file:` URL on this system. */
export function pathOf(url: URL): string {
  const path = decodeURIComponent(url.pathname);
  if (deno?.build.os !== "windows") return path;
  return url.host ? `//${url.host}${path}` : path.slice(1);
}

/** All the bytes of a file, synchronously. */
export function readFileSync(path: string): Uint8Array<ArrayBuffer> {
  return disk().readFileSync(path);
}

/** Writes a file atomically: other processes see all of it or none. Only its owner may read it. */
export function writeFileSync(path: string, bytes: Uint8Array): void {
  const files = disk();
  const temporary = `${path}.${crypto.randomUUID()}`;
  files.writeFileSync(temporary, bytes, { createNew: true, mode: 0o600 });
  // Renaming is atomic.
  files.renameSync(temporary, path);
}

/** Bits of a mode: others may write; only the owner may do something; entries are safe from other users all the same. */
const WRITABLE = 0o022, PERMISSIONS = 0o777, PRIVATE = 0o700, STICKY = 0o1000;

/**
 * The id of the user who owns files that this process makes in `folder`; asking the system for it would need one more
 * permission.
 */
function ownUser(folder: string): number | null {
  const files = disk(), probe = `${folder}/.${crypto.randomUUID()}`;
  files.writeFileSync(probe, new Uint8Array(0), { createNew: true, mode: 0o600 });
  try {
    return files.lstatSync(probe).uid;
  } finally {
    files.removeSync(probe);
  }
}

/** Makes `base/parent/name` where it is missing: its path if it is private to this process's user, else `null`. */
export function privateFolder(base: string, parent: string, name: string): string | null {
  const files = disk(), folder = `${base}/${parent}/${name}`;
  files.mkdirSync(folder, { recursive: true, mode: PRIVATE });
  const root = files.statSync(base), above = files.lstatSync(`${base}/${parent}`), own = files.lstatSync(folder);
  if (!above.isDirectory || !own.isDirectory || root.mode === null || above.mode === null || own.mode === null) {
    return null;
  }
  // A user who may rename the folders above could put other folders in their place.
  if ((root.mode & WRITABLE) !== 0 && (root.mode & STICKY) === 0 || (above.mode & WRITABLE) !== 0) return null;
  // Other users could have written into the folder: its files are not trusted, now or later.
  if ((own.mode & WRITABLE) !== 0) return null;
  const user = ownUser(folder);
  if (user === null || own.uid !== user || above.uid !== user) return null;
  // Earlier versions let others read.
  if ((own.mode & PERMISSIONS) !== PRIVATE) files.chmodSync(folder, PRIVATE);
  return folder;
}

/** The SHA-256 hash of the concatenated parts, or `null` where the platform has no synchronous one. */
export function sha256(...parts: readonly (string | Uint8Array)[]): Uint8Array | null {
  const hash = builtin("node:crypto")?.createHash("sha256");
  if (hash === undefined) return null;
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}
