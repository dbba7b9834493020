/**
 * A training loop without annotations holds host and GPU memory flat, gives everything back, and the process ends by itself.
 * The long run of the same program is `deno run -A --v8-flags=--expose-gc tests/webgpu/leak.ts 10000`.
 */

import { assert } from "@std/assert";
import type { LeakReport, LeakSample } from "./leak.ts";
import { gpuTest } from "./support.ts";

const STEPS = 3000;
const MIB = 2 ** 20;
/** The most blocks that one reachable tensor keeps from the collector; see `src/tensor/storage.ts`. */
const COHORT = 16;

gpuTest(`${STEPS} training steps hold host and GPU memory flat, and the process ends`, async () => {
  const script = new URL("./leak.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script, String(STEPS)];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).spawn();
  const timer = setTimeout(() => child.kill(), 180_000);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  assert(success, new TextDecoder().decode(stderr));
  const { samples, losses, before, after }: LeakReport = JSON.parse(new TextDecoder().decode(stdout));
  assert(losses.at(-1)! < losses[0] / 4, `the loss does not fall: ${losses}`);
  const peak = (part: LeakSample[], key: keyof LeakSample) => Math.max(...part.map((s) => s[key]));
  // Between collections the results of some steps wait: the sawtooth's peak is what must not grow.
  const [early, late] = [samples.slice(2, 11), samples.slice(11)];
  for (const [key, room] of [["rss", 24 * MIB], ["heap", 8 * MIB], ["reservedBytes", 2 ** 18]] as const) {
    const [was, is] = [peak(early, key), peak(late, key)];
    assert(is <= was + room, `${key} grew from ${was} to ${is}`);
  }
  assert(after - before < COHORT, `${after - before} blocks stay`);
});
