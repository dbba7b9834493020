/**
 * Prints declarations of `deno doc --json` as one-line TypeScript signatures.
 *
 * Not a formatter: the text only has to be readable and to change exactly when a signature does. The one idea: one
 * case per kind of type in the JSON, and an unknown kind stands there as JSON, so that nothing is left out of `api.txt`.
 *
 * @module
 */

/** A type in the JSON. */
export interface TsType {
  /** Which shape `value` has. */
  kind: string;
  /** A short form, where the kind has one. */
  repr?: string;
  /** The parts. */
  value?: unknown;
}

/** A parameter of a function, method or signature. */
export interface Param {
  /** `identifier`, `rest`, `assign`, `object` or `array`. */
  kind: string;
  /** Its name, for identifiers. */
  name?: string;
  /** Whether it may be left out. */
  optional?: boolean;
  /** Its type. */
  tsType?: TsType;
  /** What a rest parameter binds. */
  arg?: Param;
  /** What a parameter with a default binds. */
  left?: Param;
}

/** A type parameter. */
export interface TypeParam {
  /** Its name. */
  name: string;
  /** What it extends. */
  constraint?: TsType;
  /** Its default. */
  default?: TsType;
}

/** Anything that is called. */
export interface Callable {
  /** Its parameters. */
  params?: Param[];
  /** The result of functions and methods. */
  returnType?: TsType;
  /** The result of signatures, or the type of properties. */
  tsType?: TsType;
  /** Its type parameters. */
  typeParams?: TypeParam[];
  /** Its comment. */
  jsDoc?: JsDoc;
  /** Whether it is an implementation and not a declaration. */
  hasBody?: boolean;
}

/** A JSDoc comment. */
export interface JsDoc {
  /** The text before the tags. */
  doc?: string;
}

/** A member of an object type, interface or class. */
export interface Member extends Callable {
  /** Its name; signatures have none. */
  name?: string;
  /** `method`, `getter` or `setter`. */
  kind?: string;
  /** Whether it may be missing. */
  optional?: boolean;
  /** Whether it may not be assigned. */
  readonly?: boolean;
  /** Whether it belongs to the class itself. */
  isStatic?: boolean;
  /** Whether subclasses must define it. */
  isAbstract?: boolean;
  /** Whether it overrides one of the base class. */
  isOverride?: boolean;
  /** `private` or `protected`. */
  accessibility?: string;
  /** The signature of a class's method. */
  functionDef?: Callable;
}

/** The members of an object type or interface. */
export interface Members {
  /** Named values. */
  properties?: Member[];
  /** Named functions. */
  methods?: Member[];
  /** `(…) => …` */
  callSignatures?: Callable[];
  /** `new (…) => …` */
  constructors?: Callable[];
  /** `[key: string]: …` */
  indexSignatures?: Member[];
}

/** `T extends U = V, …` in angle brackets, or nothing. */
export function typeParams(params: readonly TypeParam[] | undefined): string {
  if (!params?.length) return "";
  return `<${params.map(typeParam).join(", ")}>`;
}

function typeParam(p: TypeParam): string {
  return p.name + (p.constraint ? ` extends ${type(p.constraint)}` : "") + (p.default ? ` = ${type(p.default)}` : "");
}

/** One parameter. */
export function param(p: Param): string {
  switch (p.kind) {
    case "identifier":
      return `${p.name}${p.optional ? "?" : ""}: ${type(p.tsType)}`;
    case "rest":
      return `...${p.arg?.name ?? "rest"}: ${type(p.tsType)}`;
    case "assign":
      return `${p.left?.name ?? "_"}?: ${type(p.left?.tsType ?? p.tsType)}`;
    case "object":
    case "array":
      return `_: ${type(p.tsType)}`;
    default:
      throw new Error(`api: unknown kind of parameter: ${p.kind}`);
  }
}

/** `<T>(a: A): R`, or with another mark before the result. */
export function signature(f: Callable, mark = ": "): string {
  const result = f.returnType ?? f.tsType;
  return `${typeParams(f.typeParams)}(${(f.params ?? []).map(param).join(", ")})${result ? mark + type(result) : ""}`;
}

/** The members of an object type, each as one text. */
export function members(m: Members): string[] {
  return [
    ...(m.callSignatures ?? []).map((s) => signature(s)),
    ...(m.constructors ?? []).map((s) => `new ${signature(s)}`),
    ...(m.indexSignatures ?? []).map((s) =>
      `${s.readonly ? "readonly " : ""}[${(s.params ?? []).map(param).join(", ")}]: ${type(s.tsType)}`
    ),
    ...(m.properties ?? []).map(property),
    ...(m.methods ?? []).map((x) => method(x, x)),
  ];
}

/** `readonly name?: T`. */
export function property(p: Member): string {
  return `${modifiers(p)}${p.readonly ? "readonly " : ""}${p.name}${p.optional ? "?" : ""}: ${type(p.tsType)}`;
}

