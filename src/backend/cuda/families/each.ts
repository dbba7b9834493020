/**
 * Many small tensors in few launches, by the printed kernels of `src/expr/cuda_each.ts`: updates of all parameters, norms
 * of all gradients.
 *
 * Groups whose operands are dense and aligned, or one element, go into the parameter block, as many as fit; the others
 * are evaluated one by one.
 *
 * @module
 */

import { cudaAlignment, cudaVector } from "../../../expr/cuda.ts";
import {
  EACH_CHUNK,
  EACH_SLOTS,
  EACH_THREADS,
  type EachLayout,
  type EachSlots,
  eachSlots,
  printCudaEach,
  printCudaEachReduce,
} from "../../../expr/cuda_each.ts";
import type { Program } from "../../../expr/program.ts";
import type { OperandGroup, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { addressOf, type CudaStream, type Kernel } from "../device/stream.ts";

type Scalars = readonly (number | bigint)[];

/** The largest grid in x. */
const MAX_BLOCKS = 2 ** 31 - 1;

function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (let d = 0; d < shape.length; d++) size *= shape[d];
  return size;
}

function sameView(a: Strided, b: Strided): boolean {
  return addressOf(a) === addressOf(b) && a.dtype === b.dtype;
}

/** How a group's operands lie. */
function layoutOf(group: OperandGroup): EachLayout {
  const numel = sizeOf(group.shape);
  const single = group.inputs.map((x) => sizeOf(x.shape) === 1 && numel > 1);
  const shared = group.outputs.map((out) => group.inputs.findIndex((x, i) => !single[i] && sameView(x, out)));
  return { single, shared };
}

/** Whether a group's operands lie as `layout` says, dense and aligned. */
function fits(group: OperandGroup, layout: EachLayout, vector: number): boolean {
  const numel = sizeOf(group.shape);
  const whole = (x: Strided): boolean =>
    x.dense && (x.shape === group.shape || sizeOf(x.shape) === numel) &&
    addressOf(x) % cudaAlignment(vector, x.dtype) === 0;
  for (let i = 0; i < group.inputs.length; i++) {
    if (!(layout.single[i] ? sizeOf(group.inputs[i].shape) === 1 : whole(group.inputs[i]))) return false;
  }
  for (let k = 0; k < group.outputs.length; k++) {
    const input = layout.shared[k];
    // The very same view was looked at.
    if (input >= 0 && group.inputs[input] === group.outputs[k]) continue;
    if (!whole(group.outputs[k]) || (input >= 0 && !sameView(group.inputs[input], group.outputs[k]))) return false;
  }
  return numel > 0;
}

/** What a set of groups has in common. */
interface Plan {
  readonly program: Program;
  readonly layout: EachLayout;
  readonly slots: EachSlots;
  readonly reduces: boolean;
}

function keyOf(layout: EachLayout): string {
  return layout.single.map(Number).join("") + " " + layout.shared.join();
}

/** Writes groups from `first` on into the arena, as many as fit; gives the next one and how many chunks there are. */
function put(
  stream: CudaStream,
  plan: Plan,
  groups: readonly OperandGroup[],
  first: number,
  scalars: Scalars,
): [number, number] {
  const { program, layout, slots } = plan;
  const last = Math.min(groups.length, first + slots.most);
  let chunks = 0, at = slots.groups, next = first;
  for (; next < last; next++, at += slots.each) {
    const group = groups[next], numel = sizeOf(group.shape), own = Math.ceil(numel / EACH_CHUNK);
    if (next > first && chunks + own > MAX_BLOCKS) break;
    chunks += own;
    stream.putInteger(at, chunks);
    stream.putInteger(at + 1, numel);
    let slot = at + 2;
    for (const x of group.inputs) stream.putInteger(slot++, addressOf(x));
    if (plan.reduces) continue;
    group.outputs.forEach((out, k) => {
      if (layout.shared[k] < 0) stream.putInteger(slot++, addressOf(out));
    });
  }
  stream.putInteger(0, next - first);
  stream.putInteger(2, chunks);
  program.scalars.forEach((kind, i) => stream.putScalar(slots.scalars + i, kind, scalars[i]));
  return [next, chunks];
}

/** Evaluates a program for groups of operands; gives those that do not lie as the first one does. */
export const pointwiseEach: KernelOf<CudaStream, "pointwiseEach"> = (stream, program, groups, scalars) => {
  const largest = groups.find((group) => sizeOf(group.shape) > 1) ?? groups[0];
  const layout = layoutOf(largest), vector = cudaVector(program);
  const plan: Plan = { program, layout, slots: eachSlots(program, layout, false), reduces: false };
  const inside: OperandGroup[] = [], outside: OperandGroup[] = [];
  for (const group of groups) (fits(group, layout, vector) ? inside : outside).push(group);
  // Random words are counted by element of one tensor.
  if (inside.length < 2 || plan.slots.most < 2 || program.random) return [...groups];
  const key = `updates ${program.id} ${keyOf(layout)}`;
  const kernel = stream.kernel(key, "each_map", () => printCudaEach(program, layout, "each"));
  for (let first = 0; first < inside.length;) {
    const [next, chunks] = put(stream, plan, inside, first, scalars);
    stream.launch(kernel, EACH_SLOTS, EACH_THREADS, chunks);
    first = next;
  }
  return outside;
};

/** Combines the values of each group; `false` where the groups do not lie alike, and nothing was done. */
export const reduceEach: KernelOf<CudaStream, "reduceEach"> = (stream, program, combine, groups, scalars, outputs) => {
  const layout = layoutOf(groups.find((group) => sizeOf(group.shape) > 1) ?? groups[0]), vector = cudaVector(program);
  const plan: Plan = { program, layout, slots: eachSlots(program, layout, true), reduces: true };
  if (plan.slots.most < 2 || program.random || !groups.every((group) => fits(group, layout, vector))) return false;
  const key = `norms ${program.id} ${combine} ${keyOf(layout)}`;
  const kernel = (name: string): Kernel =>
    stream.kernel(key, name, () => printCudaEachReduce(program, layout, combine, "each"));
  const [partial, finish] = [kernel("each_partial"), kernel("each_finish")];
  for (let first = 0; first < groups.length;) {
    const start = first;
    const [next, chunks] = put(stream, plan, groups, first, scalars);
    outputs.forEach((out, k) => stream.putInteger(plan.slots.outputs + k, addressOf(out) + start * out.dtype.itemsize));
    stream.withScratch(8 * chunks * outputs.length, (workspace) => {
      stream.putInteger(1, workspace);
      stream.launch(partial, EACH_SLOTS, EACH_THREADS, chunks);
      stream.launch(finish, EACH_SLOTS, EACH_THREADS, next - start);
    });
    first = next;
  }
  return true;
};
