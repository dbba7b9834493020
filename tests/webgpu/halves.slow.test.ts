/**
 * float16 on the GPU, stored as real halves where the adapter has them and as words where not: the same values, and the
 * CPU's.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { withHalves } from "../../src/backend/webgpu/device/halves.ts";
import { webGpuBackend } from "../../src/backend/webgpu/mod.ts";
import { assertSame, gpuTest } from "./support.ts";

type T = torch.Tensor;
const F = torch.nn.functional;
const half = torch.float16;

/** Runs `body` with float16 stored as words, then back. */
async function inWords<R>(body: () => Promise<R>): Promise<R> {
  const { gpu } = webGpuBackend(torch.device("webgpu"));
  const before = gpu.halves;
  gpu.halves = false;
  try {
    return await body();
  } finally {
    gpu.halves = before;
  }
}

/** What is computed, by name, from two 6 × 8 × 12 tensors; sums of many terms have room to differ by rounding. */
const CASES: Record<string, (a: T, b: T) => T> = {
  "a map": (a, b) => a.mul(b).add(a),
  "a map cut short": (a, b) => a.flatten().narrow(0, 0, 573).mul(b.flatten().narrow(0, 0, 573)),
  "an odd offset": (a, b) => a.flatten().narrow(0, 1, 571).sub(b.flatten().narrow(0, 3, 571)),
  "a transposed map": (a, b) => a.transpose(0, 2).add(b.transpose(0, 2)),
  "a column in place": (a, b) => {
    const copy = a.clone();
    copy.select(2, 5).add_(b.select(2, 1));
    return copy;
  },
  "an odd part in place": (a) => {
    const copy = a.clone();
    copy.flatten().narrow(0, 5, 3).zero_();
    return copy;
  },
  "with float32": (a, b) => a.mul(b.to(torch.float32)),
  "to float32 and back": (a) => a.to(torch.float32).mul(3).to(half),
  "too large for a half": (a) => a.mul(1e5),
  "too small for a half": (a) => a.mul(1e-6),
  comparison: (a, b) => a.gt(b),
  "where": (a, b) => a.where(b.gt(0), b),
  sum: (a) => a.sum(1),
  "mean of all": (a) => a.mean(),
  max: (a) => a.amax(0),
  argmax: (a) => a.argmax(2),
  cumsum: (a) => a.cumsum(1),
  sort: (a) => a.sort(2).values,
  topk: (a) => a.topk(3, 2).values,
  gather: (a) => a.gather(1, torch.tensor([1n, 3n, 0n], { device: a.device }).reshape(1, 3, 1).expand(6, 3, 12)),
  "index_select": (a) => a.indexSelect(1, torch.tensor([7n, 0n], { device: a.device })),
  "index_add": (a, b) => a.indexAdd(1, torch.tensor([2n, 2n], { device: a.device }), b.narrow(1, 0, 2)),
  cat: (a, b) => torch.cat([a.narrow(2, 1, 3), b], 2),
  softmax: (a) => a.softmax(2),
  "log softmax": (a) => a.logSoftmax(1),
  "layer norm": (a) => F.layerNorm(a, [12]),
  products: (a, b) => a.matmul(b.transpose(1, 2)),
  "products in place": (a, b) =>
    a.select(0, 0).clone().addmm_(b.select(0, 0), b.select(0, 1).t().matmul(a.select(0, 1))),
  convolution: (a, b) => F.conv2d(a.unsqueeze(0), b.narrow(1, 0, 3).narrow(2, 0, 3).contiguous().unsqueeze(0)),
  "max pooling": (a) => F.maxPool2d(a.unsqueeze(0), 2),
  "batch norm": (a, b) => F.batchNorm(a, null, null, { weight: b.select(0, 0).select(1, 0), training: true }),
  "rms norm": (a, b) => F.rmsNorm(a, [12], b.select(0, 0).select(0, 0)),
  "layer norm with weights": (a, b) => F.layerNorm(a, [12], b.select(0, 0).select(0, 0), b.select(0, 1).select(0, 1)),
  linear: (a, b) => F.linear(a, b.select(0, 0), b.select(2, 0).select(0, 0)),
  attention: (a, b) => F.scaledDotProductAttention(a.unsqueeze(0), b.unsqueeze(0), a.unsqueeze(0), { isCausal: true }),
  embedding: (a, b) => F.embedding(torch.tensor([[1n, 5n], [5n, 0n]], { device: a.device }), b.select(1, 0)),
  "cross entropy": (a) => F.crossEntropy(a.select(0, 0), torch.arange(8, { device: a.device })),
  "a loss": (a, b) => F.smoothL1Loss(a, b),
  "average pooling": (a) => F.avgPool2d(a.unsqueeze(0), 2),
};

