/**
 * Runs the checks of `float8.ts` on the CPU, with the kernels that the environment chooses.
 *
 * @module
 */

import { assertFloat8Conversions, assertFloat8Use } from "./float8.ts";

await assertFloat8Conversions("cpu");
await assertFloat8Use("cpu");
