/**
 * Dtypes for which PyTorch has few ops, and the ops that refuse them.
 *
 * A row of the table of dtypes says `ops: "few"`. PyTorch's kernels are compiled for a list of dtypes each, and most lists
 * lack uint16, uint32 and uint64: copies, conversions, views, indexing, products, bitwise ops and whatever computes in
 * floats know them, sums and comparisons by size do not. What is refused there is refused here, by name, so that a
 * program runs in both or in neither. Recorded from PyTorch 2.13 on the CPU. `flip` is taken in every dimension, where
 * PyTorch's depends on the layout.
 *
 * @module
 */

import { type DType, DTYPES } from "./dtype.ts";
import { DTYPE_CODES, rowOf } from "./dtype_table.ts";
import { DTypeError } from "./errors.ts";

/** Ops that refuse such operands. Pointwise ones refuse to compute in such a dtype: `add` with a fraction is no such case. */
const OPERANDS = `
  abs neg sign sgn square bitwiseNot logicalNot relu relu6 softsign threshold hardtanh
  add sub rsub floorDivide remainder fmod div pow gcd lcm heaviside addcmul addcdiv
  maximum minimum fmax fmin clamp clampMin clampMax lt le gt ge
  logicalAnd logicalOr logicalXor bitwiseLeftShift bitwiseRightShift
  max min amax amin aminmax argmax argmin cummax cummin median nanmedian mode kthvalue topk
  nonzero nonzeroStatic argwhere countNonzero bincount histc searchsorted bucketize isin trace
  matmul mm bmm mv dot vdot inner addmm addmv addbmm baddbmm addr einsum tensordot chainMatmul linear bilinear
  conv1d conv2d conv3d convTranspose1d convTranspose2d convTranspose3d
  maxPool1d maxPool2d maxPool3d adaptiveMaxPool1d adaptiveMaxPool2d adaptiveMaxPool3d interpolate
  avgPool1d avgPool2d avgPool3d adaptiveAvgPool1d adaptiveAvgPool2d adaptiveAvgPool3d
  pixelShuffle pixelUnshuffle channelShuffle pairwiseDistance
  gather take takeAlongDim put indexAdd indexCopy indexFill indexPut indexReduce
  scatter scatterAdd scatterReduce maskedFill maskedScatter maskedSelect unravelIndex
  tril triu combinations bernoulli geometric`;

/** Ops that refuse such a result, whatever their operands are. */
const RESULTS = "sum nansum prod cumsum cumprod arange eye linspace logspace randperm";

const names = (text: string): string[] => text.trim().split(/\s+/).flatMap((name) => [name, `${name}_`]);
const refusesOperands: ReadonlySet<string> = new Set(names(OPERANDS));
const refusesResults: ReadonlySet<string> = new Set([...names(OPERANDS), ...names(RESULTS)]);

/** By code, whether few ops take a dtype. */
const FEW: boolean[] = Array.from({ length: DTYPE_CODES }, () => false);
for (const dtype of Object.values(DTYPES)) FEW[dtype.code] = rowOf(dtype).ops === "few";

/** Whether few ops take a dtype: what comes before a call of the functions below, which is for all calls of all ops. */
export function hasFewOps(dtype: DType): boolean {
  return FEW[dtype.code];
}

/** What refuses an op of a dtype. */
export function refusal(op: string, dtype: DType): DTypeError {
  const wider = dtype.itemsize < 4 ? "int32" : "int64";
  return new DTypeError(`${op}(): PyTorch has none for ${dtype}; convert with .to(torch.${wider}), or .double()`);
}

/** Throws where an op refuses operands of a dtype that few ops take. */
export function checkFewOps(op: string, dtype: DType): void {
  if (refusesOperands.has(op)) throw refusal(op, dtype);
}

/** Throws where an op refuses results of a dtype that few ops take. */
export function checkFewResults(op: string, dtype: DType): void {
  if (refusesResults.has(op)) throw refusal(op, dtype);
}
