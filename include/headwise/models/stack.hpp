#pragma once
// A stack of blocks with its ends: Decoder and Encoder.

#include <functional>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "headwise/blocks/block.hpp"
#include "headwise/core/thread_pool.hpp"
#include "headwise/flow/entry.hpp"
#include "headwise/layers/embedding.hpp"
#include "headwise/layers/head.hpp"
#include "headwise/models/model.hpp"

namespace hw {
namespace detail {
inline std::shared_ptr<Executor> executor_or_pool(std::shared_ptr<Executor> executor) {
  return executor ? std::move(executor) : std::make_shared<ThreadPool>();
}
}  // namespace detail

/// embedding -> for each entry of the schedule: its block -> norm -> heads
///
/// The kinds of block are a closed set; which block runs when, with which state, is data (`Config::schedule`), so shared weights and
/// loops are tables. Weights: `embedding.*`, `layers.<i>.*`, `norm.*`, and each head's scope.
template <class... Kinds>
class Stack : public Model {
  static_assert(sizeof...(Kinds) > 0, "a stack needs at least one kind of block");
  static_assert((Segment<Kinds> && ...), "a kind of block must have forward(const Frame&, int entry, States<State>) const");

 public:
  static constexpr Couples couples = joint_couples<Kinds...>;
  using BlockConfig = std::variant<typename Kinds::Config...>;

  struct Config {
    std::string model_type = "custom";
    Embedding::Config embedding{};
    std::vector<BlockConfig> blocks{};
    std::vector<Entry> schedule{};  // empty: every block once, in order, each with a state of its own
    AnyNormConfig norm{};
    std::vector<Head::Config> heads{};
    index_t max_positions = 0;  // 0: no limit
    // The length regime for a sequence of so many tokens (dynamic RoPE); empty: one for all.
    std::function<int(index_t)> regime{};
  };

  /// Errors: a missing, unused or misshapen tensor; a schedule that names a block or a state that is not there.
  [[gnu::cold]] Stack(Config config, const Build& b, std::shared_ptr<Executor> executor);

  /// Composes from weights that are named canonically ("layers.0.attention.q.weight"), checks that all are used.
  [[gnu::cold]] Stack(Config config, const Weights& weights, std::shared_ptr<Executor> executor = nullptr, BuildOptions options = {});
  /// Composes with weights that are drawn: a first try of an architecture.
  [[gnu::cold]] Stack(Config config, RandomWeights random, std::shared_ptr<Executor> executor = nullptr);

  StateSet make_state() const override;

  const Config& config() const noexcept { return config_; }
  template <std::size_t Kind = 0>
  const auto& block(index_t i) const {
    return std::get<Kind>(blocks_[static_cast<std::size_t>(i)]);
  }

 protected:
  void run(const Step& step, const TokenSet& tokens, std::span<const Sequence> batch, Output& out,
           const StepOptions& options) const override;
  void remember(const Frame& memory, std::span<StateSet> states) const override;

 private:
  using AnyBlock = std::variant<Kinds...>;

  template <class W>
  Stack(Config config, const W& weights, const std::shared_ptr<Executor>& executor, const BuildOptions& options, int);

  int regime(index_t total) const override { return config_.regime ? config_.regime(total) : 0; }
  static constexpr index_t kRowsAtOnce = 512;
  void run_blocks(const Frame& f, std::span<const Sequence> batch) const;
  void run_heads(const Frame& f, std::span<const Sequence> batch, Output& out, const StepOptions& options) const;
  [[gnu::cold]] void check_schedule();
  // The states of block kind S in slot `slot` of each sequence, whose StateSet is state_at(s).
  template <class S, class StateAt>
  static States<S> part_states(Arena& arena, std::size_t sequences, int slot, StateAt state_at) {
    const auto each = arena.take<S*>(static_cast<index_t>(sequences));
    for (std::size_t s = 0; s < sequences; ++s)
      each[s] = &static_cast<detail::StateOf<S>&>(*state_at(s).parts_[static_cast<std::size_t>(slot)]).value;
    return States<S>(each);
  }

  // A block together with its number's scope, so that the variant is built in place.
  template <std::size_t I = 0>
  static AnyBlock make_block(const BlockConfig& config, const Build& b) {
    if (config.index() == I) return AnyBlock(std::in_place_index<I>, std::get<I>(config), b);
    if constexpr (I + 1 < sizeof...(Kinds)) return make_block<I + 1>(config, b);
    __builtin_unreachable();
  }

