/**
 * Normalisations over rows on the GPU, one kernel per direction.
 *
 * Where rows stay in registers, the backward kernel takes the gradients of weight and bias along: its workgroups walk over the
 * rows, each thread adds up the columns that it owns, and a second kernel adds the workgroups' partial rows in a fixed order.
 * Elsewhere those gradients are reductions of their own (`src/ops` asks for them so when it gets `false`).
 *
 * @module
 */

import { float32 } from "../../../base/dtype.ts";
import { contiguousStrides, numelOf } from "../../../base/shape.ts";
import type { NormGroups, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu, GpuBlock } from "../device/gpu.ts";
import { prelude } from "../text/kernel_text.ts";
import { floatWord, Operands, ROUNDING, word } from "../text/operands.ts";
import { holdsRows, OWN, type RowKernel, type RowText, runRows, sumOf } from "./rows.ts";

/** The most workgroups of a backward kernel that sums columns, and the rows that each takes at least. */
const MOST_PARTS = 256, PART_ROWS = 4;
/** Fewer rows than this that are at least so long are split. */
const FEW_ROWS = 64, LONG_ROW = 8192;
/** Threads of the kernel that adds partial rows: 32 columns wide. */
const COLUMN_THREADS = 256;

/** A dense view of the same elements as rows. */
function asRows(x: Strided, { groups, run }: NormGroups): Strided {
  return { storage: x.storage, offset: x.offset, dtype: x.dtype, shape: [groups, run], strides: [run, 1], dense: true };
}

function areRows(x: Strided, { groups, run }: NormGroups): boolean {
  return groups * run === numelOf(x.shape);
}

/** Whether rows are too few and long for a workgroup each: then `moments` and reductions split them. */
function tooFew({ groups, run }: NormGroups, rows: readonly Strided[], wide: boolean): boolean {
  return groups < FEW_ROWS && !holdsRows(run, rows, wide) && run >= LONG_ROW;
}

/** Operands of which some are missing: those that are there, and where each is among them. */
class Others {
  readonly list: Strided[] = [];
  /** The place of an operand; -1 if it is missing. */
  add(x: Strided | null): number {
    return x === null ? -1 : this.list.push(x) - 1;
  }
}

/** How the text of a kernel finds the factors of an access; own parameters are 0 rows until they repeat, 1 per row, 2 neighbours. */
interface Factors {
  readonly byColumn: boolean;
  readonly own: readonly number[];
  /** Whether accesses of four elements take the same factor, or one each. */
  readonly wide: boolean;
}

function factorsOf({ run, factors, factorRun }: NormGroups, affine: boolean): Factors {
  const byColumn = factorRun === 1 && run > 1 && factors === run, perRow = run / factorRun;
  return { byColumn, own: [factors / perRow, perRow, factorRun], wide: !affine || byColumn || factorRun % 4 === 0 };
}

/** The factors of operand `k` at the access. */
function factorAt(t: RowText, f: Factors, k: number): string {
  if (f.byColumn) return t.column(k);
  const at = `(i % p(${OWN}u)) * p(${OWN + 1}u) + (j * ${t.unit}u) / p(${OWN + 2}u)`;
  return `${t.type}(${t.read(k, at)})`;
}

