#pragma once
#include "headwise/text/aligned_text.hpp"

namespace hw::text {

HEADWISE_INLINE Origin AlignedText::origin(std::size_t i) const noexcept {
  if (!origins_.empty()) return origins_[i];
  std::size_t begin = i;
  while (is_continuation(text_[begin])) --begin;
  const auto first = static_cast<std::uint32_t>(offset_ + begin);
  return {first, static_cast<std::uint32_t>(first + utf8_size(text_[begin]))};
}

HEADWISE_INLINE void AlignedText::transform(std::span<const Change> changes, std::size_t removed) {
  AlignedWriter out(*this);
  std::size_t at = 0;
  const auto skip = [&] {
    if (at < text_.size()) at += utf8_size(text_[at]);
  };
  for (std::size_t i = 0; i < removed; ++i) skip();
  for (const Change& change : changes) {
    const bool added = change.change > 0 || at >= text_.size();
    out.put(change.character, added ? out.origin_before(at) : origin(at));
    if (change.change <= 0) skip();
    for (int i = 0; i > change.change; --i) skip();
  }
  out.finish();
}

HEADWISE_INLINE void AlignedText::prepend(std::string_view text) {
  if (text_.empty()) return;
  AlignedWriter out(*this);
  out.put(text, origin(0));
  out.copy(0, text_.size());
  out.finish();
}

HEADWISE_INLINE void AlignedText::append(std::string_view text) {
  if (text_.empty()) return;
  AlignedWriter out(*this);
  out.copy(0, text_.size());
  out.put(text, origin(text_.size() - 1));
  out.finish();
}

HEADWISE_INLINE void AlignedText::keep(std::size_t begin, std::size_t end) {
  if (begin == 0 && end == text_.size()) return;
  AlignedWriter out(*this);
  out.copy(begin, end);
  out.finish();
}

HEADWISE_INLINE void AlignedWriter::check() const {
  if (text_.size() > source_.limit_) fail("tokenizer", concat("the normalizer makes the text longer than ", source_.limit_, " bytes"));
}

HEADWISE_INLINE void AlignedWriter::copy(std::size_t begin, std::size_t end) {
  text_.append(source_.text_, begin, end - begin);
  check();
  if (source_.origins_.empty()) {
    for (std::size_t i = begin; i < end; ++i) origins_.push_back(source_.origin(i));
  } else {
    origins_.insert(origins_.end(), source_.origins_.begin() + static_cast<std::ptrdiff_t>(begin),
                    source_.origins_.begin() + static_cast<std::ptrdiff_t>(end));
  }
}

HEADWISE_INLINE void AlignedWriter::put(std::string_view text, Origin origin) {
  text_.append(text);
  check();
  origins_.insert(origins_.end(), text.size(), origin);
}

HEADWISE_INLINE void AlignedWriter::put(char32_t c, Origin origin) {
  append_character(text_, c);
  check();
  origins_.resize(text_.size(), origin);
}

HEADWISE_INLINE void AlignedWriter::finish() {
  source_.text_.swap(text_);
  source_.origins_.swap(origins_);
  if (source_.text_.empty()) source_.origins_.clear();
}

}  // namespace hw::text
