/**
 * `gradcheck` and `gradgradcheck`: analytic gradients compared with central differences.
 *
 * @see https://docs.pytorch.org/docs/stable/autograd.html#numerical-gradient-checking
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { checkFunction } from "../base/checks.ts";
import { AutogradError, DTypeError } from "../base/errors.ts";
import { checkTensors, type Tensor } from "../tensor/tensor.ts";
import { grad } from "./tensor_autograd.ts";
import { enableGrad, withGrad } from "./mode.ts";

/** A differentiable function under test. */
export type CheckedFunction = (...inputs: Tensor[]) => Tensor | readonly Tensor[];

/** The parameters of {@linkcode gradcheck}. */
export class GradcheckArgs {
  constructor(
    /** A function of tensors; every floating output is checked. */
    public func: CheckedFunction,
    /** Tensors of float64 or complex128; those that require grad are checked. */
    public inputs: Tensor | readonly Tensor[],
    /** The step of the central differences. */
    public eps = 1e-6,
    /** Absolute tolerance. */
    public atol = 1e-5,
    /** Relative tolerance. */
    public rtol = 1e-3,
    /** Whether a wrong gradient is an error; otherwise the result is `false`. */
    public raiseException = true,
  ) {}
}

/** The parameters of {@linkcode gradgradcheck}. */
export class GradgradcheckArgs {
  constructor(
    /** A function of tensors; every floating output is checked. */
    public func: CheckedFunction,
    /** Tensors of float64 or complex128; those that require grad are checked. */
    public inputs: Tensor | readonly Tensor[],
    /** The cotangents: gradients of the outputs; `null`: fixed pseudo-random numbers. */
    public gradOutputs: readonly Tensor[] | null = null,
    /** The step of the central differences. */
    public eps = 1e-6,
    /** Absolute tolerance. */
    public atol = 1e-5,
    /** Relative tolerance. */
    public rtol = 1e-3,
    /** Whether a wrong gradient is an error; otherwise the result is `false`. */
    public raiseException = true,
  ) {}
}

const gradcheckArgs = call("gradcheck", GradcheckArgs);
const gradgradcheckArgs = call("gradgradcheck", GradgradcheckArgs);

function outputsOf(op: string, fn: CheckedFunction, inputs: readonly Tensor[]): Tensor[] {
  const out = fn(...inputs);
  const list = Array.isArray(out) ? out as Tensor[] : [out as Tensor];
  checkTensors(op, "what func returns", list);
  return list.filter((t) => t.dtype.isFloatingPoint || t.dtype.isComplex);
}

/** The real numbers of a tensor, complex parts interleaved. */
async function reals(x: Tensor): Promise<Float64Array> {
  return Float64Array.from(await x.detach().read() as ArrayLike<number>);
}

/** A copy of `x` with real number `i` (complex parts interleaved) replaced. */
function withValue(x: Tensor, values: Float64Array, i: number, value: number): Tensor {
  const changed = values.slice();
  changed[i] = value;
  const out = x.detach().clone({ memoryFormat: "contiguous_format" });
  out.storage.backend.write(out, new Uint8Array(changed.buffer));
  return out;
}

/** Column `i` of the Jacobian of every output's real numbers, by central differences. */
async function numericalColumn(
  fn: CheckedFunction,
  inputs: readonly Tensor[],
  which: number,
  values: Float64Array,
  i: number,
  eps: number,
): Promise<Float64Array[]> {
  const at = (value: number) => {
    const changed = inputs.map((x, k) => k === which ? withValue(x, values, i, value) : x.detach());
    return withGrad(false, () => outputsOf("gradcheck", fn, changed));
  };
  const plus = await Promise.all(at(values[i] + eps).map(reals));
  const minus = await Promise.all(at(values[i] - eps).map(reals));
  return plus.map((p, o) => p.map((v, k) => (v - minus[o][k]) / (2 * eps)));
}

/** Row `k` of output `o`'s Jacobian by every input's real numbers, by backward with a one-hot cotangent. */
async function analyticRow(out: Tensor, inputs: readonly Tensor[], k: number): Promise<Float64Array[]> {
  const hot = new Float64Array(out.numel() * (out.dtype.isComplex ? 2 : 1));
  hot[k] = 1;
  const cotangent = out.detach().newZeros(out.shape);
  cotangent.storage.backend.write(cotangent, new Uint8Array(hot.buffer));
  const grads = grad(out, inputs, { gradOutputs: [cotangent], retainGraph: true, allowUnused: true });
  return await Promise.all(
    grads.map((g, i) =>
      g ? reals(g) : Promise.resolve(new Float64Array(inputs[i].numel() * (inputs[i].dtype.isComplex ? 2 : 1)))
    ),
  );
}

