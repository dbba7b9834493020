/**
 * Fused linear layers on a device against the composed ones on the CPU: values, gradients, second derivatives, hooks.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Backend, Epilogue, EpilogueName } from "../../src/backend/backend.ts";
import { firstDifference } from "./close.ts";

type T = torch.Tensor;
const { nn } = torch;
const F = nn.functional;

/** Which epilogues a device was asked for, and whether it took them. */
type Asked = Partial<Record<EpilogueName | "rowSums", boolean>>;

/** Notes what `run` asks of a device. */
export function asked(device: string, run: () => void): Asked {
  const backend = torch.zeros(1, { device }).storage.backend as Backend;
  const { matmulEpilogue, matmulRowSums } = backend, result: Asked = {};
  backend.matmulEpilogue = (a, b, out, epilogue: Epilogue) =>
    result[epilogue.name] = matmulEpilogue!.call(backend, a, b, out, epilogue) || (result[epilogue.name] ?? false);
  if (matmulRowSums !== undefined) {
    backend.matmulRowSums = (a, b, out, sums) => result.rowSums = matmulRowSums.call(backend, a, b, out, sums);
  }
  try {
    run();
  } finally {
    backend.matmulEpilogue = matmulEpilogue;
    if (matmulRowSums !== undefined) backend.matmulRowSums = matmulRowSums;
  }
  return result;
}

async function close(what: string, actual: T, expected: T, tolerance: number): Promise<void> {
  assertEquals([actual.shape, actual.dtype.name], [expected.shape, expected.dtype.name], what);
  const wide = async (x: T) => await (await x.cpu()).double().read() as Float64Array;
  const right = await wide(expected);
  const limits = { rtol: tolerance, atol: tolerance * right.reduce((most, v) => Math.max(most, Math.abs(v)), 1) };
  const difference = firstDifference(await wide(actual), right, expected.shape, limits);
  assert(difference === null, `${what} (${expected.dtype}): ${difference}`);
}

/** Runs `f` on both devices from the same inputs; compares its result and the gradients of all inputs. */
async function both(
  device: string,
  what: string,
  inputs: readonly T[],
  f: (...xs: T[]) => T,
  tolerance: number,
  needs: readonly boolean[] = inputs.map(() => true),
): Promise<void> {
  const results: T[][] = [];
  for (const place of [device, "cpu"]) {
    const leaves = inputs.map((x, i) => x.to(place).detach().clone().requiresGrad_(needs[i]));
    const out = f(...leaves);
    if (needs.includes(true)) out.backward(values(out.shape, out.dtype, 9).to(place));
    results.push([out.detach(), ...leaves.flatMap((x) => x.grad === null ? [] : [x.grad])]);
  }
  assertEquals(results[0].length, results[1].length, what);
  for (const [i, x] of results[0].entries()) await close(`${what}, ${i}`, x, results[1][i], tolerance);
}

function values(shape: readonly number[], dtype: torch.DType, seed: number): T {
  torch.manualSeed(seed);
  return torch.randn([...shape]).mul(0.5).to(dtype);
}

const TOLERANCES: Readonly<Record<string, number>> = { float16: 4e-3, bfloat16: 3e-2, float32: 2e-5, float64: 1e-10 };

/** The activations, as modules. */
const LAYERS = { relu: () => new nn.ReLU(), gelu: () => new nn.GELU(), geluTanh: () => new nn.GELU("tanh") } as const;

