// Grammars: which texts they accept, against std::regex and by hand; what is refused.

#include "headwise/text/grammar.hpp"

#include <gtest/gtest.h>

#include <regex>

namespace {

using hw::Grammar;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const hw::Error& e) {
    return e.what();
  }
  return "";
}

// All strings of up to `n` of the letters.
std::vector<std::string> strings(const std::string& letters, std::size_t n) {
  std::vector<std::string> out{""};
  for (std::size_t from = 0; n > 0; --n) {
    const std::size_t to = out.size();
    for (; from < to; ++from)
      for (const char c : letters) out.push_back(out[from] + c);
  }
  return out;
}

TEST(Grammar, RegularOnesAreWhatStdRegexSays) {
  const std::pair<const char*, const char*> both[] = {
      {R"(root ::= "a"* b?
b ::= [b-z])",
       "a*[b-z]?"},
      {R"(root ::= ("ab" | "a")* "c"{2,3})", "(ab|a)*c{2,3}"},
      {R"(root ::= [^a]+ "a" . | x{0,2} "b"
x ::= "c" | "ca"?)",
       "[^a]+a.|(c|(ca)?){0,2}b"},
      {R"(root ::= "a"{2} ( "b" | # a comment
  "c" )+ "a"{1,})",
       "a{2}(b|c)+a{1,}"},
      {R"(root ::= "" | ("a"? "b"?)* "c")", "|(a?b?)*c"},
      {R"(root ::= "\x61" "\u0062" [\x61-\U00000062]* "c"?)", "ab[a-b]*c?"},
  };
  for (const auto& [gbnf, expression] : both) {
    const Grammar grammar = Grammar::gbnf(gbnf);
    const std::regex regex(expression);
    for (const std::string& s : strings("abc", 7)) EXPECT_EQ(grammar.accepts(s), std::regex_match(s, regex)) << gbnf << " of " << s;
  }
}

// a^n b^n, brackets, palindromes: with a stack.
TEST(Grammar, ContextFreeOnes) {
  const Grammar equal = Grammar::gbnf("root ::= \"a\" root? \"b\"");
  const Grammar brackets = Grammar::gbnf("root ::= item*\nitem ::= \"a\" root \"b\" | \"c\"");
  const Grammar palindromes = Grammar::gbnf("root ::= \"a\" root \"a\" | \"b\" root \"b\" | \"c\" root \"c\" | [abc]?");
  for (const std::string& s : strings("abc", 8)) {
    std::size_t n = s.size() / 2;
    EXPECT_EQ(equal.accepts(s), !s.empty() && s == std::string(n, 'a') + std::string(n, 'b')) << s;
    int depth = 0;
    bool balanced = true;
    for (const char c : s) balanced = balanced && (depth += c == 'a' ? 1 : c == 'b' ? -1 : 0) >= 0;
    EXPECT_EQ(brackets.accepts(s), balanced && depth == 0) << s;
    EXPECT_EQ(palindromes.accepts(s), std::equal(s.begin(), s.end(), s.rbegin())) << s;
  }
}

TEST(Grammar, CharactersAreThoseOfUnicode) {
  const Grammar one = Grammar::gbnf("root ::= [α-ω€😀]{2}"), other = Grammar::gbnf("root ::= [^α-ω\\n]"), any = Grammar::gbnf("root ::= .");
  EXPECT_TRUE(one.accepts("αω"));
  EXPECT_TRUE(one.accepts("€😀"));
  EXPECT_FALSE(one.accepts("α"));
  EXPECT_FALSE(one.accepts("Ωα"));
  EXPECT_TRUE(other.accepts("Ω"));
  EXPECT_FALSE(other.accepts("λ"));
  EXPECT_FALSE(other.accepts("\n"));
  // Every character of some planes, and no byte sequence that is none.
  for (char32_t c = 1; c < 0x11000; c += c < 0x900 ? 1 : 37) {
    std::string s;
    if (c < 0x80)
      s = {static_cast<char>(c)};
    else if (c < 0x800)
      s = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    else if (c < 0x10000)
      s = {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
    else
      s = {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)), static_cast<char>(0x80 | (c >> 6 & 63)),
           static_cast<char>(0x80 | (c & 63))};
    EXPECT_EQ(any.accepts(s), c < 0xD800 || c > 0xDFFF) << static_cast<std::uint32_t>(c);
    EXPECT_EQ(other.accepts(s), (c < 0xD800 || c > 0xDFFF) && !(c >= U'α' && c <= U'ω') && c != U'\n') << static_cast<std::uint32_t>(c);
  }
  for (const char* s : {"\x80", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) EXPECT_FALSE(any.accepts(s));
}

// Ambiguity costs nothing: the automaton is in each place once.
TEST(Grammar, LongAndAmbiguousTextsTakeLinearTime) {
  const Grammar grammar = Grammar::gbnf("root ::= x x x x\nx ::= \"a\"* | \"a\" x | y\ny ::= \"a\"+ \"a\"*");
  EXPECT_TRUE(grammar.accepts(std::string(200000, 'a')));
  EXPECT_FALSE(grammar.accepts(std::string(200000, 'a') + "b"));
  EXPECT_TRUE(Grammar::gbnf("root ::= \"a\" root | \"b\"").accepts(std::string(300000, 'a') + "b")) << "right recursion";
  const Grammar nested = Grammar::gbnf("root ::= \"(\" root \")\" | \"x\"");
  EXPECT_TRUE(nested.accepts(std::string(1000, '(') + "x" + std::string(1000, ')')));
  EXPECT_FALSE(nested.accepts(std::string(2000, '(') + "x" + std::string(2000, ')'))) << "beyond the depth nothing is allowed";
}

