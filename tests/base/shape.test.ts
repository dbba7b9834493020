/** Shapes and strides: view strides are PyTorch's (tests/golden/make_base.py); the rest by its rules. */

import { assertEquals, assertThrows } from "@std/assert";
import { ArgumentError, IndexError, ShapeError } from "../../src/base/errors.ts";
import {
  broadcastShapes,
  checkSizes,
  contiguousStrides,
  inferShape,
  isContiguous,
  numelOf,
  reducedShape,
  viewStrides,
  wrapDim,
  wrapDims,
} from "../../src/base/shape.ts";
import golden from "../golden/base.json" with { type: "json" };

type View = [shape: number[], strides: number[], target: number[], expected: number[] | null, contiguous: boolean];

Deno.test("viewStrides() is possible exactly where PyTorch's view() is, with the same addresses", () => {
  const wrong: unknown[] = [];
  for (const [shape, strides, target, expected] of golden.views as View[]) {
    const actual = viewStrides(shape, strides, target);
    // Strides of dimensions of size 1 (and of empty tensors) address nothing.
    const used = (s: number[] | null) => s?.map((step, d) => (target[d] > 1 && numelOf(target) > 0 ? step : 0)) ?? null;
    if (JSON.stringify(used(actual)) !== JSON.stringify(used(expected))) {
      wrong.push({ shape, strides, target, expected, actual });
    }
  }
  assertEquals(wrong, []);
});

Deno.test("isContiguous() is PyTorch's", () => {
  const wrong = (golden.views as View[]).filter(([shape, strides, , , c]) => isContiguous(shape, strides) !== c);
  assertEquals(wrong, []);
});

Deno.test("contiguousStrides() counts sizes of 0 as 1", () => {
  assertEquals(contiguousStrides([2, 3, 4]), [12, 4, 1]);
  assertEquals(contiguousStrides([2, 0, 4]), [4, 4, 1]);
  assertEquals(contiguousStrides([]), []);
});

Deno.test("broadcastShapes() aligns from the right and names the shapes that differ", () => {
  assertEquals(broadcastShapes("add", [3, 1], [4]), [3, 4]);
  assertEquals(broadcastShapes("add", [], [2, 0]), [2, 0]);
  assertEquals(broadcastShapes("add", [1], [0]), [0]);
  assertThrows(() => broadcastShapes("add", [2, 3], [4]), ShapeError, "add(): ");
  assertThrows(() => broadcastShapes("add", [0], [2]), ShapeError, "add(): ");
});

Deno.test("wrapDim() and wrapDims() count from the end and check", () => {
  assertEquals([wrapDim("f", -1, 3), wrapDim("f", 0, 0), wrapDim("f", -1, 0)], [2, 0, 0]);
  assertEquals([wrapDims("f", null, 2), wrapDims("f", [], 2), wrapDims("f", [-1, 0], 3)], [[0, 1], [0, 1], [2, 0]]);
  assertThrows(() => wrapDim("f", 2, 2), IndexError, "f(): dimension out of range: 2; expected -2 to 1");
  assertThrows(() => wrapDim("f", 0.5, 2), ArgumentError, "f(): a dimension must be an integer: 0.5");
  assertThrows(() => wrapDims("f", [0, -2], 2), ArgumentError, "f(): a dimension appears twice: [0, 0]");
});

Deno.test("inferShape() fills in one size and checks the count", () => {
  assertEquals(inferShape("view", [2, -1], 6), [2, 3]);
  assertEquals(inferShape("view", [-1], 0), [0]);
  assertThrows(() => inferShape("view", [-1, -1], 4), ShapeError, "only one size can be inferred");
  assertThrows(() => inferShape("view", [4, -1], 6), ShapeError, "invalid for 6 elements");
  assertThrows(() => inferShape("view", [0, -1], 0), ShapeError, "invalid for 0 elements");
  assertThrows(() => inferShape("view", [-2], 2), ShapeError, "invalid size");
});

Deno.test("checkSizes() refuses what no tensor has", () => {
  checkSizes("zeros", [2, 0, 3]);
  assertThrows(() => checkSizes("zeros", [1.5]), ArgumentError, "zeros(): a size must be an integer: [1.5]");
  assertThrows(() => checkSizes("zeros", [-1]), ShapeError, "zeros(): sizes must not be negative: [-1]");
  assertThrows(() => checkSizes("zeros", [2 ** 30, 2 ** 30]), ShapeError, "too large to address");
});

Deno.test("reducedShape() drops dimensions or keeps them as 1", () => {
  assertEquals(reducedShape([2, 3, 4], [0, 2], false), [3]);
  assertEquals(reducedShape([2, 3, 4], [0, 2], true), [1, 3, 1]);
});
