/** `scaledMm`: PyTorch's results, and what it refuses. */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertScaledMm } from "../support/scaled_mm.ts";

const F = torch.nn.functional;
const { TensorWise, RowWise } = F.ScalingType;

Deno.test("scaledMm: as in PyTorch", () => assertScaledMm("cpu"));

Deno.test("scaledMm: the default dtype is bfloat16, null that of the left matrix", () => {
  const x = torch.ones(2, 2, { dtype: torch.float8E5m2 }), one = torch.tensor(1);
  assertEquals(F.scaledMm(x, x, one, TensorWise, one, TensorWise).dtype, torch.bfloat16);
  assertEquals(F.scaledMm(x, x, one, TensorWise, one, TensorWise, { outputDtype: null }).dtype, torch.float8E5m2);
});

Deno.test("scaledMm: what does not fit is refused", () => {
  const x = torch.ones(2, 3, { dtype: torch.float8E4m3fn }), y = x.T, one = torch.tensor(1);
  const run = (a: torch.Tensor, b: torch.Tensor, s: torch.Tensor, recipe: 0 | 1, options = {}) => () =>
    F.scaledMm(a, b, s, recipe, one, TensorWise, options);
  assertThrows(run(x.float(), y, one, TensorWise), torch.DTypeError, "float8");
  assertThrows(run(x, x, one, TensorWise), torch.ShapeError, "inner sizes differ");
  assertThrows(run(x, y, torch.ones(2), TensorWise), torch.ShapeError, "one element");
  assertThrows(run(x, y, torch.ones(3, 1), RowWise), torch.ShapeError, "[2, 1]");
  assertThrows(run(x, y, one.double(), TensorWise), torch.ShapeError, "float32");
  assertThrows(run(x, y, one, 5 as 0), torch.ArgumentError, "TensorWise or RowWise");
  assertThrows(run(x, y, one, TensorWise, { bias: torch.ones(3) }), torch.ShapeError, "[2]");
  assertThrows(run(x, y, one, TensorWise, { outputDtype: torch.int32 }), torch.DTypeError, "floating");
  assertThrows(run(x, y, one.clone().requiresGrad_(), TensorWise), torch.AutogradError, "no derivative");
  assertThrows(() => F.scaledMm(x, y, [one, one], TensorWise, one, TensorWise), torch.ArgumentError, "2 given");
});
