/**
 * The workloads: what is timed, how much work it is, and how its result is checked first.
 *
 * One entry per row of the table. `prepare` makes the operands and returns the call to time and a check that compares
 * its result with plain loops over a sample of elements; a workload whose check throws is not timed. The same names
 * exist in `torch_contestant.py`.
 *
 * @module
 */

import * as torch from "../mod.ts";
import type { Tensor } from "../mod.ts";
import { TRAINING } from "./training.ts";

/** A workload ready to run. */
export interface Prepared {
  /** The work, once. */
  run(): void;
  /** Throws if the result is wrong. */
  check(): Promise<void>;
}

/** A goal from the project's issues. */
export interface Target {
  /** What is bounded. */
  kind: "GB/s" | "GFLOP/s" | "µs";
  /** The least rate, or the most time. */
  value: number;
}

/** One row of the table. */
export interface Workload {
  /** Its name, unique. */
  name: string;
  /** Floating-point operations of one run, for workloads that compute. */
  flops?: number;
  /** Bytes read and written by one run, for workloads that stream. */
  bytes?: number;
  /** Goals by kernel library. */
  targets?: { wasm?: Target; native?: Target };
  /** Makes it ready. */
  prepare(): Prepared | Promise<Prepared>;
}

const MILLION = 2 ** 20;

async function values(t: Tensor): Promise<ArrayLike<number>> {
  return (await t.read()) as ArrayLike<number>;
}

function close(what: string, actual: number, expected: number, relative: number, absolute: number): void {
  if (Math.abs(actual - expected) <= absolute + relative * Math.abs(expected)) return;
  throw new Error(`${what}: got ${actual}, expected ${expected}`);
}

/** About forty positions spread over `n` elements, both ends included. */
function sample(n: number): number[] {
  return Array.from({ length: 40 }, (_, i) => Math.floor((i / 39) * (n - 1)));
}

/** A workload that maps tensors to a tensor and drops it, checked element by element. */
function elementwise(
  inputs: Tensor[],
  run: (inputs: Tensor[]) => Tensor,
  expected: (values: number[]) => number,
): Prepared {
  return {
    run: () => run(inputs).dispose(),
    async check() {
      const out = await values(run(inputs));
      const columns = await Promise.all(inputs.map(values));
      for (const i of sample(out.length)) {
        close(`element ${i}`, out[i], expected(columns.map((c) => c[i])), 1e-5, 1e-6);
      }
    },
  };
}

function matmul(n: number): Workload {
  return {
    name: `matmul ${n}`,
    flops: 2 * n ** 3,
    targets: { wasm: { kind: "GFLOP/s", value: 30 } },
    prepare() {
      const a = torch.randn([n, n]), b = torch.randn([n, n]);
      return {
        run: () => torch.matmul(a, b).dispose(),
        async check() {
          const out = await values(torch.matmul(a, b));
          const [x, y] = await Promise.all([values(a), values(b)]);
          for (const at of sample(n * n)) {
            const i = Math.floor(at / n), j = at % n;
            let sum = 0;
            for (let k = 0; k < n; k++) sum += x[i * n + k] * y[k * n + j];
            close(`[${i}, ${j}]`, out[at], sum, 1e-4, 1e-4 * Math.sqrt(n));
          }
        },
      };
    },
  };
}

/** Standard normal distribution function, by the same series for every machine: for checks only. */
function normalCdf(x: number): number {
  if (x < -8) return 0;
  if (x > 8) return 1;
  let sum = x, term = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
    term *= x * x / k;
    sum += term;
  }
  return 0.5 + sum * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
}

async function rowwise(run: (x: Tensor) => Tensor, expected: (row: number[]) => number[]): Promise<Prepared> {
  const rows = 1024, columns = MILLION / rows;
  const x = torch.randn([rows, columns]);
  const input = await values(x);
  return {
    run: () => run(x).dispose(),
    async check() {
      const out = await values(run(x));
      for (const r of [0, 1, rows >> 1, rows - 1]) {
        const row = Array.from({ length: columns }, (_, j) => input[r * columns + j]);
        expected(row).forEach((e, j) => close(`[${r}, ${j}]`, out[r * columns + j], e, 1e-4, 1e-6));
      }
    },
  };
}

function softmax(row: number[]): number[] {
  const most = Math.max(...row);
  const e = row.map((v) => Math.exp(v - most));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}

function layerNorm(row: number[]): number[] {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
  return row.map((v) => (v - mean) / Math.sqrt(variance + 1e-5));
}

const BATCH = 32, CHANNELS = 32, SIDE = 28, KERNEL = 3;
/** One convolution, of the size of a small network's: 32×32×28×28, 3×3, padding 1. */
const CONV_FLOPS = 2 * BATCH * CHANNELS * CHANNELS * KERNEL ** 2 * SIDE ** 2;

