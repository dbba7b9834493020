/**
 * The fuzzer's arguments: tensors of every dtype and layout, plausible values by the name of the parameter, and hostile
 * ones that no caller should pass but some caller will.
 *
 * @module
 */

import * as torch from "../../mod.ts";
import type { DType, Tensor } from "../../mod.ts";
import type { Random } from "./random.ts";

/** What hostile objects throw: an error of the caller's own code, which the library passes on as it is. */
export class Trap extends Error {
  /** The name of the class. */
  override name = "Trap";
}

const DTYPES: readonly DType[] = [
  ...[torch.float32, torch.float32, torch.float32, torch.float64, torch.int64, torch.int64, torch.int32, torch.bool],
  ...[torch.uint8, torch.int8, torch.int16, torch.float16, torch.bfloat16, torch.complex64, torch.complex128],
  ...[torch.float8E4m3fn, torch.float8E5m2],
];

const cyclic: unknown[] = [];
cyclic.push(cyclic);

function nested(depth: number): unknown[] {
  let list: unknown[] = [1];
  for (let i = 0; i < depth; i++) list = [list];
  return list;
}

function detached(): Float32Array {
  const view = new Float32Array(4);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

const trap = (): never => {
  throw new Trap("trap");
};

/** An object whose every use throws. */
function throwing(): object {
  return new Proxy({}, {
    ...{ get: trap, set: trap, has: trap, ownKeys: trap, getOwnPropertyDescriptor: trap, getPrototypeOf: trap },
  });
}

/** An iterable that ends in an error. */
function* broken(): Generator<number> {
  yield 1;
  throw new Trap("trap");
}

/** Numbers at the edges of what a double, an int32 or a size can be. */
const NUMBERS: readonly number[] = [
  ...[
    NaN,
    Infinity,
    -Infinity,
    -0,
    0.5,
    -1,
    1.5,
    -1.5,
    255,
    256,
    65536,
    1e6,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    2 ** 32,
  ],
  ...[2 ** 33, 2 ** 50, 2 ** 53, -(2 ** 53), 2 ** 63, 1e308, -1e308, 5e-324, 1e20],
];

const HOSTILE: readonly (() => unknown)[] = [
  ...NUMBERS.map((value) => () => value),
  ...["", "2", "cpu", "float32", "none", "__proto__", "toString", "x".repeat(300)].map((value) => () => value),
  ...[0n, 3n, -1n, 2n ** 63n, 2n ** 70n].map((value) => () => value),
  ...[null, null, undefined, undefined, true, false].map((value) => () => value),
  () => Symbol("s"),
  () => [],
  () => [[]],
  () => [[[]]],
  () => [NaN],
  () => [-1],
  () => [1.5],
  () => ["1"],
  () => [null],
  () => [undefined],
  () => [1n],
  () => [Symbol("s")],
  () => [-1, -1],
  () => [0, 0],
  () => [2 ** 53, 2 ** 53],
  () => [2 ** 31, 2 ** 31],
  () => [2 ** 16, 2 ** 16],
  () => [2 ** 32 + 1, 1],
  () => [1, 2 ** 40, 0],
  () => new Array(3),
  () => new Array(70).fill(1),
  () => new Array(5000).fill(0),
  () => [[1, 2], [3]],
  () => [[1, 2], 3],
  () => [1, "a", null],
  () => cyclic,
  () => nested(200),
  () => nested(20_000),
  () => ({}),
  () => ({ zzz: 1 }),
  () => ({ out: 5 }),
  () => ({ dtype: "float32" }),
  () => ({ generator: {} }),
  () => ({ shape: [2], dtype: torch.float32 }),
  () => ({ length: 3 }),
  () => ({ length: -1, 0: 1 }),
  () => ({ valueOf: () => 2 }),
  () => ({ valueOf: trap, toString: trap }),
  () => Object.create(null),
  () => new Proxy({}, {}),
  () => new Proxy([1, 2], {}),
  () => throwing(),
  () => new (class Shapeless {})(),
  () => () => 1,
  () => (x: unknown) => x,
  () => () => undefined,
  () => trap,
  () =>
    function* () {
      yield 1;
    },
  () => broken(),
  () => class Something {},
  () => torch.Tensor,
  () => new Float32Array(4),
  () => new Uint8Array(0),
  () => new BigInt64Array(2),
  () => new ArrayBuffer(8),
  () => new SharedArrayBuffer(8),
  () => new DataView(new ArrayBuffer(8)),
  () => new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 })),
  () => detached(),
  () => new Date(0),
  () => new Date(NaN),
  () => /x/,
  () => new Map([["a", 1]]),
  () => new Set([1, 2]),
  () => new Error("e"),
  () => Promise.resolve(1),
  () => new URL("file:///nowhere/at/all"),
  () => torch.slice(0, 2),
  () => torch.slice(0, 5, 2),
  () => torch.float32,
  () => torch.complex64,
  () => torch.device("cpu"),
  () => new torch.Generator(),
  () => torch.scalar(2, "integer"),
  () => torch.newaxis,
];

