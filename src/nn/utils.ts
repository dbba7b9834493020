/**
 * `nn.utils`: gradient clipping, parameters as one vector, and batch normalisation fused into the layer before it.
 *
 * Gradients are scaled in place by a factor that stays on the device: nothing is read back.
 *
 * @module
 */

import "../ops/attach.ts";
import { type Func, func } from "../base/call.ts";
import { checkIterable } from "../base/checks.ts";
import { toReal } from "../base/dtype.ts";
import { ArgumentError, describe, DTypeError, ShapeError, show } from "../base/errors.ts";
import { withGrad } from "../autograd/mode.ts";
import { clampEach, haveNorms, multiplyEach, norms } from "../ops/core/grads.ts";
import { cat, stack } from "../ops/shape/join.ts";
import { tensor as makeTensor } from "../ops/create/creation.ts";
import { refuseWhere } from "../ops/core/values.ts";
import { scope } from "../tensor/scope.ts";
import { checkTensor, setData, Tensor } from "../tensor/tensor.ts";
import { peekGrad } from "./module/parameter.ts";

export {
  type AnyBatchNorm,
  fuseConvBnEval,
  FuseConvBnEvalArgs,
  fuseConvBnWeights,
  FuseConvBnWeightsArgs,
  type FusedConv,
  fuseLinearBnEval,
  FuseLinearBnEvalArgs,
  fuseLinearBnWeights,
  FuseLinearBnWeightsArgs,
} from "./fuse.ts";

/** One tensor, or several, as `model.parameters()` returns them. */
export type TensorsInput = Tensor | Iterable<Tensor>;

function listOf(op: string, parameters: TensorsInput): Tensor[] {
  if (parameters instanceof Tensor) return [parameters];
  checkIterable(op, "parameters", parameters);
  const list = [...parameters];
  for (const x of list) checkTensor(op, "each parameter", x);
  return list;
}

function gradsOf(op: string, parameters: TensorsInput): Tensor[] {
  return listOf(op, parameters).flatMap((p) => peekGrad(p) ?? []);
}

/** Groups tensors by device and dtype. */
function byDevice(tensors: readonly Tensor[]): Tensor[][] {
  const groups = new Map<string, Tensor[]>();
  for (const x of tensors) {
    const key = `${x.device} ${x.dtype}`, group = groups.get(key);
    if (group === undefined) groups.set(key, [x]);
    else group.push(x);
  }
  return [...groups.values()];
}

function checkOrder(op: string, normType: unknown): void {
  if (typeof normType !== "number") {
    throw new ArgumentError(`${op}(): normType must be a number: ${describe(normType)}`);
  }
}

/** The parameters of {@linkcode getTotalNorm}. */
export class TotalNormArgs {
  constructor(
    /** The tensors. */
    public tensors: TensorsInput,
    /** The exponent p of the norm. */
    public normType = 2,
    /** Whether a norm that is not finite is an error; the check waits for the device. */
    public errorIfNonfinite = false,
    /** Ignored: the kernels process many tensors at once anyway. */
    public foreach: boolean | null = null,
  ) {}
}

/** The parameters of {@linkcode clipGradNorm_}. */
export class ClipGradNormArgs {
  constructor(
    /** The parameters whose gradients are changed in place. */
    public parameters: TensorsInput,
    /** The largest norm. */
    public maxNorm: number,
    /** The exponent p of the norm. */
    public normType = 2,
    /** Whether a norm that is not finite is an error; the check waits for the device. */
    public errorIfNonfinite = false,
    /** Ignored: the kernels process many tensors at once anyway. */
    public foreach: boolean | null = null,
  ) {}
}

/** The parameters of {@linkcode clipGradsWithNorm_}. */
export class ClipGradsWithNormArgs {
  constructor(
    /** The parameters whose gradients are changed in place. */
    public parameters: TensorsInput,
    /** The largest norm. */
    public maxNorm: number,
    /** The norm of the gradients. */
    public totalNorm: Tensor,
    /** Ignored: the kernels process many tensors at once anyway. */
    public foreach: boolean | null = null,
  ) {}
}

/** The parameters of {@linkcode clipGradValue_}. */
export class ClipGradValueArgs {
  constructor(
    /** The parameters whose gradients are changed in place. */
    public parameters: TensorsInput,
    /** The largest absolute value. */
    public clipValue: number,
    /** Ignored: the kernels process many tensors at once anyway. */
    public foreach: boolean | null = null,
  ) {}
}

/** The parameters of {@linkcode parametersToVector}. */
export class ParametersToVectorArgs {
  constructor(
    /** The parameters in order. */
    public parameters: Iterable<Tensor>,
  ) {}
}

/** The parameters of {@linkcode vectorToParameters}. */
export class VectorToParametersArgs {
  constructor(
    /** The vector. */
    public vec: Tensor,
    /** The parameters, which keep their identity and shape. */
    public parameters: Iterable<Tensor>,
  ) {}
}

