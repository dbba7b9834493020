/**
 * Run-time scalars of a printed kernel: two words each among its parameters.
 *
 * @module
 */

import type { Program } from "../../../expr/program.ts";
import { isWhole } from "../../../expr/kind.ts";
import { WGSL_TYPE, type WgslAccess } from "../../../expr/wgsl.ts";
import { floatWord, type Operands } from "./operands.ts";

/** Adds the scalars, two words each; returns where they start. */
export function pushScalars(
  operands: Operands,
  program: Program,
  scalars: readonly (number | bigint)[],
): number {
  const at = operands.parameters.length;
  for (let i = 0; i < program.scalars.length; i++) scalarWords(program, scalars, i, operands.parameters);
  return at;
}

/** Appends the two words of scalar `i`. */
export function scalarWords(program: Program, scalars: readonly (number | bigint)[], i: number, to: number[]): void {
  const value = scalars[i], kind = program.scalars[i];
  if (isWhole(kind)) {
    if (typeof value === "number" && value >= 0 && value < 2 ** 31) to.push(Math.trunc(value), 0);
    else {
      const bits = typeof value === "bigint" ? value : BigInt(Math.trunc(value));
      to.push(Number(BigInt.asUintN(32, bits)), Number(BigInt.asUintN(32, bits >> 32n)));
    }
  } else if (kind === "bool") to.push(value ? 1 : 0, 0);
  else to.push(floatWord(Number(value)), 0);
}

/** How a printed element reads scalars that start at parameter `first`. */
export function scalarAccess(first: number): Pick<WgslAccess, "scalar" | "scalarHigh"> {
  return {
    scalar: (i, kind) => {
      const bits = `p(${first + 2 * i}u)`;
      return kind === "bool" ? `(${bits} != 0u)` : `bitcast<${WGSL_TYPE[kind]}>(${bits})`;
    },
    scalarHigh: (i) => `bitcast<i32>(p(${first + 2 * i + 1}u))`,
  };
}
