/**
 * `deno task compatibility RESULTS.json…`: rewrites COMPATIBILITY.md from what ran.
 *
 * Nothing in that page is written by hand: operations come from conformance runs (one column per device), differences
 * from the `Differs from PyTorch:` paragraphs of docstrings, names from the inventory next to the conformance folder
 * (`--inventory DIR`), each looked up in what `mod.ts` really exports.
 *
 * @module
 */

import * as torch from "../../mod.ts";

const ROOT = new URL("../../", import.meta.url);

/** A row of a conformance run; see tests/conformance. */
interface Entry {
  kind: string;
  name: string;
  variant: string;
  priority: string;
  status: "passed" | "failed" | "absent" | "skipped";
  samples: number;
  failedSamples: number;
  first: string | null;
}

interface Results {
  torch: string;
  device: string;
  kernels: string;
  entries: Entry[];
}

const PRIORITIES = ["P0", "P1", "P2", "P3"];

/** How one operation fared on one device, as a table cell. */
function cell(entries: readonly Entry[]): string {
  const ran = entries.filter((e) => e.status === "passed" || e.status === "failed");
  if (ran.length === 0) return entries.some((e) => e.status === "absent") ? "—" : "skipped";
  const samples = ran.reduce((n, e) => n + e.samples, 0);
  const failed = ran.reduce((n, e) => n + e.failedSamples, 0);
  const whole = ran.every((e) => e.status === "passed") && !entries.some((e) => e.status === "absent");
  return whole ? "yes" : `${samples - failed} of ${samples} samples`;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const k = key(item);
    groups.set(k, [...(groups.get(k) ?? []), item]);
  }
  return groups;
}

/** A markdown table that `deno fmt` leaves as it is. */
function table(rows: readonly string[][]): string {
  const widths = rows[0].map((_, i) => Math.max(3, ...rows.map((r) => r[i].length)));
  const line = (r: readonly string[]) => `| ${r.map((c, i) => c.padEnd(widths[i])).join(" | ")} |`;
  return [line(rows[0]), line(widths.map((w) => "-".repeat(w))), ...rows.slice(1).map(line)].join("\n");
}

function title(e: Entry): string {
  return e.variant ? `${e.name} (${e.variant})` : e.name;
}

/** How many operations of each kind and priority pass completely. */
function totals(runs: readonly Results[]): string {
  const rows = [["kind", "device", ...PRIORITIES.slice(0, 3)]];
  for (const run of runs) {
    for (const [kind, entries] of groupBy(run.entries, (e) => e.kind)) {
      rows.push([
        kind,
        run.device,
        ...PRIORITIES.slice(0, 3).map((p) => {
          const ops = [...groupBy(entries.filter((e) => e.priority === p), title).values()];
          const pass = ops.filter((list) => cell(list) === "yes").length;
          return ops.length === 0 ? "" : `${pass} of ${ops.length}`;
        }),
      ]);
    }
  }
  return table(rows);
}

/** What passes and what is absent as lists of names, and a table of what is in between, per kind and priority. */
function operations(runs: readonly Results[]): string {
  const parts: string[] = [];
  const all = runs.flatMap((run) => run.entries.map((e) => ({ ...e, device: run.device })));
  for (const [kind, ofKind] of groupBy(all, (e) => e.kind)) {
    for (const priority of PRIORITIES) {
      const passed: string[] = [], absent: string[] = [], rows: string[][] = [];
      const entries = ofKind.filter((e) => e.priority === priority);
      for (const [name, list] of [...groupBy(entries, title)].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const cells = runs.map((r) => cell(list.filter((e) => e.device === r.device)));
        if (cells.every((c) => c === "yes")) passed.push(name);
        else if (cells.every((c) => c === "—")) absent.push(name);
        else rows.push([name, ...cells]);
      }
      if (entries.length === 0) continue;
      const everywhere = runs.length > 1 ? " on every device" : "";
      parts.push(`### ${kind}, ${priority}`);
      if (passed.length > 0) parts.push(`Agree${everywhere} (${passed.length}): ${passed.join(", ")}.`);
      if (rows.length > 0) parts.push(table([[kind, ...runs.map((r) => r.device)], ...rows]));
      if (absent.length > 0) parts.push(`Absent (${absent.length}): ${absent.join(", ")}.`);
    }
  }
  return parts.join("\n\n");
}

/** What ran a device's kernels, in words. */
function ranOn({ device, kernels }: Results): string {
  if (!/^cuda \(CUDA double/.test(kernels)) return `- ${device}: ${kernels}`;
  return `- ${device}: over the test double of CUDA's libraries, which runs the same kernels on the processor; not on a card`;
}

/** Every `.ts` file under a folder. */
async function* sources(folder: URL): AsyncGenerator<URL> {
  for (const entry of [...Deno.readDirSync(folder)].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory) yield* sources(new URL(`${entry.name}/`, folder));
    else if (entry.name.endsWith(".ts")) yield new URL(entry.name, folder);
  }
}

/**
 * Paragraphs of docstrings that open with a label: the name that follows the comment, and the paragraph. Line comments,
 * such as the linter's, may stand in between.
 */
