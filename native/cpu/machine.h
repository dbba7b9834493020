/*
 * The interpreter of byte programs, shared by maps (machine.c) and map-reductions (reduce.c).
 *
 * A call is decoded once per thread into steps whose operands are registers of one block, memory that advances with
 * the iteration, or cells that hold one uniform value. Contiguous operands are used in place: a one-instruction
 * program touches no register at all.
 */
#ifndef CRESSET_MACHINE_H
#define CRESSET_MACHINE_H

#include "kernels.h"

#define MAX_DIMS 64
#define MAX_OPERANDS 128
#define MAX_REGISTERS 64

/* Bytes per register element of each kind. */
static const int64_t kind_size[K_COUNT] = {
    [K_F32] = sizeof(reg_f32), [K_F64] = sizeof(reg_f64), [K_I64] = sizeof(reg_i64),
    [K_U64] = sizeof(reg_u64), [K_BOOL] = sizeof(reg_bool),
};

/* Words of a program's header. */
enum { HEAD_INPUTS, HEAD_SCALARS, HEAD_OUTPUTS, HEAD_REGISTERS, HEAD_INSTRUCTIONS, HEAD_CONSTANTS, HEAD_WORDS };

/* A call: the program and its operands. Operands are the inputs, the outputs, and last the linear index, a pseudo
   operand of one-byte elements whose "address" is the index itself. */
typedef struct {
  const int32_t *input_dtypes, *scalar_kinds, *outputs, *code;
  const double *constants, *scalars;
  int32_t inputs, scalars_count, outputs_count, instructions, registers, operands;
  int32_t ndim;
  int64_t *shape;
  int64_t *strides; /* strides[operand * ndim_given + dim], in elements */
  int32_t pitch;    /* ndim_given: the step between the strides of two operands */
  char *base[MAX_OPERANDS + 1];
  int32_t dtype[MAX_OPERANDS + 1];
} Call;

/* The order in which elements are visited: as one contiguous run, as rows of the last dimension, or gathered block by
   block. */
enum { WALK_LINEAR, WALK_ROWS, WALK_GATHER };

/* The place of a value: memory of `operand` at the present block, or (operand < 0) the fixed address `at`. */
typedef struct {
  char *at;
  int32_t operand;
} Place;

enum { STEP_FUNCTION, STEP_LOAD, STEP_STORE, STEP_WRAP, STEP_INDEX };

typedef struct {
  int32_t what, flags, operand, dtype, uniform;
  vector_function function;
  Place d, a, b, c;
} Step;

/* A call decoded for one thread over the dimensions [first, last) of its shape. */
typedef struct {
  const Call *call;
  int32_t first, last, walk, steps_count, weight;
  int64_t count, inner, block;
  Step *steps;
  /* Where each output's value is after the steps; map-reductions read it there. */
  struct {
    Place place;
    int32_t uniform, kind;
  } results[MAX_OPERANDS];
} Plan;

/* The consumer of a block's results in a map-reduction. */
typedef void (*block_visitor)(void *context, const Plan *plan, char *const *cursor, int64_t start, int64_t n);

/* Parses a program and the arena. `kept` is how many dimensions outputs have (ndim for a map). The arrays of the
   call live in `room`, which holds ROOM(operands, ndim) words. */
CRESSET_SHARED int32_t cresset_open(Call *call, const int32_t *program, int32_t ndim, int32_t kept, int64_t *room);
#define ROOM_WORDS 8192
/* Sorts (by strides) and merges the dimensions [first, last); returns the new `last`. */
CRESSET_SHARED int32_t cresset_coalesce(Call *call, int32_t first, int32_t last);
/* Decodes; `store`: a map that writes its outputs. `block` > 0 asks for gathered blocks of that many elements. */
CRESSET_SHARED int32_t cresset_plan(Plan *plan, const Call *call, int32_t first, int32_t last, int32_t store, int64_t block);
/* Runs the elements [begin, end) of the plan's iteration, whose operands start at `base`. */
CRESSET_SHARED void cresset_run(const Plan *plan, char *const *base, int64_t begin, int64_t end, block_visitor visit, void *context);

/* Runs the columns [column, column_end) of the rows [row, row_end), for a plan that walks rows. */
CRESSET_SHARED void cresset_run_rows(const Plan *plan, char *const *base, int64_t row, int64_t row_end, int64_t column, int64_t column_end, block_visitor visit, void *context);
/* Exchanges two dimensions: their sizes and all operands' strides. */
CRESSET_SHARED void cresset_swap_dims(Call *call, int32_t x, int32_t y);
/* Bytes per element of an operand; 1 for the linear index. */
static inline int64_t operand_size(const Call *call, int32_t o) {
  return o == call->operands ? 1 : dtype_size(call->dtype[o]);
}

/* Whether an operand's elements lie at equal steps over the dimensions of the plan. */
static inline int32_t is_linear(const Plan *plan, int32_t operand) {
  const Call *call = plan->call;
  const int64_t *row = call->strides + (int64_t)operand * call->pitch;
  if (plan->walk != WALK_GATHER) return 1;
  for (int32_t d = plan->first; d + 1 < plan->last; d++) {
    if (row[d] != row[d + 1] * call->shape[d + 1]) return 0;
  }
  return 1;
}

static inline int64_t inner_stride(const Plan *plan, int32_t operand) {
  if (plan->last == plan->first) return plan->count == 1 ? 1 : 0;
  return plan->call->strides[(int64_t)operand * plan->call->pitch + plan->last - 1];
}

/* The address of a place in the present block. */
static inline char *place_address(Place p, char *const *cursor) { return p.operand >= 0 ? cursor[p.operand] : p.at; }

#endif
