#pragma once
// Mixture of experts as a sublayer.

#include <optional>
#include <string_view>

#include "headwise/layers/mlp.hpp"
#include "headwise/moe/experts.hpp"
#include "headwise/moe/router.hpp"

namespace hw {

/// y = experts(x; plan = router(x)) + shared(x), or + sigmoid(g . x) shared(x); + b
///                                                                       arXiv:1701.06538; shared experts: arXiv:2401.06066
/// With `latent`, the experts see Wl x and their sum passes Wu (nemotron_h); the router sees x.
/// Weights: the router's in scope `router`, the experts' in `experts.<i>`, and where the config has them `shared`, `shared_gate` (1, d),
/// `bias` (d), `latent_down` (latent, d), `latent_up` (d, latent).
template <Router R, class E = GatedMlp>
class Moe {
 public:
  static constexpr Couples couples = joint_couples<R, Experts<E>>;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    typename R::Config router{};
    typename Experts<E>::Config experts{};
    std::optional<typename E::Config> shared{};
    bool shared_gate = false;
    bool bias = false;
    index_t latent = 0;  // the width of the experts' rows; 0: the stream's
  };

  /// Error: a router that chooses from fewer experts than there are.
  Moe(const Config& c, const Build& b) : experts_(c.experts, b.scope("experts")), router_(c.router, b.scope("router")) {
    if (experts_.size() + c.experts.identities > router_.experts())
      fail(b.path("router"), concat("a router over ", experts_.size() + c.experts.identities, " experts"),
           std::to_string(router_.experts()));
    if (c.shared) shared_.emplace(*c.shared, b.scope("shared"));
    if (c.shared_gate) shared_gate_ = Linear(c.router.hidden_size, 1, false, b.scope("shared_gate"));
    if (c.latent > 0) {
      latent_down_ = Linear(c.router.hidden_size, c.latent, false, b.scope("latent_down"));
      latent_up_ = Linear(c.latent, c.router.hidden_size, false, b.scope("latent_up"));
    }
    if (c.bias) bias_ = b.vector("bias", c.router.hidden_size);
  }

  void forward(In in, View delta) const {
    const Step& step = in.frame.step;
    if (latent_up_.in() == 0) {
      experts_.apply(in, router_.route(in), delta);
    } else {
      const View x = step.arena.take_view(delta.rows, latent_up_.in()), y = step.arena.take_view(delta.rows, latent_up_.in());
      latent_down_.forward(in.x, x, in.frame);
      experts_.apply({x, in.frame}, router_.route(in), y);
      latent_up_.forward(y, delta, in.frame);
    }
    if (shared_) {
      const ArenaScope scope(step.arena);
      const View other = step.arena.take_view(delta.rows, delta.cols);
      run_sublayer(*shared_, in, other, {});
      const View gate = step.arena.take_view(delta.rows, 1);
      if (shared_gate_.in() > 0) {
        shared_gate_.forward(in.x, gate, in.frame);
        step.kernels.elementwise.activate(Activation::sigmoid, gate.data, gate.stride, gate.rows, 1, gate.data, gate.stride);
      }
      step.parallel_rows(delta.rows, delta.cols, [&](index_t begin, index_t end) {
        for (index_t r = begin; r < end; ++r)
          step.kernels.elementwise.add_scaled(other.row(r), other.stride, shared_gate_.in() > 0 ? *gate.row(r) : 1.0f, delta.row(r),
                                              delta.stride, 1.0f, 1, delta.cols, delta.row(r), delta.stride);
      });
    }
    if (!bias_.empty())
      for (index_t r = 0; r < delta.rows; ++r) step.kernels.elementwise.add(delta.row(r), bias_.data(), delta.row(r), delta.cols);
  }

  const R& router() const noexcept { return router_; }

 private:
  Experts<E> experts_;  // first, so that a count that the file has not names a missing expert
  R router_;
  std::optional<E> shared_;
  Linear shared_gate_, latent_down_, latent_up_;
  std::vector<float> bias_;
};

}  // namespace hw
