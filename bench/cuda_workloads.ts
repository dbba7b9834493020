/**
 * What `cuda.ts` times on a card, in groups; `cuda_torch.py` has the same by the same names.
 *
 * A workload is prepared once and run many times. Rates are per run: bytes that must be read and written at least,
 * floating-point operations, or units like tokens.
 *
 * @module
 */

import * as torch from "../mod.ts";
import { models } from "../src/vision/mod.ts";
import type { Tensor } from "../mod.ts";
import { GPT2LMHeadModel, languageLoss } from "../examples/support/gpt2.ts";

const { nn, optim } = torch;
const F = nn.functional;

/** One row of a table. */
export interface Workload {
  /** The same in `cuda_torch.py`, unless `peer` says otherwise. */
  readonly name: string;
  /** Bytes of a run at least. */
  readonly bytes?: number;
  /** Operations of a run. */
  readonly flops?: number;
  /** Tokens or images of a run, and what they are called. */
  readonly units?: readonly [count: number, name: string];
  /** Times issuing alone, without the wait: what an eager call costs. */
  readonly issue?: boolean;
  /** PyTorch's workload to compare with, if it is called otherwise. */
  readonly peer?: string;
  /** The least speed that is wanted, in percent of PyTorch's, or of the measured copy bandwidth. */
  readonly wanted?: readonly [percent: number, of: "PyTorch" | "copy"];
  /** Makes the operands; what it gives runs once, and its result is dropped. */
  readonly prepare: (small: boolean) => () => Tensor | void;
}

const device = "cuda";
const { bfloat16, float32 } = torch;
type DType = typeof float32;

function randn(shape: number[], dtype: DType = float32): Tensor {
  return torch.randn(shape, { device }).to(dtype);
}

/** Names of dtypes as tables and PyTorch write them. */
function nameOf(dtype: DType): string {
  return dtype.name;
}

// ------------------------------------------------------------------ eager calls

/** What a call costs while the card keeps up: operands so small that only issuing counts. */
export const EAGER: readonly Workload[] = [
  {
    name: "add, 16 elements",
    prepare: () => {
      const x = randn([16]), y = randn([16]);
      return () => x.add(y);
    },
  },
  {
    name: "gelu, 16 elements",
    prepare: () => {
      const x = randn([16]);
      return () => F.gelu(x);
    },
  },
  {
    name: "sum, 16 elements",
    prepare: () => {
      const x = randn([16]);
      return () => x.sum();
    },
  },
  {
    name: "softmax, 8x16",
    prepare: () => {
      const x = randn([8, 16]);
      return () => x.softmax(-1);
    },
  },
  {
    name: "linear, 8x64 to 64",
    prepare: () => {
      const x = randn([8, 64]), w = randn([64, 64]), b = randn([64]);
      return () => F.linear(x, w, b);
    },
  },
  {
    name: "add with a graph, 16 elements",
    prepare: () => {
      const x = randn([16]).requiresGrad_(), y = randn([16]);
      return () => x.add(y);
    },
  },
].map((w) => ({ ...w, issue: true, wanted: [200, "PyTorch"] as const }));

// ------------------------------------------------------------------ memory-bound

interface Sized {
  readonly count: number;
  readonly rows: number;
}

function sizes(small: boolean): Sized {
  return small ? { count: 1 << 12, rows: 32 } : { count: 1 << 26, rows: 8192 };
}

/** A workload over one flat tensor; `passes` is how often it goes through memory. */
function flat(name: string, passes: number, f: (x: Tensor) => Tensor, dtype: DType = float32): Workload {
  const full = `${name}, 64M ${nameOf(dtype)}`;
  return {
    name: full,
    bytes: passes * sizes(false).count * dtype.itemsize,
    wanted: [90, "copy"],
    prepare: (small) => {
      const x = randn([sizes(small).count], dtype);
      return () => f(x);
    },
  };
}

