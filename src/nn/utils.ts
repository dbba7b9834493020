/**
 * `nn.utils`: clipping of gradients, and parameters as one vector.
 *
 * Gradients are scaled in place by a factor that stays on the device: nothing is read back.
 *
 * @module
 */

import "../ops/attach.ts";
import { type Args, signature } from "../base/args.ts";
import { toReal } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError, show } from "../base/errors.ts";
import { noGrad } from "../autograd/mode.ts";
import { clampEach, haveNorms, multiplyEach, norms } from "../ops/grads.ts";
import { cat, stack } from "../ops/join.ts";
import { tensor as makeTensor } from "../ops/creation.ts";
import { refuseWhere } from "../ops/values.ts";
import { scope } from "../tensor/scope.ts";
import { Tensor } from "../tensor/tensor.ts";
import { peekGrad, setData } from "./parameter.ts";

/** One tensor or several: what `model.parameters()` gives. */
export type TensorsInput = Tensor | Iterable<Tensor>;

function listOf(parameters: TensorsInput): Tensor[] {
  return parameters instanceof Tensor ? [parameters] : [...parameters];
}

function gradsOf(parameters: TensorsInput): Tensor[] {
  return listOf(parameters).flatMap((p) => peekGrad(p) ?? []);
}

/** Tensors by device and dtype. */
function byDevice(tensors: readonly Tensor[]): Tensor[][] {
  const groups = new Map<string, Tensor[]>();
  for (const x of tensors) {
    const key = `${x.device} ${x.dtype}`, group = groups.get(key);
    if (group === undefined) groups.set(key, [x]);
    else group.push(x);
  }
  return [...groups.values()];
}

/** The parameters of {@linkcode clipGradNorm_}. */
export interface ClipGradNormArgs {
  /** The largest norm. */
  maxNorm: number;
  /** The exponent of the norm. @default {2} */
  normType?: number;
  /** Whether a norm that is not finite is an error; reads the norm. @default {false} */
  errorIfNonfinite?: boolean;
  /** Ignored. */
  foreach?: boolean | null;
}
const clipNormArgs = signature<ClipGradNormArgs>(
  "clipGradNorm_",
  ["maxNorm", "normType", "errorIfNonfinite", "foreach"],
  [],
  1,
);

/** The norm of several tensors as if they were one vector, as a 0-d tensor. */
export function getTotalNorm(
  tensors: TensorsInput,
  normType = 2,
  errorIfNonfinite = false,
): Tensor {
  const list = listOf(tensors);
  if (list.length === 0) return makeTensor(0);
  return noGrad(() =>
    scope(() => {
      const own = haveNorms(list, normType)
        ? norms("getTotalNorm", list.map((t) => t.detach()), normType)
        : stack(list.map((t) => t.detach().norm(normType).to({ device: list[0].device })));
      const total = normType === Infinity ? own.max() : own.norm(normType);
      if (errorIfNonfinite) {
        refuseWhere(total, (x) => x.isfinite().logicalNot(), () => {
          return new ArgumentError(
            `getTotalNorm(): the norm of order ${normType} is not finite; pass errorIfNonfinite: false to go on`,
          );
        });
      }
      return total;
    })
  );
}

/**
 * Scales gradients so that their norm, as one vector, is at most `maxNorm`.
 *
 * @param parameters whose gradients are scaled in place
 * @returns the norm before
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
export function clipGradNorm_(
  parameters: TensorsInput,
  ...args: Args<ClipGradNormArgs, ["maxNorm", "normType", "errorIfNonfinite", "foreach"]>
): Tensor {
  const { maxNorm, normType = 2, errorIfNonfinite = false } = clipNormArgs(args);
  const list = listOf(parameters);
  const total = getTotalNorm(gradsOf(list), normType, errorIfNonfinite);
  clipGradsWithNorm_(list, maxNorm, total);
  return total;
}

/**
 * Scales gradients by `maxNorm / totalNorm` where that is below 1.
 *
 * @param parameters whose gradients are scaled in place
 * @param maxNorm the largest norm
 * @param totalNorm their norm
 */
export function clipGradsWithNorm_(parameters: TensorsInput, maxNorm: number, totalNorm: Tensor): void {
  noGrad(() =>
    scope(() => {
      // The small number is PyTorch's guard against dividing by zero.
      const factor = totalNorm.add(1e-6).reciprocal().mul(maxNorm).clampMax(1);
      for (const grads of byDevice(gradsOf(parameters))) {
        const [{ device, dtype }] = grads;
        multiplyEach(grads, factor.to({ device, dtype: toReal(dtype) }));
      }
    })
  );
}

/**
 * Limits every element of the gradients to ±`clipValue`, in place.
 *
 * @param parameters whose gradients are clipped
 * @param clipValue the largest absolute value
 */
export function clipGradValue_(parameters: TensorsInput, clipValue: number): void {
  noGrad(() => {
    for (const grads of byDevice(gradsOf(parameters))) {
      if (grads[0].dtype.isComplex) throw new DTypeError("clipGradValue_(): complex gradients have no order");
      clampEach(grads, -clipValue, clipValue);
    }
  });
}

/** All parameters as one vector, in order. */
export function parametersToVector(parameters: Iterable<Tensor>): Tensor {
  return scope(() => cat([...parameters].map((p) => p.reshape(-1))));
}

/**
 * Makes parameters views of consecutive parts of a vector.
 *
 * @param vec the vector
 * @param parameters they keep their identity and shape
 * @throws {ShapeError} if the vector has too few elements
 */
export function vectorToParameters(vec: Tensor, parameters: Iterable<Tensor>): void {
  let at = 0;
  for (const parameter of parameters) {
    const count = parameter.numel();
    if (at + count > vec.numel()) {
      throw new ShapeError(`vectorToParameters(): the vector is too short for the parameters: ${show(vec.shape)}`);
    }
    const from = at;
    noGrad(() => setData(parameter, vec.detach().narrow(0, from, count).reshape(parameter.shape)));
    at += count;
  }
}
