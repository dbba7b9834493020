/** Errors that a kernel finds belong to the tensors that they spoilt: those throw at every read, others do not. */

import { assertEquals, assertRejects } from "@std/assert";
import * as torch from "../../mod.ts";
import { gpuTest } from "./support.ts";

const device = "webgpu";
const { nn } = torch;

/** What looks up a row that is not there. */
function lost(rows = 4): torch.Tensor {
  return torch.ones([rows, 3], { device }).indexSelect(0, torch.tensor([rows + 5], { dtype: torch.int64, device }));
}

gpuTest("a late error is thrown by each read of what it spoilt, and by no other", async () => {
  const innocent = torch.arange(3, { device }), bad = lost(), later = torch.arange(3, { device }).add(1);
  assertEquals(await innocent.tolist(), [0, 1, 2]);
  for (let i = 0; i < 3; i++) {
    await assertRejects(() => bad.tolist(), torch.IndexError, "indexSelect(): index out of range: 9");
  }
  assertEquals(await later.tolist(), [1, 2, 3]);
});

gpuTest("what is computed from a spoilt tensor is spoilt, its operands are not", async () => {
  const table = torch.ones([4, 3], { device }), x = torch.full([3, 3], 2, { device });
  const bad = table.indexSelect(0, torch.tensor([1, 7, 2], { dtype: torch.int64, device }));
  const sums = bad.matmul(x).relu().sum();
  for (const spoilt of [bad, sums]) {
    await assertRejects(() => spoilt.read(), torch.IndexError, "out of range: 7 for a dimension of size 4");
  }
  assertEquals(await table.sum().item(), 12);
  assertEquals(await x.sum().item(), 18);
  // After the error was read, too.
  const derived = bad.add(1);
  await assertRejects(() => derived.read(), torch.IndexError, "out of range: 7");
});

gpuTest("of two errors the first is thrown, by the name of its op", async () => {
  const index = torch.tensor([[9]], { dtype: torch.int64, device });
  const first = torch.ones([4, 3], { device }).gather(1, index), second = lost(2);
  const both = first.sum().mul(second.sum());
  await assertRejects(() => both.item(), torch.IndexError, "gather()");
  await assertRejects(() => second.read(), torch.IndexError, "indexSelect()");
  await assertRejects(() => both.item(), torch.IndexError, "gather()");
});

gpuTest("two requests at once: each gets its own result", async () => {
  const table = new nn.Embedding(8, 4, { device }), answers: string[] = [];
  const ask = async (id: number) => {
    const out = torch.noGrad(() => table.call(torch.tensor([id], { dtype: torch.int64, device })).sum());
    const answer = await out.item().then(() => "fine", (error) => (error as Error).name);
    answers.push(`${id}: ${answer}`);
  };
  await Promise.all([ask(1), ask(99), ask(2), ask(-9), ask(3)]);
  assertEquals(answers.sort(), ["-9: IndexError", "1: fine", "2: fine", "3: fine", "99: IndexError"]);
});

gpuTest("a tensor that is written whole afterwards is as good as new", async () => {
  const x = torch.zeros([1, 3], { device });
  x.copy_(lost());
  await assertRejects(() => x.read(), torch.IndexError);
  x.narrow(1, 0, 1).fill_(5);
  await assertRejects(() => x.read(), torch.IndexError);
  x.fill_(5);
  assertEquals(await x.tolist(), [[5, 5, 5]]);
  x.copy_(lost());
  x.copy_(torch.ones([1, 3]));
  assertEquals(await x.tolist(), [[1, 1, 1]]);
});

gpuTest("a spoilt step spoils the weights, and a state dict mends them", async () => {
  const model = new nn.Embedding(4, 2, { device }), optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.1 });
  const saved = { weight: torch.ones([4, 2]) };
  model.call(torch.tensor([1, 8], { dtype: torch.int64, device })).sum().backward();
  optimizer.step();
  await assertRejects(() => model.weight.read(), torch.IndexError, "out of range: 8");
  model.loadStateDict(saved);
  assertEquals(await model.weight.sum().item(), 8);
});

gpuTest("many checks without a read: none is lost", async () => {
  const table = torch.ones([4, 3], { device }), good = torch.tensor([1], { dtype: torch.int64, device });
  const sum = torch.zeros([], { device });
  for (let i = 0; i < 100; i++) {
    const row = table.indexSelect(0, i === 70 ? good.add(40) : good);
    sum.add_(row.sum());
  }
  await assertRejects(() => sum.item(), torch.IndexError, "out of range: 41");
  assertEquals(await table.sum().item(), 12);
  const next = table.indexSelect(0, good);
  assertEquals(await next.sum().item(), 3);
});

gpuTest("checks of values belong to the op's result as well", async () => {
  const p = torch.tensor([0.5, 1.5], { device }).add(0);
  const drawn = torch.bernoulli(p);
  assertEquals(await p.tolist(), [0.5, 1.5]);
  await assertRejects(() => drawn.read(), torch.ArgumentError, "probabilities must be in [0, 1]");
  const weights = torch.tensor([1, -1], { device }).add(0), rows = torch.multinomial(weights, 2, true);
  await assertRejects(() => rows.read(), torch.ArgumentError, "multinomial()");
  assertEquals(await weights.tolist(), [1, -1]);
  const large = torch.full([100000], 100000, { dtype: torch.int32, device }), total = large.sum();
  assertEquals(await large.max().item(), 100000);
  await assertRejects(() => total.item(), torch.DTypeError, "sum()");
});
