/** Float8 on the CPU: conversions bit by bit PyTorch's, storage, files, printing, limits. */

import { assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { availableKernels, runScript } from "../support/kernels.ts";

for (const kernels of await availableKernels()) {
  Deno.test(`float8: conversions and use as in PyTorch (${kernels})`, async () => {
    const script = new URL("../support/float8_cpu.ts", import.meta.url);
    const { code, stderr } = await runScript(script, [], kernels);
    assertEquals([code, stderr], [0, ""]);
  });
}

Deno.test("float8: files keep it", async () => {
  const x = torch.tensor([1, -448, NaN], { dtype: torch.float8E4m3fn }),
    y = torch.tensor([57344], { dtype: torch.float8E5m2 });
  const read = torch.io.safetensors.load(await torch.io.safetensors.save({ x, y }));
  assertEquals([read.x.dtype, read.y.dtype], [torch.float8E4m3fn, torch.float8E5m2]);
  assertEquals([await read.x.tolist(), await read.y.item()], [[1, -448, NaN], 57344]);
});

Deno.test("float8: names, limits, printing and promotion", () => {
  assertEquals([String(torch.float8E4m3fn), String(torch.float8E5m2)], ["torch.float8_e4m3fn", "torch.float8_e5m2"]);
  const { max, tiny, eps, resolution } = torch.finfo(torch.float8E4m3fn);
  assertEquals([max, tiny, eps, resolution], [448, 2 ** -6, 0.125, 1]);
  assertEquals([torch.finfo(torch.float8E5m2).max, torch.finfo(torch.float8E5m2).tiny], [57344, 2 ** -14]);
  const x = torch.tensor([1, 2.5], { dtype: torch.float8E5m2 });
  assertEquals(String(x), "tensor([1.0000, 2.5000], dtype=torch.float8_e5m2)");
  assertEquals([x.itemsize, x.isFloatingPoint(), x.dtype.isFloat8, torch.bfloat16.isFloat8], [1, true, true, false]);
  assertEquals(torch.promoteTypes(torch.float8E5m2, torch.float8E5m2), torch.float8E5m2);
  assertThrows(() => torch.promoteTypes(torch.float8E5m2, torch.float32), torch.DTypeError, "do not promote");
  assertThrows(() => torch.setDefaultDtype(torch.float8E5m2), torch.DTypeError, "float8");
});

Deno.test("float8: what the CPU does not compute is refused with a remedy", () => {
  const x = torch.ones(2, 2, { dtype: torch.float8E4m3fn });
  const index = torch.zeros(2, 2, { dtype: torch.int64 });
  const refused: (() => unknown)[] = [
    () => x.sort(),
    () => x.topk(1),
    () => x.argmax(),
    () => x.cumsum(0),
    () => x.scatterAdd(0, index, x),
    () => torch.nn.functional.maxPool2d(x.reshape(1, 1, 2, 2), 2),
    () => torch.nn.functional.linear(x, x),
    () => torch.nn.functional.conv2d(x.reshape(1, 1, 2, 2), x.reshape(1, 1, 2, 2)),
  ];
  for (const f of refused) assertThrows(f, torch.DTypeError, ".to(", String(f));
});