/** See `Backend.norm`. */
export const norm: KernelOf<Gpu, "norm"> = (gpu, x, weight, bias, out, statistics, variance, eps, groups) => {
  if (!areRows(x, groups)) return false;
  const f = factorsOf(groups, weight !== null || bias !== null);
  if (tooFew(groups, [x, out], f.wide)) return false;
  const others = new Others();
  const [w, b] = [others.add(weight), others.add(bias)];
  const [m, d, v] = [others.add(statistics.mean), others.add(statistics.rstd), others.add(variance)];
  const own = [...f.own, floatWord(eps), floatWord(1 / groups.run)];
  const scale = `bitcast<f32>(p(${OWN + 4}u))`;
  runRows(gpu, {
    name: `norm ${w >= 0} ${b >= 0} ${m >= 0} ${v >= 0} ${f.byColumn}`,
    rows: [asRows(x, groups), asRows(out, groups)],
    reads: 1,
    others: others.list,
    columns: f.byColumn ? [w, b].filter((k) => k >= 0) : [],
    wide: f.wide,
    passes: 3,
    own,
    body: (t) => {
      const mean = m < 0 ? "  let mean = 0.0;\n" : `  var totals = ${t.type}();
${t.each((u) => `    totals += ${t.value(0, u)};\n`)}  var total = ${t.total("totals")};
${t.combine(sumOf("total"))}  let mean = total * ${scale};
`;
      const leader = t.threads === 1 ? "true" : "first == 0u";
      return `${mean}  var squares = ${t.type}();
${t.each((u) => `    let e = ${t.value(0, u)} - mean;\n    squares += e * e;\n`)}  var square = ${t.total("squares")};
${t.combine(sumOf("square"))}  let variance = square * ${scale};
  let rstd = 1.0 / sqrt(variance + bitcast<f32>(p(${OWN + 3}u)));
  if (${leader}) {
${
        m < 0
          ? ""
          : t.write(m, "i", "mean")
      }${t.write(d, "i", "rstd")}${v < 0 ? "" : t.write(v, "i", "variance")}  }
${
        t.each((u) => {
          let value = `(${t.value(0, u)} - mean) * rstd`;
          if (w >= 0) value += ` * ${factorAt(t, f, w)}`;
          if (b >= 0) value += ` + ${factorAt(t, f, b)}`;
          return t.store(1, value);
        })
      }`;
    },
  });
  return true;
};

/** Where the other operands of a backward kernel are: -1 where one is missing. */
interface GradPlaces {
  readonly weight: number;
  readonly mean: number;
  readonly rstd: number;
  /** The partial rows of the gradients by columns. */
  readonly sums: number;
}

/** The text of a backward kernel: rows are the gradient, what was normalised, and, where `writes`, the gradient by that. */
function gradText(places: GradPlaces, f: Factors, writes: boolean): Pick<RowKernel, "before" | "body" | "after"> {
  const { weight: w, mean: m, rstd: d, sums } = places, columns = sums >= 0;
  const before = (t: RowText): string =>
    Array.from(
      { length: columns ? t.held : 0 },
      (_, u) => `  var weights_${u} = ${t.type}();\n  var biases_${u} = ${t.type}();\n`,
    ).join("");
  const body = (t: RowText): string => {
    const weighted = (u: number): string => w < 0 ? t.value(0, u) : `(${t.value(0, u)} * ${factorAt(t, f, w)})`;
    const unit = (u: number): string => `(${t.value(1, u)} - mean) * rstd`;
    const gather = (u: number): string =>
      columns ? `    weights_${u} += ${t.value(0, u)} * unit;\n    biases_${u} += ${t.value(0, u)};\n` : "";
    const access = (u: number): string =>
      `    let unit = ${unit(u)};
    let g = ${weighted(u)};
    totals += g;
    products += g * unit;
${gather(u)}`;
    const scale = `bitcast<f32>(p(${OWN + 3}u))`;
    const result = (u: number): string => `(${weighted(u)} - total - ${unit(u)} * product) * rstd`;
    return `  let mean = ${m < 0 ? "0.0" : t.read(m, "i")};
  let rstd = ${t.read(d, "i")};
  var totals = ${t.type}();
  var products = ${t.type}();
${t.each(access)}  var total = ${t.total("totals")};
  var product = ${t.total("products")};
${t.combine(sumOf("total"), sumOf("product"))}  total *= ${m < 0 ? "0.0" : scale};
  product *= ${scale};
${writes ? t.each((u) => t.store(2, result(u))) : ""}`;
  };
  const after = (t: RowText): string => {
    if (!columns) return "";
    const lanes = t.unit === 1 ? [""] : [".x", ".y", ".z", ".w"];
    const at = (row: string, c: number): string => `${row} * p(${OWN + 4}u) + j * ${t.unit}u + ${c}u`;
    return t.each((u) =>
      lanes.map((lane, c) =>
        `  ${t.write(sums, at("group_number", c), `weights_${u}${lane}`)}` +
        `  ${t.write(sums, at("(p(2u) + group_number)", c), `biases_${u}${lane}`)}`
      ).join("")
    );
  };
  return { before, body, after };
}

