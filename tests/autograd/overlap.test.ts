/** Modes, autocast and generators belong to the task that set them: callbacks overlap, handles end in any order. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { useContextStorage } from "../../src/base/during.ts";
import { contextStorage } from "../../src/base/platform.ts";
import { mode } from "../../src/autograd/mode.ts";

/** A promise and what settles it. */
function gate(): { open: () => void; passed: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, passed: promise };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const state = (): unknown[] => [torch.isGradEnabled(), torch.isAutocastEnabled("cpu"), mode.anomaly, mode.inference];
const USUAL = [true, false, false, false];

Deno.test("noGrad: a training trains while an evaluation waits, and what overlaps leaves nothing behind", async () => {
  const model = new torch.nn.Linear(2, 1);
  const before = await model.weight.tolist();
  const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.1 });
  const recorded: boolean[] = [];
  const evaluate = (steps: number) =>
    torch.noGrad(async () => {
      for (let i = 0; i < steps; i++) {
        await turn();
        recorded.push(model.call(torch.ones(1, 2)).requiresGrad);
      }
      return steps;
    });
  const train = async () => {
    for (let i = 0; i < 4; i++) {
      optimizer.zeroGrad();
      model.call(torch.ones(1, 2)).sum().backward();
      optimizer.step();
      await turn();
    }
  };
  assertEquals(await Promise.all([evaluate(1), train(), evaluate(5), evaluate(2)]).then((r) => r[2]), 5);
  assertEquals(recorded, new Array(8).fill(false));
  const after = await model.weight.tolist() as number[][];
  (before as number[][])[0].forEach((w, i) => assert(Math.abs(w - after[0][i] - 0.4) < 1e-5));
  assertEquals(state(), USUAL);
});

Deno.test("modes: tasks that overlap each see their own, nested ones the innermost", async () => {
  const a = gate(), b = gate();
  const seen: unknown[] = [];
  const first = torch.noGrad(async () => {
    await a.passed;
    seen.push(["first", torch.isGradEnabled()]);
    assertEquals(torch.enableGrad(() => torch.isGradEnabled()), true);
    await torch.enableGrad(async () => {
      await turn();
      assertEquals(torch.noGrad(() => torch.isGradEnabled()), false);
      assert(torch.isGradEnabled());
    });
    seen.push(["first, after the inner one", torch.isGradEnabled()]);
  });
  const second = torch.autograd.detectAnomaly(async () => {
    await b.passed;
    seen.push(["second", ...state()]);
    const third = torch.inferenceMode(async () => {
      await turn();
      seen.push(["third", ...state(), torch.enableGrad(() => torch.isGradEnabled())]);
    });
    assertEquals(state(), [true, false, true, false]);
    await third;
  });
  assertEquals(state(), USUAL);
  // Synchronous callbacks are right while asynchronous ones are pending.
  assertEquals(torch.noGrad(() => [torch.isGradEnabled(), torch.enableGrad(() => torch.isGradEnabled())]), [
    false,
    true,
  ]);
  assertEquals(state(), USUAL);
  b.open();
  await second;
  a.open();
  await first;
  assertEquals(seen, [
    ["second", true, false, true, false],
    ["third", false, false, true, true, false],
    ["first", false],
    ["first, after the inner one", false],
  ]);
  assertEquals(state(), USUAL);
});

Deno.test("modes: a callback that gives a promise without being async is asynchronous, too", async () => {
  const look = async () => {
    await turn();
    return torch.isGradEnabled();
  };
  const [inside, outside] = await Promise.all([torch.noGrad(() => look()), look()]);
  assertEquals([inside, outside], [false, true]);
});

Deno.test("modes: what is set for good inside a task ends with it; outside it stays, and tasks do not see it", async () => {
  const g = gate();
  const task = torch.noGrad(async () => {
    await g.passed;
    assertEquals(torch.isGradEnabled(), false);
    torch.setGradEnabled(true);
    await turn();
    return torch.isGradEnabled();
  });
  torch.setGradEnabled(false);
  torch.setGradEnabled(true);
  g.open();
  assertEquals(await task, true);
  using _ = torch.setGradEnabled(false);
  assertEquals(torch.isGradEnabled(), false);
});

