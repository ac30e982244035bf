// A .gguf file: its metadata and tensors, and the model and the tokenizer that it holds.

#include "headwise/auto.hpp"
#include "headwise/io/gguf.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  const std::string path = folder.file("model.gguf", fuzz::text_of(data, size));
  const bool opens = fuzz::lawful([&] {
    const hw::Gguf gguf = hw::Gguf::open(path);
    for (const hw::Gguf::Entry& entry : gguf.metadata()) {
      (void)entry.value.describe();
      if (!gguf.contains(entry.key)) fuzz::broken("a key is found under its own name", entry.key);
    }
    fuzz::touch(gguf.weights());
  });
  if (!opens) return 0;
  fuzz::lawful([&] {
    hw::LoadOptions options;
    options.threads = 1;
    const hw::TextModel model = hw::load(path, options);
    const std::vector<std::int32_t> ids{1, 2, 3};
    hw::Output out;
    model.model().forward({.ids = ids}, out);
    (void)model.encode("the cat sat on the mat");
  });
  return 0;
}
