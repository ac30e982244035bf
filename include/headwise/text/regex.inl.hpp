#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "headwise/text/regex.hpp"
#include "headwise/text/unicode.hpp"

namespace hw::text {
namespace detail {

// Classes by name, as what stands in a set.
// clang-format off
inline constexpr std::pair<std::string_view, std::string_view> kPropertyNames[] = {
    {"word", "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"}, {"alnum", "\\p{Alphabetic}\\p{Nd}"}, {"space", "\\p{White_Space}"},
    {"digit", "\\p{Nd}"}, {"xdigit", "0-9A-Fa-f"}, {"alpha", "\\p{Alphabetic}"}, {"upper", "\\p{Uppercase}"},
    {"lower", "\\p{Lowercase}"}, {"punct", "\\p{P}$+<=>^`|~"}, {"cntrl", "\\p{Cc}"}, {"blank", "\\p{Zs}\\t"}, {"letter", "\\p{L}"},
    {"mark", "\\p{M}"}, {"number", "\\p{N}"}, {"punctuation", "\\p{P}"}, {"symbol", "\\p{S}"}, {"separator", "\\p{Z}"},
    {"other", "\\p{C}"}, {"uppercaseletter", "\\p{Lu}"}, {"lowercaseletter", "\\p{Ll}"}, {"titlecaseletter", "\\p{Lt}"},
    {"modifierletter", "\\p{Lm}"}, {"otherletter", "\\p{Lo}"}, {"decimalnumber", "\\p{Nd}"}, {"any", "\\x{0}-\\x{10FFFF}"},
    {"ascii", "\\x00-\\x7F"}, {"whitespace", "\\p{White_Space}"}, {"alphabetic", "\\p{Alphabetic}"}, {"uppercase", "\\p{Uppercase}"},
    {"lowercase", "\\p{Lowercase}"}};
// clang-format on

// Translates a pattern in one pass. It needs to know three things about Ruby's syntax: what a class holds, where the last atom begins (for
// {n,m}+), and the names that PCRE2 reads otherwise.
class PatternTranslator {
 public:
  PatternTranslator(std::string_view pattern, std::string_view where) : in_(pattern), where_(where) {}

