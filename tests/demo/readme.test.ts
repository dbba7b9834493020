/** The README's code is that of the examples, and it runs. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const ROOT = new URL("../../", import.meta.url);
const README = Deno.readTextFileSync(new URL("README.md", ROOT));

/** The code block that follows `<!-- path -->`. */
function block(path: string): string {
  const found = new RegExp(`<!-- ${path} -->\n\n\`\`\`\\w+\n(.*?)\n\`\`\`\n`, "s").exec(README);
  if (found === null) throw new Error(`the README has no block of ${path}`);
  return found[1];
}

async function run(path: string): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", new URL(path, ROOT).pathname],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

for (const path of ["examples/taste.ts", "examples/side_by_side/main.ts", "examples/side_by_side/main.py"]) {
  Deno.test(`README shows ${path} as it is`, () => {
    const source = Deno.readTextFileSync(new URL(path, ROOT)).replace(/^\/\*\*.*?\*\/\n\n/s, "").trimEnd();
    assertEquals(block(path), source);
  });
}

Deno.test("README's ten lines are ten, and fit the line without any permission", async () => {
  const lines = block("examples/taste.ts").split("\n").filter((line) => line !== "" && !/^(import|\})/.test(line));
  assertEquals(lines.length, 10);
  const out = await run("examples/taste.ts");
  const numbers = [...out.matchAll(/-?\d+\.\d+/g)].map(Number);
  assert(Math.abs(numbers[0] - 3) < 0.1 && Math.abs(numbers[1] - 0.5) < 0.1, out);
});

Deno.test("README's program learns without any permission", async () => {
  const losses = (await run("examples/side_by_side/main.ts")).trim().split("\n").map((line) =>
    Number(line.split(" ")[1])
  );
  assertEquals(losses.length, 5);
  assert(losses[4] < 0.4 && losses[4] < losses[0], `${losses}`);
});

Deno.test("README's commands are tasks", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  for (const [, name] of README.matchAll(/deno(?:@\S+)? task (\w+)/g)) assert(name in tasks, name);
  // The version that CI runs, since a newcomer's commands must do what was tested.
  const version = /^DENO_VERSION=(\S+)$/m.exec(Deno.readTextFileSync(new URL(".ci/run", ROOT)))![1];
  assertStringIncludes(README, `npx -y deno@${version} task demo`);
  assertStringIncludes(README, `npx -y deno@${version} task test`);
});

/** What each row of the README's table must give, for `x` of 12 counting numbers in 3 rows. */
const TABLE: Readonly<Record<string, unknown>> = {
  "x[0, 1:3]": [1, 2],
  "x[..., 2]": [2, 6, 10],
  "x[:, None, 1]": [[1], [5], [9]],
  "x[[0, 2]]": [[0, 1, 2, 3], [8, 9, 10, 11]],
  "x[mask]": [9, 10, 11],
  "x[i] = v": [[0, 1, 2, 3], [-1, -1, -1, -1], [8, 9, 10, 11]],
  "x[:, 1] = v": [[0, -1, 2, 3], [4, -1, 6, 7], [8, -1, 10, 11]],
  "x[mask] = 0": [[0, 1, 2, 3], [4, 5, 6, 7], [8, 0, 0, 0]],
  "1 - x": [[1, 0, -1, -2], [-3, -4, -5, -6], [-7, -8, -9, -10]],
  "2 / x": [[Infinity, 2, 1, 2 / 3], [2 / 4, 2 / 5, 2 / 6, 2 / 7], [2 / 8, 2 / 9, 2 / 10, 2 / 11]].map((row) =>
    row.map(Math.fround)
  ),
  "x += v": [[-1, 0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10]],
  "len(x)": 3,
  "x.data += v": [[-1, 0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10]],
};

Deno.test("README's table of indexing and operators is true", async () => {
  const rows = [...README.matchAll(/^ +\| `(.+?)` +\| (`.+`) +\|$/gm)];
  assertEquals(rows.map(([, python]) => python).sort(), Object.keys(TABLE).sort());
  for (const [, python, ours] of rows) {
    for (const [, code] of ours.matchAll(/`(.+?)`/g)) {
      const x = torch.arange(12).reshape(3, 4);
      const run = new Function("x", "torch", "slice", "mask", "i", "v", `return (async () => ${code})()`);
      const result = await run(x, torch, torch.slice, x.gt(8), 1, -1);
      assertEquals(result instanceof torch.Tensor ? await result.tolist() : result, TABLE[python], code);
    }
  }
});

Deno.test("README's sentence for a misspelt argument is the library's", () => {
  const { code, message } = /^ +(?<code>x\.sum\(.*)\n +ArgumentError: (?<message>.*)$/m.exec(README)!.groups!;
  const error = assertThrows(() => new Function("x", code)(torch.ones(2, 2)), torch.ArgumentError);
  assertEquals(error.message, message);
});
