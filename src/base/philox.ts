/**
 * Philox 4x32-10, the counter-based generator behind every random number.
 *
 * The i-th 32-bit word of a stream depends only on the key (the seed) and on i, so every device draws the same numbers
 * in any order, and a kernel needs no state. This is the reference; the expression primitive `philox(counter, key)`
 * computes the same word on each device.
 *
 * @see Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011)
 * @module
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** The high 32 bits of a 32×32-bit product, from 16-bit halves so that every sum is exact. */
function mulhi(a: number, b: number): number {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16;
  const middle = ah * bl + ((al * bl) >>> 16);
  const low = al * bh + (middle & 0xffff);
  return ah * bh + (middle >>> 16) + (low >>> 16);
}

/** One block of the generator: four 32-bit words for a 64-bit counter and a 64-bit key. */
export function philoxBlock(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const hi0 = mulhi(M0, c0), lo0 = Math.imul(M0, c0) >>> 0;
    const hi1 = mulhi(M1, c2), lo1 = Math.imul(M1, c2) >>> 0;
    [c0, c1, c2, c3] = [(hi1 ^ c1 ^ k0) >>> 0, lo1, (hi0 ^ c3 ^ k1) >>> 0, lo0];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/**
 * The 32-bit word at `index` of the stream of `seed`: lane `index % 4` of block `index / 4`.
 *
 * @param index which word, below 2^53
 * @param seed the key, 64 bits
 */
export function philoxWord(index: number, seed: bigint): number {
  const block = Math.floor(index / 4);
  const words = philoxBlock(
    [block >>> 0, Math.floor(block / 2 ** 32) >>> 0, 0, 0],
    [Number(seed & 0xffffffffn), Number((seed >> 32n) & 0xffffffffn)],
  );
  return words[index % 4];
}
