/**
 * `cuda.makeGraphedCallables`: makes of a function or module one whose forward and backward passes are recorded CUDA
 * graphs.
 *
 * The result is called like the original, and gradients flow through it: a call copies its arguments into the recorded
 * ones and replays the forward graph; its autograd node copies the gradients of the outputs and replays the backward
 * graph.
 *
 * @module
 */

import { type Args, call } from "../base/call.ts";
import { checkFunction } from "../base/checks.ts";
import { ArgumentError } from "../base/errors.ts";
import { grad } from "../autograd/tensor_autograd.ts";
import { alias } from "../autograd/node.ts";
import { Function as AutogradFunction } from "../autograd/function.ts";
import { enableGrad, withGrad } from "../autograd/mode.ts";
import { CUDAGraph, graph, type GraphPool, graphPoolHandle } from "./graphs.ts";
import { Module } from "../nn/module/module.ts";
import { keep } from "../tensor/scope.ts";
import { outsideScopes } from "../tensor/storage.ts";
import { checkTensors, type Tensor } from "../tensor/tensor.ts";

/** A function that can be recorded: from tensors to one or several tensors. */
export type GraphedCallable = (...args: Tensor[]) => Tensor | Tensor[];

/** The parameters of {@linkcode makeGraphedCallables} after the callable. */
export class GraphedCallablesArgs {
  constructor(
    /**
     * Tensors of the shapes and dtypes of later arguments; they become the recorded arguments, which each call
     * overwrites.
     */
    public sampleArgs: readonly Tensor[],
    /** The number of warm-up calls before the recording. */
    public numWarmupIters = 3,
    /** Whether inputs are allowed that the outputs do not depend on. */
    public allowUnusedInput = false,
    /** The memory pool shared with other graphs; `null`: a new one. */
    public pool: GraphPool | null = null,
  ) {}
}

type GraphedOptions = Readonly<GraphedCallablesArgs>;

const graphedArgs = call("makeGraphedCallables", GraphedCallablesArgs);

/** The recordings of one callable. */
interface Recorded {
  readonly forward: CUDAGraph;
  readonly backward: CUDAGraph | null;
  /** The recorded arguments, overwritten before each replay. */
  readonly inputs: readonly Tensor[];
  /** The recorded outputs as a list, and whether the callable returns a single tensor. */
  readonly outputs: readonly Tensor[];
  readonly single: boolean;
  /**
   * The recorded gradients of the outputs, overwritten before each replay of the backward graph; `null` for outputs
   * without gradient.
   */
  readonly gradOutputs: readonly (Tensor | null)[];
  /** The recorded gradients of the inputs, then of the parameters; `null` where there is none. */
  readonly grads: readonly (Tensor | null)[];
}

function listOf(result: Tensor | Tensor[]): Tensor[] {
  return Array.isArray(result) ? result : [result];
}

function warmUp(call: GraphedCallable, inputs: readonly Tensor[], wanted: Tensor[], options: GraphedOptions): void {
  for (let i = options.numWarmupIters; i > 0; i--) {
    const outputs = listOf(call(...inputs)).filter((x) => x.requiresGrad);
    if (outputs.length === 0 || wanted.length === 0) continue;
    const grads = grad(outputs, wanted, {
      gradOutputs: outputs.map((x) => x.detach().onesLike()),
      allowUnused: options.allowUnusedInput,
    });
    for (const g of grads) g?.dispose();
  }
}

function recordPasses(
  call: GraphedCallable,
  inputs: Tensor[],
  parameters: Tensor[],
  options: GraphedOptions,
): Recorded {
  const wanted = [...inputs, ...parameters].filter((x) => x.requiresGrad);
  warmUp(call, inputs, wanted, options);
  const pool = options.pool ?? graphPoolHandle();
  const forward = new CUDAGraph();
  const result = graph(forward, () => call(...inputs), { pool });
  const outputs = listOf(result);
  const differentiable = outputs.filter((x) => x.requiresGrad);
  const gradOutputs = outputs.map((x) => x.requiresGrad ? keep(x.detach().emptyLike()) : null);
  let backward: CUDAGraph | null = null;
  let found: (Tensor | null)[] = [];
  if (differentiable.length > 0 && wanted.length > 0) {
    backward = new CUDAGraph();
    const given = gradOutputs.filter((x) => x !== null);
    const { allowUnusedInput } = options;
    const pass = () => grad(differentiable, wanted, { gradOutputs: given, allowUnused: allowUnusedInput });
    found = graph(backward, pass, { pool, forward });
  }
  let next = 0;
  const grads = [...inputs, ...parameters].map((x) => x.requiresGrad && backward !== null ? found[next++] : null);
  for (const x of [...outputs, ...grads]) if (x !== null) keep(x);
  return {
    ...{ forward, backward, inputs, gradOutputs, grads },
    outputs: outputs.map(alias),
    single: !Array.isArray(result),
  };
}

