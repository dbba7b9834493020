/**
 * `customFwd` and `customBwd`: what the forward and backward of a custom function do under autocast.
 *
 * They wrap the static methods of a subclass of `autograd.Function`. The autocast state of forward is stored in the
 * `ctx` that both receive.
 *
 * @see https://docs.pytorch.org/docs/stable/notes/amp_examples.html#autocast-and-custom-autograd-functions
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { checkFunction } from "../base/checks.ts";
import type { DeviceType } from "../base/device.ts";
import type { DType } from "../base/dtype.ts";
import type { FunctionCtx } from "../autograd/function.ts";
import { autocast, castArguments, getAutocastDtype, isAutocastEnabled } from "../autograd/autocast.ts";

/** The parameters of {@linkcode customBwd} after the method. */
export class CustomBwdArgs {
  /** The kind of device whose autocast state is used. */
  deviceType: DeviceType | null = null;
}

/** The parameters of {@linkcode customFwd} after the method. */
export class CustomFwdArgs extends CustomBwdArgs {
  /**
   * Inside an autocast region: the dtype that floating tensors are cast to, forward then running without autocast;
   * `null`: neither.
   */
  castInputs: DType | null = null;
}

const fwdArgs = call("customFwd", CustomFwdArgs);
const bwdArgs = call("customBwd", CustomBwdArgs);

/** Returns the kind of device; throws unless it and the method are valid. */
function checked(op: string, method: unknown, deviceType: DeviceType | null): DeviceType {
  checkFunction(op, "the first argument", method);
  if (typeof deviceType !== "string") {
    throw new ArgumentError(
      `${op}(): deviceType must be given by name, as { deviceType: "cpu" }: ${describe(deviceType)}`,
    );
  }
  return deviceType;
}

/**
 * Wraps the `forward` of a custom function for use under autocast.
 *
 * Without `castInputs` the ops in forward are autocast as elsewhere.
 *
 * @param forward takes the `ctx` first
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * class Product extends torch.autograd.Function {
 *   static forward = torch.amp.customFwd((ctx, x: torch.Tensor, y: torch.Tensor) => {
 *     ctx.saveForBackward(x, y);
 *     return x.matmul(y);
 *   }, { deviceType: "cpu", castInputs: torch.float32 });
 *   static backward = torch.amp.customBwd((ctx, grad: torch.Tensor) => {
 *     const [x, y] = ctx.savedTensors;
 *     return [grad.matmul(y!.T), x!.T.matmul(grad)];
 *   }, { deviceType: "cpu" });
 * }
 * const x = torch.ones(2, 2, { requiresGrad: true });
 * const y = torch.autocast("cpu", () => Product.apply(x, x.to(torch.bfloat16)));
 * assertEquals(y.dtype, torch.float32);
 * ```
 */
export function customFwd<A extends readonly unknown[], R>(
  forward: (ctx: FunctionCtx, ...args: A) => R,
  ...args: Args<typeof CustomFwdArgs>
): (ctx: FunctionCtx, ...args: A) => R {
  const { castInputs, ...given } = fwdArgs(args);
  const deviceType = checked("customFwd", forward, given.deviceType);
  return (ctx, ...args) => {
    const enabled = isAutocastEnabled(deviceType);
    ctx._dtype = getAutocastDtype(deviceType);
    ctx._fwdUsedAutocast = enabled && castInputs === null;
    if (!enabled || castInputs === null) return forward(ctx, ...args);
    using _ = autocast(deviceType, { enabled: false });
    const cast = castArguments(args, castInputs, deviceType, (x, dtype) => x.to(dtype));
    return forward(ctx, ...cast as unknown as A);
  };
}

/**
 * Wraps the `backward` of a custom function: it runs with the autocast state that {@linkcode customFwd} stored.
 *
 * @param backward takes the `ctx` first
 */
export function customBwd<A extends readonly unknown[], R>(
  backward: (ctx: FunctionCtx, ...grads: A) => R,
  ...args: Args<typeof CustomBwdArgs>
): (ctx: FunctionCtx, ...grads: A) => R {
  const deviceType = checked("customBwd", backward, bwdArgs(args).deviceType);
  return (ctx, ...grads) => {
    using _ = autocast(deviceType, { enabled: ctx._fwdUsedAutocast === true, dtype: ctx._dtype as DType });
    return backward(ctx, ...grads);
  };
}
