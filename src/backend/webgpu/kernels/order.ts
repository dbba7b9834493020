/**
 * Sorting, searching and selecting on the GPU.
 *
 * A sort turns values into 32-bit keys whose unsigned order is the wanted one (NaN last ascending, first descending), pairs
 * them with their positions, and runs a bitonic network over each row, padded to a power of two. Positions break ties, so
 * the sort is stable.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu, GpuBlock } from "../device/gpu.ts";
import { groups1d, MAIN_1D, prelude } from "../text/kernel_text.ts";
import { checkDtype, load, offsets, Operands, wgslType } from "../text/operands.ts";

/** WGSL: the sortable key of a loaded value. */
function sortKey(type: string, value: string): string {
  if (type === "bool") return `select(0u, 1u, ${value})`;
  if (type === "u32") return value;
  if (type === "i32") return `(bitcast<u32>(${value}) ^ 0x80000000u)`;
  return `float_key(${value})`;
}

const FLOAT_KEY = `fn float_key(v: f32) -> u32 {
  var bits = bitcast<u32>(v);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0xffffffffu; }
  if (bits == 0x80000000u) { bits = 0u; }
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}
`;

/** Rows of `x` along `dim` as sizes and strides of the other dimensions. */
function rowsOf(x: Strided, dim: number): { shape: number[]; strides: (t: Strided) => number[] } {
  const others = x.shape.map((_, d) => d).filter((d) => d !== dim);
  return { shape: others.map((d) => x.shape[d]), strides: (t) => others.map((d) => t.strides[d]) };
}

/** Sorts rows into `values` and `indices`, keeping the first elements where these are shorter. */
function sortRows(
  gpu: Gpu,
  x: Strided,
  dim: number,
  descending: boolean,
  values: Strided,
  indices: Strided,
): void {
  checkDtype("sort", x.dtype);
  if (numelOf(values.shape) === 0) return;
  const length = x.shape.length === 0 ? 1 : x.shape[dim];
  const kept = x.shape.length === 0 ? 1 : values.shape[dim];
  const { shape, strides } = rowsOf(x, dim);
  const rows = numelOf(shape);
  const padded = 2 ** Math.ceil(Math.log2(Math.max(length, 2)));
  const keys = gpu.alloc(rows * padded * 4), places = gpu.alloc(rows * padded * 4);
  const along = (t: Strided) => t.strides[dim] ?? 0;

  const fill = new Operands([rows * padded]);
  fill.push(padded, length);
  const at = fill.push(x.offset, along(x), ...strides(x));
  const sizes = fill.push(...shape);
  const slot = fill.slot(x);
  fill.blocks.push(keys, places);
  const type = wgslType(x.dtype);
  gpu.dispatch(
    `sortFill ${x.dtype.name} ${shape.length} ${descending}`,
    () =>
      `${prelude(3)}${FLOAT_KEY}${MAIN_1D}
  let row = i / p(1u);
  let j = i % p(1u);
  var o = p(${at}u) + j * p(${at + 1}u);
${offsets("row", [sizes, shape.length], [["o", at]], 2)}
  var key = 0xffffffffu;
  if (j < p(2u)) { key = ${descending ? "~" : ""}${sortKey(type, load(slot, x.dtype, "o"))}; }
  b1[i] = key;
  b2[i] = j;
}`,
    fill.blocks,
    fill.parameters,
    groups1d(rows * padded),
  );
  bitonic(gpu, rows, padded, keys, places);

  const take = new Operands([rows * kept]);
  take.push(padded, kept);
  const from = take.push(x.offset, along(x), ...strides(x));
  const toValues = take.push(values.offset, along(values), ...strides(values));
  const toIndices = take.push(indices.offset, along(indices), ...strides(indices));
  const dims = take.push(...shape);
  const [sx, sv, si] = [x, values, indices].map((t) => take.slot(t));
  take.blocks.push(places);
  const sp = take.blocks.length - 1;
  gpu.dispatch(
    `sortTake ${shape.length} ${sx}${sv}${si}`,
    () =>
      `${prelude(take.blocks.length)}${MAIN_1D}
  let row = i / p(2u);
  let j = i % p(2u);
  let origin = b${sp}[row * p(1u) + j];
  var ox = p(${from}u) + origin * p(${from + 1}u);
  var ov = p(${toValues}u) + j * p(${toValues + 1}u);
  var oi = p(${toIndices}u) + j * p(${toIndices + 1}u);
${offsets("row", [dims, shape.length], [["ox", from], ["ov", toValues], ["oi", toIndices]], 2)}
  b${sv}[ov] = b${sx}[ox];
  b${si}[oi] = origin;
}`,
    take.blocks,
    take.parameters,
    groups1d(rows * kept),
  );
  gpu.free(keys);
  gpu.free(places);
}

