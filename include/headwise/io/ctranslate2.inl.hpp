#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "headwise/io/byte_reader.hpp"
#include "headwise/io/ctranslate2.hpp"

namespace hw {
namespace detail {

class CTranslate2Reader : public ByteReader {
 public:
  using ByteReader::ByteReader;

  std::uint32_t number(std::size_t size, std::string_view what) { return static_cast<std::uint32_t>(ByteReader::number(size, what)); }
  /// A count of things that take at least `least` bytes each.
  std::uint32_t count(std::size_t least, std::string_view what) {
    const std::uint32_t n = number(4, what);
    if (n > left() / least) fail(where(), concat("at most ", left() / least, " ", what), concat(n));
    return n;
  }
  std::string string(std::string_view what) {
    const auto bytes = take(number(2, what), what);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.size() < 2 || text.find('\0') != text.size() - 1)
      fail(where(), concat("a string with one NUL, at its end, for ", what), "another");
    return std::string(text.substr(0, text.size() - 1));
  }
};

inline RawTensor read_ctranslate2_tensor(CTranslate2Reader& in, std::string_view file) {
  constexpr std::array kTypes{DType::f32, DType::i8, DType::i16, DType::i32, DType::f16, DType::bf16};
  RawTensor t;
  t.name = in.string("the name of a tensor");
  t.file = file;
  const std::string where = concat(in.where(), ": ", hw::quoted(t.name));
  const std::uint32_t rank = in.number(1, "a rank");
  if (rank > 8) fail(where, "at most 8 dimensions", concat(rank));
  for (std::uint32_t i = 0; i < rank; ++i) t.shape.push_back(static_cast<index_t>(in.number(4, "a dimension")));
  const std::uint32_t type = in.number(1, "a type");
  if (type >= kTypes.size()) fail(where, "a type from 0 to 5", concat(type));
  t.type = kTypes[type];
  const std::uint32_t bytes = in.number(4, "a size");
  if (const index_t expected = tensor_bytes(t.type, t.shape, where); !std::cmp_equal(expected, bytes))
    fail(where, concat(expected, " bytes for ", shape_string(t.shape), " of ", name_of(t.type)), concat(bytes));
  t.bytes = in.take(bytes, "values");
  return t;
}

// decoder/layer_0/bias -> decoder.layer.0.bias
inline std::string ctranslate2_name(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const std::size_t digits = std::min(name.find_first_not_of("0123456789", i + 1), name.size());
    const bool number = name[i] == '_' && digits > i + 1 && (digits == name.size() || name[digits] == '/');
    out += name[i] == '/' || number ? '.' : name[i];
  }
  return out;
}

inline float read_f32(std::span<const std::byte> bytes, std::size_t i) {
  float value;
  std::memcpy(&value, bytes.data() + 4 * i, 4);
  return value;
}

}  // namespace detail

HEADWISE_LOAD_TIME CTranslate2 CTranslate2::open(const std::string& path, MappedFile::Access access) {
  CTranslate2 out;
  out.path_ = path;
  out.file_ = std::make_shared<const MappedFile>(MappedFile::open(path, access));
  detail::CTranslate2Reader in(out.file_->bytes(), hw::quoted(path, 120));
  if (const std::uint32_t version = in.number(4, "a version"); version < 4 || version > 6)
    fail(in.where(), "a CTranslate2 model of binary version 4, 5 or 6", concat(version));
  out.specification_ = in.string("the specification");
  in.number(4, "a revision");
  std::set<std::string, std::less<>> names;
  const auto add_name = [&](const std::string& name) {
    if (!names.insert(name).second) fail(in.where(), concat("the name ", hw::quoted(name), " comes twice"));
  };
  for (std::uint32_t n = in.count(10, "tensors"); n > 0; --n) {
    out.tensors_.push_back(detail::read_ctranslate2_tensor(in, "model.bin"));
    add_name(out.tensors_.back().name);
  }
  for (std::uint32_t n = in.count(8, "aliases"); n > 0; --n) {
    const std::string alias = in.string("an alias"), name = in.string("what an alias is for");
    if (!names.contains(name)) fail(in.where(), concat("a tensor for the alias ", hw::quoted(alias)), hw::quoted(name));
    add_name(alias);
  }
  if (in.left() > 0) fail(in.where(), concat(in.left(), " bytes after the last alias"));
  return out;
}

