/**
 * `layer`: defines a layer without weights by one table entry.
 *
 * Such a layer stores the options of a function and calls it: the entry gives its name, its parameters (a class, see
 * `src/base/call.ts`), the call, and how it is printed. The options become fields of the layer.
 *
 * @module
 */

import { nameCall } from "../../base/errors.ts";
import { type Args, call, type Params } from "../../base/call.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { Module } from "./module.ts";
import { toSnake } from "../../base/spelling.ts";
import { python } from "./repr.ts";

/** A module whose `forward` takes the arguments `A` and returns `R`. */
export interface FunctionModule<A extends readonly unknown[], R> extends Module {
  /** Calls the layer's function with its options. */
  forward(...args: A): R;
}

/** The instances of a layer defined by {@linkcode layer}: the options that `C` declares are fields. */
export type LayerOf<C extends Params, A extends readonly unknown[] = [input: Tensor], R = Tensor> =
  & FunctionModule<A, R>
  & Readonly<InstanceType<C>>;

/** The class of a layer defined by {@linkcode layer}. */
export type Layer<C extends Params, A extends readonly unknown[] = [input: Tensor], R = Tensor> = new (
  ...args: Args<C>
) => LayerOf<C, A, R>;

/** The definition of a layer. */
export interface LayerSpec<C extends Params, A extends readonly unknown[], R = Tensor> {
  /** PyTorch's name. */
  readonly name: string;
  /** The class that declares the options. */
  readonly params: C;
  /** The layer's computation. */
  readonly call: (options: LayerOf<C, A, R>, ...args: A) => R;
  /** The text between the parentheses when the layer is printed; default nothing. */
  readonly repr?: (options: LayerOf<C, A, R>) => string;
  /** Checks or changes the options when a layer is made. */
  readonly init?: (options: Writable<InstanceType<C>>) => void;
  /** The options that are buffers: tensors moved and saved with the layer, under PyTorch's names. */
  readonly buffers?: readonly (keyof InstanceType<C> & string)[];
}

/** The type `O` with writable fields. */
export type Writable<O> = { -readonly [K in keyof O]: O[K] };

/** Defines the class of a layer. */
export function layer<C extends Params, A extends readonly unknown[] = [input: Tensor], R = Tensor>(
  spec: LayerSpec<C, A, R>,
): Layer<C, A, R> {
  const { name, params } = spec;
  const parse = call(name, params);
  const buffers: readonly string[] = spec.buffers ?? [];
  const made = {
    [name]: class extends Module {
      constructor(...args: readonly unknown[]) {
        super();
        const own = this as unknown as Record<string, unknown>;
        try {
          for (const [key, value] of Object.entries(parse(args))) {
            if (buffers.includes(key)) this.registerBuffer(toSnake(key), value as Tensor | null);
            else own[key] = value;
          }
          spec.init?.(this as unknown as Writable<InstanceType<C>>);
        } catch (error) {
          throw nameCall(name, error);
        }
      }
      override forward(...args: A): R {
        try {
          checkTensor(name, "input", args[0]);
          return spec.call(this as unknown as LayerOf<C, A, R>, ...args);
        } catch (error) {
          throw nameCall(name, error);
        }
      }
      override extraRepr(): string {
        return spec.repr?.(this as unknown as LayerOf<C, A, R>) ?? "";
      }
    },
  }[name];
  for (const key of buffers.filter((key) => toSnake(key) !== key)) {
    Object.defineProperty(made.prototype, key, {
      get(this: Record<string, unknown>): unknown {
        return this[toSnake(key)];
      },
    });
  }
  return made as unknown as Layer<C, A, R>;
}

/** `key=value, …` of some options under PyTorch's names, as Python prints them. */
export function shown<O extends object>(options: O, ...keys: (keyof O & string)[]): string {
  return keys.map((key) => `${toSnake(key)}=${python(options[key])}`).join(", ");
}
