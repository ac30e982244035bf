#pragma once
#include <filesystem>

#include "headwise/io/gguf.hpp"
#include "headwise/io/open_weights.hpp"
#include "headwise/io/safetensors.hpp"

namespace hw {

HEADWISE_LOAD_TIME std::shared_ptr<const WeightSource> open_weights(const std::string& path, MappedFile::Access access) {
  const auto checked = [&](WeightSource source) {
    if (source.tensors().empty()) fail(hw::quoted(path, 300), "tensors", "none");
    return std::make_shared<const WeightSource>(std::move(source));
  };
  std::error_code ignored;
  const bool plain = !path.empty() && path.find('\0') == std::string::npos;
  if (plain && std::filesystem::is_directory(path, ignored)) return checked(open_safetensors_folder(path, access));
  if (path.ends_with(".safetensors")) return checked(open_safetensors(path, access));
  const Gguf gguf = Gguf::open(path, access);
  return checked(gguf.weights());
}

}  // namespace hw
