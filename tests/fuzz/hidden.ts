/**
 * Methods that TypeScript hides from users (`private`, `protected` and `@internal`): nobody can call them with bad arguments,
 * so the fuzzer does not. JavaScript does not know of it, so the sources are read.
 *
 * @module
 */

const SOURCES = new URL("../../src/", import.meta.url);

/** The names of abstract classes, which only their subclasses construct. */
export function abstractClasses(): Set<string> {
  const found = new Set<string>();
  for (const file of files(SOURCES)) {
    for (const [, name] of Deno.readTextFileSync(file).matchAll(/^export abstract class (\w+)/gm)) found.add(name);
  }
  return found;
}

function* files(folder: URL): Generator<URL> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* files(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

/** A class, or a hidden member of the last one. */
const DECLARATION =
  /^(?:export )?(?:abstract )?class (\w+)|^ {2}(?:private|protected) (?:(?:static|override|abstract|async|readonly|get|set) )*\*?(\w+)|^ {2}\/\*\* @internal[^\n]*\n {2}(?:(?:static|override|async|get|set) )*\*?(\w+)/gm;

/** The hidden members as `Class.member`. */
export function hiddenMembers(): Set<string> {
  const found = new Set<string>();
  for (const file of files(SOURCES)) {
    let owner = "";
    for (const [, type, member, internal] of Deno.readTextFileSync(file).matchAll(DECLARATION)) {
      if (type) owner = type;
      else found.add(`${owner}.${member ?? internal}`);
    }
  }
  return found;
}
