#pragma once
// Projections of papers: where queries, keys and values come from, and what becomes of the heads' outputs before Wo. A template takes the
// projection that it changes: Attention<Causal, GatedHeads<QkvProjection>>. Not in the umbrella header.

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "headwise/flow/recurrent_state.hpp"
#include "headwise/layers/gate_rows.hpp"
#include "headwise/layers/small_matrix.hpp"
#include "headwise/mixers/attention/attention.hpp"

namespace hw {

/// Wo gets norm(heads), of all heads of a token together: ReLA's norm, arXiv:2104.07012; Sub-LN, arXiv:2210.06423
/// Weights: P's, the norm's in scope `head_norm`.
template <class P, Norm N>
struct NormedHeads : P {
  struct Config : P::Config {
    typename N::Config head_norm{};
  };
  NormedHeads(const Config& c, const Build& b) : P(c, b), norm(c.head_norm, b.scope("head_norm")) {}
  View emit(In in, const Qkv&, View heads) const {
    norm.forward(heads, heads, in.frame);
    return heads;
  }
  N norm;
};

/// Wo gets heads * sigmoid(Wg x + bg), element by element                                   Gated attention, arXiv:2505.06708
/// Weights: P's, `gate` (h v, d), with a bias where P's config says so.
template <class P>
struct GatedHeads : P {
  using Config = typename P::Config;
  GatedHeads(const Config& c, const Build& b)
      : P(c, b), gate(c.hidden_size, this->heads() * this->layout().value_dim, c.bias, b.scope("gate")) {}
  View emit(In in, const Qkv&, View heads) const {
    const Step& step = in.frame.step;
    const View g = step.arena.take_view(heads.rows, heads.cols);
    gate.forward(in.x, g, in.frame);
    gate_rows(step, Activation::sigmoid, g, heads, heads);
    return heads;
  }
  Linear gate;
};

/// Wo gets head_h * sigmoid(g_h . x), or, where P has an `emit`, what that made of head_h      Gated attention, arXiv:2505.06708
/// Weights: P's, `gate` (h, d).
template <class P>
struct GatedWholeHeads : P {
  using Config = typename P::Config;
  GatedWholeHeads(const Config& c, const Build& b) : P(c, b), gate(c.hidden_size, this->heads(), false, b.scope("gate")) {}
  View emit(In in, const Qkv& qkv, View heads) const {
    if constexpr (requires { P::emit(in, qkv, heads); }) heads = P::emit(in, qkv, heads);
    const Step& step = in.frame.step;
    const View g = step.arena.take_view(heads.rows, gate.out());
    const index_t n = heads.cols / g.cols;
    gate.forward(in.x, g, in.frame);
    step.parallel_rows(g.rows, heads.cols + 8 * g.cols, [&](index_t begin, index_t end) {
      step.kernels.elementwise.activate(Activation::sigmoid, g.row(begin), g.stride, end - begin, g.cols, g.row(begin), g.stride);
      for (index_t t = begin; t < end; ++t)
        for (index_t h = 0; h < g.cols; ++h)
          step.kernels.elementwise.scale(heads.row(t) + h * n, n, g(t, h), 1, n, heads.row(t) + h * n, n);
    });
    return heads;
  }
  Linear gate;
};

/// Wo gets head_h * sigmoid(w2_h relu(W1_h x_h + b1_h) + b2_h), or, with 0 units, sigmoid(w2_h x_h + b2_h): each head looks at its own
/// slice x_h of the input                                                  Quantizable transformers' gated attention, arXiv:2306.12929
/// Weights: P's, `gate.up` (h n, k), `gate.up_bias` (h n), `gate.down` (h, n or k), `gate.down_bias` (h).
template <class P>
struct SliceGatedHeads : P {
  struct Config : P::Config {
    index_t gate_units = 4;
  };
  SliceGatedHeads(const Config& c, const Build& b)
      : P(c, b), units(c.gate_units), down("gate.down", c.num_attention_heads, units > 0 ? units : c.head_dim, b) {
    if (units > 0) up = {"gate.up", c.num_attention_heads * units, c.head_dim, b}, up_bias = b.vector("gate.up_bias", up.rows);
    down_bias = b.vector("gate.down_bias", c.num_attention_heads);
  }
  View emit(In in, const Qkv&, View heads) const {
    const index_t n = this->layout().value_dim;
    for (index_t t = 0; t < heads.rows; ++t)
      for (index_t h = 0; h < this->heads(); ++h) {
        const float* x = in.x.row(t) + h * n;
        float z = down_bias[static_cast<std::size_t>(h)] + (units > 0 ? 0 : down.dot(h, x));
        for (index_t u = h * units; u < (h + 1) * units; ++u)
          z += down(h, u - h * units) * std::max(up.dot(u, x) + up_bias[static_cast<std::size_t>(u)], 0.0f);
        for (index_t i = h * n; i < (h + 1) * n; ++i) heads(t, i) /= 1 + std::exp(-z);
      }
    return heads;
  }
  index_t units;
  SmallMatrix up, down;
  std::vector<float> up_bias, down_bias;
};

/// o_h = (softmax(q1 k1) - lambda softmax(q2 k2)) v;  Wo gets (1 - l) RMSNorm(o_h),  lambda = exp(lq1 . lk1) - exp(lq2 . lk2) + l
///                                                                                          Differential transformer, arXiv:2410.05258
/// l = 0.8 - 0.6 exp(-0.3 layer). Rows of q and k: for each head the first half, the second half; the two are heads of the kernel, and each
/// has the values of both. Weights: `q`, `k`, `v` (2 h k, d); `lambda_q1`, `lambda_k1`, `lambda_q2`, `lambda_k2` (k); `head_norm` (2 k).
struct DifferentialProjection {
  struct Config {
    index_t hidden_size = 0, num_attention_heads = 0, head_dim = 0, layer = 0;
  };
  DifferentialProjection(const Config& c, const Build& b)
      : config(c), width(2 * c.num_attention_heads * c.head_dim), qkv(c.hidden_size, {{"q", width}, {"k", width}, {"v", width}}, b) {
    const auto exp_dot = [&](const char* q, const char* k) {
      const auto a = b.vector(q, c.head_dim), z = b.vector(k, c.head_dim);
      return std::exp(std::inner_product(a.begin(), a.end(), z.begin(), 0.0f));
    };
    const float initial = 0.8f - 0.6f * std::exp(-0.3f * static_cast<float>(c.layer));
    lambda = exp_dot("lambda_q1", "lambda_k1") - exp_dot("lambda_q2", "lambda_k2") + initial;
    gain = b.vector("head_norm", 2 * c.head_dim);
    for (float& g : gain) g *= 1 - initial;
  }
  index_t heads() const noexcept { return 2 * config.num_attention_heads; }
  kernels::KvLayout layout() const noexcept { return {heads(), config.head_dim, 2 * config.head_dim}; }
  index_t emitted() const noexcept { return width; }
  void project(In in, Qkv& o) const {
    const View all = in.frame.step.arena.take_view(in.x.rows, 3 * width), v = in.frame.step.arena.take_view(in.x.rows, 2 * width);
    qkv.forward(in.x, all, in.frame);
    for (index_t t = 0, n = 2 * config.head_dim; t < v.rows; ++t)
      for (index_t h = 0; h < heads(); ++h) std::copy_n(all.row(t) + 2 * width + h / 2 * n, n, v.row(t) + h * n);
    o = {all.col_range(0, width), all.col_range(width, 2 * width), v};
  }
  View emit(In in, const Qkv&, View heads) const {
    for (index_t t = 0, n = 2 * config.head_dim; t < heads.rows; ++t)
      for (index_t h = 0; h < config.num_attention_heads; ++h) {
        float *to = heads.row(t) + h * n, *first = heads.row(t) + 2 * h * n;
        for (index_t i = 0; i < n; ++i) to[i] = first[i] - lambda * first[n + i];
        in.frame.step.kernels.elementwise.rms_norm(to, n, 1, n, gain.data(), 1e-5f, to, n);
      }
    return heads.col_range(0, width);
  }
  Config config;
  index_t width;
  Linear qkv;
  float lambda = 0;
  std::vector<float> gain;
};

/// q = exp(min(log_tau_h, ln 100)) q / |q|, k = k / |k|; the attention's scale is 1         Cosine attention, arXiv:2010.04245, 2111.09883
/// Weights: P's, `log_tau` (h).
template <class P>
struct CosineProjection : P {
  using Config = typename P::Config;
  CosineProjection(const Config& c, const Build& b) : P(c, b), tau(b.vector("log_tau", c.num_attention_heads)) {
    for (float& t : tau) t = std::exp(std::min(t, std::log(100.0f)));
  }
  void project(In in, Qkv& o) const {
    P::project(in, o);
    const auto& kernels = in.frame.step.kernels.elementwise;
    const index_t n = this->layout().key_dim;
    for (const View& x : {o.q, o.k})
      for (index_t at = 0; at < x.cols; at += n) kernels.l2_normalise(x.data + at, x.stride, x.rows, n, 1e-12f, x.data + at, x.stride);
    for (index_t h = 0; h < this->heads(); ++h) {
      const View q = o.q.col_range(h * n, (h + 1) * n);
      kernels.scale(q.data, q.stride, tau[static_cast<std::size_t>(h)], q.rows, n, q.data, q.stride);
    }
  }
  std::vector<float> tau;
};

/// Q = A_q^T B_q / r_q, and K, V likewise: each token's heads are a product of two small matrices           TPA, arXiv:2501.06425
/// B_q and B_k are rotated. Weights: `a_q` (r_q h, d), `b_q` (r_q k, d), and of k, v. K and V are cached whole.
struct TensorProductProjection {
  struct Config {
    index_t hidden_size = 0, num_attention_heads = 0, head_dim = 0, q_rank = 0, k_rank = 0, v_rank = 0;
    RotaryConfig rotary{};
  };
  TensorProductProjection(const Config& c, const Build& b)
      : config(c),
        angles(rotary_stream(c.rotary, b)),
        factors(c.hidden_size, parts({c.q_rank, c.k_rank, c.v_rank}, c.num_attention_heads, c.head_dim), b) {}
  static std::vector<LinearPart> parts(const std::array<index_t, 3>& r, index_t h, index_t n) {
    return {{"a_q", r[0] * h}, {"b_q", r[0] * n}, {"a_k", r[1] * h}, {"b_k", r[1] * n}, {"a_v", r[2] * h}, {"b_v", r[2] * n}};
  }
  index_t heads() const noexcept { return config.num_attention_heads; }
  kernels::KvLayout layout() const noexcept { return {heads(), config.head_dim, config.head_dim}; }
  void project(In in, Qkv& o) const {
    const Step& step = in.frame.step;
    const index_t n = config.head_dim, width = heads() * n, ranks[] = {config.q_rank, config.k_rank, config.v_rank};
    const View all = step.arena.take_view(in.x.rows, factors.out()), out = step.arena.take_view(in.x.rows, 3 * width);
    factors.forward(in.x, all, in.frame);
    o = {out.col_range(0, width), out.col_range(width, 2 * width), out.col_range(2 * width, 3 * width)};
    for (index_t p = 0, column = 0; p < 3; column += ranks[p++] * (heads() + n)) {
      float *a = all.data + column, *b = a + ranks[p] * heads();
      const View f = in.frame.at(angles);
      const auto rope = step.kernels.elementwise.rope;
      if (p < 2) rope(b, all.stride, all.rows, ranks[p], n, f.data, f.data + n / 2, f.stride, n / 2, config.rotary.pairs);
      for (index_t t = 0; t < all.rows; ++t)
        for (index_t i = 0; i < width; ++i) {
          float sum = 0;
          for (index_t r = 0; r < ranks[p]; ++r) sum += a[t * all.stride + r * heads() + i / n] * b[t * all.stride + r * n + i % n];
          out(t, p * width + i) = sum / static_cast<float>(ranks[p]);
        }
    }
  }
  Config config;
  Slot angles;
  Linear factors;
};

/// v = own Wv x + first v_1, where v_1 are the values of the first layer: ResFormer; own = 0: SVFormer     arXiv:2410.17897
/// The first layer keeps its values under `stream`, which is as wide as they are. Weights: `q`, `k`, and `v` where own is not 0.
struct ValueResidualProjection {
  struct Config {
    index_t hidden_size = 0, num_attention_heads = 0, head_dim = 0;
    bool is_first = false;
    float own = 1, first = 0;
  };
  ValueResidualProjection(const Config& c, const Build& b)
      : config(c),
        width(c.num_attention_heads * c.head_dim),
        first(b.step_stream("first layer's values", width, [](const TokenSet&, View) {})),
        qk(c.hidden_size, {{"q", width}, {"k", width}}, b) {
    if (c.own != 0) v = Linear(c.hidden_size, width, false, b.scope("v"));
  }
  index_t heads() const noexcept { return config.num_attention_heads; }
  kernels::KvLayout layout() const noexcept { return {heads(), config.head_dim, config.head_dim}; }
  void project(In in, Qkv& o) const {
    const View all = in.frame.step.arena.take_view(in.x.rows, 3 * width), kept = in.frame.at(first);
    o = {all.col_range(0, width), all.col_range(width, 2 * width), all.col_range(2 * width, 3 * width)};
    qk.forward(in.x, all.col_range(0, 2 * width), in.frame);
    if (config.own != 0) v.forward(in.x, o.v, in.frame);
    for (index_t t = 0; t < all.rows; ++t)
      for (index_t i = 0; i < width; ++i) {
        if (config.is_first)
          kept(t, i) = o.v(t, i);
        else
          o.v(t, i) = (config.own != 0 ? config.own * o.v(t, i) : 0) + config.first * kept(t, i);
      }
  }
  Config config;
  index_t width;
  Slot first;
  Linear qk, v;
};

/// s_ij + alpha_h <x_i, x_j>, and y + sum_h beta_h a_h x: symbols by their identity                             arXiv:2310.09753
/// Behind k and v the rows themselves are cached. Wo gets the heads, and sum_h beta_h a_h x behind them: its last d columns are 1.
/// Weights: P's, `alpha`, `beta` (h).
template <class P>
struct SymbolProjection : P {
  using Config = typename P::Config;
  SymbolProjection(const Config& c, const Build& b)
      : P(c, b),
        d(c.hidden_size),
        n(c.head_dim),
        alpha(b.vector("alpha", c.num_attention_heads)),
        beta(b.vector("beta", c.num_attention_heads)) {}
  kernels::KvLayout layout() const noexcept { return {this->heads(), n + d, n + d}; }
  index_t emitted() const noexcept { return this->heads() * n + d; }
  void project(In in, Qkv& o) const {
    Qkv own;
    P::project(in, own);
    const float scale = std::sqrt(static_cast<float>(n));  // of the attention: 1 / sqrt(n)
    View* const to[] = {&o.q, &o.k, &o.v};
    const View from[] = {own.q, own.k, own.v};
    for (int p = 0; p < 3; ++p) {
      *to[p] = in.frame.step.arena.take_view(in.x.rows, this->heads() * (n + d));
      for (index_t t = 0; t < in.x.rows; ++t)
        for (index_t h = 0; h < this->heads(); ++h) {
          float* const row = to[p]->row(t) + h * (n + d);
          std::copy_n(from[p].row(t) + h * n, n, row);
          for (index_t i = 0; i < d; ++i) row[n + i] = in.x(t, i) * (p == 0 ? alpha[static_cast<std::size_t>(h)] * scale : 1);
        }
    }
  }
  View emit(In in, const Qkv&, View heads) const {
    const View out = in.frame.step.arena.take_view(heads.rows, emitted());
    for (index_t t = 0; t < out.rows; ++t) {
      std::fill_n(out.row(t), out.cols, 0.0f);
      for (index_t h = 0; h < this->heads(); ++h) {
        std::copy_n(heads.row(t) + h * (n + d), n, out.row(t) + h * n);
        for (index_t i = 0; i < d; ++i) out(t, this->heads() * n + i) += beta[static_cast<std::size_t>(h)] * heads(t, h * (n + d) + n + i);
      }
    }
    return out;
  }
  index_t d, n;
  std::vector<float> alpha, beta;
};

/// s_ij + sum_{l = j+1..i} log sigmoid(w_f x_l + b_f), a running sum c: c_i is the same for all keys, -c_j is a column of k
///                                                                                   Forgetting transformer, arXiv:2503.02130
/// Weights: P's, `forget` (h, d) with a bias. State: c. The attention's scale is 1 / sqrt(k), k without the column.
template <class P>
struct ForgettingProjection : P {
  using Config = typename P::Config;
  using State = RecurrentState;
  ForgettingProjection(const Config& c, const Build& b)
      : P(c, b), n(c.head_dim), forget(c.hidden_size, c.num_attention_heads, true, b.scope("forget")) {}
  State make_state() const { return State(this->heads()); }
  kernels::KvLayout layout() const noexcept { return {this->heads(), n + 1, n}; }
  void project(In in, Qkv& o, const States<State>& states) const {
    const Frame& f = in.frame;
    const index_t heads = this->heads();
    P::project(in, o);
    const View gates = f.step.arena.take_view(in.x.rows, heads), q = f.step.arena.take_view(in.x.rows, heads * (n + 1)),
               k = f.step.arena.take_view(in.x.rows, heads * (n + 1));
    forget.forward(in.x, gates, f);
    for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
      const RowRange rows = f.tokens().sequences[s];
      const auto [from, to] = advance(states, s, rows.size(), heads, f.step.arena);
      for (index_t h = 0; h < heads; ++h) {
        float sum = from[h];
        for (index_t t = rows.begin; t < rows.end; ++t) {
          sum -= std::log1p(std::exp(-gates(t, h)));
          std::copy_n(o.q.row(t) + h * n, n, q.row(t) + h * (n + 1));
          std::copy_n(o.k.row(t) + h * n, n, k.row(t) + h * (n + 1));
          q(t, h * (n + 1) + n) = std::sqrt(static_cast<float>(n));
          k(t, h * (n + 1) + n) = -sum;
        }
        to[h] = sum;
      }
    }
    o.q = q, o.k = k;
  }
  index_t n;
  Linear forget;
};

