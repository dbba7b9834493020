/**
 * CUDA C of pooling over windows given by tables.
 *
 * A thread computes one output (or, for the gradients, one input position). Own slots of all kernels: 0 elements, 1 spatial
 * rank, 2 the tables' address, 3 how many channels lie innermost in memory (0: none do); from the sizes on three each of:
 * input sizes, output sizes, dilation, first and last table (starts of each dimension's list). Operands from slot
 * {@linkcode POOL_POINTERS}.
 *
 * @module
 */

import type { DType } from "../../../base/dtype.ts";
import { kernelSource } from "./common.ts";

/** The slot of the first list. */
export const POOL_LISTS = 16;
/** The slot of the first address. */
export const POOL_POINTERS = POOL_LISTS + 15;

const GEOMETRY = `
#define INPUT(d) p.slots[${POOL_LISTS} + (d)]
#define OUTPUT(d) p.slots[${POOL_LISTS + 3} + (d)]
#define DILATION(d) p.slots[${POOL_LISTS + 6} + (d)]
#define FIRST(d, i) ((const int *)p.slots[2])[p.slots[${POOL_LISTS + 9} + (d)] + (i)]
#define LAST(d, i) ((const int *)p.slots[2])[p.slots[${POOL_LISTS + 12} + (d)] + (i)]
#define DATA(T, i) ((T *)p.slots[${POOL_POINTERS} + (i)])
/* Windows of fewer than three dimensions have sizes of 1 in front. */
struct Window {
  i64 place, input, output, step; /* the place in the plane; the first elements of both planes; from place to place */
  i64 at[3];
  int first[3], last[3];
  __device__ __forceinline__ Window(const Params &p, i64 i, bool byInput) {
    const i64 channels = p.slots[3], c = channels > 0 ? i % channels : 0;
    if (channels > 0) i /= channels;
    place = i % (byInput ? INPUT(0) * INPUT(1) * INPUT(2) : OUTPUT(0) * OUTPUT(1) * OUTPUT(2));
    for (int d = 2; d >= 0; d--) {
      const i64 size = byInput ? INPUT(d) : OUTPUT(d);
      at[d] = i % size;
      i /= size;
      first[d] = FIRST(d, at[d]);
      last[d] = LAST(d, at[d]);
    }
    step = channels > 0 ? channels : 1;
    input = i * step * INPUT(0) * INPUT(1) * INPUT(2) + c;
    output = i * step * OUTPUT(0) * OUTPUT(1) * OUTPUT(2) + c;
  }
};
/* Loops over the taps a, b, c of window w that lie in the input. */
#define INSIDE(d, s) (s >= 0 && s < INPUT(d))
#define TAPS(w)                                                                           \\
  for (i64 a = w.first[0]; a < w.last[0]; a += DILATION(0))                               \\
    if (INSIDE(0, a))                                                                     \\
      for (i64 b = w.first[1]; b < w.last[1]; b += DILATION(1))                           \\
        if (INSIDE(1, b))                                                                 \\
          for (i64 c = w.first[2]; c < w.last[2]; c += DILATION(2))                       \\
            if (INSIDE(2, c))
`;

/** Kernel `maxPoolGrad`: gradient `X`, places, result `X`. */
export function maxPoolGradSource(x: DType): string {
  return kernelSource(
    { X: x },
    `${GEOMETRY}
KERNEL(maxPoolGrad) {
  EACH(i, p.slots[0]) {
    /* The tables give, for each input position, the outputs whose windows may hold it. */
    const Window w(p, i, true);
    X_value sum = 0;
    for (i64 a = w.first[0]; a < w.last[0]; a++) {
      for (i64 b = w.first[1]; b < w.last[1]; b++) {
        for (i64 c = w.first[2]; c < w.last[2]; c++) {
          const i64 o = w.output + ((a * OUTPUT(1) + b) * OUTPUT(2) + c) * w.step;
          if (DATA(const i64, 1)[o] == w.place) sum += X_load(DATA(const X_stored, 0)[o]);
        }
      }
    }
    DATA(X_stored, 2)[i] = X_store(sum);
  }
}
`,
  );
}

/** Kernel `maxPool`: input `X`, output `X`, places. */
export function maxPoolSource(x: DType): string {
  return kernelSource(
    { X: x },
    `${GEOMETRY}
KERNEL(maxPool) {
  EACH(i, p.slots[0]) {
    const Window w(p, i, false);
    const X_stored *x = DATA(const X_stored, 0) + w.input;
    bool found = false;
    X_value best = 0;
    i64 place = 0;
    TAPS(w) {
      const i64 here = (a * INPUT(1) + b) * INPUT(2) + c;
      const X_value v = X_load(x[here * w.step]);
      if (!found || ((v > best || v != v) && best == best)) {
        found = true;
        best = v;
        place = here;
      }
    }
    DATA(X_stored, 1)[i] = X_store(best);
    DATA(i64, 2)[i] = place;
  }
}
`,
  );
}

/** Kernels `avgPool` (input `X`, scale `S`, output `X`) and `avgPoolGrad` (gradient `X`, scale `S`, result `X`). */
export function avgPoolSource(x: DType, scale: DType): string {
  return kernelSource(
    { X: x, S: scale },
    `${GEOMETRY}
KERNEL(avgPool) {
  EACH(i, p.slots[0]) {
    const Window w(p, i, false);
    const X_stored *x = DATA(const X_stored, 0) + w.input;
    X_value sum = 0;
    TAPS(w) sum += X_load(x[((a * INPUT(1) + b) * INPUT(2) + c) * w.step]);
    DATA(X_stored, 2)[i] = X_store((X_value)(sum * S_load(DATA(const S_stored, 1)[w.place])));
  }
}
KERNEL(avgPoolGrad) {
  EACH(i, p.slots[0]) {
    /* The tables give, for each input position, the outputs whose windows hold it. */
    const Window w(p, i, true);
    X_value sum = 0;
    for (i64 a = w.first[0]; a < w.last[0]; a++) {
      for (i64 b = w.first[1]; b < w.last[1]; b++) {
        for (i64 c = w.first[2]; c < w.last[2]; c++) {
          const i64 o = (a * OUTPUT(1) + b) * OUTPUT(2) + c;
          sum += X_load(DATA(const X_stored, 0)[w.output + o * w.step]) * S_load(DATA(const S_stored, 1)[o]);
        }
      }
    }
    DATA(X_stored, 2)[i] = X_store(sum);
  }
}
`,
  );
}
