/**
 * What the CUDA backend must do, as groups that run in a process of their own: `deno run -A cases.ts GROUP` prints
 * "agrees" or throws. The process must find CUDA's libraries, real or the double's; results are compared with the CPU's.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";
import { svdOf } from "../../src/ops/linalg/svd.ts";
import {
  ATTENTION_CASES,
  checkUncopied,
  compareAttention,
  compareSecondDerivatives,
  compareShapes,
  compareTraining,
} from "../support/attention.ts";
import { float32 } from "../../src/base/dtype.ts";
import { cudaBackend } from "../../src/backend/cuda/mod.ts";
import { pointwise } from "../../src/backend/cuda/families/pointwise.ts";
import { type Expr, input, linearIndex } from "../../src/expr/expr.ts";
import { Program } from "../../src/expr/program.ts";
import { firstDifference } from "../support/close.ts";

const F = torch.nn.functional;
const { slice } = torch;
type Dtype = torch.DType;
const FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64];
const ALL = slice();
const REALS = [...FLOATS, torch.bool, torch.uint8, torch.int16, torch.int64];

/** Runs `f` on both devices with the same inputs and compares everything that it gives. */
async function same(
  what: string,
  inputs: readonly Tensor[],
  f: (...xs: Tensor[]) => Tensor | readonly Tensor[],
  tolerance = 1e-5,
): Promise<void> {
  const results: Tensor[][] = [];
  for (const device of ["cpu", "cuda"]) {
    const out = f(...inputs.map((x) => x.to(device)));
    results.push(Array.isArray(out) ? [...out] : [out as Tensor]);
  }
  for (const [i, expected] of results[0].entries()) {
    const actual = results[1][i];
    assertEquals(actual.device.toString(), "cuda:0", what);
    assertEquals([actual.shape, actual.dtype.name], [expected.shape, expected.dtype.name], what);
    const data = async (t: Tensor) =>
      (t.dtype.isFloatingPoint ? await t.double().read() : await t.read()) as Float64Array;
    const coarse = { float16: 2e-3, bfloat16: 2e-2 }[expected.dtype.name as string] ?? tolerance;
    const limits = { rtol: coarse, atol: coarse };
    const difference = firstDifference(await data(actual), await data(expected), expected.shape, limits);
    assert(difference === null, `${what} (${expected.dtype}): ${difference}`);
  }
}

/** Numbers of a dtype, the same in every run. */
function numbers(shape: number[], dtype: Dtype = torch.float32, seed = 1): Tensor {
  torch.manualSeed(seed);
  return torch.randn(shape).mul(3).to(dtype);
}

async function maps(): Promise<void> {
  for (const dtype of REALS) {
    const x = numbers([5, 7], dtype), y = numbers([5, 7], dtype, 2);
    await same("add and compare", [x, y], (a, b) => [a.logicalAnd(b), a.eq(b), a.add(a)]);
    await same("casts", [x], (a) => [a.to(torch.float32), a.to(torch.int64), a.to(torch.bool)]);
  }
  const x = numbers([6, 5, 4]), y = numbers([5, 1], torch.float32, 2);
  await same("broadcast", [x, y], (a, b) => a.mul(b).exp().div(a.abs().add(1)));
  await same("strided", [x], (a) => [a.permute(2, 0, 1).sin(), a.at(ALL, slice(1, 5, 2)).tanh(), a.select(2, 1).neg()]);
  await same("misaligned", [numbers([1003])], (a) => a.narrow(0, 1, 1002).mul(2));
  await same("0-d and empty", [torch.tensor(3), torch.zeros(0, 3)], (a, b) => [a.sqrt(), b.add(1)]);
  await same(
    "nine dimensions",
    [numbers([2, 2, 2, 2, 2, 2, 2, 2, 2])],
    (a) => a.permute(8, 7, 6, 5, 4, 3, 2, 1, 0).add(1),
  );
  await same("complex", [numbers([4, 2])], (a) => torch.viewAsReal(torch.viewAsComplex(a).exp()));
  for (const [size, seed] of [[1000, 7], [3, 8]]) {
    torch.manualSeed(seed);
    const cpu = torch.rand(size);
    torch.manualSeed(seed);
    assertEquals(await torch.rand(size, { device: "cuda" }).read(), await cpu.read());
  }
}

