/*
 * Convolution for one floating type T; conv.c includes this file for float and double.
 *
 * A convolution is the product of the weights (O x K, K = channels · taps) with the matrix of input patches
 * (K x positions). That matrix is never made whole: a tile of some hundred positions at a time is gathered into scratch
 * memory that stays in the second-level cache, and multiplied from there. Small planes share a tile with their
 * neighbours in the batch. Both gradients use the same tiles: patches of the input for the weights' gradient, and
 * products scattered back for the input's.
 */

/* Rows of small planes are short, where a vectorised loop's set-up costs more than its work: these have none. */
#define Q ((isize)(16 / sizeof(T)))
typedef T NAME(quad) __attribute__((vector_size(16), aligned(sizeof(T)), may_alias));

INLINE void NAME(copy_run)(T *to, const T *from, isize n) {
  if (n >= Q) {
    for (isize i = 0; i + Q < n; i += Q) memcpy(to + i, from + i, 16);
    memcpy(to + n - Q, from + n - Q, 16);
  } else {
    SCALAR_LOOP for (isize i = 0; i < n; i++) to[i] = from[i];
  }
}

INLINE void NAME(add_run)(T *to, const T *from, isize n) {
  isize i = 0;
  for (; i + Q <= n; i += Q) *(NAME(quad) *)(to + i) += *(const NAME(quad) *)(from + i);
  SCALAR_LOOP for (; i < n; i++) to[i] += from[i];
}

/* Gathers patches (im2col): rows [k0, k1) of the patch matrix at positions [p0, p0 + n) of one image's group, into rows
   of `to`. */
static void NAME(gather)(const Conv *v, const T *x, isize k0, isize k1, isize p0, isize n, T *to, isize ld) {
  isize plane = v->in[0] * v->in[1] * v->in[2], taps = v->taps;
  isize ow = v->out[2], sw = v->stride[2];
  for (isize k = k0; k < k1; k++, to += ld) {
    isize tap = k % taps, kw = tap % v->kernel[2], kh = tap / v->kernel[2] % v->kernel[1];
    isize kd = tap / v->kernel[2] / v->kernel[1];
    const T *from = x + k / taps * plane;
    isize dw = kw * v->dilation[2] - v->padding[2], dh = kh * v->dilation[1] - v->padding[1];
    isize dd = kd * v->dilation[0] - v->padding[0];
    isize lo, hi;
    valid_range(v, 2, dw, &lo, &hi);
    T *at = to;
    isize w = p0 % ow, h = p0 / ow % v->out[1], d = p0 / ow / v->out[1];
    for (isize left = n; left > 0;) {
      isize run = min_size(ow - w, left), ih = h * v->stride[1] + dh, id = d * v->stride[0] + dd;
      isize a = 0, b = 0;
      if (ih >= 0 && ih < v->in[1] && id >= 0 && id < v->in[0]) {
        a = lo - w < 0 ? 0 : min_size(lo - w, run);
        b = hi - w < a ? a : min_size(hi - w, run);
      }
      const T *row = from + (id * v->in[1] + ih) * v->in[2] + w * sw + dw;
      SCALAR_LOOP for (isize i = 0; i < a; i++) at[i] = 0;
      if (sw == 1) NAME(copy_run)(at + a, row + a, b - a);
      else SCALAR_LOOP for (isize i = a; i < b; i++) at[i] = row[i * sw];
      SCALAR_LOOP for (isize i = b; i < run; i++) at[i] = 0;
      at += run;
      left -= run;
      w = 0;
      if (++h == v->out[1]) h = 0, d++;
    }
  }
}

/* The reverse of `gather` (col2im): adds rows of patches back to the image. */
static void NAME(scatter)(const Conv *v, T *x, isize k0, isize k1, isize p0, isize n, const T *patches, isize ld) {
  isize plane = v->in[0] * v->in[1] * v->in[2], taps = v->taps;
  isize ow = v->out[2], sw = v->stride[2];
  for (isize k = k0; k < k1; k++, patches += ld) {
    isize tap = k % taps, kw = tap % v->kernel[2], kh = tap / v->kernel[2] % v->kernel[1];
    isize kd = tap / v->kernel[2] / v->kernel[1];
    T *to = x + k / taps * plane;
    isize dw = kw * v->dilation[2] - v->padding[2], dh = kh * v->dilation[1] - v->padding[1];
    isize dd = kd * v->dilation[0] - v->padding[0];
    isize lo, hi;
    valid_range(v, 2, dw, &lo, &hi);
    const T *at = patches;
    isize w = p0 % ow, h = p0 / ow % v->out[1], d = p0 / ow / v->out[1];
    for (isize left = n; left > 0;) {
      isize run = min_size(ow - w, left), ih = h * v->stride[1] + dh, id = d * v->stride[0] + dd;
      if (ih >= 0 && ih < v->in[1] && id >= 0 && id < v->in[0]) {
        isize a = lo - w < 0 ? 0 : min_size(lo - w, run), b = hi - w < a ? a : min_size(hi - w, run);
        T *row = to + (id * v->in[1] + ih) * v->in[2] + w * sw + dw;
        if (sw == 1) NAME(add_run)(row + a, at + a, b - a);
        else SCALAR_LOOP for (isize i = a; i < b; i++) row[i * sw] += at[i];
      }
      at += run;
      left -= run;
      w = 0;
      if (++h == v->out[1]) h = 0, d++;
    }
  }
}