  std::string translate() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\') {
        atom(), escape(false);
      } else if (c == '[') {
        atom(), set();
      } else if (c == '(') {
        open();
      } else if (c == ')') {
        if (!groups_.empty()) atom_ = groups_.back(), groups_.pop_back();
        copy(1);
      } else if (c == '{' && interval()) {
      } else if (c == '|' || c == '*' || c == '+' || c == '?') {
        copy(1);
      } else {
        atom(), copy(utf8_size(c));
      }
    }
    return std::move(out_);
  }

 private:
  void atom() { atom_ = out_.size(); }
  void copy(std::size_t n) {
    n = std::min(n, in_.size() - at_);
    out_.append(in_, at_, n);
    at_ += n;
  }

  // "(?<name>", "(?i:" and so on are copied as they are; "(?#" ends at the next ")".
  void open() {
    groups_.push_back(out_.size());
    if (in_.substr(at_, 3) == "(?#") {
      groups_.pop_back();
      const std::size_t end = in_.find(')', at_);
      at_ = end == std::string_view::npos ? in_.size() : end + 1;
      return;
    }
    copy(1);
    if (at_ < in_.size() && in_[at_] == '?') copy(1);
  }

  // {n}, {n,}, {,m}, {n,m}. A + after it repeats the repetition, where PCRE2 would make it possessive.
  bool interval() {
    std::size_t end = at_ + 1;
    std::string low, high;
    while (end < in_.size() && in_[end] >= '0' && in_[end] <= '9') low += in_[end++];
    const bool range = end < in_.size() && in_[end] == ',';
    if (range) ++end;
    while (range && end < in_.size() && in_[end] >= '0' && in_[end] <= '9') high += in_[end++];
    if (end >= in_.size() || in_[end] != '}' || (low.empty() && high.empty())) {
      atom();
      out_ += "\\{";
      ++at_;
      return true;
    }
    out_ += "{" + (low.empty() ? "0" : low) + (range ? "," + high : "") + "}";
    at_ = end + 1;
    if (at_ < in_.size() && in_[at_] == '+') {
      out_.insert(atom_, "(?:");
      out_ += ")+";
      ++at_;
    }
    return true;
  }

  // [...]: Ruby's sets nest and intersect; PCRE2's do neither.
  void set() {
    copy(1);
    if (at_ < in_.size() && in_[at_] == '^') copy(1);
    bool first = true;
    for (; at_ < in_.size(); first = false) {
      const char c = in_[at_];
      if (c == ']' && !first) return copy(1);
      if (c == '[' && in_.substr(at_, 2) == "[:") {
        posix();
      } else if (c == '[') {
        fail(where_, concat("the pattern ", hw::quoted(in_), " has a set within a set"));
      } else if (in_.substr(at_, 2) == "&&") {
        fail(where_, concat("the pattern ", hw::quoted(in_), " intersects sets"));
      } else if (c == '\\') {
        escape(true);
      } else {
        copy(utf8_size(c));
      }
    }
  }

  void posix() {
    const std::size_t end = in_.find(":]", at_);
    if (end == std::string_view::npos) return copy(1);
    std::string_view name = in_.substr(at_ + 2, end - at_ - 2);
    at_ = end + 2;
    const bool negated = !name.empty() && name[0] == '^';
    if (negated) name.remove_prefix(1);
    property(name, negated, true);
  }

  void escape(bool in_set) {
    const char c = at_ + 1 < in_.size() ? in_[at_ + 1] : '\0';
    const bool named = at_ + 2 < in_.size() && in_[at_ + 2] == '{';
    const std::size_t brace = named ? in_.find('}', at_) : std::string_view::npos;
    if ((c == 'p' || c == 'P') && brace != std::string_view::npos) {
      std::string_view name = in_.substr(at_ + 3, brace - at_ - 3);
      bool negated = c == 'P';
      if (!name.empty() && name[0] == '^') negated = !negated, name.remove_prefix(1);
      at_ = brace + 1;
      property(name, negated, in_set);
    } else if (c == 'w' || c == 'W') {
      at_ += 2, property("word", c == 'W', in_set);
    } else if (c == 's' || c == 'S') {
      at_ += 2, property("space", c == 'S', in_set);
    } else if (c == 'd' || c == 'D') {
      at_ += 2, property("digit", c == 'D', in_set);
    } else if (c == 'h' || c == 'H') {
      at_ += 2, property("xdigit", c == 'H', in_set);
    } else if ((c == 'b' || c == 'B') && !in_set) {
      constexpr std::string_view kWord = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]";
      at_ += 2;
      const char *in = c == 'b' ? "!" : "=", *out = c == 'b' ? "=" : "!";
      out_ += concat("(?:(?<", in, kWord, ")(?=", kWord, ")|(?<", out, kWord, ")(?!", kWord, "))");
    } else if (c == '\0' || static_cast<unsigned char>(c) >= 0x80) {
      ++at_;  // a backslash before a letter beyond ASCII, or at the end
      if (at_ >= in_.size()) out_ += '\\';
    } else {
      copy(2);
    }
  }

  // A named class. PCRE2 knows general categories by one or two letters, and takes a script's name for its extensions.
  void property(std::string_view name, bool negated, bool in_set) {
    std::string plain;
    for (const char c : name)
      if (c != '_' && c != ' ' && c != '-') plain += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    const auto* known =
        std::find_if(std::begin(kPropertyNames), std::end(kPropertyNames), [&](const auto& entry) { return entry.first == plain; });
    if (known == std::end(kPropertyNames)) {
      const std::string_view script = plain.size() > 2 ? "sc:" : "";
      out_ += concat(negated ? "\\P{" : "\\p{", script, name, "}");
    } else if (!in_set) {
      out_ += concat(negated ? "[^" : "[", known->second, "]");
    } else if (!negated) {
      out_ += known->second;
    } else if (known->second.substr(0, 2) == "\\p" && known->second.find('}') + 1 == known->second.size()) {
      out_ += concat("\\P", known->second.substr(2));
    } else if (plain == "word") {
      out_ += "\\W";  // the one that PCRE2 draws a little wider: marks, and letters that are symbols
    } else {
      fail(where_, concat("the pattern ", hw::quoted(in_), " negates ", hw::quoted(name), " within a set"));
    }
  }

  std::string_view in_, where_;
  std::size_t at_ = 0;
  std::string out_;
  std::size_t atom_ = 0;
  std::vector<std::size_t> groups_;
};

