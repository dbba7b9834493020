/**
 * Kernels over rows without gaps: how a row is spread over threads and held, and softmax with its gradient.
 *
 * The threads of a workgroup share a row, four elements at a time where rows are aligned, and hold it in registers if it is
 * short enough: then it is read once. Longer rows are read again in every pass; very short ones are one thread's work.
 *
 * @module
 */

import { helpersOf } from "../../../expr/print.ts";
import { WGSL_HELPERS } from "../../../expr/wgsl_prelude.ts";
import type { Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import type { Gpu } from "../device/gpu.ts";
import { groups1d, lineGroups, MAIN_1D, MAX_GROUPS, prelude } from "../text/kernel_text.ts";
import { checkDtype, Operands, ROUNDING, valueOf, word } from "../text/operands.ts";
import { combination, type Combined } from "../text/subgroups.ts";

/** Rows shorter than this are a thread's work. */
const SHORT = 64;
/** Accesses of a row that a thread holds at most, and how many it should have before a row gets more threads. */
const HELD = 8, WANTED = 4;
/** Threads of the largest workgroup. */
const MOST_THREADS = 256;

/** How a row is spread. */
interface Spread {
  readonly threads: number;
  /** Accesses per thread, all held in registers; 0 where rows are read in every pass. */
  readonly held: number;
}

/** How a row of `length` elements in `accesses` accesses is spread. */
function spreadOf(length: number, accesses: number): Spread {
  if (length < SHORT) return { threads: 1, held: 0 };
  let threads = 32;
  while (threads < MOST_THREADS && accesses > threads * WANTED) threads *= 2;
  const held = Math.ceil(accesses / threads);
  return { threads, held: held <= HELD ? held : 0 };
}

/** What the body of a row kernel is written with. */
export interface RowText {
  /** The type of an access: `vec4<f32>`, or `f32`. */
  readonly type: string;
  /** How many elements it has. */
  readonly unit: number;
  /** Whether rows stay in registers, and so in which variables; accesses per thread. */
  readonly held: number;
  /** Threads per row. */
  readonly threads: number;
  /** Statements for every access of the thread, `j` being its place in the row. `body` gets what tells it from others. */
  each(body: (access: number) => string): string;
  /** The values of row operand `k` at the access. */
  value(k: number, access: number): string;
  /** A statement that stores `v` into row operand `k` at the access. */
  store(k: number, v: string): string;
  /** Statements that combine values over the row's threads. */
  combine(...values: Combined[]): string;
  /** The sum, and the largest, of an access's elements. */
  total(v: string): string;
  /** The value of element `at` of the other operand `k`, as `f32`. */
  read(k: number, at: string): string;
  /** The values at the access of the other operand `k`, which has columns. */
  column(k: number): string;
  /** A statement that stores `v` at element `at` of the other operand `k`. */
  write(k: number, at: string, v: string): string;
}

/** A kernel over rows. */
export interface RowKernel {
  /** The op and its variant: the key of the kernel, up to layouts. */
  readonly name: string;
  /** Dense tensors of the same rows; the first ones are read. */
  readonly rows: readonly Strided[];
  /** How many of them are read. */
  readonly reads: number;
  /** Other dense tensors, missing ones left out. */
  readonly others?: readonly Strided[];
  /** Which of them have an element for each column, and are read like a row. */
  readonly columns?: readonly number[];
  /** Rows are read four elements at a time only if this allows it. */
  readonly wide?: boolean;
  /** Times that a row is gone through. */
  readonly passes: number;
  /** More parameters: words from parameter {@linkcode OWN} on. */
  readonly own?: readonly number[];
  /** Helpers, besides those of the prelude that the text names. */
  readonly functions?: (t: RowText) => string;
  /** Statements for a row, `i` being its number. */
  readonly body: (t: RowText) => string;
  /** Rows that one workgroup takes, one after the other; only with registers. */
  readonly walk?: (count: number) => number;
  /** Statements before the first and behind the last row of a walk. */
  readonly before?: (t: RowText) => string;
  readonly after?: (t: RowText) => string;
}

/** The parameter at which a kernel's own begin: rows, accesses per row and workgroups come first. */
export const OWN = 3;

/** Whether rows can be read four elements at a time. */
function isWide(length: number, rows: readonly Strided[]): boolean {
  return length % 4 === 0 && rows.every((x) => x.offset % 4 === 0);
}

/** Whether a kernel's rows are held in registers, given how it is to be called. */
export function holdsRows(length: number, rows: readonly Strided[], wide = true): boolean {
  const unit = wide && isWide(length, rows) ? 4 : 1;
  return spreadOf(length, length / unit).held > 0;
}

/** Runs a kernel over rows; gives the number of workgroups. */
export function runRows(gpu: Gpu, kernel: RowKernel): number {
  const { rows, others = [], own = [] } = kernel;
  for (const x of [...rows, ...others]) checkDtype(kernel.name.split(" ", 1)[0], x.dtype);
  const { shape } = rows[0];
  const length = shape.length === 0 ? 1 : shape[shape.length - 1];
  const count = shape.reduce((a, b) => a * b, 1) / length;
  if (length === 0 || count === 0) return 0;
  const { columns = [] } = kernel;
  const asRows = [...rows, ...columns.map((k) => others[k])];
  // A buffer is bound as one type: what is not like a row is read and written by single elements.
  const blocks = new Set(asRows.map((x) => x.storage.block.address));
  const mixed = others.some((x, k) => !columns.includes(k) && blocks.has(x.storage.block.address));
  const wide = kernel.wide !== false && !mixed && isWide(length, asRows);
  const unit = wide ? 4 : 1;
  const spread = spreadOf(length, length / unit);
  const walk = kernel.walk && spread.held > 0 ? kernel.walk(count) : 0;
  const places = new Operands([count, length / unit, walk, ...own]);
  const rowSlots = rows.map((x) => places.slot(x)), otherSlots = others.map((x) => places.slot(x));
  const offsets = others.map((x, k) => columns.includes(k) ? x.offset / unit : x.offset);
  const at = places.push(...rows.map((x) => x.offset / unit), ...offsets);
  const dtypes = [...rows, ...others].map((x) => x.dtype.name).join();
  const key =
    `${kernel.name} ${spread.threads} ${spread.held} ${wide} ${walk > 0} ${gpu.subgroups} ${rowSlots.join()} ` +
    `${otherSlots.join()} ${dtypes} ${own.length}`;
  gpu.dispatch(
    key,
    () =>
      rowCode(gpu, kernel, { wide, spread, walk: walk > 0, rowSlots, otherSlots, at, buffers: places.blocks.length }),
    places.blocks,
    places.parameters,
    spread.threads === 1 ? groups1d(count) : lineGroups(walk > 0 ? walk : count),
  );
  return walk > 0 ? walk : count;
}

/** What the text of a kernel depends on besides the kernel. */
interface RowLayout {
  readonly wide: boolean;
  readonly spread: Spread;
  readonly walk: boolean;
  readonly rowSlots: readonly number[];
  readonly otherSlots: readonly number[];
  /** The parameter of the first offset. */
  readonly at: number;
  readonly buffers: number;
}

function rowText(gpu: Gpu, kernel: RowKernel, l: RowLayout, declared: string[]): RowText {
  const { threads, held } = l.spread;
  const type = l.wide ? "vec4<f32>" : "f32", unit = l.wide ? 4 : 1;
  const others = kernel.others ?? [];
  const offset = (k: number): string => `p(${l.at + kernel.rows.length + k}u)`;
  let combined = 0;
  return {
    type,
    unit,
    held,
    threads,
    each: (body) =>
      held === 0
        ? `  for (var j = first; j < p(1u); j += ${threads}u) {\n${body(0)}  }\n`
        : Array.from({ length: held }, (_, u) =>
          `  { let j = first + ${u * threads}u; if (j < p(1u)) {\n${body(u)}  } }\n`).join(""),
    value: (k, access) => held === 0 ? `read${k}(i, j)` : `held${k}_${access}`,
    store: (k, v) => `    write${k}(i, j, ${v});\n`,
    combine: (...values) => {
      const { declarations, statements } = combination(gpu, threads, `shared${combined++}_`, values);
      declared.push(declarations);
      return statements;
    },
    total: (v) => l.wide ? `((${v}.x + ${v}.y) + (${v}.z + ${v}.w))` : v,
    read: (k, at) => `f32(${valueOf(others[k].dtype, `b${l.otherSlots[k]}[${offset(k)} + ${at}]`)})`,
    column: (k) => `bitcast<${type}>(b${l.otherSlots[k]}[${offset(k)} + j])`,
    write: (k, at, v) => `  b${l.otherSlots[k]}[${offset(k)} + ${at}] = ${word(others[k].dtype, v)};\n`,
  };
}

/** Loads and stores of row operands. */
function rowAccess(kernel: RowKernel, l: RowLayout): string {
  const type = l.wide ? "vec4<f32>" : "f32";
  return kernel.rows.map(({ dtype }, k) => {
    const place = `b${l.rowSlots[k]}[p(${l.at + k}u) + i * p(1u) + j]`;
    if (k < kernel.reads) return `fn read${k}(i: u32, j: u32) -> ${type} { return bitcast<${type}>(${place}); }\n`;
    const value = l.wide ? `vec4<u32>(${[..."xyzw"].map((c) => word(dtype, `v.${c}`)).join(", ")})` : word(dtype, "v");
    return `fn write${k}(i: u32, j: u32, v: ${type}) { ${place} = ${value}; }
fn read${k}(i: u32, j: u32) -> ${type} { return bitcast<${type}>(${place}); }
`;
  }).join("");
}

function rowCode(gpu: Gpu, kernel: RowKernel, l: RowLayout): string {
  const { threads, held } = l.spread;
  const declared: string[] = [];
  const t = rowText(gpu, kernel, l, declared);
  const { type } = t;
  const variables: string[] = [], loads: string[] = [];
  for (let k = 0; k < kernel.reads; k++) {
    for (let u = 0; u < held; u++) {
      variables.push(`  var held${k}_${u} = ${type}();\n`);
      loads.push(`  if (first + ${u * threads}u < p(1u)) { held${k}_${u} = read${k}(i, first + ${u * threads}u); }\n`);
    }
  }
  const before = kernel.before?.(t) ?? "", body = kernel.body(t), after = kernel.after?.(t) ?? "";
  const each = (f: string, v: string) =>
    l.wide ? `vec4<f32>(${[..."xyzw"].map((c) => `${f}(${v}.${c})`)})` : `${f}(${v})`;
  const common = `${kernel.functions?.(t) ?? ""}fn exps(v: ${type}) -> ${type} { return ${each("crExp", "v")}; }
fn highest(v: ${type}) -> f32 { return ${l.wide ? "crMax(crMax(v.x, v.y), crMax(v.z, v.w))" : "v"}; }
`;
  const asRows = [...l.rowSlots, ...(kernel.columns ?? []).map((k) => l.otherSlots[k])];
  const bound = Array.from({ length: l.buffers }, (_, slot) => l.wide && asRows.includes(slot));
  const { builtins } = combination(gpu, threads, "none", []);
  const opening = threads === 1 ? `${MAIN_1D}  let first = 0u;\n` : `@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32${builtins}) {
  let group_number = group.y * ${MAX_GROUPS}u + group.x;
  let first = local;
`;
  const row = `${loads.join("")}${body}`;
  const all = l.walk
    ? `  if (group_number >= p(2u)) { return; }
${before}  for (var i = group_number; i < p(0u); i += p(2u)) {
${row}  workgroupBarrier();
  }
${after}`
    : `${threads === 1 ? "" : "  let i = group_number;\n  if (i >= p(0u)) { return; }\n"}${before}${row}${after}`;
  const text = `${common}${declared.join("")}${opening}${variables.join("")}${all}}`;
  return `${prelude(l.buffers, bound)}${ROUNDING}${helpersOf(text, WGSL_HELPERS)}${rowAccess(kernel, l)}${text}`;
}

/** A sum over a row's threads. */
export function sumOf(name: string): Combined {
  return { name, type: "f32", of: (a, b) => `${a} + ${b}`, builtin: "subgroupAdd" };
}

/** Softmax (or its logarithm) over the last dimension. */
export const softmax: KernelOf<Gpu, "softmax"> = (gpu, x, log, out) => {
  runRows(gpu, {
    name: log ? "softmax log" : "softmax plain",
    rows: [x, out],
    reads: 1,
    passes: 3,
    body: (t) => {
      const { held } = t;
      // Powers are kept: in registers, or in the result, if that holds them exactly.
      const again = !log && held === 0 && out.dtype.name === "float32";
      const powers = !log && held > 0
        ? Array.from({ length: held }, (_, u) => `  var power_${u} = ${t.type}();\n`).join("")
        : "";
      const power = (u: number) => `exps(${t.value(0, u)} - top)`;
      const keep = (u: number): string => powers !== "" ? `power_${u} = e;` : again ? t.store(1, "e") : "";
      const result = (u: number): string =>
        log
          ? `(${t.value(0, u)} - top) - shift`
          : `${powers !== "" ? `power_${u}` : again ? "read1(i, j)" : power(u)} / sum`;
      return `  var top = -crInf();
${t.each((u) => `    top = crMax(top, highest(${t.value(0, u)}));\n`)}${
        t.combine({ name: "top", type: "f32", of: (a, b) => `crMax(${a}, ${b})` })
      }${powers}  var sums = ${t.type}();
${t.each((u) => `    let e = ${power(u)};\n    ${keep(u)}\n    sums += e;\n`)}  var sum = ${t.total("sums")};
${t.combine(sumOf("sum"))}${log ? "  let shift = crLog(sum);\n" : ""}${t.each((u) => t.store(1, result(u)))}`;
    },
  });
};

/** The gradient of {@linkcode softmax} from its output: `y (g - Σ g y)`, or `g - e^y Σ g` of the logarithm. */
export const softmaxGrad: KernelOf<Gpu, "softmaxGrad"> = (gpu, grad, output, log, out) => {
  runRows(gpu, {
    name: log ? "softmaxGrad log" : "softmaxGrad plain",
    rows: [grad, output, out],
    reads: 2,
    passes: 2,
    body: (t) => {
      const term = (u: number) => log ? t.value(0, u) : `${t.value(0, u)} * ${t.value(1, u)}`;
      const result = (u: number) =>
        log ? `${t.value(0, u)} - exps(${t.value(1, u)}) * sum` : `${t.value(1, u)} * (${t.value(0, u)} - sum)`;
      return `  var sums = ${t.type}();
${t.each((u) => `    sums += ${term(u)};\n`)}  var sum = ${t.total("sums")};
${t.combine(sumOf("sum"))}${t.each((u) => t.store(2, result(u)))}`;
    },
  });
};
