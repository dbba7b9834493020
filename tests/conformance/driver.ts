/**
 * Replays many golden files in worker processes: keeps the processes busy, replaces one that crashed or hung, and
 * turns that into a failure of the entry it was working on.
 *
 * @module
 */

import type { Entry } from "./entry.ts";

/** One file to replay, with what is known about it before it is opened. */
export interface Job {
  path: string;
  kind: string;
  name: string;
  variant: string;
}

/** How to run the jobs. */
export interface DriverOptions {
  device: string;
  dtype?: string;
  /** Number of processes. */
  processes?: number;
  /** A job that takes longer is a failure, in milliseconds. */
  timeout?: number;
  /** Environment of the processes, on top of the present one. */
  env?: Record<string, string>;
  /** The worker program; default: `worker.ts`. */
  worker?: URL;
  /** Called with each job's rows as they arrive. */
  onEntries?: (entries: Entry[], job: Job) => void;
}

/** The rows of all jobs, in the order of the jobs, and what ran them. */
export interface DriverResult {
  entries: Entry[];
  kernels: string;
}

interface Reply {
  ready?: boolean;
  kernels?: string;
  at?: string;
  entries?: Entry[];
  error?: string;
}

/** A minute is far above any single file's need, and short enough to wait for. */
const TIMEOUT = 60_000;

/** Starting includes type stripping and compiling of the whole library on first use. */
const START_TIMEOUT = 180_000;

const WORKER = new URL("./worker.ts", import.meta.url);

/** A worker process and the stream of its replies. */
class Worker {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #replies: AsyncGenerator<Reply>;
  readonly #errors: Promise<string>;
  kernels = "unknown";

  constructor(program: URL, env: Record<string, string>) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", program.pathname],
      env: { ...env, NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#replies = lines(this.#child.stdout);
    this.#errors = tail(this.#child.stderr);
  }

  /** Waits until the library is loaded; gives what went wrong otherwise. */
  async start(): Promise<string | null> {
    const reply = await this.#next(START_TIMEOUT);
    if (typeof reply === "string") return reply;
    this.kernels = reply.kernels ?? "unknown";
    return null;
  }

  /** The job's rows, or what happened instead. */
  async replay(job: Job, options: DriverOptions): Promise<Entry[] | string> {
    const request = JSON.stringify({ path: job.path, device: options.device, dtype: options.dtype });
    await this.#writer.write(new TextEncoder().encode(request + "\n"));
    let at = "the start";
    while (true) {
      const reply = await this.#next(options.timeout ?? TIMEOUT);
      if (typeof reply === "string") return `${at}: ${reply}`;
      this.kernels = reply.kernels ?? this.kernels;
      if (reply.entries) return reply.entries;
      if (reply.error) return reply.error;
      at = reply.at ?? at;
    }
  }

  /** Ends the process. */
  async close(): Promise<void> {
    await this.#writer.close().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch { /* it has ended by itself */ }
    await this.#child.status;
    await this.#errors;
  }

  /** The next reply, or a description of a hang or crash. */
  async #next(timeout: number): Promise<Reply | string> {
    const { promise, resolve } = Promise.withResolvers<"timeout">();
    const timer = setTimeout(() => resolve("timeout"), timeout);
    const next = await Promise.race([this.#replies.next(), promise]);
    clearTimeout(timer);
    if (next === "timeout") {
      this.#child.kill("SIGKILL");
      return `hung for ${timeout / 1000} s`;
    }
    if (!next.done) return next.value;
    const status = await this.#child.status;
    return `crashed (${status.signal ?? `exit code ${status.code}`})${reason(await this.#errors)}`;
  }
}

/** The line of a process's stderr that says why it ended. */
function reason(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const line = lines.find((line) => /^(error|thread|fatal)|Error:/i.test(line)) ?? lines.at(-1);
  return line ? `: ${line.slice(0, 300)}` : "";
}

/** The JSON lines of a stream. */
async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Reply> {
  let pending = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (pending + chunk).split("\n");
    pending = parts.pop()!;
    // A library that prints to stdout must not end the run.
    for (const part of parts) if (part.startsWith("{")) yield JSON.parse(part);
  }
}

/** The last kilobytes of a stream. */
async function tail(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) text = (text + chunk).slice(-4000);
  return text;
}

/** Replays all jobs. */
export async function replayAll(jobs: Job[], options: DriverOptions): Promise<DriverResult> {
  const results = new Array<Entry[]>(jobs.length);
  let next = 0;
  let kernels = "unknown";
  const run = async () => {
    let worker: Worker | null = null;
    while (next < jobs.length) {
      const k = next++;
      if (!worker) {
        worker = new Worker(options.worker ?? WORKER, options.env ?? {});
        const problem = await worker.start();
        if (problem) {
          await worker.close();
          throw new Error(`conformance(): the library does not load: ${problem}`);
        }
      }
      const outcome = await worker.replay(jobs[k], options);
      kernels = worker.kernels;
      if (typeof outcome === "string") {
        results[k] = [failure(jobs[k], outcome, options)];
        await worker.close();
        worker = null;
      } else {
        results[k] = outcome;
      }
      options.onEntries?.(results[k], jobs[k]);
    }
    await worker?.close();
  };
  const processes = Math.min(options.processes ?? navigator.hardwareConcurrency, jobs.length);
  await Promise.all(Array.from({ length: processes }, run));
  return { entries: results.flat(), kernels };
}

/** A row for a job that crashed or hung. */
function failure({ kind, name, variant }: Job, first: string, { dtype }: DriverOptions): Entry {
  return {
    kind,
    name,
    variant,
    priority: "",
    dtype: dtype ?? "",
    status: "failed",
    samples: 1,
    failedSamples: 1,
    first,
  };
}
