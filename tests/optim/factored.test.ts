/** Adafactor and Muon, whose updates look at whole matrices; Adafactor's arithmetic is held to PyTorch by the conformance suite. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const START = [[1, -2, 0.5, 3], [0.25, 2, -1, 1], [-0.5, 1.5, 2.5, -1]];

async function afterThree(make: (w: torch.Tensor) => torch.optim.Optimizer): Promise<number[]> {
  const w = torch.tensor(START).requiresGrad_(), optimizer = make(w);
  for (let i = 0; i < 3; i++) {
    optimizer.zeroGrad();
    w.square().sum().backward();
    optimizer.step();
  }
  return await w.detach().flatten().tolist() as number[];
}

Deno.test("Muon goes PyTorch's way, to what bfloat16 leaves of it", async () => {
  // From PyTorch 2.13.
  const expected = [
    [0.8862, -1.8273, 0.4145, 2.6464, 0.2064, 1.7043, -0.9197, 0.8201, -0.459, 1.2942, 2.1902, -0.948],
    [0.9367, -1.8958, 0.4571, 2.8049, 0.2278, 1.8452, -0.9505, 0.9095, -0.4748, 1.3899, 2.332, -0.9619],
  ];
  const paths = [
    await afterThree((w) => new torch.optim.Muon([w], { lr: 0.1 })),
    await afterThree((w) => new torch.optim.Muon([w], { lr: 0.1, adjustLrFn: "match_rms_adamw", nesterov: false })),
    await afterThree((w) => new torch.optim.Muon([w], { lr: torch.tensor(0.1) })),
  ];
  paths.forEach((path, k) =>
    path.forEach((v, i) => assert(Math.abs(v - expected[k % 2][i]) < 2e-3, `${k}: ${path} != ${expected[k % 2]}`))
  );
});

Deno.test("Muon and Adafactor resume, and reject what they cannot train", async () => {
  for (
    const make of [
      (w: torch.Tensor) => new torch.optim.Muon([w], { lr: 0.1 }),
      (w: torch.Tensor) => new torch.optim.Adafactor([w], { lr: 0.1, weightDecay: 0.1, maximize: true }),
      (w: torch.Tensor) => new torch.optim.Adafactor([w], { lr: torch.tensor(0.1), d: 1.5 }),
    ]
  ) {
    const w = torch.tensor(START).requiresGrad_(), first = make(w);
    const step = (x: torch.Tensor, o: torch.optim.Optimizer) => {
      x.grad = x.detach().sin();
      o.step();
    };
    step(w, first);
    const other = w.detach().clone().requiresGrad_(), second = make(other);
    second.loadStateDict(first.stateDict());
    step(w, first);
    step(other, second);
    assertEquals(await other.tolist(), await w.tolist());
  }
  const vector = torch.ones(3).requiresGrad_();
  assertThrows(() => new torch.optim.Muon([vector]), torch.ShapeError, "real matrices");
  assertThrows(() => new torch.optim.Muon([torch.ones(2, 2)], { nsSteps: 100 }), torch.ArgumentError, "less than 100");
  assertThrows(
    () => new torch.optim.Muon([torch.ones(2, 2)], { adjustLrFn: "other" as "original" }),
    torch.ArgumentError,
    "adjustLrFn",
  );
  assertThrows(() => new torch.optim.Adafactor([vector], { beta2Decay: 1 }), torch.ArgumentError, "beta2Decay");
  assertThrows(() => new torch.optim.Adafactor([vector], { d: 0.5 }), torch.ArgumentError, "threshold");
});
