/**
 * `cuda.comm`: copying, scattering, gathering and adding tensors over several CUDA devices of this process.
 *
 * NCCL is used where it is installed and supports the tensors, else copies from device to device; either way the host
 * does not wait.
 *
 * @see https://docs.pytorch.org/docs/stable/cuda.html#communication-collectives
 * @module
 */

import { checkArray, checkIntegers } from "../base/checks.ts";
import "../ops/attach.ts";
import { type Func, func } from "../base/call.ts";
import { ArgumentError } from "../base/errors.ts";
import { withGrad } from "../autograd/mode.ts";
import { type CudaDevice, currentDevice } from "./streams.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import { cat } from "../ops/shape/join.ts";
import { scope } from "../tensor/scope.ts";
import { checkTensor, checkTensors, type Tensor } from "../tensor/tensor.ts";
import * as nccl from "./nccl.ts";

/** The parameters of {@linkcode broadcast}. */
export class BroadcastArgs {
  constructor(
    /** The tensor, on any device. */
    public tensor: Tensor,
    /** The devices of the results. */
    public devices: readonly CudaDevice[],
  ) {}
}

/** The parameters of {@linkcode broadcastCoalesced}. */
export class BroadcastCoalescedArgs {
  constructor(
    /** The tensors. */
    public tensors: readonly Tensor[],
    /** The devices of the results. */
    public devices: readonly CudaDevice[],
  ) {}
}

/** The parameters of {@linkcode reduceAdd}. */
export class ReduceAddArgs {
  constructor(
    /** The tensors, one of them on the destination. */
    public inputs: readonly Tensor[],
    /** The device of the result; `null`: the current one. */
    public destination: CudaDevice | null = null,
  ) {}
}

/** The parameters of {@linkcode scatter}. */
export class ScatterPartsArgs {
  constructor(
    /** The tensor. */
    public tensor: Tensor,
    /** The devices of the results. */
    public devices: readonly CudaDevice[],
    /** The sizes of the parts; `null`: equal ones, the last possibly smaller. */
    public chunkSizes: readonly number[] | null = null,
    /** The dimension along which the tensor is split. */
    public dim = 0,
  ) {}
}

/** The parameters of {@linkcode gather}. */
export class GatherPartsArgs {
  constructor(
    /** The tensors. */
    public tensors: readonly Tensor[],
    /** The dimension along which the tensors are joined. */
    public dim = 0,
    /** The device of the result; `null`: the current one. */
    public destination: CudaDevice | null = null,
  ) {}
}

function deviceOf(device: CudaDevice): Device {
  return parseDevice(typeof device === "number" ? `cuda:${device}` : device);
}

/** Copies a tensor to several devices; on its own device it is not copied. */
export const broadcast: Func<typeof BroadcastArgs, Tensor[]> = func(
  "broadcast",
  BroadcastArgs,
  ({ tensor, devices }) => {
    checkTensor("broadcast", "tensor", tensor);
    checkArray("broadcast", "devices", devices);
    if (devices.length === 0) throw new ArgumentError("broadcast(): expected at least one device");
    return devices.map((device) => tensor.to(deviceOf(device)));
  },
);

/** Copies several tensors to several devices; the result is `[device][tensor]`. */
export const broadcastCoalesced: Func<typeof BroadcastCoalescedArgs, Tensor[][]> = func(
  "broadcastCoalesced",
  BroadcastCoalescedArgs,
  ({ tensors, devices }) => {
    checkTensors("broadcastCoalesced", "tensors", tensors);
    checkArray("broadcastCoalesced", "devices", devices);
    return devices.map((device) => tensors.map((x) => x.to(deviceOf(device))));
  },
);

/**
 * Adds tensors that lie on several devices; the result lies on one of these.
 *
 * @throws {ArgumentError} if none of them is on the destination
 */
export const reduceAdd: Func<typeof ReduceAddArgs, Tensor> = func("reduceAdd", ReduceAddArgs, (o) => {
  const { inputs, destination } = o;
  checkTensors("reduceAdd", "inputs", inputs);
  if (inputs.length === 0) throw new ArgumentError("reduceAdd(): expected at least one tensor");
  const device = deviceOf(destination ?? currentDevice());
  const root = inputs.findIndex((x) => x.device === device);
  if (root < 0) {
    throw new ArgumentError(
      `reduceAdd(): one of the tensors must be on the destination ${device}: ${inputs.map((x) => x.device).join(", ")}`,
    );
  }
  return withGrad(false, () =>
    scope(() => {
      if (inputs.length > 1 && nccl.isAvailable(inputs)) {
        const out = inputs[root].detach().emptyLike();
        nccl.reduce(inputs.map((x) => x.detach()), out, root);
        return out;
      }
      const sum = inputs[root].detach().clone();
      inputs.forEach((x, i) => {
        if (i !== root) sum.add_(x.detach().to(device));
      });
      return sum;
    }));
});

/**
 * Splits a tensor along a dimension and moves the parts to several devices.
 *
 * @throws {ArgumentError} if there is not one device for each part
 */
export const scatter: Func<typeof ScatterPartsArgs, Tensor[]> = func("scatter", ScatterPartsArgs, (o) => {
  const { tensor, devices, chunkSizes, dim } = o;
  checkTensor("scatter", "tensor", tensor);
  checkArray("scatter", "devices", devices);
  if (chunkSizes !== null) checkIntegers("scatter", "chunkSizes", chunkSizes);
  const parts = chunkSizes === null ? tensor.chunk(devices.length, dim) : tensor.split([...chunkSizes], dim);
  if (parts.length !== devices.length) {
    throw new ArgumentError(`scatter(): expected a device for each of the ${parts.length} parts: ${devices.length}`);
  }
  return parts.map((part, i) => part.contiguous().to(deviceOf(devices[i])));
});

/** Joins tensors that lie on several devices, on one device. */
export const gather: Func<typeof GatherPartsArgs, Tensor> = func("gather", GatherPartsArgs, (o) => {
  const { tensors, dim, destination } = o;
  checkTensors("gather", "tensors", tensors);
  const device = deviceOf(destination ?? currentDevice());
  return cat(tensors.map((x) => x.to(device)), dim);
});
