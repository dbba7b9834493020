/**
 * The warning about unregistered layers: modules and parameters in an array, a map or a plain object that a field
 * holds.
 *
 * They compute, but they are not trained, moved or saved, and nothing fails. So one warning is given when the module's
 * parameters or its state dict are asked for.
 *
 * @module
 */

import { isPlainObject } from "../../base/call.ts";
import { warn } from "../../base/warnings.ts";
import type { Module } from "./module.ts";
import { ModuleBase } from "./module_base.ts";
import { Parameter } from "./parameter.ts";
import { namedModules } from "./walk.ts";

/** The modules that were searched already. */
const seen = new WeakSet<Module>();

/** The items of a collection in a field; none for other values. */
function items(value: unknown): Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set) return value;
  if (value instanceof Map) return value.values();
  return isPlainObject(value) ? Object.values(value) : [];
}

/** Warns, once for a module, of modules and parameters in its fields that are not registered. */
export function warnUnregistered(op: string, root: Module): void {
  if (seen.has(root)) return;
  seen.add(root);
  const modules = Array.from(namedModules(root, new Set(), "", true), ([, module]) => module);
  let registered: Set<unknown> | null = null;
  for (const module of modules) {
    for (const [name, value] of Object.entries(module)) {
      for (const item of items(value)) {
        if (!(item instanceof ModuleBase) && !(item instanceof Parameter)) continue;
        registered ??= new Set([...modules, ...modules.flatMap((m) => Array.from(m._ownParameters(), ([, p]) => p))]);
        if (registered.has(item)) continue;
        const list = item instanceof Parameter ? "Parameter" : "Module";
        const keyed = value instanceof Map || isPlainObject(value);
        warn(
          `${op}(): ${module._name()}.${name} holds a ${list} that is not registered, so it is not trained, moved or ` +
            `saved: ${item.constructor.name}; use new nn.${list}${
              keyed ? "Dict" : "List"
            }(…), or a #private field where ` +
            "that is meant",
        );
        break;
      }
    }
  }
}
