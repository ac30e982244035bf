#pragma once
// Masks of papers. Not in the umbrella header.

#include "headwise/mixers/attention/mask.hpp"

namespace hw {

/// Entry e is seen from i >= e when e < pinned or i - e < window: a few first entries and a window.
///                                                                          LM-Infinite, arXiv:2308.16137; StreamingLLM, arXiv:2309.17453
struct PinnedWindow {
  static constexpr Couples couples = Couples::past;
  index_t pinned = 4, window = 1024;
  EntryRange range(const TokenSet& t, index_t row, index_t) const noexcept { return {0, t.index[static_cast<std::size_t>(row)] + 1}; }
  std::uint64_t sees(const TokenSet& t, index_t row, index_t block) const noexcept {
    std::uint64_t bits = 0;
    for (index_t k = 0, e = 64 * block; k < 64; ++k, ++e)
      if (e < pinned || t.index[static_cast<std::size_t>(row)] - e < window) bits |= std::uint64_t{1} << k;
    return bits;
  }
};

/// Entry e is seen from i >= e when both are in the same block of `size` entries: Llama 4's chunks, MASFormer's blocks, arXiv:2310.12442
struct SameChunk {
  static constexpr Couples couples = Couples::past;
  index_t size = 1;
  EntryRange range(const TokenSet& t, index_t row, index_t) const noexcept {
    const index_t i = t.index[static_cast<std::size_t>(row)];
    return {i / size * size, i + 1};
  }
};

/// Entry e is seen from i when e <= i or when e is of the prefix, the first entries, which are marked: they see each other both ways.
/// The prefix is one step.                                                                                     CodeGen2, arXiv:2305.02309
struct PrefixCausal {
  static constexpr Couples couples = Couples::sequence;
  EntryRange range(const TokenSet& t, index_t row, index_t) const noexcept {
    const index_t i = t.index[static_cast<std::size_t>(row)];
    index_t end = i + 1, next = row + 1;
    while (t.mark[static_cast<std::size_t>(row)] != 0 && next < t.rows() && t.index[static_cast<std::size_t>(next)] == end &&
           t.mark[static_cast<std::size_t>(next)] != 0)
      ++next, ++end;
    return {0, end};
  }
};

/// A row of a tree of drafts sees its ancestors, and what was there before the step: TokenSet::parent. SpecInfer, arXiv:2305.09781; Medusa
/// The whole tree is one step.
struct TreeCausal {
  static constexpr Couples couples = Couples::past;
  EntryRange range(const TokenSet& t, index_t row, index_t) const noexcept { return {0, t.index[static_cast<std::size_t>(row)] + 1}; }
  std::uint64_t sees(const TokenSet& t, index_t row, index_t block) const noexcept {
    const index_t own = t.index[static_cast<std::size_t>(row)];
    index_t first = own, at = own;  // the step's first entry
    while (row - (own - first) > 0 && t.index[static_cast<std::size_t>(row - (own - first) - 1)] == first - 1) --first;
    std::uint64_t bits = 0;
    for (; at >= first; at = t.parent[static_cast<std::size_t>(row - (own - at))])
      if (at / 64 == block) bits |= std::uint64_t{1} << (at % 64);
    for (index_t e = 64 * block; e <= at && e < 64 * (block + 1); ++e) bits |= std::uint64_t{1} << (e % 64);
    return bits;
  }
};

}  // namespace hw