/** `linear` with every kind of bias, input and size. */
export async function linearAgrees(device: string, dtypes: readonly torch.DType[]): Promise<void> {
  for (const dtype of dtypes) {
    const tolerance = TOLERANCES[dtype.name];
    for (const [m, k, n] of [[5, 7, 9], [16, 24, 32], [1, 12, 8], [130, 66, 70], [3, 1, 1]]) {
      const [x, w, b] = [values([m, k], dtype, 1), values([n, k], dtype, 2), values([n], dtype, 3)];
      await both(device, `linear ${m}×${k}×${n}`, [x, w, b], (x, w, b) => F.linear(x, w, b), tolerance);
      await both(device, "no bias", [x, w], (x, w) => F.linear(x, w), tolerance);
    }
    const [x, w] = [values([2, 3, 8], dtype, 4), values([16, 8], dtype, 5)];
    await both(device, "batches", [x, w, values([16], dtype, 6)], (x, w, b) => F.linear(x, w, b), tolerance);
    await both(device, "one bias", [x, w, values([1], dtype, 6)], (x, w, b) => F.linear(x, w, b), tolerance);
    const strided = (x: T, w: T, b: T) => F.linear(x.transpose(0, 1), w, b.at(torch.slice(0, 32, 2)));
    await both(device, "strided", [x, w, values([32], dtype, 6)], strided, tolerance);
    const weight = (x: T, w: T, b: T) => F.linear(x, w.t(), b);
    await both(
      device,
      "a transposed weight",
      [x, values([8, 16], dtype, 5), values([16], dtype, 6)],
      weight,
      tolerance,
    );
  }
  const none = F.linear(torch.zeros([0, 4], { device }), torch.ones([3, 4], { device }), torch.ones([3], { device }));
  assertEquals(none.shape, [0, 3]);
  const depthless = F.linear(
    torch.zeros([2, 0], { device }),
    torch.ones([3, 0], { device }),
    torch.ones([3], { device }),
  );
  await close("no depth", depthless, torch.ones(2, 3), 0);
}

/** Sizes of two layers: rows, input, hidden, output. */
const CHAINS: readonly (readonly number[])[] = [[6, 8, 16, 8], [5, 7, 9, 3], [70, 24, 136, 40]];

/** Layers and activations in a row. */
export async function chainsAgree(device: string, dtypes: readonly torch.DType[], sizes = CHAINS): Promise<void> {
  for (const dtype of dtypes) {
    for (const [name, activation] of Object.entries(LAYERS)) {
      for (const [m, k, h, n] of sizes) {
        const net = (w1: T, b1: T | null, w2: T, b2: T | null, last: boolean) => {
          const first = new nn.Linear(k, h, b1 !== null), second = new nn.Linear(h, n, b2 !== null);
          // Plain tensors, so that the gradients are those of the inputs.
          Object.assign(first, { weight: w1, bias: b1 });
          Object.assign(second, { weight: w2, bias: b2 });
          const modules = [first, activation(), new nn.Dropout(0), second];
          return new nn.Sequential(...modules, ...(last ? [activation()] : []));
        };
        const inputs = [
          ...[values([m, k], dtype, 1), values([h, k], dtype, 2), values([h], dtype, 3)],
          ...[values([n, h], dtype, 4), values([n], dtype, 5)],
        ];
        const tolerance = TOLERANCES[dtype.name] * 4, what = `${name} ${m}×${k}×${h}×${n}`;
        for (const last of [false, true]) {
          const call = (x: T, w1: T, b1: T, w2: T, b2: T) => net(w1, b1, w2, b2, last).call(x);
          await both(device, what, inputs, call, tolerance);
          await both(device, `${what}, inputs only`, inputs, call, tolerance, [true, false, false, false, false]);
          await both(device, `${what}, biases only`, inputs, call, tolerance, [false, false, true, false, true]);
          await both(device, `${what}, last weight`, inputs, call, tolerance, [false, false, false, true, false]);
          await both(device, `${what}, no gradient`, inputs, call, tolerance, inputs.map(() => false));
        }
        const [x, w1, , w2] = inputs;
        const bare = (x: T, w1: T, w2: T) => net(w1, null, w2, null, false).call(x);
        await both(device, `${what}, no biases`, [x, w1, w2], bare, tolerance);
      }
    }
  }
}

