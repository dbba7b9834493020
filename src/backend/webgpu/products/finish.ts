/**
 * How products end: each sum is scaled, added to what was there or taken through an epilogue, and stored.
 *
 * Printed as WGSL around two functions that every product kernel calls, `put(m, n, sum)` for one element or
 * `put4(m, n, sums)` for four neighbours of a row, so that any kernel can end in any expression.
 *
 * @module
 */

import { wgslElement } from "../../../expr/wgsl.ts";
import type { Epilogue, Strided } from "../../backend.ts";
import { floatWord, type Operands, ROUNDING, sumType, valueOf, word } from "../text/operands.ts";

/** What a product writes, as its kernel's rows and columns see it. */
export interface Target {
  /** The result. */
  readonly x: Strided;
  /** Its offset, and its steps by rows, columns and batches, in elements. */
  readonly offset: number;
  readonly row: number;
  readonly column: number;
}

/** The end of a product: what becomes of its sums. */
export interface Ending {
  readonly alpha: number;
  readonly beta: number;
  /** Instead of both factors. */
  readonly epilogue: Epilogue | null;
  /** Whether the kernel computes the transpose of the product: its rows are the epilogue's columns. */
  readonly turned: boolean;
}

/** The printed end of a product. */
export interface Finish {
  /** Identifies the functions. */
  readonly key: string;
  /** `var<private> out_base: u32` (the batch's first element, to be set), and `put` or `put4`. */
  readonly functions: () => string;
  /** Whether they are so long that a kernel should call them in a loop. */
  readonly long: boolean;
  /** The parameter that holds β. */
  readonly beta: number;
}

/** Whether four neighbours of a row can be written at once. */
export function writesVectors(target: Target, columns: number, batchSteps: readonly number[], ending: Ending): boolean {
  const aligned = (offset: number, row: number, column: number) =>
    (column === 1 || columns === 1) && row % 4 === 0 && offset % 4 === 0;
  if (columns % 4 !== 0 || !aligned(target.offset, target.row, target.column)) return false;
  if (!batchSteps.every((s) => s % 4 === 0)) return false;
  const kept = ending.epilogue?.kept ?? null;
  return kept === null ||
    aligned(kept.offset, kept.strides[ending.turned ? 1 : 0], kept.strides[ending.turned ? 0 : 1]);
}

/**
 * Adds what the end of a product needs to its operands.
 *
 * @param isVector whether the buffer of a slot is bound as `vec4<u32>`; asked when the text is printed
 * @param vectors whether `put4` writes vectors: the buffers of the results are then bound so
 */
export function finishOf(
  operands: Operands,
  target: Target,
  ending: Ending,
  vectors: boolean,
  isVector: (slot: number) => boolean,
): Finish {
  const { alpha, beta, epilogue, turned } = ending, { dtype } = target.x, type = sumType(dtype);
  const steps = (x: Strided) => turned ? [x.strides[1], x.strides[0]] : x.strides;
  const at = operands.push(floatWord(alpha), floatWord(beta), target.row, target.column);
  const results = [{ slot: operands.slot(target.x), steps: at + 2, base: "out_base", dtype }];
  const other = epilogue?.operand ?? null, kept = epilogue?.kept ?? null;
  const otherAt = other === null ? 0 : operands.push(other.offset, ...steps(other));
  const otherSlot = other === null ? -1 : operands.slot(other);
  if (kept !== null) {
    const keptAt = operands.push(kept.offset, ...steps(kept));
    results.push({ slot: operands.slot(kept), steps: keptAt + 1, base: `p(${keptAt}u)`, dtype: kept.dtype });
  }
  const place = (base: string, steps: number) => `${base} + m * p(${steps}u) + n * p(${steps + 1}u)`;
  const bits = (slot: number, at: string) =>
    isVector(slot) ? `b${slot}[(${at}) >> 2u][(${at}) & 3u]` : `b${slot}[${at}]`;
  const number = (i: number) => type === "f32" ? `bitcast<f32>(p(${i}u))` : `i32(bitcast<f32>(p(${i}u)))`;
  const narrow = (value: string) => word(dtype, dtype.kind === "bool" ? `(${value} != 0)` : value);
  const functions = () => {
    const fields = results.map((_, i) => `r${i}: u32`).join(", ");
    let body: string, helpers = "", words: string[];
    if (epilogue === null) {
      const old = `${type}(${valueOf(dtype, bits(results[0].slot, "o"))})`;
      body = `  let o = ${place("out_base", at + 2)};
  var r = ${number(at)} * sum;
  if (bitcast<f32>(p(${at + 1}u)) != 0.0) { r += ${number(at + 1)} * ${old}; }
`;
      words = [narrow("r")];
    } else {
      const element = wgslElement(epilogue.program, {
        input: (i, inputType) => i === 0 ? "sum" : valueOf(inputType, bits(otherSlot, "o")),
        scalar: () => "0.0",
        scalarHigh: () => "0",
        index: "0",
      });
      helpers = element.helpers;
      body = `${other === null ? "" : `  let o = ${place(`p(${otherAt}u)`, otherAt + 1)};\n`}${element.statements}\n`;
      words = element.results.map(narrow);
    }
    const put = results.map((r, i) => `  b${r.slot}[${place(r.base, r.steps)}] = done.r${i};\n`).join("");
    const put4 = results.map((r, i) => {
      const all = [0, 1, 2, 3].map((c) => `d${c}.r${i}`).join(", ");
      return `  b${r.slot}[(${place(r.base, r.steps)}) >> 2u] = vec4<u32>(${all});\n`;
    }).join("");
    const each = [0, 1, 2, 3];
    return `${ROUNDING}${helpers}
var<private> out_base: u32;
struct Done { ${fields} }
fn finished(m: u32, n: u32, sum: ${type}) -> Done {
${body}  return Done(${words.join(", ")});
}
${
      vectors
        ? `fn put4(m: u32, n: u32, sums: vec4<${type}>) {
${each.map((c) => `  let d${c} = finished(m, n + ${c}u, sums[${c}]);\n`).join("")}${put4}}`
        : `fn put(m: u32, n: u32, sum: ${type}) {
  let done = finished(m, n, sum);
${put}}`
    }
`;
  };
  const name = epilogue === null ? "scaled" : `${epilogue.program.id}`;
  const slots = [...results.map((r) => r.slot), otherSlot].join();
  const long = epilogue !== null && /gelu/i.test(epilogue.name);
  return { key: `${dtype.name} ${name} ${slots} ${vectors}`, functions, long, beta: at + 1 };
}
