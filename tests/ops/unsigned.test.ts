/** uint16, uint32 and uint64 on the CPU: PyTorch's values and refusals, promotion, exactness above 2^63, files, arrays. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { availableKernels, runScript } from "../support/kernels.ts";
import { golden } from "../support/unsigned.ts";

const { uint16, uint32, uint64 } = torch;
const byName = (name: string) =>
  Object.values(torch).find((d) => d instanceof torch.DType && d.name === name) as torch.DType;
const most = 2n ** 64n - 1n;

for (const kernels of await availableKernels()) {
  Deno.test(`unsigned: every op gives PyTorch's values or refuses (${kernels})`, async () => {
    const { code, stderr } = await runScript(new URL("../support/unsigned_cpu.ts", import.meta.url), [], kernels);
    assertEquals([code, stderr], [0, ""]);
  });
}

Deno.test("unsigned: every pair promotes as in PyTorch", () => {
  for (const [pair, expected] of Object.entries(golden.promotion)) {
    const [a, b] = pair.split(" ").map(byName);
    for (const [p, q] of [[a, b], [b, a]]) {
      if (expected !== null) assertEquals(torch.promoteTypes(p, q).name, expected, pair);
      else assertThrows(() => torch.promoteTypes(p, q), torch.DTypeError, "promote", pair);
    }
  }
  const x = torch.ones(1, { dtype: uint64 });
  assertEquals(torch.resultType(x, 1), uint64);
  assertEquals(torch.resultType(x, true), uint64);
  assertEquals(torch.resultType(x, 1.5), torch.float32);
  assertEquals(torch.resultType(x, torch.tensor(1n)), uint64);
  assertEquals(torch.resultType(x.bool(), 1), torch.int64);
  assertThrows(() => torch.resultType(x.bool(), x.at(0)), torch.DTypeError, "promote with floating dtypes alone");
  for (
    const [from, to, can] of [[uint64, torch.int8, true], [uint16, torch.bool, false], [torch.float32, uint64, false]]
  ) {
    assertEquals(torch.canCast(from as torch.DType, to as torch.DType), can);
  }
});

Deno.test("unsigned: names, sizes, limits and printing", async () => {
  assertEquals([uint16, uint32, uint64].map(String), ["torch.uint16", "torch.uint32", "torch.uint64"]);
  assertEquals([uint16, uint32, uint64].map((d) => d.itemsize), [2, 4, 8]);
  assertEquals([uint16, uint32, uint64].map((d) => torch.iinfo(d).max), [65535, 2 ** 32 - 1, most]);
  assertEquals([uint16, uint64].map((d) => torch.iinfo(d).min), [0, 0]);
  const x = torch.tensor([1n, most], { dtype: uint64 });
  assertEquals(x.type(), "torch.UInt64Tensor");
  assertEquals(String(x), "tensor([                   1, 18446744073709551615], dtype=torch.uint64)");
  assertEquals([x.isFloatingPoint(), x.isComplex(), x.dtype.isInteger], [false, false, true]);
  assertEquals(await torch.tensor([7], { dtype: uint16 }).item(), 7);
});

Deno.test("unsigned: values above 2^63 stay exact", async () => {
  const values = [0n, 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, most - 1n, most];
  const x = torch.tensor(values, { dtype: uint64 });
  assertEquals(await x.tolist(), [0, 1, ...values.slice(2)]);
  assertEquals(await x.at(6).item(), most);
  assertEquals(await x.at(1).item(), 1);
  assertEquals(await x.numpy(), BigUint64Array.from(values));
  assertEquals(
    await x.sort(0, { descending: true })[0].tolist(),
    [...values].reverse().map((v) => v < 2n ? Number(v) : v),
  );
  assertEquals(await x.eq(most).tolist(), values.map((v) => v === most));
  assertEquals(await x.eq(x.double().to(uint64)).tolist(), values.map((v) => BigInt(Number(v)) === v && v < 2n ** 64n));
  assertEquals(await x.double().tolist(), values.map(Number));
  assertEquals(
    await x.div(torch.tensor([most], { dtype: uint64 })).double().tolist(),
    values.map((v) => Math.fround(Number(v) / 2 ** 64)),
  );
  // Every double from 2^63 to 2^64 comes back.
  const large = [2 ** 63, 2 ** 63 + 2 ** 11, 2 ** 64 - 2 ** 11];
  const back = torch.tensor(large, { dtype: torch.float64 }).to(uint64);
  assertEquals(await back.tolist(), large.map(BigInt));
  assertEquals(await back.double().tolist(), large);
  assertEquals(await x.long().to(uint64).tolist(), await x.tolist());
  assertEquals(await x.isclose(x.roll(1)).tolist(), [false, false, false, false, true, false, true]);
});

Deno.test("unsigned: values that do not fit are refused, negative ones wrap around", async () => {
  assertEquals(await torch.tensor([-1, 1.5], { dtype: uint16 }).tolist(), [65535, 1]);
  assertEquals(await torch.full([1], -1, { dtype: uint64 }).item(), most);
  assertThrows(() => torch.tensor([65536], { dtype: uint16 }), torch.ArgumentError, "does not fit torch.uint16");
  assertThrows(() => torch.tensor([most + 1n], { dtype: uint64 }), torch.ArgumentError, "does not fit torch.uint64");
  assertThrows(() => torch.full([1], 2 ** 32, { dtype: uint32 }), torch.ArgumentError, "0 to 4294967295");
  assertThrows(() => torch.tensor([-1.5], { dtype: uint32 }), torch.ArgumentError, "does not fit");
});

Deno.test("unsigned: refusals say what to write", () => {
  const x = torch.ones(2, { dtype: uint16 });
  const remedy = "add(): PyTorch has none for torch.uint16; convert with .to(torch.int32), or .double()";
  assertEquals(assertThrows(() => x.add(1), torch.DTypeError).message, remedy);
  assertThrows(() => x.to(uint64).lt(2), torch.DTypeError, ".to(torch.int64)");
  assertThrows(() => x.add(torch.ones(2, { dtype: torch.int64 })), torch.DTypeError, "convert with .to(dtype)");
  assertThrows(() => x.clone().requiresGrad_(), Error, "requiresGrad_()");
  assertThrows(() => torch.setDefaultDtype(uint16), torch.DTypeError, "setDefaultDtype()");
});

Deno.test("unsigned: typed arrays and bytes", async () => {
  const arrays = [Uint16Array.of(1, 65535), Uint32Array.of(1, 2 ** 32 - 1), BigUint64Array.of(1n, most)] as const;
  for (const [i, array] of arrays.entries()) {
    const dtype = [uint16, uint32, uint64][i];
    for (const x of [torch.tensor(array), torch.fromNumpy(array), torch.asTensor(array), torch.fromData(array, [2])]) {
      assertEquals([x.dtype, await x.numpy(), x.readSync()], [dtype, array, array]);
    }
    const x = torch.fromBytes(new Uint8Array(array.buffer), [2], dtype);
    assertEquals([await x.read(), await x.bytes()], [array, new Uint8Array(array.buffer)]);
  }
  assertEquals(await torch.tensor([1, 2, 3]).to(uint16).view(torch.bfloat16).dtype, torch.bfloat16);
});

Deno.test("unsigned: safetensors files keep it, and widen it where that is asked for", async () => {
  const a = torch.tensor([1, 65535], { dtype: uint16 }), b = torch.tensor([2 ** 32 - 1], { dtype: uint32 });
  const c = torch.tensor([most], { dtype: uint64 });
  const bytes = await torch.io.safetensors.save({ a, b, c });
  const header = new TextDecoder().decode(
    bytes.subarray(8, 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))),
  );
  for (const name of ["U16", "U32", "U64"]) assert(header.includes(`"dtype":"${name}"`), header);
  const read = torch.io.safetensors.load(bytes);
  assertEquals([read.a.dtype, read.b.dtype, read.c.dtype], [uint16, uint32, uint64]);
  assertEquals([await read.a.tolist(), await read.b.item(), await read.c.item()], [[1, 65535], 2 ** 32 - 1, most]);
  const wide = torch.io.safetensors.load(await torch.io.safetensors.save({ a, b }), { widen: true });
  assertEquals([wide.a.dtype, wide.b.dtype, await wide.b.item()], [torch.int32, torch.int64, 2 ** 32 - 1]);
});
