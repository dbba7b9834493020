/**
 * `optim.swaUtils`: averages of weights over training steps, by stochastic weight averaging or exponentially.
 *
 * The averaged model is a module beside the trained one. The number of its updates is a buffer, as in PyTorch; whether
 * there was one is also known on the host, so that no update waits for a device.
 *
 * @see https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
 * @module
 */

import "../ops/attach.ts";
import { withGrad } from "../autograd/mode.ts";
import { type Args, call, type Func, func, type Named, NoArgs } from "../base/call.ts";
import { checkInstance, checkIterable } from "../base/checks.ts";
import type { Device } from "../base/device.ts";
import { int64 } from "../base/dtype.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { BatchNorm } from "../nn/layers/batchnorm.ts";
import { Module } from "../nn/module/module.ts";
import { where } from "../ops/pointwise/compare.ts";
import { zeros } from "../ops/create/creation.ts";
import { scope } from "../tensor/scope.ts";
import { Tensor } from "../tensor/tensor.ts";

export { SWALR } from "./lr_scheduler_cyclic.ts";

/**
 * A function that returns the new average of one tensor, given the average, the model's tensor and the number of
 * updates so far (0-d).
 */
export type AverageFunction = (averaged: Tensor, current: Tensor, numAveraged: Tensor) => Tensor;

/**
 * A function that updates the averages of many tensors in place, given the averages, the model's tensors and the number
 * of updates so far (0-d).
 */
export type MultiAverageFunction = (averaged: Tensor[], current: Tensor[], numAveraged: Tensor) => void;

/** The parameters of {@linkcode AveragedModel} after the model. */
export class AveragingArgs {
  constructor(
    /** The device of the average; `null`: that of the model. */
    public device: string | Device | null = null,
    /** The averaging function of one tensor; `null`: the mean of all updates. */
    public avgFn: AverageFunction | null = null,
    /** The averaging function of all tensors, in place of `avgFn`. */
    public multiAvgFn: MultiAverageFunction | null = null,
    /** Whether buffers are averaged too; otherwise they are copied. */
    public useBuffers = false,
  ) {}
}

/** The parameters of {@linkcode AveragedModel}. */
export class AveragedModelArgs<M extends Module = Module> extends AveragingArgs {
  constructor(
    /** The model to average, which is copied. */
    public model: M,
    device?: string | Device | null,
    avgFn?: AverageFunction | null,
    multiAvgFn?: MultiAverageFunction | null,
    useBuffers?: boolean,
  ) {
    super(device, avgFn, multiAvgFn, useBuffers);
  }
}

/** The parameter of {@linkcode AveragedModel.updateParameters}. */
export class UpdateParametersArgs {
  constructor(
    /** The model that is trained. */
    public model: Module,
  ) {}
}

const averagedArgs = call("AveragedModel", AveragedModelArgs);
const updateArgs = call("AveragedModel.updateParameters", UpdateParametersArgs);

/**
 * A copy of a model whose weights are averages of the model's.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const { AveragedModel, getEmaMultiAvgFn } = torch.optim.swaUtils;
 * const model = new torch.nn.Linear(1, 1, { bias: false });
 * const ema = new AveragedModel(model, { multiAvgFn: getEmaMultiAvgFn(0.5) });
 * for (const value of [4, 8]) {
 *   torch.nn.init.constant_(model.weight, value); // a training step
 *   ema.updateParameters(model);
 * }
 * assertEquals(await ema.module.weight.tolist(), [[6]]);
 * ```
 */
export class AveragedModel<M extends Module = Module> extends Module {
  /** The averaged model. */
  readonly module: M;
  /** The number of updates of the average (0-d, int64). */
  declare n_averaged: Tensor;
  /** The averaging function of one tensor, as given. */
  readonly avgFn: AverageFunction | null;
  /** The averaging function of all tensors, as given. */
  readonly multiAvgFn: MultiAverageFunction | null;
  /** Whether buffers are averaged. */
  readonly useBuffers: boolean;
  /** Whether there was an update: `"unknown"` after a state dict was loaded, when only the device knows. */
  private started: "no" | "yes" | "unknown" = "no";

