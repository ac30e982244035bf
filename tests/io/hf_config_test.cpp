#include "headwise/io/hf_config.hpp"

#include <gtest/gtest.h>

#include "tests/io/files.hpp"

namespace {

using hw::HfConfig;
using hw::Json;
using hw_test::error_of;
using hw_test::mentions;

HfConfig config(std::string_view text) { return HfConfig(Json::parse(text, "config.json")); }

TEST(HfConfig, ReadsFieldsByAnyOfTheirNames) {
  const HfConfig c = config(R"({"n_embd": 16, "eps": 1e-5, "act": "silu", "none": null, "same": 2, "also": 2})");
  EXPECT_EQ(c.size({"hidden_size", "n_embd"}), 16);
  EXPECT_EQ(c.positive("eps"), 1e-5);
  EXPECT_EQ(c.get<std::string>("act"), "silu");
  EXPECT_EQ(c.get_or("none", 4), 4);
  EXPECT_EQ(c.size_or("missing", 5), 5);
  EXPECT_EQ(c.size({"same", "also"}), 2);
  EXPECT_FALSE(c.has("none"));
  EXPECT_NO_THROW(c.account());
}

TEST(HfConfig, ChecksValues) {
  const HfConfig c = config(R"({"half": 16.5, "zero": 0, "huge": 4294967312, "text": "16", "yes": true, "nan": NaN, "inf": Infinity,
                                "minus": -1, "null": null, "real": 16.0, "list": [1], "a": 1, "b": 2})");
  for (const char* key : {"half", "zero", "huge", "text", "yes", "real", "list", "minus"})
    EXPECT_TRUE(mentions(error_of([&] { c.size(key); }), std::string("config.json: ") + key + ": expected a whole number from 1 to 2147483647, found"));
  EXPECT_EQ(c.size("zero", 0), 0);
  for (const char* key : {"nan", "inf", "text", "yes"}) EXPECT_TRUE(mentions(error_of([&] { c.number(key); }), "expected a number, found"));
  for (const char* key : {"nan", "zero", "minus"}) EXPECT_TRUE(mentions(error_of([&] { c.positive(key); }), "expected a number above 0"));
  EXPECT_EQ(error_of([&] { c.size("null"); }), "config.json: the field 'null' is null");
  EXPECT_EQ(error_of([&] { c.size("nothing"); }), "config.json: the field 'nothing' is missing");
  EXPECT_EQ(error_of([&] { c.size({"nothing", "nil", "none"}); }),
            "config.json: the field 'nothing', or 'nil', 'none' is missing");
  EXPECT_TRUE(mentions(error_of([&] { c.size({"a", "b"}); }), "config.json: b: the field says another thing than config.json: a"));
  EXPECT_TRUE(mentions(error_of([] { config("[]"); }), "config.json: expected an object"));
}

TEST(HfConfig, EveryFieldMustBeReadOrHarmless) {
  EXPECT_NO_THROW(config(R"({"architectures": ["X"], "_name_or_path": "/x", "transformers_version": "5", "attention_dropout": 0.1,
                             "resid_pdrop": 0.1, "use_cache": true, "id2label": {"0": "a"}, "pretraining_tp": 1, "is_decoder": false,
                             "future": null, "list": [], "object": {}, "top_k": 50})")
                      .account());
  EXPECT_EQ(error_of([] { config(R"({"attention_surprise_scale": 3.0})").account(); }),
            "config.json: attention_surprise_scale: this model does not know the field, which may change its numbers");
  EXPECT_TRUE(mentions(error_of([] { config(R"({"a": 1, "b": 2, "c": 3})").account(); }), "nor 2 more (config.json: b)"));
  EXPECT_THROW(config(R"({"token_dropout": true})").account(), hw::Error);
  EXPECT_THROW(config(R"({"pretraining_tp": 2})").account(), hw::Error);
  EXPECT_THROW(config(R"({"is_decoder": true})").account(), hw::Error);
  const HfConfig c = config(R"({"a": 1})");
  c.ignore({"a"});
  EXPECT_NO_THROW(c.account());
}

TEST(HfConfig, FieldsOfObjectsInsideCountToo) {
  const HfConfig c = config(R"({"rope_scaling": {"type": "yarn", "factor": 4, "surprise": 1}})");
  const HfConfig rope = *c.find_sub({"rope_scaling", "rope_parameters"});
  EXPECT_EQ(rope.positive("factor"), 4.0);
  EXPECT_TRUE(mentions(error_of([&] { rope.size("type"); }), "config.json: rope_scaling.type: expected a whole number"));
  EXPECT_TRUE(mentions(error_of([&] { rope.size("original"); }), "config.json: rope_scaling: the field 'original' is missing"));
  EXPECT_TRUE(mentions(error_of([&] { c.account(); }), "config.json: rope_scaling.surprise"));
  rope.ignore({"surprise"});
  EXPECT_NO_THROW(c.account());
  EXPECT_FALSE(c.find_sub("text_config").has_value());
  EXPECT_TRUE(mentions(error_of([&] { c.sub("text_config"); }), "missing"));
  EXPECT_TRUE(mentions(error_of([] { config(R"({"rope_scaling": "x"})").sub("rope_scaling"); }), "rope_scaling: expected an object"));
}

TEST(HfConfig, SomeFieldsAreUnderstoodWithOneValueOnly) {
  const HfConfig c = config(R"({"bias": true, "scale": 1, "act": "gelu"})");
  EXPECT_TRUE(mentions(error_of([&] { c.only("bias", false); }), "config.json: bias: expected false"));
  EXPECT_NO_THROW(c.only("scale", 1.0));
  EXPECT_NO_THROW(c.only("missing", false));
  EXPECT_NO_THROW(c.only("act", "gelu"));
  EXPECT_NO_THROW(c.account());
}

}  // namespace