/** Plausible values of parameters, by the words in their names. */
const FLAGS =
  /^(keepdim|unbiased|descending|stable|largest|sorted|accumulate|right|ceilMode|training|inplace|alignCorners|returnIndices|countIncludePad|includeSelf|bias|isCausal|needWeights|logTarget|full|swap|outInt32|sparse|recomputeScaleFactor|antialias|zeroInfinity|logInput|withReplacement|replacement|enableGqa|equalNan|affine|trackRunningStats|batchFirst|bidirectional|hard|requiresGrad|createGraph|retainGraph|accumulateGrad|shuffle|dropLast|strict|prefix|recurse|persistent|maximize|nesterov|amsgrad|foreach|capturable|differentiable|centered|setToNone|mode)$/;
const DIMENSION = /^(dim|dim0|dim1|dim2|axis0|axis1|startDim|endDim|axis)$/;
const SIZES =
  /^(dims|size|shape|sizes|shifts|kernelSize|stride|padding|dilation|outputSize|normalizedShape|pad|splitSizes|outputPadding|source|destination|s|repeats|sections|indicesOrSections|lengths|milestones|unflattenedSize|scaleFactor)$/;
const INDICES = /^(index|indices|target|targets|offsets|inputLengths|targetLengths|sorter)$/;
const MASK = /^(condition|\w*mask)$/i;
const COUNT =
  /(features|channels|groups|num\w*|hiddenSize|inputSize|steps|n|k|p|dModel|nhead|blocks|upscaleFactor|downscaleFactor|totalIters|stepSize|epoch|batchSize|length)$/i;
const TENSOR =
  /^(out|other|input|src|tensor\d?|mat\w*|vec\w*|batch\d|weight|values?|end|min|max|exponent|imag|angle|boundaries|key|query|x\d|input\d|grid|b|scale[AB]|minVal|maxVal|running\w+|posWeight|perSampleWeights|var|positive|negative|anchor|bias\w*|hx|gradient|outputs|inputs|params)$/;
const LIST = /^(tensors|arrays|mats|parameters|modules|datasets|args)$/;
const WORDS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^reduction$/, ["none", "mean", "sum", "batchmean"]],
  [/^reduce$/, ["sum", "prod", "mean", "amax", "amin", "add", "multiply"]],
  [/^(mode|paddingMode)$/, [
    ...["reflect", "constant", "replicate", "circular", "nearest", "bilinear", "linear", "bicubic", "trilinear"],
    ...["area", "nearest-exact", "sum", "mean", "max", "zeros", "border", "reflection", "reduced", "complete", "fanIn"],
    ...["fanOut", "min"],
  ]],
  [/^(indexing|side|roundingMode|approximate|norm|activation|nonlinearity|annealStrategy|memoryFormat)$/, [
    ...["ij", "xy", "left", "right", "floor", "trunc", "tanh", "none", "forward", "backward", "ortho", "relu", "gelu"],
    ...["cos", "linear", "channelsLast", "contiguousFormat", "preserveFormat"],
  ]],
  [/^equation$/, ["ij,jk->ik", "ij->ji", "ii->i", "...i,...i->...", "ik,j->ij", "i,j->", "ij", "->", "a,,b"]],
  [/^device$/, ["cpu", "cpu:0", "nonsense", "cpu:99", ""]],
];

