/**
 * What one sample calls: a function by its path, a method, an operator (`__getitem__`, `__rsub__`, …) or a recorded
 * program of such calls. `bindCall` answers whether the library has them all, and gives a function that performs the
 * call on decoded arguments.
 *
 * @module
 */

import type { Golden, Json } from "./golden.ts";
import { camel, camelPath } from "./names.ts";
import { type Api, Decoder, type TensorLike, Unsupported } from "./values.ts";

type Callable = (...args: unknown[]) => unknown;

/** A call bound to the library. */
export interface BoundCall {
  /** The first name that the library lacks; then the entry is absent. */
  absent?: string;
  /** Performs the call with the decoder's tensors; gives a promise only where the library does. */
  run(decoder: Decoder, sample: Sample): unknown;
}

/** The parts of a sample that make a call. */
export interface Sample {
  args: Json;
  kwargs: Json;
  program?: Step[] | null;
}

/** One call of a recorded program. */
export interface Step {
  fn: string;
  js: string;
  args: Json;
  kwargs: Json;
}

/** Ops in which the kind of a Python scalar (int or float) decides the result's dtype. */
const TYPED_FLOATS =
  /^(add|sub|rsub|mul|(true_)?div(ide)?|floor_divide|remainder|fmod|(float_)?pow(er)?|__r\w+__|where|arange|range|full|new_full|scalar_tensor|clamp\w*|linspace|logspace|maximum|minimum|eq|ne|lt|le|gt|ge|lerp|addc\w+|xlogy|result_type|can_cast)$/;

/** Ops that would take a JavaScript integer for a float where PyTorch sees an int. */
const TYPED_INTEGERS = /^(full|scalar_tensor)$/;

/** Which scalars of the op's arguments must carry their Python kind. */
export function scalarOptions(op: string): { typedFloats: boolean; typedIntegers: boolean } {
  return { typedFloats: TYPED_FLOATS.test(op), typedIntegers: TYPED_INTEGERS.test(op) };
}

/** Reflected operators are the free function with swapped operands (naming rule 7). */
const REFLECTED: Record<string, string> = {
  __radd__: "add",
  __rsub__: "sub",
  __rmul__: "mul",
  __rdiv__: "div",
  __rmod__: "remainder",
  __rpow__: "pow",
  __rmatmul__: "matmul",
  __rand__: "bitwiseAnd",
  __ror__: "bitwiseOr",
  __rxor__: "bitwiseXor",
};

/** Positional arguments, then an options object where there are keyword arguments. */
function withOptions(args: unknown[], options: Record<string, unknown>): unknown[] {
  return Object.keys(options).length > 0 ? [...args, options] : args;
}

/** The path of a function below `torch`: PyTorch re-exports `torch.functional.*` at the top. */
function functionPath(fn: string): string {
  return camelPath(fn.replace(/^torch\./, "").replace(/^functional\./, ""));
}

/** A free function of the library, or `undefined`. */
function lookup(api: Api, path: string): Callable | undefined {
  const target = new Decoder(undefined as unknown as Golden, api, { device: "cpu" }).path(path);
  return typeof target === "function" ? target as Callable : undefined;
}

/** Whether tensors have a member of that name. */
function tensorHas(api: Api, name: string): boolean {
  const Tensor = api.Tensor as { prototype: object } | undefined;
  return Tensor !== undefined && name in Tensor.prototype;
}

/** A call of the tensor method `name` on the first argument. */
function method(args: unknown[], name: string, options: Record<string, unknown>): unknown {
  const [self, ...rest] = args;
  return (self as Record<string, Callable>)[name](...withOptions(rest, options));
}

