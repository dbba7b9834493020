/**
 * The kernels of WebGPU: the methods of the interface that `mod.ts` binds to a device.
 *
 * @module
 */

export { attention, attentionGrad, supportsAttention } from "./kernels/attention.ts";
export { failWhere, gather, indexPut, indexSelect, scatter } from "./kernels/indexing.ts";
export { moments } from "./kernels/moments.ts";
export { countNonzero, nonzero } from "./kernels/nonzero.ts";
export { norm, normGrad } from "./kernels/norm.ts";
export { searchsorted, sort, topk } from "./kernels/order.ts";
export { pointwise } from "./kernels/pointwise.ts";
export { avgPool, avgPoolGrad, maxPool } from "./kernels/pool.ts";
export { reduce } from "./kernels/reduce.ts";
export { softmax, softmaxGrad } from "./kernels/rows.ts";
export { argReduce, scan } from "./kernels/scan.ts";
export { svd } from "./kernels/svd.ts";
export { conv, convGradInput, convGradWeight } from "./products/conv.ts";
export { matmul, matmulEpilogue } from "./products/matmul.ts";
