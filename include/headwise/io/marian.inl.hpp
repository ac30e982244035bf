#pragma once
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>

#include "headwise/io/byte_reader.hpp"
#include "headwise/io/marian.hpp"

namespace hw {
namespace detail {

struct MarianItem {
  std::uint64_t name_bytes, type, rank, bytes;
  std::string name;
  std::vector<index_t> shape;
};

constexpr std::uint64_t kMarianF32 = 0x404, kMarianI8 = 0x4101, kMarianText = 0x101;

inline float marian_float(std::span<const std::byte> bytes, std::uint64_t at) {
  float value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// encoder_l1_self_Wq -> encoder.layer.0.self_Wq
inline std::string marian_name(std::string_view name) {
  const std::size_t at = name.find("_l"), digits = at + 2;
  if (at == std::string_view::npos) return std::string(name);
  std::uint32_t layer = 0;
  const auto [end, error] = std::from_chars(name.data() + digits, name.data() + name.size(), layer);
  const auto behind = static_cast<std::size_t>(end - name.data());
  if (error != std::errc() || layer == 0 || behind == name.size() || name[behind] != '_') return std::string(name);
  return concat(name.substr(0, at), ".layer.", layer - 1, ".", name.substr(behind + 1));
}

// The data of an item as f32: widened here, or the file's own.
inline RawTensor read_marian_tensor(const MarianItem& item, std::span<const std::byte> data, const std::string& where) {
  RawTensor t;
  t.name = item.name;
  t.file = "model";
  t.shape = item.shape;
  t.type = item.type == kMarianI8 ? DType::i8 : DType::f32;
  const auto needed = static_cast<std::uint64_t>(tensor_bytes(t.type, t.shape, where));
  if (const std::uint64_t all = needed + (t.type == DType::i8 ? sizeof(float) : 0); data.size() < all)
    fail(where, concat(all, " bytes for ", shape_string(t.shape)), concat(data.size()));
  if (t.type == DType::i8) {
    if (t.shape.size() != 2) fail(where, "a matrix of i8", shape_string(t.shape));
    if (const float q = marian_float(data, needed); !std::isfinite(q) || q <= 0) fail(where, "a multiplier above 0", concat(q));
    if (t.name != "Wemb") std::swap(t.shape[0], t.shape[1]);
  } else if (t.shape.size() == 2 && t.shape[0] == 1) {
    t.shape.erase(t.shape.begin());
  }
  t.bytes = data;  // with what follows the values
  return t;
}

// A value of one line of the settings.
inline Json marian_scalar(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return Json(std::string(text.substr(1, text.size() - 2)));
  if (text == "[]") return Json::array({});
  if (text == "true" || text == "false") return Json(text == "true");
  std::int64_t whole = 0;
  if (const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
      error == std::errc() && end == text.data() + text.size())
    return Json(whole);
  double real = 0;
  if (const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), real);
      error == std::errc() && end == text.data() + text.size())
    return Json(real);
  return Json(std::string(text));
}

}  // namespace detail

