/** Autocast: the dtype of every op's result is PyTorch's, casts are recorded and kept per region, and nothing stays on. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { autocasting, autocastLists } from "../../src/autograd/autocast.ts";
import { assertMixedFlat, assertMixedFollows } from "../support/mixed.ts";

const F = torch.nn.functional;

/** A call and the dtypes of PyTorch's results: all arguments float32, all of the region's dtype, the first one only. */
interface Call {
  space: "torch" | "F";
  name: string;
  args: unknown[];
  kwargs: Record<string, unknown>;
  cpu: (string[] | null)[];
  cuda: (string[] | null)[];
}

const golden = JSON.parse(Deno.readTextFileSync(new URL("../golden/amp.json", import.meta.url))) as { calls: Call[] };

const camel = (name: string) => name.replace(/_+([a-z0-9])/g, (_, c: string) => c.toUpperCase());

function build(value: unknown, dtype: torch.DType, first: torch.DType[], device: string): unknown {
  if (Array.isArray(value)) return value.map((v) => build(v, dtype, first, device));
  if (typeof value !== "object" || value === null) return value;
  const marked = value as { t?: number[]; f?: number[]; i?: number[]; b?: boolean[] };
  if (marked.t) return torch.rand(marked.t, { device }).mul(0.8).add(0.1).to(first.pop() ?? dtype);
  if (marked.f) return torch.rand(marked.f, { device });
  if (marked.i) return torch.tensor(marked.i, { dtype: torch.int64, device });
  return torch.tensor(marked.b!, { device });
}

function run(call: Call, kind: string, low: torch.DType, device: "cpu" | "cuda" | "webgpu"): string[] {
  const space = (call.space === "F" ? F : torch) as unknown as Record<string, (...args: unknown[]) => unknown>;
  const fn = space[camel(call.name)];
  assert(typeof fn === "function", `${call.space}.${camel(call.name)} does not exist`);
  const first = kind === "m" ? [low] : [];
  const args = call.args.map((a) => build(a, kind === "l" ? low : torch.float32, first, device));
  const named = Object.entries(call.kwargs).map(([k, v]) => [camel(k), v === "float16" ? torch.float16 : v]);
  if (named.length > 0) args.push(Object.fromEntries(named));
  const result = torch.autocast(device, { dtype: low }, () => fn(...args));
  const list = result instanceof torch.Tensor ? [result] : Object.values(result as object);
  return list.filter((x) => x instanceof torch.Tensor).map((x) => x.dtype.name);
}

/** Rows that are not compared, each with its reason. */
const OTHERWISE: Record<string, string> = {
  "cuda index_add m": "PyTorch's fake tensors do not check what the kernel refuses: two dtypes",
  "cuda index_copy m": "the same",
};

function compare(column: "cpu" | "cuda", low: torch.DType, device: "cpu" | "cuda" | "webgpu", calls: readonly Call[]) {
  const wrong: string[] = [];
  for (const call of calls) {
    call[column].forEach((expected, i) => {
      if (expected === null) return;
      const label = `${call.space}.${call.name}(${JSON.stringify(call.args)}) ${"flm"[i]}`;
      let got: string;
      try {
        got = torch.scope(() => run(call, "flm"[i], low, device)).join();
      } catch (error) {
        got = String(error);
      }
      if (got !== expected.join() && !(`${column} ${call.name} ${"flm"[i]}` in OTHERWISE)) {
        wrong.push(`${label}: ${got}, expected ${expected}`);
      }
    });
  }
  assertEquals(wrong, []);
}

Deno.test("autocast: results have the dtypes of PyTorch's on the CPU, call by call", () => {
  compare("cpu", torch.bfloat16, "cpu", golden.calls);
});

Deno.test("autocast: and those of PyTorch's CUDA lists, which hold for GPUs", () => {
  // The lists belong to the kind of device, so the CPU can stand in for a GPU.
  autocastLists.cpu = "gpu";
  try {
    compare("cuda", torch.float16, "cpu", golden.calls);
  } finally {
    autocastLists.cpu = "cpu";
  }
});

/** The node that cast the weight of a `linear` call, found from its result. */
function castNodes(y: torch.Tensor): (torch.autograd.Node | null)[] {
  return y.gradFn!.nextFunctions.map(([node]) => node).filter((node) => node?.name === "ToCopyBackward0");
}

const liveBlocks = () => torch.memoryStats("cpu").liveBlocks;

