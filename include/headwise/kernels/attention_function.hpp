#pragma once
// Attention with a score or a normaliser of your own, compiled into the kernel of every target.
//
// This header instantiates kernel templates in the unit that includes it, with headwise::compiled too.

#include "headwise/kernels/attention.inl.hpp"
#include "headwise/kernels/target.hpp"

namespace hw::kernels {

template <class Score, class Normaliser = Softmax>
using AttentionFunction = void (*)(const Attend& a, const Score& score, const Normaliser& normaliser, float* scratch);

/// rows: kv_heads * a.heads * 64 * (blocks that a token sees) floats, where a.heads is the group's; heads of q, out, ALiBi, sink and
/// bias are numbered through all groups. a.kv_head is the first KV head.
template <class Score, class Normaliser>
using RowAttentionFunction = void (*)(const Attend& a, index_t kv_heads, const Score& score, const Normaliser& normaliser, float* rows,
                                      float* scratch);

/// `attend` of kernels/attention.hpp for another score or normaliser. Pre: this CPU has `target`.
template <class Score, class Normaliser = Softmax>
AttentionFunction<Score, Normaliser> attention_function([[maybe_unused]] Target target) noexcept {
  static_assert(ScorePolicy<Score>,
                "a score must have tile(const ScoreTile&) const or modify(const ScoreTile&) const; see kernels/attention_policy.hpp");
  static_assert(OnlineNormaliser<Normaliser>, "a normaliser needs absorb, merge and finish (kernels/attention_policy.hpp)");
#if HEADWISE_X86
  if (target >= Target::avx512) return &avx512::attend<Score, Normaliser>;
  if (target == Target::avx2) return &avx2::attend<Score, Normaliser>;
#endif
  return &scalar::attend<Score, Normaliser>;
}

/// Attention by whole score rows: normalisers that see all scores and heads of a token at once. Slower, and O(entries) memory.
template <class Score, class Normaliser>
RowAttentionFunction<Score, Normaliser> row_attention_function([[maybe_unused]] Target target) noexcept {
  static_assert(ScorePolicy<Score>,
                "a score must have tile(const ScoreTile&) const or modify(const ScoreTile&) const; see kernels/attention_policy.hpp");
  static_assert(RowNormaliser<Normaliser>, "a row normaliser needs rows(const ScoreRows&) (kernels/attention_policy.hpp)");
#if HEADWISE_X86
  if (target >= Target::avx512) return &avx512::attend_rows<Score, Normaliser>;
  if (target == Target::avx2) return &avx2::attend_rows<Score, Normaliser>;
#endif
  return &scalar::attend_rows<Score, Normaliser>;
}

}  // namespace hw::kernels
