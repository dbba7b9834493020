/**
 * Top-level code that never yields either completes or ends in a clear `OutOfMemoryError`; never in a crash. A request that
 * no machine can meet is the same error at once.
 */

import { assert } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertUserError } from "../support/assert.ts";
import { availableKernels, runScript } from "../support/kernels.ts";

/** Rounds of 64 MiB: past WebAssembly's 4 GiB; natively only a few GiB, for the machine's sake. */
const ROUNDS = { wasm: "72", native: "24" };

for (const kernels of await availableKernels()) {
  Deno.test(`a loop that drops GiBs without yielding does not crash (${kernels})`, async () => {
    const script = new URL("./exhaust.ts", import.meta.url);
    const { code, signal, stdout, stderr } = await runScript(script, [ROUNDS[kernels]], kernels);
    assert(code === 0 && signal === null, `${kernels}: ended with ${signal ?? code}: ${stderr.slice(-500)}`);
    const clear = /^OutOfMemoryError [\w.]+\(\): /.test(stdout);
    assert(stdout.startsWith("completed") || clear, `${kernels}: ${stdout}`);
    if (clear) assert(/await|dispose|scope/.test(stdout), `no remedy named: ${stdout}`);
  });
}

Deno.test("a tensor larger than any memory is an OutOfMemoryError that names the size", async () => {
  await assertUserError(() => torch.zeros([2 ** 20, 2 ** 20, 2]), torch.OutOfMemoryError, `${2 ** 43} bytes`);
  const x = torch.ones([2]);
  assert(await x.sum().item() === 2, "the library works on after it");
});

Deno.test("WebAssembly's memory is whole again once what filled it is freed, and a live kilobyte holds only itself", async () => {
  const { code, stdout, stderr } = await runScript(new URL("./refill.ts", import.meta.url), [], "wasm");
  assert(code === 0 && stdout === "done\n", stdout + stderr.slice(-500));
});