TEST(Grammar, ErrorsSayWhere) {
  EXPECT_EQ(error_of([] { Grammar::gbnf("root ::= \"a\" |\n  nobody\n"); }), "grammar: the rule 'nobody' is used, but not defined");
  EXPECT_EQ(error_of([] { Grammar::gbnf("root ::= x \"b\"\nx ::= root | \"a\"\n"); }),
            "grammar: left recursion: 'root' can begin with itself");
  EXPECT_EQ(error_of([] { Grammar::gbnf("root ::= \"a\" root"); }), "grammar: no text follows this grammar");
  EXPECT_EQ(error_of([] { Grammar::gbnf("root ::= \"\"*"); }), "grammar: only the empty text follows this grammar");
  EXPECT_EQ(error_of([] { Grammar::gbnf("root ::= \"a\"\nx := \"b\""); }), "grammar, line 2, column 3: expected ::=, found ':= \"b\"'");
  EXPECT_EQ(error_of([] { Grammar::gbnf("root ::= \"a\"{3"); }), "grammar, line 1, column 15: expected '}', found the end");
  EXPECT_EQ(error_of([] { Grammar::json_schema(R"({"type": "string", "pattern": "a+"})"); }),
            "schema: the keyword 'pattern' is not supported");
  EXPECT_NE(error_of([] { Grammar::json_schema(R"({"$ref": "http://x/y.json"})"); }).find("nothing is fetched"), std::string::npos);
  EXPECT_EQ(error_of([] { Grammar::json_schema("false"); }), "schema: no text follows this grammar");
}

struct SchemaCase {
  const char* schema;
  std::vector<const char*> yes, no;
};

TEST(Grammar, JsonSchemas) {
  const SchemaCase cases[] = {
      {R"({"type": "integer"})", {"0", "-12", "1234567890123456"}, {"01", "1.0", "-", "1e3", "\"1\""}},
      {R"({"type": "number"})", {"0", "-0.5", "1e-3", "12.25E+10"}, {".5", "1.", "+1", "NaN"}},
      {R"({"type": ["boolean", "null"]})", {"true", "false", "null"}, {"True", "nul", "0"}},
      {R"({"type": "string", "minLength": 1, "maxLength": 2})", {"\"a\"", "\"\\n\\u00e9\"", "\"é😀\""}, {"\"\"", "\"abc\"", "\"\n\"", "a"}},
      {R"({"enum": ["red", 2, null, {"a": [1]}]})", {"\"red\"", "2", "null", "{\"a\":[1]}"}, {"\"blue\"", "3"}},
      {R"({"type": "string", "enum": ["red", 2]})", {"\"red\""}, {"2"}},
      {R"({"const": "x"})", {"\"x\""}, {"\"y\""}},
      {R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3})",
       {"[1]", "[1, 2,3]", "[ 1 ]"},
       {"[]", "[1,2,3,4]", "[1,]", "[\"a\"]"}},
      {R"({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": false, "minItems": 1})",
       {"[1]", "[1,2]"},
       {"[]", "[2]", "[1,2,3]"}},
      {R"({"type": "array", "prefixItems": [{"const": 1}], "items": {"const": 0}, "minItems": 3})",
       {"[1,0,0]", "[1,0,0,0]"},
       {"[1,0]", "[0,0,0]"}},
      {R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}, "required": ["b"]})",
       {"{\"a\": 1, \"b\": true}", "{\"b\":false}"},
       {"{}", "{\"a\":1}", "{\"b\":true,\"c\":1}", "{\"b\":true,}"}},
      {R"({"type": "object", "properties": {"ab": {"type": "integer"}, "é": {}}, "additionalProperties": {"type": "string"}})",
       {"{}", "{\"ab\":1}", "{\"a\":\"x\"}", "{\"abc\":\"x\",\"b\":\"y\"}", "{\"ab\":1,\"é\":0,\"e\":\"\"}", "{\"\":\"\"}"},
       {"{\"ab\":\"x\"}", "{\"a\":1}", "{\"e\":\"\",\"é\":\"\"}"}},
      {R"({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/list"}], "$defs": {"list": {"type": "array", "items": {"$ref": "#"}}}})",
       {"null", "[]", "[null,[null,[]]]"},
       {"[1]", "[null"}},
      {"{}", {"{\"a\": [1, {\"b\": null}], \"c\": \"\"}", "[[], {}, -1.5e3]", "\"\""}, {"{a: 1}", "[1 2]", "{\"a\" 1}"}},
  };
  for (const SchemaCase& c : cases) {
    const Grammar grammar = Grammar::json_schema(c.schema);
    for (const char* text : c.yes) EXPECT_TRUE(grammar.accepts(text)) << c.schema << " of " << text;
    for (const char* text : c.no) EXPECT_FALSE(grammar.accepts(text)) << c.schema << " of " << text;
  }
}

}  // namespace
