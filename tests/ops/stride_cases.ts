/**
 * Ops applied to tensors of every layout, by the names of `make_strides.py`, on any device.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import * as torch from "../../mod.ts";
import golden from "../golden/strides.json" with { type: "json" };
import { firstDifference, type Numbers } from "../support/close.ts";

type Tensor = torch.Tensor;
const { functional: F } = torch.nn;
export const last = { memoryFormat: torch.channelsLast };
const rowMajor = { memoryFormat: torch.contiguousFormat };

function gradOf(like: Tensor, fn: (leaf: Tensor) => Tensor): Tensor {
  const leaf = like.detach().clone().requiresGrad_();
  fn(leaf).sum().backward();
  return leaf.grad!;
}

/** What the ops are applied to; `row` makes everything row-major, so that values can be compared. */
function operands(row: boolean, device: string) {
  torch.manualSeed(1);
  const randn = (...shape: number[]) => torch.randn(shape).to(device);
  const laid = (x: Tensor, format: torch.MemoryFormat) => row ? x : x.contiguous({ memoryFormat: format });
  const permuted = (x: Tensor, ...dims: number[]) => row ? x.permute(...dims).contiguous() : x.permute(...dims);
  const y = randn(2, 3, 4, 5), w = randn(6, 3, 3, 3);
  return {
    x: laid(randn(2, 3, 4, 5), torch.channelsLast),
    y,
    v: laid(randn(2, 3, 2, 4, 5), torch.channelsLast3d),
    w,
    wl: row ? w : w.to(last),
    t: permuted(randn(3, 4), 1, 0),
    p: permuted(randn(2, 3, 4), 1, 2, 0),
    c4: laid(randn(2, 4, 3, 3), torch.channelsLast),
    c8: laid(randn(2, 8, 3, 3), torch.channelsLast),
    one: randn(2, 4, 1, 1),
    filt: randn(8, 4, 1, 1),
    at: (...shape: number[]) => torch.sin(torch.arange(shape.reduce((a, b) => a * b, 1))).reshape(shape).to(device),
  };
}

type Operands = ReturnType<typeof operands>;

