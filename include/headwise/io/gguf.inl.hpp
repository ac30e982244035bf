#pragma once
#include <algorithm>
#include <bit>
#include <numeric>

#include "headwise/io/gguf.hpp"

namespace hw {

struct Gguf::Content {
  std::shared_ptr<const MappedFile> file;
  std::string name;
  int version = 0;
  std::vector<Entry> metadata;
  std::vector<std::uint32_t> by_key;
  std::vector<RawTensor> tensors;

  const Entry* find(std::string_view key) const noexcept {
    const auto found =
        std::lower_bound(by_key.begin(), by_key.end(), key, [&](std::uint32_t i, std::string_view k) { return metadata[i].key < k; });
    return found != by_key.end() && metadata[*found].key == key ? &metadata[*found] : nullptr;
  }
};

namespace detail {

constexpr std::size_t kGgufSize[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};  // by GgufType; 0: of its own length

inline std::optional<DType> gguf_tensor_type(std::uint32_t id) {
  switch (id) {
    case 0: return DType::f32;
    case 1: return DType::f16;
    case 2: return DType::q4_0;
    case 3: return DType::q4_1;
    case 6: return DType::q5_0;
    case 7: return DType::q5_1;
    case 8: return DType::q8_0;
    case 10: return DType::q2_k;
    case 11: return DType::q3_k;
    case 12: return DType::q4_k;
    case 13: return DType::q5_k;
    case 14: return DType::q6_k;
    case 24: return DType::i8;
    case 25: return DType::i16;
    case 26: return DType::i32;
    case 27: return DType::i64;
    case 28: return DType::f64;
    case 30: return DType::bf16;
    case 39: return DType::mxfp4;
    default: return std::nullopt;
  }
}

// Types that exist but are not read here.
inline std::string_view gguf_other_type(std::uint32_t id) {
  constexpr std::pair<std::uint32_t, std::string_view> kNames[] = {{4, "q4_2, removed"},
                                                                   {5, "q4_3, removed"},
                                                                   {9, "q8_1"},
                                                                   {15, "q8_k"},
                                                                   {16, "iq2_xxs"},
                                                                   {17, "iq2_xs"},
                                                                   {18, "iq3_xxs"},
                                                                   {19, "iq1_s"},
                                                                   {20, "iq4_nl"},
                                                                   {21, "iq3_s"},
                                                                   {22, "iq2_s"},
                                                                   {23, "iq4_xs"},
                                                                   {29, "iq1_m"},
                                                                   {31, "q4_0_4_4, removed"},
                                                                   {32, "q4_0_4_8, removed"},
                                                                   {33, "q4_0_8_8, removed"},
                                                                   {34, "tq1_0"},
                                                                   {35, "tq2_0"},
                                                                   {36, "iq4_nl_4_4, removed"},
                                                                   {37, "iq4_nl_4_8, removed"},
                                                                   {38, "iq4_nl_8_8, removed"}};
  for (const auto& [known, name] : kNames)
    if (known == id) return name;
  return "unknown";
}

}  // namespace detail

// Reads a file from front to back; every length is checked against the bytes that are left before it is used.
class GgufReader {
 public:
  GgufReader(const MappedFile& file, Gguf::Content& out) : bytes_(file.bytes()), out_(out) {}

  void read() {
    if (bytes_.size() < 24 || std::memcmp(bytes_.data(), "GGUF", 4) != 0)
      fail(out_.name, "a GGUF file", bytes_.size() < 24 ? concat("a file of ", bytes_.size(), " bytes") : "another format");
    at_ = 4;
    const auto version = number<std::uint32_t>("the version");
    if (version != 2 && version != 3)
      fail(out_.name, "GGUF version 2 or 3", concat("version ", version, version << 16 ? "" : " (a big-endian file?)"));
    out_.version = static_cast<int>(version);
    const auto tensor_count = number<std::uint64_t>("the tensor count");
    const auto key_count = number<std::uint64_t>("the key count");
    check_count(key_count, 8 + 4 + 1, "keys");
    check_count(tensor_count, 8 + 4 + 8 + 4 + 8, "tensors");
    read_metadata(key_count);
    refuse_parts();
    read_tensors(tensor_count);
  }