/** Makes the op that replays a recording, with its gradient. */
function replaying(recorded: Recorded, name: string): (...args: Tensor[]) => Tensor | Tensor[] {
  const { inputs, outputs, gradOutputs, grads } = recorded;
  const Replay = class extends AutogradFunction {
    static forward(...args: Tensor[]): Tensor | Tensor[] {
      inputs.forEach((x, i) => {
        if (!isSame(args[i], x)) withGrad(false, () => x.detach().copy_(args[i].detach()));
      });
      recorded.forward.replay();
      const made = outputs.map(alias);
      return recorded.single ? made[0] : made;
    }
    static setupContext(): void {}
    static backward(_ctx: unknown, ...given: Tensor[]): (Tensor | null)[] {
      gradOutputs.forEach((x, i) => x?.copy_(given[i]));
      recorded.backward!.replay();
      // Copies are returned, because the next replay overwrites the memory while the gradients may be kept.
      return grads.map((g) => g?.clone() ?? null);
    }
  };
  Object.defineProperty(Replay, "name", { value: name });
  return (...args) => Replay.apply(...args);
}

/** Whether a tensor has the memory and geometry of the recorded one, so that no copy is needed. */
function isSame(x: Tensor, recorded: Tensor): boolean {
  return x.storage === recorded.storage && x.offset === recorded.offset && `${x.strides}` === `${recorded.strides}`;
}

function checkArguments(name: string, inputs: readonly Tensor[], args: readonly Tensor[]): void {
  const said = (list: readonly Tensor[]) => list.map((x) => `${x.dtype}[${x.shape}]`).join(", ");
  const fits = inputs.length === args.length && inputs.every((x, i) => {
    return x.dtype === args[i].dtype && `${x.shape}` === `${args[i].shape}`;
  });
  if (!fits) {
    throw new ArgumentError(
      `${name}(): a recorded callable takes what was recorded: ${said(inputs)}, not ${said(args)}`,
    );
  }
}

/**
 * Returns a function that replays `callable` as recorded graphs, forward and backward; a module is returned with its
 * `forward` replaced (for its present mode, training or evaluation).
 *
 * Its outputs are the same memory in every call, and a backward pass belongs to the last forward pass. Gradients of
 * gradients do not exist.
 *
 * @param callable must do the same work in each call, and read nothing
 * @throws {ArgumentError} if the sample arguments are not on a CUDA device
 */
export function makeGraphedCallables<T extends GraphedCallable | Module>(
  callable: T,
  ...args: Args<typeof GraphedCallablesArgs>
): T {
  const op = "makeGraphedCallables";
  const options = graphedArgs(args), { sampleArgs } = options;
  checkTensors(op, "sampleArgs", sampleArgs);
  for (const x of sampleArgs) {
    if (x.device.type !== "cuda") {
      throw new ArgumentError(`${op}(): sample arguments must be on a CUDA device: ${x.device}`);
    }
  }
  const module = callable instanceof Module ? callable : null;
  if (module === null) checkFunction(op, "callable", callable);
  const original = module ? module.forward.bind(module) as unknown as GraphedCallable : callable as GraphedCallable;
  const parameters = module ? [...module.parameters()] : [];
  const inputs = [...sampleArgs];
  const recorded = outsideScopes(() => enableGrad(() => recordPasses(original, inputs, parameters, options)));
  const name = module ? `Graphed${module.constructor.name}` : "Graphed";
  const replay = replaying(recorded, name);
  const graphed = (...args: Tensor[]): Tensor | Tensor[] => {
    checkArguments(name, inputs, args);
    return replay(...args, ...parameters);
  };
  if (module === null) return graphed as T;
  const { training } = module;
  const own = module as unknown as { forward: GraphedCallable };
  own.forward = (...args) => module.training === training ? graphed(...args) : original(...args);
  return callable;
}
