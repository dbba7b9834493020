/**
 * `deno run -A bench/cuda.ts`: times the CUDA backend and, where `python3` has PyTorch with CUDA, PyTorch on the same card.
 *
 *   --group G       one of language, eager, bandwidth, products, attention, images, steady (default: all)
 *   --only REGEX    workloads whose name matches
 *   --write FILE    appends the tables, each row as soon as it is known
 *   --seconds S     per reading (default 0.15)
 *   --budget S      after so many seconds what is left is skipped
 *   --small         tiny sizes, for the test double: they measure nothing
 *
 * A fault of a kernel or a crash costs a row: every group runs in a process of its own, and another one takes over behind
 * the workload that ended it. Both sides run in turn, round by round, and wait for the device at the end of a reading; eager calls are timed as they
 * are issued. Results are held to the CPU's by the tests; here only times count. The exit status is 1 if anything failed.
 *
 * @module
 */

import * as torch from "../mod.ts";
import type { Tensor } from "../mod.ts";
import { GROUPS, steadyStep, type Workload } from "./cuda_workloads.ts";
import { startTorch, type Torch } from "./cuda_peer.ts";

const ROUNDS = 3;
/** Calls that a card takes without making the host wait. */
const QUEUE = 500;

interface Options {
  readonly small: boolean;
  readonly seconds: number;
  readonly deadline: number;
  readonly write: (line: string) => void;
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1] ?? 0;
}

/** Finalizers run only between macrotasks. */
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Seconds of a run: `runs` of them and the wait, or, of an eager call, issuing alone. */
async function time(run: () => Tensor | void, runs: number, issue: boolean): Promise<number> {
  await breathe();
  const start = performance.now();
  for (let i = 0; i < runs; i++) run()?.dispose();
  const issued = performance.now() - start;
  torch.cuda.synchronize();
  return (issue ? issued : performance.now() - start) / 1000;
}

/** How many runs fill a reading. */
async function calibrate(run: () => Tensor | void, { issue = false }: Workload, seconds: number): Promise<number> {
  await time(run, 3, issue); // compiles, fills caches
  if (issue) return QUEUE;
  let runs = 1;
  while (runs < 1 << 16 && await time(run, runs, false) < seconds / 2) runs *= 2;
  return runs;
}

/** What was measured of one workload, in seconds per run; 0 where there is none. */
interface Times {
  readonly ours: number;
  readonly theirs: number;
  readonly note: string;
  /** Whether we failed. */
  readonly failed: boolean;
  /** Whether nothing runs on the device any more in this process. */
  readonly fatal: boolean;
}

/** The status of a process that ends because its device is lost. */
const LOST = 70;

async function measure(w: Workload, peer: Torch | null, { small, seconds }: Options): Promise<Times> {
  const ours: number[] = [], theirs: number[] = [], notes: string[] = [];
  let failed = false, fatal = false;
  const fail = (who: string, error: unknown): void => {
    const text = error instanceof Error ? error.message : String(error);
    notes.push(`${who} failed: ${text.slice(0, 160)}`);
    failed ||= who === "Cresset";
    // CUDA's faults stay.
    fatal ||= who === "Cresset" && text.includes("reported a fault");
  };
  let run: (() => Tensor | void) | null = null, runs = 0;
  try {
    run = w.prepare(small);
    runs = await calibrate(run, w, seconds);
  } catch (error) {
    fail("Cresset", error);
    run = null;
  }
  let asks = peer !== null;
  for (let round = 0; round < ROUNDS; round++) {
    try {
      if (run !== null) ours.push(await time(run, runs, w.issue ?? false) / runs);
    } catch (error) {
      fail("Cresset", error);
      run = null;
    }
    if (!asks) continue;
    const { seconds: reading, error } = await peer!.ask({
      workload: w.peer ?? w.name,
      seconds,
      issue: w.issue ?? false,
    });
    if (typeof reading === "number") theirs.push(reading);
    else {
      asks = false;
      fail("PyTorch", error);
    }
  }
  await torch.collectGarbage();
  if (!fatal) torch.cuda.emptyCache();
  const note = notes.join("; ").replaceAll("|", "/").replace(/\s+/g, " ");
  return { ours: median(ours), theirs: median(theirs), note, failed, fatal };
}

