/** Warnings: shown once, silenced or thrown; and the promises that are not their values. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { warningsOf } from "../support/warnings.ts";

const { nn, warnings } = torch;
const F = nn.functional;

Deno.test("warn(): each message once, always, never, or thrown", () => {
  const twice = () => {
    warnings.warn("a");
    warnings.warn({ message: "a" });
    warnings.warn("b");
  };
  assertEquals(warningsOf(twice), ["a", "b"]);
  assertEquals(warningsOf(twice, "always"), ["a", "a", "b"]);
  assertEquals(warningsOf(twice, "ignore"), []);
  assertThrows(() => warningsOf(twice, "error"), torch.ArgumentError, "a");
  const wrong = () => Reflect.apply(warnings.simplefilter, undefined, ["once"]);
  assertThrows(
    wrong,
    torch.ArgumentError,
    'simplefilter(): action must be one of default, always, ignore, error: "once"',
  );
});

Deno.test("losses of elements that broadcast warn once, as PyTorch's do", () => {
  const [x, y] = [torch.ones(4, 1), torch.ones(4)];
  for (const loss of [F.mseLoss, F.l1Loss, F.smoothL1Loss, F.huberLoss]) {
    const found = warningsOf(() => [loss(x, y), loss(x, y), loss(x, x)]);
    assertEquals(found.length, 1, loss.name);
    assertEquals(found[0].startsWith(`${loss.name}(): the target's shape is not the input's`), true, found[0]);
  }
});

/** A module whose field `held` is what `make` gives. */
class Holder extends nn.Module {
  held: unknown;
  constructor(held: unknown) {
    super();
    this.held = held;
  }
}

Deno.test("modules and parameters that a module cannot see are named when its state is asked for", () => {
  const layer = () => new nn.Linear(1, 1);
  const cases: [held: unknown, remedy: string][] = [
    [[layer()], "nn.ModuleList"],
    [new Set([layer()]), "nn.ModuleList"],
    [{ a: layer() }, "nn.ModuleDict"],
    [new Map([["a", layer()]]), "nn.ModuleDict"],
    [[new nn.Parameter(torch.ones(1))], "nn.ParameterList"],
  ];
  for (const [held, remedy] of cases) {
    for (const op of ["parameters", "namedParameters", "stateDict"] as const) {
      const module = new nn.Sequential(new Holder(held));
      const found = warningsOf(() => [module[op](), module[op]()]);
      assertEquals(found.length, 1);
      assertEquals(found[0].startsWith(`${op}(): Holder.held holds a `) && found[0].includes(remedy), true, found[0]);
    }
  }
});

Deno.test("a list of registered modules, of tensors or of nothing warns of nothing", () => {
  class Twice extends Holder {
    fc = new nn.Linear(1, 1);
    list = [this.fc, this.fc.weight];
  }
  for (const held of [[], null, [torch.ones(1)], new nn.ModuleList([new nn.Linear(1, 1)]), new Uint8Array(2)]) {
    assertEquals(warningsOf(() => new Twice(held).parameters()), []);
  }
});

Deno.test("the promise of a value refuses to be a number or a text, and is a promise otherwise", async () => {
  const x = torch.tensor([2]);
  const reads = {
    item: () => x.item(),
    tolist: () => x.tolist(),
    read: () => x.read(),
    numpy: () => x.numpy(),
    bytes: () => x.bytes(),
    equal: () => x.equal(x),
    allclose: () => x.allclose(x),
    compute: () => new torch.utils.metrics.Mean().update(x).compute(),
    getScale: () => new torch.amp.GradScaler("cpu").getScale(),
  };
  for (const [name, read] of Object.entries(reads)) {
    const uses = [(p: unknown) => `${p}`, (p: unknown) => p as number + 1, (p: unknown) => p as number < 1, Number];
    for (const use of uses) {
      assertThrows(() => use(read()), torch.ArgumentError, `${name}(): a promise is used as if it were its value`);
    }
  }
  assertEquals([await x.item(), await x.equal(x), await x.item().then((v) => v + 1)], [2, true, 3]);
  await assertRejects(() => torch.ones(2).item(), torch.ShapeError);
  assertThrows(() => `${torch.ones(2).item()}`, torch.ArgumentError);
});