Deno.test("autocast: recurrent layers and cells as in PyTorch", () => {
  const x = torch.rand(3, 2, 4);
  const dtypes = (value: unknown): string[] =>
    value instanceof torch.Tensor ? [value.dtype.name] : (value as unknown[]).flatMap(dtypes);
  const results = () =>
    torch.autocast("cpu", () =>
      [
        dtypes(new torch.nn.LSTM(4, 5).call(x)),
        dtypes(new torch.nn.GRU(4, 5).call(x)),
        dtypes(new torch.nn.RNN(4, 5).call(x)),
        dtypes(new torch.nn.LSTMCell(4, 5).call(x.select(0, 0))),
        dtypes(new torch.nn.GRUCell(4, 5).call(x.select(0, 0))),
        dtypes(new torch.nn.RNNCell(4, 5).call(x.select(0, 0))),
        dtypes((new torch.nn.MultiheadAttention(4, 2).call(x, x, x) as unknown[]).slice(0, 1)),
      ].map((list) => list.join()));
  const low = "bfloat16", wide = "float32";
  assertEquals(results(), [
    `${low},${low},${low}`,
    `${wide},${wide}`,
    `${low},${low}`,
    `${wide},${wide}`,
    wide,
    low,
    low,
  ]);
  autocastLists.cpu = "gpu";
  try {
    assertEquals(results(), [`${low},${low},${low}`, `${low},${low}`, `${low},${low}`, `${low},${low}`, low, low, low]);
  } finally {
    autocastLists.cpu = "cpu";
  }
});

Deno.test("autocast: a parameter is cast once per region, and gradients arrive in its dtype", async () => {
  const layer = new torch.nn.Linear(3, 3);
  const x = torch.rand(2, 3);
  const [a, b] = torch.autocast("cpu", () => [layer.call(x), layer.call(x)] as [torch.Tensor, torch.Tensor]);
  assertEquals(castNodes(a), castNodes(b));
  const c = torch.autocast("cpu", () => layer.call(x) as torch.Tensor);
  assert(castNodes(a)[0] !== castNodes(c)[0], "the next region casts again");
  const [d, e] = torch.autocast(
    "cpu",
    { cacheEnabled: false },
    () => [layer.call(x), layer.call(x)] as [torch.Tensor, torch.Tensor],
  );
  assert(castNodes(d)[0] !== castNodes(e)[0], "without the cache each use casts");
  a.add(b).sum().backward();
  assertEquals([layer.weight.grad!.dtype, layer.bias!.grad!.dtype], [torch.float32, torch.float32]);
  assertEquals(await layer.bias!.grad!.tolist(), [4, 4, 4]);
});

Deno.test("autocast: a kept cast is not used where it would be wrong", async () => {
  const w = torch.ones(2, 2, { requiresGrad: true });
  const x = torch.ones(2, 2);
  await torch.autocast("cpu", async () => {
    const before = torch.noGrad(() => x.matmul(w));
    assertEquals(await before.tolist(), [[2, 2], [2, 2]]);
    // Made without gradients, it must not cut the graph.
    assert(x.matmul(w).requiresGrad);
    torch.noGrad(() => w.mul_(2));
    assertEquals(await x.matmul(w).tolist(), [[4, 4], [4, 4]]);
    // Of another dtype in a region inside.
    assertEquals(torch.autocast("cpu", { dtype: torch.float16 }, () => x.matmul(w)).dtype, torch.float16);
    x.matmul(w).sum().backward();
  });
  assertEquals(await w.grad!.tolist(), [[2, 2], [2, 2]]);
});

Deno.test("autocast: casts are freed with the region, and what the graph keeps with backward", () => {
  const layer = new torch.nn.Linear(64, 64);
  const x = torch.rand(8, 64);
  const step = () => {
    using loss = torch.autocast("cpu", () => torch.scope(() => layer.call(x).pow(2).mean()) as torch.Tensor);
    loss.backward();
  };
  step();
  const before = liveBlocks();
  for (let i = 0; i < 50; i++) step();
  assertEquals(liveBlocks(), before);
  // Top-level ops under autocast leave only their results.
  const start = liveBlocks();
  torch.noGrad(() => torch.autocast("cpu", () => [...Array(10)].forEach(() => x.matmul(x.T.detach()).dispose())));
  assertEquals(liveBlocks(), start);
  torch.noGrad(() => torch.autocast("cpu", () => layer.call(x))).dispose();
  assertEquals(liveBlocks(), start);
});

Deno.test("autocast: regions nest, end with errors and promises, and are told apart by device", async () => {
  const x = torch.rand(2, 2);
  const product = () => x.matmul(x).dtype;
  assertEquals(product(), torch.float32);
  {
    using _ = torch.autocast("cpu");
    assertEquals([product(), torch.isAutocastEnabled("cpu"), torch.isAutocastEnabled()], [torch.bfloat16, true, false]);
    {
      using _off = torch.autocast("cpu", { enabled: false });
      assertEquals([product(), torch.isAutocastEnabled("cpu")], [torch.float32, false]);
      using _half = torch.autocast("cpu", torch.float16);
      assertEquals([product(), torch.getAutocastDtype("cpu")], [torch.float16, torch.float16]);
    }
    assertEquals(product(), torch.bfloat16);
  }
  assertThrows(() => torch.autocast("cpu", () => x.matmul(torch.rand(3))), torch.ShapeError);
  assertThrows(() => torch.autocast("cpu", () => x.matmul(x.to(torch.int64))), torch.DTypeError);
  assert(!autocasting.active);
  await torch.autocast("cpu", async () => {
    await Promise.resolve();
    assertEquals(product(), torch.bfloat16);
  });
  assertEquals([product(), autocasting.active], [torch.float32, false]);
  torch.autocast("cuda", () => assertEquals(product(), torch.float32));
  torch.setAutocastDtype("cpu", torch.float16);
  assertEquals(torch.autocast("cpu", product), torch.float16);
  torch.setAutocastDtype("cpu", torch.bfloat16);
  torch.setAutocastEnabled("cpu", true);
  assertEquals(product(), torch.bfloat16);
  torch.setAutocastEnabled("cpu", false);
  assertEquals(product(), torch.float32);
});