/** Makes the arguments of one call. */
export class Values {
  readonly #random: Random;
  /** A shape and a dtype that the operands of a call have in common more often than not. */
  readonly #shape: readonly number[];
  readonly #dtype: DType;
  /** Whether the call is to work rather than to be refused: operands that fit, few hostile values. */
  readonly #calm: boolean;
  /** The folder for every file of the run. */
  readonly #folder: string;
  /** The tensors made so far that gradients may reach. */
  readonly leaves: Tensor[] = [];

  /** Draws from `random`; paths lie in `folder`. */
  constructor(random: Random, folder: string) {
    this.#random = random;
    this.#folder = folder;
    const side = 1 + random.int(4);
    this.#shape = random.chance(0.3) ? new Array(1 + random.int(3)).fill(side) : this.shape();
    this.#calm = random.chance(0.45);
    this.#dtype = this.#calm && random.chance(0.6) ? torch.float32 : random.pick(DTYPES);
  }

  /** A small shape: any number of dimensions, some of them empty. */
  shape(): number[] {
    const random = this.#random;
    const ndim = random.pick([0, 1, 1, 2, 2, 2, 3, 3, 4, 5]);
    return Array.from({ length: ndim }, () => random.pick([0, 1, 1, 2, 2, 3, 3, 4, 5, 8]));
  }

  /** A dense tensor. */
  dense(shape: readonly number[], dtype: DType): Tensor {
    const random = this.#random;
    const count = shape.reduce((a, b) => a * b, 1);
    const reals = (): number[] =>
      Array.from(
        { length: dtype.isComplex ? 2 * count : count },
        () => random.chance(0.04) ? random.pick([NaN, Infinity, -Infinity, 0, -0, 1e38, 1e-40]) : random.next() * 6 - 3,
      );
    const integers = (): number[] =>
      Array.from({ length: count }, () => random.chance(0.06) ? random.pick([100, 127, 50, 7]) : random.int(4));
    if (dtype.isFloat8) return torch.fromData(reals(), [...shape], { dtype: torch.float32 }).to(dtype);
    if (dtype === torch.bool) {
      return torch.fromData(integers().map((v) => v & 1), [...shape], { dtype: torch.uint8 }).to(torch.bool);
    }
    const floating = dtype.isFloatingPoint || dtype.isComplex;
    const x = torch.fromData(floating ? reals() : integers(), [...shape], { dtype: floating ? dtype : torch.int64 });
    if (floating) return x;
    return (dtype !== torch.uint8 && random.chance(0.15) ? x.neg() : x).to(dtype);
  }

  /** The tensor itself or, as often, a view of it, a copy that wants gradients, or its remains. */
  twisted(x: Tensor): Tensor {
    const random = this.#random;
    const dim = random.int(Math.max(1, x.ndim));
    const other = random.int(Math.max(1, x.ndim));
    const floating = (x.dtype.isFloatingPoint || x.dtype.isComplex) && !x.dtype.isFloat8;
    switch (random.int(20)) {
      case 0:
      case 1:
        return x.ndim >= 2 ? x.transpose(dim, other) : x;
      case 2:
        return x.ndim >= 1 ? x.at(...new Array(dim).fill(torch.slice()), torch.slice(0, null, 2)) : x;
      case 3:
      case 4:
        return x.ndim === 0 ? x.expand([1 + random.int(3)]) : x.expand(x.shape.map((n) => n === 1 ? 3 : n));
      case 5: {
        if (x.numel() < 4) return x;
        const size = [1 + random.int(2), 1 + random.int(2)], strides = [random.int(2), random.int(2)];
        return x.asStrided(size, strides, random.int(2));
      }
      case 6: {
        if (x.ndim === 0) return x;
        const start = random.int(x.shape[dim] + 1);
        return x.narrow(dim, start, random.int(x.shape[dim] - start + 1));
      }
      case 7:
      case 8:
        return floating ? this.#leaf(x) : x;
      case 9:
      case 10:
        return floating ? this.#leaf(x).mul(1) : x;
      case 11:
        return x.ndim === 4 ? x.contiguous({ memoryFormat: torch.channelsLast }) : x;
      case 12:
        if (random.chance(0.5)) x.dispose();
        return x;
      case 13:
        return x.dtype.isComplex ? (random.chance(0.5) ? x.conj() : torch.viewAsReal(x)) : x;
      default:
        return x;
    }
  }

