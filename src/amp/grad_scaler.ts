/**
 * `GradScaler`: loss scaling, which keeps small float16 gradients from becoming 0.
 *
 * The loss is multiplied by a scale before backward. Before an optimizer's step its gradients are divided by the scale
 * and checked for infinity and NaN. If there is one, the step is skipped and the scale shrinks; after many good steps
 * the scale grows. Scale, growth tracker and `foundInf` stay on the device. On the CPU, where reading is free, the host
 * decides about the step, as in PyTorch; on other devices the optimizer's fused update takes scale and `foundInf` as
 * operands, and nothing is read.
 *
 * @see https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling
 * @module
 */

import { type Args, call, isPlainObject, NoArgs } from "../base/call.ts";
import type { Device } from "../base/device.ts";
import { float16, float32, int32 } from "../base/dtype.ts";
import { ArgumentError, AutogradError, describe, DeviceError, DTypeError } from "../base/errors.ts";
import { unread } from "../base/unread.ts";
import { withGrad } from "../autograd/mode.ts";
import { full } from "../ops/create/creation.ts";
import { multiplyEach } from "../ops/core/grads.ts";
import { findNonFinite, updateScale } from "../ops/loss/loss_scale.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { outsideScopes } from "../tensor/storage.ts";
import { Tensor } from "../tensor/tensor.ts";

/** The parameters of {@linkcode GradScaler}. */
export class GradScalerArgs {
  constructor(
    /** Accepted for PyTorch's sake: the scale lies on the device of the first tensor that is scaled. */
    public device: string | Device = "cuda",
    /** The initial scale. */
    public initScale = 65536,
    /** The factor of the scale after `growthInterval` good steps in a row; more than 1. */
    public growthFactor = 2,
    /** The factor of the scale after a skipped step; less than 1. */
    public backoffFactor = 0.5,
    /** The number of good steps in a row after which the scale grows. */
    public growthInterval = 2000,
    /** Whether the scaler is enabled; otherwise `scale` returns its input and `step` only calls the optimizer. */
    public enabled = true,
  ) {}
}

/** The parameters of {@linkcode GradScaler.unscale_}. */
export class UnscaleArgs {
  constructor(
    /** The optimizer whose gradients are divided. */
    public optimizer: Optimizer,
  ) {}
}

/** The parameters of {@linkcode GradScaler.update}. */
export class UpdateArgs {
  constructor(
    /** The new scale; `null`: the scale is adapted. */
    public newScale: number | Tensor | null = null,
  ) {}
}

/** The parameters of {@linkcode GradScaler.setGrowthFactor} and {@linkcode GradScaler.setBackoffFactor}. */
export class FactorArgs {
  constructor(
    /** The new factor. */
    public newFactor: number,
  ) {}
}

/** The parameters of {@linkcode GradScaler.setGrowthInterval}. */
export class IntervalArgs {
  constructor(
    /** The new number of steps. */
    public newInterval: number,
  ) {}
}

/** The state dict of a scaler, in PyTorch's layout; empty if the scaler is not enabled. */
export interface GradScalerState {
  /** The current scale. */
  scale?: number;
  /** The growth factor; see {@linkcode GradScalerArgs}. */
  growth_factor?: number;
  /** The backoff factor; see {@linkcode GradScalerArgs}. */
  backoff_factor?: number;
  /** The growth interval; see {@linkcode GradScalerArgs}. */
  growth_interval?: number;
  /** The number of good steps since the scale last changed. */
  _growth_tracker?: number;
}

const scalerArgs = call("GradScaler", GradScalerArgs);
const scaleArgs = call("scale", NoArgs);
const unscaleArgs = call("unscale_", UnscaleArgs);
const updateArgs = call("update", UpdateArgs);
const growthFactorArgs = call("setGrowthFactor", FactorArgs);
const backoffFactorArgs = call("setBackoffFactor", FactorArgs);
const growthIntervalArgs = call("setGrowthInterval", IntervalArgs);
const loadStateDictArgs = call("loadStateDict", NoArgs);
const getters = {
  scale: call("getScale", NoArgs),
  growthFactor: call("getGrowthFactor", NoArgs),
  backoffFactor: call("getBackoffFactor", NoArgs),
  growthInterval: call("getGrowthInterval", NoArgs),
  isEnabled: call("isEnabled", NoArgs),
  stateDict: call("stateDict", NoArgs),
};

