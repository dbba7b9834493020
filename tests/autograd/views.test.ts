/**
 * Writes in place through views, against the same computation on values that are never written: chains of views and
 * in-place ops drawn at random, in float64.
 *
 * The reference keeps one vector of values, as functionalisation does in PyTorch. A view is the positions of its elements
 * in that vector: reading is `gather`, writing makes a new vector by `scatter`.
 *
 * `deno test -A tests/autograd/views.test.ts -- --seeds N` draws more chains.
 */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { stream } from "../cpu/arrays.ts";

const count = Deno.args.includes("--seeds") ? Number(Deno.args[Deno.args.indexOf("--seeds") + 1]) : 300;

/** Whole numbers that depend on the seed alone. */
function drawer(seed: number): (below: number) => number {
  const random = stream(seed);
  return (below) => Math.floor(random() * below);
}

/** A tensor of the library, and the positions of its elements in the reference's vector. */
interface Pair {
  readonly real: torch.Tensor;
  readonly at: torch.Tensor;
  /** Whether elements share positions, so that it is not written to. */
  readonly overlaps: boolean;
}

type View = (x: torch.Tensor, draw: (below: number) => number) => torch.Tensor | null;

/** Views that exist for tensors and for their positions alike. */
const VIEWS: Record<string, View> = {
  transpose: (x, d) => x.ndim < 2 ? null : x.transpose(d(x.ndim), d(x.ndim)),
  narrow: (x, d) => {
    if (x.ndim === 0 || x.shape[0] < 2) return null;
    const start = d(x.shape[0] - 1);
    return x.narrow(0, start, 1 + d(x.shape[0] - start));
  },
  select: (x, d) => x.ndim < 2 ? null : x.select(1, d(x.shape[1])),
  step: (x) => x.ndim === 0 ? null : x.at(torch.slice(0, null, 2)),
  unsqueeze: (x, d) => x.ndim > 3 ? null : x.unsqueeze(d(x.ndim + 1)),
  diagonal: (x) => x.ndim < 2 ? null : x.diagonal(),
  flip: (x) => x.ndim < 2 ? null : x.permute(x.shape.map((_, i) => x.ndim - 1 - i)),
  unfold: (x) => x.ndim === 0 || x.shape[0] < 3 ? null : x.unfold(0, 2, 1),
  expand: (x) => x.ndim > 2 ? null : x.unsqueeze(0).expand(2, ...x.shape),
  view: (x) => x.isContiguous() ? x.view(-1) : null,
};

type Change = (x: torch.Tensor, other: torch.Tensor) => torch.Tensor;

/** In-place ops, and what they compute. */
const WRITES: Record<string, readonly [inPlace: Change, value: Change]> = {
  "mul_": [(x, y) => x.mul_(y), (x, y) => x.mul(y)],
  "add_": [(x, y) => x.add_(y, { alpha: 2 }), (x, y) => x.add(y, { alpha: 2 })],
  "copy_": [(x, y) => x.copy_(y), (x, y) => y.expand(x.shape).clone()],
  "sin_": [(x) => x.sin_(), (x) => x.sin()],
  "fill_": [(x) => x.fill_(3), (x) => torch.fullLike(x, 3)],
  "zero_": [(x) => x.zero_(), (x) => torch.zerosLike(x)],
  "maskedFill_": [(x) => x.maskedFill_(even(x), 0.5), (x) => x.maskedFill(even(x), 0.5)],
  "clamp_": [(x) => x.clamp_(-1, 1), (x) => x.clamp(-1, 1)],
};

/** Every second element, in row-major order. */
function even(x: torch.Tensor): torch.Tensor {
  return torch.arange(x.numel()).remainder(2).eq(0).reshape([...x.shape]);
}

function numbers(n: number, draw: (below: number) => number): torch.Tensor {
  const values = Float64Array.from({ length: n }, () => draw(2000) / 500 - 2);
  return torch.tensor(values, { dtype: torch.float64 });
}

