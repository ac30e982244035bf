#pragma once
// Attention: project -> store -> score, mask, normalise -> emit.

#include <atomic>
#include <cmath>
#include <optional>
#include <string_view>
#include <vector>

#include "headwise/kernels/attention_policy.hpp"
#include "headwise/layers/linear.hpp"
#include "headwise/mixers/attention/kv_state.hpp"
#include "headwise/mixers/attention/mask.hpp"
#include "headwise/mixers/attention/project.hpp"
#include "headwise/mixers/attention/relative_bias.hpp"

namespace hw {

/// The run-time choices of attention, beside its projection's.
struct AttentionOptions {
  std::optional<float> scale{};     // absent: 1 / sqrt(head_dim)
  float soft_cap = 0.0f;            // attn_logit_softcapping: s = cap tanh(s / cap); 0: none
  float alibi = 0.0f;               // s += alibi slope_head (e - i); 0: none                        arXiv:2108.12409
  RelativeBias::Config relative{};  // s += B_head[bucket(e - i)]; 0 buckets: none                       T5, arXiv:1910.10683
  bool sinks = false;               // a learned logit per head (`sinks`) that takes part in the softmax and has no value
  bool output_bias = false;
};

namespace detail {

/// One head group's work that the kernels do not choose: which rows, heads and pages.
struct AttentionCall {
  const Frame& frame;
  kernels::KvLayout layout;
  index_t heads;
  Qkv qkv;
  View out;                                                  // (t, h v)
  std::span<const EntryRange> visible;                       // per row
  const FunctionRef<std::uint64_t(index_t, index_t)>* sees;  // row of the frame, block
  std::span<const std::span<const std::byte* const>> pages;  // per sequence
  float scale;
  float soft_cap;
  const float* alibi;
  RelativeBias::Table bias;
  const float* sinks;
  const FunctionRef<void(const kernels::Attend&, float*)>* attend;  // null: the step's own kernel
  const FunctionRef<void(const ScoreSite&, const kernels::ScoreTile&)>* adjust;
};

void run_attention(const AttentionCall& call);
/// Gives `body` the kernel's call for rows of one sequence and the `heads` query heads of one KV head.
void attend_heads(const AttentionCall& call, std::size_t sequence, RowRange rows, index_t kv_head, index_t heads,
                  FunctionRef<void(kernels::Attend&)> body);
template <class S, class N>
struct AttendWith;  // for a score or a normaliser of your own: headwise/mixers/attention/attend_with.hpp
std::vector<float> alibi_slopes(index_t heads);

/// Stores the step's keys and values behind what the states hold, or in pages of the arena where there is no state. Gives the
/// pages of every sequence. The states have not grown yet.
std::span<const std::span<const std::byte* const>> store_entries(const Frame& f, const kernels::KvLayout& layout, const Qkv& qkv,
                                                                 const States<KvState>& states);

}  // namespace detail

/// delta = Wo concat_j softmax_e(s_je) v_e,  s as in AttentionOptions                     arXiv:1706.03762, GQA arXiv:2305.13245
///
/// MHA, MQA and GQA by head counts; causal, windowed or bidirectional by `M`; position by the projection. Keys are stored rotated.
/// A score or a normaliser of your own (`S`, `N`: kernels/attention_policy.hpp) is compiled into the kernel of every target; the program
/// includes headwise/mixers/attention/attend_with.hpp for it. One with weights has `load(const Build&)`, called once, in the scopes `score`
/// and `normaliser`.
/// Weights: the projection's, and `o` (d, h v).
/// A row's bits do not depend on the batch, the chunking of the prompt, the threads, or whether there is a state.
template <Mask M = Causal, class P = QkvProjection, class S = kernels::DotScore, class N = kernels::Softmax>
class Attention {
  static_assert(Project<P>, "Attention<Mask, Project>: Project must have heads(), layout() and project(In, Qkv&) const");

 public:
  using State = std::conditional_t<is_stateless_v<state_of<P>>, KvState, AllOf<KvState, state_of<P>>>;
  static constexpr Couples couples = M::couples;
  static constexpr std::string_view kName = "attention";

  struct Config {
    typename P::Config project{};
    M mask{};
    AttentionOptions options{};
    S score{};
    N normaliser{};
  };

  Attention(const Config& c, const Build& b)
      : mask_(c.mask),
        options_(c.options),
        score_(c.score),
        normaliser_(c.normaliser),
        project_(c.project, b),
        output_(emitted(), c.project.hidden_size, c.options.output_bias, b.scope("o")) {
    layout_ = project_.layout();
    layout_.type = b.kv();
    b.note_attention(project_.heads(), layout_);
    if constexpr (requires { mask_.check(""); }) mask_.check(b.path("mask"));
    if (options_.alibi != 0.0f) alibi_ = detail::alibi_slopes(project_.heads());
    for (float& slope : alibi_) slope *= options_.alibi;
    if (options_.relative.num_buckets > 0) relative_.emplace(options_.relative, project_.heads(), b.scope("relative_bias"));
    if (options_.sinks) sinks_ = b.vector("sinks", project_.heads());
    if constexpr (requires { score_.load(b); }) score_.load(b.scope("score"));
    if constexpr (requires { normaliser_.load(b); }) normaliser_.load(b.scope("normaliser"));
  }

