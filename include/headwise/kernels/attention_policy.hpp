#pragma once
// What a score and a normaliser of your own look like. kernels/attention_function.hpp makes kernels of them.
//
//   struct Decay {                                          // RetNet-like: multiplies the weight by gamma^distance
//     float log_gamma;
//     void modify(const ScoreTile& tile) const {
//       for (int i = 0; i < tile.rows; ++i)
//         for (int j = 0; j < 64; ++j) tile(i, j) += log_gamma * static_cast<float>(tile.row[i].entry - (tile.entry + j));
//     }
//   };
//   auto attend = attention_function<Decay, Softmax>(default_target());
//   attend(call, Decay{-0.01f}, Softmax{}, scratch);

#include <concepts>

#include "headwise/kernels/attention.hpp"

namespace hw::kernels {

/// The scaled dot product and the fields of Attend, nothing else. Other scores are structs that have either or both of
///   void tile(const ScoreTile&) const     writes the scores itself, in place of scale q . k; soft-cap, ALiBi and bias then apply
///   void modify(const ScoreTile&) const   changes them after soft-cap, ALiBi, bias and Attend::adjust
/// Both are compiled into the kernel, for every target: write plain loops over rows and 64 keys.
struct DotScore {};

template <class S>
concept ScorePolicy = std::same_as<S, DotScore> || requires(const S s, const ScoreTile& tile) { s.tile(tile); } ||
    requires(const S s, const ScoreTile& tile) { s.modify(tile); };

/// Attention probabilities, online: weights exp(s - max), divided by their sum at the end.     arXiv:1805.02867
struct Softmax {};

/// What an online normaliser keeps of one row and segment.
struct OnlineRow {
  float max = -3.40282347e38f;
  float sum = 0.0f;
};

/// A normaliser that sees a row's scores 64 at a time and can merge segments. Unseen entries have the score -inf; they must get the
/// weight 0 and change nothing.
template <class N>
concept OnlineNormaliser = std::same_as<N, Softmax> ||
    requires(const N n, OnlineRow& row, const OnlineRow& other, float* scores, float& factor) {
  /// Replaces 64 scores by weights. Returns the factor of the output so far (1: unchanged).
  { n.absorb(row, scores) } -> std::same_as<float>;
  /// row takes in a later segment; its output becomes (returned factor) output + factor (output of the later segment).
  { n.merge(row, other, factor) } -> std::same_as<float>;
  /// The factor of the output at the end.
  { n.finish(row) } -> std::same_as<float>;
};

/// Whole score rows of one query token: (heads, count), for normalisers that need more than 64 scores of one head at a time.
struct ScoreRows {
  float* scores = nullptr;
  index_t heads = 0;  // of the model
  index_t count = 0;  // entries, a multiple of 64
  index_t begin = 0;  // entry number of the first, a multiple of 64
  index_t token = 0;  // as in Attend
  index_t entry = 0;  // Attend::query_entry[token], or 0
  const float* q = nullptr;
  index_t q_head_stride = 0;

  float* row(index_t head) const noexcept { return scores + head * count; }
  const float* query(index_t head) const noexcept { return q + head * q_head_stride; }  // (key_dim)
};

/// Softmax by whole rows, Attend::sink included; all -inf gives zeros.
struct SoftmaxRows {};

/// SoftmaxRows, and then look(rows) sees the probabilities (0 where an entry is not seen).
template <class Look>
struct WatchedSoftmaxRows {
  Look look;
};

namespace detail {
template <class N>
inline constexpr bool is_softmax_rows = std::same_as<N, SoftmaxRows>;
template <class Look>
inline constexpr bool is_softmax_rows<WatchedSoftmaxRows<Look>> = true;
}  // namespace detail

/// Replaces the scores of all heads of a token by weights: top-k, ReLU, talking heads, stick-breaking. Unseen entries have the score
/// -inf; their weight is ignored.
template <class N>
concept RowNormaliser = detail::is_softmax_rows<N> || requires(const N n, const ScoreRows& rows) {
  n.rows(rows);
};

}  // namespace hw::kernels
