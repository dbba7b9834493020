/**
 * Gather, scatter and their relatives on the GPU.
 *
 * Writes are deterministic: a thread owns one line of the output along the indexed dimension and applies its updates in
 * order, so no atomics are needed. Indices out of range are reported by late checks (`checks.ts`).
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { ScatterMode, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu } from "../device/gpu.ts";
import { addDoubt } from "../device/checks.ts";
import { groups1d, MAIN_1D, MAX_TRIPS, prelude, reportFault } from "../text/kernel_text.ts";
import { checkDtype, load, offsets, Operands, ROUNDING, wgslType, word } from "../text/operands.ts";

/** An index loaded as `i32` and checked: negative ones count from the end where `wrap` says so. */
function checkedIndex(gpuSlot: number, id: number, wrap: boolean, size: string): string {
  const low = wrap ? `-i32(${size})` : "0";
  return `  if (ix < ${low} || ix >= i32(${size})) { ${reportFault(gpuSlot, id, "ix", size)} ON_FAULT }
${wrap ? `  if (ix < 0) { ix += i32(${size}); }\n` : ""}`;
}

/** `a` combined with `b` as a scatter mode says; both WGSL expressions of `type`. */
function combined(mode: ScatterMode, type: string, a: string, b: string): string {
  switch (mode) {
    case "set":
      return b;
    case "sum":
      return type === "bool" ? `(${a} || ${b})` : `(${a} + ${b})`;
    case "prod":
      return type === "bool" ? `(${a} && ${b})` : `(${a} * ${b})`;
    case "max":
    case "min":
      if (type === "bool") return mode === "max" ? `(${a} || ${b})` : `(${a} && ${b})`;
      if (type === "i32") return `${mode}(${a}, ${b})`;
      return `nan_${mode}(${a}, ${b})`;
  }
}

const NAN_MINMAX = `fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn nan_max(a: f32, b: f32) -> f32 { if (is_nan(a)) { return a; } if (is_nan(b)) { return b; } return max(a, b); }
fn nan_min(a: f32, b: f32) -> f32 { if (is_nan(a)) { return a; } if (is_nan(b)) { return b; } return min(a, b); }
`;

function keyOf(name: string, xs: readonly Strided[], operands: Operands, more: string): string {
  return `${name} ${xs.map((x) => x.dtype.name + operands.slot(x)).join(" ")} ${xs[0].shape.length} ${more}`;
}

/** Begins a check of indices; returns the slot of its reports and the parameter of its word. */
function faultSlot(gpu: Gpu, operands: Operands, op: string): readonly [number, number] {
  const [reports, word] = gpu.checks.beginIndex(op);
  const id = operands.push(word);
  return [operands.slotOf(reports), id];
}

/** Reports `error` where an element of dense `bad` is true; returns what makes a tensor depend on that. */
export const failWhere: KernelOf<Gpu, "failWhere"> = (gpu, bad, error) => {
  const count = numelOf(bad.shape);
  const [reports, word] = gpu.checks.begin(`${error.name} ${error.message}`, () => error);
  const operands = new Operands([count, bad.offset, word]);
  operands.blocks.push(reports);
  const slot = operands.slot(bad);
  if (count > 0) {
    gpu.dispatch(
      "failWhere",
      () =>
        `${prelude(2)}${MAIN_1D}  if (${load(slot, bad.dtype, "p(1u) + i")}) { ${reportFault(0, 2, "0u", "0u")} }
}`,
      operands.blocks,
      operands.parameters,
      groups1d(count),
    );
  }
  const { doubt } = reports;
  return (spoilt) => addDoubt(spoilt, doubt);
};

