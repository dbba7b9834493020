/**
 * Contractions named by letters or dimensions: `einsum`, `tensordot`, `chainMatmul`; functions only, as in PyTorch.
 *
 * Two operands at a time are brought to batches of matrices: labels that both have and that stay are the batch, those
 * that both have and that go are the inner dimension, the rest are rows and columns.
 *
 * @module
 */

import { checkArray, checkIntegers } from "../../base/checks.ts";
import { type Fn, fn, OutArgs } from "../core/op.ts";
import { writeOut } from "../core/define.ts";
import { type Args, call, type Named } from "../../base/call.ts";
import { autocasted, autocasting } from "../../autograd/autocast.ts";
import { resultType } from "../../base/dtype.ts";
import { ArgumentError, describe, ShapeError, show } from "../../base/errors.ts";
import { wrapDims } from "../../base/shape.ts";
import { checkTensor, Tensor } from "../../tensor/tensor.ts";
import { scope } from "../../tensor/scope.ts";
import { checkDims, checkProduct, multiplyChain, product } from "./matmul_core.ts";
import { diagonalOf, expandTo, permuteTo, reshapeTo } from "../core/view_core.ts";

/** A tensor whose dimensions have names (numbers: letters, then the ellipsis' dimensions). */
interface Labelled {
  readonly x: Tensor;
  readonly labels: readonly number[];
}

const ELLIPSIS = 1 << 16;

/** Reads one term of an equation: letters and at most one ellipsis, which stands for what letters leave over. */
function readTerm(term: string): (string | "...")[] {
  const out: string[] = [];
  for (let i = 0; i < term.length; i++) {
    if (term[i] === " ") continue;
    if (term.startsWith("...", i)) {
      if (out.includes("...")) throw new ArgumentError(`einsum(): an ellipsis may stand once: "${term}"`);
      out.push("...");
      i += 2;
    } else if (/[A-Za-z]/.test(term[i])) out.push(term[i]);
    else throw new ArgumentError(`einsum(): letters, commas, "..." and "->" are allowed: "${term[i]}" in "${term}"`);
  }
  return out;
}

/** The labels of an operand's dimensions; `wide` ellipsis dimensions are aligned on the right. */
function labelsOf(term: string[], x: Tensor): number[] {
  const letters = term.filter((t) => t !== "...").length;
  const hidden = x.ndim - letters;
  if (hidden < 0 || (hidden > 0 && !term.includes("..."))) {
    throw new ShapeError(
      `einsum(): the term has ${letters} labels for a tensor of ${x.ndim} dimensions: "${term.join("")}" and ${
        show(x.shape)
      }`,
    );
  }
  return term.flatMap((t) => t === "..." ? Array.from({ length: hidden }, (_, i) => ELLIPSIS + hidden - i) : [code(t)]);
}

function code(letter: string): number {
  return letter.charCodeAt(0);
}

/** An operand with every label once: repeated labels become diagonals. */
function withoutRepeats({ x, labels }: Labelled): Labelled {
  for (let i = 0; i < labels.length; i++) {
    const j = labels.indexOf(labels[i], i + 1);
    if (j < 0) continue;
    if (x.shape[i] !== x.shape[j]) {
      throw new ShapeError(
        `einsum(): a repeated label must have one size: "${String.fromCharCode(labels[i])}" in ${show(x.shape)}`,
      );
    }
    const rest = labels.filter((_, d) => d !== i && d !== j);
    return withoutRepeats({ x: diagonalOf(x, 0, i, j), labels: [...rest, labels[i]] });
  }
  return { x, labels };
}

/** Sums out every label that is not in `kept`. */
function reduceTo({ x, labels }: Labelled, kept: ReadonlySet<number>): Labelled {
  const gone = labels.flatMap((label, d) => kept.has(label) ? [] : [d]);
  if (gone.length === 0) return { x, labels };
  return { x: x.sum(gone), labels: labels.filter((label) => kept.has(label)) };
}

