/**
 * Writing of whole files, so that a crash, a full disk or a failure leaves the previous file as it was.
 *
 * The bytes go to a temporary file in the same folder, which is flushed to the disk and then renamed to the target's name.
 * The new file keeps mode, owner and group of the one that it replaces. A temporary file is locked until it has its final
 * name; one that nobody locks is left from a process that was killed, and the next write of the same target removes it.
 *
 * @module
 */

import { ArgumentError } from "../base/errors.ts";
import {
  type FileFacts,
  fileFacts,
  isSystemError,
  namesIn,
  type OpenFile,
  openFile,
  pathOf,
  readLink,
  realPath,
  remove,
  rename,
  syncFolder,
  systemError,
  takeFacts,
} from "../base/platform.ts";
import { explain, localPath } from "./files.ts";

/** The bytes of a file, part by part; they may be made while they are written. */
export type Parts = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** As many symbolic links in a row as Linux follows. */
const MOST_LINKS = 40;

/** The folder of a path, and the name in it. */
function split(path: string): [folder: string, name: string] {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return at < 0 ? [".", path] : [path.slice(0, at) || "/", path.slice(at + 1)];
}

/** What a write replaces: the file that symbolic links lead to, so that the links survive. */
interface Target {
  readonly path: string;
  /** What is there now; `null` where nothing is, or where only writing is permitted. */
  readonly facts: FileFacts | null;
}

async function targetOf(given: string): Promise<Target> {
  let path = given;
  try {
    for (let i = 0; i < MOST_LINKS; i++) {
      const facts = await fileFacts(path);
      if (facts === null || facts.kind === "file") return { path, facts };
      if (facts.kind === "folder") throw systemError("IsADirectory", "a folder");
      if (facts.kind === "other") throw new ArgumentError("a device or a pipe");
      // A link may lead to a name that does not exist yet, relative to the folder that the link is in.
      const to = await readLink(path), [folder] = split(path);
      path = /^([/\\]|[A-Za-z]:)/.test(to) ? to : `${await realPath(folder)}/${to}`;
    }
  } catch (cause) {
    if (!isSystemError(cause, "NotCapable")) throw cause;
    return { path: given, facts: null };
  }
  throw systemError("FilesystemLoop", "too many symbolic links");
}

/** A short name for the temporary files of a target, so that names of 255 bytes can be written. */
function mark(name: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return `.cresset-${(hash >>> 0).toString(16).padStart(8, "0")}-`;
}

/** Removes what killed processes left of earlier writes. */
async function removeLeftovers(folder: string, prefix: string): Promise<void> {
  let names: string[];
  try {
    names = await namesIn(folder);
  } catch {
    // Without read permission nothing is known of them.
    return;
  }
  for (const name of names.filter((name) => name.startsWith(prefix) && name.endsWith(".tmp"))) {
    try {
      using file = await openFile(`${folder}/${name}`, "write");
      if (await file.tryLock()) await remove(`${folder}/${name}`);
    } catch {
      // Another process has removed it, or it is another user's.
    }
  }
}

/** A new temporary file, open and locked. */
interface Temporary {
  readonly path: string;
  readonly file: OpenFile;
}

/** Locks a file; `false` where another process has taken it for a leftover, between its creation and the lock. */
async function lockNew(file: OpenFile): Promise<boolean> {
  try {
    if (!await file.tryLock()) return false;
  } catch {
    // A file system without locks: no other process removes what it cannot lock.
    return true;
  }
  return (await file.stat()).nlink !== 0;
}

/** Makes a temporary file; where `hidden`, only its owner may read it. */
async function makeTemporary(folder: string, prefix: string, hidden: boolean): Promise<Temporary> {
  for (;;) {
    const path = `${folder}/${prefix}${crypto.randomUUID().slice(0, 8)}.tmp`;
    const file = await openFile(path, hidden ? "createPrivate" : "create");
    if (await lockNew(file)) return { path, file };
    file.close();
  }
}

async function writeAll(file: OpenFile, parts: Parts): Promise<void> {
  for await (const part of parts) {
    let written = 0;
    while (written < part.length) written += await file.write(part.subarray(written));
  }
  await file.sync();
}

/**
 * Writes `parts`, one after another, as the file at `path`, a path or a `file:` URL; on failure the previous file stays.
 *
 * @param op the public function, for error messages
 */
export async function writeBytes(op: string, path: string | URL, parts: Parts): Promise<void> {
  const local = localPath(op, path);
  if (local === null) throw new ArgumentError(`${op}(): files are written on this machine only: "${path}"`);
  let temporary: Temporary | null = null, renamed = false;
  try {
    const target = await targetOf(local instanceof URL ? pathOf(local) : local);
    const [folder, name] = split(target.path), prefix = mark(name);
    await removeLeftovers(folder, prefix);
    // What replaces a private file is never readable by others, not even while it is written.
    temporary = await makeTemporary(folder, prefix, target.facts !== null);
    await writeAll(temporary.file, parts);
    if (target.facts !== null) await takeFacts(temporary.path, target.facts);
    await rename(temporary.path, target.path);
    renamed = true;
    await syncFolder(folder);
  } catch (cause) {
    if (cause instanceof ArgumentError) {
      throw new ArgumentError(`${op}(): cannot write: "${path}" is ${cause.message}, no file`);
    }
    throw explain(op, "write", String(path), cause);
  } finally {
    temporary?.file.close();
    if (temporary !== null && !renamed) await remove(temporary.path).catch(() => {});
  }
}