/// q is one learned row for all tokens, so attention is a recurrence over (max, sum, weighted sum)           Aaren, arXiv:2405.13956
/// Weights: P's, `query` (h k), already projected, in place of `q`.
template <class P>
struct LearnedQuery : P {
  using Config = typename P::Config;
  LearnedQuery(const Config& c, const Build& b) : P(c, b), query(b.vector("query", c.num_attention_heads * c.head_dim)) {}
  void project(In in, Qkv& o) const {
    P::project(in, o);
    for (index_t t = 0; t < o.q.rows; ++t) std::copy(query.begin(), query.end(), o.q.row(t));
  }
  std::vector<float> query;
};

/// Wo gets h / (h - 1) (1 - g_h) head_h, g = softmax(W2 relu(W1 mean(x) + b1) + b2): a mixture of all choices to leave out one head, or,
/// `best`, the likeliest alone                                                               MAE, arXiv:2005.06537
/// Weights: P's, `gate.up` (n, d), `gate.down` (h, n), with biases. With Full: the mean is over the sequence.
template <class P>
struct LeaveOneHeadOut : P {
  struct Config : P::Config {
    index_t gate_units = 0;
    bool best = false;
  };
  LeaveOneHeadOut(const Config& c, const Build& b)
      : P(c, b),
        best(c.best),
        up(c.hidden_size, c.gate_units, true, b.scope("gate.up")),
        down(c.gate_units, c.num_attention_heads, true, b.scope("gate.down")) {}
  View emit(In in, const Qkv&, View heads) const {
    const Step& step = in.frame.step;
    const auto& kernels = step.kernels.elementwise;
    const auto sequences = in.frame.tokens().sequences;
    const auto count = static_cast<index_t>(sequences.size()), n = this->layout().value_dim, all = this->heads();
    const View mean = step.arena.take_view(count, in.x.cols), hidden = step.arena.take_view(count, up.out()),
               gate = step.arena.take_view(count, all);
    for (index_t s = 0; s < count; ++s) {
      const RowRange rows = sequences[static_cast<std::size_t>(s)];
      kernels.mean_rows(in.x.row(rows.begin), in.x.stride, rows.size(), in.x.cols, mean.row(s));
    }
    up.forward(mean, hidden, in.frame);
    kernels.activate(Activation::relu, hidden.data, hidden.stride, count, hidden.cols, hidden.data, hidden.stride);
    down.forward(hidden, gate, in.frame);
    kernels.softmax(gate.data, gate.stride, count, all, gate.data, gate.stride);
    for (index_t s = 0; s < count; ++s)
      for (index_t h = 0, most = std::max_element(gate.row(s), gate.row(s) + all) - gate.row(s); h < all; ++h) {
        const float left_out = best ? static_cast<float>(h == most) : gate(s, h),
                    factor = static_cast<float>(all) / static_cast<float>(all - 1);
        for (index_t t = sequences[static_cast<std::size_t>(s)].begin; t < sequences[static_cast<std::size_t>(s)].end; ++t)
          for (index_t i = h * n; i < (h + 1) * n; ++i) heads(t, i) *= factor * (1 - left_out);
      }
    return heads;
  }
  bool best;
  Linear up, down;
};

}  // namespace hw
