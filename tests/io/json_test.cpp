#include "headwise/io/json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/io/files.hpp"

namespace {

using hw::Json;
using hw_test::error_of;
using hw_test::mentions;

Json parse(std::string_view text) { return Json::parse(text, "config.json"); }

TEST(Json, ReadsEveryKindOfValue) {
  const Json j = parse(R"({"n": null, "t": true, "i": -7, "r": 2.5e-1, "s": "h\u00e9\n", "a": [1, [2]], "o": {"x": {}}})");
  EXPECT_TRUE(j["n"].is_null());
  EXPECT_TRUE(j.get<bool>("t"));
  EXPECT_EQ(j.get<int>("i"), -7);
  EXPECT_EQ(j.get<double>("r"), 0.25);
  EXPECT_EQ(j.get<float>("i"), -7.0f);
  EXPECT_EQ(j.get<std::string>("s"), "h\xC3\xA9\n");
  EXPECT_EQ(j["a"].size(), 2u);
  EXPECT_EQ(j["a"][1][0].as<int>(), 2);
  EXPECT_TRUE(j["o"]["x"].empty());
  EXPECT_EQ(j.size(), 7u);
  EXPECT_EQ(parse("[1, 2, 3]").as<std::vector<int>>(), (std::vector<int>{1, 2, 3}));
}

TEST(Json, KeepsTheOrderOfTheFile) {
  std::string keys;
  for (const auto& [key, value] : parse(R"({"z": 1, "a": 2, "m": 3})").members()) keys += std::string(key) + std::to_string(value.as<int>());
  EXPECT_EQ(keys, "z1a2m3");
}

TEST(Json, SaysWhereAndWhat) {
  const Json j = parse(R"({"hidden_size": "16", "rope_scaling": {"factors": [1, 2.5]}, "a.b": {"c\n": 1}})");
  EXPECT_EQ(error_of([&] { j.get<int>("hidden_size"); }), "config.json: hidden_size: expected an integer, found the string '16'");
  EXPECT_EQ(error_of([&] { j["rope_scaling"].get<bool>("factors"); }),
            "config.json: rope_scaling.factors: expected true or false, found an array of 2");
  EXPECT_EQ(error_of([&] { j["rope_scaling"]["factors"].as<std::vector<int>>(); }),
            "config.json: rope_scaling.factors[1]: expected an integer, found 2.5");
  EXPECT_EQ(error_of([&] { j["a.b"]["c\n"].as<std::string>(); }), "config.json: a.b.c\\n: expected a string, found 1");
  EXPECT_EQ(error_of([&] { j["missing"]; }), "config.json: the key 'missing' is missing");
  EXPECT_TRUE(mentions(error_of([&] { j["rope_scaling"]["factors"].at(2); }), "index 2 is out of range"));
  EXPECT_TRUE(mentions(error_of([&] { j["rope_scaling"].items(); }), "expected an array, found an object"));
}

TEST(Json, ChecksRanges) {
  const Json j = parse(R"({"a": 300, "b": -1, "c": 9223372036854775807, "d": 18446744073709551615, "e": 1e39})");
  EXPECT_TRUE(mentions(error_of([&] { j.get<std::uint8_t>("a"); }), "300 is out of range"));
  EXPECT_TRUE(mentions(error_of([&] { j.get<std::size_t>("b"); }), "-1 is out of range"));
  EXPECT_EQ(j.get<std::int64_t>("c"), std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(mentions(error_of([&] { j.get<std::uint64_t>("d"); }), "expected an integer"));  // beyond 63 bits: a real
  EXPECT_TRUE(mentions(error_of([&] { j.get<float>("e"); }), "out of range"));
  EXPECT_EQ(j.get<double>("e"), 1e39);
}

TEST(Json, NullAndMissingGiveTheFallback) {
  const Json j = parse(R"({"a": null, "b": 3})");
  EXPECT_EQ(j.get_or("a", 1), 1);
  EXPECT_EQ(j.get_or("b", 1), 3);
  EXPECT_EQ(j.get_or("c", 1), 1);
  EXPECT_TRUE(j.find("a").has_value());
  EXPECT_FALSE(j.find("c").has_value());
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text : {"", "  ", "{", "[1,]", "{\"a\": 1,}", "{'a': 1}", "// x\n1", "1 2", "016", "0x10", "True", "\"\xFF\"", "\"\\ud800\"",
                           "\"a\nb\"", "{\"a\" 1}", "nul", "-", "[1}", "\xEF\xBB\xBF\xEF\xBB\xBF{}"})
    EXPECT_TRUE(mentions(error_of([&] { parse(text); }), "config.json")) << text;
  EXPECT_TRUE(mentions(error_of([] { parse(std::string_view("{}\0", 3)); }), "NUL"));
  EXPECT_TRUE(mentions(error_of([] { parse(R"({"rms_norm_eps": 1e999})"); }), "rms_norm_eps: the number '1e999' is out of range"));
  EXPECT_TRUE(mentions(error_of([] { parse(R"({"a": {"b": [1, 2, x]}})"); }), "a.b[2]: not valid JSON at byte"));
}

TEST(Json, ReadsTheNumbersThatPythonWrites) {
  const Json j = parse(R"({"a": NaN, "b": [Infinity, -Infinity], "c": "NaN \" Infinity", "d": 0e-70000})");
  EXPECT_TRUE(std::isnan(j.get<double>("a")));
  EXPECT_EQ(j["b"].as<std::vector<double>>(), (std::vector<double>{INFINITY, -INFINITY}));
  EXPECT_EQ(j.get<std::string>("c"), "NaN \" Infinity");
  EXPECT_EQ(j.get<double>("d"), 0.0);
  for (const char* text : {"NaNa", "-NaN1", "[Infinity Infinity]", "aNaN", "-NaN", "1NaN", "[1,-1Infinity]", "--Infinity", "-Infinity1"}) EXPECT_THROW(parse(text), hw::Error) << text;
}

