#pragma once
// A model behind one virtual call a step: what drivers and applications hold.

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "headwise/core/arena.hpp"
#include "headwise/core/executor.hpp"
#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"
#include "headwise/models/output.hpp"
#include "headwise/models/state_set.hpp"

namespace hw {

/// Which rows of a sequence the heads compute.
enum class Wanted : std::uint8_t { none, last, all };

/// What one sequence of a batch adds in a step.
struct Sequence {
  std::span<const std::int32_t> ids{};  // tokens; -1 takes the next row of `vectors`
  StateSet* state = nullptr;            // what came before; null: nothing did, and nothing is kept
  Wanted wanted = Wanted::last;
  std::span<const std::int32_t> marks{};  // token types; empty: zeros
  ConstView vectors{};                    // (count of -1 ids, embedding_size): embeddings given instead of ids
  // (tokens, axes): what position policies and coordinate tables read (axis 0: the position; boxes of words, task types), with equally
  // many axes in all sequences that give some. Empty: the entry's number, and 0 on further axes.
  std::span<const float> coords{};
  // In place of ids: what the model's front makes rows of: frames of features, samples, the lines of an image. (any, signal_size.) Where
  // ids are given as well they are all -1, and as many rows of the front are kept: the first ones, those of a signal without its padding.
  ConstView signal{};
};

struct StepOptions {
  const Tap* tap = nullptr;      // sees and may change activations
  bool hidden = false;           // also output "hidden": all rows after the final norm
  Executor* executor = nullptr;  // instead of the model's own
};

/// What a model is, for drivers, messages and explain().
struct ModelInfo {
  std::string model_type;
  index_t vocab_size = 0;
  index_t hidden_size = 0;
  index_t embedding_size = 0;  // columns of the rows that Sequence::vectors gives
  index_t signal_size = 0;     // columns of Sequence::signal; 0: it reads no signals
  index_t max_positions = 0;   // 0: no limit
  Couples couples = Couples::past;
  bool length_dependent =
      false;  // positions change with a sequence's length (dynamic RoPE): earlier rows of a longer prompt are other rows
  std::uint64_t fingerprint = 0;
  std::vector<std::string> outputs;
  std::vector<MatrixReport> matrices;
  std::vector<AttentionReport> attentions;
  std::shared_ptr<const ExpertStore> experts;  // null: all are in memory
};

/// An immutable model. forward is const: threads may share a model, each with its own states and outputs.
class Model {
 public:
  virtual ~Model() = default;

  const ModelInfo& info() const noexcept { return info_; }

  /// Runs one step: all sequences together, packed without padding, each row with the bits it would have alone.
  /// After it every state has grown by its sequence's rows. On any error (and when a tap throws) no state has changed.
  ///
  /// Errors: no sequences or an empty one; no source where the model reads one; an id outside of the vocabulary; more rows than
  /// max_positions; a state of another model or given twice; states for some sequences only; vectors of another width or count; a signal
  /// where the model reads none, of another width, or too short for one row.
  void forward(std::span<const Sequence> batch, Output& out, const StepOptions& options = {}) const;

  /// One sequence.
  void forward(const Sequence& sequence, Output& out, const StepOptions& options = {}) const {
    forward(std::span(&sequence, 1), out, options);
  }

  /// Reads sources for an encoder-decoder: its encoder runs once over all of them, packed without padding, and each source gets a state
  /// whose decoder reads it at every step. `out` has the encoder's outputs, "hidden" among them.
  /// Errors: the model reads no sources; those of forward for the encoder.
  std::vector<StateSet> encode(std::span<const Sequence> sources, Output& out, const StepOptions& options = {}) const;
  StateSet encode(const Sequence& source) const {
    Output out;
    return std::move(encode(std::span(&source, 1), out).front());
  }
  /// The encoder of an encoder-decoder; null for all other models.
  virtual const Model* encoder() const noexcept { return nullptr; }
  /// The rows that the front makes of a signal of n rows; 0: it is too short. Errors: the model reads no signals; an image of another size.
  virtual index_t signal_rows(index_t n) const;

  /// A state with nothing in it, and of an encoder-decoder without a source. Errors: the model is an encoder (a row there depends on later
  /// ones).
  virtual StateSet make_state() const = 0;

  /// The state that StateSet::save wrote. Errors: damaged, cut, or of another model.
  StateSet load_state(std::span<const std::byte> bytes) const;
  StateSet load_state(const std::string& path) const;

  /// Takes a state back to n tokens: truncates to what it reaches and replays the ids from there, which gives the same bits.
  /// Returns the number of rows replayed. Errors: n outside of [0, size]; rows to replay that were given as vectors.
  index_t rewind(StateSet& state, index_t n) const;

  /// What runs. One line for each matrix and attention, those of alike layers together ("layers.*.mlp.up.weight x 30"): shape, storage,
  /// what it is multiplied with and by which instructions, bytes, and what bounds one row and many; the instruction set and the threads.
  std::string explain() const;

  Executor& executor() const noexcept { return *executor_; }
  const kernels::Table& kernels() const noexcept { return *kernels_; }

 protected:
  Model(const kernels::Table& kernels, std::shared_ptr<Executor> executor) : kernels_(&kernels), executor_(std::move(executor)) {}

  /// Streams 1..: filled at the beginning of a step, before any entry runs.
  virtual void run(const Step& step, const TokenSet& tokens, std::span<const Sequence> batch, Output& out,
                   const StepOptions& options) const = 0;
  /// The blocks keep in the states, one a sequence, what they need of a memory's rows (stream 0).
  virtual void remember(const Frame&, std::span<StateSet>) const {}
  /// The front: fills all rows that a signal becomes.
  virtual void read_signal(ConstView, View, const Frame&) const {}
  /// The length regime of position policies for a sequence of `total` tokens.
  virtual int regime(index_t) const { return 0; }

  ModelInfo info_;

 private:
  void check(std::span<const Sequence> batch) const;
  void step(std::span<const Sequence> batch, Output& out, const StepOptions& options) const;
  void forward_signals(std::span<const Sequence> batch, Output& out, const StepOptions& options) const;
  StateSet emptied(const StateSet& state) const;

  // Arenas are kept between calls; each call in flight has one.
  struct Workspaces {
    std::mutex mutex;
    std::vector<std::unique_ptr<Arena>> idle;
  };
  class Workspace;
  class InUse;

  const kernels::Table* kernels_;
  std::shared_ptr<Executor> executor_;
  std::unique_ptr<Workspaces> workspaces_ = std::make_unique<Workspaces>();
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/models/model.inl.hpp"
#endif
