/**
 * WGSL of fused attention: three passes from one skeleton of tiles.
 *
 * 128 threads own 64 rows: thread (x, y) of 8 × 16 has rows 4y to 4y + 3, of the 32 scores of a tile's row those at 4x to
 * 4x + 3, and of a result's row every eighth vector. Operands come into workgroup memory in slices of 16 elements, a line of
 * five vectors each so that neighbours' reads do not meet in a bank, and the weights are exchanged there, 16 KiB in all, what
 * every adapter has.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { helpersOf } from "../../../expr/print.ts";
import { WGSL_HELPERS } from "../../../expr/wgsl_prelude.ts";
import { gridGroup, prelude } from "../text/kernel_text.ts";
import { load, ROUNDING, word } from "../text/operands.ts";

/** Rows of a workgroup. */
export const ROWS = 64;
/** Columns of a tile. */
export const COLUMNS = 32;
const THREADS = 128;
/** Vectors of a line of a slice: four, and one that keeps lines apart. */
const LINE = 5;
/** Vectors in workgroup memory for slices of both sides. */
const SLICES = (ROWS + COLUMNS) * LINE;

/** The three kernels: by query also walks over keys, by key over queries. */
export type AttentionPass = "forward" | "byQuery" | "byKey";

/** The parameters' places. */
export const enum Place {
  Heads,
  /** Heads of the query per head of key and value. */
  Group,
  Queries,
  Keys,
  Width,
  ValueWidth,
  Causal,
  Scale,
  /** The columns to walk over, from a whole tile on. */
  Start,
  End,
  /** Whether results so far are to be read first. */
  Resume,
  /** Which of the heads that share one. */
  Turn,
  Keep,
  Base,
  KeyLow,
  KeyHigh,
  /** Three: the first workgroup's number. */
  Grid,
  Operands = 19,
}

/** What a kernel's text depends on. */
export interface Layout {
  /** Each operand's buffer, and the parameter of its offset, which its steps follow. */
  readonly places: Readonly<Record<string, { readonly slot: number; readonly at: number; readonly dtype: DType }>>;
  /** Whether matrices are read as vectors of four. */
  readonly vectors: boolean;
  /** The heads' width, a multiple of 32. */
  readonly width: number;
  /** Whether weights are dropped. */
  readonly dropout: boolean;
  /** How many buffers there are. */
  readonly buffers: number;
}

/** Rows of a matrix that are weighed at a time. */
function piece(width: number): number {
  return width === 32 ? 32 : width === 128 ? 8 : 16;
}

