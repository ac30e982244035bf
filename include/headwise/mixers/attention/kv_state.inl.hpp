#pragma once
#include <algorithm>
#include <atomic>

#include "headwise/mixers/attention/kv_state.hpp"

namespace hw {

HEADWISE_INLINE void KvState::reserve(index_t n) {
  if (n <= 0) return;
  constexpr index_t kBlock = kernels::kKeyBlock;
  const index_t first = size_ / kBlock, end = (size_ + n + kBlock - 1) / kBlock;
  if (const auto need = static_cast<std::size_t>(end); need > pages_.capacity()) pages_.reserve(std::max(need, 2 * pages_.capacity()));
  for (index_t i = first; i < end; ++i) {
    if (i == pages()) {
      pages_.push_back(std::make_shared<Page>(layout_.bytes()));
    } else if (auto& page = pages_[static_cast<std::size_t>(i)]; page.use_count() > 1) {
      auto own = std::make_shared<Page>(layout_.bytes());
      std::copy_n(page->data(), layout_.bytes(), own->data());
      page = std::move(own);
    }
  }
  std::atomic_thread_fence(std::memory_order_acquire);  // a fork on another thread has finished reading what is ours alone now
}

HEADWISE_INLINE KvState KvState::fork() const {
  KvState out(layout_);
  out.size_ = size_;
  const auto used = static_cast<std::size_t>((size_ + kernels::kKeyBlock - 1) / kernels::kKeyBlock);
  out.pages_.assign(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(used));
  return out;
}

HEADWISE_INLINE void KvState::save(Writer& w) const {
  for (const index_t v : {layout_.heads, layout_.key_dim, layout_.value_dim, static_cast<index_t>(layout_.type), size_}) w.put(v);
  for (index_t i = 0; i * kernels::kKeyBlock < size_; ++i) w.put_bytes({page(i), static_cast<std::size_t>(layout_.bytes())});
}

HEADWISE_INLINE void KvState::load(Reader& r) {
  r.expect(layout_.heads, "key-value heads");
  r.expect(layout_.key_dim, "key size");
  r.expect(layout_.value_dim, "value size");
  r.expect(static_cast<std::int64_t>(layout_.type), "key-value type");
  const auto n = r.get<std::int64_t>("entries");
  const auto each = static_cast<std::size_t>(std::max<index_t>(layout_.bytes(), 1));
  if (n < 0 || static_cast<std::uint64_t>(n) > r.left() / each * static_cast<std::uint64_t>(kernels::kKeyBlock))
    fail("saved state", concat("at most ", r.left() / each * kernels::kKeyBlock, " key-value entries in the bytes left"),
         std::to_string(n));
  size_ = 0;
  pages_.clear();
  reserve(n);
  for (index_t i = 0; i < pages(); ++i) r.get_span(std::span(page(i), static_cast<std::size_t>(layout_.bytes())), "key-value pages");
  size_ = n;
}

}  // namespace hw
