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

import { environment, granted, privateFolder, readFileSync, sha256, writeFileSync } from "../../../base/platform.ts";

const HASH_BYTES = 32;

/** The cache's folder, or `null` where there is no home or no permission, or where it is not private. */
function cacheFolder(): string | null {
  const named = environment("XDG_CACHE_HOME"), home = environment("HOME");
  const base = named ? named : home ? `${home}/.cache` : null;
  if (base === null || !granted({ name: "read", path: base }) || !granted({ name: "write", path: base })) return null;
  try {
    return privateFolder(base, "cresset", "cuda");
  } catch {
    return null; // a disk that is full or cannot be written
  }
}

function hashOf(...parts: (string | Uint8Array)[]): Uint8Array {
  return sha256(...parts)!; // there is a folder only where there is this
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
      const bytes = readFileSync(this.#path(source));
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
      const bytes = new Uint8Array(HASH_BYTES + code.length);
      bytes.set(hashOf(code));
      bytes.set(code, HASH_BYTES);
      writeFileSync(this.#path(source), bytes);
    } catch { /* a full or read-only disk costs time, not results */ }
  }
}
