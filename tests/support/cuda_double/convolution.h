/*
 * A convolution of the cuDNN double, computed naively: forward or one of both gradients, any number of spatial dimensions,
 * any strides.
 *
 * One walk serves all three: every triple (input, weight, output) that belongs together is visited, and the direction
 * says which of the three is the sum of products of the other two.
 */
#ifndef CUDA_DOUBLE_CONVOLUTION_H
#define CUDA_DOUBLE_CONVOLUTION_H

#include <vector>

#include "double.h"

enum : cudnnStatus_t { DNN_NOT_INITIALIZED = 1001, DNN_BAD_PARAM = 2000, DNN_NOT_SUPPORTED = 3000, DNN_EXECUTION_FAILED = 5000 };
enum { DNN_MAX_DIMS = 8 };
enum Direction { FORWARD, BY_INPUT, BY_WEIGHT };

struct cudnnContext {
  CUstream stream = nullptr;
};

/* Sizes and strides of a tensor; a filter's dimensions are output channels, input channels of a group, taps. */
struct Layout {
  int type = -1, rank = 0;
  int64_t sizes[DNN_MAX_DIMS] = {}, strides[DNN_MAX_DIMS] = {};

  size_t extent() const {
    size_t last = 0;
    for (int d = 0; d < rank; d++) last += (size_t)(sizes[d] - 1) * (size_t)strides[d];
    return last + 1;
  }

  /* The offset of spatial place `at` in channel `c` of image `n`. */
  size_t offset(int64_t n, int64_t c, const int64_t *at) const {
    size_t sum = (size_t)(n * strides[0] + c * strides[1]);
    for (int d = 0; d < rank - 2; d++) sum += (size_t)(at[d] * strides[2 + d]);
    return sum;
  }

  size_t places() const {
    size_t n = 1;
    for (int d = 2; d < rank; d++) n *= (size_t)sizes[d];
    return n;
  }

  void unravel(size_t index, int64_t *at) const {
    for (int d = rank - 3; d >= 0; d--) {
      at[d] = (int64_t)(index % (size_t)sizes[2 + d]);
      index /= (size_t)sizes[2 + d];
    }
  }
};

/* How the window moves. */
struct Movement {
  int rank = 0, groups = 1, compute = -1;
  int64_t pad[DNN_MAX_DIMS] = {}, stride[DNN_MAX_DIMS] = {}, dilation[DNN_MAX_DIMS] = {};
};

inline bool dnn_known_type(int type) {
  return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_DOUBLE || type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16;
}
inline size_t dnn_size_of(int type) { return type == CUDNN_DATA_DOUBLE ? 8 : type == CUDNN_DATA_FLOAT ? 4 : 2; }

inline double dnn_load(const void *p, int type, size_t at) {
  switch (type) {
    case CUDNN_DATA_DOUBLE: return static_cast<const double *>(p)[at];
    case CUDNN_DATA_FLOAT: return static_cast<const float *>(p)[at];
    case CUDNN_DATA_HALF: return half_to_float(static_cast<const uint16_t *>(p)[at]);
    default: return bfloat_to_float(static_cast<const uint16_t *>(p)[at]);
  }
}

inline void dnn_store(void *p, int type, size_t at, double value) {
  switch (type) {
    case CUDNN_DATA_DOUBLE: static_cast<double *>(p)[at] = value; break;
    case CUDNN_DATA_FLOAT: static_cast<float *>(p)[at] = (float)value; break;
    case CUDNN_DATA_HALF: static_cast<uint16_t *>(p)[at] = float_to_half((float)value); break;
    default: static_cast<uint16_t *>(p)[at] = float_to_bfloat((float)value); break;
  }
}

/* Whether layouts and movement describe one convolution. */
inline bool dnn_fits(const Layout &x, const Layout &w, const Movement &m, const Layout &y) {
  if (m.rank < 2 || m.rank > 3 || x.rank != m.rank + 2 || y.rank != x.rank || w.rank != x.rank) return false;
  if (x.type != w.type || (x.type != y.type && y.type != m.compute)) return false;
  if (m.compute != (x.type == CUDNN_DATA_DOUBLE ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT)) return false;
  if (x.sizes[0] != y.sizes[0] || w.sizes[1] * m.groups != x.sizes[1] || w.sizes[0] != y.sizes[1]) return false;
  if (w.sizes[0] % m.groups != 0) return false;
  for (int d = 0; d < m.rank; d++) {
    int64_t reach = (w.sizes[2 + d] - 1) * m.dilation[d] + 1, space = x.sizes[2 + d] + 2 * m.pad[d] - reach;
    if (space < 0 || space / m.stride[d] + 1 != y.sizes[2 + d]) return false;
  }
  return true;
}