/** One chain; gives the ops, and both gradients of the leaf and of what was written into the views. */
async function chain(seed: number): Promise<[ops: string[], real: number[], reference: number[]]> {
  const draw = drawer(seed), ops: string[] = [];
  const pick = <T>(list: readonly T[]): T => list[draw(list.length)];
  const shape = pick([[6], [3, 4], [2, 3, 2], [4, 4], [1, 5]]);
  const size = shape.reduce((a, b) => a * b, 1);
  const start = numbers(size, draw);
  const leaf = start.clone().requiresGrad_(), twin = start.clone().requiresGrad_();
  // A base that is not row-major has its elements elsewhere than it counts them.
  const turned = shape.length === 2 && draw(2) === 1;
  const at = torch.arange(size).reshape(turned ? [...shape].reverse() : shape);
  const grown = leaf.reshape(turned ? [...shape].reverse() : shape).mul(1);
  let values = twin.mul(1);
  const pairs: Pair[] = [{ real: turned ? grown.t() : grown, at: turned ? at.t() : at, overlaps: false }];
  const others: [torch.Tensor, torch.Tensor][] = [];
  for (let i = 0; i < 8; i++) {
    const pair = pick(pairs);
    if (draw(2) === 0) {
      const name = pick(Object.keys(VIEWS));
      const drawn = draw(2 ** 31);
      const real = VIEWS[name](pair.real, drawer(drawn)), positions = VIEWS[name](pair.at, drawer(drawn));
      if (real === null || positions === null || real.numel() === 0) continue;
      ops.push(`${pairs.length} = ${pairs.indexOf(pair)}.${name}`);
      pairs.push({ real, at: positions, overlaps: pair.overlaps || name === "unfold" || name === "expand" });
    } else if (!pair.overlaps) {
      const name = pick(Object.keys(WRITES)), other = numbers(1, draw).reshape([]);
      const [own, same] = [other.clone().requiresGrad_(), other.clone().requiresGrad_()];
      ops.push(`${pairs.indexOf(pair)}.${name}`);
      WRITES[name][0](pair.real, own);
      const index = pair.at.reshape(-1);
      const written = WRITES[name][1](values.gather(0, index).reshape([...pair.at.shape]), same);
      values = values.scatter(0, index, written.reshape(-1));
      others.push([own, same]);
    }
  }
  const weigh = (x: torch.Tensor, k: number) =>
    x.mul(torch.arange(x.numel()).to(torch.float64).add(k).cos().reshape([...x.shape])).sum();
  const total = pairs.map(({ real }, k) => weigh(real, k)).reduce((a, b) => a.add(b));
  const wanted = pairs.map(({ at }, k) => weigh(values.gather(0, at.reshape(-1)).reshape([...at.shape]), k)).reduce((
    a,
    b,
  ) => a.add(b));
  total.backward();
  wanted.backward();
  const read = async (x: torch.Tensor) => [await x.tolist()].flat(9) as number[];
  const gradients = (list: readonly torch.Tensor[]) =>
    Promise.all(list.map(async (x) => x.grad === null ? 0 : await read(x.grad)));
  return [
    ops,
    [...await read(total.detach()), ...(await gradients([leaf, ...others.map(([own]) => own)])).flat()],
    [...await read(wanted.detach()), ...(await gradients([twin, ...others.map(([, same]) => same)])).flat()],
  ];
}

Deno.test(`writes through views: ${count} chains have the values and gradients of computation without writes`, async () => {
  for (let seed = 1; seed <= count; seed++) {
    const [ops, real, reference] = await chain(seed);
    const wrong = real.findIndex((v, i) => !(Math.abs(v - reference[i]) <= 1e-9 * (1 + Math.abs(reference[i]))));
    assertEquals(
      wrong,
      -1,
      `seed ${seed}: number ${wrong} is ${real[wrong]}, expected ${reference[wrong]}: ${ops.join("; ")}`,
    );
  }
});

/** Multiplies the gradient of a view that it returns. */
class Flat extends torch.autograd.Function {
  static forward(_ctx: torch.autograd.FunctionCtx, x: torch.Tensor): torch.Tensor {
    return x.view(-1);
  }
  static backward(_ctx: torch.autograd.FunctionCtx, grad: torch.Tensor): torch.Tensor {
    return grad.reshape(2, 2).mul(5);
  }
}

Deno.test("writes through views: a view that a custom function returned refuses them, itself and through its base", async () => {
  const leaf = torch.ones(2, 2, { requiresGrad: true });
  const base = leaf.mul(1), view = Flat.apply(base);
  assertThrows(
    () => view.mul_(2),
    torch.AutogradError,
    "mul_(): a view that Flat.forward() returned is written in place",
  );
  base.mul_(2);
  assertThrows(
    () => view.sum().backward(),
    torch.AutogradError,
    "a view that Flat.forward() returned is written in place",
  );
  const copy = leaf.clone().mul(1);
  Flat.apply(copy).clone().mul_(2).sum().backward();
  assertEquals(await leaf.grad!.tolist(), [[10, 10], [10, 10]]);
});

Deno.test("writes through views: real and imaginary parts, and a retained gradient", async () => {
  const leaf = torch.ones(2, 2, { requiresGrad: true });
  const z = torch.viewAsComplex(leaf.mul(1));
  z.real.mul_(3);
  torch.viewAsReal(z).sum().backward();
  assertEquals(await leaf.grad!.tolist(), [[3, 1], [3, 1]]);
  const doubled = torch.ones(2, { requiresGrad: true }).mul(2);
  doubled.retainGrad();
  doubled.mul_(3);
  doubled.sum().backward();
  assertEquals(await doubled.grad!.tolist(), [1, 1]);
});
