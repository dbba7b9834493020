/**
 * CUDA streams and events: `cuda.Stream` is a queue of work on a device, `cuda.Event` a point in such a queue.
 *
 * Work is issued to the current stream. Streams run concurrently; where one needs the results of another, it waits for
 * an event of that stream, while the host continues. Memory belongs to the stream that it was allocated on: if another
 * stream uses a tensor too, `recordStream` must be called on the tensor before it is released.
 *
 * @module
 */

import { type Args, call, type Func, func, NoArgs } from "../base/call.ts";
import { checkFunction, checkInstance } from "../base/checks.ts";
import type { Device } from "../base/device.ts";
import {
  cudaDeviceChange,
  currentCudaDevice,
  Device as DeviceClass,
  device as parseDevice,
  setCurrentCudaDevice,
} from "../base/device.ts";
import { during, hold } from "../base/during.ts";
import { ArgumentError, DeviceError } from "../base/errors.ts";
import { type CudaBackend, cudaBackend } from "../backend/cuda/mod.ts";
import type { CudaStream as DeviceState } from "../backend/cuda/device/stream.ts";

/** A CUDA device: its number, name (`"cuda:1"`) or {@linkcode Device}. */
export type CudaDevice = number | string | Device;

/** The backend of a device; `null`: of the current one. */
export function backendAt(device: CudaDevice | null | undefined): CudaBackend {
  const named = device ?? currentCudaDevice();
  const chosen = typeof named === "number" ? new DeviceClass("cuda", named) : parseDevice(named);
  if (chosen.type !== "cuda") throw new DeviceError(`cuda(): expected a CUDA device: "${chosen}"`);
  return cudaBackend(chosen);
}

/** The number of streams per priority of a device: more would share the hardware's queues. */
const POOLED = 32;

/** The streams of one device, by priority, given out in turn. */
interface Pool {
  readonly handles: number[];
  next: number;
}
const pools = new Map<string, Pool>();

function pooledHandle(state: DeviceState, priority: number): number {
  const key = `${state.ordinal} ${priority}`;
  let pool = pools.get(key);
  if (pool === undefined) pools.set(key, pool = { handles: [], next: 0 });
  const at = pool.next++ % POOLED;
  if (pool.handles.length <= at) {
    const handle = state.shim.c.cresset_cuda_stream(state.ordinal, priority);
    if (handle === 0) state.fail("Stream", -5);
    pool.handles.push(handle);
  }
  return pool.handles[at];
}

/** The parameters of the functions about one CUDA device. */
export class CudaDeviceArgs {
  constructor(
    /** The device; `null`: the current one. */
    public device: CudaDevice | null = null,
  ) {}
}

/** The parameters of {@linkcode Stream}. */
export class StreamArgs {
  /** The {@linkcode Stream.streamId} of an existing stream; `null`: the next stream of the device's pool. */
  streamId: number | null = null;

  constructor(
    /** The stream's device; `null`: the current one. */
    public device: CudaDevice | null = null,
    /** The priority: 0, or -1 for high priority. */
    public priority = 0,
  ) {}
}

/** The parameters of {@linkcode Event}. */
export class EventArgs {
  constructor(
    /** Whether the event records the time, for `elapsedTime`. */
    public enableTiming = false,
  ) {}
}

/** The parameters of methods that take an event. */
export class WaitEventArgs {
  constructor(
    /** The event to wait for. */
    public event: Event,
  ) {}
}

/** The parameters of {@linkcode Stream.recordEvent}. */
export class RecordEventArgs {
  constructor(
    /** The event to record; `null`: a new one. */
    public event: Event | null = null,
  ) {}
}

/** The parameters of functions that take a stream. */
export class OfStreamArgs {
  constructor(
    /** The stream. */
    public stream: Stream,
  ) {}
}

/** The parameters of {@linkcode Stream.equals}. */
export class EqualStreamArgs {
  constructor(
    /** The other stream. */
    public other: Stream,
  ) {}
}

