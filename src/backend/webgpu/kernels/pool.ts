/**
 * Pooling on the GPU over windows given by tables.
 *
 * The tables (first and last input of each window) are small buffers, made once per geometry.
 *
 * @module
 */

import { DeviceError } from "../../../base/errors.ts";
import { numelOf } from "../../../base/shape.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu } from "../device/gpu.ts";
import { groups1d, MAIN_1D, MAX_TRIPS, prelude } from "../text/kernel_text.ts";
import { checkDtype, load, Operands, ROUNDING, word } from "../text/operands.ts";
import { tableOf } from "../device/tables.ts";

/** Where a kernel finds sizes and tables: parameter numbers and the tables' slot. */
class Layout {
  readonly operands: Operands;
  readonly rank: number;
  readonly input: number;
  readonly output: number;
  readonly dilation: number;
  readonly first: number[] = [];
  readonly last: number[] = [];

  constructor(count: number, x: readonly number[], y: readonly number[], dilation: readonly number[]) {
    this.operands = new Operands([count]);
    this.rank = dilation.length;
    this.input = this.operands.push(...x.slice(x.length - this.rank));
    this.output = this.operands.push(...y.slice(y.length - this.rank));
    this.dilation = this.operands.push(...dilation);
  }

  /** Adds the table of two lists per dimension; returns its slot. */
  table(gpu: Gpu, starts: readonly (readonly number[])[], ends: readonly (readonly number[])[]): number {
    const words: number[] = [];
    for (let d = 0; d < this.rank; d++) {
      this.first.push(this.operands.push(words.length));
      words.push(...starts[d]);
      this.last.push(this.operands.push(words.length));
      words.push(...ends[d]);
    }
    return this.operands.blocks.push(tableOf(gpu, words.join(), () => words)) - 1;
  }

  split(index: string, name: string, sizes: number): string {
    let text = `  var ${name} = ${index};\n`;
    for (let d = this.rank - 1; d >= 0; d--) {
      text += `  let ${name}${d} = ${name} % p(${sizes + d}u); ${name} /= p(${sizes + d}u);\n`;
    }
    return text;
  }

  join(plane: string, name: string, sizes: number): string {
    let text = plane;
    for (let d = 0; d < this.rank; d++) text = `(${text}) * p(${sizes + d}u) + ${name}${d}`;
    return text;
  }

  /** Nested loops over the taps `i0`, `i1`, … of window `o0`, … that lie in the input, around `body`. */
  taps(slot: number, body: string): string {
    let text = "";
    for (let d = 0; d < this.rank; d++) {
      const at = (list: number[]) => `bitcast<i32>(b${slot}[p(${list[d]}u) + o${d}])`;
      text += `  for (var s${d} = ${at(this.first)}; s${d} < ${at(this.last)}; s${d} += i32(p(${this.dilation + d}u))) {
  if (s${d} < 0 || s${d} >= i32(p(${this.input + d}u))) { continue; }
  let i${d} = u32(s${d});
`;
    }
    return text + body + "  }\n".repeat(this.rank);
  }
}

function place(layout: Layout, x: Strided): readonly [number, number] {
  checkDtype("pool", x.dtype);
  return [layout.operands.slot(x), layout.operands.push(x.offset)];
}

/** Refuses ranges that a software adapter's loops would not get through. */
function checkTrips(
  gpu: Gpu,
  op: string,
  starts: readonly (readonly number[])[],
  ends: readonly (readonly number[])[],
): void {
  if (!gpu.software) return;
  const largest = starts.map((s, d) => s.reduce((most, start, o) => Math.max(most, ends[d][o] - start), 0));
  let trips = 0;
  for (const size of largest.toReversed()) trips = size * (1 + trips);
  if (trips <= MAX_TRIPS) return;
  throw new DeviceError(
    `${op}(): windows of ${
      largest.join(" x ")
    } are too large for the software adapter ${gpu.name}, whose loops end after ` +
      `${MAX_TRIPS} turns; reduce over whole dimensions instead (mean, amax), or await x.cpu()`,
  );
}

/** The largest value of each window, and its position in the plane. */
export const maxPool: KernelOf<Gpu, "maxPool"> = (gpu, x, windows, out, indices) => {
  const count = numelOf(out.shape);
  if (count === 0) return;
  checkTrips(gpu, "pool", windows.starts, windows.ends);
  const layout = new Layout(count, x.shape, out.shape, windows.dilation);
  const [[sx, ax], [so, ao], [si, ai]] = [x, out, indices].map((t) => place(layout, t));
  const table = layout.table(gpu, windows.starts, windows.ends);
  const type = x.dtype.kind === "floating" ? "f32" : "i32";
  const greater = type === "f32" ? "(v > best || is_nan(v)) && !is_nan(best)" : "v > best";
  const key = `maxPool${layout.rank} ${x.dtype.name} ${sx}${so}${si}`;
  gpu.dispatch(
    key,
    () =>
      `${prelude(layout.operands.blocks.length)}${ROUNDING}
fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
${MAIN_1D}${layout.split("i", "o", layout.output)}
  var found = false;
  var best: ${type};
  var at = 0u;
${
        layout.taps(
          table,
          `  let here = ${layout.join("0u", "i", layout.input)};
  let v = ${load(sx, x.dtype, `p(${ax}u) + ${layout.join("o", "i", layout.input)}`)};
  if (!found || (${greater})) { best = v; at = here; found = true; }
`,
        )
      }
  b${so}[p(${ao}u) + i] = ${word(out.dtype, "best")};
  b${si}[p(${ai}u) + i] = at;
}`,
    layout.operands.blocks,
    layout.operands.parameters,
    groups1d(count),
  );
};