/** Sorts each row of `padded` keys (a power of two) with their positions. */
function bitonic(gpu: Gpu, rows: number, padded: number, keys: GpuBlock, places: GpuBlock): void {
  const pairs = rows * padded / 2;
  for (let size = 2; size <= padded; size *= 2) {
    for (let stride = size / 2; stride >= 1; stride /= 2) {
      gpu.dispatch(
        "bitonic",
        () =>
          `${prelude(2)}${MAIN_1D}
  let stride = p(1u);
  let a = (i / stride) * stride * 2u + i % stride;
  let b = a + stride;
  let up = ((a % p(3u)) & p(2u)) == 0u;
  let ka = b0[a]; let kb = b0[b];
  let ia = b1[a]; let ib = b1[b];
  let after = ka > kb || (ka == kb && ia > ib);
  if (after == up) { b0[a] = kb; b0[b] = ka; b1[a] = ib; b1[b] = ia; }
}`,
        [keys, places],
        [pairs, stride, size, padded],
        groups1d(pairs),
      );
    }
  }
}

/** Stable sort along `dim`. */
export const sort: KernelOf<Gpu, "sort"> = (gpu, x, dim, descending, values, indices) => {
  sortRows(gpu, x, dim, descending, values, indices);
};

/** The extreme values along `dim`, sorted. */
export const topk: KernelOf<Gpu, "topk"> = (gpu, x, dim, largest, values, indices) => {
  sortRows(gpu, x, dim, largest, values, indices);
};

/** Positions in the last dimension of `sorted` where `values` belong. */
export const searchsorted: KernelOf<Gpu, "searchsorted"> = (gpu, sorted, values, right, out) => {
  for (const t of [sorted, values]) checkDtype("searchsorted", t.dtype);
  const count = numelOf(out.shape);
  if (count === 0) return;
  const rank = values.shape.length;
  const shared = sorted.shape.length === 1;
  const operands = new Operands([count]);
  const sizes = operands.push(...values.shape);
  const length = operands.push(sorted.shape[sorted.shape.length - 1]);
  const places = [values, out].map((t) => operands.push(t.offset, ...t.strides));
  const rows = shared ? [] : [...sorted.strides.slice(0, -1), 0];
  const at = operands.push(sorted.offset, sorted.strides[sorted.strides.length - 1], ...rows);
  const [ss, sv, so] = [sorted, values, out].map((t) => operands.slot(t));
  const type = wgslType(values.dtype);
  gpu.dispatch(
    `searchsorted ${values.dtype.name} ${sorted.dtype.name} ${rank} ${shared} ${right} ${ss}${sv}${so}`,
    () =>
      `${prelude(operands.blocks.length)}${FLOAT_KEY}${MAIN_1D}
  var ov = p(${places[0]}u); var oo = p(${places[1]}u); var os = p(${at}u);
${offsets("i", [sizes, rank], [["ov", places[0]], ["oo", places[1]]])}${shared ? "" : rowOffset(rank, at)}
  let v = ${sortKey(type, load(sv, values.dtype, "ov"))};
  var low = 0u; var high = p(${length}u);
  while (low < high) {
    let mid = (low + high) / 2u;
    let k = ${sortKey(wgslType(sorted.dtype), load(ss, sorted.dtype, `os + mid * p(${at + 1}u)`))};
    if (k < v${right ? " || k == v" : ""}) { low = mid + 1u; } else { high = mid; }
  }
  b${so}[oo] = low;
}`,
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
};

function rowOffset(rank: number, at: number): string {
  let text = "";
  for (let d = 0; d < rank - 1; d++) text += `  os += c_i_${d} * p(${at + 2 + d}u);\n`;
  return text;
}