Deno.test("modes: an error inside ends them, thrown at once or later", async () => {
  const fail = () => {
    throw new RangeError("mine");
  };
  const late = torch.noGrad(async () => {
    await turn();
    fail();
  });
  assertThrows(() => torch.noGrad(fail), RangeError, "mine");
  assertThrows(() => torch.autocast("cpu", fail), RangeError, "mine");
  assertEquals(state(), USUAL);
  await assertRejects(() => late, RangeError, "mine");
  await assertRejects(() => torch.autocast("cpu", async () => await late), RangeError, "mine");
  assertEquals(state(), USUAL);
});

Deno.test("modes: a timer is in the callback it was made in until that ends; a listener is where it is called", async () => {
  const target = new EventTarget(), seen: Record<string, boolean> = {};
  const timers: Promise<void>[] = [];
  const later = (name: string, ms: number) =>
    timers.push(
      new Promise((resolve) => {
        setTimeout(() => {
          seen[name] = torch.isGradEnabled();
          resolve();
        }, ms);
      }),
    );
  const hold = gate();
  const pending = torch.enableGrad(async () => await hold.passed);
  await torch.noGrad(async () => {
    later("during", 0);
    target.addEventListener("ping", () => seen.listener = torch.isGradEnabled());
    await timers[0];
    later("after", 20);
  });
  torch.noGrad(() => later("after a synchronous one", 0));
  target.dispatchEvent(new Event("ping"));
  await Promise.all(timers);
  assertEquals(seen, { during: false, listener: true, "after a synchronous one": true, after: true });
  hold.open();
  await pending;
});

Deno.test("autocast: regions of tasks overlap, and the casts of parameters are freed after the last", async () => {
  const weight = torch.ones(2, 2).requiresGrad_(), x = torch.ones(2, 2);
  const product = () => String(x.matmul(weight).dtype).replace("torch.", "");
  const region = (dtype: torch.DType, turns: number, sets = false) =>
    torch.autocast("cpu", { dtype }, async () => {
      const seen = [product()];
      for (let i = 0; i < turns; i++) {
        await turn();
        if (sets) torch.setAutocastDtype("cpu", torch.float16);
        seen.push(product());
      }
      return seen.join();
    });
  const plain = (async () => {
    const seen = [];
    for (let i = 0; i < 4; i++) {
      seen.push(product(), torch.isAutocastEnabled("cpu"));
      await turn();
    }
    return [...new Set(seen)];
  })();
  const results = await Promise.all([
    region(torch.bfloat16, 1),
    region(torch.float16, 3),
    plain,
    region(torch.bfloat16, 2, true),
  ]);
  assertEquals(results, [
    "bfloat16,bfloat16",
    "float16,float16,float16,float16",
    ["float32", false],
    "bfloat16,float16,float16",
  ]);
  assertEquals([torch.isAutocastEnabled("cpu"), torch.getAutocastDtype("cpu")], [false, torch.bfloat16]);
});

Deno.test("forkRng: each task draws from its own copy, and the generator goes on as if they had not", async () => {
  const draw = () => torch.defaultGenerator.randomWord();
  torch.manualSeed(3);
  const expected = [draw(), draw(), draw(), draw()];
  torch.manualSeed(3);
  const fork = (seed: number) =>
    torch.forkRng(async () => {
      torch.manualSeed(seed);
      const a = draw();
      await turn();
      return [a, draw()];
    });
  const one = fork(3), first = draw(), two = fork(3), second = draw();
  await turn();
  const third = draw();
  assertEquals(await Promise.all([one, two]), [expected.slice(0, 2), expected.slice(0, 2)]);
  assertEquals([first, second, third, draw()], expected);
  const outer = torch.forkRng(), inner = torch.forkRng();
  torch.manualSeed(9);
  outer[Symbol.dispose]();
  assertEquals(torch.initialSeed(), 9);
  inner[Symbol.dispose]();
  assertEquals([torch.initialSeed(), torch.defaultGenerator.position], [3, 4]);
});

Deno.test("handles: in whatever order they are disposed, each takes back what it did, once", () => {
  const orders = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 2, 1], [2, 0, 1], [1, 2, 0]];
  for (const order of orders) {
    const handles = [torch.noGrad(), torch.enableGrad(), torch.noGrad()];
    const held = new Set([0, 1, 2]);
    assertEquals(torch.isGradEnabled(), false);
    for (const i of order) {
      handles[i][Symbol.dispose]();
      handles[i][Symbol.dispose]();
      held.delete(i);
      assertEquals(torch.isGradEnabled(), held.size === 0 || Math.max(...held) === 1, `${order}: ${[...held]}`);
    }
  }
  const inference = torch.inferenceMode(), enabled = torch.enableGrad();
  assertEquals(torch.isGradEnabled(), false);
  inference[Symbol.dispose]();
  assertEquals([torch.isGradEnabled(), torch.isInferenceModeEnabled()], [true, false]);
  enabled[Symbol.dispose]();
  const cpu = torch.autocast("cpu", torch.float16), cuda = torch.autocast("cuda");
  cpu[Symbol.dispose]();
  assertEquals([torch.isAutocastEnabled("cpu"), torch.isAutocastEnabled("cuda")], [false, true]);
  cuda[Symbol.dispose]();
  assertEquals([torch.isAutocastEnabled("cuda"), ...state()], [false, ...USUAL]);
});

