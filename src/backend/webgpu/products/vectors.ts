/**
 * Products with up to four rows: every element of the right operand is read once, by neighbouring threads where neighbours
 * lie in memory, and meets all rows.
 *
 * A workgroup has 256 threads for a few columns: each walks its share of the depth, four elements at a time so that their
 * loads overlap, and the shares are summed in workgroup memory.
 *
 * @module
 */

import { gridGroup, prelude } from "../text/kernel_text.ts";
import { TileAt, type TileText } from "./tiles.ts";

/** The most rows. */
export const VECTOR_ROWS = 4;
const THREADS = 256;

/** Columns of a workgroup: few where threads walk along the depth together. */
export function vectorLanes(depthFirst: boolean): number {
  return depthFirst ? 4 : 32;
}

/** What the text of the kernel depends on: see {@linkcode TileText}; operands are read one by one. */
export type VectorText = Omit<TileText, "size" | "twice" | "long"> & { readonly rows: number };

/** The kernel's text. */
export function vectorCode(text: VectorText): string {
  const { type, left, right, batchDims, rows, parts } = text;
  const lanes = vectorLanes(right.depthFirst), shares = THREADS / lanes;
  const sizes = TileAt.Batch, strides = sizes + batchDims;
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  const dims = range(batchDims);
  const base = (name: string, first: string, at: number) =>
    `  var ${name} = ${first};\n` + dims.map((d) => `  ${name} += batch_${d} * p(${at + d}u);\n`).join("");
  const element = (slot: number, vector: boolean, at: string) =>
    `bitcast<${type}>(${vector ? `b${slot}[(${at}) >> 2u][(${at}) & 3u]` : `b${slot}[${at}]`})`;
  const right4 = (i: number) =>
    element(right.slot, right.vector, `right_at + (k + ${i * shares}u) * p(${TileAt.Right + 2}u)`);
  const left4 = (r: number, i: number) =>
    element(
      left.slot,
      left.vector,
      `left_base + ${r}u * p(${TileAt.Left + 1}u) + (k + ${i * shares}u) * p(${TileAt.Left + 2}u)`,
    );
  const meet = (i: number) => range(rows).map((r) => `      acc_${r} += ${left4(r, i)} * v${i};\n`).join("");
  const halves = range(Math.log2(shares)).map((i) => shares >> (i + 1));
  const store = parts === null
    ? (r: number) => `    put(${r}u, column, sums[${r * THREADS}u + local]);\n`
    : (r: number) =>
      `    b${parts}[((part_number * p(${TileAt.Batches}u) + batch) * p(${TileAt.Rows}u) + ${r}u) * p(${TileAt.Columns}u) + column] = bitcast<u32>(sums[${
        r * THREADS
      }u + local]);\n`;
  const share = right.depthFirst ? `local % ${shares}u` : `local / ${lanes}u`;
  const lane = right.depthFirst ? `local / ${shares}u` : `local % ${lanes}u`;
  // Where threads of one column are neighbours in the workgroup, and how far apart they are.
  const apart = right.depthFirst ? 1 : lanes;
  return `${prelude(text.bound.length, text.bound)}
${text.finish}
var<workgroup> sums: array<${type}, ${THREADS * rows}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) part: vec3<u32>, @builtin(local_invocation_index) local: u32) {
${gridGroup(TileAt.Group)}  let part_number = group.z / p(${TileAt.Batches}u);
  let batch = group.z % p(${TileAt.Batches}u);
  var rest = batch;
${[...dims].reverse().map((d) => `  let batch_${d} = rest % p(${sizes + d}u); rest /= p(${sizes + d}u);\n`).join("")}${
    base("left_base", `p(${TileAt.Left}u)`, strides)
  }${base("right_base", `p(${TileAt.Right}u)`, strides + batchDims)}${
    parts === null ? `${base("out_at", `p(${TileAt.Out}u)`, strides + 2 * batchDims)}  out_base = out_at;\n` : ""
  }  let column = group.x * ${lanes}u + ${lane};
  let first = part_number * p(${TileAt.Part}u);
  let end = min(first + p(${TileAt.Part}u), p(${TileAt.Depth}u));
  let right_at = right_base + column * p(${TileAt.Right + 1}u);
${range(rows).map((r) => `  var acc_${r} = ${type}();\n`).join("")}  if (column < p(${TileAt.Columns}u)) {
    var k = first + ${share};
    for (; k + ${3 * shares}u < end; k += ${4 * shares}u) {
${range(4).map((i) => `      let v${i} = ${right4(i)};\n`).join("")}${range(4).map(meet).join("")}    }
    for (; k < end; k += ${shares}u) {
      let v0 = ${right4(0)};
${meet(0)}    }
  }
${range(rows).map((r) => `  sums[${r * THREADS}u + local] = acc_${r};\n`).join("")}${
    halves.map((half) =>
      `  workgroupBarrier();\n  if (${share} < ${half}u) {\n${
        range(rows).map((r) => `    sums[${r * THREADS}u + local] += sums[${r * THREADS + half * apart}u + local];\n`)
          .join("")
      }  }\n`
    ).join("")
  }  if (${share} == 0u && column < p(${TileAt.Columns}u)) {
${range(rows).map(store).join("")}  }
}
`;
}