  State make_state() const {
    if constexpr (std::same_as<State, KvState>) {
      return KvState(layout_);
    } else {
      return State(KvState(layout_), make_state_of(project_));
    }
  }

  void forward(In in, View delta, const States<State>& states) const {
    if constexpr (std::same_as<State, KvState>) {
      attend(in, delta, states, {});
    } else if (states.empty()) {
      attend(in, delta, {}, {});
    } else {
      Arena& arena = in.frame.step.arena;
      attend(in, delta, states.template part<0>(arena), states.template part<1>(arena));
    }
  }

 private:
  void attend(In in, View delta, const States<KvState>& states, [[maybe_unused]] const States<state_of<P>>& project_states) const {
    const Frame& f = in.frame;
    const TokenSet& tokens = f.tokens();
    const kernels::KvLayout& layout = layout_;
    Arena& arena = f.step.arena;

    Qkv qkv;
    if constexpr (requires { project_.project(in, qkv, project_states); }) {
      project_.project(in, qkv, project_states);
    } else {
      project_.project(in, qkv);
    }
    const auto pages = detail::store_entries(f, layout, qkv, states);
    const auto visible = arena.take<EntryRange>(f.rows());
    for (std::size_t s = 0; s < tokens.sequences.size(); ++s)
      for (index_t t = tokens.sequences[s].begin; t < tokens.sequences[s].end; ++t)
        visible[static_cast<std::size_t>(t)] = mask_.range(tokens, t, tokens.total[s]);

    const View out = arena.take_view(f.rows(), project_.heads() * layout.value_dim);
    detail::AttentionCall call{.frame = f,
                               .layout = layout,
                               .heads = project_.heads(),
                               .qkv = qkv,
                               .out = out,
                               .visible = visible,
                               .sees = nullptr,
                               .pages = pages,
                               .scale = options_.scale.value_or(1.0f / std::sqrt(static_cast<float>(layout.key_dim))),
                               .soft_cap = options_.soft_cap,
                               .alibi = alibi_.empty() ? nullptr : alibi_.data(),
                               .bias = relative_ ? relative_->table(tokens, arena) : RelativeBias::Table{},
                               .sinks = sinks_.empty() ? nullptr : sinks_.data(),
                               .attend = nullptr,
                               .adjust = nullptr};
    const auto adjusted = [&](const ScoreSite& at, const kernels::ScoreTile& tile) {
      if constexpr (requires { project_.adjust(at, tile); }) project_.adjust(at, tile);
      if constexpr (requires { mask_.adjust(at, tile); }) mask_.adjust(at, tile);
    };
    const FunctionRef<void(const ScoreSite&, const kernels::ScoreTile&)> adjust(adjusted);
    if constexpr (
        requires(const ScoreSite& at, const kernels::ScoreTile& tile) { project_.adjust(at, tile); } ||
        requires(const ScoreSite& at, const kernels::ScoreTile& tile) { mask_.adjust(at, tile); })
      call.adjust = &adjust;
    if constexpr (requires { mask_.sees(tokens, index_t{}, index_t{}); }) {
      const auto predicate = [&](index_t row, index_t block) { return mask_.sees(tokens, row, block); };
      const FunctionRef<std::uint64_t(index_t, index_t)> sees(predicate);
      call.sees = &sees;
      run(call);
    } else {
      run(call);
    }
    for (std::size_t s = 0; s < states.size(); ++s) states[s].grow(tokens.sequences[s].size());
    if constexpr (requires { project_.emit(in, qkv, out); }) {
      output_.forward(project_.emit(in, qkv, out), delta, f);
    } else {
      output_.forward(out, delta, f);
    }
  }

  index_t emitted() const {
    if constexpr (requires { project_.emitted(); }) {
      return project_.emitted();
    } else {
      return project_.heads() * project_.layout().value_dim;
    }
  }

  void run(detail::AttentionCall& call) const {
    if constexpr (std::same_as<S, kernels::DotScore> && std::same_as<N, kernels::Softmax>) {
      detail::run_attention(call);
    } else {
      static_assert(
          requires { sizeof(detail::AttendWith<S, N>); },
          "a score or a normaliser of your own needs #include <headwise/mixers/attention/attend_with.hpp>");
      detail::AttendWith<S, N>::run(call, score_, normaliser_);
    }
  }

  M mask_;
  AttentionOptions options_;
  S score_;
  N normaliser_;
  P project_;
  kernels::KvLayout layout_;
  Linear output_;
  std::optional<RelativeBias> relative_;
  std::vector<float> alibi_, sinks_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/attention.inl.hpp"
#endif
