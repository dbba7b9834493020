/**
 * Printing of tensors: PyTorch's `repr`, character for character.
 *
 * A pure function from values, shape and dtype to text; it reads no device. The one idea: every element of a tensor is
 * printed at one width, in one of three float styles (integers with a dot, fixed, scientific) that the non-zero finite
 * values choose together, and a tensor above the threshold shows only the edges of each dimension.
 *
 * @module
 */

import { type Func, func, NoArgs } from "../base/call.ts";
import { ArgumentError, describe } from "../base/errors.ts";
import { complex128, complex64, type DType, float64, getDefaultDtype } from "../base/dtype.ts";
import { numelOf } from "../base/shape.ts";

/** The options of printing; see {@linkcode setPrintoptions}. */
export interface PrintOptions {
  /** Digits after the point of floating values. @default {4} */
  precision: number;
  /** More elements than this are summarised. @default {1000} */
  threshold: number;
  /** Elements shown at the start and the end of each dimension of a summary. @default {3} */
  edgeitems: number;
  /** Characters per line before a line break. @default {80} */
  linewidth: number;
  /** Scientific notation: always, never, or (`null`) as the values ask for. @default {null} */
  sciMode: boolean | null;
}

/** A named set of {@linkcode PrintOptions}. */
export type PrintProfile = "default" | "short" | "full";

/** The parameters of {@linkcode setPrintoptions}; `null` leaves a setting, `sciMode` excepted. */
export class SetPrintoptionsArgs {
  constructor(
    /** Digits after the point of floating values. */
    public precision: number | null = null,
    /** More elements than this are summarised. */
    public threshold: number | null = null,
    /** Elements shown at the start and the end of each dimension of a summary. */
    public edgeitems: number | null = null,
    /** Characters per line before a line break. */
    public linewidth: number | null = null,
    /** A named set to start from. */
    public profile: PrintProfile | null = null,
    /** Scientific notation: always, never, or (`null`) as the values ask for. */
    public sciMode: boolean | null = null,
  ) {}
}

const PROFILES: Readonly<Record<PrintProfile, Omit<PrintOptions, "sciMode">>> = {
  default: { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80 },
  short: { precision: 2, threshold: 1000, edgeitems: 2, linewidth: 80 },
  full: { precision: 4, threshold: Infinity, edgeitems: 3, linewidth: 80 },
};

let current: Readonly<PrintOptions> = { ...PROFILES.default, sciMode: null };

/**
 * Sets how tensors are printed from now on. As in PyTorch, `sciMode` goes back to automatic when it is left out.
 *
 * @throws {ArgumentError} if a value is not a non-negative number or the profile is unknown
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * setPrintoptions({ precision: 2 });
 * assertEquals(getPrintoptions().precision, 2);
 * setPrintoptions({ profile: "default" });
 * assertEquals(getPrintoptions().precision, 4);
 * ```
 */
export const setPrintoptions: Func<typeof SetPrintoptionsArgs, void> = func(
  "setPrintoptions",
  SetPrintoptionsArgs,
  (o) => {
    const { profile, ...rest } = o;
    if (profile !== null && !Object.keys(PROFILES).includes(profile)) {
      throw new ArgumentError(
        `setPrintoptions(): unknown profile: ${describe(profile)}; expected "default", "short" or "full"`,
      );
    }
    const next: PrintOptions = { ...current, ...(profile ? PROFILES[profile] : {}), sciMode: rest.sciMode };
    for (const key of ["precision", "threshold", "edgeitems", "linewidth"] as const) {
      const value = rest[key];
      if (value === null) continue;
      if (typeof value !== "number" || !(value >= 0) || (key !== "threshold" && !Number.isInteger(value))) {
        throw new ArgumentError(`setPrintoptions(): ${key} must not be negative or fractional: ${describe(value)}`);
      }
      next[key] = value;
    }
    current = next;
  },
);

/** The options that tensors are printed with now, as a copy. */
export const getPrintoptions: Func<typeof NoArgs, PrintOptions> = func(
  "getPrintoptions",
  NoArgs,
  () => ({ ...current }),
);

/** The text around a tensor's values: prefix, device, `requires_grad` and `grad_fn`. */
export interface TensorSuffixes {
  /** The device's name where it should be shown. */
  device?: string | null;
  /** Shown as `requires_grad=True` where there is no `gradFn`. */
  requiresGrad?: boolean;
  /** Name of the node that made the tensor, shown as `grad_fn=<Name>`. */
  gradFn?: string | null;
  /** The text that opens it. @default {"tensor("} */
  prefix?: string;
  /** Options for this text only, over those of {@linkcode setPrintoptions}. */
  options?: Partial<PrintOptions>;
}

/**
 * A tensor as PyTorch's `repr` shows it.
 *
 * @param data the values in row-major order; complex ones as pairs of real and imaginary part
 * @param shape the sizes
 * @param dtype decides the style and whether it is named
 * @param around the prefix and what follows the values
 */