/** Shapes and views for each of the vectorised kernels, in every mixture of element sizes. */
async function vectors(): Promise<void> {
  for (
    const [d, e] of [...REALS.map((d) => [d, d] as const), [torch.bool, torch.float64], [torch.bfloat16, torch.float32]]
  ) {
    const x = numbers([6, 5, 48], d), row = numbers([48], e, 2), plane = numbers([6, 1, 48], e, 3);
    const what = `${d} and ${e}`;
    await same(
      `${what}: along rows`,
      [x, row, plane],
      (a, b, c) => [a.eq(b), a.to(e).logicalOr(c), a.to(e).add(b).to(d)],
    );
    await same(`${what}: a number per row`, [x, numbers([6, 5, 1], e, 4)], (a, b) => a.ne(b));
    await same(`${what}: rows with an offset`, [numbers([6, 65], d), row], (a, b) => a.narrow(1, 16, 48).eq(b));
    await same(`${what}: rows off by one`, [numbers([6, 65], d), row], (a, b) => a.narrow(1, 1, 48).eq(b));
    await same(`${what}: another order of dimensions`, [x, x], (a, b) => a.permute(2, 0, 1).eq(b.permute(2, 0, 1)));
    await same(
      `${what}: in place, in another order`,
      [x, row],
      (a, b) => a.clone().permute(2, 1, 0).copy_(b.view(48, 1, 1)),
    );
    await same(`${what}: tails`, [numbers([1021], d)], (a) => [a.eq(0), a.to(e), a.narrow(0, 16, 1000).to(e)]);
  }
  // Divisions by sizes of every kind, powers of two and beside them.
  for (const n of [2, 3, 7, 31, 32, 33, 127, 641]) {
    await same(`size ${n}`, [numbers([n, 3, 5])], (a) => [a.permute(1, 0, 2).sin(), a.permute(2, 1, 0).neg()]);
  }
  let first: unknown;
  const many = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2], order = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
  for (const device of ["cpu", "cuda"]) {
    torch.manualSeed(5);
    const dropped = F.dropout(torch.ones(many, { device }).permute(...order), 0.5);
    const pattern = await dropped.read();
    if (device === "cuda") assertEquals(pattern, first);
    first = pattern;
  }
}

/** Operands that are transposed against the result: odd sizes, offsets, batches, broadcasts, mixtures of element sizes. */
async function transposes(): Promise<void> {
  for (const d of REALS) {
    const what = `${d}`;
    await same(`${what}: a matrix`, [numbers([45, 70], d)], (a) => a.t().contiguous());
    await same(
      `${what}: small tiles`,
      [numbers([65, 17], d)],
      (a) => [a.t().contiguous(), a.t().narrow(0, 1, 16).clone()],
    );
    await same(`${what}: whole tiles`, [numbers([64, 128], d)], (a) => a.t().contiguous());
    await same(
      `${what}: an offset`,
      [numbers([50, 61], d)],
      (a) => a.narrow(0, 3, 41).narrow(1, 1, 53).t().contiguous(),
    );
    await same(`${what}: images`, [numbers([2, 17, 7, 5], d), numbers([2, 7, 5, 17], d)], (a, b) => [
      a.permute(0, 2, 3, 1).contiguous(),
      b.permute(0, 3, 1, 2).contiguous(),
      a.eq(b.permute(0, 3, 1, 2)),
    ]);
    await same(`${what}: batches inside`, [numbers([20, 3, 2, 18], d)], (a) => [
      a.permute(3, 1, 2, 0).contiguous(),
      a.permute(1, 3, 2, 0).contiguous(),
      a.permute(2, 1, 0, 3).contiguous(),
    ]);
    await same(`${what}: into a view`, [numbers([40, 33], d), numbers([33, 40], d, 2)], (a, b) => {
      const c = a.clone();
      c.t().copy_(b);
      return c;
    });
    const mask = numbers([52, 37], torch.bool, 4);
    await same(
      `${what}: beside others`,
      [numbers([37, 52], d), numbers([52, 37], d, 2), mask, numbers([52], d, 3), numbers([3, 37, 52], d, 5)],
      (a, b, m, row, c) => [
        a.eq(b.t()),
        torch.where(m.t(), a, b.t()),
        torch.where(m.t(), row, b.t()),
        torch.where(a.gt(0), c, b.t()),
        torch.where(m.t(), c.narrow(2, 0, 1), b.t()),
        a.to(torch.float64).add(b.t()).to(d),
      ],
    );
  }
  // Every operand at once: six staged, of which the shared memory takes some.
  const wide = [1, 2, 3, 4, 5, 6].map((seed) => numbers([40, 35], torch.float64, seed));
  await same("many", [numbers([35, 40]), ...wide], (a, ...xs) => xs.reduce((sum, x) => sum.add(x.t()), a.double()));
  // Dimensions that share no order: one is staged, the other read as it lies.
  await same("two orders", [numbers([17, 18, 19]), numbers([18, 19, 17]), numbers([19, 18, 17])], (a, b, c) => [
    a.add(b.permute(2, 0, 1)),
    a.add(c.permute(2, 1, 0)),
    torch.addcmul(a, b.permute(2, 0, 1), c.permute(2, 1, 0)),
  ]);
  await indexedTransposes();
}

