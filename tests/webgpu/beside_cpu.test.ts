/** What PyTorch takes from the CPU beside tensors of another device, and what WebGPU cannot hold. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { gpuTest } from "./support.ts";

const device = "webgpu";
const grid = () => torch.arange(6).float().reshape(2, 3).to(device);

gpuTest("a 0-d tensor of the CPU joins; others do not", async () => {
  assertEquals(await grid().mul(torch.tensor(2)).tolist(), [[0, 2, 4], [6, 8, 10]]);
  // Its gradient would have to be read from the device at once.
  const factor = torch.tensor(2, { requiresGrad: true });
  assertThrows(() => grid().mul(factor).sum().backward(), torch.DeviceError, "read asynchronously");
  const wide = torch.tensor(0.5).to(torch.float64);
  assertEquals(await torch.sub(wide, grid()).tolist(), [[0.5, -0.5, -1.5], [-2.5, -3.5, -4.5]]);
  assertEquals(await grid().add_(torch.tensor(1)).tolist(), [[1, 2, 3], [4, 5, 6]]);
  assertThrows(() => grid().mul(torch.ones(3)), torch.DeviceError, "tensors are on different devices");
  assertThrows(() => torch.tensor(1).add_(grid().sum()), torch.DeviceError, "tensors are on different devices");
});

gpuTest("indices and masks of the CPU index", async () => {
  const mask = torch.tensor([[true, false, true], [false, true, false]]);
  assertEquals(await grid().at(torch.tensor([1n, 0n])).tolist(), [[3, 4, 5], [0, 1, 2]]);
  assertEquals(await (await grid().atMask(mask)).tolist(), [0, 2, 4]);
  assertEquals(await grid().setAt(mask, 9).tolist(), [[9, 1, 9], [3, 9, 5]]);
  assertEquals(await grid().setAt(torch.tensor([false, true]), torch.tensor([1n]), 7).tolist(), [[0, 1, 2], [3, 7, 5]]);
});

gpuTest("float64 of the CPU is converted before it is moved; typeAs moves too", async () => {
  const wide = torch.ones(2, { dtype: torch.float64 });
  assertEquals(await wide.to({ device, dtype: torch.float32 }).tolist(), [1, 1]);
  assertEquals(await torch.zeros(2, { device }).copy_(wide).tolist(), [1, 1]);
  assertEquals(torch.ones(2).typeAs(grid()).device.type, "webgpu");
  const layer = new torch.nn.Linear(2, 1).to(device);
  layer.loadStateDict({ weight: torch.ones(1, 2, { dtype: torch.float64 }), bias: wide.narrow(0, 0, 1) });
  assertEquals(await layer.weight.tolist(), [[1, 1]]);
  assertThrows(() => wide.to(device), torch.DTypeError, "WebGPU has no torch.float64");
});

gpuTest("sums of integers that leave 32 bits are found", async () => {
  assertEquals(await torch.arange(60000, { device }).sum().item(), 1799970000);
  await assertRejects(
    async () => await torch.arange(100000, { device }).sum().item(),
    torch.DTypeError,
    "does not fit the 32 bits",
  );
  const rows = torch.full([2, 3], 2 ** 30, { device, dtype: torch.int64 });
  await assertRejects(async () => await rows.sum(1).tolist(), torch.DTypeError, "sum(): the result does not fit");
});
