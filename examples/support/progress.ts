/**
 * The progress bar of an epoch: `cli-progress` on a terminal, silence elsewhere.
 *
 * @module
 */

// @ts-types="npm:@types/cli-progress@3.11.6"
import { SingleBar } from "cli-progress";
import type { Tensor } from "../../mod.ts";

/** Batches between two reads of the losses: reading a GPU waits for all that is queued there, and 10 ms on WebGPU. */
const READ_EVERY = 10;

/** A bar that counts images and shows a running loss. */
export class EpochBar implements Disposable {
  readonly #bar: SingleBar;
  readonly #total: number;
  readonly #start = performance.now();
  #done = 0;
  #loss = 0;
  #unread: { images: number; loss: Tensor }[] = [];

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

  /** The mean loss so far. */
  get loss(): number {
    return this.#loss / Math.max(this.#done, 1);
  }

  /** Images per second so far. */
  get speed(): number {
    return this.#done / (performance.now() - this.#start) * 1000;
  }

  /** Counts a batch; its loss is read with those of other batches. */
  async advance(images: number, loss: Tensor): Promise<void> {
    this.#unread.push({ images, loss: loss.detach() });
    if (this.#unread.length >= READ_EVERY) await this.read();
  }

  /** Reads the losses that are still on the device, all at once, and shows them. */
  async read(): Promise<void> {
    const batches = this.#unread.splice(0);
    const losses = await Promise.all(batches.map(({ loss }) => loss.item<number>()));
    for (const [i, { images }] of batches.entries()) {
      this.#done += images;
      this.#loss += images * losses[i];
    }
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
