/**
 * Datasets of pictures, with torchvision's names: `MNIST`, and other datasets in the same format.
 *
 * @see https://docs.pytorch.org/vision/stable/datasets.html
 * @module
 */

import "../ops/attach.ts";
import { type Args, call, type Named } from "../base/call.ts";
import { ArgumentError, describe, FormatError, IndexError, show } from "../base/errors.ts";
import { isSystemError } from "../base/platform.ts";
import { localPath, readBytes } from "../io/files.ts";
import { type IdxArray, parseIdx } from "../io/idx_format.ts";
import { Dataset } from "../data/dataset.ts";
import type { Image } from "./image.ts";
import { applyTransform, type Transform } from "./transforms.ts";

/** The parameters of {@linkcode MNIST.load} after the folder. */
export class MNISTArgs<X, Y> {
  constructor(
    /** Whether the training part is loaded; otherwise the test part. */
    public train = true,
    /** The transform of a picture into the sample's input; `null`: the picture itself. */
    public transform: Transform<Image, X> | null = null,
    /** The transform of a label into the sample's target; `null`: the label itself. */
    public targetTransform: Transform<number, Y> | null = null,
  ) {}
}

/** The parameters of {@linkcode MNIST.image}. */
export class ImageArgs {
  constructor(
    /** The index of the picture. */
    public index: number,
  ) {}
}

const OP = "MNIST.load";
const loadArgs = call(OP, MNISTArgs);
const imageArgs = call("MNIST.image", ImageArgs);

/** The file `name`, or `name.gz`, in the folder or below the URL `root`. */
async function readIdx(root: string | URL, name: string): Promise<IdxArray> {
  let missing: unknown;
  for (const file of [`${name}.gz`, name]) {
    const base = root instanceof URL || localPath(OP, root) !== root;
    const source = base ? new URL(file, String(root).replace(/\/*$/, "/")) : `${root}/${file}`;
    try {
      return await parseIdx(OP, `"${source}"`, await readBytes(OP, source));
    } catch (error) {
      if (!isSystemError(error, "NotFound")) throw error;
      missing ??= error;
    }
  }
  throw missing;
}

/**
 * Pictures of handwritten digits, 0 to 9, in MNIST's four IDX files, gzipped or not. Pictures of any size are accepted.
 *
 * Made by `await MNIST.load(root, { train, transform })`: reading files is asynchronous. Nothing is downloaded.
 *
 * @see https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.MNIST.html
 */
export class MNIST<X = Image, Y = number> extends Dataset<[X, Y]> {
  /** The names of the classes. */
  static readonly classes: readonly string[] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
  /** The pictures' bytes, one after the other. */
  readonly #pixels: Uint8Array;
  /** Rows and columns of a picture. */
  readonly imageSize: readonly [number, number];
  /** The labels, one per picture. */
  readonly targets: Uint8Array;
  readonly #transform: Transform<Image, X> | null;
  readonly #targetTransform: Transform<number, Y> | null;

  /** Use {@linkcode MNIST.load}. */
  constructor(
    images: IdxArray,
    labels: IdxArray,
    transform: Transform<Image, X> | null,
    targetTransform: Transform<number, Y> | null,
  ) {
    super();
    this.#pixels = images.bytes;
    this.imageSize = [images.shape[1], images.shape[2]];
    this.targets = labels.bytes;
    this.#transform = transform;
    this.#targetTransform = targetTransform;
  }

  /**
   * Reads the files.
   *
   * @param root the folder with the files, or a URL
   * @throws {FormatError} if a file is truncated, malformed, or does not fit the other one
   */
  static load<X = Image, Y = number>(root: string | URL, named?: Named<MNISTArgs<X, Y>>): Promise<MNIST<X, Y>>;
  /** Reads the files, with arguments in torchvision's order. */
  static load<X = Image, Y = number>(
    root: string | URL,
    train: boolean,
    transform?: Transform<Image, X> | null,
    targetTransform?: Transform<number, Y> | null,
  ): Promise<MNIST<X, Y>>;
  /** Reads the files, partly with arguments in torchvision's order. */
  static load<X = Image, Y = number>(
    root: string | URL,
    train: boolean,
    named: Named<MNISTArgs<X, Y>>,
  ): Promise<MNIST<X, Y>>;
  static async load<X, Y>(root: string | URL, ...args: readonly unknown[]): Promise<MNIST<X, Y>> {
    const { train, transform, targetTransform } = loadArgs(args) as MNISTArgs<X, Y>;
    if (typeof train !== "boolean") throw new ArgumentError(`${OP}(): train must be true or false: ${describe(train)}`);
    const part = train ? "train" : "t10k";
    // One after the other, so that the error names the first of two missing files.
    const images = await readIdx(root, `${part}-images-idx3-ubyte`);
    const labels = await readIdx(root, `${part}-labels-idx1-ubyte`);
    if (images.shape.length !== 3 || images.dtype.itemsize !== 1 || labels.dtype.itemsize !== 1) {
      throw new FormatError(`${OP}(): expected bytes of three dimensions: ${images.dtype} ${show(images.shape)}`);
    }
    if (labels.shape.length !== 1 || labels.shape[0] !== images.shape[0]) {
      throw new FormatError(
        `${OP}(): images and labels differ in number: ${show(images.shape)} and ${show(labels.shape)}`,
      );
    }
    return new MNIST(images, labels, transform, targetTransform);
  }

  override get length(): number {
    return this.targets.length;
  }

  /** The picture at `index`, without the transform. */
  image(...args: Args<typeof ImageArgs>): Image {
    const { index } = imageArgs(args);
    if (!(index >= 0 && index < this.length)) {
      throw new IndexError(`MNIST: index out of range: ${index}; it has ${this.length} samples`);
    }
    const [height, width] = this.imageSize;
    const start = index * height * width;
    return { data: this.#pixels.subarray(start, start + height * width), width, height, channels: 1 };
  }

  override getItem(index: number): [X, Y] {
    const image = this.image(index);
    const label = this.targets[index];
    return [
      this.#transform === null ? image as X : applyTransform(this.#transform, image),
      this.#targetTransform === null ? label as Y : applyTransform(this.#targetTransform, label),
    ];
  }
}
