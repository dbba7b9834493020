/**
 * `cuda.nccl`: collectives over the CUDA devices of this process, by NCCL.
 *
 * Each takes one tensor per device and runs on those devices' current streams; the host does not wait. Communicators are
 * made on first use and kept per list of devices.
 *
 * @see https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/api/colls.html
 * @module
 */

import "../ops/attach.ts";
import { type Func, func, NoArgs } from "../base/call.ts";
import type { DType } from "../base/dtype.ts";
import { rowOf } from "../base/dtype_table.ts";
import { ArgumentError, describe, DeviceError, DTypeError, ShapeError, show } from "../base/errors.ts";
import { sameShape } from "../base/shape.ts";
import { deviceCount } from "./device.ts";
import { backendAt } from "./streams.ts";
import { addressOf, cudaShim, Library } from "../backend/cuda/device/stream.ts";
import { checkTensors, type Tensor } from "../tensor/tensor.ts";

/** The reduction of the devices' values. */
export type ReduceOp = "sum" | "prod" | "max" | "min" | "avg";

/** The parameters of {@linkcode isAvailable}. */
export class NcclTensorsArgs {
  constructor(
    /** The tensors, one per device. */
    public tensors: readonly Tensor[],
  ) {}
}

/** The parameters of {@linkcode allReduce}. */
export class AllReduceArgs {
  constructor(
    /** The input tensors, one per device. */
    public inputs: readonly Tensor[],
    /** The tensors that the results are written into, one per device; `null`: the inputs. */
    public outputs: readonly Tensor[] | null = null,
    /** The reduction of the devices' values. */
    public op: ReduceOp = "sum",
  ) {}
}

/** The parameters of {@linkcode reduce}. */
export class ReduceArgs {
  constructor(
    /** The input tensors, one per device. */
    public inputs: readonly Tensor[],
    /** The tensor that the result is written into; `null`: the input `root`. */
    public output: Tensor | null = null,
    /** The index of the input whose device gets the result. */
    public root = 0,
    /** The reduction of the devices' values. */
    public op: ReduceOp = "sum",
  ) {}
}

/** The parameters of {@linkcode broadcast}. */
export class BroadcastRootArgs {
  constructor(
    /** The input tensors, one per device. */
    public inputs: readonly Tensor[],
    /** The index of the input whose values are copied. */
    public root = 0,
  ) {}
}

/** The parameters of {@linkcode allGather}. */
export class AllGatherArgs {
  constructor(
    /** The input tensors, one per device. */
    public inputs: readonly Tensor[],
    /** The tensors that the results are written into, one per device. */
    public outputs: readonly Tensor[],
  ) {}
}

/** The parameters of {@linkcode reduceScatter}. */
export class ReduceScatterArgs {
  constructor(
    /** The input tensors, one per device. */
    public inputs: readonly Tensor[],
    /** The tensors that the results are written into, one per device. */
    public outputs: readonly Tensor[],
    /** The reduction of the devices' values. */
    public op: ReduceOp = "sum",
  ) {}
}

const OPS: readonly ReduceOp[] = ["sum", "prod", "max", "min", "avg"];
const HEADER = 4;

/** The shim's codes of the collectives. */
const enum Collective {
  AllReduce,
  Reduce,
  Broadcast,
  AllGather,
  ReduceScatter,
}

/** Whether the collectives support the tensors: NCCL is installed, and they are contiguous, each on another device. */
export const isAvailable: Func<typeof NcclTensorsArgs, boolean> = func(
  "isAvailable",
  NcclTensorsArgs,
  ({ tensors }) => {
    checkTensors("isAvailable", "tensors", tensors);
    if (deviceCount() === 0 || (cudaShim().found >> Library.Nccl & 1) === 0) return false;
    const devices = new Set(tensors.map((x) => x.device));
    return devices.size === tensors.length &&
      tensors.every((x) => x.device.type === "cuda" && x.dense && isCombined(x.dtype));
  },
);

/** The version of NCCL, such as `[2, 28, 0]`. */
export const version: Func<typeof NoArgs, [major: number, minor: number, patch: number]> = func(
  "version",
  NoArgs,
  () => {
    const number = cudaShim().c.cresset_cuda_library(Library.Nccl, new Uint8Array(1), 1);
    return [Math.floor(number / 10000), Math.floor(number / 100) % 100, number % 100];
  },
);

function isCombined(dtype: DType): boolean {
  return rowOf(dtype).nccl;
}

/** The shim's code of a reduction. For bools, which NCCL treats as bytes, one is chosen whose result is 0 or 1. */
function numberOf(name: string, op: ReduceOp, dtype: DType): number {
  const number = OPS.indexOf(op);
  if (number < 0) throw new ArgumentError(`${name}(): op must be one of ${OPS.join(", ")}: ${describe(op)}`);
  if (dtype.kind !== "bool") return number;
  if (op === "avg") throw new DTypeError(`${name}(): bools have no average; convert first`);
  return OPS.indexOf(op === "sum" ? "max" : op === "prod" ? "min" : op);
}

const communicators = new Map<string, number>();

/** The communicator of some devices. */
function communicatorOf(op: string, tensors: readonly Tensor[]): number {
  const ordinals = tensors.map((x) => x.device.index ?? 0);
  const key = ordinals.join();
  let handle = communicators.get(key);
  if (handle === undefined) {
    const states = ordinals.map((ordinal) => backendAt(ordinal).stream);
    ordinals.forEach((ordinal, i) => states[0].args[i] = ordinal);
    handle = states[0].shim.c.cresset_cuda_nccl_open(ordinals.length);
    if (handle === 0) throw new DeviceError(`${op}(): no communicator for cuda:${key}: ${states[0].lastError()}`);
    communicators.set(key, handle);
  }
  return handle;
}

