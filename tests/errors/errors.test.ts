/**
 * Bad input: one clear error each, `<op>(): <rule broken>: <values>`, of the right class, in one line, and nothing lost: the
 * operands are usable afterwards.
 */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import type { Tensor } from "../../mod.ts";
import { assertAllclose, assertUserError } from "../support/assert.ts";

const F = torch.nn.functional;
const zeros = (...shape: number[]): Tensor => torch.zeros(shape);
const int64 = (...values: bigint[]): Tensor => torch.tensor(values);

// deno-lint-ignore no-explicit-any -- an error class takes whatever it takes
type ErrorClass = new (...args: any[]) => Error;

/** A call, the error's class, and what the message must say. */
type Case = [name: string, call: () => unknown, type: ErrorClass, text: string];

const SHAPES: Case[] = [
  ["broadcast", () => zeros(2, 3).add(zeros(4)), torch.ShapeError, "[2, 3]"],
  ["matmul", () => zeros(2, 3).matmul(zeros(4, 5)), torch.ShapeError, "[2, 3] @ [4, 5]"],
  ["mm of vectors", () => torch.mm(zeros(3), zeros(3)), torch.ShapeError, "mm():"],
  ["reshape", () => zeros(2, 3).reshape([4, 2]), torch.ShapeError, "reshape():"],
  ["reshape with two -1", () => zeros(2, 3).reshape([-1, -1]), torch.ShapeError, "-1"],
  ["view of a transposed tensor", () => zeros(2, 3).t().view([6]), torch.ShapeError, "reshape"],
  ["cat", () => torch.cat([zeros(2, 3), zeros(2, 4)], 0), torch.ShapeError, "cat():"],
  ["cat of nothing", () => torch.cat([]), torch.ArgumentError, "cat():"],
  ["stack", () => torch.stack([zeros(2), zeros(3)]), torch.ShapeError, "stack():"],
  ["expand", () => zeros(2, 3).expand([2, 4]), torch.ShapeError, "expand():"],
  ["item of several", () => zeros(2).item(), torch.ShapeError, "item():"],
  ["conv2d channels", () => F.conv2d(zeros(1, 3, 8, 8), zeros(4, 2, 3, 3)), torch.ShapeError, "conv2d():"],
  ["conv2d kernel too large", () => F.conv2d(zeros(1, 1, 2, 2), zeros(1, 1, 3, 3)), torch.ShapeError, "conv2d():"],
  ["maxPool2d", () => F.maxPool2d(zeros(1, 1, 2, 2), 3), torch.ShapeError, "maxPool2d():"],
  ["linear", () => F.linear(zeros(2, 3), zeros(4, 5)), torch.ShapeError, "linear():"],
  ["layerNorm", () => F.layerNorm(zeros(2, 3), [4]), torch.ShapeError, "layerNorm():"],
  ["crossEntropy batch", () => F.crossEntropy(zeros(2, 3), int64(0n)), torch.ShapeError, "crossEntropy():"],
  ["in place", () => zeros(3).add_(zeros(2, 3)), torch.ShapeError, "add_():"],
  ["in place on expanded", () => zeros(1).expand([3]).add_(1), torch.ShapeError, "clone()"],
];

const OPTIONS: Case[] = [
  [
    "unknown option of zeros",
    () => torch.zeros(2, { requires_grad: true } as never),
    torch.ArgumentError,
    "requires_grad",
  ],
  ["unknown option of zerosLike", () => torch.zerosLike(zeros(2), { dim: 1 } as never), torch.ArgumentError, "dim"],
  ["unknown option of tensor", () => torch.tensor([1], { dtpye: 1 } as never), torch.ArgumentError, "dtpye"],
  ["unknown option of randn", () => torch.randn(2, { requires_grad: true } as never), torch.ArgumentError, "randn():"],
  ["unknown option of normal", () => torch.normal(0, 1, [2], { sd: 1 } as never), torch.ArgumentError, "sd"],
  ["unknown option of randperm", () => torch.randperm(2, { low: 1 } as never), torch.ArgumentError, "low"],
  ["dtype as text", () => torch.ones(2, { dtype: "float32" as never }), torch.ArgumentError, '"float32"'],
  ["to() a dtype as text", () => zeros(2).to({ dtype: "float64" as never }), torch.ArgumentError, '"float64"'],
];