/** The norm of several tensors taken as one vector, as a 0-d tensor. */
export const getTotalNorm: Func<typeof TotalNormArgs, Tensor> = func(
  "getTotalNorm",
  TotalNormArgs,
  ({ tensors, normType, errorIfNonfinite }) => {
    checkOrder("getTotalNorm", normType);
    const list = listOf("getTotalNorm", tensors);
    if (list.length === 0) return makeTensor(0);
    return withGrad(false, () =>
      scope(() => {
        const own = haveNorms(list, normType)
          ? norms("getTotalNorm", list.map((t) => t.detach()), normType)
          : stack(list.map((t) => t.detach().norm(normType).to({ device: list[0].device })));
        const total = normType === Infinity ? own.max() : own.norm(normType);
        if (errorIfNonfinite) {
          const checked = refuseWhere(total, (x) => x.isfinite().logicalNot(), () => {
            return new ArgumentError(
              `getTotalNorm(): the norm of order ${normType} is not finite; pass errorIfNonfinite: false to go on`,
            );
          });
          return checked(total);
        }
        return total;
      }));
  },
);

/**
 * Gradient clipping by norm: scales gradients in place so that their norm, taken as one vector, is at most `maxNorm`.
 *
 * @returns the norm before the clipping
 *
 * @example
 * ```ts
 * import { assertAlmostEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const x = torch.zeros(2, { requiresGrad: true });
 * x.mul(torch.tensor([3, 4])).sum().backward();
 * assertAlmostEquals(await clipGradNorm_([x], 1).item(), 5, 1e-6);
 * assertAlmostEquals(await x.grad!.norm().item(), 1, 1e-5);
 * ```
 */
export const clipGradNorm_: Func<typeof ClipGradNormArgs, Tensor> = func(
  "clipGradNorm_",
  ClipGradNormArgs,
  ({ parameters, maxNorm, normType, errorIfNonfinite }) => {
    checkOrder("clipGradNorm_", normType);
    const list = listOf("clipGradNorm_", parameters);
    const total = getTotalNorm(gradsOf("clipGradNorm_", list), normType, errorIfNonfinite);
    clipGradsWithNorm_(list, maxNorm, total);
    return total;
  },
);

/** Scales gradients in place by `maxNorm / totalNorm` where that is below 1. */
export const clipGradsWithNorm_: Func<typeof ClipGradsWithNormArgs, void> = func(
  "clipGradsWithNorm_",
  ClipGradsWithNormArgs,
  ({ parameters, maxNorm, totalNorm }) => {
    checkTensor("clipGradsWithNorm_", "totalNorm", totalNorm);
    withGrad(false, () =>
      scope(() => {
        // The small number is PyTorch's guard against dividing by zero.
        const factor = totalNorm.add(1e-6).reciprocal().mul(maxNorm).clampMax(1);
        for (const grads of byDevice(gradsOf("clipGradsWithNorm_", parameters))) {
          const [{ device, dtype }] = grads;
          multiplyEach(grads, factor.to({ device, dtype: toReal(dtype) }));
        }
      }));
  },
);

/** Gradient clipping by value: limits every element of the gradients to ±`clipValue`, in place. */
export const clipGradValue_: Func<typeof ClipGradValueArgs, void> = func(
  "clipGradValue_",
  ClipGradValueArgs,
  ({ parameters, clipValue }) => {
    withGrad(false, () => {
      for (const grads of byDevice(gradsOf("clipGradValue_", parameters))) {
        if (grads[0].dtype.isComplex) throw new DTypeError("clipGradValue_(): complex gradients have no order");
        clampEach(grads, -clipValue, clipValue);
      }
    });
  },
);

/** The elements of all parameters as one vector, in order. */
export const parametersToVector: Func<typeof ParametersToVectorArgs, Tensor> = func(
  "parametersToVector",
  ParametersToVectorArgs,
  ({ parameters }) => scope(() => cat(listOf("parametersToVector", parameters).map((p) => p.reshape(-1)))),
);

/**
 * Sets the values of parameters to consecutive parts of a vector, as views of it.
 *
 * @throws {ShapeError} if the vector has too few elements
 */
export const vectorToParameters: Func<typeof VectorToParametersArgs, void> = func(
  "vectorToParameters",
  VectorToParametersArgs,
  ({ vec, parameters }) => {
    checkTensor("vectorToParameters", "vec", vec);
    let at = 0;
    for (const parameter of listOf("vectorToParameters", parameters)) {
      const count = parameter.numel();
      if (at + count > vec.numel()) {
        throw new ShapeError(`vectorToParameters(): the vector is too short for the parameters: ${show(vec.shape)}`);
      }
      const from = at;
      withGrad(false, () => setData(parameter, vec.detach().narrow(0, from, count).reshape(parameter.shape)));
      at += count;
    }
  },
);
