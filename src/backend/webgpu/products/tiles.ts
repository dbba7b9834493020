/**
 * The tiled product for GPUs: tiles of both operands in workgroup memory, a block of the output in each thread's registers.
 *
 * A workgroup of T + T threads computes T × T sums. Per step of 16 along the depth every thread fetches one block of 4 × 4
 * elements, half of the threads of the left operand and half of the right one, as four vectors along whichever dimension
 * has them, turned in registers so that workgroup memory holds vectors along rows and columns; the next step's blocks are
 * fetched while this one's are multiplied. Vectors of one depth are rotated by twice its quarter, so that neither the
 * turned stores nor the loads meet in a bank. At T = 128 a thread holds 8 × 8 sums: 128 operations per 64 bytes read from
 * workgroup memory and 64 + 16 + 16 + some 20 registers, so two workgroups share a multiprocessor of 64 K registers;
 * of memory it reads one byte per 32 operations.
 *
 * @module
 */

import { gridGroup, prelude } from "../text/kernel_text.ts";

/** Depth of a step. */
export const STEP = 16;

/** Sizes of tiles: rows and columns of a workgroup, then of a thread. `size · size = 2 · size · rows · columns` of threads' sums. */
export const PLANS = {
  128: { size: 128, rows: 8, columns: 8 },
  64: { size: 64, rows: 8, columns: 4 },
  32: { size: 32, rows: 4, columns: 4 },
} as const;

/** The size of a tile. */
export type TileSize = keyof typeof PLANS;

/**
 * How an operand's elements are read: vectors along the depth, vectors along its lines (rows of the left, columns of the
 * right), one by one, or by the WGSL functions `left_at(row, k)` and `right_at(k, column)`.
 */
export type Reads = "depth" | "lines" | "each" | "function";

/** One operand of the kernel. */
export interface TileOperand {
  readonly slot: number;
  readonly reads: Reads;
  /** Whether neighbouring threads fetch neighbours along the depth. */
  readonly depthFirst: boolean;
  /** Whether its buffer is bound as vectors. */
  readonly vector: boolean;
  /** Whether the depth is no multiple of four. */
  readonly ragged: boolean;
}

/** Places of the kernel's own parameters. */
export const enum TileAt {
  Rows,
  Columns,
  Depth,
  /** Depth of a part, where the product is split along it; a multiple of {@linkcode STEP}. */
  Part,
  Batches,
  /** Offset, line step and depth step of the left operand, in elements. */
  Left,
  Right = 8,
  /** The number of the first workgroup in three dimensions. */
  Group = 11,
  Out = 14,
  /** Sizes of the batch dimensions, then the steps of left, right and output. */
  Batch = 15,
}

