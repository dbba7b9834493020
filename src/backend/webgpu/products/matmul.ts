/**
 * Matrix products on the GPU: which kernel, of which size, with which reads.
 *
 * Large products take the tiled kernel (`tiles.ts`), those with up to four rows or columns the one that reads the other
 * operand once (`vectors.ts`), and both are split along the depth where there would be too few workgroups to fill a GPU: the
 * parts are summed by a kernel of their own, in the same order every time.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { type Ending, finishOf, type Target, writesVectors } from "./finish.ts";
import type { Gpu, GpuBlock } from "../device/gpu.ts";
import { groups1d, MAIN_1D, prelude } from "../text/kernel_text.ts";
import { checkDtype, Operands, sumType } from "../text/operands.ts";
import { type Plan, planOf } from "./plans.ts";
import { PLANS, type Reads, STEP, TileAt, tileCode, type TileOperand } from "./tiles.ts";
import { vectorCode, vectorLanes } from "./vectors.ts";

/** A matrix with its batch dimensions. */
interface Matrix {
  readonly x: Strided;
  readonly row: number;
  readonly column: number;
  readonly batch: readonly number[];
}

function matrixOf(x: Strided): Matrix {
  const n = x.shape.length - 2;
  const batch = x.strides.slice(0, n).map((s, d) => x.shape[d] === 1 ? 0 : s);
  return { x, row: x.strides[n], column: x.strides[n + 1], batch };
}

function turned(m: Matrix): Matrix {
  return { ...m, row: m.column, column: m.row };
}

/** A product as a kernel computes it. */
interface Product {
  readonly left: Matrix;
  readonly right: Matrix;
  readonly out: Matrix;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Sizes of the batch dimensions. */
  readonly sizes: readonly number[];
  readonly batches: number;
  readonly ending: Ending;
}

/** How vectors of an operand can be read; `line` and `deep` are its steps. */
function readsOf(
  x: Strided,
  line: number,
  deep: number,
  lines: number,
  depth: number,
  batch: readonly number[],
): Reads {
  if (x.offset % 4 !== 0 || !batch.every((s) => s % 4 === 0)) return "each";
  if (deep === 1 && line % 4 === 0 && depth % 4 === 0) return "depth";
  return (line === 1 || lines === 1) && deep % 4 === 0 ? "lines" : "each";
}

/** Computes a product by a plan; see {@linkcode matmul}. */
export function multiply(gpu: Gpu, a: Strided, b: Strided, out: Strided, ending: Ending, plan: Plan): void {
  const nb = out.shape.length - 2, sizes = out.shape.slice(0, nb);
  const product: Product = {
    ...{ left: matrixOf(a), right: matrixOf(b), out: matrixOf(out) },
    ...{ rows: out.shape[nb], columns: out.shape[nb + 1], depth: a.shape[nb + 1] },
    ...{ sizes, batches: numelOf(sizes), ending },
  };
  const most = plan.kernel === "vector" && product.rows > product.columns ? transposed(product) : product;
  if (plan.parts === 1) return dispatch(gpu, most, plan, null);
  const sums = gpu.alloc(plan.parts * most.batches * most.rows * most.columns * 4);
  dispatch(gpu, most, plan, sums);
  addParts(gpu, most, plan.parts, sums);
  gpu.free(sums);
}

function transposed(p: Product): Product {
  return {
    ...{ left: turned(p.right), right: turned(p.left), out: turned(p.out) },
    ...{ rows: p.columns, columns: p.rows, depth: p.depth, sizes: p.sizes, batches: p.batches },
    ending: { ...p.ending, turned: !p.ending.turned },
  };
}

function targetOf({ out }: Product): Target {
  return { x: out.x, offset: out.x.offset, row: out.row, column: out.column };
}