HEADWISE_LOAD_TIME MarianFile MarianFile::open(const std::string& path, MappedFile::Access access) {
  MarianFile out;
  out.path_ = path;
  out.file_ = std::make_shared<const MappedFile>(MappedFile::open(path, access));
  detail::ByteReader in(out.file_->bytes(), hw::quoted(path, 120));
  if (const std::uint64_t version = in.number(8, "a version"); version != 1)
    fail(in.where(), "a Marian model of binary version 1", concat(version));
  const std::uint64_t count = in.number(8, "a count of items");
  if (count > in.left() / 32) fail(in.where(), concat("at most ", in.left() / 32, " items"), concat(count));
  std::vector<detail::MarianItem> items(static_cast<std::size_t>(count));
  for (detail::MarianItem& item : items) {
    item.name_bytes = in.number(8, "a length");
    item.type = in.number(8, "a type");
    item.rank = in.number(8, "a rank");
    item.bytes = in.number(8, "a size");
  }
  std::set<std::string_view> names;
  for (detail::MarianItem& item : items) {
    const auto bytes = in.take(item.name_bytes, "a name");
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.size() < 2 || text.find('\0') != text.size() - 1) fail(in.where(), "a name with one NUL, at its end", "another");
    item.name = text.substr(0, text.size() - 1);
    if (!names.insert(item.name).second) fail(in.where(), concat("the name ", hw::quoted(item.name), " comes twice"));
  }
  for (detail::MarianItem& item : items) {
    const std::string where = concat(in.where(), ": ", hw::quoted(item.name));
    if (item.rank > 8) fail(where, "at most 8 dimensions", concat(item.rank));
    for (std::uint64_t i = 0; i < item.rank; ++i) {
      const auto size = static_cast<std::int32_t>(in.number(4, "a dimension"));
      if (size < 0) fail(where, "a dimension of at least 0", concat(size));
      item.shape.push_back(size);
    }
  }
  in.take(in.number(8, "a length of padding"), "padding");
  bool settings = false;
  for (const detail::MarianItem& item : items) {
    const std::string where = concat(in.where(), ": ", hw::quoted(item.name));
    const auto data = in.take(item.bytes, "values");
    if (item.name == "special:model.yml" && item.type == detail::kMarianText) {
      const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
      out.settings_ = text.substr(0, text.find('\0'));
      settings = true;
    } else if (item.type != detail::kMarianF32 && item.type != detail::kMarianI8) {
      fail(where, "a type of f32 (0x404) or i8 (0x4101)", concat(item.type));
    } else if (!item.name.ends_with("_QuantMultA")) {
      out.tensors_.push_back(detail::read_marian_tensor(item, data, where));
    }
  }
  if (in.left() > 0) fail(in.where(), concat(in.left(), " bytes after the last item"));
  if (!settings) fail(in.where(), "the settings `special:model.yml`", "none");
  return out;
}

HEADWISE_LOAD_TIME bool MarianFile::begins(const std::string& path) {
  std::array<char, 8> bytes{};
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), bytes.size());
  return file.gcount() == 8 && bytes == std::array<char, 8>{1};
}

HEADWISE_LOAD_TIME WeightSource MarianFile::weights() const {
  std::vector<RawTensor> out;
  std::vector<std::shared_ptr<const void>> owners;
  for (const RawTensor& t : tensors_) {
    RawTensor named = t;
    named.name = detail::marian_name(t.name);
    named.type = DType::f32;
    const auto values = static_cast<std::size_t>(t.elements());
    if (t.type == DType::i8) {
      const float q = detail::marian_float(t.bytes, values);
      const auto wide = std::make_shared<std::vector<float>>(values);
      for (std::size_t i = 0; i < values; ++i) (*wide)[i] = static_cast<float>(static_cast<std::int8_t>(t.bytes[i])) / q;
      named.bytes = std::as_bytes(std::span<const float>(*wide));
      owners.push_back(wide);
    } else {
      named.bytes = t.bytes.first(values * sizeof(float));
    }
    out.push_back(std::move(named));
  }
  return WeightSource(path_, std::move(out), {file_}, std::move(owners));
}

HEADWISE_LOAD_TIME Json MarianFile::config() const {
  JsonBuilder out(path_);
  out.begin_object();
  bool list = false;  // the last key had no value in its line
  std::size_t number = 0;
  std::string type;
  for (std::string_view left = settings_; !left.empty();) {
    const std::size_t end = left.find('\n');
    const std::string_view line = left.substr(0, end);
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    ++number;
    constexpr std::string_view kItem = "  - ";
    const std::size_t colon = line.find(':');
    if (line.empty()) continue;
    if (line.starts_with(kItem) && list) {
      out.value(detail::marian_scalar(line.substr(kItem.size())));
    } else if (line.front() != ' ' && colon != std::string_view::npos && (colon + 1 == line.size() || line[colon + 1] == ' ')) {
      if (list) out.end_array();
      out.key(line.substr(0, colon));
      list = colon + 1 == line.size();
      if (list) {
        out.begin_array();
      } else {
        const Json value = detail::marian_scalar(line.substr(colon + 2));
        if (line.starts_with("type:") && value.is_string()) type = value.as<std::string>();
        out.value(value);
      }
    } else {
      fail(concat(hw::quoted(path_, 120), ": special:model.yml"), concat("`key: value`, `key:` or `  - value` in line ", number),
           hw::quoted(line, 60));
    }
  }
  if (list) out.end_array();
  out.member("model_type", concat("marian-", type));
  out.end_object();
  return std::move(out).finish();
}

}  // namespace hw
