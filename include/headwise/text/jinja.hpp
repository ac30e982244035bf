#pragma once
// The template language of chat templates: the part of Jinja that published templates use, in the environment that Hugging Face
// transformers renders them in (trim_blocks, lstrip_blocks, break and continue, tojson, raise_exception, strftime_now), sandboxed.
//
//     hw::JinjaTemplate hello("Hello {{ name | title }}!");
//     hello.render(hw::jinja::Value::dict({{"name", "ada lovelace"}}));   // "Hello Ada Lovelace!"

#include <chrono>

#include "headwise/text/jinja_compiler.hpp"
#include "headwise/text/jinja_machine.hpp"
#include "headwise/text/jinja_value.hpp"

namespace hw {

using JinjaValue = jinja::Value;

/// A compiled template. Copies are cheap; one template can be rendered by several threads at once.
///
/// What differs from Python: integers have 64 bits, and more is an error; filters that make generators make lists; `escape` and `safe` give
/// plain text; other templates cannot be loaded; lists and dicts cannot be changed (as in the sandbox of transformers).
class JinjaTemplate {
 public:
  /// Errors: the syntax, with the line; more than 4 MB; nesting deeper than 100. Cost: linear in the source.
  explicit JinjaTemplate(std::string_view source);

  /// The text for these variables (a dict). Errors: whatever goes wrong in the template, raise_exception's message, a limit that is
  /// exceeded. Takes stack for 128 levels of nested values at most, none for anything else in the template.
  std::string render(const JinjaValue& variables, const JinjaLimits& limits = {}) const;

  /// The same at another time than now: what strftime_now tells.
  std::string render(const JinjaValue& variables, const JinjaLimits& limits, std::chrono::system_clock::time_point now) const;

 private:
  std::shared_ptr<const jinja::Program> program_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/text/jinja.inl.hpp"
#endif