export function formatTensor(
  data: ArrayLike<number | bigint>,
  shape: readonly number[],
  dtype: DType,
  around: TensorSuffixes = {},
): string {
  const options = { ...current, ...around.options };
  const prefix = around.prefix ?? "tensor(";
  const empty = numelOf(shape) === 0;
  const suffixes: string[] = [];
  if (around.device) suffixes.push(`device='${around.device}'`);
  if (empty ? shape.length !== 1 : options.edgeitems === 0) suffixes.push(`size=${tuple(shape)}`);
  if (!(empty ? dtype === getDefaultDtype() : isUnnamed(dtype))) suffixes.push(`dtype=${dtype}`);
  if (around.gradFn) suffixes.push(`grad_fn=<${around.gradFn}>`);
  else if (around.requiresGrad) suffixes.push("requires_grad=True");
  return addSuffixes(
    prefix + formatValues(data, shape, dtype, prefix.length, options),
    suffixes,
    prefix.length,
    options.linewidth,
  );
}

/**
 * The nested brackets of a tensor, without `tensor(`.
 *
 * @param indent how far lines after the first are indented
 */
export function formatValues(
  data: ArrayLike<number | bigint>,
  shape: readonly number[],
  dtype: DType,
  indent = 0,
  options: PrintOptions = current,
): string {
  const numel = numelOf(shape);
  if (numel === 0) return "[]";
  const summarize = numel > options.threshold;
  const writer = new Writer(data, shape, dtype, summarize, options);
  return writer.write(0, 0, indent);
}

/** Whether PyTorch prints tensors of a dtype without `dtype=…`: the dtypes that literals have. */
function isUnnamed(dtype: DType): boolean {
  const float = getDefaultDtype();
  const complex = float === float64 ? complex128 : complex64;
  return dtype === float || dtype === complex || dtype.name === "int64" || dtype.kind === "bool";
}

