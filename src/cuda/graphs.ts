/**
 * CUDA graphs, `cuda.CUDAGraph` and `cuda.graph`: work on the device that is recorded once and replayed with one call.
 *
 * A replay repeats the recorded kernels with the same addresses and numbers: new inputs are copied into the tensors
 * that the recorded work read, results appear in the tensors that it made. A JavaScript number keeps the value that it
 * had while recording, so a learning rate must be a 0-d tensor and an optimizer `capturable`.
 *
 * @see https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
 * @module
 */

import { type Args, call, type Func, func, NoArgs } from "../base/call.ts";
import { checkFunction, checkInstance } from "../base/checks.ts";
import { ArgumentError } from "../base/errors.ts";
import type { CudaStream as DeviceState } from "../backend/cuda/device/stream.ts";
import { GraphMemory, Recording } from "../backend/cuda/device/recording.ts";
import { backendAt, currentStream, Stream, stream as withStream } from "./streams.ts";

/** A memory pool that several graphs share; they must not be replayed concurrently. See {@linkcode graphPoolHandle}. */
export type GraphPool = GraphMemory;

/** Makes a memory pool for several graphs: memory that one needs only within a replay is reused by the others. */
export const graphPoolHandle: Func<typeof NoArgs, GraphPool> = func("graphPoolHandle", NoArgs, () => new GraphMemory());

/** The parameters of {@linkcode CUDAGraph.captureBegin}. */
export class CaptureBeginArgs {
  /** For the graph of a backward pass, that of its forward pass, whose random values are drawn again. */
  forward: CUDAGraph | null = null;

  constructor(
    /** The memory pool shared with other graphs; `null`: a new one. */
    public pool: GraphPool | null = null,
  ) {}
}

/** The parameters of {@linkcode graph} after the graph and the function. */
export class GraphArgs extends CaptureBeginArgs {
  constructor(
    /** The memory pool shared with other graphs; `null`: a new one. */
    pool: GraphPool | null = null,
    /** The stream to record on; `null`: a stream of the device that only recordings use. */
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

/** Releases the recordings of garbage-collected graphs. */
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

  /** The finished recording; throws where there is none. */
  #current(op: string): Recording {
    if (this.#recording === null) {
      throw new ArgumentError(`${op}(): nothing was recorded; captureBegin() and captureEnd(), or graph(), come first`);
    }
    return this.#recording;
  }

  /**
   * Begins the recording: work issued to the current stream is recorded from now on, not executed.
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

  /** Replays the recorded work on the current stream. */
  replay(...args: Args<typeof NoArgs>): void {
    replayArgs(args);
    this.#current("replay").replay();
  }

  /** Discards the recording and releases its memory; ends a recording that was begun. */
  reset(...args: Args<typeof NoArgs>): void {
    resetArgs(args);
    if (this.#recording === null) return;
    forgotten.unregister(this);
    this.#recording.reset();
    this.#recording = null;
  }

  /** The graph's memory pool, for other graphs: `graph(other, fn, { pool: g.pool() })`. */
  pool(...args: Args<typeof NoArgs>): GraphPool {
    poolArgs(args);
    return this.#current("pool").memory;
  }

  /** Resets the graph at the end of the block that declares it with `using`. */
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

/** The stream of each device on which graphs are recorded; as in PyTorch, not the default one. */
const sides = new Map<DeviceState, Stream>();

/**
 * Records the work that `fn` issues as a CUDA graph.
 *
 * Waits for all earlier work. Execute the work at least once before recording it, as in PyTorch: that compiles kernels,
 * chooses algorithms and creates the state of optimizers.
 *
 * @param cudaGraph where to
 * @param fn the function to record; it must not read values
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
        // `fn` was asynchronous, which is refused; its later failure must not count as an unhandled rejection.
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
