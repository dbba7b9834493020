/** IDX files as tensors. */

import { assertEquals, assertRejects } from "@std/assert";
import * as torch from "../../mod.ts";

const DATA = new URL("../../examples/data/", import.meta.url);

Deno.test("idx.loadFile() gives the digits as a tensor", async () => {
  const images = await torch.io.idx.loadFile(new URL("t10k-images-idx3-ubyte.gz", DATA));
  assertEquals([images.dtype, images.shape], [torch.uint8, [297, 8, 8]]);
  const labels = await torch.io.idx.readFile(new URL("t10k-labels-idx1-ubyte.gz", DATA));
  assertEquals([labels.shape, labels.bytes.length], [[297], 297]);
});

Deno.test("idx.loadFile() refuses a truncated file and names a missing one", async () => {
  const path = await Deno.makeTempFile();
  try {
    const whole = await Deno.readFile(new URL("t10k-images-idx3-ubyte.gz", DATA));
    await Deno.writeFile(path, whole.subarray(0, 1000));
    await assertRejects(
      () => torch.io.idx.loadFile(path),
      torch.FormatError,
      `loadFile(): "${path}" is not a sound IDX`,
    );
  } finally {
    await Deno.remove(path);
  }
  await assertRejects(() => torch.io.idx.loadFile(path), Deno.errors.NotFound, `loadFile(): cannot read: "${path}"`);
});
