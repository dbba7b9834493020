/**
 * Moving everything that a value holds to another device.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { type Device, device as parseDevice } from "../base/device.ts";
import { nameCall } from "../base/errors.ts";
import { copiesAtOnce } from "../ops/create/convert.ts";
import { Tensor } from "../tensor/tensor.ts";

/** The parameters of {@linkcode sendToDevice} after the value. */
export class SendToDeviceArgs {
  constructor(
    /** Where the tensors go. */
    public device: string | Device,
  ) {}
}

const sendArgs = call("sendToDevice", SendToDeviceArgs);

/**
 * A copy of a value with its tensors on another device: a batch, or the state dict of a module or of an optimizer.
 *
 * A promise, because some devices (WebGPU) are read asynchronously; all tensors are read at once. What is no tensor stays as it
 * is, and so do tensors that are there already. A tensor that occurs twice is one tensor in the copy.
 *
 * The name is that of Hugging Face's accelerate, `send_to_device`.
 *
 * @param value a tensor, or lists, plain objects and maps that hold some, at any depth
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const model = new torch.nn.Linear(2, 1), optimizer = new torch.optim.Adam(model.parameters());
 * const saved = await torch.utils.sendToDevice({ model: model.stateDict(), optimizer: optimizer.stateDict() }, "cpu");
 * assertEquals(saved.model.weight.device.type, "cpu");
 * ```
 */
export async function sendToDevice<T>(value: T, ...args: Args<typeof SendToDeviceArgs>): Promise<T> {
  const target = deviceOf(sendArgs(args).device);
  const seen = new Map<object, Promise<unknown>>();
  const copy = (item: unknown): unknown => {
    if (typeof item !== "object" || item === null) return item;
    let made = seen.get(item);
    if (made === undefined) seen.set(item, made = sent(item, target, copy));
    return made;
  };
  return await copy(value) as T;
}

function deviceOf(device: string | Device): Device {
  try {
    return parseDevice(device);
  } catch (error) {
    throw nameCall("sendToDevice", error);
  }
}

/** The copy of one object; `copy` gives those of what it holds. */
async function sent(item: object, device: Device, copy: (item: unknown) => unknown): Promise<unknown> {
  if (item instanceof Tensor) {
    if (item.device === device) return item;
    return copiesAtOnce(item, device) ? item.to(device) : (await item.cpu()).to(device);
  }
  const all = (items: readonly unknown[]) => Promise.all(items.map(copy));
  if (Array.isArray(item)) return await all(item);
  if (item instanceof Map) {
    const values = await all([...item.values()]);
    return new Map([...item.keys()].map((key, i) => [key, values[i]]));
  }
  const prototype = Object.getPrototypeOf(item);
  if (prototype !== Object.prototype && prototype !== null) return item;
  const values = await all(Object.values(item));
  return Object.fromEntries(Object.keys(item).map((key, i) => [key, values[i]]));
}
