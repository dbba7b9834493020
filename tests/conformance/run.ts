/**
 * `deno task conformance DIR`: replays a folder of PyTorch's recorded results and reports a row per entry and totals by
 * priority. See `--help` below.
 *
 * @module
 */

import { replayAll } from "./driver.ts";
import type { Entry, Status } from "./entry.ts";
import { entryName, openFolder, readPriorities } from "./folder.ts";

const HELP = `deno task conformance DIR [options]

Replays PyTorch's recorded results (ops, modules, optims, schedulers, distributions) found in DIR and prints a row per
entry: passed, failed, absent (the function does not exist here) or skipped, with the first difference.

  --device D     where tensors are made (default: cpu)
  --dtype T      only samples of this dtype
  --only REGEX   only entries whose name ("op add", "op div.floor_rounding", "module nn.Linear") matches
  --json FILE    write the rows as JSON
  --processes N  worker processes (default: one per core)
  --timeout S    seconds after which an entry counts as hung (default: 60)
  --quiet        print failed entries and totals only
  --strict       exit with status 1 if an entry failed
  --help         this text
`;

interface Arguments {
  folder: string;
  device: string;
  dtype?: string;
  only?: RegExp;
  json?: string;
  processes?: number;
  timeout?: number;
  quiet: boolean;
  strict: boolean;
}

const DEVICE = /^(cpu|(cuda|webgpu)(:\d+)?)$/;

const STATUSES: Status[] = ["passed", "failed", "absent", "skipped"];

/** Ends the program with one line on stderr. */
function usage(message: string): never {
  console.error(`conformance: ${message.replace(/^conformance\(\): /, "")} (--help explains)`);
  Deno.exit(2);
}

/** A positive number, or the end of the program. */
function positive(name: string, value: string): number {
  const number = Number(value);
  if (!(number > 0)) usage(`${name} needs a positive number, not "${value}"`);
  return number;
}

function regex(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch {
    return usage(`--only needs a regular expression, not "${source}"`);
  }
}

/** Reads the command line. */
function parse(args: string[]): Arguments {
  const out: Arguments = { folder: "", device: "cpu", quiet: false, strict: false };
  const queue = args.flatMap((arg) =>
    /^--\w+=/.test(arg) ? [arg.slice(0, arg.indexOf("=")), arg.slice(arg.indexOf("=") + 1)] : [arg]
  );
  const value = (name: string) => queue.shift() ?? usage(`${name} needs a value`);
  while (queue.length > 0) {
    const arg = queue.shift()!;
    if (arg === "--help") {
      console.log(HELP);
      Deno.exit(0);
    } else if (arg === "--device") out.device = value(arg);
    else if (arg === "--dtype") out.dtype = value(arg);
    else if (arg === "--only") out.only = regex(value(arg));
    else if (arg === "--json") out.json = value(arg);
    else if (arg === "--processes") out.processes = Math.ceil(positive(arg, value(arg)));
    else if (arg === "--timeout") out.timeout = positive(arg, value(arg)) * 1000;
    else if (arg === "--quiet") out.quiet = true;
    else if (arg === "--strict") out.strict = true;
    else if (arg.startsWith("-")) usage(`unknown option ${arg}`);
    else if (out.folder) usage(`one folder, not two: ${out.folder} ${arg}`);
    else out.folder = arg;
  }
  if (!DEVICE.test(out.device)) usage(`--device is cpu, cuda, webgpu or one with a number, not "${out.device}"`);
  return out.folder ? out : usage("which folder?");
}

/** One row of the report. */
function row(entry: Entry): string {
  const [status, priority] = [entry.status.padEnd(7), entry.priority.padEnd(2)];
  const counts = `${entry.samples - entry.failedSamples}/${entry.samples}`.padStart(7);
  return `${status} ${priority} ${counts}  ${entryName(entry)}${entry.first ? `: ${entry.first}` : ""}`;
}

/** Totals by priority, a line each. */
function totals(entries: Entry[]): string[] {
  const lines = ["priority  passed  failed  absent  skipped"];
  const count = (group: Entry[]) =>
    STATUSES.map((s) => `${group.filter((e) => e.status === s).length}`.padStart(8)).join("");
  for (const kind of new Set(entries.map((e) => e.kind))) {
    for (const priority of [...new Set(entries.map((e) => e.priority))].sort()) {
      const group = entries.filter((e) => e.kind === kind && e.priority === priority);
      if (group.length > 0) lines.push(`${`${kind} ${priority || "-"}`.padEnd(16)}${count(group)}`);
    }
  }
  lines[0] = "kind, priority    passed  failed  absent skipped";
  lines.push(`${"all".padEnd(16)}${count(entries)}`);
  return lines;
}

/** The number of distinct op names of a priority whose every variant passed. */
function wholeOps(entries: Entry[], priority: string): string {
  const byName = Map.groupBy(entries.filter((e) => e.kind === "op" && e.priority === priority), (e) => e.name);
  const whole = [...byName.values()].filter((group) =>
    group.some((e) => e.status === "passed") && group.every((e) => e.status === "passed" || e.status === "skipped")
  );
  return `${whole.length} of ${byName.size}`;
}

async function main(): Promise<void> {
  const args = parse(Deno.args);
  const folder = await openFolder(args.folder).catch((error: Error) => usage(error.message));
  const priority = await readPriorities();
  const wanted = (entry: Pick<Entry, "kind" | "name" | "variant">) => !args.only || args.only.test(entryName(entry));
  // Files of schedulers and distributions hold many entries: they are filtered after the replay.
  const jobs = folder.jobs.filter((job) => job.kind === "schedulers" || job.kind === "distributions" || wanted(job));
  const finish = (entry: Entry): Entry => ({ ...entry, priority: priority(entry) });
  const { device, dtype, processes, timeout } = args;
  const show = (entries: Entry[]) => {
    for (const entry of entries.filter(wanted).filter((e) => !dtype || e.samples > 0)) {
      if (!args.quiet || entry.status === "failed") console.log(row(finish(entry)));
    }
  };
  const result = await replayAll(jobs, { device, dtype, processes, timeout, onEntries: show })
    .catch((error: Error) => usage(error.message));
  show(folder.empty);
  const entries = [...result.entries, ...folder.empty].filter(wanted).filter((e) => !dtype || e.samples > 0).map(
    finish,
  );
  console.log("\n" + totals(entries).join("\n"));
  for (const p of ["P0", "P1"]) console.log(`${p} op names that pass completely: ${wholeOps(entries, p)}`);
  if (args.json) {
    const report = { torch: folder.torch, device, kernels: result.kernels, entries };
    await Deno.writeTextFile(args.json, JSON.stringify(report, null, 1) + "\n");
  }
  if (args.strict && entries.some((e) => e.status === "failed")) Deno.exit(1);
}

if (import.meta.main) await main();
