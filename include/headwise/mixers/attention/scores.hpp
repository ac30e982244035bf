#pragma once
// Scores of papers: what is added to, or takes the place of, the scaled dot product (kernels/attention_policy.hpp).
// Attention<Causal, QkvProjection, Fire> is an attention with one; its weights are in the scope `score`. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "headwise/layers/small_matrix.hpp"
#include "headwise/mixers/attention/attend_with.hpp"

namespace hw {

/// s_ij + mlp(psi(i - j) / psi(max(L, i)))_h,  psi(x) = ln(c x + 1),  mlp: 1 -> n (ReLU) -> heads              FIRE, arXiv:2310.04418
/// c = |`c`|, L = |`threshold` initial_threshold|. Weights: `c`, `threshold` (1), `up.weight`, `up.bias` (n), `down.weight` (h, n),
/// `down.bias` (h).
struct Fire {
  index_t units = 32, heads = 0;
  float initial_threshold = 512, c = 0, threshold = 0;
  std::vector<float> up{}, up_bias{}, down_bias{};
  SmallMatrix down{};
  void load(const Build& b) {
    c = std::abs(b.vector("c", 1)[0]);
    threshold = std::abs(b.vector("threshold", 1)[0] * initial_threshold);
    up = b.vector("up.weight", units), up_bias = b.vector("up.bias", units), down_bias = b.vector("down.bias", heads);
    down = {"down.weight", heads, units, b};
  }
  void modify(const kernels::ScoreTile& tile) const noexcept {
    for (int i = 0; i < tile.rows; ++i) {
      const auto entry = tile.row[i].entry;
      const float norm = std::log1p(c * std::max(threshold, static_cast<float>(entry)));
      const float* out = down.row(tile.row[i].head);
      for (int j = 0; j < 64; ++j) {
        const float u = std::log1p(c * static_cast<float>(std::max<index_t>(entry - tile.entry - j, 0))) / norm;
        float sum = down_bias[static_cast<std::size_t>(tile.row[i].head)];
        for (std::size_t n = 0; n < up.size(); ++n) sum += out[n] * std::max(up[n] * u + up_bias[n], 0.0f);
        tile(i, j) += sum;
      }
    }
  }
};

/// s_ij - r1_h ln(1 + r2_h |i - j|), or s_ij - r1_h |i - j|^r2_h                                         KERPLE, arXiv:2205.09921
/// Weights: `r1`, `r2` (h), positive.
template <bool kPower = false>
struct Kerple {
  index_t heads = 0;
  std::vector<float> r1{}, r2{};
  void load(const Build& b) { r1 = b.vector("r1", heads), r2 = b.vector("r2", heads); }
  void modify(const kernels::ScoreTile& tile) const noexcept {
    for (int i = 0; i < tile.rows; ++i) {
      const auto h = static_cast<std::size_t>(tile.row[i].head);
      for (int j = 0; j < 64; ++j) {
        const auto distance = static_cast<float>(std::abs(tile.row[i].entry - tile.entry - j));
        tile(i, j) -= r1[h] * (kPower ? std::pow(distance, r2[h]) : std::log1p(r2[h] * distance));
      }
    }
  }
};

/// s_ij = ln sum_r pi_hr exp(-|q_i - (k_j - mu_hr)|^2 / (2 sqrt(k))): each key is a mixture of `components` Gaussians; `hard`: the nearest
/// one alone                                                                                              MGK, arXiv:2110.08678
/// Weights: `shift` mu (h components, k), `weight` pi (h components).
struct GaussianKeys {
  index_t heads = 0, components = 2, head_dim = 0;
  bool hard = false;
  SmallMatrix shift{};
  std::vector<float> weight{};
  void load(const Build& b) {
    weight = b.vector("weight", heads * components);
    shift = {"shift", heads * components, head_dim, b};
  }
  void tile(const kernels::ScoreTile& t) const noexcept {
    for (int i = 0; i < t.rows; ++i)
      for (int j = 0; j < 64; ++j) {
        float sum = 0, nearest = INFINITY;
        for (index_t r = t.row[i].head * components; r < (t.row[i].head + 1) * components; ++r) {
          float squares = 0;
          for (index_t n = 0; n < head_dim; ++n) squares += std::pow(t.row[i].q[n] - t.keys[n * 64 + j] + shift(r, n), 2.0f);
          const float distance = squares / (2 * std::sqrt(static_cast<float>(head_dim)));
          sum += weight[static_cast<std::size_t>(r)] * std::exp(-distance);
          nearest = std::min(nearest, distance);
        }
        t(i, j) = hard ? -nearest : std::log(sum);
      }
  }
};

/// h(x) = argmax_n [x R, -x R]_n with a random matrix R for each head: near vectors fall into one bucket       arXiv:1509.02897
/// Weights: `rotations` R^T (h buckets / 2, k).
struct AngularHash {
  index_t heads = 0, head_dim = 0, buckets = 2;
  SmallMatrix rotations{};
  void load(const Build& b) { rotations = {"rotations", heads * buckets / 2, head_dim, b}; }
  index_t bucket(index_t head, const float* x, index_t stride = 1) const noexcept {
    index_t best = 0;
    float most = -INFINITY;
    for (index_t n = 0; n < buckets; ++n) {
      const float along = rotations.dot(head * buckets / 2 + n % (buckets / 2), x, stride), score = n < buckets / 2 ? along : -along;
      if (score > most) most = score, best = n;
    }
    return best;
  }
};

/// s_ij = scale q_i . k_j / |k_j| where i and j fall into the same bucket; i itself counts -5e4, so that it is seen where nothing else is.
///                                                                                         Reformer's LSH attention, arXiv:2001.04451
struct SameBucket {
  AngularHash hash{};
  float scale = 1;
  void load(const Build& b) { hash.load(b); }
  void tile(const kernels::ScoreTile& t) const noexcept {
    for (int j = 0; j < 64; ++j) {
      float squares = 0;
      for (index_t n = 0; n < hash.head_dim; ++n) squares += t.keys[n * 64 + j] * t.keys[n * 64 + j];
      for (int i = 0; i < t.rows; ++i) {
        float dot = 0;
        for (index_t n = 0; n < hash.head_dim; ++n) dot += t.row[i].q[n] * t.keys[n * 64 + j];
        const bool same = hash.bucket(t.row[i].head, t.row[i].q) == hash.bucket(t.row[i].head, t.keys + j, 64);
        t(i, j) = t.row[i].entry == t.entry + j ? -5e4f : same ? scale * dot / std::sqrt(squares) : -INFINITY;
      }
    }
  }
};

/// s_ij = scale rot(q_i, m) . k_j, keys un-rotated, m = min(i - j, cap): distances that training has seen    LM-Infinite, arXiv:2308.16137
/// With a window, positions are those of the keys that are kept, the first `pinned` and the window: StreamingLLM, arXiv:2309.17453.
struct CappedRotary {
  index_t head_dim = 0, cap = 1 << 30, pinned = 0, window = 0;
  double theta = 10000;
  float scale = 1;
  void tile(const kernels::ScoreTile& t) const noexcept {
    for (int i = 0; i < t.rows; ++i)
      for (int j = 0; j < 64; ++j) {
        const index_t key = t.entry + j, own = std::min(t.row[i].entry - key, cap);
        const index_t m = key < pinned && window > 0 ? std::min(own, window + pinned - 1 - key) : own;
        float sum = 0;
        for (index_t n = 0; n < head_dim / 2; ++n) {
          const double angle = static_cast<double>(m) * std::pow(theta, -2.0 * static_cast<double>(n) / static_cast<double>(head_dim));
          const auto cos = static_cast<float>(std::cos(angle)), sin = static_cast<float>(std::sin(angle));
          const float a = t.row[i].q[n], b = t.row[i].q[n + head_dim / 2];
          sum += (a * cos - b * sin) * t.keys[n * 64 + j] + (b * cos + a * sin) * t.keys[(n + head_dim / 2) * 64 + j];
        }
        t(i, j) = scale * sum;
      }
  }
};

/// s_ij + B_h[c_ij] + ...: a bias for each class of a pair of nodes (distance in a graph, parent of), from tables of the graph
///                                                                        Graphormer, arXiv:2106.05234; GET-Zero, arXiv:2407.15002
/// Weights: `table` (h, classes). Several of them: AllScores.
struct PairBias {
  index_t heads = 0, classes = 0, nodes = 0;
  std::vector<std::int64_t> of_pair{};  // (nodes, nodes)
  SmallMatrix table{};
  void load(const Build& b) { table = {"table", heads, classes, b}; }
  void modify(const kernels::ScoreTile& t) const noexcept {
    for (int i = 0; i < t.rows; ++i)
      for (int j = 0; j < 64 && t.entry + j < nodes; ++j)
        t(i, j) += table(t.row[i].head, of_pair[static_cast<std::size_t>(t.row[i].entry * nodes + t.entry + j)]);
  }
};

/// softmax over the keys of row i's segments of several widths w, each with a dilation r: head h keeps the positions p = h mod r of a
/// segment. Merging the segments' softmaxes by their denominators is one softmax in which a key counts as often as it is kept: s_ij +
/// ln(count).
///                                                                                                       LongNet, arXiv:2307.02486
struct DilatedSegments {
  std::vector<std::pair<index_t, index_t>> widths{};  // w and r, r divides w
  void modify(const kernels::ScoreTile& t) const noexcept {
    for (int i = 0; i < t.rows; ++i)
      for (int j = 0; j < 64; ++j) {
        const index_t own = t.row[i].entry, e = t.entry + j;
        int count = 0;
        for (const auto& [w, r] : widths) {
          const index_t kept = t.row[i].head % r;
          count += own / w == e / w && own % r == kept && e % r == kept;
        }
        t(i, j) = count > 0 ? t(i, j) + std::log(static_cast<float>(count)) : -INFINITY;
      }
  }
};

/// s_ij + ln(gamma_h) (|row_i - row_j| + |col_i - col_j|), entries on a grid of `columns`       RMT (vision), released form,
/// arXiv:2309.11523
struct ManhattanScore {
  index_t columns = 1;
  std::vector<float> gamma{};  // (heads)
  void modify(const kernels::ScoreTile& t) const noexcept {
    for (int i = 0; i < t.rows; ++i)
      for (int j = 0; j < 64; ++j) {
        const index_t e = t.entry + j, own = t.row[i].entry;
        const index_t distance = std::abs(e / columns - own / columns) + std::abs(e % columns - own % columns);
        t(i, j) += std::log(gamma[static_cast<std::size_t>(t.row[i].head)]) * static_cast<float>(distance);
      }
  }
};

/// The sum of several scores' changes. Weights: the n-th's in scope `<n>`.
template <class... Scores>
struct AllScores {
  std::tuple<Scores...> scores{};
  void load(const Build& b) {
    int n = 0;
    std::apply([&](auto&... s) { (s.load(b.scope(std::to_string(n++))), ...); }, scores);
  }
  void modify(const kernels::ScoreTile& tile) const noexcept {
    std::apply([&](const auto&... s) { (s.modify(tile), ...); }, scores);
  }
};

}  // namespace hw
