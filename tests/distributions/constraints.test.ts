/**
 * Constraints, held to what PyTorch 2.13.0 answers for the same values.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import * as c from "../../src/distributions/constraints.ts";

const NUMBERS = [-Infinity, -1, -0.5, 0, 0.5, 1, 2, 3.5, Infinity, NaN];
const VECTORS = [[0, 1, 0], [1, 1, 0], [.2, .3, .5], [-.5, 1, .5], [0, 0, 0], [NaN, 1, 0], [2, 3, 1]];
const MATRICES = [
  [[1, 0], [.6, .8]],
  [[1, 0], [.6, -.8]],
  [[1, 2], [2, 1]],
  [[1, 2], [3, 1]],
  [[1, 0], [1, 1]],
  [[1, NaN], [0, 1]],
];

/** The answers, a digit per event, of `torch.distributions.constraints` in Python. */
const TABLE: [values: readonly unknown[], rows: [c.Constraint, string][]][] = [
  [NUMBERS, [
    [c.greaterThan(0.5), "0000011110"],
    [c.greaterThanEq({ lowerBound: 0.5 }), "0000111110"],
    [c.lessThan(1), "1111100000"],
    [c.interval(-0.5, 1), "0011110000"],
    [c.interval(torch.tensor(-0.5), torch.tensor([1])), "0011110000"],
    [c.halfOpenInterval(-0.5, 1), "0011100000"],
    [c.integerInterval(0, 2), "0001011000"],
    [c.boolean, "0001010000"],
    [c.nonnegativeInteger, "0001011000"],
    [c.positiveInteger, "0000011000"],
    [c.real, "1111111110"],
    [c.positive, "0000111110"],
    [c.nonnegative, "0001111110"],
    [c.unitInterval, "0001110000"],
  ]],
  [VECTORS, [
    [c.oneHot, "1000000"],
    [c.simplex, "1010000"],
    [c.multinomial(5), "1110100"],
    [c.realVector, "1111101"],
    [c.cat([c.positive, c.boolean], -1, [1, 2]), "011111100010011011101"],
    [c.stack([c.positive, c.boolean, c.real], -1), "011111101011011011101"],
  ]],
  [MATRICES, [
    [c.lowerTriangular, "110010"],
    [c.lowerCholesky, "100010"],
    [c.corrCholesky, "100000"],
    [c.square, "111111"],
    [c.symmetric, "001000"],
  ]],
];

const digits = async (x: torch.Tensor) => Array.from(await x.reshape(-1).to(torch.float32).read(), Number).join("");

for (const [values, rows] of TABLE) {
  for (const [constraint, expected] of rows) {
    Deno.test(`constraints: ${constraint}`, async () => {
      const valid = constraint.check(torch.tensor(values as number[]));
      assertEquals(valid.dtype, torch.bool);
      assertEquals(await digits(valid), expected);
    });
  }
}

Deno.test("constraints: an event's dimensions are removed, in empty batches too", async () => {
  const both = c.independent(c.simplex, 1);
  assertEquals([both.eventDim, both.isDiscrete, `${both}`], [2, false, "independent(simplex, 1)"]);
  const valid = both.check(torch.tensor([[[.5, .5], [.5, .5]], [[.5, .5], [1, 1]]]));
  assertEquals([valid.shape, await digits(valid)], [[2], "10"]);
  assertEquals(both.check(torch.zeros(0, 2, 3)).shape, [0]);
  assertEquals(c.square.check(torch.zeros(2, 3, 4)).shape, [2]);
  assertEquals(await digits(c.symmetric.check(torch.zeros(2, 3, 4))), "00");
  assertEquals(c.independent(c.boolean, 0).check(torch.ones(3)).shape, [3]);
});

Deno.test("constraints: event dimensions and discreteness of joined parts", () => {
  const cat = c.cat([c.simplex, c.realVector]), stack = c.stack([c.positive, c.boolean], -1);
  assertEquals([cat.eventDim, cat.isDiscrete], [1, false]);
  assertEquals([stack.eventDim, stack.isDiscrete], [1, true]);
});

Deno.test("constraints: mistakes are told", () => {
  assertThrows(() => c.simplex.check(torch.tensor(1)), torch.ShapeError, "at least 1 dimensions");
  assertThrows(() => c.positive.check(1 as never), torch.ArgumentError, "must be a Tensor");
  assertThrows(() => c.greaterThan("0" as never), torch.ArgumentError, "lowerBound");
  assertThrows(() => c.independent(1 as never, 1), torch.ArgumentError, "must be a constraint");
  assertThrows(() => c.independent(c.real, -1), torch.ArgumentError, "reinterpretedBatchNdims");
  assertThrows(() => c.cat([c.real], 0, [1, 2]), torch.ArgumentError, "one per constraint");
  assertThrows(() => c.cat([c.real], 0, [2]).check(torch.ones(3)), torch.ShapeError, "2 entries");
  assertThrows(() => c.stack([c.real], 3).check(torch.ones(3)), torch.ShapeError, "1 entries");
});