/** Expressions that no single operation makes: elements' indices, random words, and more than fits into registers at once. */
async function indexedTransposes(): Promise<void> {
  const x = input(0, float32), far = linearIndex().to("f32");
  let long: Expr = input(1, float32);
  for (let i = 0; i < 30; i++) long = long.mul(0.5).add(i % 2 ? x : far.mul(1e-3));
  const exprs = [x.add(far), linearIndex().philox(7).to("f32").mul(2 ** -32).add(x), long];
  for (const expr of exprs) {
    const program = new Program([float32, float32], [], [{ expr, dtype: float32 }, { expr: x, dtype: float32 }]);
    const results: Float32Array[] = [];
    for (const transposed of [true, false]) {
      const { stream } = cudaBackend(torch.device("cuda"));
      const a = numbers([3, 45, 38]).to("cuda").transpose(1, 2), b = numbers([38, 45], torch.float32, 2).to("cuda");
      const inputs = [transposed ? a : a.contiguous(), b];
      const outputs = [torch.zeros(a.shape, { device: "cuda" }), torch.zeros(a.shape, { device: "cuda" })];
      pointwise(stream, program, a.shape, inputs, [], outputs);
      for (const out of outputs) results.push(await out.read() as Float32Array);
    }
    assertEquals(results.slice(0, 2), results.slice(2));
  }
}

async function reductions(): Promise<void> {
  for (const dtype of REALS) {
    const x = numbers([9, 33], dtype);
    await same("sum", [x], (a) => [a.sum(), a.sum(0), a.sum(1, true)], 1e-4);
    await same("extremes", [x], (a) => [a.amax(1), a.amin(0), a.argmax(1), a.argmin(0)]);
    await same("any, all", [x], (a) => [a.any(1), a.all(0)]);
  }
  const long = numbers([3, 30000]);
  await same("long rows", [long], (a) => [a.sum(1), a.mean(), a.var(1), a.logsumexp(1)], 1e-3);
  await same("long columns", [long.t().contiguous()], (a) => [a.sum(0), a.amax(0)], 1e-3);
  await same(
    "inner dimensions",
    [numbers([3, 4, 5, 6])],
    (a) => [a.sum([1, 3]), a.prod(2), a.transpose(0, 2).amax([0, 1])],
  );
  await same("empty", [torch.zeros(0, 3)], (a) => [a.sum(), a.sum(0), a.prod(0)]);
  const holes = torch.tensor([[1, NaN, 3], [4, 5, NaN]]);
  await same("NaN", [holes], (a) => [a.amax(1), a.argmax(1), a.nansum(1)]);
}

async function scans(): Promise<void> {
  for (const dtype of [torch.float16, torch.float32, torch.int64, torch.bool]) {
    await same("cumsum", [numbers([4, 300], dtype)], (a) => [a.cumsum(1), a.cumsum(0), a.cumprod(0)], 1e-4);
  }
  const x = numbers([3, 600]);
  await same("cummax", [x], (a) => Object.values(a.cummax(1)) as Tensor[]);
  await same("cummin of integers", [x.to(torch.int64)], (a) => Object.values(a.cummin(1)) as Tensor[]);
  await same("logcumsumexp", [x], (a) => [a.logcumsumexp(1), a.t().logcumsumexp(0)], 1e-4);
  await same("several chunks", [numbers([20000])], (a) => a.cumsum(0), 1e-3);
}

