/**
 * `deno task ok`: everything that must hold before a commit, one line per check.
 *
 * Runs every check even after a failure, so that one run names all faults, and prints the output of those that failed.
 * The tests, quick and slow, come last and tell of each file. `--checks` leaves them out, for `.ci/run`, which runs them
 * itself.
 *
 * @module
 */

import { publicModules } from "./public_types.ts";
import { defaultJobs, lastLine, runTests, testFiles } from "./run_tests.ts";

const ROOT = new URL("../../", import.meta.url);

interface Check {
  /** What the line says. */
  name: string;
  /** Arguments of `deno`. */
  args: string[];
}

const CHECKS: readonly Check[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint"] },
  { name: "types", args: ["check", "."] },
  { name: "doc lint", args: ["doc", "--lint", ...publicModules()] },
  // Also finds what lint does not see: a declaration that compiles in the source and not in what is made of it.
  { name: "publish", args: ["publish", "--dry-run", "--allow-dirty"] },
  { name: "doc tests", args: ["test", "-A", "--doc", "mod.ts", "src"] },
];

/**
 * Declarations that need no comment of their own, because another one documents them: a constructor whose parameters
 * have comments, or whose arguments a class of parameters declares; the type of the instances of a class of the same
 * name; a member that overrides one of the base class.
 */
const DOCUMENTED_ELSEWHERE = [
  /^\s*constructor\((?:$|\.\.\.args: )/,
  /^export type (\w+)(?:<.*>)? = InstanceType<typeof \1(?:<.*>)?>;$/,
  /^\s*(?:protected )?override /,
];

/** The faults that `deno doc --lint` tells of, without those about {@linkcode DOCUMENTED_ELSEWHERE}; `null` for none. */
function docFaults(output: string): string | null {
  const faults = output.split(/^(?=error\[)/m).filter((fault) => fault.startsWith("error["));
  if (faults.length === 0) return output;
  const left = faults.filter((fault) => {
    const place = /^error\[missing-jsdoc\][^]*?--> (.+):(\d+):\d+$/m.exec(fault);
    if (place === null) return true;
    const line = Deno.readTextFileSync(place[1]).split("\n")[Number(place[2]) - 1];
    return !DOCUMENTED_ELSEWHERE.some((pattern) => pattern.test(line));
  });
  return left.length > 0 ? left.join("") : null;
}

/** Runs a check; returns its output where it failed, else `null`. */
async function run(check: Check): Promise<string | null> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: check.args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  if (success) return null;
  const text = new TextDecoder();
  return check.name === "doc lint" ? docFaults(text.decode(stderr)) : text.decode(stdout) + text.decode(stderr);
}

let failed = 0;
for (const check of CHECKS) {
  const start = performance.now();
  const output = await run(check);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${output === null ? "ok    " : "FAILED"}  ${check.name} (${seconds} s)`);
  if (output !== null) {
    failed++;
    console.log(output.trimEnd().replace(/^/gm, "        "));
  }
}
console.log(`checks: ${CHECKS.length - failed} passed, ${failed} failed`);
if (!Deno.args.includes("--checks")) {
  const result = await runTests(testFiles("all"), defaultJobs());
  console.log(lastLine(result));
  failed += result.failed;
}
if (failed > 0) Deno.exit(1);
