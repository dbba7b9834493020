/**
 * Fused kernels written where they are used: optimizer updates and generated values.
 *
 * Both are scalar expressions over real tensors without autograd. `fused` reads some tensors and writes others, in place
 * where they are the same; `generate` fills a tensor from each element's index.
 *
 * @module
 */

import { toReal } from "../../base/dtype.ts";
import { constant, type Expr, input, type Kind, kindOf, linearIndex, scalar } from "../../expr/expr.ts";
import { Program } from "../../expr/program.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { pointwiseEach, type TensorGroup } from "./each.ts";
import { checkOperands, mapInto, type Number64 } from "./kernel.ts";

/**
 * A fused update: see {@linkcode fused}. A scalar is a number, or a 0-d tensor on the same device that is read there; an
 * input is read before the outputs are written.
 */
export type FusedUpdate = (
  tensors: readonly Tensor[],
  scalars: readonly (number | Tensor)[],
  outputs: readonly Tensor[],
) => void;

/** Updates with one program and the same numbers, which may run as one. */
interface Batch {
  readonly stage: number;
  readonly program: Program;
  readonly scalars: readonly number[];
  readonly groups: TensorGroup[];
}

/** The updates that wait for the end of {@linkcode batched}. */
let batches: Batch[] | null = null;
/** How far back a batch is looked for: parameters that share the numbers come one after another. */
const NEAR = 4;

/**
 * Runs `fn` and then the updates that it called for, those of many tensors with few kernels; nothing is written where `fn`
 * throws.
 *
 * Updates of one `stage` must not depend on each other; those of a lower stage run before.
 */
export function batched<R>(fn: () => R): R {
  const before = batches;
  const own: Batch[] = batches = [];
  try {
    const result = fn();
    batches = before;
    own.sort((a, b) => a.stage - b.stage);
    for (const { program, groups, scalars } of own) {
      pointwiseEach(program, groups, scalars);
      for (const { outputs } of groups) for (const out of outputs) out.storage.version++;
    }
    return result;
  } finally {
    batches = before;
  }
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

function addToBatch(stage: number, program: Program, scalars: readonly number[], group: TensorGroup): void {
  const open = batches!;
  for (let i = open.length - 1; i >= Math.max(0, open.length - NEAR); i--) {
    const batch = open[i];
    if (batch.program !== program || !sameNumbers(batch.scalars, scalars)) continue;
    if (batch.groups[0].outputs[0].storage.backend !== group.outputs[0].storage.backend) continue;
    batch.groups.push(group);
    return;
  }
  open.push({ stage, program, scalars, groups: [group] });
}

/**
 * Defines an update of tensors by scalar expressions.
 *
 * @param op its name, for messages
 * @param build expressions of the outputs, given tensors and scalars as values of the first output's compute kind
 * @param stage see {@linkcode batched}
 * @returns a function of the tensors read, the scalars, and the tensors written (often the same objects)
 */
export function fused(op: string, build: (tensors: Expr[], scalars: Expr[]) => Expr[], stage = 0): FusedUpdate {
  const programs = new Map<string, Program>();
  let last: Program | null = null, lastPlaces = "";
  return (tensors, given, outputs) => {
    let inputs = tensors, scalars = given as readonly number[], places = "";
    for (let i = 0; i < given.length; i++) {
      if (typeof given[i] === "number") continue;
      const read = given.filter((s) => typeof s !== "number");
      places = given.map((s) => typeof s === "number" ? "n" : "t").join("");
      inputs = [...tensors, ...read];
      scalars = given.filter((s) => typeof s === "number");
      break;
    }
    if (inputs.length > 0) checkOperands(op, inputs);
    let program = last;
    if (program === null || lastPlaces !== places || !serves(program, inputs, scalars.length, outputs)) {
      let key = places;
      for (const t of inputs) key += t.dtype.code + ",";
      key += scalars.length;
      for (const t of outputs) key += "," + t.dtype.code;
      program = programs.get(key) ?? programOf(build, inputs, tensors.length, given, outputs);
      programs.set(key, program);
      last = program;
      lastPlaces = places;
    }
    if (batches !== null) return addToBatch(stage, program, scalars, { inputs, outputs });
    mapInto(program, outputs[0].shape, inputs, scalars, outputs);
    for (const out of outputs) out.storage.version++;
  };
}

/** Whether a program is for operands of these dtypes. */
function serves(program: Program, inputs: readonly Tensor[], scalars: number, outputs: readonly Tensor[]): boolean {
  if (program.inputs.length !== inputs.length || program.outputs.length !== outputs.length) return false;
  if (program.scalars.length !== scalars) return false;
  for (let i = 0; i < inputs.length; i++) if (program.inputs[i] !== inputs[i].dtype) return false;
  for (let i = 0; i < outputs.length; i++) if (program.outputs[i].dtype !== outputs[i].dtype) return false;
  return true;
}

/** The program of an update; the scalars that are tensors follow the `count` other inputs. */
function programOf(
  build: (tensors: Expr[], scalars: Expr[]) => Expr[],
  inputs: readonly Tensor[],
  count: number,
  given: readonly (number | Tensor)[],
  outputs: readonly Tensor[],
): Program {
  const kind = kindOf(outputs[0].dtype);
  const values = inputs.map((t, i) => input(i, t.dtype).to(kind));
  let tensorScalars = count, numbers = 0;
  const scalars = given.map((s) => typeof s === "number" ? scalar(numbers++, kind) : values[tensorScalars++]);
  const exprs = build(values.slice(0, count), scalars);
  return new Program(
    inputs.map((t) => t.dtype),
    new Array<Kind>(numbers).fill(kind),
    exprs.map((expr, i) => ({ expr, dtype: outputs[i].dtype })),
  );
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
