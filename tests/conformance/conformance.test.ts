/**
 * Replays the committed part of PyTorch's recorded results and holds what passed once: every entry of `passing.txt` must
 * still pass, and the file only grows. After new ops, rewrite it with
 * `deno test -A tests/conformance/conformance.test.ts -- --update` (it refuses to drop an entry; delete the line by hand, with a
 * reason in the commit, where that is really meant).
 */

import { assert } from "@std/assert";
import { replayAll } from "./driver.ts";
import { entryName, openFolder } from "./folder.ts";

const GOLDEN = new URL("../golden/conformance", import.meta.url).pathname;
const PASSING = new URL("./passing.txt", import.meta.url);

Deno.test("everything that agreed with PyTorch still does", async () => {
  const listed = (await Deno.readTextFile(PASSING).catch(() => "")).split("\n").filter((line) => line !== "");
  const update = Deno.args.includes("--update");
  const { jobs } = await openFolder(GOLDEN);
  const files = new Set(listed.map((name) => name.split(" ")[0] === "scheduler" ? "schedulers schedulers" : name));
  const chosen = update ? jobs : jobs.filter((job) => files.has(entryName(job)));
  const { entries, kernels } = await replayAll(chosen, { device: "cpu" });
  const byName = new Map(entries.map((entry) => [entryName(entry), entry]));
  const passed = entries.filter((entry) => entry.status === "passed").map(entryName);
  console.log(`${passed.length} entries passed on the ${kernels} kernels`);
  const lost = listed.filter((name) => byName.get(name)?.status !== "passed").map((name) => {
    const entry = byName.get(name);
    return `${name}: ${entry ? `${entry.status}, ${entry.first}` : "not recorded any more"}`;
  });
  assert(lost.length === 0, `no longer passing:\n${lost.join("\n")}`);
  if (update) await Deno.writeTextFile(PASSING, passed.sort().join("\n") + "\n");
});
