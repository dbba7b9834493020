/**
 * Convolutions on the GPU as implicit matrix products: the loaders of `implicit.ts`'s tile kernel find each tap themselves, so
 * nothing is unfolded.
 *
 * Rows, columns and depth of the three products, per group of channels:
 * forward: output channels × (batch, output position), over (input channel, tap);
 * by the input: input channels × (batch, input position), over (output channel, tap);
 * by the weight: output channels × (input channel, tap), over (batch, output position).
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { ConvGeometry, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu } from "../device/gpu.ts";
import { IMPLICIT_PARAMETERS, runImplicit } from "./implicit.ts";
import { checkDtype, load, Operands, sumType, word } from "../text/operands.ts";

/** Where a convolution's numbers are among the parameters. */
class Layout {
  readonly operands = new Operands(new Array(IMPLICIT_PARAMETERS).fill(0));
  readonly rank: number;
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  /** Input and output channels per group, and groups. */
  readonly channels: number;

  /** Lays out the geometry of an input of `x` channels first, an output `y` and a weight of shape `w`. */
  constructor(x: readonly number[], y: readonly number[], w: readonly number[], g: ConvGeometry) {
    const { operands } = this;
    this.rank = x.length - 2;
    this.input = operands.push(...x.slice(2));
    this.output = operands.push(...y.slice(2));
    this.kernel = operands.push(...w.slice(2));
    this.stride = operands.push(...g.stride);
    this.padding = operands.push(...g.padding);
    this.dilation = operands.push(...g.dilation);
    this.channels = operands.push(w[1], w[0] / g.groups, g.groups);
  }

  get inChannels(): string {
    return `p(${this.channels}u)`;
  }
  get outChannels(): string {
    return `p(${this.channels + 1}u)`;
  }

  /** Statements that split `index` into coordinates `name0`, `name1`, … of the sizes at parameter `sizes`, leaving the rest in `name`. */
  split(index: string, name: string, sizes: number): string {
    let text = `  var ${name} = ${index};\n`;
    for (let d = this.rank - 1; d >= 0; d--) {
      text += `  let ${name}${d} = ${name} % p(${sizes + d}u); ${name} /= p(${sizes + d}u);\n`;
    }
    return text;
  }

  /** The row-major position of coordinates `name0`, … in the sizes at `sizes`, behind the plane `plane`. */
  join(plane: string, name: string, sizes: number): string {
    let text = plane;
    for (let d = 0; d < this.rank; d++) text = `(${text}) * p(${sizes + d}u) + ${name}${d}`;
    return text;
  }

  /** Statements that give the input coordinates `i0`, … of output position `o0`, … and tap `t0`, …, or return zero. */
  inputOf(zero: string): string {
    let text = "";
    for (let d = 0; d < this.rank; d++) {
      text += `  let s${d} = i32(o${d} * p(${this.stride + d}u) + t${d} * p(${this.dilation + d}u)) - i32(p(${
        this.padding + d
      }u));
  if (s${d} < 0 || s${d} >= i32(p(${this.input + d}u))) { return ${zero}; }
  let i${d} = u32(s${d});
`;
    }
    return text;
  }

  /** Statements that give the output position `o0`, … that input position `i0`, … meets at tap `t0`, …, or return zero. */
  outputOf(zero: string): string {
    let text = "";
    for (let d = 0; d < this.rank; d++) {
      text += `  let s${d} = i32(i${d} + p(${this.padding + d}u)) - i32(t${d} * p(${this.dilation + d}u));
  if (s${d} < 0 || s${d} % i32(p(${this.stride + d}u)) != 0) { return ${zero}; }
  let o${d} = u32(s${d}) / p(${this.stride + d}u);
  if (o${d} >= p(${this.output + d}u)) { return ${zero}; }
`;
    }
    return text;
  }
}

/** A dense operand: its slot, dtype and the parameter that holds its offset. */
interface Place {
  readonly slot: number;
  readonly at: number;
  readonly x: Strided;
}

function place(layout: Layout, x: Strided): Place {
  checkDtype("conv", x.dtype);
  return { slot: layout.operands.slot(x), at: layout.operands.push(x.offset), x };
}

function read(v: Place, index: string, type: string): string {
  return `${type}(${load(v.slot, v.x.dtype, `p(${v.at}u) + ${index}`)})`;
}

function store(v: Place, index: string, extra = ""): string {
  return `  let at = p(${v.at}u) + ${index};
  let r = v${extra};
  b${v.slot}[at] = ${word(v.x.dtype, "r")};
`;
}

function keyOf(name: string, layout: Layout, places: readonly (Place | null)[]): string {
  return `${name}${layout.rank} ${places.map((v) => v === null ? "-" : v.x.dtype.name + v.slot).join(" ")}`;
}

