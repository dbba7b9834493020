/**
 * The complex Fourier transform along one dimension, recorded, and what it means in products.
 *
 * Its gradient is the transform of the other direction with the same scale, so every order exists. Where a device has no
 * kernel, short lengths are a product with the matrix of roots, longer ones two transforms of shorter lengths with a map
 * between, and large primes a convolution (Bluestein).
 *
 * @module
 */

import { unrecorded } from "../../autograd/mode.ts";
import { record } from "../../autograd/record.ts";
import { float32, toReal } from "../../base/dtype.ts";
import { contiguousStrides } from "../../base/shape.ts";
import { emptyLikeDevice } from "../../tensor/create.ts";
import { scope } from "../../tensor/scope.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { tensor } from "../create/creation.ts";
import { viewAsComplex } from "../shape/shape.ts";
import { makeView, reshapeTo } from "../core/view_core.ts";

/** The longest transform that is a product with a matrix. */
const DIRECT = 64;

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

/**
 * `scale · Σ x[j] e^(∓2πi jk/n)` along dimension `d` of a complex tensor, `+` if `inverse`.
 *
 * @param x complex, of any strides
 */
export function transform(x: Tensor, d: number, inverse: boolean, scale: number): Tensor {
  const out = unrecorded(() =>
    scope(() => {
      const { backend } = x.storage;
      if (x.numel() === 0) return emptyLikeDevice("fft", x.shape, x.dtype, x);
      if (backend.fft) {
        const result = emptyLikeDevice("fft", x.shape, x.dtype, x);
        if (backend.fft(parts(x.contiguous(), d), parts(result, d), inverse, scale)) return result;
      }
      return composedTransform(x, d, inverse, scale);
    })
  );
  return record("FftC2CBackward0", out, [x], [], (grad) => [transform(grad, d, !inverse, scale)]);
}

/** A dense complex tensor as reals `[outer, n, inner, 2]`. */
function parts(x: Tensor, d: number): Tensor {
  const shape = [product(x.shape.slice(0, d)), x.shape[d], product(x.shape.slice(d + 1)), 2];
  return makeView(x, shape, contiguousStrides(shape), 2 * x.offset, toReal(x.dtype));
}

/** {@linkcode transform} composed of matrix products and maps; not recorded. */
export function composedTransform(x: Tensor, d: number, inverse: boolean, scale: number): Tensor {
  const sign = inverse ? 1 : -1;
  return unrecorded(() => scope(() => last(x.movedim(d, -1), sign).mul(scale).movedim(-1, d).contiguous()));
}

/** e^(sign · 2πi · numerator(k) / n) for k below `count`, as a complex tensor of the device and dtype of `like`. */
function roots(count: number, n: number, sign: number, numerator: (k: number) => number, like: Tensor): Tensor {
  const real = toReal(like.dtype);
  const values = real === float32 ? new Float32Array(2 * count) : new Float64Array(2 * count);
  for (let k = 0; k < count; k++) {
    const angle = 2 * Math.PI * (numerator(k) % n) / n;
    values[2 * k] = Math.cos(angle);
    values[2 * k + 1] = sign * Math.sin(angle);
  }
  return viewAsComplex(tensor(values, { dtype: real, device: like.device }).reshape([count, 2]));
}

/** The divisor of n nearest to its square root from below. */
function divisor(n: number): number {
  let best = 1;
  for (let a = 2; a * a <= n; a++) if (n % a === 0) best = a;
  return best;
}

/** The transform along the last dimension. */
function last(x: Tensor, sign: number): Tensor {
  const n = x.shape[x.ndim - 1];
  if (n === 1) return x;
  if (n <= DIRECT) {
    const matrix = roots(n * n, n, sign, (k) => Math.floor(k / n) * (k % n), x);
    return reshapeTo(reshapeTo(x, [-1, n]).matmul(matrix.reshape([n, n])), x.shape);
  }
  const a = divisor(n), b = n / a;
  if (a === 1) return convolved(x, sign);
  // Number j1·b + j2 in, number k1 + a·k2 out.
  const matrix = x.reshape([...x.shape.slice(0, -1), a, b]);
  const columns = last(matrix.mT, sign).mT;
  const turns = roots(n, n, sign, (k) => Math.floor(k / b) * (k % b), x).reshape([a, b]);
  return last(columns.mul(turns), sign).mT.reshape(x.shape);
}

/** Bluestein's transform: jk = (j² + k² - (k - j)²) / 2 makes it a convolution, which transforms of a power of two do. */
function convolved(x: Tensor, sign: number): Tensor {
  const n = x.shape[x.ndim - 1], batch = x.shape.slice(0, -1);
  let m = 1;
  while (m < 2 * n - 1) m *= 2;
  const square = (k: number) => Number(BigInt(k) * BigInt(k) % BigInt(2 * n));
  const chirp = roots(n, 2 * n, sign, square, x);
  const padded = x.newZeros([...batch, m]);
  padded.narrow(-1, 0, n).copy_(x.mul(chirp));
  const kernel = roots(m, 2 * n, -sign, (k) => square(Math.min(k, m - k)), x);
  // What lies between the two ends of the kernel meets zeros or is not kept.
  const filtered = last(padded, -1).mul(last(kernel, -1));
  return last(filtered, 1).narrow(-1, 0, n).mul(chirp).mul(1 / m);
}
