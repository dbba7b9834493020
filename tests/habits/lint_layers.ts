/**
 * Lint rules that hold the architecture: which layer may import which, and which specifiers the library may use.
 *
 * Not a style checker. The one idea: every file belongs to a row of {@linkcode LAYERS} by its path, and a value import
 * goes only to the same folder or to a row above; `import type` is free because it leaves nothing at run time.
 *
 * @module
 */

/** The rows of ARCHITECTURE.md's table, each importing only from those above it. Peers share a row. */
export const LAYERS: readonly (readonly string[])[] = [
  ["src/base"],
  ["src/expr"],
  ["ffi"],
  ["src/backend"],
  ["src/tensor"],
  ["src/autograd"],
  ["src/ops"],
  ["src/nn", "src/amp", "src/data"],
  ["src/optim", "src/cuda", "src/io", "src/distributions"],
  ["src/vision", "src/utils", "src/lint"],
  ["mod.ts"],
  ["bench", "examples", "native", "tests"],
];

/** The last row: programs and tests, which nothing imports. */
const LEAVES: readonly string[] = LAYERS[LAYERS.length - 1];
const ROOT = new URL("../../", import.meta.url).pathname;

/** The folder of the table that a path of the repository belongs to, or `null`. */
export function folderOf(path: string): string | null {
  for (const row of LAYERS) {
    for (const folder of row) if (path === folder || path.startsWith(folder + "/")) return folder;
  }
  return null;
}

function rowOf(folder: string): number {
  return LAYERS.findIndex((row) => row.includes(folder));
}

/** The device folder of a backend file (`cpu`, `cuda`, `webgpu`), or `null` for what they share. */
function deviceOf(path: string): string | null {
  return /^src\/backend\/([^/]+)\//.exec(path)?.[1] ?? null;
}

/**
 * Why the file `from` may not import the value of the file `to`, or `null` if it may. Paths are relative to the root.
 */
export function layerFault(from: string, to: string): string | null {
  const own = folderOf(from);
  if (own === null) return null;
  // The CPU kernels are a WebAssembly module that the backend imports; it is not code of the leaf `native/`.
  if (to.endsWith(".wasm") || to.endsWith(".json")) return null;
  const target = folderOf(to);
  if (target === null) return `${to} is in no layer; name its folder in tests/habits/lint_layers.ts`;
  if (LEAVES.includes(own)) return null;
  if (LEAVES.includes(target)) return `nothing imports ${target}/`;
  if (own === target) {
    const mine = deviceOf(from), other = deviceOf(to);
    if (mine !== null && other !== null && mine !== other) {
      return `backends never import each other (${mine}, ${other})`;
    }
    return null;
  }
  if (rowOf(target) >= rowOf(own)) {
    return `${target} is not above ${own} in the layer table; import only its types`;
  }
  return null;
}

/** Why the library may not use this import specifier, or `null` if it may. */
export function specifierFault(specifier: string): string | null {
  if (/^\.\.?\//.test(specifier)) return null;
  if (specifier.startsWith("node:")) {
    return `"${specifier}" is not in browsers; ask src/base/platform.ts for what it gives`;
  }
  if (/^npm:(@[^/]+\/)?[^/@]+@\d/.test(specifier)) return null;
  return `"${specifier}" needs an import map, which a URL import ignores; use a relative or npm:name@version specifier`;
}

interface Importing {
  source: { value: unknown } | null;
  importKind?: string;
  exportKind?: string;
}

function visitor(context: Deno.lint.RuleContext, check: (from: string, specifier: string) => string | null) {
  const file = context.filename.startsWith(ROOT) ? context.filename.slice(ROOT.length) : null;
  const visit = (node: Deno.lint.Node & Importing, typesToo: boolean) => {
    if (file === null || typeof node.source?.value !== "string") return;
    if (!typesToo && (node.importKind === "type" || node.exportKind === "type")) return;
    const fault = check(file, node.source.value);
    if (fault) context.report({ node, message: `${file}: ${fault}` });
  };
  return (typesToo: boolean): Deno.lint.LintVisitor => ({
    ImportDeclaration: (node) => visit(node as Deno.lint.Node & Importing, typesToo),
    ExportNamedDeclaration: (node) => visit(node as Deno.lint.Node & Importing, typesToo),
    ExportAllDeclaration: (node) => visit(node as Deno.lint.Node & Importing, typesToo),
    ImportExpression: (node) => visit(node as unknown as Deno.lint.Node & Importing, typesToo),
  });
}

const plugin: Deno.lint.Plugin = {
  name: "cresset",
  rules: {
    "layer-order": {
      create(context) {
        return visitor(context, (from, specifier) => {
          if (!/^\.\.?\//.test(specifier)) return null;
          const to = new URL(specifier, `file:///${from}`).pathname.slice(1);
          return layerFault(from, to);
        })(false);
      },
    },
    "url-importable": {
      create(context) {
        return visitor(context, (from, specifier) => {
          const folder = folderOf(from);
          return folder === null || LEAVES.includes(folder) ? null : specifierFault(specifier);
        })(true);
      },
    },
  },
};

export default plugin;
