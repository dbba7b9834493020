/**
 * Fused kernels written where they are used: optimizer updates and generated values.
 *
 * Both are scalar expressions over real tensors without autograd. `fused` reads some tensors and writes others, in place
 * where they are the same; `generate` fills a tensor from each element's index.
 *
 * @module
 */

import type { Expr, Kind } from "../../expr/expr.ts";
import type { Program } from "../../expr/program.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { pointwiseEach, type TensorGroup } from "./each.ts";
import { type Formula, formula } from "./formula.ts";
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
  // Scalars that are tensors come after the others; `places` says which are: "n" a number, "t" a tensor.
  const update = formula((elements, numbers, places: string) => {
    let read = elements.length - (places.match(/t/g)?.length ?? 0), number = 0;
    const tensors = elements.slice(0, read);
    if (places === "") return build(tensors, [...numbers]);
    return build(tensors, Array.from(places, (place) => place === "n" ? numbers[number++] : elements[read++]));
  });
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
    const program = update.program(inputs, scalars.length, outputs, places);
    if (batches !== null) return addToBatch(stage, program, scalars, { inputs, outputs });
    mapInto(program, outputs[0].shape, inputs, scalars, outputs);
    for (const out of outputs) out.storage.version++;
  };
}

/**
 * Fills `out` from each element's row-major index.
 *
 * @param of the element's value, by `linearIndex()` and the scalars; of a complex `out` a `Complex`, or its real part alone
 * @param scalars run-time numbers
 * @param kinds kinds of the scalars; default: the compute kind of `out`
 * @param inputs real tensors that broadcast to `out` and are read as well
 */
export function generate(
  of: Formula<Expr>,
  out: Tensor,
  scalars: readonly Number64[],
  kinds: readonly Kind[] | null = null,
  inputs: readonly Tensor[] = [],
): void {
  mapInto(of.program(inputs, kinds ?? scalars.length, [out]), out.shape, inputs, scalars, [out]);
}
