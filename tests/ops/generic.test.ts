/**
 * Properties that every op must have, tested from the table of ops alone: gradients agree with central differences in float64,
 * layouts of the operands do not matter, empty operands give empty results, and each dtype is either computed with or refused
 * in words. Gradients of gradients are in `second_gradients.slow.test.ts`.
 *
 * `deno test -A tests/ops/generic.test.ts -- --only REGEX` looks at some ops only.
 */

import { AssertionError } from "@std/assert";
import * as torch from "../../mod.ts";
import { compare, comparison, tensorsIn } from "../conformance/compare.ts";
import { internalError } from "../conformance/entry.ts";
import type { Json, Raw } from "../conformance/golden.ts";
import { indexCheck } from "../conformance/ties.ts";
import { count, isTensorNode, type TensorLike, type TensorNode } from "../conformance/values.ts";
import { firstDifference, widen } from "../support/close.ts";
import { type Adapt, asFunction, call, inputElements, namesDtype, type OpCase, type RecordedSample } from "./cases.ts";
import { asDouble, differentiable, forEachOp, onesLike, tooLarge } from "./every_op.ts";

/** The same values in a storage with gaps, dimensions laid out in reverse order. */
const asStrided: Adapt = (node, data) => {
  const stride: number[] = [];
  let next = 2;
  for (const size of node.shape) {
    stride.push(next);
    next *= Math.max(1, size);
  }
  return { node: { ...node, stride }, data };
};

forEachOp("gradients agree with central differences", differentiable, async (op, sample) => {
  const { fn, inputs } = asFunction(op, sample, asDouble);
  if (await tooLarge(fn(...inputs))) return;
  await torch.autograd.gradcheck(fn, inputs);
});

/** Samples whose values are determined, for every recorded dtype. */
function determined(op: OpCase): RecordedSample[] {
  if (op.random) return [];
  return [...op.groups.values()].flatMap((group) => group.slice(0, 4)).filter((s) =>
    !s.random && !s.uninitialised && !s.mutates
  );
}

/** Ops whose meaning depends on the layout: a view exists for some layouts only. */
const NEEDS_LAYOUT = new Set(["view", "view_as", "as_strided", "view_as_complex"]);

const anyLayout = (op: OpCase) => NEEDS_LAYOUT.has(op.name) ? [] : determined(op);

forEachOp("the layout of operands does not matter", anyLayout, async (op, sample) => {
  const out = await call(op, sample, asStrided);
  const indices = indexCheck(op.name, sample, op.golden);
  const difference = await compare(out, sample.out, comparison(op.golden, op.name, { indices }));
  if (difference) throw new AssertionError(difference);
});

/** Activations that PyTorch's own tables do not list as elementwise. */
const ACTIVATION =
  /^nn\.functional\.(relu|leaky_relu|elu|gelu|silu|softplus|hard\w+|mish|selu|celu|relu6|logsigmoid|softsign)$/;

/** A sample of an op that works element by element on tensors of one shape. */
function elementwise(op: OpCase): RecordedSample[] {
  if (op.random || !(/UfuncInfo$/.test(op.kind) || ACTIVATION.test(op.name))) return [];
  const samples = (op.groups.get("float32") ?? op.groups.get("int64") ?? []).filter((sample) => {
    const tensors = (sample.args as Json[]).filter((a) => a !== null && isTensorNode(a)) as unknown as TensorNode[];
    // A memory format belongs to one number of dimensions.
    const anyShape = !JSON.stringify([sample.args, sample.kwargs]).includes('"$mf"');
    return anyShape && tensors.every((t) => `${t.shape}` === `${tensors[0].shape}`);
  });
  return samples.sort((a, b) => inputElements(b) - inputElements(a)).slice(0, 1);
}

forEachOp("elementwise ops take empty operands and give empty results", elementwise, async (op, sample) => {
  const asEmpty: Adapt = (node, data) => ({ node: { ...node, shape: [0, 3] }, data: data.slice(0, 0) as Raw });
  for (const out of tensorsIn(await call(op, sample, asEmpty))) {
    if (`${out.shape}` !== "0,3") throw new AssertionError(`shape [${out.shape}], expected [0, 3]`);
    if ((await out.read()).length !== 0) throw new AssertionError("an empty tensor has values");
  }
});