/* ---- small planes: a zero-padded copy of the image needs no bounds, whose checks would cost more than copying ---- */

/* Start of the padded copy's row for tap k of its channel block, and the copy's sizes. */
INLINE isize NAME(tap_start)(const Conv *v, isize k, isize ph, isize pw) {
  isize tap = k % v->taps, kw = tap % v->kernel[2], kh = tap / v->kernel[2] % v->kernel[1];
  isize kd = tap / v->kernel[2] / v->kernel[1];
  return (kd * v->dilation[0] * ph + kh * v->dilation[1]) * pw + kw * v->dilation[2];
}

/* Gathers like `gather`, for whole planes; may write up to Q - 1 elements beyond a row's end. */
static void NAME(gather_plane)(const Conv *v, const T *x, isize k0, isize k1, T *to, isize ld, T *padded) {
  isize ph = v->in[1] + 2 * v->padding[1], pw = v->in[2] + 2 * v->padding[2];
  isize block = (v->in[0] + 2 * v->padding[0]) * ph * pw, c0 = k0 / v->taps, c1 = (k1 - 1) / v->taps + 1;
  memset(padded, 0, sizeof(T) * (size_t)((c1 - c0) * block));
  for (isize row = c0 * v->in[0] * v->in[1]; row < c1 * v->in[0] * v->in[1]; row++) {
    isize h = row % v->in[1] + v->padding[1], d = row / v->in[1] % v->in[0] + v->padding[0];
    T *at = padded + (row / v->in[1] / v->in[0] - c0) * block + (d * ph + h) * pw + v->padding[2];
    NAME(copy_run)(at, x + row * v->in[2], v->in[2]);
  }
  isize ow = v->out[2];
  for (isize k = k0; k < k1; k++, to += ld) {
    const T *from = padded + (k / v->taps - c0) * block + NAME(tap_start)(v, k, ph, pw);
    T *at = to;
    for (isize d = 0; d < v->out[0]; d++) {
      const T *row = from + d * v->stride[0] * ph * pw;
      for (isize h = 0; h < v->out[1]; h++, at += ow, row += v->stride[1] * pw)
        for (isize i = 0; i < ow; i += Q) memcpy(at + i, row + i, 16);
    }
  }
}

/* The reverse of `gather_plane`: sums patches in the padded copy and writes its inside to `x`. */
static void NAME(scatter_plane)(const Conv *v, T *x, const T *patches, isize ld, T *padded) {
  isize ph = v->in[1] + 2 * v->padding[1], pw = v->in[2] + 2 * v->padding[2];
  isize block = (v->in[0] + 2 * v->padding[0]) * ph * pw, channels = v->k / v->taps;
  memset(padded, 0, sizeof(T) * (size_t)(channels * block));
  isize ow = v->out[2];
  for (isize k = 0; k < v->k; k++, patches += ld) {
    T *to = padded + k / v->taps * block + NAME(tap_start)(v, k, ph, pw);
    const T *at = patches;
    for (isize d = 0; d < v->out[0]; d++) {
      T *row = to + d * v->stride[0] * ph * pw;
      for (isize h = 0; h < v->out[1]; h++, at += ow, row += v->stride[1] * pw) NAME(add_run)(row, at, ow);
    }
  }
  for (isize row = 0; row < channels * v->in[0] * v->in[1]; row++) {
    isize h = row % v->in[1] + v->padding[1], d = row / v->in[1] % v->in[0] + v->padding[0];
    const T *at = padded + row / v->in[1] / v->in[0] * block + (d * ph + h) * pw + v->padding[2];
    NAME(copy_run)(x + row * v->in[2], at, v->in[2]);
  }
}