Deno.test("autocast: what is left alone: in-place ops, out, float64, integers; and what is refused", () => {
  const x = torch.rand(2, 2), d = x.double();
  torch.autocast("cpu", () => {
    assertEquals(x.clone().addmm_(x, x).dtype, torch.float32);
    assertEquals(torch.matmul(x, x, { out: torch.zeros(2, 2) }).dtype, torch.float32);
    assertEquals(d.matmul(d).dtype, torch.float64);
    assertEquals(torch.arange(4).reshape(2, 2).matmul(torch.arange(4).reshape(2, 2)).dtype, torch.int64);
  });
  autocastLists.cpu = "gpu";
  try {
    torch.autocast("cpu", () => {
      const h = x.to(torch.float16);
      assertEquals([h.exp().dtype, h.clone().exp_().dtype], [torch.float32, torch.float16]);
      assertEquals(torch.exp(h, { out: torch.zeros(2, 2, { dtype: torch.float16 }) }).dtype, torch.float16);
      assertThrows(() => F.binaryCrossEntropy(x, x), torch.AutogradError, "binaryCrossEntropyWithLogits()");
    });
  } finally {
    autocastLists.cpu = "cpu";
  }
  assertThrows(() => torch.autocast("cpu", { dtype: torch.int32 }), torch.DTypeError, "float16, bfloat16 or float32");
  assertThrows(() => torch.autocast("tpu" as "cpu"), torch.ArgumentError, "deviceType");
  assertThrows(() => torch.autocast("cpu", { dytpe: torch.float16 } as never), torch.ArgumentError, "dytpe");
  assert(!autocasting.active);
});

Deno.test("autocast: backward is not cast, inside a region or not; custom functions say what they want", async () => {
  const x = torch.rand(2, 2, { requiresGrad: true });
  torch.autocast("cpu", () => {
    const y = x.float().exp().matmul(torch.eye(2, { dtype: torch.float64 }).float());
    assertEquals(y.dtype, torch.bfloat16);
    y.sum().backward();
  });
  assertEquals(x.grad!.dtype, torch.float32);
  const seen: string[] = [];
  const product = (castInputs: torch.DType | null) => {
    class Product extends torch.autograd.Function {
      static forward = torch.amp.customFwd((ctx, a: torch.Tensor, b: torch.Tensor) => {
        ctx.saveForBackward(a, b);
        const out = a.matmul(b);
        seen.push(`forward ${out.dtype.name}`);
        return out;
      }, { deviceType: "cpu", castInputs });
      static backward = torch.amp.customBwd((ctx, grad: torch.Tensor) => {
        const [a, b] = ctx.savedTensors;
        const result = [grad.matmul(b!.T), a!.T.matmul(grad)];
        seen.push(`backward ${result[0].dtype.name}`);
        return result.map((g) => g.float());
      }, { deviceType: "cpu" });
    }
    return Product;
  };
  const w = torch.rand(2, 2, { requiresGrad: true });
  torch.autocast("cpu", () => product(null).apply(w, w)).sum().backward();
  torch.autocast("cpu", () => product(torch.float32).apply(w, w.to(torch.bfloat16))).sum().backward();
  product(torch.float16).apply(w, w).sum().backward();
  assertEquals(seen, [
    ...["forward bfloat16", "backward bfloat16", "forward float32", "backward float32"],
    ...["forward float32", "backward float32"],
  ]);
  assert(!autocasting.active);
  assertEquals(w.grad!.dtype, torch.float32);
  await w.grad!.read();
});

Deno.test("autocast: mixed precision leaves no memory behind", () => assertMixedFlat("cpu", 200));

Deno.test("autocast: mixed precision learns as float32 does", () => assertMixedFollows("cpu"));

Deno.test("polar takes half precision where autocast computes it in float32", () => {
  const [abs, angle] = [torch.ones(2).bfloat16(), torch.zeros(2).half()];
  const region = { dtype: torch.bfloat16 };
  const z = torch.autocast<torch.Tensor>("cpu", region, () => torch.polar(abs, angle));
  assertEquals(z.dtype, torch.complex64);
  assertThrows(() => torch.polar(abs, angle), torch.DTypeError, "both must be float32 or both float64");
  assertThrows(() => torch.autocast("cpu", region, () => torch.complex(abs, abs)), torch.DTypeError, "complex()");
  const out = torch.zeros(2, { dtype: torch.complex64 });
  assertThrows(() => torch.autocast("cpu", region, () => torch.polar(abs, abs, { out })), torch.DTypeError, "polar()");
});
