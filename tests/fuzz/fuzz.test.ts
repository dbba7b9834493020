/**
 * The fuzzer notices what it looks for: faults that were planted are found, each as what it is.
 */

import { assert, assertEquals } from "@std/assert";
import { availableKernels } from "../support/kernels.ts";
import { fuzz } from "./driver.ts";

const CALLS = 1500;

/** What no call may do. How errors are worded is counted by `run.ts`; a name that is missing there is mended there. */
const FAULTS = ["crash", "hang", "sanitizer", "invalid", "corrupted", "setup"];

for (const kernels of await availableKernels()) {
  Deno.test(`random and hostile calls neither crash nor hang nor spoil memory (${kernels})`, async () => {
    const { findings, calls, size, reached } = await fuzz({ calls: CALLS, seed: 1, kernels, processes: 1 });
    const faults = findings.filter(({ kind }) => FAULTS.includes(kind));
    assertEquals(faults.map(({ kind, index, text, head }) => `${kind} --seed 1 --at ${index}: ${text}: ${head}`), []);
    assert(calls > 0.95 * CALLS, `${calls} of ${CALLS} calls were made`);
    assert(reached > CALLS / 5, `only ${reached} of ${size} were called`);
  });
}

Deno.test("the fuzzer finds planted faults, tells them apart and makes each again by its seed and index alone", async () => {
  const options = { seed: 1, kernels: "wasm", catalogue: "faults", processes: 1, timeout: 1000, giveUp: 1 } as const;
  const { findings } = await fuzz({ ...options, calls: 50 });
  const found = new Map(findings.map((finding) => [finding.name, finding]));
  const kinds = [...found].map(([name, { kind }]) => [name, kind]).sort();
  assertEquals(kinds, [
    ...[["crash", "crash"], ["hang", "hang"], ["invalid", "invalid"], ["misnamed", "misnamed"]],
    ...[["nameless", "unnamed"], ["unnamed", "unnamed"], ["wait", "hang"]],
  ]);
  for (const name of ["crash", "unnamed"]) {
    const again = await fuzz({ ...options, calls: 1, from: found.get(name)!.index });
    assertEquals(again.findings, [found.get(name)]);
  }
});