/* Copies columns from a tensor [image, row, position] to a tile [row, image · position]. */
static void NAME(tile_in)(const T *from, isize image, isize row, isize rows, isize images, isize n, T *to, isize ld) {
  for (isize r = 0; r < rows; r++)
    for (isize i = 0; i < images; i++) memcpy(to + r * ld + i * n, from + i * image + r * row, sizeof(T) * (size_t)n);
}

/* One tile: task number -> group, first image, images, first position, positions. */
typedef struct {
  isize group, image, images, at, n;
} NAME(Tile);

static NAME(Tile) NAME(tile)(const Conv *v, isize task) {
  isize per_group = v->image_tiles * v->plane_tiles;
  NAME(Tile) t = { .group = task / per_group };
  isize rest = task % per_group;
  t.image = rest / v->plane_tiles * v->images;
  t.images = min_size(v->n - t.image, v->images);
  t.at = rest % v->plane_tiles * v->positions;
  t.n = min_size(v->plane - t.at, v->positions);
  return t;
}

static void NAME(forward_task)(void *context, int64_t begin, int64_t end) {
  Conv *v = context;
  isize og = v->o / v->groups, cg = v->c / v->groups, in = v->in[0] * v->in[1] * v->in[2];
  isize ld = tile_ld(v);
  T *patches = cresset_scratch(SCRATCH_OUTER, sizeof(T) * (size_t)((v->k + og) * ld + TILE_SLACK + v->padded));
  if (!patches) {
    v->status = CRESSET_NO_MEMORY;
    return;
  }
  T *sums = patches + v->k * ld, *padded = sums + og * ld + TILE_SLACK;
  const T *bias = v->bias;
  for (isize task = begin; task < end; task++) {
    NAME(Tile) t = NAME(tile)(v, task);
    for (isize i = 0; i < t.images; i++) {
      const T *x = (const T *)v->x + ((t.image + i) * v->c + t.group * cg) * in;
      if (v->padded) NAME(gather_plane)(v, x, 0, v->k, patches + i * t.n, ld, padded);
      else NAME(gather)(v, x, 0, v->k, t.at, t.n, patches + i * t.n, ld);
    }
    const T *weight = (const T *)v->packed + t.group * v->packed_step;
    T *out = (T *)v->y + (t.image * v->o + t.group * og) * v->plane + t.at;
    int single = t.images == 1;
    T *to = single ? out : sums;
    isize row = single ? v->plane : ld;
    for (isize o = 0; bias && o < og; o++)
      for (isize i = 0; i < t.n * t.images; i++) to[o * row + i] = bias[t.group * og + o];
    EXPORT(panels)(og, t.n * t.images, v->k, weight, patches, ld, to, row, bias ? 1 : 0);
    if (single) continue;
    for (isize i = 0; i < t.images; i++)
      for (isize o = 0; o < og; o++)
        memcpy(out + (i * v->o + o) * v->plane, sums + o * ld + i * t.n, sizeof(T) * (size_t)t.n);
  }
}

/* Whole images per task, since patches of neighbouring positions overlap. */
static void NAME(input_task)(void *context, int64_t begin, int64_t end) {
  Conv *v = context;
  isize og = v->o / v->groups, cg = v->c / v->groups, in = v->in[0] * v->in[1] * v->in[2];
  isize ld = tile_ld(v);
  T *grads = cresset_scratch(SCRATCH_OUTER, sizeof(T) * (size_t)((v->k + og) * ld + TILE_SLACK + v->padded));
  if (!grads) {
    v->status = CRESSET_NO_MEMORY;
    return;
  }
  T *patches = grads + og * ld, *padded = patches + v->k * ld + TILE_SLACK;
  for (isize block = begin; block < end; block++) {
    isize image0 = block / v->groups * v->images, group = block % v->groups;
    isize count = min_size(v->n - image0, v->images);
    for (isize i = 0; i < count && !v->padded; i++)
      memset((T *)v->x + ((image0 + i) * v->c + group * cg) * in, 0, sizeof(T) * (size_t)(cg * in));
    for (isize plane_tile = 0; plane_tile < v->plane_tiles; plane_tile++) {
      NAME(Tile) t = NAME(tile)(v, (group * v->image_tiles + block / v->groups) * v->plane_tiles + plane_tile);
      const T *y = (const T *)v->y + (t.image * v->o + group * og) * v->plane + t.at;
      NAME(tile_in)(y, v->o * v->plane, v->plane, og, t.images, t.n, grads, ld);
      const T *weight = (const T *)v->packed + group * v->packed_step;
      EXPORT(panels)(v->k, t.n * t.images, og, weight, grads, ld, patches, ld, 0);
      for (isize i = 0; i < t.images; i++) {
        T *x = (T *)v->x + ((t.image + i) * v->c + group * cg) * in;
        if (v->padded) NAME(scatter_plane)(v, x, patches + i * t.n, ld, padded);
        else NAME(scatter)(v, x, 0, v->k, t.at, t.n, patches + i * t.n, ld);
      }
    }
  }
}

