/**
 * What `deno doc --json` says of the modules of this project, and where the public names are.
 *
 * One run documents every source file, so that each re-export is a reference to a declaration that the same run holds.
 * Namespaces are followed by the sources' own `export * as name from "…"` lines: the JSON repeats a namespace's names
 * without what they are.
 *
 * @module
 */

import type { JsDoc } from "./api_text.ts";

const ROOT = new URL("../../", import.meta.url);

/** A place in the sources. */
export interface Location {
  /** A file URL. */
  filename: string;
  /** From 0 or 1; only compared. */
  line: number;
  /** From 0. */
  col: number;
}

/** One declaration of a name. */
export interface Declaration {
  /** `function`, `variable`, `class`, `interface`, `typeAlias`, `namespace` or `reference`. */
  kind: string;
  /** `export` or `private`. */
  declarationKind: string;
  /** Where it stands. */
  location: Location;
  /** Its comment. */
  jsDoc?: JsDoc;
  /** What belongs to the kind. */
  def?: Record<string, unknown>;
}

/** A name and what declares it. */
export interface DocSymbol {
  /** As exported. */
  name: string;
  /** Several for overloads, and for a value and a type of one name. */
  declarations: Declaration[];
}

const at = (place: Location): string => `${place.filename}:${place.line}:${place.col}`;

/** The documented modules, by file URL. */
export class Docs {
  readonly #modules: Record<string, { symbols: DocSymbol[] }>;
  /** All declarations of the name that is declared at a place: a reference names one of them. */
  readonly #byPlace = new Map<string, Declaration[]>();

  private constructor(modules: Record<string, { symbols: DocSymbol[] }>) {
    this.#modules = modules;
    for (const { symbols } of Object.values(modules)) {
      for (const { declarations } of symbols) {
        const own = declarations.filter((d) => d.kind !== "reference");
        for (const d of own) this.#byPlace.set(at(d.location), own);
      }
    }
  }

  /** Documents files, as URLs. */
  static async read(files: Iterable<string>): Promise<Docs> {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["doc", "--json", ...files],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    if (!success) throw new Error(`deno doc failed: ${new TextDecoder().decode(stderr)}`);
    return new Docs((JSON.parse(new TextDecoder().decode(stdout)) as { nodes: typeof Docs.prototype.modules }).nodes);
  }

  /** The modules, by file URL. */
  get modules(): Record<string, { symbols: DocSymbol[] }> {
    return this.#modules;
  }

  /** What a module exports, with references resolved. */
  exports(file: string): DocSymbol[] {
    const module = this.#modules[file];
    if (!module) throw new Error(`api: ${file} is not documented`);
    return module.symbols.map(({ name, declarations }) => ({
      name,
      declarations: this.#resolve(declarations.filter((d) => d.declarationKind !== "private")),
    })).filter((s) => s.declarations.length > 0);
  }

  /** What a name of a module is; nothing where the module does not have it. */
  find(file: string, name: string): Declaration[] {
    const found = this.#modules[file]?.symbols.filter((s) => s.name === name) ?? [];
    return this.#resolve(found.flatMap((s) => s.declarations));
  }

  #resolve(declarations: readonly Declaration[]): Declaration[] {
    return [
      ...new Set(declarations.flatMap((d) => {
        if (d.kind !== "reference") return [d];
        const target = d.def!.target as Location;
        const found = this.#byPlace.get(at(target));
        if (!found) throw new Error(`api: nothing is declared at ${at(target)}`);
        return found;
      })),
    ];
  }
}

/** The namespaces that a module exports: the file URL by name. */
export function namespaces(file: string): Map<string, string> {
  const found = new Map<string, string>();
  const text = Deno.readTextFileSync(new URL(file));
  for (const [, name, specifier] of text.matchAll(/^export \*(?: as (\w+))? from "([^"]+)";/gm)) {
    const target = new URL(specifier, file).href;
    if (name) found.set(name, target);
    else for (const [inner, url] of namespaces(target)) found.set(inner, url);
  }
  return found;
}

/** A module and all namespaces in it, to any depth: the file URL by dotted path, `""` for the module itself. */
export function namespaceTree(file: string, path = "", found = new Map<string, string>()): Map<string, string> {
  found.set(path, file);
  for (const [name, target] of namespaces(file)) namespaceTree(target, path ? `${path}.${name}` : name, found);
  return found;
}

/** The dotted path of an entry point: `./optim/lr_scheduler` is `optim.lrScheduler`. */
export function entryPath(entry: string): string {
  return entry.replace(/^\.\/?/, "").replaceAll("/", ".").replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
}

/** The entry points of `deno.json`: the file URL by dotted path. */
export function entryPoints(): Map<string, string> {
  const { exports } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT))) as {
    exports: Record<string, string>;
  };
  return new Map(Object.entries(exports).map(([entry, file]) => [entryPath(entry), new URL(file, ROOT).href]));
}

/** The public modules: every namespace of `mod.ts`, and every entry point with its own, by dotted path. */
export function publicModules(): Map<string, string> {
  const found = new Map<string, string>();
  for (const [path, file] of entryPoints()) {
    if (!found.has(path)) namespaceTree(file, path, found);
  }
  return found;
}

/** Every source file under a folder, as URLs. */
export function sources(folder: URL): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) => {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) return sources(url);
    return /(?<!\.d)\.ts$/.test(entry.name) ? [url.href] : [];
  }).sort();
}
