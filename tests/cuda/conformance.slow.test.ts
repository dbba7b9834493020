/**
 * Replays the committed part of PyTorch's recorded results on CUDA, over the test double: every entry of
 * `../conformance/passing_cuda.txt` must still pass, and the file only grows. Rewrite it with
 * `deno test -A tests/cuda/conformance.slow.test.ts -- --update`. All of them:
 * `deno run -A tests/support/cuda_double/run.ts deno run -A tests/conformance/run.ts DIR --device cuda`.
 */

import { assert } from "@std/assert";
import { replayAll } from "../conformance/driver.ts";
import { entryName, openFolder } from "../conformance/folder.ts";
import { cudaDoubleFolder, cudaTest } from "../support/cuda_double/build.ts";
import { doubleEnvironment } from "../support/cuda_double/run.ts";

const GOLDEN = new URL("../golden/conformance", import.meta.url).pathname;
const PASSING = new URL("../conformance/passing_cuda.txt", import.meta.url);
const UPDATE = Deno.args.includes("--update");

cudaTest("everything that agreed with PyTorch on cuda still does, over the test double", async () => {
  const listed = (await Deno.readTextFile(PASSING).catch(() => "")).split("\n").filter((line) => line !== "");
  const { jobs } = await openFolder(GOLDEN);
  const files = new Set(listed.map((name) => name.split(" ")[0] === "scheduler" ? "schedulers schedulers" : name));
  const chosen = UPDATE ? jobs : jobs.filter((job) => files.has(entryName(job)));
  const env = await doubleEnvironment(await cudaDoubleFolder());
  // A file's kernels are compiled by the host's compiler on first use.
  const { entries } = await replayAll(chosen, { device: "cuda", processes: 2, timeout: 180_000, env });
  const byName = new Map(entries.map((entry) => [entryName(entry), entry]));
  const lost = listed.filter((name) => byName.get(name)?.status !== "passed").map((name) => {
    const entry = byName.get(name);
    return `${name}: ${entry ? `${entry.status}, ${entry.first}` : "not recorded any more"}`;
  });
  assert(lost.length === 0, `no longer passing on cuda:\n${lost.join("\n")}`);
  const passed = entries.filter((entry) => entry.status === "passed").map(entryName);
  console.log(`${passed.length} entries passed on cuda`);
  if (UPDATE) await Deno.writeTextFile(PASSING, passed.sort().join("\n") + "\n");
});