async function orders(): Promise<void> {
  for (const dtype of REALS) {
    const x = numbers([3, 50], dtype);
    await same("sort", [x], (a) => {
      const up = a.sort({ dim: 1, stable: true }), down = a.sort({ dim: 0, descending: true, stable: true });
      return [up.values, up.indices, down.values, down.indices];
    });
  }
  await same("long rows", [numbers([2, 5000])], (a) => {
    const { values, indices } = a.sort({ dim: 1 });
    return [values, indices, a.topk(3, 1).values, a.topk(3, 1, false).indices];
  });
  const holes = torch.tensor([2, NaN, -1, -0, 0, Infinity]);
  await same(
    "NaN",
    [holes],
    (a) => [a.sort({ stable: true }).indices, a.sort({ descending: true, stable: true }).indices],
  );
  const sorted = numbers([40]).sort().values;
  await same("searchsorted", [sorted, numbers([3, 5])], (s, v) => [
    torch.searchsorted(s, v),
    torch.searchsorted(s, v, { right: true }),
  ]);
  await same("unique", [numbers([50], torch.int16)], (a) => a.sort().values);
}

async function indexing(): Promise<void> {
  const x = numbers([6, 5]), rows = torch.tensor([4, 0, 4, 2], { dtype: torch.int64 });
  const columns = torch.randint(0, 5, [6, 3]), many = torch.randint(0, 6, [500]);
  await same("select", [x, rows], (a, i) => [a.indexSelect(0, i), a.t().indexSelect(1, i), F.embedding(i, a)]);
  await same("gather", [x, columns], (a, i) => a.gather(1, i));
  for (const dtype of [torch.float16, torch.float32, torch.int64, torch.bool]) {
    const base = numbers([6, 5], dtype), source = numbers([6, 3], dtype, 3);
    await same("scatter", [base, columns, source], (a, i, s) => a.scatter(1, i, s));
    if (dtype !== torch.bool) await same("scatterAdd", [base, columns, source], (a, i, s) => a.scatterAdd(1, i, s));
    const updates = numbers([500, 5], dtype, 4);
    await same("indexAdd in runs", [base, many, updates], (a, i, u) => a.indexAdd(0, i, u), 1e-3);
  }
  const reduced = (mode: "amax" | "prod") => (a: Tensor, i: Tensor, s: Tensor) => a.scatterReduce(0, i, s, mode);
  const source = numbers([500], torch.float64, 5).sign();
  for (const mode of ["amax", "prod"] as const) {
    await same(mode, [numbers([6], torch.float64), many, source], reduced(mode));
  }
  await same("indexPut", [x, rows], (a, i) => a.clone().indexFill(0, i, 7));
  for (const dtype of REALS) {
    const sparse = numbers([40, 30], dtype).mul(numbers([40, 30], torch.float32, 9).gt(2).to(dtype));
    const cuda = sparse.to("cuda");
    assertEquals(await (await cuda.nonzero()).read(), await (await sparse.nonzero()).read(), `nonzero ${dtype}`);
  }
  const masked = await numbers([7, 9]).to("cuda").maskedSelect(numbers([7, 9]).to("cuda").gt(0));
  assertEquals(await masked.read(), await (await numbers([7, 9]).maskedSelect(numbers([7, 9]).gt(0))).read());
}

async function products(): Promise<void> {
  for (const dtype of [...FLOATS, torch.int64]) {
    const a = numbers([7, 5], dtype), b = numbers([5, 9], dtype, 2);
    const transposed = (x: Tensor, y: Tensor) => [x.matmul(y), y.t().matmul(x.t()), x.t().contiguous().t().matmul(y)];
    await same("matmul", [a, b], transposed, 1e-4);
  }
  const a = numbers([2, 3, 66, 17]), b = numbers([3, 17, 70], torch.float32, 2);
  await same("batches", [a, b], (x, y) => [x.matmul(y), x.select(0, 1).bmm(y)], 1e-4);
  const strided = (x: Tensor, y: Tensor) => x.at("...", slice(0, 17, 2)).matmul(y.at(ALL, slice(0, 17, 2)));
  await same("odd strides", [a, b], strided, 1e-4);
  const offset = (x: Tensor, y: Tensor) => x.select(0, 1).narrow(1, 1, 65).bmm(y.narrow(2, 3, 67));
  await same("misaligned", [a, b], offset, 1e-4);
  await same(
    "addmm",
    [numbers([7, 9]), numbers([7, 5]), numbers([5, 9])],
    (c, x, y) => c.addmm(x, y, { beta: 0.5, alpha: 2 }),
    1e-4,
  );
  await same("no depth", [torch.zeros(3, 0), torch.zeros(0, 4)], (x, y) => x.matmul(y));
}

