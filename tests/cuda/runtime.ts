/**
 * CUDA's run time seen from TypeScript: graphs, streams, events, several devices. Groups that run in a process of their
 * own: `deno run -A runtime.ts GROUP` prints "agrees" or throws. Two devices with 256 MiB each are expected.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";
import { cudaBackend } from "../../src/backend/cuda/mod.ts";
import { Recording } from "../../src/backend/cuda/device/recording.ts";
import type { Optimizer } from "../../src/optim/optimizer.ts";
import { assertNear, OPTIMIZERS, pathOf, valuesOf, type Variant } from "../optim/on_device.ts";

const { cuda } = torch;
const F = torch.nn.functional;
const device = "cuda";

async function listOf(x: Tensor): Promise<number[]> {
  return (await x.double().flatten().tolist()) as number[];
}

async function near(actual: Tensor, expected: Tensor, what: string, tolerance = 1e-6): Promise<void> {
  const [a, b] = [await listOf(actual), await listOf(expected)];
  assertEquals(a.length, b.length, what);
  a.forEach((v, i) => assert(Math.abs(v - b[i]) <= tolerance * (1 + Math.abs(b[i])), `${what}[${i}]: ${v} != ${b[i]}`));
}

async function graphs(): Promise<void> {
  const x = torch.ones(3, { device }), g = new cuda.CUDAGraph();
  assertStringIncludes(assertThrows(() => g.replay(), torch.ArgumentError).message, "nothing was recorded");
  const [y, z] = cuda.graph(g, () =>
    torch.scope(() => {
      assert(cuda.isCurrentStreamCapturing());
      const twice = x.mul(2);
      // Numbers of the host are part of the graph.
      return [twice.add(torch.tensor([1, 2, 3], { device })), twice.sum()];
    }));
  assert(!cuda.isCurrentStreamCapturing());
  x.fill_(5);
  g.replay();
  assertEquals([await listOf(y), await z.item()], [[11, 12, 13], 30]);
  // What is freed and allocated meanwhile never lies in the graph's memory.
  for (let i = 0; i < 20; i++) torch.full([3], i, { device }).add(1).dispose();
  const others = Array.from({ length: 20 }, () => torch.zeros(3, { device }));
  x.fill_(1);
  g.replay();
  assertEquals([await listOf(y), await z.item()], [[3, 4, 5], 6]);
  for (const other of others) assertEquals(await listOf(other), [0, 0, 0]);
  assertStringIncludes(assertThrows(() => g.captureBegin(), torch.ArgumentError).message, "recorded already");

  // A graph that shares the memory of another one.
  const h = new cuda.CUDAGraph();
  const w = cuda.graph(h, () => y.add(1), { pool: g.pool() });
  g.replay();
  h.replay();
  assertEquals(await listOf(w), [4, 5, 6]);
  const reserved = cuda.memoryReserved();
  for (const t of [y, z, w]) t.dispose();
  g.reset();
  h.reset();
  assert(cuda.memoryReserved() < reserved, "the memory of graphs goes when all are reset");
  cuda.emptyCache();

  // By hand, on the current stream; and as a resource.
  {
    using k = new cuda.CUDAGraph();
    k.captureBegin();
    const out = x.add(41);
    k.captureEnd();
    k.replay();
    assertEquals(await listOf(out), [42, 42, 42]);
  }

  // What a graph writes once it is replayed is not there for others before that.
  const image = torch.arange(16, { device, dtype: torch.float32 }).reshape(1, 1, 4, 4);
  const pooled = cuda.graph(g, () => F.maxPool2d(image, 2));
  assertEquals(await listOf(F.maxPool2d(image, 2)), [5, 7, 13, 15]);
  g.replay();
  assertEquals(await listOf(pooled), [5, 7, 13, 15]);
  g.reset();

  // A graph that is collected while another one is recorded goes when that is done.
  const { stream } = cudaBackend(torch.device("cuda:0"));
  const [forgotten, active] = [new Recording(stream), new Recording(stream)];
  forgotten.begin();
  x.add(1);
  forgotten.end();
  active.begin();
  forgotten.forget();
  assert(forgotten.recorded);
  active.end();
  assert(!forgotten.recorded && active.recorded);
  active.forget();
  assert(!active.recorded);
  assertThrows(() => h.captureBegin({ forward: g }), torch.ArgumentError, "nothing was recorded");
}

async function refusals(): Promise<void> {
  const x = torch.ones(3, { device }), y = torch.ones(3, { device: "cuda:1" });
  const g = new cuda.CUDAGraph();
  const refused: [string, () => unknown][] = [
    ["values cannot be read while a CUDA graph is recorded", () => x.add(1).readSync()],
    ["values cannot be read", () => x.sum().itemSync()],
    ["nothing can be waited for", () => cuda.synchronize()],
    ["nothing can be waited for", () => cuda.currentStream().synchronize()],
    ["nothing can be copied between devices", () => y.to("cuda:0")],
    ["no other graph can be recorded", () => cuda.graph(new cuda.CUDAGraph(), () => x.add(1))],
    ["only the default generator", () => torch.rand(3, { device, generator: new torch.Generator() })],
    ["drawn on the host", () => torch.defaultGenerator.randomWord()],
    ["must not be asynchronous", async () => await x.read()],
    ["the user's own", () => {
      throw new Error("the user's own");
    }],
  ];
  for (const [message, work] of refused) {
    const error = assertThrows(() => cuda.graph(g, work), Error);
    assertStringIncludes(error.message, message);
    assertEquals(await listOf(x.add(1)), [2, 2, 2], `the device works on after: ${message}`);
  }
  assertStringIncludes(
    assertThrows(() => cuda.graph(g, () => torch.manualSeed(1)), torch.DeviceError).message,
    "seeded while the graph was recorded",
  );
  // Memory may be allocated from the driver, and kernels compiled, while a graph is recorded.
  const big = cuda.graph(g, () => x.repeat(1 << 20).sinh().cosh().sum());
  g.replay();
  assert(Math.abs(Number(await big.item()) / (3 * 2 ** 20) - Math.cosh(Math.sinh(1))) < 1e-3);
  big.dispose();
  g.reset();
  // No memory: an error as ever, and the graph is empty.
  assertThrows(() => cuda.graph(g, () => torch.empty(1 << 28, { device })), torch.OutOfMemoryError);
  assertEquals(await listOf(x.add(1)), [2, 2, 2]);
}

/** Replays draw what the same work would have drawn without a graph. */
async function randomness(): Promise<void> {
  const x = torch.ones(64, { device }).requiresGrad_();
  const work = (): Tensor[] => {
    x.grad = null;
    const y = F.dropout(x, 0.5).mul(torch.rand(64, { device }));
    y.sum().backward();
    return [y.detach().clone(), x.grad!.clone()];
  };
  torch.manualSeed(3);
  const expected: Tensor[][] = [];
  for (let i = 0; i < 4; i++) expected.push(work());
  assert(`${await listOf(expected[0][0])}` !== `${await listOf(expected[1][0])}`);
  torch.manualSeed(3);
  await near(work()[1], expected[0][1], "warm-up");
  const g = new cuda.CUDAGraph();
  const made = cuda.graph(g, work);
  for (let i = 1; i < 4; i++) {
    g.replay();
    await near(made[0], expected[i][0], `values of replay ${i}`);
    await near(made[1], expected[i][1], `gradients of replay ${i}`);
  }
  // Another seed gives other values, the same one the same.
  torch.manualSeed(3);
  g.replay();
  await near(made[0], expected[0][0], "seeded again");
}

