/** Tensor types by PyTorch's older names, typed arrays as tensors, and the accelerator's namespace. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import * as torch from "../../mod.ts";

const TYPES = [
  ["torch.FloatTensor", torch.FloatTensor, torch.float32],
  ["torch.DoubleTensor", torch.DoubleTensor, torch.float64],
  ["torch.HalfTensor", torch.HalfTensor, torch.float16],
  ["torch.BFloat16Tensor", torch.BFloat16Tensor, torch.bfloat16],
  ["torch.IntTensor", torch.IntTensor, torch.int32],
  ["torch.LongTensor", torch.LongTensor, torch.int64],
  ["torch.ShortTensor", torch.ShortTensor, torch.int16],
  ["torch.CharTensor", torch.CharTensor, torch.int8],
  ["torch.ByteTensor", torch.ByteTensor, torch.uint8],
  ["torch.BoolTensor", torch.BoolTensor, torch.bool],
] as const;

for (const [name, Type, dtype] of TYPES) {
  Deno.test(`${name}: made of values and of sizes, with and without new, told by type() and converted to`, async () => {
    for (const x of [Type([[1, 0], [0, 1]]), new Type([[1, 0], [0, 1]]), Type({ data: [[1, 0], [0, 1]] })]) {
      assertEquals([x.dtype, x.shape, x.type()], [dtype, [2, 2], name]);
      assertEquals(await x.long().tolist(), [[1, 0], [0, 1]]);
      assertInstanceOf(x, torch.Tensor);
    }
    assertEquals(
      [Type(2, 3), new Type(2, 3), Type(2, 3, { device: "cpu" })].map((x) => x.shape),
      Array(3).fill([2, 3]),
    );
    assertEquals([Type(), Type({ size: [4] }), Type({ device: "cpu" })].map((x) => x.shape), [[0], [4], [0]]);
    assertEquals([Type.name, Type.dtype], [name.slice("torch.".length), dtype]);
    const x = torch.tensor([0, 1]);
    for (const as of [dtype, name, Type]) assertEquals(await x.type(as).double().tolist(), [0, 1]);
    for (const as of [dtype, name, Type]) assertEquals(x.type(as).dtype, dtype);
  });
}

Deno.test("type() names complex types and float8, and returns the tensor where nothing changes", () => {
  assertEquals(torch.zeros(1, { dtype: torch.complex64 }).type(), "torch.ComplexFloatTensor");
  assertEquals(torch.zeros(1, { dtype: torch.complex128 }).type(), "torch.ComplexDoubleTensor");
  assertEquals(torch.zeros(1).to(torch.float8E5m2).type(), "torch.Float8_e5m2Tensor");
  const x = torch.ones(2);
  assert(x.type(torch.float32) === x && x.type("torch.FloatTensor") === x);
});

Deno.test("type() keeps the graph, and refuses what is no type", async () => {
  const x = torch.ones(2, { requiresGrad: true });
  x.type("torch.DoubleTensor").sum().backward();
  assertEquals(await x.grad!.tolist(), [1, 1]);
  assertThrows(() => x.type("torch.LongTenser"), torch.ArgumentError, 'did you mean "torch.LongTensor"?');
  assertThrows(() => x.type("float64"), torch.ArgumentError, 'did you mean "torch.DoubleTensor"?');
  assertThrows(() => x.type("foo"), torch.ArgumentError, 'type(): invalid type: "foo"; use a dtype');
  assertThrows(() => Reflect.apply(x.type, x, [3]), torch.ArgumentError, "type(): dtype must be a dtype");
});

Deno.test("tensor types take a tensor of their dtype, and refuse others and what is no data", () => {
  const x = torch.tensor([1n, 2n]);
  assert(torch.LongTensor(x).storage === x.storage);
  assertThrows(
    () => torch.LongTensor(torch.ones(2)),
    torch.DTypeError,
    "LongTensor(): expected a tensor of torch.int64",
  );
  const wrong = (...args: unknown[]) => () => Reflect.apply(torch.LongTensor, undefined, args);
  assertThrows(wrong("a"), torch.ArgumentError, "LongTensor(): expected sizes, an array of values or a Tensor");
  assertThrows(wrong(2, { dtype: torch.int64 }), torch.ArgumentError, 'LongTensor(): unknown argument: "dtype"');
  assertThrows(wrong([1], { devise: "cpu" }), torch.ArgumentError, 'did you mean "device"?');
  assertThrows(wrong(2.5), torch.ArgumentError, "LongTensor(): a size must be an integer");
  assertThrows(wrong(-1), torch.ShapeError, "LongTensor(): sizes must not be negative");
});

Deno.test("fromNumpy() copies a typed array, and numpy() gives it back", async () => {
  for (
    const [array, dtype] of [
      [new Float32Array([1, 2]), torch.float32],
      [new Float64Array([1, 2]), torch.float64],
      [new Int32Array([1, 2]), torch.int32],
      [new BigInt64Array([1n, 2n]), torch.int64],
      [new Uint8Array([1, 2]), torch.uint8],
      [new Uint32Array([1, 2]), torch.uint32],
    ] as const
  ) {
    const x = torch.fromNumpy(array);
    assertEquals([x.dtype, x.shape], [dtype, [2]]);
    assertEquals(await x.numpy(), array);
    new Uint8Array(array.buffer).fill(0);
    assertEquals(await x.double().tolist(), [1, 2]);
  }
  const wrong = (value: unknown) => () => Reflect.apply(torch.fromNumpy, undefined, [value]);
  assertThrows(
    wrong([1, 2]),
    torch.ArgumentError,
    "fromNumpy(): ndarray must be a typed array such as Float32Array: Array",
  );
  assertThrows(wrong(new DataView(new ArrayBuffer(4))), torch.ArgumentError, "ndarray must be a typed array");
});

Deno.test("accelerator: what torch.cuda and the opened GPUs of torch.webgpu are", async () => {
  const { accelerator, cuda } = torch;
  if (cuda.isAvailable()) {
    assertEquals(accelerator.currentAccelerator()?.type, "cuda");
    assertEquals(accelerator.deviceCount(), cuda.deviceCount());
    await accelerator.synchronize();
  } else {
    const there = accelerator.isAvailable();
    assertEquals(accelerator.deviceCount() > 0, there);
    assertEquals(accelerator.currentAccelerator()?.type, there ? "webgpu" : undefined);
    if (!there) {
      await assertRejects(() => accelerator.synchronize(), torch.DeviceError, "synchronize(): no accelerator");
    }
  }
  assertEquals(accelerator.isAvailable(), accelerator.currentAccelerator({ checkAvailable: true }) !== null);
});
