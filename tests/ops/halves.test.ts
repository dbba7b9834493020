/**
 * Half precision is rounded once: results and gradients of every recorded op in bfloat16 are those of float64 on the same
 * values, up to the rounding of the result. What an op accumulates, it accumulates in float32.
 *
 * `deno test -A tests/ops/halves.test.ts -- --only REGEX` looks at some ops only.
 */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import { tensorsIn } from "../conformance/compare.ts";
import { bfloat16ToNumber, numberToBfloat16 } from "../support/close.ts";
import {
  type Adapt,
  asFunction,
  call,
  inputElements,
  namesDtype,
  type OpCase,
  opCases,
  type RecordedSample,
} from "./cases.ts";

const only = new RegExp(Deno.args[Deno.args.indexOf("--only") + 1] ?? "");

/** Units in the last place that a result may be off by: half a one for the rounding, a little for float32's sums. */
const BOUND = 0.6;

/** Ops with a wider bound, each with the reason. The number is the bound. */
const WIDER: readonly (readonly [RegExp, number, string])[] = [
  [/^(exp2?|expm1|sqrt|rsqrt|reciprocal|tan)$/, 3, "the gradient is told from the rounded result, as in PyTorch"],
  [/^(tanh|sigmoid|softmax|nn\.functional\.softmin|log_softmax|logsumexp)$/, 300, "the same, and 1 - y cancels"],
  [/^(div\.no_rounding_mode|true_divide|__rdiv__|hypot|erfinv|prod)$/, 300, "the same"],
  [/^(std|var|std_mean|var_mean)/, 70, "the gradient is told from a rounded mean and deviation, as in PyTorch"],
  [
    /^nn\.functional\.(cross_entropy|layer_norm|rms_norm|cosine_similarity|local_response_norm)$/,
    Infinity,
    "values that are 0 but for rounding",
  ],
  [/^histc$/, Infinity, "a value may change its bin; PyTorch has no halves there"],
  [/^addmm$/, 1, "beta is applied to the rounded gradient"],
];

const asHalf: Adapt = (node, data) =>
  node.dtype !== "float32" ? { node, data } : {
    node: { ...node, dtype: "bfloat16" },
    data: Uint16Array.from(Array.from(data as Float32Array, numberToBfloat16)),
  };

const asExact: Adapt = (node, data) =>
  node.dtype !== "float32" ? { node, data } : {
    node: { ...node, dtype: "float64" },
    data: Float64Array.from(Array.from(data as Float32Array, (v) => bfloat16ToNumber(numberToBfloat16(v)))),
  };

/** Samples with values to compare, the largest first. */
function samplesOf(op: OpCase): RecordedSample[] {
  const list = (op.groups.get("float32") ?? []).filter((s) =>
    !s.random && !s.uninitialised && !s.mutates && !namesDtype(s) && inputElements(s) > 0
  );
  return list.sort((a, b) => inputElements(b) - inputElements(a)).slice(0, 6);
}

const COTANGENT = [1, 0.5, -0.25, 2, -1.5, 0.75, 1.25];

/** The gradients of a sample's inputs, from cotangents that every dtype holds. */
function gradients(op: OpCase, sample: RecordedSample, adapt: Adapt): (torch.Tensor | null)[] {
  const { fn, inputs } = asFunction(op, sample, adapt);
  const outs = fn(...inputs);
  const gradOutputs = outs.filter((out) => out.requiresGrad).map((out) =>
    torch.tensor(Array.from({ length: out.numel() }, (_, i) => COTANGENT[i % COTANGENT.length])).reshape([...out.shape])
      .to(out.dtype)
  );
  return torch.autograd.grad(outs, inputs, { gradOutputs, allowUnused: true });
}

async function numbers(x: torch.Tensor): Promise<number[]> {
  return Array.from(await x.to(torch.float64).read() as Float64Array);
}

/** The largest error in units of the last place; values that cancelled to less than 1/256 of the largest count as that. */
function error(actual: readonly number[], exact: readonly number[]): number {
  const largest = Math.max(0, ...exact.filter(Number.isFinite).map(Math.abs));
  let worst = 0;
  for (let i = 0; i < exact.length; i++) {
    if (!Number.isFinite(exact[i])) continue;
    const size = Math.max(Math.abs(exact[i]), largest * 2 ** -8, 1e-30);
    const off = Math.abs(actual[i] - exact[i]) / 2 ** (Math.floor(Math.log2(size)) - 7);
    worst = Math.max(worst, Number.isNaN(off) ? Infinity : off);
  }
  return worst;
}

/** What a sample gives that is further from the exact values than the op's bound. */
async function faults(op: OpCase, sample: RecordedSample, bound: number): Promise<string[]> {
  const out: string[] = [];
  const compare = async (what: string, actual: torch.Tensor, exact: torch.Tensor) => {
    const off = error(await numbers(actual), await numbers(exact));
    if (off > bound) out.push(`sample ${sample.i}, ${what}: ${off} units in the last place`);
  };
  let actual: torch.Tensor[];
  try {
    actual = tensorsIn(await call(op, sample, asHalf)) as unknown as torch.Tensor[];
  } catch (error) {
    // Norms that need singular values; PyTorch has none of halves either.
    if (error instanceof torch.DTypeError && error.message.includes("a decomposition needs")) return out;
    throw error;
  }
  const exact = tensorsIn(await call(op, sample, asExact)) as unknown as torch.Tensor[];
  for (const [k, x] of exact.entries()) if (x.dtype.isFloatingPoint) await compare(`result ${k}`, actual[k], x);
  if (!sample.grad) return out;
  const own = gradients(op, sample, asHalf);
  for (const [k, x] of gradients(op, sample, asExact).entries()) if (x) await compare(`gradient ${k}`, own[k]!, x);
  return out;
}

Deno.test("bfloat16: every op rounds once, in its result and in its gradients", async (t) => {
  for (const op of await opCases()) {
    if (op.random || !op.dtypes.includes("bfloat16") || !only.test(op.label)) continue;
    const bound = WIDER.find(([pattern]) => pattern.test(op.label))?.[1] ?? BOUND;
    await t.step(op.label, async () => {
      const found: string[] = [];
      for (const sample of samplesOf(op)) found.push(...await faults(op, sample, bound));
      assertEquals(found, []);
    });
  }
});

Deno.test("halves: thousands of updates to one place are added up in float32", async () => {
  const index = torch.zeros(5000, { dtype: torch.int64 });
  for (const dtype of [torch.float16, torch.bfloat16]) {
    const ones = torch.ones(5000, { dtype }), zero = torch.zeros(1, { dtype });
    const rounded = Number(await torch.tensor(5000).to(dtype).float().item());
    const table = torch.zeros(1, { dtype, requiresGrad: true });
    table.gather(0, index).sum().backward();
    const strided = torch.zeros(1, { dtype, requiresGrad: true });
    strided.asStrided([5000], [0]).mul(ones).sum().backward();
    const sums: Record<string, torch.Tensor> = {
      scatterAdd: zero.scatterAdd(0, index, ones),
      scatterReduce: zero.scatterReduce(0, index, ones, "sum"),
      indexAdd: zero.indexAdd(0, index, ones),
      gather: table.grad!,
      asStrided: strided.grad!,
      embeddingBag: torch.nn.functional.embeddingBag(index, torch.ones(1, 1, { dtype }), torch.zeros(1).long(), {
        mode: "sum",
      }),
    };
    for (const [name, sum] of Object.entries(sums)) {
      assertEquals([name, await sum.float().reshape(-1).tolist()], [name, [rounded]]);
    }
  }
});
