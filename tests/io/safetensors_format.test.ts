/** The safetensors format over bytes: what is accepted, what is refused and in which words, and what is written. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ArgumentError, FormatError } from "../../src/base/errors.ts";
import { type Header, parseHeader, serializeHeader, type TensorInfo } from "../../src/io/safetensors_format.ts";

const GOLDEN = new URL("../golden/checkpoints/", import.meta.url);
const ORIGIN = { op: "loadFile", file: '"x.safetensors"' };

function fileOf(header: string | Uint8Array, dataBytes: number): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

function parse(file: Uint8Array): Header {
  return parseHeader(file, file.length, ORIGIN);
}

/** Every malformed file of PyTorch's collection, with the part of the message that names its fault. */
const BAD: Record<string, string> = {
  bad_dtype: 'tensor "a" has the unknown dtype "F33"',
  bad_duplicate_key: 'the name "a" appears twice',
  bad_header_past_end: "its header would have 5000 bytes, and the file has 61 after the length",
  bad_header_too_long: "its header would have 1099511627776 bytes; at most 100000000 are allowed",
  bad_hole: 'tensor "b" starts at byte 16 of the data and leaves a hole after byte 8',
  bad_huge_shape: 'tensor "a" (F32, [8589934592, 8589934592]) needs 295147905179352830000 bytes and has 8',
  bad_json: "its header is not JSON",
  bad_negative_shape: 'tensor "a" has no valid shape: [-2]',
  bad_offset_past_end: 'tensor "b" ends at byte 16 of the data, which has 12',
  bad_overlap: 'tensor "b" starts at byte 4 of the data, inside the tensor before it',
  bad_size_mismatch: 'tensor "a" (F32, [3]) needs 12 bytes and has 8',
  bad_too_short: "it has 3 bytes, and the header's length alone takes 8",
  bad_trailing_bytes: "8 bytes after the last tensor belong to none",
};

Deno.test("every malformed golden file has its case", () => {
  const files = [...Deno.readDirSync(GOLDEN)].map((f) => f.name).filter((name) => name.startsWith("bad_"));
  assertEquals(files.sort(), Object.keys(BAD).map((name) => `${name}.safetensors`).sort());
});

for (const [name, fault] of Object.entries(BAD)) {
  Deno.test(`parseHeader() refuses ${name}`, () => {
    const file = Deno.readFileSync(new URL(`${name}.safetensors`, GOLDEN));
    const error = assertThrows(() => parse(file), FormatError);
    assertStringIncludes(error.message, `loadFile(): "x.safetensors" is not a sound safetensors file: ${fault}`);
    assertEquals(error.message.includes("\n"), false);
  });
}

const F32 = '"dtype":"F32","shape":[1],"data_offsets":[0,4]';

