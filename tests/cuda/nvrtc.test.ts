/** The hand-written CUDA kernels compile with the real NVRTC, where it is installed. */

import { assertEquals } from "@std/assert";
import { compileCuda } from "../support/nvrtc.ts";
import { handWritten } from "./sources.ts";

for (const architecture of ["sm_80", "sm_90"]) {
  Deno.test(`cuda: hand-written kernels compile for ${architecture}`, async () => {
    // The architectures differ in the instructions that the assembler picks, not in what the language allows.
    const sources = handWritten().filter((_, i) => architecture === "sm_80" || i % 4 === 0);
    const failures = await compileCuda(sources, architecture);
    if (failures !== null) assertEquals(failures, []);
  });
}
