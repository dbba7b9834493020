/** CUDA graphs, streams, events, several devices and their collectives over the test double; see `runtime.ts`. */

import { assert } from "@std/assert";
import { buildCudaDouble, cudaTest } from "../support/cuda_double/build.ts";
import { doubleEnvironment } from "../support/cuda_double/run.ts";

async function run(group: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cresset_cuda_" });
  try {
    await buildCudaDouble(folder);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", new URL("runtime.ts", import.meta.url).pathname, group],
      env: {
        ...await doubleEnvironment(folder),
        // Of the kernel cache, too: what an older double compiled must not be found.
        ...{ XDG_CACHE_HOME: folder, CUDA_DOUBLE_DEVICES: "2", CUDA_DOUBLE_MEMORY: String(256 * 2 ** 20) },
        ...env,
      },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(code === 0 && text.trim().endsWith("agrees"), text + new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const GROUPS: Readonly<Record<string, string>> = {
  graphs: "graphs replay, keep their memory to themselves and give it back",
  refusals: "what a graph cannot record is refused, and the device works on",
  randomness: "replays of a graph go on in the random stream",
  training: "a recorded training step goes the way of the steps without a graph",
  optimizers: "optimizers with rates and step counts on the device",
  launches: "updates and norms of many tensors take few launches",
  callables: "recorded callables and modules go through autograd",
  streams: "streams wait for events, and have memory of their own",
  reads: "reads let other work go on, and tell of faults",
  memory: "memory that is out is told with the numbers, after idle memory was given back",
  devices: "devices copy directly, and one of them is the current one",
  collectives: "collectives over several devices",
};

for (const [group, what] of Object.entries(GROUPS)) cudaTest(`cuda: ${what}`, () => run(group));

cudaTest("cuda: devices that reach each other's memory", () => run("devices", { CUDA_DOUBLE_PEERS: "1" }));
