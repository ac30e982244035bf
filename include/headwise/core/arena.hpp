#pragma once
// Scratch memory of one step: taken by bumping a pointer, given back in the reverse order.

#include <algorithm>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "headwise/core/config.hpp"
#include "headwise/core/view.hpp"

namespace hw {

/// A stack of memory that keeps what it once needed: after a first step of some size, later steps up to that size allocate
/// nothing. Memory is aligned to a cache line and not cleared. Not thread-safe: parallel parts take theirs before they start.
class Arena {
 public:
  /// `count` objects of T, valid until the enclosing ArenaScope ends. Throws std::bad_alloc.
  template <class T>
  std::span<T> take(index_t count) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= kLine);
    return {static_cast<T*>(take_bytes(static_cast<std::size_t>(count) * sizeof(T))), static_cast<std::size_t>(count)};
  }
  View take_view(index_t rows, index_t cols) { return {take<float>(rows * cols).data(), rows, cols}; }

  std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const Chunk& c : chunks_) sum += c.size;
    return sum;
  }

 private:
  friend class ArenaScope;
  static constexpr std::size_t kLine = 64;
  struct Chunk {
    AlignedBuffer<std::byte> memory;
    std::size_t size = 0;
    std::size_t used = 0;
  };

  void* take_bytes(std::size_t bytes) {
    bytes = (bytes + kLine - 1) / kLine * kLine;
    while (current_ < chunks_.size() && chunks_[current_].size - chunks_[current_].used < bytes) ++current_;
    if (current_ == chunks_.size()) {
      const std::size_t size = std::max({bytes, this->bytes(), std::size_t{1} << 16});
      chunks_.push_back({AlignedBuffer<std::byte>(static_cast<index_t>(size)), size, 0});
    }
    Chunk& chunk = chunks_[current_];
    void* out = chunk.memory.data() + chunk.used;
    chunk.used += bytes;
    return out;
  }

  // When everything has been given back, several chunks become one of their joint size.
  void consolidate() {
    if (chunks_.size() < 2) return;
    const std::size_t size = bytes();
    chunks_.clear();
    chunks_.push_back({AlignedBuffer<std::byte>(static_cast<index_t>(size)), size, 0});
  }

  std::vector<Chunk> chunks_;
  std::size_t current_ = 0;
};

/// Gives back, at its end, everything that was taken since its beginning.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) noexcept
      : arena_(arena), chunk_(arena.current_), used_(chunk_ < arena.chunks_.size() ? arena.chunks_[chunk_].used : 0) {}
  ~ArenaScope() {
    for (std::size_t i = chunk_ + 1; i < arena_.chunks_.size(); ++i) arena_.chunks_[i].used = 0;
    if (chunk_ < arena_.chunks_.size()) arena_.chunks_[chunk_].used = used_;
    arena_.current_ = chunk_;
    if (chunk_ == 0 && used_ == 0) try {
        arena_.consolidate();
      } catch (...) {  // no memory for one large chunk: an empty arena grows again when it is used
      }
  }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  std::size_t chunk_;
  std::size_t used_;
};

}  // namespace hw