/** The sum of each window times the scale of its output position. */
export const avgPool: KernelOf<Gpu, "avgPool"> = (gpu, x, windows, scale, out) => {
  const count = numelOf(out.shape);
  if (count === 0) return;
  checkTrips(gpu, "pool", windows.starts, windows.ends);
  const layout = new Layout(count, x.shape, out.shape, windows.dilation);
  const [[sx, ax], [ss, as], [so, ao]] = [x, scale, out].map((t) => place(layout, t));
  const table = layout.table(gpu, windows.starts, windows.ends);
  gpu.dispatch(
    `avgPool${layout.rank} ${x.dtype.name} ${out.dtype.name} ${sx}${ss}${so}`,
    () =>
      `${prelude(layout.operands.blocks.length)}${ROUNDING}${MAIN_1D}${layout.split("i", "o", layout.output)}
  var sum = 0.0;
${layout.taps(table, `  sum += f32(${load(sx, x.dtype, `p(${ax}u) + ${layout.join("o", "i", layout.input)}`)});\n`)}
  let r = sum * ${load(ss, scale.dtype, `p(${as}u) + ${layout.join("0u", "o", layout.output)}`)};
  b${so}[p(${ao}u) + i] = ${word(out.dtype, out.dtype.kind === "floating" ? "r" : "i32(r)")};
}`,
    layout.operands.blocks,
    layout.operands.parameters,
    groups1d(count),
  );
};

/** For each input position of one dimension, the first window that holds it and one past the last. */
function inverse(starts: readonly number[], ends: readonly number[], size: number): [number[], number[]] {
  const first = new Array<number>(size).fill(0), last = new Array<number>(size).fill(0);
  for (let i = 0; i < size; i++) {
    let low = starts.length, high = 0;
    for (let o = 0; o < starts.length; o++) {
      if (starts[o] <= i && i < ends[o]) {
        low = Math.min(low, o);
        high = Math.max(high, o + 1);
      }
    }
    first[i] = Math.min(low, high);
    last[i] = high;
  }
  return [first, last];
}

/** The gradient of {@linkcode avgPool} by its input: each position sums over the windows that hold it. */
export const avgPoolGrad: KernelOf<Gpu, "avgPoolGrad"> = (gpu, grad, windows, scale, out) => {
  const count = numelOf(out.shape);
  if (count === 0) return;
  const layout = new Layout(count, out.shape, grad.shape, windows.dilation);
  const { rank } = layout;
  const [[sg, ag], [ss, as], [so, ao]] = [grad, scale, out].map((t) => place(layout, t));
  const ranges = windows.starts.map((s, d) => inverse(s, windows.ends[d], out.shape[out.shape.length - rank + d]));
  checkTrips(gpu, "pool", ranges.map((r) => r[0]), ranges.map((r) => r[1]));
  const table = layout.table(gpu, ranges.map((r) => r[0]), ranges.map((r) => r[1]));
  let loops = "";
  for (let d = 0; d < rank; d++) {
    const at = (list: number[]) => `b${table}[p(${list[d]}u) + i${d}]`;
    loops += `  for (var o${d} = ${at(layout.first)}; o${d} < ${at(layout.last)}; o${d}++) {\n`;
  }
  gpu.dispatch(
    `avgPoolGrad${rank} ${grad.dtype.name} ${out.dtype.name} ${sg}${ss}${so}`,
    () =>
      `${prelude(layout.operands.blocks.length)}${ROUNDING}${
        MAIN_1D.replaceAll("let i =", "let e =").replace("(i >=", "(e >=")
      }${layout.split("e", "i", layout.input)}
  var sum = 0.0;
${loops}  sum += ${load(sg, grad.dtype, `p(${ag}u) + ${layout.join("i", "o", layout.output)}`)} * ${
        load(ss, scale.dtype, `p(${as}u) + ${layout.join("0u", "o", layout.output)}`)
      };
${"  }\n".repeat(rank)}
  b${so}[p(${ao}u) + e] = ${word(out.dtype, "sum")};
}`,
    layout.operands.blocks,
    layout.operands.parameters,
    groups1d(count),
  );
};
