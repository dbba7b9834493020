/**
 * Which backend serves which device.
 *
 * @module
 */

import { type Args, call, type Func, func, NoArgs } from "../base/call.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import { DeviceError } from "../base/errors.ts";
import type { Backend } from "./backend.ts";
import { cpuBackend } from "./cpu/mod.ts";
import { cudaBackend } from "./cuda/mod.ts";
import { openWebGpu, webGpuBackend, webGpuNames } from "./webgpu/mod.ts";

/**
 * The kernels of a device.
 *
 * @throws {DeviceError} if this build or this machine has none
 */
export function backendOf(device: Device): Backend {
  if (device.type === "cpu") return cpuBackend();
  return device.type === "cuda" ? cudaBackend(device) : webGpuBackend(device);
}

let defaultDevice = parseDevice("cpu");

/** The parameters of {@linkcode setDefaultDevice}. */
export class SetDefaultDeviceArgs {
  constructor(
    /** The device. */
    public device: string | Device,
  ) {}
}

/** The parameters of {@linkcode openDevice}. */
export class OpenDeviceArgs {
  constructor(
    /** The device. */
    public name: string | Device,
  ) {}
}

/** The parameters of {@linkcode webGpuDeviceName}. */
export class AdapterArgs {
  constructor(
    /** Which one. */
    public index = 0,
  ) {}
}

const defaultDeviceArgs = call("getDefaultDevice", NoArgs);
const openDeviceArgs = call("openDevice", OpenDeviceArgs);
const isAvailableArgs = call("isAvailable", NoArgs);
const deviceCountArgs = call("deviceCount", NoArgs);
const deviceNameArgs = call("getDeviceName", AdapterArgs);

/** The device of tensors made without saying where. */
export function getDefaultDevice(...args: Args<typeof NoArgs>): Device {
  if (args.length > 0) defaultDeviceArgs(args);
  return defaultDevice;
}

/** Sets the device of tensors made without saying where. */
export const setDefaultDevice: Func<typeof SetDefaultDeviceArgs, void> = func(
  "setDefaultDevice",
  SetDefaultDeviceArgs,
  ({ device }) => {
    const chosen = parseDevice(device);
    backendOf(chosen);
    defaultDevice = chosen;
  },
);

/**
 * Opens a device and gives it: needed once for WebGPU, whose devices are asked for asynchronously; the others are open.
 * `"webgpu:1"` is the second of the adapters that differ (fast, economical, in software). A lost device may be opened again.
 *
 * On WebGPU: there is no float64 and no complex128, int64 and uint64 are held in 32 bits, which is checked where values come from the
 * host; both throw a `DTypeError` with the remedy. A tensor may not be larger than what the adapter binds at once.
 *
 * There, every read of a value (`item()`, `data()`, `tolist()`) takes Deno at least 10 ms, whatever its size; reads that
 * are asked for together take that once. Read losses every few steps, with `Promise.all`, rather than one by one.
 *
 * @throws {DeviceError} if there is no such device
 *
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 *
 * const device = await torch.openDevice("cpu");
 * torch.zeros(3, { device });
 * ```
 */
export async function openDevice(...args: Args<typeof OpenDeviceArgs>): Promise<Device> {
  const { name } = openDeviceArgs(args);
  const device = parseDevice(name);
  if (device.type === "webgpu") await openWebGpu(device.index ?? 0);
  backendOf(device);
  return device;
}

/** Opens the GPU that WebGPU offers: whether there is one. Needed once before the device `"webgpu"` is used. */
export async function webGpuIsAvailable(...args: Args<typeof NoArgs>): Promise<boolean> {
  isAvailableArgs(args);
  return await openWebGpu() !== null;
}

/** How many GPUs WebGPU offers: `"webgpu:0"` and so on. */
export async function webGpuDeviceCount(...args: Args<typeof NoArgs>): Promise<number> {
  deviceCountArgs(args);
  return (await webGpuNames()).length;
}

/**
 * What a GPU that WebGPU offers calls itself.
 *
 * @throws {DeviceError} if there is no such GPU
 */
export async function webGpuDeviceName(...args: Args<typeof AdapterArgs>): Promise<string> {
  const { index } = deviceNameArgs(args);
  const names = await webGpuNames();
  if (names[index] !== undefined) return names[index];
  throw new DeviceError(`getDeviceName(): there is no WebGPU adapter of number ${index}: ${names.length} in all`);
}