TEST(Json, RepeatedKeysMustAgree) {
  EXPECT_EQ(parse(R"({"a": [1, {"x": 2}], "b": 1, "a": [1, {"x": 2}]})").dump(), R"({"a": [1, {"x": 2}], "b": 1})");
  EXPECT_EQ(error_of([] { parse(R"({"o": {"act": "silu", "b": 0, "act": "gelu"}})"); }),
            "config.json: o.act: the key appears twice with different values");
  std::string large = "{";
  for (int i = 0; i < 100; ++i) large += "\"key" + std::to_string(i) + "\": " + std::to_string(i) + ", ";
  EXPECT_EQ(parse(large + "\"key7\": 7}").size(), 100u);
  EXPECT_TRUE(mentions(error_of([&] { parse(large + "\"key7\": 8}"); }), "key7"));
}

TEST(Json, FindsKeysOfLargeObjects) {
  std::string text = "{";
  for (int i = 0; i < 5000; ++i) text += (i ? ",\"" : "\"") + std::to_string(i * 7919 % 5000) + "\":" + std::to_string(i);
  const Json j = parse(text + "}");
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(j.get<int>(std::to_string(i * 7919 % 5000)), i);
  EXPECT_FALSE(j.contains("5000"));
  EXPECT_FALSE(j.contains(""));
}

TEST(Json, BoundsDepthAndLength) {
  const std::string deep(1'000'000, '[');
  EXPECT_TRUE(mentions(error_of([&] { parse(deep); }), "nested deeper than 256"));
  const std::string ok = std::string(256, '[') + std::string(256, ']');
  EXPECT_EQ(parse(ok).dump(), ok);
  EXPECT_THROW(parse("[" + ok + "]"), hw::Error);
  EXPECT_THROW(Json::parse("[1, 2]", "x", {.bytes = 5}), hw::Error);
}

TEST(Json, ReadsBackWhatItWrites) {
  const std::string text =
      R"({"a": [], "b": {}, "c": [1, -2.5, 1e-05, 1e+16, 3.0, 123456.789], "d": "\"\\\t\u0001é😀", "e": [true, false, null], "f": NaN})";
  EXPECT_EQ(parse(text).dump(), text);
  EXPECT_EQ(parse(R"({"a":[1,{"b":"é😀"}]})").dump({.compact = true, .ascii = true}), R"({"a":[1,{"b":"\u00e9\ud83d\ude00"}]})");
  EXPECT_EQ(parse(R"({"a": [1, {}], "b": []})").dump({.indent = 2}), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
  for (const double x : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 1e15, 123456789012345680.0, 0.0001, 0.00001234})
    EXPECT_EQ(parse(Json(x).dump()).as<double>(), x);
}

TEST(Json, ComparesValues) {
  EXPECT_EQ(parse(R"({"a": 1, "b": [2]})"), parse(R"({"b": [2], "a": 1})"));
  EXPECT_FALSE(parse("[1]") == parse("[1.0]"));
  EXPECT_FALSE(parse(R"({"a": 1})") == parse(R"({"b": 1})"));
}

TEST(Json, ValuesOutliveTheirDocumentHandle) {
  Json inner;
  {
    inner = parse(R"({"a": {"b": "text"}})")["a"]["b"];
  }
  EXPECT_EQ(inner.as<std::string_view>(), "text");
  EXPECT_TRUE(mentions(error_of([&] { inner.as<int>(); }), "config.json: a.b"));
}

TEST(JsonBuilder, Builds) {
  hw::JsonBuilder out("result");
  out.begin_object().member("ids", std::vector<int>{1, 2}).member("text", "caf\xC3\xA9\xFF");
  EXPECT_EQ(out.path(), "text");
  out.key("inner").value(Json::object({{"x", 1.5}, {"y", Json::array({true, nullptr, "s"})}})).end_object();
  EXPECT_EQ(out.finish().dump(), "{\"ids\": [1, 2], \"text\": \"caf\xC3\xA9\xEF\xBF\xBD\", \"inner\": {\"x\": 1.5, \"y\": [true, null, \"s\"]}}");
}

TEST(JsonBuilder, RefusesMisuse) {
  using hw::JsonBuilder;
  EXPECT_THROW(JsonBuilder().begin_object().integer(1), hw::Error);
  EXPECT_THROW(JsonBuilder().begin_array().key("a"), hw::Error);
  EXPECT_THROW(JsonBuilder().begin_object().key("a").end_object(), hw::Error);
  EXPECT_THROW(JsonBuilder().begin_object().key("a").key("b"), hw::Error);
  EXPECT_THROW(JsonBuilder().begin_array().end_object(), hw::Error);
  EXPECT_THROW(JsonBuilder().integer(1).integer(2), hw::Error);
  EXPECT_THROW(JsonBuilder().begin_array().finish(), hw::Error);
  EXPECT_THROW(JsonBuilder().finish(), hw::Error);
  EXPECT_THROW(JsonBuilder().begin_object().member("a", 1).member("a", 2).end_object(), hw::Error);
}

TEST(Json, ReadsFiles) {
  const hw_test::TempFolder folder;
  EXPECT_EQ(Json::read(folder.file("a.json", "{\"x\": 1}\n")).get<int>("x"), 1);
  EXPECT_TRUE(mentions(error_of([&] { Json::read(folder.file("b.json", "{")); }), "b.json"));
  EXPECT_TRUE(mentions(error_of([&] { Json::read(folder.path() + "/none.json"); }), "none.json"));
}

}  // namespace
