#pragma once
// One mixer for the recurrences over matrix states that kernels/scan.hpp computes: a rule makes what is written, kept and read.

#include <span>
#include <string_view>
#include <vector>

#include "headwise/flow/recurrent_state.hpp"
#include "headwise/kernels/scan.hpp"
#include "headwise/layers/linear.hpp"

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
    for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) scan(rows, o, f.tokens().sequences[s], s, f, states);
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

  void scan(const LinearRows& r, View o, RowRange rows, std::size_t s, const Frame& f, const States<State>& states) const {
    const kernels::ScanKernels& kernels = kernels::scan_kernels(f.step.kernels.target);
    const index_t n = rule_.size.key_dim, p = rule_.size.value_dim, first = rows.begin;
    const index_t decays = Rule::kDecay == kernels::Decay::key ? n : Rule::kDecay == kernels::Decay::value ? p : 1;
    const auto move = advance(states, s, rows.size(), rule_.size.num_heads * n * p, f.step.arena);
    f.step.parallel_rows(rule_.size.num_heads, 8 * rows.size() * n * p, [&](index_t begin, index_t end) {
      for (index_t h = begin; h < end; ++h) {
        kernels::Scan scan{.tokens = kWrites * rows.size(), .keys = n, .values = p};
        scan.q = r.q.row(first) + h * n;
        scan.k = r.k.row(first) + h * n;
        scan.v = r.v.row(first) + h * p;
        scan.q_stride = r.q.stride / kWrites;
        scan.k_stride = r.k.stride / kWrites;
        scan.v_stride = r.v.stride / kWrites;
        scan.kind = Rule::kDecay;
        if constexpr (Rule::kDecay != kernels::Decay::none) {
          scan.decay = r.decay.row(first) + h * decays;
          scan.decay_stride = r.decay.stride / kWrites;
        }
        if constexpr (Rule::kDelta) {
          scan.beta = r.beta.row(first) + h;
          scan.beta_stride = r.beta.stride / kWrites;
        }
        scan.from = move.from + h * n * p;
        scan.to = move.to + h * n * p;
        scan.state_stride = p;
        scan.out = o.row(first) + h * p;
        scan.out_stride = o.stride / kWrites;
        kernels.scan(scan);
      }
    });
  }

  Rule rule_;
  Linear in_, out_;
};

}  // namespace hw
