/**
 * The kernels of CUDA: the methods of the interface that `mod.ts` binds to a device.
 *
 * @module
 */

export { recordStream } from "./device/streams_guard.ts";
export { attention, attentionGrad, supportsAttention } from "./families/attention.ts";
export { conv, convGradInput, convGradWeight } from "./families/conv.ts";
export { pointwiseEach, reduceEach } from "./families/each.ts";
export { fft } from "./families/fft.ts";
export { gather, indexPut, indexSelect, scatter } from "./families/indexing.ts";
export { matmul, matmulEpilogue, matmulRowSums, reluMaskBytes, scaledMatmul } from "./families/matmul.ts";
export { moments } from "./families/moments.ts";
export { countNonzero, nonzero } from "./families/nonzero.ts";
export { norm, normGrad } from "./families/norm.ts";
export { searchsorted, sort, topk } from "./families/order.ts";
export { pointwise } from "./families/pointwise.ts";
export { avgPool, avgPoolGrad, maxPool, maxPoolGrad } from "./families/pool.ts";
export { reduce } from "./families/reduce.ts";
export { softmax, softmaxGrad } from "./families/rows.ts";
export { argReduce, scan } from "./families/scan.ts";
export { svd } from "./families/svd.ts";
