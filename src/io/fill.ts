/**
 * Filling a new tensor from a file part by part, so that a large file needs little more memory than its tensors.
 *
 * @module
 */

import { withGrad } from "../autograd/mode.ts";
import { bool } from "../base/dtype.ts";
import { fromBytes } from "../ops/create/creation.ts";
import { outsideScopes } from "../tensor/storage.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Bytes read at once: a multiple of the size of every element. */
export const PART = 2 ** 24;

/**
 * Writes the elements of a vector one after another.
 *
 * @param parts their bytes, each part whole elements; they are changed
 * @param bigEndian whether numbers have their greatest byte first
 */
export async function fill(
  vector: Tensor,
  parts: AsyncIterable<Uint8Array<ArrayBuffer>>,
  bigEndian: boolean,
): Promise<void> {
  const { dtype, device } = vector;
  let at = 0;
  for await (const part of parts) {
    if (bigEndian) reverseEach(part, dtype.isComplex ? dtype.itemsize / 2 : dtype.itemsize);
    if (dtype === bool) { for (let i = 0; i < part.length; i++) part[i] = part[i] === 0 ? 0 : 1; }
    const count = part.length / dtype.itemsize, from = at;
    withGrad(false, () =>
      outsideScopes(() => {
        const piece = fromBytes(part, [count], dtype, { device });
        vector.narrow(0, from, count).copy_(piece);
        piece.dispose();
      }));
    at += count;
  }
}

/** Reverses the bytes of each number. */
function reverseEach(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}
