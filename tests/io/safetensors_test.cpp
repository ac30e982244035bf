#include "headwise/io/safetensors.hpp"

#include <gtest/gtest.h>

#include "headwise/io/open_weights.hpp"
#include "tests/io/files.hpp"

namespace {

using hw::DType;
using hw_test::error_of;
using hw_test::mentions;
using hw_test::safetensors;

const std::string kBase = std::string(HEADWISE_TEST_DATA) + "/../hostile/base/";

TEST(Safetensors, ReadsEveryType) {
  const struct {
    const char* name;
    DType type;
    std::size_t size;
  } types[] = {{"F64", DType::f64, 8}, {"F32", DType::f32, 4}, {"F16", DType::f16, 2}, {"BF16", DType::bf16, 2}, {"I64", DType::i64, 8},
               {"I32", DType::i32, 4}, {"I16", DType::i16, 2}, {"I8", DType::i8, 1},   {"U8", DType::u8, 1},     {"BOOL", DType::boolean, 1}};
  std::string header = "{", data;
  for (const auto& t : types) {
    header += (data.empty() ? "\"" : ",\"") + std::string(t.name) + R"(":{"dtype":")" + t.name + R"(","shape":[2,3],"data_offsets":[)" +
              std::to_string(data.size()) + "," + std::to_string(data.size() + 6 * t.size) + "]}";
    data += std::string(6 * t.size, static_cast<char>('a' + t.size));
  }
  const hw_test::TempFolder folder;
  const hw::WeightSource source = hw::open_safetensors(folder.file("model.safetensors", safetensors(header + "}", data)));
  ASSERT_EQ(source.tensors().size(), std::size(types));
  for (const auto& t : types) {
    const hw::RawTensor* tensor = source.find(t.name);
    ASSERT_NE(tensor, nullptr) << t.name;
    EXPECT_EQ(tensor->type, t.type);
    EXPECT_EQ(tensor->shape, (std::vector<hw::index_t>{2, 3}));
    EXPECT_EQ(tensor->bytes.size(), 6 * t.size);
    EXPECT_EQ(tensor->bytes[0], static_cast<std::byte>('a' + t.size));
    EXPECT_EQ(tensor->file, "model.safetensors");
  }
  EXPECT_EQ(source.find("F8"), nullptr);
}

// Written by the safetensors package.
TEST(Safetensors, ReadsFoldersOfOneFileAndOfShards) {
  const auto one = hw::open_weights(kBase + "hf"), two = hw::open_weights(kBase + "hf-sharded");
  ASSERT_EQ(one->tensors().size(), two->tensors().size());
  for (const hw::RawTensor& tensor : one->tensors()) {
    const hw::RawTensor* other = two->find(tensor.name);
    ASSERT_NE(other, nullptr) << tensor.name;
    EXPECT_EQ(other->shape, tensor.shape);
    EXPECT_EQ(tensor.type, DType::f32);
    EXPECT_EQ(other->type, DType::bf16);
  }
}

TEST(Safetensors, CopyingGivesTheSameAsMapping) {
  const auto mapped = hw::open_weights(kBase + "hf"), copied = hw::open_weights(kBase + "hf", hw::MappedFile::Access::copy);
  for (const hw::RawTensor& tensor : mapped->tensors())
    EXPECT_EQ(std::memcmp(tensor.bytes.data(), copied->find(tensor.name)->bytes.data(), tensor.bytes.size()), 0);
}

std::string open_error(const std::string& header, const std::string& data) {
  const hw_test::TempFolder folder;
  const std::string path = folder.file("model.safetensors", safetensors(header, data));
  return error_of([&] { hw::open_safetensors(path); });
}

TEST(Safetensors, SaysWhatIsWrong) {
  EXPECT_EQ(open_error(R"({"a.b":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234"),
            "model.safetensors: a.b: expected 8 bytes for (2) of f32, found 4");
  EXPECT_EQ(open_error(R"({"a":{"dtype":"F8","shape":[2],"data_offsets":[0,2]}})", "12"),
            "model.safetensors: a.dtype: expected one of F32, F16, BF16, F64, I64, I32, I16, I8, U8, BOOL, found the string 'F8'");
  EXPECT_TRUE(mentions(open_error(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", "123"),
                       "b: its bytes overlap those of 'a'"));
  EXPECT_TRUE(mentions(open_error(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", "123"), "1 unused bytes before it"));
  EXPECT_TRUE(mentions(open_error(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "123"), "1 bytes after the last tensor"));
  EXPECT_TRUE(mentions(open_error(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}})", ""), "overflows"));
}

TEST(Safetensors, FoldersSayWhatTheyLack) {
  const hw_test::TempFolder folder;
  EXPECT_TRUE(mentions(error_of([&] { hw::open_weights(folder.path()); }), "expected model.safetensors or model.safetensors.index.json, found neither"));
  folder.file("pytorch_model.bin", "x");
  EXPECT_TRUE(mentions(error_of([&] { hw::open_weights(folder.path()); }), "pickled"));
  EXPECT_TRUE(mentions(error_of([&] { hw::open_weights(folder.path() + "/none"); }), "No such file"));
}

TEST(WeightSource, RefusesWhatDoesNotFit) {
  const std::byte bytes[8] = {};
  const auto make = [&](std::vector<hw::RawTensor> tensors) { hw::WeightSource("test", std::move(tensors), {}); };
  EXPECT_TRUE(mentions(error_of([&] { make({{"a", DType::f32, {3}, bytes, "f"}}); }), "a: expected 12 bytes, found 8"));
  EXPECT_TRUE(mentions(error_of([&] { make({{"a", DType::f32, {2}, bytes, "f"}, {"a", DType::f32, {2}, bytes, "f"}}); }), "'a' appears twice"));
  EXPECT_TRUE(mentions(error_of([&] { make({{"a", DType::q4_0, {2, 16}, bytes, "f"}}); }), "blocks of 32"));
}

}  // namespace
