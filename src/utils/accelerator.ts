/**
 * `accelerator`: the GPU of this machine, whichever kind it is, under PyTorch's names.
 *
 * NVIDIA devices come first. WebGPU devices can only be requested asynchronously, so they count once
 * `openDevice("webgpu")` was awaited; nothing here opens a device.
 *
 * @see https://docs.pytorch.org/docs/stable/accelerator.html
 * @module
 */

import "../ops/attach.ts";
import { type Func, func, NoArgs } from "../base/call.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import { DeviceError } from "../base/errors.ts";
import { deviceCount as cudaCount, synchronize as cudaSynchronize } from "../cuda/device.ts";
import { webGpuBackend, webGpuOpened } from "../backend/webgpu/mod.ts";

/** The parameters of {@linkcode currentAccelerator}. */
export class CurrentAcceleratorArgs {
  constructor(
    /** Accepted for PyTorch's sake: only a kind of device that is present is returned. */
    public checkAvailable = false,
  ) {}
}

/** The parameters of {@linkcode synchronize}. */
export class SynchronizeArgs {
  constructor(
    /** The device, or its number; `null`: that of {@linkcode currentAccelerator}. */
    public device: Device | string | number | null = null,
  ) {}
}

/** The current accelerator, or `null` where there is none. */
function current(): Device | null {
  if (cudaCount() > 0) return parseDevice("cuda");
  const [first] = webGpuOpened();
  return first === undefined ? null : parseDevice(`webgpu:${first}`);
}

/** The number of accelerators of the kind of {@linkcode currentAccelerator}. */
export const deviceCount: Func<typeof NoArgs, number> = func(
  "deviceCount",
  NoArgs,
  () => cudaCount() || webGpuOpened().length,
);

/** Whether there is an accelerator; on WebGPU only once `await openDevice("webgpu")` gave one. */
export const isAvailable: Func<typeof NoArgs, boolean> = func("isAvailable", NoArgs, () => current() !== null);

/**
 * The accelerator that scripts should use, or `null` where there is none.
 *
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 *
 * const device = torch.accelerator.currentAccelerator() ?? "cpu";
 * torch.zeros(3, { device });
 * ```
 */
export const currentAccelerator: Func<typeof CurrentAcceleratorArgs, Device | null> = func(
  "currentAccelerator",
  CurrentAcceleratorArgs,
  current,
);

/**
 * Waits until everything issued to an accelerator is done: for measuring time.
 *
 * Differs from PyTorch: it is a promise, because WebGPU is waited for asynchronously.
 *
 * @throws {DeviceError} if there is no accelerator
 */
export const synchronize: Func<typeof SynchronizeArgs, Promise<void>> = func(
  "synchronize",
  SynchronizeArgs,
  async ({ device }) => {
    const here = current();
    if (here === null) {
      throw new DeviceError(
        'synchronize(): no accelerator was found; of WebGPU, call await openDevice("webgpu") first',
      );
    }
    const wanted = device === null ? here : parseDevice(typeof device === "number" ? `${here.type}:${device}` : device);
    if (wanted.type === "cuda") cudaSynchronize(wanted);
    else if (wanted.type === "webgpu") await webGpuBackend(wanted).gpu.finished();
    else throw new DeviceError(`synchronize(): ${wanted} is no accelerator; its operations are done when they return`);
  },
);