/** A network with dropout, its optimizer, and what one step of it does. */
function trainer(makeOptimizer: (net: torch.nn.Module) => Optimizer) {
  torch.manualSeed(1);
  const net = new torch.nn.Sequential(
    new torch.nn.Linear(6, 16),
    new torch.nn.LayerNorm(16),
    new torch.nn.GELU(),
    new torch.nn.Dropout(0.3),
    new torch.nn.Linear(16, 4),
  ).to(device);
  const x = torch.randn(8, 6).to(device), y = torch.randint(0, 4, [8]).to(device);
  const optimizer = makeOptimizer(net);
  const step = (): Tensor => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(net.call(x), y);
    loss.backward();
    torch.nn.utils.clipGradNorm_(net.parameters(), 0.5);
    optimizer.step();
    return loss.detach();
  };
  return { net, x, y, optimizer, step };
}

/** A whole training step, recorded, goes the way of the same steps without a graph. */
async function training(): Promise<void> {
  const lr = () => torch.tensor(0.01, { device });
  const makers: Readonly<Record<string, (net: torch.nn.Module) => Optimizer>> = {
    AdamW: (net) => new torch.optim.AdamW(net.parameters(), { lr: 0.01, capturable: true }),
    Adam: (net) => new torch.optim.Adam(net.parameters(), { lr: lr(), capturable: true, amsgrad: true }),
    NAdam: (net) => new torch.optim.NAdam(net.parameters(), { lr: 0.01, capturable: true }),
    RAdam: (net) => new torch.optim.RAdam(net.parameters(), { lr: 0.01, capturable: true }),
    SGD: (net) => new torch.optim.SGD(net.parameters(), { lr: lr(), momentum: 0.9 }),
  };
  for (const [name, maker] of Object.entries(makers)) {
    const batches = Array.from({ length: 6 }, (_, i) => torch.randn(8, 6).add(i / 10).to(device));
    const eager = trainer(maker), losses: number[] = [];
    // A schedule writes the rate where it is a tensor; a number is part of the graph.
    const scheduleOf = ({ optimizer }: typeof eager) =>
      typeof optimizer.paramGroups[0].lr === "number" ? null : new torch.optim.lrScheduler.StepLR(optimizer, 2, 0.5);
    const eagerSchedule = scheduleOf(eager);
    torch.manualSeed(2);
    for (const batch of batches) {
      eager.x.copy_(batch);
      losses.push(await eager.step().item());
      eagerSchedule?.step();
    }
    const recorded = trainer(maker), own: number[] = [], schedule = scheduleOf(recorded);
    torch.manualSeed(2);
    const side = new cuda.Stream();
    // Warm-up.
    for (const batch of batches.slice(0, 2)) {
      recorded.x.copy_(batch);
      side.waitStream(cuda.currentStream());
      own.push(await cuda.stream(side, () => recorded.step().item()));
      schedule?.step();
      cuda.currentStream().waitStream(side);
    }
    const g = new cuda.CUDAGraph();
    const loss = cuda.graph(g, recorded.step);
    for (const batch of batches.slice(2)) {
      recorded.x.copy_(batch);
      g.replay();
      own.push(await loss.item());
      schedule?.step();
    }
    own.forEach((v, i) =>
      assert(Math.abs(v - losses[i]) < 1e-5 * (1 + losses[i]), `${name}, step ${i}: ${own} != ${losses}`)
    );
    const [p, q] = [[...eager.net.parameters()], [...recorded.net.parameters()]];
    for (let i = 0; i < p.length; i++) await near(q[i], p[i], `${name}: parameter ${i}`, 1e-5);
    if (name === "AdamW") {
      const counted = (recorded.optimizer.stateDict().state[0] as { step: Tensor }).step;
      assertEquals(await counted.item(), 6);
      const resumed = trainer(maker);
      resumed.optimizer.loadStateDict(recorded.optimizer.stateDict());
      resumed.step();
      assertEquals(await (resumed.optimizer.stateDict().state[0] as { step: Tensor }).step.item(), 7);
    }
    g.reset();
  }
  const plain = trainer((net) => new torch.optim.AdamW(net.parameters()));
  const g = new cuda.CUDAGraph();
  const fresh = trainer(makers.AdamW);
  assertStringIncludes(assertThrows(() => cuda.graph(g, fresh.step), torch.ArgumentError).message, "run a step before");
  plain.step();
  assertStringIncludes(
    assertThrows(() => cuda.graph(g, plain.step), torch.ArgumentError).message,
    "{ capturable: true }",
  );
  plain.step();
}

