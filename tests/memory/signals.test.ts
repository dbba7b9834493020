/**
 * A training run that is sent signals all the time ends as it should: its listeners ran, its checkpoint is whole.
 *
 * oneDNN 2 runs its products on a stack inside memory from malloc, which a signal's frame would overwrite: without masks
 * around its calls nearly every run ends in a corrupted heap within a second.
 */

import { assert } from "@std/assert";
import * as torch from "../../mod.ts";
import { nativeBuilt } from "../support/kernels.ts";

const SENT = ["SIGTERM", "SIGINT", "SIGUSR1"] as const;
const RUNS = 3, MILLISECONDS = 1000;

/** Lets a script run under signals; gives what it printed last. */
async function run(path: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("./signals.ts", import.meta.url).pathname, path],
    env: { CRESSET_KERNELS: "native" },
    stdout: "piped",
    // SIGUSR1 lets Deno open its inspector, which says so here.
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const readUntil = async (end: string): Promise<void> => {
    while (!text.includes(end)) {
      const { done, value } = await output.read();
      if (done) return;
      text += value;
    }
  };
  await readUntil("ready");
  let alive = true;
  const status = child.status.finally(() => alive = false);
  const end = performance.now() + MILLISECONDS;
  while (alive && performance.now() < end) {
    for (const signal of SENT) child.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  if (alive) child.kill("SIGUSR2");
  await readUntil("}");
  const { code, signal } = await status;
  await output.cancel();
  assert(code === 0, `ended by ${signal ?? code}: ${(await errors).slice(-500)}`);
  return text;
}

if (await nativeBuilt()) {
  Deno.test("signals during native training run their listeners and damage nothing", async () => {
    const folder = await Deno.makeTempDir();
    try {
      const runs = await Promise.allSettled(Array.from({ length: RUNS }, async (_, i) => {
        const path = `${folder}/${i}.safetensors`, text = await run(path);
        const [, state, counts] = /saved (\w+) (.*)/.exec(text) ?? [];
        assert(state === "finite", text);
        // Signals that arrive during one step are one call of a listener, so a slow machine counts few.
        for (const name of SENT) assert(JSON.parse(counts)[name] > 0, text);
        const saved = await torch.io.safetensors.loadFile(path);
        assert(Object.keys(saved).length === 6, `the checkpoint has ${Object.keys(saved)}`);
      }));
      // All have ended before the folder goes.
      for (const result of runs) if (result.status === "rejected") throw result.reason;
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
