/* Strided loop nests, shared by order.c and indexing.c.
 *
 * A nest holds the sizes of a loop and, per operand, its step in elements for each of them. Dimensions are added from
 * the outermost in; sizes of 1 vanish and neighbours that run on without a gap merge, so an inner loop is as long as
 * the layout allows. It is not the pointwise machine's walker, which also blocks for L1. */
#ifndef CRESSET_NEST_H
#define CRESSET_NEST_H

#include <stdint.h>
#include <string.h>

/* PyTorch's limit on dimensions, plus one for the slices of indexPut. */
#define NEST_DIMS 65
#define NEST_OPERANDS 3

typedef struct {
  int ndim;
  int operands;
  int64_t size[NEST_DIMS];
  int64_t step[NEST_OPERANDS][NEST_DIMS];
} Nest;

static inline void nest_init(Nest *nest, int operands) {
  nest->ndim = 0;
  nest->operands = operands;
}

/* Reads an operand from the arena: its address and `ndim` strides. */
static inline char *nest_operand(const double **slot, int ndim, int64_t *strides) {
  char *address = (char *)(uintptr_t)**slot;
  (*slot)++;
  for (int i = 0; i < ndim; i++) strides[i] = (int64_t)*(*slot)++;
  return address;
}

/* Adds a dimension inside the ones there are. */
static inline void nest_add(Nest *nest, int64_t size, const int64_t *steps) {
  if (size == 1) return;
  int last = nest->ndim - 1;
  if (last >= 0) {
    int joins = 1;
    for (int k = 0; k < nest->operands; k++) joins &= nest->step[k][last] == size * steps[k];
    if (joins) {
      nest->size[last] *= size;
      for (int k = 0; k < nest->operands; k++) nest->step[k][last] = steps[k];
      return;
    }
  }
  nest->size[nest->ndim] = size;
  for (int k = 0; k < nest->operands; k++) nest->step[k][nest->ndim] = steps[k];
  nest->ndim++;
}

/* Takes the innermost dimension off, as an inner loop: its size, with its steps in `steps`. */
static inline int64_t nest_take_inner(Nest *nest, int64_t *steps) {
  if (nest->ndim == 0) {
    for (int k = 0; k < nest->operands; k++) steps[k] = 0;
    return 1;
  }
  nest->ndim--;
  for (int k = 0; k < nest->operands; k++) steps[k] = nest->step[k][nest->ndim];
  return nest->size[nest->ndim];
}

static inline int64_t nest_count(const Nest *nest) {
  int64_t n = 1;
  for (int i = 0; i < nest->ndim; i++) n *= nest->size[i];
  return n;
}

/* Sets the position to number `index` in row-major order. */
static inline void nest_seek(const Nest *nest, int64_t index, int64_t *at, int64_t *offset) {
  for (int k = 0; k < nest->operands; k++) offset[k] = 0;
  for (int i = nest->ndim - 1; i >= 0; i--) {
    at[i] = index % nest->size[i];
    index /= nest->size[i];
    for (int k = 0; k < nest->operands; k++) offset[k] += at[i] * nest->step[k][i];
  }
}

/* Advances to the next position: `at` is the index per dimension, `offset` the offset per operand. Returns 0 at the
   end. */
static inline int nest_next(const Nest *nest, int64_t *at, int64_t *offset) {
  for (int i = nest->ndim - 1; i >= 0; i--) {
    if (++at[i] < nest->size[i]) {
      for (int k = 0; k < nest->operands; k++) offset[k] += nest->step[k][i];
      return 1;
    }
    at[i] = 0;
    for (int k = 0; k < nest->operands; k++) offset[k] -= nest->step[k][i] * (nest->size[i] - 1);
  }
  return 0;
}

#endif
