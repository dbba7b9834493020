/**
 * The kernels of the CPU: the methods of the interface that `mod.ts` binds to a device.
 *
 * @module
 */

export { conv, convGradInput, convGradWeight } from "./conv.ts";
export { factor, svd } from "./factor.ts";
export { fft } from "./fft.ts";
export { countNonzero, gather, indexPut, indexSelect, nonzero, scatter } from "./indexing.ts";
export { matmul } from "./matmul.ts";
export { searchsorted, sort, topk } from "./order.ts";
export { pointwise } from "./pointwise.ts";
export { avgPool, avgPoolGrad, maxPool } from "./pool.ts";
export { argReduce, reduce, scan } from "./reduce.ts";
export { softmax, softmaxGrad } from "./rows.ts";
