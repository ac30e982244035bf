#pragma once
#include <algorithm>
#include <filesystem>

#include "headwise/text/chat_template.hpp"

namespace hw {
namespace detail {

constexpr std::string_view kSpecialTokenNames[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                   "pad_token", "cls_token", "mask_token"};

// Special tokens of tokenizer_config.json or special_tokens_map.json: a string, or an object with "content".
inline void read_special_tokens(const Json& json, std::vector<std::pair<std::string, JinjaValue>>& tokens) {
  const auto text = [](const Json& token) { return token.is_object() ? token.get<std::string>("content") : token.as<std::string>(); };
  for (std::string_view name : kSpecialTokenNames) {
    const std::optional<Json> token = json.find(name);
    const bool known = std::any_of(tokens.begin(), tokens.end(), [&](const auto& t) { return t.first == name; });
    if (token && !token->is_null() && !known) tokens.emplace_back(name, text(*token));
  }
  const std::optional<Json> more = json.find("additional_special_tokens");
  if (!more || !more->is_array()) return;
  JinjaValue::List list;
  for (const Json& token : more->items()) list.emplace_back(text(token));
  tokens.emplace_back("additional_special_tokens", JinjaValue::list(std::move(list)));
}

inline std::string read_template(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::open(path.string());
  if (file.text().size() > jinja::Lexer::kMaxSource)
    fail(file.path(), concat("at most ", jinja::Lexer::kMaxSource, " bytes"), concat(file.text().size()));
  return std::string(file.text());
}

}  // namespace detail

HEADWISE_INLINE ChatTemplate::ChatTemplate(std::string_view source, std::vector<std::pair<std::string, JinjaValue>> tokens)
    : tokens_(std::move(tokens)) {
  add("default", source);
}

HEADWISE_INLINE void ChatTemplate::add(std::string name, std::string_view source) {
  for (const Named& old : templates_)
    if (old.name == name) fail("chat template", concat("two templates are called ", hw::quoted(name)));
  if (templates_.size() >= 64) fail("chat template", "there are more than 64 named templates");
  templates_.push_back({std::move(name), std::string(source), JinjaTemplate(source)});
}

HEADWISE_INLINE ChatTemplate ChatTemplate::load(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code none;
  const fs::path folder(path);
  if (!fs::is_directory(folder, none)) {
    if (!path.ends_with(".gguf")) fail(path, "there is no such folder, and this is no .gguf file");
    return from_gguf(Gguf::open(path));
  }
  ChatTemplate out;
  std::optional<Json> config;
  if (fs::exists(folder / "tokenizer_config.json", none)) {
    config = Json::read((folder / "tokenizer_config.json").string());
    detail::read_special_tokens(*config, out.tokens_);
  }
  if (fs::exists(folder / "special_tokens_map.json", none))
    detail::read_special_tokens(Json::read((folder / "special_tokens_map.json").string()), out.tokens_);

  if (fs::exists(folder / "chat_template.jinja", none)) out.add("default", detail::read_template(folder / "chat_template.jinja"));
  std::vector<fs::path> others;
  for (const auto& entry : fs::directory_iterator(folder / "additional_chat_templates", none))
    if (entry.path().extension() == ".jinja") others.push_back(entry.path());
  std::sort(others.begin(), others.end());
  for (const fs::path& other : others) out.add(other.stem().string(), detail::read_template(other));
  if (!out.templates_.empty()) return out;

  std::optional<Json> stored = config ? config->find("chat_template") : std::nullopt;
  if ((!stored || stored->is_null()) && fs::exists(folder / "chat_template.json", none))
    stored = Json::read((folder / "chat_template.json").string()).find("chat_template");
  if (!stored || stored->is_null())
    fail(path, "there is no chat template: neither chat_template.jinja nor \"chat_template\" in tokenizer_config.json");
  if (stored->is_array()) {
    for (const Json& named : stored->items()) out.add(named.get<std::string>("name"), named.get<std::string_view>("template"));
    if (out.templates_.empty()) stored->fail("the list of chat templates is empty");
  } else {
    if (!stored->is_string()) stored->fail_expected("a template (a string), or a list of named ones");
    out.add("default", stored->as<std::string_view>());
  }
  return out;
}

HEADWISE_INLINE ChatTemplate ChatTemplate::from_gguf(const Gguf& gguf) {
  constexpr std::string_view kKey = "tokenizer.chat_template", kIds = "tokenizer.ggml.";
  ChatTemplate out;
  for (const auto& [key, value] : gguf.metadata()) {
    const bool named = key.size() > kKey.size() + 1 && key.starts_with(kKey) && key[kKey.size()] == '.';
    if (key == kKey || named) out.add(named ? std::string(key.substr(kKey.size() + 1)) : "default", value.as<std::string_view>());
  }
  if (out.templates_.empty()) fail(gguf.name(), concat("there is no chat template: the key ", kKey, " is missing"));
  // Ids of the tokens that have a role; where the file calls the unknown and the separator by longer names.
  constexpr std::pair<std::string_view, std::string_view> kRoles[] = {
      {"bos_token", "bos_token_id"},       {"eos_token", "eos_token_id"},     {"unk_token", "unknown_token_id"},
      {"sep_token", "seperator_token_id"}, {"pad_token", "padding_token_id"}, {"cls_token", "cls_token_id"},
      {"mask_token", "mask_token_id"}};
  std::vector<std::pair<std::int64_t, std::size_t>> wanted;  // id, role
  for (std::size_t role = 0; role < std::size(kRoles); ++role)
    if (const auto id = gguf.find(concat(kIds, kRoles[role].second))) wanted.emplace_back(id->as<std::int64_t>(), role);
  const auto tokens = gguf.find(concat(kIds, "tokens"));
  if (!tokens || wanted.empty()) return out;
  std::int64_t id = 0;
  for (std::string_view token : tokens->strings()) {
    for (const auto& [wanted_id, role] : wanted)
      if (wanted_id == id) out.tokens_.emplace_back(kRoles[role].first, token);
    ++id;
  }
  for (const auto& [wanted_id, role] : wanted)
    if (wanted_id < 0 || wanted_id >= id)
      fail(concat(gguf.name(), ": ", kIds, kRoles[role].second), concat("an id below ", id), concat(wanted_id));
  return out;
}

// As transformers does: with tools the template "tool_use" if there is one, otherwise "default".
HEADWISE_INLINE const ChatTemplate::Named& ChatTemplate::choose(bool tools) const {
  for (std::string_view name : {"tool_use", "default"})
    for (const Named& named : templates_)
      if (named.name == name && (tools || name == "default")) return named;
  std::string list;
  for (const Named& named : templates_) list += (list.empty() ? "" : ", ") + hw::quoted(named.name, 40);
  fail("chat template", concat("there are only templates with other names than 'default': ", list));
}

HEADWISE_INLINE std::string ChatTemplate::render(std::span<const ChatMessage> messages, const ChatOptions& options) const {
  JinjaValue::List list;
  for (const ChatMessage& message : messages) {
    JinjaValue::Entries entries{{"role", message.role}, {"content", message.content}};
    for (const auto& [name, value] : message.extra) entries.emplace_back(name, value);
    list.push_back(JinjaValue::dict(std::move(entries)));
  }
  return render_value(JinjaValue::list(std::move(list)), options);
}

HEADWISE_INLINE std::string ChatTemplate::render_value(const JinjaValue& messages, const ChatOptions& options) const {
  if (!messages.is_list()) fail("chat messages", "a list", concat("a value of type ", messages.type()));
  JinjaValue::Entries entries;
  for (const auto& [name, value] : tokens_) entries.emplace_back(name, value);
  entries.emplace_back("messages", messages);
  entries.emplace_back("tools", options.tools);
  entries.emplace_back("documents", options.documents);
  entries.emplace_back("add_generation_prompt", options.add_generation_prompt);
  for (const auto& [name, value] : options.variables) entries.emplace_back(name, value);
  return choose(jinja::truth(options.tools))
      .compiled.render(JinjaValue::dict(std::move(entries)), options.limits, options.now.value_or(std::chrono::system_clock::now()));
}

HEADWISE_INLINE std::vector<std::string> ChatTemplate::names() const {
  std::vector<std::string> out;
  for (const Named& named : templates_) out.push_back(named.name);
  return out;
}

HEADWISE_INLINE const std::string& ChatTemplate::source(std::string_view name) const {
  for (const Named& named : templates_)
    if (named.name == name) return named.source;
  fail("chat template", concat("there is no template ", hw::quoted(name)));
}

}  // namespace hw
