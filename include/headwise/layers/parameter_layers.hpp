#pragma once
// Layers of papers that look up or attend to parameters: row by row, in the place of an Mlp. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "headwise/layers/linear.hpp"
#include "headwise/layers/norms.hpp"
#include "headwise/layers/small_matrix.hpp"

namespace hw {

/// y = gelu(a sqrt(n) / |a|) V,  a = K x: attention to n parameter tokens (Pattention)                      TokenFormer, arXiv:2410.23168
/// Weights: `key` (n, d), `value` (out, n): V transposed.
struct ParameterAttention {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, tokens = 0, out = 0;
  };
  ParameterAttention(const Config& c, const Build& b)
      : key(c.hidden_size, c.tokens, false, b.scope("key")), value(c.tokens, c.out, false, b.scope("value")) {}
  void forward(In in, View delta) const {
    const auto& kernels = in.frame.step.kernels.elementwise;
    const View a = in.frame.step.arena.take_view(in.x.rows, key.out());
    key.forward(in.x, a, in.frame);
    kernels.l2_normalise(a.data, a.stride, a.rows, a.cols, 1e-30f, a.data, a.stride);
    kernels.scale(a.data, a.stride, std::sqrt(static_cast<float>(a.cols)), a.rows, a.cols, a.data, a.stride);
    kernels.activate(Activation::gelu, a.data, a.stride, a.rows, a.cols, a.data, a.stride);
    value.forward(a, delta, in.frame);
  }
  Linear key, value;
};

/// y = relu(Q K^T / sqrt(k) + b) V + c with Q = Wq x and K = E Wk^T, V = E Wv^T, b = E Wb^T of a knowledge base E   arXiv:2501.00823
/// Layers that share E name the same tensor. K, V and b are computed at load. Weights: `base` E (m, e), `q` (k, d), `k` (k, e), `v` (d, e),
/// `threshold` (1, e), `bias` c (d).
struct KnowledgeAttention {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, entries = 0, entry_size = 0, key_size = 0;
  };
  KnowledgeAttention(const Config& c, const Build& b)
      : query(c.hidden_size, c.key_size, false, b.scope("q")), bias(b.vector("bias", c.hidden_size)) {
    const SmallMatrix base("base", c.entries, c.entry_size, b), k("k.weight", c.key_size, c.entry_size, b),
        v("v.weight", c.hidden_size, c.entry_size, b), t("threshold", 1, c.entry_size, b);
    const auto times = [&](const SmallMatrix& w) {  // E W^T
      SmallMatrix out;
      out.rows = base.rows, out.cols = w.rows;
      for (index_t i = 0; i < base.rows * w.rows; ++i) out.values.push_back(w.dot(i % w.rows, base.row(i / w.rows)));
      return out;
    };
    keys = times(k), values = times(v), thresholds = times(t).values;
  }
  void forward(In in, View delta) const {
    const View q = in.frame.step.arena.take_view(in.x.rows, keys.cols);
    query.forward(in.x, q, in.frame);
    for (index_t t = 0; t < q.rows; ++t) {
      std::copy(bias.begin(), bias.end(), delta.row(t));
      for (index_t e = 0; e < keys.rows; ++e) {
        const float a = keys.dot(e, q.row(t)) / std::sqrt(static_cast<float>(keys.cols)) + thresholds[static_cast<std::size_t>(e)];
        for (index_t i = 0; i < values.cols && a > 0; ++i) delta(t, i) += a * values(e, i);
      }
    }
  }
  Linear query;
  SmallMatrix keys, values;
  std::vector<float> thresholds, bias;
};

/// y = sum_k p_k T_k[h_k] + b: chunk k of x is hashed by its signs, p_k = 1 / prod_i (1 + e^(-2 |x_ki|))   MemoryFormer, arXiv:2411.12992
/// `first_is_high`: element 0 is the most significant bit, and p_k times sum_i |x_ki|, as in the released code.
/// Weights: `tables` (chunks 2^size, out), `bias` (out).
struct HashedTables {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t chunks = 0, chunk_size = 0, out = 0;
    bool first_is_high = false;
  };
  HashedTables(const Config& c, const Build& b)
      : config(c), tables("tables", c.chunks << c.chunk_size, c.out, b), bias(b.vector("bias", c.out)) {}
  struct Entry {
    index_t row = 0;
    float weight = 0;
  };
  Entry look_up(const float* x) const {
    Entry out;
    float product = 1, sum = 0;
    for (index_t i = 0; i < config.chunk_size; ++i) {
      if (x[i] >= 0) out.row |= index_t{1} << (config.first_is_high ? config.chunk_size - 1 - i : i);
      product *= 1 + std::exp(-2 * std::abs(x[i]));
      sum += std::abs(x[i]);
    }
    out.weight = (config.first_is_high ? sum : 1) / product;
    return out;
  }
  void forward(In in, View delta) const {
    for (index_t t = 0; t < delta.rows; ++t) {
      std::copy(bias.begin(), bias.end(), delta.row(t));
      for (index_t k = 0; k < config.chunks; ++k) {
        const Entry e = look_up(in.x.row(t) + k * config.chunk_size);
        for (index_t i = 0; i < config.out; ++i) delta(t, i) += e.weight * tables((k << config.chunk_size) + e.row, i);
      }
    }
  }
  Config config;
  SmallMatrix tables;
  std::vector<float> bias;
};

