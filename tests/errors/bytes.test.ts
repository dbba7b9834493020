/** Bytes from outside: whatever holds them, they are read in bytes and from where the view begins, or refused by name. */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { ArgumentError, ShapeError } = torch;
const values = new Float32Array([9, 1, 2, 3, 4]);
const four = [1, 2, 3, 4];
const wrong = (v: unknown) => v as never;

/** The bytes of 1 to 4 as float32 in `buffer`, from byte 4 on. */
function filled<B extends ArrayBuffer | SharedArrayBuffer>(buffer: B): B {
  new Float32Array(buffer).set(values);
  return buffer;
}

const HOLDERS: Record<string, () => ArrayBufferView | ArrayBuffer | SharedArrayBuffer> = {
  "a Uint8Array": () => new Uint8Array(filled(new ArrayBuffer(20)), 4),
  "a Float32Array": () => values.slice(1),
  "a Float32Array inside its buffer": () => values.subarray(1),
  "a Float64Array": () => new Float64Array(filled(new ArrayBuffer(20)).slice(4)),
  "a BigInt64Array": () => new BigInt64Array(filled(new ArrayBuffer(20)).slice(4)),
  "a DataView inside its buffer": () => new DataView(filled(new ArrayBuffer(20)), 4),
  "an ArrayBuffer": () => filled(new ArrayBuffer(20)).slice(4),
  "a SharedArrayBuffer": () => {
    const shared = new SharedArrayBuffer(16);
    new Float32Array(shared).set(four);
    return shared;
  },
  "a view of a SharedArrayBuffer": () => new Uint8Array(filled(new SharedArrayBuffer(20)), 4),
  "a resizable ArrayBuffer": () => {
    const buffer = new ArrayBuffer(16, { maxByteLength: 64 });
    new Float32Array(buffer).set(four);
    return buffer;
  },
  "a view of a resizable ArrayBuffer": () => new DataView(filled(new ArrayBuffer(20, { maxByteLength: 64 })), 4),
};

for (const [name, hold] of Object.entries(HOLDERS)) {
  Deno.test(`fromBytes reads ${name}`, async () => {
    const x = torch.fromBytes(hold(), [4], torch.float32);
    assertEquals(await x.tolist(), four);
  });
}

Deno.test("tensor and fromData read typed arrays inside, shared and resizable buffers", async () => {
  for (const make of [(b: Float32Array) => torch.tensor(wrong(b)), (b: Float32Array) => torch.fromData(b, [4])]) {
    assertEquals(await make(values.subarray(1)).tolist(), four);
    assertEquals(await make(new Float32Array(filled(new SharedArrayBuffer(20)), 4)).tolist(), four);
    const growing = new ArrayBuffer(20, { maxByteLength: 64 });
    assertEquals(await make(new Float32Array(filled(growing), 4)).tolist(), four);
  }
});

Deno.test("raw halves are read from where their view begins", async () => {
  const bits = new Uint16Array([0, 0x3c00, 0x4000]);
  const x = torch.fromData(bits.subarray(1), [2], { dtype: torch.float16 });
  assertEquals(await x.tolist(), [1, 2]);
});

Deno.test("a detached buffer is refused by name", () => {
  const detached = new Float32Array(4);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  assertThrows(() => torch.fromBytes(detached, [4], torch.float32), ArgumentError, "fromBytes(): the buffer of bytes");
  assertThrows(() => torch.fromBytes(detached.buffer, [0], torch.float32), ArgumentError, "detached");
  assertThrows(() => torch.tensor(detached), ArgumentError, "tensor(): the buffer of the data is detached");
});

Deno.test("a view whose buffer shrank is refused", () => {
  const buffer = new ArrayBuffer(16, { maxByteLength: 16 });
  const floats = new Float32Array(buffer, 0, 4), view = new DataView(buffer, 0, 16);
  buffer.resize(4);
  assertThrows(() => torch.fromBytes(floats, [4], torch.float32), ShapeError, "fromBytes()");
  assertThrows(() => torch.fromBytes(view, [4], torch.float32), ArgumentError, "fromBytes()");
});

Deno.test("what only looks like bytes is refused by name", () => {
  const fakes = [[0, 0, 128, 63], "bytes", null, 5, Symbol("b")];
  for (const fake of [{ byteLength: 16, length: 1e9 }, ...fakes]) {
    assertThrows(() => torch.fromBytes(wrong(fake), [4], torch.float32), ArgumentError, "fromBytes(): bytes must be");
  }
  for (const fake of fakes) {
    assertThrows(() => torch.io.safetensors.load(wrong(fake)), ArgumentError, "load(): data must be");
  }
  const { load } = torch.io.safetensors;
  assertThrows(
    () => torch.fromBytes(wrong(undefined), [4], torch.float32),
    ArgumentError,
    'fromBytes(): missing argument: "bytes"',
  );
  assertThrows(() => load(wrong(undefined)), ArgumentError, 'load(): missing argument: "data"');
  assertThrows(() => load(wrong({ byteLength: 16 })), ArgumentError, 'load(): unknown argument: "byteLength"');
  class Liar extends Uint8Array {
    override get length() {
      return 1e9;
    }
  }
  assertThrows(() => torch.fromBytes(new Liar(4), [4], torch.float32), ShapeError, "16 bytes: 4 given");
});

Deno.test("values that are no numbers are refused by name and position", () => {
  assertThrows(
    () => torch.fromData(wrong(["1", "x"]), [2]),
    ArgumentError,
    `fromData(): a value must be a number: "1"`,
  );
  assertThrows(() => torch.fromData(new Array(2), [2]), ArgumentError, "undefined at position 0");
  assertThrows(() => torch.fromData([NaN, 1], [2], { dtype: torch.int64 }), ArgumentError, "does not fit torch.int64");
  assertThrows(() => torch.fromData(wrong({ length: 2 }), [2]), ArgumentError, "fromData(): the data must be an array");
  assertThrows(() => torch.fromData(wrong(new DataView(new ArrayBuffer(8))), [2]), ArgumentError, "fromData()");
  assertThrows(() => torch.tensor(wrong(new DataView(new ArrayBuffer(8)))), Error, "tensor()");
  assertThrows(() => torch.tensor(wrong([new DataView(new ArrayBuffer(8))])), ArgumentError, "tensor()");
});

Deno.test("arrays that contain themselves are refused, and no stack overflows", () => {
  const ring: unknown[] = [];
  ring.push(ring, ring);
  assertThrows(() => torch.tensor(wrong(ring)), ShapeError, "tensor(): arrays are nested deeper");
  assertThrows(() => torch.arange(8).at(wrong(ring)), ShapeError, "nested deeper");
  let deep: unknown = 1;
  for (let i = 0; i < 20000; i++) deep = [deep];
  assertThrows(() => torch.tensor(wrong(deep)), ShapeError, "nested deeper");
});

Deno.test("the state of a generator is read from where its view begins", () => {
  const generator = new torch.Generator();
  const state = generator.getState(), wide = new Uint8Array(32);
  wide.set(state, 8);
  generator.setState(wide.subarray(8, 24));
  assertEquals(generator.getState(), state);
  assertThrows(() => generator.setState(wrong([...state])), ArgumentError, "Generator.setState()");
});
