/**
 * Spellings of names: conversion between camelCase (the API) and snake_case (printed models, state dicts), and the
 * known name that a misspelt one probably stands for, for messages that say "did you mean".
 *
 * @module
 */

/** Names of PyTorch, NumPy and Keras, and the names that they may stand for here. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  axis: ["dim"],
  axes: ["dims", "dim"],
  dims: ["dim"],
  dim: ["dims"],
  keepdims: ["keepdim"],
  learningrate: ["lr"],
  rate: ["lr", "p"],
  rho: ["alpha", "momentum"],
  shape: ["size"],
  other: ["target", "tensor2"],
  labels: ["target"],
  label: ["target"],
  filters: ["outChannels"],
  inputdim: ["inFeatures"],
  units: ["outFeatures"],
  strides: ["stride"],
  epsilon: ["eps"],
  decay: ["weightDecay"],
  l2: ["weightDecay"],
  batch: ["batchSize"],
  type: ["dtype"],
  numclasses: ["numClasses"],
  dropout: ["p"],
  usebias: ["bias"],
};

/** An upper bound of a name's length: comparing a longer, hostile one would take long. */
const LONGEST = 40;

/**
 * The Damerau–Levenshtein distance: the number of single-character edits from `a` to `b`, a swap of neighbours counting
 * as one.
 */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], before[j - 2] + 1);
      }
    }
    before = previous;
    previous = row;
  }
  return previous[b.length];
}

/** The name in lower case without underscores: the same for PyTorch's spelling and ours. */
function plain(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

/**
 * The name of `known` that `name` was probably meant to be, or `null` where none is near.
 *
 * PyTorch's snake_case comes first, then names other libraries use, then small misspellings.
 */
export function nearestName(name: string, known: readonly string[]): string | null {
  if (name.length > LONGEST) return null;
  const wanted = plain(name);
  const same = known.find((k) => plain(k) === wanted);
  if (same !== undefined) return same;
  const alias = ALIASES[wanted]?.find((k) => known.includes(k));
  if (alias !== undefined) return alias;
  const ranked = known.map((k) => ({ k, d: distance(wanted, plain(k)) })).sort((a, b) => a.d - b.d);
  const best = ranked[0];
  if (best === undefined) return null;
  return best.d <= Math.max(1, Math.floor(Math.min(wanted.length, best.k.length) / 3)) ? best.k : null;
}

/**
 * `weightDecay` as `weight_decay`; leading underscores and names that begin with a capital (`T_max`) stay.
 *
 * @param name a camelCase name
 */
export function toSnake(name: string): string {
  if (/^_*[A-Z]/.test(name)) return name;
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * `weight_decay` as `weightDecay`; the inverse of {@linkcode toSnake}.
 *
 * @param name a snake_case name
 */
export function toCamel(name: string): string {
  if (/^_*[A-Z]/.test(name)) return name;
  return name.replace(/([^_])_+([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}
