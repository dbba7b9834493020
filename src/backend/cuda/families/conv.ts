/**
 * Convolutions on CUDA: cuDNN where it is installed and has an algorithm, our own tiled kernel otherwise.
 *
 * @module
 */

import { numelOf } from "../../../base/shape.ts";
import type { ConvGeometry, Strided } from "../../backend.ts";
import type { KernelOf } from "../../bind.ts";
import { cudnn } from "../device/cudnn.ts";
import { Arguments } from "../device/arguments.ts";
import { biasSource, CONV_LISTS, CONV_POINTERS, type ConvKind, convSource } from "../kernels/tiles.ts";
import { runTiles } from "./matmul.ts";
import { addressOf, type CudaStream, Library, THREADS } from "../device/stream.ts";

/** cuDNN's numbers of the three products. */
const KINDS: Readonly<Record<ConvKind, number>> = { forward: 0, byInput: 1, byWeight: 2 };
/** The shim's statuses where there is no room for a plan's scratch memory, and where cuDNN has nothing for a problem. */
const MEMORY = -3, UNSUPPORTED = -7;
/** The shim's modes. */
const TF32 = 1, LAST = 2, MEASURE = 4, DETERMINISTIC = 8;

/** Whether the operands are channels last; where sizes of 1 leave it open, both are the same memory. */
function channelsLast(...operands: readonly Strided[]): boolean {
  return operands.some((x) => !x.dense);
}

/** Whether the output has the sizes that cuDNN computes; that of a transposed convolution may be smaller. */
function standard(x: Strided, weight: Strided, y: Strided, g: ConvGeometry): boolean {
  return g.stride.every((stride, d) => {
    const reach = g.dilation[d] * (weight.shape[2 + d] - 1) + 1;
    return y.shape[2 + d] === Math.floor((x.shape[2 + d] + 2 * g.padding[d] - reach) / stride) + 1;
  });
}

/** What cuDNN did: nothing, all but the bias, or all. */
type Done = "nothing" | "product" | "all";

function byLibrary(
  stream: CudaStream,
  kind: ConvKind,
  x: Strided,
  weight: Strided,
  bias: Strided | null,
  y: Strided,
  g: ConvGeometry,
): Done {
  const usable = cudnn.enabled && stream.has(Library.Cudnn) && x.dtype.isFloatingPoint;
  if (!usable || !standard(x, weight, y, g)) return "nothing";
  const problem = [
    addressOf(x),
    addressOf(weight),
    addressOf(y),
    bias === null ? 0 : addressOf(bias),
    x.shape.length - 2,
    g.groups,
    x.shape[0],
    x.shape[1],
    ...x.shape.slice(2),
    weight.shape[0],
    ...weight.shape.slice(2),
    ...y.shape.slice(2),
    ...g.stride,
    ...g.padding,
    ...g.dilation,
  ];
  const modes = (stream.allowTf32 || cudnn.allowTf32 ? TF32 : 0) + (channelsLast(x, weight, y) ? LAST : 0) +
    (cudnn.benchmark ? MEASURE : 0) + (cudnn.deterministic ? DETERMINISTIC : 0);
  let status = MEMORY;
  for (let attempt = 0; attempt < 2 && status === MEMORY; attempt++) {
    // What the pool holds back may be what the scratch memory lacks.
    if (attempt > 0) stream.allocator.emptyCache();
    stream.args.set(problem);
    status = stream.shim.c.cresset_cuda_conv(stream.ordinal, x.dtype.code, KINDS[kind], modes);
  }
  if (status === UNSUPPORTED || status === MEMORY) return "nothing";
  stream.check("conv", status);
  return stream.args[0] === 0 ? "all" : "product";
}

/** Our own kernel. */
function byTiles(
  stream: CudaStream,
  kind: ConvKind,
  x: Strided,
  weight: Strided,
  bias: Strided | null,
  y: Strided,
  g: ConvGeometry,
): void {
  const rank = x.shape.length - 2, taps = numelOf(weight.shape.slice(2));
  const inner = numelOf(x.shape.slice(2)), outer = numelOf(y.shape.slice(2));
  const ins = weight.shape[1], outs = weight.shape[0] / g.groups, images = x.shape[0];
  const [rows, columns, depth] = kind === "forward"
    ? [outs, images * outer, ins * taps]
    : kind === "byInput"
    ? [ins, images * inner, outs * taps]
    : [outs, ins * taps, images * outer];
  const last = channelsLast(x, weight, y) ? 1 : 0;
  const args = new Arguments(rows, columns, depth, rank, ins, outs, g.groups, taps, bias ? 1 : 0, inner, outer, last);
  const lists = [x.shape.slice(2), y.shape.slice(2), weight.shape.slice(2), g.stride, g.padding, g.dilation];
  lists.forEach((list, i) => list.forEach((value, d) => args.slots[CONV_LISTS + 3 * i + d] = value));
  [x, weight, y, bias].forEach((t, i) => args.slots[CONV_POINTERS + i] = t === null ? 0 : addressOf(t));
  const kernel = stream.kernel(`conv ${kind} ${x.dtype.name}`, "conv", () => convSource(kind, x.dtype));
  runTiles(args, stream, kernel, rows, columns, g.groups);
}

/** `out = conv(x, weight) + bias`; see `Backend.conv`. */
export const conv: KernelOf<CudaStream, "conv"> = (stream, x, weight, bias, out, geometry) => {
  const count = numelOf(out.shape);
  if (count === 0) return;
  const done = numelOf(x.shape) === 0 ? "nothing" : byLibrary(stream, "forward", x, weight, bias, out, geometry);
  if (done === "nothing") return byTiles(stream, "forward", x, weight, bias, out, geometry);
  if (bias === null || done === "all") return;
  const step = channelsLast(x, weight, out) ? 1 : numelOf(out.shape.slice(2));
  const args = new Arguments(count, step, out.shape[1]);
  [out, bias].forEach((t, k) => args.operand(k, addressOf(t)));
  const kernel = stream.kernel(`conv bias ${out.dtype.name}`, "bias", () => biasSource(out.dtype));
  args.launch(stream, kernel, THREADS, stream.blocks(count));
};

/** The gradient by the input; see `Backend.convGradInput`. */
export const convGradInput: KernelOf<CudaStream, "convGradInput"> = (stream, grad, weight, out, geometry) => {
  if (numelOf(out.shape) === 0) return;
  const empty = numelOf(grad.shape) === 0;
  if (empty || byLibrary(stream, "byInput", out, weight, null, grad, geometry) === "nothing") {
    byTiles(stream, "byInput", out, weight, null, grad, geometry);
  }
};

/** The gradient by the weight; see `Backend.convGradWeight`. */
export const convGradWeight: KernelOf<CudaStream, "convGradWeight"> = (stream, grad, x, out, geometry) => {
  if (numelOf(out.shape) === 0) return;
  const empty = numelOf(grad.shape) === 0;
  if (empty || byLibrary(stream, "byWeight", x, out, null, grad, geometry) === "nothing") {
    byTiles(stream, "byWeight", x, out, null, grad, geometry);
  }
};
