#pragma once
// Puts a grammar together: what the readers of GBNF and of JSON schemas share.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "headwise/text/grammar_program.hpp"

namespace hw::text {

/// Characters [first, last].
struct CharacterRange {
  char32_t first = 0, last = 0;
};

class GrammarBuilder {
 public:
  using Element = GrammarProgram::Element;
  using Sequence = std::vector<Element>;

  explicit GrammarBuilder(std::string origin) : origin_(std::move(origin)) {}

  /// The number of the rule of that name, which may be defined later; one without a name.
  std::uint32_t named(std::string_view name);
  std::uint32_t fresh();
  /// Whether the rule has alternatives.
  bool defined(std::uint32_t rule) const { return !rules_[rule].empty(); }
  /// Errors: more elements than the limit.
  void add(std::uint32_t rule, Sequence alternative);

  static Element call(std::uint32_t rule) { return {GrammarProgram::Kind::call, rule}; }
  Sequence literal(std::string_view bytes);
  /// One character of the ranges, or, negated, any other.
  Element characters(std::vector<CharacterRange> ranges, bool negated = false);
  /// One of them.
  Element any_of(std::vector<Sequence> alternatives);
  /// From `least` to `most` times. Errors: more elements than the limit.
  static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
  Sequence repeat(Sequence item, std::uint64_t least, std::uint64_t most);

  /// Errors: rules that are used but not defined, left recursion, a grammar that no text follows, or only the empty one.
  GrammarProgram finish(std::uint32_t root);

  const std::string& origin() const noexcept { return origin_; }

 private:
  Element bytes(const GrammarProgram::ByteSet& set);
  Element byte_range(unsigned first, unsigned last);
  void utf8(char32_t first, char32_t last, std::vector<Sequence>& out);
  void check_defined() const;
  std::vector<std::uint32_t> in_the_way(bool bytes_too, std::vector<bool>& holds) const;
  void drop_unproductive();
  void check_left_recursion() const;
  bool writes_bytes(std::uint32_t root) const;  // after drop_unproductive
  std::string name_of(std::uint32_t rule) const;

  std::string origin_;
  std::vector<std::vector<Sequence>> rules_;
  std::vector<bool> loops_;  // rules of repeat: they may begin with themselves where the item is empty
  std::map<std::string, std::uint32_t, std::less<>> names_;
  std::vector<GrammarProgram::ByteSet> sets_;
  std::map<GrammarProgram::ByteSet, std::uint32_t> set_numbers_;
  std::map<std::vector<std::pair<char32_t, char32_t>>, std::uint32_t> classes_;  // rules of classes beyond ASCII
  std::size_t elements_ = 0;
};

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/grammar_builder.inl.hpp"
#endif
