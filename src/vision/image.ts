/**
 * Images in the host's memory: what datasets of pictures give and transforms take, before anything is a tensor.
 *
 * @module
 */

/** A picture: rows of pixels, each with its channels side by side, one byte per channel. */
export interface Image {
  /** `height × width × channels` values from 0 to 255. */
  readonly data: Uint8Array;
  /** Columns. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** 1 for grey, 3 for colour. */
  readonly channels: number;
}
