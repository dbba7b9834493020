/**
 * One contestant of bench/webgpu_peers.ts as a process: answers a line `{"workload", "times"}` with `{"ms", "first"}`, the
 * time of a run and the first number of the result, or `{"error"}`. It waits without using the processor otherwise.
 *
 * @module
 */

const peer = await import(`./${Deno.args[0]}.js`);
const ready = new Map();

async function answer({ workload, times }) {
  if (workload === "info") return { info: peer.info };
  if (!ready.has(workload)) ready.set(workload, peer.workloads[workload]());
  const run = ready.get(workload);
  const start = performance.now();
  for (let i = 1; i < times; i++) await peer.release(await run());
  const last = await run();
  const first = await peer.first(last);
  const ms = (performance.now() - start) / times;
  return { ms, first };
}

const text = new TextEncoder();
let pending = "";
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  pending += chunk;
  for (let end = pending.indexOf("\n"); end >= 0; end = pending.indexOf("\n")) {
    const question = JSON.parse(pending.slice(0, end));
    pending = pending.slice(end + 1);
    const reply = await answer(question).catch((error) => ({ error: String(error?.message ?? error) }));
    Deno.stdout.writeSync(text.encode("\u0001" + JSON.stringify(reply) + "\n"));
  }
}
