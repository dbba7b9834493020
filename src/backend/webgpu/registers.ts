/**
 * Matrix products for adapters that run on the CPU: a tile in registers, nothing in workgroup memory.
 *
 * A software adapter runs eight threads as the lanes of one vector, has no workgroup memory faster than its cache, and
 * pays for every load that differs between lanes. So a thread computes up to 32 rows × 8 columns: what lanes share (the
 * left operand) is loaded once for all, and each element of the right operand is used 32 times. Operands are read as
 * `vec4`s along whichever dimension is contiguous; what is neither, or is not a multiple of four, is copied first.
 *
 * @module
 */

import { numelOf } from "../../base/shape.ts";
import type { Strided } from "../backend.ts";
import { type Ending, type Finish, finishOf, writesVectors } from "./finish.ts";
import type { Gpu, GpuBlock } from "./gpu.ts";
import { gridGroup, groups1d, MAIN_1D, MAX_TRIPS, prelude } from "./kernel_text.ts";
import { floatWord, isPlain, offsets, Operands, sumType } from "./operands.ts";
import { inFullWidth } from "./wide.ts";

/** Lanes that run in step: threads of a workgroup. */
export const LANES = 8;
/** `vec4`s of columns per thread. */
const WIDE = 2;
/** A transposed right operand of at least this stride is copied where many rows use it: its lines share few cache sets. */
const FAR = 512;

/** A matrix of a product: `[rows, columns]` behind equal batch dimensions. */
interface Matrix {
  readonly block: GpuBlock;
  readonly offset: number;
  readonly row: number;
  readonly column: number;
  /** Strides of the batch dimensions. */
  readonly batch: readonly number[];
}

function matrixOf(x: Strided): Matrix {
  const n = x.shape.length;
  return {
    block: x.storage.block as GpuBlock,
    offset: x.offset,
    row: x.strides[n - 2],
    column: x.strides[n - 1],
    batch: x.strides.slice(0, n - 2).map((s, d) => x.shape[d] === 1 ? 0 : s),
  };
}

/** Rows and columns exchanged. */
function transposed(x: Matrix): Matrix {
  return { ...x, row: x.column, column: x.row };
}

/** Whether vectors along one dimension are aligned: the other strides and the offset are multiples of four. */
function vectors(x: Matrix, along: "row" | "column", size: number): boolean {
  const other = along === "row" ? x.column : x.row;
  return (x[along] === 1 || size === 1) && other % 4 === 0 && x.offset % 4 === 0 && x.batch.every((s) => s % 4 === 0);
}

/** Products of at least this many multiplications are worth the time that the kernel of a large tile takes to compile. */
const LARGE = 2 ** 24;

/** Rows per thread for `rows` rows of a product of `work` multiplications. */
export function tileRows(rows: number, work: number): number {
  for (const r of work >= LARGE ? [32, 16, 8, 4] : [8, 4]) if (rows > r / 2) return r;
  return rows > 1 ? 2 : 1;
}

