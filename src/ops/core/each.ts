/**
 * Programs over many small tensors: what `Backend.pointwiseEach` and `Backend.reduceEach` mean, composed where a device
 * has no kernels for them.
 *
 * @module
 */

import type { Combine, OperandGroup } from "../../backend/backend.ts";
import type { Program } from "../../expr/program.ts";
import { denseOrder, reordered } from "../../tensor/layout.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Number64 } from "./kernel.ts";

/** Tensors of one evaluation: see {@linkcode OperandGroup}. */
export interface TensorGroup {
  /** Operands, which broadcast to the shape of the first output, or of the first operand where there is none. */
  readonly inputs: readonly Tensor[];
  /** Results. */
  readonly outputs: readonly Tensor[];
}

/** The group as the backend takes it: in the order of memory, where that is one without gaps. */
function operandsOf({ inputs, outputs }: TensorGroup): OperandGroup {
  const first = outputs.length > 0 ? outputs[0] : inputs[0];
  const order = denseOrder(first);
  if (order === null) return { shape: first.shape, inputs, outputs };
  const view = (x: Tensor) => x.shape.length === 0 ? x : reordered(x, order);
  return { shape: order.map((d) => first.shape[d]), inputs: inputs.map(view), outputs: outputs.map(view) };
}

/** Evaluates a program for groups of real tensors of one device that share the scalars. */
export function pointwiseEach(program: Program, groups: readonly TensorGroup[], scalars: readonly Number64[]): void {
  if (groups.length === 0) return;
  const { backend } = groups[0].outputs[0].storage;
  let left: readonly OperandGroup[] = groups.map(program.positional ? plain : operandsOf);
  if (backend.pointwiseEach !== undefined && groups.length > 1 && !program.positional) {
    left = backend.pointwiseEach(program, left, scalars);
  }
  for (const { shape, inputs, outputs } of left) backend.pointwise(program, shape, inputs, scalars, outputs);
}

function plain({ inputs, outputs }: TensorGroup): OperandGroup {
  return { shape: outputs[0].shape, inputs, outputs };
}

/** Combines a program's values over all elements of each group: those of group i to element i of the 1-d `outputs`. */
export function reduceEach(
  program: Program,
  combine: Combine,
  groups: readonly TensorGroup[],
  scalars: readonly Number64[],
  outputs: readonly Tensor[],
): void {
  if (groups.length === 0) return;
  const { backend } = outputs[0].storage;
  const operands = groups.map(operandsOf), several = groups.length > 1 && !program.positional;
  if (several && backend.reduceEach?.(program, combine, operands, scalars, outputs)) return;
  operands.forEach(({ shape, inputs }, i) => {
    const places = outputs.map(({ storage, dtype, offset }) => (
      { storage, dtype, shape: [], strides: [], offset: offset + i, dense: true }
    ));
    backend.reduce(program, combine, shape, shape.map((_, d) => d), inputs, scalars, places);
  });
}
