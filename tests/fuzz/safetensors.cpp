// A safetensors file; or, where the first byte is odd, the index of a checkpoint in two files.

#include <algorithm>
#include <cstring>

#include "headwise/io/open_weights.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder single, sharded;
  static const bool copied = [] {
    for (const char* name : {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"})
      std::filesystem::copy(std::string(HEADWISE_SOURCE_DIR) + "/tests/hostile/base/hf-sharded/" + name, sharded.path());
    return true;
  }();
  if (size == 0 || !copied) return 0;
  const auto& folder = data[0] % 2 == 0 ? single : sharded;
  folder.file(data[0] % 2 == 0 ? "model.safetensors" : "model.safetensors.index.json", fuzz::text_of(data + 1, size - 1));
  for (const auto access : {hw::MappedFile::Access::map, hw::MappedFile::Access::copy})
    fuzz::lawful([&] { fuzz::touch(*hw::open_weights(folder.path(), access)); });
  return 0;
}

// Mutates the header or the data, and keeps the header's length true.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size, unsigned seed) {
  std::uint64_t header = 0;
  if (size > 9) std::memcpy(&header, data + 1, 8);
  const bool has_header = size > 9 && data[0] % 2 == 0 && header <= size - 9;
  if (seed % 4 == 0 || !has_header || size + 64 > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::string text(reinterpret_cast<const char*>(data) + 9, header);
  const std::string rest(reinterpret_cast<const char*>(data) + 9 + header, size - 9 - header);
  text.resize(header + 64);
  header = LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), header, header + 64);
  std::memcpy(data + 1, &header, 8);
  std::copy_n(text.data(), header, reinterpret_cast<char*>(data) + 9);
  std::copy_n(rest.data(), rest.size(), reinterpret_cast<char*>(data) + 9 + header);
  return 9 + header + rest.size();
}
