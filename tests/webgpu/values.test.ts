/**
 * Ops that depend on values, on a device that cannot be read at once: what came from the host is known, reads of what a
 * check refused throw, and what truly needs a value says how to get it.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertSame, gpuTest } from "./support.ts";

const F = torch.nn.functional;
const device = "webgpu";
const int64 = torch.int64;

gpuTest("arguments that came from the host decide shapes", async () => {
  const x = torch.arange(12, { device }).reshape(3, 4);
  const start = torch.tensor([0, 1, 2], { dtype: int64, device });
  const part = x.narrow(1, start.select(0, 2), 2);
  assertEquals(await part.tolist(), [[2, 3], [6, 7], [10, 11]]);
  assertEquals(part.storage, x.storage);
  const cuts = torch.fromData(new BigInt64Array([1n, 2n]), [2], { strides: [3], device });
  assertEquals(x.tensorSplit(cuts, 1).map((t) => t.shape[1]), [1, 1, 2]);
});

gpuTest("arguments that were computed are refused with the remedy, also when they were written later", async () => {
  const x = torch.arange(12, { device });
  const start = torch.tensor(2, { dtype: int64, device });
  const error = assertThrows(() => x.narrow(0, start.add(1), 2), torch.DeviceError);
  assert(error.message.includes("narrow()") && error.message.includes("await x.item()"), error.message);
  start.add_(3);
  assertThrows(() => x.narrow(0, start, 2), torch.DeviceError);
  assertEquals(await x.narrow(0, await start.item(), 2).tolist(), [5, 6]);
});

gpuTest("probabilities are checked on the device, and reads of the result throw", async () => {
  const weights = (...values: number[]) => torch.tensor(values, { device }).add(0);
  const cases: [() => torch.Tensor, string][] = [
    [() => torch.multinomial(weights(1, -1, 2), 2), "finite and not negative"],
    [() => torch.multinomial(weights(1, NaN), 1), "finite and not negative"],
    [() => torch.multinomial(weights(0, 0), 1), "sum to zero"],
    [() => weights(0.5, 1.5).bernoulli(), "[0, 1]"],
    [() => torch.normal(0, weights(1, -1)), "std"],
    [() => F.gaussianNllLoss(weights(1), weights(1), weights(-1)), "negative"],
    [() => torch.nn.utils.getTotalNorm([weights(Infinity)], 2, true), "not finite"],
  ];
  for (const [run, text] of cases) {
    const error = await assertRejects(() => run().read(), torch.ArgumentError);
    assert(error.message.includes(text), error.message);
    assertEquals(await torch.ones([1], { device }).item(), 1);
  }
  assertEquals((await torch.multinomial(weights(1, 0, 2), 1).read()).length, 1);
});

gpuTest("weights that came from the host are checked at once", () => {
  assertThrows(() => torch.multinomial(torch.tensor([1, -1], { device }), 1), torch.ArgumentError, "-1");
});

gpuTest(
  "a mask with an index or values for each element writes what it does on the CPU, and other numbers of them are refused",
  async () => {
    const write = async (where: string, ...index: (torch.Tensor | torch.Slice | number)[]) => {
      const x = torch.zeros([3, 4], { device: where }), value = index.pop() as torch.Tensor | number;
      const here = (v: torch.Tensor | torch.Slice | number) => v instanceof torch.Tensor ? v.to(where) : v;
      return await x.setAt(...index.map(here), here(value) as torch.Tensor).tolist();
    };
    const mask = torch.tensor([true, false, true]), places = torch.tensor([1n, 2n]), all = torch.ones([3, 4]).gt(0);
    const cases: (torch.Tensor | torch.Slice | number)[][] = [
      [mask, places, 1],
      [mask, places, torch.tensor([5, 6])],
      [mask, torch.tensor([[3, 4, 5, 6], [7, 8, 9, 1]])],
      [mask, 2, torch.tensor([5, 6])],
      [torch.slice(0, 3), torch.tensor([true, false, true, false]), torch.tensor([5, 6])],
      [all, torch.arange(12)],
    ];
    for (const index of cases) assertEquals(await write(device, ...index), await write("cpu", ...index));
    for (const wrong of [[mask, torch.tensor([0n, 1n, 2n]), 1], [all, torch.arange(11)], [mask, torch.ones([3, 4])]]) {
      await assertRejects(() => write(device, ...wrong), torch.ShapeError, "setAt(): a mask does not select");
    }
    assertThrows(() => torch.zeros([3, 4]).setAt([mask, 1] as never, 1), torch.ArgumentError, "one by one");
  },
);

gpuTest("bounds and fill values are read on the device", async () => {
  const two = torch.tensor(1, { device }).add(1);
  assertEquals(await torch.linspace(two, two.mul(3), 5).tolist(), [2, 3, 4, 5, 6]);
  assertEquals(await torch.logspace(two, two.mul(2), 2, 2, { dtype: torch.float32 }).round().tolist(), [4, 16]);
  assertEquals(await torch.full([3], two, { device }).tolist(), [2, 2, 2]);
});

gpuTest("CTC takes lengths that only the device knows", async (t) => {
  torch.manualSeed(5);
  const scores = torch.randn([12, 3, 6]);
  const padded = torch.randint(1, 6, [3, 4]), all = torch.randint(1, 6, [7]);
  for (const [name, targets, lengths] of [["padded", padded, [4, 1, 2]], ["in one", all, [4, 1, 2]]] as const) {
    for (const reduction of ["none", "mean"] as const) {
      await t.step(`${name}, ${reduction}`, async () => {
        const run = (where: string, computed: boolean) => {
          const x = scores.clone().to(where).requiresGrad_();
          const length = (values: readonly number[]) => {
            const known = torch.tensor([...values], { dtype: int64, device: where });
            return computed ? known.add(0) : known;
          };
          const loss = F.ctcLoss(
            x.logSoftmax(2),
            targets.to(where),
            length([12, 9, 12]),
            length(lengths),
            0,
            reduction,
          );
          loss.sum().backward();
          return [loss.detach(), x.grad!];
        };
        const expected = run("cpu", false);
        for (const computed of [false, true]) {
          for (const [i, x] of run(device, computed).entries()) await assertSame(x, expected[i], `${name} ${i}`, 1e-5);
        }
      });
    }
  }
  const x = scores.to(device).logSoftmax(2), long = torch.tensor([12, 13, 12], { dtype: int64, device }).add(0);
  const loss = F.ctcLoss(x, padded.to(device), long, torch.tensor([1, 1, 1], { dtype: int64, device }));
  await assertRejects(() => loss.item(), torch.ShapeError, "longer than the sequence");
  assertEquals(await long.tolist(), [12, 13, 12]);
});

gpuTest("LBFGS is awaited, and finds what it finds on the CPU", async (t) => {
  torch.manualSeed(7);
  const a = torch.randn([20, 4]), b = torch.randn([20, 1]);
  for (const lineSearchFn of [null, "strong_wolfe"] as const) {
    await t.step(lineSearchFn ?? "fixed steps", async () => {
      const results: [torch.Tensor, number][] = [];
      for (const where of ["cpu", device]) {
        const [x, y] = [a.to(where), b.to(where)];
        const weight = new torch.nn.Parameter(torch.zeros([4, 1], { device: where }));
        const optimizer = new torch.optim.LBFGS([weight], { lineSearchFn, maxIter: 8 });
        let calls = 0;
        const first = await optimizer.step(() => {
          calls++;
          optimizer.zeroGrad();
          const loss = F.mseLoss(x.matmul(weight), y);
          loss.backward();
          return loss;
        });
        results.push([weight.detach(), calls]);
        assertEquals((await first.item()) > 0, true);
      }
      const [[expected, calls], [actual, ours]] = results;
      assertEquals(ours, calls);
      await assertSame(actual, expected, "weight", 1e-3);
    });
  }
  const weight = new torch.nn.Parameter(torch.zeros([1], { device }));
  const optimizer = new torch.optim.LBFGS([weight]);
  await assertRejects(
    async () => await optimizer.step(() => Promise.resolve(1)),
    torch.ArgumentError,
    "not a promise",
  );
});

gpuTest("detectAnomaly() names the backward that made NaN at the next read", async () => {
  const x = torch.tensor([-1, 4], { device }).requiresGrad_();
  using _ = torch.autograd.detectAnomaly();
  x.sqrt().sum().backward();
  const error = await assertRejects(() => x.grad!.tolist(), torch.AutogradError);
  assert(error.message.includes("SqrtBackward0 returned NaN"), error.message);
});

gpuTest("every way of writing to a tensor makes what the host knew of it stale", () => {
  const zero = () => torch.tensor([0n], { device });
  const writes: Record<string, (x: torch.Tensor) => unknown> = {
    add_: (x) => x.add_(1),
    "add_ through a view": (x) => x.view(1, 1).add_(1),
    copy_: (x) => x.copy_(torch.tensor([3n])),
    fill_: (x) => x.fill_(2),
    zero_: (x) => x.zero_(),
    setAt: (x) => x.setAt(0, 2),
    "setAt with an index": (x) => x.setAt(zero(), 2),
    scatter_: (x) => x.scatter_(0, zero(), zero()),
    indexAdd_: (x) => x.indexAdd_(0, zero(), zero()),
    indexFill_: (x) => x.indexFill_(0, zero(), 1),
    maskedFill_: (x) => x.maskedFill_(x.eq(0), 1),
    random_: (x) => x.random_(5),
    bernoulli_: (x) => x.bernoulli_(),
    out: (x) => torch.add(zero(), 1, { out: x }),
    "out of a scan": (x) => torch.cumsum(zero(), 0, { out: x }),
  };
  const row = torch.arange(10, { device });
  for (const [name, write] of Object.entries(writes)) {
    const start = torch.tensor([0n], { device });
    assertEquals(row.narrow(0, start.select(0, 0), 1).offset, 0);
    write(start);
    assertThrows(() => row.narrow(0, start.select(0, 0), 1), torch.DeviceError, "await", name);
  }
  const weight = new torch.nn.Parameter(torch.tensor([-1, 2], { device }));
  const { SGD, AdamW, Adagrad } = torch.optim, lr = 0.1;
  for (const optimizer of [new SGD([weight], { lr }), new AdamW([weight], { lr }), new Adagrad([weight], { lr })]) {
    const before = weight.storage.version;
    weight.grad = torch.ones([2], { device });
    optimizer.step();
    assert(weight.storage.version > before, optimizer.constructor.name);
  }
});

gpuTest("crossEntropy names itself when its target is on another device", () => {
  assertThrows(
    () => F.crossEntropy(torch.ones(2, 3, { device }), torch.tensor([0n, 1n])),
    torch.DeviceError,
    "crossEntropy(): tensors are on different devices: webgpu:0 and cpu; move one with .to(device)",
  );
});
