import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { compare, comparison } from "./compare.ts";
import { describeError, internalError, Tally } from "./entry.ts";
import { openFolder, packedName } from "./folder.ts";
import { Golden, type Json, readGolden } from "./golden.ts";
import { mockApi, MockTensor, scatterToStrides } from "./mock.ts";
import { camel, camelPath } from "./names.ts";
import { replayOp } from "./replay_op.ts";
import { tiedDifference, tiesAllowed } from "./ties.ts";
import { tolerance } from "./tolerance.ts";
import { Decoder } from "./values.ts";

/** A golden file in memory: little-endian tensors and a manifest. */
function makeGolden(manifest: unknown, tensors: Record<string, [string, number[], ArrayBufferView]> = {}): Golden {
  const header: Record<string, unknown> = { __metadata__: { manifest: JSON.stringify(manifest) } };
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [key, [dtype, shape, data]] of Object.entries(tensors)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    header[key] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + at);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  let offset = 8 + text.length;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return new Golden(file);
}

const F32 = (shape: number[], values: number[]): [string, number[], Float32Array] => [
  "F32",
  shape,
  new Float32Array(values),
];

Deno.test("camel() follows the naming rules", () => {
  assertEquals(["index_add_", "add_", "T_max", "__getitem__", "squeezenet1_0", "dim1_x", "logsumexp"].map(camel), [
    "indexAdd_",
    "add_",
    "T_max",
    "__getitem__",
    "squeezenet1_0",
    "dim1X",
    "logsumexp",
  ]);
  assertEquals(camelPath("nn.functional.scaled_dot_product_attention"), "nn.functional.scaledDotProductAttention");
});

Deno.test("packed files whose names differ by case only get paths that differ otherwise", () => {
  const recorded = ["ops/T.safetensors", "ops/t.safetensors", "ops/mT.safetensors", "ops/MT.safetensors", "a.b/A+.x"];
  const packed = recorded.map(packedName);
  assertEquals(
    packed,
    ["ops/+t.safetensors.gz", "ops/t.safetensors.gz", "ops/m+t.safetensors.gz"].concat(
      ["ops/+m+t.safetensors.gz", "a.b/+a+.x.gz"],
    ),
  );
  assertEquals(new Set(packed.map((path) => path.toLowerCase())).size, recorded.length);
});

Deno.test("the packed golden files all decode", async () => {
  const { jobs } = await openFolder(new URL("../golden/conformance", import.meta.url).pathname);
  assert(jobs.length > 200, `only ${jobs.length} files`);
  const api = mockApi();
  let tensors = 0;
  for (const job of jobs) {
    const golden = await readGolden(job.path);
    const visit = (node: Json): void => {
      if (Array.isArray(node)) return node.forEach(visit);
      if (typeof node !== "object" || node === null) return;
      if ("$t" in node) {
        const tensor = new Decoder(golden, api, { device: "cpu" }).value(node) as MockTensor;
        assertEquals(tensor.dtype.name, node.dtype, job.path);
        tensors++;
      } else {
        Object.values(node).forEach(visit);
      }
    };
    visit(golden.manifest);
  }
  assert(tensors > 10_000);
});

Deno.test("Decoder.value() reads every kind of argument", () => {
  const golden = makeGolden({}, { t0: F32([2], [1, 2]) });
  const api = mockApi({ channelsLast: "the format", nn: { functional: { leakyRelu: Math.abs } } });
  const decoder = new Decoder(golden, api, { device: "cpu", typedFloats: true });
  const cases: [Json, unknown][] = [
    [3, 3],
    [{ $f: 2.5 }, 2.5],
    [{ $f: 2 }, { value: 2, kind: "floating" }],
    [{ $f: "-inf" }, -Infinity],
    [{ $i: "9007199254740993" }, 9007199254740993n],
    [{ $c: [{ $f: 1 }, { $f: -2 }] }, { value: [1, -2], kind: "complex" }],
    [{ $tuple: [1, null, "a", true] }, [1, null, "a", true]],
    [{ $slice: [1, null, 2] }, { bounds: [1, null, 2] }],
    [{ $ellipsis: 1 }, "..."],
    [{ $dtype: "int64" }, { name: "int64" }],
    [{ $device: "cuda:1" }, "cpu"],
    [{ $mf: "channels_last" }, "the format"],
    [{ $fn: "torch.nn.functional.leaky_relu" }, Math.abs],
    [{ $dict: [["step_size", 3]] }, { stepSize: 3 }],
  ];
  for (const [node, expected] of cases) assertEquals(decoder.value(node), expected);
  const tensor = decoder.value({ $t: "t0", dtype: "float32", shape: [2], id: 7, rg: true }) as MockTensor;
  assertEquals(tensor.requiresGrad, true);
  assertEquals(decoder.value({ ref: 7 }), tensor);
  assertEquals(decoder.options({ keep_dim: true }), { keepDim: true });
  const typed = new Decoder(golden, api, { device: "cpu", typedIntegers: true });
  assertEquals(typed.list([{ $size: [2, 3] }, 5]), [[2, 3], { value: 5, kind: "integer" }]);
});