struct ConvolutionJob {
  Direction direction = FORWARD;
  Layout x, w, y;
  Movement m;
  const void *x_data = nullptr, *w_data = nullptr, *y_data = nullptr, *bias = nullptr;
  double alpha = 1, beta = 0;

  const Layout &result() const { return direction == FORWARD ? y : direction == BY_INPUT ? x : w; }
  void *out() const { return const_cast<void *>(direction == FORWARD ? y_data : direction == BY_INPUT ? x_data : w_data); }

  /* The input place that output place `out_at` meets at tap `tap`; false in the padding. */
  bool input_at(const int64_t *out_at, const int64_t *tap, int64_t *at) const {
    for (int d = 0; d < m.rank; d++) {
      at[d] = out_at[d] * m.stride[d] - m.pad[d] + tap[d] * m.dilation[d];
      if (at[d] < 0 || at[d] >= x.sizes[2 + d]) return false;
    }
    return true;
  }

  template <typename T>
  static std::vector<T> values(const Layout &layout, const void *data, bool read) {
    std::vector<T> all(layout.extent());
    for (size_t i = 0; i < all.size() && read; i++) all[i] = (T)dnn_load(data, layout.type, i);
    return all;
  }

  template <typename T>
  void compute() const {
    const bool to_x = direction == BY_INPUT, to_w = direction == BY_WEIGHT;
    std::vector<T> xs = values<T>(x, x_data, !to_x), ws = values<T>(w, w_data, !to_w), ys = values<T>(y, y_data, direction != FORWARD);
    const int64_t outs = w.sizes[0] / m.groups;
    int64_t out_at[DNN_MAX_DIMS], tap[DNN_MAX_DIMS], at[DNN_MAX_DIMS];
    for (size_t place = 0; place < y.places(); place++) {
      y.unravel(place, out_at);
      for (size_t k = 0; k < w.places(); k++) {
        w.unravel(k, tap);
        if (!input_at(out_at, tap, at)) continue;
        for (int64_t n = 0; n < y.sizes[0]; n++) {
          for (int64_t o = 0; o < w.sizes[0]; o++) {
            for (int64_t i = 0; i < w.sizes[1]; i++) {
              T &xv = xs[x.offset(n, o / outs * w.sizes[1] + i, at)], &wv = ws[w.offset(o, i, tap)], &yv = ys[y.offset(n, o, out_at)];
              if (to_x) xv += wv * yv;
              else if (to_w) wv += xv * yv;
              else yv += xv * wv;
            }
          }
        }
      }
    }
    write(to_x ? xs : to_w ? ws : ys);
  }

  template <typename T>
  void write(const std::vector<T> &values) const {
    const Layout &r = result();
    int64_t at[DNN_MAX_DIMS];
    for (size_t place = 0; place < r.places(); place++) {
      r.unravel(place, at);
      for (int64_t n = 0; n < r.sizes[0]; n++) {
        for (int64_t c = 0; c < r.sizes[1]; c++) {
          const size_t i = r.offset(n, c, at);
          double value = alpha * values[i];
          if (beta != 0) value += beta * dnn_load(out(), r.type, i);
          if (bias) value += dnn_load(bias, r.type, (size_t)c);
          dnn_store(out(), r.type, i, value);
        }
      }
    }
  }

  void operator()() const {
    if (x.type == CUDNN_DATA_DOUBLE) compute<double>();
    else compute<float>();
  }

  bool owned() const {
    return owns(x_data, dnn_size_of(x.type) * x.extent()) && owns(w_data, dnn_size_of(w.type) * w.extent()) &&
           owns(y_data, dnn_size_of(y.type) * y.extent()) && (!bias || owns(bias, dnn_size_of(y.type) * (size_t)y.sizes[1]));
  }
};

/* Appends a line to the file that CUDA_DOUBLE_DNN_LOG names, if it does: which of the two interfaces ran what. */
void dnn_log(const char *interface, const ConvolutionJob &job, const char *engine);

#endif
