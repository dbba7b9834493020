/**
 * Traversal of a tree of modules: its modules and tensors with their full names.
 *
 * @module
 */

import type { Tensor } from "../../tensor/tensor.ts";
import type { Module } from "./module.ts";

/**
 * The tensors of a module with their full names.
 *
 * @param prefix put before every name
 * @param recurse whether submodules are included
 * @param removeDuplicate whether a shared tensor appears once, under its first name
 * @param own the tensors of one module
 */
export function* named<T extends Tensor>(
  root: Module,
  prefix: string,
  recurse: boolean,
  removeDuplicate: boolean,
  own: (module: Module) => Iterable<readonly [string, T, ...unknown[]]>,
): Generator<[string, T]> {
  const seen = new Set<T>();
  const modules = recurse ? namedModules(root, new Set(), prefix, removeDuplicate) : [[prefix, root] as const];
  for (const [path, module] of modules) {
    for (const [name, tensor] of own(module)) {
      if (seen.has(tensor)) continue;
      if (removeDuplicate) seen.add(tensor);
      yield [path === "" ? name : `${path}.${name}`, tensor];
    }
  }
}

/**
 * A module and all modules below it with their full names, parents first.
 *
 * @param memo modules that are skipped
 * @param removeDuplicate whether a shared module appears once
 */
export function* namedModules(
  root: Module,
  memo: Set<Module>,
  prefix: string,
  removeDuplicate: boolean,
): Generator<[string, Module]> {
  if (memo.has(root)) return;
  if (removeDuplicate) memo.add(root);
  yield [prefix, root];
  for (const [name, module] of root._ownModules()) {
    yield* namedModules(module, memo, prefix === "" ? name : `${prefix}.${name}`, removeDuplicate);
  }
}
