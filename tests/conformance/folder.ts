/**
 * Finds the golden files of a folder and the priority of each entry.
 *
 * @module
 */

import type { Job } from "./driver.ts";
import type { Entry } from "./entry.ts";
import { readGolden } from "./golden.ts";

/** A folder's contents: what to replay, and rows for entries that were recorded without samples. */
export interface Folder {
  torch: string;
  jobs: Job[];
  empty: Entry[];
}

interface IndexEntry {
  kind: string;
  name?: string;
  variant?: string;
  file?: string;
  samples?: number;
  skipped?: Record<string, number>;
}

const GOLDEN_FILE = /\.safetensors(\.gz)?$/;

/** Reads `index.json` where there is one, else every golden file below `path`. */
export async function openFolder(path: string): Promise<Folder> {
  const info = await Deno.stat(path).catch(() => null);
  if (!info) throw new Error(`conformance(): the folder does not exist: ${path}`);
  if (info.isFile) return await fromFiles([path]);
  try {
    return fromIndex(path, JSON.parse(await Deno.readTextFile(`${path}/index.json`)));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const files: string[] = [];
  await walk(path, files);
  if (files.length === 0) throw new Error(`conformance(): the folder holds no .safetensors files: ${path}`);
  return await fromFiles(files.sort());
}

function fromIndex(path: string, index: { torch: string; entries: IndexEntry[] }): Folder {
  const jobs: Job[] = [];
  const empty: Entry[] = [];
  for (const { kind, name = kind, variant = "", file, samples, skipped } of index.entries) {
    if (kind === "rng") continue;
    if (file) jobs.push({ path: `${path}/${file}`, kind, name, variant });
    else empty.push(emptyEntry(kind, name, variant, samples ?? 0, skipped));
  }
  return { torch: index.torch, jobs, empty };
}

/** The row of an entry that PyTorch recorded nothing for. */
function emptyEntry(
  kind: string,
  name: string,
  variant: string,
  samples: number,
  skipped: Record<string, number> = {},
): Entry {
  const first = `nothing recorded: ${Object.keys(skipped).join("; ") || "no samples"}`;
  return { kind, name, variant, priority: "", dtype: "", status: "skipped", samples, failedSamples: 0, first };
}

async function fromFiles(files: string[]): Promise<Folder> {
  const jobs: Job[] = [];
  let torch = "unknown";
  for (const path of files) {
    try {
      const { manifest } = await readGolden(path);
      torch = manifest.torch as string ?? torch;
      const kind = manifest.kind as string | undefined;
      if (!kind || kind === "rng") continue;
      jobs.push({ path, kind, name: manifest.name as string ?? kind, variant: manifest.variant as string ?? "" });
    } catch {
      // A damaged file becomes a failed row when the worker opens it, not the end of the run.
      jobs.push({ path, kind: "op", name: path, variant: "" });
    }
  }
  return { torch, jobs, empty: [] };
}

async function walk(path: string, out: string[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) await walk(`${path}/${name}`, out);
    else if (GOLDEN_FILE.test(name)) out.push(`${path}/${name}`);
  }
}

/**
 * Where the packer puts a recorded file: in lower case, with a `+` before each letter that was a capital, so that no two
 * paths differ by case only. macOS and Windows keep one file of two such paths. The reader takes names from the manifests.
 */
export function packedName(path: string): string {
  return `${path.replace(/\p{Lu}/gu, (letter) => `+${letter.toLowerCase()}`)}.gz`;
}

/** The name that `--only` and `passing.txt` use: `op add`, `op div.no_rounding_mode`, `module nn.Linear`. */
export function entryName({ kind, name, variant }: Pick<Entry, "kind" | "name" | "variant">): string {
  return `${kind} ${variant ? `${name}.${variant}` : name}`;
}

/** Looks priorities up in the committed copy of the inventory. */
export async function readPriorities(): Promise<(entry: Entry) => string> {
  const text = await Deno.readTextFile(new URL("./priorities.tsv", import.meta.url));
  const priorities = new Map<string, string>();
  for (const line of text.trimEnd().split("\n").slice(1)) {
    const [kind, name, variant, , priority] = line.split("\t");
    priorities.set(entryName({ kind, name, variant }), priority);
  }
  return (entry) => priorities.get(entryName(entry)) ?? priorities.get(entryName({ ...entry, variant: "" })) ?? "";
}
