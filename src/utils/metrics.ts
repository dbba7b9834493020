/**
 * Metrics of a training loop that do not make the device wait.
 *
 * Reading a value waits for all that is queued on a GPU, and on WebGPU it costs Deno 10 ms whatever its size: a loop
 * that reads its loss at every step is as slow as its reads. So a metric accumulates on the device; now and then it
 * starts an asynchronous read of the sum, and it waits only when its value is wanted. Names are those of
 * `torcheval.metrics`.
 *
 * @module
 */

import "../ops/attach.ts";
import { type Args, call, NoArgs } from "../base/call.ts";
import { unread } from "../base/unread.ts";
import { withGrad } from "../autograd/mode.ts";
import { ArgumentError, describe, ShapeError, show } from "../base/errors.ts";
import { float32 } from "../base/dtype.ts";
import { scope } from "../tensor/scope.ts";
import { outsideScopes } from "../tensor/storage.ts";
import { checkTensor, Tensor } from "../tensor/tensor.ts";

/** The number of updates after which a sum is read by the host, which accumulates in double precision. */
const READ_EVERY = 256;

/** The parameters of {@linkcode Mean.update}. */
export class MeanUpdateArgs {
  constructor(
    /** A number, or a tensor whose elements are added. */
    public input: Tensor | number,
    /** The weight of each element. */
    public weight = 1,
  ) {}
}

/** The parameters of {@linkcode MulticlassAccuracy.update}. */
export class AccuracyUpdateArgs {
  constructor(
    /** Scores `(N, classes)`, or predicted classes `(N)`. */
    public input: Tensor,
    /** The target classes, `(N)`. */
    public target: Tensor,
  ) {}
}

const meanArgs = call("Mean", NoArgs), accuracyArgs = call("MulticlassAccuracy", NoArgs);
const meanUpdateArgs = call("Mean.update", MeanUpdateArgs);
const meanComputeArgs = call("Mean.compute", NoArgs);
const meanResetArgs = call("Mean.reset", NoArgs);
const accuracyUpdateArgs = call("MulticlassAccuracy.update", AccuracyUpdateArgs);
const accuracyComputeArgs = call("MulticlassAccuracy.compute", NoArgs);
const accuracyResetArgs = call("MulticlassAccuracy.reset", NoArgs);

/**
 * The weighted mean of all values passed to `update`.
 *
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 *
 * const mean = new torch.utils.metrics.Mean();
 * for (let step = 1; step <= 4; step++) mean.update(torch.tensor(step)); // reads nothing
 * if (await mean.compute() !== 2.5) throw new Error("not the mean");
 * ```
 */
export class Mean {
  #weight = 0;
  #sum = 0;
  #onDevice: Tensor | null = null;
  #updates = 0;
  #reads: Promise<number>[] = [];

  /** Makes a metric without values. */
  constructor(...args: Args<typeof NoArgs>) {
    meanArgs(args);
  }

  /** Adds values: a number, or the elements of a tensor. */
  update(...args: Args<typeof MeanUpdateArgs>): this {
    const { input, weight } = meanUpdateArgs(args);
    if (typeof input !== "number" && !(input instanceof Tensor)) {
      throw new ArgumentError(`Mean.update(): input must be a Tensor or a number: ${describe(input)}`);
    }
    if (!Number.isFinite(weight)) throw new ArgumentError(`Mean.update(): weight must be finite: ${describe(weight)}`);
    if (typeof input === "number") {
      this.#sum += weight * input;
      this.#weight += weight;
      return this;
    }
    this.#weight += weight * input.numel();
    const total = this.#onDevice;
    if (total !== null && total.device !== input.device) this.#readLater();
    withGrad(false, () =>
      outsideScopes(() => {
        const sum = scope(() => input.detach().to(float32).sum().mul(weight));
        if (this.#onDevice === null) this.#onDevice = sum;
        else {
          this.#onDevice.add_(sum);
          sum.dispose();
        }
      }));
    if (++this.#updates >= READ_EVERY) this.#readLater();
    return this;
  }

  /** Starts reading the sum on the device, and begins a new one. */
  #readLater(): void {
    const total = this.#onDevice;
    this.#onDevice = null;
    this.#updates = 0;
    if (total === null) return;
    const read = total.item<number>().finally(() => total.dispose());
    // `compute()` throws the error; until then it must not count as an unhandled rejection.
    read.catch(() => {});
    this.#reads.push(read);
  }

  /** The mean so far; NaN before the first value. Waits for one read from the device. */
  compute(...args: Args<typeof NoArgs>): Promise<number> {
    return unread("compute", this.#compute(args));
  }

  async #compute(args: readonly unknown[]): Promise<number> {
    meanComputeArgs(args);
    this.#readLater();
    const reads = this.#reads.splice(0), weight = this.#weight;
    for (const value of await Promise.all(reads)) this.#sum += value;
    return weight === 0 ? NaN : this.#sum / weight;
  }

  /** Resets the metric to the state without values. */
  reset(...args: Args<typeof NoArgs>): this {
    meanResetArgs(args);
    this.#onDevice?.dispose();
    this.#onDevice = null;
    this.#reads = [];
    this.#weight = this.#sum = this.#updates = 0;
    return this;
  }
}

/**
 * Accuracy: the fraction of correct predictions.
 *
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 *
 * const accuracy = new torch.utils.metrics.MulticlassAccuracy();
 * accuracy.update(torch.tensor([[0.9, 0.1], [0.2, 0.8]]), torch.tensor([0n, 0n]));
 * if (await accuracy.compute() !== 0.5) throw new Error("not the accuracy");
 * ```
 */
export class MulticlassAccuracy {
  readonly #mean = new Mean();

  /** Makes a metric without values. */
  constructor(...args: Args<typeof NoArgs>) {
    accuracyArgs(args);
  }

  /**
   * Adds the examples of a batch.
   *
   * @throws {ShapeError} if the shapes of input and target do not match
   */
  update(...args: Args<typeof AccuracyUpdateArgs>): this {
    const { input, target } = accuracyUpdateArgs(args);
    checkTensor("MulticlassAccuracy.update", "input", input);
    checkTensor("MulticlassAccuracy.update", "target", target);
    const fits = target.ndim === 1 && (input.ndim === 1 || input.ndim === 2) && input.shape[0] === target.shape[0];
    if (!fits) {
      throw new ShapeError(
        `MulticlassAccuracy.update(): expected (N, classes) or (N), and (N): ${show(input.shape)} and ${
          show(target.shape)
        }`,
      );
    }
    const right = withGrad(false, () => scope(() => (input.ndim === 2 ? input.argmax(1) : input).eq(target)));
    this.#mean.update(right);
    right.dispose();
    return this;
  }

  /** The accuracy so far; NaN before the first example. */
  compute(...args: Args<typeof NoArgs>): Promise<number> {
    return unread("compute", this.#compute(args));
  }

  async #compute(args: readonly unknown[]): Promise<number> {
    accuracyComputeArgs(args);
    return await this.#mean.compute();
  }

  /** Resets the metric to the state without values. */
  reset(...args: Args<typeof NoArgs>): this {
    accuracyResetArgs(args);
    this.#mean.reset();
    return this;
  }
}
