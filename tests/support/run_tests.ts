/**
 * `deno task test`: the quick tests, several files at a time, each in a process of its own.
 *
 * Files whose names end in `.slow.test.ts` are left to `deno task ok`. Processes, and not the threads of
 * `deno test --parallel`, since kernel libraries, drivers, the environment and memory belong to a process: no test has to
 * know of another, and one that crashes or hangs costs its own file only.
 *
 * `deno run -A tests/support/run_tests.ts [--slow | --all] [--jobs N] [--budget] [PATH…]`: the slow or all files, at most
 * N at a time (default: the processors, at most 8), those below some paths only; `--budget` prints the rows of
 * CONTRIBUTING's table.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";

const ROOT = new URL("../../", import.meta.url);
/** A file that takes longer hangs. */
const TIMEOUT_MINUTES = 15;
/** Folders that take long start first, so that no processor waits for the last file. */
const FIRST = ["cuda", "webgpu", "memory", "conformance", "demo", "vision", "optim", "models", "cpu"];

/** Which files. */
export type Part = "quick" | "slow" | "all";

/** What came of the files. */
export interface TestResult {
  passed: number;
  failed: number;
  seconds: number;
}

/** A file's tests. */
interface Outcome {
  file: string;
  passed: number;
  failed: number;
  seconds: number;
  output: string;
}

/** Whether a file's tests are left out of `deno task test`. */
export function isSlow(file: string): boolean {
  return file.endsWith(".slow.test.ts");
}

/** The test files below a folder or at a path, by their paths in the repository. */
function* find(path: string): Generator<string> {
  if (Deno.statSync(new URL(path, ROOT)).isFile) return yield path;
  for (const { name, isDirectory } of Deno.readDirSync(new URL(`${path}/`, ROOT))) {
    if (isDirectory) yield* find(`${path}/${name}`);
    else if (name.endsWith(".test.ts")) yield `${path}/${name}`;
  }
}

/** The folder of a test file: its group in the budget. */
export function groupOf(file: string): string {
  return file.split("/")[1];
}

/** All test files of a part, those that take long first. */
export function testFiles(part: Part, paths: readonly string[] = ["tests"]): string[] {
  const files = new Set(paths.flatMap((path) => [...find(path.replace(/^\.\/|\/$/g, ""))]));
  const rank = (file: string) => (FIRST.indexOf(groupOf(file)) + FIRST.length + 1) % (FIRST.length + 1);
  return [...files].filter((file) => part === "all" || isSlow(file) === (part === "slow")).sort((a, b) =>
    Number(isSlow(b)) - Number(isSlow(a)) || rank(a) - rank(b) || (a < b ? -1 : 1)
  );
}

/** Counts by Deno's own last line; a process that prints none, or fails without a failed test, is a failure. */
export function countTests(output: string, ending: string | null): { passed: number; failed: number } {
  const line = [...output.matchAll(/^(?:ok|FAILED) \| (\d+) passed.*?\| (\d+) failed/gm)].at(-1);
  const [passed, failed] = line === undefined ? [0, 0] : [Number(line[1]), Number(line[2])];
  return { passed, failed: failed === 0 && (ending !== null || line === undefined) ? 1 : failed };
}

/**
 * Whether a process was aborted by glibc, for a damaged heap, after all its tests had passed on the software GPU.
 *
 * Mesa 22.3's software driver frees memory twice now and then: about one process in a hundred ends so, on a busy machine,
 * when a thread that used the driver ends. In the core that was looked at a freed block had become part of a larger one;
 * none of our C code calls malloc or free.
 */
export function driverAborted({ file, passed, failed, output }: Omit<Outcome, "seconds">): boolean {
  const aborted = output.endsWith("SIGABRT") && /^(corrupted |malloc|free|double free|munmap_chunk)/m.test(output);
  return aborted && passed > 0 && failed === 1 && /^ok \|/m.test(output) && /webgpu/i.test(`${file} ${output}`);
}

/** Runs one file; a second time where the software GPU's driver aborted the first, which is said. */
async function runFile(file: string): Promise<Outcome> {
  const first = await runOnce(file);
  if (!driverAborted(first)) return first;
  console.log(`    ${file}: its tests passed, then the software GPU's driver aborted the process; it runs again`);
  return await runOnce(file);
}

