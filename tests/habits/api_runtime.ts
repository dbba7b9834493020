/**
 * The public names as the running program has them: what `api.txt` must hold, seen from the other side.
 *
 * Walks the namespace objects of the entry points, the classes in them with their prototypes and statics, and
 * `Tensor.prototype` with the methods that only exist at run time.
 *
 * @module
 */

/** A class, as far as the walk cares. */
type Class = { prototype: object } & object;

/** A name that exists at run time. */
export interface RuntimeName {
  /** `nn.Conv2d`, or `nn.Conv2d: forward` of a member. */
  name: string;
  /** The classes that `name`'s class extends, where it is a member: one of them may have declared it. */
  parents: readonly object[];
}

const isNamespace = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && Reflect.get(value, Symbol.toStringTag) === "Module";

/** A function with a prototype that cannot be assigned is a class. */
const isClass = (value: unknown): value is Class =>
  typeof value === "function" && Object.getOwnPropertyDescriptor(value, "prototype")?.writable === false;

/** What each class has of its own makes it a class, and is not part of an API. */
const OF_EVERY_CLASS = new Set(["constructor", "prototype", "length", "name"]);

const ownNames = (object: object): string[] =>
  Object.getOwnPropertyNames(object).filter((name) => !OF_EVERY_CLASS.has(name));

function parentsOf(value: object): object[] {
  const parent = Object.getPrototypeOf(value);
  return typeof parent === "function" && parent !== Function.prototype ? [parent, ...parentsOf(parent)] : [];
}

/** Every public name of a module at run time, under `path`. */
export function runtimeNames(module: Record<string, unknown>, path = ""): RuntimeName[] {
  return Object.entries(module).flatMap(([key, value]) => {
    const name = path ? `${path}.${key}` : key;
    const own: RuntimeName = { name, parents: [] };
    if (isNamespace(value)) return [own, ...runtimeNames(value, name)];
    if (!isClass(value)) return [own];
    const parents = parentsOf(value);
    const members = new Set([...ownNames(value.prototype), ...ownNames(value)]);
    return [own, ...[...members].map((member) => ({ name: `${name}: ${member}`, parents }))];
  });
}

/** Whether one of `parents` has the member of `name`, on its prototype or of its own. */
export function isInherited({ name, parents }: RuntimeName): boolean {
  const member = name.split(": ")[1];
  return parents.some((parent) => Object.hasOwn(parent, member) || Object.hasOwn((parent as Class).prototype, member));
}