/** A time, and a rate where the workload has one; rates are those of the full sizes. */
function cell(w: Workload, seconds: number, small: boolean): string {
  if (seconds === 0) return "";
  const text = seconds < 1e-3 ? `${(seconds * 1e6).toFixed(2)} µs` : `${(seconds * 1e3).toFixed(2)} ms`;
  if (small) return text;
  if (w.flops) return `${text} · ${(w.flops / seconds / 1e12).toFixed(1)} TFLOP/s`;
  if (w.units) return `${text} · ${Math.round(w.units[0] / seconds)} ${w.units[1]}/s`;
  return w.bytes ? `${text} · ${(w.bytes / seconds / 1e9).toFixed(0)} GB/s` : text;
}

/** The row of a table: times, our speed beside PyTorch's and beside copying, and whether it is what was wanted. */
function row(w: Workload, { ours, theirs, note }: Times, copy: number, small: boolean): string {
  const speed = ours > 0 && theirs > 0 ? 100 * theirs / ours : NaN;
  const ofCopy = ours > 0 && copy > 0 && w.bytes ? 100 * w.bytes / ours / copy : NaN;
  const percent = (x: number): string => Number.isNaN(x) ? "" : `${x.toFixed(0)} %`;
  const [least, of] = w.wanted ?? [0, "PyTorch"];
  const got = of === "copy" ? ofCopy : speed;
  const verdict = w.wanted === undefined
    ? ""
    : `${least} % of ${of}: ${Number.isNaN(got) ? "?" : got >= least ? "yes" : "NO"}`;
  const judged = small ? ["", "", ""] : [percent(speed), percent(ofCopy), verdict];
  const cells = [w.name, cell(w, ours, small), cell(w, theirs, small), ...judged, note];
  return `| ${cells.join(" | ")} |`;
}

const HEAD = [
  "",
  "| workload | Cresset | PyTorch | speed | of copying | wanted | |",
  "| --- | --- | --- | --- | --- | --- | --- |",
];

/** How far a group has come, for the process that takes over. */
interface Progress {
  /** The workload that runs or ran last. */
  at: number;
  /** Bytes per second of the fastest copy that either side managed: what "of copying" is of. */
  copy: number;
  /** Whether any failed. */
  failed: boolean;
}

/** Times the workloads of a group from `progress.at` on; gives the process's status. */
async function runGroup(
  workloads: readonly Workload[],
  peer: Torch | null,
  progress: Progress,
  note: () => void,
  options: Options,
): Promise<number> {
  const { write } = options;
  for (; progress.at < workloads.length; progress.at++) {
    const w = workloads[progress.at];
    note();
    if (performance.now() > options.deadline) {
      write(`| ${w.name} | skipped: no time left | | | | | |`);
      continue;
    }
    const times = await measure(w, peer, options);
    for (const seconds of w.name.startsWith("copy") ? [times.ours, times.theirs] : []) {
      if (seconds > 0) progress.copy = Math.max(progress.copy, w.bytes! / seconds);
    }
    progress.failed ||= times.failed;
    write(row(w, times, progress.copy, options.small));
    note();
    if (times.fatal) return LOST;
  }
  return progress.failed ? 1 : 0;
}

