#pragma once
// What survives a step: one concept for every part that has any, and how parts' states compose.

#include <algorithm>
#include <concepts>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "headwise/core/arena.hpp"
#include "headwise/core/config.hpp"
#include "headwise/flow/serial.hpp"

namespace hw {

/// What one part remembers of one sequence, counted in entries (rows that this part has seen).
///
/// - `size()`: entries in it. A forward appends; nothing else grows it.
/// - `reach(n)`: the largest m <= n that truncate reaches now (n for a key-value cache, the last kept copy for a recurrence).
/// - `truncate(m)`, pre: reach(m) == m. Also undoes a failed step: the size before the last step is always reached.
/// - `hold(n)`, n == size(): from now on reach(n) == n, until `release(n)` or a truncate below n. To hold twice is to hold once.
/// - `reserve(n)`: all allocation and un-sharing for n more entries happens here, none in a forward. May throw; nothing changes then.
/// - `fork()`: an independent copy that shares memory until one of the two writes (snapshot = fork, restore = assignment).
/// - `save`/`load`: to bytes and back, into a state of the same part; load throws hw::Error and then leaves it unspecified
///   but destructible (the owner loads into a fresh one).
template <class S>
concept State = std::movable<S> && requires(S s, const S c, index_t n, Writer& w, Reader& r) {
  { c.size() } noexcept -> std::convertible_to<index_t>;
  { c.reach(n) } noexcept -> std::convertible_to<index_t>;
  { s.truncate(n) } noexcept;
  s.hold(n);
  s.release(n);
  s.reserve(n);
  { c.fork() } -> std::same_as<S>;
  { c.bytes() } -> std::convertible_to<std::size_t>;
  c.save(w);
  s.load(r);
};

/// The state of a part that has none.
struct NoState {
  static constexpr bool empty = true;
  index_t size() const noexcept { return 0; }
  index_t reach(index_t n) const noexcept { return n; }
  void truncate(index_t) noexcept {}
  void hold(index_t) {}
  void release(index_t) {}
  void reserve(index_t) {}
  NoState fork() const { return {}; }
  std::size_t bytes() const { return 0; }
  void save(Writer&) const {}
  void load(Reader&) {}
};

template <class S>
inline constexpr bool is_stateless_v = std::same_as<S, NoState>;

/// The states of several parts that see the same entries, as one. Its reach is the largest m that all of them reach.
template <State... Parts>
class AllOf {
 public:
  AllOf() = default;
  explicit AllOf(Parts... parts) : parts_(std::move(parts)...) {}

  template <std::size_t I>
  auto& get() noexcept {
    return std::get<I>(parts_);
  }

  index_t size() const noexcept {
    index_t n = 0;
    each([&](const auto& p) { n = std::max<index_t>(n, p.size()); });
    return n;
  }
  index_t reach(index_t n) const noexcept {
    for (index_t before = -1; before != n;) {  // a part may reach less than another asked for: go down until all agree
      before = n;
      each([&](const auto& p) { n = p.reach(n); });
    }
    return n;
  }
  void truncate(index_t n) noexcept { each([&](auto& p) { p.truncate(n); }); }
  void hold(index_t n) { each([&](auto& p) { p.hold(n); }); }
  void release(index_t n) { each([&](auto& p) { p.release(n); }); }
  void reserve(index_t n) { each([&](auto& p) { p.reserve(n); }); }
  AllOf fork() const {
    return std::apply([](const auto&... p) { return AllOf(p.fork()...); }, parts_);
  }
  std::size_t bytes() const {
    std::size_t sum = 0;
    each([&](const auto& p) { sum += p.bytes(); });
    return sum;
  }
  void save(Writer& w) const { each([&](const auto& p) { p.save(w); }); }
  void load(Reader& r) { each([&](auto& p) { p.load(r); }); }

 private:
  template <class F>
  void each(F f) {
    std::apply([&](auto&... p) { (f(p), ...); }, parts_);
  }
  template <class F>
  void each(F f) const {
    std::apply([&](const auto&... p) { (f(p), ...); }, parts_);
  }
  std::tuple<Parts...> parts_;
};

/// The states of one part for the sequences of a step, in their order. Empty: there is no state, and the part runs on this
/// step's own rows alone (encoders, scoring), by the same arithmetic.
template <class S>
class States {
 public:
  States() = default;
  explicit States(std::span<S* const> states) noexcept : states_(states) {}

  bool empty() const noexcept { return states_.empty(); }
  S& operator[](std::size_t sequence) const noexcept { return *states_[sequence]; }
  std::size_t size() const noexcept { return states_.size(); }

  /// The same sequences' states of the I-th part of an AllOf.
  template <std::size_t I>
  auto part(Arena& arena) const {
    using Part = std::remove_reference_t<decltype(std::declval<S&>().template get<I>())>;
    if constexpr (is_stateless_v<Part>) {
      return States<Part>();
    } else {
      const auto out = arena.take<Part*>(static_cast<index_t>(states_.size()));
      for (std::size_t i = 0; i < states_.size(); ++i) out[i] = &states_[i]->template get<I>();
      return States<Part>(out);
    }
  }

 private:
  std::span<S* const> states_;
};

}  // namespace hw
