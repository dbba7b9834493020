/** uint32 and uint64 on the GPU: exact in 32 bits, and an error beyond. `unsigned.slow.test.ts` tries every op. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { GPU, gpuTest } from "./support.ts";

gpuTest("webgpu: unsigned integers are exact in 32 bits, and an error beyond", async () => {
  const x = torch.tensor([1, 2 ** 32 - 1], { dtype: torch.uint32, device: GPU });
  assertEquals(await x.tolist(), [1, 2 ** 32 - 1]);
  assertEquals(await x.float().tolist(), [1, 2 ** 32]);
  assertEquals(await x.to(torch.uint64).tolist(), [1, 2 ** 32 - 1]);
  assertThrows(
    () => torch.tensor([2n ** 32n], { dtype: torch.uint64, device: GPU }),
    torch.DTypeError,
    "holds uint64 in 32 bits",
  );
  await assertRejects(() => x.long().tolist(), torch.DTypeError, "holds int64; use await x.cpu()");
  await assertRejects(() => x.sum().item(), torch.DTypeError, "sum(): the result does not fit the 32 bits");
  assertEquals(await x.sort(0, { descending: true })[0].tolist(), [2 ** 32 - 1, 1]);
  assertEquals(await x.mul(x).bitwiseXor(x).tolist(), [0, 2 ** 32 - 2]);
  assertEquals(await x.eq(2 ** 32 - 1).tolist(), [false, true]);
  assertThrows(() => x.lt(2), torch.DTypeError, "lt(): PyTorch has none for torch.uint32");
  const y = torch.tensor([-1], { dtype: torch.int32, device: GPU });
  await assertRejects(() => y.to(torch.uint64).item(), torch.DTypeError, "holds uint64");
});
