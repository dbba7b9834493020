/**
 * `layer`: a layer without weights of its own, as one table entry.
 *
 * Such a layer holds the options of a function and calls it: the entry says its name, its parameters (a class, see
 * `src/base/call.ts`), the call, and how it is printed. The options become fields of the layer.
 *
 * @module
 */

import { type Args, call, type Params } from "../base/call.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { toSnake } from "../base/spelling.ts";
import { python } from "./repr.ts";

/** A module whose `forward` takes `A` and gives a tensor. */
export interface TensorModule<A extends readonly unknown[]> extends Module {
  /** The function of the layer, with its options. */
  forward(...args: A): Tensor;
}

/** A layer of the options that `C` declares, which are its fields. */
export type LayerOf<C extends Params, A extends readonly unknown[] = [input: Tensor]> =
  & TensorModule<A>
  & Readonly<InstanceType<C>>;

/** The class of such layers. */
export type Layer<C extends Params, A extends readonly unknown[] = [input: Tensor]> = new (
  ...args: Args<C>
) => LayerOf<C, A>;

/** The entry of a layer. */
export interface LayerSpec<C extends Params, A extends readonly unknown[]> {
  /** PyTorch's name. */
  readonly name: string;
  /** The class that declares the options. */
  readonly params: C;
  /** What the layer computes. */
  readonly call: (options: LayerOf<C, A>, ...args: A) => Tensor;
  /** What stands in the parentheses when the layer is printed; default nothing. */
  readonly repr?: (options: LayerOf<C, A>) => string;
  /** Refuses options, or changes them, when a layer is made. */
  readonly init?: (options: Writable<InstanceType<C>>) => void;
}

/** The fields of `O`, to be written. */
export type Writable<O> = { -readonly [K in keyof O]: O[K] };

/** Makes the class of a layer. */
export function layer<C extends Params, A extends readonly unknown[] = [input: Tensor]>(
  spec: LayerSpec<C, A>,
): Layer<C, A> {
  const { name, params } = spec;
  const parse = call(name, params);
  const made = {
    [name]: class extends Module {
      constructor(...args: readonly unknown[]) {
        super();
        Object.assign(this, parse(args));
        spec.init?.(this as unknown as Writable<InstanceType<C>>);
      }
      override forward(...args: A): Tensor {
        return spec.call(this as unknown as LayerOf<C, A>, ...args);
      }
      override extraRepr(): string {
        return spec.repr?.(this as unknown as LayerOf<C, A>) ?? "";
      }
    },
  }[name];
  return made as unknown as Layer<C, A>;
}

/** `key=value, …` of some options under PyTorch's names, as Python prints them. */
export function shown<O extends object>(options: O, ...keys: (keyof O & string)[]): string {
  return keys.map((key) => `${toSnake(key)}=${python(options[key])}`).join(", ");
}
