/** Philox 4x32-10 gives the words of its authors' known-answer tests. */

import { assertEquals } from "@std/assert";
import { philoxBlock, philoxWord } from "../../src/base/philox.ts";

Deno.test("philoxBlock() passes Random123's known-answer tests", () => {
  const all = 0xffffffff;
  assertEquals(philoxBlock([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  assertEquals(philoxBlock([all, all, all, all], [all, all]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  assertEquals(
    philoxBlock([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

Deno.test("philoxWord() counts lanes, then blocks, beyond 32 bits too", () => {
  const key: [number, number] = [0x89abcdef, 0x01234567];
  const seed = 0x0123456789abcdefn;
  assertEquals([4, 5, 6, 7].map((i) => philoxWord(i, seed)), philoxBlock([1, 0, 0, 0], key));
  assertEquals(philoxWord(4 * (2 ** 40 + 3) + 2, seed), philoxBlock([3, 256, 0, 0], key)[2]);
});
