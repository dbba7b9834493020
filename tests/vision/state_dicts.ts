/** Every residual network's state dict has the keys and the sizes of torchvision's. */

import { assertEquals } from "@std/assert";
import type { nn } from "../../mod.ts";
import { models } from "../../src/vision/mod.ts";
import golden from "../golden/vision.json" with { type: "json" };

const MAKERS: Readonly<Record<string, () => nn.Module>> = {
  resnet18: models.resnet18,
  resnet34: models.resnet34,
  resnet50: models.resnet50,
  resnet101: models.resnet101,
  resnet152: models.resnet152,
  resnext50_32x4d: models.resnext50_32x4d,
  resnext101_32x8d: models.resnext101_32x8d,
  wide_resnet50_2: models.wideResnet50_2,
  wide_resnet101_2: models.wideResnet101_2,
};

/** Models with more parameters take a second each. */
export const LARGE = 3e7;

/** The tests of the models whose number of parameters is selected. */
export function stateDictTests(select: (parameters: number) => boolean): void {
  for (const [name, expected] of Object.entries(golden.models)) {
    if (!select(expected.parameters)) continue;
    Deno.test(`${name} has torchvision's state dict`, async () => {
      const model = MAKERS[name]();
      const lines = Object.entries(model.stateDict()).map(([key, x]) => `${key}[${x.shape.join(",")}]`);
      const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(lines.join("\n")));
      assertEquals(Array.from(new Uint8Array(hash), (b) => b.toString(16).padStart(2, "0")).join(""), expected.keys);
      let parameters = 0;
      for (const p of model.parameters()) parameters += p.numel();
      assertEquals(parameters, expected.parameters);
      for (const x of Object.values(model.stateDict())) x.dispose();
    });
  }
}