/** The product itself, into the output or, in parts, into `sums`. */
function dispatch(gpu: Gpu, p: Product, plan: Plan, sums: GpuBlock | null): void {
  const { left, right, out, rows, columns, depth, sizes, batches, ending } = p, { kernel, parts } = plan;
  const step = kernel === "vector" ? 1 : STEP, part = Math.max(step, Math.ceil(depth / parts / step) * step);
  const operands = new Operands([rows, columns, depth, part, batches]);
  operands.push(left.x.offset, left.row, left.column, right.x.offset, right.column, right.row, 0, 0, 0, out.x.offset);
  operands.push(...sizes, ...left.batch, ...right.batch, ...(sums === null ? out.batch : []));
  const slots = [left.x, right.x].map((x) => operands.slot(x));
  const type = sumType(out.x.dtype);
  const vectors = sums === null && kernel !== "vector" && writesVectors(targetOf(p), columns, out.batch, ending);
  const finish = sums === null
    ? finishOf(operands, targetOf(p), ending, vectors, (slot) => bound[slot] ?? false)
    : null;
  const partsSlot = sums === null ? null : operands.slotOf(sums);
  const written = sums !== null
    ? [partsSlot!]
    : [out.x, ending.epilogue?.kept].flatMap((x) => x ? [operands.slot(x)] : []);
  const wanted = kernel === "vector" ? ["each", "each"] as const : [
    readsOf(left.x, left.row, left.column, rows, depth, left.batch),
    readsOf(right.x, right.column, right.row, columns, depth, right.batch),
  ];
  // A buffer is bound as one type: beside results that are written one by one it is read so, too.
  const reads = wanted.map((r, i) => !vectors && written.includes(slots[i]) ? "each" : r);
  const bound: boolean[] = operands.blocks.map(() => false);
  reads.forEach((r, i) => bound[slots[i]] ||= r !== "each");
  if (vectors) { for (const slot of written) bound[slot] = true; }
  const operand = (i: number, line: number, deep: number): TileOperand => ({
    ...{ slot: slots[i], reads: reads[i], vector: bound[slots[i]], ragged: depth % 4 !== 0 },
    depthFirst: reads[i] === "depth" || (reads[i] === "each" && Math.abs(deep) <= Math.abs(line)),
  });
  const text = {
    ...{ type, left: operand(0, left.row, left.column), right: operand(1, right.column, right.row), vectors },
    ...{ batchDims: sizes.length, finish: "", long: finish?.long ?? false, parts: partsSlot, bound, rows },
  };
  const describe = (x: TileOperand) =>
    `${x.slot}${x.reads[0]}${x.depthFirst ? "d" : "l"}${x.vector ? "v" : ""}${x.ragged ? "r" : ""}`;
  const common =
    `${type} ${describe(text.left)} ${describe(text.right)} ${sizes.length} ${bound.map(Number).join("")} ` +
    (finish === null ? `parts ${partsSlot}` : finish.key);
  const print = () => ({ ...text, finish: finish === null ? "" : finish.functions() });
  const run = (key: string, code: () => string, across: number, down: number) => {
    const groups = [across, down, batches * parts] as const;
    gpu.dispatchGrid(`${key} ${common}`, code, operands.blocks, operands.parameters, TileAt.Group, groups);
  };
  if (kernel === "vector") {
    const lanes = vectorLanes(text.right.depthFirst);
    return run(`matmul vector ${rows}`, () => vectorCode(print()), Math.ceil(columns / lanes), 1);
  }
  const { size } = PLANS[kernel], bytes = STEP * size * 2 * 4;
  const twice = plan.twice ?? 2 * bytes <= gpu.device.limits.maxComputeWorkgroupStorageSize;
  const code = () => tileCode({ ...print(), size, twice });
  run(`matmul tiles ${size} ${twice}`, code, Math.ceil(columns / size), Math.ceil(rows / size));
}

/** Adds the parts of a split product, in order, and ends it. */
function addParts(gpu: Gpu, p: Product, parts: number, sums: GpuBlock): void {
  const { out, rows, columns, sizes, batches, ending } = p, count = batches * rows * columns;
  const operands = new Operands([count, rows, columns, parts, out.x.offset]);
  const at = operands.push(...sizes), steps = operands.push(...out.batch);
  const from = operands.slotOf(sums), type = sumType(out.x.dtype);
  const finish = finishOf(operands, targetOf(p), ending, false, () => false);
  const base = sizes.map((_, d) => `  out_base += (rest % p(${at + d}u)) * p(${steps + d}u); rest /= p(${at + d}u);\n`)
    .reverse().join("");
  gpu.dispatch(
    `matmul parts ${type} ${sizes.length} ${from} ${finish.key}`,
    () =>
      `${prelude(operands.blocks.length)}${finish.functions()}${MAIN_1D}  let n = i % p(2u);
  let m = (i / p(2u)) % p(1u);
  var rest = i / (p(1u) * p(2u));
  out_base = p(4u);
${base}  var sum = ${type}();
  for (var part = 0u; part < p(3u); part++) { sum += bitcast<${type}>(b${from}[part * p(0u) + i]); }
  put(m, n, sum);
}`,
    operands.blocks,
    operands.parameters,
    groups1d(count),
  );
}

/** `out = alpha · a @ b + beta · out`. */
export const matmul: KernelOf<Gpu, "matmul"> = (gpu, a, b, out, alpha, beta) => {
  for (const x of [a, b, out]) checkDtype("matmul", x.dtype);
  if (numelOf(out.shape) === 0) return;
  const ending: Ending = { alpha, beta, epilogue: null, turned: false };
  multiply(gpu, a, b, out, ending, planFor(a, out));
};

function planFor(a: Strided, out: Strided): Plan {
  const nb = out.shape.length - 2;
  return planOf(out.shape[nb], out.shape[nb + 1], a.shape[nb + 1], numelOf(out.shape.slice(0, nb)));
}

/** `out = epilogue(a @ b)`; see `Backend.matmulEpilogue`. Sums of columns are left to the caller. */
export const matmulEpilogue: KernelOf<Gpu, "matmulEpilogue"> = (gpu, a, b, out, epilogue) => {
  for (const x of [a, b, out]) checkDtype("matmul", x.dtype);
  if (numelOf(out.shape) === 0 || epilogue.columnSums !== null) return false;
  const ending: Ending = { alpha: 1, beta: 0, epilogue, turned: false };
  multiply(gpu, a, b, out, ending, planFor(a, out));
  return true;
};
