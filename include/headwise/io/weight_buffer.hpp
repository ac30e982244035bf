#pragma once
// Weights that a program makes itself: random ones for a first try, or those of a format of its own.

#include <utility>

#include "headwise/io/weight_source.hpp"

namespace hw {

/// Collects tensors in memory and makes a WeightSource of them.
///
///     WeightBuffer buffer;
///     buffer.add("layers.0.norm.weight", {64}, std::vector<float>(64, 1.0f));
///     Weights weights(buffer.finish());
class WeightBuffer {
 public:
  explicit WeightBuffer(std::string description = "weights in memory") : description_(std::move(description)) {}

  /// Errors: another number of values than the shape has.
  WeightBuffer& add(std::string name, std::vector<index_t> shape, std::vector<float> values) {
    const index_t bytes = tensor_bytes(DType::f32, shape, name);
    if (!std::cmp_equal(values.size(), bytes / 4))
      fail(name, concat(bytes / 4, " values for ", shape_string(shape)), concat(values.size()));
    const auto kept = std::make_shared<const std::vector<float>>(std::move(values));
    tensors_.push_back({std::move(name), DType::f32, std::move(shape), std::as_bytes(std::span(*kept)), {}});
    owners_.push_back(kept);
    return *this;
  }

  /// The source; the buffer is empty afterwards. Errors: a name twice.
  std::shared_ptr<const WeightSource> finish() {
    return std::make_shared<const WeightSource>(description_, std::exchange(tensors_, {}), std::vector<std::shared_ptr<const MappedFile>>{},
                                                std::exchange(owners_, {}));
  }

 private:
  std::string description_;
  std::vector<RawTensor> tensors_;
  std::vector<std::shared_ptr<const void>> owners_;
};

}  // namespace hw
