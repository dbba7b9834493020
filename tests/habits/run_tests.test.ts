/** The runner of the tests: no file is forgotten, crashes count, and the budget in CONTRIBUTING.md covers every folder. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { countTests, driverAborted, groupOf, isSlow, lastLine, notesOf, testFiles } from "../support/run_tests.ts";

const ROOT = new URL("../../", import.meta.url);
/** What `deno task test` may take on two processors, in seconds, and what all tests may: 25 minutes less the checks. */
const QUICK = 180, ALL = 22 * 60;

/** Rows of CONTRIBUTING's table: a group's name, what was measured and its ceiling, in seconds. */
function budget(): { name: string; measured: number; ceiling: number }[] {
  const text = Deno.readTextFileSync(new URL("CONTRIBUTING.md", ROOT));
  const rows = text.matchAll(/^\| (\w+, (?:quick|slow)) +\| +([\d.]+) +\| +(\d+) +\|$/gm);
  return [...rows].map(([, name, measured, ceiling]) => ({
    name,
    measured: Number(measured),
    ceiling: Number(ceiling),
  }));
}

Deno.test("every test file is quick or slow, and Deno would find it", () => {
  const all = testFiles("all"), quick = testFiles("quick"), slow = testFiles("slow");
  assertEquals([...quick, ...slow].sort(), [...all].sort());
  assert(quick.length > 0 && slow.length > 0 && slow.every(isSlow));
  // Deno takes other names for tests, too; the runner would not.
  const walk = (path: string): string[] =>
    [...Deno.readDirSync(new URL(`${path}/`, ROOT))].flatMap((entry) =>
      entry.isDirectory ? walk(`${path}/${entry.name}`) : [`${path}/${entry.name}`]
    );
  const others = walk("tests").filter((path) => /([._]|\/)test\.\w+$/.test(path) && !all.includes(path));
  assertEquals(others, []);
});

Deno.test("tests are counted by Deno's last line; a crash is a failure", () => {
  assertEquals(countTests("x ... ok\n\nok | 3 passed (2 steps) | 0 failed | 1 filtered out (5ms)\n", null), {
    passed: 3,
    failed: 0,
  });
  assertEquals(countTests("FAILED | 3 passed | 2 failed (5ms)", "exit code 1"), { passed: 3, failed: 2 });
  assertEquals(countTests("running 4 tests\na ... ok\nb ...", "SIGSEGV"), { passed: 0, failed: 1 });
  assertEquals(countTests("ok | 3 passed | 0 failed (5ms)", "SIGABRT"), { passed: 3, failed: 1 });
  assertEquals(countTests("error: Module not found", "exit code 1"), { passed: 0, failed: 1 });
  assertMatch(lastLine({ passed: 7, failed: 0, seconds: 125.4 }), /^ok \| 7 passed \| 0 failed \(2m05s\)$/);
  assertMatch(lastLine({ passed: 7, failed: 1, seconds: 3 }), /^FAILED \| 7 passed \| 1 failed \(0m03s\)$/);
  const output = "a ...\n------- output -------\nno compiler here\n----- output end -----\na ... ok (1ms)\n";
  assertEquals(notesOf(output), ["no compiler here"]);
});

Deno.test("CONTRIBUTING's budget has a row for every group of tests, and the ceilings keep to the sums", () => {
  const rows = budget();
  const groups = new Set(testFiles("all").map((file) => `${groupOf(file)}, ${isSlow(file) ? "slow" : "quick"}`));
  assertEquals(rows.map(({ name }) => name).sort(), [...groups].sort());
  for (const { name, measured, ceiling } of rows) assert(measured <= ceiling, `${name}: ${measured} s of ${ceiling} s`);
  const sum = (list: typeof rows) => list.reduce((total, row) => total + row.ceiling, 0);
  assert(sum(rows.filter(({ name }) => name.endsWith("quick"))) <= QUICK);
  assert(sum(rows) <= ALL);
});

Deno.test("a process that the software GPU's driver aborted after its tests is told from one that failed", () => {
  const of = (output: string, failed = 1, file = "tests/webgpu/values.test.ts") =>
    driverAborted({ file, passed: 3, failed, output: `${output}\n${file}: SIGABRT` });
  const passed = "ok | 3 passed | 0 failed (1s)\n\ncorrupted size vs. prev_size in fastbins\n";
  assertEquals(of(passed), true);
  assertEquals(of(passed, 1, "tests/ops/order.test.ts"), false);
  assertEquals(of("FAILED | 3 passed | 1 failed (1s)\n\ncorrupted size vs. prev_size in fastbins\n"), false);
  assertEquals(of("ok | 3 passed | 0 failed (1s)\n"), false);
});
