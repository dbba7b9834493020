/**
 * What the contestants of bench/webgpu_peers.ts compute, so that their results can be compared: names, sizes and inputs.
 *
 * @module
 */

/** Sizes of the multilayer perceptron and its batch. */
export const MLP = { sizes: [784, 128, 128, 10], batch: 64, learningRate: 1e-3 };
/** Sizes of the convolution: batch, channels in and out, picture, kernel. */
export const CONV = { n: 8, c: 32, o: 64, size: 56, kernel: 3 };
/** Elements of the flat workloads. */
export const FLAT = 1 << 24;
/** Rows and columns of the square product. */
export const SIDE = 1024;

/** The workloads, in the order of the table. */
export const NAMES = [
  "matmul 1024",
  "gelu 16M",
  "MLP step 784-128-128-10, batch 64, Adam",
  "conv N8 C32->64 56x56 3x3, both ways",
];

/**
 * `count` numbers that look random and are the same everywhere, between -`scale` and `scale`.
 *
 * @param {number} count
 * @param {number} seed
 * @param {number} [scale]
 * @returns {Float32Array<ArrayBuffer>}
 */
export function numbers(count, seed, scale = 1) {
  const out = new Float32Array(count);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = (state / 2 ** 31 - 1) * scale;
  }
  return out;
}

/**
 * The labels of the batch.
 *
 * @returns {Int32Array<ArrayBuffer>}
 */
export function labels() {
  return Int32Array.from({ length: MLP.batch }, (_, i) => (i * 7) % MLP.sizes[3]);
}
