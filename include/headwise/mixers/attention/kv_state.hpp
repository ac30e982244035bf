#pragma once
// The keys and values of one sequence: pages of 64 entries, shared between forks until one of them writes.

#include <memory>
#include <vector>

#include "headwise/core/view.hpp"
#include "headwise/flow/state.hpp"
#include "headwise/kernels/attention.hpp"

namespace hw {

/// Grows at its end; any prefix is reached at once. fork: O(pages). Memory: layout.bytes() for every 64 entries.
class KvState {
 public:
  KvState() = default;
  explicit KvState(const kernels::KvLayout& layout) : layout_(layout) {}
  KvState(KvState&&) noexcept = default;
  KvState& operator=(KvState&&) noexcept = default;

  index_t size() const noexcept { return size_; }
  index_t reach(index_t n) const noexcept { return std::min(n, size_); }
  void truncate(index_t n) noexcept { size_ = std::min(size_, n); }
  void hold(index_t) {}
  void release(index_t) {}
  void reserve(index_t n);
  KvState fork() const;
  std::size_t bytes() const { return pages_.size() * static_cast<std::size_t>(layout_.bytes()); }
  void save(Writer& w) const;
  void load(Reader& r);

  const kernels::KvLayout& layout() const noexcept { return layout_; }
  std::byte* page(index_t i) const noexcept { return pages_[static_cast<std::size_t>(i)]->data(); }
  index_t pages() const noexcept { return static_cast<index_t>(pages_.size()); }

  /// After n entries were written behind the last one; room for them was reserved.
  void grow(index_t n) noexcept { size_ += n; }

 private:
  using Page = AlignedBuffer<std::byte>;

  kernels::KvLayout layout_;
  index_t size_ = 0;
  std::vector<std::shared_ptr<Page>> pages_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/kv_state.inl.hpp"
#endif
