/**
 * uint16, uint32 and uint64 over the test double of CUDA: what PyTorch gives and refuses. Run by `backend.slow.test.ts`.
 *
 * @module
 */

import { assertUnsigned } from "../support/unsigned.ts";

for (const column of ["uint16", "uint32", "uint64"]) await assertUnsigned("cuda", column);
console.log("agrees");
