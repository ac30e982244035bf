#pragma once
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

#include "headwise/io/json.hpp"
#include "headwise/io/safetensors.hpp"

namespace hw {
namespace detail {

constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;  // the limit of the reference implementation

inline std::string file_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

inline DType safetensors_type(const Json& value) {
  constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16}, {"F64", DType::f64}, {"I64", DType::i64},
      {"I32", DType::i32}, {"I16", DType::i16}, {"I8", DType::i8},     {"U8", DType::u8},   {"BOOL", DType::boolean}};
  const auto name = value.as<std::string_view>();
  for (const auto& [known, type] : kTypes)
    if (known == name) return type;
  value.fail_expected("one of F32, F16, BF16, F64, I64, I32, I16, I8, U8, BOOL");
}

// The tensors of one file, in the order of its header.
inline std::vector<RawTensor> read_safetensors(const MappedFile& file, std::string_view name) {
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() < 8) fail(name, "a header length of 8 bytes", concat("a file of ", bytes.size(), " bytes"));
  std::uint64_t header_size = 0;
  for (std::size_t i = 0; i < 8; ++i) header_size |= static_cast<std::uint64_t>(bytes[i]) << 8 * i;
  if (header_size > kMaxSafetensorsHeader || header_size > bytes.size() - 8)
    fail(name, concat("a safetensors header of at most ", std::min<std::uint64_t>(kMaxSafetensorsHeader, bytes.size() - 8), " bytes"),
         concat("the length ", header_size));
  const std::string_view text = file.text().substr(8, header_size);
  if (!text.starts_with('{')) fail(name, "a JSON object after the header length", "something else");
  const Json header = Json::parse(text, name);
  const std::span<const std::byte> data = bytes.subspan(8 + header_size);

  std::vector<RawTensor> tensors;
  tensors.reserve(header.size());
  for (const auto& [key, entry] : header.members()) {
    if (key == "__metadata__") continue;
    if (key.empty() || key.find('\0') != std::string_view::npos) entry.fail("a tensor name is empty or contains NUL");
    for (const auto& [field, value] : entry.members())
      if (field != "dtype" && field != "shape" && field != "data_offsets") value.fail("an unknown field of a tensor");
    RawTensor tensor{std::string(key), safetensors_type(entry.at("dtype")), entry.get<std::vector<index_t>>("shape"), {}, name};
    if (tensor.shape.size() > 64) entry.at("shape").fail_expected("at most 64 dimensions");
    const Json range = entry.at("data_offsets");
    const auto offsets = range.as<std::vector<std::uint64_t>>();
    if (offsets.size() != 2) range.fail_expected("two numbers");
    const auto [begin, end] = std::pair(offsets[0], offsets[1]);
    if (begin > end || end > data.size()) range.fail(concat("[", begin, ", ", end, "] is no range of the ", data.size(), " bytes of data"));
    const std::string where = concat(name, ": ", key);
    const index_t size = tensor_bytes(tensor.type, tensor.shape, where);
    if (!std::cmp_equal(size, end - begin))
      fail(where, concat(size, " bytes for ", shape_string(tensor.shape), " of ", name_of(tensor.type)), concat(end - begin));
    tensor.bytes = data.subspan(begin, end - begin);
    tensors.push_back(std::move(tensor));
  }

  std::vector<const RawTensor*> by_place;
  for (const RawTensor& tensor : tensors) by_place.push_back(&tensor);
  std::sort(by_place.begin(), by_place.end(), [](const RawTensor* a, const RawTensor* b) {
    return a->bytes.data() != b->bytes.data() ? a->bytes.data() < b->bytes.data() : a->bytes.size() < b->bytes.size();
  });
  const std::byte* at = data.data();
  for (std::size_t i = 0; i < by_place.size(); ++i) {
    const RawTensor& tensor = *by_place[i];
    if (tensor.bytes.data() < at)
      fail(concat(name, ": ", tensor.name), concat("its bytes overlap those of ", hw::quoted(by_place[i - 1]->name, 160)));
    if (tensor.bytes.data() > at) fail(concat(name, ": ", tensor.name), concat(tensor.bytes.data() - at, " unused bytes before it"));
    at = tensor.bytes.data() + tensor.bytes.size();
  }
  const auto left = data.data() + data.size() - at;
  if (left) fail(name, concat(left, " bytes after the last tensor"));
  return tensors;
}

// Where the index says that each tensor is.
inline std::map<std::string, std::vector<std::string_view>> shards_of(const Json& weight_map) {
  std::map<std::string, std::vector<std::string_view>> shards;
  for (const auto& [tensor, value] : weight_map.members()) {
    const auto file = value.as<std::string_view>();
    if (!file.ends_with(".safetensors") || file.size() > 255 || file.find_first_of(std::string_view("/\\:\0", 4)) != std::string_view::npos)
      value.fail_expected("the plain name of a .safetensors file of the same folder");
    shards[std::string(file)].push_back(tensor);
  }
  return shards;
}

}  // namespace detail

HEADWISE_INLINE WeightSource open_safetensors(const std::string& path, MappedFile::Access access) {
  const auto file = std::make_shared<const MappedFile>(MappedFile::open(path, access));
  const auto name = std::make_shared<const std::string>(detail::file_name(path));
  return WeightSource(path, detail::read_safetensors(*file, *name), {file}, {name});
}

HEADWISE_INLINE WeightSource open_safetensors_folder(const std::string& folder, MappedFile::Access access) {
  const auto exists = [&](const char* name) {
    std::error_code ignored;
    return std::filesystem::exists(folder + "/" + name, ignored);
  };
  if (exists("model.safetensors")) return open_safetensors(folder + "/model.safetensors", access);
  if (!exists("model.safetensors.index.json"))
    fail(hw::quoted(folder, 200), "model.safetensors or model.safetensors.index.json",
         exists("pytorch_model.bin") || exists("pytorch_model.bin.index.json") ? "only pickled weights (.bin), which are never read"
                                                                               : "neither");

  const Json index = Json::read(folder + "/model.safetensors.index.json");
  const Json weight_map = index.at("weight_map");
  if (weight_map.members().begin() == weight_map.members().end()) weight_map.fail("no tensors");

  std::vector<RawTensor> tensors;
  std::vector<std::shared_ptr<const MappedFile>> files;
  std::vector<std::shared_ptr<const void>> names;
  for (const auto& [shard, listed] : detail::shards_of(weight_map)) {
    const auto file = std::make_shared<const MappedFile>(MappedFile::open(folder + "/" + shard, access));
    const auto name = std::make_shared<const std::string>(shard);
    std::size_t found = 0;
    std::vector<RawTensor> present = detail::read_safetensors(*file, *name);
    for (RawTensor& tensor : present) {
      const std::optional<Json> place = weight_map.find(tensor.name);
      if (!place) fail(concat(shard, ": ", tensor.name), "the tensor is not listed in model.safetensors.index.json");
      if (place->as<std::string_view>() != shard) continue;
      ++found;
      tensors.push_back(std::move(tensor));
    }
    if (found != listed.size()) {
      std::vector<std::string_view> have;
      for (const RawTensor& tensor : tensors) have.push_back(tensor.name);
      std::sort(have.begin(), have.end());
      for (const std::string_view want : listed)
        if (!std::binary_search(have.begin(), have.end(), want))
          fail("model.safetensors.index.json", concat(want, " in ", hw::quoted(shard)), "no tensor of that name there");
    }
    files.push_back(file);
    names.push_back(name);
  }
  return WeightSource(folder, std::move(tensors), std::move(files), std::move(names));
}

}  // namespace hw
