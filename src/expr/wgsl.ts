/**
 * The WGSL printer: a program becomes the statements of a compute shader.
 *
 * `wgslElement` prints what happens at one element, given how the caller loads operands; a backend puts its own kernel
 * around it. `printWgsl` is the plainest such kernel. Kinds: `f32`, `i64` as `i32` and `u64` as `u32` (the device has no other
 * integers) and `bool`; there is no `f64`. In a `bool` or 8- and 16-bit operand every element takes one 32-bit word.
 *
 * @module
 */

import { type DType, isUnsigned } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import type { Expr } from "./expr.ts";
import { isWhole, type Kind, kindOf } from "./kind.ts";
import { helpersOf, printBody } from "./print.ts";
import type { Program } from "./program.ts";
import { expandPowers } from "./simplify.ts";
import { WGSL_HELPERS } from "./wgsl_prelude.ts";

/** WGSL texts of what an element reads. */
export interface WgslAccess {
  /** The element of an input, as a value of its kind's WGSL type. */
  readonly input: (index: number, dtype: DType) => string;
  /** A run-time scalar of kind `f32`, `i64` (an `i32`), `u64` (a `u32`) or `bool`. */
  readonly scalar: (index: number, kind: Kind) => string;
  /** The upper 32 bits of an `i64` scalar (an `i32`): only random keys have more than 32. */
  readonly scalarHigh: (index: number) => string;
  /** The element's row-major index, an `i32`. */
  readonly index: string;
}

/** A printed element function. */
export interface WgslElement {
  /** Functions to put before the kernel. */
  readonly helpers: string;
  /** Statements, each a `let`. */
  readonly statements: string;
  /** Names of the outputs' values, in the WGSL type of their dtype's kind. */
  readonly results: readonly string[];
}

/** WGSL types of register kinds. */
export const WGSL_TYPE: Readonly<Record<Kind, string>> = {
  f32: "f32",
  f64: "f32",
  i64: "i32",
  u64: "u32",
  bool: "bool",
};

function noDouble(): never {
  throw new DTypeError("WebGPU has no float64; use float32, or await x.cpu()");
}

/** A constant as WGSL writes it. */
function literal(e: Expr): string {
  const { value } = e;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "bigint") {
    if (e.kind === "u64" ? BigInt.asUintN(32, value) !== value : BigInt.asIntN(32, value) !== value) {
      throw new DTypeError(`WebGPU holds integers in 32 bits: ${value}; use await x.cpu()`);
    }
    return e.kind === "u64" ? `${value}u` : `bitcast<i32>(${BigInt.asUintN(32, value)}u)`;
  }
  if (Number.isNaN(value)) return "crNaN()";
  if (!Number.isFinite(value)) return `${value! < 0 ? "-" : ""}crInf()`;
  return Object.is(value, -0) ? "-0.0f" : `${value}f`;
}

function cast(kind: Kind, from: Kind, text: string): string {
  if (kind === "f64") noDouble();
  if (kind === "bool") return from === "f32" ? `!(${text} == 0.0)` : `${text} != 0`;
  if (isWhole(kind)) {
    const type = WGSL_TYPE[kind];
    if (from === "bool") return `select(${type}(0), ${type}(1), ${text})`;
    if (from !== "f32") return `bitcast<${type}>(${text})`;
    // Negative values wrap around, as they do where integers have 64 bits.
    const whole = kind === "i64" ? `i32(${text})` : `select(u32(${text}), bitcast<u32>(i32(${text})), ${text} < 0.0)`;
    return `select(${whole}, ${type}(0), crIsNan(${text}))`;
  }
  return from === "bool" ? `select(0.0, 1.0, ${text})` : `f32(${text})`;
}

function wrap(dtype: DType, text: string): string {
  const unused = 32 - dtype.itemsize * 8;
  if (unused <= 0) return text;
  return isUnsigned(dtype) ? `${text} & ${2 ** (32 - unused) - 1}` : `(${text} << ${unused}u) >> ${unused}u`;
}

/** The upper half of a random key. */
function keyHigh(key: Expr, access: WgslAccess): string {
  if (key.op === "scalar") return access.scalarHigh(key.index);
  if (key.op === "constant") return `bitcast<i32>(${BigInt.asUintN(32, (key.value as bigint) >> 32n)}u)`;
  return "0";
}

/**
 * Prints what a program does at one element.
 *
 * @throws {DTypeError} if it computes in float64, or with integers beyond 32 bits
 */
export function wgslElement(program: Program, access: WgslAccess): WgslElement {
  const outputs = expandPowers(program.outputs.map(({ expr, dtype }) => expr.to(kindOf(dtype))));
  const { statements, names } = printBody(outputs, {
    declare: (kind, name, text) => kind === "f64" ? noDouble() : `  let ${name}: ${WGSL_TYPE[kind]} = ${text};`,
    column: (row) => row.wgsl,
    fill: (text, _kind, args) => text.includes("$bHigh") ? text.replace("$bHigh", keyHigh(args[1], access)) : text,
    input: (e) => access.input(e.index, e.dtype!),
    scalar: (e) => access.scalar(e.index, e.kind),
    literal,
    index: () => access.index,
    cast: (e, from, text) => cast(e.kind, from, text),
    wrap,
    where: (condition, a, b) => `select(${b}, ${a}, ${condition})`,
  });
  const text = statements.join("\n");
  return { helpers: helpersOf(text, WGSL_HELPERS), statements: text, results: names };
}

/**
 * A whole shader: dense operands of 32-bit words, one invocation an element.
 *
 * Bindings of group 0: 0 the uniform parameters (word 0 the element count, then two words a scalar), then the inputs,
 * then the outputs.
 */
export function printWgsl(program: Program, workgroup = 64): string {
  const inputs = program.inputs.length;
  const words = 1 + 2 * program.scalars.length;
  const word = (i: number): string => `params[${i >> 2}][${i & 3}]`;
  const element = wgslElement(program, {
    input: (i, dtype) => {
      const bits = `in${i}[i]`;
      if (dtype.kind === "bool") return `${bits} != 0u`;
      return `bitcast<${WGSL_TYPE[kindOf(dtype)]}>(${bits})`;
    },
    scalar: (i, kind) =>
      kind === "bool" ? `${word(1 + 2 * i)} != 0u` : `bitcast<${WGSL_TYPE[kind]}>(${word(1 + 2 * i)})`,
    scalarHigh: (i) => `bitcast<i32>(${word(2 + 2 * i)})`,
    index: "i32(i)",
  });
  const bindings = [
    `@group(0) @binding(0) var<uniform> params: array<vec4<u32>, ${Math.ceil(words / 4)}>;`,
    ...program.inputs.map((_, i) => `@group(0) @binding(${1 + i}) var<storage, read> in${i}: array<u32>;`),
    ...program.outputs.map((_, i) =>
      `@group(0) @binding(${1 + inputs + i}) var<storage, read_write> out${i}: array<u32>;`
    ),
  ];
  const stores = program.outputs.map(({ dtype }, i) => {
    const name = element.results[i];
    if (dtype.kind === "bool") return `  out${i}[i] = select(0u, 1u, ${name});`;
    return `  out${i}[i] = bitcast<u32>(${dtype.kind === "integer" ? wrap(dtype, name) : name});`;
  });
  return `${bindings.join("\n")}
${element.helpers}
@compute @workgroup_size(${workgroup})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = id.x + id.y * groups.x * ${workgroup}u;
  if (i >= ${word(0)}) { return; }
${element.statements}
${stores.join("\n")}
}
`;
}