async function convolutions(): Promise<void> {
  const train = (f: (x: Tensor, w: Tensor, b: Tensor) => Tensor) => (x: Tensor, w: Tensor, b: Tensor): Tensor[] => {
    const leaves = [x, w, b].map((t) => t.detach().clone().requiresGrad_());
    const out = f(leaves[0], leaves[1], leaves[2]);
    out.mul(out.detach().cos()).sum().backward();
    return [out.detach(), ...leaves.map((t) => t.grad!)];
  };
  const x = numbers([2, 4, 9, 8]), w = numbers([6, 2, 3, 3], torch.float32, 2), b = numbers([6], torch.float32, 3);
  const options = { stride: 2, padding: 1, groups: 2 };
  await same("conv2d", [x, w, b], train((p, q, r) => F.conv2d(p, q, r, options)), 1e-3);
  await same(
    "conv1d",
    [numbers([2, 3, 11]), numbers([4, 3, 3]), numbers([4])],
    train((p, q, r) => F.conv1d(p, q, r, { dilation: 2 })),
    1e-3,
  );
  const cube = [numbers([1, 2, 4, 5, 4]), numbers([2, 2, 2, 2, 2]), numbers([2])];
  await same("conv3d", cube, train((p, q, r) => F.conv3d(p, q, r)), 1e-3);
  const half = [x, w, b].map((t) => t.to(torch.bfloat16));
  await same("bfloat16", half, (p, q, r) => F.conv2d(p, q, r, options));
  const up = { stride: 2, padding: 1, outputPadding: 1 };
  await same(
    "transposed",
    [x, numbers([4, 3, 3, 3]), numbers([3])],
    train((p, q, r) => F.convTranspose2d(p, q, r, up)),
    1e-3,
  );
}

async function rows(): Promise<void> {
  for (const dtype of FLOATS) {
    const pool = (x: Tensor): Tensor[] => {
      const leaf = x.clone().requiresGrad_();
      const out = F.maxPool2d(leaf, 3, { stride: 2, padding: 1 }).sum().add(F.avgPool2d(leaf, 2).square().sum());
      out.add(F.adaptiveAvgPool2d(leaf, [3, 4]).sum()).backward();
      return [leaf.grad!, F.maxPool2d(x, 2), F.adaptiveMaxPool2d(x, 3)];
    };
    // Neighbouring values of half precision are far apart, so gradients add up differently.
    await same("pooling", [numbers([2, 3, 7, 8], dtype)], pool, 1e-4);
    const softmax = (x: Tensor): Tensor[] => {
      const leaf = x.clone().requiresGrad_();
      leaf.softmax(1).mul(leaf.detach()).sum().add(leaf.logSoftmax(0).square().sum()).backward();
      return [leaf.softmax(1), leaf.logSoftmax(0), leaf.grad!];
    };
    await same("softmax", [numbers([5, 700], dtype)], softmax, 1e-3);
  }
}

async function training(): Promise<void> {
  const losses: number[][] = [];
  for (const device of ["cpu", "cuda"]) {
    torch.manualSeed(0);
    const net = new torch.nn.Sequential(
      new torch.nn.Conv2d(1, 4, 3, { padding: 1 }),
      new torch.nn.BatchNorm2d(4),
      new torch.nn.ReLU(),
      new torch.nn.MaxPool2d(2),
      new torch.nn.Flatten(),
      new torch.nn.Linear(64, 10),
    ).to(device);
    const x = torch.randn(8, 1, 8, 8).to(device), y = torch.randint(0, 10, [8]).to(device);
    const optimizer = new torch.optim.AdamW(net.parameters(), { lr: 1e-2 });
    const list: number[] = [];
    for (let step = 0; step < 4; step++) {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(net.call(x), y);
      loss.backward();
      optimizer.step();
      list.push(Number(await loss.item()));
    }
    losses.push(list);
  }
  losses[0].forEach((loss, i) =>
    assert(Math.abs(loss - losses[1][i]) < 1e-4 * loss, `step ${i}: ${losses[1][i]} != ${loss}`)
  );
  assert(losses[1][3] < losses[1][0], `no progress: ${losses[1]}`);
}

