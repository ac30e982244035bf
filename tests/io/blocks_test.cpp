// Every storage type held to vectors of the PyPI package gguf: tests/golden/blocks/generate.py.

#include <gtest/gtest.h>

#include <cmath>

#include "headwise/core/half.hpp"
#include "headwise/io/convert.hpp"
#include "headwise/io/mapped_file.hpp"
#include "headwise/kernels/ref/dequantise.hpp"
#include "tests/io/files.hpp"

namespace {

using hw::DType;
using hw::index_t;

hw::MappedFile golden(const std::string& name) { return hw::MappedFile::open(std::string(HEADWISE_TEST_DATA) + "/blocks/" + name); }

std::vector<float> floats(const std::string& name) {
  const hw::MappedFile file = golden(name);
  std::vector<float> values(file.bytes().size() / sizeof(float));
  std::memcpy(values.data(), file.bytes().data(), file.bytes().size());
  return values;
}

class BlockType : public testing::TestWithParam<DType> {};

TEST_P(BlockType, DequantisesAsTheReferenceDoes) {
  const std::string name(hw::name_of(GetParam()));
  const hw::MappedFile blocks = golden(name + ".blocks");
  const std::vector<float> expected = floats(name + ".values");
  const hw::BlockSize size = hw::block_size(GetParam());
  ASSERT_EQ(blocks.bytes().size() / size.bytes * size.elements, expected.size());
  // At an odd address: rows of a file are not aligned.
  std::vector<std::byte> row(blocks.bytes().size() + 1);
  std::memcpy(row.data() + 1, blocks.bytes().data(), blocks.bytes().size());
  std::vector<float> values(expected.size());
  hw::ref::dequantise_row(GetParam(), row.data() + 1, static_cast<index_t>(values.size()), values.data());
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], expected[i]) << "value " << i;
}

INSTANTIATE_TEST_SUITE_P(All, BlockType,
                         testing::Values(DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0, DType::q2_k, DType::q3_k,
                                         DType::q4_k, DType::q5_k, DType::q6_k),
                         [](const auto& info) { return std::string(hw::name_of(info.param)); });

template <class T>
void expect_plain(DType type, const std::vector<T>& stored, const std::vector<float>& expected) {
  std::vector<float> values(stored.size());
  hw::ref::dequantise_row(type, reinterpret_cast<const std::byte*>(stored.data()), static_cast<index_t>(stored.size()), values.data());
  EXPECT_EQ(values, expected) << hw::name_of(type);
}

TEST(PlainTypes, AreWidened) {
  expect_plain<double>(DType::f64, {0.1, -2.0}, {0.1f, -2.0f});
  expect_plain<float>(DType::f32, {0.1f, -2.0f}, {0.1f, -2.0f});
  expect_plain<std::uint16_t>(DType::f16, {0x3C00, 0xC000, 0x0001, 0x7C00}, {1.0f, -2.0f, 0x1p-24f, INFINITY});
  expect_plain<std::uint16_t>(DType::bf16, {0x3F80, 0xC000, 0x7F80}, {1.0f, -2.0f, INFINITY});
  expect_plain<std::int8_t>(DType::i8, {-128, 127}, {-128.0f, 127.0f});
  expect_plain<std::int16_t>(DType::i16, {-32768, 3}, {-32768.0f, 3.0f});
  expect_plain<std::int32_t>(DType::i32, {-5, 1 << 24}, {-5.0f, 16777216.0f});
  expect_plain<std::int64_t>(DType::i64, {-5, 1 << 24}, {-5.0f, 16777216.0f});
  expect_plain<std::uint8_t>(DType::u8, {0, 255}, {0.0f, 255.0f});
  expect_plain<std::uint8_t>(DType::boolean, {0, 1}, {0.0f, 1.0f});
}

class QuantiseType : public testing::TestWithParam<DType> {};

TEST_P(QuantiseType, WritesTheBytesOfTheReference) {
  const std::vector<float> values = floats("quantise.values");
  const hw::MappedFile expected = golden("quantise." + std::string(hw::name_of(GetParam())));
  std::vector<std::byte> bytes(expected.bytes().size());
  hw::quantise_row(GetParam(), values.data(), static_cast<index_t>(values.size()), bytes.data());
  const index_t block = hw::block_size(GetParam()).bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], expected.bytes()[i]) << "byte " << i << " of block " << i / block;
}

INSTANTIATE_TEST_SUITE_P(All, QuantiseType, testing::Values(DType::f16, DType::bf16, DType::q8_0, DType::q4_0),
                         [](const auto& info) { return std::string(hw::name_of(info.param)); });

TEST(Quantise, KeepsNotANumberVisible) {
  for (const DType type : {DType::q8_0, DType::q4_0}) {
    std::vector<float> values(32, 1.0f);
    values[3] = NAN;
    std::byte block[34];
    hw::quantise_row(type, values.data(), 32, block);
    hw::ref::dequantise_row(type, block, 32, values.data());
    EXPECT_TRUE(std::isnan(values[3])) << hw::name_of(type);
  }
}

TEST(Quantise, RefusesOtherTypes) {
  const float value = 0;
  std::byte out[8];
  EXPECT_TRUE(hw_test::mentions(hw_test::error_of([&] { hw::quantise_row(DType::q4_k, &value, 1, out); }), "q4_k"));
  EXPECT_EQ(hw::quantise_target("q8_0", "--type"), DType::q8_0);
  EXPECT_TRUE(hw_test::mentions(hw_test::error_of([] { hw::quantise_target("q3", "--type"); }), "--type: expected f32, f16"));
}

}  // namespace
