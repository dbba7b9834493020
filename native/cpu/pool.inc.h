/*
 * Pooling for one storage type S with compute type T; pool.c includes this file once per type.
 *
 * Expects S, T, LOAD(s), STORE(t), LOWEST (where a maximum starts), NAN_TEST(t), NAME(x); AVERAGE where means are
 * wanted too.
 */

/* One output row where windows are evenly spaced: tap by tap over the whole row, which vectorises. */
static void NAME(max_even)(const Pool *p, const S *x, isize od, isize oh, isize w0, isize n, T *best, int32_t *index) {
  isize first = -1;
  T lowest = LOWEST;
  for (isize i = 0; i < n; i++) best[i] = lowest;
  const Axis *ad = &p->axis[0], *ah = &p->axis[1], *aw = &p->axis[2];
  for (isize id = ad->start[od]; id < ad->end[od]; id += ad->dilation) {
    for (isize ih = ah->start[oh]; ih < ah->end[oh]; ih += ah->dilation) {
      isize row = (id * ah->in + ih) * aw->in;
      if (first < 0) {
        first = row;
        /* The first tap inside the plane is the answer where no value is larger than the lowest. */
        for (isize i = 0; i < n; i++) index[i] = (int32_t)(row + aw->start[w0 + i]);
      }
      for (isize t = 0; t < aw->extent; t += aw->dilation) {
        isize shift = aw->first + t, lo, hi;
        axis_range(aw, shift, &lo, &hi);
        lo = lo < w0 ? 0 : min_size(lo - w0, n);
        hi = hi < w0 ? 0 : min_size(hi - w0, n);
        const S *at = x + row + shift + w0 * aw->step;
        int32_t here = (int32_t)(row + shift + w0 * aw->step), step = (int32_t)aw->step;
#define MAX_LOOP(STEP)                                                        \
  for (isize i = lo; i < hi; i++) {                                           \
    T v = LOAD(at[i * (STEP)]);                                               \
    int wins = (v > best[i]) | NAN_TEST(v);                                   \
    best[i] = wins ? v : best[i];                                             \
    index[i] = wins ? here + (int32_t)i * (int32_t)(STEP) : index[i];         \
  }
        if (step == 1) MAX_LOOP(1)
        else if (step == 2) MAX_LOOP(2)
        else MAX_LOOP(step)
#undef MAX_LOOP
      }
    }
  }
  if (first < 0) memset(index, 0, sizeof(int32_t) * (size_t)n);
}

/* One output row of maxima, window by window. */
static void NAME(max_any)(const Pool *p, const S *x, isize od, isize oh, isize w0, isize n, T *best, int32_t *index) {
  const Axis *ad = &p->axis[0], *ah = &p->axis[1], *aw = &p->axis[2];
  for (isize i = 0; i < n; i++) {
    isize ow = w0 + i, found = -1;
    T top = LOWEST;
    for (isize id = ad->start[od]; id < ad->end[od]; id += ad->dilation)
      for (isize ih = ah->start[oh]; ih < ah->end[oh]; ih += ah->dilation)
        for (isize iw = aw->start[ow]; iw < aw->end[ow]; iw += aw->dilation) {
          isize at = (id * ah->in + ih) * aw->in + iw;
          T v = LOAD(x[at]);
          if (found < 0 || v > top || NAN_TEST(v)) {
            top = v;
            found = at;
          }
        }
    best[i] = top;
    index[i] = found < 0 ? 0 : (int32_t)found;
  }
}

#ifdef QUADS
/* Four windows at once, in registers, where all their taps lie inside the row and steps are 1 or 2. Returns how many
   outputs of the row, from w0, it has done. */
