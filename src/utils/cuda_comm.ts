/**
 * `cuda.comm`: tensors to and from several CUDA devices of this process.
 *
 * NCCL does it where it is installed and can, else copies from device to device; either way the host does not wait.
 *
 * @see https://docs.pytorch.org/docs/stable/cuda.html#communication-collectives
 * @module
 */

import "../ops/attach.ts";
import { ArgumentError } from "../base/errors.ts";
import { withGrad } from "../autograd/mode.ts";
import { type CudaDevice, currentDevice } from "../backend/cuda_streams.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import { cat } from "../ops/join.ts";
import { scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as nccl from "./cuda_nccl.ts";

function deviceOf(device: CudaDevice): Device {
  return parseDevice(typeof device === "number" ? `cuda:${device}` : device);
}

/**
 * Copies of a tensor on several devices; where it lies already it is not copied.
 *
 * @param devices where; the tensor itself may be anywhere
 */
export function broadcast(tensor: Tensor, devices: readonly CudaDevice[]): Tensor[] {
  if (devices.length === 0) throw new ArgumentError("broadcast(): expected at least one device");
  return devices.map((device) => tensor.to(deviceOf(device)));
}

/** The copies of several tensors, by device: `broadcastCoalesced(tensors, devices)[device][tensor]`. */
export function broadcastCoalesced(tensors: readonly Tensor[], devices: readonly CudaDevice[]): Tensor[][] {
  return devices.map((device) => tensors.map((x) => x.to(deviceOf(device))));
}

/**
 * The sum of tensors of several devices, on one of them.
 *
 * @param destination default: the current device
 */
export function reduceAdd(inputs: readonly Tensor[], destination?: CudaDevice): Tensor {
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
}

/**
 * The parts of a tensor along a dimension, on several devices.
 *
 * @param chunkSizes sizes of the parts; default: equal ones, the last possibly smaller
 */
export function scatter(
  tensor: Tensor,
  devices: readonly CudaDevice[],
  chunkSizes?: readonly number[],
  dim = 0,
): Tensor[] {
  const parts = chunkSizes === undefined ? tensor.chunk(devices.length, dim) : tensor.split([...chunkSizes], dim);
  if (parts.length !== devices.length) {
    throw new ArgumentError(`scatter(): expected a device for each of the ${parts.length} parts: ${devices.length}`);
  }
  return parts.map((part, i) => part.contiguous().to(deviceOf(devices[i])));
}

/**
 * Tensors of several devices as one.
 *
 * @param destination default: the current device
 */
export function gather(tensors: readonly Tensor[], dim = 0, destination?: CudaDevice): Tensor {
  const device = deviceOf(destination ?? currentDevice());
  return cat(tensors.map((x) => x.to(device)), dim);
}