/**
 * Whether the gradients of a function agree with central differences.
 *
 * @throws {AutogradError} naming the first element that differs, unless `raiseException` is false
 */
export async function gradcheck(...args: Args<typeof GradcheckArgs>): Promise<boolean> {
  const { func: fn, inputs, eps, atol, rtol, raiseException } = gradcheckArgs(args);
  checkFunction("gradcheck", "func", fn);
  const list = (Array.isArray(inputs) ? inputs : [inputs]) as Tensor[];
  const checked = list.filter((x) => x.requiresGrad);
  if (checked.length === 0) throw new AutogradError("gradcheck(): no input requires grad; nothing to check");
  for (const x of checked) {
    if (x.dtype.name !== "float64" && x.dtype.name !== "complex128") {
      throw new DTypeError(`gradcheck(): differences need double precision: ${x.dtype}; use .to(float64)`);
    }
  }
  const outputs = outputsOf("gradcheck", fn, list).filter((out) => out.requiresGrad);
  const rows = await Promise.all(outputs.map(async (out) => {
    const n = out.numel() * (out.dtype.isComplex ? 2 : 1);
    const all: Float64Array[][] = [];
    for (let k = 0; k < n; k++) all.push(await analyticRow(out, checked, k));
    return all;
  }));
  for (let c = 0; c < checked.length; c++) {
    const values = await reals(checked[c]);
    for (let i = 0; i < values.length; i++) {
      const columns = await numericalColumn(fn, list, list.indexOf(checked[c]), values, i, eps);
      for (let o = 0; o < outputs.length; o++) {
        for (let k = 0; k < rows[o].length; k++) {
          const analytic = rows[o][k][c][i], numeric = columns[o][k];
          if (Math.abs(analytic - numeric) <= atol + rtol * Math.abs(numeric)) continue;
          if (!raiseException) return false;
          throw new AutogradError(
            `gradcheck(): output ${o}[${k}] by input ${c}[${i}]: analytic ${analytic}, numeric ${numeric}`,
          );
        }
      }
    }
  }
  return true;
}

/**
 * Whether the gradients of the gradients of a function agree with central differences.
 *
 * @throws {AutogradError} naming the first element that differs, unless `raiseException` is false
 */
export async function gradgradcheck(...args: Args<typeof GradgradcheckArgs>): Promise<boolean> {
  const { func: fn, inputs, gradOutputs, ...rest } = gradgradcheckArgs(args);
  checkFunction("gradgradcheck", "func", fn);
  const list = (Array.isArray(inputs) ? inputs : [inputs]) as Tensor[];
  const outputs = outputsOf("gradgradcheck", fn, list).filter((out) => out.requiresGrad);
  if (gradOutputs !== null) checkTensors("gradgradcheck", "gradOutputs", gradOutputs);
  const cotangents = gradOutputs ?? outputs.map((out) => cotangentLike(out));
  const cots = cotangents.map((t) => t.detach().clone().requiresGrad_());
  const n = list.length;
  const gradients: CheckedFunction = (...all) => {
    const ins = all.slice(0, n);
    // Inputs arrive detached from the differences; they must require grad for the inner backward.
    const leaves = ins.map((x, i) => list[i].requiresGrad && !x.requiresGrad ? x.detach().requiresGrad_() : x);
    const wanted = leaves.filter((x) => x.requiresGrad);
    using _ = enableGrad();
    const outs = outputsOf("gradgradcheck", fn, leaves).filter((out) => out.requiresGrad);
    return grad(outs, wanted, { gradOutputs: all.slice(n), createGraph: true, allowUnused: true })
      .filter((g) => g !== null);
  };
  return await gradcheck(gradients, [...list, ...cots], rest);
}

/** A cotangent of fixed, irregular numbers, so that errors in different elements do not cancel. */
function cotangentLike(x: Tensor): Tensor {
  const n = x.numel() * (x.dtype.isComplex ? 2 : 1);
  const values = Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1)) * 0.8 + 0.3);
  const out = x.detach().newZeros(x.shape);
  out.storage.backend.write(out, new Uint8Array(values.buffer));
  return out;
}
