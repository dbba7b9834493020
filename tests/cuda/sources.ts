/**
 * Every hand-written CUDA kernel source, over the dtypes that tell them apart.
 *
 * @module
 */

import { bfloat16, bool, type DType, float16, float32, float64, int64, uint8 } from "../../src/base/dtype.ts";
import { attentionSource, tilingOf, WIDTHS } from "../../src/backend/cuda/kernels/attention.ts";
import { wideAttentionSource } from "../../src/backend/cuda/kernels/attention_wide.ts";
import { gatherSource, scatterSource } from "../../src/backend/cuda/kernels/indexing.ts";
import { momentsSource } from "../../src/backend/cuda/kernels/moments.ts";
import { normBackwardSource, normForwardSource } from "../../src/backend/cuda/kernels/norm.ts";
import { nonzeroSource } from "../../src/backend/cuda/kernels/nonzero.ts";
import { bitonicSource, fillSource, searchSource, takeSource } from "../../src/backend/cuda/kernels/order.ts";
import { avgPoolSource, maxPoolGradSource, maxPoolSource } from "../../src/backend/cuda/kernels/pool.ts";
import { type RowPlan, softmaxSource } from "../../src/backend/cuda/kernels/rows.ts";
import { argReduceSource, scanSource } from "../../src/backend/cuda/kernels/scan.ts";
import { biasSource, convSource, matmulSource } from "../../src/backend/cuda/kernels/tiles.ts";
import { printCudaEach, printCudaEachReduce } from "../../src/expr/cuda_each.ts";
import { input, scalar } from "../../src/expr/expr.ts";
import { kindOf } from "../../src/expr/kind.ts";
import { Program } from "../../src/expr/program.ts";
import { epilogueProgram } from "../../src/ops/core/epilogue.ts";
import type { CudaSource } from "../support/nvrtc.ts";

const FLOATS: readonly DType[] = [float16, bfloat16, float32, float64];
const REALS: readonly DType[] = [float16, float32, float64, int64, uint8, bool];

/** How rows may be held. */
const ROW_PLANS: readonly RowPlan[] = [
  { vector: 16, items: 4, team: 32, threads: 128, keep: "registers" },
  { vector: 1, items: 16, team: 256, threads: 256, keep: "registers" },
  { vector: 16, items: 1, team: 512, threads: 512, keep: "shared" },
  { vector: 1, items: 1, team: 1024, threads: 1024, keep: "global" },
];

/** A plan with accesses of 16 bytes where it has any of several elements. */
function widest(plan: RowPlan, dtype: DType): RowPlan {
  return plan.vector === 1 ? plan : { ...plan, vector: 16 / dtype.itemsize };
}

/** Attention: the kernels that a network runs, and (not held to registers alone) those with masks and dropout. */
function attentions(): CudaSource[] {
  const list: CudaSource[] = [];
  for (const kernel of ["attention", "byQuery", "byKey"] as const) {
    const add = (name: string, dtype: DType, width: number, mask: DType | null, dropout: boolean, exact = true) => {
      const variant = { dtype, width, mask, dropout };
      const code = dtype === float32 && exact
        ? wideAttentionSource(kernel, variant)
        : attentionSource(kernel, variant, tilingOf(kernel, variant, 163 * 1024));
      list.push({ name: `${name} ${kernel} ${dtype.name} ${width}`, code });
    };
    for (const width of WIDTHS) add("attention", bfloat16, width, null, false);
    for (const width of [64, 128]) add("attention", float32, width, null, false);
    add("attention", float16, 64, null, false);
    for (const width of [64, 128]) add("attention tf32", float32, width, null, false, false);
    add("masked", float16, 64, bool, false);
    add("dropping", bfloat16, 128, float32, true);
    add("dropping", float32, 96, bfloat16, true);
  }
  return list;
}

