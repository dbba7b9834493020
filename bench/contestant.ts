/**
 * One contestant: a process that runs workloads when the harness asks, and waits without using the CPU otherwise.
 *
 * Reads a line `{"workload", "seconds"}` and answers `{"nanoseconds"}` per run or `{"error"}`; the first question about
 * a workload prepares and checks it. Contestants stay alive together, so that the harness can alternate between them
 * and noise of the machine falls on all alike.
 *
 * @module
 */

import { oneDnnWorkloads } from "./onednn.ts";
import type { Prepared } from "./workloads.ts";

/** What the harness asks. */
export interface Question {
  /** Which workload. */
  workload: string;
  /** About how long to run it. */
  seconds: number;
}

/** What a contestant answers. */
export interface Answer {
  /** Time of one run. */
  nanoseconds?: number;
  /** Why there is no time. */
  error?: string;
  /** What runs, in answer to the workload "info". */
  info?: string;
}

interface Ready {
  prepared: Prepared;
  runs: number;
}

const ready = new Map<string, Ready>();

async function workloads(): Promise<{ info: string; find: (name: string) => Prepared | Promise<Prepared> | null }> {
  if (Deno.args[0] === "oneDNN") return oneDnnWorkloads();
  const torch = await import("../mod.ts");
  const { WORKLOADS } = await import("./workloads.ts");
  return {
    info: torch.info().kernels,
    find: (name) => WORKLOADS.find((w) => w.name === name)?.prepare() ?? null,
  };
}

function time(run: () => void, runs: number): number {
  const start = performance.now();
  for (let i = 0; i < runs; i++) run();
  return (performance.now() - start) / 1000;
}

/** Prepares and checks a workload and finds how many runs fill a tenth of the asked time. */
async function prepare(name: string, make: Prepared | Promise<Prepared>): Promise<Ready> {
  const prepared = await make;
  await prepared.check();
  let runs = 1;
  while (time(prepared.run, runs) < 0.02) runs *= 2;
  const made = { prepared, runs };
  ready.set(name, made);
  return made;
}

async function answer(question: Question, all: Awaited<ReturnType<typeof workloads>>): Promise<Answer> {
  if (question.workload === "info") return { info: all.info };
  try {
    const make = ready.has(question.workload) ? null : all.find(question.workload);
    const known = ready.get(question.workload) ?? (make ? await prepare(question.workload, make) : null);
    if (!known) return { error: "has no such workload" };
    let seconds = 0, runs = 0;
    while (seconds < question.seconds) {
      seconds += time(known.prepared.run, known.runs);
      runs += known.runs;
      // Finalizers run only between macrotasks; without a pause the loop's own garbage would pile up.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return { nanoseconds: (seconds / runs) * 1e9 };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

const all = await workloads();
const output = new TextEncoder();
let pending = "";
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  pending += chunk;
  for (let end = pending.indexOf("\n"); end >= 0; end = pending.indexOf("\n")) {
    const reply = await answer(JSON.parse(pending.slice(0, end)) as Question, all);
    pending = pending.slice(end + 1);
    Deno.stdout.writeSync(output.encode(JSON.stringify(reply) + "\n"));
  }
}
