/**
 * Top-level code that never yields and drops 64 MiB a round until memory ends or the rounds do: prints "completed", or the
 * class and message of the error.
 *
 * @module
 */

import * as torch from "../../mod.ts";

const rounds = Number(Deno.args[0]);
try {
  for (let i = 0; i < rounds; i++) torch.ones([16, 2 ** 20]);
  console.log("completed");
} catch (error) {
  console.log((error as Error).name, (error as Error).message);
}
