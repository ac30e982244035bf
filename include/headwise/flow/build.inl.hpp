#pragma once
#include <cmath>
#include <cstring>

#include "headwise/flow/build.hpp"
#include "headwise/flow/serial.hpp"
#include "headwise/io/weight_buffer.hpp"

namespace hw {

HEADWISE_LOAD_TIME Build::Build(Weights weights, const kernels::Table& kernels, Executor& executor, BuildOptions options)
    : Build(std::move(weights), std::make_shared<Shared>(Shared{kernels, executor, std::move(options), {}, {}, {}, {}, 0, {}, {}}),
            std::make_shared<Streams>()) {
  if (!kernels::is_kv_type(kv())) fail("keys and values", "f32, f16, bf16 or q8_0", name_of(kv()));
  if (shared_->options.expert_budget) shared_->experts = std::make_shared<ExpertStore>(*shared_->options.expert_budget);
}

HEADWISE_LOAD_TIME Build::Build(RandomWeights random, const kernels::Table& kernels, Executor& executor, BuildOptions options)
    : Build(Weights(WeightBuffer("random weights").finish()), kernels, executor, std::move(options)) {
  shared_->random = random;
}

namespace detail {

// n numbers of mean 0 and variance 1 that depend on the name and the seed: sums of four uniform numbers, exact in float.
inline std::vector<float> draw(std::string_view path, std::uint64_t seed, index_t n) {
  std::uint64_t state = checksum(std::as_bytes(std::span(path))) ^ (seed * 0x9e3779b97f4a7c15u);
  if (n < 0) fail(path, "a size of at least 0", std::to_string(n));
  std::vector<float> out(static_cast<std::size_t>(n));
  for (float& v : out) {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;  // splitmix64
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    const auto sum = static_cast<std::int64_t>((z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48)) - 2 * 0xFFFF;
    v = static_cast<float>(sum) * (1.7320508f / 65536.0f);
  }
  return out;
}

inline MatrixSource drawn_matrix(const std::string& path, std::uint64_t seed, index_t rows, index_t cols) {
  auto values = draw(path, seed, checked_mul(rows, cols, path));
  const float scale = 1.0f / std::sqrt(static_cast<float>(cols));
  for (float& v : values) v *= scale;
  const auto buffer = std::make_shared<const std::vector<float>>(std::move(values));
  MatrixSource out;
  out.rows = rows;
  out.cols = cols;
  out.name = out.key = path;
  out.pieces = {{reinterpret_cast<const std::byte*>(buffer->data()), rows}};
  out.buffer = buffer;
  return out;
}

inline MatrixSource read_matrix(const Weights& weights, const std::optional<RandomWeights>& random, std::string_view name, index_t rows,
                                index_t cols) {
  return random ? drawn_matrix(weights.path(name), random->seed, rows, cols) : weights.matrix(name, rows, cols);
}

}  // namespace detail

HEADWISE_LOAD_TIME std::vector<float> Build::drawn_vector(std::string_view name, index_t n) const {
  auto out = detail::draw(path(name), shared_->random->seed, n);
  const float mean = name.ends_with("weight") ? 1.0f : 0.0f;
  for (float& v : out) v = mean + 0.1f * v;
  return out;
}

HEADWISE_LOAD_TIME std::vector<float> Build::vector(std::string_view name, index_t n) const {
  auto out = shared_->random ? drawn_vector(name, n) : weights_.vector(name, n);
  shared_->fingerprint.add(path(name));
  shared_->fingerprint.add(out);
  return out;
}

HEADWISE_LOAD_TIME MatrixSource Build::matrix(std::string_view name, index_t rows, index_t cols) const {
  auto out = detail::read_matrix(weights_, shared_->random, name, rows, cols);
  Fingerprint& fingerprint = shared_->fingerprint;
  fingerprint.add(path(name));
  for (const index_t n : {rows, cols, static_cast<index_t>(out.type)}) fingerprint.add(n);
  if (!out.pieces.empty()) {
    const auto* row = reinterpret_cast<const char*>(out.pieces.front().data);
    fingerprint.add(std::string_view(row, std::min<std::size_t>(static_cast<std::size_t>(out.row_bytes()), 4096)));
  }
  return out;
}

HEADWISE_LOAD_TIME std::shared_ptr<const PackedWeights> Build::packed(std::string_view name, index_t rows, index_t cols) const {
  Shared& shared = *shared_;
  const MatrixSource source = matrix(name, rows, cols);
  if (const auto found = shared.packed.find(source.key); found != shared.packed.end() && !expert_) return found->second;

  const DType file_type = source.type;
  const auto asked = keeps_type_ ? std::nullopt : shared.options.weights;
  const DType type = asked ? source.stored_as(*asked) : file_type;
  const index_t bytes = kernels::packed_bytes(type, rows, cols);
  auto out = std::make_shared<PackedWeights>();
  out->matrix = {type, rows, cols, nullptr};
  if (expert_) {
    source.advise(MappedFile::Advice::not_needed);  // what the fingerprint has touched
    shared.experts->add(expert_->first, expert_->second, out, source,
                        [weights = weights_, random = shared.random, name = std::string(name), rows, cols] {
                          return detail::read_matrix(weights, random, name, rows, cols);
                        });
  } else {
    out->pack(source, shared.executor);
  }

  shared.fingerprint.add(type);
  shared.fingerprint.add(activations(type));
  shared.fingerprint.add(shared.kernels.target);
  shared.report.push_back({weights_.path(name), rows, cols, file_type, type, static_cast<std::size_t>(bytes), activations(type), asked});
  if (!expert_) shared.packed.emplace(source.key, out);
  if (shared.options.progress) {
    shared.bytes_done += rows * source.row_bytes();
    shared.options.progress(shared.bytes_done);
  }
  return out;
}

HEADWISE_LOAD_TIME Slot Build::slot(std::string_view name) const {
  const auto [at, fresh] = streams_->numbers.try_emplace(std::string(name), streams_->slots);
  if (fresh) ++streams_->slots;
  return {at->second};
}

HEADWISE_LOAD_TIME Slot Build::step_stream(std::string_view name, index_t width, std::function<void(const TokenSet&, View)> fill) const {
  const int before = streams_->slots;
  const Slot out = slot(name);
  if (streams_->slots != before) streams_->of_a_step.push_back({out, width, std::move(fill)});
  return out;
}

}  // namespace hw
