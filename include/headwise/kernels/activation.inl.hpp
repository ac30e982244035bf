#pragma once
#include <string>

#include "headwise/core/error.hpp"
#include "headwise/kernels/activation.hpp"

namespace hw {
namespace detail {

struct ActivationName {
  std::string_view name;
  Activation activation;
};

// Names of Hugging Face configurations; "gelu_python_tanh" and "gelu_accurate" are other spellings of the tanh form there.
inline constexpr ActivationName kActivationNames[] = {
    {"gelu", Activation::gelu},
    {"gelu_python", Activation::gelu},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_tanh", Activation::gelu_tanh},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"gelu_python_tanh", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_tanh},
    {"gelu_accurate", Activation::gelu_tanh},
    {"quick_gelu", Activation::gelu_quick},
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"relu", Activation::relu},
    {"relu2", Activation::relu2},
    {"relu_squared", Activation::relu2},
    {"sigmoid", Activation::sigmoid},
    {"tanh", Activation::tanh},
    {"softplus", Activation::softplus},
    {"mish", Activation::mish},
    {"elu", Activation::elu},
    {"linear", Activation::identity},
    {"identity", Activation::identity},
};

}  // namespace detail

HEADWISE_INLINE Activation parse_activation(std::string_view name) {
  std::string known;
  for (const detail::ActivationName& entry : detail::kActivationNames) {
    if (entry.name == name) return entry.activation;
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail("activation", "one of " + known, quoted(name));
}

HEADWISE_INLINE std::string_view name_of(Activation activation) noexcept {
  constexpr std::string_view names[kActivationCount] = {"identity", "relu",    "relu2", "gelu",     "gelu_tanh", "gelu_quick",
                                                        "silu",     "sigmoid", "tanh",  "softplus", "mish",      "elu"};
  return names[static_cast<int>(activation)];
}

}  // namespace hw
