/**
 * A backend as a table of kernels: free functions of a device's context, each with the signature of its method in the
 * interface, and one binding of the whole table to a device.
 *
 * @module
 */

import type { Backend } from "./backend.ts";

/** The methods of the interface. */
export type KernelName = {
  [Name in keyof Backend]-?: NonNullable<Backend[Name]> extends (...args: never[]) => unknown ? Name : never;
}[keyof Backend];

/**
 * A method of the interface as a free function, whose first parameter is the device's context (`KernelLibrary`, `Gpu`,
 * `CudaStream`); the others, their order and their types are told by the interface alone.
 */
export type KernelOf<Context, Name extends KernelName> = NonNullable<Backend[Name]> extends
  (...args: infer Parameters) => infer Result ? (context: Context, ...args: Parameters) => Result : never;

/** Kernels by the names of their methods. */
export type KernelTable<Context> = { readonly [Name in KernelName]?: KernelOf<Context, Name> };

/** The methods that a table of kernels becomes. */
export type Bound<Table> = { readonly [Name in keyof Table & KernelName]: NonNullable<Backend[Name]> };

/** Gives a backend the methods of `table`: its kernels, bound to the device's context once and for all. */
export function bind<Context>(backend: object, context: Context, table: KernelTable<Context>): void {
  const kernels = Object.entries(table) as [KernelName, KernelOf<Context, KernelName>][];
  Object.assign(
    backend,
    Object.fromEntries(
      kernels.map(([name, kernel]) => [name, (kernel as (context: Context) => unknown).bind(null, context)]),
    ),
  );
}
