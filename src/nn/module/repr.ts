/**
 * Printing of modules: values in Python's notation, and the tree of `Name(…)` lines.
 *
 * The output is the same as PyTorch's, because people compare printed models with those of tutorials and papers.
 * JavaScript has one number type, so a layer marks numbers that are floats in Python with {@linkcode float}.
 *
 * @module
 */

import { DType } from "../../base/dtype.ts";
import { Device } from "../../base/device.ts";

/**
 * A number as Python prints a float: `0.1`, `1.0`, `1e-05`.
 *
 * @param value any number
 */
export function float(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e16)) {
    const [mantissa, exponent] = value.toExponential().split("e");
    const digits = exponent.slice(1).padStart(2, "0");
    return `${mantissa}e${exponent[0]}${digits}`;
  }
  return Number.isInteger(value) ? `${Object.is(value, -0) ? "-0" : value}.0` : String(value);
}

/**
 * A value as Python prints it: `True`, `None`, `(3, 3)`, `'mean'`.
 *
 * @param value a plain value, or an array of them (printed as a tuple)
 */
export function python(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : float(value);
  if (typeof value === "string") return `'${value}'`;
  if (Array.isArray(value)) {
    const items = value.map(python);
    return items.length === 1 ? `(${items[0]},)` : `(${items.join(", ")})`;
  }
  if (value instanceof DType || value instanceof Device) return value.toString();
  return String(value);
}

/** Indents every line of `text` but the first by two columns. */
function indentRest(text: string): string {
  return text.replaceAll("\n", "\n  ");
}

/**
 * `Name(extra)` on one line, or a block with one line per extra line and child.
 *
 * @param name the class's name
 * @param extra what `extraRepr()` gave; may hold several lines
 * @param children names and printed forms of the submodules
 */
export function block(name: string, extra: string, children: Iterable<readonly [string, string]>): string {
  const extraLines = extra === "" ? [] : extra.split("\n");
  const lines = [...extraLines];
  for (const [key, text] of children) lines.push(`(${key}): ${indentRest(text)}`);
  if (lines.length === 0) return `${name}()`;
  if (lines.length === 1 && extraLines.length === 1) return `${name}(${lines[0]})`;
  return `${name}(\n  ${lines.join("\n  ")}\n)`;
}

/**
 * The printed form of a list of modules; neighbours that print the same become `(0-2): 3 x Linear(…)`.
 *
 * @param items printed forms, in order
 */
export function listBlock(name: string, items: readonly string[]): string {
  if (items.length === 0) return `${name}()`;
  const lines: string[] = [];
  for (let start = 0; start < items.length;) {
    let end = start;
    while (end + 1 < items.length && items[end + 1] === items[start]) end++;
    const count = end - start + 1;
    const line = count === 1 ? `(${start}): ${items[start]}` : `(${start}-${end}): ${count} x ${items[start]}`;
    lines.push(indentRest(line));
    start = end + 1;
  }
  return `${name}(\n  ${lines.join("\n  ")}\n)`;
}
