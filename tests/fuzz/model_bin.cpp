// A model.bin: by its first byte CTranslate2's or Marian's. Its tensors, its settings, and the model that it may hold.

#include "headwise/families/marian_file.hpp"
#include "headwise/families/whisper_ctranslate2.hpp"
#include "headwise/families/zoo.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  if (size == 0) return 0;
  const std::string path = folder.file("model.bin", fuzz::text_of(data + 1, size - 1));
  const auto read = [&](const auto& file) {
    fuzz::touch(file.weights());
    (void)file.config().dump();
  };
  const bool opens = fuzz::lawful([&] {
    if (data[0] % 2 == 0)
      read(hw::CTranslate2::open(path));
    else
      read(hw::MarianFile::open(path));
  });
  if (!opens) return 0;
  fuzz::lawful([&] {
    hw::LoadOptions options;
    options.threads = 1;
    hw::Zoo zoo;
    zoo.add<hw::families::WhisperCTranslate2>().add<hw::families::MarianSsru>();
    (void)zoo.load(folder.path(), options);
  });
  return 0;
}
