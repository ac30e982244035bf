#pragma once
// Recurrences that the scan kernels do not express, token by token in plain loops: a cell states one token. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "headwise/core/scalars.hpp"
#include "headwise/flow/recurrent_state.hpp"
#include "headwise/layers/linear.hpp"
#include "headwise/layers/small_matrix.hpp"

namespace hw {

/// h_t = cell(h_{t-1}, W x_t), delta = Wo o_t.
///
/// A Cell has: `Config` with `hidden_size`, a constructor (Config, Build), `parts()`, the projections of x; `state()`, how many floats it
/// remembers, zeros at first; `width()` of its output; `step(const float* projected, float* state, float* o)`, one token. Where it has
/// `scratch()`, step takes so many floats last, to calculate in. The same bits for every cut of a sequence.
template <class Cell>
class Recurrence {
 public:
  using State = RecurrentState;
  using Config = typename Cell::Config;
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "recurrence";

  Recurrence(const Config& c, const Build& b)
      : cell_(c, b),
        in_(c.hidden_size, std::span<const LinearPart>(cell_.parts()), b),
        out_(cell_.width(), c.hidden_size, false, b.scope("o")) {}
  State make_state() const { return RecurrentState(cell_.state()); }

  void forward(In in, View delta, const States<State>& states) const {
    const Frame& f = in.frame;
    const View all = f.step.arena.take_view(in.x.rows, in_.out()), o = f.step.arena.take_view(in.x.rows, cell_.width());
    in_.forward(in.x, all, f);
    const auto step = [&] {
      if constexpr (requires { cell_.scratch(); })
        return [this, scratch = f.step.arena.take<float>(cell_.scratch())](const float* x, float* s, float* y) {
          cell_.step(x, s, y, scratch.data());
        };
      else
        return [this](const float* x, float* s, float* y) { cell_.step(x, s, y); };
    }();
    for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
      const RowRange rows = f.tokens().sequences[s];
      const auto move = advance(states, s, rows.size(), cell_.state(), f.step.arena);
      std::copy_n(move.from, cell_.state(), move.to);
      for (index_t t = rows.begin; t < rows.end; ++t) step(all.row(t), move.to, o.row(t));
    }
    out_.forward(o, delta, f);
  }

 private:
  Cell cell_;
  Linear in_, out_;
};

namespace detail {

inline float dot(const float* a, const float* b, index_t n, index_t stride = 1) noexcept {
  float sum = 0;
  for (index_t i = 0; i < n; ++i) sum += a[i] * b[i * stride];
  return sum;
}

}  // namespace detail

struct CellSize {
  index_t hidden_size = 0, num_heads = 1, key_dim = 0, value_dim = 0;
};

/// h = (1 - z) h + z g(Wh x), z = sigmoid(Wz x); with two gates z = i / (f + i), f = sigmoid(Wf x), i = sigmoid(Wi x);
/// g(x) = x + 1/2 above 0, sigmoid(x) below                                                     minGRU and minLSTM, arXiv:2410.01201
/// Weights: `z`, `h` (n, d); or `f`, `i`, `h`.
struct MinimalCell {
  struct Config {
    index_t hidden_size = 0, size = 0;
    bool two_gates = false;
  };
  MinimalCell(const Config& c, const Build&) : n(c.size), two(c.two_gates) {}
  index_t state() const { return n; }
  index_t width() const { return n; }
  std::vector<LinearPart> parts() const {
    if (two) return {{"h", n}, {"f", n}, {"i", n}};
    return {{"h", n}, {"z", n}};
  }
  void step(const float* x, float* h, float* o) const {
    for (index_t j = 0; j < n; ++j) {
      const float first = sigmoid(x[n + j]), second = two ? sigmoid(x[2 * n + j]) : 0.0f;
      const float z = two ? second / (first + second) : first, keep = two ? first / (first + second) : 1 - first;
      o[j] = h[j] = keep * h[j] + z * (x[j] >= 0 ? x[j] + 0.5f : sigmoid(x[j]));
    }
  }
  index_t n;
  bool two;
};

