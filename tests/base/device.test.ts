/** Device names. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { CPU, device } from "../../src/base/device.ts";
import { DeviceError } from "../../src/base/errors.ts";

Deno.test("device() reads names, and one name is one object", () => {
  assertStrictEquals(device("cpu"), CPU);
  assertStrictEquals(device("cuda:1"), device("cuda:1"));
  assertStrictEquals(device(device("webgpu")), device("webgpu"));
  assertEquals([device("cuda").type, device("cuda").index], ["cuda", 0]);
  assertEquals(String(device("cuda:3")), "cuda:3");
});

Deno.test("device() throws on what is no device", () => {
  for (const name of ["gpu", "cuda:", "cuda:-1", "cpu:x", ""]) {
    assertThrows(() => device(name), DeviceError, `device(): unknown device: "${name}"`);
  }
});
