// Oniguruma's dialect on PCRE2. Expected divisions are what Oniguruma's documentation (doc/RE, Ruby syntax) says.

#include "headwise/text/regex.hpp"

#include <gtest/gtest.h>

namespace hw::text {
namespace {

// Matches in [brackets], what lies between as it is.
std::string divided(const Regex& regex, std::string_view text) {
  std::vector<Span> spans;
  regex.split(text, spans);
  std::string out;
  std::size_t end = 0;
  for (const Span& span : spans) {
    EXPECT_EQ(span.begin, end);
    end = span.end;
    const std::string part(text.substr(span.begin, span.end - span.begin));
    out += span.match ? "[" + part + "]" : part;
  }
  EXPECT_EQ(end, text.size());
  return out;
}
std::string divided(const char* pattern, std::string_view text) { return divided(Regex(pattern, "test"), text); }

TEST(Regex, DividesATextFromLeftToRight) {
  EXPECT_EQ(divided("a+", "baac"), "b[aa]c");
  EXPECT_EQ(divided("a|ab", "abab"), "[a]b[a]b");
  EXPECT_EQ(divided("x", "abc"), "abc");
  EXPECT_EQ(divided("x", ""), "");
  EXPECT_EQ(divided(Regex::literal("a.", "test"), "aba.a.b"), "ab[a.][a.]b");
}

TEST(Regex, EmptyMatchesNextToAMatchDoNotCount) {
  EXPECT_EQ(divided("x*", "axxb"), "[]a[xx]b[]");
  EXPECT_EQ(divided("", "ab"), "[]a[]b[]");
}

TEST(Regex, DollarAndCaretAreLineEnds) {
  EXPECT_EQ(divided("\\s+$", "a  \nb  "), "a[  ]\nb[  ]");
  EXPECT_EQ(divided("^b", "b\nb"), "[b]\n[b]");
  EXPECT_EQ(divided(".", "a\n"), "[a]\n");
}

TEST(Regex, ClassesAreUnicode) {
  EXPECT_EQ(divided("\\w+", "naïve Ⓐ_1 क्ष!"), "[naïve] [Ⓐ_1] [क्ष]!");
  EXPECT_EQ(divided("[^\\w\\s]+", "a… b!?"), "a[…] b[!?]");
  EXPECT_EQ(divided("\\s+", "a\u00A0\u3000b\u180Ec"), "a[\u00A0\u3000]b\u180Ec");  // U+180E is no white space
  EXPECT_EQ(divided("\\d", "1٣²"), "[1][٣]²");
  EXPECT_EQ(divided("\\h", "fgA"), "[f]g[A]");  // a hexadecimal digit
  EXPECT_EQ(divided("\\bé", "été é"), "[é]té [é]");
  EXPECT_EQ(divided("[[:alpha:]_]+", "aß_1"), "[aß_]1");
  EXPECT_EQ(divided("\\p{Han}+", "漢字かな。"), "[漢字]かな。");
  EXPECT_EQ(divided("\\p{Han}", "。"), "。");  // the script, not its extensions
  EXPECT_EQ(divided("\\p{^L}", "a1"), "a[1]");
  EXPECT_EQ(divided("\\P{Letter}", "a1"), "a[1]");
  EXPECT_EQ(divided("[\\p{Lu}\\p{Lt}]", "aǅB"), "a[ǅ][B]");
}

TEST(Regex, PlusAfterAnIntervalRepeatsIt) {
  EXPECT_EQ(divided("\\p{N}{1,3}+", "12345"), "[12345]");
  EXPECT_EQ(divided("(?:ab){2}+c", "ababababc"), "[ababababc]");
  EXPECT_EQ(divided("a{,2}b", "aaab"), "a[aab]");
  EXPECT_EQ(divided("a{", "a{"), "[a{]");
  EXPECT_EQ(divided("a++a|b", "aab"), "aa[b]");  // but a+ after a plus is possessive
}

TEST(Regex, LookaroundAndGroups) {
  EXPECT_EQ(divided("\\s+(?!\\S)", "a   b  "), "a[  ] b[  ]");
  EXPECT_EQ(divided("(?i:'s|'t)", "'S 'T"), "['S] ['T]");
  EXPECT_EQ(divided("(?#remark)a", "ba"), "b[a]");
  EXPECT_EQ(divided("(?<x>a)\\k<x>", "aab"), "[aa]b");
}

TEST(Regex, InvalidPatternsAreErrors) {
  for (const char* pattern : {"(", "[z-a]", "[abc", "\\p{Foo}", "*a", "[a[b]]", "[a&&b]", "\\C"})
    EXPECT_THROW(Regex(pattern, "test"), Error) << pattern;
  EXPECT_THROW(Regex::literal("", "test"), Error);
  EXPECT_THROW(Regex(std::string(100'000, 'a'), "test"), Error);
}

TEST(Regex, CatastrophicPatternsAreErrorsInTime) {
  const Regex regex("(a|aa)+$", "the place");
  std::vector<Span> spans;
  try {
    regex.split(std::string(100, 'a') + "b", spans);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("the place"), std::string::npos);
  }
}

TEST(Regex, LongTextsNeedNoStack) {
  EXPECT_EQ(divided("(?:a|b)+", std::string(100'000, 'a')).size(), 100'002u);
  EXPECT_EQ(divided("\\s+(?!\\S)", std::string(1'000'000, ' ') + "x").size(), 1'000'003u);
}

}  // namespace
}  // namespace hw::text
