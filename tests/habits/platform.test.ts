/** The library loads wherever JavaScript runs: one file names the platform, and nothing it needs comes from outside. */

import { assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

function* sources(folder: URL): Generator<URL> {
  for (const entry of Deno.readDirSync(folder)) {
    if (entry.isDirectory) yield* sources(new URL(`${entry.name}/`, folder));
    else if (entry.name.endsWith(".ts")) yield new URL(entry.name, folder);
  }
}

/** Code without comments; what stands in strings stays. */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, "")).replace(/(^|\s)\/\/.*$/gm, "");
}

/** The lines that name Deno or a module of Node's: as a value, a type or a specifier. */
function naming(text: string): string[] {
  return code(text).split("\n").filter((line) => /\bDeno\s*[.[]|["'`]node:/.test(line));
}

Deno.test("habits: the platform is found where it is named", () => {
  assertEquals(naming('const a = Deno.args; // x\n/* Deno.y */\nimport "node:fs";').length, 2);
  assertEquals(naming('f(`node:${x}`);\n[Symbol.for("Deno.customInspect")]() {}').length, 2);
  assertEquals(naming("{ node: Node }\n/**\n * Deno.test\n */\n// node:fs\nconst run = `Deno was`;"), []);
});

Deno.test("habits: only src/base/platform.ts names Deno or Node", () => {
  const found: string[] = [];
  for (const file of sources(new URL("src/", ROOT))) {
    // The plugin of `deno lint` runs in Deno alone; nothing else loads it.
    if (/\/src\/(base\/platform|lint\/mod)\.ts$/.test(file.pathname)) continue;
    for (const line of naming(Deno.readTextFileSync(file))) {
      found.push(`${file.pathname.slice(ROOT.pathname.length)}: ${line.trim()}`);
    }
  }
  assertEquals(found, []);
});

/** What `mod.ts` loads: its module graph without types. */
async function graph(): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL("mod.ts", ROOT).pathname],
    stderr: "null",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: { specifier: string }[] };
  return modules.map(({ specifier }) => specifier);
}

Deno.test("habits: mod.ts depends on nothing, and loads no heavy namespace", async () => {
  const loaded = await graph();
  assertEquals(loaded.filter((s) => !s.startsWith(ROOT.href)), []);
  assertEquals(loaded.filter((s) => s.startsWith(new URL("src/vision/", ROOT).href)), []);
});

/** Hides the platform and uses the library; runs in a process of its own. */
const BROWSER = `
delete globalThis.Deno; delete globalThis.process; delete globalThis.setImmediate; delete globalThis.Buffer;
const torch = await import(FILE);
const w = torch.ones(2, 3).requiresGrad_();
const y = w.mul(2).sum();
y.backward();
const item = await y.item(), grad = await w.grad.tolist();
const inside = await torch.noGrad(async () => { await null; return torch.isGradEnabled(); });
let refused = "";
const first = torch.noGrad(async () => { await null; });
try { await torch.noGrad(() => Promise.resolve()); } catch (error) { refused = error.message; }
await first;
const text = await torch.io.safetensors.loadFile("x.safetensors").catch((error) => error.message);
console.log(JSON.stringify([item, grad, inside, torch.isGradEnabled(), refused, text, torch.cuda.isAvailable()]));
`;

Deno.test("habits: a bundle for browsers evaluates and computes without Deno and Node", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const bundle = `${folder}/bundle.js`, main = `${folder}/main.mjs`;
    const run = (...args: string[]) => new Deno.Command(Deno.execPath(), { args, cwd: folder }).output();
    const made = await run("bundle", "-q", "--platform", "browser", "-o", bundle, new URL("mod.ts", ROOT).pathname);
    assertEquals(made.code, 0, new TextDecoder().decode(made.stderr));
    await Deno.writeTextFile(main, BROWSER.replace("FILE", JSON.stringify(`file://${bundle}`)));
    const { stdout, stderr } = await run("run", "--no-config", "--no-lock", main);
    assertEquals(new TextDecoder().decode(stderr), "");
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)), [
      12,
      [[2, 2, 2], [2, 2, 2]],
      false,
      true,
      "noGrad(): an asynchronous callback that changes this is pending already, and this platform cannot tell tasks apart " +
      "(it has no AsyncLocalStorage); await the first one, or give a callback that returns no promise",
      'loadFile(): cannot read: "x.safetensors"; this platform has no files; give a URL or bytes',
      false,
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
