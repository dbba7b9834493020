/**
 * Random number generators: a seed and a position in its Philox stream.
 *
 * A generator stores no random numbers. It hands out ranges of the stream: an op reserves as many 32-bit words as it
 * will use, and word number i of that range depends only on the seed and i. So a kernel on any device, or a loop on the
 * host, draws the same values in any order.
 *
 * @module
 */

import { bytesOf } from "./bytes.ts";
import { type Args, call, type Func, func, NoArgs } from "./call.ts";
import { CPU, type Device, device as toDevice } from "./device.ts";
import { type Change, Setting } from "./during.ts";
import { ArgumentError, describe, FormatError } from "./errors.ts";
import { philoxWord } from "./philox.ts";

/** The seed of generators that were not seeded: PyTorch's default seed. */
const DEFAULT_SEED = 67280421310721n;
const STATE_BYTES = 16;

/** The position in a stream, which every draw advances. */
interface Place {
  seed: bigint;
  offset: number;
}

/**
 * A change of the setting that lets a generator draw from a copy of its position, so that the position itself stays.
 */
export let fork: (generator: Generator) => Change;

/**
 * A function called before words of a stream are reserved; `host` says whether the host draws them at once. It may
 * throw.
 */
export type ReserveWatch = (generator: Generator, host: boolean) => void;
let watch: ReserveWatch | null = null;

/**
 * Sets the function that is called before words are reserved: a recorded CUDA graph must draw new ones at every replay.
 */
export function watchReserve(next: ReserveWatch | null): void {
  watch = next;
}

/** The parameters of {@linkcode Generator}. */
export class GeneratorDeviceArgs {
  constructor(
    /** The device that the generator is made for; the numbers are the same on all devices. */
    public device: string | Device = CPU,
  ) {}
}

/** The parameters of the functions that set a seed. */
export class SeedArgs {
  constructor(
    /** An integer from -2^63 to 2^64 - 1; negative ones count from 2^64, as in PyTorch. */
    public seed: number | bigint,
  ) {}
}

/** The parameters of {@linkcode Generator.setState}. */
export class SetStateArgs {
  constructor(
    /** A state that {@linkcode Generator.getState} returned: 16 bytes. */
    public state: Uint8Array,
  ) {}
}

/** The parameters of {@linkcode Generator.reserve}. */
export class ReserveArgs {
  constructor(
    /** The number of 32-bit words. */
    public words: number,
  ) {}
}

const generatorArgs = call("Generator", GeneratorDeviceArgs);
const manualSeedArgs = call("manualSeed", SeedArgs);
const seedArgs = call("seed", NoArgs);
const initialSeedArgs = call("initialSeed", NoArgs);
const getStateArgs = call("getState", NoArgs);
const setStateArgs = call("setState", SetStateArgs);
const cloneStateArgs = call("cloneState", NoArgs);
const reserveArgs = call("reserve", ReserveArgs);
const randomWordArgs = call("randomWord", NoArgs);

/**
 * A stream of random numbers, given to random ops as `{ generator }`.
 *
 * Differs from PyTorch: the stream is Philox 4x32-10 on every device, so the numbers are not those of PyTorch's CPU
 * generator (Mersenne Twister), but they are the same on the CPU, CUDA and WebGPU.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * const a = new Generator().manualSeed(7);
 * const b = new Generator().manualSeed(7);
 * assertEquals(a.randomWord(), b.randomWord());
 * ```
 */
export class Generator {
  /** The device that the generator was made for; the numbers are the same on all devices. */
  readonly device: Device;
  readonly #place: Setting<Place> = new Setting("forkRng", { seed: DEFAULT_SEED, offset: 0 });

  static {
    fork = (generator) => {
      let copy: Place | null = null;
      return generator.#place.to((before) => copy ??= { ...before });
    };
  }

  /** Makes a generator with PyTorch's default seed. */
  constructor(...args: Args<typeof GeneratorDeviceArgs>) {
    this.device = toDevice(generatorArgs(args).device);
  }

  /**
   * Starts the stream of a seed from its beginning.
   *
   * @throws {ArgumentError} if the seed is not such an integer
   */
  manualSeed(...args: Args<typeof SeedArgs>): this {
    const place = this.#place.value;
    place.seed = checkSeed(manualSeedArgs(args).seed);
    place.offset = 0;
    return this;
  }