/** A workload over rows. */
function rows(name: string, passes: number, f: (x: Tensor) => Tensor, dtype: DType = float32): Workload {
  return {
    name: `${name}, 8192x8192 ${nameOf(dtype)}`,
    bytes: passes * sizes(false).rows ** 2 * dtype.itemsize,
    wanted: [90, "copy"],
    prepare: (small) => {
      const n = sizes(small).rows, x = randn([n, n], dtype);
      return () => f(x);
    },
  };
}

function backward(name: string, passes: number, f: (x: Tensor) => Tensor, dtype: DType): Workload {
  return {
    name: `${name}, 8192x8192 ${nameOf(dtype)}`,
    bytes: passes * sizes(false).rows ** 2 * dtype.itemsize,
    wanted: [90, "copy"],
    prepare: (small) => {
      const n = sizes(small).rows, x = randn([n, n], dtype).requiresGrad_(), g = randn([n, n], dtype);
      const y = f(x);
      return () => {
        x.grad = null;
        y.backward(g, true);
      };
    },
  };
}

/** Maps, reductions, norms: what memory limits. The first is the yardstick. */
export const BANDWIDTH: readonly Workload[] = [
  { ...flat("copy", 2, (x) => x.clone()), wanted: undefined },
  flat("add", 2, (x) => x.add(1)),
  flat("add two", 3, (x) => x.add(x)),
  flat("gelu", 2, (x) => F.gelu(x), bfloat16),
  flat("to float32", 3, (x) => x.float(), bfloat16),
  rows("add a row", 2, (x) => x.add(x.select(0, 0)), bfloat16),
  rows("transposed copy", 2, (x) => x.t().contiguous()),
  flat("sum", 1, (x) => x.sum()),
  flat("sum", 1, (x) => x.sum(), bfloat16),
  rows("sum of columns", 1, (x) => x.sum(0)),
  rows("sum of rows", 1, (x) => x.sum(1)),
  rows("argmax of rows", 1, (x) => x.argmax(1)),
  rows("softmax", 2, (x) => x.softmax(-1)),
  rows("softmax", 2, (x) => x.softmax(-1), bfloat16),
  rows("layerNorm", 2, (x) => F.layerNorm(x, [x.shape[1]])),
  rows("layerNorm", 2, (x) => F.layerNorm(x, [x.shape[1]]), bfloat16),
  backward("softmax backward", 3, (x) => x.softmax(-1), bfloat16),
  backward("layerNorm backward", 3, (x) => F.layerNorm(x, [x.shape[1]]), bfloat16),
  flat("cumsum", 2, (x) => x.cumsum(0)),
  rows("cumsum of rows", 2, (x) => x.cumsum(1)),
  { ...flat("sort", 2, (x) => x.sort().values), wanted: [100, "PyTorch"] },
];

// ------------------------------------------------------------------ products

function product(n: number, dtype: DType, shape: "square" | "tall" = "square"): Workload {
  const size = (small: boolean): number[] => {
    const m = small ? 32 : n;
    return shape === "tall" ? [4 * m, m / 4, m / 4] : [m, m, m];
  };
  const [m, k, p] = size(false);
  return {
    name: `matmul ${m}x${k}x${p} ${nameOf(dtype)}`,
    flops: 2 * m * k * p,
    wanted: [97, "PyTorch"],
    prepare: (small) => {
      const [m, k, p] = size(small), a = randn([m, k], dtype), b = randn([k, p], dtype);
      return () => a.matmul(b);
    },
  };
}

function linearGelu(dtype: DType): Workload {
  const [rows, width] = [16384, 768];
  return {
    name: `linear, gelu (tanh), linear ${rows}x${width} ${nameOf(dtype)}`,
    flops: 2 * 2 * rows * width * 4 * width,
    wanted: [100, "PyTorch"],
    prepare: (small) => {
      const [n, w] = small ? [8, 16] : [rows, width];
      const net = new nn.Sequential(
        new nn.Linear(w, 4 * w),
        new nn.GELU({ approximate: "tanh" }),
        new nn.Linear(4 * w, w),
      );
      net.to(device).to(dtype);
      const x = randn([n, w], dtype);
      return () => {
        using _ = torch.noGrad();
        return net.call(x) as Tensor;
      };
    },
  };
}