/** Memory over many training steps: what is reserved, live and resident must not grow after the first tenth. */
async function steady({ small, deadline, write }: Options): Promise<number> {
  write("");
  const steps = small ? 100 : 10_000, step = steadyStep();
  const state = () => ({
    reserved: torch.cuda.memoryReserved(),
    live: torch.cuda.memoryAllocated(),
    resident: Deno.memoryUsage().rss,
  });
  let early: ReturnType<typeof state> | null = null, i = 0;
  for (; i < steps && performance.now() < deadline; i++) {
    step();
    if (i % 100 === 99) await breathe();
    if (i === steps / 10) early = state();
  }
  torch.cuda.synchronize();
  const late = state(), mib = (x: number): string => `${(x / 2 ** 20).toFixed(1)} MiB`;
  if (early === null) {
    write(`- skipped: ${i} steps only, no time left`);
    return 0;
  }
  const flat = late.reserved <= early.reserved && late.live <= early.live &&
    late.resident < early.resident + (64 << 20);
  for (const key of ["reserved", "live", "resident"] as const) {
    write(`- ${key}: ${mib(early[key])} after ${steps / 10} steps, ${mib(late[key])} after ${i}`);
  }
  write(`- wanted flat: ${flat ? "yes" : "NO"}`);
  return 0;
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

function options(): Options {
  const small = Deno.args.includes("--small"), file = option("--write");
  const write = (line: string): void => {
    console.log(line);
    if (file !== undefined) Deno.writeTextFileSync(file, line + "\n", { append: true });
  };
  const seconds = Number(option("--seconds") ?? (small ? 0.01 : 0.15));
  return { small, seconds, write, deadline: performance.now() + 1000 * Number(option("--budget") ?? 600) };
}

/** The workloads of a group that are wanted. */
function chosen(group: string): Workload[] {
  const only = new RegExp(option("--only") ?? "");
  return GROUPS[group].filter((w) => only.test(w.name));
}

/** A process that times one group, or the rest of it; its progress is a file. */
async function worker(group: string, file: string): Promise<number> {
  const all = options(), progress = JSON.parse(await Deno.readTextFile(file)) as Progress;
  if (group === "steady") return await steady(all);
  const { peer, info } = await startTorch(all.small);
  if (progress.at === 0) {
    const card = torch.cuda.getDeviceName();
    all.write(
      [`\n- ${card}, Deno ${Deno.version.deno}; ${info}${all.small ? "; TINY SIZES" : ""}`, ...HEAD].join("\n"),
    );
  }
  const note = (): void => Deno.writeTextFileSync(file, JSON.stringify(progress));
  const status = await runGroup(chosen(group), peer, progress, note, all);
  await peer?.stop();
  return status;
}

/** A worker process behind `progress`; gives its status. */
async function work(group: string, file: string, left: number): Promise<number> {
  const map = new URL("offline_imports.json", import.meta.url).pathname;
  const kept = ["--small", "--only", "--write", "--seconds"].flatMap((name) => {
    const at = Deno.args.indexOf(name);
    return at < 0 ? [] : Deno.args.slice(at, at + (name === "--small" ? 1 : 2));
  });
  const { code } = await new Deno.Command(Deno.execPath(), {
    // Found as bench/gpu.sh finds it, without a network.
    args: [
      ...["run", "-A", "--no-check", "--no-config", "--no-lock", `--import-map=${map}`, import.meta.filename!],
      ...[...kept, "--group", group, "--worker", file, "--budget", String(left)],
    ],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return code;
}

/** Runs a group's processes until one comes to its end; whether nothing failed. */
async function supervise(group: string, { deadline, write }: Options): Promise<boolean> {
  write(`\n### ${group === "steady" ? "memory over 10,000 training steps" : group}`);
  const file = await Deno.makeTempFile(),
    names = group === "steady" ? ["steady"] : chosen(group).map(({ name }) => name);
  let progress: Progress = { at: 0, copy: 0, failed: false };
  while (progress.at < names.length) {
    await Deno.writeTextFile(file, JSON.stringify(progress));
    const status = await work(group, file, Math.max(0, (deadline - performance.now()) / 1000));
    progress = JSON.parse(await Deno.readTextFile(file)) as Progress;
    progress.failed ||= status !== 0;
    if (status === 0 || status === 1) break;
    if (status !== LOST) write(`| ${names[progress.at]} | the process crashed: status ${status} | | | | | |`);
    progress.at++;
  }
  await Deno.remove(file);
  return !progress.failed;
}

async function main(): Promise<void> {
  const group = option("--group"), file = option("--worker");
  if (group !== undefined && group !== "steady" && !(group in GROUPS)) {
    throw new Error(`bench/cuda.ts: there is no group ${group}`);
  }
  if (file !== undefined) Deno.exit(await worker(group!, file));
  let good = true;
  for (const name of group === undefined ? [...Object.keys(GROUPS), "steady"] : [group]) {
    good = await supervise(name, options()) && good;
  }
  if (!good) Deno.exit(1);
}

if (import.meta.main) await main();
