/**
 * `slice(a, b, s)`: a range of positions for `x.at(…)` and `x.setAt(…, v)`, as Python's `a:b:s`.
 *
 * @module
 */

import { type Func, func } from "../../base/call.ts";

/** A range of positions, made by {@linkcode slice}. */
export class Slice {
  /** First position, or `null` for the start. */
  readonly start: number | null;
  /** One past the last position, or `null` for the end. */
  readonly stop: number | null;
  /** Step between positions. */
  readonly step: number | null;
  /** Made by {@linkcode slice}. */
  constructor(start: number | null, stop: number | null, step: number | null) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
}

/** The parameters of {@linkcode slice}. */
export class SliceArgs {
  constructor(
    /** First position; `null`: the start. Negative ones count from the end. */
    public start: number | null = null,
    /** One past the last position; `null`: the end. */
    public stop: number | null = null,
    /** Step between positions, positive; `null`: 1. */
    public step: number | null = null,
  ) {}
}

/**
 * A range for `x.at(…)`: `slice(1, 3)` is Python's `1:3`, `slice(1)` is `1:`, `slice(0, 2)` is `:2`, `slice()` is `:`.
 *
 * Differs from Python's `slice(2)`, which is `:2`: as with JavaScript's `slice`, a single number is the start.
 */
export const slice: Func<typeof SliceArgs, Slice> = func(
  "slice",
  SliceArgs,
  ({ start, stop, step }) => new Slice(start, stop, step),
);
