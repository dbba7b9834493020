/*
 * The pointwise vector machine: evaluates a byte program (src/expr/cpu.ts) at every element, block by block.
 *
 * A block is 1024 elements, so that registers stay in the first-level cache and the cost of interpreting vanishes.
 * Contiguous inputs are read where they are and an output is computed in place by the instruction that makes it.
 */
#include "machine.h"

#include "threads.h"

static const vector_function *const functions[4] = {cresset_f32_functions, cresset_f64_functions,
                                                    cresset_i64_functions, cresset_bool_functions};
static const int64_t kind_size[4] = {4, 8, 8, 1};

/* The kind of an operation's result. */
static int32_t result_kind(int32_t op, int32_t kind) {
  switch (op) {
    case OP_eq:
    case OP_ne:
    case OP_lt:
    case OP_le:
    case OP_gt:
    case OP_ge:
    case OP_logicalAnd:
    case OP_logicalOr:
    case OP_logicalXor:
    case OP_logicalNot:
    case OP_isnan:
    case OP_isinf:
    case OP_isfinite:
    case OP_castBool:
      return K_BOOL;
    case OP_castF32:
      return K_F32;
    case OP_castF64:
      return K_F64;
    case OP_castI64:
      return K_I64;
    default:
      return kind;
  }
}

static int32_t is_native(int32_t dtype) {
  return dtype == DT_F32 || dtype == DT_F64 || dtype == DT_I64;
}

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

/* ---- decoding ---- */

typedef struct {
  Place place;
  int32_t uniform, kind;
} Register;

/* Whether an operand's elements lie at equal steps over the dimensions of the plan. */
static int32_t is_linear(const Plan *plan, int32_t operand) {
  const Call *call = plan->call;
  const int64_t *row = call->strides + (int64_t)operand * call->pitch;
  if (plan->walk != WALK_GATHER) return 1;
  for (int32_t d = plan->first; d + 1 < plan->last; d++) {
    if (row[d] != row[d + 1] * call->shape[d + 1]) return 0;
  }
  return 1;
}

static int64_t inner_stride(const Plan *plan, int32_t operand) {
  if (plan->last == plan->first) return plan->count == 1 ? 1 : 0;
  return plan->call->strides[(int64_t)operand * plan->call->pitch + plan->last - 1];
}

/* Whether the operand repeats one value over the whole plan. */
static int32_t is_uniform(const Plan *plan, int32_t operand) {
  const int64_t *row = plan->call->strides + (int64_t)operand * plan->call->pitch;
  for (int32_t d = plan->first; d < plan->last; d++) {
    if (row[d] != 0) return 0;
  }
  return 1;
}

static int32_t source_count(int32_t op) {
  if (op == OP_where) return 3;
  return op >= OP_FIRST_BINARY ? 2 : 1;
}

/* The state of one decoding. */
typedef struct {
  Plan *plan;
  Register registers[MAX_REGISTERS];
  char *slots[MAX_REGISTERS];
  char *spare;
  char *cells;
  int32_t last_write[MAX_REGISTERS];
  int32_t last_read; /* the last instruction that reads an input's memory */
} Decoder;

static Place fixed(char *at) {
  Place p = {at, -1};
  return p;
}

static char *new_cell(Decoder *decoder) {
  char *cell = decoder->cells;
  decoder->cells += 8;
  return cell;
}

static Step *new_step(Decoder *decoder, int32_t what) {
  Step *step = &decoder->plan->steps[decoder->plan->steps_count++];
  step->what = what;
  step->flags = 0;
  step->uniform = 0;
  step->operand = -1;
  return step;
}

/* Register memory for the result of an instruction; a result wider than a source that it overwrites moves aside. */
static Place result_slot(Decoder *decoder, int32_t dst, int32_t widens) {
  if (widens) {
    char *moved = decoder->slots[dst];
    decoder->slots[dst] = decoder->spare;
    decoder->spare = moved;
  }
  return fixed(decoder->slots[dst]);
}

