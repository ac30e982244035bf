#pragma once
#include <algorithm>

#include "headwise/text/token_trie.hpp"

namespace hw::text {

HEADWISE_INLINE TokenTrie::TokenTrie(std::vector<std::pair<std::string_view, std::int32_t>> entries, std::string_view where) {
  std::erase_if(entries, [](const auto& entry) { return entry.first.empty(); });
  if (entries.empty()) return;
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  entries.erase(std::unique(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first == b.first; }),
                entries.end());
  for (const auto& [text, value] : entries)
    if (text.size() > kMaxBytes)
      fail(where, concat("the token ", hw::quoted(text, 40), " has ", text.size(), " bytes, more than ", kMaxBytes));

  // A node stands for the range of entries that share its path; a level of the trie is made from the ranges of the one above.
  struct Range {
    std::size_t begin, end;
  };
  std::vector<Range> level = {{0, entries.size()}};
  nodes_.push_back({});
  std::size_t first_of_level = 0;
  for (std::size_t depth = 0; !level.empty(); ++depth) {
    std::vector<Range> below;
    const std::size_t first_below = nodes_.size();
    for (std::size_t n = 0; n < level.size(); ++n) {
      std::size_t i = level[n].begin;
      if (entries[i].first.size() == depth) nodes_[first_of_level + n].value = entries[i++].second;
      nodes_[first_of_level + n].children = checked_cast<std::uint32_t>(nodes_.size(), where);
      while (i < level[n].end) {
        const char byte = entries[i].first[depth];
        const std::size_t begin = i;
        while (i < level[n].end && entries[i].first[depth] == byte) ++i;
        Node node;
        node.byte = static_cast<std::uint8_t>(byte);
        nodes_.push_back(node);
        ++nodes_[first_of_level + n].count;
        below.push_back({begin, i});
      }
    }
    first_of_level = first_below;
    level = std::move(below);
  }
  first_.assign(256, false);
  for (const auto& [text, value] : entries) first_[static_cast<unsigned char>(text[0])] = true;
}

}  // namespace hw::text
