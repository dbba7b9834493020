/**
 * Device names: `"cpu"`, `"cuda:0"`, `"webgpu"`.
 *
 * @module
 */

import { type Change, Setting } from "./during.ts";
import { DeviceError } from "./errors.ts";
import { inspectKey } from "./platform.ts";

/** The kinds of device that Cresset knows. */
export type DeviceType = "cpu" | "cuda" | "webgpu";

/** A device: its kind and, where there are several of a kind, which one. */
export class Device {
  /** The kind of device. */
  readonly type: DeviceType;
  /** Which device of that kind; `null` for the CPU. */
  readonly index: number | null;

  /** Makes a device from its parts; `device("cuda:0")` parses a name. */
  constructor(type: DeviceType, index: number | null = null) {
    this.type = type;
    this.index = index;
    Object.freeze(this);
  }

  /** `cuda:0`, as PyTorch prints it. */
  toString(): string {
    return this.index === null ? this.type : `${this.type}:${this.index}`;
  }

  /** How `console.log` shows it. */
  [inspectKey](): string {
    return `device(type='${this.type}'${this.index === null ? "" : `, index=${this.index}`})`;
  }
}

/** The CPU. */
export const CPU: Device = new Device("cpu");

const known = new Map<string, Device>([["cpu", CPU]]);
const currentCuda = new Setting("device", 0);

/** The number of the device that `"cuda"` means. */
export function currentCudaDevice(): number {
  return currentCuda.value;
}

/** Lets `"cuda"` mean the device `index`. */
export function setCurrentCudaDevice(index: number): void {
  currentCuda.assign(() => index);
}

/** A change that lets `"cuda"` mean the device `index`. */
export function cudaDeviceChange(index: number): Change {
  return currentCuda.to(() => index);
}

/**
 * The device of a name.
 *
 * @param name `"cpu"`, `"cuda"`, `"cuda:1"`, `"webgpu"`, `"webgpu:1"`, or a {@linkcode Device}
 * @throws {DeviceError} if the name is none of these
 */
export function device(name: string | Device): Device {
  if (name instanceof Device) return name;
  // What "cuda" means changes, so it is not kept.
  if (name === "cuda") name = `cuda:${currentCuda.value}`;
  const found = known.get(name);
  if (found) return found;
  const match = /^(cpu|cuda|webgpu)(?::(\d+))?$/.exec(name);
  if (!match) {
    throw new DeviceError(
      `device(): unknown device: "${name}"; expected "cpu", "cuda", "cuda:N", "webgpu" or "webgpu:N"`,
    );
  }
  const type = match[1] as DeviceType;
  // Devices are compared by identity, so "cuda" and "cuda:0" must be one object.
  const index = Number(match[2] ?? 0);
  const full = type === "cpu" ? "cpu" : `${type}:${index}`;
  const made = known.get(full) ?? new Device(type, index);
  known.set(full, made);
  known.set(name, made);
  return made;
}