Deno.test("scatterToStrides() lays values out as the original tensor had them", async () => {
  const data = new Float32Array([1, 2, 3, 4, 5, 6]);
  assertEquals([...scatterToStrides(data, [2, 3], [1, 2])], [1, 4, 2, 5, 3, 6]);
  assertEquals([...scatterToStrides(data.subarray(0, 2), [2, 2], [1, 0])].length, 2);
  const strided = new MockTensor(scatterToStrides(data, [2, 3], [1, 2]), [2, 3], { name: "float32" }, {
    strides: [1, 2],
  });
  assertEquals([...await strided.read()], [...data]);
});

Deno.test("compare() names the first difference", async () => {
  const golden = makeGolden({}, { t0: F32([2, 2], [1, 2, 3, NaN]), t1: ["I64", [1], new BigInt64Array([2n ** 60n])] });
  const node = { $t: "t0", dtype: "float32", shape: [2, 2], id: 0 };
  const make = (values: number[], shape = [2, 2], dtype = "float32") =>
    new MockTensor(new Float32Array(values), shape, { name: dtype });
  const context = () => comparison(golden, "abs");
  assertEquals(await compare(make([1, 2, 3, NaN]), node, context()), null);
  assertStringIncludes((await compare(make([1, 2, 4, NaN]), node, context()))!, "at [1, 0]: 4, expected 3 (error 1.00");
  assertStringIncludes((await compare(make([1, 2, 3, 0]), node, context()))!, "at [1, 1]");
  assertStringIncludes((await compare(make([1, 2, 3, NaN], [4]), node, context()))!, "shape [4], expected [2, 2]");
  assertStringIncludes((await compare(make([1, 2], [2], "int8"), node, context()))!, "dtype int8, expected float32");
  assertStringIncludes((await compare(3, node, context()))!, "expected a tensor");
  assertEquals(await compare([3, 4n], { $tuple: [3, 4] }, context()), null);
  assertStringIncludes((await compare([3], { $tuple: [3, 4] }, context()))!, "1 values, expected 2");
  const big = new MockTensor(new BigInt64Array([2n ** 60n + 1n]), [1], { name: "int64" });
  const exact = await compare(big, { $t: "t1", dtype: "int64", shape: [1] }, context());
  assertStringIncludes(exact!, "1152921504606846977, expected 1152921504606846976");
  const named = { $named: "max", fields: ["values"], v: [node] };
  assertStringIncludes((await compare([make([1, 2, 3, NaN])], named, context()))!, 'no field "values"');
});

Deno.test("tiedDifference() accepts any order of equal elements, and no other", async () => {
  const golden = makeGolden({}, {
    t0: ["I64", [2, 3], new BigInt64Array([5n, 5n, 1n, 2n, 2n, 2n])],
    t1: ["I64", [2, 3], new BigInt64Array([2n, 0n, 1n, 0n, 1n, 2n])],
  });
  const input = { $t: "t0", dtype: "int64", shape: [2, 3], id: 0 };
  const expected = { $t: "t1", dtype: "int64", shape: [2, 3] };
  const check = (values: bigint[]) =>
    tiedDifference(
      "argsort",
      { args: [input], kwargs: {} },
      new MockTensor(new BigInt64Array(values), [2, 3], { name: "int64" }),
      expected,
      golden,
    );
  assertEquals(await check([2n, 1n, 0n, 2n, 0n, 1n]), null);
  assertStringIncludes((await check([1n, 2n, 0n, 0n, 1n, 2n]))!, "index 1 selects 5, PyTorch's 2 selects 1");
  assertStringIncludes((await check([2n, 0n, 0n, 0n, 1n, 2n]))!, "comes twice");
  assertEquals(tiesAllowed("sort", { args: [], kwargs: { stable: true } }), false);
});

