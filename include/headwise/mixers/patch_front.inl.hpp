#pragma once
#include <algorithm>

#include "headwise/mixers/patch_front.hpp"

namespace hw {
namespace detail {
inline const PatchFront::Config& checked(const PatchFront::Config& c, const Build& b) {
  constexpr index_t kMost = 1 << 16;
  for (const index_t v : {c.channels, c.height, c.width, c.patch_size, c.hidden_size})
    if (v < 1 || v > kMost)
      fail(b.path("patches"), concat("channels, height, width, patch_size and hidden_size from 1 to ", kMost), concat(v));
  if (c.height % c.patch_size != 0 || c.width % c.patch_size != 0)
    fail(b.path("patches"), concat("an image of whole patches of ", c.patch_size), shape_string({c.height, c.width}));
  if (c.prefix_rows < 0 || c.prefix_rows > kMost) fail(b.path("prefix"), concat("rows from 0 to ", kMost), std::to_string(c.prefix_rows));
  return c;
}
}  // namespace detail

HEADWISE_LOAD_TIME PatchFront::PatchFront(const Config& c, const Build& b)
    : config_(detail::checked(c, b)), patches_(c.channels * c.patch_size * c.patch_size, c.hidden_size, true, b.scope("patches")) {
  if (c.prefix_rows > 0) prefix_ = b.vector("prefix", c.prefix_rows * c.hidden_size);
  positions_ = b.vector("positions", (c.prefix_rows + c.patches()) * c.hidden_size);
}

HEADWISE_INLINE index_t PatchFront::rows(index_t n) const {
  const index_t height = config_.channels * config_.height;
  if (n != height)
    fail("signal", concat("an image of (", height, ", ", config_.width, "): ", config_.channels, " channels, one below the other"),
         concat(n, " lines"));
  return config_.prefix_rows + config_.patches();
}

HEADWISE_INLINE void PatchFront::forward(ConstView signal, View rows, const Frame& f) const {
  const index_t p = config_.patch_size, across = config_.width / p;
  const View patches = f.step.arena.take_view(config_.patches(), patches_.in());
  f.step.parallel_rows(patches.rows, patches.cols, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i)
      for (index_t line = 0; line < config_.channels * p; ++line) {
        const index_t channel = line / p, y = i / across * p + line % p;
        std::copy_n(signal.row(channel * config_.height + y) + i % across * p, p, patches.row(i) + line * p);
      }
  });
  std::copy(prefix_.begin(), prefix_.end(), rows.data);
  patches_.forward(patches, rows.row_range(config_.prefix_rows, rows.rows), f);
  for (std::size_t i = 0; i < positions_.size(); ++i) rows.data[i] += positions_[i];
}

}  // namespace hw
