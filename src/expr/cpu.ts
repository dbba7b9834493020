/**
 * The CPU printer: a program becomes the bytes that the vector machine of `native/cpu` walks.
 *
 * Layout, in 32-bit words: header `[nInputs, nScalars, nOutputs, nRegs, nInstr, nConsts]`; the dtype code of each input;
 * the kind code of each scalar; `[dtypeCode, register]` of each output; padding to an even count; the constants, 8 bytes
 * each (a double for float kinds, else a 64-bit integer); the instructions, six words each:
 * `[opcode, kind, dst, a, b, c]`, `kind` being that of the operands (of `b` and `c` for WHERE).
 *
 * A register is written more than once: it is free for another value once its own is dead, and `dst` may be one of the
 * operands' registers. Registers of outputs are written last by the output's value and hold it to the end.
 *
 * @module
 */

import type { Expr, Op } from "./expr.ts";
import { nodesOf } from "./graph.ts";
import { KIND_CODE, kindOf } from "./kind.ts";
import { BINARY, UNARY } from "./primitives.ts";
import type { Program } from "./program.ts";

/** Registers of the vector machine. */
export const MAX_REGISTERS = 64;

/** Opcodes that are not primitives. */
const STRUCTURAL = [
  "LOAD",
  "SCALAR",
  "CONST",
  "INDEX",
  "CAST_F32",
  "CAST_F64",
  "CAST_I64",
  "CAST_BOOL",
  "WRAP",
  "WHERE",
] as const;

/** Every opcode by its name in C, without the prefix: `LOAD`, …, then the primitives (`FLOOR_DIVIDE`). */
export const OPCODES: Readonly<Record<string, number>> = Object.fromEntries(
  [...STRUCTURAL, ...[...UNARY, ...BINARY].map(constantName)].map((name, code) => [name, code]),
);

/** `floorDivide` as `FLOOR_DIVIDE`. */
function constantName(name: string): string {
  return name.replace(/[A-Z]/g, "_$&").toUpperCase();
}

/** The C header of the opcodes: `native/cpu/opcodes.gen.h`. */
export function opcodesHeader(): string {
  const lines = Object.entries(OPCODES).map(([name, code]) => `#define OP_${name} ${code}`);
  return [
    "/* Generated from src/expr/primitives.ts by `deno task native`; do not edit. */",
    "#ifndef CRESSET_OPCODES_H",
    "#define CRESSET_OPCODES_H",
    ...lines,
    `#define OP_COUNT ${lines.length}`,
    ...Object.entries(KIND_CODE).map(([kind, code]) => `#define KIND_${kind.toUpperCase()} ${code}`),
    `#define MAX_REGISTERS ${MAX_REGISTERS}`,
    "#endif",
    "",
  ].join("\n");
}

const OPCODE_OF = new Map<Op, number>([
  ["input", OPCODES.LOAD],
  ["scalar", OPCODES.SCALAR],
  ["constant", OPCODES.CONST],
  ["index", OPCODES.INDEX],
  ["wrap", OPCODES.WRAP],
  ["where", OPCODES.WHERE],
  ...[...UNARY, ...BINARY].map((name): [Op, number] => [name, OPCODES[constantName(name)]]),
]);

/**
 * Prints a program for the vector machine.
 *
 * @throws {RangeError} if it needs more than {@linkcode MAX_REGISTERS} registers
 */
