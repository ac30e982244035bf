// Marian's files, built byte by byte, and what is wrong with others.

#include "headwise/io/marian.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "headwise/io/weight_map.hpp"
#include "tests/io/files.hpp"

namespace {

using hw_test::bytes_of;

std::string number(std::uint64_t n) { return bytes_of(n); }
std::string floats(const std::vector<float>& values) {
  std::string out;
  for (const float v : values) out += bytes_of(v);
  return out;
}

struct Item {
  std::string name;
  std::uint64_t type;
  std::vector<std::int32_t> shape;
  std::string data;
};
constexpr std::uint64_t kF32 = 0x404, kI8 = 0x4101, kText = 0x101;
const Item kSettings{"special:model.yml",
                     kText,
                     {},
                     std::string("type: transformer\ndim-vocabs:\n  - 3\n  - 3\nempty: []\nnone: \"\"\nrate: 0.5\nskip: false\n") + '\0'};

std::string model(std::vector<Item> items, std::uint64_t version = 1, std::uint64_t count = 0) {
  std::string heads, names, shapes, data;
  for (const Item& item : items) {
    heads += number(item.name.size() + 1) + number(item.type) + number(item.shape.size()) + number(item.data.size());
    names += item.name + '\0';
    for (const std::int32_t d : item.shape) shapes += bytes_of(d);
    data += item.data;
  }
  return number(version) + number(count > 0 ? count : items.size()) + heads + names + shapes + number(3) + "pad" + data;
}

class MarianFile : public testing::Test {
 protected:
  hw::MarianFile open(const std::string& bytes) const { return hw::MarianFile::open(folder_.file("model.bin", bytes)); }
  std::string message(const std::string& bytes) const {
    try {
      open(bytes).weights();
      open(bytes).config();
    } catch (const hw::Error& e) {
      return e.what();
    }
    return "no error";
  }
  hw_test::TempFolder folder_;
};

TEST_F(MarianFile, TensorsAndSettings) {
  const std::string padded = std::string("\x02\xFE\x7F\x01\x00\x80", 6) + floats({2}) + std::string(6, 'p');
  const auto file = open(model({{"encoder_l12_self_Wq", kI8, {3, 2}, padded},
                                {"encoder_l12_self_Wq_QuantMultA", kF32, {1, 1}, floats({3}) + "some padding"},
                                {"Wemb", kI8, {3, 2}, padded},
                                {"decoder_l1_rnn_bf", kF32, {1, 3}, floats({1, 2, 3}) + "padding"},
                                {"decoder_ff_logit_out_b", kF32, {1, 2}, floats({4, 5})},
                                kSettings}));
  const hw::Json config = file.config();
  EXPECT_EQ(config.get<std::string>("model_type"), "marian-transformer");
  EXPECT_EQ(config.get<std::vector<int>>("dim-vocabs"), (std::vector<int>{3, 3}));
  EXPECT_EQ(config.get<std::vector<int>>("empty"), std::vector<int>());
  EXPECT_EQ(config.get<std::string>("none"), "");
  EXPECT_EQ(config.get<double>("rate"), 0.5);
  EXPECT_EQ(config.get<bool>("skip"), false);
  const auto source = std::make_shared<const hw::WeightSource>(file.weights());
  EXPECT_EQ(source->tensors().size(), 4u);
  const hw::Weights weights(source);
  EXPECT_EQ(weights.values("encoder.layer.11.self_Wq", {2, 3}), (std::vector<float>{1, -1, 63.5, 0.5, 0, -64}));
  EXPECT_EQ(weights.values("Wemb", {3, 2}), (std::vector<float>{1, -1, 63.5, 0.5, 0, -64}));
  EXPECT_EQ(weights.vector("decoder.layer.0.rnn_bf", 3), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(weights.vector("decoder_ff_logit_out_b", 2), (std::vector<float>{4, 5}));
}

TEST_F(MarianFile, IsToldFromOthersOfItsName) {
  EXPECT_TRUE(hw::MarianFile::begins(folder_.file("model.bin", model({kSettings}))));
  for (const std::string& other :
       {std::string(), number(1).substr(0, 7), number(2), number(6), bytes_of(std::uint32_t{6}) + "\x0CWhisperSpec"})
    EXPECT_FALSE(hw::MarianFile::begins(folder_.file("model.bin", other)));
  EXPECT_FALSE(hw::MarianFile::begins("/no/such/file"));
}

TEST_F(MarianFile, RefusesWhatIsWrong) {
  const auto expect = [&](const std::string& bytes, const std::string& part) {
    EXPECT_NE(message(bytes).find(part), std::string::npos) << message(bytes);
  };
  const Item one{"x", kF32, {2}, floats({1, 2})}, w{"w", kI8, {2, 1}, "ab" + floats({2})};
  const std::string good = model({one, w, kSettings});
  EXPECT_EQ(message(good), "no error");
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_NE(message(good.substr(0, n)), "no error") << n;  // cut anywhere
  expect(good + "z", "1 bytes after the last item");
  expect(model({one, kSettings}, 2), "version 1, found 2");
  expect(model({one}), "special:model.yml");
  expect(model({one, kSettings}, 1, ~std::uint64_t{0}), "items, found 18446744073709551615");
  expect(number(1) + number(1) + number(~std::uint64_t{0}) + number(kF32) + number(1) + number(8) + "abc",
         "18446744073709551615 bytes of a name");
  expect(model({one, one, kSettings}), "comes twice");
  expect(model({{"", kF32, {1}, floats({1})}, kSettings}), "one NUL");
  expect(model({{std::string("a\0b", 3), kF32, {1}, floats({1})}, kSettings}), "one NUL");
  expect(model({{"x", 0x808, {1}, floats({1})}, kSettings}), "f32 (0x404) or i8 (0x4101), found 2056");
  expect(model({{"x", kF32, {3}, floats({1, 2})}, kSettings}), "12 bytes for (3), found 8");
  expect(model({{"x", kF32, std::vector<std::int32_t>(9, 1), floats({1})}, kSettings}), "8 dimensions, found 9");
  expect(model({{"x", kF32, {-1}, floats({1})}, kSettings}), "at least 0, found -1");
  EXPECT_NE(message(model({{"x", kF32, std::vector<std::int32_t>(8, 0x7FFFFFFF), ""}, kSettings})), "no error");  // the product overflows
  expect(model({{"w", kI8, {2, 1}, "ab"}, kSettings}), "6 bytes for (2, 1), found 2");
  expect(model({{"w", kI8, {2}, "ab" + floats({2})}, kSettings}), "a matrix of i8");
  for (const float q : {0.0f, -1.0f, std::nanf(""), HUGE_VALF})
    expect(model({{"w", kI8, {2, 1}, "ab" + floats({q})}, kSettings}), "multiplier");
  const auto with = [&](const std::string& settings) { return model({one, {"special:model.yml", kText, {}, settings}}); };
  expect(with("a: 1\n  deep: 2\n"), "in line 2, found '  deep: 2'");
  expect(with("  - 1\n"), "in line 1");
  expect(with("a: 1\na: 2\n"), "a");
  EXPECT_NE(message(with("a: 1\na: 2\n")), "no error");
}

}  // namespace