static void decode_load(Decoder *decoder, int32_t dst, int32_t input, int32_t store) {
  Plan *plan = decoder->plan;
  const Call *call = plan->call;
  Register *r = &decoder->registers[dst];
  int32_t dtype = call->dtype[input];
  r->kind = dtype_kind(dtype);
  if (is_uniform(plan, input)) {
    r->uniform = 1;
    r->place = fixed(new_cell(decoder));
    /* A map's operands stay put, so the value is read now (before an output can overwrite it). */
    if (store) {
      cresset_load(r->place.at, call->base[input], 1, 1, dtype);
      return;
    }
  } else {
    int64_t stride = inner_stride(plan, input);
    int32_t linear = is_linear(plan, input);
    /* Values that are constant within a row are uniform in every block of it. */
    r->uniform = plan->walk == WALK_ROWS && stride == 0;
    if (linear && stride == 1 && is_native(dtype)) {
      r->place.at = 0;
      r->place.operand = input;
      return;
    }
    r->place = r->uniform ? fixed(new_cell(decoder)) : result_slot(decoder, dst, 0);
  }
  Step *step = new_step(decoder, STEP_LOAD);
  step->d = r->place;
  step->operand = input;
  step->dtype = dtype;
  step->uniform = r->uniform;
}

static void decode_cell(Decoder *decoder, int32_t dst, int32_t kind, const double *value) {
  Register *r = &decoder->registers[dst];
  char *cell = new_cell(decoder);
  if (kind == K_F32) {
    float f = (float)*value;
    memcpy(cell, &f, 4);
  } else if (kind == K_BOOL) {
    int64_t i;
    memcpy(&i, value, 8);
    *cell = i != 0;
  } else {
    memcpy(cell, value, 8);
  }
  r->kind = kind;
  r->uniform = 1;
  r->place = fixed(cell);
}

/* The output whose memory the instruction may write directly, or -1. */
static int32_t direct_output(const Decoder *decoder, int32_t instruction, int32_t dst, int32_t kind) {
  const Plan *plan = decoder->plan;
  const Call *call = plan->call;
  if (decoder->last_write[dst] != instruction || instruction < decoder->last_read) return -1;
  for (int32_t o = 0; o < call->outputs_count; o++) {
    int32_t operand = call->inputs + o, dtype = call->outputs[2 * o];
    if (call->outputs[2 * o + 1] != dst) continue;
    int32_t same = dtype_kind(dtype) == kind && (is_native(dtype) || dtype == DT_BOOL);
    if (same && is_linear(plan, operand) && inner_stride(plan, operand) == 1) return operand;
  }
  return -1;
}

static int32_t decode_function(Decoder *decoder, int32_t index, const int32_t *code, int32_t store) {
  int32_t op = code[0], kind = code[1], dst = code[2], count = source_count(op);
  if (op >= OP_COUNT || kind < 0 || kind > 3) return CRESSET_BAD_PROGRAM;
  vector_function function = functions[kind][op];
  if (!function) return CRESSET_BAD_PROGRAM;
  const Register *sources[3];
  int32_t flags = 0;
  int32_t kind_of_result = result_kind(op, kind), widens = 0;
  for (int32_t s = 0; s < count; s++) {
    sources[s] = &decoder->registers[code[3 + s]];
    if (sources[s]->uniform) flags |= 1 << s;
    widens |= !sources[s]->uniform && code[3 + s] == dst && kind_size[sources[s]->kind] < kind_size[kind_of_result];
  }
  int32_t uniform = flags == (1 << count) - 1;
  Place a = sources[0]->place, b = count > 1 ? sources[1]->place : a, c = count > 2 ? sources[2]->place : a;
  if (op == OP_where && !uniform && (flags & UNIFORM_A)) {
    /* A uniform condition is repeated, so that the function has one loop for conditions. */
    Step *splat = new_step(decoder, STEP_STORE);
    splat->d = fixed(decoder->spare);
    splat->a = a;
    splat->dtype = DT_BOOL;
    splat->uniform = 1;
    a = splat->d;
    flags &= ~UNIFORM_A;
    widens = 0;
  }
  Register *r = &decoder->registers[dst];
  int32_t direct = store && !uniform ? direct_output(decoder, index, dst, kind_of_result) : -1;
  Place d;
  if (uniform) {
    d = fixed(new_cell(decoder));
  } else if (direct >= 0) {
    d.at = 0;
    d.operand = direct;
  } else {
    d = result_slot(decoder, dst, widens);
  }
  Step *step = new_step(decoder, STEP_FUNCTION);
  step->function = function;
  step->flags = flags;
  step->uniform = uniform;
  step->d = d;
  step->a = a;
  step->b = b;
  step->c = c;
  r->place = d;
  r->uniform = uniform;
  r->kind = kind_of_result;
  return CRESSET_OK;
}