/** Updates, norms, scales and zeros of many tensors take few launches. */
async function launches(): Promise<void> {
  const library = Deno.dlopen(`${Deno.env.get("LD_LIBRARY_PATH")}/libcuda.so.1`, {
    cuda_double_counter: { parameters: ["i32"], result: "f64" },
  });
  const count = (work: () => void): number => {
    work();
    const before = library.symbols.cuda_double_counter(0);
    work();
    return library.symbols.cuda_double_counter(0) - before;
  };
  const params = Array.from({ length: 150 }, (_, i) => torch.ones(1 + i * 37, { device }).requiresGrad_());
  for (const p of params) p.grad = p.detach().mul(0.5);
  const adam = new torch.optim.AdamW(params), sgd = new torch.optim.SGD(params, { lr: 0.1 });
  // Six slots of 512 for each parameter: 84 fit beside the numbers.
  assertEquals(count(() => adam.step()), 2);
  assertEquals(count(() => sgd.step()), 2);
  assert(count(() => torch.nn.utils.clipGradNorm_(params, 1)) <= 12);
  assertEquals(count(() => torch.nn.utils.clipGradValue_(params, 1)), 1);
  assertEquals(count(() => adam.zeroGrad(false)), 1);
  for (const [i, p] of params.entries()) assertEquals(await listOf(p.grad!), new Array(1 + i * 37).fill(0));
  for (const type of [1, 2, 3, Infinity]) {
    const xs = [3, 5000, 1, 4097].map((n) => torch.randn(n));
    const expected = torch.nn.utils.getTotalNorm(xs, type);
    await near(torch.nn.utils.getTotalNorm(xs.map((x) => x.to(device)), type), expected, `norm ${type}`, 1e-5);
    await near(expected, torch.cat(xs).norm(type), `norm ${type} of all`, 1e-5);
  }
  for (const dtype of [torch.float16, torch.bfloat16, torch.float64]) {
    const xs = [7, 5000, 16].map((n) => torch.randn(n).to(dtype).to(device));
    const whole = torch.cat(xs.map((x) => x.double())).norm();
    await near(torch.nn.utils.getTotalNorm(xs), whole, `${dtype}`, dtype === torch.float64 ? 1e-12 : 1e-2);
  }
  library.close();
}

