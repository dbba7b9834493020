/** `sumToSize`: the reverse of broadcasting, with its gradient and its errors. */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

Deno.test("sumToSize sums over what was repeated", () => {
  const x = torch.arange(24, { dtype: torch.float32 }).reshape(2, 3, 4).requiresGrad_();
  assertEquals(x.sumToSize(2, 3, 4).shape, [2, 3, 4]);
  assertEquals(x.sumToSize([]).itemSync(), 276);
  assertEquals(x.sumToSize(2, 1, 1).tolistSync(), [[[66]], [[210]]]);
  const y = x.sumToSize(3, 1);
  assertEquals(y.tolistSync(), [[60], [92], [124]]);
  y.mul(torch.tensor([[1], [2], [3]])).sum().backward();
  assertEquals(x.grad!.sumToSize(3, 1).tolistSync(), [[8], [16], [24]]);
});

Deno.test("sumToSize refuses shapes that do not broadcast to the tensor's", () => {
  const x = torch.ones(2, 3, 4);
  for (const shape of [[2, 4], [1, 2, 3, 4], [5]]) {
    assertThrows(() => x.sumToSize(shape), torch.ShapeError, "sumToSize(): shape [2, 3, 4] does not reduce to");
  }
});
