#pragma once
#include <algorithm>

#include "headwise/text/tokenizer_parts.hpp"

namespace hw::text {

HEADWISE_INLINE bool TokenizerParts::text_of(std::int32_t id, std::string_view& out) const noexcept {
  if (const AddedToken* token = added.find(id)) {
    out = token->content;
    return true;
  }
  if (!vocabulary.contains(id)) return false;
  out = vocabulary.text(id);
  return true;
}

HEADWISE_INLINE std::int32_t TokenizerParts::id_of(std::string_view token) const noexcept {
  if (const AddedToken* t = added.find(token)) return t->id;
  return vocabulary.find(token);
}

HEADWISE_INLINE bool TokenizerParts::is_special(std::int32_t id) const noexcept {
  const bool listed = control_types && id >= 0 && static_cast<std::size_t>(id) < control_types->size();
  return added.is_special(id) || (listed && (*control_types)[static_cast<std::size_t>(id)] == TokenType::control);
}

HEADWISE_INLINE void TokenizerParts::finish() {
  id_limit = static_cast<std::int64_t>(vocabulary.id_limit());
  for (const AddedToken& token : added.tokens()) id_limit = std::max<std::int64_t>(id_limit, std::int64_t{token.id} + 1);
  std::string_view text;
  for (const auto* parts : {&post_processor.single, &post_processor.pair}) {
    if (!*parts) continue;
    for (const TemplatePart& part : **parts)
      for (const std::int32_t id : part.ids)
        if (!text_of(id, text)) fail(origin, concat("post_processor: there is no token with the id ", id));
  }
}

}  // namespace hw::text