gpuTest("float16 agrees with the CPU, as halves and as words", async (t) => {
  const { gpu } = webGpuBackend(torch.device("webgpu"));
  if (!gpu.halves) console.log("the adapter has no shader-f16: only words are tested");
  torch.manualSeed(3);
  const [a, b] = [torch.randn([6, 8, 12]), torch.randn([6, 8, 12])];
  for (const [name, f] of Object.entries(CASES)) {
    await t.step(name, async () => {
      const run = (device: string) => {
        const leaves = [a, b].map((x) => x.to(half).to(device).requiresGrad_());
        const out = f(leaves[0], leaves[1]);
        if (out.requiresGrad) out.sum().backward();
        return [out.detach(), ...leaves.flatMap((x) => x.grad === null ? [] : [x.grad])];
      };
      const expected = run("cpu");
      const compare = async (how: string) => {
        const ours = run("webgpu");
        assertEquals(ours.length, expected.length);
        // Two roundings of a half apart: kernels of devices sum in different orders.
        for (const [i, x] of ours.entries()) await assertSame(x, expected[i], `${name} ${how} ${i}`, 2 ** -9);
      };
      await compare("as halves");
      await inWords(() => compare("as words"));
    });
  }
});

gpuTest("float16 takes two bytes an element where the adapter has halves", async () => {
  const { gpu } = webGpuBackend(torch.device("webgpu"));
  const bytesOf = () => {
    const before = torch.memoryStats("webgpu").allocatedBytes;
    using x = torch.zeros([1000], { device: "webgpu", dtype: half });
    return torch.memoryStats("webgpu").allocatedBytes - before + 0 * x.ndim;
  };
  assertEquals(bytesOf(), gpu.halves ? 2000 : 4000);
  assertEquals(await inWords(() => Promise.resolve(bytesOf())), 4000);
});

gpuTest("tensors of both kinds meet in one kernel", async () => {
  const x = torch.tensor([1, 2, 3, 4, 5]).to(half), y = torch.tensor([10, 20, 30, 40, 50]).to(half);
  const words = await inWords(() => Promise.resolve(y.to("webgpu")));
  assertEquals(await x.to("webgpu").add(words).tolist(), [11, 22, 33, 44, 55]);
});

gpuTest("odd counts and views of halves are read and written whole", async () => {
  for (let n = 1; n < 7; n++) {
    const values = Array.from({ length: n }, (_, i) => i + 0.5);
    const x = torch.tensor(values).to(half).to("webgpu");
    assertEquals(await x.tolist(), values);
    for (let at = 0; at < n; at++) assertEquals(await x.narrow(0, at, n - at).tolist(), values.slice(at));
  }
  const special = torch.tensor([NaN, Infinity, -Infinity, -0, 65504, 6e-8]).to(half);
  await assertSame(special.to("webgpu").clone(), special, "special values", 0);
});

gpuTest("a view of bytes that the device does not hold is refused", () => {
  const x = torch.zeros([4], { device: "webgpu", dtype: half });
  assertThrows(() => x.view(torch.int16), torch.DTypeError, "await x.cpu()");
  assertThrows(() => x.to(torch.int64).view(torch.float32), torch.DTypeError, "int64");
  assertEquals(x.to(torch.float32).view(torch.int32).dtype, torch.int32);
});

Deno.test("withHalves() widens what is read and narrows what is written", () => {
  const code = `@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> b12: array<u32>;
fn f() { b0[b12[i] + 1u] = b0[i] + b12[b0[j]]; b1[i].x = b1[j].y; b12[i] = select(1u, 2u, b0[i] == 3u); }`;
  assertEquals(withHalves(code, 0), code);
  const text = withHalves(code, 0b11);
  assert(text.startsWith("enable f16;"));
  assert(
    text.includes("b0: array<f16>;") && text.includes("b1: array<vec4<f16>>;") && text.includes("b12: array<u32>;"),
  );
  assert(text.includes("store_b0(b12[i] + 1u, load_b0(i) + b12[load_b0(j)]);"), text);
  assert(text.includes("b1[i].x = f16(bitcast<f32>(load_b1(j).y));"), text);
  assert(text.includes("b12[i] = select(1u, 2u, load_b0(i) == 3u);"), text);
});