async function callables(): Promise<void> {
  for (const asModule of [false, true]) {
    torch.manualSeed(0);
    const net = new torch.nn.Sequential(new torch.nn.Linear(4, 8), new torch.nn.Tanh(), new torch.nn.Linear(8, 2)).to(
      device,
    );
    const twin = new torch.nn.Sequential(new torch.nn.Linear(4, 8), new torch.nn.Tanh(), new torch.nn.Linear(8, 2)).to(
      device,
    );
    twin.loadStateDict(net.stateDict());
    const sample = torch.randn(5, 4, { device }).requiresGrad_();
    const graphed = asModule ? cuda.makeGraphedCallables(net, [sample]) : null;
    const f = cuda.makeGraphedCallables((a: Tensor, b: Tensor) => a.mul(b).sin(), [
      torch.ones(3, { device }).requiresGrad_(),
      torch.ones(3, { device }).requiresGrad_(),
    ]);
    for (let step = 0; step < 3; step++) {
      if (graphed !== null) {
        const x = torch.randn(5, 4, { device }), a = x.clone().requiresGrad_(), b = x.clone().requiresGrad_();
        const [left, right] = [graphed.call(a), twin.call(b)];
        await near(left, right, "outputs");
        left.square().sum().backward();
        right.square().sum().backward();
        await near(a.grad!, b.grad!, "gradient of the input");
        const [p, q] = [[...net.parameters()], [...twin.parameters()]];
        for (let i = 0; i < p.length; i++) {
          await near(p[i].grad!, q[i].grad!, `gradient of parameter ${i} after ${step}`);
        }
      } else {
        const a = torch.randn(3, { device }).requiresGrad_(), b = torch.randn(3, { device }).requiresGrad_();
        const c = a.detach().clone().requiresGrad_(), d = b.detach().clone().requiresGrad_();
        (f(a, b) as Tensor).sum().backward();
        c.mul(d).sin().sum().backward();
        await near(a.grad!, c.grad!, "gradient of a");
        await near(b.grad!, d.grad!, "gradient of b");
      }
    }
    assertThrows(() => f(torch.ones(4, { device }), torch.ones(3, { device })), torch.ArgumentError);
  }
  // Parts of one tensor are told apart.
  const whole = torch.arange(6, { device, dtype: torch.float32 });
  const twice = cuda.makeGraphedCallables((a: Tensor) => a.mul(2), [whole.narrow(0, 0, 3)]);
  assertEquals(await listOf(twice(whole.narrow(0, 3, 3)) as Tensor), [6, 8, 10]);
}