/** What may not change by the fusion: second derivatives, hooks, errors. */
export async function chainsBehave(device: string): Promise<void> {
  for (const [name, activation] of Object.entries(LAYERS)) {
    const results: T[][] = [];
    for (const place of [device, "cpu"]) {
      torch.manualSeed(1);
      const net = new nn.Sequential(new nn.Linear(4, 6), activation(), new nn.Linear(6, 3), activation());
      const x = torch.randn(5, 4);
      net.to(place);
      const input = x.to(place).detach().clone().requiresGrad_();
      const out = net.call(input);
      const [grad] = torch.autograd.grad(out.pow(2).sum(), [input], { createGraph: true });
      grad!.pow(2).sum().backward();
      results.push([grad!.detach(), input.grad!, ...[...net.parameters()].map((p) => p.grad!.clone())]);
    }
    for (const [i, t] of results[0].entries()) await close(`${name} twice, ${i}`, t, results[1][i], 1e-4);
  }
  const seen: string[] = [];
  const net = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 8)).to(device);
  net.at(1).registerForwardHook(() => {
    seen.push("hook");
  });
  assertEquals(asked(device, () => net.call(torch.randn(3, 4).to(device))).relu, undefined);
  assertEquals(seen, ["hook"]);
  assertThrows(
    () => new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU()).to(device).call(torch.zeros([3, 5], { device })),
    torch.ShapeError,
    "linear(): the input's last size must be the weight's",
  );
}

/** Under autocast a chain runs in the region's dtype, as its layers would, and gradients arrive in the parameters'. */
export async function chainsAutocast(device: "cuda" | "webgpu"): Promise<void> {
  const results: T[][] = [];
  for (const fused of [true, false]) {
    torch.manualSeed(1);
    const net = new nn.Sequential(new nn.Linear(16, 24), new nn.GELU("tanh"), new nn.Linear(24, 8)).to(device);
    // A hook keeps the layers apart.
    if (!fused) net.at(1).registerForwardHook(() => {});
    const x = torch.randn(5, 16).to(device).requiresGrad_();
    let out!: T;
    const took = asked(device, () => {
      out = torch.autocast(device, { dtype: torch.bfloat16 }, () => net.call(x));
      out.float().pow(2).sum().backward();
    });
    assertEquals(took.geluTanh !== undefined, fused);
    results.push([out.detach(), x.grad!, ...[...net.parameters()].map((p) => p.grad!)]);
  }
  assertEquals(results[0].map((t) => t.dtype.name), ["bfloat16", ...new Array(5).fill("float32")]);
  for (const [i, t] of results[0].entries()) await close(`autocast, ${i}`, t, results[1][i], 2e-2);
}

/** Transformer layers, whose feed-forward part is a chain. */
export async function transformersAgree(device: string): Promise<void> {
  for (const activation of ["relu", "gelu"] as const) {
    const results: T[][] = [];
    for (const place of [device, "cpu"]) {
      torch.manualSeed(3);
      const options = { dimFeedforward: 24, dropout: 0, activation, batchFirst: true } as const;
      const layer = new nn.TransformerEncoderLayer(16, 2, options).to(place), x = torch.randn(2, 5, 16);
      const out = layer.call(x.to(place));
      out.pow(2).sum().backward();
      results.push([out.detach(), ...[...layer.parameters()].map((p) => p.grad!.clone())]);
    }
    for (const [i, t] of results[0].entries()) await close(`encoder ${activation}, ${i}`, t, results[1][i], 2e-4);
  }
}

/** Large products of operands without unit strides, which a library may want to have copied. */
export async function largeStridesAgree(device: string): Promise<void> {
  const x = values([2, 130, 260], torch.float32, 1), w = values([260, 256], torch.float32, 2);
  const odd = (x: T) => x.at("...", torch.slice(0, 260, 2)),
    every = (w: T) => w.at(torch.slice(0, 260, 2), torch.slice(0, 256, 2));
  await both(device, "every second column", [x, w], (x, w) => odd(x).matmul(every(w)), 1e-4);
  await both(device, "a repeated one", [x, w], (x, w) =>
    odd(x.select(0, 1)).unsqueeze(0).expand(3, 130, 130).bmm(
      every(w).unsqueeze(0).expand(3, 130, 128),
    ), 1e-4);
  const sum = (x: T, w: T, b: T) => F.linear(x, w.t(), b).sum();
  await both(device, "an expanded gradient", [x, w, values([256], torch.float32, 3)], sum, 1e-4);
}

