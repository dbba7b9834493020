/**
 * The progress bar of an epoch: `cli-progress` on a terminal, silence elsewhere.
 *
 * @module
 */

// @ts-types="npm:@types/cli-progress@3.11.6"
import { SingleBar } from "cli-progress";
import { type Tensor, utils } from "../../mod.ts";

/** Milliseconds between two reads of the loss: reading a GPU waits for all that is queued there, and 10 ms on WebGPU. */
const READ_EVERY = 500;

/** A bar that counts images and shows a running loss. */
export class EpochBar implements Disposable {
  readonly #bar: SingleBar;
  readonly #total: number;
  readonly #start = performance.now();
  readonly #mean = new utils.metrics.Mean();
  #done = 0;
  #loss = NaN;
  #shown = performance.now();

  /**
   * @param title what is shown before the bar
   * @param total how many images there are
   */
  constructor(title: string, total: number) {
    this.#total = total;
    this.#bar = new SingleBar({
      format: `${title} {bar} {value}/{total}  loss {loss}  {speed} images/s`,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: 30,
      linewrap: true,
      clearOnComplete: true,
    });
    this.#bar.start(total, 0, { loss: "", speed: "" });
  }

  /** The mean loss when it was last read. */
  get loss(): number {
    return this.#loss;
  }

  /** Images per second so far. */
  get speed(): number {
    return this.#done / (performance.now() - this.#start) * 1000;
  }

  /** Counts a batch; its loss is added up on the device, and the mean is read now and then. */
  async advance(images: number, loss: Tensor): Promise<void> {
    this.#done += images;
    this.#mean.update(loss, images);
    if (performance.now() - this.#shown >= READ_EVERY) await this.read();
  }

  /** Reads the mean loss and shows it. */
  async read(): Promise<void> {
    this.#loss = await this.#mean.compute();
    this.#shown = performance.now();
    this.#bar.update(Math.min(this.#done, this.#total), {
      loss: this.loss.toFixed(4),
      speed: this.speed.toFixed(0),
    });
  }

  /** Takes the bar off the terminal. */
  [Symbol.dispose](): void {
    this.#bar.stop();
  }
}
