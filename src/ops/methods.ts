/**
 * Attaches the ops to `Tensor` as methods, and types them.
 *
 * What becomes a method is said where it is defined: `op`, `pointwise` and `asMethod` mark functions of which `f(x, …)` and
 * `x.f(…)` are the same call. `in_place.ts` says which pointwise ops have an in-place form. A new op in a family is a method
 * without a change here.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import type { ScalarLike } from "../base/scalar.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { TensorText } from "./display.ts";
import type { TensorProperties } from "./properties.ts";
import "./properties.ts";
import type { InPlace } from "./core/define.ts";
import * as inPlace from "./in_place.ts";
import type { IsMethod } from "./core/op.ts";
import * as activation from "./pointwise/activation.ts";
import * as binary from "./pointwise/binary.ts";
import * as compare from "./pointwise/compare.ts";
import * as convert from "./create/convert.ts";
import * as creation from "./create/creation.ts";
import * as sampling from "./create/sampling.ts";
import * as matmul from "./linalg/matmul.ts";
import * as softmax from "./nn/softmax.ts";
import * as arrange from "./shape/arrange.ts";
import * as at from "./index/at.ts";
import * as indexing from "./index/indexing.ts";
import * as masked from "./index/masked.ts";
import * as scatterReduce from "./index/scatter_reduce.ts";
import * as sort from "./reduce/sort.ts";
import * as unique from "./reduce/unique.ts";
import * as norm from "./reduce/norm.ts";
import * as reduce from "./reduce/reduce.ts";
import * as scan from "./reduce/scan.ts";
import * as join from "./shape/join.ts";
import * as shape from "./shape/shape.ts";
import * as split from "./shape/split.ts";
import * as tensorTypes from "./tensor_types.ts";
import * as unary from "./pointwise/unary.ts";
import * as viewScatter from "./shape/view_scatter.ts";

/** The families that hold methods: what `op`, `pointwise` and `asMethod` mark there is attached, and nothing else. */
const FAMILIES = [
  activation,
  arrange,
  at,
  binary,
  compare,
  convert,
  creation,
  indexing,
  join,
  masked,
  matmul,
  norm,
  reduce,
  sampling,
  scan,
  scatterReduce,
  shape,
  softmax,
  sort,
  split,
  tensorTypes,
  unary,
  unique,
  viewScatter,
] as const;

type Intersection<U> = (U extends unknown ? (family: U) => void : never) extends (all: infer I) => void ? I : never;

/** Every function of every family. */
type Functions = Intersection<typeof FAMILIES[number]>;

/** A function's type without its first parameter. */
type Method<F> = F extends { readonly methodForm?: infer M } ? NonNullable<M>
  // deno-lint-ignore no-explicit-any -- infers the rest whatever the first parameter is
  : F extends (self: any, ...args: infer A extends readonly any[]) => infer R ? (...args: A) => R
  : never;

/** The names of the methods among the exports of a family. */
type MethodNames<F> = { [K in keyof F]: F[K] extends IsMethod ? K : never }[keyof F];

/** The methods of all families. */
type Methods = Attached<Pick<Functions, MethodNames<Functions>>>;

/** The functions `F` as methods; without renaming, so that each keeps its documentation. */
type Attached<F> = { [K in keyof F]: Method<F[K]> };

/**
 * What `Tensor` inherits from the op families: see the function of the same name.
 *
 * @internal
 */
export interface TensorMethods extends TensorProperties, TensorText, Methods, Attached<typeof inPlace> {
  /** These elements where `condition` holds, else those of `other`. */
  where(...args: Args<typeof WhereMethodArgs>): Tensor;
}

/** The parameters of `x.where(…)`. */
export class WhereMethodArgs {
  constructor(
    /** A bool tensor. */
    public condition: Tensor,
    /** The elements where the condition does not hold. */
    public other: Tensor | ScalarLike,
  ) {}
}

type AnyFunction = (self: Tensor, ...args: unknown[]) => unknown;

function define(name: string, value: unknown): void {
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}

/** A method that calls `fn` with the receiver first; fixed arities are faster than spreading. */
function method(fn: AnyFunction): unknown {
  return function (this: Tensor, ...args: unknown[]) {
    switch (args.length) {
      case 0:
        return fn(this);
      case 1:
        return fn(this, args[0]);
      case 2:
        return fn(this, args[0], args[1]);
      default:
        return fn(this, ...args);
    }
  };
}

for (const family of FAMILIES) {
  for (const [name, fn] of Object.entries(family)) {
    if ((fn as Partial<IsMethod>).isMethod) define(name, method(fn as unknown as AnyFunction));
  }
}
for (const [name, fn] of Object.entries(inPlace)) define(name, method((fn as InPlace).inPlace));

const whereArgs = call("where", WhereMethodArgs);

define("where", function (this: Tensor, ...args: unknown[]) {
  const { condition, other } = whereArgs(args);
  return compare.where(condition, this, other);
});
