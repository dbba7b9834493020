/**
 * Compares what the library returned with what PyTorch recorded: structure, dtype, shape, `requiresGrad`, values.
 * Every function gives the first difference in words, or `null`.
 *
 * @module
 */

import { firstComplexDifference, firstDifference, widen } from "../support/close.ts";
import type { Golden, Json, Raw } from "./golden.ts";
import { camel } from "./names.ts";
import { tolerance } from "./tolerance.ts";
import { isTensorNode, readFloat, type TensorLike, type TensorNode, Unsupported } from "./values.ts";

/** What a comparison needs to know. */
export interface Comparison {
  /** Where the expected tensors are stored. */
  golden: Golden;
  /** The op or module, for the tolerance table. */
  name: string;
  /** Whether values count (not for random or uninitialised results). */
  values: boolean;
  /** Whether `requiresGrad` counts. */
  requiresGrad?: boolean;
  /** Whether the result is a sum over more elements than it has (gradients of broadcast operands). */
  sum?: boolean;
  /** A second opinion on an int64 result that differs (indices of tied elements). */
  indices?: (actual: TensorLike, node: TensorNode, difference: string) => Promise<string | null>;
  /** Set when ties were resolved another way: then gradients go to other, equal elements. */
  tied?: boolean;
  /** Tensors of the same recording by id, for `{"ref": n}`. */
  ids: Map<number, TensorNode>;
}

/** A comparison whose recording starts with no known ids. */
export function comparison(golden: Golden, name: string, options: Partial<Comparison> = {}): Comparison {
  return { golden, name, values: true, ids: new Map(), ...options };
}

/** Whether a value looks like a tensor of the library. */
export function isTensor(value: unknown): value is TensorLike {
  return typeof value === "object" && value !== null && "dtype" in value && "shape" in value && "storage" in value;
}

/** All tensors in nested arrays and named results, in order. */
export function tensorsIn(value: unknown): TensorLike[] {
  if (isTensor(value)) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (typeof value === "object" && value !== null && Symbol.iterator in value) {
    return [...value as Iterable<unknown>].flatMap(tensorsIn);
  }
  return [];
}

/** Compares a whole result, `at` naming the part that is looked at. */
export async function compare(actual: unknown, node: Json, context: Comparison, at = "result"): Promise<string | null> {
  if (node === null) return actual === null || actual === undefined ? null : `${at}: expected null, got ${say(actual)}`;
  if (typeof node === "string" || typeof node === "boolean") {
    return actual === node ? null : `${at}: ${say(actual)}, expected ${node}`;
  }
  if (typeof node === "number") return integerDifference(actual, node, at);
  if (Array.isArray(node)) return await compareList(actual, node, context, at);
  if (isTensorNode(node) || "ref" in node) return await compareTensor(actual, resolve(node, context), context, at);
  if ("$tuple" in node) return await compareList(actual, node.$tuple as Json[], context, at);
  if ("$size" in node) return await compareList(actual, node.$size as Json[], context, at);
  if ("$named" in node) return await compareNamed(actual, node as unknown as Named, context, at);
  if ("$f" in node) return floatDifference(actual, readFloat(node), context, at);
  if ("$c" in node) return complexDifference(actual, (node.$c as Json[]).map(readFloat), context, at);
  if ("$i" in node) return integerDifference(actual, BigInt(node.$i as string), at);
  if ("$dtype" in node) {
    const name = (actual as { name?: string } | null)?.name;
    return name === node.$dtype ? null : `${at}: dtype ${name}, expected ${node.$dtype}`;
  }
  if ("$dict" in node) return await compareDict(actual, node.$dict as [string, Json][], context, at);
  throw new Unsupported(`a result of kind ${Object.keys(node)[0]}`);
}

interface Named {
  fields: string[];
  v: Json[];
}

/** The tensor that a node names, remembered for later references. */
function resolve(node: Json, context: Comparison): TensorNode {
  if (isTensorNode(node)) {
    if (node.id !== undefined) context.ids.set(node.id, node);
    return node;
  }
  const known = context.ids.get((node as { ref: number }).ref);
  if (!known) throw new Error(`the manifest refers to result ${JSON.stringify(node)} before it is defined`);
  return known;
}

/** A short description of a value for a message. */
function say(value: unknown): string {
  if (isTensor(value)) return `a ${value.dtype.name} tensor of shape [${value.shape.join(", ")}]`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null) return `a ${value.constructor?.name ?? "object"}`;
  return String(value);
}

