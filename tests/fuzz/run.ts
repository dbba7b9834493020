/**
 * The fuzzer by hand: `deno run -A tests/fuzz/run.ts --calls 100000 --seed 1 --kernels native`.
 *
 * - `--calls N`, `--seed N`, `--kernels native|wasm`: what is run; the same three give the same calls.
 * - `--from N`: the index of the first call. `--at N` makes that call alone and shows it: this replays a finding.
 * - `--asan`: the native library under AddressSanitizer and UBSan, which `native/build.ts sanitize` builds.
 * - `--processes N`, `--timeout SECONDS`: how many children, and when a call counts as hung.
 * - `--json FILE`: the findings, in full.
 *
 * It ends with code 1 if there is a finding.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { buildSanitized } from "../../native/build.ts";
import type { Kernels } from "../support/kernels.ts";
import { type Finding, fuzz, type FuzzOptions } from "./driver.ts";

/** Findings of one callable and one text, but for numbers, are one. */
function grouped(findings: readonly Finding[]): [string, Finding[]][] {
  const groups = Map.groupBy(
    findings,
    ({ kind, name, head }) => `${kind} | ${name} | ${head.replace(/\d+/g, "#").slice(0, 120)}`,
  );
  return [...groups].sort(([, a], [, b]) => b.length - a.length);
}

const flags = parseArgs(Deno.args, {
  string: ["kernels", "json", "calls", "seed", "from", "at", "processes", "timeout"],
  boolean: ["asan"],
  default: { calls: "10000", seed: "1", kernels: "native", from: "0", timeout: "20", processes: "2" },
});
const replay = flags.at !== undefined;
const options: FuzzOptions = {
  calls: replay ? 1 : Number(flags.calls),
  from: Number(replay ? flags.at : flags.from),
  seed: Number(flags.seed),
  kernels: flags.kernels as Kernels,
  processes: replay ? 1 : Number(flags.processes),
  timeout: Number(flags.timeout) * 1000,
  sanitized: flags.asan ? await buildSanitized() : undefined,
  onProgress: (calls) => console.error(`${calls} calls`),
  onFinding: replay ? (finding) => console.log(finding) : undefined,
};
const { findings, ...stats } = await fuzz(options);
if (flags.json) Deno.writeTextFileSync(flags.json, JSON.stringify({ stats, findings }, null, 1));
for (const [group, list] of grouped(findings)) {
  const { index, text } = list[0];
  console.log(`${list.length} × ${group}\n    --seed ${options.seed} --at ${index}: ${text.slice(0, 300)}`);
}
console.log(stats);
Deno.exit(findings.length > 0 ? 1 : 0);
