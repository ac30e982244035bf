#pragma once
// The families that a program can load: a list that it makes and can read.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "headwise/core/executor.hpp"
#include "headwise/io/hf_config.hpp"
#include "headwise/io/weight_map.hpp"
#include "headwise/models/model.hpp"

namespace hw {

/// How a checkpoint becomes a model.
struct LoadOptions {
  int threads = 0;                                      // of the model's own pool; 0: all the machine has
  std::shared_ptr<Executor> executor{};                 // instead of a pool of its own
  std::optional<DType> weights{};                       // store matrices as f32, f16, bf16, q8_0, q4_0 or q4_k instead of the file's type
  bool bf16_activations = false;                        // round what meets bf16 weights, too (BuildOptions)
  DType kv = DType::f32;                                // how keys and values are kept: f32, f16, bf16 or q8_0
  std::optional<index_t> expert_budget{};               // at most so many bytes of experts in memory, the others in the file (ExpertStore)
  std::optional<kernels::Target> target{};              // instead of the best instruction set
  std::function<void(double)> progress{};               // called with the share loaded, in [0, 1]
  MappedFile::Access access = MappedFile::Access::map;  // or read: a copy, for files that may change under the program
};

/// A checkpoint that was opened.
struct Checkpoint {
  HfConfig config;
  std::shared_ptr<const WeightSource> source;
};

/// A family's model from a checkpoint: its config, its weight map, its stack; all tensors and config fields accounted for.
/// headwise::compiled holds the stock families' instances.
template <class Family>
std::unique_ptr<Model> build_model(const HfConfig& config, std::shared_ptr<const WeightSource> source, const LoadOptions& options);

/// At the end of a stock family's file: against headwise::compiled its instance is in the library.
#if defined(HEADWISE_COMPILED)
#define HEADWISE_STOCK_FAMILY(Family)                                                                                        \
  extern template std::unique_ptr<Model> build_model<families::Family>(const HfConfig&, std::shared_ptr<const WeightSource>, \
                                                                       const LoadOptions&);
#else
#define HEADWISE_STOCK_FAMILY(Family)
#endif

/// The known families, by the `model_type` of a configuration.
///
///     auto zoo = hw::Zoo{}.add<hw::families::Llama>().add<MyFamily>();
class Zoo {
 public:
  using Chooser = bool (*)(const HfConfig&);
  using Opener = std::optional<Checkpoint> (*)(const std::string& folder, MappedFile::Access access);
  using Builder = std::unique_ptr<Model> (*)(const HfConfig&, std::shared_ptr<const WeightSource>, const LoadOptions&);

  /// Family: `kModelTypes`, `Model`, `config(const HfConfig&, const WeightSource&)`, `weights(const HfConfig&, const WeightSource&)`; and
  /// `kArchitectures` where GGUF files call it otherwise (general.architecture).
  /// One whose checkpoints are neither Hugging Face folders nor GGUF has `open(folder, access)`: the checkpoint, or nothing where the
  /// folder has none of its kind.
  /// A family added later wins over an earlier one of the same model_type; one with `takes(const HfConfig&)` where that says so.
  template <class Family>
  Zoo& add() & {
    Chooser takes = nullptr;
    if constexpr (requires { &Family::takes; }) takes = &Family::takes;
    if constexpr (requires { &Family::open; }) openers_.push_back(&Family::open);
    for (const std::string_view type : Family::kModelTypes) entries_.push_back({std::string(type), false, &build_model<Family>, takes});
    if constexpr (requires { Family::kArchitectures; })
      for (const std::string_view name : Family::kArchitectures) entries_.push_back({std::string(name), true, &build_model<Family>, takes});
    else
      for (const std::string_view type : Family::kModelTypes) entries_.push_back({std::string(type), true, &build_model<Family>, takes});
    return *this;
  }
  template <class Family>
  Zoo&& add() && {
    return std::move(add<Family>());
  }

  /// The model types it knows, sorted: those of Hugging Face folders.
  std::vector<std::string> known() const;
  bool knows(std::string_view model_type) const;

  /// Builds a checkpoint's model. Errors: an unknown model_type (the message lists the known), and whatever is wrong in the files.
  std::unique_ptr<Model> build(const HfConfig& config, std::shared_ptr<const WeightSource> source, const LoadOptions& options = {}) const;

  /// From a Hugging Face folder, a .gguf file, or a folder that one of the families opens (CTranslate2's, Marian's).
  std::unique_ptr<Model> load(const std::string& path, const LoadOptions& options = {}) const;

 private:
  struct Entry {
    std::string model_type;
    bool gguf;  // or a Hugging Face folder
    Builder build;
    Chooser takes;  // null: all
  };
  std::vector<std::string> names(bool gguf) const;

  std::vector<Entry> entries_;
  std::vector<Opener> openers_;
};

}  // namespace hw

#include "headwise/families/build_model.hpp"

#if HEADWISE_DEFINITIONS
#include "headwise/families/zoo.inl.hpp"
#endif
