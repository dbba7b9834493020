/**
 * What goes wrong on a GPU surfaces as an error of the op that caused it, and what is read together is read once.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { WebGpuBackend, webGpuBackend } from "../../src/backend/webgpu/mod.ts";
import { listAdapters, requestGpu } from "../../src/backend/webgpu/device/adapters.ts";
import type { Gpu, GpuBlock } from "../../src/backend/webgpu/device/gpu.ts";
import { prelude } from "../../src/backend/webgpu/text/kernel_text.ts";
import { gpuIsOpen, gpuTest } from "./support.ts";

/** A device of the test's own, which it may break. */
async function ownGpu(): Promise<Gpu> {
  const gpu = await requestGpu();
  if (gpu === null) throw new Error("the adapter is gone");
  return gpu;
}

Deno.test("a device that does not exist is refused with its name", async () => {
  const open = await gpuIsOpen();
  const error = await assertRejects(() => torch.openDevice("webgpu:7"), torch.DeviceError);
  assert(error.message.includes(open ? "webgpu:7" : "no WebGPU adapter"), error.message);
});

gpuTest("a number beyond the last adapter is refused with what there is", async () => {
  const error = await assertRejects(() => torch.openDevice("webgpu:9"), torch.DeviceError);
  assert(/webgpu:9.*there is "webgpu:0" \(.+\)/.test(error.message), error.message);
  assertThrows(() => torch.zeros([1], { device: "webgpu:8" }), torch.DeviceError, "webgpu:8");
  const count = await torch.webgpu.deviceCount();
  assert(count >= 1);
  assert(error.message.includes(`"webgpu:${count - 1}" (${await torch.webgpu.getDeviceName(count - 1)})`));
  await assertRejects(() => torch.webgpu.getDeviceName(count), torch.DeviceError, `${count} in all`);
});

Deno.test("adapters that differ are devices of their own, the fastest first", async () => {
  const adapter = (description: string, isFallbackAdapter = false) =>
    ({ info: { vendor: "v", architecture: "", device: "", description, isFallbackAdapter } }) as GPUAdapter;
  const list = (fast: GPUAdapter | null, economical: GPUAdapter | null, software: GPUAdapter | null) =>
    listAdapters((wish) =>
      Promise.resolve(wish.forceFallbackAdapter ? software : wish.powerPreference === "low-power" ? economical : fast)
    ).then((choices) => choices.map((choice) => choice.name));
  assertEquals(await list(adapter("big"), adapter("small"), adapter("soft", true)), ["big", "small", "soft"]);
  assertEquals(await list(adapter("big"), adapter("big"), null), ["big"]);
  assertEquals(await list(null, null, adapter("soft", true)), ["soft"]);
  assertEquals(await list(null, null, null), []);
});

gpuTest("dtypes that the device lacks are refused with the remedy", () => {
  const error = assertThrows(() => torch.zeros([2], { device: "webgpu", dtype: torch.float64 }), torch.DTypeError);
  assert(error.message.includes("float32") && error.message.includes("cpu"), error.message);
  assertThrows(
    () => torch.fromData(new BigInt64Array([2n ** 40n]), [1]).to("webgpu"),
    torch.DTypeError,
    "1099511627776",
  );
});

gpuTest("a tensor larger than the adapter binds is refused with the numbers", () => {
  const limit = 2 ** 33;
  const error = assertThrows(() => torch.empty([limit], { device: "webgpu" }), torch.OutOfMemoryError);
  assert(
    error.message.includes(String(limit * 4)) && /largest binding \(\d+ bytes\)/.test(error.message),
    error.message,
  );
});

gpuTest("too many live tensors run out of memory, and freed ones make room", async () => {
  const gpu = await ownGpu();
  gpu.setLimit(2 ** 22);
  const blocks = [1, 2, 3].map(() => gpu.alloc(2 ** 20));
  const error = assertThrows(() => gpu.alloc(2 ** 21), torch.OutOfMemoryError);
  assert(error.message.includes("in use in 3 blocks") && error.message.includes("dispose"), error.message);
  blocks.forEach((block) => gpu.free(block));
  assertEquals(gpu.alloc(2 ** 21).bytes, 2 ** 21);
  gpu.destroy();
});

gpuTest("a refused kernel names its op", async () => {
  const gpu = await ownGpu();
  const block = gpu.alloc(16);
  const code = () => `${prelude(1)}@compute @workgroup_size(1) fn main() { let x: f32 = true; }`;
  gpu.dispatch("frobnicate float32", code, [block], [1], [1, 1, 1]);
  const error = await assertRejects(() => gpu.read(block, 0, 16), torch.NativeError);
  assert(error.message.startsWith("frobnicate()") && error.message.includes("expected to be"), error.message);
  gpu.destroy();
});

