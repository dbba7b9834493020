/**
 * Memory that several streams use: once it is freed, it waits for what they had to do until then.
 *
 * @module
 */

import { DeviceError } from "../../../base/errors.ts";
import type { ReuseGuard } from "../../allocator.ts";
import type { KernelOf } from "../../bind.ts";
import type { CudaStream } from "./stream.ts";

/** The other streams that read a block: events on them once it is freed. */
class StreamsGuard implements ReuseGuard {
  readonly streams = new Set<number>();
  readonly #state: CudaStream;
  #events: number[] = [];

  constructor(state: CudaStream) {
    this.#state = state;
  }

  freed(): void {
    const { c } = this.#state.shim, { ordinal } = this.#state;
    for (const stream of this.streams) {
      const event = c.cresset_cuda_event(ordinal, 0);
      if (event === 0) this.#state.fail("free", -5);
      this.#state.check("free", c.cresset_cuda_event_record(ordinal, stream, event));
      this.#events.push(event);
    }
  }

  done(): boolean {
    const { c } = this.#state.shim;
    // Nothing may be asked while a graph is recorded; the block waits.
    if (this.#state.recording !== null) return false;
    this.#events = this.#events.filter((event) => {
      const status = c.cresset_cuda_event_query(this.#state.ordinal, event);
      // After a fault nothing runs any more that could use the block.
      if (status === 0) return true;
      c.cresset_cuda_event_destroy(event);
      return false;
    });
    return this.#events.length === 0;
  }
}

/** Lets the memory of a block, once it is freed, wait for what was issued to `stream` until then. */
export const recordStream: KernelOf<CudaStream, "recordStream"> = (state, own, block, stream) => {
  if (stream.device !== own) {
    throw new DeviceError(`recordStream(): the tensor is on ${own}, the stream on ${stream.device}`);
  }
  let guard = state.allocator.guardOf(block) as StreamsGuard | undefined;
  if (guard === undefined) state.allocator.guard(block, guard = new StreamsGuard(state));
  guard.streams.add(stream.streamId);
};
