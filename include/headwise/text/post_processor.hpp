#pragma once
// What surrounds the tokens of one or two texts: special tokens and segment ids.

#include <cstdint>
#include <optional>
#include <vector>

#include "headwise/core/config.hpp"

namespace hw::text {

/// One part of a template: special tokens, or a text's tokens, and the segment they count to.
struct TemplatePart {
  enum class Kind { special, first, second } kind;
  std::int32_t type_id = 0;
  std::vector<std::int32_t> ids;  // of special tokens
};

struct PostProcessor {
  /// Without a template nothing is added; the second text has segment 1.
  std::optional<std::vector<TemplatePart>> single, pair;
  /// Segment ids of the template count even where special tokens are not wanted (BERT's old processor is the exception).
  bool types_without_special = true;
  /// Offsets leave out the spaces of byte-level tokens; with `keep_prefix_space` not the one that was put before a text.
  bool trim_offsets = false, keep_prefix_space = false;
};

}  // namespace hw::text
