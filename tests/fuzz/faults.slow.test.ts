/**
 * The fuzzer notices what it looks for: faults that were planted are found, each as what it is.
 */

import { assertEquals } from "@std/assert";
import { fuzz } from "./driver.ts";

Deno.test("the fuzzer finds planted faults, tells them apart and makes each again by its seed and index alone", async () => {
  const options = { seed: 1, kernels: "wasm", catalogue: "faults", processes: 1, timeout: 1000, giveUp: 1 } as const;
  const { findings } = await fuzz({ ...options, calls: 50 });
  const found = new Map(findings.map((finding) => [finding.name, finding]));
  const kinds = [...found].map(([name, { kind }]) => [name, kind]).sort();
  assertEquals(kinds, [
    ...[["crash", "crash"], ["hang", "hang"], ["invalid", "invalid"], ["misnamed", "misnamed"]],
    ...[["nameless", "unnamed"], ["unnamed", "unnamed"], ["wait", "hang"]],
  ]);
  // What ended a process was made again alone before it counted; the text of a crash would say "not alone".
  assertEquals(findings.filter(({ head }) => head.includes("not alone")), []);
  const again = await fuzz({ ...options, calls: 1, from: found.get("unnamed")!.index });
  assertEquals(again.findings, [found.get("unnamed")]);
});