/** Runs with 64 MiB of device memory and two devices. */
async function failures(): Promise<void> {
  assertEquals(torch.cuda.deviceCount(), 2);
  const wrong = assertThrows(() => torch.zeros(1, { device: "cuda:7" }), torch.DeviceError);
  assertStringIncludes(wrong.message, "there is no CUDA device 7: 2 found");
  const a = torch.ones(3, { device: "cuda:0" }), b = torch.ones(3, { device: "cuda:1" });
  assertStringIncludes(assertThrows(() => a.add(b), torch.DeviceError).message, "cuda:0 and cuda:1");
  assertEquals(await b.to("cuda:0").add(a).read(), new Float32Array([2, 2, 2]));
  assertEquals(torch.device("cuda"), torch.device("cuda:0"));

  const held: Tensor[] = [];
  const full = assertThrows(() => {
    for (let i = 0; i < 100; i++) held.push(torch.empty(1 << 20, { device: "cuda" }));
  }, torch.OutOfMemoryError);
  assertStringIncludes(full.message, "no memory left on cuda:0: 4194304 bytes asked for");
  assert(held.length >= 8, `${held.length} blocks of 4 MiB fitted into 64 MiB`);
  for (const t of held) t.dispose();
  assertEquals(await torch.ones(2 << 20, { device: "cuda" }).sum().read(), new Float32Array([2 ** 21]));
  assert(torch.cuda.maxMemoryAllocated() >= held.length * 4 * 2 ** 20);

  const x = torch.ones(2, 3, { device: "cuda" }), far = torch.tensor([5], { device: "cuda", dtype: torch.int64 });
  const bad = await assertRejects(() => x.indexSelect(0, far).read(), torch.IndexError);
  assertEquals(bad.message, "indexSelect(): index out of range: 5 along dimension 0 of size 2");
  assertEquals(await x.add(1).read(), new Float32Array([2, 2, 2, 2, 2, 2]), "the device works on");
}

/** Runs where the second kernel faults. */
async function fault(): Promise<void> {
  const x = torch.ones(2, 3, { device: "cuda" }).add(1).mul(2);
  const error = await assertRejects(() => x.sum().read(), torch.NativeError);
  assertStringIncludes(error.message, "cuda:0 reported a fault");
  assertStringIncludes(error.message, "kernels since the last wait: pointwise");
  assertEquals(await torch.ones(2).add(1).read(), new Float32Array([2, 2]), "the CPU works on");
}

async function decompositions(): Promise<void> {
  for (const dtype of [torch.float32, torch.float64]) {
    // Tall, wide, one by one; many small ones are one call, many larger ones are not.
    for (
      const shape of [[5, 3], [3, 5], [4, 4], [1, 1], [40, 50], [6, 5, 3], [2, 3, 3, 6], [2, 40, 3], [0, 3], [2, 0, 3]]
    ) {
      const x = numbers(shape, dtype), exact = dtype === torch.float64 ? 1e-11 : 2e-5;
      await same(`values of ${shape}`, [x], (a) => svdOf("svd", a).s, exact);
      await same(`product of ${shape}`, [x], (a) => {
        const { u, s, vh } = svdOf("svd", a);
        return [u.matmul(s.diagEmbed()).matmul(vh), u.mT.matmul(u), vh.matmul(vh.mT)];
      }, exact);
    }
  }
  const x = numbers([4, 3], torch.float64).to("cuda").requiresGrad_();
  assert(await torch.autograd.gradcheck((a) => torch.norm(a, "nuc"), x));
  assertThrows(() => torch.norm(torch.tensor([[NaN, 1]]).to("cuda"), "nuc"), torch.ArgumentError, "not finite");
}