/* A task owns a range of K of one group, so no two add to the same weights. */
static void NAME(weight_task)(void *context, int64_t begin, int64_t end) {
  Conv *v = context;
  isize og = v->o / v->groups, cg = v->c / v->groups, in = v->in[0] * v->in[1] * v->in[2];
  isize ld = tile_ld(v);
  T *patches = cresset_scratch(SCRATCH_OUTER, sizeof(T) * (size_t)((v->k_step + og) * ld + TILE_SLACK + v->padded));
  if (!patches) {
    v->status = CRESSET_NO_MEMORY;
    return;
  }
  T *grads = patches + v->k_step * ld, *padded = grads + og * ld + TILE_SLACK;
  isize splits = (v->k + v->k_step - 1) / v->k_step;
  for (isize task = begin; task < end; task++) {
    isize group = task / splits, k0 = task % splits * v->k_step, k1 = min_size(v->k, k0 + v->k_step);
    T *weight = (T *)v->weight + group * og * v->k;
    isize tiles = v->image_tiles * v->plane_tiles;
    for (isize tile = 0; tile < tiles; tile++) {
      NAME(Tile) t = NAME(tile)(v, group * tiles + tile);
      for (isize i = 0; i < t.images; i++) {
        const T *x = (const T *)v->x + ((t.image + i) * v->c + group * cg) * in;
        if (v->padded) NAME(gather_plane)(v, x, k0, k1, patches + i * t.n, ld, padded);
        else NAME(gather)(v, x, k0, k1, t.at, t.n, patches + i * t.n, ld);
      }
      const T *y = (const T *)v->y + (t.image * v->o + group * og) * v->plane + t.at;
      Gemm g = { .dtype = v->dtype, .m = og, .n = k1 - k0, .k = t.n * t.images, .a = y, .ars = v->plane, .acs = 1,
                 .b = patches, .brs = 1, .bcs = ld, .c = weight + k0, .crs = v->k, .ccs = 1, .alpha = 1,
                 .beta = tile == 0 ? 0 : 1 };
      if (t.images > 1) {
        NAME(tile_in)(y, v->o * v->plane, v->plane, og, t.images, t.n, grads, ld);
        g.a = grads;
        g.ars = ld;
      }
      int32_t status = cresset_gemm(&g);
      if (status) v->status = status;
    }
  }
}

/* ---- one input channel per group (depthwise): a sum of shifted planes, with no reuse for a matrix product ---- */

static void NAME(depth_plane)(const Conv *v, int kind, T *x, T *w, T *y) {
  isize sw = v->stride[2];
  for (isize tap = 0; tap < v->taps; tap++) {
    isize dw = tap % v->kernel[2] * v->dilation[2] - v->padding[2];
    isize dh = tap / v->kernel[2] % v->kernel[1] * v->dilation[1] - v->padding[1];
    isize dd = tap / v->kernel[2] / v->kernel[1] * v->dilation[0] - v->padding[0];
    isize lo, hi;
    valid_range(v, 2, dw, &lo, &hi);
    T f = w[tap];
    double sum = 0;
    for (isize row = 0; row < v->out[0] * v->out[1]; row++) {
      isize id = row / v->out[1] * v->stride[0] + dd, ih = row % v->out[1] * v->stride[1] + dh;
      if (id < 0 || id >= v->in[0] || ih < 0 || ih >= v->in[1]) continue;
      T *yr = y + row * v->out[2];
      T *xr = x + (id * v->in[1] + ih) * v->in[2] + dw;
      if (kind == CONV_FORWARD) {
        if (sw == 1) for (isize i = lo; i < hi; i++) yr[i] += f * xr[i];
        else for (isize i = lo; i < hi; i++) yr[i] += f * xr[i * sw];
      } else if (kind == CONV_INPUT) {
        if (sw == 1) for (isize i = lo; i < hi; i++) xr[i] += f * yr[i];
        else for (isize i = lo; i < hi; i++) xr[i * sw] += f * yr[i];
      } else {
        T part[4] = { 0, 0, 0, 0 };
        isize i = lo;
        for (; i + 4 <= hi; i += 4)
          for (int j = 0; j < 4; j++) part[j] += yr[i + j] * xr[(i + j) * sw];
        for (; i < hi; i++) part[0] += yr[i] * xr[i * sw];
        sum += (double)part[0] + part[1] + part[2] + part[3];
      }
    }
    if (kind == CONV_WEIGHT) w[tap] += (T)sum;
  }
}

