import { assertEquals, assertThrows } from "@std/assert";
import { ArgumentError, FormatError } from "../../src/base/errors.ts";
import { defaultGenerator, Generator, initialSeed, manualSeed } from "../../src/base/generator.ts";
import { philoxWord } from "../../src/base/philox.ts";

Deno.test("Generator: words are those of the seed's stream", () => {
  const g = new Generator().manualSeed(42);
  const words = Array.from({ length: 9 }, () => g.randomWord());
  assertEquals(words, Array.from({ length: 9 }, (_, i) => philoxWord(i, 42n)));
  assertEquals(new Set(words).size, 9);
});

Deno.test("Generator: a reserved range is skipped by later draws", () => {
  const g = new Generator().manualSeed(1);
  assertEquals(g.reserve(10), 0);
  assertEquals(g.randomWord(), philoxWord(10, 1n));
});

Deno.test("Generator: state goes there and back", () => {
  const g = new Generator().manualSeed(-3n);
  g.reserve(5);
  const state = g.getState();
  const expected = [g.randomWord(), g.randomWord()];
  assertEquals(new Generator().setState(state).initialSeed(), 2n ** 64n - 3n);
  const again = new Generator().setState(state);
  assertEquals([again.randomWord(), again.randomWord()], expected);
  const copy = g.cloneState();
  assertEquals(copy.randomWord(), g.randomWord());
});

Deno.test("Generator: bad seeds and states throw", () => {
  for (const bad of [1.5, NaN, Infinity, 2 ** 64, -(2n ** 63n) - 1n, "7" as unknown as number]) {
    assertThrows(() => manualSeed(bad), ArgumentError, "manualSeed(): a seed must be an integer");
  }
  assertThrows(() => new Generator().setState(new Uint8Array(3)), FormatError, "16 bytes: 3");
  assertThrows(() => new Generator().setState(new Uint8Array(16).fill(255)), FormatError, "2^53");
});

Deno.test("manualSeed() seeds the default generator and returns it", () => {
  assertEquals(manualSeed(5), defaultGenerator);
  assertEquals(initialSeed(), 5);
  const s = new Generator().seed();
  assertEquals(Number.isSafeInteger(s), true);
});