/** The parameters of {@linkcode Event.record} and {@linkcode Event.wait}. */
export class EventStreamArgs {
  constructor(
    /** The stream; `null`: the current one. */
    public stream: Stream | null = null,
  ) {}
}

/** The parameters of {@linkcode Event.elapsedTime}. */
export class ElapsedTimeArgs {
  constructor(
    /** The later event, which is waited for. */
    public endEvent: Event,
  ) {}
}

/** The parameters of {@linkcode setDevice}. */
export class SetDeviceArgs {
  constructor(
    /** The device that becomes the current one. */
    public device: CudaDevice,
  ) {}
}

/** The argument parsers of the methods. */
const parse = {
  stream: call("Stream", StreamArgs),
  waitEvent: call("Stream.waitEvent", WaitEventArgs),
  waitStream: call("Stream.waitStream", OfStreamArgs),
  recordEvent: call("Stream.recordEvent", RecordEventArgs),
  streamQuery: call("Stream.query", NoArgs),
  streamSynchronize: call("Stream.synchronize", NoArgs),
  equals: call("Stream.equals", EqualStreamArgs),
  event: call("Event", EventArgs),
  record: call("Event.record", EventStreamArgs),
  wait: call("Event.wait", EventStreamArgs),
  eventQuery: call("Event.query", NoArgs),
  eventSynchronize: call("Event.synchronize", NoArgs),
  elapsedTime: call("Event.elapsedTime", ElapsedTimeArgs),
  destroy: call("Event.destroy", NoArgs),
  useStream: call("cuda.stream", NoArgs),
  useDevice: call("cuda.device", NoArgs),
};

/**
 * A stream: a queue of work on a device, executed in order.
 *
 * Streams are given out of 32 per device and priority, as in PyTorch, so two objects may mean the same one.
 *
 * @example
 * ```ts
 * import * as torch from "../../mod.ts";
 *
 * if (torch.cuda.isAvailable()) {
 *   const side = new torch.cuda.Stream();
 *   const x = torch.ones(1000, { device: "cuda" });
 *   side.waitStream(torch.cuda.currentStream());
 *   const y = torch.cuda.stream(side, () => x.mul(2));
 *   torch.cuda.currentStream().waitStream(side);
 *   console.log(await y.sum().item());
 * }
 * ```
 */
export class Stream {
  readonly #state: DeviceState;
  /** The stream's device. */
  readonly device: Device;
  /** The priority: 0, or -1 for high priority. */
  readonly priority: number;
  /** The id of the stream on its device; 0 is the default stream. */
  readonly streamId: number;

  /**
   * Makes an object for a stream of a device.
   *
   * @throws {DeviceError} if there is no such device
   */
  constructor(...args: Args<typeof StreamArgs>) {
    const { device, priority, streamId } = parse.stream(args);
    if (priority !== 0 && priority !== -1) throw new ArgumentError(`Stream(): priority must be 0 or -1: ${priority}`);
    this.#state = backendAt(device).stream;
    this.device = parseDevice(`cuda:${this.#state.ordinal}`);
    this.priority = priority;
    this.streamId = streamId ?? pooledHandle(this.#state, priority);
  }

  /** Makes later work on this stream wait for an event. */
  waitEvent(...args: Args<typeof WaitEventArgs>): void {
    const { event } = parse.waitEvent(args);
    checkInstance("Stream.waitEvent", "event", event, Event);
    event.wait(this);
  }

  /** Makes later work on this stream wait for all work issued to another stream so far. */
  waitStream(...args: Args<typeof OfStreamArgs>): void {
    const { stream } = parse.waitStream(args);
    checkStream("Stream.waitStream", "stream", stream);
    const event = stream.recordEvent();
    event.wait(this);
    event.destroy();
  }

  /** Records an event behind all work issued to this stream so far. */
  recordEvent(...args: Args<typeof RecordEventArgs>): Event {
    const event = parse.recordEvent(args).event ?? new Event();
    event.record(this);
    return event;
  }

  /** Whether all work issued to this stream so far is done. */
  query(...args: Args<typeof NoArgs>): boolean {
    parse.streamQuery(args);
    const status = this.#state.shim.c.cresset_cuda_stream_query(this.#state.ordinal, this.streamId);
    if (status < 0) this.#state.fail("Stream.query", status);
    return status === 1;
  }

  /**
   * Waits until all work issued to this stream so far is done.
   *
   * @throws {NativeError} if a kernel ran into a fault since the last wait
   */
  synchronize(...args: Args<typeof NoArgs>): void {
    parse.streamSynchronize(args);
    this.#state.synchronizeStream(this.streamId);
  }

  /** Whether both objects stand for the same stream. */
  equals(...args: Args<typeof EqualStreamArgs>): boolean {
    const { other } = parse.equals(args);
    return this.device === other.device && this.streamId === other.streamId;
  }

  /** As PyTorch prints it. */
  toString(): string {
    return `<torch.cuda.Stream device=${this.device} cuda_stream=0x${this.streamId.toString(16)}>`;
  }
}

const events = new FinalizationRegistry<() => void>((destroy) => destroy());

/** An event: a point in the work of a stream. */
export class Event {
  readonly #timing: boolean;
  #state: DeviceState | null = null;
  #handle = 0;

