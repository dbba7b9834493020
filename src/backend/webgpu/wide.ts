/**
 * Results of narrow dtypes by way of full words: a kernel that writes many results per thread takes seconds to compile
 * where each write rounds to a half or wraps to a byte, so it writes full words, and a copy narrows them.
 *
 * @module
 */

import { type DType, float32, int32 } from "../../base/dtype.ts";
import { contiguousStrides, numelOf } from "../../base/shape.ts";
import type { Strided } from "../backend.ts";
import type { Gpu } from "./gpu.ts";
import { groups1d, MAIN_1D, prelude } from "./kernel_text.ts";
import { load, offsets, Operands, ROUNDING, wgslType, word } from "./operands.ts";

/** The dtype of full width that holds an element of `dtype` in the same word. */
function widened(dtype: DType): DType {
  return wgslType(dtype) === "f32" ? float32 : int32;
}

/** Copies elements, narrowing each to the dtype of `to`. */
function narrow(gpu: Gpu, from: Strided, to: Strided): void {
  const count = numelOf(to.shape), rank = to.shape.length;
  const operands = new Operands([count]);
  const sizes = operands.push(...to.shape);
  const places = [from, to].map((x) => operands.push(x.offset, ...x.strides));
  const slots = [from, to].map((x) => operands.slot(x));
  const value = load(slots[0], from.dtype, "o0");
  gpu.dispatch(
    `narrow ${to.dtype.name} ${rank} ${slots.join("")}`,
    () =>
      `${prelude(operands.blocks.length)}${ROUNDING}${MAIN_1D}
  var o0 = p(${places[0]}u);
  var o1 = p(${places[1]}u);
${offsets("i", [sizes, rank], [["o0", places[0]], ["o1", places[1]]])}
  b${slots[1]}[o1] = ${word(to.dtype, to.dtype.kind === "bool" ? `(${value} != 0)` : value)};
}`,
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
}

/** Lets `compute` write a dense tensor of full width, then narrows it into `out`; `used` says whether it reads it first. */
export function inFullWidth(gpu: Gpu, out: Strided, used: boolean, compute: (wide: Strided) => void): void {
  const block = gpu.alloc(numelOf(out.shape) * 4), { shape } = out;
  const dtype = widened(out.dtype);
  const wide = { storage: { block }, offset: 0, shape, strides: contiguousStrides(shape), dtype, dense: true };
  if (used) {
    narrow(
      gpu,
      { storage: out.storage, offset: out.offset, shape, strides: out.strides, dtype, dense: out.dense },
      wide,
    );
  }
  compute(wide);
  narrow(gpu, wide, out);
  gpu.free(block);
}
