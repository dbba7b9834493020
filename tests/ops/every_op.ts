/**
 * Tests that go over every op that PyTorch's samples are recorded of: the ops, the walk, and which samples can be
 * differentiated.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import * as torch from "../../mod.ts";
import { type Adapt, inputElements, namesDtype, type OpCase, opCases, type RecordedSample } from "./cases.ts";

const only = new RegExp(Deno.args[Deno.args.indexOf("--only") + 1] ?? "");
const cases = (await opCases()).filter((op) => !Deno.args.includes("--only") || only.test(op.label));

/** Samples with more elements would take long and show nothing new. */
const MAX_ELEMENTS = 130;

/** Ops whose gradients cannot be checked by differences, each with the reason. */
const NO_GRADCHECK: Record<string, string> = {
  bfloat16: "rounds to eight bits, so differences are steps",
  half: "rounds to eleven bits, so differences are steps",
  float: "rounds to 24 bits, so differences are steps",
  to: "rounds to the dtype it names",
};

/** Where values are larger, a difference of doubles over a step of 1e-6 is off by more than the tolerance of 1e-5. */
const MAX_VALUE = 1e4;

/** The same values in double precision. */
export const asDouble: Adapt = (node, data) => {
  if (node.dtype === "float32") {
    return { node: { ...node, dtype: "float64" }, data: Float64Array.from(data as Float32Array) };
  }
  if (node.dtype === "complex64") {
    return { node: { ...node, dtype: "complex128" }, data: Float64Array.from(data as Float32Array) };
  }
  return { node, data };
};

/** Runs `check` for each op as a step, so that one failure does not hide the others. */
export function forEachOp(
  name: string,
  select: (op: OpCase) => readonly RecordedSample[],
  check: (op: OpCase, sample: RecordedSample) => Promise<void>,
): void {
  Deno.test(name, async (t) => {
    for (const op of cases) {
      const samples = select(op);
      if (samples.length === 0) continue;
      await t.step(op.label, async () => {
        for (const sample of samples) {
          try {
            await check(op, sample);
          } catch (error) {
            throw new AssertionError(`sample ${sample.i}: ${(error as Error).message}`, { cause: error });
          }
        }
      });
    }
  });
}

/** Two small differentiable samples in one precision. */
export function differentiable(op: OpCase): RecordedSample[] {
  if (NO_GRADCHECK[op.label] || op.random) return [];
  const samples = (op.groups.get("float32") ?? []).filter((s) => s.grad && !s.random && !s.mutates && !namesDtype(s));
  const size = (s: RecordedSample) => inputElements(s);
  return samples.filter((s) => size(s) > 0 && size(s) <= MAX_ELEMENTS).sort((a, b) => size(b) - size(a)).slice(0, 2);
}

/** Whether any value is too large for differences. */
export async function tooLarge(tensors: readonly (torch.Tensor | null)[]): Promise<boolean> {
  for (const tensor of tensors) {
    const values = tensor ? Array.from(await tensor.read() as ArrayLike<number | bigint>, Number) : [];
    if (values.some((v) => Math.abs(v) > MAX_VALUE)) return true;
  }
  return false;
}

/** Cotangents of ones. */
export function onesLike(outputs: readonly torch.Tensor[]): torch.Tensor[] {
  return outputs.filter((out) => out.requiresGrad).map((out) => torch.onesLike(out));
}
