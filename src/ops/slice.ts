/**
 * `slice(a, b, s)`: a range of positions for `x.at(…)` and `x.setAt([…], v)`, as Python's `a:b:s`.
 *
 * @module
 */

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

/**
 * A range for {@linkcode at}: `slice(1, 3)` is Python's `1:3`, `slice(2)` is `:2`, `slice()` is `:`.
 *
 * @param step a positive integer
 */
export function slice(): Slice;
/** `:stop`. */
export function slice(stop: number | null): Slice;
/** `start:stop:step`. */
export function slice(start: number | null, stop: number | null, step?: number | null): Slice;
export function slice(...args: (number | null | undefined)[]): Slice {
  const [start, stop, step] = args.length < 2 ? [null, args[0], null] : args;
  return new Slice(start ?? null, stop ?? null, step ?? null);
}
