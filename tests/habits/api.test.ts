/** `api.txt` is the public API: no name is missing, and every name is documented. */

import { assert, assertEquals } from "@std/assert";
import { type ApiLine, apiText, firstDifferences, projectApi, readApi } from "./api.ts";
import { entryPath, entryPoints, namespaceTree, publicModules } from "./api_doc.ts";
import { isInherited, type RuntimeName, runtimeNames } from "./api_runtime.ts";

const ROOT = new URL("../../", import.meta.url);
const FIXTURES = new URL("fixtures/", import.meta.url);

/** The API of this project, read once. */
const project = projectApi();

async function textOf(entry: URL): Promise<string> {
  return apiText(await readApi(namespaceTree(entry.href), [entry.href]));
}

/**
 * What exists at run time and has no line. The members of a class that a table entry makes (`const Flatten: Layer<…>`) are
 * told by the type in its line.
 */
function missing(names: readonly RuntimeName[], lines: readonly ApiLine[], hidden: ReadonlySet<string>): string[] {
  const known = new Set(lines.map((line) => line.name));
  const entries = new Set(lines.filter((line) => line.text.startsWith("const ")).map((line) => line.name));
  const told = ({ name }: RuntimeName) => known.has(name) || hidden.has(name) || entries.has(name.split(": ")[0]);
  return names.filter((n) => !told(n) && !isInherited(n)).map((n) => n.name);
}

Deno.test("api: every kind of declaration has its line", async () => {
  assertEquals(
    await textOf(new URL("api.ts", FIXTURES)),
    [
      "Box: get first(): number",
      "Box: key?: keyof Box<T> & (string | undefined)",
      "Box: readonly size: number",
      "Box: static make(this: void): Box<1>",
      "class Box<T> extends Map<string, T>",
      "Shape: (a: T): void",
      "Shape: [key: number]: unknown",
      "Shape: named<U>(a: U): `x${string}`",
      "interface Shape<T = 1>",
      "class Tensor",
      "interface Tensor extends TensorParts",
      "Tensor: double(times: number): Tensor",
      "Tensor: double_(times: number): Tensor",
      "Tensor: readonly shape: readonly number[]",
      "Tensor: size(): number",
      "Tensor: size(dim: number): number",
      "interface TensorParts",
      "TensorParts: readonly shape: readonly number[]",
      'type Unwrap<T> = T extends (infer R)[] ? { [K in keyof R]?: R[K] } : (() => never) | "no"',
      "function double(input: Tensor, times: number): Tensor",
      'function f<T extends string = "a">(a: number, b?: readonly T[], ...rest: [string, number?][]): a is 3',
      "namespace inner",
      "namespace inner.deep",
      "class inner.deep.Layer",
      "inner.deep.Layer: forward(): number",
      "inner.deep.Layer: static half(): number",
      "const inner.deep.Typed: typeof Layer",
      "function inner.deep.three(): number",
      "function inner.drei(): number",
      "const inner.two: number",
      "function undocumented(): void",
    ].join("\n") + "\n",
  );
});

