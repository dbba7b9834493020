/**
 * Statistics for tests of random values: how far a sample is from a distribution.
 *
 * Seeds are fixed, so these tests are deterministic; the bounds are those that a fair sample passes 999 times in 1000.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { Tensor } from "../../mod.ts";

/** The values of a tensor as numbers. */
export async function numbers(x: Tensor): Promise<number[]> {
  return Array.from((await x.read()) as ArrayLike<number | bigint>, Number);
}

/** Mean and variance of a sample. */
export function moments(sample: readonly number[]): { mean: number; variance: number } {
  const mean = sample.reduce((a, b) => a + b, 0) / sample.length;
  const variance = sample.reduce((a, b) => a + (b - mean) ** 2, 0) / (sample.length - 1);
  return { mean, variance };
}

/** Kolmogorov and Smirnov: the largest distance between the sample's distribution function and `cdf`. */
export function assertDistribution(sample: readonly number[], cdf: (x: number) => number): void {
  const sorted = [...sample].sort((a, b) => a - b);
  const n = sorted.length;
  let distance = 0;
  sorted.forEach((x, i) => {
    const expected = cdf(x);
    distance = Math.max(distance, expected - i / n, (i + 1) / n - expected);
  });
  const bound = 1.95 / Math.sqrt(n);
  assert(distance < bound, `the distribution functions differ by ${distance}, more than ${bound}`);
}

/** The value and its standard error: an estimate further than four errors away fails. */
export function assertNear(what: string, actual: number, expected: number, error: number): void {
  assert(Math.abs(actual - expected) <= 4 * error, `${what}: ${actual}, expected ${expected} ± ${4 * error}`);
}

/** The standard normal distribution function. */
export function normalCdf(x: number): number {
  if (x < -8) return 0;
  if (x > 8) return 1;
  let sum = x, term = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