/** The state of an optimizer since the last `update()`. */
interface OptimizerStage {
  stage: "ready" | "unscaled" | "stepped";
  /** For each device of the gradients, whether one is infinite or NaN (0-d, float32, not 0 if so). */
  foundInf: Map<Device, Tensor>;
}

/** Makes a tensor of the scaler, which belongs to no scope. */
function own(make: () => Tensor): Tensor {
  return outsideScopes(() => withGrad(false, make));
}

/**
 * Loss scaling: scales losses, so that small float16 gradients do not become 0, and adapts the scale.
 *
 * Differs from PyTorch: it works on every device, whichever `device` names; `getScale()` and `stateDict()` are
 * asynchronous, like everything that reads values.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * const model = new torch.nn.Linear(4, 1);
 * const optimizer = new torch.optim.SGD(model.parameters(), { lr: 0.1 });
 * const scaler = new torch.amp.GradScaler("cpu", { initScale: 1024, growthInterval: 2 });
 * for (let i = 0; i < 2; i++) {
 *   optimizer.zeroGrad();
 *   const loss = torch.autocast("cpu", { dtype: torch.float16 }, () => model.call(torch.ones(8, 4)).pow(2).mean());
 *   scaler.scale(loss).backward();
 *   scaler.step(optimizer);
 *   scaler.update();
 * }
 * assertEquals(await scaler.getScale(), 2048);
 * ```
 */
export class GradScaler {
  readonly #enabled: boolean;
  #initScale: number;
  #initTracker = 0;
  #growthFactor: number;
  #backoffFactor: number;
  #growthInterval: number;
  #scale: Tensor | null = null;
  #tracker: Tensor | null = null;
  #stages = new Map<Optimizer, OptimizerStage>();

