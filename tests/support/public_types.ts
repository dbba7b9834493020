/**
 * Exports every type that a public signature names: `deno run -A tests/support/public_types.ts`.
 *
 * `deno doc --lint` calls a type private if a public signature refers to it and no public module exports it. This
 * script reads those faults, finds where each type is declared, and keeps a sorted section of `export type` lines at the
 * end of the public module of the type's folder. It repeats until nothing is left, and reports what it cannot mend: a
 * type with no `export` in its own file, or one name for two types.
 *
 * @module
 */

import { entryPoints } from "../habits/api_doc.ts";

const ROOT = new URL("../../", import.meta.url);
const HEADER = "// Types that the signatures above name; kept by tests/support/public_types.ts.";

/** The modules that are the public API: the entry points, and what they export whole, which the lint does not enter. */
export function publicModules(): string[] {
  const modules = [...new Set(entryPoints().values())].map((url) => url.slice(ROOT.href.length));
  for (const module of modules) {
    for (const [, specifier] of read(module).matchAll(/^export \*(?: as \w+)? from "([^"]+)";/gm)) {
      const path = resolve(module, specifier);
      if (!modules.includes(path)) modules.push(path);
    }
  }
  return modules;
}

interface Fault {
  type: string;
  file: string;
}

async function faults(): Promise<Fault[]> {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...publicModules()],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stderr);
  const pattern = /references private type '([^']+)'\n\s+--> (\S+?):\d+:\d+/g;
  return [...text.matchAll(pattern)].map(([, type, path]) => ({ type, file: path.replace(ROOT.pathname, "") }));
}

function read(file: string): string {
  return Deno.readTextFileSync(new URL(file, ROOT));
}

function resolve(from: string, specifier: string): string {
  return new URL(specifier, `file:///${from}`).pathname.slice(1);
}

/** Where a name used in `file` is declared, and by which name; a text says why that is not known. */
function origin(file: string, name: string): { file: string; name: string } | string {
  const text = read(file);
  if (
    new RegExp(`^export (?:declare )?(?:abstract )?(?:interface|type|class|const|function) ${name}\\b`, "m").test(text)
  ) {
    return { file, name };
  }
  if (new RegExp(`^(?:interface|type|class) ${name}\\b`, "m").test(text)) return `${name} is not exported by ${file}`;
  for (const [, list, specifier] of text.matchAll(/^(?:import|export)(?: type)? \{([^}]*)\} from "([^"]+)";/gm)) {
    for (const item of list.split(",").map((s) => s.trim().replace(/^type /, ""))) {
      const [own, alias = own] = item.split(/ as /);
      if (alias === name) return origin(resolve(file, specifier), own);
    }
  }
  return `${name}, used in ${file}, is declared nowhere`;
}

/** The public module that exports what `file` declares: that of its folder. */
function publicModule(file: string): string {
  const module = file.replace(/[^/]*$/, "mod.ts");
  return publicModules().includes(module) ? module : "mod.ts";
}

/** The types that a module's section lists, by file. */
function section(text: string): Map<string, Set<string>> {
  const types = new Map<string, Set<string>>();
  const at = text.indexOf(HEADER);
  if (at < 0) return types;
  for (const [, list, specifier] of text.slice(at).matchAll(/export type \{([^}]*)\} from "([^"]+)";/g)) {
    types.set(specifier, new Set(list.split(",").map((s) => s.trim()).filter((s) => s !== "")));
  }
  return types;
}

/** Where a module's section stands: `mod.ts` is for names that people read, its types have a file of their own. */
function sectionFile(module: string): string {
  return module === "mod.ts" ? "src/types.ts" : module;
}

function add(publicOne: string, found: readonly { file: string; name: string }[]): void {
  const module = sectionFile(publicOne);
  const text = read(module);
  const types = section(text);
  const folder = module.replace(/[^/]*$/, "");
  for (const { file, name } of found) {
    const specifier = `./${file.slice(folder.length)}`;
    types.set(specifier, (types.get(specifier) ?? new Set()).add(name));
  }
  const lines = [...types].sort(([a], [b]) => (a < b ? -1 : 1)).map(([specifier, names]) =>
    `export type { ${[...names].sort().join(", ")} } from "${specifier}";`
  );
  const at = text.indexOf(HEADER);
  const body = (at < 0 ? text : text.slice(0, at)).trimEnd();
  Deno.writeTextFileSync(new URL(module, ROOT), `${body}\n\n${HEADER}\n${lines.join("\n")}\n`);
}

async function main(): Promise<void> {
  const problems = new Set<string>();
  const done = new Set<string>();
  const changed = new Set<string>();
  for (;;) {
    const byModule = new Map<string, Map<string, { file: string; name: string }>>();
    for (const { type, file } of await faults()) {
      const declared = origin(file, type);
      if (typeof declared === "string") {
        problems.add(declared);
        continue;
      }
      const module = publicModule(declared.file);
      const key = `${declared.name} of ${declared.file}`;
      if (done.has(key)) problems.add(`${key} stays private although ${module} exports it`);
      else byModule.set(module, (byModule.get(module) ?? new Map()).set(key, declared));
    }
    if (byModule.size === 0) break;
    for (const [module, found] of byModule) {
      for (const key of found.keys()) done.add(key);
      add(module, [...found.values()]);
      changed.add(sectionFile(module));
    }
  }
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", ...changed], cwd: ROOT }).output();
  console.log(`${done.size} types exported`);
  for (const p of [...problems].sort()) console.log(p);
}

if (import.meta.main) await main();
