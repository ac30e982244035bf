#pragma once
#include <algorithm>
#include <utility>

#include "headwise/generate/stopping.hpp"

namespace hw {
namespace detail {

// The longest beginning of `pattern` that ends with the next byte `c`, after `matched` bytes of it.
inline std::size_t advance_match(std::string_view pattern, const std::vector<std::uint32_t>& fallback, std::size_t matched, char c) {
  if (matched == pattern.size()) matched = fallback[matched];
  while (matched > 0 && pattern[matched] != c) matched = fallback[matched];
  return pattern[matched] == c ? matched + 1 : 0;
}

}  // namespace detail

HEADWISE_INLINE StopMatcher::StopMatcher(std::vector<std::string> stop_strings) {
  for (std::string& text : stop_strings) {
    if (text.empty()) fail("stop", "strings that are not empty", "\"\"");
    if (text.size() > (std::size_t{1} << 30)) fail("stop", "strings of at most 1 GiB", concat(text.size(), " bytes"));
    Pattern pattern{std::move(text), {0, 0}, 0};
    pattern.fallback.reserve(pattern.text.size() + 1);
    for (std::size_t i = 1; i < pattern.text.size(); ++i)
      pattern.fallback.push_back(
          static_cast<std::uint32_t>(detail::advance_match(pattern.text, pattern.fallback, pattern.fallback[i], pattern.text[i])));
    patterns_.push_back(std::move(pattern));
  }
}

HEADWISE_INLINE StopMatcher::Piece StopMatcher::push(std::string_view text) {
  if (stopped()) return {{}, true};
  std::size_t longest = 0;  // matched at the end of the text
  for (std::size_t at = 0; at < text.size(); ++at) {
    longest = 0;
    for (std::size_t k = 0; k < patterns_.size(); ++k) {
      Pattern& pattern = patterns_[k];
      pattern.matched = detail::advance_match(pattern.text, pattern.fallback, pattern.matched, text[at]);
      longest = std::max(longest, pattern.matched);
      const bool longer = !stopped() || pattern.text.size() > stop_string().size();
      if (pattern.matched == pattern.text.size() && longer) stopped_ = static_cast<std::ptrdiff_t>(k);
    }
    if (!stopped()) continue;
    Piece last{std::exchange(held_, {}), true};
    last.text += text.substr(0, at + 1);
    last.text.resize(last.text.size() - stop_string().size());
    return last;
  }
  if (text.empty()) return {};
  held_ += text;
  Piece piece{held_.substr(0, held_.size() - longest), false};
  held_.erase(0, piece.text.size());
  return piece;
}

HEADWISE_INLINE std::string StopMatcher::finish() {
  for (Pattern& pattern : patterns_) pattern.matched = 0;
  stopped_ = -1;
  return std::exchange(held_, {});
}

}  // namespace hw
