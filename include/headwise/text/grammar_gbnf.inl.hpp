#pragma once
#include "headwise/text/grammar.hpp"
#include "headwise/text/grammar_builder.hpp"
#include "headwise/text/unicode.hpp"

namespace hw {
namespace text {

// Reads GBNF. Depth of recursion: GrammarLimits::nesting.
class GbnfReader {
 public:
  GbnfReader(std::string_view text, std::string_view origin) : text_(text), build_(std::string(origin)) {}

  GrammarProgram read() {
    const std::uint32_t root = build_.named("root");
    for (space(true); at_ < text_.size(); space(true)) rule();
    if (!build_.defined(root)) wrong("a rule called root");
    return build_.finish(root);
  }

 private:
  using Sequence = GrammarBuilder::Sequence;

  [[noreturn]] void wrong(std::string_view expected) const {
    std::size_t line = 1, column = 1;
    for (std::size_t i = 0; i < std::min(at_, text_.size()); ++i) text_[i] == '\n' ? (++line, column = 1) : ++column;
    fail(concat(build_.origin(), ", line ", line, ", column ", column), expected,
         at_ < text_.size() ? quoted(text_.substr(at_, 16)) : std::string("the end"));
  }
  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  static bool of_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

  void space(bool lines) {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
        if (!lines || at_ == text_.size()) return;
      } else if (!(c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r')))) {
        return;
      }
    }
  }

  std::string_view name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && of_name(text_[at_])) ++at_;
    if (at_ == begin) wrong("the name of a rule");
    return text_.substr(begin, at_ - begin);
  }

  void rule() {
    const std::string_view rule_name = name();
    const std::uint32_t rule = build_.named(rule_name);
    if (build_.defined(rule)) fail(build_.origin(), concat("the rule ", quoted(rule_name), " is defined twice"));
    space(false);
    if (text_.substr(at_, 3) != "::=") wrong("::=");
    at_ += 3;
    space(true);
    alternatives(rule, 0);
    if (at_ < text_.size() && !next_is('\n') && !next_is('\r')) wrong("the end of the line");
  }

  void alternatives(std::uint32_t rule, int nesting) {
    if (nesting > GrammarLimits::nesting) fail(build_.origin(), concat("parentheses nested deeper than ", GrammarLimits::nesting));
    build_.add(rule, sequence(nesting));
    while (take('|')) {
      space(true);
      build_.add(rule, sequence(nesting));
    }
  }

  Sequence sequence(int nesting) {
    Sequence out;
    for (bool more = true; more;) {
      Sequence item;
      if (next_is('"')) {
        item = literal();
      } else if (next_is('[')) {
        item = {character_class()};
      } else if (take('.')) {
        item = {build_.characters({}, true)};
      } else if (take('(')) {
        space(true);
        const std::uint32_t inner = build_.fresh();
        alternatives(inner, nesting + 1);
        if (!take(')')) wrong("')'");
        item = {GrammarBuilder::call(inner)};
      } else if (at_ < text_.size() && of_name(text_[at_])) {
        item = {GrammarBuilder::call(build_.named(name()))};
      } else {
        break;
      }
      space(nesting > 0);
      item = repeated(std::move(item), nesting);
      out.insert(out.end(), item.begin(), item.end());
      if (out.size() > GrammarLimits::elements) fail(build_.origin(), concat("more than ", GrammarLimits::elements, " elements"));
    }
    return out;
  }

  Sequence repeated(Sequence item, int nesting) {
    for (;;) {
      std::uint64_t least = 0, most = GrammarBuilder::kUnlimited;
      if (take('*')) {
      } else if (take('+')) {
        least = 1;
      } else if (take('?')) {
        most = 1;
      } else if (take('{')) {
        least = most = number();
        if (take(',')) most = next_is('}') ? GrammarBuilder::kUnlimited : number();
        if (!take('}')) wrong("'}'");
      } else {
        return item;
      }
      item = build_.repeat(std::move(item), least, most);
      space(nesting > 0);
    }
  }

  std::uint64_t number() {
    space(false);
    std::uint64_t value = 0;
    const std::size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      value = value * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
      if (value > 0xFFFFFFFFu)
        fail(build_.origin(), concat("a repetition of at most ", GrammarLimits::elements, " times"), "a larger number");
    }
    if (at_ == begin) wrong("a number");
    space(false);
    return value;
  }

  // A character of a literal or class, with its escapes; `end` closes it.
  char32_t character(char end) {
    if (at_ >= text_.size() || text_[at_] == '\n') wrong(concat("'", std::string(1, end), "'"));
    if (!take('\\')) {
      const std::size_t length = hw::detail::utf8_length(text_.substr(at_));
      if (length == 0) wrong("UTF-8");
      return next_character(text_, at_);
    }
    if (at_ >= text_.size()) wrong("an escape");
    const char c = text_[at_++];
    switch (c) {
      case 'n': return U'\n';
      case 'r': return U'\r';
      case 't': return U'\t';
      case 'x': return hexadecimal(2);
      case 'u': return hexadecimal(4);
      case 'U': return hexadecimal(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
      case '/': return static_cast<char32_t>(c);
      default: --at_; wrong("one of the escapes \\n \\r \\t \\\\ \\\" \\[ \\] \\x \\u \\U");
    }
  }
  char32_t hexadecimal(int digits) {
    std::uint64_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = at_ < text_.size() ? text_[at_] : ' ';
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) wrong(concat(digits, " hexadecimal digits"));
      value = value * 16 + static_cast<std::uint64_t>(digit);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) wrong("a character of Unicode");
    return static_cast<char32_t>(value);
  }

  Sequence literal() {
    std::string bytes;
    for (++at_; !next_is('"');) append_character(bytes, character('"'));
    ++at_;
    return build_.literal(bytes);
  }

  GrammarBuilder::Element character_class() {
    ++at_;
    const bool negated = take('^');
    std::vector<CharacterRange> ranges;
    while (!next_is(']')) {
      const char32_t first = character(']');
      char32_t last = first;
      if (next_is('-') && text_.substr(at_ + 1, 1) != "]") {
        ++at_;
        last = character(']');
      }
      if (last < first) wrong("a range that goes up");
      ranges.push_back({first, last});
    }
    ++at_;
    if (ranges.empty()) wrong("a class with characters");
    return build_.characters(std::move(ranges), negated);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  GrammarBuilder build_;
};

}  // namespace text

HEADWISE_LOAD_TIME Grammar Grammar::gbnf(std::string_view text, std::string_view origin) {
  return Grammar(text::GbnfReader(text, origin).read());
}

}  // namespace hw
