#pragma once
// Attention with a score or a normaliser of your own. Include it where such an Attention is instantiated; nothing else needs it.

#include "headwise/kernels/attention_function.hpp"
#include "headwise/mixers/attention/attention.hpp"

namespace hw::detail {

/// Online normalisers go through the same tasks as the stock kernel; row normalisers (Pass::row) see all heads of a token at once.
template <class S, class N>
struct AttendWith {
  static_assert(kernels::OnlineNormaliser<N> || kernels::RowNormaliser<N>,
                "a normaliser needs absorb, merge and finish (online), or rows(const ScoreRows&); see kernels/attention_policy.hpp");

  static void run(AttentionCall& call, const S& score, const N& normaliser) {
    const kernels::Target target = call.frame.step.kernels.target;
    if constexpr (kernels::OnlineNormaliser<N>) {
      const auto kernel = kernels::attention_function<S, N>(target);
      const auto body = [&](const kernels::Attend& a, float* scratch) { kernel(a, score, normaliser, scratch); };
      const FunctionRef<void(const kernels::Attend&, float*)> attend(body);
      call.attend = &attend;
      run_attention(call);
    } else {
      const auto kernel = kernels::row_attention_function<S, N>(target);
      const Frame& f = call.frame;
      const TokenSet& tokens = f.tokens();
      const index_t groups = call.layout.heads;
      for (std::size_t s = 0; s < tokens.sequences.size(); ++s) {
        const RowRange rows = tokens.sequences[s];
        const ArenaScope scope(f.step.arena);
        index_t blocks = 0;
        for (index_t t = rows.begin; t < rows.end; ++t) {
          const EntryRange seen = call.visible[static_cast<std::size_t>(t)];
          blocks = std::max(blocks, (seen.end + kernels::kKeyBlock - 1) / kernels::kKeyBlock - seen.begin / kernels::kKeyBlock);
        }
        const int workers = static_cast<int>(std::min<index_t>(f.step.executor.threads(), rows.size()));
        const index_t row_floats = call.heads * kernels::kKeyBlock * blocks,
                      scratch_floats = (kernels::attend_scratch(call.layout) + 15) / 16 * 16;
        const auto memory = f.step.arena.take<float>(workers * (row_floats + scratch_floats));
        f.step.executor.run(workers, [&](int w) {
          const RowRange own_rows{rows.begin + rows.size() * w / workers, rows.begin + rows.size() * (w + 1) / workers};
          float* own = memory.data() + w * (row_floats + scratch_floats);
          attend_heads(call, s, own_rows, 0, call.heads / groups,
                       [&](kernels::Attend& a) { kernel(a, groups, score, normaliser, own, own + row_floats); });
        });
      }
    }
  }
};

}  // namespace hw::detail
