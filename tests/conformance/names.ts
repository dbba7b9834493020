/**
 * PyTorch's names in this library's spelling: camelCase, with the exceptions of the naming rules (a trailing
 * underscore stays, digit_digit keeps its underscore, names that start with a capital stay as they are).
 *
 * @module
 */

/** `index_add_` → `indexAdd_`; `T_max`, `__getitem__` and `squeezenet1_0` are unchanged. */
export function camel(name: string): string {
  const [, prefix, core, suffix] = /^(_*)(.*?)(_*)$/s.exec(name)!;
  if (!core.includes("_") || /^[A-Z]/.test(core)) return name;
  const [first, ...rest] = core.split("_");
  let out = first;
  for (const part of rest) {
    if (part === "") continue;
    out += /\d$/.test(out) && /^\d/.test(part) ? `_${part}` : part[0].toUpperCase() + part.slice(1);
  }
  return prefix + out + suffix;
}

/** A dotted path, segment by segment. */
export function camelPath(path: string): string {
  return path.split(".").map(camel).join(".");
}
