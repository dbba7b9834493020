/**
 * Every kernel family on the GPU against the CPU: strided, broadcast, shifted, in place, empty, and longer than a loop of
 * WGSL may be on a software adapter (65,535 trips).
 */

import { assert } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertSame, gpuTest } from "./support.ts";

type T = torch.Tensor;
const F = torch.nn.functional;

/** Layouts of a 6 × 8 × 12 tensor, the aligned and the awkward. */
const LAYOUTS: Record<string, (x: T) => T> = {
  dense: (x) => x,
  transposed: (x) => x.transpose(0, 2),
  "shifted by one": (x) => x.flatten().narrow(0, 1, 570),
  "shifted by four": (x) => x.flatten().narrow(0, 4, 568),
  "rows of 11": (x) => x.narrow(2, 1, 11),
  "every second": (x) => x.unfold(2, 1, 2).squeeze(-1),
  "one row repeated": (x) => x.select(0, 1).unsqueeze(0).expand(5, 8, 12),
  "one column repeated": (x) => x.narrow(2, 3, 1).expand(6, 8, 7),
  "one element": (x) => x.select(0, 1).select(0, 2).select(0, 3),
  empty: (x) => x.narrow(1, 0, 0),
};

/** Computes the same from the same inputs on both devices; gradients included where asked. */
async function both(
  what: string,
  inputs: T[],
  f: (...x: T[]) => T,
  { tolerance = 2e-6, grad = false } = {},
): Promise<void> {
  const results: T[][] = [];
  for (const device of ["webgpu", "cpu"]) {
    const leaves = inputs.map((x) => x.clone().to(device).requiresGrad_(grad && x.dtype.isFloatingPoint));
    const out = f(...leaves);
    if (grad) out.mul(out).sum().backward();
    results.push([out.detach(), ...(grad ? leaves.filter((x) => x.grad).map((x) => x.grad!) : [])]);
  }
  const [ours, theirs] = results;
  for (const [i, x] of ours.entries()) {
    await assertSame(x, theirs[i], i === 0 ? what : `${what}, gradient ${i - 1}`, tolerance);
  }
}

function values(...shape: number[]): T {
  return torch.randn(shape);
}

gpuTest("maps agree in every layout", async (t) => {
  torch.manualSeed(1);
  const x = values(6, 8, 12), y = values(6, 8, 12);
  for (const [name, view] of Object.entries(LAYOUTS)) {
    await t.step(name, async () => {
      await both("a·b + a", [x, y], (a, b) => view(a).mul(view(b)).add(view(a)), { grad: true });
      await both("a + 1", [x], (a) => F.gelu(view(a).add(1)));
      await both("copy", [x], (a) => view(a).contiguous().clone());
      await both("compare", [x, y], (a, b) => view(a).gt(view(b)));
    });
  }
});

gpuTest("broadcast operands agree", async () => {
  const x = values(5, 1, 12), y = values(7, 1), z = values(12);
  await both("x + y·z", [x, y, z], (a, b, c) => a.add(b.mul(c)), { grad: true, tolerance: 1e-5 });
  await both("channels", [values(3, 4, 6, 6), values(4, 1, 1)], (a, b) => a.mul(b), { grad: true, tolerance: 1e-5 });
  await both("odd rows", [values(9, 7), values(7)], (a, b) => a.sub(b), { grad: true, tolerance: 1e-5 });
});

gpuTest("writing in place agrees, also through views of one buffer", async () => {
  const x = values(10, 13);
  const changed = (f: (x: T) => unknown) => (a: T) => {
    f(a);
    return a;
  };
  await both("add_", [x], changed((a) => a.add_(2)));
  await both("a row from another", [x], changed((a) => a.select(0, 1).mul_(a.select(0, 4))));
  await both("a column", [x], changed((a) => a.select(1, 3).fill_(7)));
  await both("three elements of a shifted part", [x], changed((a) => a.flatten().narrow(0, 5, 3).zero_()));
  await both(
    "the first by the rest",
    [x],
    changed((a) => a.narrow(0, 0, 5).addmm_(a.narrow(0, 5, 5), a.narrow(0, 0, 10).t().matmul(a))),
  );
});

gpuTest("integers, halves and truth values agree", async () => {
  const i = torch.randint(-100, 100, [50]), b = i.gt(0);
  for (const dtype of [torch.int32, torch.int64, torch.int16, torch.int8, torch.uint8]) {
    await both(`${dtype}`, [i.to(dtype)], (a) => a.mul(7).add(a));
    await both(`${dtype} sum`, [i.to(dtype)], (a) => a.sum());
  }
  for (const dtype of [torch.float16, torch.bfloat16]) {
    await both(`${dtype}`, [values(51).to(dtype)], (a) => a.mul(1.7).add(a));
    await both(`${dtype} products`, [values(9, 12).to(dtype)], (a) => a.matmul(a.t()), { tolerance: 1e-2 });
  }
  await both("and", [b, i], (a, c) => a.logicalAnd(c.lt(50)));
  await both("any", [b], (a) => a.any());
  await both("all", [b], (a) => a.all());
});