  /** Makes an event that is not recorded yet. */
  constructor(...args: Args<typeof EventArgs>) {
    this.#timing = parse.event(args).enableTiming;
  }

  /** The device of the stream on which the event was first recorded; `null` before that. */
  get device(): Device | null {
    return this.#state === null ? null : parseDevice(`cuda:${this.#state.ordinal}`);
  }

  /** Records the event behind all work issued to a stream so far. */
  record(...args: Args<typeof EventStreamArgs>): void {
    const stream = parse.record(args).stream ?? currentStream();
    const state = backendAt(stream.device).stream, { c } = state.shim;
    if (this.#state !== null && this.#state !== state) {
      throw new DeviceError(`Event.record(): the event belongs to ${this.device}, the stream to ${stream.device}`);
    }
    if (this.#handle === 0) {
      const handle = c.cresset_cuda_event(state.ordinal, this.#timing ? 1 : 0);
      if (handle === 0) state.fail("Event", -5);
      this.#state = state;
      this.#handle = handle;
      events.register(this, () => c.cresset_cuda_event_destroy(handle), this);
    }
    state.check("Event.record", c.cresset_cuda_event_record(state.ordinal, stream.streamId, this.#handle));
  }

  /** Makes later work on a stream wait for the event. */
  wait(...args: Args<typeof EventStreamArgs>): void {
    const stream = parse.wait(args).stream ?? currentStream();
    if (this.#handle === 0) return;
    const state = backendAt(stream.device).stream;
    state.check("Event.wait", state.shim.c.cresset_cuda_stream_wait(state.ordinal, stream.streamId, this.#handle));
  }

  /** Whether the work before the event is done; true for an event that was never recorded. */
  query(...args: Args<typeof NoArgs>): boolean {
    parse.eventQuery(args);
    const state = this.#state;
    if (state === null) return true;
    const status = state.shim.c.cresset_cuda_event_query(state.ordinal, this.#handle);
    if (status < 0) state.fail("Event.query", status);
    return status === 1;
  }

  /** Waits until the work before the event is done. */
  synchronize(...args: Args<typeof NoArgs>): void {
    parse.eventSynchronize(args);
    const state = this.#state;
    if (state === null) return;
    state.check("Event.synchronize", state.shim.c.cresset_cuda_event_synchronize(state.ordinal, this.#handle));
  }

  /**
   * The time from this event to another one in milliseconds; waits for the other one.
   *
   * @throws {ArgumentError} if one of them was made without `enableTiming`, or not recorded
   */
  elapsedTime(...args: Args<typeof ElapsedTimeArgs>): number {
    const { endEvent: end } = parse.elapsedTime(args);
    checkInstance("Event.elapsedTime", "endEvent", end, Event);
    if (!this.#timing || !end.#timing || this.#state === null || end.#state === null) {
      throw new ArgumentError("Event.elapsedTime(): both events must be recorded and made with { enableTiming: true }");
    }
    this.#state.refuseRecording("Event.elapsedTime", "nothing can be waited for");
    const milliseconds = this.#state.shim.c.cresset_cuda_event_elapsed(this.#handle, end.#handle);
    if (milliseconds < 0) this.#state.fail("Event.elapsedTime", -5);
    return milliseconds;
  }

  /** Destroys the event at once, instead of when it is garbage-collected. */
  destroy(...args: Args<typeof NoArgs>): void {
    parse.destroy(args);
    if (this.#state === null) return;
    events.unregister(this);
    this.#state.shim.c.cresset_cuda_event_destroy(this.#handle);
    this.#handle = 0;
    this.#state = null;
  }
}

function checkStream(op: string, name: string, value: unknown): asserts value is Stream {
  checkInstance(op, name, value, Stream);
}

/** The current stream of a device: the one that work is issued to. */
export const currentStream: Func<typeof CudaDeviceArgs, Stream> = func(
  "currentStream",
  CudaDeviceArgs,
  ({ device }) => {
    const { stream } = backendAt(device);
    return new Stream({ device: stream.ordinal, streamId: stream.current });
  },
);

/** The default stream of a device: the one that is current at first. */
export const defaultStream: Func<typeof CudaDeviceArgs, Stream> = func(
  "defaultStream",
  CudaDeviceArgs,
  ({ device }) => new Stream({ device: backendAt(device).stream.ordinal, streamId: 0 }),
);

/** Makes a stream the current one of its device. */
export const setStream: Func<typeof OfStreamArgs, void> = func("setStream", OfStreamArgs, ({ stream }) => {
  checkStream("setStream", "stream", stream);
  backendAt(stream.device).stream.useStream(stream.streamId);
});

/**
 * Makes a stream the current one of its device until the handle is disposed: `using _ = stream(s)`. It is then the
 * current one also for other tasks that run while the block waits at an `await`.
 */
export function stream(stream: Stream): Disposable;
/**
 * Makes a stream the current one for this task while `fn` runs, until its promise settles if it returns one; returns
 * the result of `fn`.
 */
export function stream<R>(stream: Stream, fn: () => R, ...args: Args<typeof NoArgs>): R;
export function stream<R>(stream: Stream, fn?: () => R, ...args: Args<typeof NoArgs>): R | Disposable {
  parse.useStream(args);
  checkStream("cuda.stream", "stream", stream);
  if (fn !== undefined) checkFunction("cuda.stream", "fn", fn);
  const changes = [backendAt(stream.device).stream.streamChange(stream.streamId)];
  return fn === undefined ? hold("stream", changes) : during(changes, fn);
}

/** The number of the current device, which `"cuda"` stands for. */
export const currentDevice: Func<typeof NoArgs, number> = func("currentDevice", NoArgs, () => currentCudaDevice());

/**
 * Sets the current device, which `"cuda"` stands for.
 *
 * @throws {DeviceError} if there is no such device
 */
export const setDevice: Func<typeof SetDeviceArgs, void> = func(
  "setDevice",
  SetDeviceArgs,
  ({ device }) => setCurrentCudaDevice(backendAt(device).stream.ordinal),
);

/** Makes a device the current one until the handle is disposed: `using _ = device(1)`. */
export function device(device: CudaDevice): Disposable;
/**
 * Makes a device the current one for this task while `fn` runs, until its promise settles if it returns one; returns
 * the result of `fn`.
 */
export function device<R>(device: CudaDevice, fn: () => R, ...args: Args<typeof NoArgs>): R;
export function device<R>(device: CudaDevice, fn?: () => R, ...args: Args<typeof NoArgs>): R | Disposable {
  parse.useDevice(args);
  if (fn !== undefined) checkFunction("cuda.device", "fn", fn);
  const changes = [cudaDeviceChange(backendAt(device).stream.ordinal)];
  return fn === undefined ? hold("device", changes) : during(changes, fn);
}
