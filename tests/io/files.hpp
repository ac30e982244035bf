#pragma once
// Files that the tests of io write: a folder that vanishes, safetensors and GGUF byte by byte.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw_test {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = std::filesystem::temp_directory_path().string() + "/headwise-io-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  TempFolder(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string file(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline std::string safetensors(const std::string& header, const std::string& data) {
  return bytes_of(static_cast<std::uint64_t>(header.size())) + header + data;
}

// The bytes of a GGUF file, version 3, alignment 32.
class GgufBytes {
 public:
  static std::string text(std::string_view s) { return bytes_of(static_cast<std::uint64_t>(s.size())) + std::string(s); }
  GgufBytes& raw(const std::string& key, std::uint32_t type, const std::string& value) {
    ++keys_;
    metadata_ += text(key) + bytes_of(type) + value;
    return *this;
  }
  GgufBytes& u32(const std::string& key, std::uint32_t value) { return raw(key, 4, bytes_of(value)); }
  GgufBytes& f32(const std::string& key, float value) { return raw(key, 6, bytes_of(value)); }
  GgufBytes& string(const std::string& key, std::string_view value) { return raw(key, 8, text(value)); }
  GgufBytes& strings(const std::string& key, const std::vector<std::string>& values) {
    std::string all;
    for (const auto& s : values) all += text(s);
    return raw(key, 9, bytes_of(std::uint32_t{8}) + bytes_of(static_cast<std::uint64_t>(values.size())) + all);
  }
  GgufBytes& tensor(const std::string& name, const std::vector<std::uint64_t>& dims, std::uint32_t type, const std::string& data) {
    ++tensors_;
    infos_ += text(name) + bytes_of(static_cast<std::uint32_t>(dims.size())) + bytes_of(dims) + bytes_of(type) +
              bytes_of(static_cast<std::uint64_t>(data_.size()));
    data_ += data;
    data_.resize((data_.size() + 31) / 32 * 32);
    return *this;
  }
  std::string bytes() const {
    std::string out = "GGUF" + bytes_of(std::uint32_t{3}) + bytes_of(tensors_) + bytes_of(keys_) + metadata_ + infos_;
    out.resize((out.size() + 31) / 32 * 32);
    return out + data_;
  }

 private:
  std::uint64_t keys_ = 0, tensors_ = 0;
  std::string metadata_, infos_, data_;
};

// The message of the hw::Error that `call` throws.
template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const hw::Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

inline testing::AssertionResult mentions(const std::string& message, const std::string& part) {
  if (message.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << '"' << message << "\" does not mention \"" << part << '"';
}

}  // namespace hw_test
