#pragma once
// Masks of long encoders: a row sees a neighbourhood, and some rows see and are seen by all.

#include <algorithm>
#include <bit>
#include <cmath>

#include "headwise/mixers/attention/mask.hpp"
#include "headwise/mixers/attention/project.hpp"

namespace hw {

/// Is the row marked (TokenSet::mark)? With `first`, entry 0 is in any case.
inline bool is_marked(const TokenSet& tokens, index_t row, bool first) noexcept {
  return tokens.mark[static_cast<std::size_t>(row)] != 0 || (first && tokens.index[static_cast<std::size_t>(row)] == 0);
}

/// Entries with |e - i| <= radius, and marked ones.                                           Longformer, arXiv:2004.05150
struct NearOrMarked {
  static constexpr Couples couples = Couples::sequence;
  index_t radius = 0;
  bool first = false;

  void check(std::string_view where) const {
    if (radius < 0) fail(where, "a radius of at least 0", std::to_string(radius));
  }
  EntryRange range(const TokenSet&, index_t, index_t total) const noexcept { return {0, total}; }
  std::uint64_t sees(const TokenSet& tokens, index_t row, index_t block) const noexcept {
    const index_t i = tokens.index[static_cast<std::size_t>(row)], rows = tokens.rows();
    std::uint64_t out = 0;
    for (index_t j = 0; j < 64; ++j) {
      const index_t e = 64 * block + j, key = row + e - i;                         // the key's row
      if (key >= rows || tokens.index[static_cast<std::size_t>(key)] != e) break;  // behind the sequence
      if (std::abs(e - i) <= radius || is_marked(tokens, key, first)) out |= std::uint64_t{1} << j;
    }
    return out;
  }
};

/// Marked rows see everything, others nothing (their output is 0).
struct OfMarked {
  static constexpr Couples couples = Couples::sequence;
  bool first = false;

  EntryRange range(const TokenSet& tokens, index_t row, index_t total) const noexcept {
    return {0, is_marked(tokens, row, first) ? total : 0};
  }
};

/// Blocks of `size` entries: the first and the last see and are seen by all, the others see themselves and their two neighbours as well.
/// Random blocks are all drawn as block 0, as the published code does outside of training: it then counts 1 + `random_blocks` times.
/// Sequences of at most (5 + 2 random_blocks) blocks see everything.                             BigBird, arXiv:2007.14062
///
/// The last block is that of the padded batch there: a caller who wants those numbers gives the batch's length as axis 1 of
/// Sequence::coords. Otherwise it is the sequence's own.
struct BlockSparse {
  static constexpr Couples couples = Couples::sequence;
  index_t size = 0;  // 0: everything is seen
  index_t random_blocks = 0;

  void check(std::string_view where) const {
    if (size < 0 || random_blocks < 0) fail(where, "sizes of at least 0", concat(size, ", ", random_blocks));
  }
  EntryRange range(const TokenSet&, index_t, index_t total) const noexcept { return {0, total}; }

  std::uint64_t sees(const TokenSet& tokens, index_t row, index_t block) const noexcept {
    const index_t last = last_block(tokens, row), own = own_block(tokens, row);
    if (last < 0 || own == 0 || own == last) return ~std::uint64_t{0};
    std::uint64_t out = 0;
    for (index_t j = 0; j < 64; ++j) {
      const index_t b = (64 * block + j) / size;
      if (b == 0 || b == last || std::abs(b - own) <= 1) out |= std::uint64_t{1} << j;
    }
    return out;
  }

  void adjust(const ScoreSite& at, const kernels::ScoreTile& tile) const noexcept {
    if (size == 0 || random_blocks == 0 || tile.entry >= size) return;
    const float weight = std::log(1.0f + static_cast<float>(random_blocks));
    const TokenSet& tokens = at.frame.tokens();
    for (int i = 0; i < tile.rows; ++i) {
      const index_t row = at.queries + tile.row[i].token, last = last_block(tokens, row), own = own_block(tokens, row);
      if (last < 0 || own == 0 || own == last) continue;
      for (int j = 0; j < 64 && tile.entry + j < size; ++j) tile(i, j) += weight;
    }
  }

 private:
  index_t own_block(const TokenSet& tokens, index_t row) const noexcept {
    return size > 0 ? tokens.index[static_cast<std::size_t>(row)] / size : 0;
  }
  // Of the row's sequence; -1: it is short, and sees everything.
  index_t last_block(const TokenSet& tokens, index_t row) const noexcept {
    if (size == 0) return -1;
    index_t length = tokens.axes > 1 ? static_cast<index_t>(tokens.coord[static_cast<std::size_t>(row * tokens.axes + 1)]) : 0;
    if (length == 0) {
      const auto after =
          std::upper_bound(tokens.sequences.begin(), tokens.sequences.end(), row, [](index_t r, const RowRange& s) { return r < s.end; });
      length = tokens.total[static_cast<std::size_t>(after - tokens.sequences.begin())];
    }
    return length <= (5 + 2 * random_blocks) * size ? -1 : (length + size - 1) / size - 1;
  }
};

}  // namespace hw