  /** Starts the stream of a seed that the system chose, and returns that seed. */
  seed(...args: Args<typeof NoArgs>): number {
    seedArgs(args);
    const words = crypto.getRandomValues(new Uint32Array(2));
    // 53 bits, so that the seed is a plain number.
    const seed = (words[0] & 0x1fffff) * 2 ** 32 + words[1];
    this.manualSeed(seed);
    return seed;
  }

  /** The seed of the stream, as a number where that is exact, else as a bigint. */
  initialSeed(...args: Args<typeof NoArgs>): number | bigint {
    initialSeedArgs(args);
    const { seed } = this.#place.value;
    return seed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seed) : seed;
  }

  /** The seed as the key of the Philox stream. */
  get key(): bigint {
    return this.#place.value.seed;
  }

  /** The position in the stream: the index of the next word. */
  get position(): number {
    return this.#place.value.offset;
  }

  /** The seed and the position as 16 bytes, for {@linkcode Generator.setState}. */
  getState(...args: Args<typeof NoArgs>): Uint8Array<ArrayBuffer> {
    getStateArgs(args);
    const bytes = new Uint8Array(STATE_BYTES);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, this.key, true);
    view.setBigUint64(8, BigInt(this.position), true);
    return bytes;
  }

  /**
   * Restores a state that {@linkcode Generator.getState} returned.
   *
   * @throws {FormatError} if the bytes are not such a state
   */
  setState(...args: Args<typeof SetStateArgs>): this {
    const { state } = setStateArgs(args);
    const bytes = bytesOf("Generator.setState", "state", state);
    if (bytes.length !== STATE_BYTES) {
      throw new FormatError(`Generator.setState(): a state has ${STATE_BYTES} bytes: ${bytes.length}`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const offset = view.getBigUint64(8, true);
    if (offset > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new FormatError(`Generator.setState(): the position is beyond 2^53: ${offset}`);
    }
    const place = this.#place.value;
    place.seed = view.getBigUint64(0, true);
    place.offset = Number(offset);
    return this;
  }

  /** A generator at the same seed and position, which goes on independently. */
  cloneState(...args: Args<typeof NoArgs>): Generator {
    cloneStateArgs(args);
    return new Generator(this.device).setState(this.getState());
  }

  /**
   * Reserves the next 32-bit words of the stream.
   *
   * @returns the index of the first one; see `philoxWord`
   */
  reserve(...args: Args<typeof ReserveArgs>): number {
    const { words } = reserveArgs(args);
    if (watch !== null) watch(this, false);
    const place = this.#place.value, first = place.offset;
    place.offset += words;
    return first;
  }

  /** The next 32-bit word, drawn on the host. */
  randomWord(...args: Args<typeof NoArgs>): number {
    randomWordArgs(args);
    if (watch !== null) watch(this, true);
    return philoxWord(this.reserve(1), this.key);
  }
}

/** The default generator: random ops without the option `generator` draw from it. */
export const defaultGenerator: Generator = new Generator();

/**
 * Seeds the default generator.
 *
 * @returns the default generator
 * @throws {ArgumentError} if the seed is not such an integer
 */
export const manualSeed: Func<typeof SeedArgs, Generator> = func(
  "manualSeed",
  SeedArgs,
  ({ seed }) => defaultGenerator.manualSeed(seed),
);

/** Seeds the default generator with a number that the system chose, and returns it. */
export const seed: Func<typeof NoArgs, number> = func("seed", NoArgs, () => defaultGenerator.seed());

/** The seed of the default generator. */
export const initialSeed: Func<typeof NoArgs, number | bigint> = func(
  "initialSeed",
  NoArgs,
  () => defaultGenerator.initialSeed(),
);

function checkSeed(seed: number | bigint): bigint {
  if (typeof seed === "number" ? Number.isInteger(seed) : typeof seed === "bigint") {
    const value = BigInt(seed);
    if (value >= -(1n << 63n) && value < 1n << 64n) return BigInt.asUintN(64, value);
  }
  throw new ArgumentError(`manualSeed(): a seed must be an integer from -2^63 to 2^64 - 1: ${describe(seed)}`);
}
