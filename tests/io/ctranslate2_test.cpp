// Files of CTranslate2, built byte by byte, and what is wrong with others.

#include "headwise/io/ctranslate2.hpp"

#include <gtest/gtest.h>

#include "headwise/io/weight_map.hpp"
#include "tests/io/files.hpp"

namespace {

using hw_test::bytes_of;

std::string text(const std::string& s) { return bytes_of(static_cast<std::uint16_t>(s.size() + 1)) + s + '\0'; }
std::string number(std::uint32_t n) { return bytes_of(n); }
std::string tensor(const std::string& name, const std::vector<std::uint32_t>& shape, std::uint8_t type, const std::string& values) {
  std::string out = text(name) + static_cast<char>(shape.size());
  for (const std::uint32_t d : shape) out += number(d);
  return out + static_cast<char>(type) + number(static_cast<std::uint32_t>(values.size())) + values;
}
std::string model(const std::vector<std::string>& tensors, const std::vector<std::string>& aliases = {}, std::uint32_t version = 6) {
  std::string out = number(version) + text("TestSpec") + number(3) + number(static_cast<std::uint32_t>(tensors.size()));
  for (const std::string& t : tensors) out += t;
  out += number(static_cast<std::uint32_t>(aliases.size()));
  for (const std::string& a : aliases) out += a;
  return out;
}
std::string floats(const std::vector<float>& values) {
  std::string out;
  for (const float v : values) out += bytes_of(v);
  return out;
}

class CTranslate2 : public testing::Test {
 protected:
  hw::CTranslate2 open(const std::string& bytes) const { return hw::CTranslate2::open(folder_.file("model.bin", bytes)); }
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

TEST_F(CTranslate2, TensorsSettingsAndScales) {
  const auto file = open(model(
      {tensor("decoder/layer_10/ffn/linear_1/weight", {2, 3}, 1, {'\x02', '\xFE', '\x7F', '\x01', '\x00', '\x80'}),
       tensor("decoder/layer_10/ffn/linear_1/weight_scale", {2}, 0, floats({2, 4})),
       tensor("encoder/half", {2}, 4, std::string("\x00\x3C\x00\xC0", 4)), tensor("a_1b", {1}, 3, number(7)),
       tensor("a/num_heads", {}, 2, bytes_of(std::int16_t{-8})), tensor("a/flag", {}, 1, "\x01"), tensor("a/eps", {}, 0, floats({0.5}))},
      {text("other") + text("encoder/half")}));
  EXPECT_EQ(file.specification(), "TestSpec");
  const hw::Json config = file.config();
  EXPECT_EQ(config.get<std::string>("model_type"), "TestSpec");
  EXPECT_EQ(config.get<int>("a/num_heads"), -8);
  EXPECT_EQ(config.get<int>("a/flag"), 1);
  EXPECT_EQ(config.get<double>("a/eps"), 0.5);
  const auto source = std::make_shared<const hw::WeightSource>(file.weights());
  EXPECT_EQ(source->tensors().size(), 3u);
  const hw::Weights weights(source);
  EXPECT_EQ(weights.values("decoder.layer.10.ffn.linear.1.weight", {2, 3}), (std::vector<float>{1, -1, 63.5, 0.25, 0, -32}));
  EXPECT_EQ(weights.vector("encoder.half", 2), (std::vector<float>{1, -2}));
  EXPECT_NE(source->find("a_1b"), nullptr);
}

TEST_F(CTranslate2, RefusesWhatIsWrong) {
  const auto expect = [&](const std::string& bytes, const std::string& part) {
    EXPECT_NE(message(bytes).find(part), std::string::npos) << message(bytes);
  };
  const std::string one = tensor("x", {2}, 0, floats({1, 2})), good = model({one}, {text("y") + text("x")});
  EXPECT_EQ(message(good), "no error");
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_NE(message(good.substr(0, n)), "no error") << n;  // cut anywhere
  expect(good + "z", "1 bytes after the last alias");
  expect(model({}, {}, 3), "version 4, 5 or 6, found 3");
  expect(model({}, {}, 0x7F7F7F7F), "found 2139062143");
  expect(number(6) + text("S") + number(1) + number(0xFFFFFFFF), "tensors, found 4294967295");
  expect(number(6) + text("S") + number(1) + number(0) + number(0xFFFFFFF0), "aliases, found 4294967280");
  expect(model({one, one}), "comes twice");
  expect(model({one}, {text("x") + text("x")}), "comes twice");
  expect(model({one}, {text("y") + text("z")}), "for the alias");
  expect(model({tensor("", {1}, 0, floats({1}))}), "one NUL");
  expect(model({tensor(std::string("a\0b", 3), {1}, 0, floats({1}))}), "one NUL");
  expect(model({tensor("x", {2}, 6, floats({1, 2}))}), "a type from 0 to 5, found 6");
  expect(model({tensor("x", {3}, 0, floats({1, 2}))}), "12 bytes for (3) of f32, found 8");
  expect(model({tensor("x", std::vector<std::uint32_t>(9, 1), 0, floats({1}))}), "8 dimensions, found 9");
  EXPECT_NE(message(model({tensor("x", std::vector<std::uint32_t>(8, 0xFFFFFFFF), 0, "")})), "no error");  // the product overflows
  const std::string w = tensor("w", {2, 1}, 1, "ab");
  expect(model({w, tensor("w_scale", {1}, 0, floats({1}))}), "one for each row");
  expect(model({w, tensor("w_scale", {2}, 4, "abcd")}), "one for each row");
  expect(model({w, tensor("w_scale", {2}, 0, floats({1, 0}))}), "scales above 0, found 0");
  expect(model({tensor("s", {}, 4, "ab")}), "a setting of");
}

}  // namespace