async function paragraphs(label: string): Promise<string> {
  const pattern = new RegExp(`${label}:\\s*([\\s\\S]*?)(?=\\n\\s*\\n|\\n\\s*@|\\n(?:Shape|DType):|$)`);
  const found: [string, string][] = [];
  for await (const file of sources(new URL("src/", ROOT))) {
    const text = await Deno.readTextFile(file);
    let owner = "";
    for (const match of text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:\/\/[^\n]*\n\s*)*([^\n]*)/g)) {
      const [, comment, next] = match;
      const type = /^export (?:abstract )?(?:class|interface) (\w+)/.exec(next);
      if (type) owner = type[1];
      const lines = comment.split("\n").map((l) => l.replace(/^\s*\* ?/, ""));
      const paragraph = pattern.exec(lines.join("\n"));
      if (!paragraph) continue;
      const exported = /^export (?:async )?(?:abstract )?(?:function|const|class|interface|type) (\w+)/.exec(next);
      const member = /^\s*(?:static |async |readonly |override )*(?:get |set )?(\w+)/.exec(next);
      const path = file.href.slice(ROOT.href.length);
      const name = exported
        ? exported[1]
        : member && next.startsWith(" ")
        ? `${owner}.${member[1]}`
        : member?.[1] ?? path;
      found.push([comment.includes("@module") ? path : name, paragraph[1].replace(/\s+/g, " ").trim()]);
    }
  }
  const unique = [...new Map(found.map((f) => [f.join("\0"), f])).values()];
  if (unique.length === 0) return "None recorded.";
  return unique.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => `- \`${name}\`: ${text}`).join("\n");
}

/** What does not run on WebGPU: what docstrings say, and operations that agree on the CPU but not there. */
async function webGpuLimits(runs: readonly Results[]): Promise<string> {
  const [cpu, gpu] = ["cpu", "webgpu"].map((device) => runs.find((run) => run.device.startsWith(device)));
  const passed = new Set(cpu?.entries.filter((e) => e.status === "passed").map((e) => `${e.kind} ${title(e)}`));
  const lost = (gpu?.entries ?? []).filter((e) => e.status === "failed" && passed.has(`${e.kind} ${title(e)}`));
  const list = lost.map((e) => `- \`${title(e)}\`: ${e.first?.replaceAll("<", "&lt;")}`);
  return `
## What WebGPU cannot do, or does later

Everything else runs there as on the CPU.

${await paragraphs("On WebGPU")}
${list.length === 0 ? "" : `\nOperations that agree on the CPU and not there:\n\n${list.join("\n")}\n`}`;
}

/** Follows a dotted path from a value; `undefined` where it breaks off. */
function lookUp(from: unknown, path: readonly string[]): unknown {
  let at = from;
  for (const name of path) {
    if ((typeof at !== "object" && typeof at !== "function") || at === null || !(name in at)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

/** Whether a class, method, property or function of the inventory exists here. */
function exists(namespace: string, jsName: string): boolean {
  const name = jsName.split(/[ (]/)[0];
  const path = namespace.split(".").slice(1);
  const owner = lookUp(torch, path);
  if (owner === undefined) return false;
  if (lookUp(owner, [name]) !== undefined) return true;
  // A class's methods and accessors live on its prototype; plain fields appear only in instances.
  const prototype = (owner as { prototype?: object }).prototype;
  return prototype !== undefined && name in prototype;
}

/** How many of PyTorch's public names exist, by namespace and priority. */
async function names(inventory: string): Promise<string> {
  const rows = (await Deno.readTextFile(`${inventory}/api.tsv`)).trim().split("\n").slice(1).map((l) => l.split("\t"));
  const groups = groupBy(rows.filter(([namespace]) => /^torch(\.|$)/.test(namespace)), ([namespace]) => namespace);
  const out = [["namespace", ...PRIORITIES.slice(0, 3)]];
  for (const [namespace, list] of [...groups].sort((a, b) => b[1].length - a[1].length)) {
    const counts = PRIORITIES.slice(0, 3).map((p) => {
      const of = list.filter((r) => r[3] === p);
      return { have: of.filter((r) => exists(r[0], r[5])).length, of: of.length };
    });
    if (counts.every((c) => c.have === 0)) continue;
    out.push([namespace, ...counts.map((c) => (c.of ? `${c.have} of ${c.of}` : ""))]);
  }
  return table(out);
}

async function main(): Promise<void> {
  const at = Deno.args.indexOf("--inventory");
  const inventory = at >= 0 ? Deno.args[at + 1] : null;
  const files = Deno.args.filter((_, i) => at < 0 || (i !== at && i !== at + 1));
  if (files.length === 0) {
    console.error(
      "usage: deno task compatibility RESULTS.json… [--inventory DIR], RESULTS from deno task conformance --json",
    );
    Deno.exit(2);
  }
  const runs = await Promise.all(files.map(async (f) => JSON.parse(await Deno.readTextFile(f)) as Results));
  const text = `# Compatibility with PyTorch

Written by \`deno task compatibility\` from conformance runs against results recorded from PyTorch ${
    runs[0].torch
  }: values,
dtypes, shapes, gradients and errors. An operation agrees when every recorded sample does. P0 is what most programs use,
P2 what few do, P3 what hardly any does.

${runs.map(ranOn).join("\n")}

${totals(runs)}

## Differences

${await paragraphs("Differs from PyTorch")}
${await webGpuLimits(runs)}
${
    inventory === null
      ? ""
      : `## Names\n\nHow many of PyTorch's public names exist, by namespace.\n\n${await names(inventory)}\n\n`
  }## Operations

${operations(runs)}
`;
  await Deno.writeTextFile(new URL("COMPATIBILITY.md", ROOT), text);
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", "COMPATIBILITY.md"], cwd: ROOT }).output();
  console.log(`COMPATIBILITY.md: ${text.split("\n").length} lines`);
}

if (import.meta.main) await main();
