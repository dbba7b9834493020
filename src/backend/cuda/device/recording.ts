/**
 * Recorded graphs: what is issued between `begin` and `end`, replayed as one call.
 *
 * A recording takes its memory from pools of its own, which nobody else uses until it is reset, so that a replay finds
 * everything where it was. Random kernels read two words from the device, `[words to go on by, difference of the keys]`,
 * which are 0 when they are recorded and follow the default generator at every replay; so replays draw new values, and
 * the backward pass of a dropout draws those of its forward pass.
 *
 * @module
 */

import { ArgumentError, DeviceError } from "../../../base/errors.ts";
import { defaultGenerator, watchReserve } from "../../../base/generator.ts";
import type { MemoryPool } from "../../allocator.ts";
import type { Block } from "../../backend.ts";
import type { CudaStream } from "./stream.ts";

/** The memory of graphs that are never replayed at once, by stream. */
export class GraphMemory {
  /** The pools. */
  readonly pools: Map<number, MemoryPool> = new Map<number, MemoryPool>();
  /** How many graphs use it. */
  users = 0;
}

const RANDOM_BYTES = 16;

/** One graph: empty, being recorded, or recorded. */
export class Recording {
  readonly #stream: CudaStream;
  #handle = 0;
  #key = 0n;
  #start = 0;
  /** How many random words a replay takes. */
  #words = 0;
  #state: Uint8Array = new Uint8Array();
  #random: Block | null = null;
  #ownsRandom = false;
  #on = 0;
  /** Others that were collected while this one was recorded. */
  readonly #forgotten: Recording[] = [];
  /** Where its memory comes from. */
  readonly memory: GraphMemory;
  /** Whether a kernel of it may report a bad index. */
  mayFault = false;

  /**
   * An empty one.
   *
   * @param memory shared with graphs that are replayed one after another
   */
  constructor(stream: CudaStream, memory: GraphMemory = new GraphMemory()) {
    this.#stream = stream;
    this.memory = memory;
  }

  /** Whether there is something to replay. */
  get recorded(): boolean {
    return this.#handle !== 0;
  }

  /** Whether it is being recorded. */
  get active(): boolean {
    return this.#stream.recording === this;
  }

  /** The address of the words that random kernels read. */
  get randomAddress(): number {
    return this.#random!.address;
  }

  /**
   * Records what comes next on the current stream.
   *
   * @param forward the recording whose random values this one draws again (the backward pass of it)
   */
  begin(forward: Recording | null = null): void {
    const stream = this.#stream;
    if (this.recorded) throw new ArgumentError("captureBegin(): the graph is recorded already; reset() it first");
    if (forward !== null && !forward.recorded) {
      throw new ArgumentError(
        "captureBegin(): the forward graph is not recorded: its random values cannot be drawn again",
      );
    }
    stream.refuseRecording("captureBegin", "no other graph can be recorded");
    this.#ownsRandom = forward === null;
    this.#random = forward === null ? this.#makeRandom() : forward.#random;
    this.#state = defaultGenerator.getState();
    this.#key = defaultGenerator.key;
    this.#start = defaultGenerator.position;
    this.#on = stream.current;
    this.memory.users++;
    const status = stream.shim.c.cresset_cuda_capture_begin(stream.ordinal);
    if (status < 0) {
      const text = stream.lastError();
      this.reset();
      throw new DeviceError(`captureBegin(): no graph can be recorded on cuda:${stream.ordinal}: ${text}`);
    }
    stream.recording = this;
    stream.usePool();
    watchReserve((generator, host) => this.#checkDraw(generator === defaultGenerator, host));
  }

  /** The two words, which outlive the pools. */
  #makeRandom(): Block {
    const block = this.#stream.allocator.alloc(RANDOM_BYTES);
    this.#stream.write(block.address, new Uint8Array(RANDOM_BYTES));
    return block;
  }

  #checkDraw(usual: boolean, host: boolean): void {
    if (usual && !host) return;
    throw new DeviceError(
      host
        ? "randomWord(): numbers drawn on the host would be the same at every replay of a CUDA graph; draw them before"
        : "random ops: only the default generator goes on at the replays of a CUDA graph; leave out { generator }",
    );
  }

  /** Ends the recording; a failure leaves an empty one and everything as before `begin`. */
  end(): void {
    const stream = this.#stream;
    if (!this.active) throw new ArgumentError("captureEnd(): this graph is not being recorded");
    stream.useStream(this.#on);
    stream.recording = null;
    watchReserve(null);
    stream.usePool();
    this.#handle = stream.shim.c.cresset_cuda_capture_end(stream.ordinal);
    const text = this.#handle === 0 ? stream.lastError() : "";
    for (const other of this.#forgotten.splice(0)) other.forget();
    this.#words = defaultGenerator.position - this.#start;
    const seeded = defaultGenerator.key !== this.#key || this.#words < 0;
    // Nothing was drawn yet: the first replay draws what would have been drawn without a graph.
    defaultGenerator.setState(this.#state);
    if (this.#handle !== 0 && !seeded) return;
    const failed = this.#handle === 0;
    this.reset();
    throw new DeviceError(
      failed
        ? `captureEnd(): the graph could not be recorded on cuda:${stream.ordinal}: ${text}`
        : "captureEnd(): the generator was seeded while the graph was recorded; call manualSeed before",
    );
  }

  /** Issues the graph to the current stream. */
  replay(): void {
    const stream = this.#stream;
    if (!this.recorded) {
      throw new ArgumentError("replay(): nothing was recorded; captureBegin() and captureEnd() come first");
    }
    stream.refuseRecording("replay", "no graph can be replayed");
    if (this.#ownsRandom && this.#words > 0) this.#goOn();
    if (this.mayFault) stream.expectFaults();
    const status = stream.shim.c.cresset_cuda_graph_launch(stream.ordinal, this.#handle);
    if (status < 0) stream.fail("replay", status);
    stream.remember("CUDA graph");
  }

  #goOn(): void {
    const words = new BigInt64Array([
      BigInt(defaultGenerator.position - this.#start),
      BigInt.asIntN(64, defaultGenerator.key - this.#key),
    ]);
    defaultGenerator.reserve(this.#words);
    this.#stream.write(this.#random!.address, new Uint8Array(words.buffer));
  }

  /** Resets it once nothing is recorded; for a graph that was collected, so nobody is there to throw at. */
  forget(): void {
    const { recording } = this.#stream;
    if (recording !== null && recording !== this) {
      recording.#forgotten.push(this);
      return;
    }
    try {
      this.reset();
    } catch { /* the device has a fault, which whoever waits for it is told */ }
  }

  /** Forgets what was recorded and lets its memory go. */
  reset(): void {
    const stream = this.#stream;
    if (this.active) {
      // An abandoned recording: what it could not record does not matter.
      try {
        this.end();
      } catch { /* it is gone in any case */ }
    }
    if (this.#handle !== 0) {
      const handle = this.#handle;
      this.#handle = 0;
      stream.check("reset", stream.shim.c.cresset_cuda_graph_destroy(stream.ordinal, handle));
    }
    if (this.#random === null) return;
    if (this.#ownsRandom) stream.allocator.free(this.#random);
    this.#random = null;
    this.mayFault = false;
    if (--this.memory.users > 0) return;
    for (const pool of this.memory.pools.values()) stream.allocator.retire(pool);
    this.memory.pools.clear();
  }
}
