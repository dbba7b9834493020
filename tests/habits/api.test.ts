/** `api.txt` is the public API, and its text is complete. */

import { assertEquals } from "@std/assert";
import { firstDifferences, publicSignatures } from "./api.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("api: every kind of declaration has its line", async () => {
  assertEquals(
    await publicSignatures("tests/habits/fixtures/api.ts"),
    [
      "Box: get first(): number",
      "Box: key?: keyof Box<T> & (string | undefined)",
      "Box: readonly size: number",
      "Box: static make(this: void): Box<1>",
      "class Box<T> extends Map<string, T>",
      "Shape: (a: T): void",
      "Shape: [key: number]: unknown",
      "Shape: named<U>(a: U): `x${string}`",
      "interface Shape<T = 1>",
      'type Unwrap<T> = T extends (infer R)[] ? { [K in keyof R]?: R[K] } : (() => never) | "no"',
      'function f<T extends string = "a">(a: number, b?: readonly T[], ...rest: [string, number?][]): a is 3',
      "const inner.two: number",
    ].join("\n") + "\n",
  );
});

Deno.test("api: differences name the lines that left and came", () => {
  assertEquals(firstDifferences("a\nb\n", "b\nc\n"), "- a\n+ c");
  assertEquals(firstDifferences("", "a\nb\nc\n", 2), "+ a\n+ b\n… and 1 more");
});

Deno.test("api: api.txt is what mod.ts exports", async () => {
  const recorded = await Deno.readTextFile(new URL("api.txt", ROOT));
  const differences = firstDifferences(recorded, await publicSignatures("mod.ts"));
  assertEquals(differences, "", `run "deno task api" if the change is meant:\n${differences}`);
});
