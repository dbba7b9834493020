/**
 * CUDA C of reading and writing at positions that are data.
 *
 * Reads are a thread per element. Writes are deterministic: either a thread owns a line of the output and applies its
 * updates in order, or, where lines are few, updates are sorted by target and a thread applies the run of one target. An
 * index out of range is reported through the fault word and skipped.
 *
 * @module
 */

import { type DType, int64 } from "../../../base/dtype.ts";
import type { ScatterMode } from "../../backend.ts";
import { COMBINERS, FAULT, kernelSource } from "./common.ts";

/**
 * Kernels `gather` and `select`. Own slots: 0 elements, 1 dims, 2 size of the indexed dimension, 3 its step in the
 * source, 4 whether negative indices wrap, 12 the dimension, 13 the op's number, 14 the fault word. Operands: source
 * (step 0 along the indexed dimension), output, index (`select`: with its own step there and 0 elsewhere).
 */
export function gatherSource(x: DType, index: DType): string {
  return kernelSource(
    { X: x, I: index },
    `${FAULT}
KERNEL(gather) {
  const int n = (int)p.slots[1];
  EACH(i, p.slots[0]) {
    i64 at = I_load(POINTER(const I_stored, 2)[offsetOf(p, i, n, 2)]);
    if (p.slots[4] && at < 0 && at >= -p.slots[2]) at += p.slots[2];
    if (at < 0 || at >= p.slots[2]) {
      report(p, p.slots[13], at, p.slots[2], p.slots[12]);
      continue;
    }
    POINTER(X_stored, 1)[offsetOf(p, i, n, 1)] = POINTER(const X_stored, 0)[offsetOf(p, i, n, 0) + at * p.slots[3]];
  }
}
`,
  );
}

/** The statement that combines `v` into the stored `*cell`. */
function updateOf(mode: ScatterMode, bool: boolean): string {
  const old = "X_load(*cell)";
  const value = {
    set: "v",
    sum: bool ? `(${old} || v)` : `${old} + v`,
    prod: bool ? `(${old} && v)` : `${old} * v`,
    max: `larger(${old}, v)`,
    min: `smaller(${old}, v)`,
  }[mode];
  return `*cell = X_store(${value});`;
}

/**
 * Kernels `lines` and `runs`. Own slots: 0 lines (`runs`: × padded), 1 dims, 2 size of the indexed dimension, 3 to 5
 * steps along it of the operands, 6 updates per line, 4 and so on; 7 whether negative indices wrap; `runs`: 8 keys, 9
 * places, 10 padded, 11 whether all lines share one row of keys; 12 to 14 as for `gather`. Operands: output `X`,
 * source `Y`, index `I`.
 */
export function scatterSource(mode: ScatterMode, x: DType, y: DType, index: DType = int64): string {
  return kernelSource(
    { X: x, Y: y, I: index },
    `${COMBINERS}${FAULT}
__device__ __forceinline__ void update(X_stored *cell, X_value v) { ${updateOf(mode, x.kind === "bool")} }
KERNEL(lines) {
  const int n = (int)p.slots[1];
  EACH(line, p.slots[0]) {
    X_stored *x = POINTER(X_stored, 0) + offsetOf(p, line, n, 0);
    const Y_stored *y = POINTER(const Y_stored, 1) + offsetOf(p, line, n, 1);
    const I_stored *index = POINTER(const I_stored, 2) + offsetOf(p, line, n, 2);
    for (i64 j = 0; j < p.slots[6]; j++) {
      i64 at = I_load(index[j * p.slots[5]]);
      if (p.slots[7] && at < 0 && at >= -p.slots[2]) at += p.slots[2];
      if (at < 0 || at >= p.slots[2]) report(p, p.slots[13], at, p.slots[2], p.slots[12]);
      else update(x + at * p.slots[3], (X_value)Y_load(y[j * p.slots[4]]));
    }
  }
}
/* Neighbouring threads take neighbouring lines of one run, so that they touch neighbouring elements. */
KERNEL(runs) {
  const int n = (int)p.slots[1];
  const i64 count = p.slots[6], lines = p.slots[0];
  EACH(i, lines * count) {
    const i64 line = i % lines, first = i / lines, row = p.slots[11] ? 0 : line;
    const u64 *keys = (const u64 *)p.slots[8] + row * p.slots[10];
    const u32 *places = (const u32 *)p.slots[9] + row * p.slots[10];
    const u64 key = keys[first];
    if (first > 0 && keys[first - 1] == key) continue;
    const i64 at = (i64)(key ^ 1ull << 63);
    if (at < 0 || at >= p.slots[2]) {
      report(p, p.slots[13], at, p.slots[2], p.slots[12]);
      continue;
    }
    X_stored *cell = POINTER(X_stored, 0) + offsetOf(p, line, n, 0) + at * p.slots[3];
    const Y_stored *y = POINTER(const Y_stored, 1) + offsetOf(p, line, n, 1);
    for (i64 j = first; j < count && keys[j] == key; j++) update(cell, (X_value)Y_load(y[(i64)places[j] * p.slots[4]]));
  }
}
`,
  );
}
