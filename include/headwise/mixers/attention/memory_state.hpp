#pragma once
// The keys and values of another token set: written once, read at every step.

#include "headwise/mixers/attention/kv_state.hpp"

namespace hw {

/// What cross-attention keeps of a source. It does not grow with the sequence: every prefix is reached and truncate changes nothing. Forks
/// share its pages.
class MemoryState {
 public:
  MemoryState() = default;
  explicit MemoryState(const kernels::KvLayout& layout) : entries_(layout) {}
  explicit MemoryState(KvState entries) noexcept : entries_(std::move(entries)) {}

  index_t size() const noexcept { return 0; }
  index_t reach(index_t n) const noexcept { return n; }
  void truncate(index_t) noexcept {}
  void hold(index_t) {}
  void release(index_t) {}
  void reserve(index_t) {}
  MemoryState fork() const { return MemoryState(entries_.fork()); }
  std::size_t bytes() const { return entries_.bytes(); }
  void save(Writer& w) const { entries_.save(w); }
  void load(Reader& r) { entries_.load(r); }

  /// Counted in rows of the source.
  KvState& entries() noexcept { return entries_; }
  const KvState& entries() const noexcept { return entries_; }

 private:
  KvState entries_;
};

}  // namespace hw
