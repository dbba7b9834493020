/**
 * Compiled kernels on disk, named by the hash of what they were compiled from.
 *
 * A file is the hash of its code and the code, so that a torn or foreign file is never loaded. The cache is a
 * convenience: without permission, space or a home folder kernels are compiled in every process, and nothing is said.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { environment } from "../../../ffi/permissions.ts";

const HASH_BYTES = 32;

function granted(name: "read" | "write", path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}

/** The cache's folder, or `null` where there is no home or no permission. */
function cacheFolder(): string | null {
  const named = environment("XDG_CACHE_HOME"), home = environment("HOME");
  const base = named ? named : home ? `${home}/.cache` : null;
  if (base === null) return null;
  const folder = `${base}/cresset/cuda`;
  return granted("read", folder) && granted("write", folder) ? folder : null;
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
      Deno.mkdirSync(this.#folder, { recursive: true });
      const path = this.#path(source), temporary = `${path}.${crypto.randomUUID()}`;
      const bytes = new Uint8Array(HASH_BYTES + code.length);
      bytes.set(hashOf(code));
      bytes.set(code, HASH_BYTES);
      Deno.writeFileSync(temporary, bytes);
      // Renaming is atomic: another process sees the whole file or none.
      Deno.renameSync(temporary, path);
    } catch { /* a full or read-only disk costs time, not results */ }
  }
}