gpuTest("refused commands name the ops of their batch", async () => {
  const gpu = await ownGpu();
  const block = gpu.alloc(16);
  const code = () => `${prelude(1)}@compute @workgroup_size(1) fn main() { b0[0] = 1u; }`;
  gpu.dispatch("frobnicate float32", code, [block], [1], [2 ** 17, 1, 1]);
  const error = await assertRejects(() => gpu.read(block, 0, 16), torch.NativeError);
  assert(error.message.startsWith("frobnicate(): ") && error.message.includes("131072"), error.message);
  // What comes after it works.
  gpu.dispatch("frobnicate float32", code, [block], [1], [1, 1, 1]);
  assertEquals(new Uint32Array(await gpu.read(block, 0, 4)), new Uint32Array([1]));
  gpu.destroy();
});

gpuTest("a device out of memory says what is in use, at the next op", async () => {
  const gpu = await ownGpu();
  const held = gpu.alloc(4096);
  const pop = gpu.device.popErrorScope.bind(gpu.device);
  gpu.device.popErrorScope = async () => (await pop(), new GPUOutOfMemoryError("no room"));
  gpu.alloc(2 ** 20);
  gpu.device.popErrorScope = pop;
  const error = await assertRejects(() => gpu.read(held, 0, 16), torch.OutOfMemoryError);
  assert(error.message.includes("in use in 2 blocks") && error.message.includes("dispose"), error.message);
  assertEquals((await gpu.read(held, 0, 16)).byteLength, 16);
  gpu.destroy();
});

gpuTest("after a loss later ops say so, and the CPU is usable", async () => {
  const gpu = await ownGpu();
  const backend = new WebGpuBackend(gpu);
  const block = backend.alloc(4, torch.float32);
  gpu.destroy();
  await gpu.device.lost;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertThrows(() => backend.alloc(4, torch.float32), torch.DeviceError, "lost");
  await assertRejects(() => gpu.read(block as GpuBlock, 0, 16), torch.DeviceError, "lost");
  backend.free(block);
  assertEquals(await torch.ones([3]).sum().item(), 3);
});

gpuTest("a lost device is opened again, and tensors of the old one say that it was lost", async () => {
  const before = torch.ones([3], { device: "webgpu" });
  const { gpu } = webGpuBackend(torch.device("webgpu"));
  gpu.destroy();
  await gpu.device.lost;
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertThrows(() => torch.ones([3], { device: "webgpu" }), torch.DeviceError, "lost");
  await torch.openDevice("webgpu");
  const after = torch.ones([3], { device: "webgpu" });
  assertEquals(await after.add(1).tolist(), [2, 2, 2]);
  assertThrows(() => after.add(before), torch.DeviceError, "lost");
  await assertRejects(() => before.tolist(), torch.DeviceError, "lost");
  assertEquals(await after.sum().item(), 3);
});

gpuTest("an index out of range is an error of its op at the next read", async () => {
  const x = torch.ones([4, 3], { device: "webgpu" });
  const bad = x.indexSelect(0, torch.tensor([9n]).to("webgpu"));
  const error = await assertRejects(() => bad.read(), torch.IndexError);
  assert(error.message.includes("indexSelect()") && error.message.includes("9"), error.message);
  assertEquals(await x.sum().item(), 12);
});

gpuTest("reads of one turn share one wait", async () => {
  const tensors = Array.from({ length: 40 }, (_, i) => torch.full([5], i, { device: "webgpu" }));
  await tensors[0].read();
  const start = performance.now();
  const all = await Promise.all(tensors.map((x) => x.sum().item()));
  const together = performance.now() - start;
  assertEquals(all, tensors.map((_, i) => 5 * i));
  const first = performance.now();
  for (const x of tensors.slice(0, 8)) await x.sum().item();
  // 8 waits of at least 10 ms each, against one.
  assert(together < 4 * (performance.now() - first), `40 reads at once took ${together} ms`);
});

gpuTest("a read sees the values at the time of the call", async () => {
  const x = torch.ones([4], { device: "webgpu" });
  const before = x.read();
  x.add_(1);
  assertEquals([...await before as Float32Array], [1, 1, 1, 1]);
  assertEquals([...await x.read() as Float32Array], [2, 2, 2, 2]);
});

gpuTest("a script that used the GPU ends by itself", async () => {
  const mod = new URL("../../mod.ts", import.meta.url).href;
  const script = `import * as torch from "${mod}";
    const device = await torch.openDevice("webgpu");
    console.log(await torch.ones([3], { device }).sum().item());`;
  const child = new Deno.Command(Deno.execPath(), { args: ["eval", "--no-check", script], stderr: "null" }).spawn();
  const timer = setTimeout(() => child.kill(), 60_000);
  const { success } = await child.status;
  clearTimeout(timer);
  assert(success);
});
