/** Residual networks against torchvision's: keys, sizes, and a training step with every gradient. */

import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { models } from "../../src/vision/mod.ts";
import { firstDifference } from "../support/close.ts";
import golden from "../golden/vision.json" with { type: "json" };
import { LARGE, stateDictTests } from "./state_dicts.ts";

const { BasicBlock, Bottleneck, ResNet } = models;

stateDictTests((parameters) => parameters <= LARGE);

/** The numbers that `make_vision.py` makes: a multiplicative hash of the position. */
function values(count: number, seed: number): torch.Tensor {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = (Math.imul(i + seed * 1000003, 2654435761) >>> 0) / 2 ** 32 - 0.5;
  return torch.tensor(out);
}

const STEPS = {
  basic: () => new ResNet(BasicBlock, [1, 1, 1, 1], { numClasses: 7 }),
  bottleneck: () =>
    new ResNet(Bottleneck, [2, 1, 2, 1], {
      ...{ numClasses: 5, groups: 2, widthPerGroup: 16 },
      replaceStrideWithDilation: [false, true, true],
    }),
};

for (const format of ["contiguous_format", "channels_last"] as const) {
  for (const [name, expected] of Object.entries(golden.steps)) {
    Deno.test(`a training step of a network of ${name} blocks is torchvision's (${format})`, async () => {
      const model = STEPS[name as keyof typeof STEPS]();
      torch.noGrad(() => {
        let i = 0;
        for (const p of model.parameters()) {
          const fan = p.ndim > 1 ? p.numel() / p.shape[0] : 4;
          p.copy_(values(p.numel(), i++).reshape(p.shape).mul(Math.sqrt(4 / fan)).add(p.ndim === 1 ? 1 : 0));
        }
      });
      const x = values(4 * 3 * 32 * 32, 99).reshape(4, 3, 32, 32).mul(4).contiguous({ memoryFormat: format });
      const y = model.call(x);
      const loss = torch.nn.functional.crossEntropy(y, torch.tensor([0n, 1n, 2n, 3n]));
      loss.backward();
      const tolerance = { rtol: 2e-3, atol: 2e-3 };
      assertEquals(firstDifference(await y.read() as Float32Array, expected.output.flat(), y.shape, tolerance), null);
      assertAlmostEquals(await loss.item(), expected.loss, 1e-3 * expected.loss);
      const grads = expected.grads as Record<string, number>;
      for (const [key, p] of model.namedParameters()) {
        const norm = await p.grad!.norm().item();
        assert(Math.abs(norm - grads[key]) <= 1e-2 * grads[key] + 1e-5, `${key}: ${norm}, expected ${grads[key]}`);
      }
      assertAlmostEquals(await model.getBuffer("bn1.running_mean").norm().item(), expected.running_mean, 1e-6);
      const after = torch.noGrad(() => model.eval().call(x).at(0));
      assertEquals(
        firstDifference(await after.read() as Float32Array, expected.eval, after.shape, tolerance),
        null,
      );
    });
  }
}

Deno.test("zeroInitResidual makes every block its shortcut", async () => {
  const model = new ResNet(Bottleneck, [1, 1, 1, 1], { zeroInitResidual: true, numClasses: 2 });
  for (const [key, p] of model.namedParameters()) {
    if (key.endsWith("bn3.weight")) assertEquals(await p.abs().max().item(), 0);
  }
});

Deno.test("options that do not fit are refused", () => {
  assertThrows(() => new ResNet(BasicBlock, [1, 1, 1, 1], { groups: 2 }), torch.ArgumentError, "groups 1");
  assertThrows(() => new ResNet(BasicBlock, [1, 1]), torch.ArgumentError, "layers must be 4 positive integers");
  assertThrows(
    () => models.resnet50({ replaceStrideWithDilation: [true] }),
    torch.ArgumentError,
    "replaceStrideWithDilation must have 3 elements",
  );
  assertThrows(() => models.resnet18({ weights: "DEFAULT" as never }), torch.ArgumentError, "nothing is downloaded");
  assertThrows(() => models.resnet18({ classes: 3 } as never), torch.ArgumentError, "classes");
});
