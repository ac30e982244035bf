#pragma once
// States of texts seen before, so that a prompt which begins like one of them is not computed again.

#include <list>
#include <span>

#include "headwise/models/model.hpp"

namespace hw {

/// Keeps states up to a number of bytes and forgets the least recently used. What it gives out are forks: copies in O(pages) that share
/// memory with what stays here. A state from here has the bits of one that was fed the same ids.
///
/// Bytes are those of StateSet::bytes(), which counts a page shared by two states twice: the memory in use is at most that.
/// One thread at a time.
class PrefixCache {
 public:
  explicit PrefixCache(const Model& model, std::size_t max_bytes) : model_(&model), max_bytes_(max_bytes) {}

  /// A state that holds the longest prefix of `ids` that a kept state has too, without the last of ids (whose logits are wanted), or
  /// nothing. Rows that a state cannot go back to are replayed (Model::rewind). Cost: O(states * common ids), and the fork.
  StateSet find(std::span<const std::int32_t> ids);

  /// Keeps a fork of a state; one that is a prefix of it goes. A state that is larger than max_bytes is not kept.
  void insert(const StateSet& state);

  std::size_t bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return entries_.size(); }
  void clear() noexcept {
    entries_.clear();
    bytes_ = 0;
  }

 private:
  struct Entry {
    StateSet state;
    std::size_t bytes;
  };
  void erase(std::list<Entry>::iterator entry);

  const Model* model_;
  std::size_t max_bytes_, bytes_ = 0;
  std::list<Entry> entries_;  // most recently used first
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/prefix_cache.inl.hpp"
#endif