Deno.test("tolerance() is exact for integers and wider for long sums", () => {
  assertEquals(tolerance("abs", "int64"), { rtol: 0, atol: 0 });
  assertEquals(tolerance("relu", "float32"), { rtol: 1.3e-6, atol: 1e-5 });
  assertEquals(tolerance("matmul", "float32").atol, 1e-4);
  assertEquals(tolerance("nn.Conv2d", "float32").atol, 1e-4);
  assertEquals(tolerance("nn.ReLU", "float32").atol, 1e-5);
  assertEquals(tolerance("nn.functional.relu", "float32").atol, 1e-5);
});

Deno.test("internalError() tells a user's error from a broken library", () => {
  assertEquals(internalError(new TypeError("add(): dtypes differ: int64, bool")), null);
  assertEquals(internalError(new (class ShapeError extends RangeError {})("no colon")), null);
  assertStringIncludes(internalError(new TypeError("x is not a function"))!, "internal TypeError");
  assertStringIncludes(internalError("text")!, "non-error");
});

Deno.test("Tally counts a thrown error as a failure and keeps the first", async () => {
  const tally = new Tally({ device: "cpu" });
  await tally.sample("a", () => Promise.resolve(null));
  await tally.sample("b", () => Promise.reject(new RangeError("boom")));
  await tally.sample("c", () => Promise.resolve("later"));
  const entry = tally.entry({ kind: "op", name: "x", variant: "", dtype: "float32" });
  assertEquals([entry.status, entry.samples, entry.failedSamples], ["failed", 3, 2]);
  assertStringIncludes(entry.first!, "b: threw RangeError: boom");
  assertStringIncludes(describeError(new Error("x")), "threw Error: x");
});

/** A recorded `neg` with one sample and one error case. */
const NEG = {
  kind: "op",
  name: "neg",
  variant: "",
  call: { kind: "function", path: "torch.neg" },
  groups: [{
    dtype: "float32",
    samples: [{
      i: 0,
      args: [{ $t: "t0", dtype: "float32", shape: [2], id: 0 }],
      kwargs: {},
      out: { $t: "t1", dtype: "float32", shape: [2], id: 0 },
    }],
  }],
  errors: [{ args: [3], kwargs: {}, message: "must be a Tensor" }],
  flags: [],
};

Deno.test("replayOp() passes, fails and reports absence", async () => {
  const golden = makeGolden(NEG, { t0: F32([2], [1, -2]), t1: F32([2], [-1, 2]) });
  const negate = async (x: MockTensor) => {
    if (!(x instanceof MockTensor)) throw new TypeError("neg(): self must be a tensor: 3");
    return new MockTensor((await x.read() as Float32Array).map((v) => -v), x.shape, x.dtype);
  };
  const run = (neg: unknown) => replayOp(golden, mockApi({ neg }), { device: "cpu" });
  const passed = await run(negate);
  assertEquals([passed.status, passed.samples], ["passed", 2]);
  assertEquals((await run(undefined)).status, "absent");
  const same = await run((x: MockTensor) => x);
  assertEquals([same.status, same.failedSamples], ["failed", 2]);
  assertStringIncludes(same.first!, "float32 #0: result at [0]: 1, expected -1");
  const view = await run((x: MockTensor) =>
    x instanceof MockTensor
      ? new MockTensor(new Float32Array([-1, 2]), x.shape, x.dtype, { storage: x.storage })
      : negate(x)
  );
  assertStringIncludes(view.first!, "shares storage with argument tensor 0; PyTorch's is a copy");
});