/** `out = conv(x, weight) + bias`. */
export const conv: KernelOf<Gpu, "conv"> = (gpu, x, weight, bias, out, geometry) => {
  if (numelOf(out.shape) === 0) return;
  const layout = new Layout(x.shape, out.shape, weight.shape, geometry);
  const type = sumType(out.dtype);
  const [vx, vw, vo] = [x, weight, out].map((t) => place(layout, t));
  const vb = bias && place(layout, bias);
  const taps = numelOf(weight.shape.slice(2));
  const zero = type === "f32" ? "0.0" : "0";
  const channel = `batch * ${layout.outChannels} + m`;
  const functions = `
fn left_at(m: u32, k: u32) -> ${type} {
  return ${read(vw, `(${channel}) * (${layout.inChannels} * ${taps}u) + k`, type)};
};
fn right_at(k: u32, n: u32) -> ${type} {
${layout.split("k", "t", layout.kernel)}${layout.split("n", "o", layout.output)}${
    layout.inputOf(zero)
  }  let plane = (o * p(${layout.channels + 2}u) + batch) * ${layout.inChannels} + t;
  return ${read(vx, layout.join("plane", "i", layout.input), type)};
}
fn put(m: u32, n: u32, v: ${type}) {
${layout.split("n", "o", layout.output)}  let plane = (o * p(${
    layout.channels + 2
  }u) + batch) * ${layout.outChannels} + m;
${store(vo, layout.join("plane", "o", layout.output), vb ? ` + ${read(vb, channel, type)}` : "")}}`;
  const key = `${keyOf("conv", layout, [vx, vw, vb, vo])} ${taps}`;
  const rows = weight.shape[0] / geometry.groups;
  const columns = x.shape[0] * numelOf(out.shape.slice(2));
  runImplicit(
    gpu,
    { key, type, functions, depthFirst: [true, false] },
    layout.operands,
    rows,
    columns,
    weight.shape[1] * taps,
    geometry.groups,
  );
};

/** The gradient of {@linkcode conv} by its input. */
export const convGradInput: KernelOf<Gpu, "convGradInput"> = (gpu, grad, weight, out, geometry) => {
  if (numelOf(out.shape) === 0) return;
  const layout = new Layout(out.shape, grad.shape, weight.shape, geometry);
  const type = sumType(out.dtype);
  const [vg, vw, vo] = [grad, weight, out].map((t) => place(layout, t));
  const taps = numelOf(weight.shape.slice(2));
  const zero = type === "f32" ? "0.0" : "0";
  const functions = `
fn left_at(m: u32, k: u32) -> ${type} {
  let tap = k % ${taps}u;
  let o = k / ${taps}u;
  return ${read(vw, `((batch * ${layout.outChannels} + o) * ${layout.inChannels} + m) * ${taps}u + tap`, type)};
};
fn right_at(k: u32, n: u32) -> ${type} {
${layout.split("k", "t", layout.kernel)}${layout.split("n", "i", layout.input)}${
    layout.outputOf(zero)
  }  let plane = (i * p(${layout.channels + 2}u) + batch) * ${layout.outChannels} + t;
  return ${read(vg, layout.join("plane", "o", layout.output), type)};
}
fn put(m: u32, n: u32, v: ${type}) {
${layout.split("n", "i", layout.input)}  let plane = (i * p(${
    layout.channels + 2
  }u) + batch) * ${layout.inChannels} + m;
${store(vo, layout.join("plane", "i", layout.input))}}`;
  const key = `${keyOf("convGradInput", layout, [vg, vw, vo])} ${taps}`;
  const columns = out.shape[0] * numelOf(out.shape.slice(2));
  const depth = weight.shape[0] / geometry.groups * taps;
  runImplicit(
    gpu,
    { key, type, functions, depthFirst: [true, false] },
    layout.operands,
    weight.shape[1],
    columns,
    depth,
    geometry.groups,
  );
};

/** The gradient of {@linkcode conv} by its weight. */
export const convGradWeight: KernelOf<Gpu, "convGradWeight"> = (gpu, grad, x, out, geometry) => {
  if (numelOf(out.shape) === 0) return;
  const layout = new Layout(x.shape, grad.shape, out.shape, geometry);
  const type = sumType(out.dtype);
  const [vg, vx, vo] = [grad, x, out].map((t) => place(layout, t));
  const taps = numelOf(out.shape.slice(2));
  const zero = type === "f32" ? "0.0" : "0";
  const functions = `
fn left_at(m: u32, k: u32) -> ${type} {
${layout.split("k", "o", layout.output)}  let plane = (o * p(${
    layout.channels + 2
  }u) + batch) * ${layout.outChannels} + m;
  return ${read(vg, layout.join("plane", "o", layout.output), type)};
};
fn right_at(k: u32, n: u32) -> ${type} {
${layout.split("n", "t", layout.kernel)}${layout.split("k", "o", layout.output)}${
    layout.inputOf(zero)
  }  let plane = (o * p(${layout.channels + 2}u) + batch) * ${layout.inChannels} + t;
  return ${read(vx, layout.join("plane", "i", layout.input), type)};
}
fn put(m: u32, n: u32, v: ${type}) {
${
    store(
      vo,
      `((batch * ${layout.outChannels} + m) * ${layout.inChannels} + n / ${taps}u) * ${taps}u + n % ${taps}u`,
    )
  }}`;
  const key = `${keyOf("convGradWeight", layout, [vg, vx, vo])} ${taps}`;
  const depth = x.shape[0] * numelOf(grad.shape.slice(2));
  const rows = out.shape[0] / geometry.groups;
  runImplicit(
    gpu,
    { key, type, functions, depthFirst: [true, true] },
    layout.operands,
    rows,
    out.shape[1] * taps,
    depth,
    geometry.groups,
  );
};
