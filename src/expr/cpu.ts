/**
 * The CPU printer: a program becomes the bytes that the vector machine of `native/cpu` walks.
 *
 * Layout, in 32-bit words: header `[nInputs, nScalars, nOutputs, nRegs, nInstr, nConsts]`; the dtype code of each input;
 * the kind code of each scalar; `[dtypeCode, register]` of each output; padding to an even count; the constants, 8 bytes
 * each (a double for float kinds, else a 64-bit integer); the instructions, six words each:
 * `[opcode, kind, dst, a, b, c]`, `kind` being that of the operands (of `b` and `c` for `where`).
 *
 * A register is written more than once: it is free for another value once its own is dead, and `dst` may be one of the
 * operands' registers. Registers of outputs are written last by the output's value and hold it to the end.
 *
 * @module
 */

import type { Expr } from "./expr.ts";
import { nodesOf } from "./graph.ts";
import { type Kind, KIND_CODE, kindOf } from "./kind.ts";
import { BINARY, UNARY } from "./primitives.ts";
import type { Program } from "./program.ts";
import { expandPowers } from "./simplify.ts";

/** Registers of the vector machine. */
export const MAX_REGISTERS = 64;

/** Opcodes that are not primitives. A cast names the target; its `kind` field is the source. */
const STRUCTURAL = [
  "load",
  "scalar",
  "const",
  "index",
  "castF32",
  "castF64",
  "castI64",
  "castBool",
  "castU64",
  "wrap",
  "where",
] as const;

/** Every operation of the machine, at its opcode: `native/build.ts` writes `opcodes.gen.h` from it. */
export const OPCODES: readonly string[] = [...STRUCTURAL, ...UNARY, ...BINARY];

const CODE: ReadonlyMap<string, number> = new Map(OPCODES.map((name, code) => [name, code]));
const CAST: Readonly<Record<Kind, string>> = {
  f32: "castF32",
  f64: "castF64",
  i64: "castI64",
  u64: "castU64",
  bool: "castBool",
};

/** The name of a node's operation in {@linkcode OPCODES}. */
function opcodeName(e: Expr): string {
  if (e.op === "input") return "load";
  if (e.op === "constant") return "const";
  return e.op === "cast" ? CAST[e.kind] : e.op;
}

/**
 * Prints a program for the vector machine.
 *
 * @throws {RangeError} if it needs more than {@linkcode MAX_REGISTERS} registers
 */
export function printCpu(program: Program): Int32Array<ArrayBuffer> {
  const outputs = expandPowers(program.outputs.map(({ expr, dtype }) => expr.to(kindOf(dtype))));
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
  return new Int32Array(bytes.buffer);
}

/** One instruction. */
function encode(e: Expr, registerOf: ReadonlyMap<Expr, number>, constants: readonly Expr[]): number[] {
  const kind = KIND_CODE[e.op === "where" || e.args.length === 0 ? e.kind : e.args[0].kind];
  const at = (i: number): number => i < e.args.length ? registerOf.get(e.args[i])! : 0;
  const head = [CODE.get(opcodeName(e))!, kind, registerOf.get(e)!];
  if (e.op === "constant") return [...head, constants.indexOf(e), 0, 0];
  if (e.op === "wrap") return [...head, at(0), e.dtype!.code, 0];
  if (e.args.length === 0) return [...head, Math.max(e.index, 0), 0, 0];
  return [...head, at(0), at(1), at(2)];
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
