#pragma once
// Stop strings over streamed text.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw {

/// Passes text on until one of several strings comes up in it, wherever the pieces are cut.
///
/// What has been given out ends exactly before the stop string: text that may be the beginning of one is held back. Of several the one that
/// is complete first counts; of several that end at the same place, the longest. So the result does not depend on how the text is cut
/// into pieces. Strings are bytes. Cost: O(pieces x stop strings), no search is repeated (Knuth, Morris, Pratt 1977).
class StopMatcher {
 public:
  struct Piece {
    std::string text;      // what may be shown now
    bool stopped = false;  // nothing comes after it
  };

  /// Without strings everything passes. Errors: an empty string.
  explicit StopMatcher(std::vector<std::string> stop_strings = {});

  /// After a stop: no text, stopped. Errors: none.
  Piece push(std::string_view text);

  /// The end of the text: what was held back. The matcher begins again.
  std::string finish();

  bool stopped() const noexcept { return stopped_ >= 0; }
  /// Which string it was. Only where stopped().
  const std::string& stop_string() const noexcept { return patterns_[static_cast<std::size_t>(stopped_)].text; }

 private:
  struct Pattern {
    std::string text;
    std::vector<std::uint32_t> fallback;  // for each length: the longest proper prefix that also ends there
    std::size_t matched = 0;              // bytes of the text's end that are the beginning of this string
  };

  std::vector<Pattern> patterns_;
  std::string held_;
  std::ptrdiff_t stopped_ = -1;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/stopping.inl.hpp"
#endif