HEADWISE_LOAD_TIME WeightSource CTranslate2::weights() const {
  std::vector<RawTensor> out;
  std::vector<std::shared_ptr<const void>> owners;
  std::map<std::string_view, const RawTensor*> by_name;
  for (const RawTensor& t : tensors_) by_name.emplace(t.name, &t);
  const auto find = [&](std::string_view name) {
    const auto at = by_name.find(name);
    return at == by_name.end() ? nullptr : at->second;
  };
  for (const RawTensor& t : tensors_) {
    constexpr std::string_view kScale = "_scale";
    if (t.shape.empty()) continue;
    if (t.name.ends_with(kScale)) {
      const RawTensor* of = find(std::string_view(t.name).substr(0, t.name.size() - kScale.size()));
      if (of != nullptr && of->type == DType::i8) continue;  // is read with it
    }
    RawTensor named = t;
    named.name = detail::ctranslate2_name(t.name);
    const RawTensor* scales = t.type == DType::i8 ? find(t.name + std::string(kScale)) : nullptr;
    if (scales != nullptr) {
      const std::string where = concat(hw::quoted(path_, 120), ": ", hw::quoted(scales->name));
      if (scales->type != DType::f32 || scales->elements() != t.shape[0])
        fail(where, concat(t.shape[0], " values of f32, one for each row"), concat(scales->elements(), " of ", name_of(scales->type)));
      const auto values = std::make_shared<std::vector<float>>(t.bytes.size());
      const std::size_t rows = static_cast<std::size_t>(t.shape[0]), columns = rows == 0 ? 0 : t.bytes.size() / rows;
      for (std::size_t r = 0; r < rows; ++r) {
        const float scale = detail::read_f32(scales->bytes, r);
        if (!std::isfinite(scale) || scale <= 0) fail(where, "scales above 0", concat(scale));
        for (std::size_t i = r * columns; i < (r + 1) * columns; ++i)
          (*values)[i] = static_cast<float>(static_cast<std::int8_t>(t.bytes[i])) / scale;
      }
      named.type = DType::f32;
      named.bytes = std::as_bytes(std::span<const float>(*values));
      owners.push_back(values);
    }
    out.push_back(std::move(named));
  }
  return WeightSource(path_, std::move(out), {file_}, std::move(owners));
}

HEADWISE_LOAD_TIME Json CTranslate2::config() const {
  JsonBuilder out(path_);
  out.begin_object().member("model_type", specification_);
  for (const RawTensor& t : tensors_) {
    if (!t.shape.empty()) continue;
    std::int64_t whole = 0;
    if (t.type == DType::i8) whole = static_cast<std::int8_t>(t.bytes[0]);
    if (t.type == DType::i16) {
      std::int16_t value;
      std::memcpy(&value, t.bytes.data(), 2);
      whole = value;
    }
    if (t.type == DType::i32) {
      std::int32_t value;
      std::memcpy(&value, t.bytes.data(), 4);
      whole = value;
    }
    if (t.type == DType::f32)
      out.member(t.name, static_cast<double>(detail::read_f32(t.bytes, 0)));
    else if (t.type == DType::f16 || t.type == DType::bf16)
      fail(concat(hw::quoted(path_, 120), ": ", hw::quoted(t.name)), "a setting of i8, i16, i32 or f32", std::string(name_of(t.type)));
    else
      out.member(t.name, whole);
  }
  out.end_object();
  return std::move(out).finish();
}

}  // namespace hw