forEachOp("elementwise ops take 0-d operands and give 0-d results", elementwise, async (op, sample) => {
  const asScalar: Adapt = (node, data) => ({ node: { ...node, shape: [] }, data: data.slice(0, 1) as Raw });
  const whole = await call(op, sample) as TensorLike;
  const out = await call(op, sample, asScalar) as TensorLike;
  if (count((sample.out as unknown as TensorNode).shape) === 0) return;
  if (out.shape.length !== 0) throw new AssertionError(`shape [${out.shape}], expected []`);
  const [first] = await whole.read();
  const difference = firstDifference([Number((await out.read())[0])], [Number(first)], [], { rtol: 1e-6, atol: 1e-6 });
  if (difference) throw new AssertionError(difference);
});

/** The first row of every tensor but the first, as it is or repeated to the full shape. */
function rowsOf(first: TensorNode, repeat: boolean): Adapt {
  return (node, data) => {
    if (node.id === first.id || node.shape.length === 0) return { node, data };
    const [rows, ...rest] = node.shape;
    const row = Array.from(data.slice(0, count(rest)) as ArrayLike<number | bigint>);
    const values = repeat ? Array.from({ length: rows }, () => row).flat() : row;
    const shape = repeat ? node.shape : [1, ...rest];
    const TypedArray = data.constructor as unknown as { from(v: ArrayLike<number | bigint>): Raw };
    return { node: { ...node, shape }, data: TypedArray.from(values) };
  };
}

/** Elementwise ops of several tensors. */
const severalOperands = (op: OpCase) =>
  elementwise(op).filter((s) => (s.args as Json[]).filter((a) => a !== null && isTensorNode(a)).length > 1);

forEachOp(
  "a broadcast operand counts as its expansion, and its gradient as the sum",
  severalOperands,
  async (op, sample) => {
    const first = (sample.args as Json[])[0] as unknown as TensorNode;
    const [narrow, full] = [rowsOf(first, false), rowsOf(first, true)];
    const [actual] = tensorsIn(await call(op, sample, narrow));
    const [expected] = tensorsIn(await call(op, sample, full));
    await mustEqual(actual, expected, "result");
    if (!sample.grad) return;
    const gradients = [narrow, full].map((adapt) => {
      const { fn, inputs } = asFunction(op, sample, adapt);
      const outs = fn(...inputs);
      return torch.autograd.grad(outs, inputs, { gradOutputs: onesLike(outs), allowUnused: true });
    });
    for (const [k, gradient] of gradients[0].entries()) {
      const whole = gradients[1][k];
      if (!gradient || !whole) continue;
      const summed = `${gradient.shape}` === `${whole.shape}` ? whole : whole.sum(0, { keepdim: true });
      await mustEqual(gradient as unknown as TensorLike, summed as unknown as TensorLike, `gradient ${k}`);
    }
  },
);

/** Two tensors of the same dtype, shape and values, up to the order of a sum. */
async function mustEqual(actual: TensorLike, expected: TensorLike, what: string): Promise<void> {
  if (`${actual.shape}` !== `${expected.shape}` || actual.dtype !== expected.dtype) {
    throw new AssertionError(
      `${what}: ${actual.dtype.name} [${actual.shape}], expected ${expected.dtype.name} [${expected.shape}]`,
    );
  }
  const numbers = async (t: TensorLike) => Array.from(await t.read() as ArrayLike<number | bigint>, Number);
  const difference = firstDifference(await numbers(actual), await numbers(expected), actual.shape, {
    rtol: 1e-5,
    atol: 1e-5,
  });
  if (difference) throw new AssertionError(`${what} ${difference}`);
}

/** Typed arrays that hold the values of each dtype. */
const ARRAYS: Record<string, (values: number[]) => Raw> = {
  float64: (v) => Float64Array.from(v),
  float32: (v) => Float32Array.from(v),
  int64: (v) => BigInt64Array.from(v, (x) => BigInt(x)),
  int32: (v) => Int32Array.from(v),
  int16: (v) => Int16Array.from(v),
  int8: (v) => Int8Array.from(v),
  uint8: (v) => Uint8Array.from(v),
};

