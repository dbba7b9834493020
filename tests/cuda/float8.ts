/**
 * Float8 over the double of CUDA; run by `backend.test.ts`.
 *
 * @module
 */

import { assertFloat8Conversions, assertFloat8Use } from "../support/float8.ts";

await assertFloat8Conversions("cuda");
await assertFloat8Use("cuda");
console.log("agrees");
