#pragma once
// What a part is built from: its weights by canonical name, and the tables that a model's parts share.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/executor.hpp"
#include "headwise/flow/expert_store.hpp"
#include "headwise/flow/fingerprint.hpp"
#include "headwise/flow/frame.hpp"
#include "headwise/io/weight_map.hpp"
#include "headwise/kernels/matmul.hpp"
#include "headwise/kernels/table.hpp"

namespace hw {

/// One line of Model::explain(): a weight matrix and how it is kept.
struct MatrixReport {
  std::string name;
  index_t rows = 0;
  index_t cols = 0;
  DType file_type = DType::f32;
  DType type = DType::f32;
  std::size_t bytes = 0;
  kernels::Activations activations = kernels::Activations::f32;  // what it is multiplied with
  std::optional<DType> asked{};                                  // BuildOptions::weights
};

/// The same of an attention.
struct AttentionReport {
  std::string name;
  index_t heads = 0;
  kernels::KvLayout layout;
};

/// Weights that are drawn instead of read: every tensor that a part asks for, from its name and the seed, the same on every machine.
/// Matrices have variance 1 / cols, norms' weights are near 1, biases near 0.
struct RandomWeights {
  std::uint64_t seed = 0;
};

struct BuildOptions {
  /// Store weight matrices in this type instead of the file's. Rows that the type's block does not divide keep theirs.
  std::optional<DType> weights{};
  /// Round what meets bf16 weights to bf16, too: the quickest form on CPUs with dot products of bf16, at less precision.
  bool bf16_activations = false;
  /// How attention's states keep keys and values: f32, f16, bf16 or q8_0 (kernels::KvLayout).
  DType kv = DType::f32;
  /// Keep at most so many bytes of experts' matrices in memory, and read the others from the file when they are chosen (ExpertStore).
  std::optional<index_t> expert_budget{};
  /// Called after each matrix with the bytes of the file packed so far.
  std::function<void(index_t)> progress{};
};

/// A stream that is computed once at the beginning of each step (rotary angles, say), for all parts that read it.
struct StepStream {
  Slot slot;
  index_t width = 0;
  std::function<void(const TokenSet&, View)> fill;
};

/// A scope of canonical weight names, and what a model's parts share while they are built. Cheap to copy.
class Build {
 public:
  Build(Weights weights, const kernels::Table& kernels, Executor& executor, BuildOptions options = {});
  Build(RandomWeights random, const kernels::Table& kernels, Executor& executor, BuildOptions options = {});

  /// The scope `name` below this one.
  Build scope(std::string_view name) const {
    Build out = *this;
    out.weights_ = weights_.scope(name);
    return out;
  }
  /// This scope, whose matrices keep the file's type whatever the caller asked for (routers: a wrong choice costs more than its bytes).
  Build as_filed() const {
    Build out = *this;
    out.keeps_type_ = true;
    return out;
  }
  /// The bank, of `count` experts, that a layer built in this scope has in the store; none without a budget, or inside of an expert.
  std::optional<index_t> expert_bank(index_t count) const {
    return shared_->experts && !expert_ ? std::optional(shared_->experts->add_bank(count)) : std::nullopt;
  }
  /// This scope, whose matrices are in memory only while the store holds that expert of the bank.
  Build of_expert(index_t bank, index_t number) const {
    Build out = *this;
    out.expert_ = {bank, number};
    return out;
  }
  /// Null: all experts are in memory.
  const std::shared_ptr<ExpertStore>& experts() const noexcept { return shared_->experts; }

  /// The same for a model inside of a model: its streams are its own, packed weights are shared.
  Build model(std::string_view name) const { return Build(weights_.scope(name), shared_, std::make_shared<Streams>()); }

  /// Does the file (through the family's map) have this tensor?
  bool has(std::string_view name) const { return shared_->random ? false : weights_.has(name); }

