/**
 * Sample points of every primitive: ordinary values, edges, NaN and infinities.
 *
 * @module
 */

import type { Kind, Scalar } from "../../src/expr/kind.ts";
import { BINARY, type BinaryName, UNARY, type UnaryName } from "../../src/expr/primitives.ts";

export { BINARY, UNARY };

/** A deterministic sequence in [0, 1). */
export function sequence(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** Values of both signs over many magnitudes. */
export const FLOATS: readonly number[] = [
  ...[
    0,
    1e-30,
    1e-8,
    1e-4,
    0.01,
    0.1,
    0.25,
    0.3,
    0.5,
    0.7,
    0.84,
    0.9,
    0.99,
    1,
    1.1,
    1.26,
    1.5,
    2,
    2.5,
    2.9,
    3,
    3.5,
    4.7,
  ],
  ...[6, 7.25, 10, 15.5, 20, 33, 50, 80, 100, 1000.5, 8193, 123456, 1e9, 1e20, 1e30],
].flatMap((v) => [v, -v]).concat([Infinity, -Infinity, NaN]);

const range = (low: number, high: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => low + ((high - low) * (i + 0.5)) / count);

/** Points where functions with a smaller domain are interesting. */
const DOMAIN: { readonly [K in UnaryName]?: readonly number[] } = {
  asin: range(-1, 1, 100),
  acos: range(-1, 1, 100),
  atanh: range(-1, 1, 100),
  erfinv: range(-1, 1, 200),
  acosh: range(1, 4, 50),
  exp: range(-100, 90, 400),
  expm1: range(-2, 2, 100),
  exp2: range(-140, 128, 300),
  log1p: range(-1, 1, 200),
  erf: range(-4, 4, 200),
  erfc: range(-4, 9, 300),
  tanh: range(-10, 10, 200),
  sin: range(-100, 100, 300),
  cos: range(-100, 100, 300),
  tan: range(-50, 50, 200),
  lgamma: range(-5.3, 20, 200),
  digamma: range(-5.3, 20, 200),
  trigamma: range(-5.3, 20, 200),
};

/** Unsigned values, within the 32 bits of WebGPU. */
const UNSIGNED: readonly bigint[] = [0n, 1n, 2n, 3n, 255n, 65536n, 2n ** 31n - 1n];

/** Operands to try a primitive with one operand on. */
export function unaryPoints(name: UnaryName, kind: Kind): Scalar[] {
  if (kind === "bool") return [false, true];
  if (kind === "i64") return [-1000000n, -7n, -2n, -1n, 0n, 1n, 2n, 3n, 255n, 1000000n];
  if (kind === "u64") return [...UNSIGNED];
  return [...FLOATS, ...DOMAIN[name] ?? []];
}

/** Pairs of operands to try a primitive with two operands on. */
export function binaryPoints(name: BinaryName, kind: Kind): [Scalar, Scalar][] {
  const cross = <T extends Scalar>(list: readonly T[]): [T, T][] =>
    list.flatMap((a) => list.map((b): [T, T] => [a, b]));
  if (kind === "bool") return cross([false, true]);
  if (name === "philox") return range(0, 100000, 50).map((v) => [BigInt(Math.floor(v)), 0x123456789abcdefn]);
  if (kind === "u64") return cross(UNSIGNED);
  if (kind === "i64") {
    const right = name.startsWith("shift") ? [-1n, 0n, 1n, 5n, 31n] : [-9n, -2n, -1n, 0n, 1n, 2n, 3n, 10n, 31n];
    return [-1000000n, -7n, -2n, -1n, 0n, 1n, 2n, 3n, 5n, 12n, 1000000n].flatMap((a) =>
      right.map((b): [Scalar, Scalar] => [a, b])
    );
  }
  if (name === "zeta") {
    return [1.5, 2, 3, 4, 7].flatMap((s) => [0.1, 0.5, 1, 1.5, 3.7, 20, 100].map((q): [Scalar, Scalar] => [s, q]));
  }
  const next = sequence(7);
  const random = Array.from({ length: 200 }, (): [number, number] => [next() * 8 - 3, next() * 10 - 4]);
  return [...cross([0, -0, 0.3, 1, -1, 2, -2.5, 3, 7, -0.7, 100.5, Infinity, -Infinity, NaN]), ...random];
}