Deno.test("api: a name that leaves a namespace, whatever its depth, is a difference", async () => {
  const before = await textOf(new URL("api.ts", FIXTURES));
  const folder = await Deno.makeTempDir();
  try {
    for (const { name } of Deno.readDirSync(FIXTURES)) {
      if (!name.startsWith("api")) continue;
      const text = await Deno.readTextFile(new URL(name, FIXTURES));
      const less = text.replace(/export \{ three as drei \}.*/, "").replace("static half()", "private static half()")
        .replace("export const Typed", "const Typed").replace("double_: double", "");
      await Deno.writeTextFile(`${folder}/${name}`, less);
    }
    const after = await textOf(new URL(`file://${folder}/api.ts`));
    assertEquals(
      firstDifferences(before, after),
      [
        "- Tensor: double_(times: number): Tensor",
        "- inner.deep.Layer: static half(): number",
        "- const inner.deep.Typed: typeof Layer",
        "- function inner.drei(): number",
      ].join("\n"),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("api: a name that only exists at run time is found", async () => {
  const entry = new URL("api.ts", FIXTURES);
  const { lines, hidden } = await readApi(namespaceTree(entry.href), [entry.href]);
  const names = runtimeNames(await import(entry.href));
  assertEquals(missing(names, lines, hidden), []);
  const without = (gone: string) => missing(names, lines.filter((line) => line.name !== gone), hidden);
  for (const name of ["f", "inner.two", "inner.deep.three", "inner.deep.Layer: half", "Tensor: double_", "Box: make"]) {
    assertEquals(without(name), [name]);
  }
});

Deno.test("api: differences name the lines that left and came", () => {
  assertEquals(firstDifferences("a\nb\n", "b\nc\n"), "- a\n+ c");
  assertEquals(firstDifferences("", "a\nb\nc\n", 2), "+ a\n+ b\n… and 1 more");
});

Deno.test("api: api.txt is what mod.ts and the entry points export", async () => {
  const recorded = await Deno.readTextFile(new URL("api.txt", ROOT));
  const differences = firstDifferences(recorded, apiText(await project));
  assertEquals(differences, "", `run "deno task api" if the change is meant:\n${differences}`);
});

Deno.test("api: every name that a program can reach stands in api.txt", async () => {
  const { lines, hidden } = await project;
  const names: RuntimeName[] = [];
  for (const [path, file] of entryPoints()) names.push(...runtimeNames(await import(file), path));
  assert(names.length > 1900, `only ${names.length} names: the walk does not see the namespaces`);
  assertEquals(missing(names, lines, hidden), []);
});

Deno.test("api: every name is documented, the methods of Tensor too", async () => {
  const fixture = new URL("api.ts", FIXTURES);
  const { lines } = await readApi(namespaceTree(fixture.href), [fixture.href]);
  const undocumented = (all: readonly ApiLine[]) => all.filter((line) => !line.documented).map((line) => line.text);
  assertEquals(undocumented(lines), ["function undocumented(): void"]);
  assertEquals(undocumented((await project).lines), []);
});

Deno.test("api: every namespace of mod.ts is an entry point, and has its file", () => {
  const entries = entryPoints();
  assertEquals(entryPath("./optim/lr_scheduler"), "optim.lrScheduler");
  const differ = [...publicModules()].filter(([path, file]) => entries.get(path) !== file);
  assertEquals(differ, [], "deno.json lacks these exports, or gives another file");
  const tree = namespaceTree(entries.get("")!);
  assertEquals([...tree].filter(([path, file]) => entries.get(path) !== file), []);
});

Deno.test("api: an entry point that is imported alone gives tensors with their methods", async () => {
  const files = [...entryPoints().values()].filter((file) => !/\/src\/(autograd|backend|base|lint)\//.test(file));
  const bare = files.filter((file) => !/^import "\.[./\w]*\/attach\.ts";$/m.test(Deno.readTextFileSync(new URL(file))));
  assertEquals(bare, [], 'these need import "…/ops/attach.ts"');
  const program = `import { fftfreq } from "${entryPoints().get("fft")}"; console.log(await fftfreq(4).sum().item());`;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", "--no-check", program] }).output();
  assertEquals(new TextDecoder().decode(stdout).trim(), "-0.5");
});

Deno.test("api: deno doc of the entry points shows layers, optimizers and functions", async () => {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...["nn", "nn.functional", "optim"].map((path) => entryPoints().get(path)!)],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  assert(success);
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as {
    nodes: Record<string, { symbols: { name: string; declarations: { kind: string; jsDoc?: { doc?: string } }[] }[] }>;
  };
  const shown = (path: string, name: string) =>
    nodes[entryPoints().get(path)!].symbols.find((s) => s.name === name)?.declarations.some((d) => d.jsDoc?.doc);
  for (const [path, name] of [["nn", "Conv2d"], ["nn.functional", "relu"], ["optim", "AdamW"]]) {
    assert(shown(path, name), `${path}.${name} has no documentation in deno doc`);
  }
});
