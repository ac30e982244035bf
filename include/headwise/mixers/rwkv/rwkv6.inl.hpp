#pragma once
#include "headwise/mixers/rwkv/rwkv6.hpp"

namespace hw {

HEADWISE_LOAD_TIME Rwkv6::Rwkv6(const Config& c, const Build& b)
    : c_(c),
      w0_(b.vector("w0", c.size.keys())),
      u_(b.vector("u", c.size.keys())),
      gain_(b.vector("norm.weight", c.size.values())),
      bias_(b.vector("norm.bias", c.size.values())),
      out_(c.size.values(), c.size.hidden_size, false, b.scope("o")) {
  constexpr std::string_view kNames[] = {"r", "k", "v", "g", "w", "x"};
  const index_t d = c.size.hidden_size;
  const bool finch = c.rank > 0;
  if (finch != (c.decay_rank > 0)) fail(b.path("decay_down"), "ranks for both the mixing and the decay, or none", concat(c.decay_rank));
  for (int i = 0; i <= kParts; ++i)
    if (finch || i < w) mu_[i] = b.vector(concat("mix.", kNames[i]), d);
  for (int i = 0; i < w; ++i) in_[i] = Linear(d, i < v ? c.size.keys() : c.size.values(), false, b.scope(kNames[i]));
  if (!finch) return;
  for (int i = 0; i < kParts; ++i) {
    down_[i] = Linear(d, c.rank, false, b.scope(concat("mix_down.", kNames[i])));
    up_[i] = Linear(c.rank, d, false, b.scope(concat("mix_up.", kNames[i])));
  }
  decay_down_ = Linear(d, c.decay_rank, false, b.scope("decay_down"));
  decay_up_ = Linear(c.decay_rank, c.size.keys(), false, b.scope("decay_up"));
}

// out = z of the part.
HEADWISE_INLINE void Rwkv6::mix(int part, ConstView x, ConstView before, View out, const Frame& f) const {
  const auto shift = [&](const std::vector<float>& mu, ConstView more, View y) {
    for (index_t t = 0; t < x.rows; ++t)
      for (index_t i = 0; i < x.cols; ++i)
        y(t, i) = x(t, i) + (before(t, i) - x(t, i)) * (mu[static_cast<std::size_t>(i)] + (more.data == nullptr ? 0.0f : more(t, i)));
  };
  if (c_.rank == 0) return shift(mu_[part], {}, out);
  Arena& arena = f.step.arena;
  const ArenaScope scope(arena);
  const View low = arena.take_view(x.rows, c_.rank), more = arena.take_view(x.rows, x.cols);
  shift(mu_[kParts], {}, more);
  down_[part].forward(more, low, f);
  f.step.kernels.elementwise.activate(Activation::tanh, low.data, low.stride, low.rows, low.cols, low.data, low.stride);
  up_[part].forward(low, more, f);
  shift(mu_[part], more, out);
}

HEADWISE_INLINE void Rwkv6::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  Arena& arena = f.step.arena;
  const auto& elementwise = f.step.kernels.elementwise;
  const std::span<const RowRange> sequences = f.tokens().sequences;
  const index_t rows = in.x.rows, d = in.x.cols, n = c_.size.key_dim, p = c_.size.value_dim, keys = c_.size.keys(),
                values = c_.size.values();

  const View before = arena.take_view(rows, d), z = arena.take_view(rows, d);
  const auto moves = arena.take<State::Move>(static_cast<index_t>(sequences.size()));
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const RowRange own = sequences[s];
    moves[s] = advance(states, s, own.size(), matrices() + d, arena);
    for (index_t t = own.begin; t < own.end; ++t)
      std::copy_n(t == own.begin ? moves[s].from + matrices() : in.x.row(t - 1), d, before.row(t));
    std::copy_n(own.size() > 0 ? in.x.row(own.end - 1) : moves[s].from + matrices(), d, moves[s].to + matrices());
  }

  // Row t of o reads the state behind row t - 1: the scan of row t asks with the query of row t + 1, and writes into its row.
  const View part[] = {arena.take_view(rows + 1, keys), arena.take_view(rows, keys), arena.take_view(rows, values),
                       arena.take_view(rows, values)};
  const View decay = arena.take_view(rows, keys), o = arena.take_view(rows + 1, values);
  for (int i = 0; i < w; ++i) {
    mix(i, in.x, before, z, f);
    in_[i].forward(z, part[i].row_range(0, rows), f);
  }
  std::fill_n(part[r].row(rows), keys, 0.0f);
  std::fill_n(decay.data, rows * keys, 0.0f);
  if (c_.rank > 0) {
    const View low = arena.take_view(rows, c_.decay_rank);
    mix(w, in.x, before, z, f);
    decay_down_.forward(z, low, f);
    elementwise.activate(Activation::tanh, low.data, low.stride, low.rows, low.cols, low.data, low.stride);
    decay_up_.forward(low, decay, f);
  }
  for (index_t t = 0; t < rows; ++t)
    for (index_t i = 0; i < keys; ++i) decay(t, i) = std::exp(-std::exp(w0_[static_cast<std::size_t>(i)] + decay(t, i)));

  const auto none = arena.take<float>(n);
  std::fill(none.begin(), none.end(), 0.0f);
  const kernels::ScanKernels& kernels = kernels::scan_kernels(f.step.kernels.target);
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const index_t first = sequences[s].begin, count = sequences[s].size();
    f.step.parallel_rows(c_.size.num_heads, 8 * (count + 1) * n * p, [&](index_t begin, index_t end) {
      for (index_t h = begin; h < end; ++h) {
        kernels::Scan scan{.tokens = 1, .keys = n, .values = p};
        scan.q = part[r].row(first) + h * n, scan.q_stride = part[r].stride;
        scan.k = none.data(), scan.k_stride = 0;
        scan.v = part[v].row(count > 0 ? first : 0) + h * p, scan.v_stride = part[v].stride;
        scan.kind = kernels::Decay::none;
        scan.from = moves[s].from + h * n * p;
        scan.to = moves[s].to + h * n * p;
        scan.state_stride = p;
        scan.out = o.row(first) + h * p, scan.out_stride = o.stride;
        if (count > 0) kernels.scan(scan);
        scan.tokens = count;
        scan.q += scan.q_stride, scan.out += scan.out_stride;
        scan.k = part[k].row(count > 0 ? first : 0) + h * n, scan.k_stride = part[k].stride;
        scan.kind = kernels::Decay::key;
        scan.decay = decay.row(count > 0 ? first : 0) + h * n, scan.decay_stride = decay.stride;
        kernels.scan(scan);
      }
    });
  }
  for (index_t t = 0; t < rows; ++t)
    for (index_t h = 0; h < c_.size.num_heads; ++h) {
      float now = 0;
      for (index_t i = h * n; i < (h + 1) * n; ++i) now += part[r](t, i) * u_[static_cast<std::size_t>(i)] * part[k](t, i);
      for (index_t i = h * p; i < (h + 1) * p; ++i) o(t, i) += now * part[v](t, i);
      elementwise.layer_norm(o.row(t) + h * p, p, 1, p, gain_.data() + h * p, bias_.data() + h * p, c_.norm_eps, o.row(t) + h * p, p);
    }
  elementwise.gate(Activation::silu, part[g].data, part[g].stride, o.data, o.stride, rows, values, o.data, o.stride);
  out_.forward(o.row_range(0, rows), delta, f);
}

}  // namespace hw