/** Hostile headers, with the number of data bytes and the fault that is named. */
const HOSTILE: [title: string, header: string | Uint8Array, dataBytes: number, fault: string][] = [
  ["an empty header", "", 0, 'does not start with "{"'],
  ["a list", "[]", 0, 'does not start with "{"'],
  ["space before the brace", " {}", 0, 'does not start with "{"'],
  ["two objects", "{}{}", 0, "not JSON"],
  ["a NUL after the object", "{}\0", 0, "not JSON"],
  ["invalid UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 0, "not JSON"],
  ["a tensor that is a number", '{"a":1}', 0, 'tensor "a" is not described by an object'],
  ["a tensor without dtype", '{"a":{"shape":[1],"data_offsets":[0,4]}}', 4, "unknown dtype (none)"],
  ["a dtype from Object.prototype", '{"a":{"dtype":"toString","shape":[],"data_offsets":[0,0]}}', 0, "unknown dtype"],
  ["no shape", '{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4, "no valid shape: (none)"],
  ["a fraction in the shape", '{"a":{"dtype":"F32","shape":[0.5],"data_offsets":[0,2]}}', 2, "no valid shape"],
  ["a text in the shape", '{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}', 4, "no valid shape"],
  ["a size above 2^53", '{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}', 4, "no valid shape"],
  ["one offset", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', 4, "no valid data_offsets"],
  ["offsets that go back", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', 4, "no valid data_offsets"],
  ["a negative offset", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}', 4, "no valid data_offsets"],
  ["half a byte", '{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}', 1, "needs 0.5 bytes and has 1"],
  ["a hole at the start", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8, "leaves a hole after byte 0"],
  ["no tensors and data", "{}", 4, "4 bytes after the last tensor"],
  ["the same bytes twice", `{"a":{${F32}},"b":{${F32}}}`, 4, "inside the tensor before it"],
  ["a name twice, once escaped", `{"a":{${F32}},"\\u0061":{${F32}}}`, 4, 'the name "a" appears twice'],
  ["a field twice", `{"a":{"dtype":"F64",${F32}}}`, 4, 'the name "dtype" appears twice'],
  ["__metadata__ twice", '{"__metadata__":{},"__metadata__":{}}', 0, 'the name "__metadata__" appears twice'],
  ["metadata that is no object", '{"__metadata__":[]}', 0, '"__metadata__" is not an object of texts'],
  ["metadata that is no text", '{"__metadata__":{"epoch":1}}', 0, 'the metadata "epoch" is not a text'],
  ["a lone surrogate in a name", `{"\\ud800":{${F32}}}`, 4, "is not valid Unicode"],
];

for (const [title, header, dataBytes, fault] of HOSTILE) {
  Deno.test(`parseHeader() refuses ${title}`, () => {
    const error = assertThrows(() => parse(fileOf(header, dataBytes)), FormatError);
    assertStringIncludes(error.message, fault);
  });
}

Deno.test("parseHeader() refuses a file at every truncation", () => {
  const file = Deno.readFileSync(new URL("sharded-00001-of-00003.safetensors", GOLDEN));
  for (let n = 0; n < file.length; n++) assertThrows(() => parse(file.subarray(0, n)), FormatError);
});

Deno.test("parseHeader() survives any changed byte: it accepts or throws FormatError", () => {
  const file = Deno.readFileSync(new URL("sharded-00003-of-00003.safetensors", GOLDEN));
  for (let at = 0; at < 168; at++) {
    for (const bit of [1, 16, 128]) {
      const changed = file.slice();
      changed[at] ^= bit;
      try {
        parse(changed);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }
  }
});

Deno.test("parseHeader() takes names that are special in JavaScript", () => {
  const header = `{"__proto__":{${F32}},"constructor":{"dtype":"U8","shape":[],"data_offsets":[4,5]}}`;
  assertEquals(parse(fileOf(header, 5)).entries.map((e) => e.name), ["__proto__", "constructor"]);
});

Deno.test("parseHeader() reads a header that PyTorch wrote", () => {
  const file = Deno.readFileSync(new URL("model.safetensors", GOLDEN));
  const { entries, metadata, dataStart } = parse(file);
  assertEquals(metadata, { format: "pt", note: "Ünïcode ✓" });
  assertEquals([entries.length, dataStart], [28, 2000]);
  assertEquals(entries[1], { name: "empty.3d", dtype: "I64", shape: [2, 0, 3], begin: 24, end: 24 });
});

for (const name of ["model", "sharded-00001-of-00003", "sharded-00002-of-00003", "sharded-00003-of-00003"]) {
  Deno.test(`serializeHeader() writes the bytes of PyTorch's ${name}`, () => {
    const file = Deno.readFileSync(new URL(`${name}.safetensors`, GOLDEN));
    const { entries, metadata, dataStart } = parse(file);
    const { header, order } = serializeHeader("saveFile", entries.toReversed(), metadata);
    assertEquals(new TextDecoder().decode(header), new TextDecoder().decode(file.subarray(0, dataStart)));
    assertEquals(order, [...entries]);
  });
}

Deno.test("serializeHeader() round-trips an empty file and odd names", () => {
  const items: TensorInfo[] = ['quote"', "new\nline", "", "ключ", "__proto__"].map((name) => ({
    name,
    dtype: "U8",
    shape: [1],
  }));
  const { header, order } = serializeHeader("saveFile", items);
  const file = new Uint8Array(header.length + items.length);
  file.set(header);
  assertEquals(parse(file).entries.map((e) => e.name), order.map((i) => i.name));
  assertEquals(parse(serializeHeader("saveFile", []).header), { entries: [], metadata: null, dataStart: 16 });
});

Deno.test("serializeHeader() refuses what cannot be written", () => {
  const item = (name: string): TensorInfo => ({ name, dtype: "F32", shape: [] });
  assertThrows(() => serializeHeader("saveFile", [item("__metadata__")]), ArgumentError, "cannot have this name");
  assertThrows(() => serializeHeader("saveFile", [item("\ud800")]), ArgumentError, "cannot have this name");
  assertThrows(
    () => serializeHeader("saveFile", [], { epoch: 1 as unknown as string }),
    ArgumentError,
    'saveFile(): metadata must be texts: "epoch": 1',
  );
});