static void decode_wrap(Decoder *decoder, const int32_t *code) {
  Register *source = &decoder->registers[code[3]], *r = &decoder->registers[code[2]];
  int32_t uniform = source->uniform;
  Place a = source->place;
  Place d = uniform ? fixed(new_cell(decoder)) : result_slot(decoder, code[2], 0);
  Step *step = new_step(decoder, STEP_WRAP);
  step->a = a;
  step->d = d;
  step->uniform = uniform;
  step->dtype = code[4];
  r->place = d;
  r->uniform = uniform;
  r->kind = K_I64;
}

static void decode_index(Decoder *decoder, int32_t dst) {
  Register *r = &decoder->registers[dst];
  Step *step = new_step(decoder, STEP_INDEX);
  r->place = result_slot(decoder, dst, 0);
  r->uniform = 0;
  r->kind = K_I64;
  step->d = r->place;
  step->operand = decoder->plan->call->operands;
}

/* Converts and stores the outputs that were not computed in place. */
static int32_t decode_stores(Decoder *decoder) {
  Plan *plan = decoder->plan;
  const Call *call = plan->call;
  static const int32_t casts[4] = {OP_castF32, OP_castF64, OP_castI64, OP_castBool};
  for (int32_t pass = 0; pass < 2; pass++) {
    for (int32_t o = 0; o < call->outputs_count; o++) {
      int32_t operand = call->inputs + o, dtype = call->outputs[2 * o];
      Place place = plan->results[o].place;
      int32_t kind = plan->results[o].kind, want = dtype_kind(dtype), uniform = plan->results[o].uniform;
      if (place.operand == operand) continue;
      /* First pass: outputs that are inputs as they stand are copied aside when several outputs are written. */
      int32_t copied = place.operand >= 0 && place.operand < call->inputs && call->outputs_count > 1;
      if (pass == 0 && kind == want && !copied) continue;
      if (pass == 0) {
        vector_function convert = functions[kind][casts[want]];
        if (!convert) return CRESSET_BAD_PROGRAM;
        Step *step = new_step(decoder, STEP_FUNCTION);
        step->function = convert;
        step->a = step->b = step->c = place;
        step->uniform = uniform;
        step->flags = uniform ? UNIFORM_A : 0;
        step->d = fixed(uniform ? new_cell(decoder) : decoder->slots[MAX_REGISTERS - 1] + (int64_t)o * BLOCK * 8);
        plan->results[o].place = step->d;
        plan->results[o].kind = want;
      } else {
        Step *step = new_step(decoder, STEP_STORE);
        step->a = place;
        step->operand = operand;
        step->dtype = dtype;
        step->uniform = 0;
        step->flags = uniform;
        step->d.operand = operand;
        step->d.at = 0;
      }
    }
  }
  return CRESSET_OK;
}

static void choose_walk(Plan *plan, int64_t block) {
  const Call *call = plan->call;
  int32_t dims = plan->last - plan->first;
  plan->count = 1;
  for (int32_t d = plan->first; d < plan->last; d++) plan->count *= call->shape[d];
  plan->inner = dims > 0 ? call->shape[plan->last - 1] : 1;
  plan->walk = dims <= 1 ? WALK_LINEAR : plan->inner >= 64 ? WALK_ROWS : WALK_GATHER;
  plan->block = BLOCK;
  if (block > 0) {
    plan->walk = WALK_GATHER;
    plan->block = block;
  }
}

