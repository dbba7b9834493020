/**
 * The process that replays golden files, one request a line on stdin, one reply a line on stdout. It is a process of
 * its own so that a crash or a hang in a kernel ends one entry, not the run.
 *
 * Request: `{"path", "device", "dtype"?}`. Replies: `{"at": label}` before each sample, then `{"entries": [...]}`.
 *
 * @module
 */

import { describeError, type Entry, type ReplayOptions } from "./entry.ts";
import { type Golden, readGolden } from "./golden.ts";
import { replayDistributions } from "./replay_distribution.ts";
import { replayModule } from "./replay_module.ts";
import { replayOp } from "./replay_op.ts";
import { replayOptim, replaySchedulers } from "./replay_training.ts";
import type { Api } from "./values.ts";

/** What the driver asks for. */
export interface Request {
  path: string;
  device: string;
  dtype?: string;
}

/** Replays one golden file against `api`, whatever its kind. */
export async function replayGolden(golden: Golden, api: Api, options: ReplayOptions): Promise<Entry[]> {
  switch (golden.manifest.kind) {
    case "op":
      return [await replayOp(golden, api, options)];
    case "module":
      return [await replayModule(golden, api, options)];
    case "optim":
      return [await replayOptim(golden, api, options)];
    case "schedulers":
      return await replaySchedulers(golden, api, options);
    case "distributions":
      return await replayDistributions(golden, api, options);
    default:
      return []; // "rng" holds PyTorch's own generator streams; ours is Philox.
  }
}

const encoder = new TextEncoder();

/** Writes one reply; synchronous, so that the last label before a crash is out. */
function reply(message: unknown): void {
  let bytes = encoder.encode(JSON.stringify(message) + "\n");
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

/** Opens the GPU, which WebGPU does asynchronously. */
async function openGpu(api: Api): Promise<void> {
  const { isAvailable } = api.webgpu as { isAvailable(): Promise<boolean> };
  if (!await isAvailable()) throw new Error("no WebGPU adapter was found");
}

/** What runs the kernels of a device. */
function kernelsOf(api: Api, device?: string): string {
  return (api.info as ((device?: string) => { kernels?: string }) | undefined)?.(device).kernels ?? "unknown";
}

/** Answers requests until stdin ends. */
async function serve(): Promise<void> {
  const api = await import("../../mod.ts") as unknown as Api;
  reply({ ready: true, kernels: kernelsOf(api) });
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  let pending = "";
  for await (const chunk of lines) {
    pending += chunk;
    for (let end = pending.indexOf("\n"); end >= 0; end = pending.indexOf("\n")) {
      const { path, device, dtype } = JSON.parse(pending.slice(0, end)) as Request;
      pending = pending.slice(end + 1);
      try {
        if (device.startsWith("webgpu")) await openGpu(api);
        const progress = (at: string) => reply({ at });
        const entries = await replayGolden(await readGolden(path), api, { device, dtype, progress });
        reply({ entries, kernels: kernelsOf(api, device) });
      } catch (error) {
        reply({ error: describeError(error) });
      }
    }
  }
}

if (import.meta.main) await serve();