HEADWISE_INLINE std::string pcre_pattern(std::string_view pattern, std::string_view where) {
  return PatternTranslator(pattern, where).translate();
}

template <auto Free>
struct PcreFree {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
using PcreCode = std::unique_ptr<pcre2_code, PcreFree<pcre2_code_free>>;
using PcreCompileContext = std::unique_ptr<pcre2_compile_context, PcreFree<pcre2_compile_context_free>>;
using PcreMatchContext = std::unique_ptr<pcre2_match_context, PcreFree<pcre2_match_context_free>>;
using PcreMatchData = std::unique_ptr<pcre2_match_data, PcreFree<pcre2_match_data_free>>;

HEADWISE_INLINE std::string pcre_message(int code) {
  std::array<PCRE2_UCHAR, 160> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace detail

struct Regex::Compiled {
  detail::PcreCode code;
  std::string where;
  std::string literal;  // instead of code
};

HEADWISE_INLINE Regex::Regex(std::string_view pattern, std::string_view where) {
  if (pattern.size() > (64u << 10)) fail(where, concat("a pattern of ", pattern.size(), " bytes is too long"));
  const std::string translated = detail::pcre_pattern(pattern, where);
  const detail::PcreCompileContext context(pcre2_compile_context_create(nullptr));
  if (!context) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), 200);
  int error = 0;
  PCRE2_SIZE offset = 0;
  constexpr auto kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  auto compiled = std::make_shared<Compiled>();
  compiled->where = where;
  compiled->code.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), kOptions, &error, &offset, context.get()));
  if (!compiled->code) fail(where, concat("the pattern ", hw::quoted(pattern), " is invalid: ", detail::pcre_message(error)));
  pcre2_jit_compile(compiled->code.get(), PCRE2_JIT_COMPLETE);  // where there is none, patterns are interpreted
  compiled_ = std::move(compiled);
}

HEADWISE_INLINE Regex Regex::literal(std::string_view text, std::string_view where) {
  if (text.empty()) fail(where, "the pattern is empty");
  Regex regex;
  auto compiled = std::make_shared<Compiled>();
  compiled->where = where;
  compiled->literal = text;
  regex.compiled_ = std::move(compiled);
  return regex;
}

HEADWISE_INLINE void Regex::split(std::string_view text, std::vector<Span>& out) const {
  out.clear();
  std::size_t done = 0;
  const auto found = [&](std::size_t begin, std::size_t end) {
    if (begin > done) out.push_back({done, begin, false});
    out.push_back({begin, end, true});
    done = end;
  };
  if (const std::string& literal = compiled_->literal; !literal.empty()) {
    for (std::size_t at = text.find(literal); at != std::string_view::npos; at = text.find(literal, done)) found(at, at + literal.size());
  } else if (!text.empty()) {
    const pcre2_code* code = compiled_->code.get();
    const detail::PcreMatchContext context(pcre2_match_context_create(nullptr));
    const detail::PcreMatchData data(pcre2_match_data_create(1, nullptr));
    if (!context || !data) throw std::bad_alloc();
    pcre2_set_match_limit(context.get(), 10'000'000);
    pcre2_set_heap_limit(context.get(), 64 << 10);
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    std::size_t at = 0, last_end = std::string_view::npos;
    while (at <= text.size()) {
      const auto match = [&](std::uint32_t options) {
        return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, PCRE2_NO_UTF_CHECK | options, data.get(),
                           context.get());
      };
      int n = match(0);
      if (n == PCRE2_ERROR_JIT_STACKLIMIT) n = match(PCRE2_NO_JIT);
      if (n == PCRE2_ERROR_NOMATCH) break;
      if (n < 0) fail(compiled_->where, concat("the pattern fails on a text of ", text.size(), " bytes: ", detail::pcre_message(n)));
      const std::size_t begin = range[0], end = range[1];
      if (begin > end || begin < done || end < at) fail(compiled_->where, "the pattern matches backwards");
      if (begin == end && end == last_end) {  // an empty match next to the last one
        at += at < text.size() ? utf8_size(text[at]) : 1;
        continue;
      }
      found(begin, end);
      at = last_end = end;
    }
  }
  if (done < text.size() || text.empty()) out.push_back({done, text.size(), false});
}

}  // namespace hw::text
