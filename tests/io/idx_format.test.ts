/** The IDX format over bytes: real files, every element type, and damaged ones. */

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { float32, float64, int16, int32, int8, uint8 } from "../../src/base/dtype.ts";
import { FormatError } from "../../src/base/errors.ts";
import { type IdxArray, parseIdx } from "../../src/io/idx_format.ts";

const DATA = new URL("../../examples/data/", import.meta.url);

function parse(bytes: Uint8Array<ArrayBuffer>): Promise<IdxArray> {
  return parseIdx("loadFile", '"x.idx"', bytes);
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function idx(type: number, shape: number[], data: number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array([0, 0, type, shape.length, ...shape.flatMap((s) => [s >>> 24, s >>> 16, s >>> 8, s]), ...data]);
}

async function refused(bytes: Uint8Array<ArrayBuffer>, fault: string): Promise<void> {
  const error = await assertRejects(() => parse(bytes), FormatError);
  assertStringIncludes(error.message, `loadFile(): "x.idx" is not a sound IDX file: ${fault}`);
}

Deno.test("parseIdx() reads the digits", async () => {
  const images = await parse(await Deno.readFile(new URL("train-images-idx3-ubyte.gz", DATA)));
  assertEquals([images.shape, images.dtype], [[1500, 8, 8], uint8]);
  assertEquals([...images.bytes.subarray(0, 8)], [0, 0, 80, 207, 143, 16, 0, 0]);
  const labels = await parse(await Deno.readFile(new URL("t10k-labels-idx1-ubyte.gz", DATA)));
  assertEquals([labels.shape, Math.max(...labels.bytes)], [[297], 9]);
});

const TYPES: [number, number[], IdxArray["dtype"], ArrayLike<number>][] = [
  [0x08, [255], uint8, new Uint8Array([255])],
  [0x09, [255], int8, new Int8Array([-1])],
  [0x0b, [1, 2], int16, new Int16Array([0x0102])],
  [0x0c, [255, 255, 255, 254], int32, new Int32Array([-2])],
  [0x0d, [0x3f, 0xc0, 0, 0], float32, new Float32Array([1.5])],
  [0x0e, [0x3f, 0xf8, 0, 0, 0, 0, 0, 0], float64, new Float64Array([1.5])],
];

for (const [type, data, dtype, values] of TYPES) {
  Deno.test(`parseIdx() reads ${dtype.name}`, async () => {
    const array = await parse(idx(type, [1], data));
    assertEquals(array.dtype, dtype);
    assertEquals(array.bytes, new Uint8Array((values as Uint8Array<ArrayBuffer>).buffer));
  });
}

Deno.test("parseIdx() reads a 0-d and an empty array", async () => {
  assertEquals((await parse(idx(0x08, [], [7]))).shape, []);
  assertEquals((await parse(idx(0x08, [0, 5], []))).bytes.length, 0);
});

Deno.test("parseIdx() refuses truncated, longer and foreign files", async () => {
  const good = idx(0x08, [2, 2], [1, 2, 3, 4]);
  for (let n = 0; n < 12; n++) await refused(good.slice(0, n), `it ends inside its header, after ${n} bytes`);
  await refused(good.slice(0, 15), "its header promises [2, 2] of uint8, 4 bytes; it has 3");
  await refused(new Uint8Array([...good, 5]), "its header promises [2, 2] of uint8, 4 bytes; it has more");
  await refused(new TextEncoder().encode("<html>") as Uint8Array<ArrayBuffer>, "it starts with the bytes 3c 68 74 6d");
  await refused(idx(0x0a, [1], [0]), "it starts with the bytes 00 00 0a 01");
  await refused(idx(0x0e, [2 ** 32 - 1, 2 ** 32 - 1], []), "its sizes are too large: [4294967295, 4294967295]");
});

Deno.test("parseIdx() refuses damaged gzip streams", async () => {
  const packed = await Deno.readFile(new URL("train-images-idx3-ubyte.gz", DATA));
  await refused(packed.slice(0, 20_000), "its gzip stream is damaged or cut short");
  await refused(packed.slice(0, 5), "its gzip stream is damaged or cut short");
  const flipped = packed.slice();
  flipped[15_000] ^= 0xff;
  await assertRejects(() => parse(flipped), FormatError);
});

Deno.test("parseIdx() stops unpacking where the header says the data ends", async () => {
  const bomb = new Uint8Array(64 * 2 ** 20);
  bomb.set(idx(0x08, [3], []));
  const packed = await gzip(bomb);
  await refused(packed, "its header promises [3] of uint8, 3 bytes; it has more");
});
