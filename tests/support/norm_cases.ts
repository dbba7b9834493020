/**
 * Normalisations of all shapes, for tests that hold a device's kernels equal to the composed meaning on the CPU.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";

const F = torch.nn.functional;

/** One normalisation. */
export interface NormCase {
  /** What it is. */
  readonly name: string;
  /** The tensor, its factors and shifts. */
  readonly inputs: readonly Tensor[];
  /** What is computed. */
  readonly apply: (...inputs: Tensor[]) => Tensor;
}

type Dtype = torch.DType;

function values(shape: readonly number[], dtype: Dtype, scale = 2, shift = 0): Tensor {
  return torch.randn([...shape]).mul(scale).add(shift).to(dtype);
}

/** Layer and root mean square norms of rows: one, many, short, long, odd, and several dimensions. */
function rows(dtype: Dtype, most: number): NormCase[] {
  const list: NormCase[] = [];
  const shapes = [[1, 1], [7, 1], [5, 2], [3, 7], [70, 32], [9, 64], [6, 100], [33, 768], [4, 1000], [3, 4096], [
    2,
    4097,
  ]];
  for (const shape of [...shapes, [2, 20000], [300, 16], [1, 70001], [2, 131072]]) {
    const n = shape[1];
    if (n > most) continue;
    const x = values(shape, dtype, 2, 1), w = values([n], dtype), b = values([n], dtype);
    list.push(
      { name: `layer norm of ${shape}`, inputs: [x, w, b], apply: (x, w, b) => F.layerNorm(x, n, w, b) },
      { name: `rms norm of ${shape}`, inputs: [x, w], apply: (x, w) => F.rmsNorm(x, n, w, 1e-5) },
    );
    if (n > 4096) continue;
    list.push(
      { name: `layer norm of ${shape}, no factors`, inputs: [x], apply: (x) => F.layerNorm(x, n) },
      { name: `rms norm of ${shape}, no factors`, inputs: [x], apply: (x) => F.rmsNorm(x, n, null, 1e-5) },
      { name: `layer norm of ${shape}, no shift`, inputs: [x, w], apply: (x, w) => F.layerNorm(x, n, w) },
    );
  }
  const deep = values([3, 2, 5, 8], dtype), w = values([5, 8], dtype), b = values([5, 8], dtype);
  const apply = (x: Tensor, w: Tensor, b: Tensor) => F.layerNorm(x, [5, 8], w, b);
  list.push(
    { name: "layer norm of two dimensions", inputs: [deep, w, b], apply },
    {
      name: "layer norm of a transposed tensor",
      inputs: [deep, w, b],
      apply: (x, w, b) => apply(x.transpose(0, 1), w, b),
    },
    {
      name: "layer norm at an odd offset",
      inputs: [values([41], dtype), values([9], dtype), values([9], dtype)],
      apply: (x, w, b) => F.layerNorm(x.narrow(0, 1, 40).view(5, 8), 8, w.narrow(0, 1, 8), b.narrow(0, 1, 8)),
    },
    {
      name: "layer norm far from zero",
      inputs: [values([5, 300], dtype, 1, 100)],
      apply: (x) => F.layerNorm(x, 300),
    },
  );
  return list;
}

/** Group, instance and batch norms: planes of all sizes. */
function channels(dtype: Dtype): NormCase[] {
  const list: NormCase[] = [];
  for (
    const shape of [[2, 6, 4, 4], [3, 4, 7, 7], [2, 4, 1, 2], [5, 6], [64, 24], [2, 8, 33], [4, 3, 40, 50], [300, 4, 4]]
  ) {
    const c = shape[1];
    const inputs = [values(shape, dtype, 2, 1), values([c], dtype), values([c], dtype)];
    for (const groups of [1, 2, c]) {
      if (c % groups !== 0) continue;
      list.push({
        name: `group norm of ${shape} in ${groups}`,
        inputs,
        apply: (x, w, b) => F.groupNorm(x, groups, w, b),
      });
    }
    list.push({ name: `group norm of ${shape}, no factors`, inputs: [inputs[0]], apply: (x) => F.groupNorm(x, 1) });
    const batch = (x: Tensor, w: Tensor | null, b: Tensor | null) => F.batchNorm(x, null, null, w, b, true);
    list.push(
      { name: `batch norm of ${shape}`, inputs, apply: batch },
      { name: `batch norm of ${shape}, no factors`, inputs: [inputs[0]], apply: (x) => batch(x, null, null) },
      {
        name: `running statistics of ${shape}`,
        inputs: [inputs[0]],
        apply: (x) => {
          const mean = x.newZeros(c).float(), variance = x.newOnes(c).float();
          F.batchNorm(x.detach(), mean, variance, null, null, true, 0.3);
          return torch.cat([mean, variance]).add(x.sum().mul(0));
        },
      },
    );
    if (shape.length === 4) {
      list.push({
        name: `batch norm of ${shape}, channels last`,
        inputs,
        apply: (x, w, b) => batch(x.contiguous({ memoryFormat: torch.channelsLast }), w, b),
      });
    }
    if (shape.length > 2) {
      list.push({
        name: `instance norm of ${shape}`,
        inputs,
        apply: (x, w, b) => F.instanceNorm(x, { weight: w, bias: b }),
      });
    }
  }
  return list;
}

