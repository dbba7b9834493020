/** MNIST-format datasets and transforms. */

import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";
import * as vision from "../../src/vision/mod.ts";

const { MNIST } = vision.datasets;
const { Compose, Lambda, Normalize, RandomAffine, ToTensor } = vision.transforms;
const DATA = new URL("../../examples/data/", import.meta.url);

const image: vision.Image = {
  data: new Uint8Array([0, 51, 102, 153, 204, 255]),
  width: 3,
  height: 2,
  channels: 1,
};

Deno.test("MNIST.load() reads both parts, as pictures or transformed", async () => {
  const train = await MNIST.load(DATA);
  assertEquals([train.length, train.imageSize], [1500, [8, 8]]);
  const [first, label] = train.getItem(0);
  assertEquals([first.width, first.height, [...first.data.subarray(2, 5)], label], [8, 8, [80, 207, 143], 0]);
  const test = await MNIST.load(DATA, { train: false, transform: new ToTensor(), targetTransform: (y) => y * 2 });
  const [x, y] = test.getItem(5);
  assertEquals([test.length, x.shape, x.dtype, y], [297, [1, 8, 8], torch.float32, test.targets[5] * 2]);
  assertEquals((await x.flatten().tolist<number[]>()).map((v) => Math.round(v * 255)), [...test.image(5).data]);
  assertThrows(() => test.getItem(297), torch.IndexError, "index out of range: 297; it has 297 samples");
  assertThrows(() => test.getItem(-1), torch.IndexError, "index out of range: -1");
});

Deno.test("MNIST.load() takes a path, plain files, and a server", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]) {
      const packed = (await Deno.open(new URL(`${name}.gz`, DATA))).readable;
      await Deno.writeFile(`${folder}/${name}`, packed.pipeThrough(new DecompressionStream("gzip")));
    }
    assertEquals((await MNIST.load(folder, false)).length, 297);
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
      try {
        return new Response(await Deno.readFile(folder + new URL(request.url).pathname));
      } catch {
        return new Response("no", { status: 404 });
      }
    });
    assertEquals((await MNIST.load(`http://127.0.0.1:${server.addr.port}`, false)).length, 297);
    await assertRejects(
      () => MNIST.load(folder),
      Deno.errors.NotFound,
      `MNIST.load(): cannot read: "${folder}/train-images-idx3-ubyte.gz"; no such file`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("MNIST.load() refuses files that do not fit each other", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(new URL("t10k-images-idx3-ubyte.gz", DATA), `${folder}/train-images-idx3-ubyte.gz`);
    await Deno.copyFile(new URL("train-labels-idx1-ubyte.gz", DATA), `${folder}/train-labels-idx1-ubyte.gz`);
    const fault = "images and labels differ in number: [297, 8, 8] and [1500]";
    await assertRejects(() => MNIST.load(folder), torch.FormatError, fault);
    await Deno.copyFile(`${folder}/train-labels-idx1-ubyte.gz`, `${folder}/train-images-idx3-ubyte.gz`);
    await assertRejects(() => MNIST.load(folder), torch.FormatError, "expected bytes of three dimensions");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("ToTensor puts channels first and scales to 0..1", async () => {
  const colour = { data: new Uint8Array([0, 51, 255, 255, 0, 51]), width: 2, height: 1, channels: 3 };
  const x = await new ToTensor().call(colour).tolist<number[][][]>();
  assertEquals(x.map(([row]) => row.map((v) => Math.round(v * 5))), [[0, 5], [1, 0], [5, 1]]);
  assertThrows(() => new ToTensor().call({ ...colour, width: 3 }), torch.ShapeError, "1 x 3 x 3 values expected: 6");
});

Deno.test("Normalize works per channel and checks their number", async () => {
  const x = torch.ones([2, 1, 1]);
  assertEquals(await new Normalize([1, 0], [2, 4]).call(x).tolist(), [[[0]], [[0.25]]]);
  assertEquals(await new Normalize([0.5], [0.25]).call(x).tolist(), [[[2]], [[2]]]);
  assertThrows(() => new Normalize([0, 0, 0], [1, 1, 1]).call(x), torch.ShapeError, "3 channels expected");
  assertThrows(() => new Normalize([0], [0]), torch.ArgumentError, "a std is 0: [0]");
  assertThrows(() => new Normalize([0], [1, 1]), torch.ArgumentError, "1 and 2 given");
});

Deno.test("Compose and Lambda chain functions and transforms", () => {
  const chain = new Compose<number, string>([(x: number) => x + 1, new Lambda((x: number) => `<${x}>`)]);
  assertEquals(chain.call(1), "<2>");
});

Deno.test("RandomAffine without freedom changes nothing", () => {
  assertEquals(new RandomAffine(0).call(image), image);
});

Deno.test("RandomAffine turns a picture by 90 degrees and shifts what is asked", () => {
  const square = { data: new Uint8Array([1, 2, 3, 4]), width: 2, height: 2, channels: 1 };
  // Clockwise, as torchvision's affine transforms turn.
  assertEquals([...new RandomAffine([90, 90]).call(square).data], [3, 1, 4, 2]);
  assertEquals([...new RandomAffine([180, 180]).call(square).data], [4, 3, 2, 1]);
});

Deno.test("RandomAffine repeats with the seed and differs between pictures", () => {
  const make = () => new RandomAffine({ degrees: 15, translate: [0.1, 0.1], scale: [0.9, 1.1], shear: 10, fill: 9 });
  torch.manualSeed(1);
  const first = make();
  const [a, b] = [first.call(image).data, first.call(image).data];
  assertNotEquals(a, b);
  torch.manualSeed(1);
  assertEquals(make().call(image).data, a);
  assert(a.every((v) => v >= 0 && v <= 255));
  assertThrows(() => new RandomAffine(10, [2, 0]), torch.ArgumentError, "translate must be two numbers from 0 to 1");
  assertThrows(() => new RandomAffine(10, null, [0, 1]), torch.ArgumentError, "scale must be positive: [0, 1]");
  assertThrows(() => new RandomAffine([3, 1]), torch.ArgumentError, "degrees must be a number or a range");
});
