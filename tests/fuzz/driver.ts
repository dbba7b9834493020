/**
 * Makes many calls in child processes, replaces one that crashed, hung or was stopped by a sanitizer, and gathers what was
 * found. A call is known by the run's seed and its index, and is made again alone before a crash or a hang counts.
 *
 * @module
 */

import type { Kernels } from "../support/kernels.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const CHILD = new URL("./child.ts", import.meta.url).pathname;

/** Something wrong that the fuzzer saw. */
export interface Finding {
  /** The call's place in the run. */
  readonly index: number;
  /** `crash`, `hang`, `sanitizer`, `unnamed`, `misnamed`, `invalid`, `corrupted` or `setup`. */
  readonly kind: string;
  /** What was called. */
  readonly name: string;
  /** The call. */
  readonly text: string;
  /** The error, or how the process ended. */
  readonly head: string;
  /** Where in the sources, of an error that names no call. */
  readonly where?: string;
}

/** How to run. */
export interface FuzzOptions {
  /** How many calls. */
  readonly calls: number;
  /** The index of the first call. */
  readonly from?: number;
  /** What the random numbers start from. */
  readonly seed: number;
  /** The kernel library. */
  readonly kernels: Kernels;
  /** The library of `native/build.ts sanitize`, with the runtime that must be loaded before it. */
  readonly sanitized?: { readonly library: string; readonly preload: string };
  /** How many processes at a time. */
  readonly processes?: number;
  /** A call that takes longer, in milliseconds, is a hang. */
  readonly timeout?: number;
  /** After how many crashes or hangs something is left out of the rest of the run. */
  readonly giveUp?: number;
  /** What is called: the library, or the planted faults of the fuzzer's own test. */
  readonly catalogue?: "library" | "faults";
  /** Called with each finding as it is found. */
  readonly onFinding?: (finding: Finding) => void;
  /** Called now and then with the number of calls made. */
  readonly onProgress?: (calls: number) => void;
}

/** What a run gave. */
export interface FuzzResult {
  readonly findings: Finding[];
  /** Calls made. */
  readonly calls: number;
  /** Calls that were refused with an error. */
  readonly threw: number;
  /** Results whose gradient was computed. */
  readonly gradients: number;
  /** How many things there are to call, and how many were called. */
  readonly size: number;
  readonly reached: number;
  /** What the library says of itself. */
  readonly kernels: string;
}

interface Stats {
  calls: number;
  threw: number;
  gradients: number;
  size: number;
  kernels: string;
  reached: string[];
}

/** A process makes this many calls, then a fresh one goes on: what one leaves behind cannot grow. */
const SEGMENT = 2500;

/** A machine that does other work too must not look like a hang. */
const TIMEOUT = 20_000;

/** Starting compiles the library on first use. */
const START = 120_000;

/** After this many crashes or hangs, what was called is left out of the rest of the run. */
const GIVE_UP = 3;

/** The process's data may take 6 GiB, so that huge requests are refused by the system as on a small machine. */
const DATA_KIB = 6 * 2 ** 20;

type Ending = { readonly done: Stats } | { readonly kind: string; readonly head: string };

/** One child process and what it was doing. */
class Child {
  readonly #process: Deno.ChildProcess;
  readonly #timeout: number;
  index: number;
  name = "";
  text = "";
  /** How many calls it began. */
  begun = 0;

  constructor(options: FuzzOptions, folder: string, from: number, to: number, skip: readonly string[]) {
    this.index = from;
    this.#timeout = options.timeout ?? TIMEOUT;
    this.#process = command(options, folder, [from, to], skip).spawn();
  }

  /** Follows the process to its end. */
  async follow(onFinding: (finding: Finding) => void): Promise<Ending> {
    let done: Stats | null = null;
    let hung = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch = (limit: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        hung = true;
        this.kill();
      }, limit);
    };
    watch(START);
    const errors = tail(this.#process.stderr);
    for await (const line of lines(this.#process.stdout)) {
      watch(this.#timeout);
      const value = parse(line);
      if (value === null) continue;
      if (line[0] === "@") {
        this.index = value.index;
        this.name = "the fuzzer";
        this.text = "";
        this.begun++;
      } else if (line[0] === ">") ({ name: this.name, text: this.text } = value);
      else if (line[0] === "!") onFinding(value);
      else if (line[0] === ".") done = value;
    }
    const { code, signal } = await this.#process.status;
    clearTimeout(timer);
    const report = await errors;
    if (hung) return { kind: "hang", head: `no end within ${this.#timeout / 1000} s` };
    const sanitizer = /^.*(AddressSanitizer|runtime error):.*$/m.exec(report)?.[0];
    if (sanitizer) return { kind: "sanitizer", head: sanitizer.trim() + frames(report) };
    if (done && code === 0) return { done };
    if (/await promise never resolved/.test(report)) return { kind: "hang", head: "a promise that never settles" };
    return { kind: "crash", head: `${signal ?? `exit code ${code}`}${reason(report)}` };
  }

  /** Ends the process. */
  kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch { /* it has ended by itself */ }
  }
}

