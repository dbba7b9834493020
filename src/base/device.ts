/**
 * Devices and their names: `"cpu"`, `"cuda:0"`, `"webgpu"`.
 *
 * @module
 */

import { type Args, call } from "./call.ts";
import { type Change, Setting } from "./during.ts";
import { ArgumentError, awaitIt, describe, DeviceError } from "./errors.ts";
import { inspectKey } from "./platform.ts";

/** The kinds of device that Cresset knows. */
export type DeviceType = "cpu" | "cuda" | "webgpu";

/** The parameters of the constructor of {@linkcode Device}. */
export class DeviceOfArgs {
  constructor(
    /** The kind of device. */
    public type: DeviceType,
    /** Which device of that kind; `null` for the CPU. */
    public index: number | null = null,
  ) {}
}

const deviceOfArgs = call("Device", DeviceOfArgs);

/** A device: its kind and, where there are several of a kind, which one. */
export class Device {
  /** The kind of device. */
  readonly type: DeviceType;
  /** Which device of that kind; `null` for the CPU. */
  readonly index: number | null;

  /** Makes a device from its parts; `device("cuda:0")` parses a name. */
  constructor(...args: Args<typeof DeviceOfArgs>) {
    const { type, index } = deviceOfArgs(args);
    this.type = type;
    this.index = index;
    Object.freeze(this);
  }

  /** `cuda:0`, as PyTorch prints it. */
  toString(): string {
    return this.index === null ? this.type : `${this.type}:${this.index}`;
  }

  /** The text that `console.log` shows. */
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

/** Makes `"cuda"` mean the device `index`. */
export function setCurrentCudaDevice(index: number): void {
  currentCuda.assign(() => index);
}

/** A change of the setting that makes `"cuda"` mean the device `index`. */
export function cudaDeviceChange(index: number): Change {
  return currentCuda.to(() => index);
}

/** The parameters of {@linkcode device}. */
export class DeviceArgs {
  constructor(
    /** `"cpu"`, `"cuda"`, `"cuda:1"`, `"webgpu"`, `"webgpu:1"`, or a {@linkcode Device}. */
    public type: string | Device,
    /** Which device of that kind, where the name does not say it. */
    public index: number | null = null,
  ) {}
}

const deviceArgs = call("device", DeviceArgs);

/**
 * The device that a name stands for; a {@linkcode Device} is returned as it is.
 *
 * @throws {DeviceError} if there is no such name
 */
export function device(...args: Args<typeof DeviceArgs>): Device {
  // Every creation op asks for a device, so the usual arguments, a name or a device, skip the parser.
  const [first] = args;
  if (args.length === 1 && (first instanceof Device || typeof first === "string")) return deviceOfName(first);
  const { type, index } = deviceArgs(args);
  if (index === null) return deviceOfName(type);
  if (typeof type !== "string" || type.includes(":")) {
    throw new ArgumentError(`device(): index is given twice: ${describe(type)} and ${describe(index)}`);
  }
  return deviceOfName(`${type}:${index}`);
}

function deviceOfName(name: string | Device): Device {
  if (name instanceof Device) return name;
  if (typeof name !== "string") {
    throw new ArgumentError(`device(): a device is its name or a Device: ${describe(name)}${awaitIt(name)}`);
  }
  // The meaning of "cuda" may change, so its device is not cached under that name.
  if (name === "cuda") name = `cuda:${currentCuda.value}`;
  const found = known.get(name);
  if (found) return found;
  const match = typeof name === "string" ? /^(cpu|cuda|webgpu)(?::(\d+))?$/.exec(name) : null;
  if (!match) {
    throw new DeviceError(
      `device(): unknown device: ${describe(name)}; expected "cpu", "cuda", "cuda:N", "webgpu" or "webgpu:N"`,
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
