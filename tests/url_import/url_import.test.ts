/**
 * The promise "one import from a URL, no install step, no permission": the repository is served over HTTP on localhost,
 * and a script elsewhere imports it from there and trains a small model with `--allow-import` only.
 */

import { assert, assertEquals } from "@std/assert";
import { serveRepository } from "./server.ts";

Deno.test("a script that imports the library from a URL trains without permissions", async () => {
  const requested = new Set<string>();
  const server = serveRepository(requested);
  const folder = await Deno.makeTempDir();
  try {
    const host = `localhost:${server.addr.port}`;
    const template = await Deno.readTextFile(new URL("./train.ts", import.meta.url));
    await Deno.writeTextFile(`${folder}/train.ts`, template.replace("../../mod.ts", `http://${host}/mod.ts`));
    const output = await new Deno.Command(Deno.execPath(), {
      // A folder outside the repository: no configuration, lock file or import map of ours is in reach.
      args: ["run", "--no-prompt", `--allow-import=${host}`, "train.ts"],
      cwd: folder,
      env: { DENO_DIR: `${folder}/cache` },
    }).output();
    const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
    assertEquals(output.code, 0, stderr);
    const { first, last, granted, prediction } = JSON.parse(stdout);
    assertEquals(granted, []);
    assert(last < first / 2 && last < 0.2, `the loss went from ${first} to ${last}`);
    assertEquals(prediction, [0, 1, 1, 0]);
    const wasm = [...requested].filter((path) => path.endsWith(".wasm"));
    assert(wasm.length > 0, `no WebAssembly module was fetched: ${[...requested].join(" ")}`);
    const outside = [...requested].filter((path) => !/^\/(mod\.ts|src\/|ffi\/|native\/)/.test(path));
    assertEquals(outside, [], "modules outside the library were fetched");
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});
