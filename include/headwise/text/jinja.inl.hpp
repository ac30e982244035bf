#pragma once
#include "headwise/text/jinja.hpp"

namespace hw {

HEADWISE_INLINE JinjaTemplate::JinjaTemplate(std::string_view source)
    : program_(std::make_shared<const jinja::Program>(jinja::compile(source))) {}

HEADWISE_INLINE std::string JinjaTemplate::render(const JinjaValue& variables, const JinjaLimits& limits) const {
  return render(variables, limits, std::chrono::system_clock::now());
}

HEADWISE_INLINE std::string JinjaTemplate::render(const JinjaValue& variables, const JinjaLimits& limits,
                                                  std::chrono::system_clock::time_point now) const {
  if (!variables.is_dict()) fail("JinjaTemplate::render", "a dict of variables", concat("a value of type ", variables.type()));
  return jinja::Machine(*program_, variables, limits, now).run();
}

}  // namespace hw
