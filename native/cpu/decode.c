/* The decoder of the pointwise machine: turns a byte program and its operands into steps over registers and memory.

   It avoids copies: contiguous inputs are read in place, uniform values are stored once, and the instruction that
   computes an output writes it directly where nothing reads that memory afterwards. */
#include "machine.h"

static const vector_function *const functions[K_COUNT] = {
    [K_F32] = cresset_f32_functions, [K_F64] = cresset_f64_functions, [K_I64] = cresset_i64_functions,
    [K_U64] = cresset_u64_functions, [K_BOOL] = cresset_bool_functions,
};

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
    case OP_castU64:
      return K_U64;
    default:
      return kind;
  }
}

typedef struct {
  Place place;
  int32_t uniform, kind;
} Register;

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

/* The register memory for the result of an instruction; a result that is wider than a source in the same register gets
   other memory. */
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
    /* The operands of a map do not move, so a uniform value is read now, before an output can overwrite it. */
    if (store) {
      cresset_load(r->place.at, call->base[input], 1, 1, dtype);
      return;
    }
  } else {
    int64_t stride = inner_stride(plan, input);
    int32_t linear = is_linear(plan, input);
    /* Values that are constant within a row are uniform in every block of it. */
    r->uniform = plan->walk == WALK_ROWS && stride == 0;
    if (linear && stride == 1 && dtype_native[dtype]) {
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
    int32_t same = dtype_kind(dtype) == kind && (dtype_native[dtype] || dtype == DT_BOOL);
    if (same && is_linear(plan, operand) && inner_stride(plan, operand) == 1) return operand;
  }
  return -1;
}

static int32_t decode_function(Decoder *decoder, int32_t index, const int32_t *code, int32_t store) {
  int32_t op = code[0], kind = code[1], dst = code[2], count = source_count(op);
  if (op >= OP_COUNT || kind < 0 || kind >= K_COUNT) return CRESSET_BAD_PROGRAM;
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
  int32_t uniform = source->uniform, source_kind = source->kind;
  Place a = source->place;
  Place d = uniform ? fixed(new_cell(decoder)) : result_slot(decoder, code[2], 0);
  Step *step = new_step(decoder, STEP_WRAP);
  step->a = a;
  step->d = d;
  step->uniform = uniform;
  step->dtype = code[4];
  r->place = d;
  r->uniform = uniform;
  r->kind = source_kind;
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
  static const int32_t casts[K_COUNT] = {
      [K_F32] = OP_castF32, [K_F64] = OP_castF64, [K_I64] = OP_castI64, [K_U64] = OP_castU64, [K_BOOL] = OP_castBool,
  };
  for (int32_t pass = 0; pass < 2; pass++) {
    for (int32_t o = 0; o < call->outputs_count; o++) {
      int32_t operand = call->inputs + o, dtype = call->outputs[2 * o];
      Place place = plan->results[o].place;
      int32_t kind = plan->results[o].kind, want = dtype_kind(dtype), uniform = plan->results[o].uniform;
      if (place.operand == operand) continue;
      /* First pass: an output that is an unchanged input is copied to a buffer if several outputs are written. */
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
    /* An output that is an unchanged input reads the input's memory last. */
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
