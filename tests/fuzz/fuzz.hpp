#pragma once
// What the fuzz targets share: the law that every input is held to, and files to hand to loaders.

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "headwise/io/weight_source.hpp"
#include "headwise/kernels/ref/dequantise.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace fuzz {

/// A finding: the fuzzer keeps the input.
[[noreturn]] inline void broken(std::string_view law, std::string_view what = {}) {
  std::fprintf(stderr, "broken: %.*s %.*s\n", static_cast<int>(law.size()), law.data(), static_cast<int>(what.size()), what.data());
  std::abort();
}

/// Runs f: it works, or throws an hw::Error whose message can be shown. Any other exception ends the program, which is a finding.
/// Returns whether it worked.
template <class F>
bool lawful(F f) {
  try {
    f();
    return true;
  } catch (const hw::Error& e) {
    const std::string_view what = e.what();
    if (what.empty() || what.size() > 500) broken("a message of 1 to 500 bytes", what);
    for (const char c : what)
      if (static_cast<unsigned char>(c) < 32 || c == 127) broken("no control characters in a message", what);
    return false;
  }
}

/// A folder of this process, removed at its end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "headwise-fuzz-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string file(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

/// Reads every value of every tensor.
inline void touch(const hw::WeightSource& source) {
  float values[256];
  for (const hw::RawTensor& tensor : source.tensors()) {
    if (source.find(tensor.name) != &tensor) broken("a tensor is found under its own name");
    const hw::BlockSize block = hw::block_size(tensor.type);
    for (std::size_t at = 0; at < tensor.bytes.size(); at += static_cast<std::size_t>(block.bytes))
      hw::ref::dequantise_row(tensor.type, tensor.bytes.data() + at, block.elements, values);
  }
}

}  // namespace fuzz