Deno.test("handles: one of a callback has no effect after it, and those of a long loop are taken back with the one around them", () => {
  let handle: Disposable | undefined;
  torch.noGrad(() => {
    handle = torch.enableGrad();
    assert(torch.isGradEnabled());
  });
  torch.noGrad(() => {
    handle![Symbol.dispose]();
    assertEquals(torch.isGradEnabled(), false);
  });
  {
    using _ = torch.setGradEnabled(true);
    for (let i = 0; i < 1000; i++) torch.setGradEnabled(i % 2 === 1);
  }
  assertEquals(torch.isGradEnabled(), true);
});

Deno.test("backward: gradients that a dropped handle turned off are blamed on it", () => {
  const w = torch.ones(2).requiresGrad_();
  const message = () => assertThrows(() => w.sum().backward(), torch.AutogradError).message;
  const usual = "backward(): output 0 does not require grad and has no gradFn; ";
  for (const name of ["noGrad", "inferenceMode"] as const) {
    const handle = torch[name]();
    assertEquals(
      message(),
      `${usual}gradients are off since a torch.${name}() without \`using\`, which lasts until it is disposed; write ` +
        `\`using _ = torch.${name}()\` in a block, or torch.${name}(() => …)`,
    );
    handle[Symbol.dispose]();
  }
  torch.setGradEnabled(false);
  assertEquals(
    message(),
    `${usual}gradients are off since torch.setGradEnabled(false); torch.setGradEnabled(true) turns them on`,
  );
  torch.setGradEnabled(true);
  w.sum().backward();
  {
    using _ = torch.noGrad();
    assertEquals(
      message(),
      `${usual}gradients are off here, inside noGrad() or inferenceMode(): call it, and compute its output, outside`,
    );
  }
  assertEquals(
    assertThrows(() => torch.ones(2).sum().backward(), torch.AutogradError).message,
    `${usual}nothing to differentiate`,
  );
});

Deno.test("modes: without an asynchronous context one asynchronous callback works alone, another is refused", async () => {
  useContextStorage(() => null);
  try {
    const g = gate();
    const first = torch.noGrad(async () => {
      await g.passed;
      return torch.isGradEnabled();
    });
    let began = false;
    const again = async () => {
      began = true;
      await turn();
    };
    const words = "noGrad(): an asynchronous callback that changes this is pending already";
    assertThrows(() => torch.enableGrad(again), torch.AutogradError, words);
    assertEquals(began, false);
    // Only its promise shows that this one is asynchronous; its own failure is not left unhandled.
    assertThrows(
      () => torch.enableGrad(() => again().then(() => Promise.reject(new Error("late")))),
      torch.AutogradError,
      words,
    );
    assertEquals([began, torch.isGradEnabled()], [true, false]);
    // Another setting, and synchronous callbacks, are free.
    assertEquals(torch.enableGrad(() => torch.isGradEnabled()), true);
    assertEquals(await torch.autocast("cpu", async () => [await turn(), ...state()]), [
      undefined,
      false,
      true,
      false,
      false,
    ]);
    g.open();
    assertEquals(await first, false);
    assertEquals(state(), USUAL);
    assertEquals(await torch.noGrad(async () => [await turn(), torch.isGradEnabled()]), [undefined, false]);
    await assertRejects(() => torch.noGrad(() => Promise.reject(new RangeError("mine"))), RangeError, "mine");
    assertEquals(state(), USUAL);
    await turn();
  } finally {
    useContextStorage(null);
  }
});

Deno.test("modes: the asynchronous context is asked for at the first callback only", async () => {
  let asked = 0;
  useContextStorage(() => {
    asked++;
    return contextStorage();
  });
  try {
    await torch.noGrad(async () => await turn());
    torch.noGrad(() => 1);
    assertEquals([asked, ...state()], [1, ...USUAL]);
  } finally {
    useContextStorage(null);
  }
});
