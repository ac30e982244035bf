#pragma once
#include <algorithm>

#include "headwise/generate/prefix_cache.hpp"

namespace hw {
namespace detail {

// Rows given as vectors (-1) are alike nobody knows what.
inline std::size_t common_prefix(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  std::size_t n = 0;
  while (n < a.size() && n < b.size() && a[n] == b[n] && a[n] >= 0) ++n;
  return n;
}

}  // namespace detail

HEADWISE_INLINE StateSet PrefixCache::find(std::span<const std::int32_t> ids) {
  auto best = entries_.end();
  std::size_t length = 0;
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    const std::size_t n = std::min(detail::common_prefix(entry->state.ids(), ids), ids.empty() ? 0 : ids.size() - 1);
    if (n > length) best = entry, length = n;
  }
  if (best == entries_.end()) return model_->make_state();
  StateSet out = best->state.fork();
  model_->rewind(out, static_cast<index_t>(length));
  entries_.splice(entries_.begin(), entries_, best);
  return out;
}

HEADWISE_INLINE void PrefixCache::insert(const StateSet& state) {
  StateSet kept = state.fork();
  const std::size_t bytes = kept.bytes();
  if (bytes > max_bytes_) return;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    const auto known = entry->state.ids();
    if (detail::common_prefix(known, state.ids()) == known.size()) erase(entry);
    entry = next;
  }
  while (bytes_ + bytes > max_bytes_) erase(std::prev(entries_.end()));
  entries_.push_front({std::move(kept), bytes});
  bytes_ += bytes;
}

HEADWISE_INLINE void PrefixCache::erase(std::list<Entry>::iterator entry) {
  bytes_ -= entry->bytes;
  entries_.erase(entry);
}

}  // namespace hw
