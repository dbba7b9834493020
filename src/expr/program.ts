/**
 * A program: scalar expressions over named operands, ready for a backend.
 *
 * The same program object is passed for every call, so a backend keeps what it compiled from it in `compiled`.
 *
 * @module
 */

import type { DType } from "../base/dtype.ts";
import type { Expr, Kind } from "./expr.ts";
import { nodesOf } from "./graph.ts";

let nextId = 0;

/** Expressions over operands of known storage dtypes. */
export class Program {
  /** Unique, for caches. */
  readonly id: number = nextId++;
  /** Storage dtype of each tensor operand; never complex. */
  readonly inputs: readonly DType[];
  /** Register kind of each run-time scalar. */
  readonly scalars: readonly Kind[];
  /** What is computed and the storage dtype it is written as. */
  readonly outputs: readonly { readonly expr: Expr; readonly dtype: DType }[];
  /** Compiled forms, by backend id. */
  readonly compiled: unknown[] = [];
  #positional: boolean | null = null;
  #random: boolean | null = null;

  /** Makes a program; see {@linkcode Program} for the fields. */
  constructor(
    inputs: readonly DType[],
    scalars: readonly Kind[],
    outputs: readonly { readonly expr: Expr; readonly dtype: DType }[],
  ) {
    this.inputs = inputs;
    this.scalars = scalars;
    this.outputs = outputs;
  }

  /** Whether random words are read. */
  get random(): boolean {
    return this.#random ??= nodesOf(this.outputs.map(({ expr }) => expr)).some((e) => e.op === "philox");
  }

  /** Whether values depend on where the element is, so that the order of the iteration's dimensions matters. */
  get positional(): boolean {
    return this.#positional ??= nodesOf(this.outputs.map(({ expr }) => expr)).some((e) => e.op === "index");
  }
}
