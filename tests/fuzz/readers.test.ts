/**
 * Files that were damaged: the readers of safetensors and IDX give tensors or a `FormatError` (or a `DTypeError`, where the
 * file says a dtype that there is none of), for any bytes.
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { parseIdx } from "../../src/io/idx_format.ts";
import { Random } from "./random.ts";

const { safetensors } = torch.io;
const ROUNDS = 3000;

/** Numbers that a header should not hold. */
const NUMBERS = [
  "0",
  "-1",
  "1e3",
  "9007199254740993",
  "18446744073709551616",
  "1.5",
  "4294967296",
  "1e400",
  "01",
  "null",
];

/** A safetensors file of several dtypes, an empty and a 0-d tensor among them. */
async function goodSafetensors(): Promise<Uint8Array> {
  return await safetensors.save({
    a: torch.arange(6).reshape([2, 3]),
    b: torch.ones([4], { dtype: torch.float16 }),
    "layers.0.weight": torch.zeros([0, 3]),
    scalar: torch.tensor(2),
  }, { format: "pt" });
}

/** IDX files of every type that the format has. */
function goodIdx(): Uint8Array[] {
  const sizes = [[8, 1], [9, 1], [11, 2], [12, 4], [13, 4], [14, 8]], shapes = [[3], [2, 3], [2, 2, 2], [0, 4], []];
  const word = (n: number): number[] => [n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255];
  return sizes.flatMap(([type, bytes]) =>
    shapes.map((shape) => {
      const data = new Array(shape.reduce((a, b) => a * b, bytes)).fill(7);
      return new Uint8Array([0, 0, type, shape.length, ...shape.flatMap(word), ...data]);
    })
  );
}

/** The bytes with one thing wrong. */
function damaged(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const list = [...bytes], at = random.int(Math.max(1, list.length));
  switch (random.int(6)) {
    case 0:
      list[at] ^= 1 << random.int(8);
      break;
    case 1:
      list[at] = random.pick([0, 255, 0x22, 0x7b, 0x7d, 0x2c, random.int(256)]);
      break;
    case 2:
      list.length = at;
      break;
    case 3:
      list.splice(at, random.int(16));
      break;
    case 4:
      list.splice(at, 0, ...list.slice(0, random.int(24)));
      break;
    default:
      return withNumber(bytes, random);
  }
  return new Uint8Array(list);
}

/** A number of the header replaced, and the header's length made to fit. */
function withNumber(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const numbers = [...text.matchAll(/\d+/g)];
  if (numbers.length === 0) return new Uint8Array(bytes);
  const { 0: old, index } = random.pick(numbers), put = random.pick(NUMBERS);
  const changed = text.slice(0, index) + put + text.slice(index + old.length);
  const out = Uint8Array.from(changed, (char) => char.charCodeAt(0));
  if (out.length < 8) return out;
  const view = new DataView(out.buffer);
  view.setUint32(0, Math.max(0, view.getUint32(0, true) + put.length - old.length), true);
  return out;
}

/** Reads damaged copies; gives what was read and every error that is not the format's. */
async function readAll(files: readonly Uint8Array[], read: (bytes: Uint8Array<ArrayBuffer>) => unknown) {
  const wrong: string[] = [];
  let whole = 0, refused = 0;
  for (let index = 0; index < ROUNDS; index++) {
    const random = new Random(1, index);
    let bytes = new Uint8Array(random.pick(files));
    for (let times = 1 + random.int(3); times > 0; times--) bytes = damaged(bytes, random);
    try {
      await read(bytes);
      whole++;
    } catch (error) {
      refused++;
      const named = (error instanceof torch.FormatError || error instanceof torch.DTypeError) &&
        /^\w+\(\)/.test(error.message);
      if (!named) wrong.push(`${index}: ${error}`);
    }
  }
  return { wrong, whole, refused };
}

Deno.test("any bytes are a safetensors file or a named error", async () => {
  const { wrong, whole, refused } = await readAll([await goodSafetensors()], (bytes) => {
    for (const x of Object.values(safetensors.load(bytes))) {
      x.readSync();
      x.dispose();
    }
  });
  assertEquals(wrong, []);
  assert(whole > ROUNDS / 50 && refused > ROUNDS / 2, `${whole} read, ${refused} refused`);
});

Deno.test("any bytes are an IDX file or a named error", async () => {
  const { wrong, whole, refused } = await readAll(goodIdx(), async (bytes) => {
    const { bytes: data, shape, dtype } = await parseIdx("loadFile", "a file", bytes);
    assertEquals(data.length, shape.reduce((a, b) => a * b, dtype.itemsize));
  });
  assertEquals(wrong, []);
  assert(whole > ROUNDS / 50 && refused > ROUNDS / 2, `${whole} read, ${refused} refused`);
});
