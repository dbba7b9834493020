/**
 * `deno run -A bench/webgpu_peers.ts`: Cresset, jax-js and TensorFlow.js on the same WebGPU adapter, in one run.
 *
 * Every library is a process of its own that lives through the run; rounds visit workload by workload and library by
 * library, so that a busy moment of the machine touches all alike. The first numbers of the first results must agree.
 * Medians are printed. `--rounds N` (7), `--only REGEX`, `--libraries cresset,jax,tfjs`; `--write` leaves
 * `bench/RESULTS_WEBGPU.md`.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { NAMES } from "./peers/inputs.js";

interface Answer {
  ms?: number;
  first?: number;
  info?: string;
  error?: string;
}

/** A library in its process. */
class Contestant {
  readonly name: string;
  #process: Deno.ChildProcess;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #output: ReadableStreamDefaultReader<string>;
  #pending = "";

  constructor(name: string) {
    this.name = name;
    const worker = new URL("peers/worker.js", import.meta.url).pathname;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--no-lock", worker, name],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#output = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Asks, and waits for the answer; other lines are the library's own chatter. */
  async ask(workload: string, times: number): Promise<Answer> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify({ workload, times }) + "\n"));
    for (;;) {
      const end = this.#pending.indexOf("\n");
      if (end < 0) {
        const { value, done } = await this.#output.read();
        if (done) return { error: "the process ended" };
        this.#pending += value;
        continue;
      }
      const line = this.#pending.slice(0, end);
      this.#pending = this.#pending.slice(end + 1);
      if (line.startsWith("\u0001")) return JSON.parse(line.slice(1)) as Answer;
    }
  }

  /** Ends the process. */
  stop(): void {
    try {
      this.#process.kill();
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

/** How often a workload runs between two reads, so that a read (10 ms) does not count much. */
async function repeats(contestant: Contestant, name: string): Promise<number> {
  const { ms = 200 } = await contestant.ask(name, 2);
  return Math.max(1, Math.min(50, Math.ceil(300 / ms)));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** The row of one workload: medians, in the order of the contestants; NaN where a library failed. */
async function race(contestants: readonly Contestant[], name: string, rounds: number): Promise<number[]> {
  const firsts: number[] = [], times: number[][] = [], count: number[] = [];
  for (const c of contestants) {
    const { first, error } = await c.ask(name, 1);
    if (error !== undefined) console.log(`${name}: ${c.name}: ${error}`);
    firsts.push(first ?? NaN);
    count.push(error === undefined ? await repeats(c, name) : 0);
    times.push([]);
  }
  for (const [i, value] of firsts.entries()) {
    if (Math.abs(value - firsts[0]) > 1e-3 * (1 + Math.abs(firsts[0]))) {
      throw new Error(`${name}: ${contestants[i].name} finds ${value}, ${contestants[0].name} ${firsts[0]}`);
    }
  }
  for (let r = 0; r < rounds; r++) {
    for (const [i, c] of contestants.entries()) {
      if (count[i] > 0) times[i].push((await c.ask(name, count[i])).ms ?? NaN);
    }
  }
  return times.map((t) => t.length === 0 ? NaN : median(t));
}

/** The table as a document. */
function document(infos: readonly string[], rows: readonly string[], rounds: number): string {
  const heads = infos.map((info) => info.split(" on ")[0]);
  return `# WebGPU beside its peers

Written by \`deno run -A bench/webgpu_peers.ts --write\`: one run, every library in its own process, visited in turn;
medians of ${rounds} rounds, with how many times longer than ours; the results were compared first.

${infos.map((info) => `- ${info}`).join("\n")}

| workload | ${heads.join(" | ")} |
| --- |${" --- |".repeat(heads.length)}
${rows.join("\n")}
`;
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, {
    string: ["rounds", "only", "libraries"],
    boolean: ["write"],
    default: { rounds: "7", only: "", libraries: "cresset,jax,tfjs" },
  });
  const rounds = Number(options.rounds), only = new RegExp(options.only);
  const contestants = options.libraries.split(",").map((name: string) => new Contestant(name));
  try {
    const infos: string[] = [], rows: string[] = [];
    for (const c of contestants) infos.push((await c.ask("info", 1)).info ?? c.name);
    console.log(infos.join("\n"));
    for (const name of NAMES.filter((n) => only.test(n))) {
      const times = await race(contestants, name, rounds);
      const cells = times.map((ms, i) => `${ms.toFixed(1)} ms${i > 0 ? ` (${(ms / times[0]).toFixed(2)}×)` : ""}`);
      rows.push(`| ${name} | ${cells.join(" | ")} |`);
      console.log(rows[rows.length - 1]);
    }
    if (options.write) {
      const path = new URL("RESULTS_WEBGPU.md", import.meta.url).pathname;
      await Deno.writeTextFile(path, document(infos, rows, rounds));
      await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", path] }).output();
    }
  } finally {
    for (const c of contestants) c.stop();
  }
}

if (import.meta.main) await main();
