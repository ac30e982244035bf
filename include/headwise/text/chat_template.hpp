#pragma once
// Messages -> the prompt that a chat model was trained on.

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headwise/io/gguf.hpp"
#include "headwise/text/jinja.hpp"

namespace hw {

/// One turn of a conversation.
struct ChatMessage {
  std::string role;                                            // "system", "user", "assistant", "tool", or whatever the template knows
  JinjaValue content;                                          // text; or a list of parts, or none, where the template knows them
  std::vector<std::pair<std::string, JinjaValue>> extra = {};  // "tool_calls", "tool_call_id", "name", "reasoning_content", ...
};

/// What a template is given beside the messages, by Hugging Face's names.
struct ChatOptions {
  bool add_generation_prompt = true;                               // end with the beginning of the assistant's turn
  JinjaValue tools = {};                                           // a list of JSON schemas of functions, or none
  JinjaValue documents = {};                                       // a list of dicts, or none
  std::vector<std::pair<std::string, JinjaValue>> variables = {};  // more, such as "enable_thinking"; these win over everything else
  JinjaLimits limits = {};
  std::optional<std::chrono::system_clock::time_point> now = {};  // what strftime_now tells; by default the time of the call
};

/// The chat templates of a checkpoint: usually one, called "default"; some have more ("tool_use", used when tools are given).
///
///     const auto chat = hw::ChatTemplate::load("SmolLM2-135M-Instruct");
///     chat.render({{"user", "Name three prime numbers."}});
///
/// The text holds the special tokens already: encode it without adding them again. Special tokens that are written in a message come out as
/// they are, and are encoded as such; what to do with messages of strangers is the application's decision. Immutable; copies are cheap.
class ChatTemplate {
 public:
  /// One template. `tokens`: variables for special tokens, {"bos_token", "<s>"} and so on. Errors: those of JinjaTemplate.
  explicit ChatTemplate(std::string_view source, std::vector<std::pair<std::string, JinjaValue>> tokens = {});

  /// From a Hugging Face folder (chat_template.jinja and additional_chat_templates/*.jinja win over "chat_template" in
  /// tokenizer_config.json, a string or a list of named templates, which wins over chat_template.json; special tokens from
  /// tokenizer_config.json and special_tokens_map.json), or from a .gguf.
  /// Errors: there is no template; it is not what it should be; its syntax.
  static ChatTemplate load(const std::string& path);
  /// From tokenizer.chat_template (and tokenizer.chat_template.NAME) and the ids of the special tokens. Errors: the same.
  static ChatTemplate from_gguf(const Gguf& gguf);

  /// The prompt. Errors: the template raises one (its own words), a template asks of the messages what they do not have, a limit is
  /// exceeded; there are several templates and none is called "default".
  std::string render(std::span<const ChatMessage> messages, const ChatOptions& options = {}) const;
  std::string render(std::initializer_list<ChatMessage> messages, const ChatOptions& options = {}) const {
    return render(std::span(messages.begin(), messages.size()), options);
  }
  /// Messages as a list of dicts, from JSON for example. (A template, so that braces always mean ChatMessage.)
  template <std::same_as<JinjaValue> Value>
  std::string render(const Value& messages, const ChatOptions& options = {}) const {
    return render_value(messages, options);
  }

  /// "default", "tool_use", ...
  std::vector<std::string> names() const;
  /// The source of a template. Errors: no such name.
  const std::string& source(std::string_view name = "default") const;

 private:
  struct Named {
    std::string name, source;
    JinjaTemplate compiled;
  };
  ChatTemplate() = default;
  std::string render_value(const JinjaValue& messages, const ChatOptions& options) const;
  void add(std::string name, std::string_view source);
  const Named& choose(bool tools) const;

  std::vector<Named> templates_;
  std::vector<std::pair<std::string, JinjaValue>> tokens_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/text/chat_template.inl.hpp"
#endif