  /// A vector of `n` floats. Errors: missing, another shape.
  std::vector<float> vector(std::string_view name, index_t n) const;

  /// The rows of a (rows, cols) matrix as the file has them. Errors: missing, another shape, not a weight type.
  MatrixSource matrix(std::string_view name, index_t rows, index_t cols) const;

  /// The same matrix packed for the kernels, in the file's type or the one that the caller asked for. A tensor that several
  /// parts ask for is packed once; an expert's that is in memory only on demand is packed later, and for each expert by itself.
  std::shared_ptr<const PackedWeights> packed(std::string_view name, index_t rows, index_t cols) const;

  /// What matrices of this type are multiplied with.
  kernels::Activations activations(DType weights) const { return kernels::activations_for(weights, shared_->options.bf16_activations); }

  /// How keys and values are kept.
  DType kv() const noexcept { return shared_->options.kv; }

  /// The number of the stream called `name` (the same name gives the same number in the whole model); 0 is the residual stream.
  Slot slot(std::string_view name) const;
  /// A stream of that name and width, filled at the beginning of each step. The same name gives the same stream.
  Slot step_stream(std::string_view name, index_t width, std::function<void(const TokenSet&, View)> fill) const;
  const std::vector<StepStream>& step_streams() const noexcept { return streams_->of_a_step; }
  int slots() const noexcept { return streams_->slots; }

  std::string path(std::string_view name) const { return weights_.path(name); }
  const std::vector<MatrixReport>& report() const noexcept { return shared_->report; }
  /// For explain(): this scope is an attention of so many query heads.
  void note_attention(index_t heads, const kernels::KvLayout& layout) const { shared_->attentions.push_back({path(""), heads, layout}); }
  const std::vector<AttentionReport>& attentions() const noexcept { return shared_->attentions; }
  /// Of all weights asked for so far: names, shapes, types, the first row of each matrix, all of each vector.
  const Fingerprint& fingerprint() const noexcept { return shared_->fingerprint; }
  const kernels::Table& kernels() const noexcept { return shared_->kernels; }
  Executor& executor() const noexcept { return shared_->executor; }

 private:
  struct Shared {
    const kernels::Table& kernels;
    Executor& executor;
    BuildOptions options;
    std::map<std::string, std::shared_ptr<const PackedWeights>, std::less<>> packed;
    std::vector<MatrixReport> report;
    std::vector<AttentionReport> attentions;
    Fingerprint fingerprint;
    index_t bytes_done = 0;
    std::optional<RandomWeights> random;
    std::shared_ptr<ExpertStore> experts;
  };
  struct Streams {
    std::map<std::string, int, std::less<>> numbers;
    int slots = 1;
    std::vector<StepStream> of_a_step;
  };
  Build(Weights weights, std::shared_ptr<Shared> shared, std::shared_ptr<Streams> streams)
      : weights_(std::move(weights)), shared_(std::move(shared)), streams_(std::move(streams)) {}

  std::vector<float> drawn_vector(std::string_view name, index_t n) const;

  Weights weights_;
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<Streams> streams_;
  bool keeps_type_ = false;
  std::optional<std::pair<index_t, index_t>> expert_;  // bank, number
};

namespace detail {
/// Throws when a part is run on rows of another width than it was built for. `where`: the part's scope.
inline void check_width(std::string_view where, const char* what, index_t found, index_t expected) {
  if (found != expected) fail(where, concat("rows of ", expected, " values as ", what), std::to_string(found));
}

/// Throws when one of a part's sizes is not positive, or beyond any that a tensor could have.
[[gnu::cold]] inline void check_sizes(std::string_view where, std::initializer_list<std::pair<index_t, const char*>> sizes) {
  constexpr index_t kMost = index_t{1} << 24;
  for (const auto& [size, name] : sizes)
    if (size < 1 || size > kMost) fail(where, concat("a positive ", name), std::to_string(size));
}
}  // namespace detail

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/flow/build.inl.hpp"
#endif
