#pragma once
// What both tokenizer targets do with a tokenizer.

#include "headwise/text/tokenizer.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace fuzz {

inline void use(const hw::Tokenizer& tokenizer, std::string_view own) {
  constexpr std::string_view kPlain = "the cat sat on the mat, 42 rings!", kOdd = "a\xFF\xC3\xA9 \xF0\x9F\x98\x80";
  for (const std::string_view text : {kPlain, kOdd, own}) {
    lawful([&] {
      const hw::Encoding encoding = tokenizer.encode(text);
      if (encoding.offsets.size() != encoding.ids.size()) broken("as many offsets as ids");
      hw::StreamDecoder stream(tokenizer);
      std::string streamed;
      for (const std::int32_t id : encoding.ids) {
        if (id < 0 || id >= tokenizer.vocab_size()) broken("ids below the vocabulary's size");
        streamed += stream.push(id);
      }
      if (streamed + stream.finish() != tokenizer.decode(encoding.ids)) broken("the stream is what decode gives");
    });
    lawful([&] { (void)tokenizer.encode_pair(text, "b"); });
  }
}

}  // namespace fuzz