gpuTest("reductions agree in every layout", async (t) => {
  const x = values(6, 8, 12);
  for (const [name, view] of Object.entries(LAYOUTS)) {
    await t.step(name, async () => {
      await both("sum", [x], (a) => view(a).sum(), { tolerance: 1e-5 });
      if (view(x).numel() === 0) return;
      await both("max", [x], (a) => view(a).max());
      for (let dim = 0; dim < view(x).ndim; dim++) {
        await both(`sum over ${dim}`, [x], (a) => view(a).sum(dim), { tolerance: 1e-5, grad: true });
        await both(`argmax over ${dim}`, [x], (a) => view(a).argmax(dim));
      }
    });
  }
  await both("over two apart", [x], (a) => a.mean([0, 2]), { tolerance: 1e-5, grad: true });
  await both("NaN wins", [x], (a) => a.div(a.gt(0).to(torch.float32)).amax(1));
  await both("wide", [values(700, 128)], (a) => a.sum(1), { tolerance: 1e-5 });
  await both("tall", [values(700, 129)], (a) => a.sum(0), { tolerance: 1e-5 });
});

gpuTest("softmax and its gradient agree", async () => {
  for (const shape of [[5, 7], [600, 12], [3, 128], [2, 4, 1001], [1, 1], [0, 4]]) {
    const x = values(...shape).mul(10);
    await both(`softmax [${shape}]`, [x], (a) => a.softmax(-1), { grad: true, tolerance: 1e-5 });
    await both(`logSoftmax [${shape}]`, [x], (a) => a.logSoftmax(-1), { grad: true, tolerance: 1e-4 });
  }
  await both("along the first dimension", [values(9, 20)], (a) => a.softmax(0), { grad: true, tolerance: 1e-5 });
});

async function products(): Promise<void> {
  for (
    const [m, k, n] of [[1, 4, 8], [3, 5, 7], [64, 100, 128], [64, 128, 10], [33, 20, 65], [100, 3, 1], [1, 100, 1], [
      130,
      600,
      130,
    ], [4, 0, 5]]
  ) {
    const options = { tolerance: 1e-5 };
    const [a, at, b, bt] = [values(m, k), values(k, m), values(k, n), values(n, k)];
    await both(`${m}×${k} @ ${k}×${n}`, [a, b], (x, y) => x.matmul(y), options);
    await both(`${m}×${k} @ (${n}×${k})ᵀ`, [a, bt], (x, y) => x.matmul(y.t()), options);
    await both(`(${k}×${m})ᵀ @ ${k}×${n}`, [at, b], (x, y) => x.t().matmul(y), options);
    await both(`(${k}×${m})ᵀ @ (${n}×${k})ᵀ`, [at, bt], (x, y) => x.t().matmul(y.t()), options);
  }
  await both("batches", [values(4, 3, 20, 12), values(3, 12, 24)], (x, y) => x.matmul(y), {
    grad: true,
    tolerance: 1e-5,
  });
  await both("views of one buffer", [values(40, 40)], (x) => x.narrow(0, 3, 17).matmul(x.narrow(1, 5, 30)), {
    tolerance: 1e-5,
  });
  await both(
    "with β",
    [values(5, 6), values(5, 7), values(7, 6)],
    (c, x, y) => torch.addmm(c, x, y, { beta: 0.5, alpha: 2 }),
    {
      grad: true,
      tolerance: 1e-4,
    },
  );
  await both("integers", [torch.randint(-9, 9, [6, 9])], (x) => x.matmul(x.t()));
}

async function convolutions(): Promise<void> {
  type Case = [number, number, number, number, number, number, number, number, number];
  const cases: Case[] = [
    [2, 3, 8, 1, 9, 3, 1, 1, 1],
    [2, 4, 6, 2, 9, 3, 2, 0, 1],
    [2, 4, 4, 4, 8, 3, 1, 1, 1],
    [1, 4, 40, 1, 17, 5, 2, 2, 2],
    [3, 2, 3, 1, 6, 3, 2, 1, 1],
    [2, 3, 5, 1, 7, 1, 2, 0, 1],
    [2, 3, 5, 1, 10, 3, 1, 0, 3],
    [2, 3, 5, 1, 7, 1, 1, 2, 1],
  ];
  const convs = [F.conv1d, F.conv2d, F.conv3d];
  for (const [dims, c, o, groups, size, k, stride, padding, dilation] of cases) {
    const spatial = Array.from({ length: dims }, (_, d) => size + d), taps = Array.from({ length: dims }, () => k);
    const inputs = [values(2, c, ...spatial), values(o, c / groups, ...taps), values(o)];
    const what = `${dims}d, ${c} to ${o} in ${groups}, ${k} step ${stride}, padding ${padding}, dilation ${dilation}`;
    await both(what, inputs, (x, w, b) => convs[dims - 1](x, w, b, stride, padding, dilation, groups), {
      grad: true,
      tolerance: 1e-5,
    });
  }
  await both("pools", [values(2, 3, 9, 9)], (x) => F.maxPool2d(x, 3, 2).add(F.avgPool2d(x, 3, 2)), {
    grad: true,
    tolerance: 1e-5,
  });
}

