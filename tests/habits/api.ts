/**
 * The public API as text: `deno task api` writes `api.txt`, and `--check` compares.
 *
 * One line per exported signature and per public member of an exported class or interface, sorted, so that a change of
 * the API is a line in a diff. Names in namespaces stand under their path (`nn.functional.relu`). Signatures come from
 * `deno doc --json`; the methods that `Tensor` is given at run time are read from its prototype, and each has the
 * signature of the function that it calls.
 *
 * @module
 */

import { type Declaration, Docs, type DocSymbol, publicModules, sources } from "./api_doc.ts";
import {
  type Callable,
  type JsDoc,
  type Member,
  type Members,
  members,
  method,
  property,
  signature,
  type TsType,
  type as typeText,
  type TypeParam,
  typeParams,
} from "./api_text.ts";

const ROOT = new URL("../../", import.meta.url);
const FILE = new URL("api.txt", ROOT);

/** One line of the API. */
export interface ApiLine {
  /** The dotted path of the name, and after a colon the member's: `nn.Conv2d`, `nn.Module: forward`. */
  name: string;
  /** What `api.txt` says. */
  text: string;
  /** Whether a JSDoc of its own says what it is. */
  documented: boolean;
}

/** The API, and the members that it hides: `private` is only a word at run time. */
export interface Api {
  /** Sorted by name. */
  lines: ApiLine[];
  /** Names of private members, as `Class: member`. */
  hidden: Set<string>;
}

const hasDoc = (of: { jsDoc?: JsDoc }): boolean => (of.jsDoc?.doc ?? "").trim() !== "";

// What needs no comment of its own, because another one documents it; see `DOCUMENTED_ELSEWHERE` of ../support/ok.ts.
const memberHasDoc = (of: Member): boolean => of.isOverride === true || hasDoc(of);
const constructorHasDoc = (name: string, of: Member): boolean =>
  name.endsWith("Args") || (of.params?.length === 1 && of.params[0].kind === "rest") || hasDoc(of);
const typeHasDoc = (name: string, text: string, of: Declaration): boolean =>
  text.endsWith(`= InstanceType<typeof ${name.slice(name.lastIndexOf(".") + 1)}>`) || hasDoc(of);

/** Reads declarations into lines; `modules` gives the file of every namespace by its dotted path. */
class Reader {
  readonly lines: ApiLine[] = [];
  readonly hidden = new Set<string>();
  readonly #docs: Docs;
  readonly #modules: ReadonlyMap<string, string>;

  constructor(docs: Docs, modules: ReadonlyMap<string, string>) {
    this.#docs = docs;
    this.#modules = modules;
  }

  /** Everything that a module exports. */
  module(path: string, file: string): void {
    if (path) this.#add(path, `namespace ${path}`, true);
    for (const symbol of this.#docs.exports(file)) this.#symbol(path ? `${path}.${symbol.name}` : symbol.name, symbol);
  }

  /** The members that a class is given at run time, by the functions of the same names; in-place forms likewise. */
  attached(name: string, prototype: object): void {
    const known = new Set(this.lines.map((line) => line.name));
    for (const member of Object.getOwnPropertyNames(prototype)) {
      const full = `${name}: ${member}`;
      if (member === "constructor" || known.has(full) || this.hidden.has(full)) continue;
      const found = this.#function(member) ?? this.#function(member.replace(/_$/, "")) ?? [];
      for (const d of found) this.#add(full, `${name}: ${member}${methodOf(d)}`, hasDoc(d));
      if (found.length === 0) this.#add(full, full, false);
    }
  }

  #add(name: string, text: string, documented: boolean): void {
    this.lines.push({ name, text, documented });
  }

