#pragma once
// One mixer for the recurrences over matrix states that kernels/scan.hpp computes: a rule makes what is written, kept and read.

#include <span>
#include <string_view>
#include <vector>

#include "headwise/flow/recurrent_state.hpp"
#include "headwise/layers/linear.hpp"
#include "headwise/mixers/scan_heads.hpp"

namespace hw {

struct LinearAttentionSize {
  index_t hidden_size = 0, num_heads = 0, key_dim = 0, value_dim = 0;
  index_t keys() const noexcept { return num_heads * key_dim; }
  index_t values() const noexcept { return num_heads * value_dim; }
};

/// What kernels::Scan reads, the heads of a row side by side: q, k (t, h key), v (t, h value); decay (t, h), (t, h key) or (t, h value) by
/// its kind; beta (t, h). A decay with a stride of 0 is the same for all tokens.
struct LinearRows {
  ConstView q, k, v, decay{}, beta{};
};

/// S = decay S + k v^T, or by the delta rule; o = S^T q, for each head; delta = Wo read(o).          arXiv:2006.16236, arXiv:2406.06484
///
/// A Rule has: `Config`, a constructor (Config, Build), `size` (of the state), `kDecay`, `kDelta`; `parts()`, the projections of x; `rows`,
/// which makes LinearRows of the projected row; where o is not the output, `read(projected, o, frame)`; where a token writes several times,
/// `kWrites`: its rows then hold that many in turn, without gaps, and its output is that of the last.
/// State: S of each head, (key, value). The same bits for every cut of a sequence.
template <class Rule>
class LinearAttention {
 public:
  using State = RecurrentState;
  using Config = typename Rule::Config;
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "linear_attention";

  LinearAttention(const Config& c, const Build& b)
      : rule_(c, b),
        in_(rule_.size.hidden_size, std::span<const LinearPart>(rule_.parts()), b),
        out_(rule_.width(), rule_.size.hidden_size, false, b.scope("o")) {}
  State make_state() const { return RecurrentState(rule_.size.keys() * rule_.size.value_dim); }

  void forward(In in, View delta, const States<State>& states) const {
    const Frame& f = in.frame;
    const View all = f.step.arena.take_view(in.x.rows, in_.out());
    in_.forward(in.x, all, f);
    const LinearRows rows = rule_.rows(all, f);
    const View o = f.step.arena.take_view(in.x.rows, kWrites * rule_.size.values());
    scan_heads(f, states, rule_.size.num_heads, [&](index_t row, index_t head) { return scan(rows, o, row, head); });
    const View last = o.col_range((kWrites - 1) * rule_.size.values(), o.cols);
    if constexpr (requires { rule_.read(all, last, f); })
      out_.forward(rule_.read(all, last, f), delta, f);
    else
      out_.forward(last, delta, f);
  }

 private:
  static constexpr index_t kWrites = [] {
    if constexpr (requires { Rule::kWrites; })
      return Rule::kWrites;
    else
      return index_t{1};
  }();

  kernels::Scan scan(const LinearRows& r, View o, index_t row, index_t head) const {
    const index_t n = rule_.size.key_dim, p = rule_.size.value_dim;
    kernels::Scan out{.tokens = kWrites, .keys = n, .values = p};
    out.q = r.q.row(row) + head * n;
    out.k = r.k.row(row) + head * n;
    out.v = r.v.row(row) + head * p;
    out.q_stride = r.q.stride / kWrites;
    out.k_stride = r.k.stride / kWrites;
    out.v_stride = r.v.stride / kWrites;
    out.kind = Rule::kDecay;
    if constexpr (Rule::kDecay != kernels::Decay::none) {
      out.decay = r.decay.row(row) + head * (Rule::kDecay == kernels::Decay::key ? n : Rule::kDecay == kernels::Decay::value ? p : 1);
      out.decay_stride = r.decay.stride / kWrites;
    }
    if constexpr (Rule::kDelta) {
      out.beta = r.beta.row(row) + head;
      out.beta_stride = r.beta.stride / kWrites;
    }
    out.out = o.row(row) + head * p;
    out.out_stride = o.stride / kWrites;
    return out;
  }

  Rule rule_;
  Linear in_, out_;
};

}  // namespace hw
