/**
 * Checks whose outcome is known late: a kernel meets an index out of range, and the program hears of it at a read.
 *
 * An error belongs to what it spoilt: the result of the op, and what was computed from that. A buffer's *doubt* names the
 * checks on which its contents depend, and kernels hand it from the buffers that they read to those that they write. A read
 * asks the checks of its buffer and throws the error of the first that failed, each time; other buffers are not concerned.
 *
 * Checks come in rounds. A round is a buffer with a place for the report of each check, copied once for all reads that ask
 * for it; then the next round begins. In a program that reads nothing, all checks after the thirtieth share a place: what
 * depends on one of them then counts as depending on all.
 *
 * @module
 */

import { IndexError } from "../../../base/errors.ts";
import { showCallers } from "../../../base/stack.ts";
import type { Strided } from "../../backend.ts";
import type { Gpu, GpuBlock } from "./gpu.ts";

/** Places of a round: a doubt is a mask of 31 bits. */
const PLACES = 31;
/** Bytes of a round: four words a place. */
const ROUND_BYTES = 512;

/** Makes an error of the two numbers that a kernel reports. */
type MakeError = (value: number, size: number) => Error;

/** Checks whose reports lie in one buffer. */
class Round {
  /** Its place in the order of rounds. */
  readonly number: number;
  /** The reports: whether there is one, the error's number, and two numbers. */
  readonly reports: GpuBlock;
  /** How many checks were made. */
  count = 0;
  /** The errors by place, once they are known. */
  errors: readonly (Error | null)[] | null = null;
  /** Settled when the errors are known; `null` until a read asks. */
  answer: PromiseWithResolvers<void> | null = null;

  constructor(number: number, reports: GpuBlock) {
    this.number = number;
    this.reports = reports;
  }
}

/** Checks that contents depend on: some of a round, and of older ones. */
export interface Doubt {
  readonly round: Round;
  /** A bit for each place. */
  readonly mask: number;
  readonly older: Doubt | null;
}

/** The checks of two doubts, newest round first. */
function joined(a: Doubt | null, b: Doubt | null): Doubt | null {
  if (a === b || b === null) return a;
  if (a === null || a.round.number < b.round.number) return joined(b, a);
  const same = a.round === b.round, mask = same ? a.mask | b.mask : a.mask;
  const older = joined(a.older, same ? b.older : b);
  return mask === a.mask && older === a.older ? a : { round: a.round, mask, older };
}

/** A doubt without the rounds that are known to have gone well. */
function pruned(doubt: Doubt | null): Doubt | null {
  if (doubt === null) return null;
  const { round, mask } = doubt, older = pruned(doubt.older);
  if (round.errors !== null && firstOf(round, mask) === null) return older;
  return older === doubt.older ? doubt : { round, mask, older };
}

function firstOf({ errors }: Round, mask: number): Error | null {
  return errors!.find((error, place) => error !== null && (mask >> place & 1) === 1) ?? null;
}

/** Hands the doubts of the buffers that a kernel reads to those that it writes, a bit each. */
export function spreadDoubt(blocks: readonly GpuBlock[], written: number): void {
  let doubt: Doubt | null = null;
  for (let i = 0; i < blocks.length; i++) {
    const block = blocks[i];
    if (block.doubt !== null) doubt = joined(doubt, block.doubt = pruned(block.doubt));
  }
  if (doubt === null) return;
  for (let i = 0; i < blocks.length; i++) if ((written >> i & 1) === 1) blocks[i].doubt = doubt;
}

/** Makes `x` depend on more checks. */
export function addDoubt(x: Strided, doubt: Doubt | null): void {
  const block = x.storage.block as GpuBlock;
  block.doubt = joined(pruned(block.doubt), doubt);
}

/** Ends the doubt of buffers that are about to be written whole, by something that does not read them. */
export function endDoubt(outputs: readonly Strided[], inputs: readonly Strided[]): void {
  for (const { storage, offset, shape, dense, dtype } of outputs) {
    const block = storage.block as GpuBlock;
    if (block.doubt === null || offset !== 0 || !dense) continue;
    const bytes = shape.reduce((a, b) => a * b, block.half ? 2 : dtype.isComplex ? 8 : 4);
    if (bytes === block.requested && inputs.every((x) => x.storage.block !== block)) block.doubt = null;
  }
}