/// z = sigmoid(az h + Wz x), r = sigmoid(ar h + Wr x), h = (1 - z) h + z tanh(ah (h r) + Wh x), by channel       ParaGRU, arXiv:2510.21450
/// Weights: `z`, `r`, `h` (n, d) with biases, `a_z`, `a_r`, `a_h` (n).
struct ParaGru {
  struct Config {
    index_t hidden_size = 0, size = 0;
  };
  ParaGru(const Config& c, const Build& b) : n(c.size), az(b.vector("a_z", n)), ar(b.vector("a_r", n)), ah(b.vector("a_h", n)) {}
  index_t state() const { return n; }
  index_t width() const { return n; }
  std::vector<LinearPart> parts() const { return {{"z", n, true}, {"r", n, true}, {"h", n, true}}; }
  void step(const float* x, float* h, float* o) const {
    for (index_t j = 0; j < n; ++j) {
      const float z = sigmoid(az[j] * h[j] + x[j]), r = sigmoid(ar[j] * h[j] + x[n + j]);
      o[j] = h[j] = (1 - z) * h[j] + z * std::tanh(ah[j] * (h[j] * r) + x[2 * n + j]);
    }
  }
  index_t n;
  std::vector<float> az, ar, ah;
};

/// (z, i, f, o) = W x + R h, R by blocks; m' = max(log sigmoid(f) + m, i), F = e^(log sigmoid(f) + m - m'), G = e^(i - m');
/// c = F c + G tanh(z), n = F n + G, h = sigmoid(o) c / n                                                  sLSTM, arXiv:2405.04517
/// Weights: `z`, `i`, `f`, `out` (n, d), `r_z`, `r_i`, `r_f`, `r_out` (n, n / blocks). State: c, n, m, h.
struct Slstm {
  struct Config {
    index_t hidden_size = 0, size = 0, blocks = 1;
  };
  Slstm(const Config& c, const Build& b) : n(c.size), block(c.blocks > 0 ? n / c.blocks : 0) {
    if (c.blocks < 1 || n % c.blocks != 0) fail(b.path("r_z"), concat("blocks that divide ", n), concat(c.blocks));
    for (const std::string_view name : {"r_z", "r_i", "r_f", "r_out"}) r.emplace_back(name, n, block, b);
  }
  index_t state() const { return 4 * n; }
  index_t width() const { return n; }
  std::vector<LinearPart> parts() const { return {{"z", n}, {"i", n}, {"f", n}, {"out", n}}; }
  void step(const float* x, float* c, float* o) const {
    float *const sum = c + n, *const m = c + 2 * n, *const h = c + 3 * n;
    for (index_t j = 0; j < n; ++j) {
      const float* const own = h + j / block * block;
      const float z = x[j] + r[0].dot(j, own), i = x[n + j] + r[1].dot(j, own), f = x[2 * n + j] + r[2].dot(j, own);
      const float kept = m[j] - softplus(-f);
      m[j] = std::max(kept, i);
      c[j] = std::exp(kept - m[j]) * c[j] + std::exp(i - m[j]) * std::tanh(z);
      sum[j] = std::exp(kept - m[j]) * sum[j] + std::exp(i - m[j]);
      o[j] = sigmoid(x[3 * n + j] + r[3].dot(j, own)) * c[j] / sum[j];
    }
    std::copy_n(o, n, h);
  }
  index_t n, block;
  std::vector<SmallMatrix> r;
};

/// S = Diag(w) S - (kappa * a) (kappa^T S) + k v^T, o = S^T r; w = sigmoid(Ww x), a = sigmoid(Wa x), kappa of length 1
///                                                                                                         RWKV-7, arXiv:2503.14456
/// Weights: `r`, `k`, `w`, `kappa`, `a` (h n, d), `v` (h p, d).
struct Rwkv7 : CellSize {
  using Config = CellSize;
  Rwkv7(const Config& c, const Build&) : CellSize(c) {}
  index_t state() const { return num_heads * key_dim * value_dim; }
  index_t width() const { return num_heads * value_dim; }
  std::vector<LinearPart> parts() const {
    const index_t n = num_heads * key_dim;
    return {{"r", n}, {"k", n}, {"w", n}, {"kappa", n}, {"a", n}, {"v", width()}};
  }
  void step(const float* x, float* state, float* o) const {
    const index_t all = num_heads * key_dim, p = value_dim;
    for (index_t h = 0; h < num_heads; ++h) {
      const float *const r = x + h * key_dim, *const kappa = r + 3 * all, *const v = x + 5 * all + h * p;
      float* const s = state + h * key_dim * p;
      const float length = std::sqrt(detail::dot(kappa, kappa, key_dim) + 1e-12f);
      for (index_t c = 0; c < p; ++c) {
        const float removed = detail::dot(kappa, s + c, key_dim, p) / length;
        for (index_t i = 0; i < key_dim; ++i) {
          const float at = kappa[i] / length * sigmoid(r[4 * all + i]);
          s[i * p + c] = sigmoid(r[2 * all + i]) * s[i * p + c] - at * removed + r[all + i] * v[c];
        }
        o[h * p + c] = detail::dot(r, s + c, key_dim, p);
      }
    }
  }
};

