/**
 * The fuzzer's numbers: a generator that is a function of a run's seed and a call's index alone, so that any call can be
 * made again without those before it.
 *
 * @module
 */

/** Uniform draws for one call. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** The stream of call `index` in the run of `seed`. */
  constructor(seed: number, index: number) {
    this.#a = seed >>> 0;
    this.#b = index >>> 0;
    this.#c = 0x9e3779b9;
    this.#d = 1;
    // Streams of neighbouring indices differ in few bits at first; these rounds mix them.
    for (let i = 0; i < 12; i++) this.next();
  }

  /** A number in [0, 1): the generator sfc32. */
  next(): number {
    const t = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t | 0;
    return (t >>> 0) / 2 ** 32;
  }

  /** An integer in [0, n). */
  int(n: number): number {
    return Math.floor(this.next() * n);
  }

  /** One of the list. */
  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)];
  }

  /** True with the probability `p`. */
  chance(p: number): boolean {
    return this.next() < p;
  }
}
