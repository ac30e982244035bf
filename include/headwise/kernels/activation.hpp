#pragma once
// The elementwise activations, and their names in config.json.

#include <string_view>

#include "headwise/core/config.hpp"

namespace hw {

/// identity  x                                    relu       max(x, 0)             relu2     max(x, 0)^2
/// gelu      x Phi(x), Phi the normal CDF         gelu_tanh  x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
/// gelu_quick x sigmoid(1.702 x)                  silu       x sigmoid(x)          sigmoid   1 / (1 + e^-x)
/// tanh      tanh(x)                              softplus   log(1 + e^x)          mish      x tanh(softplus(x))
/// elu       x > 0 ? x : e^x - 1
enum class Activation : std::uint8_t { identity, relu, relu2, gelu, gelu_tanh, gelu_quick, silu, sigmoid, tanh, softplus, mish, elu };

inline constexpr int kActivationCount = 12;

/// The activation that config.json calls `name` ("gelu_new", "gelu_pytorch_tanh" and "gelu_fast" are gelu_tanh, "swish" is silu).
/// Errors: an unknown name; the message lists the known ones.
Activation parse_activation(std::string_view name);

/// Its name in the list above.
std::string_view name_of(Activation activation) noexcept;

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/kernels/activation.inl.hpp"
#endif
