#pragma once
// A set of byte strings that finds which of them a text begins with.

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw::text {

/// An immutable trie. Children of a node lie side by side, sorted by byte. Cost: 12 bytes a node, O(log 256) a byte.
class TokenTrie {
 public:
  /// Longest string that a trie takes: a text of n bytes is searched in at most n times this.
  static constexpr std::size_t kMaxBytes = 4096;

  TokenTrie() = default;
  /// Pairs of a string and its value (>= 0); of equal strings the first counts. Errors: a string longer than kMaxBytes. Empty strings
  /// are left out.
  TokenTrie(std::vector<std::pair<std::string_view, std::int32_t>> entries, std::string_view where);

  bool empty() const noexcept { return nodes_.empty(); }

  /// Whether any string begins with this byte.
  bool starts(char byte) const noexcept { return !nodes_.empty() && first_[static_cast<unsigned char>(byte)]; }

  /// Calls f(size, value) for every string that `text` begins with, the shortest first.
  template <class F>
  void prefixes(std::string_view text, F f) const;

  struct Match {
    std::size_t size = 0;  // 0: none
    std::int32_t value = -1;
  };
  Match longest(std::string_view text) const {
    Match match;
    prefixes(text, [&](std::size_t size, std::int32_t value) { match = {size, value}; });
    return match;
  }

 private:
  struct Node {
    std::uint32_t children = 0;  // the first one
    std::int32_t value = -1;
    std::uint16_t count = 0;
    std::uint8_t byte = 0;
  };
  const Node* child(const Node& node, unsigned char byte) const noexcept;

  std::vector<Node> nodes_;  // level by level; the root first
  std::vector<bool> first_;
};

inline const TokenTrie::Node* TokenTrie::child(const Node& node, unsigned char byte) const noexcept {
  std::size_t low = node.children, high = low + node.count;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (nodes_[middle].byte < byte)
      low = middle + 1;
    else
      high = middle;
  }
  return low < std::size_t{node.children} + node.count && nodes_[low].byte == byte ? &nodes_[low] : nullptr;
}

template <class F>
void TokenTrie::prefixes(std::string_view text, F f) const {
  if (text.empty() || !starts(text[0])) return;
  const Node* node = &nodes_[0];
  for (std::size_t i = 0; i < text.size(); ++i) {
    node = child(*node, static_cast<unsigned char>(text[i]));
    if (!node) return;
    if (node->value >= 0) f(i + 1, node->value);
  }
}

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/token_trie.inl.hpp"
#endif