/// S = a S; S = S + k (b (v - S^T p))^T; o = S^T (q - d_h p) / sqrt(n): read by a key of its own, with a learned correction; a = sigmoid(Wa
/// x), b = sigmoid(Wb x)                                                                                    Comba, arXiv:2506.02475
/// Weights: `q`, `k`, `p` (h n, d), `v` (h p, d), `a`, `b` (h, d), `correction` (h).
struct Comba : CellSize {
  using Config = CellSize;
  Comba(const Config& c, const Build& b) : CellSize(c), correction(b.vector("correction", c.num_heads)) {}
  index_t state() const { return num_heads * key_dim * value_dim; }
  index_t width() const { return num_heads * value_dim; }
  std::vector<LinearPart> parts() const {
    const index_t n = num_heads * key_dim;
    return {{"q", n}, {"k", n}, {"p", n}, {"v", width()}, {"a", num_heads}, {"b", num_heads}};
  }
  void step(const float* x, float* state, float* o) const {
    const index_t n = key_dim, all = num_heads * n, p = value_dim;
    for (index_t h = 0; h < num_heads; ++h) {
      const float *const q = x + h * n, *const k = q + all, *const back = k + all, *const v = x + 3 * all + h * p;
      const float keep = sigmoid(x[3 * all + width() + h]), write = sigmoid(x[3 * all + width() + num_heads + h]);
      for (index_t c = 0; c < p; ++c) {
        float* const s = state + h * n * p + c;
        for (index_t i = 0; i < n; ++i) s[i * p] *= keep;
        const float error = write * (v[c] - detail::dot(back, s, n, p));
        for (index_t i = 0; i < n; ++i) s[i * p] += k[i] * error;
        o[h * p + c] = (detail::dot(q, s, n, p) - correction[h] * detail::dot(back, s, n, p)) / std::sqrt(static_cast<float>(n));
      }
    }
  }
  std::vector<float> correction;
};

/// S_c = (1 - e_c k * k) * S_c + e_c k v_c for each column c, e_c = b_c / (1 + b_c k . k), b = e^(Wb x); o = S^T q
///                                                                                                       Longhorn, arXiv:2407.14207
/// Weights: `q`, `k` (h n, d), `v`, `b` (h p, d).
struct Longhorn : CellSize {
  using Config = CellSize;
  Longhorn(const Config& c, const Build&) : CellSize(c) {}
  index_t state() const { return num_heads * key_dim * value_dim; }
  index_t width() const { return num_heads * value_dim; }
  std::vector<LinearPart> parts() const { return {{"q", num_heads * key_dim}, {"k", num_heads * key_dim}, {"v", width()}, {"b", width()}}; }
  void step(const float* x, float* state, float* o) const {
    const index_t n = key_dim, all = num_heads * n, p = value_dim;
    for (index_t c = 0; c < width(); ++c) {
      const float *const q = x + c / p * n, *const k = q + all, v = x[2 * all + c], b = std::exp(x[2 * all + width() + c]);
      const float e = b / (1 + b * detail::dot(k, k, n));
      float* const s = state + c * n;
      for (index_t i = 0; i < n; ++i) s[i] = (1 - e * k[i] * k[i]) * s[i] + e * k[i] * v;
      o[c] = detail::dot(q, s, n);
    }
  }
};

/// Z = eta Z - 2 theta k (M^T k - v)^T, M = (1 - alpha) M + Z, o = M^T q; the gates are sigmoids of Wx        Titans, arXiv:2501.00663
/// Weights: `q`, `k` (h n, d), `v` (h p, d), `eta`, `theta`, `alpha` (h, d). State: M, then Z, column by column.
struct TitansMemory : CellSize {
  using Config = CellSize;
  TitansMemory(const Config& c, const Build&) : CellSize(c) {}
  index_t state() const { return 2 * num_heads * key_dim * value_dim; }
  index_t width() const { return num_heads * value_dim; }
  std::vector<LinearPart> parts() const {
    const index_t n = num_heads * key_dim;
    return {{"q", n}, {"k", n}, {"v", width()}, {"eta", num_heads}, {"theta", num_heads}, {"alpha", num_heads}};
  }
  void step(const float* x, float* state, float* o) const {
    const index_t n = key_dim, all = num_heads * n;
    for (index_t c = 0; c < width(); ++c) {
      const float *const q = x + c / value_dim * n, *const k = q + all, *const gate = x + 2 * all + width() + c / value_dim;
      const float eta = sigmoid(gate[0]), theta = sigmoid(gate[num_heads]), alpha = sigmoid(gate[2 * num_heads]);
      float *const m = state + c * n, *const z = m + width() * n;
      const float error = detail::dot(m, k, n) - x[2 * all + c];
      for (index_t i = 0; i < n; ++i) {
        z[i] = eta * z[i] - 2 * theta * k[i] * error;
        m[i] = (1 - alpha) * m[i] + z[i];
      }
      o[c] = detail::dot(m, q, n);
    }
  }
};