 private:
  std::size_t left() const noexcept { return bytes_.size() - at_; }

  [[noreturn]] void truncated(std::string_view what) const {
    fail(out_.name, concat("the file ends inside ", what, ", at byte ", bytes_.size()));
  }

  void check_count(std::uint64_t count, std::size_t least_bytes, std::string_view what) const {
    if (count > left() / least_bytes)
      fail(out_.name, concat("at most ", left() / least_bytes, " ", what, " in the bytes left"), concat(count));
  }

  template <class T>
  T number(std::string_view what) {
    if (left() < sizeof(T)) truncated(what);
    const T value = detail::read_little_endian<T>(bytes_.data() + at_);
    at_ += sizeof(T);
    return value;
  }

  std::string_view string(std::string_view what) {
    const auto size = number<std::uint64_t>(what);
    if (size > left()) fail(out_.name, concat(what, " has ", size, " bytes, but only ", left(), " are left in the file"));
    const std::string_view value(reinterpret_cast<const char*>(bytes_.data() + at_), size);
    at_ += size;
    return value;
  }

  void skip(GgufType type, std::uint64_t count, std::string_view key) {
    if (type == GgufType::string) {
      if (count > left() / 8) too_many(count, key);
      for (std::uint64_t i = 0; i < count; ++i) string(key);
      return;
    }
    const std::size_t size = detail::kGgufSize[static_cast<std::size_t>(type)];
    if (count > left() / size) too_many(count, key);
    at_ += size * count;
  }

  [[noreturn]] void too_many(std::uint64_t count, std::string_view key) const {
    fail(concat(out_.name, ": ", hw::quoted(key)), concat(count, " elements do not fit into the ", left(), " bytes left in the file"));
  }

  GgufType value_type(std::string_view key) {
    const auto id = number<std::uint32_t>(key);
    if (id > static_cast<std::uint32_t>(GgufType::f64))
      fail(concat(out_.name, ": ", hw::quoted(key)), "a value type of 0 to 12", concat(id));
    return static_cast<GgufType>(id);
  }

  void read_metadata(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string_view key = string("a key");
      if (key.size() > 65535) fail(out_.name, concat("the key ", hw::quoted(key), " is longer than 65535 bytes"));
      GgufValue value;
      value.file_ = out_.name;
      value.key_ = key;
      value.type_ = value_type(key);
      if (value.type_ == GgufType::array) {
        value.array_ = true;
        value.type_ = value_type(key);
        if (value.type_ == GgufType::array) fail(concat(out_.name, ": ", hw::quoted(key)), "an array of arrays, which no model needs");
        value.count_ = number<std::uint64_t>(key);
      }
      value.data_ = bytes_.data() + at_;
      skip(value.type_, value.count_, key);
      out_.metadata.push_back({key, value});
    }
    out_.by_key.resize(out_.metadata.size());
    std::iota(out_.by_key.begin(), out_.by_key.end(), 0u);
    std::sort(out_.by_key.begin(), out_.by_key.end(),
              [&](std::uint32_t a, std::uint32_t b) { return out_.metadata[a].key < out_.metadata[b].key; });
    for (std::size_t i = 0; i + 1 < out_.by_key.size(); ++i)
      if (out_.metadata[out_.by_key[i]].key == out_.metadata[out_.by_key[i + 1]].key)
        fail(out_.name, concat("the key ", hw::quoted(out_.metadata[out_.by_key[i]].key), " appears twice"));
  }

  void refuse_parts() const {
    const auto parts = out_.find("split.count");
    if (parts && parts->value.as<std::uint64_t>() > 1) parts->value.fail("this file is a part of a split model; merge the parts first");
  }

