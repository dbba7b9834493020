/**
 * `deno task bench`: checks, then times the workloads on every contestant that this machine has, side by side.
 *
 * The contestants (our WebAssembly kernels, our native ones, oneDNN itself, PyTorch) are processes that stay alive
 * together; each round asks them in turn, and the table shows medians over the rounds with the percentage of the peak
 * that this run measured. `--only REGEX`, `--rounds N`, `--seconds S`, `--threads N`, `--write` (bench/RESULTS.md),
 * `--patience S`: wait up to S seconds before each sample until the machine is otherwise idle.
 *
 * @module
 */

import type { Answer, Question } from "./contestant.ts";
import { copyBandwidth, nativeFlops, wasmFlops } from "./peak.ts";
import { type Target, type Workload, WORKLOADS } from "./workloads.ts";

interface Options {
  only: RegExp;
  rounds: number;
  seconds: number;
  threads: number;
  patience: number;
  write: boolean;
}

function parseOptions(args: readonly string[]): Options {
  const value = (name: string) => {
    const at = args.indexOf(`--${name}`);
    return at < 0 ? undefined : args[at + 1];
  };
  const number = (name: string, fallback: number) => {
    const n = Number(value(name) ?? fallback);
    if (!(n > 0)) throw new Error(`--${name} must be a number above 0: ${value(name)}`);
    return n;
  };
  return {
    only: new RegExp(value("only") ?? ""),
    rounds: number("rounds", 5),
    seconds: number("seconds", 0.2),
    threads: number("threads", 1),
    patience: number("patience", 1e-9),
    write: args.includes("--write"),
  };
}

/** A process that answers questions. */
class Contestant {
  readonly name: string;
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #pending = "";
  /** What it says it is; set by {@linkcode Contestant.start}. */
  info = "";

  private constructor(name: string, process: Deno.ChildProcess) {
    this.name = name;
    this.#process = process;
    this.#writer = process.stdin.getWriter();
    this.#lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts a contestant; a text says why this machine has none. */
  static async start(
    name: string,
    command: string,
    args: string[],
    env: Record<string, string>,
  ): Promise<Contestant | string> {
    let contestant: Contestant;
    try {
      const cwd = new URL(".", import.meta.url);
      const options = { args, env, cwd, stdin: "piped", stdout: "piped", stderr: "piped" } as const;
      contestant = new Contestant(name, new Deno.Command(command, options).spawn());
    } catch (error) {
      return (error as Error).message;
    }
    try {
      contestant.info = (await contestant.ask({ workload: "info", seconds: 0 })).info ?? "";
      return contestant;
    } catch {
      await contestant.#process.status;
      const errors = await new Response(contestant.#process.stderr).text();
      const line = errors.split("\n").map((l) => l.trim()).filter((l) => /error/i.test(l)).pop();
      return line ?? "it ended without an answer";
    }
  }

  /** Asks and waits. */
  async ask(question: Question): Promise<Answer> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(question) + "\n"));
    while (!this.#pending.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`${this.name} ended`);
      this.#pending += value;
    }
    const end = this.#pending.indexOf("\n");
    const line = this.#pending.slice(0, end);
    this.#pending = this.#pending.slice(end + 1);
    return JSON.parse(line) as Answer;
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    await this.#writer.close();
    await this.#process.stderr.cancel();
    await this.#process.status;
  }
}

async function startAll(threads: number): Promise<{ contestants: Contestant[]; absent: string[] }> {
  const env = { OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads), CRESSET_THREADS: String(threads) };
  const deno = Deno.execPath();
  const own = (kernels: string) => ["run", "-A", "contestant.ts", kernels];
  const list: [string, string, string[], Record<string, string>][] = [
    ["wasm", deno, own("wasm"), { ...env, CRESSET_KERNELS: "wasm" }],
    ["native", deno, own("native"), { ...env, CRESSET_KERNELS: "native" }],
    ["oneDNN", deno, own("oneDNN"), env],
    ["PyTorch", "python3", ["torch_contestant.py"], env],
  ];
  const contestants: Contestant[] = [], absent: string[] = [];
  for (const [name, command, args, environment] of list) {
    const started = await Contestant.start(name, command, args, environment);
    if (typeof started === "string") absent.push(`${name}: ${started}`);
    else contestants.push(started);
  }
  return { contestants, absent };
}