/// m slots by head: K = K * f + k (1 - f)^T, V = Diag(f) V + (1 - f) v^T, o = softmax(q K / sqrt(n)) V, f = sigmoid(Wf x)
///                                                                                            gated slot attention, arXiv:2409.07146
/// Weights: `q`, `k` (h n, d), `v` (h p, d), `f` (h slots, d).
struct GatedSlots {
  struct Config {
    index_t hidden_size = 0, num_heads = 1, key_dim = 0, value_dim = 0, slots = 0;
  };
  GatedSlots(const Config& c, const Build&) : c(c) {}
  index_t state() const { return c.num_heads * c.slots * (c.key_dim + c.value_dim); }
  index_t width() const { return c.num_heads * c.value_dim; }
  std::vector<LinearPart> parts() const {
    return {{"q", c.num_heads * c.key_dim}, {"k", c.num_heads * c.key_dim}, {"v", width()}, {"f", c.num_heads * c.slots}};
  }
  void step(const float* x, float* state, float* o) const {
    const index_t n = c.key_dim, p = c.value_dim, all = c.num_heads * n;
    std::fill_n(o, width(), 0.0f);
    for (index_t h = 0; h < c.num_heads; ++h) {
      const float *const q = x + h * n, *const v = x + 2 * all + h * p, *const gate = x + 2 * all + width() + h * c.slots;
      float most = -INFINITY, total = 0;
      for (index_t j = 0; j < c.slots; ++j) {  // a slot: its key, then its value
        float* const slot = state + (h * c.slots + j) * (n + p);
        const float f = sigmoid(gate[j]);
        for (index_t i = 0; i < n; ++i) slot[i] = f * slot[i] + (1 - f) * q[all + i];
        for (index_t i = 0; i < p; ++i) slot[n + i] = f * slot[n + i] + (1 - f) * v[i];
        const float score = detail::dot(q, slot, n) / std::sqrt(static_cast<float>(n)), higher = std::max(most, score);
        const float past = std::exp(most - higher), weight = std::exp(score - higher);
        for (index_t i = 0; i < p; ++i) o[h * p + i] = past * o[h * p + i] + weight * slot[n + i];
        total = past * total + weight;
        most = higher;
      }
      for (index_t i = 0; i < p; ++i) o[h * p + i] /= total;
    }
  }
  Config c;
};

/// S = Diag(a) S + k v^T with complex a = sigmoid(Wm x) e^(i Wp x), o = Re(S^T q)                           GateLoop, arXiv:2311.01927
/// Weights: `q`, `k`, `magnitude`, `phase` (h n, d), `v` (h p, d). State: real parts, then imaginary ones.
struct GateLoop : CellSize {
  using Config = CellSize;
  GateLoop(const Config& c, const Build&) : CellSize(c) {}
  index_t state() const { return 2 * num_heads * key_dim * value_dim; }
  index_t width() const { return num_heads * value_dim; }
  std::vector<LinearPart> parts() const {
    const index_t n = num_heads * key_dim;
    return {{"q", n}, {"k", n}, {"magnitude", n}, {"phase", n}, {"v", width()}};
  }
  void step(const float* x, float* state, float* o) const {
    const index_t all = num_heads * key_dim, p = value_dim;
    std::fill_n(o, width(), 0.0f);
    for (index_t i = 0; i < all; ++i) {
      const float size = sigmoid(x[2 * all + i]), re = size * std::cos(x[3 * all + i]), im = size * std::sin(x[3 * all + i]);
      float *const s = state + i * p, *const t = s + all * p;
      for (index_t c = 0, column = i / key_dim * p; c < p; ++c, ++column) {
        const float real = re * s[c] - im * t[c] + x[all + i] * x[4 * all + column];
        t[c] = re * t[c] + im * s[c];
        s[c] = real;
        o[column] += x[i] * real;
      }
    }
  }
};

}  // namespace hw