  /** The declarations of a function; what `src/ops` declares goes before what other folders do. */
  #function(name: string): readonly Declaration[] | undefined {
    const files = Object.keys(this.#docs.modules);
    const order = [...files.filter((f) => f.includes("/src/ops/")), ...files.filter((f) => !f.includes("/src/"))];
    for (const file of order) {
      const found = this.#docs.find(file, name).filter((d) =>
        d.declarationKind === "export" && (d.kind === "function" || d.kind === "variable")
      );
      if (found.length > 0) return withoutImplementation(found);
    }
  }

  #symbol(name: string, symbol: DocSymbol): void {
    const shown = withoutImplementation(symbol.declarations);
    const isClass = shown.some((d) => d.kind === "class");
    for (const d of shown) {
      if (d.kind === "class") this.#class(name, d);
      else if (d.kind === "interface") {
        this.#interface(name, d);
        if (isClass) this.#inherited(name, d);
      } else if (d.kind === "namespace") {
        if (!this.#modules.has(name)) throw new Error(`api: ${name} is a namespace without a module of its own`);
      } else {
        const text = declarationText(name, d);
        this.#add(name, text, typeHasDoc(name, text, d));
      }
    }
  }

  #class(name: string, d: Declaration): void {
    const def = d.def!;
    const visible = <T extends Member>(list: unknown): T[] =>
      ((list ?? []) as T[]).filter((m) => {
        if (m.accessibility === "private") this.hidden.add(`${name}: ${m.name}`);
        return m.accessibility !== "private";
      });
    const superTypes = def.superTypeParams as TsType[] | undefined;
    const superClass = def.extends
      ? ` extends ${def.extends}${superTypes?.length ? `<${superTypes.map(typeText).join(", ")}>` : ""}`
      : "";
    const head = `class ${name}${typeParams(def.typeParams as TypeParam[])}${superClass}`;
    this.#add(name, `${def.isAbstract ? "abstract " : ""}${head}`, hasDoc(d));
    for (const c of callable(visible<Member>(def.constructors), (c) => c)) {
      this.#add(name, `new ${name}${signature(c)}`, constructorHasDoc(name, c));
    }
    for (const p of visible<Member>(def.properties)) {
      this.#add(`${name}: ${p.name}`, `${name}: ${property(p)}`, memberHasDoc(p));
    }
    for (const m of callable(visible<Member>(def.methods), (m) => m.functionDef!)) {
      this.#add(`${name}: ${m.name}`, `${name}: ${method(m, m.functionDef!)}`, memberHasDoc(m));
    }
  }

  #interface(name: string, d: Declaration): void {
    const parents = ((d.def!.extends as TsType[]) ?? []).map(typeText).join(", ");
    const head = `interface ${name}${typeParams(d.def!.typeParams as TypeParam[])}`;
    this.#add(name, head + (parents ? ` extends ${parents}` : ""), hasDoc(d));
    this.#members(name, d);
  }

  #members(name: string, d: Declaration): void {
    const { properties = [], methods = [], ...unnamed } = d.def as Members;
    for (const text of members(unnamed)) this.#add(name, `${name}: ${text}`, true);
    for (const p of properties) this.#add(`${name}: ${p.name}`, `${name}: ${property(p)}`, hasDoc(p));
    for (const m of methods) this.#add(`${name}: ${m.name}`, `${name}: ${method(m, m)}`, hasDoc(m));
  }

  /** The members of the interfaces that `d` extends, which the class of the same name has. */
  #inherited(name: string, d: Declaration): void {
    for (const parent of (d.def!.extends as TsType[]) ?? []) {
      const { typeName, resolution } = parent.value as {
        typeName: string;
        resolution?: { specifier?: string; name?: string };
      };
      const file = new URL(resolution?.specifier ?? d.location.filename, d.location.filename).href;
      const found = this.#docs.find(file, resolution?.name ?? typeName.split(".").at(-1)!);
      for (const p of found.filter((p) => p.kind === "interface")) {
        this.#members(name, p);
        this.#inherited(name, p);
      }
    }
  }
}

/** Members without the implementations that stand behind overloads, which are not callable. */
function callable(all: readonly Member[], of: (m: Member) => Callable): Member[] {
  const same = (a: Member, b: Member) => a.name === b.name && a.isStatic === b.isStatic && a.kind === b.kind;
  const overloaded = (m: Member) => all.some((other) => same(other, m) && !of(other).hasBody && !other.isAbstract);
  return all.filter((m) => !(of(m).hasBody && overloaded(m)));
}