/** A dense copy with columns padded by zeros to a multiple of four; rows too where `padRows` says so. */
function packed(
  gpu: Gpu,
  x: Matrix,
  batches: readonly number[],
  rows: number,
  columns: number,
  padRows: boolean,
): Matrix {
  const up = (n: number) => Math.ceil(n / 4) * 4;
  const wide = up(columns), high = padRows ? up(rows) : rows;
  // A repeated batch is copied once.
  const sizes = batches.map((s, d) => x.batch[d] === 0 ? 1 : s);
  const count = numelOf(sizes) * high * wide;
  const block = gpu.alloc(count * 4);
  const operands = new Operands([count, rows, columns, high]);
  const dims = operands.push(...sizes, high, wide);
  const at = operands.push(x.offset, ...x.batch, x.row, x.column);
  operands.blocks.push(x.block, block);
  const rank = sizes.length + 2;
  gpu.dispatch(
    `matmul pack ${rank}`,
    () =>
      `${prelude(2)}${MAIN_1D}  var o = p(${at}u);
${offsets("i", [dims, rank], [["o", at]])}
  let inside = c_i_${rank - 2} < p(1u) && c_i_${rank - 1} < p(2u);
  b1[i] = select(0u, b0[select(0u, o, inside)], inside);
}`,
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
  const batch: number[] = new Array(sizes.length);
  let step = high * wide;
  for (let d = sizes.length - 1; d >= 0; d--) {
    batch[d] = sizes[d] === 1 ? 0 : step;
    step *= sizes[d];
  }
  return { block, offset: 0, row: wide, column: 1, batch };
}

/** What the text of a kernel depends on. */
interface Shape {
  readonly type: "f32" | "i32";
  readonly rows: number;
  /** Whether the left operand has vectors along the depth (its rows), or along its rows' dimension. */
  readonly leftRows: boolean;
  /** Whether the right operand has vectors along its columns, or along the depth. */
  readonly rightRows: boolean;
  /** Whether results are written as vectors. */
  readonly outVectors: boolean;
  readonly batchDims: number;
  readonly slots: readonly [number, number, number];
  /** Which buffers are bound as vectors. */
  readonly bound: readonly boolean[];
  /** How a product ends that is not just stored, if it is so: `put` or `put4`. */
  readonly finish: Finish | null;
  /** Whether a part of the depth went before: its sums are added to what is there. */
  readonly added: boolean;
}

/** Parameters of the kernel, in elements of `vec4` for operands read so. */
const enum P {
  Rows,
  Columns,
  /** First and last vector of the depth. */
  Start,
  End,
  /** Offset, row step and column step of each operand, then the batch dimensions' sizes and strides. */
  Left = 4,
  Right = 7,
  Out = 10,
  /** The number of the first workgroup in three dimensions. */
  Group = 13,
  Batch = 16,
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** Loads `left_<r>` (a `vec4` along the depth, per row) or `left_<k>_<r/4>` (a `vec4` of rows, per depth). */
function leftLoads({ rows, leftRows, slots, type }: Shape): string {
  const load = (at: string) => `bitcast<vec4<${type}>>(b${slots[0]}[${at}])`;
  if (leftRows) {
    return range(rows).map((r) => `    let left_${r} = ${load(`left + ${r}u * p(${P.Left + 1}u) + k`)};\n`).join("");
  }
  return range(4).flatMap((k) =>
    range(Math.ceil(rows / 4)).map((r) =>
      `    let left_${k}_${r} = ${load(`left + (4u * k + ${k}u) * p(${P.Left + 2}u) + ${r}u`)};\n`
    )
  ).join("");
}

/** The left operand's element at row `r` and the `k`-th depth of the step. */
function leftAt({ leftRows }: Shape, r: number, k: number): string {
  return leftRows ? `left_${r}.${"xyzw"[k]}` : `left_${k}_${r >> 2}.${"xyzw"[r & 3]}`;
}

/** Loads `right_<k>_<x>`: for each depth of the step a `vec4` of columns. */
function rightLoads({ rightRows, slots, type }: Shape): string {
  const load = (at: string) => `bitcast<vec4<${type}>>(b${slots[1]}[${at}])`;
  return range(WIDE).map((x) => {
    if (rightRows) {
      return range(4).map((k) =>
        `    let right_${k}_${x} = ${load(`right + (4u * k + ${k}u) * p(${P.Right + 1}u) + ${x * LANES}u`)};\n`
      ).join("");
    }
    const columns = range(4).map((c) =>
      `    let down_${c}_${x} = ${load(`right + ${4 * x * LANES + c}u * p(${P.Right + 2}u) + k`)};\n`
    );
    const turned = range(4).map((k) =>
      `    let right_${k}_${x} = vec4<${type}>(${range(4).map((c) => `down_${c}_${x}.${"xyzw"[k]}`).join(", ")});\n`
    );
    return columns.join("") + turned.join("");
  }).join("");
}

/** The stores by a long function, in a loop: once in the text. */
function storesInLoop({ rows, outVectors, type }: Shape): string {
  const sums = range(rows).flatMap((r) => range(WIDE).map((x) => `  sums[${r * WIDE + x}] = acc_${r}_${x};\n`)).join(
    "",
  );
  const store = outVectors
    ? "put4(row + r, n, sums[i]);"
    : `for (var c = 0u; c < 4u; c++) { if (n + c < p(${P.Columns}u)) { put(row + r, n + c, sums[i][c]); } }`;
  return `  var sums: array<vec4<${type}>, ${rows * WIDE}>;
${sums}  for (var i = 0u; i < ${rows * WIDE}u; i++) {
    let r = i / ${WIDE}u;
    let n = column + (i % ${WIDE}u) * ${4 * LANES}u;
    if (row + r < p(${P.Rows}u) && n < p(${P.Columns}u)) { ${store} }
  }
`;
}

function stores({ rows, outVectors, slots, type, finish, added }: Shape): string {
  const slot = slots[2];
  const write = (at: string, sum: string, as: string, bits: string) => {
    const old = added ? ` + bitcast<${as}>(b${slot}[${at}])` : "";
    return `b${slot}[${at}] = bitcast<${bits}>(${sum}${old});`;
  };
  const row = (r: number) => `out + ${r}u * p(${P.Out + 1}u)`;
  let text = "";
  for (const r of range(rows)) {
    let body = "";
    for (const x of range(WIDE)) {
      const sum = `acc_${r}_${x}`, first = 4 * x * LANES;
      if (outVectors) {
        const stored = finish === null
          ? write(`${row(r)} + ${x * LANES}u`, sum, `vec4<${type}>`, "vec4<u32>")
          : `put4(row + ${r}u, column + ${first}u, ${sum});`;
        body += `    if (column + ${first}u < p(${P.Columns}u)) { ${stored} }\n`;
        continue;
      }
      for (const c of range(4)) {
        const here = first + c, one = `${sum}.${"xyzw"[c]}`;
        const stored = finish === null
          ? write(`${row(r)} + ${here}u * p(${P.Out + 2}u)`, one, type, "u32")
          : `put(row + ${r}u, column + ${here}u, ${one});`;
        body += `    if (column + ${here}u < p(${P.Columns}u)) { ${stored} }\n`;
      }
    }
    text += `  if (row + ${r}u < p(${P.Rows}u)) {\n${body}  }\n`;
  }
  return text;
}

function code(shape: Shape): string {
  const { type, rows, leftRows, rightRows, outVectors, batchDims, finish, bound: seen } = shape;
  const batch = (name: string, at: number) =>
    range(batchDims).map((d) => `  ${name} += batch_${d} * p(${at + d}u);\n`).join("");
  const sizes = P.Batch, strides = P.Batch + batchDims;
  const zero = `vec4<${type}>()`;
  const sums = range(rows).map((r) =>
    range(WIDE).map((x) => {
      const terms = range(4).map((k) => `${leftAt(shape, r, k)} * right_${k}_${x}`).join(" + ");
      return `    acc_${r}_${x} += ${terms};\n`;
    }).join("")
  ).join("");
  return `${prelude(seen.length, seen)}${finish === null ? "" : finish.functions()}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) part: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
${gridGroup(P.Group)}  let row = group.y * ${rows}u;
  let column = group.x * ${4 * WIDE * LANES}u + 4u * lane;
  var left = p(${P.Left}u) + row${leftRows ? ` * p(${P.Left + 1}u)` : " / 4u"};
  var right = p(${P.Right}u) + column${rightRows ? " / 4u" : ` * p(${P.Right + 2}u)`};
  var out = p(${P.Out}u) + row * p(${P.Out + 1}u) + column${outVectors ? " / 4u" : ` * p(${P.Out + 2}u)`};
  var rest = group.z;
${
    range(batchDims).reverse().map((d) => `  let batch_${d} = rest % p(${sizes + d}u); rest /= p(${sizes + d}u);\n`)
      .join("")
  }
${batch("left", strides)}${batch("right", strides + batchDims)}${batch("out", strides + 2 * batchDims)}
${
    finish === null ? "" : `  out_base = p(${sizes + 4 * batchDims}u);
${
      range(batchDims).map((d) =>
        `  out_base += batch_${d} * p(${strides + 2 * batchDims + d}u)${outVectors ? " * 4u" : ""};\n`
      ).join("")
    }`
  }
${range(rows).map((r) => range(WIDE).map((x) => `  var acc_${r}_${x} = ${zero};`).join("")).join("\n")}
  for (var k = p(${P.Start}u); k < p(${P.End}u); k++) {
${leftLoads(shape)}${rightLoads(shape)}${sums}  }
${finish?.long ? storesInLoop(shape) : stores(shape)}}`;
}

/** The operands of a product as the kernel reads them, some of them copied. */
interface Arranged {
  readonly left: Matrix;
  readonly right: Matrix;
  readonly leftRows: boolean;
  readonly rightRows: boolean;
  /** The copies. */
  readonly packs: readonly GpuBlock[];
}

/** Copies what has no vectors, and what lies in a buffer that cannot be bound as vectors. */
function arranged(
  gpu: Gpu,
  given: readonly [left: Matrix, right: Matrix],
  batches: readonly number[],
  [rows, columns, depth]: readonly [number, number, number],
  scalarBuffers: readonly number[],
): Arranged {
  let [left, right] = given;
  const packs: GpuBlock[] = [], even = depth % 4 === 0;
  const pack = (x: Matrix, high: number, wide: number, padRows: boolean): Matrix => {
    const copy = packed(gpu, x, batches, high, wide, padRows);
    packs.push(copy.block);
    return copy;
  };
  let leftRows = even && vectors(left, "column", depth);
  const leftVectors = leftRows || (even && vectors(left, "row", rows));
  if (!leftVectors || scalarBuffers.includes(left.block.address)) {
    left = pack(left, rows, depth, false);
    leftRows = true;
  }
  let rightRows = even && columns % 4 === 0 && vectors(right, "column", columns);
  const down = even && vectors(right, "row", depth) && (rows < 128 || right.column < FAR);
  if ((!rightRows && !down) || scalarBuffers.includes(right.block.address)) {
    right = pack(right, depth, columns, true);
    rightRows = true;
  }
  return { left, right, leftRows, rightRows, packs };
}

/** Offset and steps of a matrix in vectors, if it is read so: along its columns or along its rows. */
function steps(x: Matrix, vector: boolean, alongColumns: boolean): number[] {
  const unit = vector ? 4 : 1;
  return [x.offset / unit, alongColumns ? x.row / unit : x.row, alongColumns ? x.column : x.column / unit];
}

/** The deepest product of one dispatch; deeper ones accumulate over several. */
export const REGISTER_DEPTH = 4 * (MAX_TRIPS - 512);

/** `out = alpha · a @ b + beta · out`, or a product with an epilogue: of a plain dtype then, and no deeper than {@linkcode REGISTER_DEPTH}. */
export function matmulInRegisters(gpu: Gpu, a: Strided, b: Strided, out: Strided, ending: Ending): void {
  if (!isPlain(out.dtype)) {
    return inFullWidth(gpu, out, ending.beta !== 0, (wide) => matmulInRegisters(gpu, a, b, wide, ending));
  }
  const batches = out.shape.slice(0, -2), depth = a.shape[a.shape.length - 1], type = sumType(out.dtype);
  let [rows, columns] = out.shape.slice(-2), end = ending;
  let given: readonly [Matrix, Matrix] = [matrixOf(a), matrixOf(b)], to = matrixOf(out);
  // Lanes lie along the columns: a product with few of them is computed as its transpose.
  if (columns < 8 && rows > columns) {
    [rows, columns] = [columns, rows];
    given = [transposed(given[1]), transposed(given[0])];
    to = transposed(to);
    end = { ...ending, turned: true };
  }
  const target = { x: out, offset: to.offset, row: to.row, column: to.column }, kept = end.epilogue?.kept ?? null;
  const outVectors = writesVectors(target, columns, to.batch, end);
  // A buffer is bound once, as one type: an operand in the buffer of scalar results moves out.
  const results = [to.block, ...(kept === null ? [] : [kept.storage.block])].map((block) => block.address);
  const sizes = [rows, columns, depth] as const;
  const { left, right, leftRows, rightRows, packs } = arranged(gpu, given, batches, sizes, outVectors ? [] : results);
  const operands = new Operands([rows, columns, 0, 0]), { parameters } = operands;
  operands.push(...steps(left, true, leftRows), ...steps(right, true, rightRows), ...steps(to, outVectors, true));
  operands.push(0, 0, 0, ...batches);
  for (const x of [left, right]) operands.push(...x.batch.map((s) => s / 4));
  operands.push(...to.batch.map((s) => outVectors ? s / 4 : s), to.offset);
  const slots = [left, right, to].map((x) => operands.slotOf(x.block)) as [number, number, number];
  const plain = end.epilogue === null && end.alpha === 1 && end.beta === 0;
  const finish = plain ? null : finishOf(operands, target, end, outVectors, (slot) => bound[slot] ?? false);
  const bound: boolean[] = operands.blocks.map(() => false);
  bound[slots[0]] = bound[slots[1]] = true;
  bound[slots[2]] = outVectors;
  if (kept !== null) bound[operands.slot(kept)] = outVectors;
  const height = tileRows(rows, rows * columns * depth * numelOf(batches)), vectorsDeep = Math.ceil(depth / 4);
  const how = { type, rows: height, leftRows, rightRows, outVectors, batchDims: batches.length, slots, bound, finish };
  const text = `matmul registers ${type} ${height} ${leftRows} ${rightRows} ${outVectors} ${batches.length} ` +
    `${slots.join("")} ${bound.map(Number).join("")} ${finish?.key}`;
  for (let start = 0; start === 0 || start < vectorsDeep; start += REGISTER_DEPTH / 4) {
    const added = finish === null && start > 0;
    parameters[P.Start] = start;
    parameters[P.End] = Math.min(vectorsDeep, start + REGISTER_DEPTH / 4);
    if (finish !== null && start > 0) parameters[finish.beta] = floatWord(1);
    gpu.dispatchGrid(`${text} ${added}`, () => code({ ...how, added }), operands.blocks, parameters, P.Group, [
      Math.ceil(columns / (4 * WIDE * LANES)),
      Math.ceil(rows / height),
      numelOf(batches),
    ]);
  }
  for (const block of packs) gpu.free(block);
}