gpuTest("products agree for every shape and layout", products);
gpuTest("convolutions agree for every geometry", convolutions);

gpuTest("indexing agrees, with updates in order", async () => {
  const x = values(20, 6), at = torch.tensor([3n, 0n, 19n, 3n, 7n]);
  await both("indexSelect", [x, at], (a, i) => a.indexSelect(0, i), { grad: true });
  await both("gather", [x, torch.randint(0, 20, [4, 6])], (a, i) => a.gather(0, i), { grad: true });
  await both("indexAdd", [x, at, values(5, 6)], (a, i, s) => a.indexAdd(0, i, s), { tolerance: 1e-5 });
  await both("scatter", [x, torch.randint(0, 20, [4, 6]), values(4, 6)], (a, i, s) => a.scatter(0, i, s));
  await both("embedding", [at, values(20, 8)], (i, w) => F.embedding(i, w), { grad: true });
});

gpuTest("scans and sorts agree", async () => {
  const x = values(7, 300);
  await both("cumsum", [x], (a) => a.cumsum(1), { tolerance: 1e-5, grad: true });
  await both("cummax", [x], (a) => a.cummax(0).values);
  await both("cummax of few lines", [x], (a) => a.cummax(1).indices);
  await both("logcumsumexp", [x], (a) => a.logcumsumexp(0), { tolerance: 1e-5, grad: true });
  await both("cumsum of many lines", [x], (a) => a.cumsum(0), { tolerance: 1e-5 });
  await both("cummax of truth values", [x.gt(0)], (a) => a.cummax(1).values);
  await both("sort", [x], (a) => a.sort(1).indices);
  await both("topk", [x], (a) => a.topk(5, 0).values);
  await both("searchsorted", [values(50).sort().values, x], (s, v) => torch.searchsorted(s, v));
});

/** More than one loop of WGSL may make trips on a software adapter. */
const LONG = 100_003;

gpuTest("loops of more than 65,535 trips are complete", async () => {
  const ones = torch.ones([LONG]), ramp = torch.arange(LONG).to(torch.int32);
  await both("sum", [ramp.remainder(1000)], (a) => a.sum());
  await both("sum of many columns", [torch.ones([LONG, 3])], (a) => a.sum(0));
  await both("sum of 600 columns", [torch.ones([66_000, 1])], (a) => a.expand(66_000, 600).sum(0));
  await both("max", [ramp], (a) => a.max());
  await both("argmax", [ramp], (a) => a.argmax());
  await both("cumsum", [ones], (a) => a.cumsum(0));
  await both("sort", [ramp.bitwiseXor(0x5555)], (a) => a.sort().indices);
  await both("product", [ones], (a) => a.dot(a));
  await both("deep product", [torch.ones([300_001, 2])], (a) => a.t().matmul(a), { tolerance: 1e-6 });
  await both("more batches than a grid has layers", [torch.ones([66_000, 1, 2])], (a) => a.matmul(a.transpose(1, 2)));
  await both("softmax", [torch.zeros([1, LONG])], (a) => a.softmax(1), { tolerance: 1e-9 });
  await both("scatter", [torch.zeros([4]), ramp.remainder(4).to(torch.int64), ones], (a, i, s) => a.indexAdd(0, i, s));
  await both(
    "more threads than one dimension has",
    [torch.ones([17_000_001])],
    (a) => a.add(1).narrow(0, 16_999_990, 11),
  );
});

gpuTest("nothing is read or written beyond a tensor", async () => {
  const whole = torch.zeros([64], { device: "webgpu" });
  whole.narrow(0, 8, 5).fill_(1);
  whole.narrow(0, 21, 6).fill_(2);
  const wanted = torch.zeros([64]);
  wanted.narrow(0, 8, 5).fill_(1);
  wanted.narrow(0, 21, 6).fill_(2);
  await assertSame(whole, wanted, "neighbours");
  assert(await torch.zeros([0], { device: "webgpu" }).sum().item() === 0);
});
