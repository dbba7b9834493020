/** What every source file of the library keeps to: it opens with prose, it pretends nothing, it is not too long. */

import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);
/** More than a reader wants to hold in the head; split by meaning before this. */
const MOST_LINES = 700;
/** Marks of work that is left undone or of checks that are silenced. */
const PRETENDING =
  /\b(TODO|FIXME|XXX)\b|\bnot (yet )?implemented\b|\bas any\b|@ts-(ignore|nocheck)|@ts-expect-error(?!:? \S+ \S+)|Deno\.test\.(ignore|only)|\b(ignore|only): true/i;

function* files(folder: string, extension: RegExp): Generator<string> {
  for (const entry of [...Deno.readDirSync(new URL(folder, ROOT))].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory && !["build", "golden", "node_modules", "data"].includes(entry.name)) {
      yield* files(`${folder}${entry.name}/`, extension);
    } else if (entry.isFile && extension.test(entry.name) && !entry.name.includes(".gen.")) yield folder + entry.name;
  }
}

const library = ["mod.ts", ...files("src/", /\.ts$/), ...files("ffi/", /\.ts$/)];
const everything = [
  ...library,
  ...files("native/", /\.(ts|c|h)$/),
  ...files("tests/", /\.ts$/),
  ...files("bench/", /\.ts$/),
  ...files("examples/", /\.ts$/),
].filter((f) => !f.startsWith("tests/habits/"));

function read(file: string): string {
  return Deno.readTextFileSync(new URL(file, ROOT));
}

Deno.test("habits: every module of the library opens by saying what it is", () => {
  const silent = library.filter((f) => !/^\/\*\*\n \* \S[\s\S]*?\n \* @module\n \*\//.test(read(f)));
  assertEquals(silent, []);
});

Deno.test("habits: nothing pretends, skips or silences", () => {
  const found = everything.flatMap((f) =>
    read(f).split("\n").flatMap((line, i) => (PRETENDING.test(line) ? [`${f}:${i + 1}: ${line.trim()}`] : []))
  );
  assertEquals(found, []);
});

Deno.test("habits: a lint rule is switched off only with a reason", () => {
  const found = everything.flatMap((f) =>
    read(f).split("\n").flatMap((line, i) =>
      /deno-lint-ignore/.test(line) && !/deno-lint-ignore [\w-]+(?: [\w-]+)* -- \S/.test(line)
        ? [`${f}:${i + 1}: ${line.trim()}`]
        : []
    )
  );
  assertEquals(found, []);
});

Deno.test(`habits: no file is longer than ${MOST_LINES} lines`, () => {
  const long = everything.filter((f) => f.endsWith(".ts") || f.endsWith(".c") || f.endsWith(".h"))
    .map((f) => ({ f, lines: read(f).split("\n").length - 1 }))
    .filter(({ lines }) => lines > MOST_LINES);
  assertEquals(long, []);
});

/** Tracked files, and new ones that git does not ignore; `null` where this is no checkout or git is not installed. */
async function paths(): Promise<string[] | null> {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  try {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: ROOT, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "") : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

Deno.test("habits: every class of parameters has a name of its own", () => {
  const files = new Map<string, string[]>();
  for (const f of library) {
    for (const [, name] of read(f).matchAll(/^export class (\w+Args)\b/gm)) {
      files.set(name, [...(files.get(name) ?? []), f]);
    }
  }
  assertEquals([...files].filter(([, where]) => where.length > 1), []);
  assert(files.size > 300, `only ${files.size} classes were found`);
});

Deno.test("habits: no two paths differ by case only", async () => {
  const tracked = await paths();
  if (tracked === null) return console.log("paths are not compared: no git checkout, or no git");
  // macOS and Windows keep one of two such files; a folder's name counts as a file's does.
  const all = new Set(tracked);
  for (const path of tracked) for (let at = 0; (at = path.indexOf("/", at + 1)) > 0;) all.add(path.slice(0, at));
  const spelled = Map.groupBy(all, (path) => path.toLowerCase());
  assertEquals([...spelled.values()].filter((spellings) => spellings.length > 1), []);
});
