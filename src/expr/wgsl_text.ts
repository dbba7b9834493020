/**
 * Pieces of WGSL text that the preludes share.
 *
 * @module
 */

/** Horner's scheme: `polynomial("z", [c3, c2, c1, c0])`. */
export function polynomial(x: string, coefficients: readonly number[]): string {
  return coefficients.map(literal).reduce((sum, c) => `(${sum}) * ${x} + ${c}`);
}

/** A float literal of WGSL. */
export function literal(value: number): string {
  return `${value}f`;
}