/** Brings an operand's dimensions into the order of `labels`, which are all its own. */
function ordered({ x, labels }: Labelled, wanted: readonly number[]): Tensor {
  return permuteTo(x, wanted.map((label) => labels.indexOf(label)));
}

/** A size of 1 broadcasts: where the other operand is longer, the label is dropped. */
function dropBroadcast(a: Labelled, b: Labelled): Labelled {
  const long = (label: number) => b.labels.includes(label) && b.x.shape[b.labels.indexOf(label)] !== 1;
  const keep = a.labels.map((label, d) => a.x.shape[d] !== 1 || !long(label));
  if (keep.every((k) => k)) return a;
  return {
    x: reshapeTo(a.x, a.x.shape.filter((_, d) => keep[d])),
    labels: a.labels.filter((_, d) => keep[d]),
  };
}

/** Multiplies two operands and sums out what `kept` (the labels needed later) does not have. */
function contract(op: string, first: Labelled, second: Labelled, kept: ReadonlySet<number>): Labelled {
  let a = dropBroadcast(first, second), b = dropBroadcast(second, first);
  const inA = new Set(a.labels), inB = new Set(b.labels);
  a = reduceTo(a, new Set([...kept, ...inB]));
  b = reduceTo(b, new Set([...kept, ...inA]));
  // A sum of small integers is int64, so that one operand may have outgrown the other.
  const dtype = resultType([a.x.dtype, b.x.dtype], [], []);
  a = { x: a.x.to(dtype), labels: a.labels };
  b = { x: b.x.to(dtype), labels: b.labels };
  const batch = a.labels.filter((l) => inB.has(l) && kept.has(l));
  const inner = a.labels.filter((l) => inB.has(l) && !kept.has(l));
  const rows = a.labels.filter((l) => !inB.has(l)), columns = b.labels.filter((l) => !inA.has(l));
  const size = (o: Labelled, label: number) => o.x.shape[o.labels.indexOf(label)];
  for (const l of [...batch, ...inner]) {
    if (size(a, l) !== size(b, l)) {
      throw new ShapeError(
        `${op}(): sizes of a shared dimension differ: ${size(a, l)} and ${size(b, l)} in ${show(first.x.shape)} and ${
          show(second.x.shape)
        }`,
      );
    }
  }
  const total = (o: Labelled, labels: number[]) => labels.reduce((n, l) => n * size(o, l), 1);
  const [g, m, k, n] = [total(a, batch), total(a, rows), total(a, inner), total(b, columns)];
  const left = reshapeTo(ordered(a, [...batch, ...rows, ...inner]), [g, m, k]);
  const right = reshapeTo(ordered(b, [...batch, ...inner, ...columns]), [g, k, n]);
  const labels = [...batch, ...rows, ...columns];
  const shape = [...batch.map((l) => size(a, l)), ...rows.map((l) => size(a, l)), ...columns.map((l) => size(b, l))];
  return { x: reshapeTo(product(op, left, right), shape), labels };
}

/** The result's labels: as the equation says, or PyTorch's rule (ellipsis, then single letters in order). */
function outputLabels(arrow: string | null, operands: readonly Labelled[]): number[] {
  const counts = new Map<number, number>();
  for (const o of operands) for (const l of o.labels) counts.set(l, (counts.get(l) ?? 0) + 1);
  const hidden = [...counts.keys()].filter((l) => l > ELLIPSIS).sort((a, b) => b - a);
  if (arrow === null) {
    const single = [...counts].filter(([l, n]) => l < ELLIPSIS && n === 1).map(([l]) => l).sort((a, b) => a - b);
    return [...hidden, ...single];
  }
  const term = readTerm(arrow);
  const out = term.flatMap((t) => t === "..." ? hidden : [code(t)]);
  for (const l of out) {
    if (!counts.has(l)) {
      throw new ArgumentError(`einsum(): an output label is in no operand: "${String.fromCharCode(l)}"`);
    }
  }
  if (new Set(out).size !== out.length) throw new ArgumentError(`einsum(): an output label stands twice: "${arrow}"`);
  return out;
}