export function printCpu(program: Program): Uint8Array<ArrayBuffer> {
  const outputs = program.outputs.map(({ expr, dtype }) => expr.to(kindOf(dtype)));
  const order = schedule(outputs);
  const { registerOf, count } = allocate(order, outputs);
  const constants = order.filter((e) => e.op === "constant");

  const words: number[] = [
    program.inputs.length,
    program.scalars.length,
    outputs.length,
    count,
    order.length,
    constants.length,
  ];
  for (const dtype of program.inputs) words.push(dtype.code);
  for (const kind of program.scalars) words.push(KIND_CODE[kind]);
  outputs.forEach((e, i) => words.push(program.outputs[i].dtype.code, registerOf.get(e)!));
  if (words.length % 2 === 1) words.push(0);

  const head = words.length * 4;
  const bytes = new Uint8Array(head + constants.length * 8 + order.length * 24);
  new Int32Array(bytes.buffer, 0, words.length).set(words);
  const view = new DataView(bytes.buffer, head);
  constants.forEach((e, i) => {
    if (typeof e.value === "number") view.setFloat64(i * 8, e.value, true);
    else view.setBigInt64(i * 8, BigInt(e.value!), true);
  });
  const code = new Int32Array(bytes.buffer, head + constants.length * 8);
  order.forEach((e, i) => code.set(encode(e, registerOf, constants), i * 6));
  return bytes;
}

/** One instruction. */
function encode(e: Expr, registerOf: ReadonlyMap<Expr, number>, constants: readonly Expr[]): number[] {
  const dst = registerOf.get(e)!;
  const at = (i: number): number => i < e.args.length ? registerOf.get(e.args[i])! : 0;
  switch (e.op) {
    case "input":
    case "scalar":
      return [OPCODE_OF.get(e.op)!, KIND_CODE[e.kind], dst, e.index, 0, 0];
    case "constant":
      return [OPCODES.CONST, KIND_CODE[e.kind], dst, constants.indexOf(e), 0, 0];
    case "index":
      return [OPCODES.INDEX, KIND_CODE.i64, dst, 0, 0, 0];
    case "cast":
      return [OPCODES[`CAST_${e.kind.toUpperCase()}`], KIND_CODE[e.args[0].kind], dst, at(0), 0, 0];
    case "wrap":
      return [OPCODES.WRAP, KIND_CODE.i64, dst, at(0), e.dtype!.code, 0];
    case "where":
      return [OPCODES.WHERE, KIND_CODE[e.kind], dst, at(0), at(1), at(2)];
    default:
      return [OPCODE_OF.get(e.op)!, KIND_CODE[e.args[0].kind], dst, at(0), at(1), 0];
  }
}

/**
 * The nodes in an order in which operands come before their users, the operand that needs more registers first.
 *
 * Not recursive, since chains of fused ops may be long.
 */
export function schedule(outputs: readonly Expr[]): Expr[] {
  const need = new Map<Expr, number>();
  const order: Expr[] = [];
  const done = new Set<Expr>();
  for (const e of nodesOf(outputs)) {
    const needs = e.args.map((a) => need.get(a)!).sort((a, b) => b - a);
    need.set(e, Math.max(1, ...needs.map((n, i) => n + i)));
  }
  const stack: { readonly e: Expr; readonly args: readonly Expr[]; next: number }[] = [];
  const push = (e: Expr): void => {
    if (done.has(e)) return;
    done.add(e);
    stack.push({ e, args: [...e.args].sort((a, b) => need.get(b)! - need.get(a)!), next: 0 });
  };
  for (const output of outputs) {
    push(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.args.length) {
        push(top.args[top.next++]);
      } else {
        order.push(top.e);
        stack.pop();
      }
    }
  }
  return order;
}

/** Registers by liveness: a value's register is free again after its last use. */
function allocate(
  order: readonly Expr[],
  outputs: readonly Expr[],
): { registerOf: Map<Expr, number>; count: number } {
  const lastUse = new Map<Expr, number>();
  order.forEach((e, i) => e.args.forEach((a) => lastUse.set(a, i)));
  for (const e of outputs) lastUse.set(e, Infinity);
  const registerOf = new Map<Expr, number>();
  const free: number[] = [];
  let count = 0;
  order.forEach((e, i) => {
    for (const a of new Set(e.args)) if (lastUse.get(a) === i) free.push(registerOf.get(a)!);
    registerOf.set(e, free.pop() ?? count++);
  });
  if (count > MAX_REGISTERS) {
    throw new RangeError(`printCpu(): the program needs more registers than there are: ${count} > ${MAX_REGISTERS}`);
  }
  return { registerOf, count };
}
