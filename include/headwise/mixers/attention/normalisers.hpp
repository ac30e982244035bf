#pragma once
// Normalisers of papers: what takes the place of the softmax. Each sees a token's whole score rows (kernels/attention_policy.hpp).
// Attention<Causal, QkvProjection, kernels::DotScore, SigmoidWeights> is an attention with one; not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "headwise/layers/small_matrix.hpp"
#include "headwise/core/scalars.hpp"
#include "headwise/mixers/attention/attend_with.hpp"

namespace hw {

namespace detail {
/// softmax of a row in place; all -inf gives zeros.
inline void softmax_of(float* s, index_t n) noexcept {
  const float max = *std::max_element(s, s + n);
  float sum = 0;
  for (index_t j = 0; j < n; ++j) sum += s[j] = s[j] == -INFINITY ? 0.0f : std::exp(s[j] - max);
  for (index_t j = 0; j < n && sum > 0; ++j) s[j] /= sum;
}
}  // namespace detail

/// a_ij = sigmoid(s_ij - log n), not renormalised                                         Sigmoid attention, arXiv:2409.04431
/// n is the length the model was trained on, or, where that is 0, the number of keys before and at i.
struct SigmoidWeights {
  float keys = 0;
  void rows(const kernels::ScoreRows& r) const noexcept {
    const float log_keys = std::log(keys > 0 ? keys : static_cast<float>(r.entry + 1));
    for (index_t i = 0; i < r.heads * r.count; ++i) r.scores[i] = sigmoid(r.scores[i] - log_keys);
  }
};

/// a = clip((zeta - gamma) softmax(s) + gamma, 0, 1): exact zeros, so that a head can do nothing      Clipped softmax, arXiv:2306.12929
struct ClippedSoftmax {
  float gamma = -0.03f, zeta = 1.0f;
  void rows(const kernels::ScoreRows& r) const noexcept {
    for (index_t h = 0; h < r.heads; ++h) {
      detail::softmax_of(r.row(h), r.count);
      for (index_t j = 0; j < r.count; ++j) r.row(h)[j] = std::clamp((zeta - gamma) * r.row(h)[j] + gamma, 0.0f, 1.0f);
    }
  }
};

/// a_ij = relu(s_ij); a norm of the output keeps it in bounds (NormedHeads)                          ReLA, arXiv:2104.07012
struct ReluWeights {
  void rows(const kernels::ScoreRows& r) const noexcept {
    for (index_t i = 0; i < r.heads * r.count; ++i) r.scores[i] = std::max(r.scores[i], 0.0f);
  }
};

/// softmax over the `count` largest scores of a row; of equal ones the first           Explicit sparse transformer, arXiv:1912.11637
/// Cost: O(entries count).
struct TopKeys {
  index_t count = 1;
  void rows(const kernels::ScoreRows& r) const noexcept {
    for (index_t h = 0; h < r.heads; ++h) {
      float* s = r.row(h);
      index_t last = -1;  // the worst key that is kept so far
      for (index_t n = 0; n < count; ++n) {
        index_t next = -1;
        for (index_t j = 0; j < r.count; ++j) {
          const bool later = last < 0 || s[j] < s[last] || (s[j] == s[last] && j > last);
          if (later && s[j] > -INFINITY && (next < 0 || s[j] > s[next])) next = j;
        }
        if (next < 0) break;
        last = next;
      }
      const float worst = last < 0 ? 0 : s[last];
      for (index_t j = 0; j < r.count; ++j)
        if (s[j] < worst || (s[j] == worst && j > last)) s[j] = -INFINITY;
      detail::softmax_of(s, r.count);
    }
  }
};

/// a_ij = sigmoid(s_ij) prod_{l > j} (1 - sigmoid(s_il)): each key, from the last back, takes its share of what is left of a stick.
/// Without `own`, i itself is not among them.                                     Stick-breaking attention, arXiv:2306.04640, 2410.17980
struct StickBreaking {
  bool own = true;
  void rows(const kernels::ScoreRows& r) const noexcept {
    for (index_t h = 0; h < r.heads; ++h) {
      float rest = 1;
      for (index_t j = r.count - 1; j >= 0; --j) {
        float& s = r.row(h)[j];
        const bool seen = s > -INFINITY && (own || r.begin + j != r.entry);
        const float share = seen ? rest * sigmoid(s) : 0.0f;
        if (seen) rest *= sigmoid(-s);
        s = share;
      }
    }
  }
};

/// a'_f = sum_g post_fg softmax(sum_h pre_gh s_h): heads are mixed before and after the softmax  Talking heads, arXiv:2003.02436
/// Weights: `pre`, `post` (h, h); at most 256 heads.
struct TalkingHeads {
  index_t heads = 0;
  SmallMatrix pre{}, post{};
  void load(const Build& b) {
    if (heads > 256) fail(b.path("pre"), "at most 256 heads", std::to_string(heads));
    pre = {"pre", heads, heads, b}, post = {"post", heads, heads, b};
  }
  static void mix(const kernels::ScoreRows& r, const SmallMatrix& by) noexcept {
    for (index_t j = 0; j < r.count; ++j) {
      float mixed[256] = {};
      if (r.row(0)[j] == -INFINITY) continue;
      for (index_t g = 0; g < r.heads; ++g) mixed[g] = by.dot(g, r.row(0) + j, r.count);
      for (index_t g = 0; g < r.heads; ++g) r.row(g)[j] = mixed[g];
    }
  }
  void rows(const kernels::ScoreRows& r) const noexcept {
    mix(r, pre);
    for (index_t h = 0; h < r.heads; ++h) detail::softmax_of(r.row(h), r.count);
    mix(r, post);
  }
};

/// a_ij = softmax_j(s_i over all keys)_j for j <= i, else 0, not renormalised; with Full         iLLaMA, arXiv:2404.06773
struct SoftmaxThenCausal {
  void rows(const kernels::ScoreRows& r) const noexcept {
    for (index_t h = 0; h < r.heads; ++h) {
      detail::softmax_of(r.row(h), r.count);
      for (index_t j = std::max<index_t>(r.entry + 1 - r.begin, 0); j < r.count; ++j) r.row(h)[j] = 0;
    }
  }
};

/// a_ij = softmax(s)_ij gamma_h^(|row_i - row_j| + |col_i - col_j|), entries on a grid of `columns`   RMT (vision), arXiv:2309.11523
struct ManhattanDecay {
  index_t columns = 1;
  std::vector<float> gamma{};  // (heads)
  void rows(const kernels::ScoreRows& r) const noexcept {
    for (index_t h = 0; h < r.heads; ++h) {
      detail::softmax_of(r.row(h), r.count);
      for (index_t j = 0; j < r.count; ++j) {
        const index_t e = r.begin + j, i = r.entry;
        const index_t distance = std::abs(e / columns - i / columns) + std::abs(e % columns - i % columns);
        r.row(h)[j] *= std::pow(gamma[static_cast<std::size_t>(h)], static_cast<float>(distance));
      }
    }
  }
};

/// softmax over the keys of row i's own block of `block` entries and of the count - 1 best blocks before it, by the mean of their scores,
/// which is q . (mean of the keys); of equal ones the first. With Causal, without a window.                 MoBA, arXiv:2502.13189
struct BestBlocks {
  index_t block = 64, count = 2;
  void rows(const kernels::ScoreRows& r) const noexcept {
    for (index_t h = 0; h < r.heads; ++h) {
      float* s = r.row(h);
      const auto mean = [&](index_t c) { return std::accumulate(s + c * block, s + (c + 1) * block, 0.0f) / static_cast<float>(block); };
      const index_t own = r.entry / block;
      float worst = INFINITY;  // of the blocks that are kept so far, and its number
      index_t last = -1;
      for (index_t n = 1; n < count; ++n) {
        index_t next = -1;
        for (index_t c = 0; c < own; ++c)
          if ((mean(c) < worst || (mean(c) == worst && c > last)) && (next < 0 || mean(c) > mean(next))) next = c;
        if (next < 0) break;
        worst = mean(next), last = next;
      }
      for (index_t c = 0; c < own; ++c)
        if (mean(c) < worst || (mean(c) == worst && c > last)) std::fill_n(s + c * block, block, -INFINITY);
      detail::softmax_of(s, r.count);
    }
  }
};

/// s_ij + z_i[p_ij], interpolated between the whole numbers around p_ij = min(sum_{l=j..i} sigmoid(q_i . k_l), last): positions that count
/// what the query asks for; z_i[n] = q_i . e_n                                          CoPE, arXiv:2405.18719
/// Weights: `embedding` e (last + 1, k), shared by the heads. `gate_scale`: what turns scores into the gates' logits, sqrt(k) in the paper.
struct ContextualPositions {
  index_t last = 0, head_dim = 0;
  float gate_scale = 1;
  SmallMatrix embedding{};
  void load(const Build& b) { embedding = {"embedding", last + 1, head_dim, b}; }
  void rows(const kernels::ScoreRows& r) const noexcept {
    for (index_t h = 0; h < r.heads; ++h) {
      float position = 0;
      for (index_t j = r.count - 1; j >= 0; --j) {
        float& s = r.row(h)[j];
        if (s == -INFINITY) continue;
        position = std::min(position + sigmoid(s * gate_scale), static_cast<float>(last));
        const float below = std::floor(position);
        const auto n = static_cast<index_t>(below);
        const float at_n = embedding.dot(n, r.query(h)), behind = embedding.dot(std::min(n + 1, last), r.query(h));
        s += (1 - position + below) * at_n + (position - below) * behind;
      }
      detail::softmax_of(r.row(h), r.count);
    }
  }
};

}  // namespace hw
