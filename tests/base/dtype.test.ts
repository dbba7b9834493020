/** Dtypes and promotion, held to PyTorch's own tables (tests/golden/make_base.py). */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  canCast,
  complex128,
  complex64,
  type DTypeKind,
  type DTypeName,
  DTYPES,
  float32,
  float64,
  getDefaultDtype,
  int64,
  promoteTypes,
  resultType,
  setDefaultDtype,
  toComplex,
  toReal,
} from "../../src/base/dtype.ts";
import { DTypeError } from "../../src/base/errors.ts";
import golden from "../golden/base.json" with { type: "json" };

const names = golden.names as DTypeName[];

Deno.test("promoteTypes() is PyTorch's table", () => {
  const table = names.map((a) => names.map((b) => promoteTypes(DTYPES[a], DTYPES[b]).name));
  assertEquals(table, golden.promote as DTypeName[][]);
});

Deno.test("canCast() is PyTorch's table", () => {
  assertEquals(names.map((a) => names.map((b) => canCast(DTYPES[a], DTYPES[b]))), golden.canCast);
});

Deno.test("resultType() is PyTorch's for tensors, 0-d tensors and numbers", () => {
  const wrong: unknown[] = [];
  for (const [dim, zero, kind, expected] of golden.results as [DTypeName?, DTypeName?, DTypeKind?, DTypeName?][]) {
    const result = resultType(dim ? [DTYPES[dim]] : [], zero ? [DTYPES[zero]] : [], kind ? [kind] : []);
    if (result.name !== expected) wrong.push([dim, zero, kind, expected, result.name]);
  }
  assertEquals(wrong, []);
});

Deno.test("setDefaultDtype() decides what floating numbers become", () => {
  assertStrictEquals(getDefaultDtype(), float32);
  setDefaultDtype(float64);
  try {
    assertStrictEquals(resultType([int64], [], ["floating"]), float64);
    assertStrictEquals(resultType([int64], [], ["complex"]), complex128);
  } finally {
    setDefaultDtype(float32);
  }
  assertThrows(() => setDefaultDtype(int64), DTypeError, "setDefaultDtype(): the default must be a floating dtype");
});

Deno.test("toComplex() and toReal() go back and forth", () => {
  assertStrictEquals(toComplex(float64), complex128);
  assertStrictEquals(toComplex(float32), complex64);
  assertStrictEquals(toReal(complex128), float64);
  assertStrictEquals(toReal(int64), int64);
});

Deno.test("resultType() needs an operand", () => {
  assertThrows(() => resultType([], [], []), DTypeError, "no operands");
});
