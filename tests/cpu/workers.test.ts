/** Deno's workers share the native library: each has its own argument arena, and the thread pool serves one at a time. */

import { assertEquals } from "@std/assert";
import { loadNative } from "../../src/backend/cpu/lib.ts";

/** A worker, and how to wait for its next message. */
interface Colleague {
  worker: Worker;
  next(): Promise<number>;
}

/** Starts a worker and waits until it has loaded: one after another, so that only the first one is type-checked. */
async function start(): Promise<Colleague> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const next = () =>
    new Promise<number>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data as number);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
    });
  await next();
  return { worker, next };
}

Deno.test("workers that use the native library at once do not disturb each other", async () => {
  if (loadNative() === null) {
    console.log("the native library is not built here (deno task native)");
    return;
  }
  const workers: Colleague[] = [];
  try {
    for (let i = 0; i < 3; i++) workers.push(await start());
    const wrong = await Promise.all(workers.map(({ worker, next }, i) => {
      const answer = next();
      worker.postMessage(i + 1);
      return answer;
    }));
    assertEquals(wrong, [0, 0, 0]);
  } finally {
    for (const { worker } of workers) worker.terminate();
  }
});