function median(list: number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What a contestant made of a workload: the median time of one run, and the time in each round. */
interface Measured extends Answer {
  rounds?: number[];
}

type Results = Map<string, Measured>;

/** How busy the machine's processors were over a tenth of a second, from 0 to 1; `null` where that cannot be told. */
async function busyness(): Promise<number | null> {
  const read = async () => {
    const text = await Deno.readTextFile("/proc/stat").catch(() => null);
    const times = text?.split("\n")[0].split(/\s+/).slice(1).map(Number);
    return times ? { idle: times[3] + times[4], all: times.reduce((a, b) => a + b, 0) } : null;
  };
  const before = await read();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const after = await read();
  return before && after ? 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all) : null;
}

/** Waits until nothing else runs here, but no longer than `seconds`. */
async function waitForQuiet(seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end && ((await busyness()) ?? 0) > 0.1);
}

/** Asks every contestant in turn, round after round, so that the machine's noise falls on all alike. */
async function measure(workload: Workload, contestants: Contestant[], options: Options): Promise<Results> {
  const times = new Map<string, number[]>(), result: Results = new Map();
  for (let round = 0; round < options.rounds; round++) {
    for (const contestant of contestants) {
      if (result.has(contestant.name)) continue;
      if (options.patience >= 1) await waitForQuiet(options.patience);
      const reply = await contestant.ask({ workload: workload.name, seconds: options.seconds });
      if (reply.nanoseconds === undefined) result.set(contestant.name, reply);
      else times.set(contestant.name, [...(times.get(contestant.name) ?? []), reply.nanoseconds]);
    }
  }
  for (const [name, list] of times) result.set(name, { nanoseconds: median(list), rounds: list });
  return result;
}

/** The machine's peaks; other programs only ever lower a reading, so the highest of the run counts. */
class Peaks {
  wasm = 0;
  native: number | null = null;
  readonly #threads: number;
  readonly #copies = new Map<number, number>();

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** Measures what a workload is compared with. */
  async measure(workload: Workload): Promise<void> {
    if (workload.flops) {
      this.wasm = Math.max(this.wasm, wasmFlops());
      const native = await nativeFlops(this.#threads);
      if (native !== null) this.native = Math.max(this.native ?? 0, native);
    } else if (workload.bytes) {
      this.#copies.set(workload.bytes, Math.max(this.copy(workload.bytes), copyBandwidth(workload.bytes)));
    }
  }

  /** Bytes per second of copying that moves `bytes` in all. */
  copy(bytes: number): number {
    return this.#copies.get(bytes) ?? 0;
  }

  /** The peaks in one line. */
  describe(): string {
    const gflops = (peak: number) => `${(peak / 1e9).toFixed(0)} GFLOP/s`;
    const copies = [...this.#copies].sort(([a], [b]) => a - b).map(([bytes, peak]) =>
      `${(bytes / 2 ** 20).toFixed(0)} MiB ${(peak / 1e9).toFixed(0)} GB/s`
    );
    return [
      ...(this.wasm > 0 ? [`WebAssembly ${gflops(this.wasm)} on one core`] : []),
      ...(this.native !== null ? [`native ${gflops(this.native)}`] : []),
      ...(copies.length > 0 ? [`copying ${copies.join(", ")}`] : []),
    ].join("; ");
  }
}

function duration(nanoseconds: number): string {
  if (nanoseconds < 1e4) return `${(nanoseconds / 1e3).toFixed(2)} µs`;
  return nanoseconds < 1e7 ? `${(nanoseconds / 1e3).toFixed(0)} µs` : `${(nanoseconds / 1e6).toFixed(1)} ms`;
}

/** `1.23 ms · 41.0 GFLOP/s (73 %)`. */
function cell(name: string, answer: Answer | undefined, workload: Workload, peaks: Peaks): string {
  if (!answer) return "";
  if (answer.nanoseconds === undefined) {
    return answer.error === "has no such workload" ? "" : `failed: ${answer.error}`;
  }
  const time = duration(answer.nanoseconds);
  const percent = (rate: number, peak: number | null) =>
    peak === null || peak === 0 ? "" : ` (${((100 * rate) / peak).toFixed(0)} %)`;
  if (workload.flops) {
    const rate = workload.flops / answer.nanoseconds;
    const peak = name === "wasm" ? peaks.wasm : peaks.native;
    return `${time} · ${rate.toFixed(1)} GFLOP/s${percent(rate * 1e9, peak)}`;
  }
  if (workload.bytes) {
    const rate = workload.bytes / answer.nanoseconds;
    return `${time} · ${rate.toFixed(1)} GB/s${percent(rate * 1e9, peaks.copy(workload.bytes))}`;
  }
  return time;
}

function meets(target: Target, answer: Answer, workload: Workload): boolean {
  const ns = answer.nanoseconds ?? Infinity;
  if (target.kind === "µs") return ns / 1e3 < target.value;
  return (target.kind === "GB/s" ? workload.bytes! : workload.flops!) / ns >= target.value;
}

function goals(workload: Workload, results: Results): { text: string; missed: boolean } {
  const parts: string[] = [];
  let missed = false;
  for (const name of ["wasm", "native"] as const) {
    const target = workload.targets?.[name], answer = results.get(name);
    if (!target || !answer) continue;
    const met = meets(target, answer, workload);
    missed ||= !met;
    parts.push(`${name} ${target.kind === "µs" ? "<" : "≥"} ${target.value} ${target.kind}: ${met ? "met" : "missed"}`);
  }
  const ours = results.get("native")?.rounds, theirs = results.get("oneDNN")?.rounds;
  if (ours && theirs) {
    // Neighbours in time are compared, so that a slow minute of the machine does not decide.
    const share = median(ours.map((time, round) => theirs[round] / time));
    missed ||= share < 0.9;
    parts.push(`native ≥ 90 % of oneDNN: ${(100 * share).toFixed(0)} %`);
  }
  return { text: parts.join("; "), missed };
}

/** A markdown table whose columns line up in plain text too. */
function table(rows: string[][]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((r) => r[i].length)));
  const line = (r: string[]) => `| ${r.map((c, i) => c.padEnd(widths[i])).join(" | ")} |`;
  return [line(rows[0]), line(widths.map((w) => "-".repeat(w))), ...rows.slice(1).map(line)].join("\n");
}

