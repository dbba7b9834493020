/**
 * What the WebGPU tests share: the opened device, or the reason why they are left out.
 *
 * @module
 */

import { assert } from "@std/assert";
import * as torch from "../../mod.ts";

/** The device's name in these tests. */
export const GPU = "webgpu";

let opened: Promise<boolean> | null = null;

/** Opens the GPU; says once why there is none. */
export function gpuIsOpen(): Promise<boolean> {
  return opened ??= torch.openDevice(GPU).then(() => true, (error) => {
    if (!(error instanceof torch.DeviceError)) throw error;
    console.log(`WebGPU is not tested here: ${error.message}`);
    return false;
  });
}

/** A test that runs where there is an adapter. */
export function gpuTest(name: string, body: (t: Deno.TestContext) => Promise<void> | void): void {
  Deno.test(name, async (t) => {
    if (await gpuIsOpen()) await body(t);
  });
}

/** All values as numbers; booleans count as 0 and 1. */
export async function numbersOf(x: torch.Tensor): Promise<number[]> {
  return Array.from(await x.contiguous().read() as ArrayLike<number | bigint | boolean>, Number);
}

/** Asserts that `actual` holds what `expected` does, within `tolerance` of the largest value. */
export async function assertSame(
  actual: torch.Tensor,
  expected: torch.Tensor,
  what: string,
  tolerance = 2e-6,
): Promise<void> {
  assert(
    String(actual.shape) === String(expected.shape),
    `${what}: shape [${actual.shape}], on the CPU [${expected.shape}]`,
  );
  assert(actual.dtype === expected.dtype, `${what}: ${actual.dtype}, on the CPU ${expected.dtype}`);
  const [ours, theirs] = [await numbersOf(actual), await numbersOf(expected)];
  let largest = 1;
  for (const v of theirs) if (Number.isFinite(v)) largest = Math.max(largest, Math.abs(v));
  ours.forEach((v, i) => {
    const same = Object.is(v, theirs[i]) || v === theirs[i] || Math.abs(v - theirs[i]) <= tolerance * largest;
    assert(same, `${what}: [${i}] is ${v}, on the CPU ${theirs[i]}`);
  });
}
