/** safetensors files as state dicts: PyTorch's files, round trips, failures that lose nothing. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const { load, loadFile, safeOpen, save, saveFile } = torch.io.safetensors;
const GOLDEN = new URL("../golden/checkpoints/", import.meta.url);

interface Expected {
  metadata: Record<string, string>;
  tensors: Record<string, { dtype: string; shape: number[]; values: unknown[] }>;
}

const EXPECTED: Expected = JSON.parse(Deno.readTextFileSync(new URL("model.expected.json", GOLDEN)));
const WIDE: Record<string, string> = { uint16: "int32", uint32: "int64", uint64: "int64" };

/** A value as expected.json spells it. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

async function temporary(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}

Deno.test("loadFile() reads every tensor of a file that PyTorch wrote", async () => {
  for (const wide of [false, true]) {
    const tensors = await loadFile(new URL("model.safetensors", GOLDEN), { widen: wide });
    assertEquals(Object.keys(tensors), Object.keys(EXPECTED.tensors));
    for (const [name, { dtype, shape, values }] of Object.entries(EXPECTED.tensors)) {
      const actual = tensors[name];
      assertEquals([actual.dtype.name, actual.shape], [wide ? WIDE[dtype] ?? dtype : dtype, shape], name);
      const flat = await actual.reshape([-1]).tolist<unknown[]>();
      assertEquals(flat.map(plain), values, name);
      if (name === "float.float32") assert(Object.is(flat[1], -0), "-0 keeps its sign");
    }
  }
});

Deno.test("load() refuses a U64 value that int64 cannot hold, and BOOL bytes that are no truth values", () => {
  const file = (dtype: string, bytes: number[]) => {
    const json = `{"a":{"dtype":"${dtype}","shape":[1],"data_offsets":[0,${bytes.length}]}}`;
    return new Uint8Array([json.length, 0, 0, 0, 0, 0, 0, 0, ...new TextEncoder().encode(json), ...bytes]);
  };
  const large = file("U64", [0, 0, 0, 0, 0, 0, 0, 128]);
  assertThrows(() => load(large, { widen: true }), torch.DTypeError, "9223372036854775808");
  assertEquals(load(large).a.itemSync(), 2n ** 63n);
  assertThrows(() => load(file("BOOL", [2])), torch.FormatError, "holds bytes other than 0 and 1");
  assertThrows(() => load(file("F8_E8M0", [2]), { widen: true }), torch.DTypeError, "unsupported dtype F8_E8M0");
});

Deno.test("loadFile() refuses every malformed golden file", async () => {
  const bad = namesIn(GOLDEN.pathname).filter((name) => name.startsWith("bad_"));
  assertEquals(bad.length, 13);
  for (const name of bad) await assertRejects(() => loadFile(new URL(name, GOLDEN)), torch.FormatError, name);
});

Deno.test("loadFile() says which file is missing", async () => {
  await assertRejects(
    () => loadFile("/nowhere/model.safetensors"),
    Deno.errors.NotFound,
    'loadFile(): cannot read: "/nowhere/model.safetensors"; no such file or folder',
  );
});

Deno.test("loadFile() reads from a server", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const name = new URL(request.url).pathname.slice(1);
    if (name === "model") {
      return new Response(await Deno.readFile(new URL("sharded-00001-of-00003.safetensors", GOLDEN)));
    }
    return new Response("no", { status: 404 });
  });
  const base = `http://127.0.0.1:${server.addr.port}`;
  const tensors = await loadFile(`${base}/model`);
  assertEquals(tensors["conv.weight"].shape, [3, 2, 3, 3]);
  await assertRejects(() => loadFile(`${base}/other`), Deno.errors.NotFound, `"${base}/other"`);
});

Deno.test("saveFile() writes the very bytes that PyTorch wrote", async () => {
  await temporary(async (folder) => {
    for (const part of ["00001", "00002", "00003"]) {
      const golden = new URL(`sharded-${part}-of-00003.safetensors`, GOLDEN);
      const path = `${folder}/${part}.safetensors`;
      await saveFile(await loadFile(golden), path, { format: "pt" });
      assertEquals(await Deno.readFile(path), await Deno.readFile(golden));
    }
    assertEquals(namesIn(folder).length, 3);
  });
});

Deno.test("save() and load() keep every dtype, shape and bit", async () => {
  const { float16, bfloat16, float64, int32, int16, int8, uint8, complex64 } = torch;
  const tensors: Record<string, torch.Tensor> = {
    float32: torch.tensor([[0, -0, NaN], [Infinity, -Infinity, 1e-45]]),
    float64: torch.tensor([Math.PI, 5e-324], { dtype: float64 }),
    float16: torch.tensor([1.5, 65504], { dtype: float16 }),
    bfloat16: torch.tensor([1.5, -3e38], { dtype: bfloat16 }),
    int64: torch.tensor([2n ** 63n - 1n, -(2n ** 63n)]),
    int32: torch.tensor([-5], { dtype: int32 }),
    int16: torch.tensor([-5], { dtype: int16 }),
    int8: torch.tensor([-5], { dtype: int8 }),
    uint8: torch.tensor([250], { dtype: uint8 }),
    bool: torch.tensor([true, false]),
    complex64: torch.fromBytes(new Uint8Array(new Float32Array([1, -2]).buffer), [1], complex64),
    scalar: torch.tensor(2.5),
    empty: torch.zeros([2, 0]),
    __proto__2: torch.tensor(1),
    "späte Schicht.0": torch.tensor(1),
  };
  const back = load(await save(tensors, { note: "Ünïcode ✓" }));
  assertEquals(new Set(Object.keys(back)), new Set(Object.keys(tensors)));
  for (const [name, tensor] of Object.entries(tensors)) {
    assertEquals([back[name].dtype, back[name].shape], [tensor.dtype, tensor.shape], name);
    assertEquals(await back[name].bytes(), await tensor.bytes(), name);
  }
});

Deno.test("save() writes views as what they show, and parameters without their history", async () => {
  const base = torch.arange(6).reshape(2, 3);
  const parameter = torch.ones([2], { requiresGrad: true });
  const back = load(await save({ turned: base.t(), part: base.select(1, 1), parameter }));
  assertEquals(await back.turned.tolist(), [[0, 3], [1, 4], [2, 5]]);
  assertEquals(await back.part.tolist(), [1, 4]);
  assertEquals(back.parameter.requiresGrad, false);
});

Deno.test("save() takes the values of the moment of the call", async () => {
  const x = torch.zeros([3]);
  const saving = save({ x });
  x.fill_(7);
  assertEquals(await load(await saving).x.tolist(), [0, 0, 0]);
});

Deno.test("saveFile() refuses what is not a state dict, or has no place in the format", async () => {
  const wrong = (value: unknown) => saveFile(value as Record<string, torch.Tensor>, "/tmp/never");
  await assertRejects(() => wrong([torch.ones([1])]), torch.ArgumentError, "expected a state dict: Array");
  await assertRejects(() => wrong({ a: 1 }), torch.ArgumentError, 'saveFile(): "a" must be a Tensor: 1');
  const complex = torch.zeros([1], { dtype: torch.complex128 });
  await assertRejects(() => wrong({ complex }), torch.DTypeError, "safetensors has no torch.complex128");
});

Deno.test("saveFile() leaves the previous file and nothing else when it fails", async () => {
  await temporary(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await saveFile({ x: torch.ones([4]) }, path);
    const before = await Deno.readFile(path);
    const released = torch.ones([4]);
    released.dispose();
    await assertRejects(() => saveFile({ released }, path), torch.ReleasedError);
    assertEquals(await Deno.readFile(path), before);
    assertEquals(namesIn(folder), ["model.safetensors"]);
    // The target is a folder: writing succeeds up to the last step, and the temporary file goes away.
    await Deno.mkdir(`${folder}/taken`);
    await assertRejects(() => saveFile({ x: torch.ones([1]) }, `${folder}/taken`), Error, "saveFile(): cannot write");
    assertEquals(namesIn(folder), ["model.safetensors", "taken"]);
  });
});

Deno.test("saveFile() names the folder that cannot be written", async () => {
  const x = torch.ones([1]);
  await assertRejects(
    () => saveFile({ x }, "/nowhere/model.safetensors"),
    Deno.errors.NotFound,
    'saveFile(): cannot write: "/nowhere/model.safetensors"; no such file or folder',
  );
  await assertRejects(() => saveFile({ x }, "/dev/null/model.safetensors"), Error, "saveFile(): cannot write");
});

Deno.test("saveFile() writes through a symbolic link", async () => {
  await temporary(async (folder) => {
    await saveFile({ x: torch.ones([1]) }, `${folder}/real`);
    await Deno.symlink(`${folder}/real`, `${folder}/link`);
    await saveFile({ x: torch.zeros([1]) }, `${folder}/link`);
    assertEquals((await Deno.lstat(`${folder}/link`)).isSymlink, true);
    assertEquals(await (await loadFile(`${folder}/real`)).x.tolist(), [0]);
  });
});

Deno.test("safeOpen() reads single tensors, several at once", async () => {
  using file = await safeOpen(new URL("model.safetensors", GOLDEN));
  assertEquals(file.metadata(), EXPECTED.metadata);
  assertEquals(file.keys(), Object.keys(EXPECTED.tensors));
  const [scalar, step] = await Promise.all(["scalar.float", "noncontiguous.step"].map((name) => file.getTensor(name)));
  assertEquals([await scalar.item(), await step.tolist()], [3.25, [1, 4, 7]]);
  await assertRejects(() => file.getTensor("absent"), torch.ArgumentError, 'no tensor of that name: "absent"');
});

Deno.test("safeOpen() notices a file that became shorter", async () => {
  await temporary(async (folder) => {
    const path = `${folder}/model.safetensors`;
    await saveFile({ x: torch.ones([100]) }, path);
    using file = await safeOpen(path);
    await Deno.truncate(path, 300);
    await assertRejects(() => file.getTensor("x"), torch.FormatError, "became shorter while it was read");
  });
});
