/**
 * Fused attention of a device held against its composed meaning on the CPU: values and gradients, over shapes, layouts,
 * masks, shared heads and dropout.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";

const F = torch.nn.functional;
type Dtype = typeof torch.float32;

/** One comparison. */
export interface AttentionCase {
  /** Batch, heads of the query, positions of the query, width. */
  readonly query: readonly [number, number, number, number];
  /** Heads of key and value; those of the query if missing. */
  readonly groups?: number;
  /** Positions of key and value; the query's if missing. */
  readonly keys?: number;
  /** Width of the values; the query's if missing. */
  readonly valueWidth?: number;
  readonly causal?: boolean;
  /** Which mask: none; true or false per score; the same per key; numbers; numbers per head with rows that see nothing. */
  readonly mask?: "bool" | "padding" | "float" | "empty rows";
  readonly dropout?: number;
  /** How operands lie: densely, as transposed heads of a projection, as thirds of one, or with odd steps. */
  readonly layout?: "dense" | "heads" | "packed" | "odd";
  readonly scale?: number;
}

/** The shapes and options that every device is tried with. */
export const ATTENTION_CASES: readonly AttentionCase[] = [
  { query: [1, 1, 1, 32] },
  { query: [2, 2, 17, 64], layout: "heads", causal: true },
  { query: [1, 2, 64, 32], layout: "packed", causal: true },
  { query: [1, 1, 130, 64], keys: 200, mask: "padding" },
  { query: [1, 2, 200, 64], keys: 130, causal: true },
  { query: [1, 1, 17, 128], keys: 64, causal: true, layout: "odd" },
  { query: [1, 4, 33, 32], groups: 2, causal: true },
  { query: [2, 4, 20, 16], groups: 1, keys: 50, mask: "bool", layout: "heads" },
  { query: [1, 2, 40, 96], keys: 70, mask: "float", valueWidth: 64 },
  { query: [1, 2, 70, 40], keys: 17, mask: "empty rows", valueWidth: 48, scale: 0.3 },
  { query: [1, 2, 66, 24], keys: 35, dropout: 0.3, causal: true },
  { query: [1, 2, 30, 80], keys: 65, dropout: 0.2, mask: "bool", groups: 1 },
  { query: [1, 1, 1, 64], keys: 200 },
  { query: [1, 1, 150, 128], keys: 90, layout: "heads", mask: "float" },
];

function maskOf({ query: [batch, heads, length], keys = length, mask }: AttentionCase): Tensor | null {
  switch (mask) {
    case undefined:
      return null;
    case "bool":
      return torch.rand([length, keys]).gt(0.3);
    case "padding":
      return torch.rand([batch, 1, 1, keys]).gt(0.3);
    case "float":
      return torch.randn([1, length, keys]);
    case "empty rows":
      return torch.randn([heads, length, keys]).maskedFill(torch.rand([length, 1]).gt(0.6), -Infinity);
  }
}

/** A leaf and the view of it that attention gets. */
function operand(
  shape: readonly number[],
  layout: AttentionCase["layout"],
  dtype: Dtype,
): [Tensor, (x: Tensor) => Tensor] {
  const [batch, heads, length, width] = shape;
  const random = (...size: number[]) => torch.randn(size).to(dtype);
  switch (layout) {
    case "heads":
      return [random(batch, length, heads * width), (x) => x.unflatten(-1, [heads, width]).transpose(1, 2)];
    case "packed":
      return [
        random(batch, length, 3 * heads * width),
        (x) => x.chunk(3, -1)[1].unflatten(-1, [heads, width]).transpose(1, 2),
      ];
    case "odd":
      return [
        random(batch, heads, width + 1, length + 1),
        (x) => x.narrow(2, 1, width).narrow(3, 1, length).transpose(2, 3),
      ];
    default:
      return [random(batch, heads, length, width), (x) => x];
  }
}

/** Runs a case on a device and returns the result and the gradients of the three leaves. */
function run(
  device: string,
  dtype: Dtype,
  leaves: Tensor[],
  views: ((x: Tensor) => Tensor)[],
  grad: Tensor,
  c: AttentionCase,
  mask: Tensor | null,
): Tensor[] {
  const own = leaves.map((x) => x.to(device).to(dtype).detach().requiresGrad_());
  const [q, k, v] = own.map((x, i) => views[i](x));
  torch.manualSeed(5);
  const out = F.scaledDotProductAttention(q, k, v, {
    attnMask: mask && (mask.dtype === torch.bool ? mask.to(device) : mask.to(device).to(dtype)),
    isCausal: c.causal ?? false,
    dropoutP: c.dropout ?? 0,
    scale: c.scale ?? null,
    enableGqa: c.groups !== undefined,
  });
  if (device !== "cpu") {
    // A half that the kernels do not take is widened before and narrowed after.
    const node = out.gradFn?.name === "ToCopyBackward0" ? out.gradFn.nextFunctions[0][0] : out.gradFn;
    assertEquals(node?.name, "ScaledDotProductFlashAttentionBackward0", JSON.stringify(c));
    assertEquals(out.dtype, dtype);
  }
  out.backward(grad.to(device).to(dtype));
  return [out.detach(), ...own.map((x) => x.grad!)];
}