/** Every dtype that can be trained, in one optimizer. */
async function dtypes(variant: Variant): Promise<void> {
  const paths: number[][] = [];
  for (const where of ["cpu", device]) {
    torch.manualSeed(4);
    const kinds = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64];
    const params = kinds.flatMap((dtype) =>
      [[37], [5, 9], [4099]].map((shape) => torch.randn(shape).to(dtype).to(where).requiresGrad_())
    );
    const optimizer = OPTIMIZERS.AdamW(params, where === "cpu" ? {} : variant);
    for (let step = 0; step < 3; step++) {
      for (const p of params) p.grad = p.detach().mul(0.5).add(step);
      optimizer.step();
    }
    paths.push(await valuesOf(params.map((p) => p.dtype.isComplex ? torch.viewAsReal(p.detach()) : p)));
  }
  // The widest rounding is that of bfloat16.
  assertNear(paths[1], paths[0], 8e-3, `dtypes ${Object.keys(variant)}`);
  assertNear(paths[1].slice(-8398), paths[0].slice(-8398), 1e-5, `float64 and complex64 ${Object.keys(variant)}`);
}

/** Rates and step counts on the device give what numbers of the host give. */
async function optimizers(): Promise<void> {
  await dtypes({});
  await dtypes({ capturable: true });
  for (const name of Object.keys(OPTIMIZERS)) {
    const expected = await pathOf(name, "cpu");
    for (const variant of [{}, { capturable: true }, { lr: torch.tensor(0.1, { device }) }]) {
      const path = await pathOf(name, device, variant);
      path.forEach((values, step) =>
        assertNear(values, expected[step], 1e-5, `${name} ${Object.keys(variant)} ${step}`)
      );
    }
  }
}

/** Tasks that overlap issue to their own streams and devices, with the memory of those, and leave nothing behind. */
async function overlap(side: torch.cuda.Stream, other: torch.cuda.Stream): Promise<void> {
  const addressOf = (x: Tensor) => x.storage.block.address;
  const on = (s: torch.cuda.Stream, turns: number) =>
    cuda.stream(s, async () => {
      const made: number[] = [];
      for (let i = 0; i < turns; i++) {
        assert(cuda.currentStream().equals(s));
        const x = torch.full([5000], i, { device });
        made.push(addressOf(x));
        assertEquals(await x.sum().item(), i * 5000);
        x.dispose();
      }
      return made;
    });
  const plain = (async () => {
    for (let i = 0; i < 4; i++) {
      assert(cuda.currentStream().equals(cuda.defaultStream()));
      assertEquals(await torch.full([5000], i, { device }).sum().item(), i * 5000);
    }
  })();
  const [a, b] = await Promise.all([on(side, 2), on(other, 4), plain]);
  assertEquals(a.filter((address) => b.includes(address)), []);
  assert(cuda.currentStream().equals(cuda.defaultStream()));
  const outer = cuda.stream(side), inner = cuda.stream(other);
  outer[Symbol.dispose]();
  assert(cuda.currentStream().equals(other));
  inner[Symbol.dispose]();
  assert(cuda.currentStream().equals(cuda.defaultStream()));
  const second = cuda.device(1, async () => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    return [cuda.currentDevice(), String(torch.ones(1, { device }).device)];
  });
  assertEquals([cuda.currentDevice(), String(torch.ones(1, { device }).device)], [0, "cuda:0"]);
  assertEquals([await second, cuda.currentDevice()], [[1, "cuda:1"], 0]);
}

