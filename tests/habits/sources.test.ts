/** What every source file of the library keeps to: it opens with prose, it pretends nothing, it is not too long. */

import { assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);
/** More than a reader wants to hold in the head; split by meaning before this. */
const MOST_LINES = 700;
/** Marks of work that is left undone or of checks that are silenced. */
const PRETENDING =
  /\b(TODO|FIXME|XXX)\b|\bnot (yet )?implemented\b|\bas any\b|@ts-(ignore|expect-error|nocheck)|Deno\.test\.(ignore|only)|\b(ignore|only): true/i;

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
