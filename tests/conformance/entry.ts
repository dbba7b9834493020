/**
 * The outcome of one golden file, and the bookkeeping that all replays share: counting samples, keeping the first
 * difference, telling a user's error from an internal one.
 *
 * @module
 */

import { Unsupported } from "./values.ts";

/** What became of an entry. */
export type Status = "passed" | "failed" | "absent" | "skipped";

/** A row of the report. */
export interface Entry {
  kind: string;
  name: string;
  variant: string;
  priority: string;
  dtype: string;
  status: Status;
  samples: number;
  failedSamples: number;
  first: string | null;
}

/** What every replay is given. */
export interface ReplayOptions {
  /** Where tensors are made. */
  device: string;
  /** Only samples of this dtype. */
  dtype?: string;
  /** Called before each sample, so that a hang can be named. */
  progress?: (sample: string) => void;
}

/** Signals that the library has no such function. */
export class Absent extends Error {
  override name = "Absent";
}

/** Counts samples and keeps the first difference. */
export class Tally {
  samples = 0;
  failed = 0;
  skipped = 0;
  first: string | null = null;
  #absent: string | null = null;
  readonly #progress: (sample: string) => void;
  readonly #device: string;

  /** A tally that reports each sample's label before it runs. */
  constructor(options: ReplayOptions) {
    this.#progress = options.progress ?? (() => {});
    this.#device = options.device;
  }

  /** Runs one sample: `run` gives the first difference or `null`; throwing counts as a difference. */
  async sample(label: string, run: () => Promise<string | null>): Promise<void> {
    this.#progress(label);
    this.samples++;
    let difference: string | null;
    try {
      difference = await run();
    } catch (error) {
      if (error instanceof Absent) {
        this.#absent ??= error.message;
        return;
      }
      if (error instanceof DeviceLimit || lacksDtype(error, this.#device)) {
        this.skipped++;
        this.first ??= `skipped: ${(error as Error).message}`;
        return;
      }
      difference = error instanceof Unsupported ? `not replayable: ${error.message}` : describeError(error);
    }
    if (difference === null) return;
    if (this.failed++ === 0) this.first = `${label}: ${difference}`;
  }

  /** The row. */
  entry(head: Pick<Entry, "kind" | "name" | "variant" | "dtype">): Entry {
    const status: Status = this.#absent
      ? "absent"
      : this.failed > 0
      ? "failed"
      : this.samples === this.skipped
      ? "skipped"
      : "passed";
    const first = this.#absent ?? (status === "passed" ? null : this.first ?? "no samples");
    return { ...head, priority: "", status, samples: this.samples, failedSamples: this.failed, first };
  }
}

/** The device lacks what the sample needs (float64 on WebGPU): the sample does not count. */
export class DeviceLimit extends Error {
  override name = "DeviceLimit";
}

/** Whether a call failed because the device lacks a dtype that the sample asks for (`softmax` with `dtype` float64). */
function lacksDtype(error: unknown, device: string): boolean {
  return device !== "cpu" && error instanceof Error && error.name === "DTypeError" &&
    /has no torch\.\w+/.test(error.message);
}

/** Makes a sample's inputs; where another device than the CPU refuses a dtype, the sample is skipped. */
export function makeInputs<T>(device: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    const refused = error instanceof Error && (error.name === "DTypeError" || error.name === "DeviceError");
    if (device !== "cpu" && refused) throw new DeviceLimit(error.message);
    throw error;
  }
}

/** An error in one line, with the place of the library that threw it. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const place = error.stack?.split("\n").find((line) => /\/src\/|\/ffi\//.test(line))?.replace(
    /^.*\/(src|ffi)\//,
    "$1/",
  );
  return `threw ${error.name}: ${error.message.split("\n")[0].slice(0, 300)}${
    place ? ` (${place.replace(")", "")})` : ""
  }`;
}

/** Classes that a user's mistake must not surface as, unless the message is worded for the user. */
const INTERNAL = new Set<unknown>([TypeError, RangeError, ReferenceError, SyntaxError, WebAssembly.RuntimeError]);

/** `null` where `error` is worded for the user (`op(): rule: values`), else what is wrong with it. */
export function internalError(error: unknown): string | null {
  if (!(error instanceof Error)) return `threw a non-error: ${String(error)}`;
  if (error.name === "NativeError") return `the mistake reached a kernel: ${error.message}`;
  const worded = /^[\w.]+\(\): /.test(error.message);
  return INTERNAL.has(error.constructor) && !worded ? `an internal ${error.name}: ${error.message}` : null;
}
