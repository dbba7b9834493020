/**
 * Float8 over the double of CUDA; run by `backend.slow.test.ts`.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertFloat8Conversions, assertFloat8Use } from "../support/float8.ts";
import { assertScaledMm } from "../support/scaled_mm.ts";

await assertFloat8Conversions("cuda");
await assertFloat8Use("cuda");
await assertScaledMm("cuda");

// Which products cuBLASLt takes: those that float8 tensor cores have.
const { backend } = torch.zeros(1, { device: "cuda" }).storage;
const taken = (m: number, k: number, n: number, a = torch.float8E4m3fn, b = torch.float8E4m3fn, columns = true) => {
  const x = torch.zeros(m, k, { dtype: a, device: "cuda" }), y = torch.zeros(n, k, { dtype: b, device: "cuda" });
  const out = torch.zeros(m, n, { device: "cuda" });
  const right = columns ? y.T : y.T.contiguous();
  return backend.scaledMatmul!(x, right, out, { a: null, b: null, bias: null, fastSums: false });
};
const hopper = backend.info().kernels.includes("sm_90");
assertEquals(taken(16, 32, 48), hopper);
assertEquals(taken(3, 16, 16), hopper);
assertEquals([taken(16, 16, 16, torch.float8E4m3fn, torch.float8E5m2), taken(16, 16, 16, torch.float8E5m2)], [
  hopper,
  hopper,
]);
assertEquals(taken(16, 16, 16, torch.float8E5m2, torch.float8E5m2), false, "there is no product of two e5m2");
assertEquals([taken(16, 8, 16), taken(16, 16, 8), taken(16, 16, 16, undefined, undefined, false)], [
  false,
  false,
  false,
]);
console.log("agrees");
