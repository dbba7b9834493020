/** Printing is held to PyTorch's own repr, recorded by tests/golden/make_print.py. */

import { assertEquals, assertThrows } from "@std/assert";
import { type DTypeName, DTYPES, float32 } from "../../src/base/dtype.ts";
import { ArgumentError } from "../../src/base/errors.ts";
import { numelOf } from "../../src/base/shape.ts";
import {
  formatTensor,
  getPrintoptions,
  type PrintOptions,
  type PrintProfile,
  setPrintoptions,
} from "../../src/tensor/print.ts";
import golden from "../golden/print.json" with { type: "json" };

type Encoded = number | string | { big: string };

interface Case {
  name: string;
  shape: number[];
  dtype: DTypeName;
  data: Encoded[] | string;
  expected: string;
  gradFn?: string;
  requiresGrad?: boolean;
  options?: Partial<PrintOptions> & { profile?: PrintProfile };
}

function values(c: Case): (number | bigint)[] {
  if (typeof c.data !== "string") return c.data.map(decode);
  // The large tensors of make_print.py, too long to store.
  return Array.from({ length: numelOf(c.shape) }, (_, i) => ((7919 * i) % 2003 - 1001) / 128);
}

function decode(value: Encoded): number | bigint {
  if (typeof value === "object") return BigInt(value.big);
  if (value === "nan") return NaN;
  if (value === "inf") return Infinity;
  if (value === "-inf") return -Infinity;
  return Number(value);
}

Deno.test("formatTensor() prints as PyTorch prints", async (t) => {
  for (const c of golden.cases as Case[]) {
    await t.step(c.name, () => {
      setPrintoptions({ profile: "default", ...c.options });
      try {
        const text = formatTensor(values(c), c.shape, DTYPES[c.dtype], c);
        assertEquals(text, c.expected);
      } finally {
        setPrintoptions({ profile: "default" });
      }
    });
  }
});

Deno.test("formatTensor() names the device where it is given", () => {
  assertEquals(formatTensor([1, 2], [2], float32, { device: "cuda:0" }), "tensor([1., 2.], device='cuda:0')");
});

Deno.test("formatTensor() takes options for one text", () => {
  assertEquals(formatTensor([1.23456], [1], float32, { options: { precision: 1 } }), "tensor([1.2])");
  assertEquals(getPrintoptions().precision, 4);
});

Deno.test("setPrintoptions() throws on nonsense and changes nothing", () => {
  const before = getPrintoptions();
  assertThrows(() => setPrintoptions({ precision: -1 }), ArgumentError, "setPrintoptions(): precision");
  assertThrows(() => setPrintoptions({ linewidth: NaN }), ArgumentError, "linewidth");
  assertThrows(() => setPrintoptions({ profile: "wide" as PrintProfile }), ArgumentError, '"wide"');
  assertEquals(getPrintoptions(), before);
});
