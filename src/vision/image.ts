/**
 * Images in the host's memory, from which tensors are made: the samples of datasets of pictures and the input of
 * transforms.
 *
 * @module
 */

/** A picture: rows of pixels, each with its channels side by side, one byte per channel. */
export interface Image {
  /** `height × width × channels` values from 0 to 255. */
  readonly data: Uint8Array;
  /** The width in pixels. */
  readonly width: number;
  /** The height in pixels. */
  readonly height: number;
  /** The number of channels: 1 for grey, 3 for colour. */
  readonly channels: number;
}
