/**
 * Counting and listing what is not zero.
 *
 * @module
 */

import { contiguousStrides, numelOf } from "../../../base/shape.ts";
import { int64 } from "../../../base/dtype.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu, GpuBlock } from "../device/gpu.ts";
import { groups1d, MAIN_1D, prelude } from "../text/kernel_text.ts";
import { checkDtype, load, offsets, Operands, wgslType } from "../text/operands.ts";
import { scan } from "./scan.ts";

/** A flat int64 view of a buffer. */
function flat(block: GpuBlock, count: number): Strided {
  return { storage: { block }, offset: 0, shape: [count], strides: [1], dtype: int64, dense: true };
}

/** Running counts of the elements that are not zero, row-major; the caller frees the buffer. */
function ranks(gpu: Gpu, x: Strided): GpuBlock {
  checkDtype("nonzero", x.dtype);
  const count = numelOf(x.shape);
  const marks = gpu.alloc(count * 4), out = gpu.alloc(count * 4);
  const operands = new Operands([count]);
  const sizes = operands.push(...x.shape);
  const at = operands.push(x.offset, ...x.strides);
  const slot = operands.slot(x);
  operands.blocks.push(marks);
  const rank = x.shape.length;
  const zero = { f32: "0.0", i32: "0", u32: "0u", bool: "false" }[wgslType(x.dtype)];
  gpu.dispatch(
    `nonzeroMark ${x.dtype.name} ${rank}`,
    () =>
      `${prelude(2)}${MAIN_1D}
  var o = p(${at}u);
${rank > 0 ? offsets("i", [sizes, rank], [["o", at]]) : ""}
  b1[i] = select(0u, 1u, ${load(slot, x.dtype, "o")} != ${zero});
}`,
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
  scan(gpu, "sum", flat(marks, count), 0, flat(out, count), null);
  gpu.free(marks);
  return out;
}

/** How many elements are not zero. */
export const countNonzero: KernelOf<Gpu, "countNonzero"> = async (gpu, x) => {
  const count = numelOf(x.shape);
  if (count === 0) return 0;
  const counts = ranks(gpu, x);
  const last = await gpu.read(counts, (count - 1) * 4, 4);
  gpu.free(counts);
  return new Int32Array(last)[0];
};

/** Coordinates of the elements that are not zero. */
export const nonzero: KernelOf<Gpu, "nonzero"> = (gpu, x, out) => {
  const count = numelOf(x.shape);
  if (count === 0 || numelOf(out.shape) === 0) return;
  const counts = ranks(gpu, x);
  const operands = new Operands([count]);
  const at = operands.push(out.offset, ...out.strides);
  const rank = x.shape.length;
  const steps = operands.push(...contiguousStrides(x.shape));
  const sizes = operands.push(...x.shape);
  operands.blocks.push(counts);
  const slot = operands.slot(out);
  gpu.dispatch(
    `nonzeroTake ${rank}`,
    () =>
      `${prelude(2)}${MAIN_1D}
  let here = b0[i];
  var before = 0u;
  if (i > 0u) { before = b0[i - 1u]; }
  if (here == before) { return; }
  let row = p(${at}u) + before * p(${at + 1}u);
${
        x.shape.map((_, d) => `  b${slot}[row + ${d}u * p(${at + 2}u)] = (i / p(${steps + d}u)) % p(${sizes + d}u);`)
          .join("\n")
      }
}`,
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
  gpu.free(counts);
};