/** Products; PyTorch's are cuBLASLt's. */
export const PRODUCTS: readonly Workload[] = [
  product(8192, bfloat16),
  product(8192, torch.float16),
  product(4096, bfloat16),
  product(4096, bfloat16, "tall"),
  product(4096, float32),
  product(2048, torch.float64),
  linearGelu(bfloat16),
];

// ------------------------------------------------------------------ attention

function attention(size: readonly number[], causal: boolean, both: boolean): Workload {
  const [batch, heads, length, width] = size;
  const forward = 4 * batch * heads * length * length * width * (causal ? 0.5 : 1);
  return {
    name: `attention ${size.join("x")} bfloat16${causal ? ", causal" : ""}${both ? ", both ways" : ""}`,
    // By convention the backward pass counts 2.5 times the forward one.
    flops: forward * (both ? 3.5 : 1),
    wanted: [100, "PyTorch"],
    prepare: (small) => {
      const shape = small ? [1, 2, 32, width] : [...size];
      const [q, k, v] = [0, 1, 2].map(() => randn(shape, bfloat16).requiresGrad_(both)), g = randn(shape, bfloat16);
      return () => {
        if (!both) return F.scaledDotProductAttention(q, k, v, { isCausal: causal });
        q.grad = k.grad = v.grad = null;
        const y = F.scaledDotProductAttention(q, k, v, { isCausal: causal });
        y.backward(g);
        y.dispose();
      };
    },
  };
}

/** Scaled dot-product attention, `[batch, heads, length, width]`. */
export const ATTENTION: readonly Workload[] = [
  attention([8, 32, 2048, 64], true, false),
  attention([8, 32, 2048, 64], true, true),
  attention([8, 16, 2048, 128], true, false),
  attention([8, 16, 2048, 128], true, true),
  attention([2, 16, 8192, 128], true, true),
  attention([8, 32, 2048, 64], false, true),
];

// ------------------------------------------------------------------ training

/** Sequences and tokens of a step of GPT-2's training. */
const GPT2 = { batch: 16, length: 1024 };