/** A recorded step as the name that it needs and a way to perform it. */
function bindStep(api: Api, step: Step): { absent?: string; run: (decoder: Decoder) => unknown } {
  const tensorMember = /^torch\.Tensor\.(\w+)(\.__get__)?$/.exec(step.fn);
  if (tensorMember) {
    const name = camel(tensorMember[1]);
    const run = (decoder: Decoder) => {
      const args = decoder.list(step.args);
      if (tensorMember[2]) return (args[0] as Record<string, unknown>)[name];
      return method(args, name, decoder.options(step.kwargs));
    };
    return tensorHas(api, name) ? { run } : { absent: `Tensor.${name}`, run };
  }
  if (step.fn.startsWith("aten.")) throw new Unsupported(`${step.fn} is not part of PyTorch's public API`);
  const path = functionPath(step.fn);
  const target = lookup(api, path);
  const run = (decoder: Decoder) => target!(...withOptions(decoder.list(step.args), decoder.options(step.kwargs)));
  return target ? { run } : { absent: `torch.${path}`, run };
}

/** `x.at(...index)`, and reflected operators. */
function bindOperator(api: Api, name: string): BoundCall {
  if (name === "__getitem__") {
    const run = (decoder: Decoder, sample: Sample) => {
      const [self, index] = sample.args as Json[];
      const tensor = decoder.value(self) as unknown as { at: Callable };
      const tuple = index !== null && typeof index === "object" && "$tuple" in index;
      const parts = decoder.value(index);
      return tuple ? tensor.at(...parts as unknown[]) : tensor.at(parts);
    };
    return tensorHas(api, "at") ? { run } : { absent: "Tensor.at", run };
  }
  const path = REFLECTED[name];
  if (!path) throw new Unsupported(`operator ${name}`);
  const target = lookup(api, path);
  const run = (decoder: Decoder, sample: Sample) => {
    const [self, other] = decoder.list(sample.args);
    return target!(other, self);
  };
  return target ? { run } : { absent: `torch.${path}`, run };
}

/** A program: every step in order; the value is the last one's. */
function bindProgram(api: Api, sample: Sample): BoundCall {
  const steps = (sample.program ?? []).map((step) => bindStep(api, step));
  const absent = steps.find((step) => step.absent)?.absent;
  const run = (decoder: Decoder) => runSteps(steps, 0, decoder);
  return { absent, run };
}

/** Performs the steps from `k` on; waits only after a step that gave a promise. */
function runSteps(steps: { run: (decoder: Decoder) => unknown }[], k: number, decoder: Decoder): unknown {
  for (; k < steps.length; k++) {
    const result = steps[k].run(decoder);
    if (result instanceof Promise) {
      return result.then((value) => {
        decoder.results.push(value);
        return runSteps(steps, k + 1, decoder);
      });
    }
    decoder.results.push(result);
  }
  return decoder.results.at(-1);
}

/** Wrappers that PyTorch's recorder could not write as a program, by hand. */
const WRAPPERS: Record<string, (api: Api) => BoundCall> = {
  pca_lowrank: (api) => lowRank(api, "pcaLowrank"),
  svd_lowrank: (api) => lowRank(api, "svdLowrank"),
};

/** `torch.<name>(a @ b.mT, …)`. */
function lowRank(api: Api, name: string): BoundCall {
  const target = lookup(api, name);
  const run = (decoder: Decoder, sample: Sample) => {
    const [a, b, ...rest] = decoder.list(sample.args);
    const product = (api.matmul as Callable)(a, (b as { mT: TensorLike }).mT);
    return target!(...withOptions([product, ...rest], decoder.options(sample.kwargs)));
  };
  return target ? { run } : { absent: `torch.${name}`, run };
}

/** Binds what `sample` of the op called `name` calls. */
export function bindCall(
  api: Api,
  name: string,
  call: { kind: string; path: string | null },
  sample: Sample,
): BoundCall {
  switch (call.kind) {
    case "operator":
      return bindOperator(api, name);
    case "program":
      if (!sample.program && WRAPPERS[name]) return WRAPPERS[name](api);
      if (!sample.program) throw new Unsupported("a wrapper without a recorded program");
      return bindProgram(api, sample);
    case "method":
    case "function": {
      const step = { fn: call.path!, js: call.path!, args: sample.args, kwargs: sample.kwargs };
      const bound = bindStep(api, step);
      return { absent: bound.absent, run: (decoder) => bound.run(decoder) };
    }
    default:
      throw new Unsupported(`a call of kind ${call.kind}`);
  }
}
