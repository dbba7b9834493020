/**
 * Runs the checks of `unsigned.ts` on the CPU, with the kernels that the environment chooses.
 *
 * @module
 */

import { assertUnsigned } from "./unsigned.ts";

for (const column of ["uint16", "uint32", "uint64", "small uint64"]) await assertUnsigned("cpu", column);