/** The same of functions. */
function withoutImplementation(declarations: readonly Declaration[]): readonly Declaration[] {
  const overloads = declarations.some((d) => d.kind === "function" && !d.def?.hasBody);
  return overloads ? declarations.filter((d) => !(d.kind === "function" && d.def?.hasBody)) : declarations;
}

/** The signature of a method that calls the function `d` with the receiver first. */
function methodOf(d: Declaration): string {
  if (d.kind === "variable") return `: Method<${typeText(d.def!.tsType as TsType)}>`;
  const { params = [], ...rest } = d.def as Callable;
  return signature({ ...rest, params: params.slice(1) });
}

function declarationText(name: string, d: Declaration): string {
  const def = d.def ?? {};
  switch (d.kind) {
    case "function":
      return `function ${name}${signature(def as Callable)}`;
    case "variable":
      return `${def.kind} ${name}: ${typeText(def.tsType as TsType)}`;
    case "typeAlias":
      return `type ${name}${typeParams(def.typeParams as TypeParam[])} = ${typeText(def.tsType as TsType)}`;
    case "enum":
      return `enum ${name} { ${(def.members as { name: string }[]).map((m) => m.name).join(", ")} }`;
    default:
      throw new Error(`api: unknown kind of declaration: ${d.kind}`);
  }
}

// By name first, so that what belongs together stands together.
const key = ({ text }: ApiLine) =>
  text.replace(/^(?:abstract class|class|function|const|let|var|interface|type|enum|namespace|new) /, "");

/** The API of `modules` (the file URL by dotted path); `files` are documented too, because modules re-export theirs. */
export async function readApi(modules: ReadonlyMap<string, string>, files: readonly string[]): Promise<Api> {
  const docs = await Docs.read(new Set([...modules.values(), ...files]));
  const reader = new Reader(docs, modules);
  for (const [path, file] of modules) reader.module(path, file);
  const { Tensor } = await import(modules.get("")!) as { Tensor?: { prototype: object } };
  if (Tensor) reader.attached("Tensor", Tensor.prototype);
  const once = new Map(reader.lines.map((line) => [line.text, line]));
  const lines = [...once.values()].sort((a, b) =>
    key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a.text < b.text ? -1 : 1
  );
  return { lines, hidden: reader.hidden };
}

/** The API of this project. */
export function projectApi(): Promise<Api> {
  return readApi(publicModules(), sources(new URL("src/", ROOT)));
}

/** What `api.txt` holds. */
export function apiText(api: Api): string {
  return api.lines.map((line) => line.text + "\n").join("");
}

/** The first differing lines of two texts, as a short message. */
export function firstDifferences(before: string, after: string, limit = 12): string {
  const old = new Set(before.split("\n")), now = new Set(after.split("\n"));
  const changes = [
    ...[...old].filter((l) => !now.has(l)).map((l) => `- ${l}`),
    ...[...now].filter((l) => !old.has(l)).map((l) => `+ ${l}`),
  ];
  const more = changes.length > limit ? [`… and ${changes.length - limit} more`] : [];
  return [...changes.slice(0, limit), ...more].join("\n");
}

if (import.meta.main) {
  const text = apiText(await projectApi());
  const old = await Deno.readTextFile(FILE).catch(() => "");
  if (text === old) console.log(`api.txt is up to date (${text.split("\n").length - 1} signatures)`);
  else if (Deno.args.includes("--check")) {
    console.error(
      `The public API differs from api.txt; run "deno task api" if that is meant:\n${firstDifferences(old, text)}`,
    );
    Deno.exit(1);
  } else {
    await Deno.writeTextFile(FILE, text);
    console.log(`api.txt: ${text.split("\n").length - 1} signatures\n${firstDifferences(old, text)}`);
  }
}
