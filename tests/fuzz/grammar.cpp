// A grammar: by its first byte in GBNF's notation or as a JSON Schema. Its last 64 bytes are a text for it, too.

#include <algorithm>

#include "headwise/text/grammar.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::text_of(data + 1, size - 1), text = bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), 64));
  fuzz::lawful([&] {
    const hw::Grammar grammar = data[0] % 2 == 0 ? hw::Grammar::gbnf(bytes) : hw::Grammar::json_schema(bytes);
    // In two pieces, by a copy in between: a text is accepted as it is in one.
    hw::GrammarMatcher matcher(grammar);
    const bool begins = matcher.push(text.substr(0, text.size() / 2));
    const hw::GrammarMatcher before = matcher;
    const bool fits = begins && matcher.push(text.substr(text.size() / 2));
    if (grammar.accepts(text) != (fits && matcher.places().complete)) fuzz::broken("a text in two pieces is the text");
    if (begins && !fits && (matcher.places().states != before.places().states || matcher.places().complete != before.places().complete))
      fuzz::broken("bytes that do not fit change nothing");
  });
  return 0;
}