/** The sample's tensors as small whole numbers of `dtype`, which every dtype holds exactly. */
function asDtype(recorded: string, dtype: string): Adapt {
  return (node, data) => {
    if (node.dtype !== recorded) return { node, data };
    const values = Array.from(data as ArrayLike<number | bigint>, (x) => Math.abs(Math.round(Number(x))) % 7);
    const { rg: _, ...rest } = node;
    return { node: { ...rest, dtype }, data: ARRAYS[dtype](values) };
  };
}

/** Dtypes whose results must agree with those of the wide dtype of their kind, on the same values. */
const NARROW: [narrow: string[], wide: string, rtol: number][] = [
  [["float32"], "float64", 1e-5],
  [["int32", "int16", "int8", "uint8"], "int64", 0],
];

forEachOp(
  "every dtype computes the same, or is refused in words",
  (op) =>
    (op.groups.get("float32") ?? op.groups.get("int64") ?? []).filter((s) => determined(op).includes(s)).slice(0, 2),
  async (op, sample) => {
    if (namesDtype(sample) || inputElements(sample) === 0) return;
    const recorded = op.groups.has("float32") ? "float32" : "int64";
    for (const [narrow, wide, rtol] of NARROW) {
      const expected = op.dtypes.includes(wide) ? tensorsIn(await call(op, sample, asDtype(recorded, wide))) : [];
      for (const dtype of narrow) {
        if (!op.dtypes.includes(dtype)) {
          await mustRefuse(op, sample, asDtype(recorded, dtype), dtype);
          continue;
        }
        const actual = await fitting(() => call(op, sample, asDtype(recorded, dtype)));
        if (actual === null) continue;
        for (const [k, tensor] of expected.entries()) await mustAgree(actual[k], tensor, dtype, rtol);
      }
    }
  },
);

/** The tensors that a call gives; `null` where a number among its arguments does not fit the dtype. */
async function fitting(run: () => unknown): Promise<TensorLike[] | null> {
  try {
    return tensorsIn(await run());
  } catch (error) {
    if (error instanceof torch.ArgumentError && error.message.includes("does not fit")) return null;
    throw error;
  }
}

/** Values agree as far as the narrow dtype can hold them. */
async function mustAgree(actual: TensorLike, expected: TensorLike, dtype: string, rtol: number): Promise<void> {
  const wide = await expected.read();
  // int8 sums and products wrap, and a float result of integers is computed in float32 either way.
  const limit = { rtol: Math.max(rtol, actual.dtype.name === "float32" ? 1e-5 : 0), atol: 1e-5 };
  const wanted = wrapTo(actual.dtype.name, Array.from(wide as ArrayLike<number | bigint>, Number));
  const difference = firstDifference(
    Array.from(widen(await actual.read(), actual.dtype.name) as ArrayLike<number>, Number),
    wanted,
    expected.shape,
    limit,
  );
  if (difference) throw new AssertionError(`${dtype} against the wide dtype: ${difference}`);
}

/** Values as an integer dtype holds them: modulo its range. */
function wrapTo(dtype: string, values: number[]): number[] {
  const arrays: Record<string, (v: number[]) => ArrayLike<number>> = {
    int8: (v) => Int8Array.from(v),
    uint8: (v) => Uint8Array.from(v),
    int16: (v) => Int16Array.from(v),
    int32: (v) => Int32Array.from(v),
  };
  return arrays[dtype] ? Array.from(arrays[dtype](values)) : values;
}

/** A dtype that PyTorch's op does not take throws an error worded for the user. */
async function mustRefuse(op: OpCase, sample: RecordedSample, adapt: Adapt, dtype: string): Promise<void> {
  try {
    // Taking more dtypes than PyTorch is no fault.
    await call(op, sample, adapt);
  } catch (error) {
    const internal = internalError(error);
    if (internal) throw new AssertionError(`${dtype}: ${internal}`);
  }
}
