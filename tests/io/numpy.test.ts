/** NumPy's files: those that NumPy wrote, what is written, and what is refused. */

import { assertEquals, assertRejects } from "@std/assert";
import * as torch from "../../mod.ts";
import golden from "../golden/numpy.json" with { type: "json" };

const { numpy } = torch.io;
type Tensor = torch.Tensor;
const files: Record<string, string> = golden;
const bytesOf = (name: string) => Uint8Array.from(atob(files[name]), (c) => c.charCodeAt(0));

Deno.test("numpy.load() reads every element type and order of bytes", async () => {
  for (const name of Object.keys(files).filter((name) => /^[<>]/.test(name))) {
    const x = await numpy.load<Tensor>(bytesOf(name));
    assertEquals(x.shape, [2, 3], name);
    const real = x.dtype.isComplex ? x.real : x;
    const expected = x.dtype === torch.bool ? [[0, 1, 1], [1, 1, 1]] : [[0, 1, 2], [3, 4, 5]];
    assertEquals(await real.to(torch.float64).tolist(), expected, name);
    if (x.dtype.isComplex) assertEquals(await x.imag.abs().sum().item(), 0);
  }
});

Deno.test("numpy.load() reads Fortran's order, scalars, empty arrays, versions and archives", async () => {
  const matrix = [[0, 1, 2], [3, 4, 5]];
  const fortran = await numpy.load<Tensor>(bytesOf("fortran"));
  assertEquals([await fortran.tolist(), fortran.stride()], [matrix, [1, 2]]);
  assertEquals(await (await numpy.load<Tensor>(bytesOf("scalar"))).item(), 5);
  assertEquals((await numpy.load<Tensor>(bytesOf("empty"))).shape, [0, 3]);
  for (const version of [1, 2, 3]) {
    assertEquals(await (await numpy.load<Tensor>(bytesOf(`version ${version}`))).tolist(), matrix);
  }
  for (const name of ["npz", "npz compressed"]) {
    const { a, b } = await numpy.load<Record<string, Tensor>>(bytesOf(name));
    assertEquals([await a.tolist(), await b.tolist(), b.dtype], [matrix, [0, 1, 2], torch.int64]);
  }
});

Deno.test("numpy.load() refuses objects, texts, records and damaged files", async () => {
  for (const [name, type] of [["objects", "'|O'"], ["texts", "'<U2'"], ["records", "[('a', '<f4'), ('b', '<i4')]"]]) {
    await assertRejects(() => numpy.load(bytesOf(`refused ${name}`)), torch.DTypeError, `has elements of type ${type}`);
  }
  const sound = bytesOf("<f4");
  for (
    const [bytes, why] of [
      [sound.slice(0, sound.length - 1), "ends early: shape [2, 3] of torch.float32"],
      [new Uint8Array(), "it is empty"],
      [new Uint8Array(99), "it begins otherwise"],
      [sound.slice(0, 40), "is cut off"],
      [sound.with(6, 9), "version 9 of the format"],
      [sound.with(12, 0), "its text is"],
    ] as const
  ) await assertRejects(() => numpy.load(bytes), torch.FormatError, why);
});

Deno.test("numpy.save() and savez() write what NumPy writes", async () => {
  const folder = await Deno.makeTempDir();
  const x = torch.arange(6).reshape(2, 3);
  for (
    const [name, dtype] of [["<f4", torch.float32], ["<i8", torch.int64], ["<c8", torch.complex64], [
      "<b1",
      torch.bool,
    ]] as const
  ) {
    await numpy.save(`${folder}/x.npy`, x.to(dtype));
    assertEquals(await Deno.readFile(`${folder}/x.npy`), bytesOf(name), name);
  }
  await numpy.savez(`${folder}/x.npz`, { turned: x.t(), half: torch.ones(2).half() });
  const { turned, half } = await numpy.load<Record<string, Tensor>>(`${folder}/x.npz`);
  assertEquals([await turned.tolist(), half.dtype], [[[0, 3], [1, 4], [2, 5]], torch.float16]);
  await assertRejects(
    () => numpy.save(`${folder}/y.npy`, torch.ones(1).bfloat16()),
    torch.DTypeError,
    "use .float()".slice(4),
  );
  await Deno.remove(folder, { recursive: true });
});
