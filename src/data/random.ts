/**
 * Random numbers drawn on the host, one at a time, for samplers: permutations, and choices by weight.
 *
 * The stream is the library's own Philox stream of a seed, so an order depends on the seed alone, never on the device.
 *
 * @module
 */

import { ArgumentError, describe } from "../base/errors.ts";
import { defaultGenerator, Generator } from "../base/generator.ts";
import { philoxBlock } from "../base/philox.ts";

/** A stream of random numbers of one seed. */
export class HostRandom {
  readonly #key: readonly [number, number];
  #block = 0;
  #words: readonly number[] = [];
  #used = 4;

  /** @param seed 64 bits */
  constructor(seed: bigint) {
    this.#key = [Number(seed & 0xffffffffn), Number((seed >> 32n) & 0xffffffffn)];
  }

  /** The stream of a seed drawn from `generator`, or from the default one. */
  static from(op: string, generator: Generator | null): HostRandom {
    const source = generator ?? defaultGenerator;
    if (!(source instanceof Generator)) {
      throw new ArgumentError(`${op}(): generator must be a Generator: ${describe(source)}`);
    }
    return new HostRandom(BigInt(source.randomWord()) << 32n | BigInt(source.randomWord()));
  }

  /** The next 32-bit word of the stream. */
  word(): number {
    if (this.#used === 4) {
      this.#words = philoxBlock([this.#block >>> 0, Math.floor(this.#block / 2 ** 32), 0, 0], this.#key);
      this.#block++;
      this.#used = 0;
    }
    return this.#words[this.#used++];
  }

  /** A number in [0, 1) with 53 random bits. */
  uniform(): number {
    return (this.word() * 2 ** 21 + (this.word() >>> 11)) / 2 ** 53;
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** The integers below `n`, in random order. */
  permutation(n: number): number[] {
    const order = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}
