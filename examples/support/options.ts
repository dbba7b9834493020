/**
 * Command lines of the examples: options with a default, a check and a line of help each.
 *
 * Reading the words is `parseArgs` of Deno's standard library; what is here is that nonsense gives one clear line.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { nearestName } from "../../src/base/spelling.ts";

/** One option, `--name VALUE`. */
export interface Option<T> {
  /** What the help shows for the value. */
  readonly value: string;
  /** What it is without being given. */
  readonly default: T;
  /** A line of help. */
  readonly help: string;
  /** What a value must be, for the error's text. */
  readonly rule: string;
  /** Reads a value; `undefined` if it breaks the rule. */
  readonly read: (text: string) => T | undefined;
}

/** A mistake on the command line or in what it names: reported in one line, without a stack. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A whole number. */
export function integer(value: number, help: string, min: number, max: number): Option<number> {
  const read = (text: string) => {
    const n = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    return n >= min && n <= max ? n : undefined;
  };
  return { value: "N", default: value, help, rule: `a whole number from ${min} to ${max}`, read };
}

/** A positive number. */
export function positive(value: number, help: string, max: number): Option<number> {
  const read = (text: string) => {
    const x = text.trim() === "" ? NaN : Number(text);
    return x > 0 && x <= max ? x : undefined;
  };
  return { value: "X", default: value, help, rule: `a number above 0, at most ${max}`, read };
}

/** Any text but the empty one. */
export function text(value: string, placeholder: string, help: string): Option<string> {
  return { value: placeholder, default: value, help, rule: "a text", read: (text) => text === "" ? undefined : text };
}

/** The values of a table of options. */
export type Values<T extends Record<string, Option<unknown>>> = { [K in keyof T]: T[K]["default"] };

/** `--lr -1` as `--lr=-1`: a number, not another option. */
function joinNegatives(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    const last = joined.at(-1);
    if (/^-[\d.]/.test(word) && last !== undefined && /^--[^=]+$/.test(last)) joined[joined.length - 1] += `=${word}`;
    else joined.push(word);
  }
  return joined;
}

/**
 * Reads a command line.
 *
 * @returns the options' values, or `null` where help was asked for
 * @throws {UsageError} if a word is unknown or a value breaks its rule
 */
export function parseOptions<T extends Record<string, Option<unknown>>>(
  words: readonly string[],
  options: T,
): Values<T> | null {
  const names = Object.keys(options);
  const given = parseArgs(joinNegatives(words), {
    string: names,
    collect: names,
    boolean: ["help"],
    alias: { h: "help" },
    unknown: (word: string) => {
      const near = nearestName(word.replace(/^-+|=.*$/g, ""), [...names, "help"]);
      throw new UsageError(
        `unknown argument: "${word}"; ${near === null ? "" : `did you mean --${near}? `}--help lists what there is`,
      );
    },
  });
  if (given.help) return null;
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    const texts = given[name] as string[];
    if (texts.length > 1) throw new UsageError(`--${name} is given ${texts.length} times`);
    const value = texts.length === 0 ? option.default : option.read(texts[0]);
    if (value === undefined) throw new UsageError(`--${name} must be ${option.rule}: "${texts[0]}"`);
    values[name] = value;
  }
  return values as Values<T>;
}

/** The text of `--help`. */
export function helpText(summary: string, command: string, options: Record<string, Option<unknown>>): string {
  const rows = Object.entries(options).map((
    [name, o],
  ) => [`--${name} ${o.value}`, `${o.help} (default: ${o.default})`]);
  rows.push(["--help", "This text"]);
  const width = Math.max(...rows.map(([left]) => left.length));
  return [summary, "", `  ${command} [options]`, "", ...rows.map(([l, r]) => `  ${l.padEnd(width)}  ${r}`)].join("\n");
}

/**
 * Makes a folder and finds out whether files can be made in it.
 *
 * @throws {UsageError} if they cannot
 */
export async function writableFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
    await Deno.remove(await Deno.makeTempFile({ dir: path }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`--out must be a folder that can be written: "${path}" (${reason.split("\n")[0]})`);
  }
}
