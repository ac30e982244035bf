#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/io/mapped_file.hpp"
#include "headwise/models/model.hpp"

namespace hw {

// Takes an idle arena, or a new one, and puts it back at the end.
class Model::Workspace {
 public:
  explicit Workspace(Workspaces& all) : all_(all) {
    {
      const std::lock_guard lock(all_.mutex);
      if (!all_.idle.empty()) {
        arena_ = std::move(all_.idle.back());
        all_.idle.pop_back();
      }
    }
    if (!arena_) {
      arena_ = std::make_unique<Arena>();
      const std::lock_guard lock(all_.mutex);
      all_.idle.reserve(all_.idle.size() + 8);  // so that putting back does not allocate
    }
  }
  ~Workspace() {
    const std::lock_guard lock(all_.mutex);
    if (all_.idle.size() < all_.idle.capacity()) all_.idle.push_back(std::move(arena_));
  }
  Arena& arena() noexcept { return *arena_; }

 private:
  Workspaces& all_;
  std::unique_ptr<Arena> arena_;
};

namespace detail {
// Axes of the coordinates: those of the first sequence that gives some.
inline index_t axes_of(std::span<const Sequence> batch) {
  for (const Sequence& s : batch)
    if (!s.coords.empty()) return std::max<index_t>(static_cast<index_t>(s.coords.size() / std::max<std::size_t>(s.ids.size(), 1)), 1);
  return 1;
}
}  // namespace detail

// The states of a batch belong to one forward.
class Model::InUse {
 public:
  explicit InUse(std::span<const Sequence> batch) {
    for (const Sequence& s : batch) {
      if (s.state != nullptr && s.state->in_use_.exchange(true, std::memory_order_acquire)) {
        release();
        fail(concat("forward: sequence ", count_), "another forward is running with its state");
      }
      batch_ = batch.first(++count_);
    }
  }
  InUse(const InUse&) = delete;
  ~InUse() { release(); }