/** What the text of a kernel depends on. */
export interface TileText {
  readonly type: "f32" | "i32";
  readonly size: TileSize;
  /** Whether workgroup memory holds two steps, so that one barrier a step is enough. */
  readonly twice: boolean;
  readonly left: TileOperand;
  readonly right: TileOperand;
  readonly batchDims: number;
  /** Declarations: `put` or `put4`, with `out_base` unless operands are functions, which then stand here too. */
  readonly finish: string;
  /** Whether `put4` is there, else `put`. */
  readonly vectors: boolean;
  /** Whether these are called in a loop. */
  readonly long: boolean;
  /** Where parts of a split product go instead: the slot of a buffer of `[part][batch][row][column]` sums. */
  readonly parts: number | null;
  /** Which buffers are bound as vectors. */
  readonly bound: readonly boolean[];
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

const XYZW = "xyzw";

/** `fetch_NAME(line, k, end, base) -> Block`: the 4 × 4 elements from there on, as vectors along the lines. */
function fetchFunction(name: "left" | "right", operand: TileOperand, type: string): string {
  const at = name === "left" ? TileAt.Left : TileAt.Right, lines = name === "left" ? TileAt.Rows : TileAt.Columns;
  const { slot, reads } = operand, line = `p(${at + 1}u)`, deep = `p(${at + 2}u)`;
  const load4 = (offset: string) => `bitcast<vec4<${type}>>(b${slot}[(${offset}) >> 2u])`;
  let body: string;
  if (reads === "function") {
    // In loops: the functions are long, and compilers for GPUs unroll loops as short as these.
    const element = name === "left" ? "left_at(line + i, k + j)" : "right_at(k + j, line + i)";
    body = `  var all: array<vec4<${type}>, 4>;
  for (var j = 0u; j < 4u; j++) {
    for (var i = 0u; i < 4u; i++) {
      if (k + j < end && line + i < p(${lines}u)) { all[j][i] = ${element}; }
    }
  }
  r = Block(all[0], all[1], all[2], all[3]);
`;
  } else if (reads === "depth") {
    body = `  let o = base + line * ${line} + k;
${range(4).map((i) => `  let d${i} = ${load4(`o + ${i}u * ${line}`)};\n`).join("")}${
      range(4).map((j) => `  r.r${j} = vec4<${type}>(${range(4).map((i) => `d${i}.${XYZW[j]}`).join(", ")});\n`).join(
        "",
      )
    }`;
  } else if (reads === "lines") {
    body = `  let o = base + line + k * ${deep};
${
      range(4).map((j) =>
        `  ${operand.ragged ? `if (k + ${j}u < end) ` : ""}{ r.r${j} = ${load4(`o + ${j}u * ${deep}`)}; }\n`
      ).join("")
    }`;
  } else {
    const word = operand.vector ? `b${slot}[o >> 2u][o & 3u]` : `b${slot}[o]`;
    const element = (i: number, j: number) =>
      `    if (line + ${i}u < p(${lines}u)) { let o = at + ${i}u * ${line}; r.r${j}.${
        XYZW[i]
      } = bitcast<${type}>(${word}); }\n`;
    const deepest = (j: number) =>
      `  if (k + ${j}u < end) {\n    let at = base + line * ${line} + (k + ${j}u) * ${deep};\n${
        range(4).map((i) => element(i, j)).join("")
      }  }\n`;
    body = range(4).map(deepest).join("");
  }
  return `fn fetch_${name}(line: u32, k: u32, end: u32, base: u32) -> Block {
  var r = Block();
  if (k >= end || line >= p(${lines}u)) { return r; }
${body}  return r;
}
`;
}

/** Statements that compute which block `thread` fetches: which `quarter` of the step and which `four` of the lines. */
function blockOf(operand: TileOperand, size: number): string {
  return operand.depthFirst
    ? `    quarter = thread % 4u; four = thread / 4u;\n`
    : `    quarter = thread / ${size / 4}u; four = thread % ${size / 4}u;\n`;
}

/** Batch offsets of an operand. */
function batchBase(name: string, first: string, dims: number, at: number): string {
  return `  var ${name} = ${first};\n` +
    range(dims).map((d) => `  ${name} += batch_${d} * p(${at + d}u);\n`).join("");
}

/**
 * The multiplications of a step whose vectors lie at `left_at` and `right_at` in workgroup memory. Its arrays are nested so
 * that of an index only what varies is checked: for the four depths of a quarter, once.
 */
function multiply(text: TileText): string {
  const { rows, columns, size } = PLANS[text.size], across = size / columns, down = size / rows, quad = size / 4;
  const product = (a: string, b: string, sum: string) =>
    text.type === "f32" ? `${sum} = fma(vec4<f32>(${a}), ${b}, ${sum});` : `${sum} += ${a} * ${b};`;
  const one = (j: number): string => {
    const at = (base: string, thread: string, part: number) =>
      `tile[${base}][q][${j}][(${thread} + ${part}u + 2u * q) & ${quad - 1}u]`;
    const loads = [
      ...range(rows / 4).map((i) => `      let a${i} = ${at("left_at", "ty", i * down)};\n`),
      ...range(columns / 4).map((c) => `      let b${c} = ${at("right_at", "tx", c * across)};\n`),
    ].join("");
    const sums = range(rows).map((r) =>
      range(columns / 4).map((c) => `      ${product(`a${r >> 2}.${XYZW[r & 3]}`, `b${c}`, `acc_${r}_${c}`)}\n`).join(
        "",
      )
    ).join("");
    return `      {\n${loads}${sums}      }\n`;
  };
  return `    for (var q = 0u; q < 4u; q++) {\n${range(4).map(one).join("")}    }\n`;
}

/** The same in a loop over the sums, for long functions: once in the text. */
function storesInLoop(text: TileText): string {
  const { rows, columns, size } = PLANS[text.size], across = size / columns, down = size / rows, wide = columns / 4;
  const copies = range(rows).flatMap((r) => range(wide).map((c) => `  sums[${r * wide + c}] = acc_${r}_${c};\n`)).join(
    "",
  );
  return `  var sums: array<vec4<${text.type}>, ${rows * wide}>;
${copies}  for (var i = 0u; i < ${rows * wide}u; i++) {
    let r = i / ${wide}u;
    let m = m0 + 4u * (ty + (r >> 2u) * ${down}u) + (r & 3u);
    let n = n0 + 4u * (tx + (i % ${wide}u) * ${across}u);
    if (m < p(${TileAt.Rows}u) && n < p(${TileAt.Columns}u)) {
${
    text.vectors
      ? "      put4(m, n, sums[i]);\n"
      : `      for (var c = 0u; c < 4u; c++) { if (n + c < p(${TileAt.Columns}u)) { put(m, n + c, sums[i][c]); } }\n`
  }    }
  }
`;
}

/** Stores the sums of a thread. */
function stores(text: TileText): string {
  if (text.long) return storesInLoop(text);
  const { rows, columns, size } = PLANS[text.size], across = size / columns, down = size / rows;
  let out = "";
  for (const r of range(rows)) {
    let body = "";
    for (const c of range(columns / 4)) {
      const sums = `acc_${r}_${c}`, n = `n0 + 4u * (tx + ${c * across}u)`;
      if (text.parts !== null) {
        body += range(4).map((i) =>
          `    if (${n} + ${i}u < p(${TileAt.Columns}u)) { b${text.parts}[sums_at + ${n} + ${i}u] = bitcast<u32>(${sums}[${i}]); }\n`
        ).join("");
      } else if (text.vectors) body += `    if (${n} < p(${TileAt.Columns}u)) { put4(m, ${n}, ${sums}); }\n`;
      else {
        body += range(4).map((i) =>
          `    if (${n} + ${i}u < p(${TileAt.Columns}u)) { put(m, ${n} + ${i}u, ${sums}[${i}]); }\n`
        ).join("");
      }
    }
    const m = `m0 + 4u * (ty + ${(r >> 2) * down}u) + ${r & 3}u`;
    const sumsAt = text.parts === null
      ? ""
      : `    let sums_at = ((part_number * p(${TileAt.Batches}u) + batch) * p(${TileAt.Rows}u) + m) * p(${TileAt.Columns}u);\n`;
    out += `  if (${m} < p(${TileAt.Rows}u)) {\n    let m = ${m};\n${sumsAt}${body}  }\n`;
  }
  return out;
}

/** The kernel's text. */
export function tileCode(text: TileText): string {
  const { type, twice, left, right, batchDims } = text;
  const { size, rows, columns } = PLANS[text.size], threads = 2 * size, across = size / columns;
  const sizes = TileAt.Batch, strides = sizes + batchDims, quad = size / 4;
  const zero = `vec4<${type}>()`, block = [0, 1, 2, 3];
  const fetch = `if (is_left) { next = fetch_left(line, k, end, left_base); }
    else { next = fetch_right(line, k, end, right_base); }`;
  return `${prelude(text.bound.length, text.bound)}
var<private> batch: u32;
struct Block { ${block.map((j) => `r${j}: vec4<${type}>`).join(", ")} }
${text.finish}
${fetchFunction("left", left, type)}${fetchFunction("right", right, type)}
var<workgroup> tile: array<array<array<array<vec4<${type}>, ${quad}>, 4>, ${STEP / 4}>, ${twice ? 4 : 2}>;
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) part: vec3<u32>, @builtin(local_invocation_index) local: u32) {
${gridGroup(TileAt.Group)}  let part_number = group.z / p(${TileAt.Batches}u);
  batch = group.z % p(${TileAt.Batches}u);
  var rest = batch;
${
    range(batchDims).reverse().map((d) => `  let batch_${d} = rest % p(${sizes + d}u); rest /= p(${sizes + d}u);\n`)
      .join("")
  }${batchBase("left_base", `p(${TileAt.Left}u)`, batchDims, strides)}${
    batchBase("right_base", `p(${TileAt.Right}u)`, batchDims, strides + batchDims)
  }${text.parts === null ? batchBase("out_at", `p(${TileAt.Out}u)`, batchDims, strides + 2 * batchDims) : ""}${
    text.parts === null && left.reads !== "function" ? "  out_base = out_at;\n" : ""
  }
  let m0 = group.y * ${size}u;
  let n0 = group.x * ${size}u;
  let first = part_number * p(${TileAt.Part}u);
  let end = min(first + p(${TileAt.Part}u), p(${TileAt.Depth}u));
  let is_left = local < ${size}u;
  let thread = local % ${size}u;
  var quarter: u32;
  var four: u32;
  if (is_left) {
${blockOf(left, size)}  } else {
${blockOf(right, size)}  }
  let line = 4u * four + select(n0, m0, is_left);
  let side = select(1u, 0u, is_left);
  let own = (four + 2u * quarter) & ${quad - 1}u;
  let tx = local % ${across}u;
  let ty = local / ${across}u;
${range(rows).map((r) => range(columns / 4).map((c) => `  var acc_${r}_${c} = ${zero};`).join("")).join("\n")}
  var next: Block;
  var k = first + 4u * quarter;
  ${fetch}
  var left_at = 0u;
  for (var k0 = first; k0 < end; k0 += ${STEP}u) {
    let right_at = left_at + 1u;
${block.map((j) => `    tile[left_at + side][quarter][${j}][own] = next.r${j};\n`).join("")}    workgroupBarrier();
    k += ${STEP}u;
    ${fetch}
${multiply(text)}${twice ? "    left_at = 2u - left_at;\n" : "    workgroupBarrier();\n"}  }
${stores(text)}}
`;
}

/** The trips that the loops of a thread take per step of the depth (more, where an operand is a function), and at most at the end. */
export const TRIPS_PER_STEP = 5, TRIPS_WITH_FUNCTIONS = 25, TRIPS_AT_END = 128;
