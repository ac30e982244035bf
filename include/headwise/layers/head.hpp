#pragma once
// What turns hidden states into a model's outputs: a row choice and a few stages, as data.

#include <string>
#include <variant>
#include <vector>

#include "headwise/kernels/activation.hpp"
#include "headwise/layers/embedding.hpp"
#include "headwise/layers/linear.hpp"
#include "headwise/layers/pooling.hpp"

namespace hw {

/// A linear stage: tensors `name`.weight (out, in) and, if `bias`, `name`.bias.
struct DenseStage {
  std::string name{};
  index_t out = 0;
  bool bias = true;
};
struct NormStage {
  std::string name{};
  AnyNormConfig norm{};
};
struct ActivationStage {
  Activation activation = Activation::tanh;
};
/// x = cap * tanh(scale * x / cap); no cap where it is 0.
struct ScaleStage {
  float scale = 1.0f;
  float cap = 0.0f;
};
using HeadStage = std::variant<DenseStage, NormStage, ActivationStage, ScaleStage>;

/// output[name] = stages(rows of the last hidden states), per token or, pooled, per sequence.
///
/// A language model's logits are one dense stage; BERT's are dense, activation, norm, dense. The weights' scope is `scope`.
class Head {
 public:
  struct Config {
    std::string name{};               // of the output: "logits", "pooler_output", ...
    Pooling pooling = Pooling::none;  // none: one output row a token
    std::vector<HeadStage> stages{};
    std::string scope = "head";
  };

  /// Errors: two heads of a name (checked by the model), shapes.
  Head(const Config& c, index_t hidden_size, const Build& b);

  /// Shapes: x (rows, hidden_size), y (rows, width()).
  void forward(ConstView x, View y, const Frame& f) const;

  const std::string& name() const noexcept { return name_; }
  Pooling pooling() const noexcept { return pooling_; }
  index_t width() const noexcept { return width_; }

 private:
  using Stage = std::variant<Linear, AnyNorm, ActivationStage, ScaleStage>;
  std::string name_;
  Pooling pooling_;
  index_t width_;
  std::vector<Stage> stages_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/layers/head.inl.hpp"
#endif