/** Turns of a thread's loops for each tile of columns. */
export function tripsOf(pass: AttentionPass, width: number, dropout: boolean): number {
  const score = width / 16 + 1, weigh = COLUMNS / piece(width) * (1 + piece(width) / 4) + 1;
  const [scores, weighs] = { forward: [1, 1], byQuery: [2, 1], byKey: [2, 2] }[pass];
  return 1 + scores * score + weighs * weigh + (dropout ? 16 * 11 : 0);
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** `fn load_<name>(row, vector)`: four elements of a matrix, zeros outside; and where its head starts. */
function loader(name: string, { places, vectors }: Layout, rows: number, width: number): string {
  const { slot, at, dtype } = places[name];
  const value = vectors
    ? `bitcast<vec4<f32>>(b${slot}[${name}_start + row * p(${at + 3}u) + c])`
    : `vec4<f32>(${
      range(4).map((i) => i === 0 ? `${name}_one(row, 4u * c)` : `${name}_one(row, 4u * c + ${i}u)`).join(", ")
    })`;
  const one = vectors ? "" : `fn ${name}_one(row: u32, d: u32) -> f32 {
  if (d >= p(${width}u)) { return 0.0; }
  return ${load(slot, dtype, `${name}_start + row * p(${at + 3}u) + d`)};
}
`;
  return `var<private> ${name}_start: u32;
${one}fn load_${name}(row: u32, c: u32) -> vec4<f32> {
  if (row >= p(${rows}u) || 4u * c >= p(${width}u)) { return vec4<f32>(); }
  return ${value};
}
`;
}

/** `fn store_<name>(row, vector, value)`. */
function storer(name: string, { places, vectors }: Layout, rows: number, width: number): string {
  const { slot, at, dtype } = places[name];
  const words = range(4).map((i) => word(dtype, `v.${"xyzw"[i]}`));
  const place = `${name}_start + row * p(${at + 3}u)`;
  const body = vectors
    ? `  if (4u * c < p(${width}u)) { b${slot}[${place} + c] = vec4<u32>(${words.join(", ")}); }\n`
    : range(4).map((i) =>
      `  if (4u * c + ${i}u < p(${width}u)) { b${slot}[${place} + 4u * c + ${i}u] = ${words[i]}; }\n`
    )
      .join("");
  return `fn store_${name}(row: u32, c: u32, v: vec4<f32>) {
  if (row >= p(${rows}u)) { return; }
${body}}
`;
}

/** Where a head of an operand starts. */
function start(name: string, { places }: Layout, head: string): string {
  const { at } = places[name];
  return `  ${name}_start = p(${at}u) + batch * p(${at + 1}u) + ${head} * p(${at + 2}u);\n`;
}

/** The functions of one score: whether it counts, its mask, and what is left of its weight after dropout. */
function scoring({ places, dropout }: Layout): string {
  const { mask } = places;
  const at = mask && `p(${mask.at}u) + batch * p(${mask.at + 1}u) + head * p(${mask.at + 2}u) + ` +
      `i * p(${mask.at + 3}u) + j * p(${mask.at + 4}u)`;
  const applied = !mask
    ? "  return s;"
    : mask.dtype.kind === "bool"
    ? `  if (${load(mask.slot, mask.dtype, at)}) { return s; }\n  return NOTHING;`
    : `  let sum = s + ${load(mask.slot, mask.dtype, at)};\n  return select(sum, NOTHING, sum < NOTHING);`;
  const kept = dropout
    ? `  let place = p(${Place.Base}u) + ((batch * p(${Place.Heads}u) + head) * p(${Place.Queries}u) + i) * p(${Place.Keys}u) + j;
  let drawn = crPhilox(bitcast<i32>(place), bitcast<i32>(p(${Place.KeyLow}u)), bitcast<i32>(p(${Place.KeyHigh}u)));
  let keep = bitcast<f32>(p(${Place.Keep}u));
  return select(0.0, 1.0 / keep, f32(bitcast<u32>(drawn) >> 8u) * ${2 ** -24} < keep);`
    : "  return 1.0;";
  return `// Less than any score: such weights are 0, without relying on infinities.
const NOTHING = -3.0e38;
var<private> batch: u32;
var<private> head: u32;
fn masked(s: f32, i: u32, j: u32) -> f32 {
  if (i >= p(${Place.Queries}u) || j >= p(${Place.Keys}u) || (p(${Place.Causal}u) != 0u && j > i)) { return NOTHING; }
${applied}
}
fn share(i: u32, j: u32) -> f32 {
${kept}
}
fn weight(s: f32, base: f32) -> f32 { return select(exp(s - base), 0.0, s <= NOTHING); }
`;
}

/** Statements: `<sums>_0` to `_3` become the products of the thread's rows of one matrix and columns of another. */
function scores(sums: string, left: string, right: string, width: number): string {
  const products = range(4).map((i) =>
    `${
      range(4).map((j) => `      let right_${i}_${j} = tiles[${ROWS * LINE + j * 8 * LINE + i}u + tx * ${LINE}u];\n`)
        .join("")
    }${
      range(4).map((r) =>
        `      let left_${i}_${r} = tiles[(ty * 4u + ${r}u) * ${LINE}u + ${i}u];
      ${sums}_${r} += vec4<f32>(${range(4).map((j) => `dot(left_${i}_${r}, right_${i}_${j})`).join(", ")});
`
      ).join("")
    }`
  ).join("");
  return `${range(4).map((r) => `    var ${sums}_${r} = vec4<f32>();\n`).join("")}
    for (var d = 0u; 4u * d < p(${width}u); d += 4u) {
      workgroupBarrier();
      let line = local / 4u;
      let part = local % 4u;
      tiles[line * ${LINE}u + part] = load_${left}(row0 + line, d + part);
      tiles[(line + 32u) * ${LINE}u + part] = load_${left}(row0 + line + 32u, d + part);
      tiles[${
    ROWS * LINE
  }u + ((line % 4u) * 8u + line / 4u) * ${LINE}u + part] = load_${right}(column0 + line, d + part);
      workgroupBarrier();
${products}    }
`;
}

/** Statements: `<sums>_<row>_<vector>` grow by the weights in workgroup memory times the columns' rows of a matrix. */
function weigh(sums: string, right: string, width: number): string {
  const lines = piece(width), across = width / 4, loads = lines * across / THREADS;
  const copies = range(loads).map((n) =>
    `      tiles[local + ${n * THREADS}u] = load_${right}(column0 + k + (local + ${
      n * THREADS
    }u) / ${across}u, (local + ${n * THREADS}u) % ${across}u);\n`
  ).join("");
  const products = range(4).map((i) =>
    range(width / 32).map((c) =>
      `        let right_${i}_${c} = tiles[(kk + ${i}u) * ${across}u + ${c * 8}u + tx];\n${
        range(4).map((r) => `        ${sums}_${r}_${c} += weight_${r}.${"xyzw"[i]} * right_${i}_${c};\n`).join("")
      }`
    ).join("")
  ).join("");
  return `    for (var k = 0u; k < ${COLUMNS}u; k += ${lines}u) {
      workgroupBarrier();
${copies}      workgroupBarrier();
      for (var kk = 0u; kk < ${lines}u; kk += 4u) {
${
    range(4).map((r) => `        let weight_${r} = weights[(ty * 4u + ${r}u) * 8u + (k + kk) / 4u];\n`).join("")
  }${products}      }
    }
`;
}

/** Statements: `name`, a vector of the thread's four rows, combined over the eight threads of the rows. */
function overRow(name: string, combined: (a: string, b: string) => string): string {
  const all = range(7).map((n) => `    ${name} = ${combined(name, `weights[ty * 8u + (tx + ${n + 1}u) % 8u]`)};\n`);
  return `    workgroupBarrier();
    weights[ty * 8u + tx] = ${name};
    workgroupBarrier();
${all.join("")}    workgroupBarrier();
`;
}

function forward({ width, places }: Layout): string {
  const across = range(width / 32), rows = range(4);
  const log = places.logSum, lines = `p(${log.at}u) + (batch * p(${Place.Heads}u) + head) * p(${Place.Queries}u)`;
  const scoresOf = rows.map((r) =>
    `    s_${r} = vec4<f32>(${
      range(4).map((j) => `masked(s_${r}.${"xyzw"[j]} * scale, row0 + ty * 4u + ${r}u, column0 + tx * 4u + ${j}u)`)
        .join(", ")
    });\n    high.${"xyzw"[r]} = max(max(s_${r}.x, s_${r}.y), max(s_${r}.z, s_${r}.w));\n`
  ).join("");
  const weightsOf = rows.map((r) => {
    const at = "xyzw"[r];
    const shares = range(4).map((j) => `share(row0 + ty * 4u + ${r}u, column0 + tx * 4u + ${j}u)`).join(", ");
    return `    s_${r} = vec4<f32>(${range(4).map((j) => `weight(s_${r}.${"xyzw"[j]}, top.${at})`).join(", ")});
    total.${at} += dot(s_${r}, vec4<f32>(1.0));
    weights[(ty * 4u + ${r}u) * 8u + tx] = s_${r} * vec4<f32>(${shares});
${across.map((c) => `    sum_${r}_${c} *= fade.${at};\n`).join("")}`;
  }).join("");
  const resume = rows.map((r) => {
    const at = "xyzw"[r];
    return `    if (row + ${r}u < p(${Place.Queries}u)) {
      let known = bitcast<f32>(b${log.slot}[line + row + ${r}u]);
      if (known < 1.0e38) { top.${at} = known; total.${at} = select(0.0, 1.0, tx == 0u); }
${across.map((c) => `      sum_${r}_${c} = load_out(row + ${r}u, ${c * 8}u + tx);\n`).join("")}    }
`;
  }).join("");
  const finish = rows.map((r) => {
    const at = "xyzw"[r];
    return `    if (row + ${r}u < p(${Place.Queries}u) && tx == 0u) {
      b${log.slot}[line + row + ${r}u] = bitcast<u32>(select(top.${at} + log(total.${at}), crInf(), total.${at} == 0.0));
    }
    let factor_${r} = select(1.0 / total.${at}, 0.0, total.${at} == 0.0);
${across.map((c) => `    store_out(row + ${r}u, ${c * 8}u + tx, sum_${r}_${c} * factor_${r});\n`).join("")}`;
  }).join("");
  return `  let line = ${lines};
  let row = row0 + ty * 4u;
  var top = vec4<f32>(NOTHING);
  var total = vec4<f32>();
${rows.map((r) => across.map((c) => `  var sum_${r}_${c} = vec4<f32>();\n`).join("")).join("")}
  if (p(${Place.Resume}u) != 0u) {
${resume}  }
  var end = p(${Place.End}u);
  if (p(${Place.Causal}u) != 0u) { end = min(end, row0 + ${ROWS}u); }
  for (var column0 = p(${Place.Start}u); column0 < end; column0 += ${COLUMNS}u) {
${scores("s", "query", "key", Place.Width)}    var high = vec4<f32>();
${scoresOf}${overRow("high", (a, b) => `max(${a}, ${b})`)}    high = max(high, top);
    let fade = exp(top - high);
    top = high;
    total *= fade;
${weightsOf}${weigh("sum", "value", width)}  }
  {
${overRow("total", (a, b) => `${a} + ${b}`)}${finish}  }
`;
}

function backward(pass: "byQuery" | "byKey", { width, places }: Layout): string {
  const keys = pass === "byKey", across = range(width / 32), rows = range(4);
  const [left, left2, right, right2] = keys ? ["key", "value", "query", "grad"] : ["query", "grad", "key", "value"];
  const results = keys ? [["byKey", "sum"], ["byValue", "other"]] : [["byQuery", "sum"]];
  const at = (name: string, i: string) => `bitcast<f32>(b${places[name].slot}[p(${places[name].at}u) + line + ${i}])`;
  const inside = `min(${keys ? "column" : "row"}, p(${Place.Queries}u) - 1u)`;
  const changes = rows.map((r) =>
    range(4).map((j) => {
      const e = `${r}.${"xyzw"[j]}`;
      return `    {
      let row = row0 + ty * 4u + ${r}u;
      let column = column0 + tx * 4u + ${j}u;
      let i = ${keys ? "column" : "row"};
      let j = ${keys ? "row" : "column"};
      let w = weight(masked(s_${e} * scale, i, j), ${at("logSum", inside)});
      let part = share(i, j);
      s_${e} = w * part;
      c_${e} = w * (c_${e} * part - ${at("dots", inside)});
    }
`;
    }).join("")
  ).join("");
  const put = (name: string) => rows.map((r) => `    weights[(ty * 4u + ${r}u) * 8u + tx] = ${name}_${r};\n`).join("");
  const resume = results.map(([name, sums]) =>
    rows.map((r) =>
      across.map((c) =>
        `    ${sums}_${r}_${c} = load_${name}(row0 + ty * 4u + ${r}u, ${c * 8}u + tx)${
          sums === "sum" ? " / scale" : ""
        };\n`
      ).join("")
    ).join("")
  ).join("");
  const finish = results.map(([name, sums]) =>
    rows.map((r) =>
      across.map((c) =>
        `  store_${name}(row0 + ty * 4u + ${r}u, ${c * 8}u + tx, sum_of(${sums}_${r}_${c}${
          sums === "sum" ? ", scale" : ", 1.0"
        }));\n`
      ).join("")
    ).join("")
  ).join("");
  const from = keys
    ? `  if (p(${Place.Causal}u) != 0u) { start = max(start, row0 / ${COLUMNS}u * ${COLUMNS}u); }\n`
    : `  if (p(${Place.Causal}u) != 0u) { end = min(end, row0 + ${ROWS}u); }\n`;
  return `  let line = (batch * p(${Place.Heads}u) + head) * p(${Place.Queries}u);
${
    results.map(([, sums]) =>
      rows.map((r) => across.map((c) => `  var ${sums}_${r}_${c} = vec4<f32>();\n`).join("")).join("")
    ).join("")
  }
  if (p(${Place.Resume}u) != 0u) {
${resume}  }
  var start = p(${Place.Start}u);
  var end = p(${Place.End}u);
${from}  for (var column0 = start; column0 < end; column0 += ${COLUMNS}u) {
${scores("s", left, right, Place.Width)}${scores("c", left2, right2, Place.ValueWidth)}${changes}${
    keys ? `${put("s")}${weigh("other", right2, width)}    workgroupBarrier();\n` : ""
  }${put("c")}${weigh("sum", right, width)}    workgroupBarrier();
  }
${finish}`;
}

/** The text of a pass. */
export function attentionCode(pass: AttentionPass, layout: Layout): string {
  const keys = pass === "byKey", { places } = layout;
  const matrices: Record<string, readonly [rows: number, width: number]> = {
    query: [Place.Queries, Place.Width],
    key: [Place.Keys, Place.Width],
    value: [Place.Keys, Place.ValueWidth],
    out: [Place.Queries, Place.ValueWidth],
    grad: [Place.Queries, Place.ValueWidth],
    byQuery: [Place.Queries, Place.Width],
    byKey: [Place.Keys, Place.Width],
    byValue: [Place.Keys, Place.ValueWidth],
  };
  const names = Object.keys(places).filter((name) => name in matrices);
  const written = names.filter((name) => name === "out" || name.startsWith("by"));
  const loads = names.map((name) => loader(name, layout, ...matrices[name])).join("");
  const stores = written.map((name) => storer(name, layout, ...matrices[name])).join("");
  const shared = ["key", "value", "byKey", "byValue"];
  const starts = names.map((name) => start(name, layout, shared.includes(name) ? "shared_head" : "head")).join("");
  const vectors: boolean[] = [];
  for (const name of names) vectors[places[name].slot] = layout.vectors;
  const heads = keys
    ? `  let shared_head = group.y;\n  head = group.y * p(${Place.Group}u) + p(${Place.Turn}u);\n`
    : `  head = group.y;\n  let shared_head = head / p(${Place.Group}u);\n`;
  const functions = scoring(layout) + loads + stores +
    "fn sum_of(v: vec4<f32>, factor: f32) -> vec4<f32> { return v * factor; }\n";
  const main = `var<workgroup> tiles: array<vec4<f32>, ${SLICES}>;
var<workgroup> weights: array<vec4<f32>, ${ROWS * COLUMNS / 4}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) part: vec3<u32>, @builtin(local_invocation_index) local: u32) {
${gridGroup(Place.Grid)}  batch = group.z;
${heads}${starts}  let row0 = group.x * ${ROWS}u;
  let tx = local % 8u;
  let ty = local / 8u;
  let scale = bitcast<f32>(p(${Place.Scale}u));
${pass === "forward" ? forward(layout) : backward(pass, layout)}}
`;
  const helpers = helpersOf(functions + main, WGSL_HELPERS);
  return `${
    prelude(layout.buffers, range(layout.buffers).map((i) => vectors[i] ?? false))
  }${ROUNDING}${helpers}${functions}${main}`;
}