 private:
  void release() noexcept {
    for (const Sequence& s : batch_)
      if (s.state != nullptr) s.state->in_use_.store(false, std::memory_order_release);
  }
  std::span<const Sequence> batch_;  // those that are held
  std::size_t count_ = 0;
};

HEADWISE_INLINE void Model::check(std::span<const Sequence> batch) const {
  if (batch.empty()) fail("forward", "the batch has no sequence");
  for (std::size_t s = 0; s < batch.size(); ++s) {
    const Sequence& seq = batch[s];
    const auto where = [&] { return concat("forward: sequence ", s); };
    if (seq.ids.empty()) fail(where(), "it has no tokens");
    index_t vectors = 0;
    for (std::size_t i = 0; i < seq.ids.size(); ++i) {
      const std::int32_t id = seq.ids[i];
      if (id == -1 && seq.vectors.data != nullptr) {
        ++vectors;
      } else if (id < 0 || id >= info_.vocab_size) {
        fail(concat("forward: sequence ", s, ", token ", i), concat("an id below the vocabulary size ", info_.vocab_size),
             std::to_string(id));
      }
    }
    if (seq.vectors.data != nullptr && (vectors != seq.vectors.rows || seq.vectors.cols != info_.embedding_size))
      fail(where(), concat("vectors of shape (", vectors, ", ", info_.embedding_size, ")"),
           concat("(", seq.vectors.rows, ", ", seq.vectors.cols, ")"));
    if (!seq.marks.empty() && seq.marks.size() != seq.ids.size())
      fail(where(), concat("a mark for each of ", seq.ids.size(), " tokens"), std::to_string(seq.marks.size()));
    if (const index_t axes = detail::axes_of(batch);
        static_cast<index_t>(seq.coords.size()) != (seq.coords.empty() ? 0 : axes) * static_cast<index_t>(seq.ids.size()))
      fail(where(), concat("coords of ", axes, " axes for each of ", seq.ids.size(), " tokens"), concat(seq.coords.size(), " numbers"));
    for (const float coord : seq.coords)
      if (!(std::abs(coord) < 1e9f)) fail(where(), "finite coords", concat(coord));
    if ((seq.state == nullptr) != (batch[0].state == nullptr)) fail(where(), "either all sequences of a batch have a state or none");
    const index_t before = seq.state != nullptr ? seq.state->size() : 0;
    if (encoder() != nullptr && (seq.state == nullptr || seq.state->source_size() == 0))
      fail(where(), "a state with a source, which Model::encode makes", seq.state == nullptr ? "no state" : "a state without one");
    if (seq.state != nullptr) {
      if (seq.state->fingerprint_ != info_.fingerprint || seq.state->fingerprint_ == 0)
        fail(where(), concat("a state of this model (fingerprint ", info_.fingerprint, ")"), std::to_string(seq.state->fingerprint_));
      for (std::size_t o = 0; o < s; ++o)
        if (batch[o].state == seq.state) fail(where(), concat("it has the same state as sequence ", o));
    }
    const index_t total = before + static_cast<index_t>(seq.ids.size());
    if (info_.max_positions > 0 && total > info_.max_positions)
      fail(where(), concat("at most ", info_.max_positions, " positions (max_position_embeddings)"),
           concat("position ", info_.max_positions, " of ", total));
  }
}

HEADWISE_INLINE void Model::forward(std::span<const Sequence> batch, Output& out, const StepOptions& options) const {
  for (const Sequence& s : batch)
    if (s.signal.data != nullptr) return forward_signals(batch, out, options);
  check(batch);
  bool crosses = false;
  const auto regime_after = [&](const Sequence& s) { return regime(s.state->size() + static_cast<index_t>(s.ids.size())); };
  for (const Sequence& s : batch)
    if (s.state != nullptr) {
      if (s.state->size() == 0) s.state->regime_ = regime_after(s);
      crosses = crosses || s.state->regime_ != regime_after(s);
    }
  if (!crosses) return step(batch, out, options);

  // A position policy changes for all rows (dynamic RoPE): the sequences that cross are run again from their first token, in
  // new states that replace the old ones when all has gone well.
  std::vector<Sequence> again(batch.begin(), batch.end());
  std::vector<std::vector<std::int32_t>> ids(batch.size());
  std::vector<StateSet> fresh(batch.size());
  for (std::size_t s = 0; s < batch.size(); ++s) {
    if (batch[s].state->regime_ == regime_after(batch[s])) continue;
    const auto before = batch[s].state->ids();
    if (std::find(before.begin(), before.end(), -1) != before.end())
      fail(concat("forward: sequence ", s), "its positions must be computed anew at this length, but earlier rows were given as vectors");
    if (!batch[s].marks.empty())
      fail(concat("forward: sequence ", s), "its positions must be computed anew at this length, but marks are not kept");
    if (!batch[s].coords.empty())
      fail(concat("forward: sequence ", s), "its positions must be computed anew at this length, but coords are not kept");
    ids[s].assign(before.begin(), before.end());
    ids[s].insert(ids[s].end(), batch[s].ids.begin(), batch[s].ids.end());
    fresh[s] = emptied(*batch[s].state);
    fresh[s].regime_ = regime_after(batch[s]);
    again[s].ids = ids[s];
    again[s].state = &fresh[s];
  }
  step(again, out, options);
  for (std::size_t s = 0; s < batch.size(); ++s)
    if (again[s].state == &fresh[s]) {
      const bool shorter = batch[s].wanted == Wanted::all && again[s].ids.size() != batch[s].ids.size();
      if (shorter) out.keep_last_rows(static_cast<index_t>(s), static_cast<index_t>(batch[s].ids.size()));
      *batch[s].state = std::move(fresh[s]);
    }
}

HEADWISE_INLINE index_t Model::signal_rows(index_t) const { fail("signal", "the model has no front for one: it reads ids"); }

// Signals become vectors.
HEADWISE_INLINE void Model::forward_signals(std::span<const Sequence> batch, Output& out, const StepOptions& options) const {
  Workspace workspace(*workspaces_);
  Arena& arena = workspace.arena();
  const ArenaScope scope(arena);
  Step step{options.executor != nullptr ? *options.executor : *executor_, *kernels_, arena};
  const TokenSet no_tokens;
  const Frame frame(step, no_tokens, {});
  const auto plain = arena.take<Sequence>(static_cast<index_t>(batch.size()));
  std::copy(batch.begin(), batch.end(), plain.begin());
  for (std::size_t s = 0; s < batch.size(); ++s) {
    const auto where = [&] { return concat("forward: sequence ", s); };
    const Sequence& seq = batch[s];
    if (seq.signal.data == nullptr) continue;
    if (info_.signal_size == 0) fail(where(), "a model that reads signals", "one that reads ids");
    if (seq.signal.cols != info_.signal_size)
      fail(where(), concat("a signal of ", info_.signal_size, " columns"), std::to_string(seq.signal.cols));
    if (seq.vectors.data != nullptr) fail(where(), "either a signal or vectors", "both");
    const index_t rows = signal_rows(seq.signal.rows), kept = seq.ids.empty() ? rows : static_cast<index_t>(seq.ids.size());
    if (rows == 0) fail(where(), "a signal that is long enough for one row", concat(seq.signal.rows, " rows"));
    if (kept > rows || std::any_of(seq.ids.begin(), seq.ids.end(), [](std::int32_t id) { return id != -1; }))
      fail(where(), concat("no ids beside a signal, or up to ", rows, " times -1"), concat(kept, " ids"));
    const View made = arena.take_view(rows, info_.embedding_size);
    const auto none = arena.take<std::int32_t>(kept);
    std::fill(none.begin(), none.end(), -1);
    {
      const ArenaScope inner(arena);
      read_signal(seq.signal, made, frame);
    }
    plain[s].signal = {};
    plain[s].ids = none;
    plain[s].vectors = made.row_range(0, kept);
  }
  forward(plain, out, options);
}

HEADWISE_INLINE void Model::step(std::span<const Sequence> batch, Output& out, const StepOptions& options) const {
  for (const Sequence& s : batch)
    if (s.state != nullptr) s.state->reserve(static_cast<index_t>(s.ids.size()));
  const InUse in_use(batch);

  Workspace workspace(*workspaces_);
  Arena& arena = workspace.arena();
  const ArenaScope scope(arena);
  index_t rows = 0;
  for (const Sequence& s : batch) rows += static_cast<index_t>(s.ids.size());

  const auto ranges = arena.take<RowRange>(static_cast<index_t>(batch.size()));
  const auto total = arena.take<index_t>(static_cast<index_t>(batch.size()));
  const auto index = arena.take<index_t>(rows);
  const auto axes = static_cast<std::size_t>(detail::axes_of(batch));
  const auto coord = arena.take<float>(rows * static_cast<index_t>(axes));
  const auto id = arena.take<std::int32_t>(rows);
  const auto mark = arena.take<std::int32_t>(rows);
  std::size_t row = 0;
  for (std::size_t s = 0; s < batch.size(); ++s) {
    const index_t before = batch[s].state != nullptr ? batch[s].state->size() : 0;
    ranges[s] = {static_cast<index_t>(row), static_cast<index_t>(row + batch[s].ids.size())};
    total[s] = before + ranges[s].size();
    for (std::size_t i = 0; i < batch[s].ids.size(); ++i, ++row) {
      index[row] = before + static_cast<index_t>(i);
      for (std::size_t a = 0; a < axes; ++a)
        coord[row * axes + a] = !batch[s].coords.empty() ? batch[s].coords[i * axes + a] : a == 0 ? static_cast<float>(index[row]) : 0.0f;
      id[row] = batch[s].ids[i];
      mark[row] = batch[s].marks.empty() ? 0 : batch[s].marks[i];
    }
  }
  TokenSet tokens;
  tokens.sequences = ranges;
  tokens.index = index;
  tokens.coord = coord;
  tokens.axes = static_cast<int>(axes);
  tokens.id = id;
  tokens.mark = mark;
  tokens.total = total;

  const Step step{options.executor != nullptr ? *options.executor : *executor_, *kernels_, arena, options.tap};
  out.clear();
  try {
    run(step, tokens, batch, out, options);
  } catch (...) {
    for (const Sequence& s : batch)
      if (s.state != nullptr)
        for (const auto& part : s.state->parts_) part->truncate(s.state->size());
    out.clear();
    throw;
  }
  for (const Sequence& s : batch)
    if (s.state != nullptr) s.state->ids_.insert(s.state->ids_.end(), s.ids.begin(), s.ids.end());  // room was reserved
}

// A state with the same source and no tokens.
HEADWISE_INLINE StateSet Model::emptied(const StateSet& state) const {
  if (encoder() == nullptr) return make_state();
  StateSet out = state.fork();
  out.truncate(0);
  return out;
}

HEADWISE_INLINE std::vector<StateSet> Model::encode(std::span<const Sequence> sources, Output& out, const StepOptions& options) const {
  const Model* const reader = encoder();
  if (reader == nullptr) fail("encode", "a model that reads sources (an encoder-decoder)", info_.model_type);
  StepOptions with_hidden = options;
  with_hidden.hidden = true;
  reader->forward(sources, out, with_hidden);

  std::vector<StateSet> states;
  std::vector<RowRange> ranges;
  index_t rows = 0;
  for (std::size_t s = 0; s < sources.size(); ++s) {
    const index_t n = out.hidden(static_cast<index_t>(s)).rows;
    ranges.push_back({rows, rows + n});
    rows += n;
    states.push_back(make_state());
    states.back().source_size_ = n;
  }
  Workspace workspace(*workspaces_);
  Arena& arena = workspace.arena();
  const ArenaScope scope(arena);
  const auto index = arena.take<index_t>(rows), total = arena.take<index_t>(static_cast<index_t>(sources.size()));
  const auto coord = arena.take<float>(rows);
  const auto none = arena.take<std::int32_t>(rows), mark = arena.take<std::int32_t>(rows);
  std::fill(none.begin(), none.end(), -1);
  std::fill(mark.begin(), mark.end(), 0);
  View memory[1] = {arena.take_view(rows, reader->info().hidden_size)};
  for (std::size_t s = 0; s < ranges.size(); ++s) {
    const ConstView hidden = out.hidden(static_cast<index_t>(s));
    total[s] = hidden.rows;
    for (index_t i = 0; i < hidden.rows; ++i) {
      const index_t row = ranges[s].begin + i;
      index[static_cast<std::size_t>(row)] = i;
      coord[static_cast<std::size_t>(row)] = static_cast<float>(i);
      std::copy_n(hidden.row(i), hidden.cols, memory[0].row(row));
    }
  }
  TokenSet tokens;
  tokens.sequences = ranges;
  tokens.index = index;
  tokens.coord = coord;
  tokens.id = none;
  tokens.mark = mark;
  tokens.total = total;
  Step step{options.executor != nullptr ? *options.executor : *executor_, *kernels_, arena, nullptr};
  remember(Frame(step, tokens, memory), states);
  return states;
}

HEADWISE_INLINE StateSet Model::load_state(std::span<const std::byte> bytes) const {
  StateSet state = make_state();
  state.load(bytes);
  for (const std::int32_t id : state.ids_)
    if (id < -1 || id >= info_.vocab_size) fail("saved state", concat("ids below ", info_.vocab_size), std::to_string(id));
  for (const auto& part : state.parts_)
    if (part->reach(state.size()) != state.size()) fail("saved state", "its parts hold fewer tokens than it lists");
  for (const auto& part : state.parts_) part->truncate(state.size());  // none holds more
  return state;
}

HEADWISE_INLINE StateSet Model::load_state(const std::string& path) const {
  const MappedFile file = MappedFile::open(path, MappedFile::Access::copy);
  try {
    return load_state(file.bytes());
  } catch (const Error& e) {
    fail(quoted(path, 200), e.what());
  }
}

HEADWISE_INLINE index_t Model::rewind(StateSet& state, index_t n) const {
  const index_t reached = state.reach(n);
  if (reached == n && regime(n) == state.regime_) {
    state.truncate(n);
    return 0;
  }
  const index_t from = regime(n) == state.regime_ ? reached : 0;
  const std::vector<std::int32_t> ids(state.ids_.begin() + from, state.ids_.begin() + n);
  if (const auto gap = std::find(ids.begin(), ids.end(), -1); gap != ids.end())
    fail("rewind", concat("row ", from + (gap - ids.begin()), " was given as a vector and must be given again: the state reaches ", from,
                          " by itself"));
  StateSet target = from == 0 ? emptied(state) : state.fork();
  if (from > 0) target.truncate(from);
  if (!ids.empty()) {
    Output unused;
    forward(Sequence{ids, &target, Wanted::none}, unused);
  }
  state = std::move(target);
  return n - from;
}

}  // namespace hw

#include "headwise/models/explain.inl.hpp"
