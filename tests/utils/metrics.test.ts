/** Metrics add up on the device and read rarely. */

import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { Mean, MulticlassAccuracy } = torch.utils.metrics;

Deno.test("Mean weighs numbers and the elements of tensors alike", async () => {
  const mean = new Mean();
  assertEquals(await mean.compute(), NaN);
  mean.update(torch.tensor([1, 2, 3]), 2).update(10);
  assertAlmostEquals(await mean.compute(), 22 / 7, 1e-6);
  mean.update(torch.tensor(4n));
  assertAlmostEquals(await mean.compute(), 26 / 8, 1e-6);
  assertEquals(await mean.reset().compute(), NaN);
  assertThrows(() => mean.update(1, NaN), torch.ArgumentError, "finite");
});

Deno.test("Mean of many steps is exact to double precision, and holds no memory", async () => {
  const mean = new Mean();
  const before = torch.memoryStats("cpu").liveBlocks;
  const steps = 2000;
  for (let i = 0; i < steps; i++) {
    using loss = torch.tensor(1000 + i / 8);
    mean.update(loss);
  }
  assertAlmostEquals(await mean.compute(), 1000 + (steps - 1) / 16, 1e-4);
  assertEquals(torch.memoryStats("cpu").liveBlocks, before);
});

Deno.test("a value that was given is no longer needed, nor its graph", async () => {
  const mean = new Mean();
  const x = torch.ones([3]).requiresGrad_();
  {
    using loss = x.sum();
    mean.update(loss);
    loss.backward();
  }
  assertEquals(await mean.compute(), 3);
});

Deno.test("MulticlassAccuracy counts what is right, from scores or from classes", async () => {
  const accuracy = new MulticlassAccuracy();
  accuracy.update(torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]), torch.tensor([1n, 0n, 0n]));
  accuracy.update(torch.tensor([1n]), torch.tensor([1n]));
  assertEquals(await accuracy.compute(), 0.75);
  assertThrows(() => accuracy.update(torch.zeros(2, 3), torch.zeros(3)), torch.ShapeError, "[2, 3]");
});