  Config config_;
  Embedding embedding_;
  std::vector<AnyBlock> blocks_;
  AnyNorm norm_;
  std::vector<Head> heads_;
  std::vector<StepStream> step_streams_;  // what parts asked to have computed once a step
  int slots_ = 1;
  int states_ = 0;
};

/// A stack in which a row depends on earlier rows only: it keeps states, and generates.
template <class... Kinds>
class Decoder : public Stack<Kinds...> {
  static_assert(joint_couples<Kinds...> <= Couples::past, "a Decoder's blocks may depend on past rows only (Couples::past); use Encoder");

 public:
  using Stack<Kinds...>::Stack;
};

/// A stack in which rows may depend on all rows of their sequence: it keeps no state.
template <class... Kinds>
class Encoder : public Stack<Kinds...> {
 public:
  using Stack<Kinds...>::Stack;
  StateSet make_state() const override {
    fail("make_state", "an encoder keeps no state: its rows depend on later ones; it embeds, and generates nothing");
  }
};

// ------------------------------------------------------------------------------------------------------------------------

template <class... Kinds>
Stack<Kinds...>::Stack(Config config, const Build& b, std::shared_ptr<Executor> executor)
    : Model(b.kernels(), std::move(executor)),
      config_(std::move(config)),
      embedding_(config_.embedding, b.scope("embedding")),
      norm_(NoNorm()) {
  if (config_.blocks.empty()) fail("blocks", "at least one", "none");
  if (couples <= Couples::past && config_.embedding.trigram) fail("embedding: trigram", "an Encoder", "a Decoder");
  blocks_.reserve(config_.blocks.size());
  for (std::size_t i = 0; i < config_.blocks.size(); ++i) blocks_.push_back(make_block(config_.blocks[i], b.scope(concat("layers.", i))));
  norm_ = make_norm(config_.norm, b.scope("norm"));
  for (const Head::Config& head : config_.heads) {
    for (const Head& other : heads_)
      if (other.name() == head.name) fail("heads", concat("two are called ", quoted(head.name)));
    heads_.emplace_back(head, config_.embedding.hidden_size, b.scope(head.scope));
  }
  if (config_.schedule.empty())
    for (int i = 0; i < static_cast<int>(blocks_.size()); ++i) config_.schedule.push_back({i, i});
  check_schedule();
  step_streams_ = b.step_streams();
  slots_ = b.slots();
  info_.model_type = config_.model_type;
  info_.vocab_size = config_.embedding.vocab_size;
  info_.hidden_size = config_.embedding.hidden_size;
  info_.embedding_size = config_.embedding.width();
  info_.max_positions = config_.max_positions;
  info_.couples = couples;
  info_.length_dependent = static_cast<bool>(config_.regime);
  Fingerprint fingerprint = b.fingerprint();
  fingerprint.add(config_);
  info_.fingerprint = fingerprint.value();
  info_.matrices = b.report();
  info_.attentions = b.attentions();
  info_.experts = b.experts();
  if (info_.experts) info_.experts->check();
  for (const Head& head : heads_) info_.outputs.push_back(head.name());
}

template <class... Kinds>
Stack<Kinds...>::Stack(Config config, const Weights& weights, std::shared_ptr<Executor> executor, BuildOptions options)
    : Stack(std::move(config), weights, detail::executor_or_pool(std::move(executor)), options, 0) {
  weights.account();
}

template <class... Kinds>
Stack<Kinds...>::Stack(Config config, RandomWeights random, std::shared_ptr<Executor> executor)
    : Stack(std::move(config), random, detail::executor_or_pool(std::move(executor)), {}, 0) {}

template <class... Kinds>
template <class W>
Stack<Kinds...>::Stack(Config config, const W& weights, const std::shared_ptr<Executor>& executor, const BuildOptions& options, int)
    : Stack(std::move(config), Build(weights, kernels::table(), *executor, options), executor) {}

template <class... Kinds>
void Stack<Kinds...>::check_schedule() {
  std::vector<int> kind_of_state;
  for (std::size_t i = 0; i < config_.schedule.size(); ++i) {
    const Entry& e = config_.schedule[i];
    const auto where = concat("schedule: entry ", i);
    if (e.block < 0 || e.block >= static_cast<int>(blocks_.size()))
      fail(where, concat("a block below ", blocks_.size()), std::to_string(e.block));
    if (e.state >= static_cast<int>(config_.schedule.size()))
      fail(where, concat("a state slot below ", config_.schedule.size()), std::to_string(e.state));
    if (e.repeat < 1) fail(where, "a repeat of at least 1", std::to_string(e.repeat));
    if (e.state < 0) continue;
    if (e.repeat > 1) fail(where, "a repeated entry needs a state slot for each pass: list it as entries of their own");
    kind_of_state.resize(std::max(kind_of_state.size(), static_cast<std::size_t>(e.state) + 1), -1);
    int& kind = kind_of_state[static_cast<std::size_t>(e.state)];
    if (kind >= 0) fail(where, concat("state slot ", e.state, " is used by an earlier entry"));
    kind = static_cast<int>(blocks_[static_cast<std::size_t>(e.block)].index());
  }
  for (std::size_t s = 0; s < kind_of_state.size(); ++s)
    if (kind_of_state[s] < 0) fail("schedule", concat("no entry uses state slot ", s));
  states_ = static_cast<int>(kind_of_state.size());
}

template <class... Kinds>
StateSet Stack<Kinds...>::make_state() const {
  StateSet out;
  out.fingerprint_ = info_.fingerprint;
  out.parts_.resize(static_cast<std::size_t>(states_));
  for (const Entry& e : config_.schedule) {
    if (e.state < 0) continue;
    out.parts_[static_cast<std::size_t>(e.state)] = std::visit(
        [](const auto& block) -> std::unique_ptr<detail::AnyState> {
          auto state = make_state_of(block);
          return std::make_unique<detail::StateOf<decltype(state)>>(std::move(state));
        },
        blocks_[static_cast<std::size_t>(e.block)]);
  }
  return out;
}

template <class... Kinds>
void Stack<Kinds...>::run(const Step& step, const TokenSet& tokens, std::span<const Sequence> batch, Output& out,
                          const StepOptions& options) const {
  const auto streams = step.arena.take<View>(slots_);
  std::fill(streams.begin(), streams.end(), View());
  Step mutable_step = step;
  const Frame f(mutable_step, tokens, streams);
  streams[0] = step.arena.take_view(tokens.rows(), config_.embedding.hidden_size);
  for (const StepStream& s : step_streams_) {
    const View view = step.arena.take_view(tokens.rows(), s.width);
    s.fill(tokens, view);
    f.publish(s.slot, view);
  }

  ConstView vectors;
  for (const Sequence& s : batch)
    if (s.vectors.rows > 0) {
      if (batch.size() == 1) {
        vectors = s.vectors;
      } else {  // gather the vectors of all sequences
        index_t count = 0;
        for (const Sequence& q : batch) count += q.vectors.rows;
        const View all = step.arena.take_view(count, config_.embedding.width());
        index_t at = 0;
        for (const Sequence& q : batch)
          for (index_t i = 0; i < q.vectors.rows; ++i) std::copy_n(q.vectors.row(i), all.cols, all.row(at++));
        vectors = all;
        break;
      }
    }
  embedding_.forward(vectors, f);
  step.visit({TapPoint::after_embedding}, f.at({}));

  // Sequences do not meet in the blocks: a large batch goes through them some at a time, so that what passes from layer to layer stays in a
  // cache. A tap sees all rows of a layer at once.
  std::size_t begin = 0;
  for (std::size_t end = 1; end <= batch.size(); ++end) {
    const bool whole = step.tap != nullptr || couples > Couples::sequence;
    if (end < batch.size() && (whole || tokens.sequences[end].end - tokens.sequences[begin].begin <= kRowsAtOnce)) continue;
    const ArenaScope scope(step.arena);
    const auto ranges = step.arena.take<RowRange>(static_cast<index_t>(end - begin));
    const TokenSet part = tokens.part(begin, ranges);
    const auto views = step.arena.take<View>(slots_);
    const index_t row = tokens.sequences[begin].begin;
    for (std::size_t i = 0; i < views.size(); ++i)
      views[i] = streams[i].data != nullptr ? streams[i].row_range(row, row + part.rows()) : View();
    run_blocks(Frame(mutable_step, part, views), batch.subspan(begin, end - begin));
    begin = end;
  }
  run_heads(f, batch, out, options);
}

template <class... Kinds>
void Stack<Kinds...>::run_blocks(const Frame& f, std::span<const Sequence> batch) const {
  const Step& step = f.step;
  const bool stateful = batch[0].state != nullptr;
  for (int i = 0; i < static_cast<int>(config_.schedule.size()); ++i) {
    const Entry& e = config_.schedule[static_cast<std::size_t>(i)];
    for (int pass = 0; pass < e.repeat; ++pass)
      std::visit(
          [&](const auto& block) {
            using S = state_of<std::remove_cvref_t<decltype(block)>>;
            const ArenaScope scope(step.arena);
            States<S> states;
            if (stateful && e.state >= 0)
              states = part_states<S>(step.arena, batch.size(), e.state, [&](std::size_t s) -> StateSet& { return *batch[s].state; });
            block.forward(f, i, states);
          },
          blocks_[static_cast<std::size_t>(e.block)]);
    step.visit({TapPoint::after_entry, i}, f.at({}));
  }
}

template <class... Kinds>
void Stack<Kinds...>::remember(const Frame& memory, std::span<StateSet> sequences) const {
  for (const Entry& e : config_.schedule)
    std::visit(
        [&](const auto& block) {
          using B = std::remove_cvref_t<decltype(block)>;
          if constexpr (Remembers<B>) {
            const ArenaScope scope(memory.step.arena);
            if (e.state >= 0)
              block.remember(memory, part_states<state_of<B>>(memory.step.arena, sequences.size(), e.state,
                                                              [&](std::size_t s) -> StateSet& { return sequences[s]; }));
          }
        },
        blocks_[static_cast<std::size_t>(e.block)]);
}

template <class... Kinds>
void Stack<Kinds...>::run_heads(const Frame& f, std::span<const Sequence> batch, Output& out, const StepOptions& options) const {
  Arena& arena = f.step.arena;
  const auto sequences = f.tokens().sequences;
  const auto normed = [&](View x) {
    std::visit([&](const auto& norm) { norm.forward(x, x, f); }, norm_);
  };
  // Heads that pool, taps and "hidden" need every row after the final norm; a language model's head only the rows wanted.
  bool every_row = options.hidden || options.tap != nullptr;
  bool pooled_wanted = false, tokens_wanted = false;
  for (const Head& head : heads_) (head.pooling() == Pooling::none ? tokens_wanted : pooled_wanted) = true;
  const View x = f.at({});
  const auto rows = arena.take<RowRange>(static_cast<index_t>(batch.size()));
  index_t count = 0;
  for (std::size_t s = 0; s < batch.size(); ++s) {
    const index_t n = batch[s].wanted == Wanted::none ? 0 : batch[s].wanted == Wanted::last ? 1 : sequences[s].size();
    rows[s] = {count, count + n};
    count += n;
  }
  every_row = every_row || (pooled_wanted && count > 0) || count == x.rows;

  if (every_row) {
    normed(x);
    f.step.visit({TapPoint::after_final_norm}, x);
  }
  if (options.hidden) {
    const View y = out.add("hidden", x.cols, sequences);
    for (index_t i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, y.row(i));
  }
  if (count == 0) return;
  View chosen = x;  // the rows that token heads read
  if (count != x.rows && tokens_wanted) {
    chosen = arena.take_view(count, x.cols);
    for (std::size_t s = 0; s < batch.size(); ++s)
      for (index_t i = 0; i < rows[s].size(); ++i)
        std::copy_n(x.row(sequences[s].end - rows[s].size() + i), x.cols, chosen.row(rows[s].begin + i));
    if (!every_row) normed(chosen);
  }
  for (const Head& head : heads_) {
    const ArenaScope scope(arena);
    if (head.pooling() == Pooling::none) {
      head.forward(chosen, out.add(head.name(), head.width(), rows), f);
      continue;
    }
    const View pooled = arena.take_view(static_cast<index_t>(batch.size()), x.cols);
    const auto one_each = arena.take<RowRange>(static_cast<index_t>(batch.size()));
    for (std::size_t s = 0; s < batch.size(); ++s) {
      pool(head.pooling(), x.row_range(sequences[s].begin, sequences[s].end), pooled[static_cast<index_t>(s)]);
      one_each[s] = {static_cast<index_t>(s), static_cast<index_t>(s) + 1};
    }
    head.forward(pooled, out.add(head.name(), head.width(), one_each), f);
  }
}

}  // namespace hw