/** Steps of training hold memory flat: what a chain keeps for backward is released by it. */
export function chainsRelease(device: string): void {
  torch.manualSeed(1);
  const modules = [new nn.Linear(16, 32), new nn.GELU(), new nn.Linear(32, 32), new nn.ReLU(), new nn.Linear(32, 8)];
  const net = new nn.Sequential(...modules).to(device), x = torch.randn(4, 16).to(device);
  const optimizer = new torch.optim.SGD(net.parameters(), { lr: 0.01 });
  const backend = x.storage.backend, held: number[] = [];
  for (let step = 0; step < 12; step++) {
    torch.scope(() => {
      optimizer.zeroGrad();
      net.call(x).pow(2).sum().backward();
      optimizer.step();
    });
    torch.noGrad(() => net.call(x).dispose());
    held.push(backend.memoryStats().allocatedBytes);
  }
  assertEquals(held.slice(3), held.slice(3).map(() => held[3]));
}

/** Products of operands and into results that lie in every way a product can be asked for. */
export async function layoutsAgree(device: string, dtypes: readonly torch.DType[]): Promise<void> {
  const { backend } = torch.zeros(1, { device }).storage;
  for (const dtype of dtypes) {
    const check = async (what: string, a: (x: T) => T, b: (x: T) => T, out: (x: T) => T, alpha = 1, beta = 0) => {
      const [x, y, z] = [1, 2, 3].map((seed) => values([3, 24, 24], dtype, seed));
      const on = [x, y, z].map((t) => t.to(device));
      backend.matmul(a(on[0]), b(on[1]), out(on[2]), alpha, beta);
      const wide = dtype === torch.float64 ? torch.float64 : torch.float32;
      const sums = a(x).to(wide).matmul(b(y).to(wide)).mul(alpha).add(out(z).to(wide).mul(beta));
      out(z).copy_(sums.to(dtype));
      await close(`${what} ${dtype}`, on[2], z, TOLERANCES[dtype.name] * 2);
    };
    const all = (x: T) => x, one = (x: T) => x.select(0, 1);
    const part = (r: number, h: number, c: number, w: number) => (x: T) => one(x).narrow(0, r, h).narrow(1, c, w);
    await check("batches", all, all, all, 0.5, 2);
    await check("a repeated left matrix", (x) => one(x).expand(3, 24, 24), all, all);
    await check("a repeated right matrix", all, (x) => one(x).expand(3, 24, 24), all, 1, 1);
    await check("transposed operands", (x) => x.mT, (x) => x.mT, all);
    await check("a transposed result", all, (x) => x.mT, (x) => x.mT, 1, 2);
    await check("parts of rows", part(0, 7, 8, 16), part(2, 16, 0, 9), part(3, 7, 1, 9));
    await check(
      "every second column",
      (x) => one(x).at("...", torch.slice(0, 24, 2)),
      part(0, 12, 0, 5),
      part(0, 24, 1, 5),
    );
    await check(
      "every second column of the result",
      one,
      part(0, 24, 0, 12),
      (x) => one(x).at("...", torch.slice(0, 24, 2)),
    );
    for (const [m, k, n] of [[1, 24, 24], [24, 24, 1], [24, 1, 24], [1, 24, 1], [1, 1, 1], [2, 3, 1], [1, 2, 3]]) {
      await check(`${m}×${k}×${n}`, part(0, m, 0, k), part(0, k, 0, n), part(0, m, 0, n));
      await check(
        `${m}×${k}×${n} added`,
        part(24 - m, m, 0, k),
        (x) => part(0, n, 0, k)(x).t(),
        part(0, m, 0, n),
        2,
        1,
      );
    }
  }
}