async function streams(): Promise<void> {
  const side = new cuda.Stream(), other = new cuda.Stream({ priority: -1 });
  assert(!side.equals(other) && cuda.currentStream().equals(cuda.defaultStream()));
  const x = torch.ones(1000, { device });
  side.waitStream(cuda.currentStream());
  const y = cuda.stream(side, () => {
    assert(cuda.currentStream().equals(side));
    return x.mul(2);
  });
  const event = side.recordEvent();
  assertEquals(event.device, torch.device("cuda:0"));
  cuda.currentStream().waitEvent(event);
  assertEquals(await y.add(1).sum().item(), 3000);
  event.synchronize();
  assert(event.query() && side.query());
  {
    using _ = cuda.stream(other);
    assert(cuda.currentStream().equals(other));
  }
  assert(cuda.currentStream().equals(cuda.defaultStream()));
  assertThrows(
    () =>
      cuda.stream(side, () => {
        throw new Error("thrown");
      }),
    Error,
    "thrown",
  );
  assert(cuda.currentStream().equals(cuda.defaultStream()));
  await cuda.stream(side, async () => assertEquals(await torch.ones(2, { device }).sum().item(), 2));
  assert(cuda.currentStream().equals(cuda.defaultStream()));
  await overlap(side, other);

  const start = new cuda.Event({ enableTiming: true }), end = new cuda.Event({ enableTiming: true });
  start.record();
  x.mul(3);
  end.record();
  assert(start.elapsedTime(end) >= 0);
  assertThrows(() => start.elapsedTime(new cuda.Event()), torch.ArgumentError, "enableTiming");
  assertThrows(() => new cuda.Stream({ priority: 5 }), torch.ArgumentError, "priority");
  assertThrows(() => start.record(new cuda.Stream({ device: 1 })), torch.DeviceError, "the event belongs to cuda:0");

  // A stream's memory is its own; what another stream still reads is used again only after that.
  const sizes = 77777;
  const own = cuda.stream(side, () => torch.zeros(sizes, { device }));
  const address = own.storage.block.address;
  own.dispose();
  assert(torch.zeros(sizes, { device }).storage.block.address !== address);
  const again = cuda.stream(side, () => torch.zeros(sizes, { device }));
  assertEquals(again.storage.block.address, address);
  other.waitStream(side);
  const sum = cuda.stream(other, () => again.add(1).sum());
  again.recordStream(other);
  again.dispose();
  const fresh = cuda.stream(side, () => torch.full([sizes], 9, { device }));
  assert(fresh.storage.block.address !== address, "the other stream has not read it yet");
  other.synchronize();
  assertEquals(await sum.item(), sizes);
  assertEquals(cuda.stream(side, () => torch.zeros(sizes, { device })).storage.block.address, address);

  // A fault on one stream is not lost by a read on another one before it shows.
  const index = torch.tensor([5000], { device, dtype: torch.int64 });
  side.waitStream(cuda.currentStream());
  const fault = await assertRejects(async () => {
    cuda.stream(side, () => x.take(index));
    await torch.ones(2, { device }).sum().item();
    side.synchronize();
  }, torch.IndexError);
  assertStringIncludes(fault.message, "index out of range: 5000");
  assertThrows(() => fresh.recordStream(new cuda.Stream({ device: 1 })), torch.DeviceError, "recordStream()");
  torch.ones(2).recordStream(side); // nothing to wait for
}

/** Reads let other work go on, come in any number, and tell what kernels before them ran into. */
async function reads(): Promise<void> {
  const xs = Array.from({ length: 20 }, (_, i) => torch.full([i + 1], i, { device }));
  const pending = xs.map((x) => x.add(1).sum().item());
  // What is issued now comes after the reads.
  for (const x of xs) x.fill_(-1);
  assertEquals(await Promise.all(pending), xs.map((_, i) => (i + 1) * (i + 1)));
  const made = torch.arange(100, { device, dtype: torch.float32 }), read = made.read();
  made.dispose();
  torch.zeros(100, { device });
  assertEquals(await read, Float32Array.from({ length: 100 }, (_, i) => i));
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  for (let i = 0; i < 50; i++) await torch.ones(3, { device }).add(i).read();
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  assert(turns > 0);
  const large = torch.ones(1100000, { device });
  assertEquals((await large.read()).length, 1100000);
  assertEquals((await torch.zeros(0, { device }).read()).length, 0);

  const rows = torch.ones(2, 3, { device }), far = torch.tensor([5], { device, dtype: torch.int64 });
  const bad = rows.indexSelect(0, far), after = rows.add(1);
  const error = await assertRejects(() => bad.read(), torch.IndexError);
  assertStringIncludes(error.message, "indexSelect(): index out of range: 5");
  assertEquals(await listOf(after), [2, 2, 2, 2, 2, 2]);
}