function tuple(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

function addSuffixes(text: string, suffixes: readonly string[], indent: number, linewidth: number): string {
  let out = text;
  let lineLength = text.length - text.lastIndexOf("\n") + 1;
  for (const suffix of suffixes) {
    if (lineLength + suffix.length + 2 > linewidth) {
      out += ",\n" + " ".repeat(indent) + suffix;
      lineLength = indent + suffix.length;
    } else {
      out += ", " + suffix;
      lineLength += suffix.length + 2;
    }
  }
  return out + ")";
}

/** The indices of a dimension that are shown: all, or the edges with a gap between. */
function shownIndices(size: number, summarize: boolean, edge: number): number[] {
  if (!summarize || size <= 2 * edge) return Array.from({ length: size }, (_, i) => i);
  return Array.from({ length: 2 * edge }, (_, i) => (i < edge ? i : size - 2 * edge + i));
}

/** The number format that all shown values of a tensor (or of its real or imaginary parts) share. */
class Style {
  readonly #floating: boolean;
  readonly #bool: boolean;
  readonly #precision: number;
  #integral = true;
  #scientific = false;
  /** Characters that every value is padded to. */
  width = 1;

  constructor(values: readonly (number | bigint)[], dtype: DType, options: PrintOptions) {
    this.#floating = dtype.isFloatingPoint || dtype.isComplex;
    this.#bool = dtype.kind === "bool";
    this.#precision = options.precision;
    if (!this.#floating) {
      for (const v of values) this.width = Math.max(this.width, this.#plain(v).length);
      return;
    }
    const finite = (values as readonly number[]).filter((v) => Number.isFinite(v) && v !== 0);
    if (finite.length === 0) return;
    let least = Infinity, most = 0;
    for (const v of finite) {
      least = Math.min(least, Math.abs(v));
      most = Math.max(most, Math.abs(v));
      if (v !== Math.ceil(v)) this.#integral = false;
    }
    this.#scientific = options.sciMode ?? (most / least > 1000 || most > 1e8 || least < 1e-4);
    // The dot that whole numbers end with counts towards the width, but not that of infinities.
    const dot = this.#integral && !this.#scientific ? 1 : 0;
    for (const v of finite) this.width = Math.max(this.width, this.#float(v).length + dot);
  }

  /** A value padded to the column's width. */
  format(value: number | bigint): string {
    if (!this.#floating) return this.#plain(value).padStart(this.width);
    const text = this.#float(value as number);
    const dot = this.#integral && !this.#scientific && Number.isFinite(value) ? "." : "";
    return (text + dot).padStart(this.width);
  }

  #plain(value: number | bigint): string {
    return this.#bool ? (value ? "True" : "False") : String(value);
  }

  #float(value: number): string {
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
    if (this.#scientific) return toScientific(value, this.#precision);
    return toFixed(value, this.#integral ? 0 : this.#precision);
  }
}

/** Writes the shown elements of a tensor as nested brackets. */
class Writer {
  readonly #data: ArrayLike<number | bigint>;
  readonly #shape: readonly number[];
  readonly #steps: readonly number[];
  readonly #complex: boolean;
  readonly #summarize: boolean;
  readonly #options: PrintOptions;
  readonly #real: Style;
  readonly #imag: Style | null;

  constructor(
    data: ArrayLike<number | bigint>,
    shape: readonly number[],
    dtype: DType,
    summarize: boolean,
    options: PrintOptions,
  ) {
    this.#data = data;
    this.#shape = shape;
    this.#summarize = summarize;
    this.#options = options;
    this.#complex = dtype.isComplex;
    const steps = new Array<number>(shape.length);
    let step = 1;
    for (let i = shape.length - 1; i >= 0; i--) {
      steps[i] = step;
      step *= shape[i];
    }
    this.#steps = steps;
    const shown: number[] = [];
    this.#collect(0, 0, shown);
    const scale = this.#complex ? 2 : 1;
    this.#real = new Style(shown.map((i) => data[i * scale]), dtype, options);
    this.#imag = this.#complex ? new Style(shown.map((i) => data[i * 2 + 1]), dtype, options) : null;
  }

  /** Positions of the elements that are shown. */
  #collect(dim: number, at: number, into: number[]): void {
    if (dim === this.#shape.length) {
      into.push(at);
      return;
    }
    for (const i of shownIndices(this.#shape[dim], this.#summarize, this.#options.edgeitems)) {
      this.#collect(dim + 1, at + i * this.#steps[dim], into);
    }
  }

  /** The text of the sub-tensor that starts at element `at` of dimension `dim`. */
  write(dim: number, at: number, indent: number): string {
    const left = this.#shape.length - dim;
    if (left === 0) return this.#element(at);
    if (left === 1) return this.#vector(dim, at, indent);
    const slices: string[] = [];
    const edge = this.#options.edgeitems;
    const gap = this.#hasGap(dim);
    const indices = shownIndices(this.#shape[dim], this.#summarize, edge);
    indices.forEach((i, n) => {
      if (gap && n === edge) slices.push("...");
      slices.push(this.write(dim + 1, at + i * this.#steps[dim], indent + 1));
    });
    if (gap && indices.length === 0) slices.push("...");
    return "[" + slices.join("," + "\n".repeat(left - 1) + " ".repeat(indent + 1)) + "]";
  }

  #hasGap(dim: number): boolean {
    return this.#summarize && this.#shape[dim] > 2 * this.#options.edgeitems;
  }

  #vector(dim: number, at: number, indent: number): string {
    const { edgeitems, linewidth } = this.#options;
    const perElement = this.#real.width + 2 + (this.#imag ? this.#imag.width + 1 : 0);
    const perLine = Math.max(1, Math.floor((linewidth - indent) / perElement));
    let items: string[];
    if (this.#summarize && edgeitems === 0) items = ["..."];
    else {
      items = shownIndices(this.#shape[dim], this.#summarize, edgeitems).map((i) => this.#element(at + i));
      if (this.#hasGap(dim)) items.splice(edgeitems, 0, " ...");
    }
    const lines: string[] = [];
    for (let i = 0; i < items.length; i += perLine) lines.push(items.slice(i, i + perLine).join(", "));
    return "[" + lines.join(",\n" + " ".repeat(indent + 1)) + "]";
  }

  #element(at: number): string {
    if (!this.#imag) return this.#real.format(this.#data[at]);
    const real = this.#real.format(this.#data[2 * at]);
    const imag = (this.#imag.format(this.#data[2 * at + 1]) + "j").trimStart();
    return real + (imag.startsWith("-") ? "" : "+") + imag;
  }
}

/** Python's `f"{value:.{digits}f}"`: ties go to the even digit, where JavaScript's go up, and -0 keeps its sign. */
function toFixed(value: number, digits: number): string {
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  // From 1e21 on JavaScript's toFixed turns to exponents; all such numbers are integers.
  if (magnitude >= 1e21) return sign + BigInt(magnitude) + (digits > 0 ? "." + "0".repeat(digits) : "");
  const exact = magnitude.toFixed(Math.min(100, digits + 60));
  const point = exact.indexOf(".");
  const rounded = magnitude.toFixed(digits);
  if (!isTie(exact, point + digits + 1)) return sign + rounded;
  const below = exact.slice(0, digits === 0 ? point : point + 1 + digits);
  return sign + (isEven(below) ? below : rounded);
}

/** Python's `f"{value:.{digits}e}"`: ties to even, and an exponent of at least two digits. */
function toScientific(value: number, digits: number): string {
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  let text = magnitude.toExponential(digits);
  const exact = magnitude.toExponential(Math.min(100, digits + 60));
  if (isTie(exact.slice(0, exact.indexOf("e")), digits + 2)) {
    const below = exact.slice(0, digits === 0 ? 1 : digits + 2);
    if (isEven(below)) text = below + exact.slice(exact.indexOf("e"));
  }
  const [mantissa, exponent] = text.split("e");
  return `${sign}${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

/** Whether decimal digits from position `from` on are exactly one half. */
function isTie(exact: string, from: number): boolean {
  return exact[from] === "5" && /^0*$/.test(exact.slice(from + 1));
}

function isEven(text: string): boolean {
  return "02468".includes(text[text.length - 1]);
}