/** `static get name(): T`. */
export function method(m: Member, f: Callable): string {
  const accessor = m.kind === "getter" ? "get " : m.kind === "setter" ? "set " : "";
  return `${modifiers(m)}${accessor}${m.name}${m.optional ? "?" : ""}${signature(f)}`;
}

function modifiers(m: Member): string {
  return (m.accessibility === "protected" ? "protected " : "") + (m.isStatic ? "static " : "") +
    (m.isAbstract ? "abstract " : "");
}

/** A type. */
export function type(t: TsType | undefined): string {
  if (!t) return "unknown";
  switch (t.kind) {
    case "keyword":
      return t.repr!;
    case "this":
      return "this";
    case "literal":
      return literal(t.value as { kind: string; [key: string]: unknown });
    case "typeRef": {
      const { typeName, typeParams } = t.value as { typeName: string; typeParams?: TsType[] };
      return typeName + (typeParams?.length ? `<${typeParams.map(type).join(", ")}>` : "");
    }
    case "union":
      return (t.value as TsType[]).map(operand).join(" | ");
    case "intersection":
      return (t.value as TsType[]).map(operand).join(" & ");
    case "array":
      return `${element(t.value as TsType)}[]`;
    case "tuple":
      return `[${(t.value as TsType[]).map(type).join(", ")}]`;
    case "typeOperator": {
      const { operator, tsType } = t.value as { operator: string; tsType: TsType };
      return `${operator} ${type(tsType)}`;
    }
    case "parenthesized":
      return `(${type(t.value as TsType)})`;
    case "rest":
      return `...${type(t.value as TsType)}`;
    case "optional":
      return `${type(t.value as TsType)}?`;
    case "typeQuery":
      return `typeof ${typeof t.value === "string" ? t.value : t.repr}`;
    case "typeLiteral":
      return `{ ${members(t.value as Members).join("; ")} }`;
    default:
      return rareType(t);
  }
}

function rareType(t: TsType): string {
  const v = t.value as Record<string, TsType & { typeParam: TypeParam }>;
  switch (t.kind) {
    case "fnOrConstructor": {
      const f = t.value as Callable & { constructor: boolean };
      return `${f.constructor === true ? "new " : ""}${signature(f, " => ")}`;
    }
    case "conditional":
      return `${type(v.checkType)} extends ${type(v.extendsType)} ? ${type(v.trueType)} : ${type(v.falseType)}`;
    case "infer":
      return `infer ${typeParam((t.value as { typeParam: TypeParam }).typeParam)}`;
    case "indexedAccess":
      return `${element(v.objType)}[${type(v.indexType)}]`;
    case "mapped": {
      const m = t.value as { typeParam: TypeParam; optional?: boolean; readonly?: boolean; tsType?: TsType };
      const key = `${m.typeParam.name} in ${type(m.typeParam.constraint)}`;
      return `{ ${m.readonly ? "readonly " : ""}[${key}]${m.optional ? "?" : ""}: ${type(m.tsType)} }`;
    }
    case "importType": {
      const { specifier, qualifier } = t.value as { specifier: string; qualifier?: string };
      return `import("${specifier}")${qualifier ? "." + qualifier : ""}`;
    }
    case "typePredicate": {
      const p = t.value as { asserts?: boolean; param: { type: string; name?: string }; type?: TsType };
      const name = p.param.name ?? "this";
      return `${p.asserts ? "asserts " : ""}${name}${p.type ? ` is ${type(p.type)}` : ""}`;
    }
    default:
      // A kind that a later Deno brings: its JSON, which changes exactly when the type does.
      return `${t.repr ?? ""}<${t.kind} ${JSON.stringify(t.value)}>`;
  }
}

/** A member of a union or intersection: function types need parentheses. */
function operand(t: TsType): string {
  return t.kind === "fnOrConstructor" || t.kind === "conditional" ? `(${type(t)})` : type(t);
}

/** The element of an array: anything with an operator in it needs parentheses. */
function element(t: TsType): string {
  return ["union", "intersection", "typeOperator", "infer"].includes(t.kind) ? `(${type(t)})` : operand(t);
}

function literal(v: { kind: string; [key: string]: unknown }): string {
  switch (v.kind) {
    case "string":
      return JSON.stringify(v.string);
    case "number":
    case "boolean":
      return String(v[v.kind]);
    case "bigInt":
      return `${v.string}n`;
    case "template":
      return "`" + (v.tsTypes as TsType[]).map((t) => {
        const part = t.value as { kind?: string; string?: string };
        return t.kind === "literal" && part.kind === "string" ? part.string : "${" + type(t) + "}";
      }).join("") + "`";
    default:
      throw new Error(`api: unknown kind of literal: ${v.kind}`);
  }
}