  /** Any tensor. */
  tensor(): Tensor {
    const random = this.#random;
    const common = this.#calm ? 0.95 : 0.6;
    const shape = random.chance(common) ? this.#shape : this.shape();
    const x = this.dense(shape, random.chance(common) ? this.#dtype : random.pick(DTYPES));
    if (this.#calm && x.dtype.isFloatingPoint && !x.dtype.isFloat8 && random.chance(0.4)) return this.#leaf(x);
    return this.#calm && random.chance(0.5) ? x : this.twisted(x);
  }

  /** A tensor of the given shape in a common floating dtype. */
  input(shape: readonly number[]): Tensor {
    const random = this.#random;
    if (random.chance(0.3)) return this.tensor();
    const dtype = random.chance(0.8) ? torch.float32 : random.pick(DTYPES);
    const x = this.dense(shape, dtype);
    return random.chance(0.5) && dtype.isFloatingPoint && !dtype.isFloat8 ? this.#leaf(x) : x;
  }

  #leaf(x: Tensor): Tensor {
    const leaf = x.clone().requiresGrad_();
    this.leaves.push(leaf);
    return leaf;
  }

  /** Something that no signature asks for. */
  hostile(): unknown {
    const random = this.#random;
    if (random.chance(0.1)) return [this.tensor(), random.pick(HOSTILE)()];
    if (random.chance(0.05)) return { [random.pick(["dim", "out", "dtype", "size"])]: random.pick(HOSTILE)() };
    return random.pick(HOSTILE)();
  }

  #integers(): number[] {
    const random = this.#random;
    return Array.from({ length: random.int(5) }, () => random.pick([0, 1, 1, 2, 2, 3, -1]));
  }

  #tensors(): Tensor[] {
    return Array.from({ length: 1 + this.#random.int(3) }, () => this.tensor());
  }

  /** A value for the parameter called `name`, plausible more often than not. */
  argument(name: string): unknown {
    const random = this.#random;
    if (random.chance(this.#calm ? 0.04 : 0.2)) return this.hostile();
    for (const [pattern, words] of WORDS) if (pattern.test(name) && random.chance(0.8)) return random.pick(words);
    if (DIMENSION.test(name)) return random.chance(0.8) ? random.pick([0, 1, -1, 2, -2]) : this.#integers();
    if (SIZES.test(name)) return random.chance(0.6) ? this.#integers() : random.pick([0, 1, 2, 3]);
    if (INDICES.test(name)) return this.#indices();
    if (MASK.test(name)) return this.dense(random.chance(0.7) ? this.#shape : this.shape(), torch.bool);
    if (/dtype/i.test(name)) return random.pick([...DTYPES, null]);
    if (FLAGS.test(name)) return random.chance(0.5);
    if (TENSOR.test(name)) return random.chance(0.85) ? this.tensor() : this.#number();
    if (LIST.test(name)) return this.#tensors();
    if (/^(filename|path|file|root|url)$/.test(name)) return `${this.#folder}/${random.pick(["a", "b", "c/d"])}`;
    if (/^generator$/.test(name)) return random.chance(0.7) ? new torch.Generator() : this.hostile();
    if (COUNT.test(name)) return random.pick([1, 2, 3, 4, 0, -1]);
    return this.anything();
  }

  /** A value for a parameter of which nothing is known. */
  anything(): unknown {
    const random = this.#random;
    switch (random.int(10)) {
      case 0:
      case 1:
      case 2:
        return this.#number();
      case 3:
      case 4:
        return this.tensor();
      case 5:
        return this.#integers();
      case 6:
        return this.#tensors();
      case 7:
        return random.pick([(x: unknown) => x, () => this.dense([2], torch.float32), () => 1]);
      default:
        return this.hostile();
    }
  }

  #number(): number {
    return this.#random.pick([0, 1, 2, 3, -1, -2, 0.5, 2, 1, 4, 7]);
  }

  #indices(): unknown {
    const random = this.#random;
    const shape = random.chance(0.6) ? this.#shape : this.shape();
    if (random.chance(0.7)) return this.dense(shape, random.pick([torch.int64, torch.int64, torch.int32, torch.uint8]));
    if (random.chance(0.5)) return random.pick([0, 1, -1, 2]);
    return [this.dense(shape, torch.int64), this.dense(shape, torch.int64)];
  }
}
