// Every storage type held to vectors of the PyPI package gguf: tests/golden/blocks/generate.py.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

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
                                         DType::q4_k, DType::q5_k, DType::q6_k, DType::mxfp4),
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
  for (const DType type : {DType::q8_0, DType::q4_0, DType::q4_k}) {
    const index_t n = hw::block_size(type).elements;
    std::vector<float> values(static_cast<std::size_t>(n), 1.0f);
    values[3] = NAN;
    std::byte block[144];
    hw::quantise_row(type, values.data(), n, block);
    hw::ref::dequantise_row(type, block, n, values.data());
    EXPECT_TRUE(std::isnan(values[3])) << hw::name_of(type);
  }
}

double mean_square_error(DType type, const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() / static_cast<std::size_t>(hw::block_size(type).elements) * static_cast<std::size_t>(hw::block_size(type).bytes));
  std::vector<float> back(values.size());
  hw::quantise_row(type, values.data(), static_cast<index_t>(values.size()), bytes.data());
  hw::ref::dequantise_row(type, bytes.data(), static_cast<index_t>(values.size()), back.data());
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += std::pow(static_cast<double>(back[i]) - static_cast<double>(values[i]), 2);
  return sum / static_cast<double>(values.size());
}

// Normal numbers of variance 1: 15 steps over their range of about 4.2 leave an error of (4.2 / 15)^2 / 12 = 0.0065 by rounding alone.
TEST(Quantise, Q4KIsNearerThanQ40) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> values(64 * 256);
  for (float& v : values) v = normal(random);
  const double centred = mean_square_error(DType::q4_k, values);
  EXPECT_LT(centred, 0.0068);
  EXPECT_LT(centred, 0.85 * mean_square_error(DType::q4_0, values));
  for (float& v : values) v = 0.2f * v - 1.0f;  // far from zero, on one side: what the minimum is for
  EXPECT_LT(mean_square_error(DType::q4_k, values), 0.25 * mean_square_error(DType::q4_0, values));
}

TEST(Quantise, Q4KKeepsWhatItCanHold) {
  for (const float scale : {1.0f, 1e-3f, 300.0f}) {
    std::vector<float> values(256);
    for (std::size_t i = 0; i < 256; ++i) values[i] = scale * static_cast<float>(i % 16);  // one scale, no minimum
    EXPECT_LT(mean_square_error(DType::q4_k, values), 2e-4 * static_cast<double>(scale * scale)) << scale;
  }
  EXPECT_EQ(mean_square_error(DType::q4_k, std::vector<float>(256)), 0.0);
  EXPECT_LT(mean_square_error(DType::q4_k, std::vector<float>(256, -3.0f)), 1e-6);
  EXPECT_LT(mean_square_error(DType::q4_k, std::vector<float>(256, 3.0f)), 1e-6);
}

TEST(Quantise, RefusesOtherTypes) {
  const float value = 0;
  std::byte out[8];
  EXPECT_TRUE(hw_test::mentions(hw_test::error_of([&] { hw::quantise_row(DType::q5_k, &value, 1, out); }), "q5_k"));
  EXPECT_EQ(hw::quantise_target("q8_0", "--type"), DType::q8_0);
  EXPECT_TRUE(hw_test::mentions(hw_test::error_of([] { hw::quantise_target("q3", "--type"); }), "--type: expected f32, f16"));
}

}  // namespace
