// Text to ids and back, and conversations to prompts: JSON lines in, one JSON line out for each, in order.
//
//   tokenize [PATH]      PATH: a tokenizer folder, a checkpoint, a .gguf or a .model file
//
//   {"text", "text_pair"?, "add_special_tokens"?}                  -> {"ids", "type_ids"}
//   {"ids", "skip_special_tokens"?}                                -> {"text"}
//   {"messages", "tools"?, "add_generation_prompt"?, "kwargs"?}    -> {"text"}   by PATH's chat template
//   {"template", "context"}                                        -> {"text"}   needs no PATH
//   what fails                                                     -> {"error"}

#include <iostream>
#include <optional>
#include <string>

#include "headwise/io/json.hpp"
#include "headwise/text/chat_template.hpp"
#include "headwise/text/tokenizer.hpp"

namespace {

// PATH's tokenizer and chat template, each loaded when it is first needed: a checkpoint may have only one of them.
class Checkpoint {
 public:
  explicit Checkpoint(std::string path) : path_(std::move(path)) {}

  const hw::Tokenizer& tokenizer() {
    if (!tokenizer_) tokenizer_ = hw::Tokenizer::load(path());
    return *tokenizer_;
  }
  const hw::ChatTemplate& chat() {
    if (!chat_) chat_ = hw::ChatTemplate::load(path());
    return *chat_;
  }

 private:
  const std::string& path() const {
    if (path_.empty()) hw::fail("tokenize", "this needs the PATH of a tokenizer");
    return path_;
  }
  std::string path_;
  std::optional<hw::Tokenizer> tokenizer_;
  std::optional<hw::ChatTemplate> chat_;
};

hw::Json text_answer(const std::string& text) { return hw::Json::object({{"text", text}}); }

hw::Json encode(const hw::Json& request, const hw::Tokenizer& tokenizer) {
  const hw::EncodeOptions options{.add_special_tokens = request.get_or("add_special_tokens", true), .offsets = false};
  const auto text = request.get<std::string>("text");
  const auto pair = request.find("text_pair");
  const hw::Encoding encoding =
      pair && !pair->is_null() ? tokenizer.encode_pair(text, pair->as<std::string>(), options) : tokenizer.encode(text, options);
  return hw::Json::object({{"ids", encoding.ids}, {"type_ids", encoding.type_ids}});
}

hw::Json decode(const hw::Json& request, const hw::Tokenizer& tokenizer) {
  return text_answer(tokenizer.decode(request.get<std::vector<std::int32_t>>("ids"), request.get_or("skip_special_tokens", true)));
}

hw::Json chat(const hw::Json& request, const hw::ChatTemplate& chat) {
  hw::ChatOptions options;
  options.add_generation_prompt = request.get_or("add_generation_prompt", false);
  if (const auto tools = request.find("tools")) options.tools = hw::JinjaValue::from_json(*tools);
  if (const auto more = request.find("kwargs"); more && !more->is_null())
    for (const auto& [name, value] : more->members()) options.variables.emplace_back(name, hw::JinjaValue::from_json(value));
  return text_answer(chat.render(hw::JinjaValue::from_json(request.at("messages")), options));
}

hw::Json render(const hw::Json& request) {
  const auto context = request.find("context");
  const hw::JinjaValue variables = context ? hw::JinjaValue::from_json(*context) : hw::JinjaValue::dict({});
  return text_answer(hw::JinjaTemplate(request.get<std::string_view>("template")).render(variables));
}

hw::Json answer(const hw::Json& request, Checkpoint& checkpoint) {
  if (!request.is_object()) request.fail_expected("an object");
  if (request.contains("template")) return render(request);
  if (request.contains("messages")) return chat(request, checkpoint.chat());
  if (request.contains("text")) return encode(request, checkpoint.tokenizer());
  if (request.contains("ids")) return decode(request, checkpoint.tokenizer());
  request.fail("expected a text, ids, messages or a template");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
    std::cerr << "use: tokenize [PATH]   (JSON lines on standard input)\n";
    return 2;
  }
  Checkpoint checkpoint(argc == 2 ? argv[1] : "");
  std::ios::sync_with_stdio(false);
  std::size_t number = 0;
  for (std::string line; std::getline(std::cin, line);) {
    ++number;
    hw::Json reply;
    try {
      reply = answer(hw::Json::parse(line, hw::concat("line ", number)), checkpoint);
    } catch (const std::exception& e) {
      reply = hw::Json::object({{"error", e.what()}});
    }
    std::cout << reply.dump({.ascii = true}) << std::endl;  // some readers of lines also stop at U+2028
  }
}
