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

import { ArgumentError } from "../base/errors.ts";
import type { CudaStream as DeviceState } from "./cuda/stream.ts";
import { GraphMemory, Recording } from "./cuda/recording.ts";
import { backendAt, currentStream, Stream, stream as withStream } from "./cuda_streams.ts";

/** Memory that graphs share which are never replayed side by side; see {@linkcode graphPoolHandle}. */
export type GraphPool = GraphMemory;

/** Memory for several graphs: what one needs only within a replay may be used by another. */
export function graphPoolHandle(): GraphPool {
  return new GraphMemory();
}

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
   * @param pool memory that is shared with other graphs
   * @throws {ArgumentError} if the graph is recorded already
   * @throws {DeviceError} if another graph is being recorded on the device
   */
  captureBegin({ pool, forward }: { pool?: GraphPool; forward?: CUDAGraph } = {}): void {
    if (this.#recording?.recorded || this.#recording?.active) {
      throw new ArgumentError("captureBegin(): the graph is recorded already; reset() it first");
    }
    this.#recording = new Recording(backendAt(null).stream, pool);
    this.#recording.begin(forward === undefined ? null : forward.#current("captureBegin"));
    forgotten.register(this, this.#recording, this);
  }

  /**
   * Ends the recording.
   *
   * @throws {DeviceError} if something that was issued cannot be recorded; the graph is empty then
   */
  captureEnd(): void {
    this.#current("captureEnd").end();
  }

  /** Issues what was recorded to the current stream. */
  replay(): void {
    this.#current("replay").replay();
  }

  /** Forgets what was recorded, and lets its memory go; ends a recording that was begun. */
  reset(): void {
    if (this.#recording === null) return;
    forgotten.unregister(this);
    this.#recording.reset();
    this.#recording = null;
  }

  /** The graph's memory, for other graphs: `graph(other, fn, { pool: g.pool() })`. */
  pool(): GraphPool {
    return this.#current("pool").memory;
  }

  /** Resets it at the end of a scope. */
  [Symbol.dispose](): void {
    this.reset();
  }
}

/** Whether a graph is being recorded on the current device. */
export function isCurrentStreamCapturing(): boolean {
  return backendAt(null).stream.recording !== null;
}

/** What {@linkcode graph} takes beside the graph and the function. */
export interface GraphOptions {
  /** Memory that is shared with other graphs. */
  pool?: GraphPool;
  /** Where to record; default: a stream for that purpose. */
  stream?: Stream;
  /** The graph whose random values this one draws again: that of the forward pass, if this is of the backward pass. */
  forward?: CUDAGraph;
}

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
export function graph<R>(cudaGraph: CUDAGraph, fn: () => R, options: GraphOptions = {}): R {
  const { stream: state } = backendAt(null);
  state.refuseRecording("graph", "no other graph can be recorded");
  let side = options.stream ?? sides.get(state);
  if (side === undefined) sides.set(state, side = new Stream());
  const origin = currentStream();
  state.synchronize("graph");
  side.waitStream(origin);
  const result = withStream(side, () => {
    cudaGraph.captureBegin(options);
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