async function cpuName(): Promise<string> {
  const text = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  return /model name\s*:\s*(.+)/.exec(text)?.[1] ?? "unknown CPU";
}

async function main(): Promise<void> {
  const options = parseOptions(Deno.args);
  const { contestants, absent } = await startAll(options.threads);
  const peaks = new Peaks(options.threads);
  console.log(
    [...contestants.map((c) => `${c.name}: ${c.info}`), ...absent.map((a) => `absent: ${a}`)].join("\n") + "\n",
  );
  const all: [Workload, Results][] = [];
  const names = contestants.map((c) => c.name);
  const rowOf = ([workload, results]: [Workload, Results]): string[] => [
    workload.name,
    ...names.map((name) => cell(name, results.get(name), workload, peaks)),
    goals(workload, results).text,
  ];
  for (const workload of WORKLOADS.filter((w) => options.only.test(w.name))) {
    if (options.patience >= 1) await waitForQuiet(options.patience);
    await peaks.measure(workload);
    all.push([workload, await measure(workload, contestants, options)]);
    console.log(rowOf(all[all.length - 1]).filter((c) => c !== "").join(" | "));
  }
  await Promise.all(contestants.map((c) => c.stop()));
  const notes = [
    `${await cpuName()}, ${navigator.hardwareConcurrency} hardware threads, ${options.threads} used; Deno ${Deno.version.deno}`,
    ...contestants.map((c) => `${c.name}: ${c.info}`),
    ...absent.map((a) => `absent: ${a}`),
    `peak of this run: ${peaks.describe()}`,
    `medians of ${options.rounds} alternating rounds of ${options.seconds} s, results checked first`,
  ].map((h) => `- ${h}`).join("\n");
  const text = `${notes}\n\n${table([["workload", ...names, "goal"], ...all.map(rowOf)])}\n`;
  console.log(`\n${text}`);
  if (options.write) {
    const intro = "# Benchmark results\n\n" +
      "Written by `deno task bench --write`; percentages are of the peak measured in the same run.\n\n";
    const file = new URL("RESULTS.md", import.meta.url);
    await Deno.writeTextFile(file, intro + text);
    await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", file.pathname] }).output();
  }
  const failures = all.filter(([workload, results]) =>
    goals(workload, results).missed ||
    [...results.values()].some((r) => r.error && r.error !== "has no such workload")
  );
  if (failures.length > 0) console.log(`${failures.length} workloads failed or missed their goal`);
}

if (import.meta.main) await main();
