/** Memory layouts: strides of results against PyTorch's, op by op, and values that do not depend on the layout. */

import { assert, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { checkStrides, last, STRIDE_CASES } from "./stride_cases.ts";

for (const name of STRIDE_CASES) Deno.test(`strides and values: ${name}`, () => checkStrides(name, "cpu"));

Deno.test("formats are known, and their dimensions checked", () => {
  const x = torch.randn(2, 3, 4);
  assertThrows(() => x.contiguous(last), torch.ShapeError, "channels_last needs 4 dimensions: [2, 3, 4]");
  assertThrows(() => x.clone({ memoryFormat: "nhwc" as never }), torch.ArgumentError, "unknown memoryFormat");
  assert(!x.isContiguous(last));
  const image = torch.randn(2, 3, 4, 5);
  assert(image.isContiguous() && !image.isContiguous(last));
  assert(image.to(last).isContiguous(last) && !image.to(last).isContiguous());
  assert(torch.randn(2, 1, 4, 5).isContiguous(last), "one channel is in both formats");
  const laid = image.to(last);
  assert(laid.to(last) === laid && laid.contiguous(last) === laid);
});