static isize NAME(max_quads)(const Pool *p, const S *x, isize od, isize oh, isize w0, isize n, T *best,
                             int32_t *index) {
  typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));
  typedef int32_t quad_index __attribute__((vector_size(16), aligned(4), may_alias));
  const Axis *ad = &p->axis[0], *ah = &p->axis[1], *aw = &p->axis[2];
  isize step = aw->step;
  if (ad->start[od] >= ad->end[od] || ah->start[oh] >= ah->end[oh]) return 0;
  isize i = 0;
  for (; i + 4 <= n; i += 4) {
    isize left = aw->first + (w0 + i) * step;
    if (left < 0 || left + 3 * step + aw->extent > aw->in) break;
    isize first = (ad->start[od] * ah->in + ah->start[oh]) * aw->in + left;
    quad_index lanes = { 0, (int32_t)step, 2 * (int32_t)step, 3 * (int32_t)step };
    quad top = { LOWEST, LOWEST, LOWEST, LOWEST };
    quad_index at = lanes + (int32_t)first;
    for (isize id = ad->start[od]; id < ad->end[od]; id += ad->dilation)
      for (isize ih = ah->start[oh]; ih < ah->end[oh]; ih += ah->dilation)
        for (isize t = 0; t < aw->extent; t += aw->dilation) {
          isize from = (id * ah->in + ih) * aw->in + left + t;
          quad v = *(const quad *)(x + from);
          if (step == 2) v = __builtin_shufflevector(v, *(const quad *)(x + from + 3), 0, 2, 5, 7);
          quad_index wins = (v > top) | (v != v);
          quad_index here = lanes + (int32_t)from;
          top = (quad)(((quad_index)v & wins) | ((quad_index)top & ~wins));
          at = (here & wins) | (at & ~wins);
        }
    *(quad *)(best + i) = top;
    *(quad_index *)(index + i) = at;
  }
  return i;
}
#endif

static void NAME(max_task)(void *context, int64_t begin, int64_t end) {
  Pool *p = context;
  T best[ROW];
  int32_t index[ROW];
  isize ow = p->axis[2].out;
  for (isize plane = begin; plane < end; plane++) {
    const S *x = (const S *)p->x + plane * p->in;
    for (isize row = 0; row < p->axis[0].out * p->axis[1].out; row++) {
      isize od = row / p->axis[1].out, oh = row % p->axis[1].out;
      for (isize w0 = 0; w0 < ow; w0 += ROW) {
        isize n = min_size(ow - w0, ROW), at = plane * p->out + row * ow + w0;
        isize done = 0;
#ifdef QUADS
        if (p->axis[2].even && p->axis[2].step <= 2) {
          /* A first window that begins in the padding is computed alone, so that the others can be computed four at a
             time. */
          if (w0 == 0 && p->axis[2].first < 0) {
            done = min_size(n, (-p->axis[2].first + p->axis[2].step - 1) / p->axis[2].step);
            NAME(max_any)(p, x, od, oh, 0, done, best, index);
          }
          done += NAME(max_quads)(p, x, od, oh, w0 + done, n - done, best + done, index + done);
        }
#endif
        T *rest = best + done;
        if (p->axis[2].even && n - done >= 4) NAME(max_even)(p, x, od, oh, w0 + done, n - done, rest, index + done);
        else NAME(max_any)(p, x, od, oh, w0 + done, n - done, rest, index + done);
        S *y = (S *)p->y + at;
        int64_t *indices = p->indices + at;
        for (isize i = 0; i < n; i++) y[i] = STORE(best[i]);
        for (isize i = 0; i < n; i++) indices[i] = index[i];
      }
    }
  }
}

