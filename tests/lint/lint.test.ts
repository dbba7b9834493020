/** The plugin of `deno lint` for users: what it reports, and what it lets pass. */

import { assertEquals } from "@std/assert";
import plugin from "../../src/lint/mod.ts";

/** The rules and the texts that are reported in a program. */
function reported(body: string): string[] {
  const program = `import * as torch from "https://x/cresset/mod.ts";\n${body}`;
  return Deno.lint.runPlugin(plugin, "main.ts", program).map(({ id, range }) =>
    `${id.replace("cresset/", "")}: ${program.slice(...range)}`
  );
}

Deno.test("lint: values that are read and not awaited are found", () => {
  for (
    const use of [
      "if (loss.item() < 0.1) f();",
      "const t = `${loss.item()}`;",
      "total += loss.item();",
      "Number(loss.item());",
    ]
  ) {
    assertEquals(reported(use), ["await-values: loss.item()"], use);
  }
  assertEquals(reported("if (torch.equal(a, b)) f();"), ["await-values: torch.equal(a, b)"]);
  assertEquals(reported("if (!a.allclose(b)) f();"), ["await-values: a.allclose(b)"]);
  assertEquals(reported("console.log(x.tolist()); x.item();"), ["await-values: x.tolist()", "await-values: x.item()"]);
});

Deno.test("lint: awaited values, promises that are kept and other libraries' functions pass", () => {
  const fine = `
    const a = await loss.item() + 1, p = loss.item(), all = await Promise.all([loss.item(), x.tolist()]);
    const f = () => loss.item();
    async function g() { return x.tolist(); }
    if (await torch.equal(a, b)) item();
    loss.item().then(print);`;
  assertEquals(reported(fine), []);
});

Deno.test("lint: operators on tensors of the same file are found", () => {
  assertEquals(
    reported("const a = torch.ones(2), b = a.mul(2);\nconst c = a + b;\nif (a) f();\nconst d = a == 3 ? 1 : 2;"),
    ["no-tensor-operators: a + b", "no-tensor-operators: a", "no-tensor-operators: a == 3"],
  );
  assertEquals(reported("const x = torch.randn(2).relu();\nwhile (x.sum() > 1) f();"), [
    "no-tensor-operators: x.sum() > 1",
  ]);
});

Deno.test("lint: numbers, awaited values and names of several variables pass", () => {
  const fine = `
    const n = torch.ones(2).numel() + 1, s = await torch.ones(2).sum().item() * 2;
    const t = torch.ones(2);
    if (t === null || n > 3) f();
    const k = torch.finfo(torch.float32).eps * 2, [v] = torch.ones(2).max(0), w = v + 1;
    { const y = torch.ones(1); }
    { const y = 1; g(y + 1); }`;
  assertEquals(reported(fine), []);
});