/* Tasks: images x outputs for the forward, images x inputs for the input's gradient, outputs for the weights'. */
static void NAME(depth_task)(void *context, int64_t begin, int64_t end) {
  Conv *v = context;
  isize in = v->in[0] * v->in[1] * v->in[2], og = v->o / v->groups;
  T *xs = v->x, *ws = v->weight, *ys = v->y;
  for (isize task = begin; task < end; task++) {
    if (v->kind == CONV_FORWARD) {
      isize image = task / v->o, o = task % v->o;
      T *y = ys + task * v->plane;
      T start = v->bias ? ((const T *)v->bias)[o] : 0;
      for (isize i = 0; i < v->plane; i++) y[i] = start;
      NAME(depth_plane)(v, CONV_FORWARD, xs + (image * v->c + o / og) * in, ws + o * v->taps, y);
    } else if (v->kind == CONV_INPUT) {
      isize image = task / v->c, c = task % v->c;
      T *x = xs + task * in;
      memset(x, 0, sizeof(T) * (size_t)in);
      for (isize o = c * og; o < (c + 1) * og; o++)
        NAME(depth_plane)(v, CONV_INPUT, x, ws + o * v->taps, ys + (image * v->o + o) * v->plane);
    } else {
      memset(ws + task * v->taps, 0, sizeof(T) * (size_t)v->taps);
      for (isize image = 0; image < v->n; image++)
        NAME(depth_plane)(v, CONV_WEIGHT, xs + (image * v->c + task / og) * in, ws + task * v->taps,
                          ys + (image * v->o + task) * v->plane);
    }
  }
}

static int32_t NAME(convolve)(Conv *v) {
  isize og = v->o / v->groups, cg = v->c / v->groups;
  double work = (double)v->n * v->o * v->plane * v->k;
  if (cg == 1 && og <= 2) {
    isize tasks = v->kind == CONV_FORWARD ? v->n * v->o : v->kind == CONV_INPUT ? v->n * v->c : v->o;
    cresset_parallel_for(tasks, (int64_t)(tasks * CONV_GRAIN / (work + 1)) + 1, NAME(depth_task), v);
    return v->status;
  }
  if (v->kind == CONV_WEIGHT) {
    if (v->n == 0) {
      memset(v->weight, 0, sizeof(T) * (size_t)(v->o * v->k));
      return CRESSET_OK;
    }
    isize threads = work < 4 * CONV_GRAIN ? 1 : cresset_get_threads();
    isize splits = v->groups >= threads ? 1 : (threads + v->groups - 1) / v->groups;
    v->k_step = (v->k + splits - 1) / splits;
    v->k_step = min_size((v->k_step + 15) / 16 * 16, min_size(v->k, CONV_KSTEP));
    splits = (v->k + v->k_step - 1) / v->k_step;
    cresset_parallel_for(v->groups * splits, 1, NAME(weight_task), v);
    return v->status;
  }
  isize m = v->kind == CONV_FORWARD ? og : v->k, k = v->kind == CONV_FORWARD ? v->k : og;
  size_t packed = EXPORT(packed_size)(m, k);
  T *to = cresset_scratch(SCRATCH_EXTRA, (int64_t)(packed * (size_t)v->groups));
  if (!to) return CRESSET_NO_MEMORY;
  v->packed = to;
  v->packed_step = (isize)(packed / sizeof(T));
  for (isize g = 0; g < v->groups; g++) {
    const T *w = (const T *)v->weight + g * og * v->k;
    if (v->kind == CONV_FORWARD) EXPORT(pack_rows)(to + g * v->packed_step, w, v->k, 1, m, k);
    else EXPORT(pack_rows)(to + g * v->packed_step, w, 1, v->k, m, k);
  }
  if (v->kind == CONV_FORWARD) {
    isize tasks = v->groups * v->image_tiles * v->plane_tiles;
    cresset_parallel_for(tasks, (int64_t)(tasks * CONV_GRAIN / (work + 1)) + 1, NAME(forward_task), v);
  } else {
    isize tasks = v->groups * v->image_tiles;
    cresset_parallel_for(tasks, (int64_t)(tasks * CONV_GRAIN / (work + 1)) + 1, NAME(input_task), v);
  }
  return v->status;
}
#undef Q
