/**
 * The two spellings of a name: camelCase in the API, PyTorch's snake_case in state dicts.
 *
 * @module
 */

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
