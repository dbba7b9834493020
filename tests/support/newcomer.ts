/**
 * Programs of people who are new here, and what each gets: a sentence that says what to do, or the right value.
 *
 * @module
 */

import { assert, assertStringIncludes } from "@std/assert";
import * as library from "../../mod.ts";

/** The library as a program in JavaScript sees it: no compiler has checked these programs. */
// deno-lint-ignore no-explicit-any -- the compiler would refuse most of these mistakes
export const torch: any = library;

/**
 * What a program gets: how an error's text begins (its class first), or its pattern where machines differ; or the value that it
 * should have, a warning beside it; or what JavaScript itself answers, with the reason why the library cannot.
 */
export type Gets =
  | string
  | RegExp
  | { readonly value: string; readonly warns?: string }
  | { readonly javascript: string; readonly why: string };

/** A program, what it is about, and what it gets. */
export type Program = readonly [about: string, run: () => unknown, gets: Gets];

/** The error classes whose messages are ours. */
const OURS = Object.values(library).filter((v): v is typeof Error => v === Object(v) && "prototype" in Object(v))
  .filter((v) => v.prototype instanceof Error);

function shown(value: unknown): string {
  return typeof value === "string" ? value : Deno.inspect(value);
}

/** What a program gives, its error, and what it warned of. */
async function outcome(run: () => unknown): Promise<{ value: string; error: Error | null; warned: string }> {
  const warned: string[] = [], { warn } = console;
  console.warn = (message: string) => void warned.push(message);
  library.warnings.simplefilter("default");
  try {
    return { value: shown(await run()), error: null, warned: warned.join("\n") };
  } catch (error) {
    return { value: "", error: error as Error, warned: warned.join("\n") };
  } finally {
    console.warn = warn;
  }
}

/** Runs programs as tests. */
export function newcomers(programs: readonly Program[]): void {
  for (const [about, run, gets] of programs) {
    Deno.test(`newcomer: ${about}`, async () => {
      const { value, error, warned } = await outcome(run);
      const text = error === null ? value : `${error.name}: ${error.message}`;
      if (typeof gets === "string" || gets instanceof RegExp) {
        const agrees = typeof gets === "string" ? text.startsWith(gets) : gets.test(text);
        assert(agrees, `expected: ${gets}\ngot: ${text}`);
        const files = error instanceof Deno.errors.NotFound;
        assert(files || OURS.some((Class) => error instanceof Class), `not an error of ours: ${text}`);
        assert(/^[\w.]+(\("?[\w:.]*"?\))?: ./.test(error!.message), `no op in front: ${text}`);
      } else if ("javascript" in gets) assertStringIncludes(text, gets.javascript);
      else {
        assert(error === null, text);
        assertStringIncludes(value, gets.value);
        if (gets.warns === undefined) assert(warned === "", warned);
        else assertStringIncludes(warned, gets.warns);
      }
    });
  }
}

/** Gives a program a folder of its own. */
export async function inFolder(run: (path: (name: string) => string) => unknown): Promise<unknown> {
  const folder = await Deno.makeTempDir();
  try {
    return await run((name) => `${folder}/${name}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
