import { assertEquals, assertStringIncludes } from "@std/assert";
import { replayAll } from "./driver.ts";

Deno.test("a crash, an exit or a hang is a failure of its entry, and the run goes on", async () => {
  const names = ["one", "crash", "two", "hang", "error", "exit", "three"];
  const jobs = names.map((name) => ({ path: name, kind: "op", name, variant: "" }));
  const worker = new URL("./fake_worker.ts", import.meta.url);
  const { entries, kernels } = await replayAll(jobs, { device: "cpu", worker, processes: 2, timeout: 2000 });
  assertEquals(kernels, "fake");
  assertEquals(entries.map((e) => [e.name, e.status]), [
    ["one", "passed"],
    ["crash", "failed"],
    ["two", "passed"],
    ["hang", "failed"],
    ["error", "failed"],
    ["exit", "failed"],
    ["three", "passed"],
  ]);
  assertStringIncludes(entries[1].first!, "float32 #7: crashed (SIGABRT)");
  assertStringIncludes(entries[3].first!, "float32 #7: hung for 2 s");
  assertStringIncludes(entries[4].first!, "truncated");
  assertStringIncludes(entries[5].first!, "crashed (exit code 3)");
});
