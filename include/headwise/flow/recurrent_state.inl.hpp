#pragma once
#include <algorithm>
#include <atomic>

#include "headwise/flow/recurrent_state.hpp"

namespace hw {

HEADWISE_INLINE RecurrentState::Move RecurrentState::advance(index_t n) noexcept {
  std::swap(before_, now_);                // the old end becomes the place to go back to
  std::swap(now_.values, spare_);          // what lay there before is not needed any more: reserve makes it the spare, if it is ours alone
  now_.size = before_.size + n;
  return {before_.values->data(), now_.values->data()};
}

HEADWISE_INLINE index_t RecurrentState::reach(index_t n) const noexcept {
  index_t best = 0;  // zeros
  const auto consider = [&](index_t m) {
    if (m <= n) best = std::max(best, m);
  };
  consider(now_.size);
  if (before_.values) consider(before_.size);
  for (const Copy& c : held_) consider(c.size);
  return best;
}

HEADWISE_INLINE void RecurrentState::truncate(index_t n) noexcept {
  if (n == now_.size) return;
  std::erase_if(held_, [&](const Copy& c) { return c.size > n; });  // other entries may come to stand there
  if (before_.values && before_.size == n) {
    std::swap(now_, before_);
    if (!spare_) spare_ = std::move(before_.values);
    before_ = {};
    return;
  }
  for (const Copy& c : held_)
    if (c.size == n) {
      now_ = c;
      before_ = {};
      return;
    }
  if (n == 0) now_ = before_ = {};
}

HEADWISE_INLINE void RecurrentState::hold(index_t n) {
  for (const Copy& c : held_)
    if (c.size == n) return;
  held_.push_back({n, now_.values});
}

HEADWISE_INLINE void RecurrentState::release(index_t n) {
  std::erase_if(held_, [&](const Copy& c) { return c.size == n; });
}

HEADWISE_INLINE void RecurrentState::reserve(index_t) {
  if (!now_.values) now_.values = std::make_shared<Buffer>(width_);
  if (spare_ && spare_.use_count() > 1) spare_.reset();
  if (!spare_) spare_ = std::make_shared<Buffer>(width_);
  std::atomic_thread_fence(std::memory_order_acquire);  // a fork on another thread has finished reading what is ours alone now
}

HEADWISE_INLINE RecurrentState RecurrentState::fork() const {
  RecurrentState out;
  out.width_ = width_;
  out.now_ = now_;
  out.before_ = before_;
  out.held_ = held_;
  return out;
}

HEADWISE_INLINE std::size_t RecurrentState::bytes() const {
  return static_cast<std::size_t>(width_) * sizeof(float) *
         ((now_.values ? 1 : 0) + (before_.values ? 1 : 0) + (spare_ ? 1 : 0) + held_.size());
}

HEADWISE_INLINE void RecurrentState::save(Writer& w) const {
  w.put(width_);
  w.put(now_.size);
  if (now_.size > 0) w.put_span(std::span<const float>(now_.values->data(), static_cast<std::size_t>(width_)));
}

HEADWISE_INLINE void RecurrentState::load(Reader& r) {
  r.expect(width_, "recurrent width");
  const auto n = r.get<std::int64_t>("entries");
  if (n < 0) fail("saved state", "a count of entries of at least 0", std::to_string(n));
  now_ = {n, std::make_shared<Buffer>(width_)};
  before_ = {};
  held_.clear();
  if (n > 0) r.get_span(std::span<float>(now_.values->data(), static_cast<std::size_t>(width_)), "recurrent values");
}

}  // namespace hw
