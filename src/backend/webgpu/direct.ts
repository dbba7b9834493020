/**
 * Convolutions for adapters that run on the CPU, as products in registers.
 *
 * With its border of zeros written out (and zeros between the elements where that is wanted), the address of what a tap
 * reads is a sum of one part that depends on the output position and one that depends on channel and tap. So all three
 * convolutions are one kernel: `out[m][n] = Σ over k of a[m][k] · b[k][n]`, where the parts along `k` come from a small
 * table and those along `n` are computed once per thread. See `registers.ts` for why nothing is in workgroup memory.
 *
 * @module
 */

import { contiguousStrides, numelOf } from "../../base/shape.ts";
import type { ConvGeometry, Strided } from "../backend.ts";
import type { Gpu, GpuBlock } from "./gpu.ts";
import { gridGroup, groups1d, MAIN_1D, MAX_TRIPS, prelude } from "./kernel_text.ts";
import { checkDtype, isPlain, load, offsets, Operands, sumType } from "./operands.ts";
import { LANES, tileRows } from "./registers.ts";
import { tableOf } from "./tables.ts";
import { inFullWidth } from "./wide.ts";

/** A tensor `[N, C, …]` with dense planes. */
interface Planes {
  readonly block: GpuBlock;
  readonly offset: number;
  readonly channels: number;
  readonly sizes: readonly number[];
}

function planesOf(x: Strided): Planes {
  return { block: x.storage.block as GpuBlock, offset: x.offset, channels: x.shape[1], sizes: x.shape.slice(2) };
}

/**
 * A copy of `x` in planes of `sizes`, element `i` of a dimension being at `front + i · step` and all else zero; `x` itself
 * where that is the same.
 */
