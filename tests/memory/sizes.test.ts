/**
 * Sizes whose products wrap or that no memory holds are refused by name before anything is computed, on both kernel
 * libraries.
 */

import { assert } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertUserError } from "../support/assert.ts";
import { availableKernels, runScript } from "../support/kernels.ts";

for (const kernels of await availableKernels()) {
  Deno.test(`sizes that no memory holds are refused at once (${kernels})`, async () => {
    const { code, stdout, stderr } = await runScript(new URL("./sizes.ts", import.meta.url), [], kernels);
    assert(code === 0 && stdout === "done\n", stdout + stderr.slice(-500));
  });
}

Deno.test("what is too large is named: op, shape, dtype, bytes and limit", async () => {
  const make = () => torch.zeros([2 ** 30, 2 ** 20], { dtype: torch.int16 });
  for (const text of ["zeros(): ", "[1073741824, 1048576] of int16 takes 2251799813685248 bytes", " at most"]) {
    await assertUserError(make, torch.OutOfMemoryError, text);
  }
  await assertUserError(
    () => torch.ones([1]).expand([2 ** 33, 1]).add(torch.ones([1]).expand([1, 2 ** 33])),
    torch.ShapeError,
    "add(): the size is too large to address: [8589934592, 8589934592] has more than 9007199254740991 elements",
  );
});