/** Updates and sums of many tensors: an Adam-like update with one number from the device, a norm, a count, extremes. */
function ofMany(): CudaSource[] {
  const list: CudaSource[] = [];
  for (const dtype of FLOATS) {
    const kind = kindOf(dtype), name = dtype.name;
    const [x, gradient, mean, square, rate] = [0, 1, 2, 3].map((i) => input(i, dtype).to(kind)).concat(
      input(4, float64).to(kind),
    );
    const next = mean.add(gradient.sub(mean).mul(scalar(0, kind))),
      spread = square.mul(scalar(1, kind)).add(gradient.mul(gradient));
    const exprs = [x.sub(next.div(spread.sqrt().add(1e-8)).mul(rate)), next, spread];
    const update = new Program(
      [dtype, dtype, dtype, dtype, float64],
      [kind, kind],
      exprs.map((expr) => ({ expr, dtype })),
    );
    const layout = { single: [false, false, false, false, true], shared: [0, 2, 3] };
    list.push({ name: `updates_${name}`, code: printCudaEach(update, layout, "each") });
    const out = dtype === float64 ? float64 : float32;
    const sum = new Program([dtype], [], [{
      expr: input(0, dtype).to(kindOf(out)).mul(input(0, dtype).to(kindOf(out))),
      dtype: out,
    }]);
    const one = { single: [false], shared: [] };
    for (const combine of ["sum", "max"] as const) {
      list.push({ name: `norms_${combine}_${name}`, code: printCudaEachReduce(sum, one, combine, "each") });
    }
    const any = new Program([dtype], [], [{ expr: input(0, dtype).isfinite().logicalNot(), dtype: bool }]);
    list.push({ name: `any_${name}`, code: printCudaEachReduce(any, one, "any", "each") });
  }
  return list;
}

/** Named sources. */
export function handWritten(): CudaSource[] {
  const list: CudaSource[] = [{ name: "bitonic", code: bitonicSource() }];
  const add = (name: string, dtypes: readonly DType[], make: (dtype: DType) => string): void => {
    for (const dtype of dtypes) list.push({ name: `${name}_${dtype.name}`, code: make(dtype) });
  };
  const wide = (dtype: DType): DType => dtype === float64 ? float64 : float32;
  for (const kind of ["sum", "prod", "max", "min", "logsumexp"] as const) {
    add(`scan_${kind}`, [float16, float64], (d) => scanSource(kind, d, d));
    if (kind !== "logsumexp") add(`scan_${kind}`, [bool, uint8], (d) => scanSource(kind, d, int64));
  }
  add("argmax", REALS, (d) => argReduceSource("max", d));
  add("argmin", [float32, uint8], (d) => argReduceSource("min", d));
  add("fill", REALS, fillSource);
  add("take", [bool, bfloat16, float64], takeSource);
  add("search", REALS, (d) => searchSource(d, d));
  add("gather", [bool, float16, float32, int64], (d) => gatherSource(d, int64));
  for (const mode of ["set", "sum", "prod", "max", "min"] as const) {
    add(`scatter_${mode}`, [bool, float16, float64, uint8], (d) => scatterSource(mode, d, d));
  }
  add("nonzero", REALS, nonzeroSource);
  add("norm_moments_16", FLOATS, (d) => momentsSource(d, 16 / d.itemsize));
  add("norm_moments_1", [float16, float32], (d) => momentsSource(d, 1));
  for (const plan of ROW_PLANS) {
    const norms = (d: DType) => ({ plan: widest(plan, d), centred: plan.vector > 1, byColumn: plan.team < 512 });
    const columns = plan.keep === "registers";
    add(`norm_${plan.keep}_${plan.vector}`, FLOATS, (d) => normForwardSource(d, wide(d), norms(d)));
    add(`normGrad_${plan.keep}_${plan.vector}`, FLOATS, (d) => normBackwardSource(d, d, norms(d), columns));
    add(`softmax_${plan.keep}_${plan.vector}`, FLOATS, (d) => softmaxSource(d, widest(plan, d)));
  }
  add("matmul", REALS, (d) => matmulSource(d, d, d));
  for (const name of ["bias", "relu", "gelu", "geluTanh", "geluTanhGrad"] as const) {
    const program = (dtype: DType) =>
      epilogueProgram(name, { dtype }, { dtype }, name.startsWith("gelu") && !name.endsWith("Grad"));
    add(`matmul_${name}`, FLOATS, (d) => matmulSource(d, d, d, program(d)));
  }
  for (const kind of ["forward", "byInput", "byWeight"] as const) {
    add(`conv_${kind}`, FLOATS, (d) => convSource(kind, d));
  }
  add("bias", FLOATS, biasSource);
  add("maxPool", [float16, float64, int64], maxPoolSource);
  add("maxPoolGrad", FLOATS, maxPoolGradSource);
  add("avgPool", FLOATS, (d) => avgPoolSource(d, wide(d)));
  return [...list, ...ofMany(), ...attentions()];
}
