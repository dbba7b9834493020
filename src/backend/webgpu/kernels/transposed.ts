/**
 * Maps whose operands are transposed against the output, on graphics hardware: through tiles in workgroup memory.
 *
 * Neighbouring threads would read such an operand a whole access apart. So a workgroup takes a tile of 32 × 32: *staged*
 * operands are read along the dimension before the last, in which they lie next to each other, and exchanged in workgroup
 * memory, whose rows are 33 words, so that those who read a column meet all banks; the others are read as they lie.
 *
 * @module
 */

import { operandsOf } from "../../../expr/graph.ts";
import type { Program } from "../../../expr/program.ts";
import { wgslElement } from "../../../expr/wgsl.ts";
import type { Strided } from "../../backend.ts";
import { crossingOf, tileCount } from "../../tiles.ts";
import type { Gpu } from "../device/gpu.ts";
import { lineGroups, MAX_GROUPS, prelude, WORKGROUP } from "../text/kernel_text.ts";
import { checkDtype, load, offsets, Operands, ROUNDING, valueOf, word } from "../text/operands.ts";
import { pushScalars, scalarAccess } from "../text/scalars.ts";

const TILE = 32, PITCH = TILE + 1;
/** Operands whose tiles fit into the 16 KiB that every adapter has. */
const MOST_STAGED = 3;

/** Evaluates a program over merged dimensions by tiles; false: nothing is transposed, or tiles do not pay. */
export function tiledPointwise(
  gpu: Gpu,
  program: Program,
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  all: readonly Strided[],
  scalars: readonly (number | bigint)[],
): boolean {
  const inputs = program.inputs.length;
  const crossing = crossingOf(shape, strides, all.map(() => 4), inputs);
  if (crossing === null) return false;
  if (crossing.reordered && operandsOf(program.outputs.map(({ expr }) => expr)).index) return false;
  const tiles = tileCount(crossing.shape, TILE);
  if (tiles > MAX_GROUPS ** 2) return false;
  let room = MOST_STAGED;
  const staged = all.map((_, k) => k < inputs && crossing.transposed[k] && room-- > 0);
  for (const x of all) checkDtype("pointwise", x.dtype);
  const operands = new Operands(), slots = all.map((x) => operands.slot(x)), rank = crossing.shape.length;
  operands.push(tiles, ...crossing.shape);
  const places = all.map((x, k) => operands.push(x.offset, ...crossing.strides[k]));
  const first = pushScalars(operands, program, scalars);
  gpu.dispatch(
    `pointwise ${program.id} tiled ${rank} ${slots.join()} ${staged.map(Number).join("")}`,
    () => tiledCode(program, slots, staged, places, rank, first, operands.blocks.length),
    operands.blocks,
    operands.parameters,
    lineGroups(tiles),
  );
  return true;
}

function tiledCode(
  program: Program,
  slots: readonly number[],
  staged: readonly boolean[],
  places: readonly number[],
  rank: number,
  first: number,
  buffers: number,
): string {
  const inputs = program.inputs.length;
  const each = (line: (k: number) => string): string => slots.map((_, k) => line(k)).join("");
  // Where an element is: `y` along the dimension before the last, `x` along the last.
  const at = (k: number, y: string, x: string): string =>
    `o${k} + (${y}) * p(${places[k] + rank - 1}u) + (${x}) * p(${places[k] + rank}u)`;
  const element = wgslElement(program, {
    input: (k, dtype) =>
      staged[k]
        ? valueOf(dtype, `tile${k}[lane * ${PITCH}u + row]`)
        : load(slots[k], dtype, at(k, "y0 + row", "x0 + lane")),
    ...scalarAccess(first),
    index: "i32((batch * height + y0 + row) * width + x0 + lane)",
  });
  const rows = WORKGROUP / TILE;
  const stores = program.outputs.map(({ dtype }, k) =>
    `      b${slots[inputs + k]}[${at(inputs + k, "y0 + row", "x0 + lane")}] = ${word(dtype, element.results[k])};\n`
  );
  return `${prelude(buffers)}${ROUNDING}${element.helpers}
${each((k) => staged[k] ? `var<workgroup> tile${k}: array<u32, ${TILE * PITCH}>;\n` : "")}
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(workgroup_id) part: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let number = part.y * ${MAX_GROUPS}u + part.x;
  if (number >= p(0u)) { return; }
  let height = p(${rank - 1}u);
  let width = p(${rank}u);
  let wide = (width + ${TILE - 1}u) / ${TILE}u;
  let high = (height + ${TILE - 1}u) / ${TILE}u;
  let x0 = number % wide * ${TILE}u;
  let y0 = number / wide % high * ${TILE}u;
  let batch = number / wide / high;
  let lane = local % ${TILE}u;
${each((k) => `  var o${k} = p(${places[k]}u);\n`)}${
    rank > 2 ? offsets("batch", [1, rank - 2], slots.map((_, k) => [`o${k}`, places[k]] as const)) : ""
  }  for (var row = local / ${TILE}u; row < ${TILE}u; row += ${rows}u) {
    if (y0 + lane < height && x0 + row < width) {
${
    each((k) =>
      staged[k] ? `      tile${k}[row * ${PITCH}u + lane] = b${slots[k]}[${at(k, "y0 + lane", "x0 + row")}];\n` : ""
    )
  }    }
  }
  workgroupBarrier();
  for (var row = local / ${TILE}u; row < ${TILE}u; row += ${rows}u) {
    if (y0 + row < height && x0 + lane < width) {
${element.statements}
${stores.join("")}    }
  }
}`;
}