/** What an error says when memory is out, and that other pools give way first. */
async function memory(): Promise<void> {
  const side = new cuda.Stream();
  // 192 of 256 MiB lie idle in another stream's pool.
  const idle = cuda.stream(side, () => Array.from({ length: 3 }, () => torch.empty(16 << 20, { device })));
  for (const x of idle) x.dispose();
  const large = torch.ones(40 << 20, { device });
  assertEquals(await large.narrow(0, 0, 3).sum().item(), 3);
  const error = assertThrows(() => torch.empty(40 << 20, { device }), torch.OutOfMemoryError);
  for (const part of ["no memory left on cuda:0: 167772160 bytes asked for", "reserved", "of 268435456 bytes"]) {
    assertStringIncludes(error.message, part);
  }
  assertEquals(await torch.ones(3, { device }).sum().item(), 3);
  large.dispose();
  cuda.emptyCache();
  cuda.setPerProcessMemoryFraction(0.25);
  assertThrows(() => torch.empty(20 << 20, { device }), torch.OutOfMemoryError);
  cuda.setPerProcessMemoryFraction(1);
  torch.empty(20 << 20, { device }).dispose();
}

async function devices(): Promise<void> {
  assertEquals([cuda.deviceCount(), cuda.currentDevice()], [2, 0]);
  const x = torch.arange(6, { device: "cuda:0", dtype: torch.float32 }).reshape(2, 3).t();
  const y = x.to("cuda:1");
  assertEquals([y.device.toString(), await listOf(y)], ["cuda:1", await listOf(x)]);
  assertEquals(await listOf(y.mul(2).to("cuda:0").add(x)), (await listOf(x)).map((v) => 3 * v));
  const leaf = torch.ones(3, { device: "cuda:0", requiresGrad: true });
  leaf.to("cuda:1").mul(4).sum().backward();
  assertEquals([leaf.grad!.device.toString(), await listOf(leaf.grad!)], ["cuda:0", [4, 4, 4]]);
  assertThrows(() => x.add(y), torch.DeviceError, "cuda:0 and cuda:1");
  const loop = torch.zeros(4096, { device: "cuda:0" });
  // The source's memory is used again at once, while copies of it are pending.
  const copies: Tensor[] = [];
  for (let i = 0; i < 20; i++) {
    const made = loop.add(i);
    copies.push(made.to("cuda:1"));
    made.dispose();
  }
  for (const [i, copy] of copies.entries()) assertEquals(await copy.amax().item(), i);

  cuda.device(1, () => {
    assertEquals([cuda.currentDevice(), torch.zeros(1, { device }).device.toString()], [1, "cuda:1"]);
    assertEquals(cuda.getDeviceName(), "CUDA double 1");
  });
  assertEquals(torch.device("cuda").toString(), "cuda:0");
  {
    using _ = cuda.deviceOf(y);
    assertEquals(cuda.currentDevice(), 1);
  }
  cuda.setDevice(1);
  assertEquals([torch.device("cuda").toString(), torch.device("cuda:0").toString()], ["cuda:1", "cuda:0"]);
  cuda.setDevice(0);
  assertThrows(() => cuda.setDevice(2), torch.DeviceError, "there is no CUDA device 2");
  const { name, totalMemory, major, multiProcessorCount } = cuda.getDeviceProperties(1);
  assertEquals([name, totalMemory, major, multiProcessorCount], ["CUDA double 1", 256 * 2 ** 20, 9, 4]);
  const [free, total] = cuda.memGetInfo();
  assert(free < total && total === totalMemory);
  assert(cuda.maxMemoryReserved() >= cuda.memoryReserved());
  assertEquals(cuda.memoryStats()["allocated_bytes.all.current"], cuda.memoryAllocated());
  assertStringIncludes(cuda.memorySummary(), "reserved_bytes.all.current");
  assert(cuda.isInitialized() && cuda.isBf16Supported());
  cuda.init();
  cuda.manualSeedAll(5);
  const states = cuda.getRngStateAll(), first = await listOf(torch.rand(3, { device }));
  cuda.setRngStateAll(states);
  assertEquals([states.length, await listOf(torch.rand(3, { device }))], [2, first]);
  assertEquals(cuda.canDeviceAccessPeer(0, 1), Deno.env.get("CUDA_DOUBLE_PEERS") === "1");
}

