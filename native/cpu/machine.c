/*
 * The pointwise vector machine: evaluates a byte program (src/expr/cpu.ts) at every element, block by block.
 *
 * A block is 1024 elements, so that registers stay in the first-level cache and the cost of interpreting vanishes.
 * Contiguous inputs are read where they are and an output is computed in place by the instruction that makes it.
 */
#include "machine.h"

#include "copy.h"
#include "threads.h"

int32_t cresset_open(Call *call, const int32_t *program, int32_t ndim, int32_t kept, int64_t *room) {
  const double *args = cresset_args;
  call->inputs = program[HEAD_INPUTS];
  call->scalars_count = program[HEAD_SCALARS];
  call->outputs_count = program[HEAD_OUTPUTS];
  call->registers = program[HEAD_REGISTERS];
  call->instructions = program[HEAD_INSTRUCTIONS];
  call->operands = call->inputs + call->outputs_count;
  if (call->registers > MAX_REGISTERS || call->operands > MAX_OPERANDS) return CRESSET_BAD_PROGRAM;
  if (ndim < 0 || ndim > MAX_DIMS || (int64_t)(call->operands + 2) * ndim > ROOM_WORDS) return CRESSET_BAD_ARGUMENT;
  const int32_t *at = program + HEAD_WORDS;
  call->input_dtypes = at;
  at += call->inputs;
  call->scalar_kinds = at;
  at += call->scalars_count;
  call->outputs = at;
  at += 2 * call->outputs_count;
  if ((at - program) & 1) at++;
  call->constants = (const double *)(const void *)at;
  call->code = at + 2 * program[HEAD_CONSTANTS];
  call->ndim = ndim;
  call->pitch = ndim;
  call->shape = room;
  call->strides = room + ndim;
  for (int32_t d = 0; d < ndim; d++) call->shape[d] = (int64_t)*args++;
  int64_t *strides = call->strides;
  for (int32_t o = 0; o < call->operands; o++) {
    int32_t output = o - call->inputs;
    call->dtype[o] = output < 0 ? call->input_dtypes[o] : call->outputs[2 * output];
    call->base[o] = POINTER(char, *args++);
    int32_t own = output < 0 ? ndim : kept;
    for (int32_t d = 0; d < own; d++) *strides++ = (int64_t)*args++;
    for (int32_t d = own; d < ndim; d++) *strides++ = 0;
  }
  /* The linear index: given for a map-reduction, whose dimensions were reordered; row-major for a map. */
  call->base[call->operands] = 0;
  call->dtype[call->operands] = DT_U8;
  if (kept < ndim) {
    for (int32_t d = 0; d < ndim; d++) *strides++ = (int64_t)*args++;
  } else {
    int64_t step = 1;
    for (int32_t d = ndim - 1; d >= 0; d--) {
      strides[d] = step;
      step *= call->shape[d];
    }
  }
  call->scalars = args;
  return CRESSET_OK;
}

static int32_t uses_index(const Call *call) {
  for (int32_t i = 0; i < call->instructions; i++) {
    if (call->code[6 * i] == OP_index) return 1;
  }
  return 0;
}

/* Whether dimension `x` should be outside `y`: by the output's strides, then by the inputs'. */
static int32_t is_outer(const Call *call, int32_t x, int32_t y, int32_t operands) {
  for (int32_t k = 0; k < operands; k++) {
    int32_t o = (k + call->inputs) % operands;
    int64_t sx = call->strides[o * call->pitch + x], sy = call->strides[o * call->pitch + y];
    sx = sx < 0 ? -sx : sx;
    sy = sy < 0 ? -sy : sy;
    if (sx == 0 || sy == 0 || sx == sy) continue;
    return sx > sy;
  }
  return x < y;
}

void cresset_swap_dims(Call *call, int32_t x, int32_t y) {
  int64_t s = call->shape[x];
  call->shape[x] = call->shape[y];
  call->shape[y] = s;
  for (int32_t o = 0; o <= call->operands; o++) {
    int64_t *row = call->strides + (int64_t)o * call->pitch;
    s = row[x];
    row[x] = row[y];
    row[y] = s;
  }
}

static void copy_dim(Call *call, int32_t to, int32_t from) {
  if (to == from) return;
  call->shape[to] = call->shape[from];
  for (int32_t o = 0; o <= call->operands; o++) {
    int64_t *row = call->strides + (int64_t)o * call->pitch;
    row[to] = row[from];
  }
}