  std::size_t alignment() const {
    const auto entry = out_.find("general.alignment");
    if (!entry) return 32;
    const GgufValue& value = entry->value;
    if (value.is_array() || value.type() != GgufType::u32) value.fail_expected("a u32");
    const auto alignment = value.as<std::uint32_t>();
    if (!std::has_single_bit(alignment) || alignment > 1u << 20) value.fail_expected("a power of two up to 2^20");
    return alignment;
  }

  void read_tensors(std::uint64_t count) {
    const std::size_t alignment = this->alignment();
    check_count(count, 8 + 4 + 8 + 4 + 8, "tensors");
    std::vector<std::uint64_t> offsets;
    for (std::uint64_t i = 0; i < count; ++i) {
      RawTensor tensor;
      offsets.push_back(read_tensor(tensor));
      out_.tensors.push_back(std::move(tensor));
    }
    if (count == 0) return;
    const std::size_t data = (at_ + alignment - 1) / alignment * alignment;
    if (data > bytes_.size()) truncated("the padding before the tensors");
    for (std::size_t i = 0; i < out_.tensors.size(); ++i) place(out_.tensors[i], offsets[i], alignment, bytes_.subspan(data));
    check_overlaps();
  }

  std::uint64_t read_tensor(RawTensor& tensor) {
    const std::string_view name = string("a tensor name");
    bool utf8 = true;
    for (std::string_view rest = name.substr(0, 256); utf8 && !rest.empty();) {
      const std::size_t n = detail::utf8_length(rest);
      utf8 = n != 0;
      rest.remove_prefix(utf8 ? n : 1);
    }
    if (name.empty() || name.size() > 255 || !utf8 || name.find('\0') != std::string_view::npos)
      fail(out_.name, "a tensor name of 1 to 255 bytes of UTF-8 without NUL", hw::quoted(name));
    const std::string where = this->where(name);
    const auto dims = number<std::uint32_t>(where);
    if (dims < 1 || dims > 4) fail(where, "1 to 4 dimensions", concat(dims));
    tensor.shape.resize(dims);
    for (std::size_t i = dims; i-- > 0;) {
      const auto size = number<std::uint64_t>(where);
      if (size == 0 || !std::in_range<index_t>(size)) fail(where, "sizes of 1 to 2^63 - 1", concat(size));
      tensor.shape[i] = static_cast<index_t>(size);
    }
    const auto type = number<std::uint32_t>(where);
    const std::optional<DType> known = detail::gguf_tensor_type(type);
    if (!known) fail(where, concat("tensor type ", type, " (", detail::gguf_other_type(type), ") is not supported"));
    tensor.name = name;
    tensor.type = *known;
    tensor.file = out_.name;
    return number<std::uint64_t>(where);
  }

  void place(RawTensor& tensor, std::uint64_t offset, std::size_t alignment, std::span<const std::byte> data) const {
    const std::string where = this->where(tensor.name);
    const auto size = static_cast<std::uint64_t>(tensor_bytes(tensor.type, tensor.shape, where));
    if (offset % alignment != 0) fail(where, concat("an offset that is a multiple of ", alignment), concat(offset));
    if (offset > data.size() || size > data.size() - offset)
      fail(where, concat("bytes inside the ", data.size(), " bytes of data"), concat(size, " bytes at offset ", offset));
    tensor.bytes = data.subspan(offset, size);
  }

  void check_overlaps() const {
    std::vector<const RawTensor*> by_place;
    for (const RawTensor& tensor : out_.tensors) by_place.push_back(&tensor);
    std::sort(by_place.begin(), by_place.end(), [](const RawTensor* a, const RawTensor* b) { return a->bytes.data() < b->bytes.data(); });
    for (std::size_t i = 1; i < by_place.size(); ++i)
      if (by_place[i]->bytes.data() < by_place[i - 1]->bytes.data() + by_place[i - 1]->bytes.size())
        fail(where(by_place[i]->name), concat("its bytes overlap those of ", hw::quoted(by_place[i - 1]->name, 160)));
  }

  std::string where(std::string_view tensor) const { return concat(out_.name, ": ", tensor); }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  Gguf::Content& out_;
};