/// y = the mean of the `nearest` codes c that are most like norm(x): by x . c / |c|, by x . c, or by |x - c|   Codebook features,
/// arXiv:2310.17230 Weights: `codes` (n, d), the norm's in `norm`.
template <Norm N>
struct Codebook {
  enum class Likeness : std::uint8_t { cosine, dot, distance };
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "codebook";
  struct Config {
    index_t size = 0, codes = 0, nearest = 1;
    Likeness likeness = Likeness::cosine;
    typename N::Config norm{};
  };
  Codebook(const Config& c, const Build& b) : config(c), norm(c.norm, b.scope("norm")), codes("codes", c.codes, c.size, b) {}
  float likeness(index_t code, const float* x) const noexcept {
    const float dot = codes.dot(code, x), squares = codes.dot(code, codes.row(code));
    if (config.likeness == Likeness::distance) return 2 * dot - squares;  // -|x - c|^2 without |x|^2
    return config.likeness == Likeness::dot ? dot : dot / std::sqrt(squares);
  }
  /// The codes, best first.
  void choose(const float* x, index_t* out) const noexcept {
    for (index_t n = 0; n < config.nearest; ++n) {
      out[n] = -1;
      for (index_t c = 0; c < codes.rows; ++c)
        if (std::find(out, out + n, c) == out + n && (out[n] < 0 || likeness(c, x) > likeness(out[n], x))) out[n] = c;
    }
  }
  void forward(In in, View delta) const {
    norm.forward(in.x, delta, in.frame);
    const auto chosen = in.frame.step.arena.take<index_t>(config.nearest);
    for (index_t t = 0; t < delta.rows; ++t) {
      choose(delta.row(t), chosen.data());
      std::fill_n(delta.row(t), delta.cols, 0.0f);
      for (const index_t c : chosen)
        for (index_t i = 0; i < delta.cols; ++i) delta(t, i) += codes(c, i) / static_cast<float>(config.nearest);
    }
  }
  Config config;
  N norm;
  SmallMatrix codes;
};

/// y = U V x: a matrix as a product of two                                                 LowRank; DSFormer where V is sparse
/// Weights: `v` (r, d), `u` (out, r).
struct LowRank {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "linear";
  struct Config {
    index_t in = 0, rank = 0, out = 0;
  };
  LowRank(const Config& c, const Build& b) : v(c.in, c.rank, false, b.scope("v")), u(c.rank, c.out, false, b.scope("u")) {}
  void forward(In in, View delta) const {
    const View z = in.frame.step.arena.take_view(in.x.rows, v.out());
    v.forward(in.x, z, in.frame);
    u.forward(z, delta, in.frame);
  }
  Linear v, u;
};

/// z_b = V_b x_b for each of the blocks of x, side by side; y = U z (BlockDense), or, where `shuffle`, the numbers of z are dealt out to
/// `blocks` hands, w_l[m] = z[blocks m + l], and y[blocks o + l] = (U_l w_l)[o] (BlockShuffle, Monarch)           arXiv:2406.16450
/// Weights: `v` (blocks r, d / blocks); `u` (out, blocks r), or, shuffled, (out, r): U_l one after the other.
struct BlockLinear {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "linear";
  struct Config {
    index_t in = 0, blocks = 1, rank = 0, out = 0;
    bool shuffle = false;
  };
  BlockLinear(const Config& c, const Build& b)
      : config(c), v("v", c.blocks * c.rank, c.in / c.blocks, b), u("u", c.out, c.shuffle ? c.rank : c.blocks * c.rank, b) {}
  void forward(In in, View delta) const {
    const index_t k = config.blocks, n = config.out / k;
    const auto z = in.frame.step.arena.take<float>(v.rows);
    for (index_t t = 0; t < delta.rows; ++t) {
      for (index_t r = 0; r < v.rows; ++r) z[static_cast<std::size_t>(r)] = v.dot(r, in.x.row(t) + r / config.rank * v.cols);
      for (index_t o = 0; o < config.out; ++o)
        delta(t, config.shuffle ? o % n * k + o / n : o) = config.shuffle ? u.dot(o, z.data() + o / n, k) : u.dot(o, z.data());
    }
  }
  Config config;
  SmallMatrix v, u;
};