async function compareList(
  actual: unknown,
  nodes: Json[],
  context: Comparison,
  at: string,
): Promise<string | null> {
  const isList = typeof actual === "object" && actual !== null && Symbol.iterator in actual && !isTensor(actual);
  if (!isList) return `${at}: ${say(actual)}, expected ${nodes.length} values`;
  const values = [...actual as Iterable<unknown>];
  if (values.length !== nodes.length) return `${at}: ${values.length} values, expected ${nodes.length}`;
  for (let i = 0; i < nodes.length; i++) {
    const difference = await compare(values[i], nodes[i], context, `${at}[${i}]`);
    if (difference) return difference;
  }
  return null;
}

async function compareNamed(actual: unknown, node: Named, context: Comparison, at: string): Promise<string | null> {
  for (const field of node.fields) {
    // An array has a method "values" of its own: a field must be a value.
    const value = (actual as Record<string, unknown> | null | undefined)?.[camel(field)];
    if (value === undefined || typeof value === "function") {
      return `${at}: ${say(actual)} has no field "${camel(field)}"`;
    }
  }
  return await compareList(actual, node.v, context, at);
}

async function compareDict(
  actual: unknown,
  pairs: [string, Json][],
  context: Comparison,
  at: string,
): Promise<string | null> {
  for (const [key, node] of pairs) {
    const difference = await compare((actual as Record<string, unknown>)?.[camel(key)], node, context, `${at}.${key}`);
    if (difference) return difference;
  }
  return null;
}

/** Python ints: JavaScript reads give a number or a bigint. */
function integerDifference(actual: unknown, expected: number | bigint, at: string): string | null {
  const isInteger = typeof actual === "number" || typeof actual === "bigint";
  if (isInteger && (actual === expected || BigInt(actual) === BigInt(expected))) return null;
  return `${at}: ${say(actual)}, expected ${expected}`;
}

function floatDifference(actual: unknown, expected: number, context: Comparison, at: string): string | null {
  if (typeof actual !== "number") return `${at}: ${say(actual)}, expected ${expected}`;
  if (!context.values) return null;
  const difference = firstDifference([actual], [expected], [1], tolerance(context.name, "float32"));
  return difference && `${at}: ${actual}, expected ${expected}`;
}

/** Complex scalars read as `{re, im}` or `[re, im]`. */
function complexDifference(actual: unknown, [re, im]: number[], context: Comparison, at: string): string | null {
  const pair = actual as { re?: number; im?: number; 0?: number; 1?: number } | null;
  const [a, b] = [pair?.re ?? pair?.[0], pair?.im ?? pair?.[1]];
  if (typeof a !== "number" || typeof b !== "number") return `${at}: ${say(actual)}, expected ${re}+${im}i`;
  if (!context.values) return null;
  const difference = firstComplexDifference([a, b], [re, im], [1], tolerance(context.name, "complex64"));
  return difference && `${at}: ${a}+${b}i, expected ${re}+${im}i`;
}

/** Compares one tensor: dtype, shape, `requiresGrad`, values, in that order. */
export async function compareTensor(
  actual: unknown,
  node: TensorNode,
  context: Comparison,
  at: string,
): Promise<string | null> {
  if (!isTensor(actual)) return `${at}: ${say(actual)}, expected a tensor`;
  if (actual.dtype.name !== node.dtype) return `${at}: dtype ${actual.dtype.name}, expected ${node.dtype}`;
  const shape = `[${actual.shape.join(", ")}]`;
  if (shape !== `[${node.shape.join(", ")}]`) return `${at}: shape ${shape}, expected [${node.shape.join(", ")}]`;
  if (context.requiresGrad && actual.requiresGrad !== !!node.rg) {
    return `${at}: requiresGrad ${actual.requiresGrad}, expected ${!!node.rg}`;
  }
  if (!context.values) return null;
  const expected = context.golden.raw(node.$t);
  const values = await actual.read();
  const difference = valueDifference(values, expected, node, context);
  if (difference && context.indices && node.dtype === "int64") {
    const tied = await context.indices(actual, node, difference);
    context.tied = tied === null;
    return tied && `${at} ${tied}`;
  }
  return difference && `${at} ${difference}`;
}

function valueDifference(actual: Raw, expected: Raw, node: TensorNode, context: Comparison): string | null {
  const wide = widen(expected, node.dtype);
  const limit = tolerance(context.name, node.dtype, { sum: context.sum });
  if (node.dtype.startsWith("complex")) {
    return firstComplexDifference(actual as Float32Array, expected as Float32Array, node.shape, limit);
  }
  return firstDifference(widen(actual, node.dtype), wide, node.shape, limit);
}
