/**
 * Random and hostile calls of everything that is public. `faults.slow.test.ts` shows that the fuzzer would notice.
 */

import { assert, assertEquals } from "@std/assert";
import { availableKernels } from "../support/kernels.ts";
import { fuzz } from "./driver.ts";

const CALLS = 1500;

/** What no call may do. `run.ts` counts errors that name an inner call, too; those are judged one by one. */
const FAULTS = ["crash", "hang", "sanitizer", "invalid", "corrupted", "setup", "unnamed"];

for (const kernels of await availableKernels()) {
  Deno.test(`random and hostile calls neither crash nor hang nor spoil memory nor fail without a name (${kernels})`, async () => {
    const { findings, calls, size, reached } = await fuzz({ calls: CALLS, seed: 1, kernels, processes: 1 });
    const faults = findings.filter(({ kind }) => FAULTS.includes(kind));
    assertEquals(faults.map(({ kind, index, text, head }) => `${kind} --seed 1 --at ${index}: ${text}: ${head}`), []);
    assert(calls > 0.95 * CALLS, `${calls} of ${CALLS} calls were made`);
    assert(reached > CALLS / 5, `only ${reached} of ${size} were called`);
  });
}