async function runOnce(file: string): Promise<Outcome> {
  const start = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", file],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, TIMEOUT_MINUTES * 60_000);
  const { code, signal, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder(), output = text.decode(stdout) + text.decode(stderr);
  const ending = hung ? `hung for ${TIMEOUT_MINUTES} minutes` : signal ?? (code === 0 ? null : `exit code ${code}`);
  const counts = countTests(output, ending);
  const seconds = (performance.now() - start) / 1000;
  return { file, ...counts, seconds, output: ending === null ? output : `${output}\n${file}: ${ending}` };
}

/** What tests printed, such as what this machine lacks for some. */
export function notesOf(output: string): string[] {
  const blocks = output.matchAll(/^-+ (?:\S+ )?output -+\n(.*?)^-+ (?:\S+ )?output end -+$/gms);
  return [...blocks].flatMap(([, block]) => block.split("\n")).filter((line) => line.trim() !== "");
}

function minutes(seconds: number): string {
  return `${Math.floor(seconds / 60)}m${String(Math.floor(seconds % 60)).padStart(2, "0")}s`;
}

/** A line as soon as a file is done; all that a failed one printed. */
function report({ file, passed, failed, seconds, output }: Outcome, place: string, told: Set<string>): void {
  const counts = failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} failed`;
  console.log(`${place} ${failed === 0 ? "ok    " : "FAILED"} ${file}: ${counts} (${seconds.toFixed(1)} s)`);
  if (failed > 0) return console.log(output.trimEnd().replace(/^/gm, "    "));
  for (const note of notesOf(output)) {
    if (!told.has(note)) console.log(`    ${note}`);
    told.add(note);
  }
}

/** Rows of the budget: each folder's share of the time, and the number of its files. */
function budget(outcomes: readonly Outcome[], jobs: number): string[] {
  const groups = Object.entries(
    Object.groupBy(outcomes, ({ file }) => `${groupOf(file)}, ${isSlow(file) ? "slow" : "quick"}`),
  );
  const seconds = (list: readonly Outcome[]) => list.reduce((sum, outcome) => sum + outcome.seconds, 0) / jobs;
  return groups.map(([name, list]) => ({ name, list: list!, share: seconds(list!) })).sort((a, b) => b.share - a.share)
    .map(({ name, list, share }) => `| ${name} | ${list.length} | ${share.toFixed(1)} |`);
}

/**
 * Runs test files, telling of each when it is done.
 *
 * @param jobs how many at a time
 * @returns the counts of all tests
 */
export async function runTests(files: readonly string[], jobs: number, showBudget = false): Promise<TestResult> {
  const start = performance.now();
  const outcomes: Outcome[] = [], told = new Set<string>();
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(jobs, files.length) }, async () => {
    while (next < files.length) {
      const outcome = await runFile(files[next++]);
      outcomes.push(outcome);
      const place = `[${String(outcomes.length).padStart(String(files.length).length)}/${files.length}]`;
      report(outcome, place, told);
    }
  }));
  const broken = outcomes.filter(({ failed }) => failed > 0);
  if (broken.length > 0) console.log(`failed: ${broken.map(({ file }) => file).join(" ")}`);
  if (showBudget) console.log(budget(outcomes, Math.min(jobs, files.length)).join("\n"));
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  return { passed: sum((o) => o.passed), failed: sum((o) => o.failed), seconds: (performance.now() - start) / 1000 };
}

/** How many files run at a time unless told: one for each processor, and no more than memory usually has room for. */
export const defaultJobs = (): number => Math.min(navigator.hardwareConcurrency, 8);

/** The last line, as Deno prints it. */
export function lastLine({ passed, failed, seconds }: TestResult): string {
  return `${failed === 0 ? "ok" : "FAILED"} | ${passed} passed | ${failed} failed (${minutes(seconds)})`;
}

if (import.meta.main) {
  const options = parseArgs(Deno.args, { boolean: ["slow", "all", "budget"], string: ["jobs"] });
  const part: Part = options.all ? "all" : options.slow ? "slow" : "quick";
  const paths = options._.length === 0 ? ["tests"] : options._.map(String);
  const files = testFiles(part, paths);
  const jobs = Number(options.jobs ?? defaultJobs());
  console.log(`${files.length} test files, ${jobs} at a time`);
  const result = await runTests(files, jobs, options.budget);
  if (part === "quick") {
    const left = testFiles("slow", paths);
    console.log(`left to \`deno task ok\`: format, lint, types, docs, and ${left.length} slow test files`);
    for (const file of left) console.log(`    ${file}`);
  }
  console.log(lastLine(result));
  if (result.failed > 0) Deno.exit(1);
}