const DIMS: Case[] = [
  ["sum", () => zeros(2, 3).sum(2), torch.IndexError, "-2 to 1"],
  ["softmax", () => zeros(2, 3).softmax(-3), torch.IndexError, "softmax():"],
  ["select", () => zeros(2, 3).select(0, 2), torch.IndexError, "select():"],
  ["narrow", () => zeros(4).narrow(0, 2, 3), torch.ShapeError, "narrow():"],
  ["at", () => zeros(2).at(5), torch.IndexError, "5"],
  ["at with too many", () => zeros(2).at(0, 0), torch.IndexError, "at():"],
  ["transpose", () => zeros(2, 3).transpose(0, 2), torch.IndexError, "transpose():"],
  ["permute", () => zeros(2, 3).permute([0, 0]), torch.ArgumentError, "permute():"],
  ["topk", () => zeros(3).topk(4), torch.ShapeError, "topk():"],
  ["indexSelect", () => zeros(3).indexSelect(0, int64(3n)), torch.IndexError, "indexSelect():"],
  ["gather", () => zeros(3).gather(0, int64(-1n)), torch.IndexError, "gather():"],
  ["embedding", () => F.embedding(int64(7n), zeros(5, 2)), torch.IndexError, "embedding():"],
  ["nllLoss class", () => F.nllLoss(zeros(1, 3), int64(3n)), torch.IndexError, "nllLoss():"],
];

const DTYPES: Case[] = [
  ["matmul of two dtypes", () => zeros(2, 2).matmul(zeros(2, 2).double()), torch.DTypeError, "matmul():"],
  ["bitwise of floats", () => zeros(2).bitwiseAnd(zeros(2)), torch.DTypeError, "bitwiseAnd():"],
  ["gradient of integers", () => int64(1n).requiresGrad_(), torch.DTypeError, "requiresGrad_():"],
  ["float indices", () => zeros(3).indexSelect(0, zeros(1)), torch.DTypeError, "indexSelect():"],
  ["in place to integers", () => int64(1n).add_(0.5), torch.DTypeError, "add_():"],
  ["mean of integers", () => int64(1n, 2n).mean(), torch.DTypeError, "mean():"],
  ["softmax of integers", () => int64(1n, 2n).softmax(0), torch.DTypeError, "softmax():"],
  ["max of complex", () => zeros(2).to(torch.complex64).max(), torch.DTypeError, "max():"],
];

const EMPTY: Case[] = [
  ["max", () => zeros(0).max(), torch.ShapeError, "max():"],
  ["argmax", () => zeros(2, 0).argmax(1), torch.IndexError, "argmax():"],
  ["amin", () => zeros(0, 3).amin(0), torch.IndexError, "amin():"],
  ["item", () => zeros(0).item(), torch.ShapeError, "item():"],
];

const ARGUMENTS: Case[] = [
  ["negative size", () => torch.zeros([-1]), torch.ShapeError, "zeros():"],
  ["fractional size", () => torch.zeros([1.5]), torch.ArgumentError, "zeros():"],
  ["NaN size", () => torch.zeros([NaN]), torch.ArgumentError, "zeros():"],
  ["huge size", () => torch.empty([2 ** 40, 2 ** 40]), torch.ShapeError, "empty():"],
  ["ragged", () => torch.tensor([[1, 2], [3]]), torch.ShapeError, "tensor():"],
  ["a string", () => torch.tensor("abc" as unknown as number), torch.ArgumentError, "tensor():"],
  ["unknown option", () => zeros(2).sum({ dimm: 0 } as unknown as number), torch.ArgumentError, "dimm"],
  ["unknown device", () => torch.zeros([1], { device: "tpu" }), torch.DeviceError, "tpu"],
  ["arange step", () => torch.arange(0, 3, 0), torch.ArgumentError, "arange():"],
  ["dropout probability", () => F.dropout(zeros(2), 1.5), torch.ArgumentError, "dropout():"],
  ["Dropout probability", () => new torch.nn.Dropout2d(1.5), torch.ArgumentError, "Dropout2d():"],
  ["LSTM input size", () => new torch.nn.LSTM(4, 3).call(zeros(2, 5, 2)), torch.ShapeError, "inputSize 4"],
  ["LSTMCell input dims", () => new torch.nn.LSTMCell(4, 3).call(zeros(1, 2, 4)), torch.ShapeError, "LSTMCell():"],
  ["RNN nonlinearity", () => new torch.nn.RNN(1, 1, 1, "x" as "relu"), torch.ArgumentError, "RNN():"],
  ["BatchNorm dims", () => new torch.nn.BatchNorm2d(3).call(zeros(2, 3)), torch.ShapeError, "BatchNorm2d():"],
  ["MultiheadAttention heads", () => new torch.nn.MultiheadAttention(5, 2), torch.ArgumentError, "5 % 2"],
  ["a list called", () => new torch.nn.ModuleList().call(), torch.ArgumentError, "ModuleList():"],
  ["reduction", () => F.mseLoss(zeros(2), zeros(2), { reduction: "avg" as "sum" }), torch.ArgumentError, "avg"],
  ["zero stride", () => F.avgPool2d(zeros(1, 1, 4, 4), 2, 0), torch.ArgumentError, "avgPool2d():"],
  ["lr", () => new torch.optim.SGD([zeros(1).requiresGrad_()], { lr: -1 }), torch.ArgumentError, "-1"],
  ["no parameters", () => new torch.optim.SGD([]), torch.ArgumentError, "SGD():"],
  ["Conv2d groups", () => new torch.nn.Conv2d(3, 4, 3, { groups: 2 }), torch.ArgumentError, "groups"],
];

