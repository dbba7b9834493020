/**
 * Shows tensors as PyTorch prints them.
 *
 * `console.log(x)` reads the values where the device can wait; elsewhere it shows shape, dtype and device, and
 * `await x.repr()` gives the full text.
 *
 * @module
 */

import { gradFnOf, requiresGrad } from "../autograd/node.ts";
import { formatTensor } from "../tensor/print.ts";
import { Tensor } from "../tensor/tensor.ts";
import { data as readData, dataSync } from "./convert.ts";

function text(x: Tensor, values: ArrayLike<number | bigint>): string {
  const gradFn = gradFnOf(x)?.name;
  return formatTensor(values, x.shape, x.dtype, {
    device: x.device.type === "cpu" ? undefined : String(x.device),
    requiresGrad: requiresGrad(x) && gradFn === undefined,
    gradFn,
  });
}

/** PyTorch's `repr`, on any device. */
export async function repr(input: Tensor): Promise<string> {
  return text(input, await readData(input.detach()));
}

function inspect(this: Tensor): string {
  if (this.isReleased) return `tensor(released, size=(${this.shape.join(", ")}), dtype=${this.dtype})`;
  if (!this.storage.backend.readSync) {
    return `tensor(..., size=(${this.shape.join(", ")}), dtype=${this.dtype}, device='${this.device}')`;
  }
  return text(this, dataSync(this.detach()));
}

for (const key of [Symbol.for("Deno.customInspect"), Symbol.for("nodejs.util.inspect.custom"), "toString"]) {
  Object.defineProperty(Tensor.prototype, key, { value: inspect, configurable: true, writable: true });
}