  /**
   * Makes a scaler; its tensors are made on first use.
   *
   * @throws {ArgumentError} unless the growth factor is more than 1 and the backoff factor less than 1
   */
  constructor(...args: Args<typeof GradScalerArgs>) {
    const o = scalerArgs(args);
    this.#enabled = o.enabled;
    this.#initScale = o.initScale;
    this.#growthFactor = o.growthFactor;
    this.#backoffFactor = o.backoffFactor;
    this.#growthInterval = o.growthInterval;
    if (!(this.#growthFactor > 1)) {
      throw new ArgumentError(`GradScaler(): growthFactor must be more than 1: ${this.#growthFactor}`);
    }
    if (!(this.#backoffFactor < 1)) {
      throw new ArgumentError(`GradScaler(): backoffFactor must be less than 1: ${this.#backoffFactor}`);
    }
  }

  /**
   * Multiplies a loss, or each loss of a (nested) list, by the scale.
   *
   * @param outputs returned as they are if the scaler is not enabled
   */
  scale<T extends Tensor | readonly unknown[]>(outputs: T, ...args: Args<typeof NoArgs>): T {
    scaleArgs(args);
    if (!this.#enabled) return outputs;
    const apply = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(apply);
      if (!(value instanceof Tensor)) {
        throw new ArgumentError(`scale(): outputs must be a Tensor or a list of Tensors: ${describe(value)}`);
      }
      if (this.#scale === null) this.#start(value);
      return value.mul(this.#scale!.to(value.device));
    };
    return apply(outputs) as T;
  }

  #start(like: Tensor): void {
    const { device } = like;
    this.#scale = own(() => full([], this.#initScale, { dtype: float32, device }));
    this.#tracker = own(() => full([], this.#initTracker, { dtype: int32, device }));
  }

  #started(op: string): [scale: Tensor, tracker: Tensor] {
    if (this.#scale === null || this.#tracker === null) {
      throw new AutogradError(`${op}(): nothing was scaled yet; use scale(loss).backward() earlier in the iteration`);
    }
    return [this.#scale, this.#tracker];
  }

  #stageOf(optimizer: Optimizer): OptimizerStage {
    let stage = this.#stages.get(optimizer);
    if (stage === undefined) this.#stages.set(optimizer, stage = { stage: "ready", foundInf: new Map() });
    return stage;
  }

  /**
   * Divides the gradients of an optimizer by the scale, for code that reads them before the step: clipping, logging.
   *
   * `step` does it by itself otherwise. Nothing is read by the host.
   *
   * @throws {AutogradError} if it was done already since the last `update()`
   * @throws {DTypeError} if a gradient is float16: the parameters are to be float32
   */
  unscale_(...args: Args<typeof UnscaleArgs>): void {
    const { optimizer } = unscaleArgs(args);
    if (!this.#enabled) return;
    const [scale] = this.#started("unscale_");
    const own = this.#stageOf(optimizer);
    if (own.stage !== "ready") {
      const when = own.stage === "unscaled" ? "was called on this optimizer already" : "is called after step()";
      throw new AutogradError(`unscale_(): it ${when} since the last update()`);
    }
    const grads = this.#check(optimizer, own, false);
    withGrad(false, () => {
      const inverse = scale.reciprocal();
      for (const [device, list] of grads) multiplyEach(list, inverse.to(device));
      inverse.dispose();
    });
    own.stage = "unscaled";
  }

  /** Checks the gradients for infinity and NaN; returns them by device, complex ones as real views. */
  #check(optimizer: Optimizer, own: OptimizerStage, allowHalf: boolean): Map<Device, Tensor[]> {
    const grads = new Map<Device, Tensor[]>();
    for (const group of optimizer.paramGroups) {
      for (const param of group.params) {
        const grad = param.meta?.grad ?? null;
        if (grad === null) continue;
        if (grad.dtype === float16 && !allowHalf) {
          throw new DTypeError("unscale_(): gradients must not be float16; keep the parameters in float32");
        }
        const list = grads.get(grad.device) ?? [];
        grads.set(grad.device, list);
        list.push(grad.dtype.isComplex ? grad.detach().viewAsReal() : grad);
      }
    }
    for (const [device, list] of grads) {
      const found = own.foundInf.get(device) ?? full([], 0, { dtype: float32, device });
      found.storage.keep();
      own.foundInf.set(device, found);
      findNonFinite(list, found);
    }
    return grads;
  }

  /**
   * Calls the optimizer's step with gradients divided by the scale, unless one of them is infinite or NaN.
   *
   * On the CPU a skipped step is not called at all. On other devices the optimizer is always called, and the update of
   * a skipped step changes nothing; parameters' `grad` stay scaled then, as with PyTorch's fused optimizers.
   *
   * @param args the arguments of the optimizer's `step`; closures are not supported
   * @returns the result of the optimizer's `step`
   * @throws {AutogradError} if it was called already since the last `update()`
   */
  step(optimizer: Optimizer, ...args: readonly unknown[]): unknown {
    if (!this.#enabled) return (optimizer.step as (...args: readonly unknown[]) => unknown)(...args);
    if (args.length > 0) {
      throw new ArgumentError("step(): closures are not supported with a GradScaler that is enabled");
    }
    const [scale] = this.#started("step");
    const own = this.#stageOf(optimizer);
    if (own.stage === "stepped") throw new AutogradError("step(): it was called already since the last update()");
    const masked = scale.device.type !== "cpu" && optimizer.stepSupportsAmpScaling;
    if (!masked && own.stage === "ready") this.unscale_(optimizer);
    if (own.stage === "ready") this.#check(optimizer, own, true);
    if (own.foundInf.size === 0) {
      throw new AutogradError("step(): no gradients were found for this optimizer; call backward() on a scaled loss");
    }
    const result = masked ? this.#maskedStep(optimizer, own, scale) : this.#hostStep(optimizer, own);
    own.stage = "stepped";
    return result;
  }

  /** A step about which the host decides, by reading `foundInf`. */
  #hostStep(optimizer: Optimizer, own: OptimizerStage): unknown {
    let bad = false;
    for (const found of own.foundInf.values()) {
      if (!found.storage.backend.readSync) {
        throw new DeviceError(
          `step(): ${optimizer.constructor.name} decides on the host, which cannot wait for ${found.device}; ` +
            "use an optimizer with a fused update",
        );
      }
      if (Number(found.itemSync()) !== 0) bad = true;
    }
    return bad ? undefined : optimizer.step();
  }

  /** A step about which the device decides: scale and `foundInf` are operands of the update. */
  #maskedStep(optimizer: Optimizer, own: OptimizerStage, scale: Tensor): unknown {
    optimizer.gradScale = own.stage === "unscaled" ? null : scale;
    optimizer.foundInf = this.#combined([...own.foundInf.values()], scale.device);
    try {
      return optimizer.step();
    } finally {
      optimizer.gradScale = null;
      optimizer.foundInf = null;
    }
  }

  #combined(found: readonly Tensor[], device: Device): Tensor {
    return withGrad(false, () => found.map((f) => f.to(device)).reduce((a, b) => a.add(b)));
  }