/// y = Wo z_2,  z_0 = P x (wide, random, fixed),  z <- z + C_l gelu(A_l z): narrow within wide            Hourglass MLP, arXiv:2510.01796
/// Weights: `project` (w, d), `<l>.up` (n, w), `<l>.down` (w, n), `out` (d, w).
struct Hourglass {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, wide = 0, narrow = 0, layers = 1;
  };
  Hourglass(const Config& c, const Build& b)
      : project(c.hidden_size, c.wide, false, b.scope("project")), out(c.wide, c.hidden_size, false, b.scope("out")) {
    for (index_t l = 0; l < c.layers; ++l) {
      up.emplace_back(c.wide, c.narrow, false, b.scope(concat(l, ".up")));
      down.emplace_back(c.narrow, c.wide, false, b.scope(concat(l, ".down")));
    }
  }
  void forward(In in, View delta) const {
    const auto& kernels = in.frame.step.kernels.elementwise;
    Arena& arena = in.frame.step.arena;
    const View z = arena.take_view(in.x.rows, project.out()), step = arena.take_view(in.x.rows, project.out()),
               h = arena.take_view(in.x.rows, up[0].out());
    project.forward(in.x, z, in.frame);
    for (std::size_t l = 0; l < up.size(); ++l) {
      up[l].forward(z, h, in.frame);
      kernels.activate(Activation::gelu, h.data, h.stride, h.rows, h.cols, h.data, h.stride);
      down[l].forward(h, step, in.frame);
      kernels.add_scaled(z.data, z.stride, 1, step.data, step.stride, 1, z.rows, z.cols, z.data, z.stride);
    }
    out.forward(z, delta, in.frame);
  }
  Linear project, out;
  std::vector<Linear> up, down;
};

/// x[t] = (E[id_t] + sum_n T_n[hash_n(t)]) / s: tables of hashed n-grams of the ids.               Byte latent transformer,
/// arXiv:2412.09871 Released: hash_n = sum_i id_(t-n+1+i) a^i mod rows, ids before the first are 0, s = 1. `newest_first`, the paper: sum_i
/// id_(t-i) a^i, no term before n ids, s = number of tables + 1. Rows of one sequence from its beginning. Weights: `weight` (vocabulary,
/// d), `<n>.weight` (rows, d).
struct NgramEmbedding {
  struct Config {
    index_t vocab_size = 0, size = 0, rows = 0;
    std::vector<index_t> n{2, 3};
    bool newest_first = false;
    std::uint64_t base = 1000000007;
  };
  NgramEmbedding(const Config& c, const Build& b) : config(c), tokens("weight", c.vocab_size, c.size, b) {
    for (const index_t n : c.n) tables.emplace_back(concat(n, ".weight"), c.rows, c.size, b);
  }
  /// The row of the table of n-grams; -1: none.
  index_t hash(std::span<const std::int32_t> ids, index_t t, index_t n) const noexcept {
    if (config.newest_first && t < n - 1) return -1;
    std::uint64_t sum = 0, power = 1;  // wraps around
    for (index_t i = 0; i < n; ++i, power *= config.base) {
      const index_t at = config.newest_first ? t - i : t - n + 1 + i;
      if (at >= 0) sum += static_cast<std::uint64_t>(ids[static_cast<std::size_t>(at)]) * power;
    }
    const auto rest = static_cast<std::int64_t>(sum) % config.rows;
    return rest < 0 ? rest + config.rows : rest;
  }
  void embed(std::span<const std::int32_t> ids, View x) const {
    for (index_t t = 0; t < x.rows; ++t) {
      std::copy_n(tokens.row(ids[static_cast<std::size_t>(t)]), config.size, x.row(t));
      for (std::size_t k = 0; k < tables.size(); ++k)
        if (const index_t row = hash(ids, t, config.n[k]); row >= 0)
          for (index_t i = 0; i < config.size; ++i) x(t, i) += tables[k](row, i);
      for (index_t i = 0; i < config.size && config.newest_first; ++i) x(t, i) /= static_cast<float>(tables.size() + 1);
    }
  }
  Config config;
  SmallMatrix tokens;
  std::vector<SmallMatrix> tables;
};

}  // namespace hw