int32_t cresset_plan(Plan *plan, const Call *call, int32_t first, int32_t last, int32_t store, int64_t block) {
  Decoder decoder;
  plan->call = call;
  plan->first = first;
  plan->last = last;
  plan->steps_count = 0;
  choose_walk(plan, block);
  int64_t slots = call->registers + 1 + call->outputs_count;
  int64_t steps = (int64_t)call->instructions * 2 + 2 * call->outputs_count;
  int64_t cells = (int64_t)call->instructions + call->outputs_count;
  char *memory = cresset_scratch(0, slots * BLOCK * 8 + steps * (int64_t)sizeof(Step) + cells * 8 + 64);
  if (!memory) return CRESSET_NO_MEMORY;
  decoder.plan = plan;
  for (int32_t r = 0; r < call->registers; r++) {
    decoder.slots[r] = memory + (int64_t)r * BLOCK * 8;
    decoder.last_write[r] = -1;
  }
  decoder.spare = memory + (int64_t)call->registers * BLOCK * 8;
  decoder.slots[MAX_REGISTERS - 1] = decoder.spare + BLOCK * 8;
  if (call->registers == MAX_REGISTERS) return CRESSET_BAD_PROGRAM;
  plan->steps = (Step *)(void *)(memory + slots * BLOCK * 8);
  decoder.cells = (char *)(plan->steps + steps);
  /* Which instruction is the last to write each register, and the last that may still read an input's memory. */
  uint64_t from_memory = 0;
  decoder.last_read = -1;
  for (int32_t i = 0; i < call->instructions; i++) {
    const int32_t *code = call->code + 6 * i;
    int32_t op = code[0], dst = code[2];
    if (dst < 0 || dst >= call->registers || op < 0 || op >= OP_COUNT) return CRESSET_BAD_PROGRAM;
    uint64_t read = 0;
    if (op == OP_load) {
      decoder.last_read = i;
    } else if (op != OP_scalar && op != OP_const && op != OP_index) {
      for (int32_t s = 0; s < (op == OP_wrap ? 1 : source_count(op)); s++) {
        if (code[3 + s] < 0 || code[3 + s] >= call->registers) return CRESSET_BAD_PROGRAM;
        read |= (uint64_t)1 << code[3 + s];
      }
    }
    if (read & from_memory) decoder.last_read = i;
    decoder.last_write[dst] = i;
    from_memory = op == OP_load ? from_memory | (uint64_t)1 << dst : from_memory & ~((uint64_t)1 << dst);
  }
  for (int32_t o = 0; o < call->outputs_count; o++) {
    /* An output that is an input as it stands reads memory after everything else. */
    if (from_memory >> call->outputs[2 * o + 1] & 1) decoder.last_read = call->instructions;
  }
  for (int32_t i = 0; i < call->instructions; i++) {
    const int32_t *code = call->code + 6 * i;
    int32_t status = CRESSET_OK;
    switch (code[0]) {
      case OP_load:
        if (code[3] < 0 || code[3] >= call->inputs) return CRESSET_BAD_PROGRAM;
        decode_load(&decoder, code[2], code[3], store);
        break;
      case OP_scalar: {
        int32_t kind = call->scalar_kinds[code[3]];
        double value = call->scalars[code[3]];
        decode_cell(&decoder, code[2], kind, &value);
        break;
      }
      case OP_const:
        decode_cell(&decoder, code[2], code[1], call->constants + code[3]);
        break;
      case OP_index:
        decode_index(&decoder, code[2]);
        break;
      case OP_wrap:
        decode_wrap(&decoder, code);
        break;
      default:
        status = decode_function(&decoder, i, code, store);
    }
    if (status != CRESSET_OK) return status;
  }
  for (int32_t o = 0; o < call->outputs_count; o++) {
    const Register *r = &decoder.registers[call->outputs[2 * o + 1]];
    plan->results[o].place = r->place;
    plan->results[o].uniform = r->uniform;
    plan->results[o].kind = r->kind;
  }
  plan->weight = plan->steps_count;
  return store ? decode_stores(&decoder) : CRESSET_OK;
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
    /* On to the next row: carry into the outer dimensions. */
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

/* Whether some operand runs across the rows: then narrow columns over many rows reuse each cache line. */
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
  if (ndim > 1) call.ndim = cresset_coalesce(&call, 0, ndim);
  Map map = {&call, CRESSET_OK};
  int64_t grain = 65536 / (1 + call.instructions);
  if (count <= grain) {
    run_part(&map, 0, count);
  } else {
    cresset_parallel_for(count, grain < 4096 ? 4096 : grain, run_part, &map);
  }
  return map.status;
}
