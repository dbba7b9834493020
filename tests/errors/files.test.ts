/**
 * Bad files: truncated, hostile, missing, or a folder that cannot be written: one clear error each, and a file that was
 * there before stays whole.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import { assertAllclose, assertUserError } from "../support/assert.ts";

const { safetensors, idx } = torch.io;

/** Runs `body` with a temporary folder. */
async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a truncated safetensors file is a FormatError wherever it was cut", () =>
  inFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await safetensors.saveFile({ weight: torch.ones([4, 4]), bias: torch.zeros([4]) }, path);
    const whole = await Deno.readFile(path);
    for (const length of [0, 4, 8, 20, whole.length - 1]) {
      await Deno.writeFile(path, whole.subarray(0, length));
      const error = await assertUserError(() => safetensors.loadFile(path), torch.FormatError, "model.safetensors");
      assert(error.message.length < 400, error.message);
    }
  }));

Deno.test("a safetensors header that lies is a FormatError, not an allocation", () =>
  inFolder(async (folder) => {
    const path = `${folder}/hostile.safetensors`;
    const write = async (header: string, claimed = header.length, data = 0) => {
      const file = new Uint8Array(8 + header.length + data);
      new DataView(file.buffer).setBigUint64(0, BigInt(claimed), true);
      file.set(new TextEncoder().encode(header), 8);
      await Deno.writeFile(path, file);
    };
    const entry = (shape: string, offsets: string) =>
      `{"x":{"dtype":"F32","shape":${shape},"data_offsets":${offsets}}}`;
    await write("{}", 2 ** 40);
    await assertUserError(() => safetensors.loadFile(path), torch.FormatError, "hostile");
    for (
      const header of [
        "not json",
        "[]",
        entry("[1099511627776]", "[0,4398046511104]"),
        entry("[2]", "[0,4]"),
        entry("[-1]", "[0,4]"),
      ]
    ) {
      await write(header, header.length, 8);
      await assertUserError(() => safetensors.loadFile(path), torch.FormatError, "hostile");
    }
  }));

Deno.test("a truncated or foreign IDX file is a FormatError", () =>
  inFolder(async (folder) => {
    const path = `${folder}/digits.idx`;
    // Two images of 2x2 bytes: magic 0x00000803, three sizes, eight values.
    const whole = new Uint8Array([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
    await Deno.writeFile(path, whole);
    assertEquals((await idx.loadFile(path)).shape, [2, 2, 2]);
    for (
      const bytes of [whole.subarray(0, 2), whole.subarray(0, 10), whole.subarray(0, 20), new Uint8Array(24).fill(255)]
    ) {
      await Deno.writeFile(path, bytes);
      await assertUserError(() => idx.loadFile(path), torch.FormatError, "digits.idx");
    }
  }));

Deno.test("a missing file is named", async () => {
  const error = await assertUserError(
    () => safetensors.loadFile("/nowhere/model.safetensors"),
    Error,
    "/nowhere/model.safetensors",
  );
  assert(/no such file/.test(error.message), error.message);
});

Deno.test("saving into a folder that does not exist is one clear error", async () => {
  const error = await assertUserError(
    () => safetensors.saveFile({ x: torch.ones([2]) }, "/nowhere/deep/model.safetensors"),
    Error,
    "/nowhere/deep/model.safetensors",
  );
  assert(/no such file or folder/.test(error.message), error.message);
});

Deno.test("saving over a file that cannot be replaced leaves it whole", () =>
  inFolder(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await safetensors.saveFile({ x: torch.ones([2]) }, path);
    const released = torch.ones([2]);
    released.dispose();
    await assertUserError(() => safetensors.saveFile({ x: released }, path), torch.ReleasedError, "released");
    await assertAllclose((await safetensors.loadFile(path)).x, [1, 1]);
    assertEquals([...Deno.readDirSync(folder)].map((entry) => entry.name), ["model.safetensors"]);
  }));

Deno.test("loading a state dict that does not fit names the keys and changes nothing", async () => {
  const net = new torch.nn.Linear(2, 3);
  const before = await net.weight.tolist();
  const state = { weight: torch.ones([3, 2]), extra: torch.ones([1]) };
  // Several problems are listed in one error, a line each, as in PyTorch.
  const error = assertThrows(() => net.loadStateDict(state), torch.ArgumentError, "bias");
  assert(error.message.includes("extra"), error.message);
  const misfit = { weight: torch.ones([2, 2]), bias: torch.ones([3]) };
  assertThrows(() => net.loadStateDict(misfit), torch.ArgumentError, "[2, 2]");
  assertEquals(await net.weight.tolist(), before);
});
