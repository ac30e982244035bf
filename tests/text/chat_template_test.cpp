#include "headwise/text/chat_template.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <unistd.h>

namespace {

using hw::ChatTemplate;
using hw::JinjaValue;

// Renderings of published templates by transformers.
TEST(ChatTemplate, RendersPublishedTemplatesAsTransformersDoes) {
  const hw::Json golden = hw::Json::read(std::string(HEADWISE_TEST_DATA) + "/chat_templates/golden.json");
  std::map<std::string, ChatTemplate> templates;
  for (const auto& [name, stored] : golden["templates"].members())
    templates.emplace(name, ChatTemplate(stored.get<std::string_view>("template"), {{"bos_token", stored.get<std::string>("bos_token")},
                                                                                    {"eos_token", stored.get<std::string>("eos_token")}}));
  std::size_t texts = 0, errors = 0;
  for (const hw::Json& c : golden["cases"].items()) {
    hw::ChatOptions options;
    options.add_generation_prompt = c.get<bool>("add_generation_prompt");
    if (!c["tools"].is_null()) options.tools = JinjaValue::from_json(golden["tools"][c.get<std::string_view>("tools")]);
    for (const auto& [name, value] : c["kwargs"].members()) options.variables.emplace_back(name, JinjaValue::from_json(value));
    const auto conversation = c.get<std::string_view>("conversation");
    const JinjaValue messages = JinjaValue::from_json(golden["conversations"][conversation]);
    const std::string what = hw::concat(c.get<std::string>("template"), " ", conversation);
    std::string text, error;
    try {
      text = templates.at(c.get<std::string>("template")).render(messages, options);
    } catch (const hw::Error& e) {
      error = e.what();
    }
    if (c.contains("error")) {
      ++errors;
      EXPECT_FALSE(error.empty()) << what << " gave " << text;
      const bool raised = c.get<std::string>("error") == "TemplateError";  // then the words are the template's own
      EXPECT_NE(error.find(raised ? c.get<std::string>("message") : ""), std::string::npos) << what << error;
    } else {
      ++texts;
      EXPECT_EQ(text, c.get<std::string>("expected")) << what << "\n  " << error;
    }
  }
  EXPECT_EQ(texts, 385u);
  EXPECT_EQ(errors, 40u);
}

// A folder that is there as long as the test.
class ChatTemplateFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / hw::concat("headwise_chat_template_", static_cast<std::int64_t>(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, std::string_view text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::string rendered(const hw::ChatOptions& options = {}) const {
    return ChatTemplate::load(folder_.string()).render({{"user", "hi"}}, options);
  }
  std::string error() const {
    try {
      return "no error: " + rendered();
    } catch (const hw::Error& e) {
      return e.what();
    }
  }
  std::filesystem::path folder_;
};

TEST_F(ChatTemplateFolder, StringInTheTokenizerConfigWithItsSpecialTokens) {
  write("tokenizer_config.json", R"({"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "pad_token": null,
      "additional_special_tokens": ["<a>", {"content": "<b>"}],
      "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}{{ pad_token is defined }}{{ additional_special_tokens }}"})");
  EXPECT_EQ(rendered(), "<s>hi</s>False['<a>', '<b>']");
}

TEST_F(ChatTemplateFolder, AFileWinsOverTheConfig) {
  write("tokenizer_config.json", R"({"bos_token": "<s>", "chat_template": "config"})");
  EXPECT_EQ(rendered(), "config");
  write("chat_template.jinja", "{{ bos_token }}file");
  EXPECT_EQ(rendered(), "<s>file");
  write("additional_chat_templates/tool_use.jinja", "tools: {{ tools | length }}");
  hw::ChatOptions options;
  options.tools = JinjaValue::list({1, 2});
  EXPECT_EQ(rendered(options), "tools: 2");
  EXPECT_EQ(rendered(), "<s>file");
}

TEST_F(ChatTemplateFolder, NamedTemplates) {
  write("tokenizer_config.json",
        R"({"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "with tools"}]})");
  hw::ChatOptions options;
  EXPECT_EQ(rendered(options), "plain");
  options.tools = JinjaValue::list({1});
  EXPECT_EQ(rendered(options), "with tools");
  EXPECT_EQ(ChatTemplate::load(folder_.string()).names(), (std::vector<std::string>{"default", "tool_use"}));
  EXPECT_EQ(ChatTemplate::load(folder_.string()).source("tool_use"), "with tools");

  write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "x"}]})");
  EXPECT_EQ(error(), "chat template: there are only templates with other names than 'default': 'rag'");
}

TEST_F(ChatTemplateFolder, SpecialTokensMapAndChatTemplateJson) {
  write("special_tokens_map.json", R"({"bos_token": "<x>"})");
  write("chat_template.json", R"({"chat_template": "{{ bos_token }}json"})");
  EXPECT_EQ(rendered(), "<x>json");
  write("tokenizer_config.json", R"({"bos_token": "<y>", "chat_template": null})");
  EXPECT_EQ(rendered(), "<y>json");
}

TEST_F(ChatTemplateFolder, WhatIsNoTemplate) {
  EXPECT_NE(error().find("there is no chat template"), std::string::npos);
  write("tokenizer_config.json", R"({"chat_template": 5})");
  EXPECT_NE(error().find("chat_template: expected a template"), std::string::npos) << error();
  write("tokenizer_config.json", R"({"chat_template": ["x"]})");
  EXPECT_NE(error().find("chat_template[0]"), std::string::npos) << error();
  write("tokenizer_config.json", R"({"chat_template": []})");
  EXPECT_NE(error().find("empty"), std::string::npos) << error();
  write("tokenizer_config.json", R"({"chat_template": "{% if %}"})");
  EXPECT_NE(error().find("chat template, line 1"), std::string::npos) << error();
  EXPECT_THROW(ChatTemplate::load("/nonexistent"), hw::Error);
}

TEST(ChatTemplate, MessagesWithFurtherFields) {
  const ChatTemplate chat(
      "{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls %}[{{ c.function.name }}]{% endfor %};{% endfor %}"
      "{{ add_generation_prompt }}{{ tools is none }}{{ documents is none }}{{ deep_thought }}");
  const JinjaValue call = JinjaValue::dict({{"function", JinjaValue::dict({{"name", "add"}})}});
  hw::ChatOptions options;
  options.add_generation_prompt = false;
  options.variables.emplace_back("deep_thought", 42);
  EXPECT_EQ(chat.render({{"user", "2+2?"}, {"assistant", nullptr, {{"tool_calls", JinjaValue::list({call})}}}}, options),
            "user:2+2?;assistant:None[add];FalseTrueTrue42");
  EXPECT_EQ(chat.render(std::span<const hw::ChatMessage>()), "TrueTrueTrue");
  EXPECT_THROW(chat.render(JinjaValue("text")), hw::Error);
}

TEST(ChatTemplate, VariablesWin) {
  const ChatTemplate chat("{{ bos_token }}{{ add_generation_prompt }}", {{"bos_token", "<s>"}});
  hw::ChatOptions options;
  options.variables = {{"bos_token", "<t>"}, {"add_generation_prompt", "q"}};
  EXPECT_EQ(chat.render(std::span<const hw::ChatMessage>(), options), "<t>q");
}

}  // namespace
