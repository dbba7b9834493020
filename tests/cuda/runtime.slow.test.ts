/** CUDA graphs, streams, events, several devices and their collectives over the test double; see `runtime.ts`. */

import { cudaTest } from "../support/cuda_double/build.ts";
import { agreesOverDouble } from "../support/cuda_double/run.ts";

const run = (group: string, env: Readonly<Record<string, string>> = {}) =>
  agreesOverDouble(new URL("./runtime.ts", import.meta.url), [group], {}, {
    ...{ CUDA_DOUBLE_DEVICES: "2", CUDA_DOUBLE_MEMORY: String(256 * 2 ** 20) },
    ...env,
  });

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
