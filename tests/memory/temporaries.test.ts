/**
 * Temporaries: what an op or a step of an optimizer makes for itself is released when it returns, in code outside of any
 * module call and without a turn of the event loop, so that the collector cannot be what released it.
 */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { tensorsIn } from "../conformance/compare.ts";
import { bind, call, decode, inputElements, type OpCase, opCases, type RecordedSample } from "../ops/cases.ts";

const { optim } = torch;

/** The blocks that a sample's call leaves beside those of its results. */
async function leftBeside(op: OpCase, sample: RecordedSample): Promise<number> {
  const decoder = decode(op, sample);
  const given = new Set([...decoder.tensors.values()].map((x) => (x as unknown as torch.Tensor).storage));
  const before = torch.memoryStats().liveBlocks;
  let out = bind(op, sample).run(decoder, sample);
  if (out instanceof Promise) out = await out;
  const left = torch.memoryStats().liveBlocks - before;
  const storages = new Set((tensorsIn(out) as unknown as torch.Tensor[]).map((x) => x.storage));
  return left - [...storages].filter((storage) => !given.has(storage)).length;
}

Deno.test("every op releases its temporaries", async () => {
  const leaving: string[] = [];
  for (const op of await opCases()) {
    const fitting = [...op.groups.values()].flatMap((group) => group.filter((s) => inputElements(s) > 0 && !s.program));
    let most = 0;
    for (const sample of fitting) {
      // The first call makes tables and constants that belong to the library.
      await torch.noGrad(() => call(op, sample));
      most = Math.max(most, await torch.noGrad(() => leftBeside(op, sample)));
    }
    if (most > 0) leaving.push(`${op.label}: ${most}`);
  }
  assertEquals(leaving, []);
});

type Make = (params: torch.Tensor[]) => torch.optim.Optimizer;

const OPTIMIZERS: Record<string, Make> = {
  SGD: (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.5, weightDecay: 0.1 }),
  Adam: (p) => new optim.Adam(p, { amsgrad: true }),
  AdamW: (p) => new optim.AdamW(p),
  Adamax: (p) => new optim.Adamax(p),
  NAdam: (p) => new optim.NAdam(p),
  RAdam: (p) => new optim.RAdam(p),
  RMSprop: (p) => new optim.RMSprop(p, { centered: true, momentum: 0.2 }),
  Adagrad: (p) => new optim.Adagrad(p),
  Adadelta: (p) => new optim.Adadelta(p),
  Adafactor: (p) => new optim.Adafactor(p),
  Muon: (p) => new optim.Muon(p),
  Rprop: (p) => new optim.Rprop(p),
  ASGD: (p) => new optim.ASGD(p),
  LBFGS: (p) => new optim.LBFGS(p, { historySize: 4, lineSearchFn: "strong_wolfe" }),
};

Deno.test("every optimizer's step releases its temporaries", () => {
  const all = Object.entries(optim).flatMap(([name, value]) =>
    typeof value === "function" && value.prototype instanceof optim.Optimizer ? [name] : []
  );
  assertEquals(all.filter((name) => !(name in OPTIMIZERS)), []);
  const growing: string[] = [];
  for (const [name, make] of Object.entries(OPTIMIZERS)) {
    const w = new torch.nn.Parameter(torch.linspace(-1, 1, 64).reshape(8, 8));
    const optimizer = make([w]);
    let losses = 0;
    const closure = () => {
      losses++;
      optimizer.zeroGrad();
      const loss = torch.scope(() => w.mul(w).sub(w.sin()).sum());
      loss.backward();
      return loss;
    };
    const step = () => {
      torch.scope(() => void closure());
      torch.scope(() => void optimizer.step(closure as never));
    };
    for (let i = 0; i < 6; i++) step();
    const before = torch.memoryStats().allocatedBytes;
    losses = 0;
    for (let i = 0; i < 6; i++) step();
    // What a closure gives belongs to the user: the collector frees it.
    const grown = torch.memoryStats().allocatedBytes - before - 4 * losses;
    if (grown > 0) growing.push(`${name}: ${grown} bytes`);
  }
  assertEquals(growing, []);
});
