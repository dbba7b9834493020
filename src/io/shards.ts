/**
 * Checkpoints in several safetensors files with an index, as the Hugging Face hub stores large models.
 *
 * The index, `model.safetensors.index.json`, maps every tensor's name to the file that holds it. It is read from anywhere,
 * so the files that it names must lie beside it.
 *
 * @see https://huggingface.co/docs/safetensors
 * @module
 */

import { FormatError } from "../base/errors.ts";
import { namesIn, pathOf } from "../base/platform.ts";
import { localPath, readBytes, type Source } from "./files.ts";

/** The files of a checkpoint, each with the names of its tensors; `null` for all that it has. */
export type Shards = ReadonlyMap<Source, readonly string[] | null>;

/** The end of an index's name. */
const INDEX = ".safetensors.index.json";

/** The file in a folder that a checkpoint begins with: its index, or else its only safetensors file. */
function entryOf(op: string, folder: string, names: readonly string[]): string {
  const end = names.some((name) => name.endsWith(INDEX)) ? INDEX : ".safetensors";
  const found = names.filter((name) => name.endsWith(end)).sort();
  const usual = found.find((name) => name === `model${end}`) ?? (found.length === 1 ? found[0] : undefined);
  if (usual !== undefined) return usual;
  throw new FormatError(
    `${op}(): "${folder}" holds ${
      found.length === 0 ? "no safetensors file" : `several: ${found.join(", ")}`
    }; name the file`,
  );
}

/** The names in a folder, or `null` where the path is no folder. */
async function listed(path: string | URL): Promise<string[] | null> {
  try {
    return await namesIn(path instanceof URL ? pathOf(path) : path);
  } catch {
    // What cannot be listed is opened as a file, whose error says what is wrong.
    return null;
  }
}

/** The file that an index names, beside the index. */
function beside(op: string, index: Source, file: unknown): Source {
  if (typeof file !== "string" || file === "" || file === "." || file === ".." || /[\/\\\0]/.test(file)) {
    throw new FormatError(`${op}(): "${index}" names a file that is not beside it: ${JSON.stringify(file)}`);
  }
  const text = String(index);
  if (index instanceof URL || /^(https?|file):/.test(text)) return new URL(encodeURIComponent(file), text);
  return text.slice(0, Math.max(text.lastIndexOf("/"), text.lastIndexOf("\\")) + 1) + file;
}

async function readIndex(op: string, index: Source): Promise<Shards> {
  let root: unknown;
  try {
    root = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await readBytes(op, index)));
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof TypeError)) throw cause;
    throw new FormatError(`${op}(): "${index}" is no index of safetensors files: it is not JSON: ${cause.message}`, {
      cause,
    });
  }
  const map = typeof root === "object" && root !== null ? (root as { weight_map?: unknown }).weight_map : undefined;
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new FormatError(`${op}(): "${index}" is no index of safetensors files: it has no object "weight_map"`);
  }
  const shards = new Map<string, string[]>();
  for (const [name, file] of Object.entries(map)) {
    const source = String(beside(op, index, file));
    const names = shards.get(source);
    if (names === undefined) shards.set(source, [name]);
    else names.push(name);
  }
  return shards;
}

/**
 * The files of the checkpoint at `source`: a safetensors file, an index, or a folder that holds either.
 *
 * @param op the public function, for error messages
 * @throws {FormatError} if an index is malformed, or names a file that is not beside it
 */
export async function shardsOf(op: string, source: Source): Promise<Shards> {
  const path = localPath(op, source), text = String(source);
  if (text.endsWith(INDEX)) return await readIndex(op, source);
  const names = path === null || text.endsWith(".safetensors") ? null : await listed(path);
  if (names === null) return new Map([[source, null]]);
  const folder = text.endsWith("/") ? text : `${text}/`;
  const entry = folder + entryOf(op, text, names);
  return entry.endsWith(INDEX) ? await readIndex(op, entry) : new Map([[entry, null]]);
}