/** The parameters of {@linkcode einsum}. */
export class EinsumArgs {
  constructor(
    /** The labels. */
    public equation: string,
    /** One tensor per term. */
    public operands: readonly Tensor[],
  ) {}
}

const einsumArgs = call("einsum", EinsumArgs);

/** Arguments of which tensors that are spread over the list, from place `first` on, are made one list. */
function gathered(args: readonly unknown[], first: number): readonly unknown[] {
  let end = first;
  while (end < args.length && args[end] instanceof Tensor) end++;
  return end === first ? args : [...args.slice(0, first), args.slice(first, end), ...args.slice(end)];
}

function checkList(op: string, name: string, list: unknown): asserts list is readonly Tensor[] {
  if (!Array.isArray(list)) {
    throw new ArgumentError(`${op}(): ${name} must be tensors, or a list of them: ${describe(list)}`);
  }
}

/**
 * Sums of products, written as the labels of dimensions (Einstein's convention).
 *
 * `"ij,jk->ik"` is the matrix product. A label that the output lacks is summed, one that an operand repeats is a
 * diagonal, `...` stands for broadcast dimensions; without `->` the output has the labels that occur once, in order.
 * Contracts from left to right.
 *
 * @param args the equation and the operands, these spread or as a list
 * @throws {ArgumentError} if the equation is malformed
 * @throws {ShapeError} if labels and sizes do not fit
 * @example
 * ```ts
 * import * as torch from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 * const a = torch.tensor([[1, 2], [3, 4]]);
 * assertEquals(await torch.einsum("ii->", a).item(), 5);
 * ```
 * @see https://docs.pytorch.org/docs/stable/generated/torch.einsum.html
 */
export function einsum(
  ...args: Args<typeof EinsumArgs> | readonly [equation: string, ...operands: Tensor[]]
): Tensor {
  const { equation, operands: list } = einsumArgs(gathered(args, 1));
  if (typeof equation !== "string") {
    throw new ArgumentError(`einsum(): the equation must be a string: ${typeof equation}`);
  }
  checkList("einsum", "operands", list);
  if (autocasting.active) return autocasted("lower", einsum, equation, ...list);
  if (list.length === 0) throw new ArgumentError("einsum(): at least one operand is needed: got none");
  list.forEach((x, i) => checkTensor("einsum", `operand ${i}`, x));
  const [inputs, arrow = null, ...rest] = equation.split("->");
  if (rest.length > 0) throw new ArgumentError(`einsum(): "->" may stand once: "${equation}"`);
  const terms = inputs.split(",").map(readTerm);
  if (terms.length !== list.length) {
    throw new ArgumentError(
      `einsum(): the equation has ${terms.length} terms for ${list.length} operands: "${equation}"`,
    );
  }
  if (list.length > 1) checkProduct("einsum", list);
  return scope(() => {
    const labelled = list.map((x, i) => ({ x, labels: labelsOf(terms[i], x) }));
    return contractAll(labelled.map(withoutRepeats), outputLabels(arrow, labelled));
  });
}

function contractAll(operands: readonly Labelled[], out: readonly number[]): Tensor {
  let current = operands[0];
  for (let i = 1; i < operands.length; i++) {
    const later = new Set([...out, ...operands.slice(i + 1).flatMap((o) => o.labels)]);
    current = contract("einsum", current, operands[i], later);
  }
  const sizes = new Map<number, number>();
  for (const o of operands) o.labels.forEach((l, d) => sizes.set(l, Math.max(sizes.get(l) ?? 1, o.x.shape[d])));
  const final = reduceTo(current, new Set(out));
  const x = ordered(final, out);
  // Only a broadcast size of 1 can be shorter than the label's size.
  return x.shape.every((s, d) => s === sizes.get(out[d]) || sizes.get(out[d]) === 1)
    ? x
    : expandTo(x, out.map((l) => sizes.get(l)!));
}

