/**
 * The progress bar of an epoch: `cli-progress` on a terminal, silence elsewhere.
 *
 * @module
 */

// @ts-types="npm:@types/cli-progress@3.11.6"
import { SingleBar } from "cli-progress";

/** A bar that counts images and shows a running loss. */
export class EpochBar implements Disposable {
  readonly #bar: SingleBar;
  readonly #total: number;
  readonly #start = performance.now();
  #done = 0;
  #loss = 0;

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

  /** Counts a batch. */
  advance(images: number, loss: number): void {
    this.#done += images;
    this.#loss += images * loss;
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
