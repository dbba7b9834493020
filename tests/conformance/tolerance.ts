/**
 * The one table of tolerances. `|actual - expected| <= atol + rtol * |expected|`, per dtype of the expected value:
 * PyTorch's own defaults, tenfold for results that are sums of many products (the order of summation is free), and a
 * short list of looser rows, each with its numerical reason.
 *
 * @module
 */

/** Relative and absolute tolerance. */
export interface Tolerance {
  /** Allowed error as a fraction of the expected value. */
  rtol: number;
  /** Allowed error that does not depend on the expected value. */
  atol: number;
}

/** PyTorch's defaults (`torch.testing.assert_close`); integers and bool are exact. */
export const BASE: Record<string, Tolerance> = {
  float64: { rtol: 1e-7, atol: 1e-7 },
  float32: { rtol: 1.3e-6, atol: 1e-5 },
  bfloat16: { rtol: 1.6e-2, atol: 1e-5 },
  float16: { rtol: 1e-3, atol: 1e-5 },
  complex128: { rtol: 1e-7, atol: 1e-7 },
  complex64: { rtol: 1.3e-6, atol: 1e-5 },
};

const EXACT: Tolerance = { rtol: 0, atol: 0 };

/** How much wider the tolerance of a long sum is. */
const LONG_SUM = 10;

/** Ops whose results are long sums: reductions, matrix products, convolutions, linear algebra, Fourier transforms. */
const LONG_SUMS: RegExp = new RegExp(
  "^(" + [
    "(nan)?(sum|mean)|prod|cumsum|cumprod|logcumsumexp|logsumexp|(std|var)(_mean)?|norm|renorm|dist|cdist|trace|cov",
    "corrcoef|(cumulative_)?trapezoid|trapz|(log_)?softmax|softmin|gradient|histogram.*|index_reduce.*|index_add",
    "(b?addb?|sp|ch)?mm|mv|addmv|addr|addmm_.*|baddbmm|addbmm|matmul|__rmatmul__|bmm|v?dot|inner|outer|tensordot|einsum",
    "kron|ger|.*chain_matmul|cross|linalg\\..*|cholesky.*|lu.*|qr|svd.*|pca_lowrank|eig.*|triangular_solve|logdet",
    "pinverse|matrix_exp|geqrf|ormqr|det|slogdet|inverse|fft\\..*|i?stft|masked\\..*|sparse\\..*|scatter_(add|reduce)",
    "segment_reduce",
    "nn\\.functional\\.(conv.*|(bi)?linear.*|.*norm.*|.*attention.*|multi_head.*|.*(avg|lp)_pool.*|.*_loss|.*entropy.*)",
    "nn\\.functional\\.((log_)?softm(ax|in)|kl_div|embedding_bag|fold|unfold|upsample.*|interpolate|grid_sample|pdist)",
    "nn\\.functional\\.(cosine_similarity|pairwise_distance)",
    "nn\\.((Lazy)?Conv.*|(Lazy|Bi)?Linear.*|.*Norm.*|.*(Avg|LP)Pool.*|.*Loss.*|.*(RNN|LSTM|GRU).*|.*Transformer.*|.*Softm.*)",
    "nn\\.(MultiheadAttention|EmbeddingBag|Fold|Unfold|Upsampl.*|CosineSimilarity|PairwiseDistance)",
  ].join("|") + ")$",
);

/** Looser rows: entry, dtype, what it multiplies the tolerance by, and why. */
const LOOSER: { name: RegExp; dtype: RegExp; factor: number; reason: string }[] = [
  {
    name: /^(pow|__rpow__|float_power)$/,
    dtype: /^complex/,
    factor: 10,
    reason: "complex a^b is exp(b log a) on both sides: the relative error is |b log a| roundings",
  },
  {
    name: /^(special\.)?(digamma|polygamma\..*|psi)$/,
    dtype: /^float32$/,
    factor: 40,
    reason: "PyTorch's float32 trigamma takes sin(pi x) of the rounded product: up to 4e-4 off near negative integers",
  },
  {
    name: /^special\.log_ndtr$/,
    dtype: /^float32$/,
    factor: 5,
    reason: "PyTorch's recorded float32 gradient at -8 is 4.4e-6 off its own float64 one",
  },
  {
    name: /^(asin|acos|atanh)$/,
    dtype: /^float32$/,
    factor: 5,
    reason: "PyTorch computes 1 - x*x, which cancels near 1 (its asin gradient at 0.99871 is 3e-6 from the exact one)",
  },
  {
    name: /^nn\.functional\.layer_norm$/,
    dtype: /^float32$/,
    factor: 2.5,
    reason: "the gradient of a row of one element is 0; PyTorch's rounding of it is amplified by 1 / sqrt(eps) = 316",
  },
  {
    name: /^(digamma|polygamma|special\.polygamma|mvlgamma)$/,
    dtype: /^float32$/,
    factor: 25,
    reason: "PyTorch's float32 trigamma loses digits next to a pole (2e-5 from the exact value at -7.95)",
  },
];

/** The tolerance for a value of `dtype` in the op or module called `name`. */
export function tolerance(name: string, dtype: string, options: { sum?: boolean } = {}): Tolerance {
  const base = BASE[dtype];
  if (!base) return EXACT;
  let factor = options.sum || LONG_SUMS.test(name) ? LONG_SUM : 1;
  for (const row of LOOSER) if (row.name.test(name) && row.dtype.test(dtype)) factor *= row.factor;
  return { rtol: base.rtol * factor, atol: base.atol * factor };
}
