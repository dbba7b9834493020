/**
 * Tensors as text: printed as PyTorch prints them, as JSON, and refused where JavaScript wants a number.
 *
 * `console.log(x)` reads the values where the device can wait; elsewhere it shows shape, dtype and device, and
 * `await x.repr()` gives the full text.
 *
 * @module
 */

import { inspectKeys } from "../base/platform.ts";
import { gradFnOf, requiresGrad } from "../autograd/node.ts";
import { ArgumentError, show } from "../base/errors.ts";
import { formatTensor } from "../tensor/print.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Nested, read, readSync, tolistSync } from "./create/convert.ts";

function text(x: Tensor, values: ArrayLike<number | bigint>): string {
  const gradFn = gradFnOf(x)?.name;
  return formatTensor(values, x.shape, x.dtype, {
    device: x.device.type === "cpu" ? undefined : String(x.device),
    requiresGrad: requiresGrad(x) && gradFn === undefined,
    gradFn,
  });
}

/** How tensors turn into text; attached to `Tensor`. */
export interface TensorText {
  /** PyTorch's `repr`, on any device. */
  repr(): Promise<string>;
  /** PyTorch's `repr` where the device can wait; elsewhere shape, dtype and device. */
  toString(): string;
  /** The values as nested arrays, for `JSON.stringify`; read at once, so only where the device can wait. */
  toJSON(): Nested;
}

async function repr(this: Tensor): Promise<string> {
  return text(this, await read(this.detach()));
}

function toJSON(this: Tensor): Nested {
  return tolistSync(this);
}

/**
 * JavaScript would compute `-x`, `x * 2` and `x < y` with NaN, and `x + y` and `x == 1` with text; PyTorch's operators are
 * methods here. A template string asks for text, which is there.
 */
function toPrimitive(this: Tensor, hint: string): string {
  if (hint === "string") return this.toString();
  const [rule, remedy] = hint === "number"
    ? [
      "a tensor is not a number, as *, -, < and Number() want one",
      "use a.mul(b), a.neg(), a.lt(b), … or await a.item()",
    ]
    : ["a tensor has no + and no == of its own", "use a.add(b), a.eq(b), or `${a}` for text"];
  throw new ArgumentError(`valueOf(): ${rule}: shape ${show(this.shape)}; ${remedy}`);
}

function inspect(this: Tensor): string {
  if (this.isReleased) return `tensor(released, size=(${this.shape.join(", ")}), dtype=${this.dtype})`;
  if (!this.storage.backend.readSync) {
    return `tensor(..., size=(${this.shape.join(", ")}), dtype=${this.dtype}, device='${this.device}')`;
  }
  return text(this, readSync(this.detach()));
}

for (const key of [...inspectKeys, "toString"]) {
  Object.defineProperty(Tensor.prototype, key, { value: inspect, configurable: true, writable: true });
}
for (const [key, value] of [["repr", repr], ["toJSON", toJSON], [Symbol.toPrimitive, toPrimitive]] as const) {
  Object.defineProperty(Tensor.prototype, key, { value, configurable: true, writable: true });
}