  /** Makes an average that starts as a copy of `model`. */
  constructor(model: M, ...args: Args<typeof AveragingArgs>);
  /** Makes an average, with all arguments by name. */
  constructor(named: { readonly model: M } & Named<AveragingArgs>);
  constructor(...args: readonly unknown[]) {
    super();
    const { model, device, avgFn, multiAvgFn, useBuffers } = averagedArgs(args);
    checkInstance("AveragedModel", "model", model, Module);
    if (avgFn !== null && multiAvgFn !== null) {
      throw new ArgumentError("AveragedModel(): give only one of avgFn and multiAvgFn");
    }
    this.avgFn = avgFn;
    this.multiAvgFn = multiAvgFn;
    this.useBuffers = useBuffers;
    this.module = model.clone() as M;
    if (device !== null) this.module.to(device);
    const at = device ?? [...this.module.parameters()][0]?.device;
    this.registerBuffer("n_averaged", zeros([], { dtype: int64, device: at }));
    this.registerLoadStateDictPostHook((module) => {
      (module as AveragedModel).started = "unknown";
    });
  }

  /** The output of the averaged model. */
  override forward(...args: Parameters<M["forward"]>): ReturnType<M["forward"]> {
    return this.module.call(...args) as ReturnType<M["forward"]>;
  }

  /** Updates the average by the parameters of a model; the first update copies them. */
  updateParameters(...args: Args<typeof UpdateParametersArgs>): void {
    const { model } = updateArgs(args);
    checkInstance("updateParameters", "model", model, Module);
    withGrad(false, () => scope(() => this.update(model)));
  }

  /** One update; the caller's scope releases the temporary tensors. */
  private update(model: Module): void {
    const all = (module: Module): Tensor[] => [...module.parameters(), ...(this.useBuffers ? module.buffers() : [])];
    const averaged = all(this.module).map((x) => x.detach());
    const sources = all(model);
    if (sources.length !== averaged.length) {
      throw new ArgumentError(
        `updateParameters(): the model must be like the one averaged: ${sources.length} tensors for ${averaged.length}`,
      );
    }
    const current = sources.map((x, i) => x.detach().to(averaged[i].device));
    if (this.started === "no") averaged.forEach((x, i) => x.copy_(current[i]));
    else {
      if (this.started === "unknown") this.startWhereNew(averaged, current);
      this.average(averaged, current);
    }
    if (!this.useBuffers) {
      const own = [...this.module.buffers()];
      [...model.buffers()].forEach((x, i) => own[i].copy_(x.detach().to(own[i].device)));
    }
    if (this.started === "no") this.started = "yes";
    this.n_averaged.add_(1);
  }

  /** Copies the model's tensors if the loaded average was never updated. The device decides, so nothing is read. */
  private startWhereNew(averaged: Tensor[], current: Tensor[]): void {
    averaged.forEach((x, i) => x.copy_(where(this.n_averaged.to(x.device).eq(0), current[i], x)));
  }

  /** Averages with the given functions, all tensors of a device together. */
  private average(averaged: Tensor[], current: Tensor[]): void {
    const one = this.avgFn;
    if (one !== null) {
      averaged.forEach((x, i) => x.copy_(one(x, current[i], this.n_averaged.to(x.device))));
      return;
    }
    const many = this.multiAvgFn ?? getSwaMultiAvgFn();
    for (const device of new Set(averaged.map((x) => x.device))) {
      const here = averaged.flatMap((x, i) => x.device === device ? [i] : []);
      many(here.map((i) => averaged[i]), here.map((i) => current[i]), this.n_averaged.to(device));
    }
  }
}

