#pragma once
// A stack whose rows are made of a signal: frames of features, samples of sound, the lines of an image.

#include <concepts>
#include <memory>
#include <utility>

#include "headwise/models/stack.hpp"

namespace hw {

/// What makes rows of a signal: `signal_size()` columns of the signal, `width()` columns of the rows, `rows(n)` of them from a signal of n
/// rows (0: too short), and `forward`, which fills them all.
template <class F>
concept Front = requires(const F front, index_t n, ConstView signal, View rows, const Frame& f) {
  { front.signal_size() } -> std::convertible_to<index_t>;
  { front.width() } -> std::convertible_to<index_t>;
  { front.rows(n) } -> std::convertible_to<index_t>;
  front.forward(signal, rows, f);
};

/// stack(front(Sequence::signal)); the stack's embedding adds positions to the rows, and its norm.
/// Weights: the stack's, and `front.*`.
template <Front F, std::derived_from<Model> S>
class WithFront : public S {
 public:
  struct Config {
    std::string model_type = "custom";
    typename F::Config front{};
    typename S::Config stack{};
  };

  /// Errors: those of the two; a front that makes rows of another width.
  WithFront(Config config, const Build& b, std::shared_ptr<Executor> executor)
      : S(named(std::move(config.stack), config.model_type), b, std::move(executor)), front_(config.front, b.scope("front")) {
    detail::check_width(b.path("front"), "output", front_.width(), this->info_.embedding_size);
    Fingerprint both;
    both.add(this->info_.fingerprint);
    both.add(config.front);
    both.add(b.fingerprint().value());
    this->info_.fingerprint = both.value();
    this->info_.matrices = b.report();
    this->info_.signal_size = front_.signal_size();
  }

  index_t signal_rows(index_t n) const override { return front_.rows(n); }

 protected:
  void read_signal(ConstView signal, View rows, const Frame& f) const override { front_.forward(signal, rows, f); }

 private:
  static typename S::Config named(typename S::Config config, const std::string& model_type) {
    config.model_type = model_type;
    return config;
  }

  F front_;
};

}  // namespace hw
