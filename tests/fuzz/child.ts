/**
 * The process that makes the calls: `child.ts FOLDER SEED FROM TO CATALOGUE`. It writes a line before each call, so that whoever
 * watches knows which one ended it.
 *
 * Lines: `@{"index"}` before the arguments of a call are made, `>{"name","text"}` when it is
 * chosen and before it runs, `!{finding}`, and
 * `.{stats}` at the end.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import { type Fault, judgeError, judgeResult } from "./judge.ts";
import { Random } from "./random.ts";
import { type Call, Surface } from "./surface.ts";
import { Values } from "./values.ts";

const [folder, seed, from, to, catalogue, ...skipped] = Deno.args;
const skip = new Set(skipped);
const surface = new Surface(catalogue === "faults");
const encoder = new TextEncoder();
const stats = { calls: 0, threw: 0, gradients: 0, size: surface.size, kernels: torch.info().kernels };
const reached = new Set<string>();

/** The text of a call of which only the name is known yet. */
const MAKING = "its arguments were being made";

function say(mark: string, value: unknown): void {
  const bytes = encoder.encode(mark + JSON.stringify(value) + "\n");
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

/** Memory that no call has a reference to: it must stay as it is. */
const WITNESS = 1234.5;
const witness = torch.full([64], WITNESS);

function corrupted(): Fault | null {
  const wrong = witness.readSync().findIndex((value) => Number(value) !== WITNESS);
  return wrong < 0 ? null : { kind: "corrupted", head: `memory of another tensor was written: element ${wrong}` };
}

/** What a call may have set for the whole process, as it was. */
function restore(index: number): void {
  torch.setDefaultDtype(torch.float32);
  torch.setGradEnabled(true);
  torch.setAutocastEnabled("cpu", false);
  torch.setAutocastCacheEnabled(true);
  torch.setAutocastDtype("cpu", torch.bfloat16);
  torch.setFloat32MatmulPrecision("highest");
  torch.setPrintoptions({ profile: "default" });
  torch.autograd.setDetectAnomaly(false);
  torch.manualSeed(index);
}

/** At most three items of what can be iterated; loaders and samplers do their work only then. */
async function consume(result: unknown): Promise<void> {
  if (typeof result !== "object" || result === null || result instanceof torch.Tensor) return;
  if (Array.isArray(result) || ArrayBuffer.isView(result) || result instanceof torch.nn.Module) return;
  if (!(Symbol.iterator in result) && !(Symbol.asyncIterator in result)) return;
  let count = 0;
  for await (const _ of result as AsyncIterable<unknown>) if (++count === 3) break;
}

async function run(call: Call, values: Values, random: Random): Promise<Fault | null> {
  try {
    let result = await call.run();
    await consume(result);
    if (call.inputs && result instanceof torch.nn.Module) {
      const inputs: unknown[] = call.inputs.map((shape) => values.input(shape));
      result = await (result.call as (...inputs: unknown[]) => unknown).apply(result, inputs);
    }
    const { fault, gradients } = await judgeResult(result, values.leaves, random);
    stats.gradients += gradients;
    return fault;
  } catch (error) {
    stats.threw++;
    return judgeError(error, call.name);
  }
}

for (let index = Number(from); index < Number(to); index++) {
  const random = new Random(Number(seed), index);
  say("@", { index });
  restore(index);
  const values = new Values(random, folder);
  let call: Call;
  try {
    call = await surface.draw(random, values, (name) => say(">", { name, text: MAKING }));
  } catch (error) {
    say("!", {
      index,
      kind: "setup",
      name: "the fuzzer",
      text: "",
      head: String(error instanceof Error ? error.stack : error),
    });
    continue;
  }
  if (skip.has(call.name)) continue;
  say(">", { name: call.name, text: call.text });
  const fault = await run(call, values, random) ?? corrupted();
  stats.calls++;
  reached.add(call.name);
  if (fault) say("!", { index, name: call.name, text: call.text, ...fault });
  // Finalizers run only between macrotasks.
  if (index % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
}
say(".", { ...stats, reached: [...reached] });