int32_t cresset_coalesce(Call *call, int32_t first, int32_t last) {
  int32_t operands = call->operands + uses_index(call);
  int32_t end = first;
  for (int32_t d = first; d < last; d++) {
    if (call->shape[d] != 1) copy_dim(call, end++, d);
  }
  for (int32_t d = first + 1; d < end; d++) {
    for (int32_t e = d; e > first && !is_outer(call, e - 1, e, call->operands); e--) cresset_swap_dims(call, e - 1, e);
  }
  int32_t top = first;
  for (int32_t d = first + 1; d < end; d++) {
    int32_t merge = 1;
    for (int32_t o = 0; o < operands && merge; o++) {
      const int64_t *row = call->strides + (int64_t)o * call->pitch;
      merge = row[top] == row[d] * call->shape[d];
    }
    if (merge) {
      int64_t size = call->shape[top] * call->shape[d];
      copy_dim(call, top, d);
      call->shape[top] = size;
    } else {
      copy_dim(call, ++top, d);
    }
  }
  return end > first ? top + 1 : first;
}

/* ---- running ---- */

/* Copies between an operand that is not linear and a register, row by row of the innermost dimension. */
static void walk(const Plan *plan, const Step *step, char *base, char *reg, int64_t start, int64_t n) {
  const Call *call = plan->call;
  const int64_t *strides = call->strides + (int64_t)step->operand * call->pitch;
  int64_t index[MAX_DIMS];
  int64_t size = step->what == STEP_INDEX ? 1 : dtype_size(step->dtype);
  int64_t width = step->what == STEP_INDEX ? 8 : kind_size[dtype_kind(step->dtype)];
  int64_t rest = start;
  for (int32_t d = plan->last - 1; d >= plan->first; d--) {
    index[d] = rest % call->shape[d];
    rest /= call->shape[d];
    base += index[d] * strides[d] * size;
  }
  int32_t inner = plan->last - 1;
  int64_t step_bytes = strides[inner] * size;
  while (n > 0) {
    int64_t run = plan->inner - index[inner];
    run = run < n ? run : n;
    if (step->what == STEP_LOAD) {
      cresset_load(reg, base, run, strides[inner], step->dtype);
    } else if (step->what == STEP_STORE) {
      cresset_store(base, reg, run, strides[inner], step->dtype, step->flags);
    } else {
      int64_t first = (int64_t)(intptr_t)base;
      for (int64_t i = 0; i < run; i++) ((int64_t *)(void *)reg)[i] = first + i * strides[inner];
    }
    n -= run;
    if (n == 0) return;
    if (!(step->what == STEP_STORE && step->flags)) reg += run * width;
    /* Moves to the next row: increments the outer dimensions with carry. */
    base -= index[inner] * step_bytes;
    index[inner] = 0;
    for (int32_t d = inner - 1; d >= plan->first; d--) {
      base += strides[d] * size;
      if (++index[d] < call->shape[d]) break;
      base -= strides[d] * size * call->shape[d];
      index[d] = 0;
    }
  }
}

/* Runs the steps on one block. `cursor` holds the operands' addresses at its first element, or, for operands that
   are not linear, at the start of the iteration. */
static void run_block(const Plan *plan, char *const *cursor, int64_t start, int64_t n) {
  const Step *step = plan->steps, *end = step + plan->steps_count;
  for (; step < end; step++) {
    if (step->what == STEP_FUNCTION) {
      step->function(place_address(step->d, cursor), place_address(step->a, cursor), place_address(step->b, cursor),
                     place_address(step->c, cursor), step->uniform ? 1 : n, step->flags);
      continue;
    }
    int64_t count = step->uniform ? 1 : n;
    switch (step->what) {
      case STEP_LOAD:
        if (step->uniform || is_linear(plan, step->operand)) {
          cresset_load(step->d.at, cursor[step->operand], count, inner_stride(plan, step->operand), step->dtype);
        } else {
          walk(plan, step, cursor[step->operand], step->d.at, start, n);
        }
        break;
      case STEP_STORE:
        if (step->operand < 0) {
          cresset_store(step->d.at, step->a.at, n, 1, step->dtype, 1);
        } else if (is_linear(plan, step->operand)) {
          cresset_store(cursor[step->operand], place_address(step->a, cursor), n, inner_stride(plan, step->operand),
                        step->dtype, step->flags);
        } else {
          walk(plan, step, cursor[step->operand], place_address(step->a, cursor), start, n);
        }
        break;
      case STEP_WRAP:
        cresset_wrap((int64_t *)(void *)step->d.at, (const int64_t *)(const void *)place_address(step->a, cursor),
                     count, step->dtype);
        break;
      default:
        if (is_linear(plan, step->operand)) {
          int64_t *d = (int64_t *)(void *)step->d.at;
          int64_t first = (int64_t)(intptr_t)cursor[step->operand], stride = inner_stride(plan, step->operand);
          LOOP(i, n) d[i] = first + i * stride;
        } else {
          walk(plan, step, cursor[step->operand], step->d.at, start, n);
        }
    }
  }
}