/** The ops of `make_strides.py`, by name. */
const CASES: Readonly<Record<keyof typeof golden, (o: Operands) => Tensor>> = {
  "mul": ({ x }) => x.mul(2),
  "add": ({ x }) => x.add(x),
  "add row-major": ({ x, y }) => x.add(y),
  "row-major add": ({ x, y }) => y.add(x),
  "add broadcast": ({ x, at }) => x.add(at(3, 1, 1)),
  "broadcast add": ({ x, at }) => at(5).add(x),
  "where": ({ x, y }) => torch.where(x.gt(0), x, y),
  "gt": ({ x }) => x.gt(0),
  "maskedFill": ({ x }) => x.maskedFill(x.gt(0), 0),
  "exp": ({ x }) => x.exp(),
  "relu": ({ x }) => F.relu(x),
  "gelu": ({ x }) => F.gelu(x),
  "clamp": ({ x }) => x.clamp(0, 1),
  "lerp": ({ x, y }) => y.lerp(x, 0.5),
  "addcmul": ({ x, y }) => torch.addcmul(x, y, y),
  "prelu": ({ x, at }) => F.prelu(x, at(3)),
  "dropout": ({ x }) => (torch.manualSeed(7), F.dropout(x)),
  "double": ({ x }) => x.double(),
  "bfloat16": ({ x }) => x.to(torch.bfloat16),
  "transposed": ({ t }) => t.mul(2),
  "transposed add": ({ t, at }) => t.add(at(4, 3)),
  "permuted": ({ p }) => p.exp(),
  "expanded": ({ at }) => at(3, 1).expand(3, 4).mul(2),
  "outer": ({ at }) => at(3, 1).mul(at(1, 4)),
  "select": ({ x }) => x.at(0).mul(2),
  "narrow": ({ x }) => x.narrow(1, 0, 2).mul(2),
  "step": ({ x }) => x.at("...", torch.slice(null, null, 2), torch.slice()).mul(2),
  "squeeze": ({ x }) => x.narrow(0, 0, 1).squeeze(0).exp(),
  "volume": ({ v }) => v.mul(2),
  "complex": ({ x }) => torch.complex(x, x),
  "complex abs": ({ x }) => torch.complex(x, x).abs(),
  "glu": ({ c4 }) => F.glu(c4, 1),
  "contiguous": ({ x }) => x.contiguous(),
  "clone": ({ x }) => x.clone(),
  "clone narrow": ({ x }) => x.narrow(1, 0, 2).clone(),
  "clone expanded": ({ at }) => at(1, 3, 1).expand(2, 3, 4).clone(),
  "clone contiguous": ({ x }) => x.clone(rowMajor),
  "clone last": ({ y }) => y.clone(last),
  "contiguous last": ({ y }) => y.contiguous(last),
  "to last": ({ y }) => y.to(last),
  "to contiguous": ({ x }) => x.to(rowMajor),
  "to last 3d": ({ at }) => at(2, 3, 2, 4, 5).to({ memoryFormat: torch.channelsLast3d }),
  "emptyLike": ({ x }) => torch.emptyLike(x).zero_(),
  "emptyLike permuted": ({ p }) => torch.emptyLike(p).zero_(),
  "zerosLike narrow": ({ x }) => torch.zerosLike(x.narrow(1, 0, 2)),
  "randLike": ({ x }) => (torch.manualSeed(7), torch.randLike(x)),
  "emptyLike contiguous": ({ x }) => torch.emptyLike(x, rowMajor).fill_(1),
  "emptyLike last": ({ y }) => torch.emptyLike(y, last).fill_(1),
  "newZeros": ({ x }) => x.newZeros(2, 3, 4, 5),
  "empty last": ({ x }) => torch.empty(2, 3, 4, 5, { ...last, device: x.device }).fill_(3),
  "sum 0": ({ x }) => x.sum(0),
  "sum 1": ({ x }) => x.sum(1),
  "mean": ({ x }) => x.mean([2, 3], true),
  "max": ({ x }) => x.max(1).values,
  "cumsum": ({ x }) => x.cumsum(1),
  "softmax": ({ x }) => x.softmax(1),
  "cat": ({ x }) => torch.cat([x, x], 1),
  "cat mixed": ({ x, y }) => torch.cat([x, y], 1),
  "pad": ({ x }) => F.pad(x, [1, 1]),
  "pad reflect": ({ x }) => F.pad(x, [1, 1, 1, 1], "reflect"),
  "flip": ({ x }) => x.flip(1),
  "roll": ({ x }) => x.roll(1, 1),
  "flatten": ({ x }) => x.flatten(1),
  "pixelShuffle": ({ c8 }) => F.pixelShuffle(c8, 2),
  "conv2d": ({ x, w }) => F.conv2d(x, w),
  "conv2d weight last": ({ y, wl }) => F.conv2d(y, wl),
  "conv2d row-major": ({ y, w }) => F.conv2d(y, w),
  "conv2d 1x1": ({ x, at }) => F.conv2d(x, at(4, 3, 1, 1)),
  "conv2d of 1x1": ({ one, filt }) => F.conv2d(one, filt),
  "conv2d of 1x1 last": ({ one, filt }) => F.conv2d(one.to(last), filt),
  "conv2d bias": ({ x, w, at }) => F.conv2d(x, w, at(6)),
  "conv2d groups": ({ x, at }) => F.conv2d(x, at(3, 1, 3, 3), { groups: 3 }),
  "conv3d": ({ v, at }) => F.conv3d(v, at(6, 3, 2, 3, 3)),
  "convTranspose2d": ({ x, at }) => F.convTranspose2d(x, at(3, 4, 2, 2)),
  "maxPool2d": ({ x }) => F.maxPool2d(x, 2),
  "maxPool3d": ({ v }) => F.maxPool3d(v, 2),
  "maxPool2d indices": ({ x }) => F.maxPool2d(x, 2, { returnIndices: true })[1],
  "avgPool2d": ({ x }) => F.avgPool2d(x, 2),
  "adaptiveAvgPool2d": ({ x }) => F.adaptiveAvgPool2d(x, 2),
  "adaptiveAvgPool2d 1": ({ x }) => F.adaptiveAvgPool2d(x, 1),
  "adaptiveMaxPool2d": ({ x }) => F.adaptiveMaxPool2d(x, 2),
  "batchNorm": ({ x, at }) => F.batchNorm(x, at(3).zerosLike(), at(3).onesLike(), { training: true }),
  "batchNorm eval": ({ x, at }) => F.batchNorm(x, at(3).zerosLike(), at(3).onesLike()),
  "batchNorm affine": ({ x, at }) => F.batchNorm(x, null, null, at(3).onesLike(), at(3).onesLike(), true),
  "groupNorm": ({ x }) => F.groupNorm(x, 3),
  "interpolate nearest": ({ x }) => F.interpolate(x, { scaleFactor: 2 }),
  "interpolate bilinear": ({ x }) => F.interpolate(x, { scaleFactor: 2, mode: "bilinear" }),
  "interpolate area": ({ x }) => F.interpolate(x, { scaleFactor: 2, mode: "area" }),
  "grad mul": ({ x, y }) => gradOf(x, (a) => a.mul(y)),
  "grad row-major mul": ({ x, y }) => gradOf(y, (a) => a.mul(x)),
  "grad transposed": ({ t }) => gradOf(t, (a) => a.mul(t)),
  "grad narrow": ({ x }) => gradOf(x, (a) => a.narrow(1, 0, 2).mul(2)),
  "grad conv2d": ({ x, w }) => gradOf(x, (a) => F.conv2d(a, w)),
  "grad conv2d row-major": ({ y, wl }) => gradOf(y, (a) => F.conv2d(a, wl)),
  "grad conv2d weight": ({ y, wl }) => gradOf(wl, (a) => F.conv2d(y, a)),
  "grad conv2d weight row-major": ({ x, w }) => gradOf(w, (a) => F.conv2d(x, a)),
  "grad maxPool2d": ({ x }) => gradOf(x, (a) => F.maxPool2d(a, 2)),
  "grad avgPool2d": ({ x }) => gradOf(x, (a) => F.avgPool2d(a, 2)),
  "grad batchNorm": ({ x }) => gradOf(x, (a) => F.batchNorm(a, null, null, { training: true }).mul(a)),
  "grad expand": ({ x }) => gradOf(x, (a) => a.sum([2, 3])),
};

/** The names of all cases. */
export const STRIDE_CASES: readonly string[] = Object.keys(golden);

/** Runs a case on a device: its strides are PyTorch's, its values those of row-major tensors on the CPU. */
export async function checkStrides(name: string, device: string, tolerance = 1e-5): Promise<void> {
  const run = CASES[name as keyof typeof golden];
  const out = run(operands(false, device));
  const strides = out.shape.map((size, d) => size === 1 ? 0 : out.stride(d));
  const [values, same] = [await out.read(), await run(operands(true, "cpu")).read()] as Numbers[];
  assertEquals(firstDifference(values, same, out.shape, { rtol: tolerance, atol: tolerance }), null);
  assertEquals({ shape: [...out.shape], strides }, golden[name as keyof typeof golden]);
}
