/** The same seed gives the same values whichever kernel library draws them. */

import { assert, assertEquals } from "@std/assert";
import { availableKernels, runScript } from "../support/kernels.ts";

interface Drawn {
  exact: Record<string, number[]>;
  close: Record<string, number[]>;
}

Deno.test("random values: WebAssembly and native kernels draw the same", async () => {
  const kernels = await availableKernels();
  const runs: Drawn[] = [];
  for (const k of kernels) {
    const { code, stdout, stderr } = await runScript(new URL("./draw.ts", import.meta.url), [], k);
    assertEquals(code, 0, stderr);
    runs.push(JSON.parse(stdout) as Drawn);
  }
  const [first, ...others] = runs;
  for (const other of others) {
    assertEquals(other.exact, first.exact);
    for (const [name, expected] of Object.entries(first.close)) {
      // Logarithms and cosines may differ in their last bits.
      const tolerance = name.endsWith("float64") ? 1e-12 : 1e-5;
      other.close[name].forEach((v, i) =>
        assert(
          Math.abs(v - expected[i]) <= tolerance + tolerance * Math.abs(expected[i]),
          `${name}[${i}]: ${v}, ${expected[i]}`,
        )
      );
    }
  }
});
