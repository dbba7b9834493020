/**
 * Compiled kernels on disk, named by the hash of what they were compiled from.
 *
 * A file is the hash of its code and the code, so that a torn or foreign file is never loaded. The cache is a
 * convenience: without permission, space or a home folder kernels are compiled in every process, and nothing is said.
 *
 * What lies there runs on the device with the rights of this process, so the folder must be its user's alone: owned by the
 * user, of mode 0700, no link. Any other is not used.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { environment } from "../../../ffi/permissions.ts";

const HASH_BYTES = 32;

function granted(name: "read" | "write", path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}

/** Bits of a mode: others may write; only the owner may do something; entries are safe from other users all the same. */
const WRITABLE = 0o022, PERMISSIONS = 0o777, PRIVATE = 0o700, STICKY = 0o1000;

/** The user who owns what this process makes in `folder`; asking for it by name would need one more permission. */
function ownUser(folder: string): number | null {
  const probe = `${folder}/.${crypto.randomUUID()}`;
  Deno.writeFileSync(probe, new Uint8Array(0), { createNew: true, mode: 0o600 });
  try {
    return Deno.lstatSync(probe).uid;
  } finally {
    Deno.removeSync(probe);
  }
}

/** Makes `base/cresset/cuda` where it is missing: its path if it is private to this process's user, else `null`. */
function privateFolder(base: string): string | null {
  const parent = `${base}/cresset`, folder = `${parent}/cuda`;
  Deno.mkdirSync(folder, { recursive: true, mode: PRIVATE });
  const root = Deno.statSync(base), above = Deno.lstatSync(parent), own = Deno.lstatSync(folder);
  if (!above.isDirectory || !own.isDirectory || root.mode === null || above.mode === null || own.mode === null) {
    return null;
  }
  // Who may rename the folders could put others in their place.
  if ((root.mode & WRITABLE) !== 0 && (root.mode & STICKY) === 0 || (above.mode & WRITABLE) !== 0) return null;
  // Others could have written here: what lies in it is not trusted, now or later.
  if ((own.mode & WRITABLE) !== 0) return null;
  const user = ownUser(folder);
  if (user === null || own.uid !== user || above.uid !== user) return null;
  // Earlier versions let others read.
  if ((own.mode & PERMISSIONS) !== PRIVATE) Deno.chmodSync(folder, PRIVATE);
  return folder;
}

/** The cache's folder, or `null` where there is no home or no permission, or where it is not private. */
function cacheFolder(): string | null {
  const named = environment("XDG_CACHE_HOME"), home = environment("HOME");
  const base = named ? named : home ? `${home}/.cache` : null;
  if (base === null || !granted("read", base) || !granted("write", base)) return null;
  try {
    return privateFolder(base);
  } catch {
    return null; // a disk that is full or cannot be written
  }
}

function hashOf(...parts: (string | Uint8Array)[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** The compiled kernels of one device and compiler. */
export class KernelCache {
  readonly #folder: string | null = cacheFolder();
  readonly #compiler: string;

  /** A cache for what `compiler` (its version, options and target) makes. */
  constructor(compiler: string) {
    this.#compiler = compiler;
  }

  #path(source: string): string {
    const name = [...hashOf(this.#compiler, "\0", source)].map((b) => b.toString(16).padStart(2, "0")).join("");
    return `${this.#folder}/${name}.cubin`;
  }

  /** The code compiled from `source`, or `null`. */
  get(source: string): Uint8Array<ArrayBuffer> | null {
    if (this.#folder === null) return null;
    try {
      const bytes = Deno.readFileSync(this.#path(source));
      const code = bytes.slice(HASH_BYTES), hash = hashOf(code);
      return code.length > 0 && hash.every((b, i) => b === bytes[i]) ? code : null;
    } catch {
      return null; // absent, or unreadable: compile it
    }
  }

  /** Keeps the code compiled from `source`. */
  set(source: string, code: Uint8Array): void {
    if (this.#folder === null) return;
    try {
      const path = this.#path(source), temporary = `${path}.${crypto.randomUUID()}`;
      const bytes = new Uint8Array(HASH_BYTES + code.length);
      bytes.set(hashOf(code));
      bytes.set(code, HASH_BYTES);
      Deno.writeFileSync(temporary, bytes, { createNew: true, mode: 0o600 });
      // Renaming is atomic: another process sees the whole file or none.
      Deno.renameSync(temporary, path);
    } catch { /* a full or read-only disk costs time, not results */ }
  }
}