function spread(
  gpu: Gpu,
  x: Strided,
  sizes: readonly number[],
  front: readonly number[],
  step: readonly number[],
  copies: GpuBlock[],
): Planes {
  const own = planesOf(x);
  if (front.every((f, d) => f === 0 && step[d] === 1 && sizes[d] === own.sizes[d])) return own;
  const rank = sizes.length, planes = x.shape[0] * x.shape[1], count = planes * numelOf(sizes);
  const block = gpu.alloc(count * 4);
  copies.push(block);
  const operands = new Operands([count, x.offset]);
  const to = operands.push(...sizes), from = operands.push(...own.sizes);
  const fronts = operands.push(...front), steps = operands.push(...step);
  operands.blocks.push(own.block, block);
  gpu.dispatch(
    `conv spread ${rank}`,
    () => {
      let text = "", at = "rest";
      for (let d = rank - 1; d >= 0; d--) {
        text += `  let c${d} = i32(rest % p(${to + d}u)) - bitcast<i32>(p(${fronts + d}u)); rest /= p(${to + d}u);
  let i${d} = u32(max(c${d}, 0)) / p(${steps + d}u);
  inside = inside && c${d} >= 0 && i${d} * p(${steps + d}u) == u32(c${d}) && i${d} < p(${from + d}u);
`;
      }
      for (let d = 0; d < rank; d++) at = `(${at}) * p(${from + d}u) + i${d}`;
      return `${prelude(2)}${MAIN_1D}  var rest = i;
  var inside = true;
${text}  let at = p(1u) + ${at};
  b1[i] = select(0u, b0[select(0u, at, inside)], inside);
}`;
    },
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
  return { block, offset: 0, channels: own.channels, sizes };
}

/** The product that a convolution is; all numbers in elements. */
interface Product {
  readonly name: string;
  /** Rows of the output per group, and groups. */
  readonly rows: number;
  readonly groups: number;
  readonly left: { readonly block: GpuBlock; readonly offset: number; readonly row: number; readonly group: number };
  readonly right: { readonly block: GpuBlock; readonly offset: number; readonly group: number };
  readonly out: Strided;
  readonly outRow: number;
  readonly outGroup: number;
  readonly bias: Strided | null;
  /** The dimensions that make up a column, and the steps that each takes in the right operand and in the output. */
  readonly columns: { readonly sizes: number[]; readonly right: number[]; readonly out: number[] };
  /** The dimensions that make up the depth, and the steps that each takes in both operands. */
  readonly depth: { readonly sizes: number[]; readonly left: number[]; readonly right: number[] };
  /** Whether the last dimension of the depth is a loop of its own rather than part of the table. */
  readonly inner: boolean;
}

/** The table of a product's depth: pairs of offsets in the left and the right operand. */
function depthTable({ depth, inner }: Product): number[] {
  const dims = depth.sizes.length - (inner ? 1 : 0);
  let pairs: [number, number][] = [[0, 0]];
  for (let d = 0; d < dims; d++) {
    const next: [number, number][] = [];
    for (const [left, right] of pairs) {
      for (let i = 0; i < depth.sizes[d]; i++) next.push([left + i * depth.left[d], right + i * depth.right[d]]);
    }
    pairs = next;
  }
  return pairs.flat();
}

const enum P {
  Rows,
  Columns,
  Start,
  End,
  LeftOffset,
  LeftRow,
  LeftGroup,
  RightOffset,
  RightGroup,
  OutOffset,
  OutRow,
  OutGroup,
  BiasOffset,
  InnerSize,
  InnerLeft,
  InnerRight,
  /** The number of the first workgroup in three dimensions. */
  Group,
  /** Sizes of the column dimensions, then the right operand's steps, then the output's. */
  Column = 19,
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function code(
  product: Product,
  slots: readonly number[],
  height: number,
  width: number,
  adds: boolean,
): string {
  const { out, inner, bias, columns } = product;
  const type = sumType(out.dtype), rank = columns.sizes.length;
  const [left, right, table, to] = slots;
  const pairs = range(height).flatMap((r) => range(width).map((x) => [r, x]));
  const element = (slot: number, at: string) => `${type}(${load(slot, out.dtype, at)})`;
  const at = ["right", "out"].map((name, k) => [name, P.Column + rank * (1 + k)] as const);
  const column = (x: number) => {
    const i = `n${x}`;
    return `  let ${i} = column + ${x * LANES}u;\n${
      at.map(([name]) =>
        `  var ${name}_${x} = p(${name === "right" ? P.RightOffset : P.OutOffset}u) + group.z * p(${
          name === "right" ? P.RightGroup : P.OutGroup
        }u);\n`
      ).join("")
    }${offsets(i, [P.Column, rank], at.map(([name, first]) => [`${name}_${x}`, first] as const), 0)}`;
  };
  const step = `${range(width).map((x) => `    let r${x} = ${element(right, `kr + right_${x}`)};\n`).join("")}${
    range(height).map((r) =>
      `    let l${r} = ${element(left, `kl + ${r}u * p(${P.LeftRow}u)`)};\n${
        range(width).map((x) => `    acc_${r}_${x} += l${r} * r${x};\n`).join("")
      }`
    ).join("")
  }`;
  const value = (r: number, x: number) =>
    bias
      ? `acc_${r}_${x} + ${element(slots[4], `p(${P.BiasOffset}u) + group.z * p(${P.Rows}u) + row + ${r}u`)}`
      : `acc_${r}_${x}`;
  const stores = pairs.map(([r, x]) => {
    const at = `out_${x} + (row + ${r}u) * p(${P.OutRow}u)`;
    const sum = adds ? `acc_${r}_${x} + ${element(to, at)}` : value(r, x);
    return `  if (row + ${r}u < p(${P.Rows}u) && n${x} < p(${P.Columns}u)) { b${to}[${at}] = bitcast<u32>(${sum}); }\n`;
  }).join("");
  return `${prelude(Math.max(...slots) + 1)}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
${gridGroup(P.Group)}  let row = group.y * ${height}u;
  let column = group.x * ${width * LANES}u + lane;
  let left = p(${P.LeftOffset}u) + group.z * p(${P.LeftGroup}u) + row * p(${P.LeftRow}u);
${range(width).map(column).join("")}${pairs.map(([r, x]) => `  var acc_${r}_${x}: ${type};\n`).join("")}
  for (var k = p(${P.Start}u); k < p(${P.End}u); k++) {
    var kl = left + b${table}[2u * k];
    var kr = b${table}[2u * k + 1u];
${
    inner
      ? `    for (var j = 0u; j < p(${P.InnerSize}u); j++) {\n${step}    kl += p(${P.InnerLeft}u); kr += p(${P.InnerRight}u);\n    }\n`
      : step
  }  }
${stores}}`;
}

function run(gpu: Gpu, product: Product): void {
  if (!isPlain(product.out.dtype)) {
    return inFullWidth(gpu, product.out, false, (out) => run(gpu, { ...product, out }));
  }
  const { rows, groups, left, right, out, columns, depth, inner, bias } = product;
  const count = numelOf(columns.sizes), last = depth.sizes.length - 1;
  const work = rows * count * numelOf(depth.sizes) * groups;
  const height = tileRows(rows, work), width = height > 16 || work < 2 ** 24 ? 4 : 8;
  const key = [product.name, inner, ...depth.sizes, ...depth.left, ...depth.right].join();
  const table = tableOf(gpu, key, () => depthTable(product));
  const operands = new Operands([rows, count, 0, 0, left.offset, left.row, left.group, right.offset, right.group]);
  operands.push(out.offset, product.outRow, product.outGroup, bias?.offset ?? 0);
  operands.push(inner ? depth.sizes[last] : 1, depth.left[last], depth.right[last]);
  operands.push(0, 0, 0, ...columns.sizes, ...columns.right, ...columns.out);
  const blocks = [left.block, right.block, table, out.storage.block as GpuBlock];
  if (bias) blocks.push(bias.storage.block as GpuBlock);
  const slots = blocks.map((b) => operands.slotOf(b));
  const { parameters } = operands;
  const trips = numelOf(inner ? depth.sizes.slice(0, -1) : depth.sizes);
  const text = `${product.name} direct ${columns.sizes.length} ${inner} ${height} ${width} ${
    bias !== null
  } ${out.dtype.name} ${slots.join("")}`;
  const most = Math.floor(MAX_TRIPS / (inner ? depth.sizes[last] + 1 : 1));
  for (let start = 0; start === 0 || start < trips; start += most) {
    parameters[P.Start] = start;
    parameters[P.End] = Math.min(trips, start + most);
    gpu.dispatchGrid(
      `${text} ${start > 0}`,
      () => code(product, slots, height, width, start > 0),
      operands.blocks,
      parameters,
      P.Group,
      [
        Math.ceil(count / (width * LANES)),
        Math.ceil(rows / height),
        groups,
      ],
    );
  }
}

/** Steps of the taps in planes of `sizes`. */
function tapSteps(sizes: readonly number[], dilation: readonly number[]): number[] {
  return contiguousStrides(sizes).map((s, d) => s * dilation[d]);
}

/** `out = conv(x, weight) + bias`. */
export function directConv(
  gpu: Gpu,
  x: Strided,
  weight: Strided,
  bias: Strided | null,
  out: Strided,
  { stride, padding, dilation, groups }: ConvGeometry,
): void {
  for (const t of [x, weight, out]) checkDtype("conv", t.dtype);
  const copies: GpuBlock[] = [];
  const taps = weight.shape.slice(2), positions = out.shape.slice(2), [total, channels] = weight.shape;
  const input = spread(gpu, x, x.shape.slice(2).map((s, d) => s + 2 * padding[d]), padding, taps.map(() => 1), copies);
  const plane = numelOf(input.sizes), steps = contiguousStrides(input.sizes), place = numelOf(positions);
  const depth = channels * numelOf(taps);
  run(gpu, {
    name: "conv",
    rows: total / groups,
    groups,
    left: {
      block: weight.storage.block as GpuBlock,
      offset: weight.offset,
      row: depth,
      group: total / groups * depth,
    },
    right: { block: input.block, offset: input.offset, group: channels * plane },
    out,
    outRow: place,
    outGroup: total / groups * place,
    bias,
    columns: {
      sizes: [x.shape[0], ...positions],
      right: [input.channels * plane, ...steps.map((s, d) => s * stride[d])],
      out: [total * place, ...contiguousStrides(positions)],
    },
    depth: {
      sizes: [channels, ...taps],
      left: [numelOf(taps), ...contiguousStrides(taps)],
      right: [plane, ...tapSteps(input.sizes, dilation)],
    },
    inner: false,
  });
  for (const block of copies) gpu.free(block);
}

/** The gradient of a convolution by its input: a convolution of the spread gradient with the taps in reverse. */
export function directGradInput(
  gpu: Gpu,
  grad: Strided,
  weight: Strided,
  out: Strided,
  { stride, padding, dilation, groups }: ConvGeometry,
): void {
  for (const t of [grad, weight, out]) checkDtype("conv", t.dtype);
  const copies: GpuBlock[] = [];
  const taps = weight.shape.slice(2), positions = out.shape.slice(2), [total, channels] = weight.shape;
  const reach = taps.map((k, d) => (k - 1) * dilation[d]);
  const sizes = positions.map((s, d) => s + reach[d]);
  const spreadGrad = spread(gpu, grad, sizes, reach.map((r, d) => r - padding[d]), stride, copies);
  const plane = numelOf(sizes), place = numelOf(positions), outputs = total / groups, tapCount = numelOf(taps);
  const back = tapSteps(sizes, dilation).map((s) => -s);
  run(gpu, {
    name: "convGradInput",
    rows: channels,
    groups,
    left: {
      block: weight.storage.block as GpuBlock,
      offset: weight.offset,
      row: tapCount,
      group: outputs * channels * tapCount,
    },
    // The first tap meets the gradient furthest behind.
    right: {
      block: spreadGrad.block,
      offset: spreadGrad.offset + taps.reduce((sum, k, d) => sum - (k - 1) * back[d], 0),
      group: outputs * plane,
    },
    out,
    outRow: place,
    outGroup: channels * place,
    bias: null,
    columns: {
      sizes: [out.shape[0], ...positions],
      right: [total * plane, ...contiguousStrides(sizes)],
      out: [groups * channels * place, ...contiguousStrides(positions)],
    },
    depth: {
      sizes: [outputs, ...taps],
      left: [channels * tapCount, ...contiguousStrides(taps)],
      right: [plane, ...back],
    },
    inner: false,
  });
  for (const block of copies) gpu.free(block);
}

/** The gradient of a convolution by its weight: for each tap, the product of gradient and input over all positions. */
export function directGradWeight(
  gpu: Gpu,
  grad: Strided,
  x: Strided,
  out: Strided,
  { stride, padding, dilation, groups }: ConvGeometry,
): void {
  for (const t of [grad, x, out]) checkDtype("conv", t.dtype);
  const copies: GpuBlock[] = [];
  const taps = out.shape.slice(2), positions = grad.shape.slice(2), [total, channels] = out.shape;
  const input = spread(gpu, x, x.shape.slice(2).map((s, d) => s + 2 * padding[d]), padding, taps.map(() => 1), copies);
  const plane = numelOf(input.sizes), steps = contiguousStrides(input.sizes), place = numelOf(positions);
  const depth = channels * numelOf(taps);
  run(gpu, {
    name: "convGradWeight",
    rows: total / groups,
    groups,
    left: {
      block: grad.storage.block as GpuBlock,
      offset: grad.offset,
      row: place,
      group: total / groups * place,
    },
    right: { block: input.block, offset: input.offset, group: channels * plane },
    out,
    outRow: depth,
    outGroup: total / groups * depth,
    bias: null,
    columns: {
      sizes: [channels, ...taps],
      right: [plane, ...tapSteps(input.sizes, dilation)],
      out: [numelOf(taps), ...contiguousStrides(taps)],
    },
    depth: {
      sizes: [x.shape[0], ...positions],
      left: [total * place, ...contiguousStrides(positions)],
      right: [input.channels * plane, ...steps.map((s, d) => s * stride[d])],
    },
    inner: true,
  });
  for (const block of copies) gpu.free(block);
}
