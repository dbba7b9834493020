/**
 * The public API as text: `deno task api` writes `api.txt`, and `--check` compares.
 *
 * One line per exported signature and per public member of an exported class or interface, sorted, so that a change of
 * the API is a line in a diff. Made from `deno doc --json mod.ts`; namespaces (`nn`, `optim`, …) are followed through
 * the references it gives.
 *
 * @module
 */

import {
  type Callable,
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

interface Declaration {
  kind: string;
  declarationKind?: string;
  location?: Location;
  def?: Record<string, unknown>;
}

interface Location {
  filename: string;
  line: number;
  col: number;
}

interface DocSymbol {
  name: string;
  declarations: Declaration[];
}

type Modules = Record<string, { symbols: DocSymbol[] }>;

async function denoDoc(files: readonly string[]): Promise<Modules> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...files],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(`deno doc failed: ${new TextDecoder().decode(stderr)}`);
  return (JSON.parse(new TextDecoder().decode(stdout)) as { nodes: Modules }).nodes;
}

const at = (place: Location): string => `${place.filename}:${place.line}:${place.col}`;

/** The declarations of a module graph, found by their place in the sources. */
class Declarations {
  readonly #read = new Set<string>();
  readonly #byPlace = new Map<string, Declaration>();

  /** Reads modules until every reference of a namespace has its declaration. */
  async read(files: readonly string[]): Promise<Modules> {
    const modules = await denoDoc(files);
    const missing = new Set<string>();
    const visit = (symbols: readonly DocSymbol[]) => {
      for (const d of symbols.flatMap((s) => s.declarations)) {
        if (d.kind === "reference") missing.add((d.def!.target as Location).filename);
        else if (d.location) this.#byPlace.set(at(d.location), d);
        if (d.kind === "namespace") visit((d.def?.elements as DocSymbol[]) ?? []);
      }
    };
    for (const [file, module] of Object.entries(modules)) {
      this.#read.add(file);
      visit(module.symbols);
    }
    const more = [...missing].filter((f) => !this.#read.has(f));
    if (more.length > 0) {
      for (const f of more) this.#read.add(f);
      await this.read(more);
    }
    return modules;
  }

  /** The declaration itself where `d` only refers to it. */
  resolve(d: Declaration): Declaration {
    if (d.kind !== "reference") return d;
    const target = d.def!.target as Location;
    const found = this.#byPlace.get(at(target));
    if (!found) throw new Error(`api: nothing is declared at ${at(target)}`);
    return this.resolve(found);
  }
}

function classLines(name: string, def: Record<string, unknown>): string[] {
  const superClass = def.extends
    ? ` extends ${def.extends}${
      (def.superTypeParams as TsType[])?.length ? `<${(def.superTypeParams as TsType[]).map(typeText).join(", ")}>` : ""
    }`
    : "";
  const visible = <T extends Member>(list: unknown): T[] =>
    ((list ?? []) as T[]).filter((m) => m.accessibility !== "private");
  return [
    `${def.isAbstract ? "abstract " : ""}class ${name}${typeParams(def.typeParams as TypeParam[])}${superClass}`,
    ...visible<Member>(def.constructors).map((c) => `new ${name}${signature(c)}`),
    ...visible<Member>(def.properties).map((p) => `${name}: ${property(p)}`),
    ...visible<Member>(def.methods).map((m) => `${name}: ${method(m, m.functionDef!)}`),
  ];
}

function lines(name: string, d: Declaration, all: Declarations): string[] {
  const def = d.def ?? {};
  switch (d.kind) {
    case "function":
      // The implementation behind overloads is not callable.
      return [`function ${name}${signature(def as Callable)}`];
    case "variable":
      return [`${def.kind} ${name}: ${typeText(def.tsType as TsType)}`];
    case "class":
      return classLines(name, def);
    case "interface": {
      const parents = ((def.extends as TsType[]) ?? []).map(typeText).join(", ");
      return [
        `interface ${name}${typeParams(def.typeParams as TypeParam[])}${parents ? ` extends ${parents}` : ""}`,
        ...members(def as Members).map((m) => `${name}: ${m}`),
      ];
    }
    case "typeAlias":
      return [`type ${name}${typeParams(def.typeParams as TypeParam[])} = ${typeText(def.tsType as TsType)}`];
    case "enum":
      return (def.members as { name: string }[]).map((m) => `enum ${name}: ${m.name}`);
    case "namespace":
      return ((def.elements as DocSymbol[]) ?? []).flatMap((s) => symbolLines(`${name}.`, s, all));
    case "moduleDoc":
    case "import":
      return [];
    default:
      throw new Error(`api: unknown kind of declaration: ${d.kind}`);
  }
}

function symbolLines(prefix: string, symbol: DocSymbol, all: Declarations): string[] {
  const declarations = symbol.declarations.map((d) => all.resolve(d));
  const overloads = declarations.filter((d) => d.kind === "function" && !d.def?.hasBody);
  const shown = overloads.length > 0
    ? declarations.filter((d) => !(d.kind === "function" && d.def?.hasBody))
    : declarations;
  return shown.flatMap((d) => lines(prefix + symbol.name, d, all));
}

/** The sorted signatures of what `entry` exports, one per line. */
export async function publicSignatures(entry: string): Promise<string> {
  const all = new Declarations();
  const modules = await all.read([entry]);
  const found = new Set<string>();
  for (const { symbols } of Object.values(modules)) {
    for (const symbol of symbols) for (const line of symbolLines("", symbol, all)) found.add(line);
  }
  // By name first, so that what belongs together stands together.
  const key = (line: string) =>
    line.replace(/^(?:abstract class|class|function|const|let|var|interface|type|enum|new) /, "");
  return [...found].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a < b ? -1 : 1)).join("\n") + "\n";
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
  const text = await publicSignatures("mod.ts");
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
