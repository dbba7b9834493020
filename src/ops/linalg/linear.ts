/**
 * The products of layers: `linear` and `bilinear`; functions only, as in PyTorch.
 *
 * @module
 */

import { type Fn, fn } from "../core/op.ts";
import { record, recording } from "../../autograd/record.ts";
import { ShapeError, show } from "../../base/errors.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { checkTensor, type Tensor } from "../../tensor/tensor.ts";
import { scope } from "../../tensor/scope.ts";
import { runLinear, runWeightGradient } from "../core/epilogue.ts";
import { checkDims, checkProduct, conjOf, matmulOf, product } from "./matmul_core.ts";
import { sumTo } from "../core/sum_to.ts";
import { permuteTo, reshapeTo, transposeTo } from "../core/view_core.ts";

/** The parameters of {@linkcode linear}. */
export class LinearArgs {
  constructor(
    /** `[out, in]`, or `[in]` for a single output without a dimension. */
    public weight: Tensor,
    /** `[out]`. */
    public bias: Tensor | null = null,
  ) {}
}

/**
 * `input @ weightᵀ + bias`, over the last dimension.
 *
 * Shape: `[…, in]` and `[out, in]` to `[…, out]`.
 *
 * @param input `[…, in]`
 * @throws {ShapeError} if the sizes of `input` and `weight` differ
 * @see https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html
 */
export const linear: Fn<typeof LinearArgs> = fn({ name: "linear", autocast: "lower" }, LinearArgs, (input, o) => {
  const { weight, bias } = o;
  checkTensor("linear", "weight", weight);
  if (bias !== null) checkTensor("linear", "bias", bias);
  checkProduct("linear", bias === null ? [input, weight] : [input, weight, bias]);
  const last = input.ndim - 1, k = input.shape[last];
  if (weight.ndim < 1 || weight.ndim > 2 || last < 0 || k !== weight.shape[weight.ndim - 1]) {
    throw new ShapeError(
      `linear(): the input's last size must be the weight's: input ${show(input.shape)}, weight ${
        show(weight.shape)
      } ([out, in])`,
    );
  }
  if (weight.ndim === 1) {
    const out = matmulOf("linear", input, weight);
    return bias === null ? out : out.add(bias);
  }
  if (
    bias !== null && (bias.ndim > 1 || (bias.ndim === 1 && bias.shape[0] !== 1 && bias.shape[0] !== weight.shape[0]))
  ) {
    throw new ShapeError(`linear(): the bias must have shape [${weight.shape[0]}]: ${show(bias.shape)}`);
  }
  const rows = last === 1 ? input : reshapeTo(input, [input.shape.slice(0, last).reduce((x, y) => x * y, 1), k]);
  const out = linearOf(rows, weight, bias);
  return last === 1 ? out : reshapeTo(out, [...input.shape.slice(0, last), weight.shape[0]]);
});

/**
 * `x @ weightᵀ + bias` as one node: written out so that the weight's gradient is a product of its own layout, which the
 * engine keeps without a copy.
 */
function linearOf(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const out = emptyLikeDevice("linear", [x.shape[0], weight.shape[0]], x.dtype, x);
  runLinear(x, weight, bias, out);
  if (!recording([x, weight, bias])) return out;
  const saved: Tensor[] = [];
  if (recording([weight])) saved.push(x);
  if (recording([x])) saved.push(weight);
  const biasShape = bias?.shape ?? [];
  const name = bias === null ? "MmBackward0" : "AddmmBackward0";
  return record(name, out, [bias, x, weight], saved, (grad, kept, needs) => {
    const input = needs[1] ? product("linear", grad, conjOf(kept[kept.length - 1])) : null;
    // The two in one product, where the device has it and nobody differentiates them.
    if (needs[0] && needs[2] && grad.storage.backend.matmulRowSums !== undefined && !recording([grad, ...kept])) {
      if (grad.dtype.isFloatingPoint && biasShape.length === 1 && biasShape[0] === grad.shape[1]) {
        const both = runWeightGradient(grad, kept[0], true);
        return [both.bias, input, both.weight];
      }
    }
    return [
      needs[0] ? sumTo(grad, biasShape) : null,
      input,
      needs[2] ? product("linear", transposeTo(grad, 0, 1), conjOf(kept[0])) : null,
    ];
  });
}

/** The parameters of {@linkcode bilinear}. */
export class BilinearArgs {
  constructor(
    /** The second input, `[…, in2]`. */
    public input2: Tensor,
    /** `[out, in1, in2]`. */
    public weight: Tensor,
    /** `[out]`. */
    public bias: Tensor | null = null,
  ) {}
}

/**
 * `out[o] = input1ᵀ weight[o] input2 + bias[o]`.
 *
 * @param input1 `[…, in1]`
 */
export const bilinear: Fn<typeof BilinearArgs> = fn(
  { name: "bilinear", autocast: { gpu: "promote" }, roundsOnce: true },
  BilinearArgs,
  (input1, { input2, weight, bias }) => {
    checkTensor("bilinear", "input2", input2);
    checkDims("bilinear", "weight", weight, 3);
    checkProduct("bilinear", bias === null ? [input1, input2, weight] : [input1, input2, weight, bias]);
    const [o, i1, i2] = weight.shape;
    const lead = input1.shape.slice(0, -1);
    if (
      input1.ndim !== input2.ndim || lead.some((s, d) => s !== input2.shape[d]) ||
      input1.shape[lead.length] !== i1 || input2.shape[lead.length] !== i2
    ) {
      throw new ShapeError(
        `bilinear(): inputs must be […, ${i1}] and […, ${i2}] with equal leading sizes: ${show(input1.shape)} and ${
          show(input2.shape)
        }`,
      );
    }
    return scope(() => {
      const n = lead.reduce((x, y) => x * y, 1);
      const left = reshapeTo(input1, [n, i1]), right = reshapeTo(input2, [n, i2, 1]);
      const flat = reshapeTo(permuteTo(weight, [1, 0, 2]), [i1, o * i2]);
      const mixed = reshapeTo(product("bilinear", left, flat), [n, o, i2]); // (n, out, in2)
      const out = reshapeTo(product("bilinear", mixed, right), [...lead, o]);
      return bias === null ? out : out.add(bias);
    });
  },
);