async function difference(actual: Tensor, expected: Tensor): Promise<number> {
  assertEquals(actual.shape, expected.shape);
  const [a, b] = [await actual.cpu(), await expected.cpu()].map((x) => x.float().contiguous());
  const [ours, theirs] = [await a.read(), await b.read()] as Float32Array[];
  let largest = 1e-3, worst = 0;
  for (const v of theirs) largest = Math.max(largest, Math.abs(v));
  ours.forEach((v, i) =>
    worst = Number.isNaN(v) || Number.isNaN(theirs[i]) ? NaN : Math.max(worst, Math.abs(v - theirs[i]))
  );
  return worst / largest;
}

/** Holds a device's attention in `dtype` to the CPU's, composed in float32 of the same values. */
export async function compareAttention(
  device: string,
  c: AttentionCase,
  dtype: Dtype,
  tolerance: number,
): Promise<void> {
  const [batch, heads, length, width] = c.query, { keys = length, groups = heads, valueWidth = width } = c;
  torch.manualSeed(3);
  const shapes = [c.query, [batch, groups, keys, width], [batch, groups, keys, valueWidth]];
  const made = shapes.map((shape) => operand(shape, c.layout, dtype));
  const leaves = made.map(([leaf]) => leaf), views = made.map(([, view]) => view);
  const grad = torch.randn([batch, heads, length, valueWidth]).to(dtype), mask = maskOf(c);
  const rounded = mask && (mask.dtype === torch.bool ? mask : mask.to(dtype).float());
  const actual = run(device, dtype, leaves, views, grad, c, mask);
  const expected = run("cpu", torch.float32, leaves, views, grad, c, rounded);
  for (const [i, what] of ["result", "gradient of the query", "of the key", "of the value"].entries()) {
    const error = await difference(actual[i], expected[i]);
    assert(error <= tolerance, `${device}, ${dtype}, ${JSON.stringify(c)}: ${what} differs by ${error}`);
  }
}

/** Second derivatives, which are computed by tensor operations, as on the CPU. */
export async function compareSecondDerivatives(device: string): Promise<void> {
  const results: Tensor[][] = [];
  for (const where of ["cpu", device]) {
    torch.manualSeed(7);
    const leaves = [[1, 4, 6, 16], [1, 2, 9, 16], [1, 2, 9, 16]].map((shape) =>
      torch.randn(shape).to(where).requiresGrad_()
    );
    torch.manualSeed(8);
    const [q, k, v] = leaves;
    const out = F.scaledDotProductAttention(q, k, v, { enableGqa: true, dropoutP: 0.25 });
    const first = torch.autograd.grad([out.sin().sum()], leaves, { createGraph: true });
    first.map((x) => x!.square().sum()).reduce((a, b) => a.add(b)).backward();
    results.push([...first.map((x) => x!.detach()), ...leaves.map((x) => x.grad!)]);
  }
  for (const [i, expected] of results[0].entries()) {
    const error = await difference(results[1][i], expected);
    assert(error <= 2e-4, `${device}: gradient ${i} of the second derivatives differs by ${error}`);
  }
}

/** Fewer dimensions, other batches and what kernels leave to tensor operations, as on the CPU. */
export async function compareShapes(device: string): Promise<void> {
  const cases: [string, number[][], Record<string, unknown>][] = [
    ["two dimensions", [[5, 16], [9, 16], [9, 16]], { attnMask: torch.rand([5, 9]).gt(0.5) }],
    ["three dimensions", [[4, 5, 32], [2, 9, 32], [2, 9, 32]], { enableGqa: true }],
    ["five dimensions", [[2, 1, 2, 5, 16], [2, 1, 2, 5, 16], [2, 1, 2, 5, 16]], { isCausal: true }],
    ["broadcast batches", [[2, 3, 5, 16], [3, 9, 16], [1, 3, 9, 16]], {}],
    ["a negative scale", [[1, 2, 5, 16], [1, 2, 9, 16], [1, 2, 9, 16]], { scale: -0.5 }],
    ["a wide head", [[1, 2, 5, 160], [1, 2, 9, 160], [1, 2, 9, 160]], {}],
    ["no keys", [[1, 2, 5, 16], [1, 2, 0, 16], [1, 2, 0, 16]], {}],
  ];
  for (const [what, shapes, options] of cases) {
    torch.manualSeed(13);
    const inputs = shapes.map((shape) => torch.randn(shape));
    const results: Tensor[][] = [];
    for (const where of ["cpu", device]) {
      const leaves = inputs.map((x) => x.to(where).detach().requiresGrad_());
      const mask = options.attnMask as Tensor | undefined;
      const out = F.scaledDotProductAttention(leaves[0], {
        ...options,
        key: leaves[1],
        value: leaves[2],
        attnMask: mask?.to(where),
      });
      out.square().sum().backward();
      results.push([out.detach(), ...leaves.map((x) => x.grad!)]);
    }
    for (const [i, expected] of results[0].entries()) {
      const error = await difference(results[1][i], expected);
      assert(error <= 1e-5, `${device}, ${what}: tensor ${i} differs by ${error}`);
    }
  }
}

