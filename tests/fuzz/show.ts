/**
 * A value in a few words, for the line that tells which call was made. It never throws, whatever the value does.
 *
 * @module
 */

import * as torch from "../../mod.ts";

const LIMIT = 8;

function tensorText(x: torch.Tensor): string {
  if (x.isReleased) return "Tensor(released)";
  const layout = x.isContiguous() ? "" : ` strides ${x.stride().join(",")} offset ${x.storageOffset()}`;
  return `Tensor(${x.dtype.name}[${x.shape.join(",")}]${layout}${
    x.requiresGrad ? (x.isLeaf ? " leaf" : " grad") : ""
  })`;
}

function listText(list: readonly unknown[], depth: number): string {
  if (depth > 2) return "[…]";
  const first = Array.from(
    { length: Math.min(LIMIT, list.length) },
    (_, i) => i in list ? show(list[i], depth + 1) : "",
  );
  return `[${first.join(", ")}${list.length > LIMIT ? `, … ${list.length} in all` : ""}]`;
}

function objectText(value: object, depth: number): string {
  if (value instanceof torch.Tensor) return tensorText(value);
  if (value instanceof torch.DType) return value.name;
  if (Array.isArray(value)) return listText(value, depth);
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return `a ${prototype.constructor?.name ?? "nameless object"}`;
  }
  if (depth > 2) return "{…}";
  const record = value as Record<string, unknown>;
  return `{ ${
    Object.keys(record).slice(0, LIMIT).map((key) => `${key}: ${show(record[key], depth + 1)}`).join(", ")
  } }`;
}

/** The value as text. */
export function show(value: unknown, depth = 0): string {
  try {
    if (typeof value === "string") return JSON.stringify(value.length > 40 ? value.slice(0, 40) + "…" : value);
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "function") return value.name === "" ? "a function" : `function ${value.name}`;
    if (typeof value === "object" && value !== null) return objectText(value, depth);
    return Object.is(value, -0) ? "-0" : String(value);
  } catch {
    return "an object that throws";
  }
}