const AUTOGRAD: Case[] = [
  ["backward of several", () => zeros(2).requiresGrad_().mul(2).backward(), torch.AutogradError, "backward():"],
  ["backward without a graph", () => zeros(1).sum().backward(), torch.AutogradError, "backward():"],
  [
    "backward twice",
    () => {
      const y = torch.ones([1]).requiresGrad_().exp().sum();
      y.backward();
      y.backward();
    },
    torch.AutogradError,
    "retainGraph",
  ],
  ["in place on a leaf", () => zeros(2).requiresGrad_().add_(1), torch.AutogradError, "noGrad"],
  [
    "modified after saving",
    () => {
      const x = torch.ones([2]).requiresGrad_();
      const y = x.mul(1);
      const z = y.exp().mul(y);
      y.add_(1);
      z.sum().backward();
    },
    torch.AutogradError,
    "MulBackward0",
  ],
  [
    "unused input",
    () => {
      const [x, y] = [torch.ones([1]).requiresGrad_(), torch.ones([1]).requiresGrad_()];
      torch.autograd.grad([x.mul(2)], [y]);
    },
    torch.AutogradError,
    "allowUnused",
  ],
];

const GROUPS: [string, Case[]][] = [
  ["wrong shapes", SHAPES],
  ["wrong options", OPTIONS],
  ["dims and indices out of range", DIMS],
  ["wrong dtypes", DTYPES],
  ["empty tensors", EMPTY],
  ["wrong arguments", ARGUMENTS],
  ["autograd misuse", AUTOGRAD],
];

for (const [group, cases] of GROUPS) {
  Deno.test(`${group} give one clear error each`, async (t) => {
    for (const [name, call, type, text] of cases) {
      await t.step(name, () => assertUserError(call, type, text).then(() => {}));
    }
  });
}

Deno.test("an error loses nothing: the operands are as before", async () => {
  const x = torch.tensor([1, 2, 3], { requiresGrad: true });
  const y = x.mul(2);
  await assertUserError(() => y.matmul(zeros(4)), torch.ShapeError, "matmul():");
  await assertUserError(() => y.add_(zeros(2, 3)), torch.ShapeError, "add_():");
  await assertAllclose(y, [2, 4, 6]);
  y.sum().backward();
  await assertAllclose(x.grad!, [2, 2, 2]);
});

Deno.test("NaN and infinities are values, as in PyTorch", async () => {
  const x = torch.tensor([NaN, 1, Infinity, -Infinity]);
  assertEquals(await x.isnan().tolist(), [true, false, false, false]);
  assertEquals(await x.isfinite().tolist(), [false, true, false, false]);
  assertEquals(await x.max().item(), NaN);
  assertEquals(await x.argmax().item(), 0);
  await assertAllclose(torch.tensor([-1, 0]).log(), [NaN, -Infinity]);
  await assertAllclose(torch.tensor([1, -1, 0]).div(0), [Infinity, -Infinity, NaN]);
  await assertAllclose(torch.zeros([0]).mean(), [NaN]);
  assertEquals(await torch.zeros([0]).sum().item(), 0);
});

Deno.test("integer division by zero is an error, not a crash or a number", async () => {
  for (const call of [() => int64(1n).floorDivide(0n), () => int64(1n).remainder(int64(0n))]) {
    await assertUserError(call, torch.ArgumentError, "zero").catch((error) => {
      // An element that is zero is known only to the kernel: PyTorch raises there too.
      if (!String(error).includes("zero")) throw error;
    });
  }
});