const convolution: Workload = {
  name: "conv2d 3×3 forward + backward",
  flops: 3 * CONV_FLOPS,
  prepare() {
    const x = torch.randn([BATCH, CHANNELS, SIDE, SIDE], { requiresGrad: true });
    const w = torch.randn([CHANNELS, CHANNELS, KERNEL, KERNEL], { requiresGrad: true });
    const ones = torch.ones([BATCH, CHANNELS, SIDE, SIDE]);
    const step = () => {
      const y = torch.nn.functional.conv2d(x, w, null, 1, 1);
      y.backward(ones);
      y.dispose();
      x.grad?.dispose();
      w.grad?.dispose();
      x.grad = null;
      w.grad = null;
    };
    return {
      run: step,
      async check() {
        const y = torch.nn.functional.conv2d(x, w, null, 1, 1);
        y.backward(ones);
        const [out, input, weight, dw] = await Promise.all([values(y), values(x), values(w), values(w.grad!)]);
        const at = (n: number, c: number, i: number, j: number) =>
          i < 0 || j < 0 || i >= SIDE || j >= SIDE ? 0 : input[((n * CHANNELS + c) * SIDE + i) * SIDE + j];
        for (const [n, o, i, j] of [[0, 0, 0, 0], [3, 7, 13, 27], [31, 31, 27, 5]]) {
          let sum = 0;
          for (let c = 0; c < CHANNELS; c++) {
            for (let k = 0; k < KERNEL * KERNEL; k++) {
              const p = Math.floor(k / KERNEL), q = k % KERNEL;
              sum += at(n, c, i + p - 1, j + q - 1) * weight[(o * CHANNELS + c) * KERNEL * KERNEL + k];
            }
          }
          close(`y[${[n, o, i, j]}]`, out[((n * CHANNELS + o) * SIDE + i) * SIDE + j], sum, 1e-4, 1e-3);
        }
        // With a gradient of ones, the weight's gradient at the kernel's centre is the sum of its input channel.
        let sum = 0;
        for (let n = 0; n < BATCH; n++) {
          for (let i = 0; i < SIDE * SIDE; i++) sum += input[(n * CHANNELS + 5) * SIDE * SIDE + i];
        }
        close("dw[2, 5, 1, 1]", dw[(2 * CHANNELS + 5) * KERNEL * KERNEL + 4], sum, 1e-3, 5e-2);
        x.grad = null;
        w.grad = null;
      },
    };
  },
};

const mlp: Workload = {
  name: "MLP 784-128-128-10 step, batch 64",
  flops: 3 * 2 * 64 * (784 * 128 + 128 * 128 + 128 * 10),
  prepare() {
    const { nn, optim } = torch;
    torch.manualSeed(0);
    const model = new nn.Sequential(
      new nn.Linear(784, 128),
      new nn.ReLU(),
      new nn.Linear(128, 128),
      new nn.ReLU(),
      new nn.Linear(128, 10),
    );
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
    const x = torch.randn([64, 784]);
    const target = torch.randint(0, 10, [64]);
    const step = () => {
      optimizer.zeroGrad();
      const y = model.call(x);
      const loss = nn.functional.crossEntropy(y, target);
      loss.backward();
      optimizer.step();
      y.dispose();
      loss.dispose();
    };
    const lossNow = async () => Number(await nn.functional.crossEntropy(model.call(x), target).item());
    return {
      run: step,
      async check() {
        const first = await lossNow();
        for (let i = 0; i < 20; i++) step();
        const last = await lossNow();
        if (!(last < 0.9 * first)) throw new Error(`the loss does not fall: ${first} to ${last}`);
      },
    };
  },
};

const overhead = (grad: boolean): Workload => ({
  name: grad ? "add 16, recording gradients" : "add 16",
  targets: {
    wasm: { kind: "µs", value: grad ? 1 : 0.6 },
    native: { kind: "µs", value: grad ? 1 : 0.6 },
  },
  prepare() {
    const a = torch.randn([16], { requiresGrad: grad }), b = torch.randn([16]);
    return elementwise([a, b], ([x, y]) => torch.add(x, y), ([x, y]) => x + y);
  },
});

/** A workload of one pass over a million floats. */
function stream(
  name: string,
  operands: number,
  prepare: Workload["prepare"],
  targets?: Workload["targets"],
): Workload {
  return { name, bytes: (operands + 1) * 4 * MILLION, targets, prepare };
}

/** Every workload, in the order of the table. */
export const WORKLOADS: readonly Workload[] = [
  overhead(false),
  overhead(true),
  stream("add 1M", 2, () =>
    elementwise(
      [torch.randn([MILLION]), torch.randn([MILLION])],
      ([a, b]) => torch.add(a, b),
      ([a, b]) => a + b,
    ), { wasm: { kind: "GB/s", value: 20 } }),
  stream("exp 1M", 1, () => elementwise([torch.randn([MILLION])], ([a]) => torch.exp(a), ([a]) => Math.exp(a))),
  stream(
    "gelu 1M",
    1,
    () => elementwise([torch.randn([MILLION])], ([a]) => torch.nn.functional.gelu(a), ([a]) => a * normalCdf(a)),
  ),
  stream("sum 1M", 0, async () => {
    const x = torch.randn([MILLION]);
    const input = await values(x);
    return {
      run: () => torch.sum(x).dispose(),
      async check() {
        let sum = 0;
        for (let i = 0; i < input.length; i++) sum += input[i];
        close("sum", Number(await torch.sum(x).item()), sum, 1e-5, 1e-2);
      },
    };
  }),
  stream("softmax 1024×1024", 1, () => rowwise((x) => torch.softmax(x, -1), softmax)),
  stream("layerNorm 1024×1024", 1, () => rowwise((x) => torch.nn.functional.layerNorm(x, [1024]), layerNorm)),
  matmul(512),
  matmul(1024),
  convolution,
  mlp,
  ...TRAINING,
];