async function collectives(): Promise<void> {
  const make = (scale: number): Tensor[] =>
    [0, 1].map((d) => torch.arange(1, 5, { dtype: torch.float32, device: `cuda:${d}` }).mul(d === 0 ? 1 : scale));
  const { nccl, comm } = cuda;
  const xs = make(10);
  assertEquals([nccl.isAvailable(xs), nccl.version()[0]], [true, 2]);
  nccl.allReduce(xs);
  for (const x of xs) assertEquals(await listOf(x), [11, 22, 33, 44]);
  for (const dtype of [torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.int64, torch.uint8]) {
    const ys = make(10).map((x) => x.to(dtype));
    nccl.allReduce(ys, ys, "max");
    assertEquals(await listOf(ys[0]), [10, 20, 30, 40], `${dtype}`);
  }
  const flags = [[true, true, false], [true, false, false]];
  const bools = flags.map((list, d) => torch.tensor(list, { device: `cuda:${d}` }));
  nccl.allReduce(bools);
  assertEquals(await bools[1].to(torch.uint8).tolist(), [1, 1, 0], "bools stay 0 or 1");
  const zs = make(-1);
  nccl.broadcast(zs, 1);
  assertEquals(await listOf(zs[0]), [-1, -2, -3, -4]);
  const all = [0, 1].map((d) => torch.zeros(8, { device: `cuda:${d}` }));
  nccl.allGather(make(2), all);
  assertEquals(await listOf(all[1]), [1, 2, 3, 4, 2, 4, 6, 8]);
  const parts = [0, 1].map((d) => torch.zeros(2, { device: `cuda:${d}` }));
  nccl.reduceScatter(make(3), parts);
  assertEquals([await listOf(parts[0]), await listOf(parts[1])], [[4, 8], [12, 16]]);
  const out = torch.zeros(4, { device: "cuda:1" });
  nccl.reduce(make(2), out, 1, "avg");
  assertEquals(await listOf(out), [1.5, 3, 4.5, 6]);
  const wrong: [() => void, string][] = [
    [() => nccl.allReduce([]), "expected one tensor per device"],
    [() => nccl.allReduce([xs[0], xs[0]]), "a device of its own"],
    [() => nccl.allReduce([xs[0], torch.ones(4)]), "must be on CUDA devices"],
    [() => nccl.allReduce([xs[0], xs[1].double()]), "one dtype"],
    [() => nccl.allReduce([xs[0], xs[1].narrow(0, 0, 2)]), "one shape"],
    [() => nccl.allGather(xs, parts), "expected 8 elements"],
    [() => nccl.broadcast(xs, 2), "root must be from 0 to 1"],
    [() => nccl.allReduce(xs.map((x) => x.to(torch.complex64))), "does not combine"],
    [() => nccl.allReduce(xs, xs, "any" as "sum"), "op must be one of"],
  ];
  for (const [call, message] of wrong) assertStringIncludes(assertThrows(call).message, message);

  const everywhere = comm.broadcast(torch.tensor([1, 2], { device: "cuda:0" }), [0, 1]);
  assertEquals(everywhere.map((x) => x.device.toString()), ["cuda:0", "cuda:1"]);
  assertEquals(await listOf(comm.reduceAdd(make(10), 1)), [11, 22, 33, 44]);
  const strided = make(10).map((x) => x.reshape(2, 2).t());
  assertEquals(await listOf(comm.reduceAdd(strided, 0)), [11, 33, 22, 44], "without NCCL");
  const halves = comm.scatter(torch.arange(5, { device: "cuda:0" }), [0, 1]);
  assertEquals([await listOf(halves[0]), await listOf(halves[1])], [[0, 1, 2], [3, 4]]);
  assertEquals(await listOf(comm.gather(halves)), [0, 1, 2, 3, 4]);
  assertEquals((await Promise.all(comm.broadcastCoalesced(everywhere, [1])[0].map(listOf))).flat(), [1, 2, 1, 2]);
  assertThrows(() => comm.reduceAdd([xs[1]], 0), torch.ArgumentError, "must be on the destination");
}

const GROUPS: Readonly<Record<string, () => Promise<void>>> = {
  graphs,
  refusals,
  randomness,
  training,
  optimizers,
  launches,
  callables,
  streams,
  reads,
  memory,
  devices,
  collectives,
};

for (const group of Deno.args) await GROUPS[group]();
console.log("agrees");
