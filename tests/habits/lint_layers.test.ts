/** The lint rules find what they forbid and nothing else. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import plugin, { LAYERS } from "./lint_layers.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

function faults(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, ROOT + path, source).map((d) => `${d.id}: ${d.message}`);
}

const GOOD: [string, string][] = [
  ["src/expr/expr.ts", `import { show } from "../base/errors.ts";`],
  ["src/base/shape.ts", `import type { Tensor } from "../tensor/tensor.ts";`],
  ["src/base/shape.ts", `export type { Tensor } from "../tensor/tensor.ts";`],
  ["src/backend/cpu/mod.ts", `import { symbols } from "../../../ffi/cpu.ts";`],
  ["src/backend/cpu/lib.ts", `import * as kernels from "../../../native/cpu/cpu.wasm";`],
  ["src/backend/cuda/mod.ts", `import { helper } from "../common.ts";`],
  ["src/nn/linear.ts", `import { Tensor } from "../tensor/tensor.ts"; import * as F from "./functional.ts";`],
  ["src/ops/pointwise/unary.ts", `import x from "npm:left-pad@1.3.0";`],
  ["mod.ts", `export * as nn from "./src/nn/mod.ts";`],
  ["tests/nn/linear.test.ts", `import * as torch from "../../mod.ts"; import { assert } from "@std/assert";`],
  ["examples/mnist.ts", `import bars from "cli-progress"; import * as torch from "../mod.ts";`],
  ["native/build.ts", `import { OPCODES } from "../src/expr/cpu.ts";`],
];

const BAD: [string, string, string][] = [
  ["src/base/shape.ts", `import { Expr } from "../expr/expr.ts";`, "src/expr is not above src/base"],
  ["src/base/shape.ts", `import { type Expr } from "../expr/expr.ts";`, "src/expr is not above src/base"],
  ["src/tensor/tensor.ts", `import { add } from "../ops/arithmetic.ts";`, "src/ops is not above src/tensor"],
  ["src/tensor/tensor.ts", `export { add } from "../ops/arithmetic.ts";`, "src/ops is not above src/tensor"],
  ["src/tensor/tensor.ts", `export * from "../ops/arithmetic.ts";`, "src/ops is not above src/tensor"],
  ["src/tensor/tensor.ts", `const ops = await import("../ops/arithmetic.ts");`, "src/ops is not above src/tensor"],
  ["src/backend/cpu/mod.ts", `import { x } from "../cuda/mod.ts";`, "backends never import each other (cpu, cuda)"],
  ["src/nn/linear.ts", `import { Adam } from "../optim/adam.ts";`, "src/optim is not above src/nn"],
  ["src/nn/linear.ts", `import * as torch from "../../mod.ts";`, "mod.ts is not above src/nn"],
  ["src/nn/linear.ts", `import { helper } from "../../tests/support/helper.ts";`, "nothing imports tests/"],
  ["src/nn/linear.ts", `import { x } from "../novel/x.ts";`, "src/novel/x.ts is in no layer"],
  ["src/ops/pointwise/unary.ts", `import { assert } from "@std/assert";`, `"@std/assert" needs an import map`],
  ["src/ops/pointwise/unary.ts", `import type { A } from "left-pad";`, `"left-pad" needs an import map`],
  ["src/ops/pointwise/unary.ts", `import x from "npm:left-pad";`, `"npm:left-pad" needs an import map`],
  ["src/ops/pointwise/unary.ts", `import { setImmediate } from "node:timers";`, "ask src/base/platform.ts"],
  ["mod.ts", `export { x } from "@std/assert";`, `"@std/assert" needs an import map`],
];

Deno.test("lint: good imports pass", async (t) => {
  for (const [path, source] of GOOD) {
    await t.step(`${path}: ${source}`, () => assertEquals(faults(path, source), []));
  }
});

Deno.test("lint: bad imports are named", async (t) => {
  for (const [path, source, message] of BAD) {
    await t.step(`${path}: ${source}`, () => {
      const found = faults(path, source);
      assertEquals(found.length, 1, `expected one fault, found: ${found.join(" | ")}`);
      assertStringIncludes(found[0], message);
    });
  }
});

Deno.test("lint: every folder of src is in the layer table", () => {
  const folders = [...Deno.readDirSync(ROOT + "src")].filter((e) => e.isDirectory).map((e) => `src/${e.name}`);
  const table = LAYERS.flat();
  assertEquals(folders.filter((f) => !table.includes(f)), []);
});