/** `out[i][j] = x[i][index[i][j]]` along `dim`. */
export const gather: KernelOf<Gpu, "gather"> = (gpu, op, x, dim, index, out) => {
  const count = numelOf(out.shape);
  if (count === 0) return;
  for (const t of [x, out]) checkDtype(op, t.dtype);
  const operands = new Operands([count]);
  const sizes = operands.push(...out.shape);
  const size = operands.push(x.shape[dim]);
  const places = ([x, index, out] as const).map((t) => operands.push(t.offset, ...t.strides));
  const slots = [x, index, out].map((t) => operands.slot(t));
  const [fault, id] = faultSlot(gpu, operands, op);
  const rank = out.shape.length;
  const key = keyOf("gather", [out, x, index], operands, `${dim}`);
  gpu.dispatch(
    key,
    () => {
      const along = `c_i_${dim}`;
      return `${prelude(operands.blocks.length)}${MAIN_1D}
  var ox = p(${places[0]}u); var oi = p(${places[1]}u); var oo = p(${places[2]}u);
${offsets("i", [sizes, rank], [["ox", places[0]], ["oi", places[1]], ["oo", places[2]]])}
  var ix = bitcast<i32>(b${slots[1]}[oi]);
${checkedIndex(fault, id, false, `p(${size}u)`).replace("ON_FAULT", "return;")}
  ox = ox - ${rank > 0 ? along : "0u"} * p(${places[0] + 1 + dim}u) + u32(ix) * p(${places[0] + 1 + dim}u);
  b${slots[2]}[oo] = b${slots[0]}[ox];
}`;
    },
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
};

/** `out[i][index[i][j]] (mode)= src[i][j]` along `dim`. */
export const scatter: KernelOf<Gpu, "scatter"> = (gpu, op, out, dim, index, src, mode) => {
  if (numelOf(index.shape) === 0) return;
  for (const t of [out, src]) checkDtype(op, t.dtype);
  const lines = index.shape.map((s, d) => d === dim ? 1 : s);
  const count = numelOf(lines);
  const operands = new Operands([count]);
  const sizes = operands.push(...lines);
  const range = operands.push(0, 0), size = operands.push(out.shape[dim] ?? 1);
  const places = [out, index, src].map((t) => operands.push(t.offset, ...t.strides));
  const slots = [out, index, src].map((t) => operands.slot(t));
  const [fault, id] = faultSlot(gpu, operands, op);
  const rank = lines.length;
  const type = wgslType(out.dtype);
  const key = keyOf("scatter", [out, index, src], operands, `${dim} ${mode}`);
  const launch = () =>
    gpu.dispatch(
      key,
      () =>
        `${prelude(operands.blocks.length)}${ROUNDING}${NAN_MINMAX}${MAIN_1D}
  var oo = p(${places[0]}u); var oi = p(${places[1]}u); var os = p(${places[2]}u);
${offsets("i", [sizes, rank], [["oo", places[0]], ["oi", places[1]], ["os", places[2]]])}
${
          line(
            range,
            `
  var ix = bitcast<i32>(b${slots[1]}[oi${step(rank, "j", places[1], dim)}]);
${checkedIndex(fault, id, false, `p(${size}u)`).replace("ON_FAULT", "continue;")}
  let at = oo + u32(ix)${rank > 0 ? ` * p(${places[0] + 1 + dim}u)` : ""};
  let v = ${load(slots[2], src.dtype, `os${step(rank, "j", places[2], dim)}`)};
  b${slots[0]}[at] = ${word(out.dtype, combined(mode, type, load(slots[0], out.dtype, "at"), `${type}(v)`))};
`,
          )
        }}`,
      operands.blocks,
      operands.parameters,
      groups1d(count),
    );
  inParts(operands, range, index.shape[dim] ?? 1, launch);
};

function step(rank: number, j: string, place: number, dim: number): string {
  return rank > 0 ? ` + ${j} * p(${place + 1 + dim}u)` : "";
}

/** A loop over `j` between the parameters `range` and `range + 1`. */
function line(range: number, body: string): string {
  return `  for (var j = p(${range}u); j < p(${range + 1}u); j++) {${body}  }
`;
}

/** Calls `run` for parts of `length` updates that a loop may make, in order. */
function inParts(operands: Operands, range: number, length: number, run: () => void): void {
  for (let start = 0; start < length; start += MAX_TRIPS) {
    operands.parameters[range] = start;
    operands.parameters[range + 1] = Math.min(length, start + MAX_TRIPS);
    run();
  }
}

/** Slices of `x` along `dim` chosen by the 1-d `index`. */
export const indexSelect: KernelOf<Gpu, "indexSelect"> = (gpu, op, x, dim, index, out, wrap) => {
  const count = numelOf(out.shape);
  if (count === 0) return;
  checkDtype(op, x.dtype);
  const operands = new Operands([count]);
  const rank = out.shape.length;
  const sizes = operands.push(...out.shape);
  const size = operands.push(x.shape[dim] ?? 1);
  const places = [x, out].map((t) => operands.push(t.offset, ...t.strides));
  const [first, stride] = [operands.push(index.offset), operands.push(index.strides[0] ?? 0)];
  const slots = [x, out, index].map((t) => operands.slot(t));
  const [fault, id] = faultSlot(gpu, operands, op);
  const key = keyOf("indexSelect", [out, x, index], operands, `${dim} ${wrap}`);
  gpu.dispatch(
    key,
    () => {
      const along = rank > 0 ? `c_i_${dim}` : "0u";
      const by = rank > 0 ? `p(${places[0] + 1 + dim}u)` : "0u";
      return `${prelude(operands.blocks.length)}${MAIN_1D}
  var ox = p(${places[0]}u); var oo = p(${places[1]}u);
${offsets("i", [sizes, rank], [["ox", places[0]], ["oo", places[1]]])}
  var ix = bitcast<i32>(b${slots[2]}[p(${first}u) + ${along} * p(${stride}u)]);
${checkedIndex(fault, id, wrap, `p(${size}u)`).replace("ON_FAULT", "return;")}
  b${slots[1]}[oo] = b${slots[0]}[ox - ${along} * ${by} + u32(ix) * ${by}];
}`;
    },
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
};

/** `out` along `dim` at `index[j]` (mode)= slice j of `src`. */
export const indexPut: KernelOf<Gpu, "indexPut"> = (gpu, op, out, dim, index, src, mode, wrap) => {
  const lines = out.shape.map((s, d) => d === dim ? 1 : s);
  const count = numelOf(lines);
  const entries = numelOf(index.shape);
  if (count === 0 || entries === 0) return;
  for (const t of [out, src]) checkDtype(op, t.dtype);
  const operands = new Operands([count]);
  const rank = lines.length;
  const sizes = operands.push(...lines);
  const range = operands.push(0, 0), size = operands.push(out.shape[dim] ?? 1);
  const places = [out, src].map((t) => operands.push(t.offset, ...t.strides));
  const [first, stride] = [operands.push(index.offset), operands.push(index.strides[0] ?? 0)];
  const slots = [out, src, index].map((t) => operands.slot(t));
  const [fault, id] = faultSlot(gpu, operands, op);
  const type = wgslType(out.dtype);
  const key = keyOf("indexPut", [out, src, index], operands, `${dim} ${mode} ${wrap}`);
  const launch = () =>
    gpu.dispatch(
      key,
      () =>
        `${prelude(operands.blocks.length)}${ROUNDING}${NAN_MINMAX}${MAIN_1D}
  var oo = p(${places[0]}u); var os = p(${places[1]}u);
${offsets("i", [sizes, rank], [["oo", places[0]], ["os", places[1]]])}
${
          line(
            range,
            `
  var ix = bitcast<i32>(b${slots[2]}[p(${first}u) + j * p(${stride}u)]);
${checkedIndex(fault, id, wrap, `p(${size}u)`).replace("ON_FAULT", "continue;")}
  let at = oo + u32(ix)${rank > 0 ? ` * p(${places[0] + 1 + dim}u)` : ""};
  let v = ${load(slots[1], src.dtype, `os${step(rank, "j", places[1], dim)}`)};
  b${slots[0]}[at] = ${word(out.dtype, combined(mode, type, load(slots[0], out.dtype, "at"), `${type}(v)`))};
`,
          )
        }}`,
      operands.blocks,
      operands.parameters,
      groups1d(count),
    );
  inParts(operands, range, entries, launch);
};