/** A block of GPT-2: its heads are transposed thirds of one projection. */
class Block extends torch.nn.Module {
  norm1 = new torch.nn.LayerNorm(32);
  qkv = new torch.nn.Linear(32, 96);
  proj = new torch.nn.Linear(32, 32);
  norm2 = new torch.nn.LayerNorm(32);
  mlp = new torch.nn.Sequential(new torch.nn.Linear(32, 128), new torch.nn.GELU(), new torch.nn.Linear(128, 32));

  forward(x: Tensor): Tensor {
    const [batch, length, width] = x.shape;
    const heads = (t: Tensor) => t.view(batch, length, 2, width / 2).transpose(1, 2);
    const [q, k, v] = this.qkv.call(this.norm1.call(x)).split(width, 2).map(heads);
    const y = F.scaledDotProductAttention(q, k, v, { isCausal: true });
    x = x.add(this.proj.call(y.transpose(1, 2).contiguous().view(batch, length, width)));
    return x.add(this.mlp.call(this.norm2.call(x)) as Tensor);
  }
}

/** Losses of a few steps of a tiny GPT-2, and of PyTorch's own layer of transformers, as on the CPU. */
export async function compareTraining(device: string): Promise<void> {
  const options = { dimFeedforward: 64, dropout: 0, batchFirst: true };
  for (const make of [() => new Block(), () => new torch.nn.TransformerEncoderLayer(32, 2, options)]) {
    const losses: number[][] = [];
    for (const where of ["cpu", device]) {
      torch.manualSeed(11);
      const embedding = new torch.nn.Embedding(17, 32), block = make(), head = new torch.nn.Linear(32, 17);
      const net = new torch.nn.ModuleList([embedding, block, head]).to(where);
      const tokens = torch.randint(0, 17, [3, 20]).to(where);
      const optimizer = new torch.optim.AdamW(net.parameters(), { lr: 1e-2 });
      const list: number[] = [];
      for (let step = 0; step < 5; step++) {
        optimizer.zeroGrad();
        const logits = head.call(block.call(embedding.call(tokens.narrow(1, 0, 19))) as Tensor);
        const loss = F.crossEntropy(logits.flatten(0, 1), tokens.narrow(1, 1, 19).flatten());
        loss.backward();
        optimizer.step();
        list.push(Number(await loss.item()));
      }
      losses.push(list);
    }
    const [expected, actual] = losses;
    expected.forEach((loss, i) =>
      assert(Math.abs(loss - actual[i]) < 1e-4 * loss, `${device}, step ${i}: a loss of ${actual[i]}, not ${loss}`)
    );
    assert(actual[4] < actual[0], `${device}: no progress: ${actual}`);
  }
}

/** What attention hands to a backend: the projection's own memory, and a result that joins its heads without a copy. */
export function checkUncopied(device: string, backend: { attention: (...args: never[]) => void }): void {
  const seen: { storage: unknown }[] = [], own = backend.attention;
  backend.attention = (...args: never[]) => {
    const [operands] = args as unknown as [Record<"query" | "key" | "value", { storage: unknown }>];
    seen.push(operands.query, operands.key, operands.value);
    own.apply(backend, args);
  };
  try {
    const qkv = torch.randn(2, 6, 3 * 32).to(device);
    const heads = (x: Tensor) => x.view(2, 6, 2, 16).transpose(1, 2);
    const [q, k, v] = qkv.split(32, 2).map(heads);
    const joined = F.scaledDotProductAttention(q, k, v).transpose(1, 2);
    assertEquals(seen.map((x) => x.storage === qkv.storage), [true, true, true]);
    assert(joined.isContiguous(), "the heads of the result do not lie side by side");
  } finally {
    backend.attention = own;
  }
}
