#pragma once
// Regular expressions of tokenizer files: Oniguruma's dialect (Ruby syntax, Unicode), matched by PCRE2.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw::text {

/// A stretch of a text and whether the pattern matched it.
struct Span {
  std::size_t begin, end;
  bool match;
};

/// A compiled pattern. Copies share it; any number of threads may search with it.
///
/// The dialect is Oniguruma's with Ruby syntax: `^` and `$` are lines' ends, `\w`, `\d`, `\s` and `\b` go by Unicode, \p{Han} is the script
/// alone, `{n,m}+` repeats a repetition. Not supported: intersections (&&) and sets within sets. Errors: an invalid pattern; a search that
/// takes more than ten million steps or 64 MiB.
class Regex {
 public:
  /// `where` is what messages call the pattern's place in the file.
  Regex(std::string_view pattern, std::string_view where);
  /// Matches `text` itself.
  static Regex literal(std::string_view text, std::string_view where);

  /// Divides a well-formed text: matches from left to right and what lies between them, in order; `out` is overwritten. As the reference
  /// does, an empty match next to the match before does not count, and a text without characters is one stretch of no match.
  void split(std::string_view text, std::vector<Span>& out) const;

 private:
  Regex() = default;
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

namespace detail {
/// The pattern in PCRE2's dialect.
std::string pcre_pattern(std::string_view pattern, std::string_view where);
}  // namespace detail

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/regex.inl.hpp"
#endif