#ifdef AVERAGE
static void NAME(average_task)(void *context, int64_t begin, int64_t end) {
  Pool *p = context;
  const Axis *ad = &p->axis[0], *ah = &p->axis[1], *aw = &p->axis[2];
  T sums[ROW];
  for (isize plane = begin; plane < end; plane++) {
    const S *x = (const S *)p->x + plane * p->in;
    for (isize row = 0; row < ad->out * ah->out; row++) {
      isize od = row / ah->out, oh = row % ah->out;
      for (isize w0 = 0; w0 < aw->out; w0 += ROW) {
        isize n = min_size(aw->out - w0, ROW), out = row * aw->out + w0;
        for (isize i = 0; i < n; i++) sums[i] = 0;
        for (isize id = ad->start[od]; id < ad->end[od]; id += ad->dilation)
          for (isize ih = ah->start[oh]; ih < ah->end[oh]; ih += ah->dilation) {
            const S *from = x + (id * ah->in + ih) * aw->in;
            if (aw->even && n >= 4) {
              for (isize t = 0; t < aw->extent; t += aw->dilation) {
                isize lo, hi, shift = aw->first + t, step = aw->step;
                axis_range(aw, shift, &lo, &hi);
                lo = lo < w0 ? 0 : min_size(lo - w0, n);
                hi = hi < w0 ? 0 : min_size(hi - w0, n);
                const S *at = from + shift + w0 * step;
                if (step == 1) for (isize i = lo; i < hi; i++) sums[i] += LOAD(at[i]);
                else if (step == 2) for (isize i = lo; i < hi; i++) sums[i] += LOAD(at[i * 2]);
                else for (isize i = lo; i < hi; i++) sums[i] += LOAD(at[i * step]);
              }
            } else {
              for (isize i = 0; i < n; i++)
                for (isize iw = aw->start[w0 + i]; iw < aw->end[w0 + i]; iw += aw->dilation) sums[i] += LOAD(from[iw]);
            }
          }
        S *y = (S *)p->y + plane * p->out + out;
        const T *scale = (const T *)p->scale + out;
        for (isize i = 0; i < n; i++) y[i] = STORE(sums[i] * scale[i]);
      }
    }
  }
}

/* Spreads each output's gradient over its window, in a plane of compute type where S is narrower. */
static void NAME(spread_task)(void *context, int64_t begin, int64_t end) {
  Pool *p = context;
  const Axis *ad = &p->axis[0], *ah = &p->axis[1], *aw = &p->axis[2];
  T *own = NULL;
  if (sizeof(S) != sizeof(T)) {
    own = cresset_scratch(SCRATCH_OUTER, (int64_t)sizeof(T) * p->in);
    if (!own) {
      p->status = CRESSET_NO_MEMORY;
      return;
    }
  }
  for (isize plane = begin; plane < end; plane++) {
    const S *grad = (const S *)p->y + plane * p->out;
    T *x = own ? own : (T *)p->x + plane * p->in;
    memset(x, 0, sizeof(T) * (size_t)p->in);
    for (isize row = 0; row < ad->out * ah->out; row++) {
      isize od = row / ah->out, oh = row % ah->out;
      for (isize ow = 0; ow < aw->out; ow++) {
        T g = LOAD(grad[row * aw->out + ow]) * ((const T *)p->scale)[row * aw->out + ow];
        for (isize id = ad->start[od]; id < ad->end[od]; id += ad->dilation)
          for (isize ih = ah->start[oh]; ih < ah->end[oh]; ih += ah->dilation) {
            T *to = x + (id * ah->in + ih) * aw->in;
            SCALAR_LOOP for (isize iw = aw->start[ow]; iw < aw->end[ow]; iw += aw->dilation) to[iw] += g;
          }
      }
    }
    if (own)
      for (isize i = 0; i < p->in; i++) ((S *)p->x)[plane * p->in + i] = STORE(own[i]);
  }
}
#endif

static cresset_task NAME(task)(int32_t kind) {
#ifdef AVERAGE
  if (kind == POOL_AVERAGE) return NAME(average_task);
  if (kind == POOL_SPREAD) return NAME(spread_task);
#endif
  return kind == POOL_MAX ? NAME(max_task) : NULL;
}

#undef S
#undef T
#undef LOAD
#undef STORE
#undef LOWEST
#undef NAN_TEST
#undef SUFFIX
#undef AVERAGE
#undef QUADS