HEADWISE_INLINE Gguf Gguf::open(const std::string& path, MappedFile::Access access) {
  const auto content = std::make_shared<Content>();
  content->file = std::make_shared<const MappedFile>(MappedFile::open(path, access));
  content->name = path.substr(path.find_last_of('/') + 1);
  GgufReader(*content->file, *content).read();
  return Gguf(content);
}

HEADWISE_INLINE const std::string& Gguf::path() const noexcept { return content_->file->path(); }
HEADWISE_INLINE const std::string& Gguf::name() const noexcept { return content_->name; }
HEADWISE_INLINE int Gguf::version() const noexcept { return content_->version; }
HEADWISE_INLINE std::span<const Gguf::Entry> Gguf::metadata() const noexcept { return content_->metadata; }
HEADWISE_INLINE std::span<const RawTensor> Gguf::tensors() const noexcept { return content_->tensors; }

HEADWISE_INLINE std::optional<GgufValue> Gguf::find(std::string_view key) const noexcept {
  const Entry* entry = content_->find(key);
  return entry ? std::optional(entry->value) : std::nullopt;
}

HEADWISE_INLINE GgufValue Gguf::at(std::string_view key) const {
  const Entry* entry = content_->find(key);
  if (!entry) fail(name(), concat("the key ", hw::quoted(key), " is missing"));
  return entry->value;
}

HEADWISE_INLINE WeightSource Gguf::weights() const { return WeightSource(path(), content_->tensors, {content_->file}, {content_}); }

HEADWISE_INLINE std::string GgufValue::where() const { return concat(file_, ": ", detail::printable(key_, 200)); }

HEADWISE_INLINE void GgufValue::fail_expected(std::string_view expected) const { hw::fail(where(), expected, describe()); }

HEADWISE_INLINE std::string GgufValue::describe() const {
  constexpr std::string_view kNames[] = {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};
  if (array_) return concat("an array of ", count_, " ", kNames[static_cast<std::size_t>(type_)]);
  switch (type_) {
    case GgufType::string: return "the string " + hw::quoted(*Strings(data_, 1).begin());
    case GgufType::boolean: return concat("the boolean ", static_cast<unsigned>(data_[0]));
    case GgufType::f32:
    case GgufType::f64: return concat("the number ", real(0));
    case GgufType::u64: return concat("the number ", detail::read_little_endian<std::uint64_t>(data_));
    default: return concat("the number ", integer(0));
  }
}

HEADWISE_INLINE GgufValue::Strings GgufValue::strings() const {
  if (!array_ || type_ != GgufType::string) fail_expected("an array of strings");
  return Strings(data_, count_);
}

HEADWISE_INLINE std::int64_t GgufValue::integer(std::size_t i) const {
  const auto read = [&]<class T>(T) -> std::int64_t {
    return static_cast<std::int64_t>(detail::read_little_endian<T>(data_ + sizeof(T) * i));
  };
  switch (type_) {
    case GgufType::u8: return read(std::uint8_t{});
    case GgufType::i8: return read(std::int8_t{});
    case GgufType::u16: return read(std::uint16_t{});
    case GgufType::i16: return read(std::int16_t{});
    case GgufType::u32: return read(std::uint32_t{});
    case GgufType::i32: return read(std::int32_t{});
    case GgufType::i64: return read(std::int64_t{});
    default: fail_expected("an integer");
  }
}

HEADWISE_INLINE double GgufValue::real(std::size_t i) const {
  if (type_ == GgufType::f32) return detail::read_little_endian<float>(data_ + 4 * i);
  if (type_ == GgufType::f64) return detail::read_little_endian<double>(data_ + 8 * i);
  if (type_ == GgufType::u64) return static_cast<double>(detail::read_little_endian<std::uint64_t>(data_ + 8 * i));
  if (type_ == GgufType::boolean || type_ == GgufType::string) fail_expected("a number");
  return static_cast<double>(integer(i));
}

}  // namespace hw
