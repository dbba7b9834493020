/**
 * Replays the committed part of PyTorch's recorded results on the GPU: every entry of `../conformance/passing_webgpu.txt` must
 * still pass, and the file only grows. Rewrite it with `deno test -A tests/webgpu/conformance.slow.test.ts -- --update`.
 */

import { assert } from "@std/assert";
import { replayAll } from "../conformance/driver.ts";
import { entryName, openFolder } from "../conformance/folder.ts";
import { gpuTest } from "./support.ts";

const GOLDEN = new URL("../golden/conformance", import.meta.url).pathname;
const PASSING = new URL("../conformance/passing_webgpu.txt", import.meta.url);
const UPDATE = Deno.args.includes("--update");

gpuTest("everything that agreed with PyTorch on webgpu still does", async () => {
  const listed = (await Deno.readTextFile(PASSING).catch(() => "")).split("\n").filter((line) => line !== "");
  const { jobs } = await openFolder(GOLDEN);
  const files = new Set(listed.map((name) => name.split(" ")[0] === "scheduler" ? "schedulers schedulers" : name));
  const chosen = UPDATE ? jobs : jobs.filter((job) => files.has(entryName(job)));
  const { entries } = await replayAll(chosen, { device: "webgpu", processes: 2 });
  const byName = new Map(entries.map((entry) => [entryName(entry), entry]));
  const lost = listed.filter((name) => byName.get(name)?.status !== "passed").map((name) => {
    const entry = byName.get(name);
    return `${name}: ${entry ? `${entry.status}, ${entry.first}` : "not recorded any more"}`;
  });
  assert(lost.length === 0, `no longer passing on webgpu:\n${lost.join("\n")}`);
  const passed = entries.filter((entry) => entry.status === "passed").map(entryName);
  console.log(`${passed.length} entries passed on webgpu`);
  if (UPDATE) await Deno.writeTextFile(PASSING, passed.sort().join("\n") + "\n");
});