/** The child's command: no network, no programs, files only in its folder, and no other library than ours. */
function command(options: FuzzOptions, folder: string, range: [number, number], skip: readonly string[]): Deno.Command {
  const library = options.sanitized?.library ?? `${ROOT}native/cpu/build`;
  const faults = options.catalogue === "faults";
  const args = [
    ...["run", "--no-prompt", "--no-check", "--v8-flags=--max-old-space-size=1024"],
    ...[`--allow-read=${ROOT},${folder}`, `--allow-write=${folder}`, "--allow-env"],
    faults ? "--allow-ffi" : `--allow-ffi=${library}`,
    ...[CHILD, folder, String(options.seed), ...range.map(String), options.catalogue ?? "library", ...skip],
  ];
  const env: Record<string, string> = { CRESSET_KERNELS: options.kernels, NO_COLOR: "1" };
  if (options.sanitized) {
    env.CRESSET_CPU_LIBRARY = options.sanitized.library;
    env.LD_PRELOAD = options.sanitized.preload;
    env.ASAN_OPTIONS = "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=2048:" +
      "handle_segv=1:use_sigaltstack=0:quarantine_size_mb=64:detect_odr_violation=0";
    env.UBSAN_OPTIONS = "print_stacktrace=1:halt_on_error=1";
  }
  const io = { env, stdin: "null", stdout: "piped", stderr: "piped" } as const;
  // The sanitizer's shadow memory alone is larger than any limit.
  if (Deno.build.os !== "linux" || options.sanitized) return new Deno.Command(Deno.execPath(), { args, ...io });
  const limited = ["-c", `ulimit -d ${DATA_KIB}; exec "$@"`, "sh", Deno.execPath(), ...args];
  return new Deno.Command("sh", { args: limited, ...io });
}

// deno-lint-ignore no-explicit-any -- a line that our own child wrote
function parse(line: string): any {
  if (!/^[@>!.]\{/.test(line)) return null;
  try {
    return JSON.parse(line.slice(1));
  } catch {
    return null; // The process ended in the middle of a line.
  }
}

async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let pending = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (pending + chunk).split("\n");
    pending = parts.pop()!;
    yield* parts;
  }
}

/** The first and the last kilobytes of a stream. */
async function tail(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.length > 40_000) text = text.slice(0, 20_000) + text.slice(-20_000);
  }
  return text;
}

/** The line of stderr that says why a process ended. */
function reason(stderr: string): string {
  const found = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const line = found.find((line) => /^(error|thread|fatal|# Fatal)|Error:/i.test(line)) ?? found.at(-1);
  return line ? `: ${line.slice(0, 300)}` : "";
}

/** The innermost frames of ours in a sanitizer's report. */
function frames(report: string): string {
  const found = [...report.matchAll(/in (\w+) .*?native\/cpu\/([\w.]+:\d+)/g)].slice(0, 3);
  return found.map(([, name, place]) => ` < ${name} ${place}`).join("");
}

/** Makes the calls. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const folder = Deno.makeTempDirSync({ prefix: "cresset_fuzz_" });
  const total = { calls: 0, threw: 0, gradients: 0, size: 0, kernels: "unknown" };
  const findings: Finding[] = [], reached = new Set<string>(), given = new Map<string, number>();
  const start = options.from ?? 0, end = start + options.calls;
  let next = start;
  const report = (finding: Finding): void => {
    findings.push(finding);
    options.onFinding?.(finding);
  };
  const segment = async (from: number, to: number): Promise<void> => {
    while (from < to) {
      const skip = [...given].filter(([, count]) => count >= (options.giveUp ?? GIVE_UP)).map(([name]) => name);
      const child = new Child(options, folder, from, to, skip);
      const ending = await child.follow(report);
      if ("done" in ending) {
        const { reached: names, size, kernels, ...sums } = ending.done;
        for (const name of names) reached.add(name);
        total.calls += sums.calls;
        total.threw += sums.threw;
        total.gradients += sums.gradients;
        Object.assign(total, { size, kernels });
        return;
      }
      if (child.begun === 0) throw new Error(`fuzz(): the child does not start: ${ending.head}`);
      total.calls += child.begun;
      given.set(child.name, (given.get(child.name) ?? 0) + 1);
      report({ ...await confirmed(child, ending, options, folder, from), index: child.index });
      from = child.index + 1;
    }
  };
  const worker = async (): Promise<void> => {
    while (next < end) {
      const from = next;
      next = Math.min(end, from + SEGMENT);
      await segment(from, next);
      options.onProgress?.(total.calls);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.processes ?? navigator.hardwareConcurrency }, worker));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  return { findings, ...total, reached: reached.size };
}

/** Makes the call that ended a process again, alone: a machine under load is no hang, and memory may be spoilt earlier. */
async function confirmed(
  { index, name, text }: Child,
  ending: { kind: string; head: string },
  options: FuzzOptions,
  folder: string,
  from: number,
): Promise<Finding> {
  const again = new Child({ ...options, timeout: 2 * (options.timeout ?? TIMEOUT) }, folder, index, index + 1, []);
  const second = await again.follow(() => {});
  if (!("done" in second)) return { index, name, text, ...ending };
  const { kind, head } = ending;
  if (kind === "hang") return { index, name, text, kind: "slow", head: "no end in time, but alone it came back" };
  return { index, name, text, kind, head: `${head} (not alone: start at ${from})` };
}
