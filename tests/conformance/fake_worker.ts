/**
 * A worker for the driver's own test: it passes, crashes, hangs or fails as the job's path says.
 *
 * @module
 */

import type { Request } from "./worker.ts";

const reply = (message: unknown) => console.log(JSON.stringify(message));

reply({ ready: true, kernels: "fake" });
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  for (const line of chunk.split("\n").filter((part) => part !== "")) {
    const { path } = JSON.parse(line) as Request;
    reply({ at: "float32 #7" });
    console.log("a library that prints must not confuse the driver");
    if (path === "crash") Deno.kill(Deno.pid, "SIGABRT"); // It arrives a moment later.
    if (path === "exit") Deno.exit(3);
    while (path === "hang" || path === "crash");
    if (path === "error") reply({ error: "threw FormatError: truncated" });
    else {
      const row = {
        kind: "op",
        name: path,
        variant: "",
        priority: "",
        dtype: "",
        samples: 1,
        failedSamples: 0,
        first: null,
      };
      reply({ entries: [{ ...row, status: "passed" }] });
    }
  }
}
