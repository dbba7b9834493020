/**
 * Exports every type that a public signature names: `deno run -A tests/support/public_types.ts`.
 *
 * `deno doc --lint` calls a type private if a public signature refers to it and no public module exports it. This
 * script reads those faults, finds where each type is declared, and keeps a sorted section of `export type` lines at the
 * end of `mod.ts`. It repeats until nothing is left, and reports what it
 * cannot mend: a type with no `export` in its own file, or one name for two types.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url);
const HEADER = "// Types that the signatures above name; kept by tests/support/public_types.ts.";
const MODULE = "mod.ts";

interface Fault {
  type: string;
  file: string;
}

async function faults(): Promise<Fault[]> {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", "mod.ts"],
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

function add(found: readonly { file: string; name: string }[]): void {
  const text = read(MODULE);
  const types = section(text);
  for (const { file, name } of found) {
    const specifier = `./${file}`;
    types.set(specifier, (types.get(specifier) ?? new Set()).add(name));
  }
  const lines = [...types].sort(([a], [b]) => (a < b ? -1 : 1)).map(([specifier, names]) =>
    `export type { ${[...names].sort().join(", ")} } from "${specifier}";`
  );
  const at = text.indexOf(HEADER);
  const body = (at < 0 ? text : text.slice(0, at)).trimEnd();
  Deno.writeTextFileSync(new URL(MODULE, ROOT), `${body}\n\n${HEADER}\n${lines.join("\n")}\n`);
}

async function main(): Promise<void> {
  const problems = new Set<string>();
  const done = new Set<string>();
  for (;;) {
    const found = new Map<string, { file: string; name: string }>();
    for (const { type, file } of await faults()) {
      const declared = origin(file, type);
      if (typeof declared === "string") {
        problems.add(declared);
        continue;
      }
      const key = `${declared.name} of ${declared.file}`;
      if (done.has(key)) problems.add(`${key} stays private although ${MODULE} exports it`);
      else found.set(key, declared);
    }
    if (found.size === 0) break;
    for (const key of found.keys()) done.add(key);
    add([...found.values()]);
  }
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", MODULE], cwd: ROOT }).output();
  console.log(`${done.size} types exported`);
  for (const p of [...problems].sort()) console.log(p);
}

await main();