/**
 * Cases of a dtype.
 *
 * @param most the longest row
 */
export function normCases(dtype: Dtype, most = Infinity): NormCase[] {
  torch.manualSeed(3);
  return [...rows(dtype, most), ...channels(dtype)];
}

/** The result on a device, and the gradients by every input of a fixed combination of its elements. */
export function normResults(c: NormCase, device: torch.Device | string): Tensor[] {
  const inputs = c.inputs.map((x) => x.clone().to(device).detach().requiresGrad_());
  const out = c.apply(...inputs);
  torch.manualSeed(4);
  const grad = torch.randn(out.shape).to(out.dtype).to(device);
  out.backward(grad);
  return [out.detach(), ...inputs.map((x) => x.grad!)];
}

/** The gradients of a gradient, of a case with factors. */
export function normSecond(c: NormCase, device: torch.Device | string): Tensor[] {
  const inputs = c.inputs.map((x) => x.clone().to(device).detach().requiresGrad_());
  const first = torch.autograd.grad(c.apply(...inputs).pow(3).sum(), inputs, { createGraph: true });
  let total = first[0]!.pow(2).sum();
  for (const g of first.slice(1)) total = total.add(g!.pow(2).sum());
  return torch.autograd.grad(total, inputs).map((g) => g!);
}

/** Relative and absolute tolerance; second derivatives of two elements nearly cancel, hence their factor. */
const TOLERANCE: Readonly<Record<string, number>> = { float16: 4e-3, bfloat16: 3e-2, float32: 4e-5, float64: 1e-10 };
const SECOND = 100;
/** Above this many elements gradients of gradients are left out: they are composed, whatever the size. */
const SMALL = 1000;
/** Results that are read together. */
const TOGETHER = 100;

async function assertClose(actual: Tensor, expected: Tensor, tolerance: number, what: string): Promise<void> {
  assertEquals([actual.shape, actual.dtype.name], [expected.shape, expected.dtype.name], what);
  const numbers = async (t: Tensor) => Array.from(await t.cpu().then((c) => c.double().contiguous().read()), Number);
  const [ours, theirs] = await Promise.all([numbers(actual), numbers(expected)]);
  const largest = theirs.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
  for (const [i, v] of ours.entries()) {
    const near = Math.abs(v - theirs[i]) <= tolerance * largest || Number.isNaN(v) && Number.isNaN(theirs[i]);
    assert(near, `${what}: [${i}] is ${v}, on the CPU ${theirs[i]}`);
  }
}

/** Asserts that a device normalises as the CPU does: results, gradients, and gradients of those in small cases. */
export async function assertNormsAgree(device: string, dtype: torch.DType, most = Infinity): Promise<void> {
  const tolerance = TOLERANCE[dtype.name];
  // Reads that start in the same turn share a wait, which is long on WebGPU.
  const pending: Promise<void>[] = [];
  const compare = (what: string, ours: Tensor[], theirs: Tensor[], limit: number): void => {
    ours.forEach((x, i) => pending.push(assertClose(x, theirs[i], limit, `${what}, ${i}`)));
  };
  for (const c of normCases(dtype, most)) {
    const name = `${dtype} ${c.name}`;
    compare(name, normResults(c, device), normResults(c, "cpu"), tolerance);
    if (dtype.itemsize >= 4 && c.inputs[0].numel() <= SMALL) {
      compare(`${name}, second derivative`, normSecond(c, device), normSecond(c, "cpu"), SECOND * tolerance);
    }
    if (pending.length > TOGETHER) await Promise.all(pending.splice(0));
  }
  await Promise.all(pending);
}