/** See `Backend.normGrad`. */
export const normGrad: KernelOf<Gpu, "normGrad"> = (
  gpu,
  grad,
  x,
  weight,
  statistics,
  gradX,
  gradWeight,
  gradBias,
  groups,
) => {
  const columns = gradWeight !== null || gradBias !== null, { run: length } = groups;
  if (!areRows(x, groups) || (gradX === null && !columns)) return false;
  const f = factorsOf(groups, weight !== null || columns);
  const rows = [grad, x, ...(gradX ? [gradX] : [])].map((t) => asRows(t, groups));
  if (tooFew(groups, rows, f.wide)) return false;
  // Factors that are columns are read as rows are: where they are not aligned, rows are read one by one.
  const read = weight !== null && f.byColumn ? [...rows, weight] : rows;
  if (columns && (!f.byColumn || !holdsRows(length, read, f.wide))) return false;
  const others = new Others();
  const [w, m, d] = [weight, statistics.mean, statistics.rstd].map((t) => others.add(t));
  const parts = Math.min(MOST_PARTS, Math.ceil(groups.groups / PART_ROWS)), shape = [2 * parts * length];
  const partial = columns ? gpu.alloc(shape[0] * 4) : null;
  const sums = others.add(
    partial && {
      ...{ storage: { block: partial }, offset: 0, dtype: float32, shape, strides: contiguousStrides(shape) },
      dense: true,
    },
  );
  runRows(gpu, {
    name: `normGrad ${w >= 0} ${m >= 0} ${gradX !== null} ${columns} ${f.byColumn}`,
    rows,
    reads: 2,
    others: others.list,
    columns: f.byColumn && w >= 0 ? [w] : [],
    wide: f.wide,
    passes: 2,
    own: [...f.own, floatWord(1 / length), length],
    walk: columns ? () => parts : undefined,
    ...gradText({ weight: w, mean: m, rstd: d, sums }, f, gradX !== null),
  });
  if (partial !== null) {
    [gradWeight, gradBias].forEach((out, which) => {
      if (out !== null) addParts(gpu, partial, which * parts, parts, length, out);
    });
    gpu.free(partial);
  }
  return true;
};

/** Adds `parts` rows of `length` sums, from row `first` on. */
function addParts(gpu: Gpu, partial: GpuBlock, first: number, parts: number, length: number, out: Strided): void {
  const operands = new Operands([length, parts, first, out.offset]);
  operands.blocks.push(partial);
  const slot = operands.slot(out), rows = COLUMN_THREADS / 32;
  gpu.dispatch(
    `normGrad columns ${slot} ${out.dtype.name}`,
    () =>
      `${prelude(2)}${ROUNDING}var<workgroup> sums: array<f32, ${COLUMN_THREADS}>;
@compute @workgroup_size(${COLUMN_THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let column = group.x * 32u + local % 32u;
  let own = local / 32u;
  var sum = 0.0;
  if (column < p(0u)) {
    for (var i = own; i < p(1u); i += ${rows}u) { sum += bitcast<f32>(b0[(p(2u) + i) * p(0u) + column]); }
  }
  sums[local] = sum;
  workgroupBarrier();
  if (own > 0u || column >= p(0u)) { return; }
  for (var i = 1u; i < ${rows}u; i++) { sum += sums[i * 32u + local]; }
  b${slot}[p(3u) + column] = ${word(out.dtype, "sum")};
}`,
    operands.blocks,
    operands.parameters,
    [Math.ceil(length / 32), 1, 1],
  );
}