/** The parameters of {@linkcode getEmaAvgFn} and {@linkcode getEmaMultiAvgFn}. */
export class EmaArgs {
  constructor(
    /** The decay rate: the weight of the old average, in [0, 1]. */
    public decay = 0.999,
  ) {}
}

function checkDecay(op: string, decay: number): void {
  if (!(decay >= 0 && decay <= 1)) throw new ArgumentError(`${op}(): the decay must be in [0, 1]: ${describe(decay)}`);
}

/**
 * Makes an `avgFn` that computes the exponential moving average of one tensor.
 *
 * @throws {ArgumentError} if the decay is not in [0, 1]
 */
export const getEmaAvgFn: Func<typeof EmaArgs, AverageFunction> = func("getEmaAvgFn", EmaArgs, ({ decay }) => {
  checkDecay("getEmaAvgFn", decay);
  return (averaged, current) => averaged.mul(decay).add(current.mul(1 - decay));
});

/**
 * Makes a `multiAvgFn` that computes exponential moving averages.
 *
 * @throws {ArgumentError} if the decay is not in [0, 1]
 */
export const getEmaMultiAvgFn: Func<typeof EmaArgs, MultiAverageFunction> = func(
  "getEmaMultiAvgFn",
  EmaArgs,
  ({ decay }) => {
    checkDecay("getEmaMultiAvgFn", decay);
    const average = getEmaAvgFn(decay);
    return (averaged, current, count) =>
      averaged.forEach((x, i) => {
        if (x.dtype.isFloatingPoint || x.dtype.isComplex) x.lerp_(current[i], 1 - decay);
        else x.copy_(average(x, current[i], count));
      });
  },
);

/** Makes an `avgFn` that computes the mean of all updates of one tensor. */
export const getSwaAvgFn: Func<typeof NoArgs, AverageFunction> = func(
  "getSwaAvgFn",
  NoArgs,
  () => (averaged, current, count) => averaged.add(current.sub(averaged).div(count.add(1))),
);

/** Makes a `multiAvgFn` that computes the means of all updates. */
export const getSwaMultiAvgFn: Func<typeof NoArgs, MultiAverageFunction> = func("getSwaMultiAvgFn", NoArgs, () => {
  const average = getSwaAvgFn();
  return (averaged, current, count) => averaged.forEach((x, i) => x.copy_(average(x, current[i], count)));
});

/** The parameters of {@linkcode updateBn}. */
export class UpdateBnArgs {
  constructor(
    /** The loader: yields inputs, or arrays whose first element is the input. */
    public loader: AsyncIterable<unknown> | Iterable<unknown>,
    /** The model, usually an {@linkcode AveragedModel}. */
    public model: Module,
    /** The device that inputs are moved to; `null`: they are not moved. */
    public device: string | Device | null = null,
  ) {}
}

/**
 * Computes the running statistics of a model's batch normalisations anew, from all batches of `loader`.
 *
 * Differs from PyTorch: asynchronous, as loaders are.
 */
export const updateBn: Func<typeof UpdateBnArgs, Promise<void>> = func("updateBn", UpdateBnArgs, updateStatistics);

async function updateStatistics({ loader, model, device }: UpdateBnArgs): Promise<void> {
  checkIterable("updateBn", "loader", loader);
  checkInstance("updateBn", "model", model, Module);
  const layers = [...model.modules()].filter((module) => module instanceof BatchNorm);
  if (layers.length === 0) return;
  const momenta = layers.map((layer) => layer.momentum);
  const { training } = model;
  for (const layer of layers) {
    layer.resetRunningStats();
    layer.momentum = null;
  }
  model.train();
  try {
    for await (const batch of loader) {
      const input = Array.isArray(batch) ? batch[0] : batch;
      if (!(input instanceof Tensor)) throw new ArgumentError("updateBn(): the loader must give tensors");
      withGrad(false, () => scope(() => void model.call(...[device === null ? input : input.to(device)] as never[])));
    }
  } finally {
    layers.forEach((layer, i) => layer.momentum = momenta[i]);
    model.train(training);
  }
}
