/**
 * `cuda.CUDAGraph` and `cuda.graph`: work that is issued once and replayed as one call.
 *
 * A replay repeats the recorded kernels with the same addresses and numbers: new inputs are copied into the tensors that
 * the recorded work read, results are found in the tensors that it made. What was a JavaScript number then stays as it
 * was: let a learning rate be a 0-d tensor, and an optimizer be `capturable`.
 *
 * @see https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
 * @module
 */

import { type Args, call, type Func, func, NoArgs } from "../base/call.ts";
import { checkFunction, checkInstance } from "../base/checks.ts";
import { ArgumentError } from "../base/errors.ts";
import type { CudaStream as DeviceState } from "../backend/cuda/stream.ts";
import { GraphMemory, Recording } from "../backend/cuda/recording.ts";
import { backendAt, currentStream, Stream, stream as withStream } from "./streams.ts";

/** Memory that graphs share which are never replayed side by side; see {@linkcode graphPoolHandle}. */
export type GraphPool = GraphMemory;

/** Memory for several graphs: what one needs only within a replay may be used by another. */
export const graphPoolHandle: Func<typeof NoArgs, GraphPool> = func("graphPoolHandle", NoArgs, () => new GraphMemory());

/** The parameters of {@linkcode CUDAGraph.captureBegin}. */
export class CaptureBeginArgs {
  /** The graph whose random values this one draws again: that of the forward pass, if this is of the backward pass. */
  forward: CUDAGraph | null = null;

  constructor(
    /** Memory that is shared with other graphs. */
    public pool: GraphPool | null = null,
  ) {}
}

/** The parameters of {@linkcode graph} after the graph and the function. */
export class GraphArgs extends CaptureBeginArgs {
  constructor(
    /** Memory that is shared with other graphs. */
    pool: GraphPool | null = null,
    /** Where to record; `null`: a stream for that purpose. */
    public stream: Stream | null = null,
  ) {
    super(pool);
  }
}

const captureBeginArgs = call("captureBegin", CaptureBeginArgs);
const captureEndArgs = call("captureEnd", NoArgs);
const replayArgs = call("replay", NoArgs);
const resetArgs = call("reset", NoArgs);
const poolArgs = call("pool", NoArgs);
const graphArgs = call("graph", GraphArgs);

/** Releases what a collected graph held. */
const forgotten = new FinalizationRegistry<Recording>((recording) => recording.forget());

/**
 * A recorded graph.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import * as torch from "../../mod.ts";
 *
 * if (torch.cuda.isAvailable()) {
 *   const x = torch.ones(3, { device: "cuda" });
 *   const g = new torch.cuda.CUDAGraph();
 *   const y = torch.cuda.graph(g, () => x.mul(2).add(1));
 *   x.fill_(5);
 *   g.replay();
 *   assertEquals(await y.tolist(), [11, 11, 11]);
 * }
 * ```
 */
export class CUDAGraph {
  #recording: Recording | null = null;

  /** The recording in use; throws where there is none. */
  #current(op: string): Recording {
    if (this.#recording === null) {
      throw new ArgumentError(`${op}(): nothing was recorded; captureBegin() and captureEnd(), or graph(), come first`);
    }
    return this.#recording;
  }

  /**
   * Records what is issued to the current stream from now on, instead of doing it.
   *
   * Nothing may be read or waited for until {@linkcode CUDAGraph.captureEnd}.
   *
   * @throws {ArgumentError} if the graph is recorded already
   * @throws {DeviceError} if another graph is being recorded on the device
   */
  captureBegin(...args: Args<typeof CaptureBeginArgs>): void {
    const { pool, forward } = captureBeginArgs(args);
    if (this.#recording?.recorded || this.#recording?.active) {
      throw new ArgumentError("captureBegin(): the graph is recorded already; reset() it first");
    }
    this.#recording = new Recording(backendAt(null).stream, pool ?? undefined);
    this.#recording.begin(forward === null ? null : forward.#current("captureBegin"));
    forgotten.register(this, this.#recording, this);
  }

  /**
   * Ends the recording.
   *
   * @throws {DeviceError} if something that was issued cannot be recorded; the graph is empty then
   */
  captureEnd(...args: Args<typeof NoArgs>): void {
    captureEndArgs(args);
    this.#current("captureEnd").end();
  }

  /** Issues what was recorded to the current stream. */
  replay(...args: Args<typeof NoArgs>): void {
    replayArgs(args);
    this.#current("replay").replay();
  }

  /** Forgets what was recorded, and lets its memory go; ends a recording that was begun. */
  reset(...args: Args<typeof NoArgs>): void {
    resetArgs(args);
    if (this.#recording === null) return;
    forgotten.unregister(this);
    this.#recording.reset();
    this.#recording = null;
  }

  /** The graph's memory, for other graphs: `graph(other, fn, { pool: g.pool() })`. */
  pool(...args: Args<typeof NoArgs>): GraphPool {
    poolArgs(args);
    return this.#current("pool").memory;
  }

  /** Resets it at the end of a scope. */
  [Symbol.dispose](): void {
    this.reset();
  }
}

/** Whether a graph is being recorded on the current device. */
export const isCurrentStreamCapturing: Func<typeof NoArgs, boolean> = func(
  "isCurrentStreamCapturing",
  NoArgs,
  () => backendAt(null).stream.recording !== null,
);

/** The stream of each device that graphs are recorded on, as in PyTorch: the default one is left alone. */
const sides = new Map<DeviceState, Stream>();

/**
 * Records what `fn` issues.
 *
 * Everything before is waited for. Run the work once or more before recording it, as in PyTorch: that compiles kernels,
 * chooses algorithms and makes the state of optimizers.
 *
 * @param cudaGraph where to
 * @param fn the work; must return before any of it is read
 * @returns what `fn` returns: its tensors hold values once the graph was replayed
 * @throws what `fn` throws; the graph is empty then and the device works on
 */
export function graph<R>(cudaGraph: CUDAGraph, fn: () => R, ...args: Args<typeof GraphArgs>): R {
  const { pool, forward, stream } = graphArgs(args);
  checkInstance("graph", "cudaGraph", cudaGraph, CUDAGraph);
  checkFunction("graph", "fn", fn);
  const { stream: state } = backendAt(null);
  state.refuseRecording("graph", "no other graph can be recorded");
  let side = stream ?? sides.get(state);
  if (side === undefined) sides.set(state, side = new Stream());
  const origin = currentStream();
  state.synchronize("graph");
  side.waitStream(origin);
  const result = withStream(side, () => {
    cudaGraph.captureBegin({ pool, forward });
    try {
      const made = fn();
      if (made instanceof Promise) {
        // What it throws later belongs to nobody.
        made.catch(() => {});
        throw new ArgumentError("graph(): the function must not be asynchronous: nothing can be waited for");
      }
      cudaGraph.captureEnd();
      return made;
    } catch (error) {
      cudaGraph.reset();
      throw error;
    }
  });
  origin.waitStream(side);
  return result;
}
