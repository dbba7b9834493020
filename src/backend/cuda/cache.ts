/**
 * Compiled kernels on disk, named by the hash of what they were compiled from.
 *
 * A file is the hash of its code and the code, so that a torn or foreign file is never loaded. The cache is a
 * convenience: without permission, space or a home folder kernels are compiled in every process, and nothing is said.
 *
 * @module
 */

import { environment, granted, readFileSync, sha256, writeFileSync } from "../../base/platform.ts";

const HASH_BYTES = 32;

/** The cache's folder, or `null` where there is no home or no permission. */
function cacheFolder(): string | null {
  const named = environment("XDG_CACHE_HOME"), home = environment("HOME");
  const base = named ? named : home ? `${home}/.cache` : null;
  if (base === null) return null;
  const folder = `${base}/cresset/cuda`;
  return granted({ name: "read", path: folder }) && granted({ name: "write", path: folder }) ? folder : null;
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
      writeFileSync(this.#folder, this.#path(source), bytes);
    } catch { /* a full or read-only disk costs time, not results */ }
  }
}
