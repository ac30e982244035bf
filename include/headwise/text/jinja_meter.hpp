#pragma once
// What a template may use up. Templates come with checkpoints, that is, from strangers.

#include <string>
#include <string_view>

#include "headwise/core/error.hpp"

namespace hw {

/// Bounds on one rendering. A template that exceeds one throws `Error`; nothing else can happen.
struct JinjaLimits {
  index_t steps = 20'000'000;         ///< instructions, plus one for every 16 bytes or so that a builtin looks at
  index_t bytes = index_t{64} << 20;  ///< text and values made during the rendering, whether still alive or not, and the output
  index_t calls = 500;                ///< macros (and recursive loops) that are active at one time
};

namespace jinja {

/// Throws `Error`. The machine adds the line of the template.
[[noreturn, gnu::cold]] inline void error(std::string_view message) { throw Error(message); }

/// Counts down the limits of one rendering. Builtins spend *before* they work or allocate.
class Meter {
 public:
  explicit Meter(const JinjaLimits& limits) : steps_(limits.steps), bytes_(limits.bytes) {}

  void step(index_t n = 1) {
    steps_ -= n;
    if (steps_ < 0) error("the template runs too long (limit of steps)");
  }
  void bytes(index_t n) {
    if (n > bytes_) error("the template makes too much text or too many values (limit of bytes)");
    bytes_ -= n;
  }
  /// n things of `size` bytes each; n may be anything.
  void bytes(index_t n, index_t size) {
    if (n > 0) bytes(n > bytes_ / size ? bytes_ + 1 : n * size);
  }

 private:
  index_t steps_;
  index_t bytes_;
};

/// A text that grows under a meter.
class MeteredText {
 public:
  explicit MeteredText(Meter& meter) : meter_(meter) {}
  MeteredText& operator+=(std::string_view piece) {
    meter_.bytes(static_cast<index_t>(piece.size()));
    text_ += piece;
    return *this;
  }
  MeteredText& operator+=(char c) { return *this += std::string_view(&c, 1); }
  /// Appends `count` times `piece`; a count below 1 appends nothing.
  MeteredText& repeat(std::string_view piece, index_t count) {
    if (piece.empty() || count <= 0) return *this;
    meter_.bytes(count, static_cast<index_t>(piece.size()));
    text_.reserve(text_.size() + piece.size() * static_cast<std::size_t>(count));
    for (index_t i = 0; i < count; ++i) text_ += piece;
    return *this;
  }
  Meter& meter() const { return meter_; }
  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  Meter& meter_;
  std::string text_;
};

}  // namespace jinja
}  // namespace hw
