#pragma once
// The precompiled character map of SentencePiece models ("nmt_nfkc"): replacements of short byte strings.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw::text {

/// Layout: u32 size of the trie in bytes; the trie, a Darts double array (https://github.com/s-yata/darts-clone) of u32 units; then the
/// replacements, each ended by NUL. The trie's values are offsets of replacements.
class Charsmap {
 public:
  Charsmap() = default;
  /// Errors: sizes that do not fit the blob, replacements that are not UTF-8. Empty: maps nothing.
  Charsmap(std::string_view blob, std::string_view where);

  bool empty() const noexcept { return units_.empty(); }

  struct Match {
    std::size_t size = 0;  // bytes replaced; 0: none
    std::string_view replacement;
  };
  /// The longest entry that `text` begins with. Errors: a trie that leads outside of itself.
  Match longest(std::string_view text) const;
  /// The shortest one: what the tokenizers library takes.
  Match shortest(std::string_view text) const;

 private:
  template <class Accept>
  void walk(std::string_view text, Accept accept) const;
  Match match(std::size_t size, std::uint32_t offset) const;
  [[noreturn]] void broken() const { fail(where_, "the precompiled_charsmap leads outside of itself"); }

  std::string where_;
  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/charsmap.inl.hpp"
#endif
