// A chat template, rendered with a conversation, tools and variables.

#include "headwise/text/chat_template.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto tools = hw::JinjaValue::from_json(hw::Json::parse(
      R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}])", "tools"));
  fuzz::lawful([&] {
    const hw::ChatTemplate chat(fuzz::text_of(data, size), {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
    hw::ChatOptions options;
    options.limits.steps = 20000;
    options.variables = {{"enable_thinking", true}, {"number", 3}};
    const std::vector<hw::ChatMessage> messages{
        {"system", "be brief"}, {"user", "the cat?"}, {"assistant", "on the mat."}, {"user", "{{ 1 }}"}};
    (void)chat.render(messages, options);
    options.tools = tools;
    options.add_generation_prompt = false;
    (void)chat.render(messages, options);
  });
  return 0;
}
