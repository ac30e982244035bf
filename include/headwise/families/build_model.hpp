#pragma once
// How a family becomes a model: what headwise/families/zoo.hpp instantiates for a family of a program's own, and headwise::compiled
// for the stock ones.

#include <algorithm>

#include "headwise/core/thread_pool.hpp"
#include "headwise/families/zoo.hpp"

namespace hw {

template <class Family>
std::unique_ptr<Model> build_model(const HfConfig& config, std::shared_ptr<const WeightSource> source, const LoadOptions& options) {
  auto stack = Family::config(config, *source);
  stack.model_type = config.get_or<std::string>("model_type", stack.model_type);
  const Weights weights(source, Family::weights(config, *source));
  config.account();
  std::shared_ptr<Executor> executor = options.executor;
  if (!executor) executor = std::make_shared<ThreadPool>(options.threads);
  const kernels::Table& table = options.target ? kernels::table(*options.target) : kernels::table();
  BuildOptions build_options;
  build_options.weights = options.weights;
  build_options.bf16_activations = options.bf16_activations;
  build_options.kv = options.kv;
  build_options.expert_budget = options.expert_budget;
  if (options.progress) {
    index_t bytes = 0;
    for (const RawTensor& t : source->tensors()) bytes += static_cast<index_t>(t.bytes.size());
    build_options.progress = [report = options.progress, bytes](index_t done) {
      report(std::min(1.0, static_cast<double>(done) / static_cast<double>(std::max<index_t>(bytes, 1))));
    };
  }
  auto model = std::make_unique<typename Family::Model>(std::move(stack), Build(weights, table, *executor, build_options), executor);
  weights.account();
  return model;
}

}  // namespace hw
