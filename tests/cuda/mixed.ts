/**
 * Mixed precision over the double of CUDA: dtypes, training, PyTorch's scaler traces; run by `mixed.test.ts`.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertMixedFlat, assertMixedFollows } from "../support/mixed.ts";
import { assertScalerTraces } from "../support/scaler_traces.ts";

const x = torch.rand(4, 4, { device: "cuda" });
torch.autocast("cuda", () => {
  const y = x.matmul(x);
  const results = [y, y.relu(), y.exp(), y.softmax(-1), y.sum(), y.mean(), y.add(x), torch.nn.functional.mseLoss(y, y)];
  const [low, wide] = [torch.float16, torch.float32];
  assertEquals(results.map((r) => r.dtype), [low, low, wide, wide, wide, low, wide, wide]);
});
await assertMixedFollows("cuda", 6);
assertMixedFlat("cuda");
await assertScalerTraces("cuda", false);
await assertScalerTraces("cuda", true, ["AdamW", "SGD momentum"]);
console.log("agrees");
