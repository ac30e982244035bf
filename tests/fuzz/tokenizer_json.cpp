// A tokenizer.json. Its last 32 bytes are a text for it as well.

#include "tests/fuzz/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  const std::string_view bytes = fuzz::text_of(data, size);
  const std::string path = folder.file("tokenizer.json", bytes);
  fuzz::lawful([&] { fuzz::use(hw::Tokenizer::load(path), bytes.substr(size < 32 ? 0 : size - 32)); });
  return 0;
}
