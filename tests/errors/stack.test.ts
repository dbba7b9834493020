/** Stacks show the user's lines, also where the library's calls are nested deep. */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

/** The functions of a stack, and whether any frame is the library's. */
function framesOf(error: Error): { names: string[]; ours: number } {
  const frames = error.stack!.split("\n").filter((line) => /^\s+at /.test(line));
  const names = frames.map((frame) => /at (?:async )?(?:new )?([\w.]+) \(/.exec(frame)?.[1] ?? "");
  return { names, ours: frames.filter((frame) => /\/src\/|\/ffi\//.test(frame)).length };
}

class Nested extends torch.nn.Module {
  inner: torch.nn.Module;
  constructor(depth: number) {
    super();
    this.inner = depth === 0 ? new torch.nn.Linear(3, 3) : new Nested(depth - 1);
  }
  override forward(x: torch.Tensor): torch.Tensor {
    return this.inner.call(x) as torch.Tensor;
  }
}

Deno.test("a mistake in a deep model shows every forward, and who called it", () => {
  const model = new torch.nn.Sequential(new Nested(19));
  function train() {
    return model.call(torch.ones([2, 2]));
  }
  const { names, ours } = framesOf(assertThrows(train, torch.ShapeError, "linear()"));
  assertEquals(names.filter((name) => name === "Nested.forward").length, 20);
  assertEquals(names[20], "train");
  assertEquals(ours, 0);
});

Deno.test("so do backward(), and calls inside callbacks of the library", () => {
  const x = torch.ones([2], { requiresGrad: true });
  function step() {
    x.mul(2).backward();
  }
  assertEquals(framesOf(assertThrows(step, torch.AutogradError, "single-element")).names[0], "step");
  function twice() {
    const y = x.exp().sum();
    y.backward();
    y.backward();
  }
  assertEquals(framesOf(assertThrows(twice, torch.AutogradError, "freed")).names[0], "twice");
  function evaluate() {
    torch.noGrad(() => {
      x.matmul(torch.ones([3, 3]));
    });
  }
  assertEquals(framesOf(assertThrows(evaluate, torch.ShapeError)).names.includes("evaluate"), true);
});

Deno.test("the stack begins with the message, in its last wording", () => {
  const error = assertThrows(() => torch.kron(torch.ones([2]), "3" as never), torch.ArgumentError);
  assertEquals(error.stack!.split("\n")[0], `ArgumentError: ${error.message}`);
});

Deno.test("an error of the user's own keeps its stack", () => {
  function failing(): torch.Tensor {
    throw new Error("mine");
  }
  const error = assertThrows(() => torch.scope(failing), Error, "mine");
  assertEquals(framesOf(error).names[0], "failing");
});

Deno.test("Deno prints the user's lines of an error that nobody catches", async () => {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  const source = `import * as torch from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
function train() {
  torch.ones([2, 2]).matmul(torch.ones([3, 3]));
}
train();
`;
  try {
    await Deno.writeTextFile(file, source);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const args = ["run", "--no-check", "--config", config, file];
    const { stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
    const text = new TextDecoder().decode(stderr);
    assertMatch(text, /ShapeError: matmul\(\).*\n\s+at train \(.*:3:22\)\n\s+at .*:5:1/);
  } finally {
    await Deno.remove(file);
  }
});