async function attention(): Promise<void> {
  for (const [i, c] of ATTENTION_CASES.entries()) {
    await compareAttention("cuda", c, torch.float32, 1e-5);
    if (i === 1 || i === 9) await compareAttention("cuda", c, torch.float16, 3e-3);
    await compareAttention("cuda", c, torch.bfloat16, 2e-2);
  }
  const { stream } = cudaBackend(torch.device("cuda"));
  stream.allowTf32 = true;
  for (const i of [1, 4, 7, 8, 9, 11]) await compareAttention("cuda", ATTENTION_CASES[i], torch.float32, 3e-3);
  stream.allowTf32 = false;
  await compareSecondDerivatives("cuda");
  await compareShapes("cuda");
  checkUncopied("cuda", cudaBackend(torch.device("cuda")));
  await compareTraining("cuda");
}

/** Transforms along any dimension, by cuFFT or composed of products. */
async function fourier(): Promise<void> {
  const { fft } = torch;
  for (const dtype of [torch.complex64, torch.complex128]) {
    const exact = dtype === torch.complex128 ? 1e-12 : 2e-5;
    for (const shape of [[1], [8], [3, 5], [2, 67, 3], [5, 4, 3], [0, 3], [2, 130]]) {
      const x = torch.randn(shape, { dtype, generator: new torch.Generator().manualSeed(3) });
      for (let d = 0; d < shape.length; d++) {
        if (shape[d] === 0) continue;
        await same(`${shape} along ${d}`, [x], (a) => {
          const y = fft.fft(a, { dim: d, norm: "ortho" }), z = fft.ifft(a, { dim: d });
          return [y.real, y.imag, z.real, z.imag].map((part) => part.contiguous());
        }, exact);
      }
    }
  }
  await same("real", [numbers([4, 6], torch.float64)], (a) => [fft.irfft2(fft.rfft2(a)), fft.hfft(a)], 1e-12);
  const x = numbers([4, 3], torch.float64).to("cuda").requiresGrad_();
  assert(await torch.autograd.gradcheck((a) => fft.rfft(a).abs(), x));
}

/** Runs with cuFFT: graphs use plans, and cannot make them. */
async function planned(): Promise<void> {
  const { fft, cuda } = torch;
  await fourier();
  const x = torch.randn([3, 16], { device: "cuda", dtype: torch.complex64 });
  fft.fft(x);
  using g = new cuda.CUDAGraph();
  const y = cuda.graph(g, () => fft.fft(x));
  x.copy_(torch.randn([3, 16], { dtype: torch.complex64 }));
  g.replay();
  await same("replayed", [await x.cpu()], (a) => {
    const expected = a.device.type === "cpu" ? fft.fft(a) : y;
    return [expected.real.contiguous(), expected.imag.contiguous()];
  });
  // More plans than are kept.
  for (let n = 1; n < 80; n++) fft.fft(torch.ones([n], { device: "cuda" }));
  g.replay();
  assert(await y.sub(fft.fft(x)).abs().max().item() < 1e-5);
  using h = new cuda.CUDAGraph();
  const error = assertThrows(() => cuda.graph(h, () => fft.fft(torch.ones([77, 2], { device: "cuda" }))), Error);
  assertStringIncludes(error.message, "cannot be planned while a graph is captured: run it once before");
}

/** Runs without cuSOLVER. */
function unsolved(): Promise<void> {
  const error = assertThrows(() => torch.norm(torch.ones([2, 2], { device: "cuda" }), "nuc"), torch.DeviceError);
  assertStringIncludes(error.message, "norm(): decompositions on cuda need cuSOLVER, which was not found");
  assertStringIncludes(error.message, 'use x.to("cpu")');
  return Promise.resolve();
}

/** Runs without a driver. */
function absent(): Promise<void> {
  assertEquals([torch.cuda.isAvailable(), torch.cuda.deviceCount()], [false, 0]);
  const error = assertThrows(() => torch.zeros(1, { device: "cuda" }), torch.DeviceError);
  assertStringIncludes(error.message, "the NVIDIA driver (libcuda.so.1) was not found");
  assertStringIncludes(error.message, "deno task doctor");
  return Promise.resolve();
}

const GROUPS: Readonly<Record<string, () => Promise<void>>> = {
  maps,
  vectors,
  transposes,
  reductions,
  scans,
  orders,
  indexing,
  products,
  convolutions,
  rows,
  attention,
  decompositions,
  unsolved,
  fourier,
  planned,
  training,
  failures,
  fault,
  absent,
};

for (const group of Deno.args) await GROUPS[group]();
console.log("agrees");
