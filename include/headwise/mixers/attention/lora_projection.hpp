#pragma once
// Queries, keys and values of rows that are wider than the stream, with additions of low rank. Not in the umbrella header.

#include <optional>

#include "headwise/layers/lora.hpp"
#include "headwise/mixers/attention/project.hpp"

namespace hw {

/// q = rope(Wq x), k = rope(Wk x), v = Wv x, each W with an addition of low rank: what uses of a shared attention have for themselves
///                                                                                             Zamba2, arXiv:2411.15242
/// Weights: `q` (h k, input_size), `k`, `v` (g k, input_size) as LoraLinear has them.
class LoraProjection {
 public:
  struct Config {
    index_t input_size = 0;   // of x
    index_t hidden_size = 0;  // of the attention's delta
    index_t num_attention_heads = 0;
    index_t num_key_value_heads = 0;
    index_t head_dim = 0;
    index_t rank = 0;                      // 0: no additions
    std::optional<RotaryConfig> rotary{};  // absent: no rotation
  };
  LoraProjection(const Config& c, const Build& b)
      : config_(checked(c, b)), qkv_(c.input_size, std::vector<LinearPart>{{"q", queries()}, {"k", keys()}, {"v", keys()}}, c.rank, b) {
    if (c.rotary) angles_ = rotary_stream(*c.rotary, b);
  }
  index_t heads() const noexcept { return config_.num_attention_heads; }
  kernels::KvLayout layout() const noexcept { return {config_.num_key_value_heads, config_.head_dim, config_.head_dim}; }
  void project(In in, Qkv& o) const {
    const Step& step = in.frame.step;
    const View all = step.arena.take_view(in.x.rows, qkv_.out());
    qkv_.forward(in.x, all, in.frame);
    o = {all.col_range(0, queries()), all.col_range(queries(), queries() + keys()), all.col_range(queries() + keys(), all.cols)};
    if (!config_.rotary) return;
    const View angles = in.frame.at(angles_);
    const index_t n = config_.rotary->dims / 2, size = config_.head_dim, both = heads() + config_.num_key_value_heads;
    step.parallel_rows(all.rows, 2 * both * size, [&](index_t first, index_t last) {  // q and k lie side by side
      step.kernels.elementwise.rope(all.row(first), all.stride, last - first, both, size, angles.row(first), angles.row(first) + n,
                                    angles.stride, n, config_.rotary->pairs);
    });
  }

 private:
  static const Config& checked(const Config& c, const Build& b) {
    const std::string where = b.path("q");
    detail::check_heads({c.hidden_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim}, where);
    detail::check_sizes(where, {{c.input_size, "input_size"}, {c.rank + 1, "rank"}});
    if (c.rotary) check_rotary(*c.rotary, c.head_dim, where);
    return c;
  }
  index_t queries() const noexcept { return config_.num_attention_heads * config_.head_dim; }
  index_t keys() const noexcept { return config_.num_key_value_heads * config_.head_dim; }

  Config config_;
  LoraLinear qkv_;
  Slot angles_;
};

}  // namespace hw
