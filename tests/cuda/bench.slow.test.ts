/** What `bench/gpu.sh` runs on a card, over the test double: every workload prepares and runs, and faults stay in their rows. */

import { assert, assertEquals } from "@std/assert";
import { GROUPS } from "../../bench/cuda_workloads.ts";
import { cudaDoubleFolder, cudaTest } from "../support/cuda_double/build.ts";
import { doubleEnvironment } from "../support/cuda_double/run.ts";

/** Runs bench/cuda.ts with tiny sizes; gives the first two cells and the note of each row. */
async function bench(
  group: string,
  settings: Record<string, string> = {},
): Promise<{ code: number; rows: string[][] }> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      new URL("../../bench/cuda.ts", import.meta.url).pathname,
      "--small",
      "--group",
      group,
    ],
    // PATH without a Python that has PyTorch: the rows are ours.
    env: { ...await doubleEnvironment(await cudaDoubleFolder()), PATH: "/usr/bin:/bin", ...settings },
    stderr: "inherit",
  }).output();
  const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => /^\| (?!workload|---)/.test(line));
  return { code, rows: lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim())) };
}

for (const group of Object.keys(GROUPS)) {
  cudaTest(`bench: every workload of the group ${group} runs`, async () => {
    const { code, rows } = await bench(group);
    assertEquals(rows.map(([name]) => name), GROUPS[group].map(({ name }) => name));
    for (const row of rows) assert(/^[\d.]+ (µs|ms)$/.test(row[1]) && row.at(-1) === "", row.join(" | "));
    assertEquals(code, 0);
  });
}

cudaTest("bench: a kernel's fault costs its row, and the next process goes on", async () => {
  const { code, rows } = await bench("eager", { CUDA_DOUBLE_FAIL: "fault:200" });
  assertEquals(rows.map(([name]) => name), GROUPS.eager.map(({ name }) => name));
  assert(rows[0].at(-1)!.includes("Cresset failed: synchronize(): cuda:0 reported a fault"), rows[0].join(" | "));
  assertEquals(code, 1);
});

Deno.test("bench: both sides have the same workloads", async () => {
  const script = new URL("../../bench/cuda_torch.py", import.meta.url).pathname;
  let names: string[] = [];
  try {
    const { stdout } = await new Deno.Command("python3", { args: [script, "--names"], stderr: "null" }).output();
    names = JSON.parse(new TextDecoder().decode(stdout)) as string[];
  } catch { /* no Python */ }
  if (names.length === 0) return console.log("PyTorch's workloads: no PyTorch here to list them");
  const ours = new Set(Object.values(GROUPS).flat().map(({ name, peer }) => peer ?? name));
  assertEquals([...ours].sort(), names.sort());
});
