/**
 * Replays the committed part of PyTorch's recorded results and holds what passed once: every entry of `passing.txt` must
 * still pass, and the file only grows. After new ops, rewrite it with
 * `deno test -A tests/conformance/conformance.test.ts -- --update` (it refuses to drop an entry; delete the line by hand, with a
 * reason in the commit, where that is really meant).
 */

import { assert } from "@std/assert";
import { replayAll } from "./driver.ts";
import { entryName, openFolder } from "./folder.ts";
import { availableKernels, type Kernels } from "../support/kernels.ts";

const GOLDEN = new URL("../golden/conformance", import.meta.url).pathname;
const UPDATE = Deno.args.includes("--update");
const PASSING = new URL("./passing.txt", import.meta.url);

/** Replays the listed entries, or with `--update` all, and gives the names that passed. */
async function replay(listed: string[], kernels: Kernels): Promise<string[]> {
  const { jobs } = await openFolder(GOLDEN);
  const files = new Set(listed.map((name) => name.split(" ")[0] === "scheduler" ? "schedulers schedulers" : name));
  const chosen = UPDATE ? jobs : jobs.filter((job) => files.has(entryName(job)));
  const { entries } = await replayAll(chosen, { device: "cpu", env: { CRESSET_KERNELS: kernels } });
  const byName = new Map(entries.map((entry) => [entryName(entry), entry]));
  const lost = listed.filter((name) => byName.get(name)?.status !== "passed").map((name) => {
    const entry = byName.get(name);
    return `${name}: ${entry ? `${entry.status}, ${entry.first}` : "not recorded any more"}`;
  });
  assert(lost.length === 0, `no longer passing on ${kernels}:\n${lost.join("\n")}`);
  return entries.filter((entry) => entry.status === "passed").map(entryName);
}

Deno.test("everything that agreed with PyTorch still does, on each kernel library", async () => {
  const listed = (await Deno.readTextFile(PASSING).catch(() => "")).split("\n").filter((line) => line !== "");
  const passed: string[][] = [];
  for (const kernels of await availableKernels()) {
    passed.push(await replay(listed, kernels));
    console.log(`${passed.at(-1)!.length} entries passed on the ${kernels} kernels`);
  }
  const everywhere = passed[0].filter((name) => passed.every((names) => names.includes(name)));
  if (UPDATE) await Deno.writeTextFile(PASSING, everywhere.sort().join("\n") + "\n");
});