/** The late checks of a device. */
export class Checks {
  readonly #gpu: Gpu;
  /** Makes a buffer. */
  readonly #create: (bytes: number) => GpuBlock;
  readonly #errors: MakeError[] = [];
  readonly #numbers = new Map<string, number>();
  /** The round that is open. */
  #open: Round | null = null;
  #rounds = 0;
  /** Rounds that a read asked for. */
  #asked: Round[] = [];
  /** Buffers of rounds that were answered. */
  readonly #spare: GpuBlock[] = [];

  /** The checks of `gpu`, which makes buffers with `create`. */
  constructor(gpu: Gpu, create: (bytes: number) => GpuBlock) {
    this.#gpu = gpu;
    this.#create = create;
  }

  /** Whether any check was ever made. */
  get any(): boolean {
    return this.#rounds > 0;
  }

  /** {@linkcode begin} a check of indices. */
  beginIndex(op: string): readonly [reports: GpuBlock, word: number] {
    return this.begin(op, (value, size) => {
      return new IndexError(`${op}(): index out of range: ${value | 0} for a dimension of size ${size}`);
    });
  }

  /**
   * Begins a check, whose kernel is dispatched next: what that writes depends on it.
   *
   * @param key tells errors apart: equal keys are one
   * @param make makes the error of the two numbers that the kernel reports
   * @returns the buffer and the word of {@linkcode reportFault}
   */
  begin(key: string, make: MakeError): readonly [reports: GpuBlock, word: number] {
    let number = this.#numbers.get(key);
    if (number === undefined) this.#numbers.set(key, number = this.#errors.push(make) - 1);
    const round = this.#open ??= this.#newRound();
    const place = Math.min(round.count++, PLACES - 1);
    round.reports.doubt = { round, mask: 1 << place, older: null };
    return [round.reports, number << 5 | place];
  }

  #newRound(): Round {
    const reports = this.#spare.pop() ?? this.#create(ROUND_BYTES);
    this.#gpu.write(reports, 0, new Uint32Array(ROUND_BYTES / 4));
    return new Round(this.#rounds++, reports);
  }

  /** Asks for the outcome of a buffer's checks; to be called before the commands of a read are submitted. */
  ask(block: GpuBlock): Doubt | null {
    const doubt = block.doubt = pruned(block.doubt);
    for (let at = doubt; at !== null; at = at.older) {
      const { round } = at;
      if (round.answer !== null || round.errors !== null) continue;
      round.answer = Promise.withResolvers();
      this.#asked.push(round);
    }
    return doubt;
  }

  /** Throws the first error among the checks that were asked for, once their outcome is known. */
  async outcome(doubt: Doubt | null): Promise<void> {
    let error: Error | null = null;
    for (let at = doubt; at !== null; at = at.older) {
      await at.round.answer?.promise;
      error = firstOf(at.round, at.mask) ?? error;
    }
    if (error !== null) throw showCallers(error);
  }

  /** Appends copies of the rounds that were asked for; the function that is returned is called after the submission. */
  copy(encoder: GPUCommandEncoder): () => void {
    const rounds = this.#asked, { device } = this.#gpu;
    this.#asked = [];
    const copies = rounds.map((round) => {
      if (round === this.#open) this.#open = null;
      const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
      const copy = device.createBuffer({ size: ROUND_BYTES, usage, label: "checks" });
      encoder.copyBufferToBuffer(round.reports.buffer, 0, copy, 0, ROUND_BYTES);
      return copy;
    });
    return () => rounds.forEach((round, i) => this.#answer(round, copies[i]));
  }

  async #answer(round: Round, copy: GPUBuffer): Promise<void> {
    try {
      await copy.mapAsync(GPUMapMode.READ);
      const words = new Uint32Array(copy.getMappedRange().slice(0));
      round.errors = Array.from({ length: PLACES }, (_, place) => {
        const [found, number, value, size] = words.subarray(4 * place);
        return found === 0 ? null : this.#errors[number](value, size);
      });
    } catch {
      // The device is lost, which the read reports.
      round.errors = [];
    }
    copy.destroy();
    this.#spare.push(round.reports);
    round.answer!.resolve();
  }
}