/* Rows [row, row_end), columns [column, column_end) of the iteration seen as rows of the last dimension. */
void cresset_run_rows(const Plan *plan, char *const *base, int64_t row, int64_t row_end, int64_t column,
                      int64_t column_end, block_visitor visit, void *context) {
  const Call *call = plan->call;
  char *cursor[MAX_OPERANDS + 1];
  int64_t index[MAX_DIMS];
  for (; row < row_end; row++) {
    int64_t rest = row;
    for (int32_t d = plan->last - 2; d >= plan->first; d--) {
      index[d] = rest % call->shape[d];
      rest /= call->shape[d];
    }
    for (int32_t o = 0; o <= call->operands; o++) {
      const int64_t *strides = call->strides + (int64_t)o * call->pitch;
      int64_t offset = column * strides[plan->last - 1];
      for (int32_t d = plan->first; d < plan->last - 1; d++) offset += index[d] * strides[d];
      cursor[o] = base[o] + offset * operand_size(call, o);
    }
    for (int64_t at = column; at < column_end; at += plan->block) {
      int64_t n = column_end - at < plan->block ? column_end - at : plan->block;
      run_block(plan, cursor, row * plan->inner + at, n);
      if (visit) visit(context, plan, cursor, row * plan->inner + at, n);
      for (int32_t o = 0; o <= call->operands; o++) {
        cursor[o] += n * operand_size(call, o) * call->strides[(int64_t)o * call->pitch + plan->last - 1];
      }
    }
  }
}

/* Whether some operand has a smaller stride from row to row than within a row: then narrow columns over many rows reuse
   each cache line. */
static int32_t crosses_rows(const Plan *plan) {
  const Call *call = plan->call;
  for (int32_t o = 0; o < call->operands; o++) {
    const int64_t *row = call->strides + (int64_t)o * call->pitch;
    int64_t inner = row[plan->last - 1], outer = row[plan->last - 2];
    if (inner > 8 && outer > 0 && outer < inner) return 1;
  }
  return 0;
}

void cresset_run(const Plan *plan, char *const *base, int64_t begin, int64_t end, block_visitor visit, void *context) {
  const Call *call = plan->call;
  if (plan->walk == WALK_ROWS) {
    int64_t inner = plan->inner, row = begin / inner, last = (end - 1) / inner;
    if (end <= begin) return;
    if (row == last) {
      cresset_run_rows(plan, base, row, row + 1, begin - row * inner, end - row * inner, visit, context);
      return;
    }
    if (begin != row * inner) {
      cresset_run_rows(plan, base, row, row + 1, begin - row * inner, inner, visit, context);
      row++;
    }
    int64_t whole = end == (last + 1) * inner ? last + 1 : last;
    int64_t width = !visit && crosses_rows(plan) ? 128 : inner;
    for (int64_t column = 0; column < inner && row < whole; column += width) {
      int64_t stop = column + width < inner ? column + width : inner;
      cresset_run_rows(plan, base, row, whole, column, stop, visit, context);
    }
    if (whole == last) cresset_run_rows(plan, base, last, last + 1, 0, end - last * inner, visit, context);
    return;
  }
  char *cursor[MAX_OPERANDS + 1];
  int64_t steps[MAX_OPERANDS + 1];
  for (int32_t o = 0; o <= call->operands; o++) {
    steps[o] = is_linear(plan, o) ? inner_stride(plan, o) * operand_size(call, o) : 0;
    cursor[o] = base[o] + begin * steps[o];
  }
  for (int64_t at = begin; at < end; at += plan->block) {
    int64_t n = end - at < plan->block ? end - at : plan->block;
    run_block(plan, cursor, at, n);
    if (visit) visit(context, plan, cursor, at, n);
    for (int32_t o = 0; o <= call->operands; o++) cursor[o] += n * steps[o];
  }
}

typedef struct {
  const Call *call;
  int32_t status;
} Map;

static void run_part(void *context, int64_t begin, int64_t end) {
  Map *map = context;
  Plan plan;
  int32_t status = cresset_plan(&plan, map->call, 0, map->call->ndim, 1, 0);
  if (status != CRESSET_OK) {
    map->status = status;
    return;
  }
  cresset_run(&plan, map->call->base, begin, end, NULL, NULL);
}

int32_t cresset_pointwise(double program, int32_t ndim) {
  Call call;
  int64_t room[ROOM_WORDS];
  int32_t status = cresset_open(&call, POINTER(const int32_t, program), ndim, ndim, room);
  if (status != CRESSET_OK) return status;
  int64_t count = 1;
  for (int32_t d = 0; d < ndim; d++) count *= call.shape[d];
  if (count == 0) return CRESSET_OK;
  if (ndim > 1) {
    call.ndim = cresset_coalesce(&call, 0, ndim);
    if (cresset_copy(&call)) return CRESSET_OK;
  }
  Map map = {&call, CRESSET_OK};
  /* Waking a thread costs as much as some ten thousand simple steps, more where cores are busy. */
  int64_t grain = 262144 / (1 + call.instructions);
  if (count <= grain) {
    run_part(&map, 0, count);
  } else {
    cresset_parallel_for(count, grain < 8192 ? 8192 : grain, run_part, &map);
  }
  return map.status;
}