/** GPT-2 with 124 million parameters, autocast to bfloat16, AdamW: one step. The vocabulary is padded, as usual. */
function gpt2(small: boolean, capturable = false): { step: () => Tensor; forget: () => void } {
  const { batch, length } = small ? { batch: 2, length: 16 } : GPT2;
  const tiny = { nEmbd: 32, nLayer: 2, nHead: 2, nPositions: 16, vocabSize: 64 };
  const config = { dropout: 0, vocabSize: 50304, ...(small ? tiny : {}) };
  torch.manualSeed(0);
  const model = new GPT2LMHeadModel(config).to(device) as GPT2LMHeadModel;
  const optimizer = new optim.AdamW(model.parameters(), { lr: 3e-4, fused: true, capturable });
  const ids = torch.randint(0, config.vocabSize, [batch, length + 1], { device });
  const inputs = ids.narrow(1, 0, length).contiguous(), targets = ids.narrow(1, 1, length).contiguous();
  const forget = (): void => optimizer.zeroGrad();
  const step = (): Tensor => {
    const loss = torch.autocast("cuda", { dtype: bfloat16 }, () => languageLoss(model, inputs, targets));
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  return { step, forget };
}

function gpt2Step(peer: string): Workload {
  return {
    name: "GPT-2 124M training, bfloat16",
    peer,
    units: [GPT2.batch * GPT2.length, "tokens"],
    wanted: [100, "PyTorch"],
    prepare: (small) => {
      const { step, forget } = gpt2(small);
      return () => {
        forget();
        return step();
      };
    },
  };
}

/** The same step, recorded once and replayed as one graph. */
function gpt2Graph(): Workload {
  return {
    ...gpt2Step("GPT-2 124M training, bfloat16, torch.compile"),
    name: "GPT-2 124M training, bfloat16, CUDA graph",
    prepare: (small) => {
      const { step, forget } = gpt2(small, true);
      for (let i = 0; i < 3; i++) {
        forget();
        step();
      }
      forget();
      torch.cuda.synchronize();
      const recorded = new torch.cuda.CUDAGraph();
      torch.cuda.graph(recorded, step);
      return () => recorded.replay();
    },
  };
}

/** Training of a language model; "wanted" is PyTorch's eager mode with flash attention first, then `torch.compile`. */
export const LANGUAGE: readonly Workload[] = [
  gpt2Step("GPT-2 124M training, bfloat16"),
  {
    ...gpt2Step("GPT-2 124M training, bfloat16, torch.compile"),
    name: "GPT-2 124M training, bfloat16, beside torch.compile",
  },
  gpt2Graph(),
];

function resnet(small: boolean, channelsLast: boolean): () => Tensor {
  const { ResNet, Bottleneck, resnet50 } = models;
  torch.backends.cudnn.benchmark = true;
  torch.manualSeed(0);
  const model = small ? new ResNet(Bottleneck, [1, 1, 1, 1], { numClasses: 10 }) : resnet50();
  const [batch, side, classes] = small ? [2, 32, 10] : [128, 224, 1000];
  let images = randn([batch, 3, side, side]);
  model.to(device);
  if (channelsLast) {
    model.to({ memoryFormat: torch.channelsLast });
    images = images.contiguous({ memoryFormat: torch.channelsLast });
  }
  const labels = torch.randint(0, classes, [batch], { device });
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9, weightDecay: 1e-4 });
  return () => {
    optimizer.zeroGrad();
    const loss = torch.autocast("cuda", { dtype: bfloat16 }, () => F.crossEntropy(model.call(images), labels));
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
}

function mlp(): () => void {
  const net = new nn.Sequential(
    ...[new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 128), new nn.ReLU(), new nn.Linear(128, 10)],
  ).to(device);
  const optimizer = new optim.AdamW(net.parameters(), { lr: 1e-3, fused: true });
  const x = randn([64, 784]), y = torch.randint(0, 10, [64], { device });
  return () => {
    optimizer.zeroGrad();
    const out = net.call(x) as Tensor, loss = F.crossEntropy(out, y);
    loss.backward();
    optimizer.step();
    out.dispose();
    loss.dispose();
  };
}

/** Training of images and of something small. */
export const IMAGES: readonly Workload[] = [
  {
    name: "ResNet-50 training, bfloat16, channels last",
    units: [128, "images"],
    wanted: [100, "PyTorch"],
    prepare: (small) => resnet(small, true),
  },
  {
    name: "conv 3x3, 64x64x56x56 bfloat16, channels last, both ways",
    flops: 3 * 2 * 64 * 64 * 56 * 56 * 64 * 9,
    wanted: [100, "PyTorch"],
    prepare: (small) => {
      const [n, side] = small ? [2, 8] : [64, 56], memoryFormat = torch.channelsLast;
      torch.backends.cudnn.benchmark = true;
      const x = randn([n, 64, side, side], bfloat16).contiguous({ memoryFormat }).requiresGrad_();
      const w = randn([64, 64, 3, 3], bfloat16).contiguous({ memoryFormat }).requiresGrad_();
      return () => {
        x.grad = w.grad = null;
        const y = F.conv2d(x, w, { padding: 1 });
        y.backward(y.detach());
        y.dispose();
      };
    },
  },
  { name: "MLP step, batch 64", wanted: [100, "PyTorch"], prepare: mlp },
];

/** The groups by name, in the order in which they matter. */
export const GROUPS: Readonly<Record<string, readonly Workload[]>> = {
  language: LANGUAGE,
  eager: EAGER,
  bandwidth: BANDWIDTH,
  products: PRODUCTS,
  attention: ATTENTION,
  images: IMAGES,
};

/** A step of training for {@linkcode steady}. */
export const steadyStep = mlp;