function checkLists(op: string, inputs: readonly Tensor[], outputs: readonly Tensor[]): void {
  checkTensors(op, "inputs", inputs);
  checkTensors(op, "outputs", outputs);
  if (inputs.length === 0) throw new ArgumentError(`${op}(): expected one tensor per device, got none`);
  if (outputs.length !== inputs.length) {
    throw new ArgumentError(`${op}(): expected as many outputs as inputs: ${outputs.length} and ${inputs.length}`);
  }
  const first = inputs[0];
  if (!isCombined(first.dtype)) throw new DTypeError(`${op}(): NCCL does not combine ${first.dtype}; convert first`);
  const devices = new Set(inputs.map((x) => x.device));
  if (devices.size < inputs.length) {
    throw new DeviceError(
      `${op}(): every tensor must be on a device of its own: ${inputs.map((x) => x.device).join(", ")}`,
    );
  }
  inputs.forEach((x, i) => {
    const out = outputs[i];
    if (x.device.type !== "cuda") throw new DeviceError(`${op}(): tensors must be on CUDA devices: ${x.device}`);
    if (out.device !== x.device) {
      throw new DeviceError(`${op}(): output ${i} is on ${out.device}, input ${i} on ${x.device}`);
    }
    if (x.dtype !== first.dtype || out.dtype !== first.dtype) {
      throw new DTypeError(`${op}(): tensors must have one dtype: ${first.dtype}, ${x.dtype} and ${out.dtype}`);
    }
    if (!sameShape(x.shape, first.shape)) {
      throw new ShapeError(`${op}(): tensors must have one shape: ${show(first.shape)} and ${show(x.shape)}`);
    }
    if (!x.dense || !out.dense) throw new ArgumentError(`${op}(): tensors must be contiguous; pass x.contiguous()`);
    if (x.storage.released || out.storage.released) throw new ArgumentError(`${op}(): tensor ${i} was released`);
  });
}

function checkCount(op: string, count: number, of: readonly Tensor[]): void {
  for (const x of of) {
    if (x.numel() !== count) throw new ShapeError(`${op}(): expected ${describe(count)} elements: ${show(x.shape)}`);
  }
}

function runCollective(
  name: string,
  collective: Collective,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  count: number,
  op: ReduceOp = "sum",
  root = 0,
): void {
  const number = numberOf(name, op, inputs[0].dtype);
  if (!Number.isInteger(root) || root < 0 || root >= inputs.length) {
    throw new ArgumentError(`${name}(): root must be from 0 to ${inputs.length - 1}: ${describe(root)}`);
  }
  if (count === 0) return;
  const { stream } = backendAt(inputs[0].device);
  for (const x of inputs) backendAt(x.device).stream.refuseRecording(name, "no collective can be issued");
  const communicator = communicatorOf(name, inputs);
  [collective, number, root, count].forEach((value, i) => stream.args[i] = value);
  inputs.forEach((x, i) => {
    stream.args[HEADER + 2 * i] = addressOf(x);
    stream.args[HEADER + 2 * i + 1] = addressOf(outputs[i]);
  });
  const status = stream.shim.c.cresset_cuda_nccl_collective(communicator, inputs[0].dtype.code);
  if (status < 0) stream.fail(name, status);
  for (const out of outputs) out.storage.version++;
}

/** All-reduce: reduces the tensors of all devices; every device gets the result. */
export const allReduce: Func<typeof AllReduceArgs, void> = func("allReduce", AllReduceArgs, (o) => {
  const { inputs, op } = o, outputs = o.outputs ?? inputs;
  checkLists("allReduce", inputs, outputs);
  checkCount("allReduce", inputs[0].numel(), outputs);
  runCollective("allReduce", Collective.AllReduce, inputs, outputs, inputs[0].numel(), op);
});

/** Reduce: reduces the tensors of all devices into `output`, on the device of input `root`. */
export const reduce: Func<typeof ReduceArgs, void> = func("reduce", ReduceArgs, ({ inputs, output, root, op }) => {
  checkTensors("reduce", "inputs", inputs);
  const outputs = inputs.map((x, i) => i === root ? output ?? x : x);
  checkLists("reduce", inputs, outputs);
  checkCount("reduce", inputs[0].numel(), outputs);
  runCollective("reduce", Collective.Reduce, inputs, outputs, inputs[0].numel(), op, root);
});

/** Broadcast: copies the values of input `root` into the other inputs. */
export const broadcast: Func<typeof BroadcastRootArgs, void> = func(
  "broadcast",
  BroadcastRootArgs,
  ({ inputs, root }) => {
    checkLists("broadcast", inputs, inputs);
    runCollective("broadcast", Collective.Broadcast, inputs, inputs, inputs[0].numel(), "sum", root);
  },
);

/** All-gather: writes the concatenated inputs into each of the outputs. */
export const allGather: Func<typeof AllGatherArgs, void> = func("allGather", AllGatherArgs, ({ inputs, outputs }) => {
  checkLists("allGather", inputs, outputs);
  checkCount("allGather", inputs[0].numel() * inputs.length, outputs);
  runCollective("allGather", Collective.AllGather, inputs, outputs, inputs[0].numel());
});

/** Reduce-scatter: reduces the inputs and writes equal parts of the result, in order, into the outputs. */
export const reduceScatter: Func<typeof ReduceScatterArgs, void> = func("reduceScatter", ReduceScatterArgs, (o) => {
  const { inputs, outputs, op } = o;
  checkLists("reduceScatter", inputs, outputs);
  const part = inputs[0].numel() / inputs.length;
  checkCount("reduceScatter", part, outputs);
  runCollective("reduceScatter", Collective.ReduceScatter, inputs, outputs, part, op);
});
