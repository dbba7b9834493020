/**
 * The peak of a training step is what the saved activations need, and at most a tenth more.
 */

import { assert } from "@std/assert";
import { availableKernels, runScript } from "../support/kernels.ts";

for (const kernels of await availableKernels()) {
  Deno.test(`a ResNet step's peak is within 10 % of what its saved activations need (${kernels})`, async () => {
    const { code, stdout, stderr } = await runScript(new URL("./peak.ts", import.meta.url), [], kernels);
    assert(code === 0, stderr);
    const { before, peak, saved } = JSON.parse(stdout);
    const needed = before + saved;
    const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    assert(peak <= 1.1 * needed, `peak ${mib(peak)}, needed ${mib(needed)} (${mib(saved)} of activations)`);
    assert(peak >= 0.5 * needed, `peak ${mib(peak)} is too low to be true: needed ${mib(needed)}`);
  });
}
