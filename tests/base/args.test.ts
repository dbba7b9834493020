/** PyTorch's calling convention: positions, names, and what is wrong with a call. */

import { assertEquals, assertThrows } from "@std/assert";
import { intList, isPlainObject, signature } from "../../src/base/args.ts";
import { ArgumentError } from "../../src/base/errors.ts";

interface Options {
  dim?: number;
  keepdim?: boolean;
  dtype?: string;
}
const parse = signature<Options>("sum", ["dim", "keepdim"], ["dtype"]);

Deno.test("signature() takes any prefix by position and the rest by name", () => {
  assertEquals(parse([]), {});
  assertEquals(parse([1, true]), { dim: 1, keepdim: true });
  assertEquals(parse([1, { keepdim: true }]), { dim: 1, keepdim: true });
  assertEquals(parse([{ dim: 1, dtype: "x" }]), { dim: 1, dtype: "x" });
  assertEquals(parse([undefined, true]), { keepdim: true });
});

Deno.test("signature() names what is wrong", () => {
  assertThrows(() => parse([1, true, 2]), ArgumentError, "sum(): too many arguments: 3");
  assertThrows(() => parse([{ dims: 1 }]), ArgumentError, 'sum(): unknown argument: "dims"');
  assertThrows(() => parse([1, { dim: 2 }]), ArgumentError, 'sum(): argument given twice: "dim"');
  const needs = signature<{ index: number }>("gather", ["index"], [], 1);
  assertThrows(() => needs([]), ArgumentError, 'gather(): missing argument: "index"');
});

Deno.test("isPlainObject() takes object literals only", () => {
  assertEquals([isPlainObject({}), isPlainObject([]), isPlainObject(new Date()), isPlainObject(null)], [
    true,
    false,
    false,
    false,
  ]);
});

Deno.test("intList() takes an array or spread integers", () => {
  assertEquals([intList("f", [[2, 3]]), intList("f", [2, 3])], [[2, 3], [2, 3]]);
  assertThrows(() => intList("f", [1.5]), ArgumentError, "f(): expected integers: [1.5]");
});