  /**
   * Adapts the scale; to be called last in each iteration.
   *
   * @throws {AutogradError} if no step or `unscale_` checked gradients before
   */
  update(...args: Args<typeof UpdateArgs>): void {
    const { newScale } = updateArgs(args);
    if (!this.#enabled) return;
    const [scale, tracker] = this.#started("update");
    if (newScale instanceof Tensor) {
      if (newScale.numel() !== 1 || newScale.requiresGrad) {
        throw new ArgumentError("update(): newScale must be a number or a tensor of one element without gradient");
      }
      withGrad(false, () => scale.copy_(newScale.reshape([])));
    } else if (newScale !== null) withGrad(false, () => scale.fill_(newScale));
    else {
      const found = [...this.#stages.values()].flatMap((stage) => [...stage.foundInf.values()]);
      if (found.length === 0) throw new AutogradError("update(): no gradients were looked at; call step() before it");
      const all = this.#combined(found, scale.device);
      updateScale(scale, tracker, all, this.#growthFactor, this.#backoffFactor, this.#growthInterval);
      all.dispose();
    }
    for (const { foundInf } of this.#stages.values()) for (const found of foundInf.values()) found.dispose();
    this.#stages = new Map();
  }

  /** The current scale; 1 if the scaler is not enabled. */
  getScale(...args: Args<typeof NoArgs>): Promise<number> {
    return unread("getScale", this.#readScale(args));
  }

  async #readScale(args: readonly unknown[]): Promise<number> {
    getters.scale(args);
    if (!this.#enabled) return 1;
    return this.#scale === null ? this.#initScale : Number(await this.#scale.item());
  }

  /** The growth factor: that of the scale after good steps. */
  getGrowthFactor(...args: Args<typeof NoArgs>): number {
    getters.growthFactor(args);
    return this.#growthFactor;
  }

  /** Sets the growth factor. */
  setGrowthFactor(...args: Args<typeof FactorArgs>): void {
    this.#growthFactor = growthFactorArgs(args).newFactor;
  }

  /** The backoff factor: that of the scale after a skipped step. */
  getBackoffFactor(...args: Args<typeof NoArgs>): number {
    getters.backoffFactor(args);
    return this.#backoffFactor;
  }

  /** Sets the backoff factor. */
  setBackoffFactor(...args: Args<typeof FactorArgs>): void {
    this.#backoffFactor = backoffFactorArgs(args).newFactor;
  }

  /** The number of good steps in a row after which the scale grows. */
  getGrowthInterval(...args: Args<typeof NoArgs>): number {
    getters.growthInterval(args);
    return this.#growthInterval;
  }

  /** Sets the growth interval. */
  setGrowthInterval(...args: Args<typeof IntervalArgs>): void {
    this.#growthInterval = growthIntervalArgs(args).newInterval;
  }

  /** Whether the scaler is enabled. */
  isEnabled(...args: Args<typeof NoArgs>): boolean {
    getters.isEnabled(args);
    return this.#enabled;
  }

  /** The state dict with PyTorch's names; to be called after `update()`. */
  async stateDict(...args: Args<typeof NoArgs>): Promise<GradScalerState> {
    getters.stateDict(args);
    if (!this.#enabled) return {};
    return {
      scale: await this.getScale(),
      growth_factor: this.#growthFactor,
      backoff_factor: this.#backoffFactor,
      growth_interval: this.#growthInterval,
      _growth_tracker: this.#tracker === null ? this.#initTracker : Number(await this.#tracker.item()),
    };
  }

  /**
   * Restores a state dict made here or by PyTorch.
   *
   * @throws {ArgumentError} if the state is that of a scaler that was not enabled
   */
  loadStateDict(state: GradScalerState, ...args: Args<typeof NoArgs>): void {
    loadStateDictArgs(args);
    if (!this.#enabled) return;
    if (!isPlainObject(state)) {
      throw new ArgumentError(`GradScaler.loadStateDict(): the state must be an object: ${describe(state)}`);
    }
    const { scale, growth_factor, backoff_factor, growth_interval, _growth_tracker } = state;
    const all = [scale, growth_factor, backoff_factor, growth_interval, _growth_tracker];
    if (!all.every((value) => typeof value === "number")) {
      throw new ArgumentError(
        `loadStateDict(): the state lacks entries: ${Object.keys(state).join(", ") || "empty"}; it may be that of a ` +
          "scaler that was not enabled",
      );
    }
    [this.#initScale, this.#growthFactor, this.#backoffFactor, this.#growthInterval, this.#initTracker] = all;
    withGrad(false, () => {
      this.#scale?.fill_(this.#initScale);
      this.#tracker?.fill_(this.#initTracker);
    });
  }
}