/** The parameters of {@linkcode tensordot}. */
export class TensordotArgs {
  constructor(
    /** The right operand. */
    public b: Tensor,
    /** How many of the last and first dimensions are summed, or which of each. */
    public dims: number | readonly [readonly number[], readonly number[]] = 2,
  ) {}
}

/**
 * Sums of products over chosen dimensions of two tensors.
 *
 * @param a the left operand, whose other dimensions come first in the result
 */
export const tensordot: Fn<typeof TensordotArgs> = fn(
  { name: "tensordot", autocast: { cpu: "lower", gpu: "promote" } },
  TensordotArgs,
  (a, { b, dims }) => {
    checkTensor("tensordot", "b", b);
    checkProduct("tensordot", [a, b]);
    if (typeof dims !== "number") {
      checkArray("tensordot", "dims", dims);
      dims.forEach((list, i) => checkIntegers("tensordot", `dims[${i}]`, list));
      if (dims.length !== 2) throw new ArgumentError(`tensordot(): dims must be two lists: ${show(dims)}`);
    } else if (!Number.isInteger(dims) || (dims < 0 || dims > Math.min(a.ndim, b.ndim))) {
      throw new ArgumentError(`tensordot(): dims must be 0 to ${Math.min(a.ndim, b.ndim)}: ${describe(dims)}`);
    }
    const range = (from: number, n: number) => Array.from({ length: n }, (_, i) => from + i);
    const wrap = (list: readonly number[], ndim: number) => list.length === 0 ? [] : wrapDims("tensordot", list, ndim);
    const left = typeof dims === "number" ? range(a.ndim - dims, dims) : wrap(dims[0], a.ndim);
    const right = typeof dims === "number" ? range(0, dims) : wrap(dims[1], b.ndim);
    if (left.length !== right.length) {
      throw new ArgumentError(`tensordot(): as many dimensions of both are needed: ${show(left)} and ${show(right)}`);
    }
    const labelsA = range(0, a.ndim), labelsB = range(a.ndim, b.ndim);
    left.forEach((d, i) => {
      const [m, n] = [a.shape[d], b.shape[right[i]]];
      if (m !== n && m !== 1 && n !== 1) {
        throw new ShapeError(
          `tensordot(): contracted sizes differ: ${m} (dimension ${d}) and ${n} (dimension ${right[i]})`,
        );
      }
      labelsB[right[i]] = d;
    });
    const out = [...labelsA.filter((d) => !left.includes(d)), ...labelsB.filter((l) => l >= a.ndim)];
    return scope(() => {
      const result = contract("tensordot", { x: a, labels: labelsA }, { x: b, labels: labelsB }, new Set(out));
      return ordered(reduceTo(result, new Set(out)), out);
    });
  },
);

/** The parameters of {@linkcode chainMatmul}. */
export class ChainMatmulArgs extends OutArgs {
  constructor(
    /** Two or more matrices that fit. */
    public matrices: readonly Tensor[],
  ) {
    super();
  }
}

const chainArgs = call("chainMatmul", ChainMatmulArgs);

/**
 * The product of several matrices, in the order that needs the fewest multiplications.
 *
 * @param args the matrices, spread or as a list
 */
export function chainMatmul(
  ...args:
    | Args<typeof ChainMatmulArgs>
    | readonly Tensor[]
    | readonly [...matrices: Tensor[], named: Named<ChainMatmulArgs>]
): Tensor {
  const { matrices: list, out } = chainArgs(gathered(args, 0));
  checkList("chainMatmul", "matrices", list);
  if (autocasting.active && out === null) return autocasted("lower", chainMatmul, ...list);
  if (list.length === 0) throw new ArgumentError("chainMatmul(): at least one matrix is needed: got none");
  list.forEach((x) => checkDims("chainMatmul", "each operand", x, 2));
  if (list.length === 1) return writeOut("chainMatmul", out, list[0]);
  checkProduct("chainMatmul", list);
  const result = scope(() => multiplyChain("chainMatmul", list));
  return writeOut("chainMatmul", out, result);
}
