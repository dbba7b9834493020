/**
 * Batch normalisation fused into the layer before it: PyTorch's weights, the same outputs, and errors.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertUserError } from "../support/assert.ts";
import golden from "../golden/fuse.json" with { type: "json" };

const { nn } = torch;
const { utils } = nn;

interface Recorded {
  shape: number[];
  data: number[];
}
type State = Record<string, Recorded>;

const read = (x: Recorded) => torch.tensor(x.data).reshape(x.shape);

function load(module: torch.nn.Module, state: object): void {
  const entries = Object.entries(state as State).map(([key, x]) => [key, read(x)]);
  module.loadStateDict(Object.fromEntries(entries), { strict: false });
}

const norm2d = (n: number, o = {}) => new nn.BatchNorm2d(n, o).eval();
const norm1d = (n: number, o = {}) => new nn.BatchNorm1d(n, o).eval();

/** The layers of each recorded case, and an input. */
const CASES = {
  conv: { layer: new nn.Conv2d(2, 3, 2), bn: norm2d(3), x: [2, 2, 4, 4] },
  convNoBias: { layer: new nn.Conv2d(2, 3, 2, { bias: false }), bn: norm2d(3, { affine: false }), x: [2, 2, 4, 4] },
  convGroups: { layer: new nn.Conv1d(2, 4, 2, { groups: 2 }), bn: norm1d(4, { eps: 0.1 }), x: [2, 2, 5] },
  convTranspose: { layer: new nn.ConvTranspose2d(2, 3, 2), bn: norm2d(3), x: [2, 2, 4, 4] },
  linear: { layer: new nn.Linear(2, 3), bn: norm1d(3), x: [4, 2] },
  linearNoBias: { layer: new nn.Linear(2, 3, { bias: false }), bn: norm1d(3), x: [4, 2] },
  linearOne: { layer: new nn.Linear(2, 3), bn: norm1d(1), x: null },
};

Deno.test("fused weights are PyTorch's, and the outputs those of both layers", async () => {
  assertEquals(golden.map((g) => g.name), Object.keys(CASES));
  for (const g of golden) {
    const { layer, bn, x } = CASES[g.name as keyof typeof CASES];
    layer.eval();
    load(layer, g.layer);
    load(bn, g.bn);
    const fused = layer instanceof nn.Linear
      ? utils.fuseLinearBnEval(layer, bn)
      : utils.fuseConvBnEval(layer, bn, { transpose: g.name === "convTranspose" });
    const state = fused.stateDict();
    assertEquals(Object.keys(state), Object.keys(g.fused), g.name);
    for (const [key, wanted] of Object.entries(g.fused as State)) {
      assert(await torch.allclose(state[key], read(wanted), { rtol: 1.3e-6, atol: 1e-5 }), `${g.name} ${key}`);
    }
    const wants = Object.fromEntries([...fused.namedParameters()].map(([key, p]) => [key, p.requiresGrad]));
    assertEquals(wants, g.requiresGrad as Record<string, boolean>, g.name);
    assert(await torch.equal(layer.weight, read((g.layer as State).weight)), "the layer itself is unchanged");
    if (x === null) continue;
    const input = torch.randn(x), both = bn.forward(layer.forward(input));
    assert(await torch.allclose(fused.forward(input), both, { rtol: 1e-5, atol: 1e-5 }), g.name);
  }
});

Deno.test("half weights keep their dtype beside float32 statistics", () => {
  const conv = new nn.Conv1d(2, 3, 2, { dtype: torch.bfloat16 }).eval();
  const fused = utils.fuseConvBnEval(conv, norm1d(3));
  assertEquals([fused.weight.dtype, fused.bias.dtype], [torch.bfloat16, torch.bfloat16]);
});

Deno.test("what cannot be fused is refused", async () => {
  const conv = new nn.Conv2d(2, 3, 2), bn = norm2d(3);
  await assertUserError(() => utils.fuseConvBnEval(conv, bn), torch.ArgumentError, "evaluation mode");
  conv.eval();
  await assertUserError(
    () => utils.fuseConvBnEval(conv, norm2d(3, { trackRunningStats: false })),
    torch.ArgumentError,
    "running statistics",
  );
  await assertUserError(() => utils.fuseConvBnEval(conv, norm2d(1)), torch.ShapeError, "one element per output");
  await assertUserError(
    () => utils.fuseConvBnEval(conv, bn, { transpose: true }),
    torch.ArgumentError,
    "transpose must be false",
  );
  await assertUserError(
    () => utils.fuseConvBnEval(new nn.Linear(2, 3).eval() as never, bn),
    torch.ArgumentError,
    "must be a convolution",
  );
  const grouped = new nn.ConvTranspose2d(4, 4, 2, { groups: 4 }).eval();
  await assertUserError(() => utils.fuseConvBnEval(grouped, norm2d(4), true), torch.ArgumentError, "one group");
  await assertUserError(
    () => utils.fuseLinearBnEval(new nn.Linear(2, 3).eval(), norm1d(2)),
    torch.ShapeError,
    "one element per output",
  );
});
