#pragma once
// Attention whose keys and values come from another token set.

#include <string_view>

#include "headwise/mixers/attention/attention.hpp"
#include "headwise/mixers/attention/memory_state.hpp"

namespace hw {

/// delta = Wo concat_j softmax_e(s_je) v_e,  q = Wq x + bq,  k_e = Wk m_e + bk,  v_e = Wv m_e + bv                arXiv:1706.03762
///
/// m are the rows of a memory (an encoder's output). Their keys and values are computed once, when `remember` gets them, and kept in the
/// state; a step computes queries only. Every row sees all of its sequence's memory.
/// Weights: `q` (h k, d), `k` and `v` (g k, memory size), `o` (d, h k), biases where the config says so.
class CrossAttention {
 public:
  using State = MemoryState;
  static constexpr Couples couples = Couples::nothing;  // rows of the sequence do not see one another
  static constexpr std::string_view kName = "cross_attention";

  struct Config {
    index_t hidden_size = 0;
    index_t memory_size = 0;  // columns of the memory's rows; 0: hidden_size
    index_t num_attention_heads = 0;
    index_t num_key_value_heads = 0;
    index_t head_dim = 0;
    bool bias = false;
    bool key_bias = true;          // k too, where there are biases
    AttentionOptions options{};    // those that have no positions: no ALiBi, no relative bias
  };

  /// Errors: sizes that do not fit one another; an option that needs positions.
  CrossAttention(const Config& c, const Build& b);

  State make_state() const { return State(layout_); }

  /// Adds the rows of stream 0 to what the states keep. Errors: rows of another width than the memory's.
  void remember(const Frame& memory, const States<State>& states) const;

  /// Errors: no states, or one that remembers nothing.
  void forward(In in, View delta, const States<State>& states) const;

 private:
  index_t heads_;
  AttentionOptions options_;
  kernels::KvLayout layout_;
  Linear query_, key_value_, output_;
  std::vector<float> sinks_;
  std::string where_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/cross_attention.inl.hpp"
#endif
