/**
 * Fused kernels written where they are used: optimizer updates and generated values.
 *
 * Both are scalar expressions over real tensors without autograd. `fused` reads some tensors and writes others, in place
 * where they are the same; `generate` fills a tensor from each element's index.
 *
 * @module
 */

import { toReal } from "../base/dtype.ts";
import { constant, type Expr, input, type Kind, kindOf, linearIndex, scalar } from "../expr/expr.ts";
import { Program } from "../expr/program.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkOperands, mapInto, type Number64 } from "./kernel.ts";

/** A fused update: see {@linkcode fused}. */
export type FusedUpdate = (tensors: readonly Tensor[], scalars: readonly number[], outputs: readonly Tensor[]) => void;

/**
 * Defines an update of tensors by scalar expressions.
 *
 * @param op its name, for messages
 * @param build expressions of the outputs, given tensors and scalars as values of the first tensor's compute kind
 * @returns a function of the tensors read, the scalars, and the tensors written (often the same objects)
 */
export function fused(op: string, build: (tensors: Expr[], scalars: Expr[]) => Expr[]): FusedUpdate {
  const programs = new Map<string, Program>();
  return (tensors, scalars, outputs) => {
    checkOperands(op, tensors);
    let key = "";
    for (const t of tensors) key += t.dtype.code + ",";
    key += scalars.length;
    for (const t of outputs) key += "," + t.dtype.code;
    let program = programs.get(key);
    if (program === undefined) {
      const kind = kindOf(tensors[0].dtype);
      const kinds: Kind[] = scalars.map(() => kind);
      const exprs = build(tensors.map((t, i) => input(i, t.dtype).to(kind)), kinds.map((k, i) => scalar(i, k)));
      program = new Program(
        tensors.map((t) => t.dtype),
        kinds,
        exprs.map((expr, i) => ({ expr, dtype: outputs[i].dtype })),
      );
      programs.set(key, program);
    }
    mapInto(program, outputs[0].shape, tensors, scalars, outputs);
    for (const out of outputs) out.storage.version++;
  };
}

const generators = new Map<string, Program>();

/**
 * Fills `out` from each element's row-major index.
 *
 * @param name identifies the expression: one program per name, dtype and scalar kinds
 * @param scalars run-time numbers
 * @param build the element's value (one expression, or one per part of a complex dtype; a missing part is 0), given its index (`i64`) and the scalars
 * @param kinds kinds of the scalars; default: the compute kind of `out`
 * @param inputs real tensors that broadcast to `out` and are read as well
 */
export function generate(
  name: string,
  out: Tensor,
  scalars: readonly Number64[],
  build: (index: Expr, scalars: Expr[], inputs: Expr[]) => Expr | Expr[],
  kinds: readonly Kind[] | null = null,
  inputs: readonly Tensor[] = [],
): void {
  const real = toReal(out.dtype);
  let key = `${name} ${out.dtype.code}`;
  for (const x of inputs) key += `,${x.dtype.code}`;
  let program = generators.get(key);
  if (program === undefined) {
    const all = kinds ?? scalars.map(() => kindOf(real));
    const built = build(linearIndex(), all.map((k, i) => scalar(i, k)), inputs.map((x, i) => input(i, x.dtype)));
    const exprs = Array.isArray(built) ? built : [built];
    if (out.dtype.isComplex && exprs.length === 1) exprs.push(constant(0, kindOf(real)));
    program = new Program(inputs.map((x) => x.dtype), all, exprs.map((expr) => ({ expr, dtype: real })));
    generators.set(key, program);
  }
  mapInto(program, out.shape, inputs, scalars, [out]);
}
