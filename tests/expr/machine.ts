/**
 * A byte program walked in plain JavaScript: what `native/cpu/machine.c` does, one element at a time.
 *
 * @module
 */

import { DTYPES } from "../../src/base/dtype.ts";
import { OPCODES } from "../../src/expr/cpu.ts";
import { applyPrimitive, wrapInteger } from "../../src/expr/evaluate.ts";
import { convertScalar, type Kind, kindOf, type Scalar } from "../../src/expr/kind.ts";
import type { PrimitiveName } from "../../src/expr/primitives.ts";

const KINDS: readonly Kind[] = ["f32", "f64", "i64", "bool", "u64"];
const TARGET: Readonly<Record<string, Kind>> = {
  castF32: "f32",
  castF64: "f64",
  castI64: "i64",
  castU64: "u64",
  castBool: "bool",
};

/** Runs a program for one element; gives the outputs and how many registers were declared. */
export function runProgram(
  words: Int32Array<ArrayBuffer>,
  inputs: readonly Scalar[],
  scalars: readonly Scalar[] = [],
  index = 0,
): { outputs: Scalar[]; registers: number } {
  const [nInputs, nScalars, nOutputs, nRegisters, nInstructions, nConstants] = words;
  let at = 6 + nInputs + nScalars;
  const outputs = Array.from({ length: nOutputs }, (_, i) => words[at + 2 * i + 1]);
  at += 2 * nOutputs;
  at += at % 2;
  const constants = new DataView(words.buffer, words.byteOffset + at * 4, nConstants * 8);
  const code = at + 2 * nConstants;
  const registers = new Array<Scalar>(nRegisters);
  for (let i = 0; i < nInstructions; i++) {
    const [opcode, kindCode, dst, a, b, c] = words.subarray(code + 6 * i, code + 6 * i + 6);
    if (dst >= nRegisters) throw new RangeError(`register ${dst} of ${nRegisters}`);
    const kind = KINDS[kindCode];
    registers[dst] = step(OPCODES[opcode], kind, [a, b, c]);
  }
  return { outputs: outputs.map((r) => registers[r]), registers: nRegisters };

  function step(name: string, kind: Kind, [a, b, c]: number[]): Scalar {
    switch (name) {
      case "load":
        return convertScalar(inputs[a], kind);
      case "scalar":
        return convertScalar(scalars[a], kind);
      case "index":
        return BigInt(index);
      case "const":
        if (kind === "f32" || kind === "f64") return constants.getFloat64(a * 8, true);
        return convertScalar(constants.getBigInt64(a * 8, true), kind);
      case "where":
        return registers[a] ? registers[b] : registers[c];
      case "wrap": {
        const dtype = Object.values(DTYPES).find((d) => d.code === b)!;
        return wrapInteger(registers[a] as bigint, dtype);
      }
    }
    if (name in TARGET) return convertScalar(registers[a], TARGET[name]);
    return applyPrimitive(name as PrimitiveName, kind, registers[a], registers[b]);
  }
}

/** The dtype codes that a program declares, for checks of the header. */
export function declaredKinds(words: Int32Array): { inputs: Kind[]; scalars: Kind[] } {
  const dtypes = Object.values(DTYPES);
  return {
    inputs: [...words.subarray(6, 6 + words[0])].map((code) => kindOf(dtypes.find((d) => d.code === code)!)),
    scalars: [...words.subarray(6 + words[0], 6 + words[0] + words[1])].map((code) => KINDS[code]),
  };
}
